/* Layers that are products and nothing else, conversions, column sums. */
#include "cuda_vector.h"

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

enum { ROWS_PER_CHUNK = 32, MOST_CHUNKS = 128 };

static int chunks_of(int rows)
{
    int chunks = (rows + ROWS_PER_CHUNK - 1) / ROWS_PER_CHUNK;
    return chunks < MOST_CHUNKS ? chunks : MOST_CHUNKS;
}

/* One thread per column and chunk of rows: row r belongs to chunk r % chunks. */
static __global__ void column_kernel(const float *x, int rows, int columns, int chunks,
                                     float *partial)
{
    int column = (int)(blockIdx.x * blockDim.x + threadIdx.x), chunk = (int)blockIdx.y;
    if (column >= columns) return;
    float sum = 0;
    for (int r = chunk; r < rows; r += chunks)
        sum += x[(int64_t)r * columns + column];
    partial[chunk * columns + column] = sum;
}

static __global__ void fold_kernel(const float *partial, int chunks, int columns, float *to,
                                   bool accumulate)
{
    SGM_ELEMENT(column, columns);
    float sum = 0;
    for (int k = 0; k < chunks; k++)
        sum += partial[(int64_t)k * columns + column];
    sgm_give(&to[column], sum, accumulate);
}

void sgm_cuda_fold(sgm_cuda *cuda, const float *partial, int chunks, int columns, float *to,
                   bool accumulate)
{
    SGM_LAUNCH(fold_kernel, sgm_blocks(columns), SGM_THREADS, cuda->stream, partial, chunks,
               columns, to, accumulate);
}

size_t sgm_cuda_column_bytes(int rows, int columns)
{
    return (size_t)chunks_of(rows) * (size_t)columns * sizeof(float);
}

void sgm_cuda_column_sum(sgm_cuda *cuda, const float *x, int rows, int columns, float *to,
                         bool accumulate, void *scratch)
{
    int chunks = chunks_of(rows);
    dim3 grid(sgm_blocks(columns), (unsigned)chunks);
    float *partial = (float *)scratch;
    SGM_LAUNCH(column_kernel, grid, SGM_THREADS, cuda->stream, x, rows, columns, chunks, partial);
    sgm_cuda_fold(cuda, partial, chunks, columns, to, accumulate);
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

/* One batch after the other, so that a broadcast operand's gradient sums up in a fixed order. */
static sgm_status matmul_gradient(sgm_cuda *cuda, sgm_product p, int batch, bool accumulate)
{
    p.alpha = 1;
    p.batch = 1;
    for (int i = 0; i < batch; i++) {
        sgm_product one = p;
        one.a = (const float *)p.a + i * p.a_step;
        one.b = (const float *)p.b + i * p.b_step;
        one.c = (float *)p.c + i * p.c_step;
        one.a_step = one.b_step = one.c_step = 0;
        one.beta = accumulate || (i && !p.c_step) ? 1.0f : 0.0f;
        SGM_TRY(sgm_cuda_product(cuda, &one));
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
