/* Layers that are products and nothing else, conversions, column sums. */
#include "cuda_columns.h"

/* ---------------------------------------------------------------------------------- conversions */

template <int V>
static __global__ void convert_kernel(sgm_floats from, sgm_floats to, int64_t groups)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    float values[V];
    if (i >= groups) return;
    sgm_load_group<V>(from, i, values);
    sgm_store_group<V>(to, i, values);
}

const void *sgm_cuda_as(sgm_cuda *cuda, sgm_cursor *cursor, const void *x, sgm_dtype type,
                        sgm_dtype wanted, int64_t count)
{
    if (type == wanted) return x;
    void *copy = sgm_take(cursor, (size_t)count * sgm_bytes_of(wanted));
    if (!cursor->base) return NULL;
    sgm_floats from = {(void *)x, type == SGM_BF16}, to = {copy, wanted == SGM_BF16};
    bool fours = sgm_in_fours(x, from.bf16, count);
    SGM_LAUNCH_GROUPS(convert_kernel, fours, count, cuda->stream, from, to,
                      fours ? count / 4 : count);
    return copy;
}

/* ---------------------------------------------------------------------------------- column sums */

/* to[chunk, column] (+)= the sum over the chunk's rows of x, or of x times `factor`. */
template <int V, bool PRODUCTS>
static __global__ void column_kernel(const float *x, sgm_floats factor, int rows, int groups,
                                     float *to, bool accumulate)
{
    const int AT_ONCE = PRODUCTS ? 4 : 8;
    __shared__ float board[V][SGM_THREADS];
    sgm_strand at = sgm_strand_here();
    sgm_floats from = {(void *)x, 0};
    float sum[V] = {}, value[AT_ONCE][V], times[AT_ONCE][V];
    for (int64_t r = at.row; r < rows && at.group < groups; r += AT_ONCE * at.step) {
        sgm_load_rows<V, AT_ONCE>(from, at, r, rows, groups, value);
        if (PRODUCTS) sgm_load_rows<V, AT_ONCE>(factor, at, r, rows, groups, times);
        SGM_UNROLL
        for (int n = 0; n < AT_ONCE; n++)
            for (int k = 0; k < V; k++)
                sum[k] += PRODUCTS ? value[n][k] * times[n][k] : value[n][k];
    }
    sgm_lane_sum<V>(sum, board);
    if (threadIdx.y == 0 && at.group < groups)
        sgm_give_group<V>(to, (int64_t)blockIdx.y * groups + at.group, sum, accumulate);
}

/* Rows, columns and chunks of a pass, and the groups of columns that at least stand side by side.
 */
typedef struct column_shape {
    int rows, columns, chunks, across;
} column_shape;

template <int V>
static void launch_columns(sgm_cuda *cuda, const float *x, sgm_floats factor, column_shape c,
                           float *to, bool accumulate)
{
    int groups = c.columns / V, few_rows = 4 * SGM_THREADS / c.rows;
    int across = sgm_at_most(sgm_at_least(few_rows, c.across), SGM_THREADS);
    sgm_sheet s = sgm_sheet_of(c.rows, groups, c.chunks, across);
    if (factor.data)
        SGM_LAUNCH_TEAM((column_kernel<V, true>), s.grid, s.block, cuda->stream, x, factor, c.rows,
                        groups, to, accumulate);
    else
        SGM_LAUNCH_TEAM((column_kernel<V, false>), s.grid, s.block, cuda->stream, x, factor, c.rows,
                        groups, to, accumulate);
}

static void column_pass(sgm_cuda *cuda, const float *x, sgm_floats factor, column_shape c,
                        float *to, bool accumulate)
{
    if (sgm_in_fours(x, 0, c.columns) && sgm_in_fours(factor.data, factor.bf16, c.columns) &&
        sgm_in_fours(to, 0, c.columns))
        launch_columns<SGM_VECTOR>(cuda, x, factor, c, to, accumulate);
    else
        launch_columns<1>(cuda, x, factor, c, to, accumulate);
}

/* Few columns per block, so that a thread has some four of the chunks. */
void sgm_cuda_fold(sgm_cuda *cuda, const float *partial, int chunks, int columns, float *to,
                   bool accumulate)
{
    column_shape c = {chunks, columns, 1, 8};
    sgm_floats none = {};
    column_pass(cuda, partial, none, c, to, accumulate);
}

size_t sgm_cuda_column_bytes(int rows, int columns)
{
    int chunks = sgm_column_chunks(rows, columns);
    return chunks > 1 ? (size_t)chunks * (size_t)columns * sizeof(float) : 0;
}

