/* Pictures to network inputs (backend/picture.h). Copying and resizing run on the stream of
 * uploads, beside the work: the working stream meets a picture when its input is made
 * (picture_place). Events say of each place that it has been filled, and that it has been read and
 * may be filled again. */
#include "cuda_image.h"

#include <stdlib.h>

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
    double *lines;  /* cubic: two planes of lines */
    int *parts;     /* least and largest level by block of range_kernel */
    int *range;     /* cubic: of raw */
    void *transfer; /* of cuda_transfer.cu */
    cudaEvent_t staged[MOST_PLACES], placed[MOST_PLACES];
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

/* --------------------------------------------------------------------------------------- levels */

enum { MOST_RANGE_BLOCKS = 256, RANGE_WORDS = 8 }; /* words of four pixels for each thread */

static int range_blocks(int count)
{
    int64_t each = (int64_t)4 * RANGE_WORDS * SGM_TEAM, blocks = (count + each - 1) / each;
    return blocks < MOST_RANGE_BLOCKS ? (int)blocks : (int)MOST_RANGE_BLOCKS;
}

/* The same in all threads of a block. */
static __device__ void team_range(int least, int most, float *board, int *low, int *high)
{
    *low = -(int)sgm_team_max((float)-least, board);
    *high = (int)sgm_team_max((float)most, board);
}

/* Least and largest level of the pixels that a block looks at. Pixels are aligned to 4. */
static __global__ void range_kernel(const pixel *pixels, int count, int *parts)
{
    __shared__ float board[SGM_TEAM + 32];
    int least = 255, most = 0, low, high;
    int me = (int)(blockIdx.x * SGM_TEAM + threadIdx.x), step = (int)(gridDim.x * SGM_TEAM);
    for (int i = me; i < count / 4; i += step) {
        unsigned four = ((const unsigned *)pixels)[i];
        for (int k = 0; k < 4; k++) {
            int level = (int)(four >> 8 * k & 255);
            least = level < least ? level : least, most = level > most ? level : most;
        }
    }
    for (int i = count / 4 * 4 + me; i < count; i += step) {
        int level = pixels[i];
        least = level < least ? level : least, most = level > most ? level : most;
    }
    team_range(least, most, board, &low, &high);
    if (threadIdx.x == 0) parts[2 * blockIdx.x] = low, parts[2 * blockIdx.x + 1] = high;
}

/* Of all blocks, the same in all threads of one block. */
static __device__ void join_parts(const int *parts, int blocks, float *board, int *low, int *high)
{
    int least = 255, most = 0;
    for (int i = (int)threadIdx.x; i < blocks; i += SGM_TEAM) {
        least = parts[2 * i] < least ? parts[2 * i] : least;
        most = parts[2 * i + 1] > most ? parts[2 * i + 1] : most;
    }
    team_range(least, most, board, low, high);
}

static __global__ void join_range_kernel(const int *parts, int blocks, int *range)
{
    __shared__ float board[SGM_TEAM + 32];
    int low, high;
    join_parts(parts, blocks, board, &low, &high);
    if (threadIdx.x == 0) range[0] = low, range[1] = high;
}

static __global__ void levels_kernel(const int *parts, int blocks, float *table)
{
    __shared__ float board[SGM_TEAM + 32];
    int low, high;
    join_parts(parts, blocks, board, &low, &high);
    double range = high > low ? high - low : 1e-8;
    for (int v = (int)threadIdx.x; v < 256; v += SGM_TEAM)
        table[v] = table[256 + v] = table[512 + v] = (float)((v - low) / range);
}

