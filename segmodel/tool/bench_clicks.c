#include "bench_clicks.h"

#include "bench_model.h"
#include "matrix_rate.h"

#include "core/clock.h"
#include "core/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SEEDS = 260, WARM = 3, ROUNDS = 25, WHOLE_SIDE = 512 };

typedef struct clicks {
    sgm_live_volume *live;
    sgm_object object;
    sgm_seed seeds[MOST_SEEDS];
    sgm_session *session; /* to time bare decodes on */
    float *logits;        /* of an answer, to ask it with */
    int side;
    double decode; /* seconds of a bare one, the last time it was timed */
} clicks;

/* What a class of questions took, round by round, in decodes. */
typedef struct ratios {
    double all[ROUNDS];
    int count;
} ratios;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

/* ------------------------------------------------------------------------------- a bare decode */

/* As a click asks: two points and the logits before; to a mask of the picture's size. */
static sgm_status decode(clicks *c, sgm_mask *mask)
{
    const double side = c->side;
    sgm_point points[2] = {{side / 2, side / 2, 1}, {side * 0.6, side * 0.55, 0}};
    sgm_prompt prompt = {.points = points, .point_count = 2, .mask = c->logits};
    sgm_predict_options options = {.size = sizeof options, .want_logits = 1};
    return sgm_session_predict(c->session, &prompt, &options, mask);
}

static sgm_status time_decode(clicks *c)
{
    sgm_mask mask;
    double all[WARM];
    for (int n = 0; n < WARM; n++) {
        double start = sgm_clock();
        SGM_TRY(decode(c, &mask));
        all[n] = sgm_clock() - start;
    }
    c->decode = median(all, WARM);
    return SGM_OK;
}

/* A session on a picture of the size that a walk looks at. */
static sgm_status open_session(clicks *c, sgm_model *model, const sgm_volume_options *options)
{
    sgm_model_info info;
    sgm_mask mask;
    sgm_model_get_info(model, &info);
    c->side = options->zoom == SGM_ZOOM_OFF ? WHOLE_SIDE : info.image_size;
    size_t pixels = (size_t)c->side * (size_t)c->side;
    uint8_t *data = malloc(pixels);
    if (!data) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a picture");
    for (size_t n = 0; n < pixels; n++)
        data[n] = (uint8_t)(n % (size_t)c->side * 2 ^ n / (size_t)c->side);
    sgm_image image = {.data = data, .width = c->side, .height = c->side, .channels = 1};
    sgm_status status = sgm_session_create(model, &c->session);
    if (status == SGM_OK) status = sgm_session_set_image(c->session, &image);
    free(data);
    if (status == SGM_OK) status = decode(c, &mask);
    if (status != SGM_OK) return status;
    size_t count = (size_t)mask.low_res_shape[0] * (size_t)mask.low_res_shape[1];
    c->logits = malloc(count * sizeof *c->logits);
    if (!c->logits) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for logits");
    memcpy(c->logits, mask.low_res, count * sizeof *c->logits);
    SGM_TRY(time_decode(c));
    return time_decode(c);
}

/* ---------------------------------------------------------------------------------- questions */

static void line(const char *name, double seconds, int64_t encoded, int64_t decoded)
{
    printf("%-34s %12.4g ms  %lld encoded, %lld decoded\n", name, 1000 * seconds,
           (long long)encoded, (long long)decoded);
}

static void add_ratio(clicks *c, ratios *to, double seconds, int64_t encoded, int64_t decoded)
{
    if (to && decoded && !encoded && to->count < ROUNDS)
        to->all[to->count++] = seconds / (c->decode * (double)decoded);
}

static void print_ratio(const char *name, ratios *r)
{
    if (!r->count) return;
    double middle = median(r->all, r->count);
    printf("%-34s %12.3g x its decodes (median of %d, %.3g to %.3g)\n", name, middle, r->count,
           r->all[0], r->all[r->count - 1]);
}

/* `name` NULL: nothing is printed. */
static sgm_status predict(clicks *c, const char *name, ratios *to, sgm_live_result *result)
{
    double start = sgm_clock();
    *result = sgm_live_result_init();
    SGM_TRY(sgm_live_volume_predict(c->live, 1, &c->object, NULL, result));
    double seconds = sgm_clock() - start;
    if (name) line(name, seconds, result->encoded, result->decoded);
    add_ratio(c, to, seconds, result->encoded, result->decoded);
    return SGM_OK;
}

static sgm_status preview(clicks *c, const char *name, ratios *to)
{
    double start = sgm_clock();
    sgm_live_slice slice = sgm_live_slice_init();
    SGM_TRY(sgm_live_volume_preview(c->live, 1, &c->object, -1, NULL, &slice));
    double seconds = sgm_clock() - start;
    if (name) line(name, seconds, slice.encoded, slice.decoded);
    add_ratio(c, to, seconds, slice.encoded, slice.decoded);
    return SGM_OK;
}

