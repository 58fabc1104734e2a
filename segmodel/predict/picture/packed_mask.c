#include "predict/picture/packed_mask.h"

#include "core/status.h"

#include <stdlib.h>
#include <string.h>

enum { LARGEST_LENGTH = 5 /* bytes of a run's length: fewer than 2^35 pixels */ };

/* -------------------------------------------------------------------------------------- packing */

static int64_t measure(const uint8_t *mask, int columns, int rows, sgm_packed_mask *out)
{
    int left = columns, right = -1, top = rows, bottom = -1;
    int64_t voxels = 0;
    for (int y = 0; y < rows; y++) {
        const uint8_t *row = mask + (size_t)y * (size_t)columns;
        const uint8_t *start = memchr(row, 1, (size_t)columns);
        if (!start) continue;
        int first = (int)(start - row), last = columns - 1, in_row = 0;
        while (!row[last])
            last--;
        for (int x = first; x <= last; x++)
            in_row += row[x];
        voxels += in_row;
        if (first < left) left = first;
        if (last > right) right = last;
        if (top == rows) top = y;
        bottom = y;
    }
    *out = (sgm_packed_mask){.voxels = voxels};
    if (!voxels) return 0;
    out->x = left;
    out->y = top;
    out->width = right - left + 1;
    out->height = bottom - top + 1;
    return voxels;
}

/* Appends a length, or only counts its bytes where there is no room. */
static size_t put_length(uint64_t length, uint8_t *to)
{
    size_t size = 0;
    for (; length >= 128; length >>= 7, size++)
        if (to) to[size] = (uint8_t)(length | 128);
    if (to) to[size] = (uint8_t)length;
    return size + 1;
}

/* Pixels from `row` on, of `count`, that are `inside` or not. */
static int same_pixels(const uint8_t *row, int count, int inside)
{
    const uint8_t *end = memchr(row, !inside, (size_t)count);
    return end ? (int)(end - row) : count;
}

static size_t put_runs(const uint8_t *mask, int columns, const sgm_packed_mask *box, uint8_t *to)
{
    size_t size = 0;
    uint64_t length = 0;
    int inside = 0;
    for (int y = box->y; y < box->y + box->height; y++) {
        const uint8_t *row = mask + (size_t)y * (size_t)columns + box->x;
        for (int x = 0; x < box->width;) {
            int same = same_pixels(row + x, box->width - x, inside);
            length += (uint64_t)same;
            x += same;
            if (x == box->width) break; /* the run may go on in the next row */
            size += put_length(length, to ? to + size : NULL);
            length = 0;
            inside = !inside;
        }
    }
    return size + put_length(length, to ? to + size : NULL);
}

sgm_status sgm_packed_mask_make(const uint8_t *mask, int columns, int rows, sgm_packed_mask *out)
{
    if (!measure(mask, columns, rows, out)) return SGM_OK;
    out->size = put_runs(mask, columns, out, NULL);
    out->runs = malloc(out->size);
    if (!out->runs) {
        *out = (sgm_packed_mask){0};
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the mask of a slice");
    }
    put_runs(mask, columns, out, out->runs);
    return SGM_OK;
}

void sgm_packed_mask_clear(sgm_packed_mask *packed)
{
    free(packed->runs);
    *packed = (sgm_packed_mask){0};
}

sgm_status sgm_packed_mask_copy(const sgm_packed_mask *packed, sgm_packed_mask *out)
{
    *out = *packed;
    if (!packed->voxels) return SGM_OK;
    out->runs = malloc(packed->size);
    if (!out->runs) {
        *out = (sgm_packed_mask){0};
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the mask of a slice");
    }
    memcpy(out->runs, packed->runs, packed->size);
    return SGM_OK;
}

int sgm_packed_mask_equal(const sgm_packed_mask *a, const sgm_packed_mask *b)
{
    if (a->voxels != b->voxels) return 0;
    if (!a->voxels) return 1;
    return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height &&
           a->size == b->size && memcmp(a->runs, b->runs, a->size) == 0;
}

/* ------------------------------------------------------------------------------------ unpacking */

static const uint8_t *get_length(const uint8_t *from, int64_t *length)
{
    *length = 0;
    for (int i = 0; i < LARGEST_LENGTH; i++) {
        *length |= (int64_t)(from[i] & 127) << 7 * i;
        if (from[i] < 128) return from + i + 1;
    }
    return from + LARGEST_LENGTH;
}

/* A run that goes on in the next row is visited row by row. */
static void visit_run(const sgm_packed_mask *packed, int64_t start, int64_t length,
                      sgm_run_fn visit, void *user)
{
    while (length > 0) {
        int y = (int)(start / packed->width), x = (int)(start % packed->width);
        int64_t room = packed->width - x, part = length < room ? length : room;
        visit(user, packed->y + y, packed->x + x, packed->x + x + (int)part - 1);
        start += part;
        length -= part;
    }
}

void sgm_packed_mask_visit(const sgm_packed_mask *packed, sgm_run_fn visit, void *user)
{
    const uint8_t *at = packed->runs;
    int64_t place = 0, length;
    for (int inside = 0; packed->voxels && at < packed->runs + packed->size; inside = !inside) {
        at = get_length(at, &length);
        if (inside) visit_run(packed, place, length, visit, user);
        place += length;
    }
}

typedef struct unpacking {
    uint8_t *mask;
    int columns;
} unpacking;

static void set_run(void *user, int y, int first, int last)
{
    const unpacking *to = user;
    memset(to->mask + (size_t)y * (size_t)to->columns + (size_t)first, 1,
           (size_t)(last - first + 1));
}

void sgm_packed_mask_unpack(const sgm_packed_mask *packed, int columns, int rows, uint8_t *mask)
{
    unpacking to = {mask, columns};
    memset(mask, 0, (size_t)columns * (size_t)rows);
    sgm_packed_mask_visit(packed, set_run, &to);
}
