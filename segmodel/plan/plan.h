/* A plan: the memory and the order in which a graph's outputs are computed.
 *
 * Making a plan prunes what the outputs do not need, computes constants once, fuses activations and
 * residuals into the layer before, chooses where values are stored as BF16, packs weights, and lays
 * all values into one block of memory. Running it allocates nothing.
 *
 * Inference plans are immutable and may be shared by threads, each with a workspace of its own. */
#ifndef SEGMODEL_PLAN_PLAN_H
#define SEGMODEL_PLAN_PLAN_H

#include "backend/backend.h"
#include "graph/graph.h"

/* Where weights come from and where what is derived from them is kept. One per model: plans of the
 * same model share packed weights and folded constants by their structural key. Thread safe. */
typedef struct sgm_weights sgm_weights;

/* Gives the F32 values of a parameter (host memory). `*owned` says whether the caller must free()
 * them (converted), or only borrows (mapped). */
typedef sgm_status (*sgm_weights_read_fn)(void *user, const char *name, sgm_shape shape,
                                          const float **values, bool *owned);

sgm_status sgm_weights_create(sgm_backend *backend, sgm_weights_read_fn read, void *user,
                              sgm_weights **out);
void sgm_weights_destroy(sgm_weights *weights);
/* Device bytes held for weights and their packed forms. */
size_t sgm_weights_bytes(const sgm_weights *weights);

typedef struct sgm_plan sgm_plan;
typedef struct sgm_workspace sgm_workspace;

typedef struct sgm_plan_options {
    bool bf16;           /* store and multiply in BF16 where the backend can */
    bool inputs_once;    /* inputs are set before every run: their memory is used again */
    size_t memory_limit; /* bytes for the workspace; 0: none */
    sgm_status (*cancelled)(void *); /* asked between steps; may be NULL */
    void *cancel_user;
} sgm_plan_options;

/* The graph must outlive the plan. Fails with the graph's own error if it has one. */
sgm_status sgm_plan_create(const sgm_graph *graph, sgm_weights *weights, int output_count,
                           sgm_node *const outputs[], const sgm_plan_options *options,
                           sgm_plan **out);
void sgm_plan_destroy(sgm_plan *plan);
size_t sgm_plan_workspace_bytes(const sgm_plan *plan);
/* One line per step: op, shapes, storage types, fused parts, memory offset. malloc'ed. */
char *sgm_plan_dump(const sgm_plan *plan);

sgm_status sgm_workspace_create(const sgm_plan *plan, sgm_workspace **out);
/* In the caller's memory, the backend's: at least sgm_plan_workspace_bytes. Workspaces that are
 * used one after the other may share it: what one has computed is there until another one runs. */
sgm_status sgm_workspace_create_in(const sgm_plan *plan, void *memory, sgm_workspace **out);
void sgm_workspace_destroy(sgm_workspace *workspace);

/* Copies an input's values from host memory (F32, or I32 for index inputs). */
sgm_status sgm_workspace_set(sgm_workspace *workspace, const sgm_node *input, const void *values);
/* The same without a copy, for a backend of host memory: the values stay the caller's, and as they
 * are until they are set or lent anew. F32, 64-byte aligned. */
sgm_status sgm_workspace_lend(sgm_workspace *workspace, const sgm_node *input, const void *values);
/* Computes all outputs. Where the backend can record, the second run of a workspace is recorded and
 * later ones replay it: the plan, its weights and the workspace's memory never change. */
sgm_status sgm_plan_run(const sgm_plan *plan, sgm_workspace *workspace);
/* The same without waiting; errors of the device may show in a later call. */
sgm_status sgm_plan_submit(const sgm_plan *plan, sgm_workspace *workspace);
/* Device memory of an input or a computed output, for copies on the device; NULL for an input that
 * no output needs. */
void *sgm_workspace_memory(const sgm_workspace *workspace, const sgm_node *node);
/* Copies an output as F32 into host memory. */
sgm_status sgm_workspace_get(sgm_workspace *workspace, const sgm_node *output, float *values);
/* Seconds per step of the last run, when timing was switched on; for `bench --profile`. */
void sgm_workspace_time(sgm_workspace *workspace, bool on);
char *sgm_workspace_profile(const sgm_workspace *workspace);

#endif