/* What is timed is what a run from nothing gives: the object is compared with `mask`. */
static sgm_status check(const clicks *c, const sgm_volume *volume, const uint8_t *mask)
{
    const int64_t first[3] = {0, 0, 0};
    const int64_t last[3] = {volume->size[0] - 1, volume->size[1] - 1, volume->size[2] - 1};
    size_t count = (size_t)(volume->size[0] * volume->size[1] * volume->size[2]), wrong = 0;
    uint8_t *live = malloc(count);
    if (!live) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a mask");
    sgm_status status = sgm_live_volume_mask(c->live, 1, first, last, live);
    for (size_t n = 0; n < count && status == SGM_OK; n++)
        wrong += live[n] != mask[n];
    free(live);
    if (status != SGM_OK || !wrong) return status;
    return sgm_fail(SGM_INTERNAL, "the live volume differs from a run from nothing in %zu voxels",
                    wrong);
}

/* A background seed in the mask on a slice, at this share of its voxels: a click where nothing is
 * wrong would change nothing. 0: the slice is empty. */
static int add_inner_seed(clicks *c, const sgm_live_result *result, int64_t slice, double share)
{
    int64_t first[3], last[3], size[3], count = 1, set = 0, at = 0;
    for (int a = 0; a < 3; a++) {
        first[a] = a == result->axis ? slice : result->first[a];
        last[a] = a == result->axis ? slice : result->last[a];
        count *= size[a] = last[a] - first[a] + 1;
    }
    uint8_t *mask = malloc((size_t)count);
    if (!mask || sgm_live_volume_mask(c->live, 1, first, last, mask) != SGM_OK) count = 0;
    for (int64_t n = 0; n < count; n++)
        set += mask[n];
    for (int64_t n = 0, wanted = (int64_t)(share * (double)set); n < count; n++)
        if (mask[n] && wanted-- == 0) at = n;
    free(mask);
    if (!set || c->object.seed_count == MOST_SEEDS) return 0;
    sgm_seed *seed = &c->seeds[c->object.seed_count++];
    seed->label = SGM_BACKGROUND;
    seed->index[0] = (double)(at % size[0] + first[0]);
    seed->index[1] = (double)(at / size[0] % size[1] + first[1]);
    seed->index[2] = (double)(at / size[0] / size[1] + first[2]);
    return 1;
}

/* A click elsewhere on the slice, each time from the first click's state. */
static sgm_status click_again(clicks *c, int64_t slice, int round, ratios *previews, ratios *nexts)
{
    sgm_live_result result = sgm_live_result_init();
    SGM_TRY(sgm_live_volume_get(c->live, 1, &result));
    if (!add_inner_seed(c, &result, slice, (round + 0.5) / ROUNDS)) return SGM_OK;
    SGM_TRY(time_decode(c));
    SGM_TRY(preview(c, round ? NULL : "next click, same slice, its preview", previews));
    SGM_TRY(predict(c, round ? NULL : "next click, same slice", nexts, &result));
    if (!round) SGM_TRY(predict(c, "the same again", NULL, &result));
    c->object.seed_count--;
    return predict(c, round ? NULL : "undo", NULL, &result);
}

static sgm_status click(clicks *c, const sgm_volume *volume, const uint8_t *mask)
{
    sgm_live_result result;
    ratios previews = {0}, nexts = {0};
    SGM_TRY(predict(c, "first click", NULL, &result));
    SGM_TRY(check(c, volume, mask));
    if (!result.slice_count || !result.voxels) return SGM_OK;
    int64_t slice = (int64_t)(c->seeds[0].index[result.axis] + 0.5);
    int64_t last = result.last[result.axis];
    for (int round = 0; round < ROUNDS; round++)
        SGM_TRY(click_again(c, slice, round, &previews, &nexts));
    SGM_TRY(check(c, volume, mask)); /* after as many clicks and undoings */
    SGM_TRY(sgm_live_volume_get(c->live, 1, &result));
    if (add_inner_seed(c, &result, (slice + last + 1) / 2, 0.25)) {
        SGM_TRY(preview(c, "click on another slice, its preview", NULL));
        SGM_TRY(predict(c, "click on another slice", NULL, &result));
    }
    print_ratio("a preview", &previews);
    print_ratio("a click", &nexts);
    return SGM_OK;
}

sgm_status bench_clicks(sgm_model *model, const sgm_volume *volume, const sgm_object *object,
                        const sgm_volume_options *options, const uint8_t *mask)
{
    clicks c = {.object = *object};
    if (!object->seed_count || object->seed_count > MOST_SEEDS - 2) return SGM_OK;
    memcpy(c.seeds, object->seeds, object->seed_count * sizeof *c.seeds);
    c.object.seeds = c.seeds;
    sgm_status status = open_session(&c, model, options);
    if (status == SGM_OK) printf("%-34s %12.4g ms\n", "a decode", 1000 * c.decode);
    if (status == SGM_OK) status = sgm_live_volume_create(model, volume, options, &c.live);
    if (status == SGM_OK) status = click(&c, volume, mask);
    sgm_live_volume_destroy(c.live);
    sgm_session_destroy(c.session);
    free(c.logits);
    return status;
}
