/* Dense convolutions without gathering patches. In a channels-last image the taps of one row of the
 * kernel are one run of kernel_w * C numbers, and neighbouring output pixels have their runs
 * (stride * C) apart: rows of A in place (isa.h), kernel_h times. Where the kernel reaches over the
 * image's edge, a band of its rows is copied with zeros around it. K has the order of patches, so
 * the bits are theirs. */
#include "backend/cpu/kernels/convolution_internal.h"

#define BAND_PIXELS 336 /* output pixels at least per band, as LEAST_ROWS of gemm.c */

typedef struct band_job {
    const sgm_conv_shape *s;
    const sgm_packed *w;
    const sgm_micro *micro;
    const sgm_isa_table *loops;
    const sgm_epilogue *epilogue;
    const float *x;
    sgm_threads *pool;
    int64_t height, width; /* of the output */
    int64_t band, bands;   /* output rows per band, bands per image */
    int64_t run, part;     /* numbers of a row of the kernel, and of them per call */
    int64_t parts;         /* calls per output */
} band_job;

/* A band's input: row y * stride + ky of it begins at rows + (y * stride + ky) * pitch. */
typedef struct band_input {
    const float *rows;
    int64_t pitch;
} band_input;

bool sgm_conv_in_place(const sgm_conv_shape *s, const sgm_packed *w, sgm_dtype x_dtype)
{
    const sgm_micro *micro = sgm_micro_for(w->dtype);
    return x_dtype == SGM_F32 && w->dtype == SGM_F32 && micro->in_place.rows &&
           s->kernel_w * s->channels % 16 == 0;
}

/* One row of the image with `pad` pixels of zeros on both sides; y may lie outside. */
static void copy_row(const sgm_conv_shape *s, const float *image, int64_t y, float *to)
{
    size_t side = sizeof(float) * (size_t)(s->pad * s->channels);
    size_t row = sizeof(float) * (size_t)(s->width * s->channels);
    if (y < 0 || y >= s->height) {
        memset(to, 0, row + 2 * side);
        return;
    }
    memset(to, 0, side);
    memcpy((char *)to + side, image + y * s->width * s->channels, row);
    memset((char *)to + side + row, 0, side);
}

static band_input input_of_band(const band_job *j, int64_t b, int64_t first, int64_t rows,
                                float *copy)
{
    const sgm_conv_shape *s = j->s;
    const float *image = j->x + b * s->height * s->width * s->channels;
    if (!s->pad)
        return (band_input){image + first * s->stride * s->width * s->channels,
                            s->width * s->channels};
    int64_t pitch = (s->width + 2 * s->pad) * s->channels;
    int64_t count = (rows - 1) * s->stride + s->kernel_h;
    for (int64_t i = 0; i < count; i++)
        copy_row(s, image, first * s->stride - s->pad + i, copy + i * pitch);
    return (band_input){copy, pitch};
}

/* Parts [first, last) of the sums of `count` neighbouring pixels, into sums[count][32]. */
static void multiply_strip(const band_job *j, const float *corner, int64_t pitch, const char *b,
                           int cols, int64_t first, int64_t last, int count, float *sums)
{
    int64_t per_run = sgm_div_up(j->run, j->part), step = j->s->stride * j->s->channels;
    for (int64_t p = first; p < last; p++) {
        int64_t ky = p / per_run, at = p % per_run * j->part;
        int64_t n = j->run - at < j->part ? j->run - at : j->part;
        sgm_micro_rows(j->micro, cols)(corner + ky * pitch + at, step,
                                       b + (ky * j->run + at) / 16 * SGM_B_CHUNK, n, sums,
                                       SGM_PANEL, 16, count, p > 0);
    }
}

/* A band against one panel. Kernels that want little of B at a time get one part of K after the
 * other for all pixels (see multiply_panel of gemm.c). */
