/* Matrix products: plain ones by cuBLAS, those with a fused epilogue by cuBLASLt. */
#include "cuda_internal.h"

#include <stdlib.h>

/* ---------------------------------------------------------------------------------------- plain */

/* cuBLAS is column-major: a row-major matrix is its transpose there, so C^T = op(B)^T op(A)^T is
 * asked for, with the same transposes and the operands swapped. */
sgm_status sgm_cuda_product(sgm_cuda *cuda, const sgm_product *p)
{
    cudaDataType_t type = p->type == SGM_BF16 ? CUDA_R_16BF : CUDA_R_32F;
    cudaDataType_t c_type = p->c_type == SGM_BF16 ? CUDA_R_16BF : CUDA_R_32F;
    cublasStatus_t status = cublasGemmStridedBatchedEx(
        cuda->blas, p->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
        p->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, p->n, p->m, p->k, &p->alpha, p->b, type, p->ldb,
        p->b_step, p->a, type, p->lda, p->a_step, &p->beta, p->c, c_type, p->ldc, p->c_step,
        p->batch, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
    if (status == CUBLAS_STATUS_SUCCESS) return SGM_OK;
    return sgm_cuda_fail(cuda,
                         status == CUBLAS_STATUS_ALLOC_FAILED ? SGM_OUT_OF_MEMORY : SGM_DEVICE,
                         "CUDA: a product of %d x %d x %d by cuBLAS failed: %s", p->m, p->k, p->n,
                         cublasGetStatusString(status));
}

/* ------------------------------------------------------------------------- algorithms, by shape */

/* All that an algorithm of cuBLASLt is chosen by; no padding, compared as bytes. */
typedef struct lt_key {
    int m, n, k, lda, ldb, ldc;
    int transpose_a, transpose_b, type, c_type;
    int epilogue, adds; /* cublasLtEpilogue_t; is C read */
    uint64_t workspace;
} lt_key;

typedef struct lt_entry {
    lt_key key;
    bool used, works; /* works: cuBLASLt has an algorithm for it */
    cublasLtMatmulDescOpaque_t desc;
    cublasLtMatrixLayoutOpaque_t a, b, c; /* c: of what is added and of the result */
    cublasLtMatmulAlgo_t algo;
} lt_entry;

/* More than the products of any one network; what does not fit is asked for again. */
enum { LT_ENTRIES = 512, LT_PROBES = 8 };

/* Tensors and scratch start at multiples of 64 bytes (backend.h), pieces of them at multiples of
 * 128 rows. */
enum { LT_ALIGNMENT = 64 };

struct sgm_cuda_algorithms {
    lt_entry entries[LT_ENTRIES];
};

sgm_status sgm_cuda_algorithms_create(sgm_cuda *cuda)
{
    cuda->algorithms = (sgm_cuda_algorithms *)calloc(1, sizeof *cuda->algorithms);
    if (cuda->algorithms) return SGM_OK;
    return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "no memory for the CUDA backend");
}

void sgm_cuda_algorithms_destroy(sgm_cuda *cuda)
{
    free(cuda->algorithms);
}

static uint32_t epilogue_of(const sgm_product *p)
{
    uint32_t act = p->act == SGM_ACT_RELU   ? CUBLASLT_EPILOGUE_RELU
                   : p->act == SGM_ACT_GELU ? CUBLASLT_EPILOGUE_GELU
                                            : 0;
    if (p->biased) return act | CUBLASLT_EPILOGUE_BIAS;
    return act ? act : (uint32_t)CUBLASLT_EPILOGUE_DEFAULT;
}

static lt_key key_of(const sgm_product *p)
{
    lt_key key;
    memset(&key, 0, sizeof key);
    key.m = p->m, key.n = p->n, key.k = p->k;
    key.lda = p->lda, key.ldb = p->ldb, key.ldc = p->ldc;
    key.transpose_a = p->transpose_a, key.transpose_b = p->transpose_b;
    key.type = p->type, key.c_type = p->c_type;
    key.epilogue = (int)epilogue_of(p);
    key.adds = p->beta != 0;
    key.workspace = p->workspace_size;
    return key;
}

static size_t hash_of(const lt_key *key)
{
    const unsigned char *bytes = (const unsigned char *)key;
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < sizeof *key; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return (size_t)(hash >> 32);
}

/* The entry of this key, or one to be filled: a free one, else the first that was looked at. */
static lt_entry *entry_of(sgm_cuda_algorithms *all, const lt_key *key)
{
    size_t first = hash_of(key);
    for (size_t i = 0; i < LT_PROBES; i++) {
        lt_entry *e = &all->entries[(first + i) % LT_ENTRIES];
        if (!e->used || !memcmp(&e->key, key, sizeof *key)) return e;
    }
    lt_entry *e = &all->entries[first % LT_ENTRIES];
    e->used = false;
    return e;
}

