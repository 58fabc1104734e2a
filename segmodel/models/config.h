/* What distinguishes one network of the family from another, in numbers. */
#ifndef SEGMODEL_MODELS_CONFIG_H
#define SEGMODEL_MODELS_CONFIG_H

#include "models/protocol.h"

typedef struct sgm_family sgm_family; /* family.h */

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
    const sgm_family *family;
    const sgm_protocol *protocol;
    int image_size; /* side of the encoder's input, pixels */
    int grid;       /* side of the embedding */
    sgm_vit_config vit;
    sgm_tiny_vit_config tiny;
    sgm_decoder_config decoder;
    int classes;      /* it is prompted by a class of that many; 0: by places */
    int own[8];       /* numbers of families that the structs above do not serve */
    uint64_t without; /* bit i: part i of the family's list is left out (ablations) */
} sgm_model_config;

/* Are the numbers a network that can be built, within sane bounds? SGM_BAD_MODEL says which one is
 * not. Also derives `grid`, and which of SAM's two protocols it is. Numbers may come from a file,
 * so nothing is taken for granted. */
sgm_status sgm_config_check(sgm_model_config *config);

/* For checks: SGM_BAD_MODEL that says `key` cannot be `value`; and only if it is not in
 * [low, high]. */
sgm_status sgm_config_refuse(const char *key, int value);
sgm_status sgm_config_within(const char *key, int value, int low, int high);

/* Whether it is prompted by places (points, boxes, masks): not by classes, and not by nothing. */
bool sgm_config_listens(const sgm_model_config *config);

/* Floats of all features of a picture together (family.h). */
size_t sgm_config_embedding_count(const sgm_model_config *config);

/* Leaves parts of the network out: names from the family's list, separated by commas. SGM_BAD_MODEL
 * says which there are. */
sgm_status sgm_config_leave_out(sgm_model_config *config, const char *names);

/* Changes what the tensors do not say, "small=256": a number that the family lists so, or the
 * protocol to its other form. SGM_INVALID_ARGUMENT says what there is. */
sgm_status sgm_config_set(sgm_model_config *config, const char *word);

/* Whether two networks of a family differ in what sgm_config_set sets; then the first such word of
 * each, as "image=512". Of protocols only a network's two forms are compared. */
bool sgm_config_differs(const sgm_model_config *a, const sgm_model_config *b, char of_a[64],
                        char of_b[64]);

/* How many names a list of them has, commas between. */
int sgm_count_class_names(const char *names);

/* Names of the network's classes, from 1, separated by commas, into `out` without the blanks around
 * them. SGM_INVALID_ARGUMENT begins with `key`: another number of names than of classes, or an
 * empty one, or no room. */
sgm_status sgm_config_class_names(const sgm_model_config *config, const char *key,
                                  const char *names, char *out, size_t size);

/* Architectures outside the table of registry.h (models trained here) as text for the metadata:
 * "tiny_vit protocol=sam image=256 dims=48,96,128,192 ...". Both directions; parsing checks. */
sgm_status sgm_config_parse(const char *text, sgm_model_config *config);
void sgm_config_text(const sgm_model_config *config, char text[512]);

#endif
