#include "models/registry.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* One line of the table. `fill` sets everything but the name. */
typedef struct table_entry {
    const char *name, *description;
    void (*fill)(sgm_model_config *config);
} table_entry;

static const sgm_decoder_config sam_decoder = {
    .dim = 256, .heads = 8, .depth = 2, .mlp_dim = 2048, .mask_tokens = 4};

/* Every `step`-th block is global: 2, 5, 8, 11 of 12. */
static uint64_t every(int step, int depth)
{
    uint64_t blocks = 0;
    for (int i = step - 1; i < depth; i += step)
        blocks |= UINT64_C(1) << i;
    return blocks;
}

static void fill_vit(sgm_model_config *c, int dim, int depth, int heads)
{
    c->encoder = SGM_ENCODER_VIT;
    c->protocol = SGM_PROTOCOL_SAM;
    c->image_size = 1024;
    c->vit = (sgm_vit_config){.embed_dim = dim,
                              .depth = depth,
                              .heads = heads,
                              .patch = 16,
                              .window = 14,
                              .global_blocks = every(depth / 4, depth),
                              .pos_side = 64,
                              .rel_window = 27,
                              .rel_global = 127};
    c->decoder = sam_decoder;
}

static void fill_vit_b(sgm_model_config *c)
{
    fill_vit(c, 768, 12, 12);
}

static void fill_vit_l(sgm_model_config *c)
{
    fill_vit(c, 1024, 24, 16);
}

static void fill_vit_h(sgm_model_config *c)
{
    fill_vit(c, 1280, 32, 16);
}

static void fill_medsam(sgm_model_config *c)
{
    fill_vit_b(c);
    c->protocol = SGM_PROTOCOL_MEDSAM;
}

static void fill_mobile_sam(sgm_model_config *c)
{
    c->encoder = SGM_ENCODER_TINY_VIT;
    c->protocol = SGM_PROTOCOL_SAM;
    c->image_size = 1024;
    c->tiny = (sgm_tiny_vit_config){.stem_kernel = 3,
                                    .stem_stride = {2, 2},
                                    .dim = {64, 128, 160, 320},
                                    .depth = {2, 2, 6, 2},
                                    .heads = {2, 4, 5, 10},
                                    .window = {7, 7, 14, 7},
                                    .merge_stride = {2, 2, 1},
                                    .expand = 4,
                                    .mlp_ratio = 4};
    c->decoder = sam_decoder;
}

static void fill_tiny_vit_256(sgm_model_config *c)
{
    fill_mobile_sam(c);
    c->image_size = 256;
}

/* Its stem is pointwise, so the first stage works on every pixel. */
static void fill_lite_medsam(sgm_model_config *c)
{
    fill_mobile_sam(c);
    c->protocol = SGM_PROTOCOL_LITE_MEDSAM;
    c->image_size = 256;
    c->tiny.stem_kernel = 1;
    c->tiny.stem_stride[0] = c->tiny.stem_stride[1] = 1;
}

static void fill_samus(sgm_model_config *c)
{
    fill_vit_b(c);
    c->encoder = SGM_ENCODER_SAMUS;
    c->protocol = SGM_PROTOCOL_SAMUS;
    c->image_size = 256;
    c->vit.patch = 8;
    c->vit.rel_global = 63;
}

static void fill_samihs(sgm_model_config *c)
{
    fill_vit_b(c);
    c->encoder = SGM_ENCODER_SAMIHS;
    c->protocol = SGM_PROTOCOL_SAMIHS;
}

static const table_entry variants[] = {
    {"sam_vit_b", "Segment Anything, ViT-B at 1024", fill_vit_b},
    {"sam_vit_l", "Segment Anything, ViT-L at 1024", fill_vit_l},
    {"sam_vit_h", "Segment Anything, ViT-H at 1024", fill_vit_h},
    {"medsam", "MedSAM: ViT-B at 1024, box prompts, medical images", fill_medsam},
    {"mobile_sam", "MobileSAM: TinyViT at 1024", fill_mobile_sam},
    {"tiny_vit_256", "MobileSAM's network at 256", fill_tiny_vit_256},
    {"lite_medsam", "LiteMedSAM: TinyViT at 256, box prompts, medical images", fill_lite_medsam},
    {"samus", "SAMUS: ViT-B at 256 with a CNN branch, ultrasound", fill_samus},
    {"samihs", "SAMIHS: ViT-B at 1024 with adapters, intracranial haemorrhage in CT", fill_samihs},
};

