/* Attention, forward, in F32: a tile of queries per block walks over the keys with the online
 * softmax of Milakov and Gimelshein (2018), as FlashAttention (Dao 2022) does; scores are never
 * stored. In BF16 cuda_attention_mma.cu takes over where it can.
 *
 * The decomposed relative position of SAM (Li 2022, MViTv2) is q . rel_h[qy - ky] + q . rel_w[qx -
 * kx] with the unscaled query: both dot products are made beforehand, one per key row and column.
 */
#include "cuda_attention_mma.h"

static void set_grid(const sgm_step *step, sgm_attend *a)
{
    const int64_t *d = step->in[0].shape.dim;
    const sgm_node *node = step->node;
    int C = (int)d[3] / 3, window = node->u.attention.window;
    bool sam = node->u.attention.layout == SGM_QKV_SAM;
    a->grid = true;
    a->H = (int)d[1], a->W = (int)d[2];
    a->Sh = window ? window : a->H;
    a->Sw = window ? window : a->W;
    a->windows_x = (a->W + a->Sw - 1) / a->Sw;
    a->windows = a->windows_x * ((a->H + a->Sh - 1) / a->Sh);
    a->groups = (int)d[0] * a->windows;
    a->D = C / a->heads;
    a->N = a->M = a->Sh * a->Sw;
    a->q = a->k = a->v = sgm_floats_of(&step->in[0]);
    a->q_row = a->kv_row = 3 * C;
    a->out_row = C;
    a->k_part = sam ? C : a->D;
    a->v_part = 2 * a->k_part;
    a->head_step = sam ? a->D : 3 * a->D;
    a->pad = (const float *)step->in[1].data;
    a->bias = node->u.attention.bias;
    a->table = a->rel_h = (const float *)step->in[2].data;
    a->rel_w = (const float *)step->in[3].data;
}

sgm_attend sgm_attend_of(const sgm_step *step)
{
    sgm_attend a = {};
    const int64_t *q = step->in[0].shape.dim, *k = step->in[1].shape.dim;
    a.heads = step->node->u.attention.heads;
    a.scale = step->node->u.attention.scale;
    a.out = sgm_floats_of(&step->out);
    a.bias = SGM_BIAS_NONE;
    if (step->node->op == SGM_OP_ATTENTION_GRID) {
        set_grid(step, &a);
        return a;
    }
    a.groups = (int)q[0], a.N = (int)q[1], a.M = (int)k[1];
    a.D = (int)q[2] / a.heads;
    a.shared_keys = k[0] == 1;
    a.q = sgm_floats_of(&step->in[0]);
    a.k = sgm_floats_of(&step->in[1]);
    a.v = sgm_floats_of(&step->in[2]);
    a.q_row = a.kv_row = a.out_row = (int)q[2];
    a.head_step = a.D;
    a.windows = a.windows_x = a.Sh = a.Sw = 1;
    return a;
}

/* ---------------------------------------------------------------------------- relative position */

static int tokens_of(const sgm_attend *a)
{
    return a->groups / a->windows * a->H * a->W;
}

size_t sgm_attend_rel_bytes(const sgm_attend *a)
{
    if (a->bias != SGM_BIAS_REL_POS) return 0;
    return (size_t)tokens_of(a) * (size_t)a->heads * (size_t)(a->Sh + a->Sw) * sizeof(float);
}

/* Element (token, head, j): the query against the row of key row j, or key column j - Sh. */
static __global__ void rel_kernel(sgm_attend a, int64_t count, float *rel)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    int j = (int)(i % (a.Sh + a.Sw)), h = (int)(i / (a.Sh + a.Sw) % a.heads);
    int token = (int)(i / (a.Sh + a.Sw) / a.heads);
    int y = token / a.W % a.H % a.Sh, x = token % a.W % a.Sw;
    const float *row =
        j < a.Sh ? a.rel_h + (y - j + a.Sh - 1) * a.D : a.rel_w + (x - (j - a.Sh) + a.Sw - 1) * a.D;
    int64_t at = (int64_t)token * a.q_row + a.q_part + h * a.head_step;
    float sum = 0;
    for (int d = 0; d < a.D; d++)
        sum += sgm_load(a.q, at + d) * row[d];
    rel[i] = sum;
}

void sgm_attend_rel(sgm_cuda *cuda, sgm_attend *a, void *rel)
{
    if (a->bias != SGM_BIAS_REL_POS) return;
    int64_t count = (int64_t)tokens_of(a) * a->heads * (a->Sh + a->Sw);
    float *to = (float *)rel;
    sgm_attend args = *a;
    SGM_LAUNCH(rel_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, args, count, to);
    a->rel = to;
}

/* ------------------------------------------------------------------------------- the F32 kernel */