static void multiply_band(const band_job *j, band_input in, int64_t panel, int64_t row,
                          int64_t rows, float *sums)
{
    int64_t n = panel * SGM_PANEL, strips = sgm_div_up(j->width, j->micro->step);
    int cols = (int)(j->w->n - n < SGM_PANEL ? j->w->n - n : SGM_PANEL);
    const char *b = j->w->data + panel * j->w->chunks * SGM_B_CHUNK;
    int64_t at_once = j->micro->depth ? 1 : j->parts;
    for (int64_t first = 0; first < j->parts; first += at_once)
        for (int64_t i = 0; i < rows * strips; i++) {
            int64_t y = i / strips, x = j->width * (i % strips) / strips;
            int count = (int)(j->width * (i % strips + 1) / strips - x);
            const float *corner =
                in.rows + y * j->s->stride * in.pitch + x * j->s->stride * j->s->channels;
            float *tile = sums + (at_once < j->parts ? (y * j->width + x) * SGM_PANEL : 0);
            multiply_strip(j, corner, in.pitch, b, cols, first, first + at_once, count, tile);
            if (first + at_once == j->parts)
                j->loops->epilogue(tile, count, cols, (row + y) * j->width + x, n, j->epilogue);
        }
}

static size_t sums_bytes(const band_job *j)
{
    int64_t pixels = j->micro->depth ? j->band * j->width : j->micro->step;
    return sizeof(float) * (size_t)(pixels * SGM_PANEL);
}

static void bands(void *context, int64_t begin, int64_t end, int thread)
{
    const band_job *j = context;
    float *sums = sgm_threads_scratch(j->pool, thread);
    float *copy = (float *)((char *)sums + sums_bytes(j));
    for (int64_t item = begin; item < end; item++) {
        int64_t b = item / j->bands, first = item % j->bands * j->band;
        int64_t rows = j->height - first < j->band ? j->height - first : j->band;
        band_input in = input_of_band(j, b, first, rows, copy);
        for (int64_t panel = 0; panel < j->w->panels; panel++)
            multiply_band(j, in, panel, b * j->height + first, rows, sums);
    }
}

/* Rows per band: enough pixels to be worth a pass over B, and bands for all threads. */
static int64_t band_rows(const band_job *j)
{
    int64_t rows = sgm_div_up(BAND_PIXELS, j->width), threads = sgm_threads_count(j->pool);
    int64_t share = sgm_div_up(j->height * j->s->batch, 2 * threads);
    if (threads > 1 && share < rows) rows = share;
    if (rows > j->height) rows = j->height;
    return sgm_div_up(j->height, sgm_div_up(j->height, rows));
}

sgm_status sgm_conv2d_in_place(sgm_threads *pool, const sgm_conv_shape *s, const sgm_packed *w,
                               const float *x, const sgm_epilogue *epilogue)
{
    const sgm_micro *micro = sgm_micro_for(SGM_F32);
    int64_t run = s->kernel_w * s->channels, part = 16 * sgm_depth(micro, sgm_div_up(run, 16));
    band_job j = {.s = s,
                  .w = w,
                  .micro = micro,
                  .loops = sgm_loops(),
                  .epilogue = epilogue,
                  .x = x,
                  .pool = pool,
                  .height = sgm_conv_out_height(s),
                  .width = sgm_conv_out_width(s),
                  .run = run,
                  .part = part,
                  .parts = s->kernel_h * sgm_div_up(run, part)};
    if (s->batch <= 0 || j.height <= 0 || j.width <= 0) return SGM_OK;
    j.band = band_rows(&j);
    j.bands = sgm_div_up(j.height, j.band);
    int64_t rows = (j.band - 1) * s->stride + s->kernel_h;
    size_t copy =
        s->pad ? sizeof(float) * (size_t)(rows * (s->width + 2 * s->pad) * s->channels) : 0;
    sgm_threads_lock(pool);
    sgm_status status = sgm_threads_reserve(pool, sums_bytes(&j) + copy, 0);
    if (status == SGM_OK) sgm_parallel_for(pool, s->batch * j.bands, 1, bands, &j);
    sgm_threads_unlock(pool);
    return status;
}
