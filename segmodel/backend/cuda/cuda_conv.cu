/* Convolutions. Dense ones become matrix products over patches gathered in scratch (im2col), with
 * the channels of a tap side by side; depthwise and other grouped ones have direct kernels;
 * transposed 2 x 2 ones are a product whose four parts are scattered. */
#include "cuda_columns.h"

typedef struct conv_sizes {
    int B, H, W, I, O, kh, kw, H2, W2, Ig, Og, stride, pad;
} conv_sizes;

static conv_sizes sizes_of(const sgm_step *step)
{
    const int64_t *x = step->in[0].shape.dim, *w = step->in[1].shape.dim, *y = step->out.shape.dim;
    conv_sizes c = {};
    c.B = (int)x[0], c.H = (int)x[1], c.W = (int)x[2], c.I = (int)x[3];
    c.O = (int)w[0], c.kh = (int)w[2], c.kw = (int)w[3], c.H2 = (int)y[1], c.W2 = (int)y[2];
    c.Ig = (int)w[1];
    c.Og = c.O / step->node->u.conv.groups;
    c.stride = step->node->u.conv.stride;
    c.pad = step->node->u.conv.pad;
    return c;
}

static bool is_dense(const sgm_step *step)
{
    return step->node->u.conv.groups == 1;
}

/* -------------------------------------------------------------------------------------- packing */

/* w[O, I, taps] -> packed[O, taps, I] */
static __global__ void pack_kernel(const float *w, int I, int taps, int count, sgm_floats packed)
{
    SGM_ELEMENT(i, count);
    int in = i % I, tap = i / I % taps, out = i / I / taps;
    sgm_store(packed, i, w[(out * I + in) * taps + tap]);
}

/* w[I, O, 4] -> packed[4, O, I] */
static __global__ void pack_transposed_kernel(const float *w, int I, int O, int count,
                                              sgm_floats packed)
{
    SGM_ELEMENT(i, count);
    int in = i % I, out = i / I % O, tap = i / I / O;
    sgm_store(packed, i, w[(in * O + out) * 4 + tap]);
}

/* w[O, taps] -> packed[taps, O] */
static __global__ void pack_depthwise_kernel(const float *w, int O, int taps, int count,
                                             float *packed)
{
    SGM_ELEMENT(i, count);
    packed[i] = w[i % O * taps + i / O];
}

/* dw[O, I, taps] (+)= packed[O, taps, I] */
static __global__ void unpack_kernel(const float *packed, int I, int taps, int count, float *dw,
                                     bool accumulate)
{
    SGM_ELEMENT(i, count);
    int tap = i % taps, in = i / taps % I, out = i / taps / I;
    sgm_give(&dw[i], packed[(out * taps + tap) * I + in], accumulate);
}

/* dw[I, O, 4] (+)= packed[4, O, I] */
static __global__ void unpack_transposed_kernel(const float *packed, int I, int O, int count,
                                                float *dw, bool accumulate)
{
    SGM_ELEMENT(i, count);
    int tap = i % 4, out = i / 4 % O, in = i / 4 / O;
    sgm_give(&dw[i], packed[(tap * O + out) * I + in], accumulate);
}

/* A filter per channel, channels in fours: has a kernel of its own. */
static bool is_depthwise(const sgm_step *step)
{
    const int64_t *w = step->in[1].shape.dim;
    return step->node->op == SGM_OP_CONV2D && w[1] == 1 && w[0] == step->node->u.conv.groups &&
           w[0] % SGM_VECTOR == 0;
}

size_t sgm_cuda_conv_pack_bytes(const sgm_step *step, sgm_dtype type)
{
    if (is_depthwise(step))
        type = SGM_F32;
    else if (step->node->op == SGM_OP_CONV2D && !is_dense(step))
        return 0;
    return (size_t)sgm_count_of(step->in[1].shape) * sgm_bytes_of(type);
}

void sgm_cuda_conv_pack(sgm_cuda *cuda, const sgm_step *step, sgm_dtype type, void *packed)
{
    const int64_t *d = step->in[1].shape.dim;
    const float *w = (const float *)step->in[1].data;
    int count = sgm_count_of(step->in[1].shape);
    sgm_floats to = {packed, type == SGM_BF16};
    if (is_depthwise(step))
        SGM_LAUNCH(pack_depthwise_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, w,
                   (int)d[0], (int)(d[2] * d[3]), count, (float *)packed);
    else if (step->node->op == SGM_OP_CONV_TRANSPOSE)
        SGM_LAUNCH(pack_transposed_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, w,
                   (int)d[0], (int)d[1], count, to);
    else
        SGM_LAUNCH(pack_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, w, (int)d[1],
                   (int)(d[2] * d[3]), count, to);
}

/* The packed weight: made beforehand, or now in scratch. */
static const void *packed_weight(sgm_cuda *cuda, const sgm_step *step, sgm_dtype type,
                                 sgm_cursor *cursor)
{
    if (step->packed) return step->packed;
    void *packed = sgm_take(cursor, sgm_cuda_conv_pack_bytes(step, type));
    if (cursor->base) sgm_cuda_conv_pack(cuda, step, type, packed);
    return packed;
}

/* -------------------------------------------------------------------------------------- patches */

/* A patch as runs of values that are neighbours in the image as well: a tap's channels, or without
 * padding, where no tap can lie outside, a whole row of taps. Lengths in groups. */
typedef struct patch_runs {
    sgm_divisor length, runs, columns, rows; /* of a run, per patch; output pixels */
    int taps;                                /* runs beside each other */
} patch_runs;

