/* Training losses on the device: those of masks, with the formulas of graph/loss.h
 * (ref/loss_mask.c, loss_sam.c). Those over classes and prototypes are in cuda_loss_classes.cu,
 * AutoSAM's in cuda_loss_range.cu.
 *
 * Three steps: sums over the pixels of every mask, in chunks of which each is a block; one thread
 * that makes the loss of them, and of the loss's gradient a few factors per mask; and, backward, a
 * kernel over the pixels. */
#include "cuda_internal.h"

enum { CHUNK = 4096 }; /* pixels of one block */

enum {
    SUM_FOCAL,
    SUM_BCE,
    SUM_OVERLAP, /* p t */
    SUM_P,
    SUM_T,
    SUM_PP,
    SUM_TT,
    SUM_BOTH, /* pixels in mask and target */
    SUM_EITHER,
    SUM_SQUARES, /* (x - t)^2 */
    SUM_OBJECT,  /* boundary loss: pixels whose target is not zero */
    SUM_EDGE,    /* those of them beside a zero or the image's edge */
    SUM_COUNT
};

/* The gradient of one mask's logits is a sum of these multiples. dice_p: of d(denominator)/dp,
 * dice_t: of -t, both times p (1 - p). */
typedef struct loss_factors {
    float bce, focal, dice_p, dice_t, squares;
} loss_factors;

typedef struct loss_args {
    const float *x, *t, *iou, *weights;
    int kind, batch, masks, pixels; /* masks share their sample's target */
    int width;                      /* boundary loss: of a row of pixels; a mask is one image */
    float value[4];
    float alpha, gamma, positive; /* of focal and BCE */
    int squared;                  /* Dice's denominator */
} loss_args;

static loss_args args_of(const sgm_step *step)
{
    const sgm_node *node = step->node;
    loss_args a = {};
    sgm_shape shape = step->in[0].shape;
    a.kind = node->u.loss.kind;
    for (int i = 0; i < 4; i++)
        a.value[i] = node->u.loss.value[i];
    a.x = (const float *)step->in[0].data;
    a.batch = shape.ndim ? (int)shape.dim[0] : 1;
    a.masks = 1;
    a.alpha = a.kind == SGM_LOSS_FOCAL ? a.value[0] : 0.25f;
    a.gamma = a.kind == SGM_LOSS_FOCAL ? a.value[1] : 2;
    a.positive = a.kind == SGM_LOSS_BCE ? a.value[0] : 1;
    a.squared = a.kind == SGM_LOSS_DICE && a.value[2] != 0;
    if (a.kind == SGM_LOSS_SAM) {
        a.masks = shape.ndim > 1 ? (int)shape.dim[1] : 1;
        if (a.value[3] >= 2) a.alpha = 0.5f;
        a.iou = (const float *)step->in[1].data;
        a.t = (const float *)step->in[2].data;
        a.weights = step->input_count > 3 ? (const float *)step->in[3].data : NULL;
    } else {
        a.t = (const float *)step->in[1].data;
    }
    if (a.kind == SGM_LOSS_BOUNDARY) {
        a.squared = a.value[1] == 0;
        a.width = sgm_last_of(shape);
        int height = shape.ndim > 1 ? (int)shape.dim[shape.ndim - 2] : 1;
        a.batch = sgm_count_of(shape) / (height * a.width);
    }
    a.pixels = sgm_count_of(shape) / (a.batch * a.masks);
    return a;
}

/* --------------------------------------------------------------------------------------- pixels */

typedef struct pixel_terms {
    float p, softplus; /* sigmoid(x), log(1 + exp(-x)) */
    float cross, weight, miss, power;
} pixel_terms;

