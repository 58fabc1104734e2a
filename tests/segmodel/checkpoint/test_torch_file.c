/* PyTorch checkpoints: samples that PyTorch wrote, wrappers and prefixes, hand-made damage.
 * samples/make_samples.py says what is in the samples. */
#include "byte_builder.h"
#include "check.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/prefix.h"

static sgm_checkpoint *open_sample(const char *name)
{
    char path[1024];
    sgm_checkpoint *c = NULL;
    snprintf(path, sizeof path, "%s/%s", SAMPLES, name);
    CHECK_OK(sgm_checkpoint_open(path, &c));
    return c;
}

/* The value of a sample's element: ramp() in make_samples.py. */
static float ramp(size_t i)
{
    return (float)i * 0.25f - 3.0f;
}

/* Checks type, shape and values; `index(i)` gives the ramp's index of element i. */
static void check_tensor(const sgm_checkpoint *c, const char *name, sgm_stored_type type,
                         const char *shape, size_t (*index)(size_t))
{
    float got[64], want[64];
    char text[96];
    const sgm_stored_tensor *t = c ? sgm_checkpoint_find(c, name) : NULL;
    if (!check_that(t != NULL && t->count <= 64, name, __FILE__, __LINE__)) return;
    check_that(t->type == type, name, __FILE__, __LINE__);
    check_that(strcmp(sgm_stored_tensor_shape_text(t, text), shape) == 0, name, __FILE__, __LINE__);
    for (size_t i = 0; i < t->count; i++)
        want[i] = ramp(index(i));
    sgm_stored_tensor_read_f32(t, got);
    check_close(name, got, want, t->count, 0, 0);
}

static size_t same(size_t i)
{
    return i;
}

static void check_state_dict(const char *sample, const char *format)
{
    sgm_checkpoint *c = open_sample(sample);
    if (!c) return;
    float counter = NAN;
    CHECK(sgm_checkpoint_count(c) == 7);
    check_tensor(c, "0.weight", SGM_STORED_F32, "(3, 4)", same);
    check_tensor(c, "0.bias", SGM_STORED_F32, "(3)", same);
    check_tensor(c, "1.running_var", SGM_STORED_F32, "(3)", same);
    const sgm_stored_tensor *t = sgm_checkpoint_find(c, "1.num_batches_tracked");
    CHECK(t && t->type == SGM_STORED_I64 && t->rank == 0 && t->count == 1);
    if (t) sgm_stored_tensor_read_f32(t, &counter);
    CHECK(counter == 7);
    CHECK(strcmp(sgm_checkpoint_tensor(c, 0)->name, "0.weight") == 0);
    CHECK(strcmp(sgm_checkpoint_format(c), format) == 0);
    CHECK(sgm_checkpoint_metadata_count(c) == 0);
    CHECK(strcmp(sgm_checkpoint_prefix(c), "") == 0 && strcmp(sgm_checkpoint_wrapper(c), "") == 0);
    sgm_checkpoint_close(c);
}

static void a_training_checkpoint_is_unwrapped(const char *sample)
{
    sgm_checkpoint *c = open_sample(sample);
    if (!c) return;
    CHECK(sgm_checkpoint_count(c) == 2); /* neither Adam's moments nor the scheduler */
    check_tensor(c, "module.head.weight", SGM_STORED_F32, "(2, 3)", same);
    check_tensor(c, "module.head.bias", SGM_STORED_F32, "(3)", same);
    CHECK(strcmp(sgm_checkpoint_wrapper(c), "model") == 0);
    sgm_checkpoint_close(c);
}

static size_t permuted(size_t i) /* (2,3,4) -> (4,2,3) */
{
    return i % 6 / 3 * 12 + i % 3 * 4 + i / 6;
}

static size_t sliced(size_t i) /* [1, :, 1:3] */
{
    return 12 + i / 2 * 4 + 1 + i % 2;
}

static size_t column(size_t i) /* [:, 2, 3] */
{
    return i * 12 + 11;
}

