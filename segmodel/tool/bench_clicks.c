#include "bench_clicks.h"

#include "bench_model.h"
#include "matrix_rate.h"

#include "core/clock.h"
#include "core/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SEEDS = 260, DECODES = 21, SIDE = 128 };

typedef struct clicks {
    sgm_live_volume *live;
    sgm_object object;
    sgm_seed seeds[MOST_SEEDS];
    double decode; /* seconds of a bare one */
} clicks;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A decode as a walk asks for it: box, points and the logits before. */
static sgm_status time_decode(sgm_session *session, const sgm_prompt *first, double *seconds)
{
    double all[DECODES];
    sgm_mask mask;
    sgm_predict_options options = {.size = sizeof options, .want_logits = 1};
    SGM_TRY(sgm_session_predict(session, first, &options, &mask));
    sgm_prompt prompt = *first;
    size_t count = (size_t)mask.low_res_shape[0] * (size_t)mask.low_res_shape[1];
    float *logits = malloc(count * sizeof *logits);
    if (!logits) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for logits");
    memcpy(logits, mask.low_res, count * sizeof *logits);
    prompt.mask = logits;
    sgm_status status = SGM_OK;
    for (int n = 0; n < DECODES && status == SGM_OK; n++) {
        double start = sgm_clock();
        status = sgm_session_predict(session, &prompt, &options, &mask);
        all[n] = sgm_clock() - start;
    }
    free(logits);
    qsort(all, DECODES, sizeof *all, by_value);
    *seconds = all[DECODES / 2];
    return status;
}

static sgm_status measure_decode(sgm_model *model, double *seconds)
{
    static uint8_t pixels[SIDE * SIDE];
    sgm_image image = {.data = pixels, .width = SIDE, .height = SIDE, .channels = 1};
    sgm_point points[3] = {{60, 60, 1}, {70, 66, 1}, {64, 72, 1}};
    sgm_box box = {40, 40, 90, 90};
    sgm_prompt prompt = {.points = points, .point_count = 3, .box = &box};
    sgm_session *session;
    for (int n = 0; n < SIDE * SIDE; n++)
        pixels[n] = (uint8_t)(n % SIDE * 2 ^ n / SIDE);
    SGM_TRY(sgm_session_create(model, &session));
    sgm_status status = sgm_session_set_image(session, &image);
    if (status == SGM_OK) status = time_decode(session, &prompt, seconds);
    sgm_session_destroy(session);
    return status;
}

static void line(const char *name, double seconds, int64_t encoded, int64_t decoded, double decode)
{
    printf("%-34s %12.4g ms  %lld encoded, %lld decoded", name, 1000 * seconds, (long long)encoded,
           (long long)decoded);
    if (decoded && !encoded)
        printf(", %.2f x as many decodes", seconds / (decode * (double)decoded));
    printf("\n");
}

static sgm_status predict(clicks *c, const char *name, sgm_live_result *result)
{
    double start = sgm_clock();
    *result = sgm_live_result_init();
    SGM_TRY(sgm_live_volume_predict(c->live, 1, &c->object, NULL, result));
    line(name, sgm_clock() - start, result->encoded, result->decoded, c->decode);
    return SGM_OK;
}

static sgm_status preview(clicks *c, const char *name)
{
    double start = sgm_clock();
    sgm_live_slice slice = sgm_live_slice_init();
    SGM_TRY(sgm_live_volume_preview(c->live, 1, &c->object, -1, NULL, &slice));
    line(name, sgm_clock() - start, slice.encoded, slice.decoded, c->decode);
    return SGM_OK;
}

/* A background seed in the mask on a slice, as far as may be from `from`: a click where nothing is
 * wrong would change nothing. 0: the slice is empty. */
static int add_inner_seed(clicks *c, const sgm_live_result *result, int64_t slice,
                          const double from[3])
{
    int64_t first[3], last[3], size[3], best = -1, count = 1;
    double furthest = -1;
    for (int a = 0; a < 3; a++) {
        first[a] = a == result->axis ? slice : result->first[a];
        last[a] = a == result->axis ? slice : result->last[a];
        count *= size[a] = last[a] - first[a] + 1;
    }
    uint8_t *mask = malloc((size_t)count);
    if (!mask || sgm_live_volume_mask(c->live, 1, first, last, mask) != SGM_OK) count = 0;
    for (int64_t n = 0; n < count; n++) {
        const int64_t index[3] = {n % size[0], n / size[0] % size[1], n / size[0] / size[1]};
        double distance = 0;
        for (int a = 0; a < 3; a++) {
            double d = (double)(index[a] + first[a]) - from[a];
            distance += d * d;
        }
        if (!mask[n] || distance <= furthest) continue;
        furthest = distance;
        best = n;
    }
    free(mask);
    if (best < 0 || c->object.seed_count == MOST_SEEDS) return 0;
    sgm_seed *seed = &c->seeds[c->object.seed_count++];
    seed->label = SGM_BACKGROUND;
    seed->index[0] = (double)(best % size[0] + first[0]);
    seed->index[1] = (double)(best / size[0] % size[1] + first[1]);
    seed->index[2] = (double)(best / size[0] / size[1] + first[2]);
    return 1;
}

static sgm_status click(clicks *c)
{
    sgm_live_result result;
    SGM_TRY(predict(c, "first click", &result));
    if (!result.slice_count || !result.voxels) return SGM_OK;
    const double *from = c->seeds[0].index;
    int64_t slice = (int64_t)(from[result.axis] + 0.5), last = result.last[result.axis];
    if (!add_inner_seed(c, &result, slice, from)) return SGM_OK;
    SGM_TRY(preview(c, "next click, same slice, its preview"));
    SGM_TRY(predict(c, "next click, same slice", &result));
    SGM_TRY(predict(c, "the same again", &result));
    if (add_inner_seed(c, &result, (slice + last + 1) / 2, from)) {
        SGM_TRY(preview(c, "click on another slice, its preview"));
        SGM_TRY(predict(c, "click on another slice", &result));
        c->object.seed_count--;
        SGM_TRY(predict(c, "undo", &result));
    }
    return SGM_OK;
}

sgm_status bench_clicks(sgm_model *model, const sgm_volume *volume, const sgm_object *object,
                        const sgm_volume_options *options)
{
    clicks c = {.object = *object};
    if (!object->seed_count || object->seed_count > MOST_SEEDS - 2) return SGM_OK;
    memcpy(c.seeds, object->seeds, object->seed_count * sizeof *c.seeds);
    c.object.seeds = c.seeds;
    SGM_TRY(measure_decode(model, &c.decode));
    printf("%-34s %12.4g ms\n", "a decode", 1000 * c.decode);
    SGM_TRY(sgm_live_volume_create(model, volume, options, &c.live));
    sgm_status status = click(&c);
    sgm_live_volume_destroy(c.live);
    return status;
}