enum { VARIANT_COUNT = sizeof variants / sizeof *variants };

const char *sgm_variant_name(int index)
{
    return index >= 0 && index < VARIANT_COUNT ? variants[index].name : NULL;
}

const char *sgm_variant_description(int index)
{
    return index >= 0 && index < VARIANT_COUNT ? variants[index].description : NULL;
}

bool sgm_variant_config(const char *name, sgm_model_config *config)
{
    for (int i = 0; i < VARIANT_COUNT; i++)
        if (!strcmp(variants[i].name, name)) {
            memset(config, 0, sizeof *config);
            variants[i].fill(config);
            snprintf(config->variant, sizeof config->variant, "%s", name);
            return sgm_config_check(config) == SGM_OK;
        }
    return false;
}

static sgm_status unknown_variant(const char *name)
{
    char list[256] = "";
    for (int i = 0; i < VARIANT_COUNT; i++) {
        strcat(list, i ? ", " : "");
        strcat(list, variants[i].name);
    }
    return sgm_fail(SGM_BAD_MODEL, "no variant '%.60s'; there are: auto, %s", name, list);
}

/* The size of a tensor's dimension, 0 if there is no such tensor or dimension. */
static int dimension(const sgm_checkpoint *checkpoint, const char *name, int axis)
{
    const sgm_stored_tensor *t = sgm_checkpoint_find(checkpoint, name);
    if (!t || axis >= t->rank || t->shape[axis] > 1 << 20) return 0;
    return (int)t->shape[axis];
}

/* Does the file's own name, in lower case, contain `word`? */
static bool file_name_contains(const sgm_checkpoint *checkpoint, const char *word)
{
    const char *path = sgm_checkpoint_path(checkpoint), *slash = strrchr(path, '/');
    char name[256];
    size_t n = 0;
    for (const char *p = slash ? slash + 1 : path; *p && n + 1 < sizeof name; p++)
        name[n++] = (char)tolower((unsigned char)*p);
    name[n] = 0;
    return strstr(name, word) != NULL;
}

static const char *vit_by_shape(const sgm_checkpoint *checkpoint, char assumption[256])
{
    switch (dimension(checkpoint, "image_encoder.patch_embed.proj.weight", 0)) {
    case 1024:
        return "sam_vit_l";
    case 1280:
        return "sam_vit_h";
    case 768:
        break;
    default:
        return "sam_vit";
    }
    if (file_name_contains(checkpoint, "medsam")) {
        snprintf(assumption, 256,
                 "The model is taken for MedSAM because of its file's name; SAM ViT-B has the "
                 "same tensors (--variant sam_vit_b).");
        return "medsam";
    }
    snprintf(assumption, 256,
             "The model is taken for SAM ViT-B; MedSAM has the same tensors (--variant medsam).");
    return "sam_vit_b";
}

static const char *tiny_by_shape(const sgm_checkpoint *checkpoint, char assumption[256])
{
    if (dimension(checkpoint, "image_encoder.patch_embed.seq.0.c.weight", 2) == 1)
        return "lite_medsam";
    if (file_name_contains(checkpoint, "256")) {
        snprintf(assumption, 256,
                 "The model is taken for TinyViT at 256 pixels because of its file's name; "
                 "MobileSAM at 1024 has the same tensors (--variant mobile_sam).");
        return "tiny_vit_256";
    }
    snprintf(assumption, 256,
             "The model is taken for MobileSAM at 1024 pixels; the same network at 256 has the "
             "same tensors (--variant tiny_vit_256).");
    return "mobile_sam";
}

/* NULL if the tensors are of no known family. */
static const char *name_by_shape(const sgm_checkpoint *checkpoint, char assumption[256])
{
    if (sgm_checkpoint_find(checkpoint, "image_encoder.cnn_embed.inc.conv.0.weight"))
        return "samus";
    if (sgm_checkpoint_find(checkpoint, "image_encoder.att_down_projection")) return "samihs";
    if (sgm_checkpoint_find(checkpoint, "image_encoder.patch_embed.seq.0.c.weight"))
        return tiny_by_shape(checkpoint, assumption);
    if (sgm_checkpoint_find(checkpoint, "image_encoder.patch_embed.proj.weight"))
        return vit_by_shape(checkpoint, assumption);
    return NULL;
}

/* Length of block i's rel_pos, 0 if it has none. */
static int rel_length(const sgm_checkpoint *checkpoint, int block)
{
    char name[80];
    snprintf(name, sizeof name, "image_encoder.blocks.%d.attn.rel_pos_h", block);
    return dimension(checkpoint, name, 0);
}

