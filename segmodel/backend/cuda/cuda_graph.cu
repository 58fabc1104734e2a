/* A plan's launches recorded as a CUDA graph: an encoder has some 250 of them, and replaying costs
 * one call.
 *
 * Between begin and end the backend stays locked by the recording thread, so that no other
 * session's work gets into the graph. Nothing that a step does while it is recorded may allocate,
 * wait or touch ordinary host memory; cuBLAS has a workspace of its own for that reason (open_blas
 * in cuda_backend.cu). A step that breaks the rule makes recording fail, and the plan is run
 * plainly. Kernels must have been loaded before (they are, lazily, at their first launch), which is
 * why plans record their second run. */
#include "cuda_internal.h"

sgm_status sgm_cuda_capture_begin(sgm_backend *backend)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    sgm_cuda_enter(cuda);
    /* other threads, with other backends, may go on allocating */
    cudaError_t error = cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal);
    if (error == cudaSuccess) return SGM_OK;
    (void)cudaGetLastError();
    sgm_cuda_leave(cuda);
    return sgm_cuda_check(cuda, error, "recording");
}

sgm_status sgm_cuda_capture_end(sgm_backend *backend, void **recording)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    cudaError_t error = cudaStreamEndCapture(cuda->stream, &graph);
    if (error == cudaSuccess) error = cudaGraphInstantiateWithFlags(&exec, graph, 0);
    if (graph) cudaGraphDestroy(graph);
    (void)cudaGetLastError(); /* a recording that fails harms nothing else */
    sgm_cuda_leave(cuda);
    *recording = error == cudaSuccess ? exec : NULL;
    return sgm_cuda_check(cuda, error, "recording");
}

sgm_status sgm_cuda_replay(sgm_backend *backend, void *recording)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    sgm_cuda_enter(cuda);
    cudaError_t error = cudaGraphLaunch((cudaGraphExec_t)recording, cuda->stream);
    if (error != cudaSuccess) (void)cudaGetLastError();
    sgm_cuda_leave(cuda);
    return sgm_cuda_check(cuda, error, "replaying a recording");
}

void sgm_cuda_capture_free(sgm_backend *backend, void *recording)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    if (!recording) return;
    sgm_cuda_enter(cuda);
    cudaStreamSynchronize(cuda->stream);
    cudaGraphExecDestroy((cudaGraphExec_t)recording);
    sgm_cuda_leave(cuda);
}