static size_t repeated(size_t i) /* [0, 0] expanded to (3, 4) */
{
    return i % 4;
}

static size_t last(size_t i)
{
    return i + 23;
}

static void views_of_shared_storage_are_read(const char *sample)
{
    sgm_checkpoint *c = open_sample(sample);
    if (!c) return;
    check_tensor(c, "base", SGM_STORED_F32, "(2, 3, 4)", same);
    check_tensor(c, "permuted", SGM_STORED_F32, "(4, 2, 3)", permuted);
    check_tensor(c, "slice", SGM_STORED_F32, "(3, 2)", sliced);
    check_tensor(c, "column", SGM_STORED_F32, "(2)", column);
    check_tensor(c, "expanded", SGM_STORED_F32, "(3, 4)", repeated);
    check_tensor(c, "scalar", SGM_STORED_F32, "()", last);
    check_tensor(c, "empty", SGM_STORED_F32, "(0, 3)", same);
    check_tensor(c, "parameter", SGM_STORED_F32, "(2, 3, 4)", same);
    CHECK(sgm_checkpoint_find(c, "size") == NULL);
    CHECK(sgm_checkpoint_find(c, "base")->data == sgm_checkpoint_find(c, "parameter")->data);
    CHECK(sgm_checkpoint_find(c, "base")->contiguous);
    CHECK(!sgm_checkpoint_find(c, "permuted")->contiguous);
    sgm_checkpoint_close(c);
}

static size_t integers(size_t i) /* i - 3 = ramp(4 i) */
{
    return 4 * i;
}

static size_t unsigned_integers(size_t i)
{
    return 4 * i + 12;
}

static void every_storage_type_is_read(const char *sample)
{
    sgm_checkpoint *c = open_sample(sample);
    if (!c) return;
    check_tensor(c, "f32", SGM_STORED_F32, "(5)", same);
    check_tensor(c, "f16", SGM_STORED_F16, "(5)", same);
    check_tensor(c, "bf16", SGM_STORED_BF16, "(5)", same);
    check_tensor(c, "f64", SGM_STORED_F64, "(5)", same);
    check_tensor(c, "i64", SGM_STORED_I64, "(5)", integers);
    check_tensor(c, "i32", SGM_STORED_I32, "(5)", integers);
    check_tensor(c, "i16", SGM_STORED_I16, "(5)", integers);
    check_tensor(c, "i8", SGM_STORED_I8, "(5)", integers);
    check_tensor(c, "u8", SGM_STORED_U8, "(5)", unsigned_integers);
    const sgm_stored_tensor *flags = sgm_checkpoint_find(c, "bool");
    char bits[3] = "";
    if (flags) sgm_stored_tensor_read_raw(flags, 0, 3, bits);
    CHECK(flags && flags->type == SGM_STORED_BOOL && memcmp(bits, "\1\0\1", 3) == 0);
    sgm_checkpoint_close(c);
}

static void side_by_side_dicts_keep_their_keys(void)
{
    sgm_checkpoint *c = open_sample("two_dicts.pth");
    if (!c) return;
    CHECK(sgm_checkpoint_count(c) == 2); /* the third is the optimiser's */
    check_tensor(c, "decoder_state_dict/weight", SGM_STORED_F32, "(2)", same);
    check_tensor(c, "prototypes_state_dict/weight", SGM_STORED_F32, "(3)", same);
    sgm_checkpoint_close(c);
}

/* Lone tensors, numbers of numpy, paths, arguments, tensors of types that are not read: none of it
 * hides the weights, and none of it is made. */
static void what_stands_beside_the_weights_is_passed_over(const char *sample, const char *wrapper)
{
    sgm_checkpoint *c = open_sample(sample);
    if (!c) return;
    CHECK(sgm_checkpoint_count(c) == 2);
    check_tensor(c, "head.weight", SGM_STORED_F32, "(2, 3)", same);
    check_tensor(c, "head.bias", SGM_STORED_F32, "(3)", same);
    CHECK(strcmp(sgm_checkpoint_wrapper(c), wrapper) == 0);
    sgm_checkpoint_close(c);
}

