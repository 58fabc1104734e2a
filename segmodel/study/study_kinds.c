/* The studies: their conditions, and how each asks about one object. */
#include "study/study.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"
#include "core/status.h"
#include "segmodel/metrics.h"
#include "study/strategies.h"

static int64_t pixels_of(const sgm_asker *asker)
{
    return (int64_t)asker->item->width * asker->item->height;
}

static sgm_point point_at(const sgm_asker *asker, int64_t place, int label)
{
    return (sgm_point){(double)(place % asker->item->width), (double)(place / asker->item->width),
                       label};
}

static void add(sgm_study_condition *out, int *count, const char *series, double x, int against,
                const char *name)
{
    sgm_study_condition *c = &out[(*count)++];
    *c = (sgm_study_condition){.series = series, .x = x, .against = against};
    snprintf(c->name, sizeof c->name, "%s", name);
}

/* ------------------------------------------------------------------------- clicks after clicks */

enum { CENTRE, RANDOM, FIRSTS };
static const char *const first_names[FIRSTS] = {"centre", "random"};
static const char *const first_series[FIRSTS] = {"CENTRE FIRST", "RANDOM FIRST"};
static const char *const oracle_series[FIRSTS] = {"CENTRE ORACLE", "RANDOM ORACLE"};

/* Per first point: the counts, then the oracle. */
static int point_conditions(const sgm_study_config *config, sgm_study_condition *out)
{
    char name[48];
    int count = 0;
    for (int first = 0; first < FIRSTS; first++) {
        int begin = count;
        for (int i = 0; i < config->count_count; i++) {
            snprintf(name, sizeof name, "%s first, %d point%s", first_names[first],
                     config->counts[i], config->counts[i] > 1 ? "s" : "");
            int against = i ? begin : first == RANDOM ? 0 : -1;
            add(out, &count, first_series[first], config->counts[i], against, name);
        }
        snprintf(name, sizeof name, "%s first, oracle of three", first_names[first]);
        add(out, &count, oracle_series[first], 1, config->counts[0] == 1 ? begin : -1, name);
    }
    return count;
}

static sgm_status first_point(const sgm_asker *asker, int first, uint64_t key, int64_t *place)
{
    if (first == CENTRE)
        return sgm_point_centre(asker->truth, asker->item->width, asker->item->height, place);
    *place = sgm_point_random(asker->truth, pixels_of(asker), key, 0);
    return SGM_OK;
}

/* The next click after the last answer; *label is -1 when nothing is wrong any more. */
static sgm_status next_point(const sgm_asker *asker, const int64_t *taken, size_t count,
                             int64_t *place, int *label)
{
    const int64_t size[3] = {asker->item->width, asker->item->height, 1};
    sgm_click click;
    SGM_TRY(sgm_click_deepest(asker->truth, asker->look.mask, size, taken, count, &click));
    *place = click.index[1] * size[0] + click.index[0];
    *label = click.label;
    return SGM_OK;
}

/* Once nothing is wrong, further counts keep the score. */
static sgm_status click_on(sgm_asker *asker, const sgm_study_config *config, int64_t first,
                           sgm_study_score *scores)
{
    int64_t taken[SGM_STUDY_MOST_POINTS] = {first};
    sgm_point points[SGM_STUDY_MOST_POINTS] = {point_at(asker, first, SGM_FOREGROUND)};
    int most = config->counts[config->count_count - 1], label = SGM_FOREGROUND, at = 0;
    sgm_study_score score = {0, 0};
    for (int n = 1; n <= most; n++) {
        if (label != -1 && n > 1)
            SGM_TRY(next_point(asker, taken, (size_t)n - 1, &taken[n - 1], &label));
        if (label != -1) {
            points[n - 1] = point_at(asker, taken[n - 1], label);
            SGM_TRY(sgm_asker_ask(asker, points, (size_t)n, NULL));
            score = sgm_asker_score(asker);
        }
        if (n == 1) SGM_TRY(sgm_asker_oracle(asker, &scores[config->count_count]));
        if (n == config->counts[at]) scores[at++] = score;
    }
    return SGM_OK;
}

static sgm_status examine_points(sgm_asker *asker, const sgm_study_config *config, uint64_t key,
                                 sgm_study_score *scores)
{
    for (int first = 0; first < FIRSTS; first++) {
        int64_t place;
        SGM_TRY(first_point(asker, first, key, &place));
        sgm_asker_restart(asker);
        SGM_TRY(click_on(asker, config, place, scores + first * (config->count_count + 1)));
    }
    return SGM_OK;
}

/* -------------------------------------------------------------- many points of both kinds at once
 */

static int posneg_conditions(const sgm_study_config *config, sgm_study_condition *out)
{
    char name[48];
    int count = 0;
    add(out, &count, "1 POSITIVE", 1, -1, "1 positive point");
    snprintf(name, sizeof name, "%d positive", config->positive);
    add(out, &count, "POSITIVE", 2, 0, name);
    snprintf(name, sizeof name, "%d positive, %d negative", config->positive, config->negative);
    add(out, &count, "POSITIVE AND NEGATIVE", 3, 1, name);
    return count;
}

