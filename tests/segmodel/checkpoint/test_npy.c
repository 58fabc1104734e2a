/* .npy files: round trips, NumPy's own spelling of the header, refusals. */
#define _POSIX_C_SOURCE 200809L
#include "byte_builder.h"
#include "check.h"
#include "checkpoint/npy.h"

#include "portable.h"

#define FILE_NAME "scratch_test.npy"

static byte_builder b;

static sgm_status open_text(int version, const char *header, size_t data_size, sgm_npy *npy)
{
    b.size = 0;
    put_text(&b, "\x93NUMPY");
    put_number(&b, (uint64_t)version, 2);
    put_number(&b, strlen(header), version == 1 ? 2 : 4);
    put_text(&b, header);
    for (size_t i = 0; i < data_size; i++)
        put_number(&b, i, 1);
    return sgm_npy_open_memory(b.bytes, b.size, "test.npy", npy);
}

static void numpys_headers_are_read(void)
{
    sgm_npy npy;
    float got[6];
    CHECK_OK(open_text(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }      \n", 6,
                       &npy));
    CHECK(npy.array.type == SGM_STORED_U8 && npy.array.rank == 2 && npy.array.shape[1] == 3);
    sgm_stored_tensor_read_f32(&npy.array, got);
    check_close("u1", got, (float[]){0, 1, 2, 3, 4, 5}, 6, 0, 0);
    CHECK_OK(open_text(2, "{'shape': (3,), 'fortran_order': False, 'descr': '<i2'}", 6, &npy));
    CHECK(npy.array.type == SGM_STORED_I16 && npy.array.rank == 1 && npy.array.count == 3);
    CHECK_OK(
        open_text(1, "{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": ()}\n", 4, &npy));
    CHECK(npy.array.rank == 0 && npy.array.count == 1);
    CHECK_OK(
        open_text(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (0, 7), }\n", 0, &npy));
    CHECK(npy.array.type == SGM_STORED_BOOL && npy.array.count == 0);
}

#define HEADER(descr, order, shape)                                                                \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }\n"

static const struct {
    const char *what;
    int version;
    const char *header;
    size_t data_size;
    const char *message;
} rejects[] = {
    {"truncated", 1, HEADER("'<f4'", "False", "(2, 3)"), 23, "takes 24 bytes, the file has 23"},
    {"surplus", 1, HEADER("'<f4'", "False", "(2, 3)"), 25, "takes 24 bytes, the file has 25"},
    {"Fortran order", 1, HEADER("'<f4'", "True", "(2, 3)"), 24, "Fortran order"},
    {"big-endian", 1, HEADER("'>f4'", "False", "(1,)"), 4, "'>f4' is not supported"},
    {"complex", 1, HEADER("'<c8'", "False", "(1,)"), 8, "'<c8'"},
    {"object", 1, HEADER("'|O'", "False", "(1,)"), 8, "'|O'"},
    {"text", 1, HEADER("'<U10'", "False", "(1,)"), 40, "'<U10'"},
    {"unordered", 1, HEADER("'|f4'", "False", "(1,)"), 4, "'|f4'"},
    {"structured", 1, HEADER("[('a', '<f4')]", "False", "(1,)"), 4, "plain number"},
    {"overflow", 1, HEADER("'<f8'", "False", "(4294967296, 4294967296)"), 0, "overflows"},
    {"hidden overflow", 1, HEADER("'|u1'", "False", "(0, 9223372036854775807, 3)"), 0, "overflows"},
    {"number overflow", 1, HEADER("'|u1'", "False", "(99999999999999999999,)"), 0, "damaged"},
    {"negative", 1, HEADER("'|u1'", "False", "(-1,)"), 0, "damaged"},
    {"nested shape", 1, HEADER("'|u1'", "False", "((1,),)"), 1, "damaged"},
    {"nine dimensions", 1, HEADER("'|u1'", "False", "(1,1,1,1,1,1,1,1,1)"), 1, "more than 8"},
    {"no shape", 1, "{'descr': '|u1', 'fortran_order': False}\n", 1, "damaged"},
    {"twice", 1, "{'descr': '|u1', 'descr': '|u1', 'shape': (1,)}\n", 1, "damaged"},
    {"unknown key", 1, "{'descr': '|u1', 'allow_pickle': True}\n", 1, "damaged"},
    {"an expression", 1, "{'descr': '|u1', 'fortran_order': not 1, 'shape': (1,)}\n", 1, "damaged"},
    {"trailing text", 1, HEADER("'|u1'", "False", "(1,)") "x", 1, "damaged"},
    {"unterminated", 1, "{'descr': '|u1", 1, "plain number"},
    {"version 3", 3, HEADER("'|u1'", "False", "(1,)"), 1, "version 3"},
    {"empty header", 1, "", 4, "damaged"},
};

static void anything_else_is_refused(void)
{
    for (size_t i = 0; i < sizeof rejects / sizeof *rejects; i++) {
        sgm_npy npy;
        check_status(open_text(rejects[i].version, rejects[i].header, rejects[i].data_size, &npy),
                     SGM_UNREADABLE, rejects[i].message, rejects[i].what, __FILE__, __LINE__);
        CHECK(strstr(sgm_last_message(), "test.npy: ") == sgm_last_message());
    }
    CHECK_STATUS(sgm_npy_open("/no/such.npy", &(sgm_npy){0}), SGM_UNREADABLE, "/no/such.npy");
    CHECK_STATUS(sgm_npy_open_memory("", 0, "e.npy", &(sgm_npy){0}), SGM_UNREADABLE, "e.npy");
}

static void every_truncation_is_refused(void)
{
    sgm_npy npy;
    CHECK_OK(open_text(2, HEADER("'<f4'", "False", "(2,)"), 8, &npy));
    for (size_t size = 0; size < b.size; size++) {
        unsigned char *cut = malloc(size + 1);
        memcpy(cut, b.bytes, size);
        CHECK(sgm_npy_open_memory(cut, size, "cut", &npy) == SGM_UNREADABLE);
        free(cut);
    }
}

static void round_trip(sgm_stored_type type, int rank, const int64_t *shape, const void *data)
{
    sgm_npy npy;
    if (!CHECK_OK(sgm_npy_write(FILE_NAME, type, rank, shape, data)) ||
        !CHECK_OK(sgm_npy_open(FILE_NAME, &npy)))
        return;
    CHECK(npy.array.type == type && npy.array.rank == rank);
    for (int i = 0; i < rank; i++)
        CHECK(npy.array.shape[i] == shape[i]);
    CHECK(memcmp(npy.array.data, data, npy.array.byte_size) == 0);
    CHECK((uintptr_t)npy.array.data % 64 == 0);
    sgm_npy_close(&npy);
}

static void what_is_written_comes_back(void)
{
    const double data[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    round_trip(SGM_STORED_F64, 1, (int64_t[]){8}, data);
    round_trip(SGM_STORED_F64, 0, NULL, data);
    round_trip(SGM_STORED_F32, 4, (int64_t[]){1, 2, 4, 2}, data);
    round_trip(SGM_STORED_F16, 2, (int64_t[]){4, 8}, data);
    round_trip(SGM_STORED_U8, 3, (int64_t[]){4, 4, 3}, data);
    round_trip(SGM_STORED_I16, 3, (int64_t[]){2, 3, 4}, data);
    round_trip(SGM_STORED_U16, 2, (int64_t[]){5, 1}, data);
    round_trip(SGM_STORED_I32, 2, (int64_t[]){3, 5}, data);
    round_trip(SGM_STORED_I64, 8, (int64_t[]){1, 1, 2, 1, 1, 1, 3, 1}, data);
    round_trip(SGM_STORED_BOOL, 2, (int64_t[]){0, 7}, data);
    CHECK_STATUS(sgm_npy_write(FILE_NAME, SGM_STORED_BF16, 0, NULL, data), SGM_INVALID_ARGUMENT,
                 FILE_NAME);
    CHECK_STATUS(sgm_npy_write("no/folder/x.npy", SGM_STORED_F32, 0, NULL, data), SGM_UNWRITABLE,
                 "no/folder/x.npy");
    unlink(FILE_NAME);
}

int main(void)
{
    numpys_headers_are_read();
    anything_else_is_refused();
    every_truncation_is_refused();
    what_is_written_comes_back();
    return check_report();
}
