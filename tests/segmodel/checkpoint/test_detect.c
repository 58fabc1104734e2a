/* Which network a file is, and how large its pictures are: from names and shapes alone, which are
 * those of official files. */
#include "../check.h"

#include "checkpoint/stack.h"
#include "models/registry.h"

#include <stdlib.h>
#include <string.h>

#define KERNEL "image_encoder.patch_embed.proj.weight"
#define POSITIONS "image_encoder.pos_embed"
#define MASKS "mask_decoder.mask_tokens.weight"
#define BLOCK(i) "image_encoder.blocks." #i ".attn."

typedef struct shape {
    const char *name;
    int rank, dim[4];
} shape;

static size_t count_of(const shape *s)
{
    size_t count = 1;
    for (int i = 0; i < s->rank; i++)
        count *= (size_t)s->dim[i];
    return count;
}

/* A .safetensors of bytes, all zero: nobody reads them here. */
static sgm_checkpoint *make(const char *label, int count, const shape shapes[])
{
    static char json[1 << 14];
    size_t used = (size_t)snprintf(json, sizeof json, "{"), data = 0;
    for (int i = 0; i < count; i++) {
        const shape *s = &shapes[i];
        used += (size_t)snprintf(json + used, sizeof json - used,
                                 "%s\"%s\":{\"dtype\":\"U8\",\"shape\":[", i ? "," : "", s->name);
        for (int k = 0; k < s->rank; k++)
            used += (size_t)snprintf(json + used, sizeof json - used, k ? ",%d" : "%d", s->dim[k]);
        used += (size_t)snprintf(json + used, sizeof json - used, "],\"data_offsets\":[%zu,%zu]}",
                                 data, data + count_of(s));
        data += count_of(s);
    }
    used += (size_t)snprintf(json + used, sizeof json - used, "}");
    unsigned char *bytes = calloc(1, 8 + used + data);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)used >> 8 * i);
    memcpy(bytes + 8, json, used);
    sgm_checkpoint *c = NULL;
    CHECK_OK(sgm_checkpoint_open_memory(bytes, 8 + used + data, label, &c));
    free(bytes); /* shapes live in the checkpoint */
    return c;
}

#define MAKE(label, ...)                                                                           \
    make(label, (int)(sizeof((const shape[]){__VA_ARGS__}) / sizeof(shape)),                       \
         (const shape[]){__VA_ARGS__})

/* Closes the file. */
static void check_size(sgm_checkpoint *file, const char *variant, int image, int patch,
                       const char *assumed)
{
    sgm_model_config config;
    char assumption[256];
    if (CHECK_OK(sgm_registry_detect(file, NULL, &config, assumption))) {
        check_that(!strcmp(config.variant, variant), config.variant, __FILE__, __LINE__);
        printf("%s: %d x %d pixels, patches of %d\n", config.variant, config.image_size,
               config.image_size, config.vit.patch);
        CHECK(config.image_size == image && config.vit.patch == patch);
        CHECK(assumed ? strstr(assumption, assumed) != NULL : !assumption[0]);
    }
    sgm_checkpoint_close(file);
}

/* Medical-SAM-Adapter: `side` positions, block 2 is global. */
static sgm_checkpoint *msa(int side, const char *rel, int length)
{
    return MAKE("msa.pth", {KERNEL, 4, {768, 3, 16, 16}}, {POSITIONS, 4, {1, side, side, 768}},
                {"image_encoder.blocks.0.Space_Adapter.D_fc1.weight", 2, {192, 768}},
                {strcmp(rel, "rel_h") ? BLOCK(0) "rel_pos_h" : BLOCK(0) "rel_h", 2, {27, 64}},
                {strcmp(rel, "rel_h") ? BLOCK(2) "rel_pos_h" : BLOCK(2) "rel_h", 2, {length, 64}},
                {MASKS, 2, {4, 256}});
}

static void adapters_see_what_their_tables_say(void)
{
    check_size(msa(64, "rel_pos_h", 127), "msa_2023", 1024, 16, "(row, column)");
    check_size(msa(16, "rel_pos_h", 31), "msa_2023", 256, 16, "(row, column)");
    check_size(msa(64, "rel_h", 31), "msa", 256, 16,
               "(row, column)"); /* positions are resized there */
    check_size(msa(64, "rel_h", 127), "msa", 1024, 16, "(row, column)");
}

