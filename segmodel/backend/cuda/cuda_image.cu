/* Pictures to network inputs, logits to masks (backend/picture.h). Arithmetic is that of
 * predict/resample_*.c and postprocess.c, operation for operation; sgm_mul and sgm_sum keep the
 * compiler from fusing them. */
#include "cuda_internal.h"

extern "C" {
#include "backend/picture.h"
}

#include <stdlib.h>

#ifdef SGM_CUDA_EMULATION /* compiled with -ffp-contract=off */
static float sgm_mul(float a, float b)
{
    return a * b;
}
static float sgm_sum(float a, float b)
{
    return a + b;
}
static double sgm_mul(double a, double b)
{
    return a * b;
}
static double sgm_sum(double a, double b)
{
    return a + b;
}
#else
static __device__ float sgm_mul(float a, float b)
{
    return __fmul_rn(a, b);
}
static __device__ float sgm_sum(float a, float b)
{
    return __fadd_rn(a, b);
}
static __device__ double sgm_mul(double a, double b)
{
    return __dmul_rn(a, b);
}
static __device__ double sgm_sum(double a, double b)
{
    return __dadd_rn(a, b);
}
#endif

typedef unsigned char pixel;

/* Tables of one axis on the device. */
typedef struct axis_table {
    int in, out, taps, radius;
    const int *first, *count;
    const int *fixed;    /* weights as integers ... */
    const float *floats; /* ... or as floats */
    const double *kernel;
    double power; /* cubic: the spline's pole to the power of in - 1 */
} axis_table;

enum { MOST_PLACES = 64 };

typedef struct picture {
    sgm_resample_rule resample;
    int channels, side, places;
    bool full_range;
    axis_table across, down;
    char *memory;   /* all of what follows */
    float *table;   /* [3][256], with full_range [places][3][256] */
    pixel *raw;     /* [in], one at a time: the stream orders them */
    pixel *resized; /* [places][out] */
    void *middle;   /* after the first pass */
    double *lines;  /* cubic: two lines per line */
    int *range;     /* cubic: least and largest level of raw */
    void *transfer; /* of cuda_transfer.cu */
    int in_bytes, out_bytes;
} picture;

/* -------------------------------------------------------------------------------------- resizing
 */

