/* Row operations of attention: online softmax and its gradient, position biases. */
#include "backend/cpu/kernels/vec_math.h"

INLINE void write_probabilities(const sgm_softmax_strip *s, int row, int64_t chunk, int v, vf p)
{
    if (!s->bf16)
        v_store(s->scores + (chunk * s->score_strip + row) * 16 + v * VL, p);
    else
        v_store_bf16(s->bf16 + (chunk / 2 * s->strip + row) * 32 + chunk % 2 * 16 + v * VL, p);
}

static void softmax_strip(const sgm_softmax_strip *s)
{
    for (int row = 0; row < s->rows; row++) {
        float *scores = s->scores + row * 16;
        int64_t next = s->score_strip * 16;
        vf m[16 / VL], sum[16 / VL];
        UNROLL for (int v = 0; v < 16 / VL; v++)
        {
            m[v] = v_set(s->max[row]);
            sum[v] = v_set(0.0f);
        }
        for (int64_t c = 0; c < s->chunks; c++)
            UNROLL for (int v = 0; v < 16 / VL; v++) m[v] =
                v_max(m[v], v_load(scores + c * next + v * VL));
        UNROLL for (int v = 1; v < 16 / VL; v++) m[0] = v_max(m[0], m[v]);
        float top = v_hmax(m[0]), old = s->max[row];
        for (int64_t c = 0; c < s->chunks; c++)
            UNROLL for (int v = 0; v < 16 / VL; v++)
            {
                vf p = v_exp2_negative(v_load(scores + c * next + v * VL) - v_set(top));
                sum[v] += p;
                write_probabilities(s, row, c, v, p);
            }
        UNROLL for (int v = 1; v < 16 / VL; v++) sum[0] += sum[v];
        s->rescale[row] = old == top ? 1.0f : old == -INFINITY ? 0.0f : exp2f(old - top);
        s->max[row] = top;
        s->sum[row] = s->sum[row] * s->rescale[row] + v_sum(sum[0]);
    }
}

static void axpy(float *y, float a, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store(y + i, v_fma(v_set(a), v_load(x + i), v_load(y + i)));
    for (; i < n; i++)
        y[i] += a * x[i];
}

static void scale_run(float *y, float a, int64_t n)
{
    int64_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store(y + i, v_set(a) * v_load(y + i));
    for (; i < n; i++)
        y[i] *= a;
}

