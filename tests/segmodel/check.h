/* Checks for segmodel's own tests. No framework, because segmodel must test alone with nothing but
 * a C compiler. A failed check prints where and what, and the program goes on:
 *
 *     int main(void)
 *     {
 *         CHECK(tensor != NULL);
 *         CHECK_STATUS(sgm_checkpoint_open("missing", &file), SGM_BAD_MODEL, "missing");
 *         check_close("embedding", got, want, n, 1e-5, 0);
 *         return check_report();
 *     }
 *
 * Comparisons of floats are written so that a NaN on either side fails. */
#ifndef SEGMODEL_TESTS_CHECK_H
#define SEGMODEL_TESTS_CHECK_H

#include "segmodel/segmodel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#ifdef CHECK_EXTERN /* a test of several files: one of them defines the counters */
extern int check_count, check_failures;
#else
static int check_count, check_failures;
#endif

static inline int check_that(int ok, const char *what, const char *file, int line)
{
    check_count++;
    if (!ok) {
        check_failures++;
        fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    }
    return ok;
}

/* The status must be `want`; after a failure the message must also contain `part` (NULL: any). */
static inline int check_status(sgm_status got, sgm_status want, const char *part, const char *what,
                               const char *file, int line)
{
    int ok = got == want && (want == SGM_OK || !part || strstr(sgm_last_message(), part));
    if (!check_that(ok, what, file, line))
        fprintf(stderr, "    wanted status %d (%s)%s%s, got %d: %s\n", (int)want,
                sgm_status_name(want), part ? " naming " : "", part ? part : "", (int)got,
                got == SGM_OK ? "" : sgm_last_message());
    return ok;
}

#define CHECK(condition) check_that(!!(condition), #condition, __FILE__, __LINE__)
#define CHECK_OK(call) check_status((call), SGM_OK, NULL, #call, __FILE__, __LINE__)
#define CHECK_STATUS(call, want, part) check_status((call), want, part, #call, __FILE__, __LINE__)
#define CHECK_NEAR(got, want, tolerance)                                                           \
    check_near((got), (want), (tolerance), #got " ~ " #want, __FILE__, __LINE__)

static inline int check_near(double got, double want, double tolerance, const char *what,
                             const char *file, int line)
{
    int ok = fabs(got - want) <= tolerance;
    if (!check_that(ok, what, file, line))
        fprintf(stderr, "    wanted %.9g within %.3g, got %.9g\n", want, tolerance, got);
    return ok;
}

/* |got - want| <= atol + rtol |want| for each of n values; prints the worst one and its place. */
static inline int check_close(const char *name, const float *got, const float *want, size_t n,
                              double atol, double rtol)
{
    size_t worst = 0, bad = 0;
    double worst_excess = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)got[i] - want[i]);
        double excess = difference - (atol + rtol * fabs((double)want[i]));
        if (got[i] == want[i]) excess = -INFINITY; /* equal infinities too */
        if (isnan(excess)) excess = INFINITY;
        if (excess > 0) bad++;
        if (excess > worst_excess) {
            worst_excess = excess;
            worst = i;
        }
    }
    check_count++;
    if (bad) {
        check_failures++;
        fprintf(stderr, "%s: %zu of %zu values differ; worst at [%zu]: wanted %.9g, got %.9g\n",
                name, bad, n, worst, want[worst], got[worst]);
    }
    return !bad;
}

/* sqrt(sum (got-want)^2 / sum (want-mean(want))^2), the parity measure of the goldens; NaN and
 * infinity propagate. A constant reference is measured against its plain norm. */
static inline double check_nrmse_of(const float *got, const float *want, size_t n)
{
    double mean = 0, error = 0, spread = 0, norm = 0;
    for (size_t i = 0; i < n; i++)
        mean += want[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - want[i], s = want[i] - mean;
        error += d * d;
        spread += s * s;
        norm += (double)want[i] * want[i];
    }
    double scale = spread > 1e-24 * norm ? spread : norm;
    return error == 0 ? 0 : sqrt(error / scale);
}

static inline int check_nrmse(const char *name, const float *got, const float *want, size_t n,
                              double limit)
{
    double nrmse = check_nrmse_of(got, want, n);
    int ok = nrmse <= limit;
    check_count++;
    if (!ok) {
        check_failures++;
        fprintf(stderr, "%s: normalised RMS error %.3g, allowed %.3g\n", name, nrmse, limit);
        check_close(name, got, want, n, 0, 0);
    }
    return ok;
}

/* The test's exit code. A test that checked nothing fails. */
static inline int check_report(void)
{
    printf("%d checks, %d failed\n", check_count, check_failures);
    return check_failures > 0 || check_count == 0;
}

#endif
