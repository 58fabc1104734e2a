#include "fresh_network.h"
#include "tool.h"
#include "tool_options.h"

#include "checkpoint/checkpoint_write.h"
#include "core/number.h"
#include "models/registry.h"
#include "predict/look/session_predictor.h"
#include "predict/session/model.h"
#include "predict/session/postprocess.h"
#include "predict/session/prompt_prior.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASS_NAMES = 4096 };

/* What the command line may add to the metadata. */
enum {
    MASK_THRESHOLD,
    STOP_RATING,
    FAR_RATING,
    WALK_LOWERING,
    WALK_LIKENESS,
    LOOSE_BOX,
    POINT_RATING,
    CLASSES,
    EXTRAS
};
static const char *const extra_keys[EXTRAS] = {
    SGM_METADATA_MASK_THRESHOLD, SGM_METADATA_STOP_RATING,   SGM_METADATA_FAR_RATING,
    SGM_METADATA_WALK_LOWERING,  SGM_METADATA_WALK_LIKENESS, SGM_METADATA_LOOSE_BOX,
    SGM_METADATA_POINT_RATING,   SGM_METADATA_CLASSES};

/* What the network uses, and what the file says of itself. */
static sgm_status write_network(const sgm_model *model, sgm_checkpoint_writer *writer,
                                sgm_stored_type type)
{
    const sgm_checkpoint *file = sgm_model_checkpoint(model);
    for (size_t i = 0; i < sgm_checkpoint_metadata_count(file); i++) {
        sgm_metadata_entry e = sgm_checkpoint_metadata_at(file, i);
        SGM_TRY(sgm_checkpoint_writer_metadata(writer, e.key, e.value));
    }
    for (size_t i = 0; i < sgm_checkpoint_count(file); i++)
        if (!sgm_model_leaves_out(model, i))
            SGM_TRY(sgm_checkpoint_writer_add(writer, sgm_checkpoint_tensor(file, i), type));
    return SGM_OK;
}

static size_t count_written(const sgm_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < sgm_checkpoint_count(sgm_model_checkpoint(model)); i++)
        count += !sgm_model_leaves_out(model, i);
    return count;
}

/* Variant and architecture go into the metadata, so that the file says by itself what it is. */
static sgm_status write_model(const sgm_model *model, const sgm_model_config *config,
                              const char *to, sgm_stored_type type, const char *const extra[EXTRAS])
{
    sgm_checkpoint_writer *writer;
    char text[512];
    sgm_config_text(config, text);
    SGM_TRY(sgm_checkpoint_writer_create(&writer));
    sgm_status status = write_network(model, writer, type);
    if (status == SGM_OK)
        status = sgm_checkpoint_writer_metadata(writer, SGM_METADATA_VARIANT, config->variant);
    if (status == SGM_OK)
        status = sgm_checkpoint_writer_metadata(writer, SGM_METADATA_ARCHITECTURE, text);
    for (int i = 0; status == SGM_OK && i < EXTRAS; i++)
        if (extra[i]) status = sgm_checkpoint_writer_metadata(writer, extra_keys[i], extra[i]);
    if (status == SGM_OK) status = sgm_checkpoint_writer_save(writer, to);
    sgm_checkpoint_writer_destroy(writer);
    return status;
}

/* As many names as the network has classes; `names` has room for them. */
static sgm_status check_classes(const sgm_model_config *config, const char **classes,
                                char names[CLASS_NAMES])
{
    if (!*classes) return SGM_OK;
    SGM_TRY(sgm_config_class_names(config, "--classes", *classes, names, CLASS_NAMES));
    *classes = names;
    return SGM_OK;
}

