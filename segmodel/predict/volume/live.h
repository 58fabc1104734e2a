/* The live volume on any predictor. */
#ifndef SEGMODEL_PREDICT_VOLUME_LIVE_H
#define SEGMODEL_PREDICT_VOLUME_LIVE_H

#include "predict/look/session_predictor.h"
#include "predict/volume/solid.h"

/* An object that was asked for. */
typedef struct sgm_live_object {
    int64_t id;
    sgm_initial initial;
    sgm_solid solid; /* of its last prediction; slices NULL: none yet */
} sgm_live_object;

struct sgm_live_volume {
    sgm_session_predictor binding; /* session NULL: the predictor is borrowed */
    sgm_desk desk;
    sgm_axis wish; /* as it was asked for */
    sgm_axis axis; /* of the questions to come: the wish, or what was chosen for several objects */
    sgm_window window;
    double manual_window[2];
    int is_settled;    /* window and hounsfield are known */
    const char *doubt; /* a warning about them that no prediction has given yet; or NULL */
    double low, high;
    sgm_stack stacks[3]; /* by axis; those that were needed */
    sgm_live_object *objects;
    size_t object_count, object_room;
    uint8_t *slice; /* mask of the last preview */
    int is_ready;   /* sgm_live_volume_make_ready */
};

/* `zoom` non-zero: look at crops around the prompts. `predictor` is borrowed. */
sgm_status sgm_live_volume_make(const sgm_predictor *predictor, int zoom, const sgm_volume *volume,
                                const sgm_volume_options *options, sgm_live_volume **out);

/* The axis that these objects' prompts choose, its stack, and the window: what every question needs
 * first. The prompts have been checked. */
sgm_status sgm_live_volume_stack(sgm_live_volume *live, const sgm_object *objects, size_t count,
                                 sgm_stack **out);

/* The object of this number, an empty one if it was never asked for; valid until the next call. */
sgm_status sgm_live_volume_object(sgm_live_volume *live, int64_t id, sgm_live_object **out);

/* Warns the thread's call of what the volume does not say, once the stack is known: every
 * prediction does, until one has succeeded. A preview's or an interrupted call's caller may not
 * listen. */
void sgm_live_volume_warn(const sgm_live_volume *live);

/* What clicks on masks will need, once, while there is time: the network makes ready for as many
 * points as a slice usually gets. Without it the first click of each number waits. */
void sgm_live_volume_make_ready(sgm_live_volume *live);

/* SGM_INVALID_ARGUMENT for options that cannot be. */
sgm_status sgm_volume_options_read(const sgm_volume_options *given, sgm_volume_options *options);

#endif
