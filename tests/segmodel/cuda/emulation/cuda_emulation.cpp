#include "cuda_emulation.h"

#include <stdio.h>
#include <ucontext.h>

/* Jumps between fibers are most of what a kernel with barriers costs here: the compiler's own, as
 * libc's look for handlers and masks first. Sanitizers follow libc's. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&                  \
    !defined(__SANITIZE_THREAD__)
typedef void *place_in_code[5];
#define MARK(place) __builtin_setjmp(place)
#define JUMP(place) __builtin_longjmp(place, 1)
#else
#include <setjmp.h>
typedef jmp_buf place_in_code;
#define MARK(place) _setjmp(place)
#define JUMP(place) _longjmp(place, 1)
#endif

/* The thread sanitizer follows fibers when it is told of each switch, by the function that leaves.
 */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define FOLLOWED_NEW() __tsan_create_fiber(0)
#define FOLLOWED_CURRENT() __tsan_get_current_fiber()
#define FOLLOWED_SWITCH(to) __tsan_switch_to_fiber(to, 0)
#else
#define FOLLOWED_NEW() NULL
#define FOLLOWED_CURRENT() NULL
#define FOLLOWED_SWITCH(to) (void)(to)
#endif

dim3 threadIdx, blockIdx, blockDim, gridDim;

static bool checking(void)
{
    static int on = -1;
    if (on < 0) on = getenv("SGM_EMULATION_CHECK") != NULL;
    return on == 1;
}

/* -------------------------------------------------------------------------- the team's fibers */

static const int MOST_THREADS = 1024;
static const size_t STACK = 64 << 10;

/* waiting at __syncthreads(), or inside a warp's instruction for its other lanes */
typedef enum fiber_state { FIBER_NEW, FIBER_AT_BLOCK, FIBER_AT_WARP, FIBER_DONE } fiber_state;

static struct fiber {
    char *stack;
    ucontext_t start;
    place_in_code place;
    void *followed;
    fiber_state state;
    dim3 index;
} fibers[MOST_THREADS];
static fiber *running;
static place_in_code scheduler;
static void *scheduler_followed;
static const emulated_kernel *running_kernel;

static void leave(void)
{
    FOLLOWED_SWITCH(scheduler_followed);
    JUMP(scheduler);
}

/* Lives on: making a context costs system calls, jumping to it does not. */
static void fiber_main(void)
{
    for (;;) {
        running_kernel->thread();
        running->state = FIBER_DONE;
        if (!MARK(running->place)) leave();
    }
}

static void wait_at(fiber_state barrier)
{
    if (!running) {
        emulate_fail("a kernel with a barrier was launched without SGM_LAUNCH_TEAM");
        return;
    }
    running->state = barrier;
    if (!MARK(running->place)) leave();
    threadIdx = running->index;
}

void __syncthreads(void)
{
    wait_at(FIBER_AT_BLOCK);
}

void emulate_warp_barrier(void)
{
    wait_at(FIBER_AT_WARP);
}

