/* What distinguishes one network of the family from another, in numbers. */
#ifndef SEGMODEL_MODELS_CONFIG_H
#define SEGMODEL_MODELS_CONFIG_H

#include "core/status.h"

#include <stdbool.h>

typedef enum sgm_encoder_kind {
    SGM_ENCODER_VIT,      /* SAM, MedSAM */
    SGM_ENCODER_TINY_VIT, /* MobileSAM, LiteMedSAM, models trained here */
    SGM_ENCODER_SAMUS,
    SGM_ENCODER_SAMIHS
} sgm_encoder_kind;

/* How an 8-bit image becomes the encoder's input, and a mask comes back: predict/picture/preprocess.c. */
typedef enum sgm_protocol {
    SGM_PROTOCOL_SAM,         /* longest side, antialiased bilinear, mean and deviation, pad */
    SGM_PROTOCOL_MEDSAM,      /* square, cubic, min-max; sigmoid before the upsampling */
    SGM_PROTOCOL_LITE_MEDSAM, /* longest side, area means, min-max, pad */
    SGM_PROTOCOL_SAMUS,       /* grey, square, antialiased bilinear, / 255 */
    SGM_PROTOCOL_SAMIHS       /* grey, percentiles, square, bilinear, min-max */
} sgm_protocol;

typedef struct sgm_vit_config {
    int embed_dim, depth, heads;
    int patch;              /* side of the patch kernel, pixels */
    int window;             /* side of attention windows, tokens */
    uint64_t global_blocks; /* bit i: block i attends globally */
    int pos_side;           /* side of pos_embed as stored; resized when the grid differs */
    int rel_window;         /* length of rel_pos as stored in windowed blocks */
    int rel_global;         /* and in global ones; resized when they differ from 2 * side - 1 */
} sgm_vit_config;

/* What follows a convolution. MobileSAM has BatchNorm; a network trained here from scratch has
 * none: its blocks have shortcuts instead (resources/train/LABBOOK.md has the reason). */
typedef enum sgm_tiny_norm { SGM_NORM_BATCH, SGM_NORM_LAYER, SGM_NORM_NONE } sgm_tiny_norm;

typedef struct sgm_tiny_vit_config {
    int stem_kernel;    /* of both patch embedding convolutions: 3 or 1 */
    int stem_stride[2]; /* and their strides */
    int dim[4], depth[4], heads[4], window[4];
    int merge_stride[3]; /* of the down-sampling after stages 0, 1, 2 */
    int expand;          /* of MBConv */
    int mlp_ratio;
    sgm_tiny_norm norm;
} sgm_tiny_vit_config;

typedef struct sgm_decoder_config {
    int dim; /* channels of embedding and tokens */
    int heads, depth, mlp_dim;
    int mask_tokens;
    int high_res; /* 1: upsampling also sees the encoder's features of stride 2 and 4 (as in SAM 2)
                   */
} sgm_decoder_config;

typedef struct sgm_model_config {
    char variant[32];
    sgm_encoder_kind encoder;
    sgm_protocol protocol;
    int image_size; /* side of the encoder's input, pixels */
    int grid;       /* side of the embedding */
    sgm_vit_config vit;
    sgm_tiny_vit_config tiny;
    sgm_decoder_config decoder;
} sgm_model_config;

/* Are the numbers a network that can be built, within sane bounds? SGM_BAD_MODEL says which one is
 * not. Also derives `grid`. Numbers may come from a file, so nothing is taken for granted. */
sgm_status sgm_config_check(sgm_model_config *config);

/* Rows of the embedding, each of `grid` places with decoder.dim channels: grid, and with high_res
 * three times as many after them (models.h). */
int sgm_config_embedding_rows(const sgm_model_config *config);

/* Architectures outside the table of registry.h (models trained here) as text for the metadata:
 * "tiny_vit protocol=sam image=256 dims=48,96,128,192 ...". Both directions; parsing checks. */
sgm_status sgm_config_parse(const char *text, sgm_model_config *config);
void sgm_config_text(const sgm_model_config *config, char text[512]);

#endif
