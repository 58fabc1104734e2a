/* Every allocation fails once: opening, writing and .npy must then return SGM_OUT_OF_MEMORY, leak
 * nothing (the sanitizer build watches) and leave no file. Linked with --wrap for the allocators.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "checkpoint/checkpoint_write.h"
#include "checkpoint/npy.h"
#include "checkpoint/prefix.h"
#include "checkpoint/rename.h"
#include "core/status.h"

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
static size_t large = SIZE_MAX; /* requests of so many bytes are counted */
static int large_count;

static int fails(size_t size)
{
    large_count += size >= large;
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

/* What opening a network does to the names of its file. */
static sgm_status change_names(sgm_checkpoint *c)
{
    static const char *const landmarks[] = {"head.weight", "base", NULL};
    SGM_TRY(sgm_checkpoint_take_off_prefix(c, landmarks));
    return sgm_checkpoint_rename(c, "head.=tail.,base=bottom");
}

static sgm_status open_sample(const char *name)
{
    char path[1024];
    sgm_checkpoint *c = NULL;
    snprintf(path, sizeof path, "%s/%s", SAMPLES, name);
    sgm_status status = sgm_checkpoint_open(path, &c);
    if (status == SGM_OK) status = change_names(c);
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

static sgm_status open_before_1_6(void)
{
    return open_sample("training_checkpoint_before_1_6.pth");
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

/* `spared`: allocations whose failure changes nothing, such as those of the look for what killed
 * writers left. */
static void sweep(const char *name, sgm_status (*run)(void), int spared)
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
        if (status == SGM_OK && spared-- > 0) continue;
        check_status(status, SGM_OUT_OF_MEMORY, NULL, name, __FILE__, __LINE__);
    }
    CHECK(spared <= 0);
    /* Writing .npy, the shortest of them, allocates twice. */
    check_that(failure > 1 && failure < MORE_THAN_ENOUGH, name, __FILE__, __LINE__);
}

enum { ROWS = 500, COLUMNS = 600 }; /* several of the writer's chunks */

static void write_matrix(const char *path)
{
    static float values[ROWS * COLUMNS];
    sgm_checkpoint_writer *w;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        values[i] = (float)i;
    CHECK_OK(sgm_checkpoint_writer_create(&w));
    CHECK_OK(sgm_checkpoint_writer_add_f32(w, "w", 2, (int64_t[]){ROWS, COLUMNS}, values,
                                           SGM_STORED_F32));
    CHECK_OK(sgm_checkpoint_writer_save(w, path));
    sgm_checkpoint_writer_destroy(w);
}

/* Saves the file's matrix turned over, and counts how often all of it is read. */
static void save_transposed(const sgm_stored_tensor *t, sgm_stored_type type, const char *path)
{
    sgm_checkpoint_writer *w;
    sgm_stored_tensor turned = *t;
    turned.shape[0] = COLUMNS, turned.shape[1] = ROWS;
    turned.strides[0] = 1, turned.strides[1] = COLUMNS;
    turned.contiguous = false;
    CHECK_OK(sgm_checkpoint_writer_create(&w));
    CHECK_OK(sgm_checkpoint_writer_add(w, &turned, type));
    large = t->byte_size;
    large_count = 0;
    CHECK_OK(sgm_checkpoint_writer_save(w, path));
    large = SIZE_MAX;
    printf("a view of %zu bytes is held %d times\n", t->byte_size, large_count);
    CHECK(large_count == 1);
    sgm_checkpoint_writer_destroy(w);
}

/* Written in chunks, a view of a file is read from it once: not once per chunk. */
static void a_view_is_gathered_once(void)
{
    static float got[ROWS * COLUMNS];
    sgm_checkpoint *c = NULL, *turned = NULL;
    write_matrix("scratch_rows.safetensors");
    if (!CHECK_OK(sgm_checkpoint_open("scratch_rows.safetensors", &c))) return;
    save_transposed(sgm_checkpoint_find(c, "w"), SGM_STORED_BF16, "scratch_columns.safetensors");
    save_transposed(sgm_checkpoint_find(c, "w"), SGM_STORED_F32, "scratch_columns.safetensors");
    sgm_checkpoint_close(c);
    if (!CHECK_OK(sgm_checkpoint_open("scratch_columns.safetensors", &turned))) return;
    CHECK_OK(sgm_stored_tensor_read_f32(sgm_checkpoint_find(turned, "w"), got));
    int wrong = 0;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        wrong += got[i] != (float)(i % ROWS * COLUMNS + i / ROWS);
    CHECK(wrong == 0);
    sgm_checkpoint_close(turned);
    unlink("scratch_rows.safetensors");
    unlink("scratch_columns.safetensors");
}

int main(void)
{
    sweep("views.pth", open_views, 0);
    sweep("training_checkpoint.pth", open_training_checkpoint, 0);
    sweep("training_checkpoint_before_1_6.pth", open_before_1_6, 0);
    sweep("write and open .safetensors", write_and_open, 1);
    sweep("write .npy", write_npy, 0);
    a_view_is_gathered_once();
    unlink("scratch_memory.safetensors");
    unlink("scratch_memory.npy");
    return check_report();
}