static __device__ pixel_terms terms_of(const loss_args &a, float x, float t)
{
    pixel_terms v;
    float e = expf(x < 0 ? x : -x);
    v.p = x < 0 ? e / (1 + e) : 1 / (1 + e);
    v.softplus = (x < 0 ? -x : 0) + log1pf(e);
    v.cross = (1 - t) * x + v.softplus;
    v.weight = a.alpha * t + (1 - a.alpha) * (1 - t);
    v.miss = v.p * (1 - t) + (1 - v.p) * t;
    v.power = a.gamma == 2 ? v.miss * v.miss : powf(v.miss, a.gamma);
    return v;
}

/* Is pixel i, which belongs to the object, on its boundary? */
static __device__ bool on_edge(const loss_args &a, const float *t, int i)
{
    int w = a.width, x = i % w, y = i / w, height = a.pixels / w;
    return x == 0 || x == w - 1 || y == 0 || y == height - 1 || t[i - 1] == 0 || t[i + 1] == 0 ||
           t[i - w] == 0 || t[i + w] == 0;
}

/* parts: [chunk, mask, SUM_COUNT]; a block per mask and chunk. */
static __global__ void loss_sums_kernel(loss_args a, double *parts)
{
    __shared__ double board[SGM_TEAM + 32];
    int mask = (int)blockIdx.x, chunk = (int)blockIdx.y, start = chunk * CHUNK;
    int end = a.pixels - start < CHUNK ? a.pixels : start + CHUNK;
    double *sums = parts + ((int64_t)chunk * gridDim.x + mask) * SUM_COUNT;
    const float *x = a.x + (int64_t)mask * a.pixels,
                *t = a.t + (int64_t)(mask / a.masks) * a.pixels;
    double mine[SUM_COUNT];
    for (int k = 0; k < SUM_COUNT; k++)
        mine[k] = 0;
    for (int i = start + (int)threadIdx.x; i < end; i += SGM_TEAM) {
        pixel_terms v = terms_of(a, x[i], t[i]);
        bool in_mask = x[i] > 0, in_target = t[i] > 0.5f;
        mine[SUM_FOCAL] += v.weight * v.cross * v.power;
        mine[SUM_BCE] += (1 - t[i]) * x[i] + (1 + (a.positive - 1) * t[i]) * v.softplus;
        mine[SUM_OVERLAP] += v.p * t[i];
        mine[SUM_P] += v.p;
        mine[SUM_T] += t[i];
        mine[SUM_PP] += v.p * v.p;
        mine[SUM_TT] += t[i] * t[i];
        mine[SUM_BOTH] += in_mask && in_target;
        mine[SUM_EITHER] += in_mask || in_target;
        mine[SUM_SQUARES] += (x[i] - t[i]) * (x[i] - t[i]);
        if (!a.width || t[i] == 0) continue;
        mine[SUM_OBJECT] += 1;
        mine[SUM_EDGE] += on_edge(a, t, i);
    }
    for (int k = 0; k < SUM_COUNT; k++) {
        double sum = sgm_team_sum(mine[k], board);
        if (threadIdx.x == 0) sums[k] = sum;
    }
}

/* The first chunk's sums become those of all. */
static __global__ void loss_fold_kernel(double *parts, int count, int chunks)
{
    SGM_ELEMENT(i, count);
    double sum = parts[i];
    for (int k = 1; k < chunks; k++)
        sum += parts[(int64_t)k * count + i];
    parts[i] = sum;
}

static __global__ void loss_pixels_kernel(loss_args a, const loss_factors *factors, int count,
                                          float *grad, bool accumulate)
{
    SGM_ELEMENT(i, count);
    int mask = i / a.pixels;
    loss_factors f = factors[mask];
    float x = a.x[i], t = a.t[mask / a.masks * a.pixels + i % a.pixels], sum = 0;
    pixel_terms v = terms_of(a, x, t);
    float slope = v.p * (1 - v.p);
    if (f.bce != 0) sum += f.bce * (1 - t - (1 + (a.positive - 1) * t) * (1 - v.p));
    if (f.focal != 0) {
        float d_power = a.gamma == 2 ? 2 * v.miss
                        : v.miss > 0 ? a.gamma * powf(v.miss, a.gamma - 1)
                                     : 0;
        float d_miss = slope * (1 - 2 * t);
        sum += f.focal * v.weight * ((v.p - t) * v.power + v.cross * d_power * d_miss);
    }
    sum += (f.dice_p * (a.squared ? 2 * v.p : 1) - f.dice_t * t) * slope;
    sum += f.squares * 2 * (x - t);
    sgm_give(&grad[i], sum, accumulate);
}

