/* Resampling against Pillow, OpenCV and scikit-image: goldens/resample.safetensors holds a picture
 * and what they make of it. */
#include "golden_file.h"

#include "../check.h"

#include "predict/picture/resample.h"

#include <stdlib.h>

int check_count, check_failures;

typedef sgm_status (*resample_fn)(const uint8_t *from, sgm_size from_size, int channels,
                                  uint8_t *to, sgm_size to_size);

/* Every result named "<kind>.WxH" in the file; at most `off_by_one` values in a million may differ,
 * and those by one grey level (0: to the bit). Returns how many results there were. */
static int check_kind(const golden_file *file, const char *kind, resample_fn resample,
                      double off_by_one)
{
    int results = 0;
    const sgm_stored_tensor *src = sgm_checkpoint_find(file->checkpoint, "src");
    sgm_size from = {(int)src->shape[1], (int)src->shape[0]};
    for (size_t i = 0; i < sgm_checkpoint_count(file->checkpoint); i++) {
        const sgm_stored_tensor *t = sgm_checkpoint_tensor(file->checkpoint, i);
        if (strncmp(t->name, kind, strlen(kind)) != 0) continue;
        sgm_size to = {(int)t->shape[1], (int)t->shape[0]};
        uint8_t *got = malloc(t->count);
        const uint8_t *want = t->data;
        size_t differ = 0;
        int worst = 0;
        if (CHECK_OK(resample(src->data, from, 3, got, to)))
            for (size_t k = 0; k < t->count; k++) {
                int d = abs(got[k] - want[k]);
                differ += d != 0;
                worst = d > worst ? d : worst;
            }
        printf("  %-16s %zu of %zu differ, by at most %d\n", t->name, differ, t->count, worst);
        check_that((double)differ <= off_by_one * 1e-6 * (double)t->count && worst <= 1, t->name,
                   "resampled", 0);
        free(got);
        results++;
    }
    return results;
}

int main(int argc, char **argv)
{
    golden_file file = {0};
    if (argc < 2) return 1;
    if (golden_open(argv[1], "resample", &file)) {
        CHECK(check_kind(&file, "pillow.", sgm_resample_pillow, 0) == 5);
        CHECK(check_kind(&file, "area.", sgm_resample_area, 0) == 5);
        /* scipy's rounding noise decides over values next to an integer: see resample_cubic.c */
        CHECK(check_kind(&file, "cubic.", sgm_resample_cubic, 1000) == 4);
    }
    golden_close(&file);
    return check_report();
}