static size_t odd(size_t i) /* [1::2] of unsigned_integers */
{
    return unsigned_integers(2 * i + 1);
}

/* Subclasses, buffers and parameters with attributes, types that came after the storage classes. */
static void what_newer_functions_rebuild_is_read(const char *sample)
{
    sgm_checkpoint *c = open_sample(sample);
    if (!c) return;
    check_tensor(c, "annotated", SGM_STORED_F32, "(2, 3)", same);
    check_tensor(c, "annotated_view", SGM_STORED_F32, "(4, 2, 3)", permuted);
    check_tensor(c, "annotated_half", SGM_STORED_F16, "(5)", same);
    check_tensor(c, "buffer", SGM_STORED_F32, "(3)", same);
    check_tensor(c, "parameter", SGM_STORED_F32, "(2, 3)", same);
    check_tensor(c, "u16", SGM_STORED_U16, "(5)", unsigned_integers);
    check_tensor(c, "u32", SGM_STORED_U32, "(5)", unsigned_integers);
    check_tensor(c, "u64", SGM_STORED_U64, "(5)", unsigned_integers);
    check_tensor(c, "late_view", SGM_STORED_U32, "(2)", odd);
    sgm_checkpoint_close(c);
}

static void check_reject(const char *name, const char *message)
{
    char path[1024];
    sgm_checkpoint *c;
    snprintf(path, sizeof path, "%s/%s", REJECTS, name);
    CHECK_STATUS(sgm_checkpoint_open(path, &c), SGM_BAD_MODEL, message);
    CHECK(strstr(sgm_last_message(), path) != NULL);
}

static void what_holds_code_is_refused_with_advice(void)
{
    check_reject("whole_module.pth", "torch.save(model.state_dict(), \"new.pth\")");
    check_reject("whole_module.pth", "torch.nn.modules.linear.Linear");
    check_reject("module_in_dict.pth", "'model' is a pickled torch.nn.modules.linear.Linear");
    check_reject("module_in_dict.pth",
                 "weights_only=False)[\"model\"]; torch.save(model.state_dict()");
    check_reject("complex_weight.pth",
                 "tensor 'head.phase': is made by torch.ComplexFloatStorage, which is not read");
    check_reject("torchscript.pth", "torch.jit.load");
}

static void weights_without_their_values_are_refused(void)
{
    check_reject("meta_weight.pth", "'head.weight': is made by torch._utils._rebuild_meta_tensor");
    check_reject("sparse_weight.pth", "'head.weight': is made by torch._utils._rebuild_sparse");
    check_reject("sparse_weight.pth", "save it as the plain tensor that v.float(), v.to_dense()");
    check_reject("float8_weight.pth",
                 "'head.weight': is made by torch.float8_e4m3fn, which is not");
    check_reject("numpy_weight.pth", "'head.weight' is numpy's (numpy.");
    check_reject("numpy_weight.pth", "torch.save({k: torch.from_numpy(v) for k, v in");
}

/* --------------------------------------------------------------------------- hand-made archives */

static byte_builder pickle;
static zip_builder archive;

static void put_string(const char *text)
{
    put_number(&pickle, 'X', 1);
    put_number(&pickle, strlen(text), 4);
    put_text(&pickle, text);
}

static void put_integer(long long value)
{
    put_text(&pickle, "\x8a\x08");
    put_number(&pickle, (uint64_t)value, 8);
}

static void put_tuple(int n, const long long *values)
{
    put_text(&pickle, "(");
    for (int i = 0; i < n; i++)
        put_integer(values[i]);
    put_text(&pickle, "t");
}