/* -------------------------------------------------------------------- from sums to the loss */

/* 1 - num / den, and the factors of `scale` times its gradient. */
static __device__ double dice_of(const double *sums, double num, double den, int squared,
                                 double scale, loss_factors *f)
{
    num += 2 * sums[SUM_OVERLAP];
    den += squared ? sums[SUM_PP] + sums[SUM_TT] : sums[SUM_P] + sums[SUM_T];
    f->dice_p = f->dice_t = 0;
    if (den <= 0) return 0; /* no smoothing and nothing there */
    f->dice_p = (float)(scale * num / (den * den));
    f->dice_t = (float)(scale * 2 / den);
    return 1 - num / den;
}

/* One sample of SAM's loss: the best of masks [first, end) is trained, the IoU head for all. */
static __device__ double sam_sample(const loss_args &a, const double *sums, int sample,
                                    double scale, loss_factors *factors, float *grad_iou)
{
    int first = (int)a.value[3] % 2 != 0 ? 1 : 0, end = first ? a.masks : 1, best = first;
    double least = INFINITY, quality = 0;
    for (int m = first; m < end; m++) {
        const double *s = sums + (sample * a.masks + m) * SUM_COUNT;
        loss_factors unused;
        double loss =
            a.value[0] * s[SUM_FOCAL] / a.pixels + a.value[1] * dice_of(s, 1, 1, 0, 0, &unused);
        double iou = s[SUM_EITHER] > 0 ? s[SUM_BOTH] / s[SUM_EITHER] : 0;
        double error = a.iou[sample * a.masks + m] - iou;
        quality += error * error / (end - first);
        if (grad_iou)
            grad_iou[sample * a.masks + m] +=
                (float)(scale * a.value[2] * 2 * error / (end - first));
        if (!(loss < least)) continue;
        least = loss;
        best = m;
    }
    if (least == INFINITY) least = NAN; /* all of them NaN: the trainer must see it */
    loss_factors *f = &factors[sample * a.masks + best];
    dice_of(sums + (sample * a.masks + best) * SUM_COUNT, 1, 1, 0, scale * a.value[1], f);
    f->focal = (float)(scale * a.value[0] / a.pixels);
    return least + a.value[2] * quality;
}

static __device__ double sam_of(const loss_args &a, const double *sums, double scale,
                                loss_factors *factors, float *grad_iou)
{
    double sum = 0;
    for (int b = 0; b < a.batch; b++) {
        double weight = (a.weights ? a.weights[b] : 1) / (double)a.batch;
        if (weight == 0) continue;
        sum += weight * sam_sample(a, sums, b, scale * weight, factors, grad_iou);
    }
    return sum;
}

/* (Z + Y - 2 I + s) / (Z + Y - (1 + g) I + s), a quotient like Dice's with squares. */
static __device__ double boundary_of(const double *sums, double s, double scale, loss_factors *f)
{
    double share = (sums[SUM_EDGE] + s) / (sums[SUM_OBJECT] + s), overlap = sums[SUM_OVERLAP];
    double gamma = 2 * (1 - share) - 1;
    if (gamma > 0.8) gamma = 0.8;
    double squares = sums[SUM_PP] + sums[SUM_TT] + s;
    double num = squares - 2 * overlap, den = squares - (1 + gamma) * overlap;
    f->dice_p = (float)(scale * (1 - gamma) * overlap / (den * den));
    f->dice_t = (float)(scale * (2 * den - (1 + gamma) * num) / (den * den));
    return num / den;
}

