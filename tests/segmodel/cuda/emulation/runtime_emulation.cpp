#include "cuda_emulation.h"
#include "emulation_control.h"

#include <deque>
#include <memory>
#include <mutex>
#include <stdarg.h>
#include <stdio.h>
#include <vector>

/* Several threads may use the runtime. */
static std::recursive_mutex door;
typedef std::lock_guard<std::recursive_mutex> inside;

/* --------------------------------------------------------------------------------------- errors */

static cudaError_t last_error = cudaSuccess;
static cudaError_t late_error = cudaSuccess; /* of queued work; whoever waits gets it */
static char failure[256];

static struct {
    const char *call;
    cudaError_t error;
    int after;
    bool sticky, lost;
} injected;

/* The error that a test wants this call to have. */
static cudaError_t fault(const char *call)
{
    if (injected.lost) return injected.error;
    if (!injected.call || strcmp(call, injected.call)) return cudaSuccess;
    if (injected.after-- > 0) return cudaSuccess;
    injected.call = NULL;
    injected.lost = injected.sticky;
    return injected.error;
}

#define ENTER()                                                                                    \
    inside guard(door);                                                                            \
    if (cudaError_t wanted = fault(__func__)) return last_error = wanted

void emulate_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(failure, sizeof failure, format, args);
    va_end(args);
    last_error = late_error = cudaErrorLaunchFailure;
}

