/* golden_tool SEGMODEL WEIGHTS VARIANT FOLDER WORK
 *
 * `segmodel predict` as a user runs it, against the predictor golden; and its exit codes. */
#include "golden_file.h"

#include "../check.h"
#include "../hash_weights.h"

#include "checkpoint/npy.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { WIDTH = 640, HEIGHT = 427 };

int check_count, check_failures;

static const char *program, *weights, *variant, *work;

/* Runs `segmodel <arguments>`; its exit code. stderr goes to WORK/stderr. */
static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *format, ...)
{
    char arguments[2048], command[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(arguments, sizeof arguments, format, args);
    va_end(args);
    snprintf(command, sizeof command, "'%s' %s > '%s/stdout' 2> '%s/stderr'", program, arguments,
             work, work);
    int code = system(command);
    return WIFEXITED(code) ? WEXITSTATUS(code) : -1;
}

static long stderr_size(void)
{
    char path[1024];
    struct stat info;
    snprintf(path, sizeof path, "%s/stderr", work);
    return stat(path, &info) == 0 ? (long)info.st_size : -1;
}

/* A dumped array of floats with exactly this shape, malloc'ed. */
static float *read_dump(const char *name, sgm_stored_type type, int rank, const int64_t *shape)
{
    char path[1024];
    sgm_npy npy;
    float *values = NULL;
    snprintf(path, sizeof path, "%s/dump/%s", work, name);
    if (!CHECK_OK(sgm_npy_open(path, &npy))) return NULL;
    bool fits = npy.array.type == type && npy.array.rank == rank;
    for (int i = 0; i < rank && fits; i++)
        fits = npy.array.shape[i] == shape[i];
    if (check_that(fits, "type and shape", name, 0)) {
        values = malloc(npy.array.count * sizeof *values);
        sgm_stored_tensor_read_f32(&npy.array, values);
    }
    sgm_npy_close(&npy);
    return values;
}

/* mask.npy against the golden's mask `index`: at most 1 pixel in 10000 may fall the other way. */
static void check_mask(const golden_file *file, int index)
{
    const int64_t shape[2] = {HEIGHT, WIDTH};
    float *mask = read_dump("mask.npy", SGM_STORED_U8, 2, shape);
    const sgm_stored_tensor *bits = sgm_checkpoint_find(file->checkpoint, "masks.bits");
    size_t pixels = (size_t)WIDTH * HEIGHT, differ = 0;
    if (mask && CHECK(bits != NULL)) {
        const uint8_t *packed = (const uint8_t *)bits->data + (size_t)index * ((pixels + 7) / 8);
        for (size_t i = 0; i < pixels; i++)
            differ += mask[i] != (float)(packed[i / 8] >> (7 - i % 8) & 1);
        printf("  mask.npy: %zu of %zu pixels differ\n", differ, pixels);
        CHECK(differ <= pixels / 10000);
    }
    free(mask);
}

static void check_dump(const golden_file *file)
{
    const int64_t embedding_shape[4] = {1, 256, 64, 64}, low_shape[4] = {1, 4, 256, 256};
    const int64_t iou_shape[2] = {1, 4};
    float *embedding = read_dump("embedding.npy", SGM_STORED_F32, 4, embedding_shape);
    float *low = read_dump("low_res_logits.npy", SGM_STORED_F32, 4, low_shape);
    float *iou = read_dump("iou.npy", SGM_STORED_F32, 2, iou_shape);
    size_t count;
    float *want = golden_floats(file, "iou", &count);
    if (embedding && low && iou && want && CHECK(count == 3)) {
        golden_check(file, "embedding", SGM_SHAPE(1, 256, 64, 64), embedding, 1e-4);
        golden_check(file, "lowres", SGM_SHAPE(3, 256, 256), low + 256 * 256, 5e-4);
        check_close("iou.npy", iou + 1, want, 3, 1e-3, 0);
        int best = 0;
        for (int i = 1; i < 3; i++)
            best = want[i] > want[best] ? i : best;
        check_mask(file, best);
    }
    free(embedding);
    free(low);
    free(iou);
    free(want);
}

static void write_image(void)
{
    char path[1024];
    const int64_t shape[3] = {HEIGHT, WIDTH, 3};
    uint8_t *rgb = malloc((size_t)WIDTH * HEIGHT * 3);
    hash_image(WIDTH, HEIGHT, 7, rgb);
    snprintf(path, sizeof path, "%s/image.npy", work);
    CHECK_OK(sgm_npy_write(path, SGM_STORED_U8, 3, shape, rgb));
    free(rgb);
}

/* What goes wrong decides the exit code, and something is said about it. */
static void check_errors(void)
{
    const struct {
        int code;
        const char *arguments;
    } cases[] = {
        {1, "predict --image x.npy --point 1,1,1"},
        {1, "predict --model W --image I --point 1,1,2"},
        {1, "predict --model W --image I --nonsense"},
        {1, "fly"},
        {2, "predict --model W --image missing.npy --point 1,1,1"},
        {2, "predict --model W --image W --point 1,1,1"},
        {3, "predict --model W --image I"},
        {3, "predict --model W --image I --point nan,1,1"},
        {3, "predict --model W --image I --point 5000,1,1"},
        {3, "predict --model W --image I --point 640,1,1"},
        {3, "predict --model W --image I --point 9,9,0"},
        {3, "predict --model W --image I --box 9,9,3,3"},
        {3, "predict --model W --image I --class 2"},
        {3, "predict --model W --image I --class all"},
        {4, "info W --base W"},
        {1, "convert W fresh.safetensors --fresh"},
        {4, "predict --model missing.pth --image I --point 1,1,1"},
        {4, "predict --model I --image I --point 1,1,1"},
        {4, "info W --variant lite_medsam"},
        {4, "info W --variant nonsense"},
        {6, "convert W /nonexistent/out.safetensors"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048], *to = text;
        for (const char *p = cases[i].arguments; *p; p++) {
            bool word = (p[1] == ' ' || !p[1]) && p != cases[i].arguments && p[-1] == ' ';
            if (word && *p == 'W')
                to += sprintf(to, "'%s'", weights);
            else if (word && *p == 'I')
                to += sprintf(to, "'%s/image.npy'", work);
            else
                *to++ = *p;
        }
        *to = 0;
        int code = run("%s", text);
        if (!check_that(code == cases[i].code && stderr_size() > 0, cases[i].arguments, "exit code",
                        cases[i].code))
            fprintf(stderr, "    got %d\n", code);
    }
}

/* A converted file says by itself what it is. */
static void check_convert(void)
{
    CHECK(run("convert '%s' '%s/converted.safetensors' --variant %s --dtype bf16", weights, work,
              variant) == 0 &&
          stderr_size() == 0);
    char path[1024];
    sgm_checkpoint *converted;
    snprintf(path, sizeof path, "%s/converted.safetensors", work);
    if (CHECK_OK(sgm_checkpoint_open(path, &converted))) {
        const char *stored = sgm_checkpoint_metadata(converted, "variant");
        CHECK(stored && !strcmp(stored, variant));
        const sgm_stored_tensor *t =
            sgm_checkpoint_find(converted, "mask_decoder.mask_tokens.weight");
        CHECK(t && t->type == SGM_STORED_BF16);
        sgm_checkpoint_close(converted);
    }
    CHECK(run("info '%s'", path) == 0 && stderr_size() == 0);
    remove(path);
}

int main(int argc, char **argv)
{
    golden_file file = {0};
    if (argc < 6) return 1;
    program = argv[1], weights = argv[2], variant = argv[3], work = argv[5];
    mkdir(work, 0777);
    write_image();
    int code = run("predict --model '%s' --variant %s --image '%s/image.npy' --point 240,213,1 "
                   "--point 600,30,0 --box 128,85,384,341 --multimask --precision fp32 "
                   "--dump '%s/dump'",
                   weights, variant, work, work);
    if (CHECK(code == 0 && stderr_size() == 0) && golden_open(argv[4], "predictor", &file))
        check_dump(&file);
    golden_close(&file);
    check_convert();
    check_errors();
    return check_report();
}
