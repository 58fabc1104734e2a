#include "train/train_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomic_file.h"
#include "core/files.h"
#include "core/number.h"

#define HEADER                                                                                     \
    "step,seconds,rate,loss,norm,point,box,several,corrected,ellipse,aside_point,aside_box,"       \
    "aside_several,aside_corrected,aside_ellipse,neighbour,loose,growth,ended_seen\n"

sgm_status sgm_train_log_add(sgm_train_log *log, const sgm_log_row *row)
{
    if (log->count == log->capacity) {
        size_t capacity = log->capacity ? 2 * log->capacity : 256;
        sgm_log_row *grown = realloc(log->rows, capacity * sizeof *grown);
        if (!grown) return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory", log->path);
        log->rows = grown;
        log->capacity = capacity;
    }
    log->rows[log->count++] = *row;
    return SGM_OK;
}

/* Five numbers or nothing at all. */
static const char *read_validation(const char *at, sgm_validation *v)
{
    double *const to[] = {&v->dice[0], &v->dice[1], &v->dice[2], &v->dice[3], &v->ellipse};
    for (int i = 0; i < 5; i++) {
        at += *at == ',';
        if (sgm_take_number(&at, to[i])) v->samples = 1;
    }
    return at;
}

static void read_walks(const char *at, sgm_validation *v)
{
    double *const to[] = {&v->dice[4], &v->dice[5], &v->growth, &v->ended_seen};
    for (int i = 0; i < 4 && *at == ','; i++) {
        at++;
        sgm_take_number(&at, to[i]);
    }
}

static bool read_row(const char *line, sgm_log_row *row)
{
    int used = 0;
    memset(row, 0, sizeof *row);
    if (sscanf(line, "%" SCNd64 "%n", &row->step, &used) != 1) return false;
    double *const to[] = {&row->seconds, &row->rate, &row->loss, &row->norm};
    const char *at = line + used;
    for (int i = 0; i < 4; i++)
        if (*at++ != ',' || !sgm_take_number(&at, to[i])) return false;
    read_walks(read_validation(read_validation(at, &row->split), &row->held_out), &row->split);
    row->validated = row->split.samples || row->held_out.samples;
    return true;
}

sgm_status sgm_train_log_open(const char *path, int64_t step, sgm_train_log *log)
{
    char line[512];
    sgm_log_row row;
    memset(log, 0, sizeof *log);
    log->path = strdup(path);
    if (!log->path) return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory", path);
    FILE *stream = step > 0 ? sgm_fopen(path, "r") : NULL;
    sgm_status status = SGM_OK;
    while (stream && status == SGM_OK && fgets(line, sizeof line, stream))
        if (read_row(line, &row) && row.step <= step) status = sgm_train_log_add(log, &row);
    if (stream) fclose(stream);
    return status;
}

static void print_number(FILE *out, const char *format, double value)
{
    char text[SGM_NUMBER_TEXT];
    fprintf(out, ",%s", sgm_number_text(text, format, value));
}

static void print_validation(FILE *out, const sgm_validation *v)
{
    if (!v->samples) {
        fputs(",,,,,", out);
        return;
    }
    for (int r = 0; r < SGM_NEIGHBOUR_ROUND; r++)
        print_number(out, "%.5f", v->dice[r]);
    print_number(out, "%.5f", v->ellipse);
}

static void print_walks(FILE *out, const sgm_validation *v)
{
    if (!v->samples) {
        fputs(",,,,", out);
        return;
    }
    print_number(out, "%.5f", v->dice[4]);
    print_number(out, "%.5f", v->dice[5]);
    print_number(out, "%.5f", v->growth);
    print_number(out, "%.5f", v->ended_seen);
}

sgm_status sgm_train_log_save(const sgm_train_log *log)
{
    sgm_atomic_file file;
    SGM_TRY(sgm_atomic_file_create(log->path, &file));
    fputs(HEADER, file.stream);
    for (size_t i = 0; i < log->count; i++) {
        const sgm_log_row *r = &log->rows[i];
        fprintf(file.stream, "%" PRId64, r->step);
        print_number(file.stream, "%.1f", r->seconds);
        print_number(file.stream, "%.6g", r->rate);
        print_number(file.stream, "%.6g", r->loss);
        print_number(file.stream, "%.4g", r->norm);
        print_validation(file.stream, &r->split);
        print_validation(file.stream, &r->held_out);
        print_walks(file.stream, &r->split);
        fputc('\n', file.stream);
    }
    return sgm_atomic_file_commit(&file);
}

void sgm_train_log_clear(sgm_train_log *log)
{
    free(log->path);
    free(log->rows);
    memset(log, 0, sizeof *log);
}
