#include "cublas_emulation.h"

/* --------------------------------------------------------------------------------------- cuBLAS */

struct emulated_blas {
    cudaStream_t stream;
    void *workspace;
};

cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
    *handle = new emulated_blas();
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    handle->workspace = NULL; /* as documented */
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void *workspace, size_t size)
{
    if (!emulated_is_device(workspace, size)) return CUBLAS_STATUS_INVALID_VALUE;
    handle->workspace = workspace;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

const char *cublasGetStatusString(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_INVALID_VALUE ? "invalid value" : "emulated status";
}

static float read_value(const void *data, cudaDataType_t type, size_t i)
{
    if (type == CUDA_R_32F) return ((const float *)data)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void write_value(void *data, cudaDataType_t type, size_t i, float value)
{
    if (type == CUDA_R_32F) {
        ((float *)data)[i] = value;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value == value) bits += 0x7FFF + (bits >> 16 & 1);
    ((uint16_t *)data)[i] = (uint16_t)(bits >> 16);
}

static size_t bytes_of(cudaDataType_t type)
{
    return type == CUDA_R_32F ? sizeof(float) : sizeof(uint16_t);
}

/* A rows x columns column-major operand, `batch` times, lies in device memory. */
static bool fits(const void *data, cudaDataType_t type, int rows, int columns, int ld,
                 long long stride, int batch)
{
    size_t count = (size_t)(stride * (batch - 1) + (long long)ld * (columns - 1) + rows);
    return ld >= rows && emulated_is_device(data, count * bytes_of(type));
}

/* op(X)[rows, columns] as a dense row-major array of doubles. */
static double *dense(const void *data, cudaDataType_t type, size_t offset, cublasOperation_t op,
                     int rows, int columns, int ld)
{
    double *out = (double *)malloc((size_t)rows * (size_t)columns * sizeof *out);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) {
            size_t at = op == CUBLAS_OP_N ? (size_t)r + (size_t)c * (size_t)ld
                                          : (size_t)c + (size_t)r * (size_t)ld;
            out[(size_t)r * (size_t)columns + (size_t)c] = read_value(data, type, offset + at);
        }
    return out;
}

/* Column `column` of op(A) op(B), with x[k, m] and y[k, n]: row l of the left factor is contiguous
 * over m. */
static void sums_of_column(const double *x, const double *y, int m, int n, int k, int column,
                           double *sums)
{
    for (int r = 0; r < m; r++)
        sums[r] = 0;
    for (int l = 0; l < k; l++) {
        double factor = y[(size_t)l * (size_t)n + (size_t)column];
        for (int r = 0; r < m; r++)
            sums[r] += x[(size_t)l * (size_t)m + (size_t)r] * factor;
    }
}

/* Column-major op(X) of a product's operand. */
struct operand {
    const void *data;
    cudaDataType_t type;
    cublasOperation_t op;
    int ld;
    long long stride;
};

static void multiply(int m, int n, int k, float scale, const operand &a, const operand &b,
                     float keep_old, const operand &c, int batch)
{
    double *sums = (double *)malloc((size_t)m * sizeof *sums);
    for (int i = 0; i < batch; i++) {
        cublasOperation_t turned = a.op == CUBLAS_OP_N ? CUBLAS_OP_T : CUBLAS_OP_N;
        double *x = dense(a.data, a.type, (size_t)(i * a.stride), turned, k, m, a.ld);
        double *y = dense(b.data, b.type, (size_t)(i * b.stride), b.op, k, n, b.ld);
        for (int column = 0; column < n; column++) {
            sums_of_column(x, y, m, n, k, column, sums);
            for (int r = 0; r < m; r++) {
                size_t at = (size_t)(i * c.stride) + (size_t)r + (size_t)column * (size_t)c.ld;
                double old = keep_old != 0 ? keep_old * read_value(c.data, c.type, at) : 0;
                write_value((void *)c.data, c.type, at, (float)(scale * sums[r] + old));
            }
        }
        free(x);
        free(y);
    }
    free(sums);
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t opa,
                                          cublasOperation_t opb, int m, int n, int k,
                                          const void *alpha, const void *a, cudaDataType_t a_type,
                                          int lda, long long a_stride, const void *b,
                                          cudaDataType_t b_type, int ldb, long long b_stride,
                                          const void *beta, void *c, cudaDataType_t c_type, int ldc,
                                          long long c_stride, int batch,
                                          cublasComputeType_t compute, cublasGemmAlgo_t)
{
    bool plain_a = opa == CUBLAS_OP_N, plain_b = opb == CUBLAS_OP_N;
    if (m < 1 || n < 1 || k < 1 || batch < 1 || compute != CUBLAS_COMPUTE_32F || a_type != b_type ||
        (a_type == CUDA_R_32F && c_type != CUDA_R_32F) ||
        !fits(a, a_type, plain_a ? m : k, plain_a ? k : m, lda, a_stride, batch) ||
        !fits(b, b_type, plain_b ? k : n, plain_b ? n : k, ldb, b_stride, batch) ||
        !fits(c, c_type, m, n, ldc, c_stride, batch))
        return CUBLAS_STATUS_INVALID_VALUE;
    /* cuBLAS would allocate one */
    if (emulated_capturing(handle->stream) && !handle->workspace) return CUBLAS_STATUS_ALLOC_FAILED;
    operand x = {a, a_type, opa, lda, a_stride}, y = {b, b_type, opb, ldb, b_stride};
    operand z = {c, c_type, CUBLAS_OP_N, ldc, c_stride};
    float scale = *(const float *)alpha, keep_old = *(const float *)beta;
    emulate_on(handle->stream, [=] {
        multiply(m, n, k, scale, x, y, keep_old, z, batch);
        return cudaSuccess;
    });
    return CUBLAS_STATUS_SUCCESS;
}

/* ------------------------------------------------------------------------------------- cuBLASLt */

cublasStatus_t cublasLtMatrixLayoutInit(cublasLtMatrixLayout_t layout, cudaDataType_t type,
                                        uint64_t rows, uint64_t columns, int64_t ld)
{
    *layout = {type, rows, columns, ld};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescInit(cublasLtMatmulDesc_t desc, cublasComputeType_t compute,
                                      cudaDataType_t scale)
{
    *desc = {compute, scale, CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, NULL};
    return CUBLAS_STATUS_SUCCESS;
}

/* The libraries know an attribute by its number and its size. */
static cublasStatus_t set(void *to, size_t room, const void *value, size_t size)
{
    if (size != room) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(to, value, size);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t size)
{
    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return set(&desc->transpose_a, sizeof desc->transpose_a, value, size);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return set(&desc->transpose_b, sizeof desc->transpose_b, value, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return set(&desc->epilogue, sizeof desc->epilogue, value, size);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return set(&desc->bias, sizeof desc->bias, value, size);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceInit(cublasLtMatmulPreference_t preference)
{
    *preference = {0, 7, {256, 256, 256, 256}};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void *value, size_t size)
{
    cublasLtMatmulPreferenceOpaque_t *p = preference;
    if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
        return set(&p->workspace, sizeof p->workspace, value, size);
    if (attribute == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK)
        return set(&p->reduction, sizeof p->reduction, value, size);
    return set(&p->alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES],
               sizeof p->alignment[0], value, size);
}

/* Inner size of op(A), or 0 where the matrices do not belong together. */
static uint64_t inner_size(cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                           cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                           cublasLtMatrixLayout_t d)
{
    bool plain_a = desc->transpose_a == CUBLAS_OP_N, plain_b = desc->transpose_b == CUBLAS_OP_N;
    uint64_t k = plain_a ? a->columns : a->rows;
    bool fit = (plain_a ? a->rows : a->columns) == d->rows &&
               (plain_b ? b->rows : b->columns) == k &&
               (plain_b ? b->columns : b->rows) == d->columns && c->rows == d->rows &&
               c->columns == d->columns;
    return fit ? k : 0;
}

/* Combinations of the library's table of types: the bias always has D's. */
static bool known_types(cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                        cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                        cublasLtMatrixLayout_t d)
{
    return desc->compute == CUBLAS_COMPUTE_32F && desc->scale == CUDA_R_32F && a->type == b->type &&
           c->type == d->type && (a->type == CUDA_R_16BF || d->type == CUDA_R_32F);
}

static bool aligned(cublasLtMatrixLayout_t x)
{
    return x->ld * (int64_t)bytes_of(x->type) % 16 == 0;
}

static uint32_t alignment_of(const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    return address ? (uint32_t)(address & -address & 0x1FF) : 256;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[], int *found)
{
    uint64_t k = inner_size(desc, a, b, c, d);
    *found = 0;
    if (wanted < 1 || !k || preference->reduction != CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!known_types(desc, a, b, c, d)) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (!aligned(a) || !aligned(b) || !aligned(c) || !aligned(d))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    cublasLtMatmulAlgo_t algo = {};
    algo.m = d->rows, algo.n = d->columns, algo.k = k;
    algo.workspace = preference->workspace < 512 ? 0 : preference->workspace;
    algo.epilogue = desc->epilogue;
    memcpy(algo.alignment, preference->alignment, sizeof algo.alignment);
    algo.bias_alignment = alignment_of(desc->bias);
    results[0] = {algo, algo.workspace, CUBLAS_STATUS_SUCCESS, 1};
    *found = 1;
    return CUBLAS_STATUS_SUCCESS;
}

static bool holds(const void *data, cublasLtMatrixLayout_t x, uint32_t alignment)
{
    return (uintptr_t)data % alignment == 0 &&
           fits(data, x->type, (int)x->rows, (int)x->columns, (int)x->ld, 0, 1);
}

static bool good_epilogue(cublasLtMatmulDesc_t desc, const cublasLtMatmulAlgo_t *algo,
                          cublasLtMatrixLayout_t d)
{
    if (desc->epilogue != algo->epilogue) return false;
    if (!(desc->epilogue & CUBLASLT_EPILOGUE_BIAS)) return true;
    return desc->bias && (uintptr_t)desc->bias % algo->bias_alignment == 0 &&
           emulated_is_device(desc->bias, d->rows * bytes_of(d->type));
}

/* The library's GELU is the one with tanh. */
static double epilogue_of(uint32_t epilogue, double x)
{
    if (epilogue & CUBLASLT_EPILOGUE_RELU) return x > 0 ? x : 0;
    if (epilogue & CUBLASLT_EPILOGUE_GELU)
        return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    return x;
}

/* All of a fused product, by value: descriptors may change before the stream comes to it. */
struct fused {
    cublasLtMatmulDescOpaque_t desc;
    cublasLtMatrixLayoutOpaque_t a, b, c, d;
    const void *a_data, *b_data, *c_data;
    void *d_data, *workspace;
    size_t workspace_size;
    float alpha, beta;
};

static void multiply_fused(fused f)
{
    int m = (int)f.d.rows, n = (int)f.d.columns;
    int k = (int)inner_size(&f.desc, &f.a, &f.b, &f.c, &f.d);
    if (f.workspace_size) memset(f.workspace, 0xFF, f.workspace_size);
    cublasOperation_t turned = f.desc.transpose_a == CUBLAS_OP_N ? CUBLAS_OP_T : CUBLAS_OP_N;
    double *x = dense(f.a_data, f.a.type, 0, turned, k, m, (int)f.a.ld);
    double *y =
        dense(f.b_data, f.b.type, 0, (cublasOperation_t)f.desc.transpose_b, k, n, (int)f.b.ld);
    double *sums = (double *)malloc((size_t)m * sizeof *sums);
    for (int column = 0; column < n; column++) {
        sums_of_column(x, y, m, n, k, column, sums);
        for (int r = 0; r < m; r++) {
            size_t old = (size_t)r + (size_t)column * (size_t)f.c.ld;
            size_t at = (size_t)r + (size_t)column * (size_t)f.d.ld;
            double sum = f.alpha * sums[r];
            if (f.beta != 0) sum += f.beta * (double)read_value(f.c_data, f.c.type, old);
            if (f.desc.epilogue & CUBLASLT_EPILOGUE_BIAS)
                sum += (double)read_value(f.desc.bias, f.d.type, (size_t)r);
            write_value(f.d_data, f.d.type, at, (float)epilogue_of(f.desc.epilogue, sum));
        }
    }
    free(sums);
    free(x);
    free(y);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t al, const void *b,
                              cublasLtMatrixLayout_t bl, const void *beta, const void *c,
                              cublasLtMatrixLayout_t cl, void *d, cublasLtMatrixLayout_t dl,
                              const cublasLtMatmulAlgo_t *algo, void *workspace,
                              size_t workspace_size, cudaStream_t stream)
{
    uint64_t k = inner_size(desc, al, bl, cl, dl);
    if (algo->m != dl->rows || algo->n != dl->columns || !k || algo->k != k ||
        !known_types(desc, al, bl, cl, dl) || !holds(a, al, algo->alignment[0]) ||
        !holds(b, bl, algo->alignment[1]) || !holds(c, cl, algo->alignment[2]) ||
        !holds(d, dl, algo->alignment[3]) || !good_epilogue(desc, algo, dl) ||
        (c == d && cl->ld != dl->ld) || workspace_size < algo->workspace ||
        (workspace_size && (uintptr_t)workspace % 256 != 0) || /* as cuBLASLt 13 */
        (workspace_size && !emulated_is_device(workspace, workspace_size)))
        return CUBLAS_STATUS_INVALID_VALUE;
    fused f = {*desc,
               *al,
               *bl,
               *cl,
               *dl,
               a,
               b,
               c,
               d,
               workspace,
               workspace_size,
               *(const float *)alpha,
               *(const float *)beta};
    emulate_on(stream, [=] {
        multiply_fused(f);
        return cudaSuccess;
    });
    return CUBLAS_STATUS_SUCCESS;
}