static __device__ pixel clip_fixed(int sum)
{
    sum >>= 22;
    return (pixel)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* Rows of `a.in` pixels to rows of `a.out`. */
static __global__ void pillow_rows(const pixel *from, axis_table a, int channels, int count,
                                   pixel *to)
{
    SGM_ELEMENT(i, count);
    int c = i % channels, x = i / channels % a.out, y = i / channels / a.out;
    const int *w = a.fixed + x * a.taps;
    const pixel *p = from + ((int64_t)y * a.in + a.first[x]) * channels + c;
    int sum = 1 << 21;
    for (int k = 0; k < a.count[x]; k++)
        sum += p[k * channels] * w[k];
    to[i] = clip_fixed(sum);
}

static __global__ void pillow_columns(const pixel *from, axis_table a, int length, int count,
                                      pixel *to)
{
    SGM_ELEMENT(i, count);
    int x = i % length, y = i / length;
    const int *w = a.fixed + y * a.taps;
    const pixel *p = from + (int64_t)a.first[y] * length + x;
    int sum = 1 << 21;
    for (int k = 0; k < a.count[y]; k++)
        sum += p[(int64_t)k * length] * w[k];
    to[i] = clip_fixed(sum);
}

static __global__ void float_rows(const pixel *from, axis_table a, int channels, int count,
                                  float *to)
{
    SGM_ELEMENT(i, count);
    int c = i % channels, x = i / channels % a.out, y = i / channels / a.out;
    const float *w = a.floats + x * a.taps;
    const pixel *p = from + ((int64_t)y * a.in + a.first[x]) * channels + c;
    float sum = 0;
    for (int k = 0; k < a.count[x]; k++)
        sum = sgm_sum(sum, sgm_mul(w[k], (float)p[k * channels]));
    to[i] = sum;
}

static __global__ void float_columns(const float *from, axis_table a, int length, int count,
                                     pixel *to)
{
    SGM_ELEMENT(i, count);
    int x = i % length, y = i / length;
    const float *w = a.floats + y * a.taps;
    const float *p = from + (int64_t)a.first[y] * length + x;
    float sum = 0;
    for (int k = 0; k < a.count[y]; k++)
        sum = sgm_sum(sum, sgm_mul(w[k], p[(int64_t)k * length]));
    to[i] = (pixel)rintf(fminf(fmaxf(sum, 0), 255));
}

/* One output row's value in 1/2048, from input row y. */
static __device__ int fixed_row(const pixel *from, const axis_table &a, int channels, int y, int x,
                                int c)
{
    const pixel *p = from + ((int64_t)y * a.in + a.first[x]) * channels + c;
    const int *w = a.fixed + 2 * x;
    return p[0] * w[0] + (a.count[x] > 1 ? p[channels] * w[1] : 0);
}

static __global__ void fixed_both(const pixel *from, axis_table a, axis_table d, int channels,
                                  int count, pixel *to)
{
    SGM_ELEMENT(i, count);
    int c = i % channels, x = i / channels % a.out, y = i / channels / a.out;
    int first = d.first[y], next = first + (d.count[y] > 1);
    const int *w = d.fixed + 2 * y;
    int upper = fixed_row(from, a, channels, first, x, c) >> 4;
    int lower = fixed_row(from, a, channels, next, x, c) >> 4;
    to[i] = (pixel)(((w[0] * upper >> 16) + (w[1] * lower >> 16) + 2) >> 2);
}

/* ------------------------------------------------------------------------- cubic, a line a thread
 */

static __device__ int mirrored(int i, int n)
{
    if (n == 1) return 0;
    int period = 2 * (n - 1);
    i %= period;
    if (i < 0) i += period;
    return i < n ? i : period - i;
}

static __device__ void blur_line(double *line, double *work, const axis_table &a)
{
    for (int i = 0; i < a.in; i++)
        work[i] = line[i];
    for (int i = 0; i < a.in; i++) {
        double sum = sgm_mul(a.kernel[0], work[i]);
        for (int k = 1; k <= a.radius; k++)
            sum = sgm_sum(sum, sgm_mul(a.kernel[k], sgm_sum(work[mirrored(i - k, a.in)],
                                                            work[mirrored(i + k, a.in)])));
        line[i] = sum;
    }
}

/* Samples to coefficients of the interpolating spline. */
static __device__ void spline_line(double *line, int n, double last)
{
    if (n < 2) return;
    const double pole = sqrt(3.0) - 2, gain = sgm_mul(1 - pole, 1 - 1 / pole);
    for (int i = 0; i < n; i++)
        line[i] = sgm_mul(line[i], gain);
    double power = pole, first = line[0];
    first = sgm_sum(first, sgm_mul(last, line[n - 1]));
    double back = sgm_mul(last, last) / pole;
    for (int i = 1; i < n - 1; i++) {
        first = sgm_sum(first, sgm_mul(sgm_sum(power, back), line[i]));
        power = sgm_mul(power, pole);
        back = back / pole;
    }
    line[0] = first / sgm_sum(1, -sgm_mul(last, last));
    for (int i = 1; i < n; i++)
        line[i] = sgm_sum(line[i], sgm_mul(pole, line[i - 1]));
    line[n - 1] = sgm_mul(sgm_sum(sgm_mul(pole, line[n - 2]), line[n - 1]), pole) /
                  sgm_sum(sgm_mul(pole, pole), -1);
    for (int i = n - 2; i >= 0; i--)
        line[i] = sgm_mul(pole, sgm_sum(line[i + 1], -line[i]));
}

static __device__ double spline_at(const double *line, int n, int out, int i)
{
    double at = sgm_sum(sgm_mul(i + 0.5, n) / out, -0.5);
    int start = (int)floor(at);
    double t = sgm_sum(at, -start), s = sgm_sum(1, -t);
    double t2 = sgm_mul(t, t), s2 = sgm_mul(s, s);
    double t6 = sgm_mul(sgm_mul(6, t), t), s6 = sgm_mul(sgm_mul(6, s), s);
    double t3 = sgm_mul(sgm_mul(sgm_mul(3, t), t), t), s3 = sgm_mul(sgm_mul(sgm_mul(3, s), s), s);
    double w[4] = {sgm_mul(s2, s) / 6, sgm_sum(sgm_sum(4, -t6), t3) / 6,
                   sgm_sum(sgm_sum(4, -s6), s3) / 6, sgm_mul(t2, t) / 6};
    double sum = 0;
    for (int k = 0; k < 4; k++)
        sum = sgm_sum(sum, sgm_mul(w[k], line[mirrored(start - 1 + k, n)]));
    return sum;
}

static __global__ void cubic_rows(const pixel *from, axis_table a, int channels, int count,
                                  double *lines, double *to)
{
    SGM_ELEMENT(i, count);
    int c = i % channels, y = i / channels;
    double *line = lines + (int64_t)i * 2 * a.in;
    for (int x = 0; x < a.in; x++)
        line[x] = from[((int64_t)y * a.in + x) * channels + c];
    if (a.radius) blur_line(line, line + a.in, a);
    spline_line(line, a.in, a.power);
    for (int x = 0; x < a.out; x++)
        to[((int64_t)y * a.out + x) * channels + c] = spline_at(line, a.in, a.out, x);
}

/* Clipped to the range of the input and cut to integers. */
static __global__ void cubic_columns(const double *from, axis_table a, int count, double *lines,
                                     const int *range, pixel *to)
{
    SGM_ELEMENT(i, count);
    double *line = lines + (int64_t)i * 2 * a.in, low = range[0], high = range[1];
    for (int y = 0; y < a.in; y++)
        line[y] = from[(int64_t)y * count + i];
    if (a.radius) blur_line(line, line + a.in, a);
    spline_line(line, a.in, a.power);
    for (int y = 0; y < a.out; y++) {
        double v = spline_at(line, a.in, a.out, y);
        v = v < low ? low : v > high ? high : v;
        to[(int64_t)y * count + i] = (pixel)sgm_sum(v, 1e-6);
    }
}

/* --------------------------------------------------------------------------------------- levels */

/* Least and largest level, the same in all threads of one block. */
static __device__ void find_range(const pixel *pixels, int count, float *board, float *low,
                                  float *high)
{
    float least = 255, most = 0;
    for (int i = (int)threadIdx.x; i < count; i += SGM_TEAM) {
        least = fminf(least, pixels[i]);
        most = fmaxf(most, pixels[i]);
    }
    *low = -sgm_team_max(-least, board);
    *high = sgm_team_max(most, board);
}

static __global__ void range_kernel(const pixel *pixels, int count, int *range)
{
    __shared__ float board[SGM_TEAM + 32];
    float low, high;
    find_range(pixels, count, board, &low, &high);
    if (threadIdx.x == 0) {
        range[0] = (int)low;
        range[1] = (int)high;
    }
}

static __global__ void levels_kernel(const pixel *pixels, int count, float *table)
{
    __shared__ float board[SGM_TEAM + 32];
    float low, high;
    find_range(pixels, count, board, &low, &high);
    double range = high > low ? high - low : 1e-8;
    for (int v = (int)threadIdx.x; v < 256; v += SGM_TEAM)
        table[v] = table[256 + v] = table[512 + v] = (float)((v - (int)low) / range);
}

/* Padding comes after the normalisation: it is 0. */
static __global__ void place_kernel(const pixel *resized, int width, int height, int channels,
                                    const float *table, int side, int count, float *to)
{
    SGM_ELEMENT(i, count);
    int x = i % side, y = i / side;
    bool inside = x < width && y < height;
    const pixel *p = resized + ((int64_t)y * width + x) * channels;
    for (int c = 0; c < 3; c++)
        to[3 * i + c] = inside ? table[256 * c + p[channels == 3 ? c : 0]] : 0;
}

/* -------------------------------------------------------------------------------- a picture's way
 */

/* Host values behind the cursor, uploaded unless only counting. */
static const void *take_table(sgm_cuda *cuda, sgm_cursor *cursor, const void *values, size_t size,
                              cudaError_t *error)
{
    void *to = sgm_take(cursor, size);
    if (cursor->base && *error == cudaSuccess)
        *error = sgm_cuda_stage_upload(cuda, to, values, size);
    return to;
}

static axis_table take_axis(sgm_cuda *cuda, sgm_cursor *cursor, const sgm_picture_rule *rule,
                            const sgm_taps *taps, cudaError_t *error)
{
    axis_table a = {};
    a.in = taps->in, a.out = taps->out, a.taps = taps->taps, a.radius = taps->radius;
    if (rule->resample == SGM_RESAMPLE_CUBIC) {
        a.power = pow(sqrt(3.0) - 2, a.in - 1);
        a.kernel = (const double *)take_table(cuda, cursor, taps->kernel,
                                              (size_t)(a.radius + 1) * sizeof(double), error);
    }
    if (!taps->taps) return a;
    size_t out = (size_t)a.out;
    a.first = (const int *)take_table(cuda, cursor, taps->first, out * sizeof(int), error);
    a.count = (const int *)take_table(cuda, cursor, taps->count, out * sizeof(int), error);
    const void *weight = take_table(cuda, cursor, taps->weight, out * (size_t)a.taps * 4, error);
    a.fixed = (const int *)weight;
    a.floats = (const float *)weight;
    return a;
}

static size_t middle_bytes(const picture *p)
{
    size_t count = (size_t)p->across.out * (size_t)p->down.in * (size_t)p->channels;
    return count * (p->resample == SGM_RESAMPLE_CUBIC    ? sizeof(double)
                    : p->resample == SGM_RESAMPLE_FLOATS ? sizeof(float)
                                                         : 1);
}

/* Two lines for every row, or for every column of the widened picture. */
static size_t lines_bytes(const picture *p)
{
    size_t rows = (size_t)p->across.in * (size_t)p->down.in;
    size_t columns = (size_t)p->across.out * (size_t)p->down.in;
    size_t values = 2 * (rows > columns ? rows : columns) * (size_t)p->channels;
    return p->resample == SGM_RESAMPLE_CUBIC ? values * sizeof(double) : 0;
}

/* Cuts a picture's memory; with base NULL it only counts. */
static cudaError_t lay_out(sgm_cuda *cuda, const sgm_picture_rule *rule, picture *p,
                           sgm_cursor *cursor)
{
    cudaError_t error = cudaSuccess;
    size_t places = (size_t)p->places, tables = sizeof rule->levels;
    p->across = take_axis(cuda, cursor, rule, &rule->across, &error);
    p->down = take_axis(cuda, cursor, rule, &rule->down, &error);
    p->table =
        (float *)(p->full_range ? sgm_take(cursor, places * tables)
                                : (void *)take_table(cuda, cursor, rule->levels, tables, &error));
    p->raw = (pixel *)sgm_take(cursor, (size_t)p->in_bytes);
    p->resized = (pixel *)sgm_take(cursor, places * (size_t)p->out_bytes);
    p->middle = sgm_take(cursor, middle_bytes(p));
    p->lines = (double *)sgm_take(cursor, lines_bytes(p));
    p->range = (int *)sgm_take(cursor, 2 * sizeof(int));
    return error;
}

/* Kernels count in int, in bytes of a picture and of the pictures between. */
static bool countable(const sgm_picture_rule *rule, int places)
{
    int64_t in = (int64_t)rule->across.in * rule->down.in * rule->channels;
    int64_t between = (int64_t)rule->across.out * rule->down.in * rule->channels;
    int64_t out = (int64_t)rule->across.out * rule->down.out * rule->channels;
    return places > 0 && places <= MOST_PLACES && in <= INT32_MAX && between <= INT32_MAX &&
           out <= INT32_MAX && (int64_t)rule->side * rule->side <= INT32_MAX / 3 &&
           rule->across.out <= rule->side && rule->down.out <= rule->side;
}

static sgm_status make_picture(sgm_cuda *cuda, const sgm_picture_rule *rule, picture *p)
{
    sgm_cursor cursor = {NULL, 0};
    (void)lay_out(cuda, rule, p, &cursor);
    cudaError_t error = cudaMalloc((void **)&p->memory, cursor.used);
    cursor.base = p->memory;
    cursor.used = 0;
    if (error == cudaSuccess) error = lay_out(cuda, rule, p, &cursor);
    if (error != cudaSuccess) (void)cudaGetLastError();
    return sgm_cuda_check(cuda, error, "making room for pictures");
}

static void picture_free(sgm_backend *backend, void *memory)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    picture *p = (picture *)memory;
    if (!p) return;
    sgm_cuda_release_transfer(backend, p->transfer);
    sgm_cuda_enter(cuda);
    cudaStreamSynchronize(cuda->stream);
    if (p->memory) cudaFree(p->memory);
    sgm_cuda_leave(cuda);
    free(p);
}

