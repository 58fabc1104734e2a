/* scikit-image's cubic resize with antialiasing, which MedSAM was trained on: scipy.ndimage's
 * gaussian_filter and zoom(order=3, grid_mode=True), mode "mirror", in double.
 * Where the exact result is an integer (no resizing, flat regions), scipy's own rounding noise
 * decides whether truncation loses one grey level; here such values count as the integer. */
#include "predict/picture/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Index of a signal of n samples mirrored about its end samples (d c b | a b c d | c b a). */
static int mirror(int i, int n)
{
    if (n == 1) return 0;
    int period = 2 * (n - 1);
    i %= period;
    if (i < 0) i += period;
    return i < n ? i : period - i;
}

/* Gaussian of `sigma` cut at 4 sigma, in place over `line`. */
static void blur_line(double *line, int n, const double *kernel, int radius, double *work)
{
    memcpy(work, line, (size_t)n * sizeof *work);
    for (int i = 0; i < n; i++) {
        double sum = kernel[0] * work[i];
        for (int k = 1; k <= radius; k++)
            sum += kernel[k] * (work[mirror(i - k, n)] + work[mirror(i + k, n)]);
        line[i] = sum;
    }
}

/* Samples to coefficients of the interpolating cubic B-spline (Unser 1999), mirrored borders. */
static void spline_line(double *line, int n)
{
    if (n < 2) return;
    const double pole = sqrt(3.0) - 2, gain = (1 - pole) * (1 - 1 / pole);
    for (int i = 0; i < n; i++)
        line[i] *= gain;
    double power = pole, first = line[0], last = pow(pole, n - 1);
    first += last * line[n - 1];
    double back = last * last / pole;
    for (int i = 1; i < n - 1; i++) {
        first += (power + back) * line[i];
        power *= pole;
        back /= pole;
    }
    line[0] = first / (1 - last * last);
    for (int i = 1; i < n; i++)
        line[i] += pole * line[i - 1];
    line[n - 1] = (pole * line[n - 2] + line[n - 1]) * pole / (pole * pole - 1);
    for (int i = n - 2; i >= 0; i--)
        line[i] = pole * (line[i + 1] - line[i]);
}

/* The spline at out positions (i + 0.5) n / out - 0.5. */
static void sample_line(const double *line, int n, double *to, int out)
{
    for (int i = 0; i < out; i++) {
        double at = (i + 0.5) * n / out - 0.5;
        int start = (int)floor(at);
        double t = at - start, s = 1 - t;
        double w[4] = {s * s * s / 6, (4 - 6 * t * t + 3 * t * t * t) / 6,
                       (4 - 6 * s * s + 3 * s * s * s) / 6, t * t * t / 6};
        to[i] = 0;
        for (int k = 0; k < 4; k++)
            to[i] += w[k] * line[mirror(start - 1 + k, n)];
    }
}

typedef struct axis_work {
    double *line, *out, *spare, *kernel;
    int radius;
} axis_work;

static void free_work(axis_work *w)
{
    free(w->line);
    free(w->out);
    free(w->spare);
    free(w->kernel);
}

/* Antialiasing only when shrinking: sigma = (factor - 1) / 2. */
static sgm_status make_work(int in, int out, axis_work *w)
{
    double sigma = ((double)in / out - 1) / 2, total = 1;
    w->radius = sigma > 0 ? (int)(4 * sigma + 0.5) : 0;
    w->line = malloc((size_t)in * sizeof *w->line);
    w->spare = malloc((size_t)in * sizeof *w->spare);
    w->out = malloc((size_t)out * sizeof *w->out);
    w->kernel = malloc((size_t)(w->radius + 1) * sizeof *w->kernel);
    if (!w->line || !w->spare || !w->out || !w->kernel) {
        free_work(w);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to resize an image");
    }
    w->kernel[0] = 1;
    for (int k = 1; k <= w->radius; k++) {
        w->kernel[k] = exp(-0.5 * k * k / (sigma * sigma));
        total += 2 * w->kernel[k];
    }
    for (int k = 0; k <= w->radius; k++)
        w->kernel[k] /= total;
    return SGM_OK;
}

sgm_status sgm_cubic_taps(int in, int out, sgm_taps *taps)
{
    axis_work w = {0};
    *taps = (sgm_taps){.in = in, .out = out};
    SGM_TRY(make_work(in, out, &w));
    taps->kernel = w.kernel;
    taps->radius = w.radius;
    w.kernel = NULL;
    free_work(&w);
    return SGM_OK;
}

/* One line of `in` samples, `stride` apart, into `out` samples at the same stride. */
static void resize_line(const double *from, double *to, size_t stride, int in, int out,
                        axis_work *w)
{
    for (int i = 0; i < in; i++)
        w->line[i] = from[(size_t)i * stride];
    if (w->radius) blur_line(w->line, in, w->kernel, w->radius, w->spare);
    spline_line(w->line, in);
    sample_line(w->line, in, w->out, out);
    for (int i = 0; i < out; i++)
        to[(size_t)i * stride] = w->out[i];
}

static sgm_status resize_rows(const double *from, sgm_size in, int channels, double *to, int width)
{
    axis_work w = {0};
    SGM_TRY(make_work(in.width, width, &w));
    for (int y = 0; y < in.height; y++)
        for (int c = 0; c < channels; c++)
            resize_line(from + (size_t)y * (size_t)(in.width * channels) + c,
                        to + (size_t)y * (size_t)(width * channels) + c, (size_t)channels, in.width,
                        width, &w);
    free_work(&w);
    return SGM_OK;
}

static sgm_status resize_columns(const double *from, sgm_size in, int channels, double *to,
                                 int height)
{
    axis_work w = {0};
    size_t length = (size_t)in.width * (size_t)channels;
    SGM_TRY(make_work(in.height, height, &w));
    for (size_t x = 0; x < length; x++)
        resize_line(from + x, to + x, length, in.height, height, &w);
    free_work(&w);
    return SGM_OK;
}

/* Clipped to the range of the input and cut to integers. */
static void finish(const double *values, size_t count, uint8_t low, uint8_t high, uint8_t *to)
{
    for (size_t i = 0; i < count; i++) {
        double v = values[i] < low ? low : values[i] > high ? high : values[i];
        to[i] = (uint8_t)(v + 1e-6);
    }
}

sgm_status sgm_resample_cubic(const uint8_t *from, sgm_size from_size, int channels, uint8_t *to,
                              sgm_size to_size)
{
    size_t in = (size_t)from_size.width * (size_t)from_size.height * (size_t)channels;
    size_t middle = (size_t)to_size.width * (size_t)from_size.height * (size_t)channels;
    size_t out = (size_t)to_size.width * (size_t)to_size.height * (size_t)channels;
    double *values = malloc((in + middle + out) * sizeof *values);
    if (!values) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to resize an image");
    uint8_t low = 255, high = 0;
    for (size_t i = 0; i < in; i++) {
        values[i] = from[i];
        if (from[i] < low) low = from[i];
        if (from[i] > high) high = from[i];
    }
    sgm_size between = {to_size.width, from_size.height};
    sgm_status status = resize_rows(values, from_size, channels, values + in, to_size.width);
    if (status == SGM_OK)
        status =
            resize_columns(values + in, between, channels, values + in + middle, to_size.height);
    if (status == SGM_OK) finish(values + in + middle, out, low, high, to);
    free(values);
    return status;
}
