#include "tool.h"
#include "tool_options.h"

#include "models/registry.h"
#include "predict/session/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_variants(void)
{
    printf("known networks (--variant):\n");
    for (int i = 0; sgm_variant_name(i); i++)
        printf("  %-14s %s\n", sgm_variant_name(i), sgm_variant_description(i));
}

/* How many values are stored in each type. */
static void print_types(const sgm_checkpoint *checkpoint)
{
    size_t count[SGM_STORED_TYPE_COUNT] = {0};
    for (size_t i = 0; i < sgm_checkpoint_count(checkpoint); i++) {
        const sgm_stored_tensor *t = sgm_checkpoint_tensor(checkpoint, i);
        count[t->type] += t->count;
    }
    printf("values      ");
    for (int i = 0; i < SGM_STORED_TYPE_COUNT; i++)
        if (count[i]) printf(" %zu %s", count[i], sgm_stored_type_name((sgm_stored_type)i));
    printf("\n");
}

static void print_tensors(const sgm_checkpoint *checkpoint, size_t most)
{
    char shape[96];
    size_t count = sgm_checkpoint_count(checkpoint);
    for (size_t i = 0; i < count && i < most; i++) {
        const sgm_stored_tensor *t = sgm_checkpoint_tensor(checkpoint, i);
        printf("  %-4s %-20s %s\n", sgm_stored_type_name(t->type),
               sgm_stored_tensor_shape_text(t, shape), t->name);
    }
    if (count > most) printf("  ... (--tensors lists all %zu)\n", count);
}

/* What stood beside the network in the program that trained it, or is in the file twice. */
static void print_beside(const sgm_checkpoint *checkpoint)
{
    enum { NAMED = 3 };
    size_t count = 0;
    for (size_t i = 0; i < sgm_checkpoint_count(checkpoint); i++) {
        const sgm_stored_tensor *t = sgm_checkpoint_tensor(checkpoint, i);
        if (!t->beside) continue;
        if (count < NAMED) printf("%s%s", count ? ", " : "beside       ", t->name);
        count++;
    }
    if (count)
        printf("%s (no part of the network)\n", count > NAMED ? ", ..." : "");
}

static void print_file(const sgm_checkpoint *checkpoint)
{
    printf("file         %s\n", sgm_checkpoint_path(checkpoint));
    printf("format       %s, %zu tensors\n", sgm_checkpoint_format(checkpoint),
           sgm_checkpoint_count(checkpoint));
    if (sgm_checkpoint_wrapper(checkpoint)[0])
        printf("unwrapped    %s\n", sgm_checkpoint_wrapper(checkpoint));
    if (sgm_checkpoint_prefix(checkpoint)[0])
        printf("prefix       %s (taken off)\n", sgm_checkpoint_prefix(checkpoint));
    print_beside(checkpoint);
    for (size_t i = 0; i < sgm_checkpoint_metadata_count(checkpoint); i++) {
        sgm_metadata_entry entry = sgm_checkpoint_metadata_at(checkpoint, i);
        printf("metadata     %s: %s\n", entry.key, entry.value);
    }
    print_types(checkpoint);
}

static void print_model(const sgm_model *model)
{
    sgm_model_info info;
    char text[512];
    sgm_model_get_info(model, &info);
    sgm_config_text(sgm_model_get_config(model), text);
    printf("variant      %s\n", info.variant);
    if (info.assumption[0]) printf("assumption   %s\n", info.assumption);
    printf("parameters   %" PRId64 "\n", info.parameters);
    printf("input        %d x %d pixels\n", info.image_size, info.image_size);
    printf("embedding    %d x %d x %d\n", info.embedding_shape[0], info.embedding_shape[1],
           info.embedding_shape[2]);
    printf("masks        %d of %d x %d\n", info.mask_tokens, info.low_res_shape[0],
           info.low_res_shape[1]);
    if (info.classes) printf("classes      %d\n", info.classes);
    printf("architecture %s\n", text);
    printf("hash         %016" PRIx64 "\n", info.hash);
}

/* The nodes of the stages for one picture and one prompt. */
static sgm_status print_graphs(const sgm_model *model)
{
    const sgm_model_config *config = sgm_model_get_config(model);
    const sgm_program_key keys[] = {{.stage = SGM_STAGE_ENCODE, .batch = 1},
                                    {.stage = SGM_STAGE_DECODE,
                                     .batch = 1,
                                     .tokens = sgm_config_listens(config) ? 2 : 0,
                                     .classes = config->classes > 0}};
    static const char *const titles[] = {"encode", "decode"};
    for (int i = 0; i < 2; i++) {
        sgm_program *program;
        SGM_TRY(sgm_program_build(config, keys[i], NULL, NULL, NULL, &program));
        char *text = sgm_graph_dump(program->graph);
        sgm_program_destroy(program);
        if (!text) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to print a graph");
        printf("%s\n%s", titles[i], text);
        free(text);
    }
    return SGM_OK;
}

/* Of a file that is no network's: what it holds, so that the user sees what it may be. The status
 * and its message stay those of the load. */
static sgm_status show_unplaced(const char *path, bool tensors, sgm_status status)
{
    enum { FIRST = 10 };
    char why[1024];
    sgm_checkpoint *file;
    snprintf(why, sizeof why, "%s", sgm_last_message());
    if (status == SGM_BAD_MODEL && sgm_checkpoint_open(path, &file) == SGM_OK) {
        print_file(file);
        print_tensors(file, tensors ? SIZE_MAX : FIRST);
        sgm_checkpoint_close(file);
    }
    return sgm_fail(status, "%s", why);
}

static sgm_status show(const char *path, const char *base, const char *variant, bool tensors,
                       bool graphs)
{
    /* The reference device: nothing here computes. */
    sgm_context_options options = {.device = SGM_DEVICE_REFERENCE};
    sgm_context *context;
    sgm_model *model = NULL;
    SGM_TRY(sgm_context_create(&options, &context));
    sgm_status status = sgm_model_load_on(context, base, path, variant, &model);
    if (status == SGM_OK) {
        print_file(sgm_model_checkpoint(model));
        print_model(model);
        if (tensors) print_tensors(sgm_model_checkpoint(model), SIZE_MAX);
        if (graphs) status = print_graphs(model);
    } else {
        status = show_unplaced(path, tensors, status);
    }
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return status;
}

int verb_info(int argc, char **argv)
{
    const char *variant = NULL, *base = NULL, *path = NULL;
    bool tensors = false, graphs = false, helped;
    const option options[] = {
        {"--variant", OPTION_TEXT, &variant, NULL, "NAME", "take the file for this network"},
        {"--base", OPTION_TEXT, &base, NULL, "FILE", "what lies beneath a file of additions"},
        {"--tensors", OPTION_FLAG, &tensors, NULL, NULL, "list every tensor"},
        {"--graph", OPTION_FLAG, &graphs, NULL, NULL, "print the nodes of every stage"},
        {0}};
    command_line line = {.usage = "segmodel info [FILE] [--variant NAME] [--tensors] [--graph]",
                         .help = "Says what a model file holds and checks it against its network;\n"
                                 "of a file of no known network, what it holds alone.\n"
                                 "Without a file, lists the known networks.",
                         .options = options,
                         .positional = &path,
                         .positional_room = 1};
    sgm_status status = parse_options(argc, argv, &line, &helped);
    if (status != SGM_OK || helped) return tool_exit(status);
    if (!path) {
        print_variants();
        return EXIT_DONE;
    }
    return tool_exit(show(path, base, variant, tensors, graphs));
}