static sgm_status picture_create(sgm_backend *backend, const sgm_picture_rule *rule, int places,
                                 void **out)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    *out = NULL;
    if (!countable(rule, places))
        return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY,
                             "CUDA: a picture of more than 2^31 - 1 bytes");
    picture *p = (picture *)calloc(1, sizeof *p);
    if (!p) return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "no memory for a picture");
    p->resample = rule->resample, p->channels = rule->channels, p->side = rule->side;
    p->full_range = rule->full_range, p->places = places;
    p->in_bytes = rule->across.in * rule->down.in * rule->channels;
    p->out_bytes = rule->across.out * rule->down.out * rule->channels;
    sgm_cuda_enter(cuda);
    sgm_status status = make_picture(cuda, rule, p);
    sgm_cuda_leave(cuda);
    if (status != SGM_OK) {
        picture_free(backend, p);
        return status;
    }
    *out = p;
    return SGM_OK;
}

static void resize_pillow(sgm_cuda *cuda, const picture *p, pixel *to)
{
    int between = p->across.out * p->down.in * p->channels, length = p->across.out * p->channels;
    const pixel *from = p->raw;
    if (p->across.taps) {
        pixel *rows = p->down.taps ? (pixel *)p->middle : to;
        SGM_LAUNCH(pillow_rows, sgm_blocks(between), SGM_THREADS, cuda->stream, from, p->across,
                   p->channels, between, rows);
        from = rows;
    }
    if (p->down.taps)
        SGM_LAUNCH(pillow_columns, sgm_blocks(p->out_bytes), SGM_THREADS, cuda->stream, from,
                   p->down, length, p->out_bytes, to);
    else if (!p->across.taps)
        cudaMemcpyAsync(to, from, (size_t)p->out_bytes, cudaMemcpyDeviceToDevice, cuda->stream);
}

