/* The settings of a training run: `key = value` lines (core/settings.h). Strict: an unknown
 * key, a key given twice, a value out of range is an error that names file and line. The meaning of
 * every key: resources/train/README.md. */
#ifndef SEGMODEL_TRAIN_TRAIN_CONFIG_H
#define SEGMODEL_TRAIN_TRAIN_CONFIG_H

#include "core/names.h"
#include "models/config.h"
#include "train/optim.h"
#include "train/sampler.h"

enum { SGM_CONFIG_TEXT = 1024, SGM_CONFIG_WEIGHTS = 64, SGM_CLIP_AS_NETWORK = -1 };

typedef enum sgm_train_loss {
    SGM_TRAIN_LOSS_SAM,   /* focal + dice + IoU; best of several masks for one point */
    SGM_TRAIN_LOSS_SAMUS, /* the others train mask 0 for every prompt */
    SGM_TRAIN_LOSS_SAMIHS,
    SGM_TRAIN_LOSS_MEDSAM,
    SGM_TRAIN_LOSS_BALANCED, /* as SAM, with 10 focal of alpha 0.5: masks are not under-filled */
    SGM_TRAIN_LOSS_SAMIHS_PAPER, /* its boundary-sensitive part as the paper writes it */
    SGM_TRAIN_LOSS_MSA,          /* BCE, foreground doubled */
    SGM_TRAIN_LOSS_SAMED,        /* of class maps: 0.2 cross entropy + 0.8 Dice */
    SGM_TRAIN_LOSS_AUTOSAM,      /* BCE + Tversky of the mask between its extremes */
    SGM_TRAIN_LOSS_SURGICALSAM   /* Dice + prototype contrast */
} sgm_train_loss;

/* What batch norms take mean and deviation from while training. */
typedef enum sgm_norms {
    SGM_NORMS_GATHERED, /* what the file has gathered, which stays */
    SGM_NORMS_BATCH     /* the batch, gathering on */
} sgm_norms;

typedef struct sgm_train_config {
    char path[256];                     /* of the file, for messages */
    char architecture[SGM_CONFIG_TEXT]; /* models/config.h's text or a variant's name */
    char init[SGM_CONFIG_TEXT];         /* checkpoint for a warm start; "" from scratch */
    char base[SGM_CONFIG_TEXT];         /* what `init` lies on when it holds additions alone */
    char variant[32];                   /* name written into the checkpoint */
    char without[SGM_CONFIG_TEXT];      /* parts of the network that are left out */
    sgm_model_config model;             /* parsed from architecture, or from init */

    uint64_t seed;
    int64_t steps;  /* updates */
    double minutes; /* stops (with a finished schedule) after this time; 0: no limit */
    int batch, accumulate;
    bool accumulate_sum; /* gradients of the passes of an update are summed, not averaged */
    int loader_threads;
    bool bf16;

    sgm_optim_options optim;
    sgm_schedule schedule;
    double clip, ema;
    double layer_decay;           /* of the learning rate from block to block: sgm_layer_rate */
    double drop_path;             /* chance that a branch of the encoder's last block is left out */
    char freeze[SGM_CONFIG_TEXT]; /* comma-separated patterns with '*' */
    char train_only[SGM_CONFIG_TEXT]; /* likewise, or "family"; "": everything not frozen */
    sgm_norms norms;
    char classes[SGM_CONFIG_TEXT]; /* names of the network's classes, separated by commas; "": those
                                      of `init`, if it has any */
    int bank;                      /* records of the image bank that join a batch; 0: none */

    sgm_train_loss loss;
    char target[32];                /* grid the loss is taken on: "low", "picture" or "WxH" */
    char given[SGM_CONFIG_TEXT];    /* file of prompts (given_prompts.h); "": drawn */
    char features[SGM_CONFIG_TEXT]; /* file of the encoder's output; "": computed every time */
    int clip_levels;                /* 1: clip grey levels where the protocol does or its other form
                                       (protocol.h), 0: do not; SGM_CLIP_AS_NETWORK */
    sgm_sampler_options sampler;    /* size and target_side are derived from the model */
    struct {
        char set[SGM_PACK_TEXT];
        double factor;
    } weights[SGM_CONFIG_WEIGHTS];
    int weight_count;

    double point_weight;   /* of a lone point's round in the loss; the others' is 1 */
    double mask_threshold; /* of the model it makes, in logits: predict/session/postprocess.h; NaN:
                              that of the file it begins from, or 0 */
    double interaction;    /* share of steps whose corrections answer the network's own masks */
    int64_t report_every;
    int64_t validate_every, save_every; /* updates; 0: only at the end */
    int validate_objects;               /* per validation, at most: trainer_report.c */
    int patience;                       /* validations without progress; 0: never stop early */
} sgm_train_config;

/* Reads and checks. SGM_UNREADABLE names file and line. */
sgm_status sgm_train_config_read(const char *path, sgm_train_config *config);
/* The same from text; `path` stands in messages. */
sgm_status sgm_train_config_parse(const char *text, const char *path, sgm_train_config *config);

/* The value of a key as settings have it. False: no such key, or it does not fit. */
bool sgm_train_config_value(const sgm_train_config *config, const char *key, char *text,
                            size_t size);

#endif
