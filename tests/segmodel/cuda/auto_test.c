/* --device auto where the GPU is too small and two threads load models on one context: both compute
 * on the CPU, and the GPU is given back once. A device of this test stands for the GPU: the CPU's
 * backend under another name, without memory. */
#include "check.h"

#include "backend/backend.h"
#include "backend/context.h"
#include "core/clock.h"

#include <pthread.h>
#include <stdatomic.h>

static sgm_backend_ops ops;
static void (*destroy)(sgm_backend *backend);
static atomic_int asking, made, destroyed;
static int threads; /* that load */
static const char *weights;

/* No memory, once all threads have asked: each has found out that the GPU is too small before one
 * of them leaves it. */
static void *no_memory(sgm_backend *backend, size_t size)
{
    double start = sgm_clock();
    (void)backend, (void)size;
    atomic_fetch_add(&asking, 1);
    while (atomic_load(&asking) < threads && sgm_clock() - start < 20)
        ;
    return NULL;
}

static void count_destroyed(sgm_backend *backend)
{
    atomic_fetch_add(&destroyed, 1);
    destroy(backend);
}

/* Taken before the library's own, the loader of the CUDA module. */
sgm_status sgm_cuda_create(int index, sgm_backend **out)
{
    (void)index;
    SGM_TRY(sgm_cpu_create(1, out));
    ops = *(*out)->ops;
    destroy = ops.destroy;
    ops.name = "cuda";
    ops.host_memory = false;
    ops.alloc = no_memory;
    ops.destroy = count_destroyed;
    (*out)->ops = &ops;
    atomic_fetch_add(&made, 1);
    return SGM_OK;
}

static void *load(void *context)
{
    sgm_model *model = NULL;
    const char *before = sgm_context_device(context);
    CHECK_OK(sgm_model_load(context, weights, "sam_vit", &model));
    CHECK(!strncmp(before, "cuda", 4)); /* stays as it was */
    CHECK(!strncmp(sgm_context_device(context), "cpu", 3));
    return model;
}

static void check_threads(int count)
{
    enum { MOST = 4 };
    pthread_t thread[MOST];
    void *model[MOST];
    sgm_context *context;
    sgm_context_options options = {
        .size = sizeof options, .threads = 1, .precision = SGM_PRECISION_FP32};
    atomic_store(&asking, 0);
    atomic_store(&made, 0);
    atomic_store(&destroyed, 0);
    threads = count;
    if (!CHECK_OK(sgm_context_create(&options, &context))) return;
    for (int i = 0; i < count; i++)
        CHECK(!pthread_create(&thread[i], NULL, load, context));
    for (int i = 0; i < count; i++)
        CHECK(!pthread_join(thread[i], &model[i]));
    CHECK(atomic_load(&asking) >= count);
    for (int i = 0; i < count; i++)
        sgm_model_destroy(model[i]);
    CHECK(atomic_load(&destroyed) == 0);
    sgm_context_destroy(context);
    CHECK(atomic_load(&made) == 1 && atomic_load(&destroyed) == 1);
}

int main(int count, char **arguments)
{
    weights = count > 1 ? arguments[1] : "";
    check_threads(1);
    check_threads(2);
    check_threads(4);
    return check_report();
}
