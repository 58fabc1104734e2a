#include "hash_model.h"

#include "checkpoint/checkpoint_write.h"
#include "core/status.h"
#include "hash_weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct weight {
    struct weight *next;
    char name[256], hashed[256];
    hash_rule rule;
} weight;

typedef struct {
    sgm_checkpoint_writer *writer;
    sgm_stored_type type;
    weight *weights; /* what the writer's sources refer to */
} maker;

static sgm_status make_values(void *user, size_t first, size_t count, float *out)
{
    const weight *w = user;
    hash_fill(w->hashed, w->rule, first, count, out);
    return SGM_OK;
}

/* "3,4" or "-"; the rank, or -1. */
static int parse_shape(const char *text, int64_t shape[SGM_STORED_MAX_RANK])
{
    int rank = 0;
    if (strcmp(text, "-") == 0) return 0;
    while (rank < SGM_STORED_MAX_RANK) {
        char *end;
        shape[rank++] = strtoll(text, &end, 10);
        if (end == text) return -1;
        if (*end == 0) return rank;
        text = end + 1;
    }
    return -1;
}

static sgm_status add_counter(maker *m, const char *name)
{
    static const int64_t zero = 0;
    return sgm_checkpoint_writer_add_raw(m->writer, name, SGM_STORED_I64, 0, NULL, &zero);
}

static sgm_status add_line(maker *m, const char *line)
{
    char type[8], dims[128];
    int64_t shape[SGM_STORED_MAX_RANK];
    weight *w = calloc(1, sizeof *w);
    if (!w) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory");
    w->next = m->weights;
    m->weights = w;
    int fields = sscanf(line, "%255s %7s %127s %255s", w->name, type, dims, w->hashed);
    int rank = fields >= 3 ? parse_shape(dims, shape) : -1;
    if (rank < 0) return sgm_fail(SGM_BAD_MODEL, "not a line of a manifest: %s", line);
    if (strcmp(type, "I64") == 0) return add_counter(m, w->name);
    if (fields == 3) memcpy(w->hashed, w->name, sizeof w->hashed);
    w->rule = hash_rule_for(w->hashed, rank, shape);
    return sgm_checkpoint_writer_add_source(m->writer, w->name, rank, shape, make_values, w,
                                            m->type);
}

static sgm_status add_lines(maker *m, const char *manifest)
{
    char line[1024];
    sgm_status status = SGM_OK;
    FILE *file = fopen(manifest, "r");
    if (!file) return sgm_fail(SGM_BAD_MODEL, "%s: cannot be opened", manifest);
    while (status == SGM_OK && fgets(line, sizeof line, file))
        status = add_line(m, line);
    fclose(file);
    return status;
}

sgm_status hash_model_write(const char *manifest, const char *path, sgm_stored_type type,
                            const char *key, const char *value)
{
    maker m = {.type = type};
    sgm_status status = sgm_checkpoint_writer_create(&m.writer);
    if (status == SGM_OK) status = add_lines(&m, manifest);
    if (status == SGM_OK && key) status = sgm_checkpoint_writer_metadata(m.writer, key, value);
    if (status == SGM_OK) status = sgm_checkpoint_writer_save(m.writer, path);
    sgm_checkpoint_writer_destroy(m.writer);
    while (m.weights) {
        weight *next = m.weights->next;
        free(m.weights);
        m.weights = next;
    }
    return status;
}