/* Key and float tensor; storage `key` claims `count` elements. */
static void put_tensor(const char *name, const char *key, long long count, long long offset,
                       int rank, const long long *shape, const long long *strides)
{
    put_string(name);
    put_text(&pickle, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_string("storage");
    put_text(&pickle, "ctorch\nFloatStorage\n");
    put_string(key);
    put_string("cpu");
    put_integer(count);
    put_text(&pickle, "tQ");
    put_integer(offset);
    put_tuple(rank, shape);
    put_tuple(rank, strides);
    put_text(&pickle, "\x89"
                      "ccollections\nOrderedDict\n)RtR");
}

static void begin_pickle(void)
{
    pickle.size = 0;
    put_text(&pickle, "\x80\x02}(");
}

/* Ends the pickle and makes an archive of it with one storage of 4 floats. */
static sgm_status open_pickle(const char *byte_order, sgm_checkpoint **out)
{
    static const float values[4] = {1, 2, 3, 4};
    put_text(&pickle, "u.");
    memset(&archive, 0, sizeof archive);
    zip_add(&archive, "net/data.pkl", pickle.bytes, pickle.size);
    if (byte_order) zip_add(&archive, "net/byteorder", byte_order, strlen(byte_order));
    zip_add(&archive, "net/data/0", values, sizeof values);
    zip_finish(&archive);
    return sgm_checkpoint_open_memory(archive.file.bytes, archive.file.size, "made.pth", out);
}

static sgm_status open_view(const char *key, long long count, long long offset, int rank,
                            const long long *shape, const long long *strides)
{
    sgm_checkpoint *c = NULL;
    begin_pickle();
    put_tensor("layer.w", key, count, offset, rank, shape, strides);
    sgm_status status = open_pickle("little", &c);
    sgm_checkpoint_close(c);
    return status;
}

#define SIZES(...)                                                                                 \
    (const long long[])                                                                            \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void views_must_fit_their_storage(void)
{
    const long long big = 1LL << 62, max = INT64_MAX;
    CHECK_OK(open_view("0", 4, 0, 2, SIZES(2, 2), SIZES(2, 1)));
    CHECK_OK(open_view("0", 4, 3, 1, SIZES(1), SIZES(max)));
    CHECK_OK(open_view("0", 4, 4, 1, SIZES(0), SIZES(1)));
    CHECK_STATUS(open_view("0", 4, 0, 2, SIZES(2, 2), SIZES(3, 1)), SGM_BAD_MODEL, "'layer.w'");
    CHECK_STATUS(open_view("0", 4, 1, 1, SIZES(4), SIZES(1)), SGM_BAD_MODEL, "beyond its storage");
    CHECK_STATUS(open_view("0", 4, max, 1, SIZES(1), SIZES(1)), SGM_BAD_MODEL, "beyond");
    CHECK_STATUS(open_view("0", 4, max, 1, SIZES(2), SIZES(1)), SGM_BAD_MODEL, "beyond");
    CHECK_STATUS(open_view("0", 4, 5, 1, SIZES(0), SIZES(1)), SGM_BAD_MODEL, "beyond");
    CHECK_STATUS(open_view("0", 4, 0, 1, SIZES(3), SIZES(big)), SGM_BAD_MODEL, "beyond");
    CHECK_STATUS(open_view("0", 4, 0, 2, SIZES(big, big), SIZES(0, 0)), SGM_BAD_MODEL, "overflows");
    CHECK_STATUS(open_view("0", 4, -1, 1, SIZES(1), SIZES(1)), SGM_BAD_MODEL, "non-negative");
    CHECK_STATUS(open_view("0", 4, 0, 1, SIZES(-1), SIZES(1)), SGM_BAD_MODEL, "non-negative");
    CHECK_STATUS(open_view("0", 4, 0, 1, SIZES(1), SIZES(-1)), SGM_BAD_MODEL, "non-negative");
    CHECK_STATUS(open_view("0", 5, 0, 1, SIZES(5), SIZES(1)), SGM_BAD_MODEL, "archive has 16");
    CHECK_STATUS(open_view("0", max, 0, 1, SIZES(5), SIZES(1)), SGM_BAD_MODEL, "archive has 16");
    CHECK_STATUS(open_view("1", 4, 0, 1, SIZES(4), SIZES(1)), SGM_BAD_MODEL, "data/1 is not in");
    CHECK_STATUS(
        open_view("0", 4, 0, 9, SIZES(1, 1, 1, 1, 1, 1, 1, 1, 1), SIZES(1, 1, 1, 1, 1, 1, 1, 1, 1)),
        SGM_BAD_MODEL, "at most 8");
}

/* Four floats that claim to be 2^40: nobody must be asked to hold them. */
static void a_repeating_view_cannot_blow_up(void)
{
    CHECK_OK(open_view("0", 4, 0, 2, SIZES(1000, 4), SIZES(0, 1)));
    CHECK_STATUS(open_view("0", 4, 0, 2, SIZES(1LL << 40, 1), SIZES(0, 1)), SGM_BAD_MODEL,
                 "too often");
}

static void byte_order_is_honoured(void)
{
    sgm_checkpoint *c;
    begin_pickle();
    put_tensor("w", "0", 4, 0, 1, SIZES(4), SIZES(1));
    CHECK_STATUS(open_pickle("big", &c), SGM_BAD_MODEL, "byte order");
    begin_pickle();
    put_tensor("w", "0", 4, 0, 1, SIZES(4), SIZES(1));
    if (CHECK_OK(open_pickle(NULL, &c))) sgm_checkpoint_close(c);
}

static void bad_dicts_are_refused(void)
{
    sgm_checkpoint *c;
    begin_pickle();
    put_string("epoch"), put_integer(3);
    CHECK_STATUS(open_pickle("little", &c), SGM_BAD_MODEL, "hold no tensors");
    begin_pickle();
    put_tensor("w", "0", 4, 0, 1, SIZES(4), SIZES(1));
    put_tensor("w", "0", 4, 0, 1, SIZES(4), SIZES(1));
    CHECK_STATUS(open_pickle("little", &c), SGM_BAD_MODEL, "'w' occurs twice");
    begin_pickle();
    put_tensor("a\x1b[0m", "0", 4, 0, 1, SIZES(4), SIZES(1));
    CHECK_STATUS(open_pickle("little", &c), SGM_BAD_MODEL, "'a?[0m'");
    begin_pickle();
    put_text(&pickle, "u]."); /* the root is a list */
    CHECK_STATUS(open_pickle("little", &c), SGM_BAD_MODEL, "no dict of tensors");
    memset(&archive, 0, sizeof archive);
    zip_add(&archive, "readme.txt", "hello", 5);
    zip_finish(&archive);
    CHECK_STATUS(sgm_checkpoint_open_memory(archive.file.bytes, archive.file.size, "x.zip", &c),
                 SGM_BAD_MODEL, "x.zip: a zip archive without data.pkl");
}

/* A dict beside tensors: taken where it holds more, or where its key is a known one. */
static void open_nested(const char *key, int inner, int outer, const char *name)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    sgm_checkpoint *c = NULL;
    begin_pickle();
    put_string(key);
    put_text(&pickle, "}(");
    for (int i = 0; i < inner; i++)
        put_tensor(names[i], "0", 4, 0, 1, SIZES(4), SIZES(1));
    put_text(&pickle, "u");
    for (int i = 0; i < outer; i++)
        put_tensor(names[2 + i], "0", 4, 0, 1, SIZES(4), SIZES(1));
    if (!CHECK_OK(open_pickle("little", &c))) return;
    check_that(sgm_checkpoint_find(c, name) != NULL, key, __FILE__, __LINE__);
    CHECK(sgm_checkpoint_count(c) == (size_t)(name[0] == 'a' ? inner : outer));
    sgm_checkpoint_close(c);
}