static sgm_status examine_posneg(sgm_asker *asker, const sgm_study_config *config, uint64_t key,
                                 sgm_study_score *scores)
{
    sgm_point points[2 * SGM_STUDY_MOST_POINTS];
    int64_t count = pixels_of(asker);
    size_t made = 0;
    uint8_t *outside = malloc((size_t)count);
    if (!outside) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a mask");
    for (int64_t i = 0; i < count; i++)
        outside[i] = !asker->truth[i];
    for (int i = 0; i < config->positive; i++)
        points[made++] =
            point_at(asker, sgm_point_random(asker->truth, count, key, (uint64_t)i), 1);
    for (int i = 0; i < config->negative; i++) {
        int64_t place = sgm_point_random(outside, count, key, (uint64_t)(config->positive + i));
        if (place >= 0) points[made++] = point_at(asker, place, SGM_BACKGROUND);
    }
    free(outside);
    const size_t shown[3] = {1, (size_t)config->positive, made};
    for (int i = 0; i < 3; i++) {
        sgm_asker_restart(asker);
        SGM_TRY(sgm_asker_ask(asker, points, shown[i], NULL));
        scores[i] = sgm_asker_score(asker);
    }
    return SGM_OK;
}

/* ---------------------------------------------------------------------------- the second point */

static int second_conditions(const sgm_study_config *config, sgm_study_condition *out)
{
    int count = 0;
    (void)config;
    add(out, &count, "ONE POINT", 1, -1, "one point");
    add(out, &count, "RANDOM", 2, 0, "second point random");
    add(out, &count, "MAXIMUM ENTROPY", 3, 1, "second point of maximum entropy");
    add(out, &count, "MAXIMUM DISTANCE", 4, 1, "second point of maximum distance");
    return count;
}

static sgm_status second_place(sgm_asker *asker, int strategy, int64_t first, uint64_t key,
                               const float *doubt, int64_t *place)
{
    const uint8_t *truth = asker->truth;
    switch (strategy) {
    case 1:
        *place = sgm_second_random(truth, pixels_of(asker), first, key);
        break;
    case 2:
        *place = sgm_second_doubt(truth, pixels_of(asker), first, doubt);
        break;
    default:
        *place = sgm_second_farthest(truth, asker->item->width, asker->item->height, first);
    }
    return SGM_OK;
}

static sgm_status ask_second(sgm_asker *asker, uint64_t key, float *doubt, sgm_study_score *scores)
{
    int64_t first = sgm_point_random(asker->truth, pixels_of(asker), key, 0), second = first;
    sgm_point points[2] = {point_at(asker, first, SGM_FOREGROUND)};
    sgm_asker_restart(asker);
    SGM_TRY(sgm_asker_ask(asker, points, 1, NULL));
    scores[0] = sgm_asker_score(asker);
    SGM_TRY(sgm_asker_doubt(asker, doubt));
    for (int strategy = 1; strategy < 4; strategy++) {
        SGM_TRY(second_place(asker, strategy, first, key, doubt, &second));
        points[1] = point_at(asker, second, SGM_FOREGROUND);
        sgm_asker_restart(asker); /* both points are one question */
        SGM_TRY(sgm_asker_ask(asker, points, 2, NULL));
        scores[strategy] = sgm_asker_score(asker);
    }
    return SGM_OK;
}

static sgm_status examine_second(sgm_asker *asker, const sgm_study_config *config, uint64_t key,
                                 sgm_study_score *scores)
{
    float *doubt = malloc((size_t)pixels_of(asker) * sizeof *doubt);
    (void)config;
    if (!doubt) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a map of doubt");
    sgm_status status = ask_second(asker, key, doubt, scores);
    free(doubt);
    return status;
}

/* -------------------------------------------------------------------------------- loose boxes */

static int box_conditions(const sgm_study_config *config, sgm_study_condition *out)
{
    char name[48], share[SGM_NUMBER_TEXT];
    int count = 0;
    for (int i = 0; i < config->noise_count; i++) {
        sgm_number_text(share, "%.3g", 100 * config->noises[i]);
        snprintf(name, sizeof name, "box, noise of %.20s %%", share);
        add(out, &count, "BOX", 100 * config->noises[i], i ? 0 : -1, name);
    }
    return count;
}

static sgm_status examine_boxes(sgm_asker *asker, const sgm_study_config *config, uint64_t key,
                                sgm_study_score *scores)
{
    for (int i = 0; i < config->noise_count; i++) {
        sgm_box box = sgm_noisy_box(asker->box, config->noises[i], key, asker->item->width,
                                    asker->item->height);
        sgm_asker_restart(asker);
        SGM_TRY(sgm_asker_ask(asker, NULL, 0, &box));
        scores[i] = sgm_asker_score(asker);
    }
    return SGM_OK;
}

const sgm_study_kind sgm_study_kinds[] = {
    {"points", "clicks after clicks: centre or random first point, then the deepest error; oracle",
     "POINTS", true, point_conditions, examine_points},
    {"posneg", "many random points at once: positive, then negative ones too", "PROMPT", true,
     posneg_conditions, examine_posneg},
    {"second", "where the second point goes: random, maximum entropy, maximum distance", "PROMPT",
     true, second_conditions, examine_second},
    {"boxes", "boxes whose corners are off by chance", "NOISE OF THE BOX IN %", true,
     box_conditions, examine_boxes},
    {0}};

const sgm_study_kind *sgm_study_find(const char *name)
{
    for (const sgm_study_kind *kind = sgm_study_kinds; kind->name; kind++)
        if (!strcmp(kind->name, name)) return kind;
    return NULL;
}
