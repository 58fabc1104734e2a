/* .safetensors: what must be read, and what must be refused with the culprit's name. */
#include "byte_builder.h"
#include "check.h"
#include "checkpoint/checkpoint.h"

static sgm_status open_json(const char *json, size_t data_size, sgm_checkpoint **out)
{
    static byte_builder b;
    b.size = 0;
    put_safetensors(&b, json, data_size);
    return sgm_checkpoint_open_memory(b.bytes, b.size, "test.safetensors", out);
}

static void a_file_is_read(void)
{
    sgm_checkpoint *c;
    if (!CHECK_OK(open_json("{\"__metadata__\":{\"format\":\"pt\",\"a\\n\\u00e9\\ud83d\\ude00\":"
                            "\"\\\"x\\\"\"},\n"
                            "\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                            "\"b\":{\"data_offsets\":[26,28],\"shape\":[2],\"dtype\":\"U8\"},"
                            "\"s\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[24,26]},"
                            "\"none\":{\"dtype\":\"I64\",\"shape\":[0,4],\"data_offsets\":[24,24]}}"
                            "   ",
                            28, &c)))
        return;
    CHECK(sgm_checkpoint_count(c) == 4);
    const sgm_stored_tensor *w = sgm_checkpoint_find(c, "w");
    CHECK(w && w->type == SGM_STORED_F32 && w->rank == 2 && w->shape[0] == 2 && w->shape[1] == 3);
    CHECK(w && memcmp(w->data, "\0\1\2\3\4\5\6\7", 8) == 0);
    const sgm_stored_tensor *b = sgm_checkpoint_find(c, "b");
    float values[2];
    CHECK(b && b->count == 2);
    if (b) sgm_stored_tensor_read_f32(b, values);
    check_close("b", values, (float[]){26, 27}, 2, 0, 0);
    CHECK(sgm_checkpoint_find(c, "s")->count == 1);
    CHECK(sgm_checkpoint_find(c, "none")->count == 0);
    CHECK(sgm_checkpoint_find(c, "absent") == NULL);
    CHECK(sgm_checkpoint_find(c, "") == NULL);
    CHECK(strcmp(sgm_checkpoint_tensor(c, 1)->name, "b") == 0); /* the file's order */
    CHECK(sgm_checkpoint_tensor(c, 4) == NULL);
    CHECK(sgm_checkpoint_metadata_count(c) == 2);
    CHECK(strcmp(sgm_checkpoint_metadata(c, "format"), "pt") == 0);
    CHECK(strcmp(sgm_checkpoint_metadata(c, "a\n\xc3\xa9\xf0\x9f\x98\x80"), "\"x\"") == 0);
    CHECK(sgm_checkpoint_metadata(c, "absent") == NULL);
    CHECK(strcmp(sgm_checkpoint_format(c), "safetensors") == 0);
    CHECK(strcmp(sgm_checkpoint_path(c), "test.safetensors") == 0);
    sgm_checkpoint_close(c);
}