static patch_runs runs_of(const conv_sizes *c, int V)
{
    patch_runs r = {};
    r.taps = c->pad ? c->kw : 1;
    r.length = sgm_divisor_of((c->pad ? c->I : c->kw * c->I) / V);
    r.runs = sgm_divisor_of(c->kh * r.taps);
    r.columns = sgm_divisor_of(c->W2);
    r.rows = sgm_divisor_of(c->H2);
    return r;
}

/* Row p of `patches` holds the taps of output pixel first + p, channels innermost. */
template <int V>
static __global__ void gather_patches_kernel(conv_sizes c, patch_runs r, sgm_floats x, int first,
                                             int groups, sgm_floats patches)
{
    SGM_ELEMENT(i, groups);
    int at, run, column, row;
    float values[V];
    int p = first + sgm_divide_rest(sgm_divide_rest(i, r.length, &at), r.runs, &run);
    int b = sgm_divide_rest(sgm_divide_rest(p, r.columns, &column), r.rows, &row);
    int y = row * c.stride - c.pad + run / r.taps, z = column * c.stride - c.pad + run % r.taps;
    if (y >= 0 && y < c.H && z >= 0 && z < c.W)
        sgm_load_group<V>(x, ((b * c.H + y) * c.W + z) * c.I / V + at, values);
    else
        for (int k = 0; k < V; k++)
            values[k] = 0;
    sgm_store_group<V>(patches, i, values);
}

static void gather_patches(sgm_cuda *cuda, const conv_sizes *c, sgm_floats x, int first, int count,
                           sgm_floats patches)
{
    int run = c->pad ? c->I : c->kw * c->I;
    /* rows of the image and steps along them are whole groups as well */
    bool fours = run % SGM_VECTOR == 0 && c->W * c->I % SGM_VECTOR == 0 &&
                 c->stride * c->I % SGM_VECTOR == 0 && sgm_in_fours(x.data, x.bf16, run) &&
                 sgm_in_fours(patches.data, patches.bf16, run);
    int values = count * c->kh * c->kw * c->I, V = fours ? SGM_VECTOR : 1;
    SGM_LAUNCH_GROUPS(gather_patches_kernel, fours, values, cuda->stream, *c, runs_of(c, V), x,
                      first, values / V, patches);
}

/* dx of the images from `image` on: sums what the patches of their output pixels say, which are all
 * that `patches` holds. A group of channels per thread. */
typedef struct scatter_sizes {
    sgm_divisor groups, columns, rows, stride;
} scatter_sizes;

template <int V>
static __global__ void scatter_patches_kernel(conv_sizes c, scatter_sizes s, const float *patches,
                                              int image, int count, float *dx, bool accumulate)
{
    SGM_ELEMENT(i, count);
    int g, z, y, v_rest, u_rest, width = c.I / V;
    int b = sgm_divide_rest(sgm_divide_rest(sgm_divide_rest(i, s.groups, &g), s.columns, &z),
                            s.rows, &y);
    float sum[V] = {}, value[V];
    for (int ky = 0; ky < c.kh; ky++)
        for (int kx = 0; kx < c.kw; kx++) {
            int v = y + c.pad - ky, u = z + c.pad - kx;
            if (v < 0 || u < 0) continue;
            v = sgm_divide_rest(v, s.stride, &v_rest);
            u = sgm_divide_rest(u, s.stride, &u_rest);
            if (v_rest || u_rest || v >= c.H2 || u >= c.W2) continue;
            int p = (b * c.H2 + v) * c.W2 + u;
            sgm_load_f32<V>(patches, (p * c.kh * c.kw + ky * c.kw + kx) * width + g, value);
            for (int k = 0; k < V; k++)
                sum[k] += value[k];
        }
    sgm_give_group<V>(dx, image * c.H * c.W * width + i, sum, accumulate);
}

static void scatter_patches(sgm_cuda *cuda, const conv_sizes *sizes, const float *patches,
                            int image, int images, float *dx, bool accumulate)
{
    conv_sizes c = *sizes;
    bool fours = sgm_in_fours(patches, 0, c.I) && sgm_in_fours(dx, 0, c.I);
    int values = images * c.H * c.W * c.I, V = fours ? SGM_VECTOR : 1;
    scatter_sizes s = {sgm_divisor_of(c.I / V), sgm_divisor_of(c.W), sgm_divisor_of(c.H),
                       sgm_divisor_of(c.stride)};
    SGM_LAUNCH_GROUPS(scatter_patches_kernel, fours, values, cuda->stream, c, s, patches, image,
                      values / V, dx, accumulate);
}

/* A 1 x 1 kernel at stride 1: the image is its own patches. */
static bool is_pointwise(const conv_sizes *c)
{
    return c->kh == 1 && c->kw == 1 && c->stride == 1 && c->pad == 0;
}

static const int64_t PATCH_BYTES = 64 << 20, SUM_BYTES = 32 << 20;

typedef struct dense_parts {
    conv_sizes c;
    sgm_layer layer;
    int rows, K; /* output pixels, taps x channels */
    sgm_dtype type;
    const void *weight;
    char *patches; /* of at_once rows; NULL: the image itself */
} dense_parts;

/* Rows whose patches are in scratch at once. */
static int patch_rows(int rows, int64_t bytes_of_row)
{
    int64_t most = PATCH_BYTES / bytes_of_row / 128 * 128;
    if (most < 128) most = 128;
    return most < rows ? (int)most : rows;
}

