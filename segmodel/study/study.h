/* Studies: how a network's answers depend on how it is asked. Each asks about the same objects
 * under several conditions, and compares them with intervals. README.md says what each study does.
 */
#ifndef SEGMODEL_STUDY_STUDY_H
#define SEGMODEL_STUDY_STUDY_H

#include "study/asker.h"

enum { SGM_STUDY_MOST_CONDITIONS = 4 * SGM_STUDY_LIST };

/* One way of asking. */
typedef struct sgm_study_condition {
    char name[48];
    const char *series; /* line of the plot; static storage */
    double x;           /* its place along that line */
    int against;        /* condition that it is compared with, pair by pair; -1: none */
} sgm_study_condition;

typedef struct sgm_study_kind {
    const char *name, *about;
    const char *axis; /* of the plot, upper case */
    bool is_random;   /* `repeats` first points mean something */
    int (*conditions)(const sgm_study_config *config, sgm_study_condition *out);
    /* One object: a score for each condition. The key is the object's and the repeat's own. */
    sgm_status (*examine)(sgm_asker *asker, const sgm_study_config *config, uint64_t key,
                          sgm_study_score *scores);
} sgm_study_kind;

/* Ends with a row without a name. */
extern const sgm_study_kind sgm_study_kinds[];
const sgm_study_kind *sgm_study_find(const char *name); /* NULL: there is none */

/* One object and repeat. */
typedef struct sgm_study_row {
    int set, item, object; /* number of the object in its picture, from 1 */
    int repeat;
    int area; /* pixels */
    int unit; /* rows of one unit (picture, or volume) are drawn together */
    sgm_study_score scores[SGM_STUDY_MOST_CONDITIONS];
} sgm_study_row;

typedef struct sgm_study {
    const sgm_study_kind *kind;
    const sgm_pack *pack; /* borrowed */
    sgm_study_config config;
    sgm_study_condition conditions[SGM_STUDY_MOST_CONDITIONS];
    int condition_count;
    sgm_study_row *rows;
    int count;
} sgm_study;

typedef void (*sgm_study_progress_fn)(void *user, int done, int all);

/* Asks about every object. SGM_UNREADABLE when the pack holds none that is wanted. */
sgm_status sgm_study_run(const sgm_study_kind *kind, sgm_model *model, const sgm_pack *pack,
                         const sgm_study_config *config, sgm_study_progress_fn progress, void *user,
                         sgm_study *out);
void sgm_study_clear(sgm_study *study);

/* What a table has a block of lines for. */
typedef struct sgm_study_group {
    const char *kind; /* "all", "set", "modality", "size" */
    char name[64];
    bool *has; /* of each row of the study; owned */
    int rows, units;
} sgm_study_group;

typedef struct sgm_study_groups {
    sgm_study_group *items;
    size_t count;
} sgm_study_groups;

/* All rows, then the subgroups that the settings ask for, in the order of the pack. */
sgm_status sgm_study_groups_make(const sgm_study *study, sgm_study_groups *out);
void sgm_study_groups_clear(sgm_study_groups *groups);

/* A mean with its interval (segmodel/metrics.h), which one unit alone does not have: NaN. */
typedef struct sgm_study_cell {
    double mean, low, high;
} sgm_study_cell;

typedef enum sgm_study_measure { SGM_STUDY_DICE, SGM_STUDY_IOU } sgm_study_measure;

/* Of a condition, or of the differences to the one that it is compared with (`paired`; NaN when
 * there is none). */
sgm_status sgm_study_cell_make(const sgm_study *study, const sgm_study_group *group, int condition,
                               sgm_study_measure measure, bool paired, sgm_study_cell *out);

/* One line per object, repeat and condition; one per group and condition; the same for readers; a
 * picture of the means over all objects. Each file appears whole or not at all. */
sgm_status sgm_study_write_rows(const sgm_study *study, const char *path);
sgm_status sgm_study_write_table(const sgm_study *study, const sgm_study_groups *groups,
                                 const char *path);
sgm_status sgm_study_write_markdown(const sgm_study *study, const sgm_study_groups *groups,
                                    const char *path);
sgm_status sgm_study_write_plot(const sgm_study *study, const sgm_study_groups *groups,
                                const char *path);

#endif