cudaError_t cudaGetLastError(void)
{
    inside guard(door);
    if (injected.lost) return injected.error;
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError(void)
{
    return injected.lost ? injected.error : last_error;
}

const char *cudaGetErrorString(cudaError_t error)
{
    if (error == cudaErrorLaunchFailure && failure[0]) return failure;
    return error == cudaErrorMemoryAllocation ? "out of memory" : "emulated error";
}

/* ------------------------------------------------------------------------------------- streams */

struct emulated_event {
    long issued, done;                      /* records asked for, and executed */
    std::vector<emulated_stream *> streams; /* of every record */
};
typedef std::shared_ptr<emulated_event> event_state;
/* Queued work may outlive the handle. */
static std::vector<event_state> events;

struct operation {
    std::function<cudaError_t()> work;
    event_state event; /* without work: recorded, or waited for */
    bool records;
    long version;
};

struct emulated_graph {
    std::vector<std::function<cudaError_t()>> work;
};
struct emulated_graph_exec {
    std::vector<std::function<cudaError_t()>> work;
};

struct emulated_stream {
    std::deque<operation> queue;
    emulated_graph *capture; /* being recorded, or NULL */
    bool invalid;            /* the capture */
};
static std::vector<emulated_stream *> streams;
static bool eager_set, eager;
static emulation_counts counts;

static void work_off(emulated_stream *stream, const emulated_event *event, long version);

static void execute(const operation &op)
{
    if (op.work) {
        cudaError_t error = injected.lost ? injected.error : op.work();
        if (error != cudaSuccess && late_error == cudaSuccess) late_error = error;
    } else if (op.records) {
        if (op.event->done < op.version) op.event->done = op.version;
    } else if (op.event->done < op.version) {
        work_off(op.event->streams[(size_t)op.version - 1], op.event.get(), op.version);
    }
}

/* All of a stream's work, or up to a record of an event. */
static void work_off(emulated_stream *stream, const emulated_event *event, long version)
{
    while (!stream->queue.empty() && !(event && event->done >= version)) {
        operation op = stream->queue.front();
        stream->queue.pop_front();
        execute(op);
    }
}

static void work_off_all(void)
{
    for (emulated_stream *stream : streams)
        work_off(stream, NULL, 0);
}

static bool is_eager(void)
{
    if (!eager_set) eager = getenv("SGM_EMULATION_LAZY") == NULL;
    eager_set = true;
    return eager;
}

static cudaError_t take_late_error(void)
{
    cudaError_t error = late_error;
    late_error = cudaSuccess;
    return error ? last_error = error : cudaSuccess;
}

static void push(emulated_stream *stream, const operation &op)
{
    stream->queue.push_back(op);
    if (is_eager()) work_off(stream, NULL, 0);
}

void emulate_on(cudaStream_t stream, const std::function<cudaError_t()> &work)
{
    inside guard(door);
    if (!stream) { /* the default stream: at once, nothing of ours waits for it */
        if (cudaError_t error = work()) late_error = error;
        return;
    }
    counts.launches++;
    if (stream->capture)
        stream->capture->work.push_back(work);
    else
        push(stream, {work, NULL, false, 0});
}

bool emulated_capturing(cudaStream_t stream)
{
    return stream && stream->capture;
}

/* Calls that CUDA forbids while a stream records; the recording is lost. */
static bool disturbs_capture(void)
{
    bool disturbed = false;
    for (emulated_stream *stream : streams)
        if (stream->capture) stream->invalid = disturbed = true;
    return disturbed;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    ENTER();
    *stream = new emulated_stream();
    streams.push_back(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    inside guard(door);
    work_off_all();
    for (size_t i = 0; i < streams.size(); i++)
        if (streams[i] == stream) {
            streams.erase(streams.begin() + (long)i);
            delete stream;
            return cudaSuccess;
        }
    return last_error = cudaErrorInvalidValue;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    ENTER();
    if (emulated_capturing(stream)) {
        stream->invalid = true;
        return last_error = cudaErrorStreamCaptureUnsupported;
    }
    if (stream) work_off(stream, NULL, 0);
    return take_late_error();
}

cudaError_t cudaDeviceSynchronize(void)
{
    ENTER();
    if (disturbs_capture()) return last_error = cudaErrorStreamCaptureUnsupported;
    work_off_all();
    return take_late_error();
}

/* -------------------------------------------------------------------------------------- events */

static event_state state_of(cudaEvent_t event)
{
    for (const event_state &state : events)
        if (state.get() == event) return state;
    return NULL;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    ENTER();
    events.push_back(std::make_shared<emulated_event>());
    *event = events.back().get();
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    inside guard(door);
    for (size_t i = 0; i < events.size(); i++)
        if (events[i].get() == event) {
            events.erase(events.begin() + (long)i);
            return cudaSuccess;
        }
    return last_error = cudaErrorInvalidValue;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    ENTER();
    event_state state = state_of(event);
    if (!state || !stream) return last_error = cudaErrorInvalidValue;
    if (stream->capture) { /* nothing of ours joins streams while recording */
        stream->invalid = true;
        return last_error = cudaErrorStreamCaptureUnsupported;
    }
    state->streams.push_back(stream);
    push(stream, {nullptr, state, true, ++state->issued});
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    ENTER();
    event_state state = state_of(event);
    if (!state || !stream) return last_error = cudaErrorInvalidValue;
    if (stream->capture) {
        stream->invalid = true;
        return last_error = cudaErrorStreamCaptureUnsupported;
    }
    push(stream, {nullptr, state, false, state->issued});
    return cudaSuccess;
}

static void (*on_wait)(void);
static int waits_before;

void emulation_on_wait(void (*then)(void), int after)
{
    inside guard(door);
    on_wait = then;
    waits_before = after;
}

static void call_on_wait(void)
{
    void (*then)(void) = NULL;
    {
        inside guard(door);
        if (on_wait && waits_before-- == 0) then = on_wait, on_wait = NULL;
    }
    if (then) then();
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    call_on_wait();
    ENTER();
    event_state state = state_of(event);
    if (!state) return last_error = cudaErrorInvalidValue;
    if (state->done < state->issued) work_off(state->streams.back(), state.get(), state->issued);
    return take_late_error();
}

/* --------------------------------------------------------------------------------------- graphs */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    ENTER();
    if (!stream || stream->capture) return last_error = cudaErrorInvalidValue;
    stream->capture = new emulated_graph();
    stream->invalid = false;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    inside guard(door);
    cudaError_t error = fault(__func__);
    *graph = NULL;
    if (!stream || !stream->capture) return last_error = cudaErrorInvalidValue;
    if (stream->invalid) error = cudaErrorStreamCaptureInvalidated;
    if (error == cudaSuccess)
        *graph = stream->capture;
    else
        delete stream->capture;
    stream->capture = NULL;
    return error ? last_error = error : cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *exec, cudaGraph_t graph,
                                          unsigned long long)
{
    ENTER();
    *exec = new emulated_graph_exec();
    (*exec)->work = graph->work;
    counts.captures++;
    return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t)
{
    ENTER();
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    ENTER();
    if (!stream || stream->capture) return last_error = cudaErrorInvalidValue;
    for (const auto &work : exec->work)
        push(stream, {work, NULL, false, 0});
    counts.replays++;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    delete exec;
    return cudaSuccess;
}

/* --------------------------------------------------------------------------------------- memory */

static const int MOST_BLOCKS = 1 << 16;
emulated_memory emulated_blocks[MOST_BLOCKS];
int emulated_block_count;
static size_t memory_limit, memory_used, pinned_used;
struct pinned_memory {
    char *data;
    size_t size;
};
static std::vector<pinned_memory> pinned;

cudaError_t cudaMalloc(void **memory, size_t size)
{
    ENTER();
    if (disturbs_capture()) return last_error = cudaErrorStreamCaptureUnsupported;
    size_t room = (size + 255) / 256 * 256;
    bool fits =
        emulated_block_count < MOST_BLOCKS && (!memory_limit || memory_used + size <= memory_limit);
    char *data = fits ? (char *)aligned_alloc(256, room ? room : 256) : NULL;
    if (!data) return last_error = cudaErrorMemoryAllocation;
    memset(data, 0xFF, room); /* NaN in both formats: reading what nobody wrote shows */
    emulated_blocks[emulated_block_count++] = {data, NULL, NULL, size};
    memory_used += size;
    *memory = data;
    return cudaSuccess;
}

/* Waits for the device, as CUDA does. */
cudaError_t cudaFree(void *memory)
{
    inside guard(door);
    if (!memory) return cudaSuccess;
    if (disturbs_capture()) return last_error = cudaErrorStreamCaptureUnsupported;
    work_off_all();
    for (int i = 0; i < emulated_block_count; i++)
        if (emulated_blocks[i].data == memory) {
            free(memory);
            free(emulated_blocks[i].before);
            free(emulated_blocks[i].after);
            memory_used -= emulated_blocks[i].size;
            emulated_blocks[i] = emulated_blocks[--emulated_block_count];
            return cudaSuccess;
        }
    return last_error = cudaErrorInvalidValue;
}

cudaError_t cudaHostAlloc(void **memory, size_t size, unsigned)
{
    ENTER();
    if (disturbs_capture()) return last_error = cudaErrorStreamCaptureUnsupported;
    char *data = (char *)malloc(size ? size : 1);
    if (!data) return last_error = cudaErrorMemoryAllocation;
    memset(data, 0xFF, size);
    pinned.push_back({data, size});
    pinned_used += size;
    *memory = data;
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **memory, size_t size)
{
    return cudaHostAlloc(memory, size, 0);
}

cudaError_t cudaFreeHost(void *memory)
{
    inside guard(door);
    if (!memory) return cudaSuccess;
    work_off_all();
    for (size_t i = 0; i < pinned.size(); i++)
        if (pinned[i].data == memory) {
            pinned_used -= pinned[i].size;
            free(memory);
            pinned.erase(pinned.begin() + (long)i);
            return cudaSuccess;
        }
    return last_error = cudaErrorInvalidValue;
}

cudaError_t cudaMemGetInfo(size_t *free, size_t *total)
{
    ENTER();
    *total = memory_limit ? memory_limit : (size_t)64 << 30;
    *free = *total - memory_used;
    return cudaSuccess;
}

bool emulated_is_device(const void *memory, size_t size)
{
    const char *at = (const char *)memory;
    for (int i = 0; i < emulated_block_count; i++) {
        const emulated_memory &block = emulated_blocks[i];
        if (at >= block.data && at + size <= block.data + block.size) return true;
    }
    return false;
}

static bool is_pinned(const void *memory, size_t size)
{
    const char *at = (const char *)memory;
    for (const pinned_memory &block : pinned)
        if (at >= block.data && at + size <= block.data + block.size) return true;
    return false;
}

static bool sides_are_device(const void *to, const void *from, size_t size, cudaMemcpyKind kind)
{
    return (kind == cudaMemcpyDeviceToHost || emulated_is_device(to, size)) &&
           (kind == cudaMemcpyHostToDevice || emulated_is_device(from, size));
}

/* From pageable memory a copy is made before the call returns; to pageable memory the call waits.
 * Only pinned memory is read and written in the stream's turn. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    ENTER();
    if (!size) return cudaSuccess;
    if (!sides_are_device(to, from, size, kind)) return last_error = cudaErrorInvalidValue;
    bool pageable = (kind == cudaMemcpyHostToDevice && !is_pinned(from, size)) ||
                    (kind == cudaMemcpyDeviceToHost && !is_pinned(to, size));
    if (pageable && emulated_capturing(stream)) { /* would be read again at every replay */
        stream->invalid = true;
        return last_error = cudaErrorStreamCaptureUnsupported;
    }
    std::shared_ptr<std::vector<char>> staged;
    if (pageable && kind == cudaMemcpyHostToDevice)
        staged = std::make_shared<std::vector<char>>((const char *)from, (const char *)from + size);
    emulate_on(stream, [=] {
        const void *source = staged ? (const void *)staged->data() : from;
        if (!sides_are_device(to, source, size, kind)) return cudaErrorIllegalAddress;
        memmove(to, source, size);
        return cudaSuccess;
    });
    if (!pageable || kind == cudaMemcpyHostToDevice) return cudaSuccess;
    if (stream) work_off(stream, NULL, 0);
    return take_late_error();
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t size, cudaStream_t stream)
{
    ENTER();
    if (!size) return cudaSuccess;
    if (!emulated_is_device(to, size)) return last_error = cudaErrorInvalidValue;
    emulate_on(stream, [=] {
        if (!emulated_is_device(to, size)) return cudaErrorIllegalAddress;
        memset(to, value, size);
        return cudaSuccess;
    });
    return cudaSuccess;
}