static void resize_floats(sgm_cuda *cuda, const picture *p, pixel *to)
{
    int between = p->across.out * p->down.in * p->channels, length = p->across.out * p->channels;
    float *middle = (float *)p->middle;
    SGM_LAUNCH(float_rows, sgm_blocks(between), SGM_THREADS, cuda->stream, p->raw, p->across,
               p->channels, between, middle);
    SGM_LAUNCH(float_columns, sgm_blocks(p->out_bytes), SGM_THREADS, cuda->stream, middle, p->down,
               length, p->out_bytes, to);
}

static void resize_cubic(sgm_cuda *cuda, const picture *p, pixel *to)
{
    int rows = p->down.in * p->channels, columns = p->across.out * p->channels;
    double *middle = (double *)p->middle;
    SGM_LAUNCH_TEAM(range_kernel, 1, SGM_TEAM, cuda->stream, p->raw, p->in_bytes, p->range);
    SGM_LAUNCH(cubic_rows, (unsigned)(rows + 31) / 32, 32, cuda->stream, p->raw, p->across,
               p->channels, rows, p->lines, middle);
    SGM_LAUNCH(cubic_columns, (unsigned)(columns + 31) / 32, 32, cuda->stream, middle, p->down,
               columns, p->lines, p->range, to);
}