static sgm_checkpoint *samed_whole(int side, int masks)
{
    return MAKE("whole.pth", {KERNEL, 4, {768, 3, 16, 16}}, {POSITIONS, 4, {1, side, side, 768}},
                {BLOCK(0) "qkv.linear_a_q.weight", 2, {4, 768}},
                {BLOCK(0) "qkv.linear_b_q.weight", 2, {768, 4}},
                {BLOCK(2) "rel_pos_h", 2, {2 * side - 1, 64}}, {MASKS, 2, {masks, 256}});
}

static sgm_checkpoint *samed_stack(int side, int masks)
{
    sgm_checkpoint *stack = NULL;
    sgm_checkpoint *base =
        MAKE("base.pth", {KERNEL, 4, {768, 3, 16, 16}}, {POSITIONS, 4, {1, side, side, 768}},
             {BLOCK(2) "rel_pos_h", 2, {2 * side - 1, 64}}, {MASKS, 2, {4, 256}});
    sgm_checkpoint *overlay = MAKE("additions.pth", {"w_a_000", 2, {4, 768}},
                                   {"w_b_000", 2, {768, 4}}, {MASKS, 2, {masks, 256}});
    CHECK_OK(sgm_checkpoint_stack(base, overlay, NULL, &stack));
    return stack;
}

static void samed_sees_what_its_positions_say(void)
{
    check_size(samed_whole(32, 9), "samed", 512, 16, NULL);
    check_size(samed_whole(14, 9), "samed", 224, 16, NULL);
    check_size(samed_whole(64, 9), "samed", 1024, 16, NULL);
    check_size(samed_stack(32, 9), "samed", 512, 16, NULL);
    check_size(samed_stack(14, 9), "samed", 224, 16, NULL);
    check_size(samed_stack(64, 9), "samed", 512, 16, "512 x 512 pixels are taken");
    sgm_model_config config; /* said too where the network is named */
    char assumption[256];
    sgm_checkpoint *named = samed_stack(64, 9);
    if (CHECK_OK(sgm_registry_detect(named, "samed", &config, assumption)))
        CHECK(config.image_size == 512 && strstr(assumption, "512 x 512 pixels are taken"));
    sgm_checkpoint_close(named);
}

static void sams_masks_are_no_classes(void)
{
    sgm_model_config config;
    char assumption[256];
    sgm_checkpoint *file = samed_whole(32, 4);
    CHECK_STATUS(sgm_registry_detect(file, NULL, &config, assumption), SGM_BAD_MODEL,
                 "whole.pth: low-rank additions with a decoder of 4 masks, as SAM's own is");
    CHECK(strstr(sgm_last_message(), "SAMed of 3 classes (--variant samed)") != NULL);
    if (CHECK_OK(sgm_registry_detect(file, "samed", &config, assumption)))
        CHECK(config.classes == 3);
    sgm_checkpoint_close(file);
    file = samed_stack(32, 4); /* came with a decoder of its own */
    if (CHECK_OK(sgm_registry_detect(file, NULL, &config, assumption))) CHECK(config.classes == 3);
    sgm_checkpoint_close(file);
}

static void samihs_keeps_its_tokens(void)
{
    for (int patch = 4; patch <= 16; patch *= 2)
        check_size(MAKE("samihs.pth", {KERNEL, 4, {768, 3, patch, patch}},
                        {POSITIONS, 4, {1, 64, 64, 768}},
                        {"image_encoder.att_down_projection", 2, {768, 100}}, {MASKS, 2, {4, 256}}),
                   "samihs", 64 * patch, patch, NULL);
}

/* `sam` is the plain network of the size that the file has, and nothing is assumed. */
static void sam_has_the_files_size(void)
{
    static const struct {
        const char *label, *variant;
        int width;
    } files[] = {{"medsam_vit_b.pth", "sam_vit_b", 768},
                 {"x.pth", "sam_vit_l", 1024},
                 {"x.pth", "sam_vit_h", 1280}};
    for (int i = 0; i < 3; i++) {
        sgm_model_config config = {0};
        char assumption[256];
        sgm_checkpoint *file =
            MAKE(files[i].label, {KERNEL, 4, {files[i].width, 3, 16, 16}},
                 {POSITIONS, 4, {1, 64, 64, files[i].width}}, {MASKS, 2, {4, 256}});
        if (CHECK_OK(sgm_registry_detect(file, "sam", &config, assumption)))
            CHECK(!strcmp(config.variant, files[i].variant) && !assumption[0]);
        if (CHECK_OK(sgm_registry_fresh(file, "sam", &config)))
            CHECK(!strcmp(config.variant, files[i].variant));
        sgm_checkpoint_close(file);
    }
}

