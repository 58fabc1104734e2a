/* Losses over classes and prototypes on the device, with the formulas of backend/ref/loss_classes.c.
 *
 * Classes: the softmax of every pixel (its top logit and sum of exponentials); sums over the pixels
 * in chunks, a block each; one thread that makes the loss and factors per class of them; backward a
 * kernel over the pixels. Prototypes are few: all cosines of embeddings with prototypes of pairs,
 * one thread that makes the loss and the slope of every cosine, and a kernel over the values. */
#include "cuda_internal.h"

enum { CHUNK = 2048 }; /* pixels of one block */

static int kind_of(const sgm_step *step)
{
    return step->node->u.loss.kind;
}

/* -------------------------------------------------------------------------------------- classes */

typedef struct class_args {
    const float *x, *labels;
    int kind, classes, pixels, count; /* count: pixels of the whole batch */
    int rows, chunks;                 /* rows of sums: one, or one per class */
    double smooth;
} class_args;

/* The softmax of one pixel: exp(x - top) / sum. */
typedef struct pixel_norm {
    float top, sum;
} pixel_norm;

/* d loss / d p of a class is p_part * p - t_part * t. */
typedef struct class_factors {
    float p_part, t_part;
} class_factors;

typedef struct class_parts {
    pixel_norm *norms;
    double *sums; /* [rows][2][chunks]: cross entropy, or overlap p t and sum of p^2 + t */
    class_factors *factors;
} class_parts;

static class_args class_args_of(const sgm_step *step)
{
    class_args a = {};
    const sgm_shape shape = step->in[0].shape;
    a.x = (const float *)step->in[0].data;
    a.labels = (const float *)step->in[1].data;
    a.kind = kind_of(step);
    a.classes = (int)shape.dim[1];
    a.count = sgm_count_of(shape) / a.classes;
    a.pixels = a.count / (int)shape.dim[0];
    a.rows = a.kind == SGM_LOSS_DICE_SOFTMAX ? a.classes : 1;
    a.chunks = (a.count + CHUNK - 1) / CHUNK;
    a.smooth = step->node->u.loss.value[0];
    return a;
}

static class_parts take_classes(const class_args *a, sgm_cursor *cursor)
{
    class_parts p;
    p.norms = (pixel_norm *)sgm_take(cursor, (size_t)a->count * sizeof(pixel_norm));
    p.sums = (double *)sgm_take(cursor, (size_t)a->rows * 2 * (size_t)a->chunks * sizeof(double));
    p.factors = (class_factors *)sgm_take(cursor, (size_t)a->classes * sizeof(class_factors));
    return p;
}

/* Logit of class 0 at pixel i of the batch; further classes follow in steps of a.pixels. */
static __device__ int first_logit(const class_args &a, int i)
{
    return i / a.pixels * a.classes * a.pixels + i % a.pixels;
}

/* A class number outside the range counts as background: labels are data from outside. */
static __device__ int class_of(const class_args &a, int i)
{
    float label = a.labels[i];
    return label >= 0 && label < (float)a.classes ? (int)label : 0;
}

static __device__ float probability(const class_args &a, pixel_norm n, int at)
{
    return expf(a.x[at] - n.top) / n.sum;
}

static __global__ void pixel_norms_kernel(class_args a, pixel_norm *norms)
{
    SGM_ELEMENT(i, a.count);
    int at = first_logit(a, i);
    pixel_norm n = {a.x[at], 0};
    for (int c = 1; c < a.classes; c++)
        n.top = fmaxf(n.top, a.x[at + c * a.pixels]);
    for (int c = 0; c < a.classes; c++)
        n.sum += expf(a.x[at + c * a.pixels] - n.top);
    norms[i] = n;
}

/* One block per chunk and row. */
static __global__ void class_sums_kernel(class_args a, const pixel_norm *norms, double *sums)
{
    __shared__ double board[SGM_TEAM + 32];
    int chunk = (int)blockIdx.x, row = (int)blockIdx.y;
    int start = chunk * CHUNK, end = a.count - start < CHUNK ? a.count : start + CHUNK;
    double first = 0, second = 0;
    for (int i = start + (int)threadIdx.x; i < end; i += SGM_TEAM) {
        pixel_norm n = norms[i];
        int label = class_of(a, i), at = first_logit(a, i);
        if (a.kind == SGM_LOSS_CROSS_ENTROPY) {
            first += (double)logf(n.sum) - ((double)a.x[at + label * a.pixels] - n.top);
            continue;
        }
        float p = probability(a, n, at + row * a.pixels), t = label == row ? 1.0f : 0.0f;
        first += p * t;
        second += (double)p * p + t;
    }
    double *to = sums + (int64_t)row * 2 * a.chunks + chunk;
    first = sgm_team_sum(first, board);
    second = sgm_team_sum(second, board);
    if (threadIdx.x) return;
    to[0] = first;
    to[a.chunks] = second;
}