static void resize(sgm_cuda *cuda, const picture *p, pixel *to)
{
    switch (p->resample) {
    case SGM_RESAMPLE_PILLOW:
        resize_pillow(cuda, p, to);
        break;
    case SGM_RESAMPLE_FLOATS:
        resize_floats(cuda, p, to);
        break;
    case SGM_RESAMPLE_FIXED:
        SGM_LAUNCH(fixed_both, sgm_blocks(p->out_bytes), SGM_THREADS, cuda->stream, p->raw,
                   p->across, p->down, p->channels, p->out_bytes, to);
        break;
    case SGM_RESAMPLE_CUBIC:
        resize_cubic(cuda, p, to);
        break;
    }
}

static float *table_of(const picture *p, int place)
{
    return p->table + (p->full_range ? 3 * 256 * place : 0);
}

static pixel *resized_of(const picture *p, int place)
{
    return p->resized + (int64_t)place * p->out_bytes;
}

static sgm_status picture_stage(sgm_backend *backend, void *memory, int place,
                                const uint8_t *pixels)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    picture *p = (picture *)memory;
    SGM_TRY(sgm_cuda_upload_async(backend, p->raw, pixels, (size_t)p->in_bytes, &p->transfer));
    sgm_cuda_enter(cuda);
    pixel *to = resized_of(p, place);
    resize(cuda, p, to);
    if (p->full_range)
        SGM_LAUNCH_TEAM(levels_kernel, 1, SGM_TEAM, cuda->stream, to, p->out_bytes,
                        table_of(p, place));
    sgm_status status = sgm_cuda_launched(cuda, "resizing a picture");
    sgm_cuda_leave(cuda);
    return status;
}

