#include "predict/session/prompt_tokens.h"

#include <math.h>

static bool outside(double x, int size)
{
    return !(x >= -1 && x <= size);
}

static sgm_status check_place(const sgm_frame *frame, const char *what, size_t index, double x,
                              double y)
{
    sgm_size size = frame->original;
    if (isnan(x) || isnan(y))
        return sgm_fail(SGM_BAD_PROMPT, "%s %zu is not a number", what, index + 1);
    if (outside(x, size.width) || outside(y, size.height))
        return sgm_fail(SGM_BAD_PROMPT, "%s %zu at (%g, %g) is outside the image of %d x %d pixels",
                        what, index + 1, x, y, size.width, size.height);
    return SGM_OK;
}

static sgm_status check_points(const sgm_frame *frame, const sgm_prompt *prompt)
{
    if (prompt->point_count > SGM_MAX_POINTS)
        return sgm_fail(SGM_BAD_PROMPT, "%zu points for one object; at most %d can be used",
                        prompt->point_count, SGM_MAX_POINTS);
    if (prompt->point_count && !prompt->points)
        return sgm_fail(SGM_INVALID_ARGUMENT, "the prompt counts points but has none");
    for (size_t i = 0; i < prompt->point_count; i++) {
        const sgm_point *p = &prompt->points[i];
        SGM_TRY(check_place(frame, "point", i, p->x, p->y));
        if (p->label != SGM_FOREGROUND && p->label != SGM_BACKGROUND)
            return sgm_fail(SGM_BAD_PROMPT, "point %zu has label %d; 1 is foreground, 0 background",
                            i + 1, p->label);
    }
    return SGM_OK;
}

static sgm_status check_box(const sgm_frame *frame, const sgm_box *box)
{
    if (!box) return SGM_OK;
    SGM_TRY(check_place(frame, "box corner", 0, box->x0, box->y0));
    SGM_TRY(check_place(frame, "box corner", 1, box->x1, box->y1));
    if (box->x1 <= box->x0 || box->y1 <= box->y0)
        return sgm_fail(SGM_BAD_PROMPT, "the box (%g, %g) to (%g, %g) is empty", box->x0, box->y0,
                        box->x1, box->y1);
    return SGM_OK;
}

static sgm_status check_mask(const sgm_model_config *config, const float *mask)
{
    size_t side = 4 * (size_t)config->grid;
    for (size_t i = 0; mask && i < side * side; i++)
        if (!isfinite(mask[i]))
            return sgm_fail(SGM_BAD_PROMPT,
                            "the mask prompt is not a number at row %zu, column %zu", i / side,
                            i % side);
    return SGM_OK;
}

sgm_status sgm_prompt_check_class(const sgm_model_config *config, int class_index)
{
    if (!config->classes && class_index)
        return sgm_fail(SGM_BAD_PROMPT, "%s is prompted by points and boxes, not by a class",
                        config->variant);
    if (config->classes && !class_index)
        return sgm_fail(SGM_BAD_PROMPT, "%s is prompted by a class, 1 to %d; none is given",
                        config->variant, config->classes);
    if (class_index >= 0 && class_index <= config->classes) return SGM_OK;
    return sgm_fail(SGM_BAD_PROMPT, "there is no class %d in %s; its classes are 1 to %d",
                    class_index, config->variant, config->classes);
}

sgm_status sgm_prompt_check(const sgm_model_config *config, const sgm_frame *frame,
                            const sgm_prompt *prompt)
{
    SGM_TRY(sgm_prompt_check_class(config, prompt->class_index));
    if (!sgm_config_listens(config)) return SGM_OK;
    if (!prompt->point_count && !prompt->box && !prompt->mask)
        return sgm_fail(SGM_BAD_PROMPT, "there is no prompt: neither a point, a box nor a mask");
    SGM_TRY(check_points(frame, prompt));
    SGM_TRY(check_box(frame, prompt->box));
    return check_mask(config, prompt->mask);
}

/* Padding tokens behind the rest. */
static int padding_of(const sgm_prompt *prompt)
{
    if (!prompt->box) return prompt->point_count ? 1 : 0;
    if (!prompt->loose_box) return 0;
    return prompt->point_count ? 1 : 2;
}

int sgm_prompt_token_count(const sgm_prompt *prompt)
{
    return (int)prompt->point_count + (prompt->box ? 2 : 0) + padding_of(prompt);
}

void sgm_token_place(int image_size, double x, double y, float coordinates[2])
{
    coordinates[0] = (float)(2 * ((x + 0.5) / image_size) - 1);
    coordinates[1] = (float)(2 * ((y + 0.5) / image_size) - 1);
}

/* Where a protocol cuts a box's corners to whole pixels it also scales both axes alike. */
static void place_corner(const sgm_model_config *config, const sgm_frame *frame, double x, double y,
                         float coordinates[2])
{
    double along_x = (double)frame->resized.width / frame->original.width;
    double along_y = (double)frame->resized.height / frame->original.height;
    if (config->protocol->whole_corners) {
        int longest = frame->original.width > frame->original.height ? frame->original.width
                                                                     : frame->original.height;
        double ratio = (double)config->image_size / longest;
        sgm_token_place(config->image_size, trunc(x * ratio), trunc(y * ratio), coordinates);
        return;
    }
    sgm_token_place(config->image_size, x * along_x, y * along_y, coordinates);
}

void sgm_prompt_tokens(const sgm_model_config *config, const sgm_frame *frame,
                       const sgm_prompt *prompt, float *coordinates, int32_t *labels)
{
    double along_x = (double)frame->resized.width / frame->original.width;
    double along_y = (double)frame->resized.height / frame->original.height;
    size_t n = 0;
    for (; n < prompt->point_count; n++) {
        const sgm_point *p = &prompt->points[n];
        sgm_token_place(config->image_size, p->x * along_x, p->y * along_y, coordinates + 2 * n);
        labels[n] = p->label == SGM_FOREGROUND ? SGM_TOKEN_FOREGROUND : SGM_TOKEN_BACKGROUND;
    }
    if (prompt->box) {
        place_corner(config, frame, prompt->box->x0, prompt->box->y0, coordinates + 2 * n);
        labels[n++] = SGM_TOKEN_BOX_FIRST;
        place_corner(config, frame, prompt->box->x1, prompt->box->y1, coordinates + 2 * n);
        labels[n++] = SGM_TOKEN_BOX_SECOND;
    }
    for (int i = padding_of(prompt); i > 0; i--, n++) {
        coordinates[2 * n] = coordinates[2 * n + 1] = 0;
        labels[n] = SGM_TOKEN_PADDING;
    }
}