int emulate_thread(void)
{
    return (int)(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
}

static void resume(fiber *f)
{
    running = f;
    threadIdx = f->index;
    scheduler_followed = FOLLOWED_CURRENT();
    if (!MARK(scheduler)) {
        if (f->stack) {
            FOLLOWED_SWITCH(f->followed);
            JUMP(f->place);
        }
        getcontext(&f->start);
        f->stack = (char *)malloc(STACK);
        f->start.uc_stack.ss_sp = f->stack;
        f->start.uc_stack.ss_size = STACK;
        f->start.uc_link = NULL;
        makecontext(&f->start, fiber_main, 0);
        f->followed = FOLLOWED_NEW();
        FOLLOWED_SWITCH(f->followed);
        setcontext(&f->start);
    }
    running = NULL;
}

static dim3 index_of(unsigned i, dim3 size)
{
    return dim3(i % size.x, i / size.x % size.y, i / size.x / size.y);
}

/* A warp's lanes until each waits for the block or has returned. A warp's instruction needs all of
 * its lanes. */
static bool run_warp(fiber *lanes, int count, bool descending, const char *name)
{
    for (;;) {
        int inside = 0;
        for (int i = 0; i < count; i++) {
            fiber *f = &lanes[descending ? count - 1 - i : i];
            resume(f);
            inside += f->state == FIBER_AT_WARP;
        }
        if (!inside) return true;
        if (inside == count) continue;
        emulate_fail("%s: %d of %d lanes met a warp's instruction", name, inside, count);
        return false;
    }
}

/* All threads of a block up to the next barrier or the end, which they must meet together. */
static bool run_phase(int count, bool descending, const char *name, bool *done)
{
    int warps = (count + 31) / 32, finished = 0;
    for (int w = 0; w < warps; w++) {
        int first = (descending ? warps - 1 - w : w) * 32;
        if (!run_warp(fibers + first, count - first < 32 ? count - first : 32, descending, name))
            return false;
    }
    for (int i = 0; i < count; i++)
        finished += fibers[i].state == FIBER_DONE;
    *done = finished == count;
    if (!finished || *done) return true;
    emulate_fail("%s: %d of %d threads of a block missed a barrier", name, finished, count);
    return false;
}

static void run_team(dim3 block, bool descending, const char *name)
{
    int count = (int)(block.x * block.y * block.z);
    bool done = false;
    for (int i = 0; i < count; i++) {
        fibers[i].state = FIBER_NEW;
        fibers[i].index = index_of((unsigned)i, block);
    }
    while (!done)
        if (!run_phase(count, descending, name, &done)) break;
    for (int i = 0; i < count && !done; i++)
        fibers[i].stack = NULL; /* lost: these fibers stand in the middle of a kernel */
}

static void run_grid(const emulated_kernel &kernel, const char *name, dim3 grid, dim3 block,
                     bool team, bool descending)
{
    unsigned count = grid.x * grid.y * grid.z, threads = block.x * block.y * block.z;
    running_kernel = &kernel;
    gridDim = grid;
    blockDim = block;
    for (unsigned i = 0; i < count; i++) {
        blockIdx = index_of(descending ? count - 1 - i : i, grid);
        if (team) {
            run_team(block, descending, name);
            continue;
        }
        for (unsigned t = 0; t < threads; t++) {
            threadIdx = index_of(descending ? threads - 1 - t : t, block);
            kernel.thread();
        }
    }
}

/* ------------------------------------------------------------------------------------- launches */

/* A check runs a launch in both orders of threads. Blocks are large and a launch changes little of
 * them, so copies live as long as their block and are brought up to date in pieces that differ. */
static const size_t PIECE = 4096;

template <typename Work>
static void for_differing(const char *a, const char *b, size_t size, const Work &work)
{
    for (size_t at = 0; at < size; at += PIECE) {
        size_t length = size - at < PIECE ? size - at : PIECE;
        if (memcmp(a + at, b + at, length)) work(at, length);
    }
}

/* before = after = data. Copies of the host change data between launches, back to what it was
 * before the last one too: each is looked at. */
static void keep(void)
{
    for (int i = 0; i < emulated_block_count; i++) {
        emulated_memory &block = emulated_blocks[i];
        if (!block.before) {
            block.before = (char *)malloc(block.size + 1);
            block.after = (char *)malloc(block.size + 1);
            memcpy(block.before, block.data, block.size);
            memcpy(block.after, block.data, block.size);
        }
        for (char *copy : {block.before, block.after})
            for_differing(copy, block.data, block.size, [&](size_t at, size_t length) {
                memcpy(copy + at, block.data + at, length);
            });
    }
}

/* after = data, data = before */
static void turn_back(void)
{
    for (int i = 0; i < emulated_block_count; i++) {
        emulated_memory &block = emulated_blocks[i];
        for_differing(block.before, block.data, block.size, [&](size_t at, size_t length) {
            memcpy(block.after + at, block.data + at, length);
            memcpy(block.data + at, block.before + at, length);
        });
    }
}

static void compare(const char *name)
{
    for (int i = 0; i < emulated_block_count; i++) {
        emulated_memory &block = emulated_blocks[i];
        for_differing(block.after, block.data, block.size, [&](size_t at, size_t length) {
            emulate_fail("%s: the result depends on the order of threads", name);
            memcpy(block.before + at, block.data + at, length);
            memcpy(block.after + at, block.data + at, length);
        });
    }
}

static void run_launch(const emulated_kernel &kernel, const char *name, dim3 grid, dim3 block,
                       bool team)
{
    if (checking()) {
        keep();
        run_grid(kernel, name, grid, block, team, true);
        turn_back();
    }
    run_grid(kernel, name, grid, block, team, false);
    if (checking()) compare(name);
}

void emulate_launch(cudaStream_t stream, std::shared_ptr<const emulated_kernel> kernel,
                    const char *name, dim3 grid, dim3 block, bool team)
{
    if (!grid.x || !grid.y || !grid.z || grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535 ||
        block.x * block.y * block.z > (unsigned)MOST_THREADS) {
        emulate_fail("%s: a grid of %u x %u x %u blocks of %u", name, grid.x, grid.y, grid.z,
                     block.x * block.y * block.z);
        return;
    }
    emulate_on(stream, [=] {
        run_launch(*kernel, name, grid, block, team);
        return cudaSuccess;
    });
}
