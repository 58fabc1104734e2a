/* Cubic resizing of pictures as predict/resample_cubic.c does it, in doubles, bit for bit.
 *
 * Lines lie beside each other, [sample][line], so that neighbouring threads read neighbouring
 * values. Blur and samples have a thread for each value. Between them stands a recursion along the
 * line, whose order is the result: there a line has one thread, two multiplications a value, and
 * the loads of the next values do not wait for it (they come from other memory than it writes). */
#include "cuda_image.h"

static __device__ int mirrored(int i, int n)
{
    if (n == 1) return 0;
    int period = 2 * (n - 1);
    i %= period;
    if (i < 0) i += period;
    return i < n ? i : period - i;
}

/* [y][x][channel] to lines [x][y, channel]. */
static __global__ void lines_kernel(const pixel *from, int width, int channels, int lines,
                                    int count, double *to)
{
    SGM_ELEMENT(i, count);
    int line = i % lines, x = i / lines;
    to[i] = from[((int64_t)(line / channels) * width + x) * channels + line % channels];
}

static __global__ void blur_kernel(const double *from, axis_table a, int lines, int count,
                                   double *to)
{
    SGM_ELEMENT(i, count);
    const double *line = from + i % lines;
    int at = i / lines;
    double sum = sgm_mul(a.kernel[0], from[i]);
    for (int k = 1; k <= a.radius; k++) {
        double before = line[(int64_t)mirrored(at - k, a.in) * lines];
        double behind = line[(int64_t)mirrored(at + k, a.in) * lines];
        sum = sgm_sum(sum, sgm_mul(a.kernel[k], sgm_sum(before, behind)));
    }
    to[i] = sum;
}

static __device__ double pole_of(void)
{
    return sqrt(3.0) - 2;
}

/* Sample i of a line that goes on mirrored weighs pole^i + pole^(2 (in - 1) - i). */
static __global__ void reach_kernel(axis_table a, double *reach)
{
    const double pole = pole_of();
    double power = pole, back = sgm_mul(a.power, a.power) / pole;
    for (int i = 1; i < a.in - 1; i++) {
        reach[i] = sgm_sum(power, back);
        power = sgm_mul(power, pole);
        back = back / pole;
    }
}

/* The recursion's value at the line's beginning. */
static __device__ double first_of(const double *__restrict__ from, const axis_table &a, int lines,
                                  double gain)
{
    int n = a.in;
    double first = sgm_mul(from[0], gain), end = sgm_mul(from[(int64_t)(n - 1) * lines], gain);
    first = sgm_sum(first, sgm_mul(a.power, end));
    SGM_UNROLL_BY(8)
    for (int i = 1; i < n - 1; i++)
        first = sgm_sum(first, sgm_mul(a.reach[i], sgm_mul(from[(int64_t)i * lines], gain)));
    return first / sgm_sum(1, -sgm_mul(a.power, a.power));
}

/* to[i] = gain from[i] + pole to[i - 1]. Returns the last value. */
static __device__ double forward(const double *__restrict__ from, double *__restrict__ to,
                                 const axis_table &a, int lines, double gain)
{
    const double pole = pole_of();
    double value = first_of(from, a, lines, gain);
    to[0] = value;
    SGM_UNROLL_BY(8)
    for (int i = 1; i < a.in; i++) {
        value = sgm_sum(sgm_mul(from[(int64_t)i * lines], gain), sgm_mul(pole, value));
        to[(int64_t)i * lines] = value;
    }
    return value;
}

/* to[i] = pole (to[i + 1] - from[i]). */
static __device__ void backward(const double *__restrict__ from, double *__restrict__ to, int n,
                                int lines, double last)
{
    const double pole = pole_of();
    double before = from[(int64_t)(n - 2) * lines];
    double value =
        sgm_mul(sgm_sum(sgm_mul(pole, before), last), pole) / sgm_sum(sgm_mul(pole, pole), -1);
    to[(int64_t)(n - 1) * lines] = value;
    SGM_UNROLL_BY(8)
    for (int i = n - 2; i >= 0; i--) {
        value = sgm_mul(pole, sgm_sum(value, -from[(int64_t)i * lines]));
        to[(int64_t)i * lines] = value;
    }
}

