#include "tool.h"
#include "tool_image.h"
#include "tool_options.h"
#include "tool_outputs.h"

#include "checkpoint/npy.h"
#include "core/files.h"
#include "predict/look/picture.h"
#include "predict/session/model.h"
#include "predict/session/prompt_tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct request {
    const char *model, *base, *variant, *image, *mask, *dump;
    const char *class_name; /* or number */
    sgm_context_options context;
    bool multimask;
    const char *zoom;
    sgm_point *points;
    size_t point_count;
    sgm_box box;
    bool has_box;
} request;

static sgm_status add_point(void *user, const char *text)
{
    request *r = user;
    double v[3];
    if (!parse_list(text, 3, v) || (v[2] != SGM_FOREGROUND && v[2] != SGM_BACKGROUND))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "--point is x,y,1 (foreground) or x,y,0 (background), not '%s'", text);
    sgm_point *grown = realloc(r->points, (r->point_count + 1) * sizeof *grown);
    if (!grown) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the points");
    r->points = grown;
    r->points[r->point_count++] = (sgm_point){v[0], v[1], (int)v[2]};
    return SGM_OK;
}

static sgm_status set_box(void *user, const char *text)
{
    request *r = user;
    double v[4];
    if (!parse_list(text, 4, v))
        return sgm_fail(SGM_INVALID_ARGUMENT, "--box is x0,y0,x1,y1, not '%s'", text);
    if (r->has_box) return sgm_fail(SGM_INVALID_ARGUMENT, "only one --box describes an object");
    r->box = (sgm_box){v[0], v[1], v[2], v[3]};
    r->has_box = true;
    return SGM_OK;
}

/* Low-res logits: floats of low_res_shape, with any number of leading 1s. */
static sgm_status read_mask(const char *path, const sgm_model_info *info, float **mask)
{
    sgm_npy npy;
    char shape[96];
    SGM_TRY(sgm_npy_open(path, &npy));
    const sgm_stored_tensor *a = &npy.array;
    bool fits = a->rank >= 2 && sgm_stored_type_is_float(a->type) &&
                a->shape[a->rank - 2] == info->low_res_shape[0] &&
                a->shape[a->rank - 1] == info->low_res_shape[1] &&
                a->count == (size_t)info->low_res_shape[0] * (size_t)info->low_res_shape[1];
    sgm_status status = SGM_OK;
    if (!fits)
        status = sgm_fail(SGM_BAD_PROMPT,
                          "%s: the mask prompt should be floats of shape (%d, %d), "
                          "it is %s %s",
                          path, info->low_res_shape[0], info->low_res_shape[1],
                          sgm_stored_type_name(a->type), sgm_stored_tensor_shape_text(a, shape));
    if (fits && !(*mask = malloc(a->count * sizeof **mask)))
        status = sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the mask prompt");
    if (status == SGM_OK) sgm_stored_tensor_read_f32(a, *mask);
    sgm_npy_close(&npy);
    return status;
}

/* The folder of --dump, before the picture is encoded; none of the files it is to get (up to NULL)
 * is one that is read. */
static sgm_status open_dump(const request *r, const char *const *names)
{
    const char *inputs[] = {r->model, r->base, r->image, r->mask};
    if (!r->dump) return SGM_OK;
    return open_outputs(r->dump, names, inputs, sizeof inputs / sizeof *inputs);
}

static sgm_status write_npy(const request *r, const char *name, sgm_stored_type type, int rank,
                            const int64_t *shape, const void *data)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", r->dump, name);
    return sgm_npy_write(path, type, rank, shape, data);
}

static sgm_status write_embedding(const request *r, sgm_session *session,
                                  const sgm_model_info *info)
{
    const int *e = info->embedding_shape;
    int64_t shape[4] = {1, e[0], e[1], e[2]};
    float *values = malloc(info->embedding_count * sizeof *values);
    if (!values) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the embedding");
    sgm_status status = sgm_session_get_embedding(session, values);
    if (status == SGM_OK) status = write_npy(r, "embedding.npy", SGM_STORED_F32, 4, shape, values);
    free(values);
    return status;
}