static dense_parts take_dense(sgm_cuda *cuda, const sgm_step *step, sgm_cursor *cursor)
{
    dense_parts p = {};
    p.c = sizes_of(step);
    p.rows = p.c.B * p.c.H2 * p.c.W2;
    p.K = p.c.kh * p.c.kw * p.c.I;
    p.type = sgm_factor_type(cuda, step);
    p.weight = packed_weight(cuda, step, p.type, cursor);
    bool gathers = !is_pointwise(&p.c) || step->in[0].dtype != p.type;
    int64_t patch = (int64_t)p.K * (int64_t)sgm_bytes_of(p.type);
    sgm_cuda_layer_take(cuda, step, p.rows, p.K, gathers ? patch_rows(p.rows, patch) : p.rows,
                        p.weight, p.type, cursor, &p.layer);
    if (gathers) p.patches = (char *)sgm_take(cursor, (size_t)p.layer.at_once * (size_t)patch);
    return p;
}

/* Patches of output pixels [first, first + count) as factors of a product. */
static const void *patches_of(sgm_cuda *cuda, const sgm_step *step, const dense_parts *p, int first,
                              int count)
{
    if (!p->patches)
        return (const char *)step->in[0].data +
               (size_t)first * (size_t)p->K * sgm_bytes_of(p->type);
    sgm_floats x = sgm_floats_of(&step->in[0]), patches = {p->patches, p->type == SGM_BF16};
    gather_patches(cuda, &p->c, x, first, count, patches);
    return p->patches;
}

static sgm_status dense_forward(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    dense_parts p = take_dense(cuda, step, &cursor);
    for (int first = 0; first < p.rows; first += p.layer.at_once) {
        int left = p.rows - first, count = left < p.layer.at_once ? left : p.layer.at_once;
        SGM_TRY(sgm_cuda_layer_rows(cuda, step, &p.layer, patches_of(cuda, step, &p, first, count),
                                    first, count));
    }
    return SGM_OK;
}

/* ------------------------------------------------------------------------------ dense gradients */

/* Whole images, as many at once as their patches' gradients find room for. */
static const int64_t GRADIENT_BYTES = 256 << 20;

typedef struct dense_gradients {
    dense_parts p;
    int at_once;    /* images */
    const void *dy; /* of all images, in the product's type */
    float *dpatches, *dpacked;
    void *columns;
} dense_gradients;

static int images_at_once(const conv_sizes *c, int64_t bytes_of_image)
{
    int64_t most = GRADIENT_BYTES / bytes_of_image;
    return most < 1 ? 1 : most < c->B ? (int)most : c->B;
}

static dense_gradients take_dense_gradients(sgm_cuda *cuda, const sgm_step *step,
                                            sgm_cursor *cursor)
{
    dense_gradients g = {};
    conv_sizes c = sizes_of(step);
    g.p.c = c;
    g.p.rows = c.B * c.H2 * c.W2;
    g.p.K = c.kh * c.kw * c.I;
    g.p.type = sgm_factor_type(cuda, step);
    g.p.weight = packed_weight(cuda, step, g.p.type, cursor);
    int64_t values = (int64_t)c.H2 * c.W2 * g.p.K;
    g.at_once = images_at_once(&c, values * (int64_t)sizeof(float));
    values *= g.at_once;
    g.p.patches = (char *)sgm_take(cursor, (size_t)values * sgm_bytes_of(g.p.type));
    g.dy =
        sgm_cuda_as(cuda, cursor, step->grad_out.data, SGM_F32, g.p.type, (int64_t)g.p.rows * c.O);
    if (!is_pointwise(&c)) g.dpatches = (float *)sgm_take(cursor, (size_t)values * sizeof(float));
    g.dpacked = (float *)sgm_take(cursor, (size_t)c.O * (size_t)g.p.K * sizeof(float));
    g.columns = sgm_take(cursor, sgm_cuda_column_bytes(g.p.rows, c.O));
    return g;
}

/* The gradient of the output pixels of the images from `image` on. */
static const void *dy_of(const dense_gradients *g, int image)
{
    const conv_sizes *c = &g->p.c;
    return (const char *)g->dy +
           (size_t)image * (size_t)c->H2 * (size_t)c->W2 * (size_t)c->O * sgm_bytes_of(g->p.type);
}

static sgm_status dense_data_gradient(sgm_cuda *cuda, const sgm_step *step,
                                      const dense_gradients *g, int image, int images)
{
    const conv_sizes c = g->p.c;
    float *dx = (float *)step->grad_in[0].data;
    sgm_product product = {};
    product.m = images * c.H2 * c.W2, product.n = g->p.K, product.k = c.O;
    product.a = dy_of(g, image);
    product.lda = c.O;
    product.b = g->p.weight;
    product.ldb = g->p.K;
    product.type = g->p.type;
    product.c = g->dpatches;
    product.ldc = g->p.K;
    product.alpha = 1;
    product.batch = 1;
    if (!is_pointwise(&c)) {
        SGM_TRY(sgm_cuda_product(cuda, &product));
        scatter_patches(cuda, &c, g->dpatches, image, images, dx, step->accumulate[0]);
        return SGM_OK;
    }
    product.c = dx + (size_t)image * (size_t)c.H * (size_t)c.W * (size_t)c.I;
    product.beta = step->accumulate[0] ? 1.0f : 0.0f;
    return sgm_cuda_product(cuda, &product);
}

static sgm_status dense_weight_gradient(sgm_cuda *cuda, const sgm_step *step,
                                        const dense_gradients *g, int image, int images)
{
    int pixels = g->p.c.H2 * g->p.c.W2;
    sgm_product product = {};
    product.m = g->p.c.O, product.n = g->p.K, product.k = images * pixels;
    product.transpose_a = true;
    product.a = dy_of(g, image);
    product.lda = g->p.c.O;
    product.b = patches_of(cuda, step, &g->p, image * pixels, images * pixels);
    product.ldb = g->p.K;
    product.type = g->p.type;
    product.c = g->dpacked;
    product.ldc = g->p.K;
    product.alpha = 1;
    product.beta = image ? 1.0f : 0.0f;
    product.batch = 1;
    return sgm_cuda_product(cuda, &product);
}

