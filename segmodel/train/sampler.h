/* Draws training samples: which data set, which object, which window, which prompts. */
#ifndef SEGMODEL_TRAIN_SAMPLER_H
#define SEGMODEL_TRAIN_SAMPLER_H

#include "models/config.h"
#include "train/asked.h"
#include "train/given_prompts.h"
#include "train/objects.h"
#include "train/prompt_sim.h"
#include "train/whole.h"

typedef struct sgm_sampler_options {
    uint64_t seed;
    int size;                     /* side of the image, pixels */
    int target_side;              /* side of the target and mask prompts; divides size */
    const sgm_protocol *protocol; /* how the image is normalised */
    double synthetic_share;       /* of samples from synth.h, 0..1; the pack may be absent at 1 */
    double tight_share;  /* of windows a predictor would choose for a box; others are wider */
    double augmentation; /* strength, 0: only the window moves */
    sgm_split split;
    bool held_out; /* take whole sets kept aside instead of leaving them out */
    int limit;     /* only the first so many items with objects; 0: all (overfitting tests) */
    sgm_sim_options sim;

    /* Training as a family's authors do (asked.h). */
    const sgm_model_config *model; /* borrowed; whole pictures and given prompts need it */
    sgm_sample_view window;
    sgm_asked asked;
    sgm_object_kinds kinds;
    sgm_draws draws;
    bool empty;                     /* pictures without an object are drawn too: nothing is to be
                                       found on them (objects of no pixels, label 0) */
    bool class_map;                 /* a target cell is its label value, not 0 or 1 */
    sgm_target_grid grid;           /* of targets, unless asked mixed: there target_side^2 */
    int tokens;                     /* per sample, unless asked mixed */
    double box_limit, box_shift;    /* of the network's pixels; 0: none (asked_sample.c) */
    const sgm_given_prompts *given; /* NULL: prompts are drawn */
    int rounds;                     /* of questions about a sample (rounds.h); 1: no more */
} sgm_sampler_options;

typedef struct sgm_sampler sgm_sampler;

/* Data sets are drawn evenly, thin ones a third as often, then items, then objects by the root of
 * their area. SGM_UNREADABLE when the pack has nothing to draw. The pack must outlive it. */
sgm_status sgm_sampler_create(const sgm_pack *pack, const sgm_sampler_options *options,
                              sgm_sampler **out);
/* The same, but a pack that has nothing to draw is no error: *out is NULL. */
sgm_status sgm_sampler_create_if_any(const sgm_pack *pack, const sgm_sampler_options *options,
                                     sgm_sampler **out);
void sgm_sampler_destroy(sgm_sampler *sampler);
/* Multiplies a data set's weight; 0 leaves it out, of epochs too, which know no other weight. False
 * if the pack has no such set. */
bool sgm_sampler_weight(sgm_sampler *sampler, const char *set, double factor);
/* SGM_INVALID_ARGUMENT when weights leave nothing to draw: every set with objects has 0. */
sgm_status sgm_sampler_check_weights(const sgm_sampler *sampler);
/* Of what may be drawn. */
size_t sgm_sampler_object_count(const sgm_sampler *sampler);
/* Pictures without an object are drawn too (`empty`, and the pack has some). */
bool sgm_sampler_holds_empty(const sgm_sampler *sampler);
/* The largest label value of an object. */
int sgm_sampler_largest_label(const sgm_sampler *sampler);

/* Where sample `slot` of a batch of `count` is written. The rounds of a group (prompt_sim.h) share
 * its arrays: first all samples' earlier round, then the later. */
typedef struct sgm_batch {
    int count;
    uint64_t first; /* index of the first sample */
    float *image;   /* [count, size, size, 3], normalised */
    float *target;  /* [count, side, side]: share of the pixel that is object */
    float *coords[SGM_GROUPS];
    int32_t *labels[SGM_GROUPS]; /* [rounds count, tokens] */
    float *masks[SGM_GROUPS];    /* [rounds count, side, side] */
    float *weight; /* [count] of all rounds but the neighbour's: 0 where the object has ended */
    int *paired;   /* [count] 1: the neighbour's mask is that of a real slice, which sample
                    * slot ^ 1 shows in the same window */
    int *item;     /* [count] in the pack, -1 synthetic: to name a sample in messages */
    int *label;    /* [count] label value of the object, 0: of several */
    int32_t *class_index; /* [count] label - 1, for the network */
    float *class_at;      /* [count] the same as numbers, for a loss */
    void *memory;
} sgm_batch;

sgm_status sgm_batch_create(const sgm_sampler_options *options, int count, sgm_batch *batch);
void sgm_batch_clear(sgm_batch *batch);

/* Working memory of one thread. */
typedef struct sgm_sampler_scratch {
    float *floats;
    uint8_t *bytes;
    int32_t *ints;
} sgm_sampler_scratch;

sgm_status sgm_sampler_scratch_create(const sgm_sampler_options *options,
                                      sgm_sampler_scratch *scratch);
void sgm_sampler_scratch_clear(sgm_sampler_scratch *scratch);

/* A sample of one object that is known: of item `item`, with label value `label` (objects = class
 * of whole pictures). `index` chooses look and prompt. SGM_INVALID_ARGUMENT: no such object. */
sgm_status sgm_sampler_draw_object(const sgm_sampler *sampler, int item, int label, uint64_t index,
                                   int slot, const sgm_sampler_scratch *scratch, sgm_batch *batch);

/* Makes sample `index`: the same whatever thread, order or batch. With walks, samples 2 m and
 * 2 m + 1 are two neighbouring slices of one object in the same window wherever the pack has them:
 * each can be asked with what the network answered to the other (interact.h). */
sgm_status sgm_sampler_draw(const sgm_sampler *sampler, uint64_t index, int slot,
                            const sgm_sampler_scratch *scratch, sgm_batch *batch);

#endif