static sgm_status dump(const request *r, sgm_session *session, const sgm_model_info *info,
                       const sgm_mask *mask)
{
    char png[4096];
    int64_t low[4] = {1, mask->mask_tokens, mask->low_res_shape[0], mask->low_res_shape[1]};
    int64_t iou[2] = {1, mask->mask_tokens}, size[2] = {mask->height, mask->width};
    SGM_TRY(write_embedding(r, session, info));
    SGM_TRY(write_npy(r, "low_res_logits.npy", SGM_STORED_F32, 4, low, mask->low_res));
    SGM_TRY(write_npy(r, "iou.npy", SGM_STORED_F32, 2, iou, mask->iou));
    SGM_TRY(write_npy(r, "mask.npy", SGM_STORED_U8, 2, size, mask->data));
    if (!image_file_has_png()) return SGM_OK;
    snprintf(png, sizeof png, "%s/mask.png", r->dump);
    return image_file_write_mask(png, mask->data, mask->width, mask->height);
}

static void print_result(const sgm_model_info *info, const sgm_context *context,
                         const sgm_mask *mask)
{
    size_t pixels = 0;
    for (size_t i = 0; i < (size_t)mask->width * (size_t)mask->height; i++)
        pixels += mask->data[i];
    printf("%s on %s: mask %d of %d, predicted IoU %.4f, %zu pixels of %d x %d\n", info->variant,
           sgm_context_device(context), mask->chosen, mask->mask_tokens, mask->predicted_iou,
           pixels, mask->width, mask->height);
}

static sgm_status zoom_mode(const char *text, sgm_zoom_mode *mode)
{
    static const char *const names[] = {[SGM_ZOOM_AUTO] = "auto", "off", "on"};
    for (int i = SGM_ZOOM_AUTO; i <= SGM_ZOOM_ON; i++) {
        *mode = (sgm_zoom_mode)i;
        if (!text || !strcmp(text, names[i])) return SGM_OK;
    }
    return sgm_fail(SGM_INVALID_ARGUMENT, "--zoom is auto, on or off, not '%s'", text);
}

/* What a crop gives: embedding and logits of the whole picture are not computed. */
static sgm_status dump_mask(const request *r, const sgm_mask *mask)
{
    char png[4096];
    int64_t size[2] = {mask->height, mask->width};
    SGM_TRY(write_npy(r, "mask.npy", SGM_STORED_U8, 2, size, mask->data));
    printf("--dump wrote the mask only: the model looks at crops; --zoom off shows it the whole "
           "picture and writes its embedding and logits\n");
    if (!image_file_has_png()) return SGM_OK;
    snprintf(png, sizeof png, "%s/mask.png", r->dump);
    return image_file_write_mask(png, mask->data, mask->width, mask->height);
}

static sgm_status predict_zoomed(const request *r, const sgm_context *context, sgm_model *model,
                                 const sgm_image *image, const sgm_prompt *prompt,
                                 const sgm_predict_options *options)
{
    sgm_model_info info;
    sgm_picture *picture;
    sgm_mask mask;
    const sgm_picture_options how = {.size = sizeof how, .zoom = SGM_ZOOM_ON};
    static const char *const names[] = {"mask.npy", "mask.png", NULL};
    SGM_TRY(open_dump(r, names));
    sgm_model_get_info(model, &info);
    SGM_TRY(sgm_picture_create(model, &how, &picture));
    sgm_status status = sgm_picture_set_image(picture, image);
    if (status == SGM_OK) status = sgm_picture_predict(picture, prompt, options, NULL, &mask);
    if (status == SGM_OK && r->dump) status = dump_mask(r, &mask);
    if (status == SGM_OK) print_result(&info, context, &mask);
    sgm_picture_destroy(picture);
    return status;
}