/* 256 threads as 16 x 16: thread (r, c) has queries r R .. r R + R - 1 of the tile, of each key
 * tile the keys c and c + 16, and the output channels c, c + 16, ... DMAX is D rounded up to what
 * there is a kernel for; channels beyond D are zeros. */
enum { TILE_KEYS = 32, SIDE = 16, ATTEND_THREADS = SIDE * SIDE };

template <int DMAX, int R> struct attend_board {
    float queries[SIDE * R][DMAX + 1];
    float keys[TILE_KEYS][DMAX + 1]; /* then the values of the same tokens */
    float scores[SIDE * R][TILE_KEYS + 1];
};

/* r and c. */
static __device__ int row_of_thread()
{
    return (int)threadIdx.x / SIDE;
}

static __device__ int column_of_thread()
{
    return (int)threadIdx.x % SIDE;
}

/* What a thread keeps. */
template <int DMAX, int R> struct attend_rows {
    int group, h, first; /* `first` query of the block */
    int token[R];
    float top[R], sum[R], out[R][DMAX / SIDE];
};

template <int DMAX, int R>
static __device__ void start_rows(const sgm_attend &a, attend_board<DMAX, R> &board,
                                  attend_rows<DMAX, R> &mine)
{
    const int TILE = SIDE * R;
    int tiles = (a.N + TILE - 1) / TILE, block = (int)blockIdx.x;
    mine.first = block % tiles * TILE;
    mine.h = block / tiles % a.heads, mine.group = block / tiles / a.heads;
    for (int i = 0; i < R; i++) {
        int row = row_of_thread() * R + i, n = mine.first + row;
        int token = n < a.N ? sgm_query_token(a, mine.group, n) : -1;
        int64_t at = (int64_t)token * a.q_row + a.q_part + mine.h * a.head_step;
        mine.token[i] = token;
        mine.top[i] = -INFINITY;
        mine.sum[i] = 0;
        for (int j = 0; j < DMAX / SIDE; j++)
            mine.out[i][j] = 0;
        for (int d = column_of_thread(); d < DMAX; d += SIDE)
            board.queries[row][d] = token >= 0 && d < a.D ? sgm_load(a.q, at + d) : 0;
    }
}

/* Keys or values of the tile from `start`: eight threads per token. */
template <int DMAX, int R>
static __device__ void fetch_rows(const sgm_attend &a, const attend_rows<DMAX, R> &mine,
                                  sgm_floats x, int part, int start, float (*to)[DMAX + 1])
{
    const int FETCHERS = ATTEND_THREADS / TILE_KEYS;
    int row = (int)threadIdx.x / FETCHERS, lane = (int)threadIdx.x % FETCHERS;
    bool there = start + row < a.M;
    int token = there ? sgm_key_token(a, mine.group, start + row) : -1;
    for (int d = lane; d < DMAX; d += FETCHERS)
        to[row][d] = there && d < a.D ? sgm_key_value(a, x, part, token, mine.h, d) : 0;
}

template <int DMAX, int R>
static __device__ void score_rows(const sgm_attend &a, int start, attend_board<DMAX, R> &board,
                                  const attend_rows<DMAX, R> &mine,
                                  float score[R][TILE_KEYS / SIDE])
{
    const int KEYS = TILE_KEYS / SIDE;
    for (int i = 0; i < R; i++)
        for (int j = 0; j < KEYS; j++)
            score[i][j] = 0;
    for (int d = 0; d < DMAX; d++)
        for (int i = 0; i < R; i++)
            for (int j = 0; j < KEYS; j++)
                score[i][j] += board.queries[row_of_thread() * R + i][d] *
                               board.keys[column_of_thread() + j * SIDE][d];
    for (int i = 0; i < R; i++)
        for (int j = 0; j < KEYS; j++) {
            int m = start + column_of_thread() + j * SIDE, row = row_of_thread() * R + i;
            score[i][j] *= a.scale;
            if (a.bias != SGM_BIAS_NONE && mine.token[i] >= 0 && m < a.M)
                score[i][j] += sgm_bias_of(a, mine.token[i], mine.h, mine.first + row, m);
            if (m >= a.M) score[i][j] = -INFINITY;
            board.scores[row][column_of_thread() + j * SIDE] = score[i][j];
        }
}

/* Scores on the board become exponentials of the new maximum, `higher`. */
template <int DMAX, int R>
static __device__ void exponential_rows(attend_board<DMAX, R> &board, attend_rows<DMAX, R> &mine,
                                        const float higher[R],
                                        const float score[R][TILE_KEYS / SIDE])
{
    for (int i = 0; i < R; i++) {
        float shrink = expf(mine.top[i] - higher[i]);
        mine.top[i] = higher[i];
        mine.sum[i] *= shrink;
        for (int j = 0; j < DMAX / SIDE; j++)
            mine.out[i][j] *= shrink;
        for (int j = 0; j < TILE_KEYS / SIDE; j++) {
            float p = expf(score[i][j] - mine.top[i]);
            board.scores[row_of_thread() * R + i][column_of_thread() + j * SIDE] = p;
            mine.sum[i] += p;
        }
    }
}