void sgm_cuda_column_products(sgm_cuda *cuda, const float *x, sgm_floats factor, int rows,
                              int columns, float *to, bool accumulate, void *scratch)
{
    column_shape c = {rows, columns, sgm_column_chunks(rows, columns), SGM_ACROSS};
    float *partial = (float *)scratch;
    if (c.chunks == 1) {
        column_pass(cuda, x, factor, c, to, accumulate);
        return;
    }
    column_pass(cuda, x, factor, c, partial, false);
    sgm_cuda_fold(cuda, partial, c.chunks, columns, to, accumulate);
}

void sgm_cuda_column_sum(sgm_cuda *cuda, const float *x, int rows, int columns, float *to,
                         bool accumulate, void *scratch)
{
    sgm_floats none = {};
    sgm_cuda_column_products(cuda, x, none, rows, columns, to, accumulate, scratch);
}

sgm_status sgm_cuda_clear_grad(sgm_cuda *cuda, const sgm_step *step, int input)
{
    const sgm_tensor *grad = &step->grad_in[input];
    if (!grad->data || step->accumulate[input]) return SGM_OK;
    return sgm_cuda_check(cuda,
                          cudaMemsetAsync(grad->data, 0,
                                          (size_t)sgm_count_of(grad->shape) * sizeof(float),
                                          cuda->stream),
                          "clearing a gradient");
}

/* --------------------------------------------------------------------------------------- linear */

/* Rows of x that are converted at once, where it has another type than the product. */
static const int64_t FACTORS_AT_ONCE = 16 << 20;

static int rows_to_convert(int rows, int K)
{
    int64_t at_once = FACTORS_AT_ONCE / K / 128 * 128;
    if (at_once < 128) at_once = 128;
    return at_once < rows ? (int)at_once : rows;
}

typedef struct linear_parts {
    sgm_layer layer;
    int K;
    sgm_dtype type;
    char *factors; /* at_once rows of x, converted; NULL: x itself */
} linear_parts;

static linear_parts take_linear(sgm_cuda *cuda, const sgm_step *step, sgm_cursor *cursor)
{
    linear_parts p = {};
    int rows = sgm_rows_of(step->in[0].shape);
    p.K = sgm_last_of(step->in[0].shape);
    p.type = sgm_factor_type(cuda, step);
    bool converts = step->in[0].dtype != p.type;
    const void *weight = step->packed;
    if (!weight)
        weight = sgm_cuda_as(cuda, cursor, step->in[1].data, step->in[1].dtype, p.type,
                             sgm_count_of(step->in[1].shape));
    sgm_cuda_layer_take(cuda, step, rows, p.K, converts ? rows_to_convert(rows, p.K) : rows, weight,
                        p.type, cursor, &p.layer);
    if (converts)
        p.factors =
            (char *)sgm_take(cursor, (size_t)p.layer.at_once * (size_t)p.K * sgm_bytes_of(p.type));
    return p;
}

sgm_status sgm_cuda_linear(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    linear_parts p = take_linear(cuda, step, &cursor);
    const sgm_tensor *x = &step->in[0];
    for (int row = 0; row < p.layer.rows; row += p.layer.at_once) {
        int left = p.layer.rows - row, count = left < p.layer.at_once ? left : p.layer.at_once;
        sgm_cursor spare = {p.factors, 0};
        const char *from =
            (const char *)x->data + (size_t)row * (size_t)p.K * sgm_bytes_of(x->dtype);
        SGM_TRY(sgm_cuda_layer_rows(
            cuda, step, &p.layer,
            sgm_cuda_as(cuda, &spare, from, x->dtype, p.type, (int64_t)count * p.K), row, count));
    }
    return SGM_OK;
}

/* Factors of the gradient's products: dy for both, w for dx, x for dw. */
typedef struct linear_factors {
    const void *dy, *w, *x;
    void *columns;
} linear_factors;

static linear_factors take_linear_backward(sgm_cuda *cuda, const sgm_step *step, sgm_cursor *cursor)
{
    linear_factors f = {};
    sgm_dtype type = sgm_factor_type(cuda, step);
    int rows = sgm_rows_of(step->in[0].shape), N = sgm_last_of(step->out.shape);
    f.dy = sgm_cuda_as(cuda, cursor, step->grad_out.data, SGM_F32, type, (int64_t)rows * N);
    f.w = sgm_cuda_as(cuda, cursor, step->in[1].data, step->in[1].dtype, type,
                      sgm_count_of(step->in[1].shape));
    f.x = sgm_cuda_as(cuda, cursor, step->in[0].data, step->in[0].dtype, type,
                      sgm_count_of(step->in[0].shape));
    f.columns = sgm_take(cursor, sgm_cuda_column_bytes(rows, N));
    return f;
}