/* Operands swapped, as above. A bias's address tells the library how biases are aligned. */
static cublasStatus_t describe(const sgm_product *p, lt_entry *e)
{
    cudaDataType_t type = p->type == SGM_BF16 ? CUDA_R_16BF : CUDA_R_32F;
    cudaDataType_t c_type = p->c_type == SGM_BF16 ? CUDA_R_16BF : CUDA_R_32F;
    int32_t ta = p->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    int32_t tb = p->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    uint64_t a_rows = (uint64_t)(p->transpose_b ? p->k : p->n);
    uint64_t a_columns = (uint64_t)(p->transpose_b ? p->n : p->k);
    uint64_t b_rows = (uint64_t)(p->transpose_a ? p->m : p->k);
    uint64_t b_columns = (uint64_t)(p->transpose_a ? p->k : p->m);
    uint32_t epilogue = epilogue_of(p);
    const void *bias = p->biased ? (const void *)(uintptr_t)LT_ALIGNMENT : NULL;
    cublasLtMatmulDesc_t d = &e->desc;
    cublasStatus_t bad = cublasLtMatmulDescInit(d, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    if (!bad) bad = cublasLtMatmulDescSetAttribute(d, CUBLASLT_MATMUL_DESC_TRANSA, &ta, sizeof ta);
    if (!bad) bad = cublasLtMatmulDescSetAttribute(d, CUBLASLT_MATMUL_DESC_TRANSB, &tb, sizeof tb);
    if (!bad)
        bad = cublasLtMatmulDescSetAttribute(d, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                             sizeof epilogue);
    if (!bad && bias)
        bad = cublasLtMatmulDescSetAttribute(d, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                             sizeof bias);
    if (!bad) bad = cublasLtMatrixLayoutInit(&e->a, type, a_rows, a_columns, p->ldb);
    if (!bad) bad = cublasLtMatrixLayoutInit(&e->b, type, b_rows, b_columns, p->lda);
    if (!bad) bad = cublasLtMatrixLayoutInit(&e->c, c_type, (uint64_t)p->n, (uint64_t)p->m, p->ldc);
    return bad;
}

/* Partial sums of a split inner dimension may only be kept and added in F32, in a fixed order. */
static cublasStatus_t prefer(cublasLtMatmulPreference_t to, uint64_t workspace)
{
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, alignment = LT_ALIGNMENT;
    cublasStatus_t bad = cublasLtMatmulPreferenceInit(to);
    if (!bad)
        bad = cublasLtMatmulPreferenceSetAttribute(to, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                   &workspace, sizeof workspace);
    if (!bad)
        bad = cublasLtMatmulPreferenceSetAttribute(to, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                                   &reduction, sizeof reduction);
    for (int i = 0; !bad && i < 4; i++)
        bad = cublasLtMatmulPreferenceSetAttribute(to, alignments[i], &alignment, sizeof alignment);
    return bad;
}

/* cuBLAS's handle serves as cuBLASLt's. */
static cublasLtHandle_t lt_handle(const sgm_cuda *cuda)
{
    return (cublasLtHandle_t)cuda->blas;
}

static bool choose(const sgm_cuda *cuda, const sgm_product *p, lt_entry *e)
{
    cublasLtMatmulPreferenceOpaque_t preference;
    cublasLtMatmulHeuristicResult_t result;
    int found = 0;
    if (describe(p, e) || prefer(&preference, e->key.workspace)) return false;
    cublasStatus_t bad = cublasLtMatmulAlgoGetHeuristic(
        lt_handle(cuda), &e->desc, &e->a, &e->b, &e->c, &e->c, &preference, 1, &result, &found);
    if (bad || !found || result.state != CUBLAS_STATUS_SUCCESS) return false;
    if (result.workspaceSize > e->key.workspace) return false;
    e->algo = result.algo;
    return true;
}

/* The algorithm of a fused product; NULL where cuBLASLt has none. */
static lt_entry *algorithm_of(const sgm_cuda *cuda, const sgm_product *p)
{
    lt_key key = key_of(p);
    lt_entry *e = entry_of(cuda->algorithms, &key);
    if (!e->used) {
        e->key = key;
        e->works = choose(cuda, p, e);
        e->used = true;
    }
    return e->works ? e : NULL;
}

/* ---------------------------------------------------------------------------------------- fused */

/* Enough to split the inner dimension eightfold, and not more than cuBLAS itself takes on Hopper.
 */
size_t sgm_cuda_workspace_bytes(int m, int n)
{
    const size_t most = (size_t)32 << 20;
    size_t wanted = (size_t)m * (size_t)n * 8 * sizeof(float);
    return wanted < most ? (wanted + 255) / 256 * 256 : most;
}

bool sgm_cuda_product_fuses(const sgm_cuda *cuda, const sgm_product *p)
{
    return algorithm_of(cuda, p) != NULL;
}

static bool is_aligned(const void *pointer)
{
    return (uintptr_t)pointer % LT_ALIGNMENT == 0;
}

sgm_status sgm_cuda_product_fused(sgm_cuda *cuda, const sgm_product *p)
{
    lt_entry *e = algorithm_of(cuda, p);
    const void *add = p->add ? p->add : p->c;
    if (!e || !is_aligned(p->a) || !is_aligned(p->b) || !is_aligned(p->c) || !is_aligned(add) ||
        !is_aligned(p->bias))
        return sgm_cuda_fail(cuda, SGM_INTERNAL,
                             "CUDA: a product of %d x %d x %d is not laid out as was planned", p->m,
                             p->k, p->n);
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    if (p->biased)
        status = cublasLtMatmulDescSetAttribute(&e->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                &p->bias, sizeof p->bias);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublasLtMatmul(lt_handle(cuda), &e->desc, &p->alpha, p->b, &e->a, p->a, &e->b,
                                &p->beta, add, &e->c, p->c, &e->c, &e->algo, p->workspace,
                                p->workspace_size, cuda->stream);
    if (status == CUBLAS_STATUS_SUCCESS) return SGM_OK;
    return sgm_cuda_fail(cuda, SGM_DEVICE, "CUDA: a product of %d x %d x %d by cuBLASLt failed: %s",
                         p->m, p->k, p->n, cublasGetStatusString(status));
}
