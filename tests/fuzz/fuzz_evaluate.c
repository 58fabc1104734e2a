/* PromptSegEvaluate's two inputs: a length, the reference of that length, the prediction. The
 * second file is put into the grid of the first, as --initial is too. */
#define _GNU_SOURCE
#include "fuzz_result.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "evaluate_pairs.h"

enum { MOST_VOXELS = 1 << 18, MOST_PAIRS = 64 };

/* The formats are told by their content, since this file has no ending. */
static int read_from(const uint8_t *data, size_t size, const sgio_geometry *grid,
                     sgio_segmentation *out)
{
    char path[40];
    const sgio_segmentation_read_options how = {.grid = grid};
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const sgio_status status = sgio_segmentation_read(path, &how, out);
    close(fd);
    return status == SGIO_OK ? 0 : -1;
}

static void check(const evaluate_pair *pair)
{
    const evaluate_values *v = &pair->values;
    if (v->common_voxels > v->reference_voxels || v->common_voxels > v->prediction_voxels) abort();
    for (int m = 0; m < EVALUATE_METRIC_COUNT; m++)
        if (v->value[m] < 0) abort();
    if (v->value[EVALUATE_DICE] > 1 || v->value[EVALUATE_SURFACE_DICE] > 1 + 1e-12) abort();
    if (v->value[EVALUATE_HD95] > v->value[EVALUATE_HD]) abort();
}

static void compare(const sgio_segmentation *reference, const sgio_segmentation *prediction)
{
    evaluate_how how = {.tolerance_mm = 1};
    evaluate_class_means classes;
    evaluate_pairs pairs;
    if (evaluate_set_parse("all", &how.metrics) != 0) abort();
    if (evaluate_match(reference, prediction, 0, &pairs) != 0) return;
    for (size_t i = 0; i < pairs.count && i < MOST_PAIRS; i++)
        if (evaluate_compare(reference, prediction, &how, &pairs.items[i]) == 0)
            check(&pairs.items[i]);
    if (evaluate_classes(reference, prediction, &pairs, &classes) == 0 && classes.challenge > 1)
        abort();
    free(pairs.items);
}

static int is_small(const int64_t size[3])
{
    return size[0] <= MOST_VOXELS && size[1] <= MOST_VOXELS / size[0] &&
           size[2] <= MOST_VOXELS / (size[0] * size[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgio_segmentation reference, prediction;
    fuzz_refused = 1;
    if (size < 2) return 0;
    size_t first = data[0] | (size_t)data[1] << 8;
    data += 2;
    size -= 2;
    if (first > size) first = size;
    if (read_from(data, first, NULL, &reference) != 0) return 0;
    if (is_small(reference.geometry.size) &&
        read_from(data + first, size - first, &reference.geometry, &prediction) == 0) {
        fuzz_refused = 0;
        compare(&reference, &prediction);
        sgio_segmentation_clear(&prediction);
    }
    sgio_segmentation_clear(&reference);
    return 0;
}
