#include "segmodel/classes.h"

#include <stdlib.h>
#include <string.h>

#include "predict/session/prompt_tokens.h"
#include "predict/session/session_internal.h"

/* A class's mask into the labels: of two on one pixel the better rated stays. */
static void paint(const sgm_mask *mask, int class_index, float *ratings, uint16_t *labels)
{
    size_t pixels = (size_t)mask->width * (size_t)mask->height;
    ratings[class_index] = mask->predicted_iou;
    for (size_t i = 0; i < pixels; i++)
        if (mask->data[i] && (!labels[i] || mask->predicted_iou > ratings[labels[i]]))
            labels[i] = (uint16_t)class_index;
}

sgm_status sgm_session_predict_labels(sgm_session *session, uint16_t *labels)
{
    int classes = session->config->classes;
    if (!classes) return sgm_prompt_check_class(session->config, 1);
    float *ratings = calloc((size_t)classes + 1, sizeof *ratings);
    if (!ratings) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a map of classes");
    sgm_status status = SGM_OK;
    for (int c = 1; c <= classes && status == SGM_OK; c++) {
        sgm_prompt prompt = {.class_index = c};
        sgm_mask mask;
        status = sgm_session_predict(session, &prompt, NULL, &mask);
        if (status != SGM_OK) break;
        if (c == 1) memset(labels, 0, (size_t)mask.width * (size_t)mask.height * sizeof *labels);
        paint(&mask, c, ratings, labels);
    }
    free(ratings);
    return status;
}
