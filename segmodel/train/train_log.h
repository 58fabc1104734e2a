/* OUT/log.csv: one row per report or validation; and its picture. */
#ifndef SEGMODEL_TRAIN_TRAIN_LOG_H
#define SEGMODEL_TRAIN_TRAIN_LOG_H

#include "train/validate.h"

typedef struct sgm_log_row {
    int64_t step;
    double seconds, rate, loss, norm;
    bool validated;
    sgm_validation split, held_out; /* samples == 0: not there */
} sgm_log_row;

typedef struct sgm_train_log {
    char *path;
    sgm_log_row *rows;
    size_t count, capacity;
} sgm_train_log;

/* Reads the rows up to `step` of an earlier part of the run; a missing file is an empty log. */
sgm_status sgm_train_log_open(const char *path, int64_t step, sgm_train_log *log);
sgm_status sgm_train_log_add(sgm_train_log *log, const sgm_log_row *row);
/* Writes the table anew (atomic, it is small). */
sgm_status sgm_train_log_save(const sgm_train_log *log);
/* Loss on the left; Dice of one point, box and ellipse on the right. */
sgm_status sgm_train_log_plot(const sgm_train_log *log, const char *path);
void sgm_train_log_clear(sgm_train_log *log);

#endif