/* dx = dy w, dw = dy^T x, db = sum of dy over rows. */
sgm_status sgm_cuda_linear_backward(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    linear_factors f = take_linear_backward(cuda, step, &cursor);
    int rows = sgm_rows_of(step->in[0].shape), K = sgm_last_of(step->in[0].shape);
    int N = sgm_last_of(step->out.shape);
    sgm_product dx = {}, dw = {};
    dx.m = rows, dx.n = K, dx.k = N;
    dx.a = f.dy, dx.lda = N, dx.b = f.w, dx.ldb = K;
    dx.c = step->grad_in[0].data, dx.ldc = K;
    dx.beta = step->accumulate[0] ? 1.0f : 0.0f;
    dw.m = N, dw.n = K, dw.k = rows;
    dw.transpose_a = true;
    dw.a = f.dy, dw.lda = N, dw.b = f.x, dw.ldb = K;
    dw.c = step->grad_in[1].data, dw.ldc = K;
    dw.beta = step->accumulate[1] ? 1.0f : 0.0f;
    dx.type = dw.type = sgm_factor_type(cuda, step);
    dx.alpha = dw.alpha = 1;
    dx.batch = dw.batch = 1;
    if (dx.c) SGM_TRY(sgm_cuda_product(cuda, &dx));
    if (dw.c) SGM_TRY(sgm_cuda_product(cuda, &dw));
    if (step->grad_in[2].data)
        sgm_cuda_column_sum(cuda, (const float *)step->grad_out.data, rows, N,
                            (float *)step->grad_in[2].data, step->accumulate[2], f.columns);
    return SGM_OK;
}

void sgm_cuda_linear_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward,
                             sgm_cursor *cursor)
{
    if (backward)
        take_linear_backward(cuda, step, cursor);
    else
        take_linear(cuda, step, cursor);
}

/* ----------------------------------------------------------------------------- batched products */

/* a[B|1, M, K] b[B|1, N, K]^T; always F32: it is small and ends in mask logits. */
sgm_status sgm_cuda_matmul(sgm_cuda *cuda, const sgm_step *step)
{
    const int64_t *a = step->in[0].shape.dim, *b = step->in[1].shape.dim;
    sgm_product p = {};
    p.m = (int)a[1], p.n = (int)b[1], p.k = (int)a[2];
    p.transpose_b = true;
    p.a = step->in[0].data, p.b = step->in[1].data, p.c = step->out.data;
    p.lda = p.ldb = p.k;
    p.ldc = p.n;
    p.alpha = 1;
    p.batch = (int)step->out.shape.dim[0];
    p.a_step = a[0] == 1 ? 0 : a[1] * a[2];
    p.b_step = b[0] == 1 ? 0 : b[1] * b[2];
    p.c_step = a[1] * b[1];
    return sgm_cuda_product(cuda, &p);
}

/* An operand that all of the batch share has one gradient: one batch after the other, so that it
 * sums up in a fixed order. */
static sgm_status matmul_gradient(sgm_cuda *cuda, sgm_product p, int batch, bool accumulate)
{
    p.alpha = 1;
    p.beta = accumulate ? 1.0f : 0.0f;
    p.batch = p.c_step ? batch : 1;
    for (int i = 0; i < batch; i += p.batch) {
        sgm_product part = p;
        part.a = (const float *)p.a + i * p.a_step;
        part.b = (const float *)p.b + i * p.b_step;
        if (i) part.beta = 1;
        SGM_TRY(sgm_cuda_product(cuda, &part));
    }
    return SGM_OK;
}

/* dA = dY B, dB = dY^T A. */
sgm_status sgm_cuda_matmul_backward(sgm_cuda *cuda, const sgm_step *step)
{
    const int64_t *a = step->in[0].shape.dim, *b = step->in[1].shape.dim;
    int batch = (int)step->out.shape.dim[0];
    long long a_step = a[0] == 1 ? 0 : a[1] * a[2], b_step = b[0] == 1 ? 0 : b[1] * b[2];
    sgm_product da = {}, db = {};
    da.m = (int)a[1], da.n = (int)a[2], da.k = (int)b[1];
    da.a = step->grad_out.data, da.lda = da.k, da.a_step = a[1] * b[1];
    da.b = step->in[1].data, da.ldb = da.n, da.b_step = b_step;
    da.c = step->grad_in[0].data, da.ldc = da.n, da.c_step = a_step;
    db.m = (int)b[1], db.n = (int)b[2], db.k = (int)a[1];
    db.transpose_a = true;
    db.a = step->grad_out.data, db.lda = db.m, db.a_step = a[1] * b[1];
    db.b = step->in[0].data, db.ldb = db.n, db.b_step = a_step;
    db.c = step->grad_in[1].data, db.ldc = db.n, db.c_step = b_step;
    if (da.c) SGM_TRY(matmul_gradient(cuda, da, batch, step->accumulate[0]));
    return db.c ? matmul_gradient(cuda, db, batch, step->accumulate[1]) : SGM_OK;
}
