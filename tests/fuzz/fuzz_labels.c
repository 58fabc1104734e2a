/* A whole file as --initial and as PromptSegEvaluate read it: on its own grid, on a given one
 * (where it may be cropped), and masks out of it. */
#define _GNU_SOURCE
#include "fuzz_file.h"
#include "fuzz_result.h"

#include "sgio/labelmap.h"

enum { MOST_VOXELS = 1 << 22 };

static const char *const endings[] = {".nii", ".nii.gz", ".nrrd", ".seg.nrrd",
                                      ".mha", ".png",    "",      NULL};

static void use(const sgio_segmentation *s)
{
    const int64_t *n = s->geometry.size;
    int *labels = malloc((s->segment_count + 1) * sizeof *labels);
    uint8_t *mask = n[0] * n[1] * n[2] <= MOST_VOXELS ? malloc((size_t)(n[0] * n[1] * n[2])) : NULL;
    if (labels) sgio_segmentation_flat_labels(s, labels);
    for (size_t i = 0; mask && i < s->segment_count && i < 4; i++) {
        sgio_segmentation_get_mask(s, i, mask);
        (void)sgio_segmentation_ml(s, i);
    }
    free(mask);
    free(labels);
}

static void read_as(const char *path)
{
    static const sgio_geometry grid = {.size = {5, 4, 3},
                                       .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    const sgio_segmentation_read_options onto = {.grid = &grid};
    sgio_segmentation s;
    if (sgio_segmentation_read(path, NULL, &s) == SGIO_OK) {
        fuzz_refused = 0;
        use(&s);
    }
    sgio_segmentation_clear(&s);
    sgio_segmentation_read(path, &onto, &s);
    sgio_segmentation_clear(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_refused = 1;
    if (fuzz_write_file(data, size, endings) != 0) return 0;
    for (const char *const *e = endings; *e; e++)
        read_as(fuzz_path(*e));
    return 0;
}