static void launch_range(sgm_cuda *cuda, const pixel *pixels, int count, int *parts)
{
    SGM_LAUNCH_TEAM(range_kernel, (unsigned)range_blocks(count), SGM_TEAM, cuda->uploads, pixels,
                    count, parts);
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
const void *sgm_cuda_take_table(sgm_cuda *cuda, sgm_cursor *cursor, const void *values, size_t size,
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
        a.kernel = (const double *)sgm_cuda_take_table(
            cuda, cursor, taps->kernel, (size_t)(a.radius + 1) * sizeof(double), error);
        a.reach = (const double *)sgm_take(cursor, (size_t)a.in * sizeof(double));
    }
    if (!taps->taps) return a;
    size_t out = (size_t)a.out;
    a.first = (const int *)sgm_cuda_take_table(cuda, cursor, taps->first, out * sizeof(int), error);
    a.count = (const int *)sgm_cuda_take_table(cuda, cursor, taps->count, out * sizeof(int), error);
    const void *weight =
        sgm_cuda_take_table(cuda, cursor, taps->weight, out * (size_t)a.taps * 4, error);
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

/* Of a resized picture, aligned for words. */
static int64_t place_bytes(const picture *p)
{
    return ((int64_t)p->out_bytes + 3) / 4 * 4;
}

/* Two values for every one of the picture, or of the widened picture. */
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
    p->table = (float *)(p->full_range ? sgm_take(cursor, places * tables)
                                       : (void *)sgm_cuda_take_table(cuda, cursor, rule->levels,
                                                                     tables, &error));
    p->raw = (pixel *)sgm_take(cursor, (size_t)p->in_bytes);
    p->resized = (pixel *)sgm_take(cursor, places * (size_t)place_bytes(p));
    p->middle = sgm_take(cursor, middle_bytes(p));
    p->lines = (double *)sgm_take(cursor, lines_bytes(p));
    p->parts = (int *)sgm_take(cursor, 2 * MOST_RANGE_BLOCKS * sizeof(int));
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

/* Memory, events, the stream of uploads. */
static cudaError_t make_room(sgm_cuda *cuda, picture *p, size_t size)
{
    cudaError_t error = cudaMalloc((void **)&p->memory, size);
    if (error == cudaSuccess) error = sgm_cuda_make_uploads(cuda);
    for (int i = 0; i < p->places && error == cudaSuccess; i++) {
        error = cudaEventCreateWithFlags(&p->staged[i], cudaEventDisableTiming);
        if (error == cudaSuccess)
            error = cudaEventCreateWithFlags(&p->placed[i], cudaEventDisableTiming);
    }
    return error;
}

/* Tables came on the working stream. */
static cudaError_t finish_tables(sgm_cuda *cuda, const picture *p)
{
    cudaError_t error = cudaEventRecord(p->placed[0], cuda->stream);
    if (error == cudaSuccess) error = cudaStreamWaitEvent(cuda->uploads, p->placed[0], 0);
    if (error != cudaSuccess || p->resample != SGM_RESAMPLE_CUBIC) return error;
    sgm_cuda_cubic_reach(cuda, &p->across, (double *)p->across.reach);
    sgm_cuda_cubic_reach(cuda, &p->down, (double *)p->down.reach);
    return cudaGetLastError();
}

static sgm_status make_picture(sgm_cuda *cuda, const sgm_picture_rule *rule, picture *p)
{
    sgm_cursor cursor = {NULL, 0};
    (void)lay_out(cuda, rule, p, &cursor);
    sgm_cuda_enter(cuda);
    cudaError_t error = make_room(cuda, p, cursor.used);
    sgm_cuda_leave(cuda);
    cursor.base = p->memory;
    cursor.used = 0;
    if (error == cudaSuccess) error = lay_out(cuda, rule, p, &cursor);
    sgm_cuda_enter(cuda);
    if (error == cudaSuccess) error = finish_tables(cuda, p);
    if (error != cudaSuccess) (void)cudaGetLastError();
    sgm_cuda_leave(cuda);
    return sgm_cuda_check(cuda, error, "making room for pictures");
}

static void picture_free(sgm_backend *backend, void *memory)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    picture *p = (picture *)memory;
    if (!p) return;
    sgm_cuda_release_transfer(backend, p->transfer);
    sgm_cuda_enter(cuda);
    if (cuda->uploads) cudaStreamSynchronize(cuda->uploads);
    cudaStreamSynchronize(cuda->stream);
    for (int i = 0; i < MOST_PLACES; i++) {
        if (p->staged[i]) cudaEventDestroy(p->staged[i]);
        if (p->placed[i]) cudaEventDestroy(p->placed[i]);
    }
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
    sgm_status status = make_picture(cuda, rule, p);
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
        SGM_LAUNCH(pillow_rows, sgm_blocks(between), SGM_THREADS, cuda->uploads, from, p->across,
                   p->channels, between, rows);
        from = rows;
    }
    if (p->down.taps)
        SGM_LAUNCH(pillow_columns, sgm_blocks(p->out_bytes), SGM_THREADS, cuda->uploads, from,
                   p->down, length, p->out_bytes, to);
    else if (!p->across.taps)
        cudaMemcpyAsync(to, from, (size_t)p->out_bytes, cudaMemcpyDeviceToDevice, cuda->uploads);
}