/* 1 - 2 g I / (P + T - 2 (1 - g) I): the form of the paper. */
static __device__ double boundary_of_paper(const double *sums, double scale, loss_factors *f)
{
    if (sums[SUM_OBJECT] <= 0) return 1;
    double share = 1 - sums[SUM_EDGE] / sums[SUM_OBJECT], overlap = sums[SUM_OVERLAP];
    double num = 2 * share * overlap;
    double den = sums[SUM_P] + sums[SUM_T] - 2 * (1 - share) * overlap;
    f->dice_p = (float)(scale * num / (den * den));
    f->dice_t = (float)(scale * (2 * share * den + 2 * (1 - share) * num) / (den * den));
    return 1 - num / den;
}

static __device__ double whole_of(const loss_args &a, const double *sums, double scale,
                                  loss_factors *factors)
{
    double all[SUM_COUNT], count = (double)a.batch * a.pixels, loss = 0;
    for (int k = 0; k < SUM_COUNT; k++) {
        all[k] = 0;
        for (int b = 0; b < a.batch; b++)
            all[k] += sums[b * SUM_COUNT + k];
    }
    bool per_sample = a.kind == SGM_LOSS_DICE && a.value[3] != 0;
    for (int b = 0; b < a.batch; b++) {
        loss_factors *f = &factors[b];
        if (a.kind == SGM_LOSS_BCE) f->bce = (float)(scale / count);
        if (a.kind == SGM_LOSS_FOCAL) f->focal = (float)(scale / count);
        if (a.kind == SGM_LOSS_MSE) f->squares = (float)(scale / count);
        if (a.kind == SGM_LOSS_BOUNDARY)
            loss = a.squared ? boundary_of(all, a.value[0], scale, f)
                             : boundary_of_paper(all, scale, f);
        if (a.kind == SGM_LOSS_DICE) {
            double d = dice_of(per_sample ? sums + b * SUM_COUNT : all, a.value[0], a.value[1],
                               a.squared, per_sample ? scale / a.batch : scale, f);
            loss = per_sample ? loss + d / a.batch : d;
        }
    }
    if (a.kind == SGM_LOSS_BCE) loss = all[SUM_BCE] / count;
    if (a.kind == SGM_LOSS_FOCAL) loss = all[SUM_FOCAL] / count;
    if (a.kind == SGM_LOSS_MSE) loss = all[SUM_SQUARES] / count;
    return loss;
}

/* One thread. Writes the loss (forward) or the factors and the gradient of the IoU (backward). */
static __global__ void loss_total_kernel(loss_args a, const double *sums, const float *grad_loss,
                                         loss_factors *factors, float *grad_iou, float *loss)
{
    loss_factors none = {0, 0, 0, 0, 0};
    for (int i = 0; i < a.batch * a.masks; i++)
        factors[i] = none;
    double scale = grad_loss ? *grad_loss : 1;
    double value = a.kind == SGM_LOSS_SAM ? sam_of(a, sums, scale, factors, grad_iou)
                                          : whole_of(a, sums, scale, factors);
    if (loss) *loss = (float)value;
}

typedef struct loss_parts {
    double *sums; /* [mask, SUM_COUNT], then what further chunks add */
    loss_factors *factors;
} loss_parts;

static int chunks_of(const loss_args *a)
{
    return a->pixels > CHUNK ? (a->pixels + CHUNK - 1) / CHUNK : 1;
}

static loss_parts take_loss(const loss_args *a, sgm_cursor *cursor)
{
    size_t masks = (size_t)a->batch * (size_t)a->masks, chunks = (size_t)chunks_of(a);
    loss_parts p;
    p.sums = (double *)sgm_take(cursor, chunks * masks * SUM_COUNT * sizeof(double));
    p.factors = (loss_factors *)sgm_take(cursor, masks * sizeof(loss_factors));
    return p;
}

/* ---------------------------------------------------------------------------------------- steps */