/* A wrong prompt is found before the encoder has run for nothing. What PromptSeg refuses is refused
 * where the network sees the whole picture, too. */
static sgm_status check_prompt(const sgm_model *model, const sgm_image *image,
                               const sgm_prompt *prompt)
{
    sgm_frame frame;
    const sgm_model_config *config = sgm_model_get_config(model);
    SGM_TRY(sgm_frame_make(config, image->width, image->height, &frame));
    SGM_TRY(sgm_prompt_check(config, &frame, prompt));
    return sgm_picture_check(image, prompt);
}

static sgm_status predict_whole(const request *r, const sgm_context *context, sgm_model *model,
                                const sgm_image *image, const sgm_prompt *prompt,
                                const sgm_predict_options *options)
{
    sgm_model_info info;
    sgm_session *session;
    sgm_mask mask;
    static const char *const names[] = {"embedding.npy", "low_res_logits.npy", "iou.npy",
                                        "mask.npy",      "mask.png",           NULL};
    SGM_TRY(open_dump(r, names));
    sgm_model_get_info(model, &info);
    SGM_TRY(sgm_session_create(model, &session));
    sgm_status status = sgm_session_set_image(session, image);
    if (status == SGM_OK) status = sgm_session_predict(session, prompt, options, &mask);
    if (status == SGM_OK && r->dump) status = dump(r, session, &info, &mask);
    if (status == SGM_OK) print_result(&info, context, &mask);
    sgm_session_destroy(session);
    return status;
}

/* labels.npy, and how much there is of every class. */
static sgm_status show_labels(const request *r, const sgm_model_info *info, const sgm_image *image,
                              const uint16_t *labels)
{
    size_t pixels = (size_t)image->width * (size_t)image->height;
    int64_t size[2] = {image->height, image->width};
    for (int c = 1; c <= info->classes; c++) {
        size_t count = 0;
        for (size_t i = 0; i < pixels; i++)
            count += labels[i] == c;
        printf("class %d: %zu pixels\n", c, count);
    }
    if (!r->dump) return SGM_OK;
    return write_npy(r, "labels.npy", SGM_STORED_U16, 2, size, labels);
}

static sgm_status predict_labels(const request *r, sgm_model *model, const sgm_image *image)
{
    sgm_model_info info;
    sgm_session *session;
    static const char *const names[] = {"labels.npy", NULL};
    SGM_TRY(open_dump(r, names));
    uint16_t *labels = malloc((size_t)image->width * (size_t)image->height * sizeof *labels);
    if (!labels) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a map of classes");
    sgm_model_get_info(model, &info);
    sgm_status status = sgm_session_create(model, &session);
    if (status == SGM_OK) {
        status = sgm_session_set_image(session, image);
        if (status == SGM_OK) status = sgm_session_predict_labels(session, labels);
        sgm_session_destroy(session);
    }
    if (status == SGM_OK) status = show_labels(r, &info, image, labels);
    free(labels);
    return status;
}

static sgm_status predict_on(const request *r, sgm_context *context, sgm_model *model,
                             const sgm_image *image)
{
    sgm_model_info info;
    sgm_zoom_mode mode;
    float *low = NULL;
    SGM_TRY(zoom_mode(r->zoom, &mode));
    sgm_model_get_info(model, &info);
    int class_index = 0;
    if (r->class_name && !strcmp(r->class_name, "all")) {
        SGM_TRY(sgm_prompt_check_class(sgm_model_get_config(model), 1));
        return predict_labels(r, model, image);
    }
    if (r->class_name) SGM_TRY(sgm_model_class(model, r->class_name, &class_index));
    if (r->mask) SGM_TRY(read_mask(r->mask, &info, &low));
    sgm_prompt prompt = {.points = r->points,
                         .point_count = r->point_count,
                         .box = r->has_box ? &r->box : NULL,
                         .mask = low,
                         .class_index = class_index};
    sgm_predict_options options = {.size = sizeof options,
                                   .choice = r->multimask ? SGM_CHOOSE_MULTI : SGM_CHOOSE_AUTO,
                                   .want_logits = 1};
    sgm_status status = check_prompt(model, image, &prompt);
    if (status == SGM_OK)
        status = sgm_zoom_applies(model, mode)
                     ? predict_zoomed(r, context, model, image, &prompt, &options)
                     : predict_whole(r, context, model, image, &prompt, &options);
    free(low);
    return status;
}