static void lone_tensors_hide_no_weights(void)
{
    open_nested("weights", 2, 0, "a");
    open_nested("weights", 2, 1, "a");
    open_nested("state_dict", 1, 2, "a");
    open_nested("statistics", 1, 2, "c"); /* a state dict with something beside it */
    open_nested("model", 0, 1, "c");      /* a dict of settings */
}

/* Of dicts side by side the message names one as Python has it. */
static void check_side_by_side(const char *first, const char *second, const char *message)
{
    static const char *const dicts[] = {"student", "teacher"}, *const landmarks[] = {"a", NULL};
    sgm_checkpoint *c = NULL;
    begin_pickle();
    for (int i = 0; i < 2; i++) {
        put_string(dicts[i]);
        put_text(&pickle, "}(");
        put_tensor(first, "0", 4, 0, 1, SIZES(4), SIZES(1));
        put_tensor(second, "0", 4, 0, 1, SIZES(4), SIZES(1));
        put_text(&pickle, "u");
    }
    if (!CHECK_OK(open_pickle("little", &c))) return;
    CHECK_STATUS(sgm_checkpoint_take_off_prefix(c, landmarks), SGM_BAD_MODEL, message);
    sgm_checkpoint_close(c);
}

static void dicts_side_by_side_are_named(void)
{
    check_side_by_side("a", "b", "torch.save(weights[\"student\"], \"new.pth\")");
    check_side_by_side("module.a", "module.b", "torch.save(weights[\"student\"], \"new.pth\")");
    check_side_by_side("net.a", "net.b",
                       "torch.save({k[4:]: v for k, v in weights[\"student\"].items() if "
                       "k.startswith(\"net.\")}, \"new.pth\")");
}

