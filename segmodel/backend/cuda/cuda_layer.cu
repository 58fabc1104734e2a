/* How linear layers and dense convolutions end: bias, activation, residual, the output's type. */
#include "cuda_vector.h"

/* ------------------------------------------------------------------------------- packed weights */

static size_t weight_bytes(const sgm_step *step, sgm_dtype type)
{
    if (step->node->op != SGM_OP_LINEAR) return sgm_cuda_conv_pack_bytes(step, type);
    return type == SGM_BF16 ? (size_t)sgm_count_of(step->in[1].shape) * 2 : 0;
}

/* Is the bias part of the packed form? */
static bool packs_bias(const sgm_step *step, sgm_dtype type)
{
    const sgm_node *node = step->node;
    return type == SGM_BF16 && node->op != SGM_OP_CONV_TRANSPOSE && node->input_count > 2 &&
           node->in[2] && node->in[2]->constant;
}

size_t sgm_cuda_pack_bytes(const sgm_step *step, sgm_dtype type)
{
    sgm_cursor cursor = {NULL, 0};
    size_t weight = weight_bytes(step, type);
    if (!weight) return 0;
    sgm_take(&cursor, weight);
    if (packs_bias(step, type)) sgm_take(&cursor, (size_t)sgm_count_of(step->in[2].shape) * 2);
    return cursor.used;
}

void sgm_cuda_pack(sgm_cuda *cuda, const sgm_step *step, sgm_dtype type, void *packed)
{
    sgm_cursor cursor = {(char *)packed, 0};
    if (step->node->op == SGM_OP_LINEAR)
        sgm_cuda_as(cuda, &cursor, step->in[1].data, SGM_F32, type,
                    sgm_count_of(step->in[1].shape));
    else
        sgm_cuda_conv_pack(cuda, step, type, sgm_take(&cursor, weight_bytes(step, type)));
    if (packs_bias(step, type))
        sgm_cuda_as(cuda, &cursor, step->in[2].data, SGM_F32, type,
                    sgm_count_of(step->in[2].shape));
}

/* The bias in BF16, as cuBLASLt wants it for BF16 results: packed beforehand, or now in scratch. */
static const void *bias_in_bf16(sgm_cuda *cuda, const sgm_step *step, sgm_cursor *cursor)
{
    if (!step->packed || !packs_bias(step, SGM_BF16))
        return sgm_cuda_as(cuda, cursor, step->in[2].data, SGM_F32, SGM_BF16,
                           sgm_count_of(step->in[2].shape));
    sgm_cursor packed = {(char *)step->packed, 0};
    sgm_take(&packed, weight_bytes(step, SGM_BF16));
    return packed.base + packed.used;
}

/* ------------------------------------------------------------------------------------- epilogue */

/* `columns` counts groups. */
template <int V>
static __global__ void epilogue_kernel(sgm_epilogue_args a, sgm_divisor columns, int groups)
{
    SGM_ELEMENT(i, groups);
    int column;
    float value[V], more[V];
    sgm_divide_rest(i, columns, &column);
    sgm_load_group<V>(a.x, i, value);
    if (a.bias) {
        sgm_load_f32<V>(a.bias, column, more);
        for (int k = 0; k < V; k++)
            value[k] += more[k];
    }
    for (int k = 0; k < V; k++)
        value[k] = sgm_act_of(a.act, value[k]);
    if (a.residual.data) {
        sgm_load_group<V>(a.residual, i, more);
        for (int k = 0; k < V; k++)
            value[k] += more[k];
    }
    sgm_store_group<V>(a.out, i, value);
}

void sgm_cuda_epilogue(sgm_cuda *cuda, const sgm_epilogue_args *args)
{
    sgm_epilogue_args a = *args;
    bool fours = sgm_in_fours(a.x.data, a.x.bf16, a.columns) &&
                 sgm_in_fours(a.out.data, a.out.bf16, a.columns) &&
                 sgm_in_fours(a.residual.data, a.residual.bf16, a.columns) &&
                 sgm_in_fours(a.bias, 0, a.columns);
    int V = fours ? SGM_VECTOR : 1;
    SGM_LAUNCH_GROUPS(epilogue_kernel, fours, a.count, cuda->stream, a,
                      sgm_divisor_of(a.columns / V), a.count / V);
}

/* ---------------------------------------------------------------------------------------- layer */

/* Data is not set yet where scratch is counted. */
static bool is_there(const sgm_tensor *tensor)
{
    return tensor->data || tensor->shape.ndim;
}

/* cuBLASLt knows GELU by its tanh formula only. It differs from the exact one by at most 4.7e-4,
 * and by 2.7e-4 of the values' RMS for normal inputs; rounding the result to BF16 costs 1.7e-3.
 * (The exact formula on sums that were rounded to BF16 for it would cost 2.6e-3.) So BF16 results
 * take it, F32 ones do not. */
static bool fuses_act(const sgm_step *step, sgm_dtype type)
{
    if (step->act == SGM_ACT_NONE) return true;
    if (is_there(&step->residual)) return false; /* it comes after the activation */
    if (step->act == SGM_ACT_GELU) return type == SGM_BF16 && step->out.dtype == SGM_BF16;
    return step->act == SGM_ACT_RELU;
}

