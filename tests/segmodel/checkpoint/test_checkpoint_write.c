/* Writing .safetensors: what is read back, conversion, layout, and that no half file ever shows. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "checkpoint/checkpoint_write.h"

#include <stdlib.h>

#include "portable.h"

#define FILE_NAME "scratch_write.safetensors"

static const int64_t shape23[2] = {2, 3};
static const float values[6] = {0.1f, -2.5f, 3.1415927f, 0, 1e-8f, 60000};

static sgm_checkpoint_writer *new_writer(void)
{
    sgm_checkpoint_writer *w = NULL;
    CHECK_OK(sgm_checkpoint_writer_create(&w));
    return w;
}

static sgm_status save_one(sgm_stored_type type, const float *data)
{
    sgm_checkpoint_writer *w = new_writer();
    CHECK_OK(sgm_checkpoint_writer_add_f32(w, "layer.w", 2, shape23, data, type));
    sgm_status status = sgm_checkpoint_writer_save(w, FILE_NAME);
    sgm_checkpoint_writer_destroy(w);
    return status;
}

static void check_one(sgm_stored_type type, double rtol, double atol)
{
    sgm_checkpoint *c;
    float got[6];
    if (!CHECK_OK(save_one(type, values)) || !CHECK_OK(sgm_checkpoint_open(FILE_NAME, &c))) return;
    const sgm_stored_tensor *t = sgm_checkpoint_find(c, "layer.w");
    CHECK(t && t->type == type && t->rank == 2 && t->shape[0] == 2 && t->shape[1] == 3);
    sgm_stored_tensor_read_f32(t, got);
    check_close(sgm_stored_type_name(type), got, values, 6, atol, rtol);
    CHECK((uintptr_t)t->data % 64 == 0);
    sgm_checkpoint_close(c);
}

static void floats_are_stored_in_three_types(void)
{
    check_one(SGM_STORED_F32, 0, 0);
    check_one(SGM_STORED_BF16, 1.0 / 256, 0);       /* half a unit of 8 bits */
    check_one(SGM_STORED_F16, 1.0 / 2048, 0x1p-25); /* 11 bits; subnormal step 2^-24 */
}

static void what_f16_cannot_hold_is_refused(void)
{
    float large[6] = {1, 2, 3, 4, 65520, 6};
    unlink(FILE_NAME);
    CHECK_STATUS(save_one(SGM_STORED_F16, large), SGM_INVALID_ARGUMENT, "'layer.w': 65520");
    CHECK(access(FILE_NAME, F_OK) != 0);
    large[4] = INFINITY; /* infinity is a value of its own and stays */
    CHECK_OK(save_one(SGM_STORED_F16, large));
    CHECK_OK(save_one(SGM_STORED_BF16, (float[]){1, 2, 3, 4, 1e30f, 6}));
}

static sgm_status count_up(void *user, size_t first, size_t count, float *out)
{
    size_t *expected = user;
    CHECK(first == *expected); /* in order, without gaps */
    *expected += count;
    for (size_t i = 0; i < count; i++)
        out[i] = (float)(first + i);
    return SGM_OK;
}