static sgm_status dense_backward(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    dense_gradients g = take_dense_gradients(cuda, step, &cursor);
    const conv_sizes c = g.p.c;
    if ((int64_t)c.H2 * c.W2 * g.p.K > INT32_MAX)
        return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY,
                             "CUDA: the gradient of a convolution over %d x %d pixels is too large",
                             c.H, c.W);
    for (int image = 0; image < c.B; image += g.at_once) {
        int images = c.B - image < g.at_once ? c.B - image : g.at_once;
        if (step->grad_in[0].data) SGM_TRY(dense_data_gradient(cuda, step, &g, image, images));
        if (step->grad_in[1].data) SGM_TRY(dense_weight_gradient(cuda, step, &g, image, images));
    }
    int count = c.O * g.p.K;
    if (step->grad_in[1].data)
        SGM_LAUNCH(unpack_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, g.dpacked, c.I,
                   c.kh * c.kw, count, (float *)step->grad_in[1].data, step->accumulate[1]);
    if (step->grad_in[2].data)
        sgm_cuda_column_sum(cuda, (const float *)step->grad_out.data, g.p.rows, c.O,
                            (float *)step->grad_in[2].data, step->accumulate[2], g.columns);
    return SGM_OK;
}

/* -------------------------------------------------------------------------------------- grouped */

/* Direct: one thread per output value. */
static __global__ void grouped_kernel(conv_sizes c, sgm_floats x, const float *w, const float *bias,
                                      int act, sgm_floats residual, sgm_floats out)
{
    SGM_ELEMENT(i, c.B * c.H2 * c.W2 * c.O);
    int o = i % c.O, p = i / c.O, b = p / c.W2 / c.H2;
    int y = p / c.W2 % c.H2 * c.stride - c.pad, z = p % c.W2 * c.stride - c.pad;
    int from = o / c.Og * c.Ig;
    float sum = bias ? bias[o] : 0;
    for (int ky = 0; ky < c.kh; ky++)
        for (int kx = 0; kx < c.kw; kx++) {
            if (y + ky < 0 || y + ky >= c.H || z + kx < 0 || z + kx >= c.W) continue;
            int at = ((b * c.H + y + ky) * c.W + z + kx) * c.I + from;
            for (int in = 0; in < c.Ig; in++)
                sum += sgm_load(x, at + in) * w[((o * c.Ig + in) * c.kh + ky) * c.kw + kx];
        }
    sum = sgm_act_of(act, sum);
    if (residual.data) sum += sgm_load(residual, i);
    sgm_store(out, i, sum);
}

/* A filter per channel: four channels per thread; w is [taps, O]. */
typedef struct depthwise_sizes {
    sgm_divisor groups, columns, rows; /* of channels; output pixels */
} depthwise_sizes;

static __global__ void depthwise_kernel(conv_sizes c, depthwise_sizes d, sgm_floats x,
                                        const float *w, const float *bias, int act,
                                        sgm_floats residual, sgm_floats out, int count)
{
    SGM_ELEMENT(i, count);
    int g, column, row, width = c.I / SGM_VECTOR;
    int b = sgm_divide_rest(sgm_divide_rest(sgm_divide_rest(i, d.groups, &g), d.columns, &column),
                            d.rows, &row);
    int y = row * c.stride - c.pad, z = column * c.stride - c.pad;
    float sum[SGM_VECTOR] = {}, value[SGM_VECTOR], factor[SGM_VECTOR];
    if (bias) sgm_load_f32<SGM_VECTOR>(bias, g, sum);
    for (int ky = 0; ky < c.kh; ky++)
        for (int kx = 0; kx < c.kw; kx++) {
            if (y + ky < 0 || y + ky >= c.H || z + kx < 0 || z + kx >= c.W) continue;
            sgm_load_group<SGM_VECTOR>(x, ((b * c.H + y + ky) * c.W + z + kx) * width + g, value);
            sgm_load_f32<SGM_VECTOR>(w, (ky * c.kw + kx) * width + g, factor);
            for (int k = 0; k < SGM_VECTOR; k++)
                sum[k] += value[k] * factor[k];
        }
    for (int k = 0; k < SGM_VECTOR; k++)
        sum[k] = sgm_act_of(act, sum[k]);
    if (residual.data) {
        sgm_load_group<SGM_VECTOR>(residual, i, value);
        for (int k = 0; k < SGM_VECTOR; k++)
            sum[k] += value[k];
    }
    sgm_store_group<SGM_VECTOR>(out, i, sum);
}

static void depthwise_forward(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    conv_sizes c = sizes_of(step);
    const float *w = (const float *)packed_weight(cuda, step, SGM_F32, &cursor);
    depthwise_sizes d = {sgm_divisor_of(c.O / SGM_VECTOR), sgm_divisor_of(c.W2),
                         sgm_divisor_of(c.H2)};
    int groups = sgm_count_of(step->out.shape) / SGM_VECTOR;
    SGM_LAUNCH(depthwise_kernel, sgm_blocks(groups), SGM_THREADS, cuda->stream, c, d,
               sgm_floats_of(&step->in[0]), w, (const float *)step->in[2].data, (int)step->act,
               sgm_floats_of(&step->residual), sgm_floats_of(&step->out), groups);
}