static sgm_status convert(const char *from, const char *base, const char *to, const char *variant,
                          const char *set, sgm_stored_type type, const char *extra[EXTRAS])
{
    sgm_model_config config;
    char names[CLASS_NAMES];
    sgm_context_options options = {.device = SGM_DEVICE_REFERENCE};
    sgm_context *context;
    sgm_model *model = NULL;
    sgm_model_info info;
    SGM_TRY(sgm_context_create(&options, &context));
    sgm_status status = sgm_model_load_on(context, base, from, variant, &model);
    if (status == SGM_OK) config = *sgm_model_get_config(model);
    if (status == SGM_OK && set) status = sgm_config_set(&config, set);
    if (status == SGM_OK) status = check_classes(&config, &extra[CLASSES], names);
    if (status == SGM_OK) status = write_model(model, &config, to, type, extra);
    if (status == SGM_OK) {
        sgm_model_get_info(model, &info);
        if (!set) tool_say_assumption(model);
        printf("%s: %s, %zu tensors\n", to, info.variant, count_written(model));
    }
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return status;
}

static sgm_status type_of(const char *dtype, sgm_stored_type *type)
{
    static const struct {
        const char *name;
        sgm_stored_type type;
    } types[] = {{"f32", SGM_STORED_F32}, {"f16", SGM_STORED_F16}, {"bf16", SGM_STORED_BF16}};
    for (int i = 0; i < 3; i++)
        if (!strcmp(types[i].name, dtype)) {
            *type = types[i].type;
            return SGM_OK;
        }
    return sgm_fail(SGM_INVALID_ARGUMENT, "--dtype cannot be '%s'; f32, f16 or bf16", dtype);
}

static bool is_within(const char *text, double low, double high)
{
    char *end;
    double value = sgm_read_number(text, &end);
    return end != text && !*end && value >= low && value <= high;
}

static sgm_status check_point_rating(const char *text)
{
    sgm_point_rating rating;
    char why[512];
    if (!text || sgm_point_rating_read(text, &rating) == SGM_OK) return SGM_OK;
    snprintf(why, sizeof why, "%s", sgm_last_message());
    return sgm_fail(SGM_INVALID_ARGUMENT, "--pointRating: %s", why);
}

static sgm_status check_numbers(const char *const extra[EXTRAS])
{
    const char *threshold = extra[MASK_THRESHOLD], *rating = extra[STOP_RATING];
    const char *lowering = extra[WALK_LOWERING], *likeness = extra[WALK_LIKENESS];
    const int most = SGM_LARGEST_MASK_THRESHOLD, lowest = SGM_LARGEST_WALK_LOWERING;
    const int farthest = SGM_LARGEST_WALK_LIKENESS;
    if (threshold && !is_within(threshold, -most, most))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "--maskThreshold cannot be '%s'; a logit from -%d to %d", threshold, most,
                        most);
    if (rating && !is_within(rating, 0, 1))
        return sgm_fail(SGM_INVALID_ARGUMENT, "--stopRating cannot be '%s'; an IoU from 0 to 1",
                        rating);
    if (extra[FAR_RATING] && !is_within(extra[FAR_RATING], 0, 1))
        return sgm_fail(SGM_INVALID_ARGUMENT, "--farRating cannot be '%s'; an IoU from 0 to 1",
                        extra[FAR_RATING]);
    if (lowering && !is_within(lowering, -lowest, lowest))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "--walkLowering cannot be '%s'; a logit from -%d to %d", lowering, lowest,
                        lowest);
    if (likeness && !is_within(likeness, 0, farthest))
        return sgm_fail(SGM_INVALID_ARGUMENT, "--walkLikeness cannot be '%s'; a logit from 0 to %d",
                        likeness, farthest);
    if (extra[LOOSE_BOX] && strcmp(extra[LOOSE_BOX], "0") && strcmp(extra[LOOSE_BOX], "1"))
        return sgm_fail(SGM_INVALID_ARGUMENT, "--looseBox cannot be '%s'; 0 or 1",
                        extra[LOOSE_BOX]);
    return check_point_rating(extra[POINT_RATING]);
}

/* What becomes of the file in the new network. */
static sgm_status make_fresh(const char *from, const char *base, const char *to,
                             const char *variant, sgm_stored_type type, const char *extra[EXTRAS])
{
    fresh_network fresh;
    sgm_metadata_entry entries[EXTRAS];
    size_t count = 0;
    char names[CLASS_NAMES];
    if (!variant)
        return sgm_fail(SGM_INVALID_ARGUMENT, "--fresh wants --variant, the network to be made");
    SGM_TRY(fresh_network_make(from, base, variant, &fresh));
    sgm_status status = check_classes(&fresh.config, &extra[CLASSES], names);
    for (int i = 0; i < EXTRAS; i++)
        if (extra[i]) entries[count++] = (sgm_metadata_entry){extra_keys[i], extra[i]};
    if (status == SGM_OK) status = fresh_network_save(&fresh, to, type, entries, count);
    if (status == SGM_OK) fresh_network_print(&fresh, to);
    fresh_network_clear(&fresh);
    return status;
}