static sgm_status predict(const request *r)
{
    sgm_context *context;
    sgm_model *model = NULL;
    image_file image = {0};
    SGM_TRY(sgm_context_create(&r->context, &context));
    sgm_status status = sgm_model_load_on(context, r->base, r->model, r->variant, &model);
    if (status == SGM_OK) tool_say_assumption(model);
    if (status == SGM_OK) status = image_file_read(r->image, &image);
    if (status == SGM_OK) status = predict_on(r, context, model, &image.image);
    image_file_clear(&image);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return status;
}

int verb_predict(int argc, char **argv)
{
    request r = {0};
    bool helped;
    const option options[] = {
        {"--model", OPTION_TEXT, &r.model, NULL, "FILE", "weights: .safetensors or .pth"},
        {"--base", OPTION_TEXT, &r.base, NULL, "FILE", "what lies beneath a file of additions"},
        {"--variant", OPTION_TEXT, &r.variant, NULL, "NAME", "the network (segmodel info)"},
        {"--image", OPTION_TEXT, &r.image, NULL, "FILE", "uint8 .npy (H,W) or (H,W,3), or .png"},
        {"--point", OPTION_VISIT, &r, add_point, "x,y,1", "a point in pixels; 0: background"},
        {"--box", OPTION_VISIT, &r, set_box, "x0,y0,x1,y1", "a box in pixels"},
        {"--mask", OPTION_TEXT, &r.mask, NULL, "FILE", "low-res logits (.npy) as a prompt"},
        {"--class", OPTION_TEXT, &r.class_name, NULL, "N|NAME|all",
         "for networks prompted by class; all: a map of classes (labels.npy)"},
        {"--multimask", OPTION_FLAG, &r.multimask, NULL, NULL, "best of masks 1 to 3, always"},
        {"--zoom", OPTION_TEXT, &r.zoom, NULL, "auto|on|off",
         "look at crops around the prompt (auto: where the model was trained on crops)"},
        {"--precision", OPTION_PRECISION, &r.context.precision, NULL, "auto|fp32|bf16", ""},
        {"--device", OPTION_DEVICE, &r.context.device, NULL, "auto|cpu|cuda", ""},
        {"--threads", OPTION_INT, &r.context.threads, NULL, "N", "0: one per core"},
        {"--dump", OPTION_TEXT, &r.dump, NULL, "DIR",
         "writes embedding, low_res_logits, iou (without zoom), mask (.npy) and mask.png"},
        {0}};
    command_line line = {
        .usage = "segmodel predict --model FILE --image FILE --point x,y,1 [...] [--dump DIR]",
        .help = "Segments one object of one image. Points, a box and a mask may be combined.\n"
                "One point alone gives the best of three masks, anything else the single mask;\n"
                "background points outside the crop that the network looks at do not count.\n"
                "The mask is that of PromptSeg on the same picture.",
        .options = options};
    sgm_status status = parse_options(argc, argv, &line, &helped);
    if (status == SGM_OK && !helped && (!r.model || !r.image))
        status = sgm_fail(SGM_INVALID_ARGUMENT, "%s is missing; usage: %s",
                          r.model ? "--image" : "--model", line.usage);
    if (status == SGM_OK && !helped) status = predict(&r);
    free(r.points);
    return tool_exit(status);
}
