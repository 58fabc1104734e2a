/* What the files about pictures share (backend/picture.h). Arithmetic is that of
 * predict/resample_*.c and postprocess.c, operation for operation; sgm_mul and sgm_sum keep the
 * compiler from fusing them. */
#ifndef SEGMODEL_BACKEND_CUDA_CUDA_IMAGE_H
#define SEGMODEL_BACKEND_CUDA_CUDA_IMAGE_H

#include "cuda_internal.h"

extern "C" {
#include "backend/picture.h"
}

#ifdef SGM_CUDA_EMULATION /* compiled with -ffp-contract=off */
static float sgm_mul(float a, float b)
{
    return a * b;
}
static float sgm_sum(float a, float b)
{
    return a + b;
}
static double sgm_mul(double a, double b)
{
    return a * b;
}
static double sgm_sum(double a, double b)
{
    return a + b;
}
#else
static __device__ float sgm_mul(float a, float b)
{
    return __fmul_rn(a, b);
}
static __device__ float sgm_sum(float a, float b)
{
    return __fadd_rn(a, b);
}
static __device__ double sgm_mul(double a, double b)
{
    return __dmul_rn(a, b);
}
static __device__ double sgm_sum(double a, double b)
{
    return __dadd_rn(a, b);
}
#endif

typedef unsigned char pixel;

/* Tables of one axis on the device. */
typedef struct axis_table {
    int in, out, taps, radius;
    const int *first, *count;
    const int *fixed;    /* weights as integers ... */
    const float *floats; /* ... or as floats */
    const double *kernel;
    const double *reach; /* cubic: what each sample weighs in the recursion's first value */
    double power;        /* cubic: the spline's pole to the power of in - 1 */
} axis_table;

/* Host values behind the cursor, uploaded unless only counting. Outside enter and leave. */
const void *sgm_cuda_take_table(sgm_cuda *cuda, sgm_cursor *cursor, const void *values, size_t size,
                                cudaError_t *error);

/* Pixels by an interpolating B-spline, on the stream of uploads. */
typedef struct sgm_cubic {
    axis_table across, down;
    int channels;
    double *lines, *work; /* [in][lines] of the larger pass */
    double *middle;       /* [down.in][across.out channels] */
    const int *range;     /* least and largest level of raw */
} sgm_cubic;
void sgm_cuda_cubic(sgm_cuda *cuda, const sgm_cubic *c, const pixel *raw, pixel *to);
/* Fills a->reach (in values). */
void sgm_cuda_cubic_reach(sgm_cuda *cuda, const axis_table *a, double *reach);

/* Entries of the table: cuda_mask.cu. */
sgm_status sgm_cuda_mask_create(sgm_backend *backend, const sgm_mask_rule *rule, void **out);
void sgm_cuda_mask_free(sgm_backend *backend, void *memory);
sgm_status sgm_cuda_mask_start(sgm_backend *backend, void *memory, const float *low,
                               float threshold);
sgm_status sgm_cuda_mask_finish(sgm_backend *backend, void *memory, uint8_t *to);

#endif