/* What is added has the result's type. */
static bool fuses_residual(const sgm_step *step)
{
    return is_there(&step->residual) && step->act == SGM_ACT_NONE &&
           step->residual.dtype == step->out.dtype;
}

/* The product that does all of the step that cuBLASLt can. */
static void ask_for_all(const sgm_step *step, sgm_layer *layer)
{
    sgm_product *p = &layer->product;
    bool act = fuses_act(step, p->type), residual = fuses_residual(step);
    layer->rest.act = act ? SGM_ACT_NONE : step->act;
    layer->adds = is_there(&step->residual) && !residual;
    bool all = layer->rest.act == SGM_ACT_NONE && !layer->adds;
    p->act = act ? step->act : SGM_ACT_NONE;
    p->beta = residual ? 1.0f : 0.0f;
    p->biased = is_there(&step->in[2]);
    p->c_type = all ? step->out.dtype : SGM_F32;
    p->workspace_size = sgm_cuda_workspace_bytes(layer->at_once, p->n);
}

/* The product that cannot be refused: sums in F32. */
static void ask_for_sums(const sgm_step *step, sgm_layer *layer)
{
    sgm_product *p = &layer->product;
    layer->rest.act = step->act;
    layer->adds = is_there(&step->residual);
    p->act = SGM_ACT_NONE;
    p->beta = 0;
    p->biased = false;
    p->c_type = SGM_F32;
    p->workspace_size = 0;
}

static bool all_pieces_fuse(const sgm_cuda *cuda, const sgm_layer *layer)
{
    sgm_product p = layer->product;
    p.m = layer->at_once;
    if (!sgm_cuda_product_fuses(cuda, &p)) return false;
    p.m = layer->rows % layer->at_once;
    return !p.m || sgm_cuda_product_fuses(cuda, &p);
}

static void decide(const sgm_cuda *cuda, const sgm_step *step, sgm_layer *layer)
{
    ask_for_all(step, layer);
    layer->fused = all_pieces_fuse(cuda, layer);
    if (!layer->fused) ask_for_sums(step, layer);
    bool bias = is_there(&step->in[2]) && !layer->product.biased;
    layer->rest.bias = bias ? (const float *)step->in[2].data : NULL;
    layer->ends = bias || layer->rest.act != SGM_ACT_NONE || layer->adds ||
                  layer->product.c_type != step->out.dtype;
}

/* F32 sums of so many rows go through the epilogue at once that they stay in the second-level
 * cache. */
static const int64_t SUMS_AT_ONCE = 8 << 20;

static int rows_in_cache(int rows, int columns)
{
    int64_t at_once = SUMS_AT_ONCE / columns / 128 * 128;
    if (at_once < 128) at_once = 128;
    return at_once < rows ? (int)at_once : rows;
}

void sgm_cuda_layer_take(sgm_cuda *cuda, const sgm_step *step, int rows, int K, int most,
                         const void *weight, sgm_dtype type, sgm_cursor *cursor, sgm_layer *layer)
{
    sgm_product *p = &layer->product;
    *layer = {};
    layer->rows = rows;
    layer->at_once = most < rows ? most : rows;
    p->n = sgm_last_of(step->out.shape);
    p->k = p->lda = p->ldb = K;
    p->ldc = p->n;
    p->transpose_b = true;
    p->b = weight;
    p->type = type;
    p->alpha = 1;
    p->batch = 1;
    decide(cuda, step, layer);
    if (layer->ends) {
        layer->at_once = rows_in_cache(layer->at_once, p->n);
        decide(cuda, step, layer);
    }
    if (p->c_type != step->out.dtype)
        layer->sums =
            (float *)sgm_take(cursor, (size_t)layer->at_once * (size_t)p->n * sizeof(float));
    if (p->biased)
        p->bias = p->c_type == SGM_BF16 ? bias_in_bf16(cuda, step, cursor) : step->in[2].data;
    if (p->workspace_size) p->workspace = sgm_take(cursor, p->workspace_size);
}

static char *row_of(const sgm_tensor *tensor, int row, int columns)
{
    size_t at = (size_t)row * (size_t)columns * sgm_bytes_of(tensor->dtype);
    return tensor->data ? (char *)tensor->data + at : NULL;
}

sgm_status sgm_cuda_layer_rows(sgm_cuda *cuda, const sgm_step *step, const sgm_layer *layer,
                               const void *x, int row, int count)
{
    sgm_product p = layer->product;
    char *out = row_of(&step->out, row, p.n), *residual = row_of(&step->residual, row, p.n);
    p.m = count;
    p.a = x;
    p.c = layer->sums ? (char *)layer->sums : out;
    if (p.beta != 0) p.add = residual;
    SGM_TRY(layer->fused ? sgm_cuda_product_fused(cuda, &p) : sgm_cuda_product(cuda, &p));
    if (!layer->ends) return SGM_OK;
    sgm_epilogue_args e = layer->rest;
    e.x.data = p.c;
    e.out.data = out;
    e.out.bf16 = step->out.dtype == SGM_BF16;
    if (layer->adds) e.residual.data = residual;
    e.residual.bf16 = step->residual.dtype == SGM_BF16;
    e.count = count * p.n;
    e.columns = p.n;
    sgm_cuda_epilogue(cuda, &e);
    return SGM_OK;
}
