/* Every allocation fails once: opening, writing and .npy must then return SGM_OUT_OF_MEMORY, leak
 * nothing (the sanitizer build watches) and leave no file. Linked with --wrap for the allocators.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "checkpoint/checkpoint_write.h"
#include "checkpoint/npy.h"

#include <stdlib.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static long until_failure = -1; /* allocations that still succeed; -1: all */
static size_t largest;          /* request seen */

static int fails(size_t size)
{
    if (size > largest) largest = size;
    if (until_failure < 0) return 0;
    return until_failure-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(count * size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails(size) ? NULL : __real_realloc(old, size);
}

static sgm_status open_sample(const char *name)
{
    char path[1024];
    sgm_checkpoint *c = NULL;
    snprintf(path, sizeof path, "%s/%s", SAMPLES, name);
    sgm_status status = sgm_checkpoint_open(path, &c);
    sgm_checkpoint_close(c);
    return status;
}

static sgm_status open_views(void)
{
    return open_sample("views.pth");
}

static sgm_status open_training_checkpoint(void)
{
    return open_sample("training_checkpoint.pth");
}

static sgm_status fill_writer(sgm_checkpoint_writer *w)
{
    static const float values[4] = {1, 2, 3, 4};
    sgm_status status = sgm_checkpoint_writer_metadata(w, "key", "value");
    if (status == SGM_OK)
        status = sgm_checkpoint_writer_add_f32(w, "w", 1, (int64_t[]){4}, values, SGM_STORED_F16);
    return status == SGM_OK ? sgm_checkpoint_writer_save(w, "scratch_memory.safetensors") : status;
}

static sgm_status write_and_open(void)
{
    sgm_checkpoint *c = NULL;
    sgm_checkpoint_writer *w = NULL;
    unlink("scratch_memory.safetensors");
    sgm_status status = sgm_checkpoint_writer_create(&w);
    if (status == SGM_OK) status = fill_writer(w);
    sgm_checkpoint_writer_destroy(w);
    if (status != SGM_OK) {
        CHECK(access("scratch_memory.safetensors", F_OK) != 0);
        return status;
    }
    status = sgm_checkpoint_open("scratch_memory.safetensors", &c);
    sgm_checkpoint_close(c);
    return status;
}

static sgm_status write_npy(void)
{
    return sgm_npy_write("scratch_memory.npy", SGM_STORED_U8, 1, (int64_t[]){3}, "abc");
}

static void sweep(const char *name, sgm_status (*run)(void))
{
    enum { MORE_THAN_ENOUGH = 1000 };
    long failure = 0;
    sgm_status status;
    until_failure = -1;
    largest = 0;
    CHECK_OK(run());
    /* A few KB of input must not ask for more than buffers of fixed size. */
    check_that(largest <= 2 << 20, name, __FILE__, __LINE__);
    for (; failure < MORE_THAN_ENOUGH; failure++) {
        until_failure = failure;
        status = run();
        int reached = until_failure < 0;
        until_failure = -1;
        if (!reached) break;
        check_status(status, SGM_OUT_OF_MEMORY, NULL, name, __FILE__, __LINE__);
    }
    /* Writing .npy, the shortest of them, allocates twice. */
    check_that(failure > 1 && failure < MORE_THAN_ENOUGH, name, __FILE__, __LINE__);
}

int main(void)
{
    sweep("views.pth", open_views);
    sweep("training_checkpoint.pth", open_training_checkpoint);
    sweep("write and open .safetensors", write_and_open);
    sweep("write .npy", write_npy);
    unlink("scratch_memory.safetensors");
    unlink("scratch_memory.npy");
    return check_report();
}