/* Sources larger than a chunk, strided views, counters and text, all in one file. */
static void everything_comes_back(void)
{
    enum { LARGE = 200001 };
    size_t asked = 0;
    sgm_checkpoint *c;
    sgm_checkpoint_writer *w = new_writer();
    const int64_t large = LARGE, counter = 41;
    sgm_stored_tensor view = {.name = "view", .rank = 2, .shape = {3, 2}, .data = values};
    CHECK(sgm_stored_tensor_set_sizes(&view));
    view.strides[0] = 1, view.strides[1] = 3, view.contiguous = false;
    CHECK_OK(
        sgm_checkpoint_writer_add_source(w, "large", 1, &large, count_up, &asked, SGM_STORED_F32));
    CHECK_OK(sgm_checkpoint_writer_add(w, &view, SGM_STORED_F32));
    CHECK_OK(sgm_checkpoint_writer_add_raw(w, "counter", SGM_STORED_I64, 0, NULL, &counter));
    CHECK_OK(sgm_checkpoint_writer_add_raw(w, "odd", SGM_STORED_U8, 1, (int64_t[]){3}, "abc"));
    CHECK_OK(sgm_checkpoint_writer_metadata(w, "quote\"\\\n", "caf\xc3\xa9\x01"));
    CHECK_OK(sgm_checkpoint_writer_metadata(w, "k", "old"));
    CHECK_OK(sgm_checkpoint_writer_metadata(w, "k", "new"));
    CHECK_OK(sgm_checkpoint_writer_save(w, FILE_NAME));
    sgm_checkpoint_writer_destroy(w);
    CHECK(asked == LARGE);
    if (!CHECK_OK(sgm_checkpoint_open(FILE_NAME, &c))) return;
    const sgm_stored_tensor *stored = sgm_checkpoint_find(c, "large");
    const size_t places[3] = {0, 65536, LARGE - 1};
    for (int i = 0; i < 3; i++) {
        float value = -1;
        CHECK_OK(sgm_stored_tensor_read_f32_range(stored, places[i], 1, &value));
        CHECK(value == (float)places[i]);
    }
    CHECK(sgm_stored_tensor_f32(stored) == NULL); /* a file's values are read, not pointed at */
    float got[6];
    sgm_stored_tensor_read_f32(sgm_checkpoint_find(c, "view"), got);
    const float want[6] = {values[0], values[3], values[1], values[4], values[2], values[5]};
    check_close("view", got, want, 6, 0, 0);
    CHECK(memcmp(sgm_checkpoint_find(c, "counter")->data, &counter, 8) == 0);
    CHECK(memcmp(sgm_checkpoint_find(c, "odd")->data, "abc", 3) == 0);
    CHECK(strcmp(sgm_checkpoint_metadata(c, "quote\"\\\n"), "caf\xc3\xa9\x01") == 0);
    CHECK(strcmp(sgm_checkpoint_metadata(c, "k"), "new") == 0);
    sgm_checkpoint_close(c);
}

static void convert_keeps_everything_but_the_type(void)
{
    char path[1024];
    sgm_checkpoint *from, *to;
    snprintf(path, sizeof path, "%s/%s", SAMPLES, "views.pth");
    if (!CHECK_OK(sgm_checkpoint_open(path, &from))) return;
    sgm_checkpoint_writer *w = new_writer();
    CHECK_OK(sgm_checkpoint_writer_add_all(w, from, SGM_STORED_BF16));
    CHECK_OK(sgm_checkpoint_writer_save(w, FILE_NAME));
    sgm_checkpoint_writer_destroy(w);
    if (CHECK_OK(sgm_checkpoint_open(FILE_NAME, &to))) {
        CHECK(sgm_checkpoint_count(to) == sgm_checkpoint_count(from));
        for (size_t i = 0; i < sgm_checkpoint_count(from); i++) {
            const sgm_stored_tensor *a = sgm_checkpoint_tensor(from, i);
            const sgm_stored_tensor *b = sgm_checkpoint_find(to, a->name);
            float x[64], y[64];
            if (!CHECK(b && b->count == a->count && a->count <= 64)) continue;
            sgm_stored_tensor_read_f32(a, x);
            sgm_stored_tensor_read_f32(b, y);
            check_close(a->name, y, x, a->count, 0, 0); /* quarters fit bfloat16 */
        }
        sgm_checkpoint_close(to);
    }
    sgm_checkpoint_close(from);
}

static size_t read_file(const char *path, char *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(bytes, 1, room, file) : 0;
    if (file) fclose(file);
    return n;
}

static void the_order_of_adding_does_not_matter(void)
{
    static const char *const names[2][3] = {{"a", "b", "c"}, {"c", "a", "b"}};
    char bytes[2][4096];
    size_t size[2];
    for (int k = 0; k < 2; k++) {
        sgm_checkpoint_writer *w = new_writer();
        for (int i = 0; i < 3; i++) {
            sgm_stored_type type = names[k][i][0] == 'a' ? SGM_STORED_F16 : SGM_STORED_F32;
            CHECK_OK(sgm_checkpoint_writer_add_f32(w, names[k][i], 2, shape23, values, type));
            CHECK_OK(sgm_checkpoint_writer_metadata(w, names[k][i], "v"));
        }
        CHECK_OK(sgm_checkpoint_writer_save(w, FILE_NAME));
        sgm_checkpoint_writer_destroy(w);
        size[k] = read_file(FILE_NAME, bytes[k], sizeof bytes[k]);
    }
    CHECK(size[0] > 0 && size[0] == size[1] && memcmp(bytes[0], bytes[1], size[0]) == 0);
}

