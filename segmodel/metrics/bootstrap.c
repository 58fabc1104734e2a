/* Bootstrap intervals (Efron 1979), drawn with SplitMix64 from a name. */
#include "core/status.h"
#include "metrics/draw.h"
#include "segmodel/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REPLICATES = 2000, SEED = 1 };

/* Sum and number of the values of each unit that is drawn as a whole. */
typedef struct unit {
    int group;
    double sum;
    int64_t count;
} unit;

static int compare_groups(const void *a, const void *b)
{
    int x = ((const unit *)a)->group, y = ((const unit *)b)->group;
    return (x > y) - (x < y);
}

/* Units in ascending order of their group; returns how many. */
static size_t collect(const double *values, const int *groups, size_t count, unit *units)
{
    size_t made = 0;
    for (size_t i = 0; i < count; i++)
        units[i] = (unit){groups ? groups[i] : (int)i, values[i], 1};
    if (!groups) return count;
    qsort(units, count, sizeof *units, compare_groups);
    for (size_t i = 0; i < count; i++) {
        if (made && units[made - 1].group == units[i].group) {
            units[made - 1].sum += units[i].sum;
            units[made - 1].count++;
        } else {
            units[made++] = units[i];
        }
    }
    return made;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(const double *sorted, double share)
{
    double rank = share * (REPLICATES - 1);
    int below = (int)rank;
    return sorted[below] + (rank - below) * (sorted[below + 1] - sorted[below]);
}

static void replicate(uint64_t key, const unit *units, size_t count, double *means)
{
    for (uint64_t b = 0; b < REPLICATES; b++) {
        double sum = 0;
        int64_t values = 0;
        for (uint64_t i = 0; i < count; i++) {
            uint64_t at = sgm_draw_pick(key, b * count + i, count);
            sum += units[at].sum;
            values += units[at].count;
        }
        means[b] = sum / (double)values;
    }
}

static void summarise(double *means, sgm_interval *out)
{
    double sum = 0, squares = 0;
    for (int b = 0; b < REPLICATES; b++)
        sum += means[b];
    for (int b = 0; b < REPLICATES; b++)
        squares += (means[b] - sum / REPLICATES) * (means[b] - sum / REPLICATES);
    out->deviation = sqrt(squares / (REPLICATES - 1));
    qsort(means, REPLICATES, sizeof *means, compare_doubles);
    out->low = percentile(means, 0.025);
    out->high = percentile(means, 0.975);
}

sgm_status sgm_bootstrap(const char *name, const double *values, const int *groups, size_t count,
                         sgm_interval *out)
{
    *out = (sgm_interval){0};
    if (!count) return sgm_fail(SGM_INVALID_ARGUMENT, "bootstrap of no values (%s)", name);
    unit *units = malloc(count * sizeof *units);
    double *means = malloc(REPLICATES * sizeof *means);
    sgm_status status = SGM_OK;
    if (!units || !means) status = sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a bootstrap");
    for (size_t i = 0; status == SGM_OK && i < count; i++)
        out->mean += values[i] / (double)count;
    size_t made = status == SGM_OK ? collect(values, groups, count, units) : 0;
    if (made >= 2) {
        replicate(sgm_draw_key("bootstrap:", name, SEED), units, made, means);
        summarise(means, out);
    } else { /* every replicate would be the one unit again: no spread is known, not none */
        out->low = out->high = out->deviation = NAN;
    }
    free(units);
    free(means);
    return status;
}
