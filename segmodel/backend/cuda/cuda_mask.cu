/* Logits to masks (backend/picture.h); a mask goes back on a stream of its own. */
#include "cuda_image.h"

#include <stdlib.h>

enum { MASK_TAPS = 4, MASKS_UNDER_WAY = 2 };

typedef struct mask_maker {
    int low_side, width, height;
    bool sigmoid;
    char *memory;
    const int *across, *down;
    const float *across_weight, *down_weight;
    float *odds, *wide; /* [low_side, low_side]; [low_side, width] */
    pixel *mask[MASKS_UNDER_WAY];
    cuda_host_memory host[MASKS_UNDER_WAY];
    cudaEvent_t made[MASKS_UNDER_WAY], arrived[MASKS_UNDER_WAY];
    int started, finished;
} mask_maker;

static __global__ void sigmoid_kernel(const float *low, int count, float *to)
{
    SGM_ELEMENT(i, count);
    to[i] = 1 / (1 + expf(-low[i]));
}

static __global__ void widen_kernel(const float *low, int low_side, const int *first,
                                    const float *weight, int width, int count, float *to)
{
    SGM_ELEMENT(i, count);
    int x = i % width, y = i / width;
    const float *p = low + y * low_side + first[x], *w = weight + MASK_TAPS * x;
    float sum = sgm_sum(sgm_mul(w[0], p[0]), sgm_mul(w[1], p[1]));
    sum = sgm_sum(sum, sgm_mul(w[2], p[2]));
    to[i] = sgm_sum(sum, sgm_mul(w[3], p[3]));
}

static __global__ void mask_kernel(const float *wide, const int *first, const float *weight,
                                   int width, int count, float threshold, pixel *to)
{
    SGM_ELEMENT(i, count);
    int x = i % width, y = i / width;
    const float *r = wide + (int64_t)first[y] * width + x, *w = weight + MASK_TAPS * y;
    float sum = sgm_sum(sgm_mul(w[0], r[0]), sgm_mul(w[1], r[width]));
    if (w[2] != 0 || w[3] != 0) {
        sum = sgm_sum(sum, sgm_mul(w[2], r[2 * width]));
        sum = sgm_sum(sum, sgm_mul(w[3], r[3 * width]));
    }
    to[i] = sum > threshold;
}

static cudaError_t lay_out_mask(sgm_cuda *cuda, const sgm_mask_rule *rule, mask_maker *m,
                                sgm_cursor *cursor)
{
    cudaError_t error = cudaSuccess;
    size_t low = (size_t)m->low_side, width = (size_t)m->width, height = (size_t)m->height;
    size_t four = MASK_TAPS * sizeof(float);
    m->across = (const int *)sgm_cuda_take_table(cuda, cursor, rule->across, width * 4, &error);
    m->down = (const int *)sgm_cuda_take_table(cuda, cursor, rule->down, height * 4, &error);
    m->across_weight =
        (const float *)sgm_cuda_take_table(cuda, cursor, rule->across_weight, width * four, &error);
    m->down_weight =
        (const float *)sgm_cuda_take_table(cuda, cursor, rule->down_weight, height * four, &error);
    m->odds = (float *)sgm_take(cursor, m->sigmoid ? low * low * sizeof(float) : 0);
    m->wide = (float *)sgm_take(cursor, low * width * sizeof(float));
    for (int i = 0; i < MASKS_UNDER_WAY; i++)
        m->mask[i] = (pixel *)sgm_take(cursor, width * height);
    return error;
}

static cudaError_t make_ways(sgm_cuda *cuda, mask_maker *m)
{
    cudaError_t error = cudaSuccess;
    if (!cuda->downloads)
        error = cudaStreamCreateWithFlags(&cuda->downloads, cudaStreamNonBlocking);
    for (int i = 0; i < MASKS_UNDER_WAY && error == cudaSuccess; i++) {
        error = cudaEventCreateWithFlags(&m->made[i], cudaEventDisableTiming);
        if (error == cudaSuccess)
            error = cudaEventCreateWithFlags(&m->arrived[i], cudaEventDisableTiming);
    }
    return error;
}

static sgm_status take_host(sgm_cuda *cuda, mask_maker *m)
{
    for (int i = 0; i < MASKS_UNDER_WAY; i++)
        SGM_TRY(sgm_cuda_take_host_memory(cuda, (size_t)m->width * (size_t)m->height, &m->host[i]));
    return SGM_OK;
}