/* The 16 threads of a query add their parts of its sum. */
template <int DMAX, int R>
static __device__ void finish_rows(const sgm_attend &a, attend_board<DMAX, R> &board,
                                   const attend_rows<DMAX, R> &mine)
{
    for (int i = 0; i < R; i++)
        board.scores[row_of_thread() * R + i][column_of_thread()] = mine.sum[i];
    __syncthreads();
    for (int i = 0; i < R; i++) {
        int64_t at = (int64_t)mine.token[i] * a.out_row + mine.h * a.D;
        float total = 0;
        for (int j = 0; j < SIDE; j++)
            total += board.scores[row_of_thread() * R + i][j];
        for (int j = 0; j < DMAX / SIDE; j++) {
            int d = column_of_thread() + j * SIDE;
            if (mine.token[i] >= 0 && d < a.D) sgm_store(a.out, at + d, mine.out[i][j] / total);
        }
    }
}

template <int DMAX, int R>
static __global__ void __launch_bounds__(ATTEND_THREADS, 2) attend_kernel(sgm_attend a)
{
    __shared__ attend_board<DMAX, R> board;
    attend_rows<DMAX, R> mine;
    start_rows<DMAX, R>(a, board, mine);
    for (int start = 0; start < a.M; start += TILE_KEYS) {
        float score[R][TILE_KEYS / SIDE], higher[R];
        fetch_rows<DMAX, R>(a, mine, a.k, a.k_part, start, board.keys);
        __syncthreads();
        score_rows<DMAX, R>(a, start, board, mine, score);
        __syncthreads(); /* keys are read, scores are there */
        fetch_rows<DMAX, R>(a, mine, a.v, a.v_part, start, board.keys);
        for (int i = 0; i < R; i++) {
            higher[i] = mine.top[i];
            for (int j = 0; j < TILE_KEYS; j++)
                higher[i] = fmaxf(higher[i], board.scores[row_of_thread() * R + i][j]);
        }
        __syncthreads(); /* everyone has its maximum */
        exponential_rows<DMAX, R>(board, mine, higher, score);
        __syncthreads();
        for (int k = 0; k < TILE_KEYS; k++)
            for (int i = 0; i < R; i++)
                for (int j = 0; j < DMAX / SIDE; j++)
                    mine.out[i][j] += board.scores[row_of_thread() * R + i][k] *
                                      board.keys[k][column_of_thread() + j * SIDE];
        __syncthreads(); /* before the next tile overwrites */
    }
    finish_rows<DMAX, R>(a, board, mine);
}

static unsigned tiles_of(const sgm_attend *a, int tile)
{
    return (unsigned)((int64_t)a->groups * a->heads * ((a->N + tile - 1) / tile));
}

static void attend_f32(sgm_cuda *cuda, const sgm_attend *args)
{
    const sgm_attend a = *args;
    if (a.D <= 32)
        SGM_LAUNCH_TEAM((attend_kernel<32, 4>), tiles_of(&a, 64), ATTEND_THREADS, cuda->stream, a);
    else if (a.D <= 64)
        SGM_LAUNCH_TEAM((attend_kernel<64, 4>), tiles_of(&a, 64), ATTEND_THREADS, cuda->stream, a);
    else if (a.D <= 80)
        SGM_LAUNCH_TEAM((attend_kernel<80, 4>), tiles_of(&a, 64), ATTEND_THREADS, cuda->stream, a);
    else
        SGM_LAUNCH_TEAM((attend_kernel<128, 2>), tiles_of(&a, 32), ATTEND_THREADS, cuda->stream, a);
}

/* ---------------------------------------------------------------------------------------- steps */

sgm_status sgm_cuda_attention(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    sgm_attend a = sgm_attend_of(step);
    if (sgm_flash_fits(cuda, step, &a)) return sgm_flash_run(cuda, &a, &cursor);
    if (a.D > SGM_MOST_HEAD_DIM)
        return sgm_cuda_fail(cuda, SGM_DEVICE,
                             "CUDA: attention heads of %d channels; at most %d are supported", a.D,
                             (int)SGM_MOST_HEAD_DIM);
    sgm_attend_rel(cuda, &a, step->scratch);
    attend_f32(cuda, &a);
    return SGM_OK;
}

void sgm_cuda_attention_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward,
                                sgm_cursor *cursor)
{
    sgm_attend a = sgm_attend_of(step);
    if (backward)
        sgm_attend_grad_scratch(cuda, step, &a, cursor);
    else if (sgm_flash_fits(cuda, step, &a))
        sgm_flash_scratch(cuda, &a, cursor);
    else
        sgm_take(cursor, sgm_attend_rel_bytes(&a));
}