#define TENSOR(name, dtype, shape, offsets)                                                        \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
    const char *what, *json;
    size_t data_size;
    const char *message;
} rejects[] = {
    {"truncated data", "{" TENSOR("enc.w", "F32", "[4]", "[0,16]") "}", 12, "enc.w"},
    {"surplus data", "{" TENSOR("w", "F32", "[2]", "[0,8]") "}", 9, "1 bytes at the end"},
    {"gap", "{" TENSOR("a", "U8", "[1]", "[0,1]") "," TENSOR("b", "U8", "[1]", "[2,3]") "}", 3,
     "'b' does not begin"},
    {"overlap", "{" TENSOR("a", "U8", "[2]", "[0,2]") "," TENSOR("b", "U8", "[2]", "[1,3]") "}", 3,
     "'b' overlaps"},
    {"same place", "{" TENSOR("a", "U8", "[2]", "[0,2]") "," TENSOR("b", "U8", "[2]", "[0,2]") "}",
     2, "overlaps"},
    {"misaligned", "{" TENSOR("a", "U8", "[1]", "[0,1]") "," TENSOR("b", "F32", "[1]", "[1,5]") "}",
     5, "'b': misaligned"},
    {"begin after end", "{" TENSOR("w", "U8", "[1]", "[2,1]") "}", 2, "'w'"},
    {"size mismatch", "{" TENSOR("w", "F32", "[2,3]", "[0,20]") "}", 20, "(2, 3) takes 24 bytes"},
    {"shape overflow", "{" TENSOR("w", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0,
     "overflows"},
    {"hidden overflow", "{" TENSOR("w", "F32", "[0,4294967296,4294967296]", "[0,0]") "}", 0,
     "overflows"},
    {"number overflow", "{" TENSOR("w", "F32", "[99999999999999999999]", "[0,0]") "}", 0,
     "64 bits"},
    {"offset overflow",
     "{" TENSOR("w", "U8", "[0]", "[9223372036854775807,9223372036854775807]") "}", 0, "'w'"},
    {"negative size", "{" TENSOR("w", "U8", "[-1]", "[0,0]") "}", 0, "non-negative integer"},
    {"fraction", "{" TENSOR("w", "U8", "[1.0]", "[0,1]") "}", 1, "wanted ']'"},
    {"exponent", "{" TENSOR("w", "U8", "[1e0]", "[0,1]") "}", 1, "wanted ']'"},
    {"leading zero", "{" TENSOR("w", "U8", "[01]", "[0,1]") "}", 1, "leading zero"},
    {"too many dimensions", "{" TENSOR("w", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1,
     "more than 8 dimensions"},
    {"recursive shape", "{" TENSOR("w", "U8", "[[[[[[1]]]]]]", "[0,1]") "}", 1, "integer"},
    {"recursive value", "{\"w\":{\"dtype\":{\"dtype\":{\"dtype\":\"U8\"}}}}", 0, "wanted '\"'"},
    {"unknown dtype", "{" TENSOR("w", "F8_E4M3", "[1]", "[0,1]") "}", 1,
     "'F8_E4M3' is not supported"},
    {"unknown key", "{\"w\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"x\":1}}", 0,
     "unknown key 'x'"},
    {"repeated key", "{\"w\":{\"dtype\":\"U8\",\"dtype\":\"F32\"}}", 0, "repeated key 'dtype'"},
    {"missing shape", "{\"w\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", 0, "lacks its shape"},
    {"empty object", "{\"w\":{}}", 0, "JSON"},
    {"duplicate name",
     "{" TENSOR("w", "U8", "[0]", "[0,0]") "," TENSOR("w", "U8", "[0]", "[0,0]") "}", 0,
     "'w' occurs twice"},
    {"duplicate metadata", "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, "'a' occurs twice"},
    {"two metadata", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ occurs twice"},
    {"metadata number", "{\"__metadata__\":{\"a\":1}}", 0, "wanted '\"'"},
    {"metadata nested", "{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}", 0, "wanted '\"'"},
    {"empty name", "{" TENSOR("", "U8", "[0]", "[0,0]") "}", 0, "empty name"},
    {"terminal escape", "{" TENSOR("\\u001b[31m", "U8", "[0]", "[0,0]") "}", 0, "'?[31m'"},
    {"zero in name", "{" TENSOR("a\\u0000b", "U8", "[0]", "[0,0]") "}", 0, "escape"},
    {"lone surrogate", "{" TENSOR("\\ud800", "U8", "[0]", "[0,0]") "}", 0, "escape"},
    {"bad UTF-8", "{" TENSOR("\xc0\x80", "U8", "[0]", "[0,0]") "}", 0, "UTF-8"},
    {"bad escape", "{\"\\x41\":{}}", 0, "escape"},
    {"raw control character", "{\"a\tb\":{}}", 0, "control character"},
    {"trailing comma", "{" TENSOR("w", "U8", "[0]", "[0,0]") ",}", 0, "wanted '\"'"},
    {"trailing text", "{}x", 0, "after the closing brace"},
    {"unterminated", "{\"w", 0, "closing quote"},
    {"unterminated object", "{" TENSOR("w", "U8", "[0]", "[0,0]"), 0, "wanted '}'"},
    {"only a brace", "{ ", 0, "wanted '\"'"},
};

static void bad_headers_are_refused(void)
{
    for (size_t i = 0; i < sizeof rejects / sizeof *rejects; i++) {
        sgm_checkpoint *c = (void *)1;
        check_status(open_json(rejects[i].json, rejects[i].data_size, &c), SGM_BAD_MODEL,
                     rejects[i].message, rejects[i].what, __FILE__, __LINE__);
        CHECK(c == NULL);
        CHECK(strstr(sgm_last_message(), "test.safetensors: ") == sgm_last_message());
    }
}

static void long_names_are_refused(void)
{
    char json[4096];
    sgm_checkpoint *c;
    snprintf(json, sizeof json,
             "{\"%0*d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 2000, 7);
    CHECK_STATUS(open_json(json, 0, &c), SGM_BAD_MODEL, "2000 bytes");
}

/* A header may have 25 MB; what it makes us keep must stay in proportion. */
static void too_much_metadata_is_refused(void)
{
    enum { SIZE = 1 << 20 };
    sgm_checkpoint *c;
    char *file = malloc(SIZE);
    if (!CHECK(file != NULL)) return;
    size_t n = 8 + (size_t)sprintf(file + 8, "{\"__metadata__\":{\"\":\"\"");
    while (n + 8 < SIZE)
        n += (size_t)sprintf(file + n, ",\"\":\"\"");
    for (int i = 0; i < 8; i++)
        file[i] = (char)((n - 8) >> 8 * i);
    CHECK_STATUS(sgm_checkpoint_open_memory(file, n, "many", &c), SGM_BAD_MODEL,
                 "more than 65536 entries");
    free(file);
}

static sgm_status open_bytes(const char *bytes, size_t size)
{
    sgm_checkpoint *c = NULL;
    sgm_status status = sgm_checkpoint_open_memory(bytes, size, "bytes", &c);
    CHECK(c == NULL || status == SGM_OK);
    sgm_checkpoint_close(c);
    return status;
}

static void bad_lengths_and_foreign_files_are_refused(void)
{
    char lfs[] = "version https://git-lfs.github.com/spec/v1\n";
    CHECK_STATUS(open_bytes("", 0), SGM_BAD_MODEL, "empty");
    CHECK_STATUS(open_bytes("{}", 2), SGM_BAD_MODEL, "neither");
    CHECK_STATUS(open_bytes("\377\0\0\0\0\0\0\0{}", 10), SGM_BAD_MODEL, "255 bytes is announced");
    CHECK_STATUS(open_bytes("\377\377\377\377\377\377\377\377{}", 10), SGM_BAD_MODEL, "announced");
    CHECK_STATUS(open_bytes("\0\0\0\0\0\0\0\0{}", 10), SGM_BAD_MODEL, "JSON");
    CHECK_STATUS(open_bytes("\x93NUMPY\1\0v\0{", 11), SGM_BAD_MODEL, ".npy");
    CHECK_STATUS(open_bytes(lfs, sizeof lfs - 1), SGM_BAD_MODEL, "git lfs pull");
    CHECK_STATUS(sgm_checkpoint_open(".", &(sgm_checkpoint *){0}), SGM_BAD_MODEL, ".: ");
    CHECK_STATUS(sgm_checkpoint_open("/no/such.pth", &(sgm_checkpoint *){0}), SGM_BAD_MODEL,
                 "/no/such.pth: cannot be opened");
    CHECK_STATUS(sgm_checkpoint_open(NULL, &(sgm_checkpoint *){0}), SGM_INVALID_ARGUMENT, NULL);
}

/* Any cut of a good file must fail, without reading beyond the cut (the sanitizers watch). */
static void every_truncation_is_refused(void)
{
    static byte_builder b;
    b.size = 0;
    put_safetensors(&b, "{" TENSOR("w", "F32", "[2]", "[0,8]") ",\"__metadata__\":{\"k\":\"v\"}}",
                    8);
    CHECK_OK(open_bytes((const char *)b.bytes, b.size));
    for (size_t size = 0; size < b.size; size++) {
        char *cut = malloc(size + 1);
        memcpy(cut, b.bytes, size);
        CHECK(open_bytes(cut, size) == SGM_BAD_MODEL);
        free(cut);
    }
}

/* Counters after floats, as writers that do not sort leave them. */
static void eight_byte_types_may_lie_at_multiples_of_four(void)
{
    sgm_checkpoint *c;
    float value;
    const char *json =
        "{" TENSOR("w", "F32", "[1]", "[0,4]") "," TENSOR("n", "I64", "[1]", "[4,12]") "}";
    if (!CHECK_OK(open_json(json, 12, &c))) return;
    sgm_stored_tensor_read_f32(sgm_checkpoint_find(c, "n"), &value);
    CHECK(value == (float)0x0b0a090807060504);
    sgm_checkpoint_close(c);
}

/* A header may end anywhere in old files; floats are then copied instead of used in place. */
static void an_unpadded_header_is_read(void)
{
    sgm_checkpoint *c;
    float value;
    if (!CHECK_OK(open_json("{" TENSOR("w", "F32", "[1]", "[0,4]") "}", 4, &c))) return;
    sgm_stored_tensor_read_f32(sgm_checkpoint_find(c, "w"), &value);
    uint32_t bits = 0x03020100;
    CHECK(memcmp(&value, &bits, 4) == 0);
    sgm_checkpoint_close(c);
}

int main(void)
{
    a_file_is_read();
    bad_headers_are_refused();
    long_names_are_refused();
    too_much_metadata_is_refused();
    bad_lengths_and_foreign_files_are_refused();
    every_truncation_is_refused();
    eight_byte_types_may_lie_at_multiples_of_four();
    an_unpadded_header_is_read();
    return check_report();
}