static float dot_run(const float *x, const float *y, int64_t n)
{
    vf s = v_set(0.0f);
    int64_t i = 0;
    for (; i + VL <= n; i += VL)
        s = v_fma(v_load(x + i), v_load(y + i), s);
    float sum = v_sum(s);
    for (; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

INLINE void times_block(const int vectors, const float *q, const float *table, int64_t ld,
                        int depth, float *c)
{
    vf s[8];
    UNROLL for (int v = 0; v < vectors; v++) s[v] = v_set(0.0f);
    for (int d = 0; d < depth; d++) {
        vf x = v_set(q[d]);
        UNROLL for (int v = 0; v < vectors; v++) s[v] =
            v_fma(x, v_load(table + d * ld + v * VL), s[v]);
    }
    UNROLL for (int v = 0; v < vectors; v++) v_store(c + v * VL, s[v]);
}

/* A few vectors of columns: four sums of each side by side hide the latency. */
INLINE void times_columns(const int vectors, const float *q, const float *table, int64_t ld,
                          int depth, float *c)
{
    vf s[2][4];
    int d = 0;
    UNROLL for (int i = 0; i < 4; i++) UNROLL for (int v = 0; v < vectors; v++) s[v][i] =
        v_set(0.0f);
    for (; d + 4 <= depth; d += 4)
        UNROLL for (int i = 0; i < 4; i++)
        {
            vf x = v_set(q[d + i]);
            UNROLL for (int v = 0; v < vectors; v++) s[v][i] =
                v_fma(x, v_load(table + (d + i) * ld + v * VL), s[v][i]);
        }
    for (; d < depth; d++)
        UNROLL for (int v = 0; v < vectors; v++) s[v][0] =
            v_fma(v_set(q[d]), v_load(table + d * ld + v * VL), s[v][0]);
    UNROLL for (int v = 0; v < vectors; v++)
        v_store(c + v * VL, (s[v][0] + s[v][1]) + (s[v][2] + s[v][3]));
}

static void row_times(const float *q, const float *table, int64_t ld, int depth, float *c, int n)
{
    int j = 0;
    for (; j + 8 * VL <= n; j += 8 * VL)
        times_block(8, q, table + j, ld, depth, c + j);
    for (; j + 4 * VL <= n; j += 4 * VL)
        times_block(4, q, table + j, ld, depth, c + j);
    for (; j + 2 * VL <= n; j += 2 * VL)
        times_columns(2, q, table + j, ld, depth, c + j);
    for (; j < n; j += VL)
        times_columns(1, q, table + j, ld, depth, c + j);
}

/* Key columns in rows of whole chunks need no line in between. */
static void bias_chunks(const float *bh, const float *bw, int64_t bw_ld, int64_t qy, int64_t run,
                        int64_t rows, int64_t first, int64_t n, float *scores, int64_t stride)
{
    int64_t ky = first / run, kx = first % run;
    for (int64_t c = 0; c < n && ky < rows; c += 16, scores += stride) {
        vf h = v_set(bh ? bh[ky] : 0.0f);
        const float *w = bw + (ky > qy ? ky - qy : qy - ky) * bw_ld + kx;
        UNROLL for (int i = 0; i < 16; i += VL) v_store(scores + i, v_load(w + i) + h);
        kx += 16;
        if (kx < run) continue;
        kx = 0;
        ky++;
    }
}

static void bias_row(const float *bh, const float *bw, int64_t bw_ld, int64_t qy, int64_t run,
                     int64_t rows, int64_t first, int64_t n, float *line, float *scores,
                     int64_t stride)
{
    if (run % 16 == 0) {
        bias_chunks(bh, bw, bw_ld, qy, run, rows, first, n, scores, stride);
        return;
    }
    float *row0 = line + run - first % run; /* where the row that `first` lies in begins */
    int64_t ky = first / run, end = first + n;
    for (float *to = row0 - run; ky < rows && ky * run < end; ky++) {
        vf h = v_set(bh ? bh[ky] : 0.0f);
        const float *w = bw + (ky > qy ? ky - qy : qy - ky) * bw_ld;
        to += run;
        for (int64_t x = 0; x < run; x += VL)
            v_store(to + x, v_load(w + x) + h);
    }
    for (int64_t c = 0; c < n; c += VL)
        v_store(scores + c / 16 * stride + c % 16, v_load(line + run + c));
}

/* Pieces that end with a row of keys or with a chunk. */
static void bias_row_grad(float *bw, int64_t bw_ld, int64_t qy, int64_t run, int64_t first,
                          int64_t n, const float *scores, int64_t stride)
{
    int64_t ky = first / run, kx = first % run;
    for (int64_t c = 0, count; c < n; c += count) {
        float *to = bw + (ky > qy ? ky - qy : qy - ky) * bw_ld + kx;
        const float *from = scores + c / 16 * stride + c % 16;
        count = run - kx < 16 - c % 16 ? run - kx : 16 - c % 16;
        if (count > n - c) count = n - c;
        for (int64_t i = 0; i < count; i += VL)
            v_store_upto(to, i, SGM_F32,
                         v_load_upto(to, i, SGM_F32, count - i) +
                             v_load_upto(from, i, SGM_F32, count - i),
                         count - i);
        kx += count;
        if (kx < run) continue;
        kx = 0;
        ky++;
    }
}

static void column_stats(const float *scores, int strip, int rows, int chunks, float *max,
                         float *sum)
{
    for (int c = 0; c < chunks * 16; c += VL) {
        const float *s = scores + c / 16 * strip * 16 + c % 16;
        vf old = v_load(max + c), top = old;
        for (int i = 0; i < rows; i++)
            top = v_max(top, v_load(s + i * 16));
        vf total = v_load(sum + c) * v_exp2(old - top); /* exactly 1 for 0: it is applied often */
        for (int i = 0; i < rows; i++)
            total += v_exp2_negative(v_load(s + i * 16) - top);
        v_store(max + c, top);
        v_store(sum + c, total);
    }
}

static void column_grad(float *scores, float *dp, int strip, int rows, int chunks, const float *lse,
                        const float *delta)
{
    for (int c = 0; c < chunks * 16; c += VL) {
        int64_t at = c / 16 * strip * 16 + c % 16;
        vf l = v_load(lse + c), d = v_load(delta + c);
        for (int i = 0; i < rows; i++, at += 16) {
            vf p = v_exp2_negative(v_load(scores + at) - l);
            v_store(scores + at, p);
            v_store(dp + at, p * (v_load(dp + at) - d));
        }
    }
}

/* p times factor, dp becomes p (dp - delta). */
static void softmax_grad(float *p, float *dp, float factor, float delta, int64_t n)
{
    for (int64_t i = 0; i < n; i += VL) {
        vf x = v_load(p + i) * v_set(factor);
        v_store(p + i, x);
        v_store(dp + i, x * (v_load(dp + i) - v_set(delta)));
    }
}

static void exp2_shifted(float *x, float shift, int64_t n)
{
    for (int64_t i = 0; i < n; i += VL)
        v_store(x + i, v_exp2_negative(v_load(x + i) - v_set(shift)));
}

static void add_chunks(float *y, const float *x, int64_t stride, int chunks)
{
    for (int c = 0; c < chunks * 16; c += VL)
        v_store(y + c, v_load(y + c) + v_load(x + c / 16 * stride + c % 16));
}

static void put_chunks(float *x, int64_t stride, int chunks, const float *y, const float *add)
{
    for (int c = 0; c < chunks * 16; c += VL) {
        vf v = v_load(y + c);
        if (add) v += v_load(add + c);
        v_store(x + c / 16 * stride + c % 16, v);
    }
}

/* Rows of at most VL that take each step together: one by one, each would wait for its own sums. */
#define SHORT_ROWS 8

INLINE void softmax_short(const void *x, int64_t at, const sgm_dtype from, void *out,
                          const sgm_dtype to, int64_t rows, int64_t c)
{
    vf v[SHORT_ROWS];
    vi lane;
    for (int i = 0; i < VL; i++)
        lane[i] = i;
    for (int64_t r = 0; r < rows; r++) {
        vf y = v_load_upto(x, at + r * c, from, c);
        v[r] = v_select(lane < (vi){0} + (int32_t)c, y, v_set(-INFINITY));
    }
    for (int64_t r = 0; r < rows; r++)
        v[r] = v_exp(v[r] - v_set(v_hmax(v[r])));
    for (int64_t r = 0; r < rows; r++)
        v_store_upto(out, at + r * c, to, v[r] * v_set(1.0f / v_sum(v[r])), c);
}

static void softmax_row(const void *x, int64_t at, sgm_dtype from, void *out, sgm_dtype to,
                        int64_t c)
{
    float top = -INFINITY, sum = 0;
    vf m = v_set(-INFINITY);
    int64_t i = 0;
    for (; i + VL <= c; i += VL)
        m = v_max(m, v_load_as(x, at + i, from));
    top = v_hmax(m);
    for (; i < c; i++)
        top = load_as(x, at + i, from) > top ? load_as(x, at + i, from) : top;
    vf total = v_set(0.0f);
    for (i = 0; i + VL <= c; i += VL)
        total += v_exp(v_load_as(x, at + i, from) - v_set(top));
    sum = v_sum(total);
    for (; i < c; i++)
        sum += expf(load_as(x, at + i, from) - top);
    for (i = 0; i + VL <= c; i += VL)
        v_store_as(out, at + i, to,
                   v_exp(v_load_as(x, at + i, from) - v_set(top)) * v_set(1.0f / sum));
    for (; i < c; i++)
        store_as(out, at + i, to, expf(load_as(x, at + i, from) - top) / sum);
}

static void softmax_rows(const void *x, sgm_dtype from, void *out, sgm_dtype to, int64_t begin,
                         int64_t end, int64_t c)
{
    if (c > VL) {
        for (int64_t row = begin; row < end; row++)
            softmax_row(x, row * c, from, out, to, c);
        return;
    }
    for (int64_t row = begin; row < end; row += SHORT_ROWS) {
        int64_t rows = end - row < SHORT_ROWS ? end - row : SHORT_ROWS;
        if (rows == SHORT_ROWS && from == SGM_F32 && to == SGM_F32)
            softmax_short(x, row * c, SGM_F32, out, SGM_F32, SHORT_ROWS, c);
        else
            softmax_short(x, row * c, from, out, to, rows, c);
    }
}
