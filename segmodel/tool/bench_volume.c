/* `segmodel bench volume`: a whole volume from .npy to .npy, timed, with its peak memory. On a GPU
 * some slices are first compared with FP32 on the CPU. */
#include "bench_clicks.h"
#include "bench_phantom.h"
#include "bench_volume_check.h"
#include "matrix_rate.h"
#include "tool.h"
#include "tool_options.h"

#include "backend/context.h"
#include "checkpoint/npy.h"
#include "core/clock.h"
#include "core/system.h"
#include "segmodel/volume.h"

#include <stdio.h>
#include <string.h>

enum { MAX_SEEDS = 256 };

typedef struct volume_bench {
    const char *files[3]; /* model, volume, labels */
    const char *variant, *cache;
    sgm_context_options context;
    sgm_volume_options options;
    sgm_seed seeds[MAX_SEEDS];
    size_t seed_count;
    double spacing[3];
    double phantom[3]; /* size of the volume to make; zeros: the file is there */
    bool whole, zoomed;
} volume_bench;

static long peak_mebibytes(void)
{
    return (long)(sgm_peak_memory() / (1 << 20));
}

static sgm_status add_seed(void *user, const char *text)
{
    volume_bench *b = user;
    double v[4];
    if (b->seed_count == MAX_SEEDS || !parse_list(text, 4, v) || (v[3] != 0 && v[3] != 1))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "--seed wants i,j,k,label with a label of 1 or 0, at most %d times; got "
                        "'%s'",
                        MAX_SEEDS, text);
    b->seeds[b->seed_count++] = (sgm_seed){{v[0], v[1], v[2]}, (int)v[3]};
    return SGM_OK;
}

static sgm_status set_spacing(void *user, const char *text)
{
    volume_bench *b = user;
    if (parse_list(text, 3, b->spacing)) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT, "--spacing wants di,dj,dk in mm; got '%s'", text);
}

static sgm_status set_phantom(void *user, const char *text)
{
    volume_bench *b = user;
    bool right = parse_list(text, 3, b->phantom);
    for (int a = 0; a < 3; a++)
        right = right && b->phantom[a] >= 1 && b->phantom[a] <= 4096 &&
                b->phantom[a] == (int)b->phantom[a];
    if (right) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT, "--phantom wants I,J,K, 1 to 4096 each; got '%s'", text);
}

static sgm_status view_volume(const volume_bench *b, const sgm_npy *npy, sgm_volume *volume)
{
    const sgm_stored_tensor *array = &npy->array;
    *volume = (sgm_volume){.data = array->data, .channels = 1};
    switch (array->type) {
    case SGM_STORED_I16:
        volume->type = SGM_VOXEL_I16;
        break;
    case SGM_STORED_U8:
        volume->type = SGM_VOXEL_U8;
        break;
    case SGM_STORED_F32:
        volume->type = SGM_VOXEL_F32;
        break;
    default:
        return sgm_fail(SGM_UNREADABLE, "%s: a volume is int16, uint8 or float32, not %s",
                        b->files[1], sgm_stored_type_name(array->type));
    }
    if (array->rank != 3)
        return sgm_fail(SGM_UNREADABLE, "%s: a volume has three axes (k, j, i), not %d",
                        b->files[1], array->rank);
    for (int a = 0; a < 3; a++) {
        volume->size[a] = array->shape[2 - a];
        volume->matrix[a][a] = b->spacing[a];
    }
    return SGM_OK;
}

/* All of it, or without seeds the middle half of every slice, is one box. */
static sgm_roi middle(const sgm_volume *volume, bool whole)
{
    sgm_roi roi = {0};
    for (int a = 0; a < 3; a++) {
        roi.center[a] = (double)(volume->size[a] - 1) / 2;
        roi.half_axis[a][a] = (double)volume->size[a] / (a == 2 || whole ? 2 : 4);
    }
    return roi;
}

static void report(const sgm_volume_result *result, double loading, double segmenting,
                   double writing)
{
    int64_t slices = (int64_t)result->objects[0].slice_count;
    printf("%-34s %12.4g s\n", "load", loading);
    printf("%-34s %12.4g s\n", "segment", segmenting);
    printf("%-34s %12.4g s\n", "write", writing);
    printf("%-34s %12.4g s\n", "from .npy to .npy", loading + segmenting + writing);
    printf("%-34s %12lld\n", "slices", (long long)slices);
    printf("%-34s %12.4g ms\n", "per slice", 1000 * segmenting / (double)(slices ? slices : 1));
    printf("%-34s %12lld\n", "embeddings computed", (long long)result->encoded);
    printf("%-34s %12lld\n", "embeddings from the cache", (long long)result->cached);
    printf("%-34s %12lld\n", "voxels", (long long)result->objects[0].voxels);
    printf("%-34s %12ld MiB\n", "peak memory", peak_mebibytes());
}

