#include "predict/volume/answers.h"

#include "core/status.h"

#include <stdlib.h>
#include <string.h>

enum { PARENTS = 4 };

/* What a step comes down to in memory: this, then the points, then the initial mask's runs. Bytes
 * between members are zero, so that keys can be compared as bytes. */
typedef struct sgm_step_key {
    int64_t slice, kind, axis, has_rois, rois_are_deep, is_outer, by_mask, label, largest, has_roi;
    sgm_box roi, core;
    int64_t point_count, foreground_count;
    const sgm_answer *from[2], *start[2];
    int64_t has_initial;
    sgm_packed_mask initial; /* runs: where they lie in this key, or NULL */
} sgm_step_key;

struct sgm_kept {
    sgm_answer answer;      /* first, so that a pointer to one is a pointer to the other */
    uint64_t hash, used;    /* used: tick of the last use */
    size_t key_size, bytes; /* bytes: without the logits */
    int holders;            /* outside of the table */
    int heirs;              /* kept answers that were reached from it */
    int needed;             /* holders, and heirs that are needed */
    int pins;               /* of the logits */
    sgm_kept *next_in_bucket, *older, *newer;
    sgm_kept *todo; /* the next one of a list in the making */
    sgm_step_key *key;
};

static sgm_kept *kept_of(const sgm_answer *answer)
{
    return (sgm_kept *)(uintptr_t)answer;
}

/* ---------------------------------------------------------------------------------------- keys */

static size_t key_size_of(const sgm_volume_step *step)
{
    return sizeof(sgm_step_key) + step->own.point_count * sizeof(sgm_point) +
           (step->initial ? step->initial->size : 0);
}

static sgm_point *key_points(const sgm_step_key *key)
{
    return (sgm_point *)(uintptr_t)(key + 1);
}

static uint8_t *key_runs(const sgm_step_key *key)
{
    return (uint8_t *)(key_points(key) + key->point_count);
}

static void fill_points(const sgm_volume_step *step, sgm_point *points)
{
    for (size_t i = 0; i < step->own.point_count; i++) {
        points[i].x = step->own.points[i].x;
        points[i].y = step->own.points[i].y;
        points[i].label = step->own.points[i].label;
    }
}

/* `key` is zeroed memory of the key's size. */
static void fill_key(const sgm_volume_step *step, sgm_step_key *key)
{
    key->slice = step->slice;
    key->kind = (int64_t)step->kind;
    key->axis = step->axis;
    key->has_rois = step->has_rois;
    key->rois_are_deep = step->rois_are_deep;
    key->is_outer = step->is_outer;
    key->label = step->label;
    key->largest = step->largest;
    key->by_mask = step->by_mask;
    key->has_roi = step->own.has_roi;
    if (step->own.has_roi) key->roi = step->own.roi;
    if (step->own.has_roi) key->core = step->own.core;
    key->point_count = (int64_t)step->own.point_count;
    key->foreground_count = (int64_t)step->own.foreground_count;
    for (int i = 0; i < 2; i++) {
        key->from[i] = step->from[i];
        key->start[i] = step->start[i];
    }
    fill_points(step, key_points(key));
    if (!step->initial) return;
    key->has_initial = 1;
    key->initial.voxels = step->initial->voxels;
    key->initial.x = step->initial->x;
    key->initial.y = step->initial->y;
    key->initial.width = step->initial->width;
    key->initial.height = step->initial->height;
    key->initial.size = step->initial->size;
    if (step->initial->size) memcpy(key_runs(key), step->initial->runs, step->initial->size);
}