/* {"state_dict": itself}: unwrapping must end. */
static void a_recursive_wrapper_ends(void)
{
    sgm_checkpoint *c;
    pickle.size = 0;
    put_text(&pickle, "\x80\x02}r");
    put_number(&pickle, 0, 4);
    put_string("state_dict");
    put_number(&pickle, 'j', 1);
    put_number(&pickle, 0, 4);
    put_text(&pickle, "s(");
    CHECK_STATUS(open_pickle("little", &c), SGM_BAD_MODEL, "hold no tensors");
}

/* 3000 keys whose value is the dict itself: whoever walks into each is never done. */
static void dicts_of_themselves_are_bounded(void)
{
    sgm_checkpoint *c;
    char key[16];
    pickle.size = 0;
    put_text(&pickle, "\x80\x02}r");
    put_number(&pickle, 0, 4);
    put_text(&pickle, "(");
    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        put_string(key);
        put_number(&pickle, 'j', 1);
        put_number(&pickle, 0, 4);
    }
    CHECK_STATUS(open_pickle("little", &c), SGM_BAD_MODEL, "hold each other too often");
}

int main(void)
{
    check_state_dict("state_dict.pth", "PyTorch zip");
    check_state_dict("state_dict_protocol4.pth", "PyTorch zip");
    check_state_dict("state_dict_before_1_6.pth", "PyTorch before 1.6");
    a_training_checkpoint_is_unwrapped("training_checkpoint.pth");
    a_training_checkpoint_is_unwrapped("training_checkpoint_before_1_6.pth");
    views_of_shared_storage_are_read("views.pth");
    views_of_shared_storage_are_read("views_before_1_6.pth");
    every_storage_type_is_read("types.pth");
    every_storage_type_is_read("types_before_1_6.pth");
    what_newer_functions_rebuild_is_read("rebuilt.pth");
    what_newer_functions_rebuild_is_read("rebuilt_before_1_6.pth");
    what_stands_beside_the_weights_is_passed_over("beside.pth", "state_dict");
    what_stands_beside_the_weights_is_passed_over("beside_protocol4.pth", "state_dict");
    what_stands_beside_the_weights_is_passed_over("beside_before_1_6.pth", "state_dict");
    what_stands_beside_the_weights_is_passed_over("beside_any_key.pth", "weights_of_mine");
    side_by_side_dicts_keep_their_keys();
    what_holds_code_is_refused_with_advice();
    weights_without_their_values_are_refused();
    views_must_fit_their_storage();
    a_repeating_view_cannot_blow_up();
    byte_order_is_honoured();
    bad_dicts_are_refused();
    a_recursive_wrapper_ends();
    lone_tensors_hide_no_weights();
    dicts_side_by_side_are_named();
    dicts_of_themselves_are_bounded();
    return check_report();
}