static void resize_floats(sgm_cuda *cuda, const picture *p, pixel *to)
{
    int between = p->across.out * p->down.in * p->channels, length = p->across.out * p->channels;
    float *middle = (float *)p->middle;
    SGM_LAUNCH(float_rows, sgm_blocks(between), SGM_THREADS, cuda->uploads, p->raw, p->across,
               p->channels, between, middle);
    SGM_LAUNCH(float_columns, sgm_blocks(p->out_bytes), SGM_THREADS, cuda->uploads, middle, p->down,
               length, p->out_bytes, to);
}

static void resize_cubic(sgm_cuda *cuda, const picture *p, pixel *to)
{
    double *work = p->lines + lines_bytes(p) / sizeof *p->lines / 2;
    sgm_cubic c = {p->across, p->down, p->channels, p->lines, work, (double *)p->middle, p->range};
    launch_range(cuda, p->raw, p->in_bytes, p->parts);
    SGM_LAUNCH_TEAM(join_range_kernel, 1, SGM_TEAM, cuda->uploads, p->parts,
                    range_blocks(p->in_bytes), p->range);
    sgm_cuda_cubic(cuda, &c, p->raw, to);
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
        SGM_LAUNCH(fixed_both, sgm_blocks(p->out_bytes), SGM_THREADS, cuda->uploads, p->raw,
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
    return p->resized + place * place_bytes(p);
}

/* On the stream of uploads, behind the pixels: resizes them to a place that has been read. */
static cudaError_t fill_place(sgm_cuda *cuda, picture *p, int place)
{
    pixel *to = resized_of(p, place);
    cudaError_t error = cudaStreamWaitEvent(cuda->uploads, p->placed[place], 0);
    if (error != cudaSuccess) return error;
    resize(cuda, p, to);
    if (p->full_range) {
        launch_range(cuda, to, p->out_bytes, p->parts);
        SGM_LAUNCH_TEAM(levels_kernel, 1, SGM_TEAM, cuda->uploads, p->parts,
                        range_blocks(p->out_bytes), table_of(p, place));
    }
    error = cudaGetLastError();
    return error == cudaSuccess ? cudaEventRecord(p->staged[place], cuda->uploads) : error;
}

static sgm_status picture_stage(sgm_backend *backend, void *memory, int place,
                                const uint8_t *pixels)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    picture *p = (picture *)memory;
    SGM_TRY(sgm_cuda_upload_beside(backend, p->raw, pixels, (size_t)p->in_bytes, &p->transfer));
    sgm_cuda_enter(cuda);
    cudaError_t error = fill_place(cuda, p, place);
    sgm_cuda_leave(cuda);
    return sgm_cuda_check(cuda, error, "resizing a picture");
}

static sgm_status picture_place(sgm_backend *backend, void *memory, int place, void *input)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    const picture *p = (const picture *)memory;
    int count = p->side * p->side;
    sgm_cuda_enter(cuda);
    cudaError_t error = cudaStreamWaitEvent(cuda->stream, p->staged[place], 0);
    SGM_LAUNCH(place_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, resized_of(p, place),
               p->across.out, p->down.out, p->channels, table_of(p, place), p->side, count,
               (float *)input);
    if (error == cudaSuccess) error = cudaGetLastError();
    if (error == cudaSuccess) error = cudaEventRecord(p->placed[place], cuda->stream);
    sgm_cuda_leave(cuda);
    return sgm_cuda_check(cuda, error, "normalising a picture");
}

const sgm_picture_ops *sgm_cuda_pictures(void)
{
    static sgm_picture_ops ops;
    ops.picture_create = picture_create;
    ops.picture_free = picture_free;
    ops.picture_stage = picture_stage;
    ops.picture_place = picture_place;
    ops.mask_create = sgm_cuda_mask_create;
    ops.mask_free = sgm_cuda_mask_free;
    ops.mask_start = sgm_cuda_mask_start;
    ops.mask_finish = sgm_cuda_mask_finish;
    return &ops;
}
