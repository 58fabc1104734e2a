/* The settings of a study: `key = value` lines (core/settings.h); an unknown key, a key given
 * twice, a value out of range is an error that names file and line. study/README.md has the keys.
 */
#ifndef SEGMODEL_STUDY_STUDY_CONFIG_H
#define SEGMODEL_STUDY_STUDY_CONFIG_H

#include "segmodel/segmodel.h"

#include <stdbool.h>

enum { SGM_STUDY_TEXT = 1024, SGM_STUDY_LIST = 12, SGM_STUDY_MOST_POINTS = 64 };

/* What is an object. */
typedef enum sgm_study_objects {
    SGM_STUDY_COMPONENTS, /* each connected part of a class; each value of a set of instances */
    SGM_STUDY_CLASSES,    /* all of a label value */
    SGM_STUDY_FOREGROUND  /* all that is labelled */
} sgm_study_objects;

typedef enum sgm_study_split {
    SGM_STUDY_VALIDATION,
    SGM_STUDY_TRAINING,
    SGM_STUDY_ALL
} sgm_study_split;

/* Whether a further click comes with the last answer's logits as mask prompt. */
typedef enum sgm_study_feedback {
    SGM_STUDY_FEEDBACK_AUTO, /* unless the network draws its own mask prompt */
    SGM_STUDY_FEEDBACK_LOGITS,
    SGM_STUDY_FEEDBACK_NONE
} sgm_study_feedback;

typedef struct sgm_study_config {
    char path[256];
    char model[SGM_STUDY_TEXT], base[SGM_STUDY_TEXT], data[SGM_STUDY_TEXT];
    char variant[64];
    char sets[SGM_STUDY_TEXT]; /* patterns of data sets' names; "": all */
    uint64_t seed;
    int per_set;                        /* objects of each data set; 0: all */
    int min_area;                       /* pixels */
    int repeats;                        /* random first points per object */
    int split, objects, feedback, zoom; /* of the enums above; sgm_zoom_mode */
    int counts[SGM_STUDY_LIST], count_count;
    double noises[SGM_STUDY_LIST];
    int noise_count;
    int positive, negative;            /* points of the study posneg */
    bool by_set, by_modality, by_size; /* subgroups in the tables */
} sgm_study_config;

/* Settings of a study without a file. */
void sgm_study_config_defaults(sgm_study_config *config);
/* SGM_UNREADABLE names file and line. */
sgm_status sgm_study_config_read(const char *path, sgm_study_config *config);
/* The same from text; `path` stands in messages. */
sgm_status sgm_study_config_parse(const char *text, const char *path, sgm_study_config *config);

#endif
