#include "predict/volume/initial.h"

#include "core/call.h"
#include "core/status.h"
#include "predict/picture/labels.h"

#include <stdlib.h>
#include <string.h>

/* Marks the slices on which the label lies, reading it in memory order, whatever the axis. */
static sgm_status mark_slices(const sgm_plane *plane, const int64_t size[3],
                              const sgm_object *object, uint8_t *match, uint8_t *marks)
{
    for (int64_t k = 0; k < size[2]; k++) {
        SGM_TRY(sgm_call_cancelled());
        for (int64_t j = 0; j < size[1]; j++) {
            if (!sgm_labels_match(object->labels, object->label_type, object->label_value,
                                  size[0] * (j + size[1] * k), 1, size[0], match))
                continue;
            if (plane->axis > 0)
                marks[plane->axis == 1 ? j : k] = 1;
            else
                for (int64_t i = 0; i < size[0]; i++)
                    marks[i] |= match[i];
        }
    }
    return SGM_OK;
}

static sgm_status pack_slice(const sgm_plane *plane, const int64_t size[3],
                             const sgm_object *object, int64_t slice, uint8_t *voxels,
                             sgm_packed_mask *packed)
{
    int64_t step = sgm_plane_offset(plane, size, 0, 1, 0);
    for (int64_t v = 0; v < plane->rows; v++)
        sgm_labels_match(object->labels, object->label_type, object->label_value,
                         sgm_plane_offset(plane, size, slice, 0, v), step, plane->columns,
                         voxels + v * plane->columns);
    return sgm_packed_mask_make(voxels, (int)plane->columns, (int)plane->rows, packed);
}

static sgm_status pack_marked(sgm_initial *initial, const sgm_plane *plane, const int64_t size[3],
                              const sgm_object *object, const uint8_t *marks, uint8_t *voxels)
{
    size_t count = 0;
    for (int64_t slice = 0; slice < plane->slices; slice++)
        count += marks[slice];
    initial->slices = calloc(count + 1, sizeof *initial->slices);
    initial->masks = calloc(count + 1, sizeof *initial->masks);
    if (!initial->slices || !initial->masks)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an initial label");
    for (int64_t slice = 0; slice < plane->slices; slice++) {
        if (!marks[slice]) continue;
        initial->slices[initial->count] = slice;
        SGM_TRY(pack_slice(plane, size, object, slice, voxels, &initial->masks[initial->count++]));
    }
    return SGM_OK;
}

static int is_read(const sgm_initial *initial, const sgm_plane *plane, const sgm_object *object)
{
    return initial->slices && object->label_stamp && initial->labels == object->labels &&
           initial->type == object->label_type && initial->value == object->label_value &&
           initial->stamp == object->label_stamp && initial->axis == plane->axis;
}

sgm_status sgm_initial_read(sgm_initial *initial, const sgm_plane *plane, const int64_t size[3],
                            const sgm_object *object)
{
    if (object->labels && is_read(initial, plane, object)) return SGM_OK;
    sgm_initial_clear(initial);
    if (!object->labels) return SGM_OK;
    uint8_t *match = malloc((size_t)size[0]), *marks = calloc((size_t)plane->slices, 1);
    uint8_t *voxels = malloc((size_t)plane->columns * (size_t)plane->rows);
    sgm_status status = match && marks && voxels
                            ? mark_slices(plane, size, object, match, marks)
                            : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an initial label");
    if (status == SGM_OK) status = pack_marked(initial, plane, size, object, marks, voxels);
    free(match);
    free(marks);
    free(voxels);
    if (status != SGM_OK) {
        sgm_initial_clear(initial);
        return status;
    }
    initial->labels = object->labels;
    initial->type = object->label_type;
    initial->value = object->label_value;
    initial->stamp = object->label_stamp;
    initial->axis = plane->axis;
    return SGM_OK;
}

void sgm_initial_clear(sgm_initial *initial)
{
    for (size_t i = 0; i < initial->count; i++)
        sgm_packed_mask_clear(&initial->masks[i]);
    free(initial->slices);
    free(initial->masks);
    *initial = (sgm_initial){0};
}

const sgm_packed_mask *sgm_initial_on(const sgm_initial *initial, int64_t slice)
{
    size_t low = 0, high = initial->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (initial->slices[middle] < slice)
            low = middle + 1;
        else
            high = middle;
    }
    return low < initial->count && initial->slices[low] == slice ? &initial->masks[low] : NULL;
}
