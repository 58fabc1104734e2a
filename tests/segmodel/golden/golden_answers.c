/* Which mask answers: for families that mean mask 0 (SAMUS, SAMIHS) the public interface gives the
 * official code's mask for a point, a background point and three points. */
#include "golden_model.h"

#include "../check.h"

#include <stdlib.h>

enum { SIDE = 256 /* of the goldens' masks */ };

/* The embedding that golden_encode left, as the public interface takes it. */
static sgm_status give_embedding(const golden_model *m, sgm_session *session)
{
    size_t dim = (size_t)m->config->decoder.dim, grid = (size_t)m->config->grid;
    size_t places = grid * grid;
    float *values = malloc(places * dim * sizeof *values);
    for (size_t c = 0; c < dim; c++)
        for (size_t i = 0; i < places; i++)
            values[c * places + i] = m->embedding[i * dim + c];
    sgm_status status =
        sgm_session_set_embedding(session, values, m->config->image_size, m->config->image_size);
    free(values);
    return status;
}

/* SAMUS's masks have the picture's size, SAMIHS's that of the logits: 256 both. */
static double agreement(const golden_file *file, const sgm_mask *mask)
{
    const sgm_stored_tensor *stored = sgm_checkpoint_find(file->checkpoint, "masks.bits");
    const float *low = mask->low_res + (size_t)mask->chosen * SIDE * SIDE;
    uint8_t bits[SIDE * SIDE / 8];
    size_t same = 0;
    if (!CHECK(stored && stored->count == sizeof bits)) return 0;
    sgm_stored_tensor_read_raw(stored, 0, sizeof bits, bits);
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        bool want = bits[i / 8] >> (7 - i % 8) & 1;
        same += want == (mask->width == SIDE ? mask->data[i] : low[i] > 0);
    }
    return (double)same / (SIDE * SIDE);
}

static void check_answer(const golden_model *m, sgm_session *session, const char *name)
{
    golden_file file = {0};
    char label[64];
    size_t values = 0, count = 0;
    snprintf(label, sizeof label, "prompt_%s", name);
    if (!golden_open(m->folder, label, &file)) return;
    float *xy = golden_floats(&file, "in.points", &values);
    float *kind = golden_floats(&file, "in.labels", &count);
    sgm_point points[8];
    sgm_mask mask;
    sgm_prompt prompt = {.points = points, .point_count = count};
    sgm_predict_options options = {.want_logits = 1};
    if (xy && kind && CHECK(count <= 8 && values == 2 * count)) {
        for (size_t i = 0; i < count; i++)
            points[i] = (sgm_point){xy[2 * i], xy[2 * i + 1], (int)kind[i]};
        if (CHECK_OK(sgm_session_predict(session, &prompt, &options, &mask))) {
            double same = agreement(&file, &mask);
            printf("  %-48s %.5f of the official mask's pixels\n", label, same);
            check_that(same >= 0.999, label, "not the official code's mask", 0);
        }
    }
    free(xy);
    free(kind);
    golden_close(&file);
}

void golden_answers(golden_model *m)
{
    sgm_session *session = NULL;
    if (CHECK_OK(sgm_session_create(m->model, &session)) && CHECK_OK(give_embedding(m, session))) {
        check_answer(m, session, "p1");
        check_answer(m, session, "neg");
        check_answer(m, session, "p3");
    }
    sgm_session_destroy(session);
}
