#include "models/warm_start.h"

#include "core/names.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_shape(const sgm_stored_tensor *t, sgm_shape wanted)
{
    bool same = t->rank == wanted.ndim;
    for (int i = 0; same && i < wanted.ndim; i++)
        same = t->shape[i] == wanted.dim[i];
    return same;
}

/* pos_embed [1, S, S, C], or relative positions [L, C], of other lengths. */
static bool can_resize(const sgm_stored_tensor *t, const char *name, sgm_shape wanted)
{
    if (t->rank != wanted.ndim || !t->count) return false;
    if (wanted.ndim == 2) return strstr(name, ".attn.rel_pos_") && t->shape[1] == wanted.dim[1];
    return wanted.ndim == 4 && sgm_name_matches("*pos_embed", name) && t->shape[0] == 1 &&
           wanted.dim[0] == 1 && t->shape[3] == wanted.dim[3];
}

/* Linear along one axis, as torch's interpolate(align_corners=False): [outer, from, inner] to
 * [outer, to, inner]. */
static void resize_axis(const float *x, int64_t outer, int64_t from, int64_t to, int64_t inner,
                        float *out)
{
    for (int64_t i = 0; i < to; i++) {
        float at = fmaxf(((float)i + 0.5f) * ((float)from / (float)to) - 0.5f, 0);
        int64_t low = (int64_t)at < from - 1 ? (int64_t)at : from - 1;
        int64_t high = low < from - 1 ? low + 1 : low;
        float part = at - (float)low;
        for (int64_t o = 0; o < outer; o++) {
            const float *a = x + (o * from + low) * inner, *b = x + (o * from + high) * inner;
            float *y = out + (o * to + i) * inner;
            for (int64_t k = 0; k < inner; k++)
                y[k] = (1 - part) * a[k] + part * b[k];
        }
    }
}

static sgm_status resize(const sgm_stored_tensor *t, sgm_shape wanted, float *values)
{
    bool table = wanted.ndim == 2;
    int64_t rows = table ? t->shape[0] : t->shape[1], columns = table ? 1 : t->shape[2];
    int64_t channels = table ? t->shape[1] : t->shape[3];
    int64_t new_rows = table ? wanted.dim[0] : wanted.dim[1];
    int64_t new_columns = table ? 1 : wanted.dim[2];
    size_t middle = (size_t)(new_rows * columns * channels);
    float *stored = malloc((t->count + middle) * sizeof *stored);
    if (!stored) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to resize %s", t->name);
    sgm_status status = sgm_stored_tensor_read_f32(t, stored);
    if (status == SGM_OK) {
        float *tall = stored + t->count;
        resize_axis(stored, 1, rows, new_rows, columns * channels, tall);
        resize_axis(tall, new_rows, columns, new_columns, channels, values);
    }
    free(stored);
    return status;
}

/* The tensor whose row a new one repeats; NULL: there is none. */
static const sgm_stored_tensor *source_of(const sgm_checkpoint *file, const sgm_family *family,
                                          const char *name, sgm_shape wanted)
{
    const char *at = file && family ? family->copied : NULL;
    size_t n = strlen(name);
    for (; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        char source[SGM_SCOPE_SIZE + 64];
        if (strncmp(at, name, n) || at[n] != '=') continue;
        snprintf(source, sizeof source, "%.*s", (int)strcspn(at + n + 1, ","), at + n + 1);
        const sgm_stored_tensor *t = sgm_checkpoint_find(file, source);
        bool fits =
            t && t->count && t->count * (size_t)wanted.dim[0] == (size_t)sgm_shape_count(wanted);
        return fits ? t : NULL;
    }
    return NULL;
}

static sgm_status repeat(const sgm_stored_tensor *t, int64_t times, float *values)
{
    SGM_TRY(sgm_stored_tensor_read_f32(t, values));
    for (int64_t i = 1; i < times; i++)
        memcpy(values + i * (int64_t)t->count, values, t->count * sizeof *values);
    return SGM_OK;
}

sgm_status sgm_warm_start(const sgm_checkpoint *file, const sgm_family *family, const char *name,
                          sgm_shape wanted, float *values, sgm_origin *origin)
{
    const sgm_stored_tensor *t = file ? sgm_checkpoint_find(file, name) : NULL;
    char found[96], text[64];
    if (!t || (family && !same_shape(t, wanted) && sgm_name_matches(family->remade, name))) {
        const sgm_stored_tensor *row = source_of(file, family, name, wanted);
        if (row) {
            *origin = SGM_ORIGIN_RESIZED;
            return repeat(row, wanted.dim[0], values);
        }
        bool zero = family && sgm_name_matches(family->zero, name);
        if (zero) memset(values, 0, (size_t)sgm_shape_count(wanted) * sizeof *values);
        *origin = zero ? SGM_ORIGIN_ZERO : SGM_ORIGIN_MADE;
        return SGM_OK;
    }
    *origin = SGM_ORIGIN_LOADED;
    if (same_shape(t, wanted)) return sgm_stored_tensor_read_f32(t, values);
    *origin = SGM_ORIGIN_RESIZED;
    if (can_resize(t, name, wanted)) return resize(t, wanted, values);
    return sgm_fail(SGM_BAD_MODEL, "%s: tensor %s: wanted %s, found %s", sgm_checkpoint_path(file),
                    name, sgm_shape_text(wanted, text), sgm_stored_tensor_shape_text(t, found));
}
