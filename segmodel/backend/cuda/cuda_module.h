/* Where the library and its CUDA module meet. The module (libsegmodel_cuda.so) is loaded at run
 * time, so that one build of segmodel runs with and without a driver; it links to nothing of
 * segmodel and gets what it needs of it in a table. Plain C: no CUDA type. */
#ifndef SEGMODEL_BACKEND_CUDA_CUDA_MODULE_H
#define SEGMODEL_BACKEND_CUDA_CUDA_MODULE_H

#include "backend/backend.h"

/* What the module asks of the library. `version` and `step_size` tell a module of another build. */
typedef struct sgm_cuda_host {
    int version;
    size_t step_size; /* sizeof(sgm_step) */
    void (*set_message)(const char *message);
    const char *(*op_name)(sgm_op op);
    /* graph/loss.h */
    sgm_status (*loss_check)(int kind, const float value[4], int count, const sgm_shape shapes[]);
} sgm_cuda_host;

#define SGM_CUDA_MODULE_VERSION 3

/* The one symbol of the module: a backend on GPU `index`. `host` must stay valid. SGM_DEVICE with a
 * sentence when there is no such GPU or it cannot be used. */
#define SGM_CUDA_MODULE_SYMBOL "sgm_cuda_module_create"
typedef sgm_status (*sgm_cuda_module_create_fn)(const sgm_cuda_host *host, int index,
                                                sgm_backend **out);

/* The library's table (cuda_host.c). */
const sgm_cuda_host *sgm_cuda_host_services(void);

#endif