static void grouped_forward(sgm_cuda *cuda, const sgm_step *step)
{
    SGM_LAUNCH(grouped_kernel, sgm_blocks(sgm_count_of(step->out.shape)), SGM_THREADS, cuda->stream,
               sizes_of(step), sgm_floats_of(&step->in[0]), (const float *)step->in[1].data,
               (const float *)step->in[2].data, (int)step->act, sgm_floats_of(&step->residual),
               sgm_floats_of(&step->out));
}

static __global__ void grouped_data_kernel(conv_sizes c, const float *dy, const float *w, float *dx,
                                           bool accumulate)
{
    SGM_ELEMENT(i, c.B * c.H * c.W * c.I);
    int in = i % c.I, z = i / c.I % c.W, y = i / c.I / c.W % c.H, b = i / c.I / c.W / c.H;
    int group = in / c.Ig;
    float sum = 0;
    for (int ky = 0; ky < c.kh; ky++)
        for (int kx = 0; kx < c.kw; kx++) {
            int v = y + c.pad - ky, u = z + c.pad - kx;
            if (v < 0 || u < 0 || v % c.stride || u % c.stride) continue;
            if (v / c.stride >= c.H2 || u / c.stride >= c.W2) continue;
            int at = ((b * c.H2 + v / c.stride) * c.W2 + u / c.stride) * c.O;
            for (int o = group * c.Og; o < (group + 1) * c.Og; o++)
                sum += dy[at + o] * w[((o * c.Ig + in % c.Ig) * c.kh + ky) * c.kw + kx];
        }
    sgm_give(&dx[i], sum, accumulate);
}

enum { MOST_PIXEL_CHUNKS = 64 };

static int pixel_chunks(const conv_sizes *c)
{
    int chunks = (c->B * c->H2 * c->W2 + 63) / 64;
    return chunks < MOST_PIXEL_CHUNKS ? chunks : MOST_PIXEL_CHUNKS;
}

/* partial[chunk, o, in, tap]: threads of a warp have neighbouring output channels, so that a
 * depthwise kernel reads rows of memory. */
static __global__ void grouped_weight_kernel(conv_sizes c, sgm_floats x, const float *dy,
                                             int chunks, float *partial)
{
    int taps = c.kh * c.kw, weights = c.O * c.Ig * taps;
    SGM_ELEMENT(i, weights);
    int o = i % c.O, in = i / c.O % c.Ig, tap = i / c.O / c.Ig, chunk = (int)blockIdx.y;
    float sum = 0;
    for (int p = chunk; p < c.B * c.H2 * c.W2; p += chunks) {
        int y = p / c.W2 % c.H2 * c.stride - c.pad + tap / c.kw;
        int z = p % c.W2 * c.stride - c.pad + tap % c.kw, b = p / c.W2 / c.H2;
        if (y < 0 || y >= c.H || z < 0 || z >= c.W) continue;
        sum +=
            dy[p * c.O + o] * sgm_load(x, ((b * c.H + y) * c.W + z) * c.I + o / c.Og * c.Ig + in);
    }
    partial[(int64_t)chunk * weights + (o * c.Ig + in) * taps + tap] = sum;
}

/* Four channels per thread; `d` divides input pixels here, w is [taps, O]. */
static __global__ void depthwise_data_kernel(conv_sizes c, depthwise_sizes d, sgm_divisor stride,
                                             const float *dy, const float *w, float *dx,
                                             bool accumulate, int count)
{
    SGM_ELEMENT(i, count);
    int g, column, row, width = c.O / SGM_VECTOR;
    int b = sgm_divide_rest(sgm_divide_rest(sgm_divide_rest(i, d.groups, &g), d.columns, &column),
                            d.rows, &row);
    float sum[SGM_VECTOR] = {}, value[SGM_VECTOR], factor[SGM_VECTOR];
    for (int ky = 0; ky < c.kh; ky++) {
        int skipped, y = row + c.pad - ky;
        if (y < 0) continue;
        y = sgm_divide_rest(y, stride, &skipped);
        if (skipped || y >= c.H2) continue;
        for (int kx = 0; kx < c.kw; kx++) {
            int z = column + c.pad - kx;
            if (z < 0) continue;
            z = sgm_divide_rest(z, stride, &skipped);
            if (skipped || z >= c.W2) continue;
            sgm_load_f32<SGM_VECTOR>(dy, ((b * c.H2 + y) * c.W2 + z) * width + g, value);
            sgm_load_f32<SGM_VECTOR>(w, (ky * c.kw + kx) * width + g, factor);
            for (int k = 0; k < SGM_VECTOR; k++)
                sum[k] += value[k] * factor[k];
        }
    }
    sgm_give_group<SGM_VECTOR>(dx, i, sum, accumulate);
}

/* Taps [first, first + T) of the output pixel whose patch begins at (y, z) of image b, zeros
 * outside the image. All nine taps of a 3 x 3 kernel, or one. */
template <int T>
static __device__ __forceinline__ void load_taps(const conv_sizes &c, sgm_floats x, int b, int y,
                                                 int z, int first, int g, float to[T][SGM_VECTOR])
{
    SGM_UNROLL
    for (int t = 0; t < T; t++) {
        int at_y = y + (T == 9 ? t / 3 : first / c.kw), at_z = z + (T == 9 ? t % 3 : first % c.kw);
        SGM_UNROLL
        for (int k = 0; k < SGM_VECTOR; k++)
            to[t][k] = 0;
        if (at_y >= 0 && at_y < c.H && at_z >= 0 && at_z < c.W)
            sgm_load_group<SGM_VECTOR>(x, ((b * c.H + at_y) * c.W + at_z) * (c.I / SGM_VECTOR) + g,
                                       to[t]);
    }
}