static sgm_status picture_place(sgm_backend *backend, void *memory, int place, void *input)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    const picture *p = (const picture *)memory;
    int count = p->side * p->side;
    sgm_cuda_enter(cuda);
    SGM_LAUNCH(place_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, resized_of(p, place),
               p->across.out, p->down.out, p->channels, table_of(p, place), p->side, count,
               (float *)input);
    sgm_status status = sgm_cuda_launched(cuda, "normalising a picture");
    sgm_cuda_leave(cuda);
    return status;
}

/* ---------------------------------------------------------------------------------------- masks */

enum { MASK_TAPS = 4, MASKS_UNDER_WAY = 2 };

typedef struct mask_maker {
    int low_side, width, height;
    bool sigmoid;
    char *memory;
    const int *across, *down;
    const float *across_weight, *down_weight;
    float *odds, *wide; /* [low_side, low_side]; [low_side, width] */
    pixel *mask[MASKS_UNDER_WAY], *host[MASKS_UNDER_WAY];
    cudaEvent_t made[MASKS_UNDER_WAY], arrived[MASKS_UNDER_WAY];
    int started, finished;
} mask_maker;

static __global__ void sigmoid_kernel(const float *low, int count, float *to)
{
    SGM_ELEMENT(i, count);
    to[i] = 1 / (1 + expf(-low[i]));
}

static __global__ void widen_kernel(const float *low, int low_side, const int *first,
                                    const float *weight, int width, int count, float *to)
{
    SGM_ELEMENT(i, count);
    int x = i % width, y = i / width;
    const float *p = low + y * low_side + first[x], *w = weight + MASK_TAPS * x;
    float sum = sgm_sum(sgm_mul(w[0], p[0]), sgm_mul(w[1], p[1]));
    sum = sgm_sum(sum, sgm_mul(w[2], p[2]));
    to[i] = sgm_sum(sum, sgm_mul(w[3], p[3]));
}