static uint64_t hash_of(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

void sgm_answers_step(const sgm_answer *answer, sgm_volume_step *step)
{
    sgm_step_key *key = kept_of(answer)->key;
    *step = (sgm_volume_step){.kind = (sgm_step_kind)key->kind,
                              .axis = (int)key->axis,
                              .slice = key->slice,
                              .has_rois = (int)key->has_rois,
                              .rois_are_deep = (int)key->rois_are_deep,
                              .is_outer = (int)key->is_outer,
                              .label = (int)key->label,
                              .largest = key->largest,
                              .by_mask = (int)key->by_mask,
                              .own = {.points = key_points(key),
                                      .point_count = (size_t)key->point_count,
                                      .foreground_count = (size_t)key->foreground_count,
                                      .has_roi = (int)key->has_roi,
                                      .roi = key->roi,
                                      .core = key->core},
                              .from = {key->from[0], key->from[1]},
                              .start = {key->start[0], key->start[1]}};
    if (!key->has_initial) return;
    key->initial.runs = key_runs(key); /* not part of what is compared: see same_key */
    step->initial = &key->initial;
}

static int same_key(const sgm_kept *kept, const sgm_step_key *key, size_t size)
{
    sgm_step_key head = *kept->key;
    if (kept->key_size != size) return 0;
    head.initial.runs = NULL;
    return memcmp(&head, key, sizeof head) == 0 &&
           memcmp(kept->key + 1, key + 1, size - sizeof head) == 0;
}

/* ------------------------------------------------------------------------------------- the list */

static void unlink_use(sgm_answers *answers, sgm_kept *kept)
{
    *(kept->older ? &kept->older->newer : &answers->oldest) = kept->newer;
    *(kept->newer ? &kept->newer->older : &answers->newest) = kept->older;
    kept->older = kept->newer = NULL;
}

static void link_newest(sgm_answers *answers, sgm_kept *kept)
{
    kept->used = ++answers->tick;
    kept->older = answers->newest;
    kept->newer = NULL;
    *(kept->older ? &kept->older->newer : &answers->oldest) = kept;
    answers->newest = kept;
}

static void drop_logits(sgm_answers *answers, sgm_kept *kept)
{
    if (!kept->answer.logits) return;
    free(kept->answer.logits);
    kept->answer.logits = NULL;
    answers->bytes -= answers->logit_count;
}

static void free_kept(sgm_kept *kept)
{
    sgm_packed_mask_clear(&kept->answer.mask);
    free(kept->answer.logits);
    free(kept->answer.likeness);
    free(kept->key);
    free(kept);
}

/* The n-th of the answers that this one was reached from; NULL: none. */
static sgm_kept *parent_of(const sgm_kept *kept, int n)
{
    const sgm_answer *answer = n < 2 ? kept->key->from[n] : kept->key->start[n - 2];
    return answer ? kept_of(answer) : NULL;
}

static void remove_kept(sgm_answers *answers, sgm_kept *kept)
{
    sgm_kept **at = &answers->buckets[kept->hash % answers->bucket_count];
    while (*at != kept)
        at = &(*at)->next_in_bucket;
    *at = kept->next_in_bucket;
    unlink_use(answers, kept);
    drop_logits(answers, kept);
    answers->bytes -= kept->bytes;
    answers->count--;
    free_kept(kept);
}

/* ------------------------------------------------------------------------------------ who needs it
 */

/* One more or one less that needs an answer; the first and the last one concern its parents. */
static void change_need(sgm_answers *answers, sgm_kept *kept, int by, sgm_kept **todo)
{
    int was_needed = kept->needed > 0;
    kept->needed += by;
    if ((kept->needed > 0) == was_needed) return;
    if (was_needed)
        answers->bytes += kept->bytes;
    else
        answers->bytes -= kept->bytes;
    kept->todo = *todo;
    *todo = kept;
}

static void need(sgm_answers *answers, sgm_kept *kept, int by)
{
    sgm_kept *todo = NULL;
    change_need(answers, kept, by, &todo);
    while (todo) { /* chains are long: no recursion */
        const sgm_kept *changed = todo;
        todo = changed->todo;
        for (int n = 0; n < PARENTS; n++)
            if (parent_of(changed, n)) change_need(answers, parent_of(changed, n), by, &todo);
    }
}

static int is_spare(const sgm_kept *kept)
{
    return !kept->holders && !kept->heirs && !kept->pins;
}

/* Removes a spare answer, and those it was reached from that become spare and were not used after
 * it, as long as there are too many bytes. */
static void remove_spare(sgm_answers *answers, sgm_kept *kept, size_t target)
{
    const uint64_t used = kept->used;
    sgm_kept *todo = kept;
    kept->todo = NULL;
    while (todo && answers->bytes > target) {
        sgm_kept *spare = todo;
        todo = spare->todo;
        for (int n = 0; n < PARENTS; n++) {
            sgm_kept *parent = parent_of(spare, n);
            if (!parent || --parent->heirs || !is_spare(parent) || parent->used > used) continue;
            parent->todo = todo;
            todo = parent;
        }
        remove_kept(answers, spare);
    }
}

/* Those unused for longest first: answers that nothing needs, and logits. */
void sgm_answers_trim(sgm_answers *answers)
{
    if (answers->bytes <= answers->limit || answers->bytes < answers->checked_at) return;
    size_t target = answers->limit - answers->limit / 8;
    for (sgm_kept *kept = answers->oldest, *next; kept && answers->bytes > target; kept = next) {
        next = kept->newer;
        if (is_spare(kept))
            remove_spare(answers, kept, target);
        else if (!kept->pins)
            drop_logits(answers, kept);
    }
    answers->checked_at = answers->bytes > target ? answers->bytes + answers->limit / 8 : 0;
}

/* ------------------------------------------------------------------------------------ the table */

void sgm_answers_init(sgm_answers *answers, size_t limit, size_t logit_count)
{
    *answers = (sgm_answers){.limit = limit, .logit_count = logit_count};
}

void sgm_answers_clear(sgm_answers *answers)
{
    for (sgm_kept *kept = answers->oldest, *next; kept; kept = next) {
        next = kept->newer;
        free_kept(kept);
    }
    free(answers->buckets);
    *answers = (sgm_answers){0};
}

static sgm_status grow(sgm_answers *answers)
{
    if (answers->count < answers->bucket_count) return SGM_OK;
    size_t count = answers->bucket_count ? 2 * answers->bucket_count : 256;
    sgm_kept **buckets = calloc(count, sizeof(sgm_kept *));
    if (!buckets) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for answers");
    for (sgm_kept *kept = answers->oldest; kept; kept = kept->newer) {
        kept->next_in_bucket = buckets[kept->hash % count];
        buckets[kept->hash % count] = kept;
    }
    free(answers->buckets);
    answers->buckets = buckets;
    answers->bucket_count = count;
    return SGM_OK;
}

const sgm_answer *sgm_answers_find(sgm_answers *answers, const sgm_volume_step *step)
{
    size_t size = key_size_of(step);
    if (!answers->count) return NULL;
    sgm_step_key *key = calloc(1, size);
    if (!key) return NULL; /* then it is computed again */
    fill_key(step, key);
    uint64_t hash = hash_of(key, size);
    sgm_kept *kept = answers->buckets[hash % answers->bucket_count];
    while (kept && (kept->hash != hash || !same_key(kept, key, size)))
        kept = kept->next_in_bucket;
    free(key);
    if (!kept) return NULL;
    unlink_use(answers, kept);
    link_newest(answers, kept);
    return sgm_answers_hold(answers, &kept->answer);
}

static void keep(sgm_answers *answers, sgm_kept *kept, const sgm_volume_step *step)
{
    fill_key(step, kept->key);
    kept->hash = hash_of(kept->key, kept->key_size);
    kept->bytes = sizeof *kept + kept->key_size + kept->answer.mask.size;
    for (int n = 0; n < PARENTS; n++)
        if (parent_of(kept, n)) parent_of(kept, n)->heirs++;
    sgm_kept **bucket = &answers->buckets[kept->hash % answers->bucket_count];
    kept->next_in_bucket = *bucket;
    *bucket = kept;
    link_newest(answers, kept);
    answers->bytes += kept->bytes + (kept->answer.logits ? answers->logit_count : 0);
    answers->count++;
}

sgm_status sgm_answers_add(sgm_answers *answers, const sgm_volume_step *step, sgm_answer *answer,
                           const sgm_answer **out)
{
    sgm_status status = grow(answers);
    sgm_kept *kept = status == SGM_OK ? calloc(1, sizeof *kept) : NULL;
    if (kept) {
        kept->key_size = key_size_of(step);
        kept->key = calloc(1, kept->key_size);
    }
    if (!kept || !kept->key) {
        free(kept);
        sgm_packed_mask_clear(&answer->mask);
        free(answer->logits);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for answers");
    }
    kept->answer = *answer;
    *answer = (sgm_answer){0};
    keep(answers, kept, step);
    *out = sgm_answers_hold(answers, &kept->answer);
    return SGM_OK;
}

const sgm_answer *sgm_answers_hold(sgm_answers *answers, const sgm_answer *answer)
{
    kept_of(answer)->holders++;
    need(answers, kept_of(answer), 1);
    return answer;
}

void sgm_answers_release(sgm_answers *answers, const sgm_answer *answer)
{
    if (!answer) return;
    kept_of(answer)->holders--;
    need(answers, kept_of(answer), -1);
    answers->checked_at = 0;
}

void sgm_answers_set_logits(sgm_answers *answers, const sgm_answer *answer, int8_t *logits)
{
    sgm_kept *kept = kept_of(answer);
    drop_logits(answers, kept);
    kept->answer.logits = logits;
    answers->bytes += answers->logit_count;
}

void sgm_answers_set_likeness(sgm_answers *answers, const sgm_answer *answer, float *weights,
                              size_t size)
{
    sgm_kept *kept = kept_of(answer);
    free(kept->answer.likeness);
    kept->answer.likeness = weights;
    kept->bytes += size;
    if (!kept->needed) answers->bytes += size;
}

void sgm_answers_pin(const sgm_answer *answer, int by)
{
    kept_of(answer)->pins += by;
}