static int count_temporaries(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    if (!d) return -1;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strstr(e->d_name, ".tmp") != NULL && strstr(e->d_name, "scratch_write") != NULL;
    closedir(d);
    return n;
}

static sgm_status fail_late(void *user, size_t first, size_t count, float *out)
{
    (void)user;
    memset(out, 0, count * sizeof *out);
    return first == 0 ? SGM_OK : SGM_CANCELLED;
}

/* An error while writing leaves the old file as it was and nothing beside it. */
static void a_failed_save_changes_nothing(void)
{
    char before[4096], after[4096];
    CHECK_OK(save_one(SGM_STORED_F32, values));
    size_t size = read_file(FILE_NAME, before, sizeof before);
    sgm_checkpoint_writer *w = new_writer();
    const int64_t large = 1 << 20;
    CHECK_OK(sgm_checkpoint_writer_add_source(w, "w", 1, &large, fail_late, NULL, SGM_STORED_F32));
    CHECK(sgm_checkpoint_writer_save(w, FILE_NAME) == SGM_CANCELLED);
    sgm_checkpoint_writer_destroy(w);
    CHECK(read_file(FILE_NAME, after, sizeof after) == size && memcmp(before, after, size) == 0);
    CHECK(count_temporaries(".") == 0);
}

static void bad_requests_are_refused(void)
{
    sgm_checkpoint_writer *w = new_writer();
    CHECK_OK(sgm_checkpoint_writer_add_f32(w, "w", 2, shape23, values, SGM_STORED_F32));
    CHECK_STATUS(sgm_checkpoint_writer_save(w, "no/such/folder/x.safetensors"), SGM_UNWRITABLE,
                 "no/such/folder/x.safetensors: cannot be created");
    CHECK_STATUS(sgm_checkpoint_writer_save(w, "."), SGM_UNWRITABLE, "not a regular file");
    CHECK_STATUS(sgm_checkpoint_writer_add_f32(w, "i", 2, shape23, values, SGM_STORED_I32),
                 SGM_INVALID_ARGUMENT, "'i': F32 cannot be stored as I32");
    CHECK_STATUS(sgm_checkpoint_writer_add_f32(w, "", 2, shape23, values, SGM_STORED_F32),
                 SGM_INVALID_ARGUMENT, NULL);
    CHECK_STATUS(
        sgm_checkpoint_writer_add_f32(w, "__metadata__", 2, shape23, values, SGM_STORED_F32),
        SGM_INVALID_ARGUMENT, NULL);
    CHECK_STATUS(sgm_checkpoint_writer_add_f32(w, "n", 1, (int64_t[]){-1}, values, SGM_STORED_F32),
                 SGM_INVALID_ARGUMENT, "'n': bad shape");
    CHECK_OK(sgm_checkpoint_writer_add_f32(w, "w", 2, shape23, values, SGM_STORED_BF16));
    CHECK_STATUS(sgm_checkpoint_writer_save(w, FILE_NAME), SGM_INVALID_ARGUMENT,
                 "'w' was added twice");
    sgm_checkpoint_writer_destroy(w);
}

static void an_empty_file_is_legal(void)
{
    sgm_checkpoint *c;
    sgm_checkpoint_writer *w = new_writer();
    CHECK_OK(sgm_checkpoint_writer_save(w, FILE_NAME));
    sgm_checkpoint_writer_destroy(w);
    if (!CHECK_OK(sgm_checkpoint_open(FILE_NAME, &c))) return;
    CHECK(sgm_checkpoint_count(c) == 0 && sgm_checkpoint_find(c, "w") == NULL);
    sgm_checkpoint_close(c);
}

int main(void)
{
    floats_are_stored_in_three_types();
    what_f16_cannot_hold_is_refused();
    everything_comes_back();
    convert_keeps_everything_but_the_type();
    the_order_of_adding_does_not_matter();
    a_failed_save_changes_nothing();
    bad_requests_are_refused();
    an_empty_file_is_legal();
    unlink(FILE_NAME);
    return check_report();
}
