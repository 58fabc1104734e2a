/* Ten training steps of a narrow network on the CUDA backend and on the CPU: the same settings and
 * images give the same losses and, within rounding, the same weights. Runs in the current folder.
 */
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "../check.h"
#include "checkpoint/checkpoint.h"
#include "core/status.h"
#include "segmodel/train.h"

#define SETTINGS                                                                                   \
    "architecture = tiny_vit protocol=sam norm=layer image=32 decoder_dim=32 decoder_heads=4 "     \
    "decoder_depth=2 decoder_mlp=64 mask_tokens=4 stem_kernel=3 stem_strides=2,1 "                 \
    "dims=16,24,32,32 "                                                                            \
    "depths=1,1,1,1 heads=1,1,1,1 windows=8,8,8,8 merge_strides=2,1,1 expand=2 mlp_ratio=2\n"      \
    "steps = 10\nbatch = 1\nreport_every = 1\nvalidate_every = 0\nsave_every = 0\n"                \
    "validate_objects = 0\nsynthetic = 1\nrate = 1e-3\nbf16 = 0\n"

enum { STEPS = 10 };

typedef struct losses {
    double value[STEPS + 1];
    int count;
} losses;

static void note(void *user, const sgm_train_report *report)
{
    losses *l = user;
    if (!report->event && l->count < STEPS) l->value[l->count++] = report->loss;
}

static void remove_folder(const char *path)
{
    DIR *list = opendir(path);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        char file[512];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        unlink(file);
    }
    if (list) closedir(list);
    rmdir(path);
}

static sgm_status train(sgm_device device, const char *out, losses *l)
{
    sgm_context *context;
    sgm_context_options how = {.device = device, .precision = SGM_PRECISION_FP32, .threads = 2};
    SGM_TRY(sgm_context_create(&how, &context));
    sgm_train_options options = {
        .config = "cuda_train.cfg", .out = out, .report = note, .report_user = l};
    remove_folder(out);
    sgm_status status = sgm_train(context, &options, NULL);
    sgm_context_destroy(context);
    return status;
}

/* Both sum in another order, and AdamW's first steps divide a gradient by its own size: where a
 * gradient is nothing but rounding noise its sign is arbitrary and a weight moves by up to the
 * learning rate either way. Hence the whole file is compared, by norm: 2e-6 was seen. */
static void compare_weights(const char *a_path, const char *b_path)
{
    sgm_checkpoint *a, *b;
    double error = 0, norm = 0;
    if (!CHECK_OK(sgm_checkpoint_open(a_path, &a)) || !CHECK_OK(sgm_checkpoint_open(b_path, &b)))
        return;
    for (size_t i = 0; i < sgm_checkpoint_count(a); i++) {
        const sgm_stored_tensor *x = sgm_checkpoint_tensor(a, i);
        const sgm_stored_tensor *y = sgm_checkpoint_find(b, x->name);
        if (!CHECK(y && x->count == y->count)) continue;
        float *u = malloc((size_t)x->count * sizeof *u), *v = malloc((size_t)x->count * sizeof *v);
        sgm_stored_tensor_read_f32(x, u);
        sgm_stored_tensor_read_f32(y, v);
        for (int64_t k = 0; k < (int64_t)x->count; k++) {
            error += ((double)u[k] - v[k]) * ((double)u[k] - v[k]);
            norm += (double)u[k] * u[k];
        }
        free(u);
        free(v);
    }
    char what[128];
    snprintf(what, sizeof what, "weights after ten steps: relative difference %.3g",
             sqrt(error / norm));
    check_that(sqrt(error / norm) <= 1e-4, what, __FILE__, __LINE__);
    printf("%s\n", what);
    sgm_checkpoint_close(a);
    sgm_checkpoint_close(b);
}

int main(void)
{
    losses cuda = {0}, cpu = {0};
    FILE *stream = fopen("cuda_train.cfg", "w");
    CHECK(stream && fputs(SETTINGS, stream) >= 0 && fclose(stream) == 0);
    sgm_status status = train(SGM_DEVICE_CUDA, "cuda_train_gpu", &cuda);
    if (status == SGM_DEVICE) {
        printf("skipped: %s\n", sgm_last_message());
        return 77;
    }
    CHECK_OK(status);
    CHECK_OK(train(SGM_DEVICE_CPU, "cuda_train_cpu", &cpu));
    CHECK(cuda.count == STEPS && cpu.count == STEPS);
    for (int i = 0; i < cpu.count; i++) /* grows with the weights' differences */
        CHECK_NEAR(cuda.value[i], cpu.value[i], (i ? 1e-4 : 1e-5) * fabs(cpu.value[i]));
    compare_weights("cuda_train_cpu/last.safetensors", "cuda_train_gpu/last.safetensors");
    return check_report();
}
