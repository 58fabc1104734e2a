#include "models/protocol.h"

#include "models/registry.h"

#include <string.h>

const sgm_protocol sgm_protocol_sam = {.name = "sam",
                                       .resampling = SGM_RESAMPLING_PILLOW,
                                       .levels = SGM_LEVELS_IMAGENET,
                                       .answer = SGM_ANSWER_SAM,
                                       .walk = {.logits = true, .box = true, .points = 3}};

static const sgm_walk as_sam = {.logits = true, .box = true, .points = 3};
const sgm_protocol sgm_protocol_sam_crops = {.name = "sam",
                                             .resampling = SGM_RESAMPLING_PILLOW,
                                             .levels = SGM_LEVELS_IMAGENET,
                                             .answer = SGM_ANSWER_SAM,
                                             .walk = {.logits = true},
                                             .walk_in_box = &as_sam,
                                             .crops = true};

/* Boxes are all that MedSAM and LiteMedSAM were trained with. */
const sgm_protocol sgm_protocol_medsam = {.name = "medsam",
                                          .stretch = true,
                                          .resampling = SGM_RESAMPLING_CUBIC,
                                          .levels = SGM_LEVELS_RANGE,
                                          .probabilities = true,
                                          .answer = SGM_ANSWER_FIRST,
                                          .walk = {.box = true},
                                          .trained = "image_encoder.*,mask_decoder.*"};

const sgm_protocol sgm_protocol_lite_medsam = {.name = "lite_medsam",
                                               .resampling = SGM_RESAMPLING_AREA,
                                               .levels = SGM_LEVELS_RANGE,
                                               .whole_corners = true,
                                               .answer = SGM_ANSWER_FIRST,
                                               .walk = {.box = true}};

/* SAMUS and SAMIHS were trained with one point per object. */
const sgm_protocol sgm_protocol_samus = {.name = "samus",
                                         .grey = true,
                                         .stretch = true,
                                         .resampling = SGM_RESAMPLING_PILLOW,
                                         .levels = SGM_LEVELS_UNIT,
                                         .answer = SGM_ANSWER_FIRST,
                                         .walk = {.points = 1}};

const sgm_protocol sgm_protocol_samihs_unclipped = {.name = "samihs_unclipped",
                                                    .grey = true,
                                                    .stretch = true,
                                                    .resampling = SGM_RESAMPLING_FLOATS,
                                                    .levels = SGM_LEVELS_RANGE,
                                                    .answer = SGM_ANSWER_FIRST,
                                                    .walk = {.points = 1}};
const sgm_protocol sgm_protocol_samihs = {.name = "samihs",
                                          .grey = true,
                                          .stretch = true,
                                          .clip = {0.05, 99.5},
                                          .resampling = SGM_RESAMPLING_FLOATS,
                                          .levels = SGM_LEVELS_RANGE,
                                          .answer = SGM_ANSWER_FIRST,
                                          .walk = {.points = 1},
                                          .other = &sgm_protocol_samihs_unclipped};

bool sgm_walk_is_by_mask(const sgm_walk *walk)
{
    return walk->logits && !walk->box && !walk->points;
}

const sgm_protocol *sgm_protocol_find(const char *name)
{
    sgm_model_config config;
    for (int i = 0; sgm_variant_name(i); i++) {
        if (!sgm_variant_config(sgm_variant_name(i), &config)) continue;
        for (const sgm_protocol *p = config.protocol; p; p = p->other)
            if (!strcmp(p->name, name)) return p;
    }
    return NULL;
}

bool sgm_protocol_is_other(const sgm_protocol *a, const sgm_protocol *b)
{
    return (a->other && !strcmp(a->other->name, b->name)) ||
           (b->other && !strcmp(b->other->name, a->name));
}

const sgm_protocol *sgm_protocol_clipping(const sgm_protocol *protocol, bool clips)
{
    sgm_model_config config;
    if ((protocol->clip[1] > 0) == clips) return protocol;
    if (protocol->other)
        return (protocol->other->clip[1] > 0) == clips ? protocol->other : protocol;
    for (int i = 0; sgm_variant_name(i); i++)
        if (sgm_variant_config(sgm_variant_name(i), &config) &&
            config.protocol->other == protocol && (config.protocol->clip[1] > 0) == clips)
            return config.protocol;
    return protocol;
}

static int best_rated(const float *iou, int masks)
{
    int best = 1;
    for (int i = 2; i < masks; i++)
        if (iou[i] > iou[best]) best = i;
    return masks > 1 ? best : 0;
}

int sgm_protocol_answer(const sgm_protocol *protocol, bool one_point, const float *iou, int masks,
                        int class_index)
{
    if (protocol->answer == SGM_ANSWER_CLASS) return class_index < masks ? class_index : 0;
    return protocol->answer == SGM_ANSWER_SAM && one_point ? best_rated(iou, masks) : 0;
}