static void sum_pixels(sgm_cuda *cuda, const loss_args *args, double *sums)
{
    const loss_args a = *args;
    int masks = a.batch * a.masks, chunks = chunks_of(args), count = masks * SUM_COUNT;
    dim3 grid((unsigned)masks, (unsigned)chunks);
    SGM_LAUNCH_TEAM(loss_sums_kernel, grid, SGM_TEAM, cuda->stream, a, sums);
    if (chunks > 1)
        SGM_LAUNCH(loss_fold_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, sums, count,
                   chunks);
}

static sgm_status check(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_shape shapes[SGM_MAX_INPUTS];
    int count = step->input_count;
    while (count > 0 && !step->in[count - 1].data)
        count--;
    for (int i = 0; i < count; i++)
        shapes[i] = step->in[i].shape;
    return cuda->host->loss_check(step->node->u.loss.kind, step->node->u.loss.value, count, shapes);
}

static bool of_classes(const sgm_step *step)
{
    int kind = step->node->u.loss.kind;
    return kind == SGM_LOSS_CROSS_ENTROPY || kind == SGM_LOSS_DICE_SOFTMAX ||
           kind == SGM_LOSS_PROTOTYPE;
}

static bool is_range(const sgm_step *step)
{
    return step->node->u.loss.kind == SGM_LOSS_RANGE;
}

sgm_status sgm_cuda_loss(sgm_cuda *cuda, const sgm_step *step)
{
    SGM_TRY(check(cuda, step));
    if (of_classes(step)) return sgm_cuda_class_loss(cuda, step);
    if (is_range(step)) {
        sgm_cuda_range_loss(cuda, step);
        return SGM_OK;
    }
    sgm_cursor cursor = {(char *)step->scratch, 0};
    loss_args a = args_of(step);
    loss_parts p = take_loss(&a, &cursor);
    const float *one = NULL;
    float *no_iou = NULL, *loss = (float *)step->out.data;
    sum_pixels(cuda, &a, p.sums);
    SGM_LAUNCH(loss_total_kernel, 1, 1, cuda->stream, a, p.sums, one, p.factors, no_iou, loss);
    return SGM_OK;
}

sgm_status sgm_cuda_loss_backward(sgm_cuda *cuda, const sgm_step *step)
{
    SGM_TRY(check(cuda, step));
    for (int i = 1; i < step->input_count; i++) /* targets and weights receive zeros */
        SGM_TRY(sgm_cuda_clear_grad(cuda, step, i));
    if (of_classes(step)) return sgm_cuda_class_loss_backward(cuda, step);
    if (is_range(step)) {
        sgm_cuda_range_loss_backward(cuda, step);
        return SGM_OK;
    }
    sgm_cursor cursor = {(char *)step->scratch, 0};
    loss_args a = args_of(step);
    loss_parts p = take_loss(&a, &cursor);
    const float *grad_loss = (const float *)step->grad_out.data;
    float *grad = (float *)step->grad_in[0].data, *no_loss = NULL;
    float *grad_iou = a.kind == SGM_LOSS_SAM ? (float *)step->grad_in[1].data : NULL;
    int count = sgm_count_of(step->in[0].shape);
    bool accumulate = step->accumulate[0];
    sum_pixels(cuda, &a, p.sums);
    SGM_LAUNCH(loss_total_kernel, 1, 1, cuda->stream, a, p.sums, grad_loss, p.factors, grad_iou,
               no_loss);
    if (grad)
        SGM_LAUNCH(loss_pixels_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, a, p.factors,
                   count, grad, accumulate);
    return SGM_OK;
}

void sgm_cuda_loss_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward, sgm_cursor *cursor)
{
    (void)cuda, (void)backward;
    if (of_classes(step)) {
        sgm_cuda_class_loss_scratch(step, cursor);
        return;
    }
    if (is_range(step)) {
        sgm_cuda_range_loss_scratch(step, cursor);
        return;
    }
    loss_args a = args_of(step);
    take_loss(&a, cursor);
}