static __global__ void mask_kernel(const float *wide, const int *first, const float *weight,
                                   int width, int count, float threshold, pixel *to)
{
    SGM_ELEMENT(i, count);
    int x = i % width, y = i / width;
    const float *r = wide + (int64_t)first[y] * width + x, *w = weight + MASK_TAPS * y;
    float sum = sgm_sum(sgm_mul(w[0], r[0]), sgm_mul(w[1], r[width]));
    if (w[2] != 0 || w[3] != 0) {
        sum = sgm_sum(sum, sgm_mul(w[2], r[2 * width]));
        sum = sgm_sum(sum, sgm_mul(w[3], r[3 * width]));
    }
    to[i] = sum > threshold;
}

static cudaError_t lay_out_mask(sgm_cuda *cuda, const sgm_mask_rule *rule, mask_maker *m,
                                sgm_cursor *cursor)
{
    cudaError_t error = cudaSuccess;
    size_t low = (size_t)m->low_side, width = (size_t)m->width, height = (size_t)m->height;
    size_t four = MASK_TAPS * sizeof(float);
    m->across = (const int *)take_table(cuda, cursor, rule->across, width * 4, &error);
    m->down = (const int *)take_table(cuda, cursor, rule->down, height * 4, &error);
    m->across_weight =
        (const float *)take_table(cuda, cursor, rule->across_weight, width * four, &error);
    m->down_weight =
        (const float *)take_table(cuda, cursor, rule->down_weight, height * four, &error);
    m->odds = (float *)sgm_take(cursor, m->sigmoid ? low * low * sizeof(float) : 0);
    m->wide = (float *)sgm_take(cursor, low * width * sizeof(float));
    for (int i = 0; i < MASKS_UNDER_WAY; i++)
        m->mask[i] = (pixel *)sgm_take(cursor, width * height);
    return error;
}

static cudaError_t make_ways(sgm_cuda *cuda, mask_maker *m)
{
    cudaError_t error = cudaSuccess;
    size_t size = (size_t)m->width * (size_t)m->height;
    if (!cuda->downloads)
        error = cudaStreamCreateWithFlags(&cuda->downloads, cudaStreamNonBlocking);
    for (int i = 0; i < MASKS_UNDER_WAY && error == cudaSuccess; i++) {
        error = cudaMallocHost((void **)&m->host[i], size);
        if (error == cudaSuccess)
            error = cudaEventCreateWithFlags(&m->made[i], cudaEventDisableTiming);
        if (error == cudaSuccess)
            error = cudaEventCreateWithFlags(&m->arrived[i], cudaEventDisableTiming);
    }
    return error;
}

static sgm_status make_mask_maker(sgm_cuda *cuda, const sgm_mask_rule *rule, mask_maker *m)
{
    sgm_cursor cursor = {NULL, 0};
    (void)lay_out_mask(cuda, rule, m, &cursor);
    cudaError_t error = cudaMalloc((void **)&m->memory, cursor.used);
    cursor.base = m->memory;
    cursor.used = 0;
    if (error == cudaSuccess) error = lay_out_mask(cuda, rule, m, &cursor);
    if (error == cudaSuccess) error = make_ways(cuda, m);
    if (error != cudaSuccess) (void)cudaGetLastError();
    return sgm_cuda_check(cuda, error, "making room for masks");
}

static void mask_free(sgm_backend *backend, void *memory)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    mask_maker *m = (mask_maker *)memory;
    if (!m) return;
    sgm_cuda_enter(cuda);
    cudaStreamSynchronize(cuda->stream);
    if (cuda->downloads) cudaStreamSynchronize(cuda->downloads);
    for (int i = 0; i < MASKS_UNDER_WAY; i++) {
        if (m->host[i]) cudaFreeHost(m->host[i]);
        if (m->made[i]) cudaEventDestroy(m->made[i]);
        if (m->arrived[i]) cudaEventDestroy(m->arrived[i]);
    }
    if (m->memory) cudaFree(m->memory);
    sgm_cuda_leave(cuda);
    free(m);
}

