/* PyTorch's format before 1.6, made by hand and damaged: what torch wrote is in test_torch_file.c.
 */
#include "byte_builder.h"
#include "check.h"
#include "checkpoint/checkpoint.h"

static byte_builder file;

static void put_string(const char *text)
{
    put_number(&file, 'X', 1);
    put_number(&file, strlen(text), 4);
    put_text(&file, text);
}

/* Magic number, version, byte order. */
static void put_head(int version, const char *order)
{
    file.size = 0;
    put_text(&file, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
    put_text(&file, "\x80\x02M");
    put_number(&file, (uint64_t)version, 2);
    put_text(&file, ".\x80\x02}");
    put_string("little_endian");
    put_text(&file, order);
    put_text(&file, "s.");
}

/* Name and tensor of `count` elements of storage `key`, whose class is torch.`type`. */
static void put_tensor(const char *name, const char *type, const char *key, int count,
                       const char *view)
{
    put_string(name);
    put_text(&file, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_string("storage");
    put_text(&file, "ctorch\n");
    put_text(&file, type);
    put_text(&file, "\n");
    put_string(key);
    put_string("cpu");
    put_number(&file, 'K', 1);
    put_number(&file, (uint64_t)count, 1);
    put_text(&file, view);
    put_text(&file, "tQ");
    put(&file, "K\0K", 3);
    put_number(&file, (uint64_t)count, 1);
    put(&file, "\x85K\1\x85\x89NtR", 8);
}

static void begin_object(void)
{
    put_head(1001, "\x88");
    put_text(&file, "\x80\x02}(");
}

/* Ends the object; keys as pickled strings. */
static void put_keys(int count, const char *const *keys)
{
    put_text(&file, "u.\x80\x02](");
    for (int i = 0; i < count; i++)
        put_string(keys[i]);
    put_text(&file, "e.");
}

static void put_storage(uint64_t count, const void *bytes, size_t size)
{
    put_number(&file, count, 8);
    put(&file, bytes, size);
}

#define KEYS(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const float values[4] = {1, 2, 3, 4};

/* A heap block of the exact size lets the sanitizers see overreads. */
static sgm_status open_bytes(size_t size, sgm_checkpoint **c)
{
    unsigned char *copy = malloc(size + !size);
    memcpy(copy, file.bytes, size);
    sgm_status status = sgm_checkpoint_open_memory(copy, size, "made.pth", c);
    if (status == SGM_OK && c && *c && sgm_checkpoint_count(*c) > 0) {
        float got[4] = {0};
        const sgm_stored_tensor *t = sgm_checkpoint_find(*c, "w");
        if (CHECK(t && t->count == 4)) sgm_stored_tensor_read_f32(t, got);
        check_close("w", got, values, 4, 0, 0);
    }
    free(copy);
    return status;
}

static void check_open(sgm_status wanted, const char *message)
{
    sgm_checkpoint *c = NULL;
    CHECK_STATUS(open_bytes(file.size, &c), wanted, message);
    sgm_checkpoint_close(c);
}

/* Two storages in the keys' order, one of which no weight needs; one twice in the object. */
static void put_two(void)
{
    begin_object();
    put_tensor("w", "FloatStorage", "140", 4, "N");
    put_tensor("v", "FloatStorage", "140", 4, "N");
    put_tensor("n", "LongStorage", "97", 1, "N");
    put_keys(2, KEYS("97", "140"));
    put_storage(1, "\7\0\0\0\0\0\0\0", 8);
    put_storage(4, values, sizeof values);
}

static void storages_are_found_in_the_keys_order(void)
{
    sgm_checkpoint *c = NULL;
    float number = 0;
    put_two();
    if (!CHECK_OK(sgm_checkpoint_open_memory(file.bytes, file.size, "made.pth", &c))) return;
    CHECK(sgm_checkpoint_count(c) == 3);
    CHECK(!strcmp(sgm_checkpoint_format(c), "PyTorch before 1.6"));
    CHECK_OK(sgm_stored_tensor_read_f32(sgm_checkpoint_find(c, "n"), &number));
    CHECK(number == 7);
    CHECK(sgm_checkpoint_find(c, "w")->data == sgm_checkpoint_find(c, "v")->data);
    sgm_checkpoint_close(c);
    put_two();
    check_open(SGM_OK, "");
}

static void every_cut_is_refused(void)
{
    put_two();
    const size_t whole = file.size;
    for (size_t size = 0; size < whole; size++) {
        sgm_checkpoint *c = NULL;
        check_that(open_bytes(size, &c) == SGM_BAD_MODEL && !c, "a cut", __FILE__, __LINE__);
    }
    file.size = whole - 1;
    check_open(SGM_BAD_MODEL, "made.pth: cut off: storage '140' should have 4 elements of 4 bytes, "
                              "15 bytes are left");
}

/* A storage of a type that is not read is stepped over; in a weight's place it is named. */
static void types_that_are_not_read_have_a_size(void)
{
    begin_object();
    put_string("spectra");
    put_text(&file, "}(");
    put_tensor("a", "ComplexFloatStorage", "1", 2, "N");
    put_text(&file, "u");
    put_tensor("w", "FloatStorage", "2", 4, "N");
    put_keys(2, KEYS("1", "2"));
    put_storage(2, "0123456789abcdef", 16);
    put_storage(4, values, sizeof values);
    check_open(SGM_OK, "");
    begin_object();
    put_tensor("w", "OddStorage", "1", 4, "N");
    put_keys(1, KEYS("1"));
    put_storage(4, values, sizeof values);
    check_open(SGM_BAD_MODEL, "storage '1' is a torch.OddStorage, whose size is not known");
}

static void damage_is_named(void)
{
    put_head(1000, "\x88");
    check_open(SGM_BAD_MODEL, "not version 1001");
    put_head(1001, "\x89");
    check_open(SGM_BAD_MODEL, "byte order");
    begin_object();
    put_tensor("w", "FloatStorage", "1", 4, "N");
    put_keys(1, KEYS("2"));
    put_storage(4, values, sizeof values);
    check_open(SGM_BAD_MODEL, "storage '2' is in no tensor");
    begin_object();
    put_tensor("w", "FloatStorage", "1", 4, "N");
    put_keys(2, KEYS("1", "1"));
    put_storage(4, values, sizeof values);
    put_storage(4, values, sizeof values);
    check_open(SGM_BAD_MODEL, "storage '1' is listed twice");
    begin_object();
    put_tensor("w", "FloatStorage", "1", 4, "N");
    put_keys(0, NULL);
    check_open(SGM_BAD_MODEL, "tensor 'w': its storage '1' is not in the file");
    begin_object();
    put_tensor("w", "FloatStorage", "1", 4, "N");
    put_tensor("v", "LongStorage", "1", 4, "N");
    put_keys(1, KEYS("1"));
    put_storage(4, values, sizeof values);
    check_open(SGM_BAD_MODEL, "storage '1' is said to be of two sizes");
    const uint64_t counts[] = {3, 5, UINT64_C(1) << 62, UINT64_MAX};
    for (int i = 0; i < 4; i++) {
        begin_object();
        put_tensor("w", "FloatStorage", "1", 4, "N");
        put_keys(1, KEYS("1"));
        put_storage(counts[i], values, sizeof values);
        check_open(SGM_BAD_MODEL, "storage '1' should hold 4 elements, it holds");
    }
    begin_object();
    put_tensor("w", "FloatStorage", "1", 4, "X\1\0\0\0");
    check_open(SGM_BAD_MODEL, "the object: pickle, byte");
}

/* PyTorch before 0.4 had storages that were parts of others. */
static void parts_of_storages_are_refused(void)
{
    begin_object();
    put_tensor("w", "FloatStorage", "1", 4, "(K\1K\1K\4t");
    put_keys(1, KEYS("1"));
    put_storage(4, values, sizeof values);
    check_open(SGM_BAD_MODEL, "tensor 'w': its storage is a part of another one");
}

static void other_files_are_named(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } others[] = {
        {"{\n  \"metadata\": {},\n \"weight_map\": {\"w\": \"m-00001-of-00002.safetensors\"}}", 73,
         "the index of weights in several files: join them. In Python, in their folder: import "
         "glob; "
         "from safetensors.torch"},
        {"{\"weight_map\": {\"w\": \"pytorch_model-00001-of-00002.bin\"}}", 57,
         "glob.glob(\"*-of-*.bin\")"},
        {"{\"hidden_size\": 768}", 20, "a JSON text, not the weights"},
        {"{nothing like it", 16, "neither a .safetensors nor"},
        {"<!DOCTYPE html><html><head>", 27, "a web page in place of the weights"},
        {"\n \t<HTML>", 9, "a web page"},
        {"\xef\xbb\xbf<html>", 9, "a web page"},
        {"\x80\x02K\1.", 5, "a bare pickle"},
        {"\x1f\x8b\x08", 3, "compressed with gzip"},
        {"<", 1, "neither a .safetensors nor a PyTorch file (1 bytes, first byte 0x3c)"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        file.size = 0;
        put(&file, others[i].bytes, others[i].size);
        check_open(SGM_BAD_MODEL, others[i].message);
    }
    file.size = 0;
    put_number(&file, 0, 257);
    put_text(&file, "ustar");
    check_open(SGM_BAD_MODEL,
               "before 0.1.10, which is not read; in Python: torch.save(torch.load(");
}

int main(void)
{
    storages_are_found_in_the_keys_order();
    every_cut_is_refused();
    types_that_are_not_read_have_a_size();
    damage_is_named();
    parts_of_storages_are_refused();
    other_files_are_named();
    return check_report();
}