/* --------------------------------------------------------------------------------------- device */

cudaError_t cudaGetDeviceCount(int *count)
{
    ENTER();
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

/* One that is too old, for the sake of what is said then. */
cudaError_t cudaDriverGetVersion(int *version)
{
    *version = 12040;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    ENTER();
    return device ? last_error = cudaErrorInvalidDevice : cudaSuccess;
}

/* Of a multiprocessor: as on sm_80, or what SGM_EMULATION_SHARED says. */
static int shared_memory_kib(void)
{
    const char *kib = getenv("SGM_EMULATION_SHARED");
    return kib ? atoi(kib) : 164;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int)
{
    ENTER();
    switch (attribute) { /* an A100's, but for its size */
    case cudaDevAttrComputeCapabilityMajor:
        *value = 8;
        break;
    case cudaDevAttrMultiProcessorCount:
        *value = 4;
        break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = (shared_memory_kib() - 1) << 10;
        break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
        *value = shared_memory_kib() << 10;
        break;
    default:
        *value = 0;
    }
    return cudaSuccess;
}

cudaError_t emulated_attributes(cudaFuncAttributes *attributes)
{
    inside guard(door);
    if (cudaError_t wanted = fault("cudaFuncGetAttributes")) return last_error = wanted;
    attributes->numRegs = 0;
    /* the code that was loaded: of sm_80, or what SGM_EMULATION_CODE says */
    const char *code = getenv("SGM_EMULATION_CODE");
    attributes->ptxVersion = attributes->binaryVersion = code ? atoi(code) : 80;
    attributes->maxThreadsPerBlock = 1024;
    return cudaSuccess;
}

/* ------------------------------------------------------------------------------ what tests can do
 */

extern "C" {
void emulation_limit_memory(size_t bytes)
{
    memory_limit = bytes;
}

size_t emulation_memory(void)
{
    return memory_used;
}

size_t emulation_pinned(void)
{
    return pinned_used;
}

void emulation_fail(const char *call, int error, int after, int sticky)
{
    inside guard(door);
    injected = {call, (cudaError_t)error, after, sticky != 0, false};
    last_error = late_error = cudaSuccess;
}

void emulation_eager(int on)
{
    eager_set = true;
    eager = on != 0;
}

emulation_counts emulation_count(void)
{
    return counts;
}
}