/* One block per row: the chunks' sums become one, the first. */
static __global__ void fold_sums_kernel(class_args a, double *sums)
{
    __shared__ double board[SGM_TEAM + 32];
    for (int part = 0; part < 2; part++) {
        double *from = sums + ((int64_t)blockIdx.x * 2 + part) * a.chunks, mine = 0;
        for (int k = (int)threadIdx.x; k < a.chunks; k += SGM_TEAM)
            mine += from[k];
        double sum = sgm_team_sum(mine, board);
        if (threadIdx.x == 0) from[0] = sum;
    }
}

/* One thread. */
static __global__ void class_total_kernel(class_args a, const double *sums, class_factors *factors,
                                          float *loss)
{
    double total = 0;
    for (int row = 0; row < a.rows; row++) {
        const double *at = sums + (int64_t)row * 2 * a.chunks;
        if (a.kind == SGM_LOSS_CROSS_ENTROPY) {
            total = at[0] / a.count;
            continue;
        }
        double num = 2 * at[0] + a.smooth, den = at[a.chunks] + a.smooth;
        total += (1 - num / den) / a.classes;
        class_factors f = {(float)(2 * num / (den * den)), (float)(2 / den)};
        factors[row] = f;
    }
    if (loss) *loss = (float)total;
}

static __global__ void cross_entropy_grad_kernel(class_args a, const pixel_norm *norms,
                                                 const float *grad_loss, float *grad,
                                                 bool accumulate)
{
    SGM_ELEMENT(i, a.count);
    int at = first_logit(a, i), label = class_of(a, i);
    float scale = (float)((double)*grad_loss / a.count);
    for (int c = 0; c < a.classes; c++, at += a.pixels)
        sgm_give(&grad[at], scale * (probability(a, norms[i], at) - (c == label ? 1.0f : 0.0f)),
                 accumulate);
}

static __global__ void dice_softmax_grad_kernel(class_args a, const pixel_norm *norms,
                                                const class_factors *factors,
                                                const float *grad_loss, float *grad,
                                                bool accumulate)
{
    SGM_ELEMENT(i, a.count);
    int at = first_logit(a, i), label = class_of(a, i);
    float scale = (float)((double)*grad_loss / a.classes), mean = 0;
    for (int c = 0; c < a.classes; c++) {
        float p = probability(a, norms[i], at + c * a.pixels);
        mean += p * (factors[c].p_part * p - (c == label ? factors[c].t_part : 0));
    }
    for (int c = 0; c < a.classes; c++, at += a.pixels) {
        float p = probability(a, norms[i], at);
        float slope = factors[c].p_part * p - (c == label ? factors[c].t_part : 0);
        sgm_give(&grad[at], scale * p * (slope - mean), accumulate);
    }
}

static void submit_class_sums(sgm_cuda *cuda, const class_args *a, const class_parts *p,
                              float *loss)
{
    dim3 grid((unsigned)a->chunks, (unsigned)a->rows);
    SGM_LAUNCH(pixel_norms_kernel, sgm_blocks(a->count), SGM_THREADS, cuda->stream, *a, p->norms);
    SGM_LAUNCH_TEAM(class_sums_kernel, grid, SGM_TEAM, cuda->stream, *a, p->norms, p->sums);
    SGM_LAUNCH_TEAM(fold_sums_kernel, (unsigned)a->rows, SGM_TEAM, cuda->stream, *a, p->sums);
    SGM_LAUNCH(class_total_kernel, 1, 1, cuda->stream, *a, p->sums, p->factors, loss);
}

static void class_backward(sgm_cuda *cuda, const sgm_step *step, const class_args *a,
                           const class_parts *p)
{
    const float *grad_loss = (const float *)step->grad_out.data;
    float *grad = (float *)step->grad_in[0].data, *no_loss = NULL;
    bool accumulate = step->accumulate[0];
    if (!grad) return;
    if (a->kind == SGM_LOSS_CROSS_ENTROPY) {
        SGM_LAUNCH(pixel_norms_kernel, sgm_blocks(a->count), SGM_THREADS, cuda->stream, *a,
                   p->norms);
        SGM_LAUNCH(cross_entropy_grad_kernel, sgm_blocks(a->count), SGM_THREADS, cuda->stream, *a,
                   p->norms, grad_loss, grad, accumulate);
        return;
    }
    submit_class_sums(cuda, a, p, no_loss);
    SGM_LAUNCH(dice_softmax_grad_kernel, sgm_blocks(a->count), SGM_THREADS, cuda->stream, *a,
               p->norms, p->factors, grad_loss, grad, accumulate);
}

