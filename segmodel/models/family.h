/* A family of networks is one row: what it is called, how it is told from its tensors, its numbers,
 * and the functions that emit its stages. Nothing outside a family's own files asks for its name:
 * README.md, "How to add a family". */
#ifndef SEGMODEL_MODELS_FAMILY_H
#define SEGMODEL_MODELS_FAMILY_H

#include "checkpoint/checkpoint.h"
#include "models/models.h"

/* A network of the family by name. `fill` sets family, protocol and every number. */
typedef struct sgm_variant {
    const char *name, *description;
    void (*fill)(sgm_model_config *config);
} sgm_variant;

/* A number of the network in an architecture's text: "key=value" (config.h). */
typedef struct sgm_field {
    const char *key;
    int *value; /* `count` of them, comma-separated */
    int count;
    const char *const *words; /* not NULL: the value is an index into these, NULL at the end */
    uint64_t *bits;           /* not NULL: a set of numbers below 64, instead of `value`; with
                                 words, a set of these */
} sgm_field;

enum { SGM_MAX_FIELDS = 24, SGM_MAX_FEATURES = 8 };

/* What the encoder emits of a picture: [rows, columns, channels]. */
typedef struct sgm_feature {
    const char *name;
    int64_t rows, columns, channels;
} sgm_feature;

/* A family whose own file lies on another network's: it holds what was trained alone. */
typedef struct sgm_overlay {
    const char *mark; /* a tensor of such a file, by the name it has there */
    const char *with; /* not NULL: another one, without which it is some other network's file */
    const char *base; /* what must lie beneath it, in words; for `wide` of another width than the
                         variant's, the SAM of that width is named instead */
    const char *wide; /* not NULL: a tensor of such a file that is as wide as the base's tokens */
    int wide_axis;
    const char *names; /* prefixes of names that are changed, "from=to,from=to"; NULL: none */
} sgm_overlay;

struct sgm_family {
    const char *name;            /* first word of an architecture's text */
    const sgm_variant *variants; /* {NULL} at the end */

    /* How it is told. `mark` is the name of a tensor that the family has and plainer ones lack: the
     * list of families is asked from its end. What is before it in a file is taken off all names
     * (prefix.h). detect: the variant, which may set an assumption, a
     * sentence about what was taken for granted; NULL: the only variant. assume: the same where
     * the variant is known; may be NULL. unsaid: keys of numbers that tensors do not say, separated
     * by commas; may be NULL. refuse: SGM_BAD_MODEL for
     * a file that has the mark and is another network's, asked where no variant is given; may be
     * NULL. adopt: numbers that follow from the tensors' shapes; may be NULL. */
    const char *mark, *other_mark; /* the latter where two layouts of files exist; may be NULL */
    sgm_status (*refuse)(const sgm_checkpoint *file);
    const char *(*detect)(const sgm_checkpoint *file, char assumption[256]);
    void (*assume)(const sgm_checkpoint *file, char assumption[256]);
    const char *unsaid;
    void (*adopt)(const sgm_checkpoint *file, sgm_model_config *config);
    const sgm_overlay *overlay; /* NULL: its files are whole */
    /* What official files carry and the network does not use: patterns with '*', separated by
     * commas; NULL: nothing. */
    const char *unused;

    /* Numbers of its own in an architecture's text; returns how many. */
    int (*fields)(sgm_model_config *config, sgm_field *fields);
    /* SGM_BAD_MODEL names what cannot be; sets config->grid. */
    sgm_status (*check)(sgm_model_config *config);

    /* What encode emits, in order; the first is the embedding, [grid, grid, ..]. Returns how many.
     * NULL: SAM's embedding alone. */
    int (*features)(const sgm_model_config *config, sgm_feature *features);
    sgm_features (*encode)(const sgm_net *net, const sgm_model_config *config, sgm_node *image);
    sgm_prompt_embedding (*prompt)(const sgm_net *net, const sgm_model_config *config,
                                   const sgm_prompt_input *input, const sgm_features *features);
    sgm_decoder_output (*decode)(const sgm_net *net, const sgm_model_config *config,
                                 const sgm_features *features, const sgm_prompt_embedding *prompt,
                                 int64_t batch);

    /* How it is trained. `trained`: patterns of the tensors that its authors train; NULL: all.
     * `zero`: patterns of new tensors that begin as zero, so that a fresh network is the one it was
     * made from; NULL: none. */
    const char *trained, *zero;
    /* Tensors whose size the family changes, and which its loader therefore makes anew; NULL: none.
     */
    const char *remade;
    /* New tensors [N, ..] that begin as N copies of a row of the base's, "name=source" separated by
     * commas; NULL: none. */
    const char *copied;
};

/* All rows, NULL at the end: the list is family_list.h. */
extern const sgm_family *const sgm_families[];

/* Of any family, embedding first; `features` holds SGM_MAX_FEATURES. */
int sgm_config_features(const sgm_model_config *config, sgm_feature *features);

#endif