int verb_convert(int argc, char **argv)
{
    const char *variant = NULL, *base = NULL, *set = NULL, *dtype = "f32", *path[2];
    const char *extra[EXTRAS] = {NULL};
    sgm_stored_type type;
    bool helped, fresh = false;
    const option options[] = {
        {"--fresh", OPTION_FLAG, &fresh, NULL, NULL,
         "makes a network of the variant out of another one's weights, to be trained"},
        {"--variant", OPTION_TEXT, &variant, NULL, "NAME",
         "the network (segmodel info lists them)"},
        {"--base", OPTION_TEXT, &base, NULL, "FILE",
         "what lies beneath a file of additions: both are joined"},
        {"--set", OPTION_TEXT, &set, NULL, "KEY=VALUE",
         "what the file does not say: small=256 (AutoSAM), image=224 (U-Net, SAMed on its base), "
         "protocol=msa_rows"},
        {"--classes", OPTION_TEXT, &extra[CLASSES], NULL, "A,B,...",
         "names of the classes of a network that is prompted by class"},
        {"--maskThreshold", OPTION_TEXT, &extra[MASK_THRESHOLD], NULL, "LOGIT",
         "goes into the metadata: masks are where logits exceed it (0)"},
        {"--stopRating", OPTION_TEXT, &extra[STOP_RATING], NULL, "IOU",
         "goes into the metadata: walks by masks end at ratings below it (0.35)"},
        {"--farRating", OPTION_TEXT, &extra[FAR_RATING], NULL, "IOU",
         "goes into the metadata: and far from where they began at ratings below it (none)"},
        {"--walkLowering", OPTION_TEXT, &extra[WALK_LOWERING], NULL, "LOGIT",
         "goes into the metadata: they ask with the neighbour's logits less it (0)"},
        {"--walkLikeness", OPTION_TEXT, &extra[WALK_LIKENESS], NULL, "LOGIT",
         "goes into the metadata: and lean so far to what looks like where they began (0)"},
        {"--looseBox", OPTION_TEXT, &extra[LOOSE_BOX], NULL, "0|1",
         "goes into the metadata: 1 asks boxes in space as loose boxes (as the file says)"},
        {"--pointRating", OPTION_TEXT, &extra[POINT_RATING], NULL, "W,W,...",
         "goes into the metadata: how a lone point chooses its scale (segmodel points)"},
        {"--dtype", OPTION_TEXT, &dtype, NULL, "f32|f16|bf16", "how values are stored (f32)"},
        {0}};
    command_line line = {
        .usage = "segmodel convert IN.pth OUT.safetensors [--variant NAME] [--dtype TYPE]",
        .help =
            "Rewrites a checkpoint (PyTorch or .safetensors) with its variant in the metadata.\n"
            "Wrappers and prefixes of names are taken off; nothing in a .pth is executed.",
        .options = options,
        .positional = path,
        .positional_wanted = 2,
        .positional_room = 2};
    sgm_status status = parse_options(argc, argv, &line, &helped);
    if (status != SGM_OK || helped) return tool_exit(status);
    status = type_of(dtype, &type);
    if (status == SGM_OK) status = check_numbers(extra);
    if (status == SGM_OK) status = spare_input(path[1], path[0]);
    if (status == SGM_OK) status = spare_input(path[1], base);
    if (status == SGM_OK && fresh && set)
        status = sgm_fail(SGM_INVALID_ARGUMENT, "--set is not for --fresh");
    else if (status == SGM_OK && fresh)
        status = make_fresh(path[0], base, path[1], variant, type, extra);
    else if (status == SGM_OK)
        status = convert(path[0], base, path[1], variant, set, type, extra);
    return tool_exit(status);
}