/* partial[chunk, o, tap], T taps per thread in registers; a chunk is a run of output pixels, so
 * that its blocks meet a row of the image again soon. */
template <int T>
static __global__ void depthwise_weight_kernel(conv_sizes c, depthwise_sizes d, sgm_floats x,
                                               const float *dy, int pixels, float *partial)
{
    const int ROUND = T == 9 ? 3 : T; /* taps whose sums are on the board at once */
    __shared__ float board[ROUND * SGM_VECTOR][SGM_THREADS];
    int width = c.O / SGM_VECTOR, taps = c.kh * c.kw, tap = (int)blockIdx.z * T;
    int g = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    int run = (int)((pixels + gridDim.y - 1) / gridDim.y), first = (int)blockIdx.y * run;
    int end = first + run < pixels ? first + run : pixels;
    float sum[T * SGM_VECTOR] = {}, value[SGM_VECTOR], around[T][SGM_VECTOR];
    sgm_floats f32 = {x.data, 0}, bf16 = {x.data, 1};
    for (int p = first + (int)threadIdx.y; p < end && g < width; p += (int)blockDim.y) {
        int row, column;
        int b = sgm_divide_rest(sgm_divide_rest(p, d.columns, &column), d.rows, &row);
        int y = row * c.stride - c.pad, z = column * c.stride - c.pad;
        sgm_load_f32<SGM_VECTOR>(dy, p * width + g, value);
        if (x.bf16)
            load_taps<T>(c, bf16, b, y, z, tap, g, around);
        else
            load_taps<T>(c, f32, b, y, z, tap, g, around);
        SGM_UNROLL
        for (int t = 0; t < T; t++)
            for (int k = 0; k < SGM_VECTOR; k++)
                sum[t * SGM_VECTOR + k] += value[k] * around[t][k];
    }
    SGM_UNROLL
    for (int t = 0; t < T; t += ROUND)
        sgm_lane_sum<ROUND * SGM_VECTOR>(sum + t * SGM_VECTOR, board);
    if (threadIdx.y || g >= width) return;
    partial += ((int64_t)blockIdx.y * c.O + g * SGM_VECTOR) * taps + tap;
    SGM_UNROLL
    for (int t = 0; t < T; t++)
        for (int k = 0; k < SGM_VECTOR; k++)
            partial[k * taps + t] = sum[t * SGM_VECTOR + k];
}

typedef struct grouped_gradients {
    conv_sizes c;
    int pixels, chunks; /* of the output */
    float *partial;
    void *columns;
    const float *weight; /* packed, of a depthwise kernel */
} grouped_gradients;

static grouped_gradients take_grouped(sgm_cuda *cuda, const sgm_step *step, sgm_cursor *cursor)
{
    grouped_gradients g = {};
    int weights = sgm_count_of(step->in[1].shape);
    g.c = sizes_of(step);
    g.pixels = g.c.B * g.c.H2 * g.c.W2;
    g.chunks = is_depthwise(step) ? sgm_column_chunks(g.pixels, g.c.O) : pixel_chunks(&g.c);
    g.partial = (float *)sgm_take(cursor, (size_t)g.chunks * (size_t)weights * sizeof(float));
    g.columns = sgm_take(cursor, sgm_cuda_column_bytes(g.pixels, g.c.O));
    if (is_depthwise(step)) g.weight = (const float *)packed_weight(cuda, step, SGM_F32, cursor);
    return g;
}

static void depthwise_data_gradient(sgm_cuda *cuda, const sgm_step *step,
                                    const grouped_gradients *g)
{
    const conv_sizes c = g->c;
    depthwise_sizes d = {sgm_divisor_of(c.I / SGM_VECTOR), sgm_divisor_of(c.W),
                         sgm_divisor_of(c.H)};
    int count = sgm_count_of(step->in[0].shape) / SGM_VECTOR;
    SGM_LAUNCH(depthwise_data_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, c, d,
               sgm_divisor_of(c.stride), (const float *)step->grad_out.data, g->weight,
               (float *)step->grad_in[0].data, step->accumulate[0], count);
}

static void depthwise_weight_gradient(sgm_cuda *cuda, const sgm_step *step,
                                      const grouped_gradients *g)
{
    const conv_sizes c = g->c;
    depthwise_sizes d = {sgm_divisor_of(c.O / SGM_VECTOR), sgm_divisor_of(c.W2),
                         sgm_divisor_of(c.H2)};
    sgm_sheet s = sgm_sheet_of(g->pixels, c.O / SGM_VECTOR, g->chunks, SGM_ACROSS);
    sgm_floats x = sgm_floats_of(&step->in[0]);
    const float *dy = (const float *)step->grad_out.data;
    if (c.kh == 3 && c.kw == 3) {
        SGM_LAUNCH_TEAM(depthwise_weight_kernel<9>, s.grid, s.block, cuda->stream, c, d, x, dy,
                        g->pixels, g->partial);
    } else {
        s.grid.z = (unsigned)(c.kh * c.kw);
        SGM_LAUNCH_TEAM(depthwise_weight_kernel<1>, s.grid, s.block, cuda->stream, c, d, x, dy,
                        g->pixels, g->partial);
    }
}

static void grouped_data_gradient(sgm_cuda *cuda, const sgm_step *step, const grouped_gradients *g)
{
    SGM_LAUNCH(grouped_data_kernel, sgm_blocks(sgm_count_of(step->in[0].shape)), SGM_THREADS,
               cuda->stream, g->c, (const float *)step->grad_out.data,
               (const float *)step->in[1].data, (float *)step->grad_in[0].data,
               step->accumulate[0]);
}