static sgm_status segment(volume_bench *b, sgm_model *model, const sgm_volume *volume,
                          double loading)
{
    sgm_volume_result result;
    sgm_roi roi = middle(volume, b->whole);
    sgm_object object = {.seeds = b->seeds,
                         .seed_count = b->seed_count,
                         .rois = &roi,
                         .roi_count = b->seed_count ? 0 : 1};
    const int64_t shape[3] = {volume->size[2], volume->size[1], volume->size[0]};
    double start = sgm_clock();
    SGM_TRY(sgm_volume_predict(model, volume, &object, 1, &b->options, NULL, &result));
    double segmenting = sgm_clock() - start;
    start = sgm_clock();
    sgm_status status = sgm_npy_write(b->files[2], SGM_STORED_U8, 3, shape, result.objects[0].mask);
    if (status == SGM_OK) report(&result, loading, segmenting, sgm_clock() - start);
    if (status == SGM_OK)
        status = bench_clicks(model, volume, &object, &b->options, result.objects[0].mask);
    sgm_volume_result_clear(&result);
    return status;
}

/* The model is loaded before the check, which is not timed, and used after it. */
static sgm_status load_and_segment(volume_bench *b, const sgm_volume *volume, double opening)
{
    double start = sgm_clock();
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    sgm_status status = sgm_context_create(&b->context, &context);
    if (status == SGM_OK) status = sgm_model_load(context, b->files[0], b->variant, &model);
    double loading = opening + sgm_clock() - start;
    if (status == SGM_OK) tool_say_assumption(model);
    if (status == SGM_OK && !sgm_context_backend(context)->ops->host_memory) {
        sgm_roi roi = middle(volume, b->whole);
        bench_volume_check check = {b->files[0], b->variant, b->context.threads,
                                    volume,      roi,        &b->options};
        status = bench_check_volume(&check, model);
    }
    if (status == SGM_OK) status = segment(b, model, volume, loading);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return status;
}

static sgm_status run(volume_bench *b)
{
    sgm_npy npy;
    sgm_volume volume;
    if (b->whole) b->options.zoom = SGM_ZOOM_OFF;
    if (b->zoomed) b->options.zoom = SGM_ZOOM_ON;
    if (b->phantom[0] > 0) SGM_TRY(bench_write_phantom(b->files[1], b->phantom));
    if (b->cache) SGM_TRY(sgm_store_open(b->cache, 0, &b->options.store));
    double start = sgm_clock();
    sgm_status status = sgm_npy_open(b->files[1], &npy);
    if (status == SGM_OK) {
        status = view_volume(b, &npy, &volume);
        if (status == SGM_OK) status = load_and_segment(b, &volume, sgm_clock() - start);
        sgm_npy_close(&npy);
    }
    sgm_store_close(&b->options.store);
    return status;
}

int bench_volume(int argc, char **argv)
{
    volume_bench b = {.spacing = {1, 1, 1}, .options = {.axis = SGM_AXIS_K}};
    bool helped;
    const option options[] = {
        {"--variant", OPTION_TEXT, &b.variant, NULL, "NAME", "the network (segmodel info)"},
        {"--precision", OPTION_PRECISION, &b.context.precision, NULL, "fp32|bf16", ""},
        {"--device", OPTION_DEVICE, &b.context.device, NULL, "auto|cpu|cuda", ""},
        {"--threads", OPTION_INT, &b.context.threads, NULL, "N", "0: one per core"},
        {"--seed", OPTION_VISIT, &b, add_seed, "I,J,K,LABEL",
         "a seed (voxel index, 1 or 0); none: a box in every slice"},
        {"--spacing", OPTION_VISIT, &b, set_spacing, "DI,DJ,DK", "mm (1,1,1)"},
        {"--phantom", OPTION_VISIT, &b, set_phantom, "I,J,K",
         "first make VOLUME.npy: a CT-like phantom"},
        {"--maxSlices", OPTION_INT, &b.options.max_slices, NULL, "N", "per direction; 0: all"},
        {"--cache", OPTION_TEXT, &b.cache, NULL, "DIR", "keep embeddings there"},
        {"--whole", OPTION_FLAG, &b.whole, NULL, NULL, "the box is the slice, without zoom"},
        {"--zoom", OPTION_FLAG, &b.zoomed, NULL, NULL, "look at crops around the prompt"},
        {0}};
    command_line command = {
        .usage = "segmodel bench volume MODEL VOLUME.npy LABELS.npy [--seed I,J,K,1]",
        .help = "Segments a volume (int16, uint8 or float32, axes k, j, i) and says how long it "
                "took\nand how much memory; with seeds also what further clicks take on a live "
                "volume.",
        .options = options,
        .positional = b.files,
        .positional_wanted = 3,
        .positional_room = 3};
    sgm_status status = parse_options(argc, argv, &command, &helped);
    if (status != SGM_OK || helped) return tool_exit(status);
    return tool_exit(run(&b));
}
