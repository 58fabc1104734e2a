#include "golden_file.h"

#include "../check.h"

#include <stdlib.h>

bool golden_open(const char *folder, const char *name, golden_file *out)
{
    char path[1024];
    const char *slash = strrchr(folder, '/');
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
    snprintf(out->label, sizeof out->label, "%s %s", slash ? slash + 1 : folder, name);
    return CHECK_OK(sgm_checkpoint_open(path, &out->checkpoint));
}

void golden_close(golden_file *file)
{
    sgm_checkpoint_close(file->checkpoint);
}

bool golden_has(const golden_file *file, const char *tensor)
{
    return sgm_checkpoint_find(file->checkpoint, tensor) != NULL;
}

float *golden_floats(const golden_file *file, const char *tensor, size_t *count)
{
    const sgm_stored_tensor *stored = sgm_checkpoint_find(file->checkpoint, tensor);
    *count = stored ? stored->count : 0;
    float *values = malloc((*count + 1) * sizeof *values);
    if (stored && values) {
        sgm_stored_tensor_read_f32(stored, values);
        return values;
    }
    check_that(0, tensor, file->label, 0);
    free(values);
    return NULL;
}

/* A tensor of int64, copied to at most `room` places; the number read. */
static size_t read_integers(const golden_file *file, const char *name, const char *part,
                            int64_t *out, size_t room)
{
    char key[128];
    snprintf(key, sizeof key, "%s.%s", name, part);
    const sgm_stored_tensor *stored = sgm_checkpoint_find(file->checkpoint, key);
    if (!stored || stored->type != SGM_STORED_I64 || stored->count > room) return 0;
    sgm_stored_tensor_read_raw(stored, 0, stored->count, out);
    return stored->count;
}

sgm_shape golden_shape(const golden_file *file, const char *name)
{
    sgm_shape shape = {0};
    shape.ndim = (int)read_integers(file, name, "shape", shape.dim, SGM_MAX_DIMS);
    return shape;
}

int64_t golden_place(sgm_shape golden, sgm_shape ours, int64_t index)
{
    const int64_t *g = golden.dim, *o = ours.dim;
    bool channels_first = golden.ndim == 4 && ours.ndim == 4 && g[0] == o[0] && g[2] == o[1] &&
                          g[3] == o[2] && (g[1] == o[3] || g[1] == 1);
    if (channels_first) {
        int64_t places = g[2] * g[3];
        int64_t batch = index / (places * g[1]), channel = index / places % g[1];
        return (batch * places + index % places) * o[3] + channel;
    }
    return sgm_shape_count(golden) == sgm_shape_count(ours) ? index : -1;
}

void golden_check(const golden_file *file, const char *name, sgm_shape ours, const float *values,
                  double limit)
{
    char key[128], label[192];
    int64_t index[2048];
    size_t count;
    snprintf(key, sizeof key, "%s.val", name);
    snprintf(label, sizeof label, "%s %s", file->label, name);
    float *want = golden_floats(file, key, &count), got[2048];
    sgm_shape shape = golden_shape(file, name);
    size_t places = read_integers(file, name, "idx", index, 2048);
    if (want && CHECK(places == count && places > 0 && shape.ndim > 0)) {
        bool matched = true;
        for (size_t i = 0; i < count && matched; i++) {
            int64_t place = golden_place(shape, ours, index[i]);
            matched = place >= 0;
            if (matched) got[i] = values[place];
        }
        check_that(matched, "the shape is the golden's", label, 0);
        if (matched) {
            printf("  %-48s %.2e\n", label, check_nrmse_of(got, want, count));
            check_nrmse(label, got, want, count, limit);
        }
    }
    free(want);
}

double golden_check_bits(const golden_file *file, const char *name, const float *values,
                         size_t count, float threshold, double unsure, bool must_agree)
{
    char key[128];
    snprintf(key, sizeof key, "%s.bits", name);
    const sgm_stored_tensor *stored = sgm_checkpoint_find(file->checkpoint, key);
    if (!check_that(stored && stored->byte_size >= (count + 7) / 8, key, file->label, 0)) return 0;
    const uint8_t *bits = stored->data;
    size_t both = 0, either = 0, wrong = 0;
    for (size_t i = 0; i < count; i++) {
        bool want = bits[i / 8] >> (7 - i % 8) & 1, got = values[i] > threshold;
        both += want && got;
        either += want || got;
        wrong += want != got && !(fabs((double)values[i] - threshold) < unsure);
    }
    double iou = either ? (double)both / (double)either : 1;
    printf("  %-48s IoU %.5f, %zu sure places differ\n", key, iou, wrong);
    if (must_agree)
        check_that(wrong == 0, "masks agree wherever the logit is sure", file->label, 0);
    return iou;
}