static void grouped_weight_gradient(sgm_cuda *cuda, const sgm_step *step,
                                    const grouped_gradients *g)
{
    dim3 grid(sgm_blocks(sgm_count_of(step->in[1].shape)), (unsigned)g->chunks);
    SGM_LAUNCH(grouped_weight_kernel, grid, SGM_THREADS, cuda->stream, g->c,
               sgm_floats_of(&step->in[0]), (const float *)step->grad_out.data, g->chunks,
               g->partial);
}

static sgm_status grouped_backward(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    grouped_gradients g = take_grouped(cuda, step, &cursor);
    bool depthwise = is_depthwise(step);
    if (step->grad_in[0].data)
        (depthwise ? depthwise_data_gradient : grouped_data_gradient)(cuda, step, &g);
    if (step->grad_in[1].data) {
        (depthwise ? depthwise_weight_gradient : grouped_weight_gradient)(cuda, step, &g);
        sgm_cuda_fold(cuda, g.partial, g.chunks, sgm_count_of(step->in[1].shape),
                      (float *)step->grad_in[1].data, step->accumulate[1]);
    }
    if (step->grad_in[2].data)
        sgm_cuda_column_sum(cuda, (const float *)step->grad_out.data, g.pixels, g.c.O,
                            (float *)step->grad_in[2].data, step->accumulate[2], g.columns);
    return SGM_OK;
}

/* --------------------------------------------------------------------------------------- conv2d */

sgm_status sgm_cuda_conv2d(sgm_cuda *cuda, const sgm_step *step)
{
    if (is_dense(step)) return dense_forward(cuda, step);
    if (is_depthwise(step))
        depthwise_forward(cuda, step);
    else
        grouped_forward(cuda, step);
    return SGM_OK;
}

sgm_status sgm_cuda_conv2d_backward(sgm_cuda *cuda, const sgm_step *step)
{
    return is_dense(step) ? dense_backward(cuda, step) : grouped_backward(cuda, step);
}

void sgm_cuda_conv2d_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward,
                             sgm_cursor *cursor)
{
    if (is_dense(step) && backward) take_dense_gradients(cuda, step, cursor);
    if (is_dense(step) && !backward) take_dense(cuda, step, cursor);
    if (!is_dense(step) && backward) take_grouped(cuda, step, cursor);
    if (is_depthwise(step) && !backward) packed_weight(cuda, step, SGM_F32, cursor);
}

/* ----------------------------------------------------------------------------------- transposed */

/* The image over input pixels [first, ..) of a transposed convolution; quads are [pixel, tap, O].
 * The divisor of O and `groups` count groups of values. */
typedef struct quad_args {
    int H, W, first, groups;
    sgm_divisor O, columns, rows;
} quad_args;

/* Place of group i of the quads in the output image; *o receives its place among the channels. */
static __device__ int quad_place(const quad_args &q, int i, int *o)
{
    int column, row, p = sgm_divide_rest(i, q.O, o), tap = p % 4;
    int b = sgm_divide_rest(sgm_divide_rest(q.first + p / 4, q.columns, &column), q.rows, &row);
    int y = 2 * row + tap / 2, x = 2 * column + tap % 2;
    return ((b * 2 * q.H + y) * 2 * q.W + x) * (int)q.O.by + *o;
}

template <int V>
static __global__ void scatter_quads_kernel(quad_args q, const float *quads, const float *bias,
                                            int act, sgm_floats out)
{
    SGM_ELEMENT(i, q.groups);
    int o, place = quad_place(q, i, &o);
    float value[V], more[V] = {};
    sgm_load_f32<V>(quads, i, value);
    if (bias) sgm_load_f32<V>(bias, o, more);
    for (int k = 0; k < V; k++)
        value[k] = sgm_act_of(act, value[k] + more[k]);
    sgm_store_group<V>(out, place, value);
}

template <int V>
static __global__ void gather_quads_kernel(quad_args q, sgm_floats dy, sgm_floats quads)
{
    SGM_ELEMENT(i, q.groups);
    int o, place = quad_place(q, i, &o);
    float value[V];
    sgm_load_group<V>(dy, place, value);
    sgm_store_group<V>(quads, i, value);
}

typedef struct transposed_parts {
    int rows, I, O, at_once;
    sgm_dtype type;
    const void *weight, *x;
    float *quads;
} transposed_parts;

static transposed_parts take_transposed(sgm_cuda *cuda, const sgm_step *step, sgm_cursor *cursor)
{
    transposed_parts p = {};
    p.rows = sgm_rows_of(step->in[0].shape);
    p.I = sgm_last_of(step->in[0].shape);
    p.O = sgm_last_of(step->out.shape);
    p.type = sgm_factor_type(cuda, step);
    int64_t most = SUM_BYTES / (16 * p.O);
    if (most < 128) most = 128;
    p.at_once = most < p.rows ? (int)most : p.rows;
    p.weight = packed_weight(cuda, step, p.type, cursor);
    p.x = sgm_cuda_as(cuda, cursor, step->in[0].data, step->in[0].dtype, p.type,
                      (int64_t)p.rows * p.I);
    p.quads = (float *)sgm_take(cursor, (size_t)p.at_once * (size_t)p.O * 4 * sizeof(float));
    return p;
}

