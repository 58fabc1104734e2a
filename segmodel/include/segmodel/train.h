/* Training: from a settings file and a pack of labelled images to a checkpoint that the rest of the
 * library loads. See resources/train/README.md for the settings and for making packs. */
#ifndef SEGMODEL_TRAIN_H
#define SEGMODEL_TRAIN_H

#include "segmodel/segmodel.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sgm_train_report {
    int64_t step, steps;       /* updates done and wanted */
    double seconds;            /* spent training, over all resumed parts */
    double seconds_left;       /* as far as can be told */
    double loss;               /* mean since the last report */
    double rate;               /* learning rate of the last update */
    double samples_per_second; /* since the last report */
    const char *event;         /* a sentence worth a line of its own (a validation, a saved file),
                                  or NULL for a plain report */
} sgm_train_report;

typedef void (*sgm_train_report_fn)(void *user, const sgm_train_report *report);

/* Zero-initialise, then set what matters. */
typedef struct sgm_train_options {
    const char *config; /* settings file */
    const char *data;   /* pack; NULL only if the settings ask for synthetic images alone */
    const char *out;    /* folder for state.safetensors, best.safetensors, last.safetensors, log.csv
                           and curves.png; made if missing */
    int resume;         /* go on with the state in `out`, or begin where none of these files is;
                           without it one of them there is an error, and so it is with it where the
                           state is the one that is missing */
    sgm_train_report_fn report;
    void *report_user;
} sgm_train_options;

typedef struct sgm_train_result {
    int64_t step;
    double seconds;
    double best_score; /* mean of one-point and box Dice on the validation split; -1: nothing was
                          validated, and there is no best.safetensors */
    int64_t best_step;
    int stopped_early; /* no progress for `patience` validations */
} sgm_train_result;

/* Runs until the settings say stop, the context's cancel callback says so (SGM_CANCELLED: the state
 * is saved first), or something fails. `result` may be NULL.
 *
 * SGM_UNREADABLE: settings or pack. SGM_BAD_MODEL: a warm start or a state that does not fit.
 * SGM_UNWRITABLE: an output (the last complete files stay). SGM_INTERNAL: the loss is no longer a
 * number; the message names the step and its images, the last saved state stays. */
SGM_API sgm_status sgm_train(sgm_context *context, const sgm_train_options *options,
                             sgm_train_result *result);

#ifdef __cplusplus
}
#endif

#endif