/* Samples to coefficients of the interpolating spline; `to` may be `from`, `work` is neither. */
static __global__ void spline_kernel(const double *from, axis_table a, int lines, double *work,
                                     double *to)
{
    SGM_ELEMENT(line, lines);
    if (a.in < 2) {
        to[line] = from[line];
        return;
    }
    const double pole = pole_of(), gain = sgm_mul(1 - pole, 1 - 1 / pole);
    double last = forward(from + line, work + line, a, lines, gain);
    backward(work + line, to + line, a.in, lines, last);
}

/* The spline at output i of `out`; coefficient k is line[k step]. */
static __device__ double spline_at(const double *line, int step, int n, int out, int i)
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
        sum = sgm_sum(sum, sgm_mul(w[k], line[(int64_t)mirrored(start - 1 + k, n) * step]));
    return sum;
}

/* Lines [in][y, channel] to [y][out][channel]. */
static __global__ void sample_rows(const double *from, axis_table a, int channels, int lines,
                                   int count, double *to)
{
    SGM_ELEMENT(i, count);
    int line = i % lines, x = i / lines;
    to[((int64_t)(line / channels) * a.out + x) * channels + line % channels] =
        spline_at(from + line, lines, a.in, a.out, x);
}

/* Clipped to the range of the input and cut to integers. */
static __global__ void sample_columns(const double *from, axis_table a, int lines, int count,
                                      const int *range, pixel *to)
{
    SGM_ELEMENT(i, count);
    double low = range[0], high = range[1];
    double v = spline_at(from + i % lines, lines, a.in, a.out, i / lines);
    v = v < low ? low : v > high ? high : v;
    to[i] = (pixel)sgm_sum(v, 1e-6);
}

/* Lines at `from` to coefficients, at the place that is returned. With a blur `from` must not be
 * c->lines. */
static const double *make_spline(sgm_cuda *cuda, const sgm_cubic *c, const axis_table *a, int lines,
                                 const double *from)
{
    int count = a->in * lines;
    if (a->radius)
        SGM_LAUNCH(blur_kernel, sgm_blocks(count), SGM_THREADS, cuda->uploads, from, *a, lines,
                   count, c->lines);
    const double *sharp = a->radius ? c->lines : from;
    double *work = sharp == c->work ? c->lines : c->work;
    double *to = sharp == c->work ? c->work : c->lines;
    SGM_LAUNCH(spline_kernel, (unsigned)(lines + 31) / 32, 32, cuda->uploads, sharp, *a, lines,
               work, to);
    return to;
}

void sgm_cuda_cubic(sgm_cuda *cuda, const sgm_cubic *c, const pixel *raw, pixel *to)
{
    int rows = c->down.in * c->channels, columns = c->across.out * c->channels;
    int in = rows * c->across.in, between = rows * c->across.out, out = columns * c->down.out;
    SGM_LAUNCH(lines_kernel, sgm_blocks(in), SGM_THREADS, cuda->uploads, raw, c->across.in,
               c->channels, rows, in, c->work);
    const double *spline = make_spline(cuda, c, &c->across, rows, c->work);
    SGM_LAUNCH(sample_rows, sgm_blocks(between), SGM_THREADS, cuda->uploads, spline, c->across,
               c->channels, rows, between, c->middle);
    spline = make_spline(cuda, c, &c->down, columns, c->middle);
    SGM_LAUNCH(sample_columns, sgm_blocks(out), SGM_THREADS, cuda->uploads, spline, c->down,
               columns, out, c->range, to);
}

void sgm_cuda_cubic_reach(sgm_cuda *cuda, const axis_table *a, double *reach)
{
    SGM_LAUNCH(reach_kernel, 1, 1, cuda->uploads, *a, reach);
}
