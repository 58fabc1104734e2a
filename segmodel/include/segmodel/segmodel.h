/* segmodel: promptable segmentation (the Segment-Anything family) in C.
 *
 * In ten lines, from an image to a mask:
 *
 *     sgm_context *context;  sgm_model *model;  sgm_session *session;
 *     sgm_context_create(NULL, &context);
 *     sgm_model_load(context, "sam_vit_b.pth", NULL, &model);
 *     sgm_session_create(model, &session);
 *     sgm_session_set_image(session, &image);              // runs the encoder once
 *     sgm_point point = {320, 240, SGM_FOREGROUND};
 *     sgm_prompt prompt = {.points = &point, .point_count = 1};
 *     sgm_mask mask;
 *     sgm_session_predict(session, &prompt, NULL, &mask);  // runs the decoder, as often as you like
 *     ... mask.data[y * mask.width + x] is 0 or 1 ...
 *
 * Three handles. A context holds a device, its threads and the callbacks; a model holds immutable
 * weights and may be shared by threads; a session holds one image's embedding and belongs to one
 * thread at a time. Handles keep what they were made from alive: destroy them in any order.
 * `destroy(NULL)` does nothing.
 *
 * Errors. Every function that can fail returns a status; 0 is success. sgm_last_message() then
 * explains what was wanted and what was found. The library never prints, exits or aborts.
 *
 * Coordinates. x runs along a row, y down the columns, in pixels of the image as given; the centre
 * of the top-left pixel is (0, 0), the convention of the official SAM code for prompts.
 *
 * Ownership. Inputs are borrowed for the call and never kept. */
#ifndef SEGMODEL_SEGMODEL_H
#define SEGMODEL_SEGMODEL_H

#include <stddef.h>
#include <stdint.h>

#if defined(SEGMODEL_STATIC) || !defined(__GNUC__)
#define SGM_API
#else
#define SGM_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------ version */

#define SGM_VERSION_MAJOR 0
#define SGM_VERSION_MINOR 1
#define SGM_VERSION_PATCH 0

/* "0.1.0"; static storage. */
SGM_API const char *sgm_version(void);

/* ------------------------------------------------------------------------------------- status */

typedef enum sgm_status {
    SGM_OK = 0,
    SGM_INVALID_ARGUMENT = 1, /* the caller's mistake: NULL, a size that cannot be, order of calls */
    SGM_UNREADABLE = 2,       /* an image or volume that cannot be read or is not supported */
    SGM_BAD_PROMPT = 3,       /* a prompt outside the image, not a number, or none at all */
    SGM_BAD_MODEL = 4,        /* a checkpoint that is damaged, incomplete or of an unknown kind */
    SGM_OUT_OF_MEMORY = 5,    /* memory or the context's memory limit */
    SGM_DEVICE = 6,           /* no such device, or it failed */
    SGM_UNWRITABLE = 7,       /* an output that cannot be written */
    SGM_CANCELLED = 8,        /* the cancel callback said so */
    SGM_INTERNAL = 9          /* a defect of this library */
} sgm_status;

/* The calling thread's message of its last failing call; valid until its next one. */
SGM_API const char *sgm_last_message(void);

/* A short English name for logs; static storage. */
SGM_API const char *sgm_status_name(sgm_status status);

#ifdef __cplusplus
}
#endif

#endif
