/* Parts of `segmodel bench MODEL`. Every precision runs in a process of its own, so that its peak
 * memory is its own, and so does the reference that results are compared with before any time is
 * taken. */
#ifndef SEGMODEL_TOOL_BENCH_MODEL_H
#define SEGMODEL_TOOL_BENCH_MODEL_H

#include "core/cpu_features.h"
#include "models/family.h"
#include "segmodel/segmodel.h"

#include <stdbool.h>

enum {
    BENCH_MAX_RUNS = 64,
    BENCH_MAX_BATCHES = 4,
    BENCH_SIDE = 1024,  /* of the pictures, pixels */
    BENCH_PICTURES = 2, /* different ones, so that a batch that mixes them up is noticed */
    BENCH_ROOM = 2 << 20
};

/* Made by one process, read by others: lies in shared memory. */
typedef struct bench_reference {
    bool on_cpu;   /* what is measured runs on the CPU */
    bool has_bf16; /* what is measured can run in BF16 */
    int pictures;
    char kernels[64]; /* of the reference */
    size_t embedding_count, logits_count;
    float embedding[BENCH_PICTURES][BENCH_ROOM]; /* [dim, grid, grid] */
    float logits[BENCH_PICTURES][BENCH_ROOM];    /* [mask tokens, 4 grid, 4 grid] */
} bench_reference;

typedef struct bench {
    const char *path, *variant, *paced;
    sgm_context_options options;
    int repeat; /* 0: 5 on the CPU, 20 on a GPU */
    int batches[BENCH_MAX_BATCHES], batch_count;
    int rate_side; /* of the GPU's matrix products; 0: as matrix_rate.h says */
    bool profile, load_only;
    bench_reference *reference;
} bench;

/* One precision on an open model, from checks to the printed lines. */
sgm_status bench_network(const bench *b, sgm_model *model);
sgm_status bench_session(const bench *b, sgm_model *model);

/* The kernels that those of `isa` are checked against: others, unless these are the plainest. */
sgm_isa bench_other_isa(sgm_isa isa);

/* Fills the reference: FP32 on the CPU, and where the CPU itself is measured, by the kernels of
 * another instruction set if there is one besides. */
sgm_status bench_make_reference(const bench *b);
/* Compare with picture number `picture`; SGM_INTERNAL when they differ too much or are no numbers.
 * A feature's `values` are [rows, columns, channels] and begin at `first` in the reference;
 * `logits` as above. *error receives the normalised RMS error. */
sgm_status bench_check_feature(const bench *b, int picture, size_t first,
                               const sgm_feature *feature, const float *values, bool bf16,
                               double *error);
sgm_status bench_check_logits(const bench *b, int picture, const float *logits, bool bf16,
                              double *error);

/* BENCH_SIDE squared RGB pixels of picture number `picture`, malloc'ed. */
uint8_t *bench_picture(int picture);
/* The one prompt of the benchmark. */
sgm_status bench_predict(sgm_session *session, bool want_logits, sgm_mask *mask);

/* Lines of the report. */
void bench_line(const char *name, double value, const char *unit);
void bench_time_line(const char *name, double seconds);
void bench_rate_line(const char *name, double flops_per_second);
/* Sorts. */
double bench_median(double *values, int count);

#endif