static quad_args quads_of(const sgm_step *step, int O, int first, int rows, int V)
{
    int H = (int)step->in[0].shape.dim[1], W = (int)step->in[0].shape.dim[2];
    quad_args q = {
        H, W, first, rows * 4 * O / V, sgm_divisor_of(O / V), sgm_divisor_of(W), sgm_divisor_of(H)};
    return q;
}

static void scatter_quads(sgm_cuda *cuda, const sgm_step *step, const transposed_parts *p,
                          int first, int rows)
{
    sgm_floats out = sgm_floats_of(&step->out);
    const float *bias = (const float *)step->in[2].data;
    bool fours = sgm_in_fours(p->quads, 0, p->O) && sgm_in_fours(out.data, out.bf16, p->O) &&
                 sgm_in_fours(bias, 0, p->O);
    quad_args q = quads_of(step, p->O, first, rows, fours ? SGM_VECTOR : 1);
    SGM_LAUNCH_GROUPS(scatter_quads_kernel, fours, (int64_t)rows * 4 * p->O, cuda->stream, q,
                      p->quads, bias, (int)step->act, out);
}

sgm_status sgm_cuda_conv_transpose(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    transposed_parts p = take_transposed(cuda, step, &cursor);
    for (int first = 0; first < p.rows; first += p.at_once) {
        int rows = p.rows - first < p.at_once ? p.rows - first : p.at_once;
        sgm_product product = {};
        product.m = rows, product.n = 4 * p.O, product.k = p.I;
        product.transpose_b = true;
        product.a = (const char *)p.x + (size_t)first * (size_t)p.I * sgm_bytes_of(p.type);
        product.b = p.weight;
        product.type = p.type;
        product.lda = product.ldb = p.I;
        product.c = p.quads;
        product.ldc = 4 * p.O;
        product.alpha = 1;
        product.batch = 1;
        SGM_TRY(sgm_cuda_product(cuda, &product));
        scatter_quads(cuda, step, &p, first, rows);
    }
    return SGM_OK;
}

typedef struct transposed_gradients {
    int rows, I, O;
    sgm_dtype type;
    const void *weight, *x;
    void *quads, *columns;
    float *dpacked;
} transposed_gradients;

static transposed_gradients take_transposed_gradients(sgm_cuda *cuda, const sgm_step *step,
                                                      sgm_cursor *cursor)
{
    transposed_gradients g = {};
    g.rows = sgm_rows_of(step->in[0].shape);
    g.I = sgm_last_of(step->in[0].shape);
    g.O = sgm_last_of(step->out.shape);
    g.type = sgm_factor_type(cuda, step);
    g.weight = packed_weight(cuda, step, g.type, cursor);
    g.x = sgm_cuda_as(cuda, cursor, step->in[0].data, step->in[0].dtype, g.type,
                      (int64_t)g.rows * g.I);
    g.quads = sgm_take(cursor, (size_t)g.rows * (size_t)g.O * 4 * sgm_bytes_of(g.type));
    g.dpacked = (float *)sgm_take(cursor, (size_t)g.I * (size_t)g.O * 4 * sizeof(float));
    g.columns = sgm_take(cursor, sgm_cuda_column_bytes(4 * g.rows, g.O));
    return g;
}

/* With Y the gathered quads [pixels, 4 O] and P the packed weight [4 O, I]: dx = Y P, dP = Y^T x.
 */
sgm_status sgm_cuda_conv_transpose_backward(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    transposed_gradients g = take_transposed_gradients(cuda, step, &cursor);
    sgm_floats dy = sgm_floats_of(&step->grad_out), quads = {g.quads, g.type == SGM_BF16};
    bool fours = sgm_in_fours(dy.data, 0, g.O) && sgm_in_fours(quads.data, quads.bf16, g.O);
    quad_args q = quads_of(step, g.O, 0, g.rows, fours ? SGM_VECTOR : 1);
    SGM_LAUNCH_GROUPS(gather_quads_kernel, fours, (int64_t)g.rows * 4 * g.O, cuda->stream, q, dy,
                      quads);
    sgm_product dx = {}, dp = {};
    dx.m = g.rows, dx.n = g.I, dx.k = 4 * g.O;
    dx.a = g.quads, dx.lda = 4 * g.O, dx.b = g.weight, dx.ldb = g.I;
    dx.c = step->grad_in[0].data, dx.ldc = g.I;
    dx.beta = step->accumulate[0] ? 1.0f : 0.0f;
    dp.m = 4 * g.O, dp.n = g.I, dp.k = g.rows;
    dp.transpose_a = true;
    dp.a = g.quads, dp.lda = 4 * g.O, dp.b = g.x, dp.ldb = g.I;
    dp.c = g.dpacked, dp.ldc = g.I;
    dx.type = dp.type = g.type;
    dx.alpha = dp.alpha = 1;
    dx.batch = dp.batch = 1;
    int count = 4 * g.I * g.O;
    if (dx.c) SGM_TRY(sgm_cuda_product(cuda, &dx));
    if (step->grad_in[1].data) {
        SGM_TRY(sgm_cuda_product(cuda, &dp));
        SGM_LAUNCH(unpack_transposed_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream,
                   g.dpacked, g.I, g.O, count, (float *)step->grad_in[1].data, step->accumulate[1]);
    }
    if (step->grad_in[2].data)
        sgm_cuda_column_sum(cuda, (const float *)step->grad_out.data, 4 * g.rows, g.O,
                            (float *)step->grad_in[2].data, step->accumulate[2], g.columns);
    return SGM_OK;
}

void sgm_cuda_conv_transpose_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward,
                                     sgm_cursor *cursor)
{
    if (backward)
        take_transposed_gradients(cuda, step, cursor);
    else
        take_transposed(cuda, step, cursor);
}