/* ----------------------------------------------------------------------------------- prototypes */

typedef struct prototype_args {
    const float *prototypes, *embeddings, *labels;
    int classes, batch, width;
    double temperature;
} prototype_args;

/* Row m of cosines and slopes belongs to embedding m with the prototype of its class. */
typedef struct prototype_parts {
    double *norms;   /* [classes + batch] */
    double *cosines; /* [batch][batch] */
    double *slopes;  /* the same, d loss / d cosine */
} prototype_parts;

static prototype_args prototype_args_of(const sgm_step *step)
{
    prototype_args a = {};
    a.prototypes = (const float *)step->in[0].data;
    a.embeddings = (const float *)step->in[1].data;
    a.labels = (const float *)step->in[2].data;
    a.classes = (int)step->in[0].shape.dim[0];
    a.width = (int)step->in[0].shape.dim[1];
    a.batch = (int)step->in[1].shape.dim[0];
    a.temperature = step->node->u.loss.value[0];
    return a;
}

static prototype_parts take_prototypes(const prototype_args *a, sgm_cursor *cursor)
{
    size_t batch = (size_t)a->batch;
    prototype_parts p;
    p.norms = (double *)sgm_take(cursor, ((size_t)a->classes + batch) * sizeof(double));
    p.cosines = (double *)sgm_take(cursor, batch * batch * sizeof(double));
    p.slopes = (double *)sgm_take(cursor, batch * batch * sizeof(double));
    return p;
}

/* Class of embedding m; -1: none, it is no pair but a negative of the others. */
static __device__ int pair_class(const prototype_args &a, int m)
{
    float label = a.labels[m];
    return label >= 0 && label < (float)a.classes ? (int)label : -1;
}

static __device__ double team_dot(const float *x, const float *y, int n, double *board)
{
    double mine = 0;
    for (int i = (int)threadIdx.x; i < n; i += SGM_TEAM)
        mine += (double)x[i] * y[i];
    return sgm_team_sum(mine, board);
}

/* One block per prototype, then per embedding. */
static __global__ void norms_kernel(prototype_args a, double *norms)
{
    __shared__ double board[SGM_TEAM + 32];
    int row = (int)blockIdx.x;
    const float *x = row < a.classes ? a.prototypes + (int64_t)row * a.width
                                     : a.embeddings + (int64_t)(row - a.classes) * a.width;
    double norm = sqrt(team_dot(x, x, a.width, board));
    if (threadIdx.x == 0) norms[row] = norm < 1e-12 ? 1e-12 : norm;
}

/* One block per pair m and embedding b. */
static __global__ void cosines_kernel(prototype_args a, const double *norms, double *cosines)
{
    __shared__ double board[SGM_TEAM + 32];
    int b = (int)blockIdx.x, m = (int)blockIdx.y, c = pair_class(a, m);
    if (c < 0) c = 0; /* not used */
    double dot = team_dot(a.prototypes + (int64_t)c * a.width, a.embeddings + (int64_t)b * a.width,
                          a.width, board);
    if (threadIdx.x == 0) cosines[m * a.batch + b] = dot / (norms[c] * norms[a.classes + b]);
}

/* The loss of pair m, and `scale` times its slopes. */
static __device__ double pair_of(const prototype_args &a, const double *cosines, int m,
                                 double scale, double *slopes)
{
    double own = cosines[m] / a.temperature, sum = 1;
    for (int b = 0; b < a.batch; b++) {
        slopes[b] = a.labels[b] != a.labels[m] ? exp(cosines[b] / a.temperature - own) : 0;
        sum += slopes[b];
    }
    for (int b = 0; b < a.batch; b++)
        slopes[b] *= scale / sum;
    slopes[m] = scale * (1 / sum - 1);
    return log(sum);
}

/* One thread. */
static __global__ void prototype_total_kernel(prototype_args a, const double *cosines,
                                              const float *grad_loss, double *slopes, float *loss)
{
    int pairs = 0;
    double total = 0;
    for (int m = 0; m < a.batch; m++)
        pairs += pair_class(a, m) >= 0;
    double scale = (grad_loss ? *grad_loss : 1) / (pairs * a.temperature);
    for (int m = 0; m < a.batch; m++) {
        int64_t row = (int64_t)m * a.batch;
        if (pair_class(a, m) >= 0)
            total += pair_of(a, cosines + row, m, scale, slopes + row);
        else
            for (int b = 0; b < a.batch; b++)
                slopes[row + b] = 0;
    }
    if (loss) *loss = (float)(pairs ? total / pairs : 0);
}