/* A file that is called what it was published as says which of two networks it is. */
static void published_names_are_enough(void)
{
    static const struct {
        const char *label, *variant, *assumed;
    } files[] = {{"sam_vit_b_01ec64.pth", "sam_vit_b", NULL},
                 {"medsam_vit_b.pth", "medsam", NULL},
                 {"my_medsam.pth", "medsam", "because of its file's name"},
                 {"weights.pth", "sam_vit_b", "taken for SAM ViT-B"}};
    for (int i = 0; i < 4; i++)
        check_size(MAKE(files[i].label, {KERNEL, 4, {768, 3, 16, 16}},
                        {POSITIONS, 4, {1, 64, 64, 768}}, {MASKS, 2, {4, 256}}),
                   files[i].variant, 1024, 16, files[i].assumed);
}

static sgm_checkpoint *autosam(void)
{
    return MAKE("autosam.pth", {KERNEL, 4, {1280, 3, 16, 16}}, {POSITIONS, 4, {1, 64, 64, 1280}},
                {MASKS, 2, {4, 256}}, {"decoder.final.conv2.weight", 4, {256, 256, 3, 3}});
}

static sgm_checkpoint *unet(void)
{
    return MAKE("unet.pth", {"inc.double_conv.0.weight", 4, {64, 3, 3, 3}},
                {"outc.conv.weight", 4, {2, 64, 1, 1}});
}

/* What no tensor says is said, where the network is named too; and it can be set, and read back. */
static void check_unsaid(sgm_checkpoint *file, const char *named, const char *assumed,
                         const char *word, const char *written)
{
    const char *const names[] = {NULL, named};
    sgm_model_config config, back;
    char assumption[256], text[512];
    for (int i = 0; i < 2; i++) {
        if (!CHECK_OK(sgm_registry_detect(file, names[i], &config, assumption))) continue;
        if (!CHECK(strstr(assumption, assumed) && assumption[strlen(assumption) - 1] == '.'))
            printf("    %s\n", assumption);
    }
    CHECK_OK(sgm_config_set(&config, word));
    sgm_config_text(&config, text);
    if (!CHECK(strstr(text, written) != NULL)) printf("    %s\n", text);
    CHECK_OK(sgm_config_parse(text, &back));
    CHECK(back.protocol == config.protocol);
    CHECK_STATUS(sgm_config_set(&config, "embed=640"), SGM_INVALID_ARGUMENT, "cannot be set");
    CHECK_STATUS(sgm_config_set(&config, "protocol=sam"), SGM_INVALID_ARGUMENT, "cannot be set");
    CHECK_STATUS(sgm_config_set(&config, "small"), SGM_INVALID_ARGUMENT, "cannot be set");
    sgm_checkpoint_close(file);
}

static void what_tensors_do_not_say(void)
{
    check_unsaid(autosam(), "autosam", "512 x 512 pixels are taken", "small=352", " small=352");
    check_unsaid(unet(), "unet", "256 x 256 pixels are taken", "image=512", " image=512");
    check_unsaid(samed_stack(64, 9), "samed", "512 x 512 pixels are taken", "image=224",
                 " image=224");
    check_unsaid(msa(64, "rel_h", 31), "msa", "(row, column)", "protocol=msa_rows",
                 "protocol=msa_rows ");
    check_unsaid(msa(64, "rel_pos_h", 127), "msa_2023", "(row, column)", "protocol=msa_2023_rows",
                 "protocol=msa_2023_rows ");
}

int main(void)
{
    what_tensors_do_not_say();
    published_names_are_enough();
    sam_has_the_files_size();
    adapters_see_what_their_tables_say();
    samed_sees_what_its_positions_say();
    sams_masks_are_no_classes();
    samihs_keeps_its_tokens();
    return check_report();
}