/* A ViT of a size outside the table: depth, heads and which blocks are global follow from the
 * tensors (windowed blocks have the shorter rel_pos). Every official size keeps the table's
 * numbers, so that a missing block is an error and not a shallower network. */
static void adopt_vit_size(const sgm_checkpoint *checkpoint, sgm_vit_config *vit)
{
    int dim = dimension(checkpoint, "image_encoder.patch_embed.proj.weight", 0);
    if (dim == vit->embed_dim || dim == 0) return;
    int head_dim = dimension(checkpoint, "image_encoder.blocks.0.attn.rel_pos_h", 1);
    vit->embed_dim = dim;
    vit->heads = head_dim > 0 ? dim / head_dim : 0;
    vit->global_blocks = 0;
    for (vit->depth = 0; vit->depth < 64 && rel_length(checkpoint, vit->depth); vit->depth++)
        if (rel_length(checkpoint, vit->depth) > vit->rel_window)
            vit->global_blocks |= UINT64_C(1) << vit->depth;
}

/* Lengths that are resized when they differ from what the image's size asks for. */
static void adopt_vit_lengths(const sgm_checkpoint *checkpoint, sgm_model_config *config)
{
    sgm_vit_config *vit = &config->vit;
    int side = dimension(checkpoint, "image_encoder.pos_embed", 1);
    if (side) vit->pos_side = side;
    if (side && config->encoder == SGM_ENCODER_VIT) config->image_size = side * vit->patch;
    for (int i = 0; i < vit->depth && i < 64; i++) {
        int length = rel_length(checkpoint, i);
        if (length && vit->global_blocks >> i & 1) vit->rel_global = length;
    }
}

static void adopt_decoder(const sgm_checkpoint *checkpoint, sgm_decoder_config *decoder)
{
    int tokens = dimension(checkpoint, "mask_decoder.mask_tokens.weight", 0);
    if (tokens) decoder->mask_tokens = tokens;
}

static sgm_status named(const sgm_checkpoint *checkpoint, const char *name,
                        sgm_model_config *config)
{
    bool other_size = !strcmp(name, "sam_vit");
    if (!sgm_variant_config(other_size ? "sam_vit_b" : name, config)) return unknown_variant(name);
    snprintf(config->variant, sizeof config->variant, "%s", name);
    if (config->encoder != SGM_ENCODER_TINY_VIT) {
        adopt_vit_size(checkpoint, &config->vit);
        adopt_vit_lengths(checkpoint, config);
    }
    adopt_decoder(checkpoint, &config->decoder);
    sgm_status status = sgm_config_check(config);
    return status ? sgm_fail_in(status, sgm_checkpoint_path(checkpoint)) : SGM_OK;
}

static sgm_status by_metadata(const sgm_checkpoint *checkpoint, sgm_model_config *config)
{
    const char *variant = sgm_checkpoint_metadata(checkpoint, SGM_METADATA_VARIANT);
    const char *architecture = sgm_checkpoint_metadata(checkpoint, SGM_METADATA_ARCHITECTURE);
    if (!architecture) return named(checkpoint, variant, config);
    sgm_status status = sgm_config_parse(architecture, config);
    if (status) return sgm_fail_in(status, sgm_checkpoint_path(checkpoint));
    snprintf(config->variant, sizeof config->variant, "%.31s", variant ? variant : "custom");
    return SGM_OK;
}

sgm_status sgm_registry_detect(const sgm_checkpoint *checkpoint, const char *variant,
                               sgm_model_config *config, char assumption[256])
{
    assumption[0] = 0;
    const char *stored = sgm_checkpoint_metadata(checkpoint, SGM_METADATA_VARIANT);
    bool given = variant && strcmp(variant, "auto") != 0;
    if (given && !(stored && !strcmp(stored, variant))) return named(checkpoint, variant, config);
    if (stored || sgm_checkpoint_metadata(checkpoint, SGM_METADATA_ARCHITECTURE))
        return by_metadata(checkpoint, config);
    const char *name = name_by_shape(checkpoint, assumption);
    if (name) return named(checkpoint, name, config);
    return sgm_fail(SGM_BAD_MODEL,
                    "%s: not a checkpoint of a known network: neither "
                    "image_encoder.patch_embed.proj.weight nor "
                    "image_encoder.patch_embed.seq.0.c.weight is among its %zu tensors",
                    sgm_checkpoint_path(checkpoint), sgm_checkpoint_count(checkpoint));
}
