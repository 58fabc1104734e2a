/* A graph with gradients: forward in order, backward in reverse, all in one block of memory.
 *
 * The gradient rule of an op is its backend's `backward`; this file only decides which are needed,
 * in which order, where gradients live, and whether a contribution overwrites or adds. Values stay
 * alive for as long as some backward rule reads them. Nothing is folded: parameters change from
 * step to step. Activations and sums are computed by the layers before them where the backend can,
 * with the same bits (train_fuse.c). */
#ifndef SEGMODEL_PLAN_TRAIN_PLAN_H
#define SEGMODEL_PLAN_TRAIN_PLAN_H

#include "backend/backend.h"
#include "plan/plan.h"

/* The parameters of a training run, by name: FP32 values and, where trainable, gradients, on the
 * device. Shared by the plans of one run (the encoder with the decoder, the decoder alone).
 * One thread at a time. */
typedef struct sgm_params sgm_params;

typedef struct sgm_parameter {
    char *name;
    sgm_shape shape;
    int64_t count;
    float *value; /* device memory; plans look at the pointer in every run */
    void *bf16;   /* copy of value in device memory that BF16 products read, or NULL */
    float *grad;  /* device memory, sums up until sgm_params_clear_grads; NULL: frozen */
    bool used;    /* read by a plan's loss: `grad` receives something */
} sgm_parameter;

/* Says whether a parameter is to be trained; NULL trains all. */
typedef bool (*sgm_trainable_fn)(void *user, const char *name);

/* Parameters are read (read, read_user as in plan.h) when a plan first needs them. */
sgm_status sgm_params_create(sgm_backend *backend, sgm_weights_read_fn read, void *read_user,
                             sgm_trainable_fn trainable, void *trainable_user, sgm_params **out);
void sgm_params_destroy(sgm_params *params);
/* In order of first use; the pointers stay valid until destroy. */
int sgm_params_count(const sgm_params *params);
sgm_parameter *sgm_params_get(sgm_params *params, int index);
sgm_parameter *sgm_params_find(sgm_params *params, const char *name);
sgm_status sgm_params_clear_grads(sgm_params *params);
/* Makes the BF16 copies again, after values were changed by anything but the optimiser. */
sgm_status sgm_params_refresh_bf16(sgm_params *params);

typedef struct sgm_train_plan sgm_train_plan;

/* loss: a scalar node, or NULL for a plan that only runs forward. outputs: nodes that can be read
 * after a run besides the loss. bf16: multiply in BF16 (values, sums and gradients stay FP32).
 * The graph must outlive the plan. */
sgm_status sgm_train_plan_create(const sgm_graph *graph, sgm_params *params, sgm_node *loss,
                                 int output_count, sgm_node *const outputs[], bool bf16,
                                 sgm_train_plan **out);
/* Working memory of several plans of which one runs after the other: as much as the largest needs.
 * Zero-initialise, clear after the plans. A plan's inputs are then to be set before every run. */
typedef struct sgm_train_memory {
    void *data;
    size_t bytes;
} sgm_train_memory;
void sgm_train_memory_clear(sgm_train_memory *memory, sgm_backend *backend);

/* The same for a part of a network: `inputs` are F32 inputs of the graph whose gradients are wanted
 * as well (sgm_train_plan_gradient), so that another plan can carry them on. */
typedef struct sgm_train_request {
    sgm_node *loss;
    int output_count;
    sgm_node *const *outputs;
    int input_count;
    sgm_node *const *inputs;
    int late_count;
    sgm_node *const *late; /* inputs that are set anew after a run: sgm_train_plan_forward_late */
    bool bf16;
    sgm_train_memory *shared; /* borrowed; NULL: memory of its own */
} sgm_train_request;
sgm_status sgm_train_plan_make(const sgm_graph *graph, sgm_params *params,
                               const sgm_train_request *request, sgm_train_plan **out);
void sgm_train_plan_destroy(sgm_train_plan *plan);
size_t sgm_train_plan_bytes(const sgm_train_plan *plan);

/* Host values of an input (F32, or I32 for indices); they stay until set again. Returns when the
 * values have been read, on a GPU before they have arrived. */
sgm_status sgm_train_plan_set(sgm_train_plan *plan, const sgm_node *input, const void *values);
/* Forward only. */
sgm_status sgm_train_plan_forward(sgm_train_plan *plan);
/* Forward only, of what depends on the request's late inputs; all else is as the last run forward
 * left it, and has to be: the same parameters and other inputs, no run backward in between. */
sgm_status sgm_train_plan_forward_late(sgm_train_plan *plan);
/* Forward and backward; adds grad_scale * d loss / d parameter to the gradients. */
sgm_status sgm_train_plan_step(sgm_train_plan *plan, float grad_scale);
/* The same without waiting for it: errors of the device show in a later call. */
sgm_status sgm_train_plan_submit(sgm_train_plan *plan, float grad_scale);
/* The same after sgm_train_plan_forward_late instead of a whole run forward. */
sgm_status sgm_train_plan_submit_late(sgm_train_plan *plan, float grad_scale);
/* The backward half alone, of the last sgm_train_plan_forward: inputs that only the loss reads may
 * have been set since. */
sgm_status sgm_train_plan_backward(sgm_train_plan *plan, float grad_scale);
/* grad_scale * d loss / d input of the last run, of an input that was asked for. */
sgm_status sgm_train_plan_gradient(sgm_train_plan *plan, const sgm_node *input, float *values);
/* An output or the loss, as F32. */
sgm_status sgm_train_plan_get(sgm_train_plan *plan, const sgm_node *node, float *values);
/* Device memory of an output, e.g. to hand one plan's output to another plan's input. */
void *sgm_train_plan_memory(sgm_train_plan *plan, const sgm_node *node);
/* Takes the time of every step from the next run on; each is waited for, so runs are slower. */
void sgm_train_plan_time(sgm_train_plan *plan, bool on);
/* The slowest steps of the last timed run, and all by op. malloc'ed text; NULL: nothing was timed.
 */
enum { SGM_PROFILE_STEPS = 40 };
char *sgm_train_plan_profile(const sgm_train_plan *plan);

#endif