static sgm_status mask_create(sgm_backend *backend, const sgm_mask_rule *rule, void **out)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    *out = NULL;
    if ((int64_t)rule->width * rule->height > INT32_MAX ||
        (int64_t)rule->width * rule->low_side > INT32_MAX)
        return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "CUDA: a mask of more than 2^31 - 1 pixels");
    mask_maker *m = (mask_maker *)calloc(1, sizeof *m);
    if (!m) return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "no memory for masks");
    m->low_side = rule->low_side, m->width = rule->width, m->height = rule->height;
    m->sigmoid = rule->sigmoid;
    sgm_cuda_enter(cuda);
    sgm_status status = make_mask_maker(cuda, rule, m);
    sgm_cuda_leave(cuda);
    if (status != SGM_OK) {
        mask_free(backend, m);
        return status;
    }
    *out = m;
    return SGM_OK;
}

/* The mask's kernels, on the working stream. */
static void make_mask(sgm_cuda *cuda, const mask_maker *m, const float *low, float threshold,
                      pixel *to)
{
    int low_count = m->low_side * m->low_side, wide = m->low_side * m->width;
    int count = m->width * m->height;
    if (m->sigmoid)
        SGM_LAUNCH(sigmoid_kernel, sgm_blocks(low_count), SGM_THREADS, cuda->stream, low, low_count,
                   m->odds);
    SGM_LAUNCH(widen_kernel, sgm_blocks(wide), SGM_THREADS, cuda->stream,
               m->sigmoid ? m->odds : low, m->low_side, m->across, m->across_weight, m->width, wide,
               m->wide);
    SGM_LAUNCH(mask_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, m->wide, m->down,
               m->down_weight, m->width, count, threshold, to);
}

static sgm_status mask_start(sgm_backend *backend, void *memory, const float *low, float threshold)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    mask_maker *m = (mask_maker *)memory;
    int i = m->started % MASKS_UNDER_WAY;
    if (m->started - m->finished >= MASKS_UNDER_WAY)
        return sgm_cuda_fail(cuda, SGM_INTERNAL, "CUDA: too many masks under way");
    sgm_cuda_enter(cuda);
    make_mask(cuda, m, low, threshold, m->mask[i]);
    cudaError_t error = cudaGetLastError();
    if (error == cudaSuccess) error = cudaEventRecord(m->made[i], cuda->stream);
    if (error == cudaSuccess) error = cudaStreamWaitEvent(cuda->downloads, m->made[i], 0);
    if (error == cudaSuccess)
        error = cudaMemcpyAsync(m->host[i], m->mask[i], (size_t)m->width * (size_t)m->height,
                                cudaMemcpyDeviceToHost, cuda->downloads);
    if (error == cudaSuccess) error = cudaEventRecord(m->arrived[i], cuda->downloads);
    sgm_cuda_leave(cuda);
    SGM_TRY(sgm_cuda_check(cuda, error, "making a mask"));
    m->started++;
    return SGM_OK;
}

static sgm_status mask_finish(sgm_backend *backend, void *memory, uint8_t *to)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    mask_maker *m = (mask_maker *)memory;
    int i = m->finished % MASKS_UNDER_WAY;
    if (m->finished == m->started)
        return sgm_cuda_fail(cuda, SGM_INTERNAL, "CUDA: no mask is under way");
    m->finished++;
    sgm_cuda_enter(cuda);
    cudaError_t error = cudaEventSynchronize(m->arrived[i]);
    sgm_cuda_leave(cuda);
    SGM_TRY(sgm_cuda_check(cuda, error, "making a mask"));
    memcpy(to, m->host[i], (size_t)m->width * (size_t)m->height);
    return SGM_OK;
}

const sgm_picture_ops *sgm_cuda_pictures(void)
{
    static sgm_picture_ops ops;
    ops.picture_create = picture_create;
    ops.picture_free = picture_free;
    ops.picture_stage = picture_stage;
    ops.picture_place = picture_place;
    ops.mask_create = mask_create;
    ops.mask_free = mask_free;
    ops.mask_start = mask_start;
    ops.mask_finish = mask_finish;
    return &ops;
}