static sgm_status make_mask_maker(sgm_cuda *cuda, const sgm_mask_rule *rule, mask_maker *m)
{
    sgm_cursor cursor = {NULL, 0};
    (void)lay_out_mask(cuda, rule, m, &cursor);
    sgm_cuda_enter(cuda);
    cudaError_t error = cudaMalloc((void **)&m->memory, cursor.used);
    if (error == cudaSuccess) error = make_ways(cuda, m);
    sgm_status status = error == cudaSuccess ? take_host(cuda, m) : SGM_OK;
    sgm_cuda_leave(cuda);
    if (status != SGM_OK) return status;
    cursor.base = m->memory;
    cursor.used = 0;
    if (error == cudaSuccess) error = lay_out_mask(cuda, rule, m, &cursor);
    if (error != cudaSuccess) (void)cudaGetLastError();
    return sgm_cuda_check(cuda, error, "making room for masks");
}

void sgm_cuda_mask_free(sgm_backend *backend, void *memory)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    mask_maker *m = (mask_maker *)memory;
    if (!m) return;
    sgm_cuda_enter(cuda);
    cudaStreamSynchronize(cuda->stream);
    if (cuda->downloads) cudaStreamSynchronize(cuda->downloads);
    for (int i = 0; i < MASKS_UNDER_WAY; i++) {
        sgm_cuda_free_host_memory(&m->host[i]);
        if (m->made[i]) cudaEventDestroy(m->made[i]);
        if (m->arrived[i]) cudaEventDestroy(m->arrived[i]);
    }
    if (m->memory) cudaFree(m->memory);
    sgm_cuda_leave(cuda);
    free(m);
}

sgm_status sgm_cuda_mask_create(sgm_backend *backend, const sgm_mask_rule *rule, void **out)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    *out = NULL;
    if ((int64_t)rule->width * rule->height > INT32_MAX ||
        (int64_t)rule->width * rule->low_side > INT32_MAX)
        return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "CUDA: a mask of more than 2^31 - 1 pixels");
    mask_maker *m = (mask_maker *)calloc(1, sizeof *m);
    if (!m) return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "no memory for masks");
    m->low_side = rule->low_side, m->width = rule->width, m->height = rule->height;
    m->sigmoid = rule->sigmoid;
    sgm_status status = make_mask_maker(cuda, rule, m);
    if (status != SGM_OK) {
        sgm_cuda_mask_free(backend, m);
        return status;
    }
    *out = m;
    return SGM_OK;
}

/* The mask's kernels, on the working stream. */
static void make_mask(sgm_cuda *cuda, const mask_maker *m, const float *low, float threshold,
                      pixel *to)
{
    int low_count = m->low_side * m->low_side, wide = m->low_side * m->width;
    int count = m->width * m->height;
    if (m->sigmoid)
        SGM_LAUNCH(sigmoid_kernel, sgm_blocks(low_count), SGM_THREADS, cuda->stream, low, low_count,
                   m->odds);
    SGM_LAUNCH(widen_kernel, sgm_blocks(wide), SGM_THREADS, cuda->stream,
               m->sigmoid ? m->odds : low, m->low_side, m->across, m->across_weight, m->width, wide,
               m->wide);
    SGM_LAUNCH(mask_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, m->wide, m->down,
               m->down_weight, m->width, count, threshold, to);
}

sgm_status sgm_cuda_mask_start(sgm_backend *backend, void *memory, const float *low,
                               float threshold)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    mask_maker *m = (mask_maker *)memory;
    int i = m->started % MASKS_UNDER_WAY;
    if (m->started - m->finished >= MASKS_UNDER_WAY)
        return sgm_cuda_fail(cuda, SGM_INTERNAL, "CUDA: too many masks under way");
    sgm_cuda_enter(cuda);
    make_mask(cuda, m, low, threshold, m->mask[i]);
    cudaError_t error = cudaGetLastError();
    if (error == cudaSuccess) error = cudaEventRecord(m->made[i], cuda->stream);
    if (error == cudaSuccess) error = cudaStreamWaitEvent(cuda->downloads, m->made[i], 0);
    if (error == cudaSuccess)
        error = cudaMemcpyAsync(m->host[i].data, m->mask[i], (size_t)m->width * (size_t)m->height,
                                cudaMemcpyDeviceToHost, cuda->downloads);
    if (error == cudaSuccess) error = cudaEventRecord(m->arrived[i], cuda->downloads);
    sgm_cuda_leave(cuda);
    SGM_TRY(sgm_cuda_check(cuda, error, "making a mask"));
    m->started++;
    return SGM_OK;
}

sgm_status sgm_cuda_mask_finish(sgm_backend *backend, void *memory, uint8_t *to)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    mask_maker *m = (mask_maker *)memory;
    int i = m->finished % MASKS_UNDER_WAY;
    if (m->finished == m->started)
        return sgm_cuda_fail(cuda, SGM_INTERNAL, "CUDA: no mask is under way");
    m->finished++;
    cudaError_t error = cudaEventSynchronize(m->arrived[i]);
    SGM_TRY(sgm_cuda_check(cuda, error, "making a mask"));
    memcpy(to, m->host[i].data, (size_t)m->width * (size_t)m->height);
    return SGM_OK;
}