/* Slope times d cos(x, y) / dx, one value: y and x of norms ny and nx. */
static __device__ double cosine_slope(double slope, double cosine, float x, double nx, float y,
                                      double ny)
{
    return slope * (y / ny - cosine * x / nx) / nx;
}

static __global__ void prototype_grad_kernel(prototype_args a, prototype_parts p, float *grad,
                                             bool accumulate)
{
    SGM_ELEMENT(i, a.classes * a.width);
    int c = i / a.width, k = i % a.width;
    double sum = 0;
    for (int m = 0; m < a.batch; m++) {
        if (pair_class(a, m) != c) continue;
        for (int b = 0; b < a.batch; b++)
            sum +=
                cosine_slope(p.slopes[m * a.batch + b], p.cosines[m * a.batch + b], a.prototypes[i],
                             p.norms[c], a.embeddings[b * a.width + k], p.norms[a.classes + b]);
    }
    sgm_give(&grad[i], (float)sum, accumulate);
}

static __global__ void embedding_grad_kernel(prototype_args a, prototype_parts p, float *grad,
                                             bool accumulate)
{
    SGM_ELEMENT(i, a.batch * a.width);
    int b = i / a.width, k = i % a.width;
    double sum = 0;
    for (int m = 0; m < a.batch; m++) {
        int c = pair_class(a, m);
        if (c >= 0)
            sum +=
                cosine_slope(p.slopes[m * a.batch + b], p.cosines[m * a.batch + b], a.embeddings[i],
                             p.norms[a.classes + b], a.prototypes[c * a.width + k], p.norms[c]);
    }
    sgm_give(&grad[i], (float)sum, accumulate);
}

static void submit_prototypes(sgm_cuda *cuda, const prototype_args *a, const prototype_parts *p,
                              const float *grad_loss, float *loss)
{
    dim3 grid((unsigned)a->batch, (unsigned)a->batch);
    SGM_LAUNCH_TEAM(norms_kernel, (unsigned)(a->classes + a->batch), SGM_TEAM, cuda->stream, *a,
                    p->norms);
    SGM_LAUNCH_TEAM(cosines_kernel, grid, SGM_TEAM, cuda->stream, *a, p->norms, p->cosines);
    SGM_LAUNCH(prototype_total_kernel, 1, 1, cuda->stream, *a, p->cosines, grad_loss, p->slopes,
               loss);
}

static void prototype_backward(sgm_cuda *cuda, const sgm_step *step, const prototype_args *a,
                               const prototype_parts *p)
{
    float *no_loss = NULL;
    float *to_prototypes = (float *)step->grad_in[0].data;
    float *to_embeddings = (float *)step->grad_in[1].data;
    submit_prototypes(cuda, a, p, (const float *)step->grad_out.data, no_loss);
    if (to_prototypes)
        SGM_LAUNCH(prototype_grad_kernel, sgm_blocks(a->classes * a->width), SGM_THREADS,
                   cuda->stream, *a, *p, to_prototypes, step->accumulate[0]);
    if (to_embeddings)
        SGM_LAUNCH(embedding_grad_kernel, sgm_blocks(a->batch * a->width), SGM_THREADS,
                   cuda->stream, *a, *p, to_embeddings, step->accumulate[1]);
}

/* ---------------------------------------------------------------------------------------- steps */

sgm_status sgm_cuda_class_loss(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    float *loss = (float *)step->out.data;
    const float *one = NULL;
    if (kind_of(step) == SGM_LOSS_PROTOTYPE) {
        prototype_args a = prototype_args_of(step);
        prototype_parts p = take_prototypes(&a, &cursor);
        submit_prototypes(cuda, &a, &p, one, loss);
        return SGM_OK;
    }
    class_args a = class_args_of(step);
    class_parts p = take_classes(&a, &cursor);
    submit_class_sums(cuda, &a, &p, loss);
    return SGM_OK;
}

/* Gradients of the inputs behind the first are zeros or started already (sgm_cuda_loss_backward).
 */
sgm_status sgm_cuda_class_loss_backward(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    if (kind_of(step) == SGM_LOSS_PROTOTYPE) {
        prototype_args a = prototype_args_of(step);
        prototype_parts p = take_prototypes(&a, &cursor);
        prototype_backward(cuda, step, &a, &p);
        return SGM_OK;
    }
    class_args a = class_args_of(step);
    class_parts p = take_classes(&a, &cursor);
    class_backward(cuda, step, &a, &p);
    return SGM_OK;
}

void sgm_cuda_class_loss_scratch(const sgm_step *step, sgm_cursor *cursor)
{
    if (kind_of(step) == SGM_LOSS_PROTOTYPE) {
        prototype_args a = prototype_args_of(step);
        take_prototypes(&a, cursor);
        return;
    }
    class_args a = class_args_of(step);
    take_classes(&a, cursor);
}
