#include "predict/volume/components.h"

#include "core/status.h"

#include <stdlib.h>
#include <string.h>

typedef struct run {
    int64_t offset;     /* of its first voxel */
    int32_t start, end; /* along i, inclusive */
    size_t parent;
    int64_t voxels; /* of the component, at its root */
} run;

typedef struct run_list {
    run *runs;
    size_t count, room;
    size_t *row_start; /* first run of each row of the box, and one past the last */
} run_list;

static size_t root_of(run_list *list, size_t i)
{
    while (list->runs[i].parent != i) {
        list->runs[i].parent = list->runs[list->runs[i].parent].parent;
        i = list->runs[i].parent;
    }
    return i;
}

/* The earlier run becomes the root. */
static void join(run_list *list, size_t a, size_t b)
{
    a = root_of(list, a);
    b = root_of(list, b);
    if (a == b) return;
    size_t root = a < b ? a : b, leaf = a < b ? b : a;
    list->runs[leaf].parent = root;
    list->runs[root].voxels += list->runs[leaf].voxels;
}

static sgm_status append(run_list *list, int64_t offset, int64_t start, int64_t end)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 1024;
        run *grown = realloc(list->runs, room * sizeof *grown);
        if (!grown) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for connected components");
        list->runs = grown;
        list->room = room;
    }
    list->runs[list->count] =
        (run){offset, (int32_t)start, (int32_t)end, list->count, end - start + 1};
    list->count++;
    return SGM_OK;
}

/* Runs of one row; `row` points at i = 0, `offset` is its place in the volume. */
static sgm_status scan_row(run_list *list, const uint8_t *row, int64_t offset, int64_t first,
                           int64_t last)
{
    for (int64_t i = first; i <= last; i++) {
        if (!row[i]) continue;
        int64_t start = i;
        while (i < last && row[i + 1])
            i++;
        SGM_TRY(append(list, offset + start, start, i));
    }
    return SGM_OK;
}

/* Joins runs of two rows that touch, diagonally too. */
static void join_rows(run_list *list, size_t row, size_t other)
{
    size_t a = list->row_start[row], a_end = list->row_start[row + 1];
    size_t b = list->row_start[other], b_end = list->row_start[other + 1];
    while (a < a_end && b < b_end) {
        const run *ra = &list->runs[a], *rb = &list->runs[b];
        if (ra->start <= rb->end + 1 && rb->start <= ra->end + 1) join(list, a, b);
        if (ra->end < rb->end)
            a++;
        else
            b++;
    }
}

static sgm_status scan(run_list *list, const uint8_t *mask, const int64_t size[3],
                       const int64_t first[3], const int64_t last[3])
{
    size_t row = 0, rows = (size_t)(last[1] - first[1] + 1);
    for (int64_t k = first[2]; k <= last[2]; k++)
        for (int64_t j = first[1]; j <= last[1]; j++, row++) {
            int64_t offset = size[0] * (j + size[1] * k);
            list->row_start[row] = list->count;
            SGM_TRY(scan_row(list, mask + offset, offset, first[0], last[0]));
            list->row_start[row + 1] = list->count;
            if (j > first[1]) join_rows(list, row, row - 1);
            for (int64_t dj = -1; k > first[2] && dj <= 1; dj++)
                if (j + dj >= first[1] && j + dj <= last[1])
                    join_rows(list, row, (size_t)((int64_t)(row - rows) + dj));
        }
    return SGM_OK;
}

static void clear_others(run_list *list, uint8_t *mask)
{
    size_t largest = 0;
    for (size_t i = 1; i < list->count; i++)
        if (list->runs[i].parent == i && list->runs[i].voxels > list->runs[largest].voxels)
            largest = i;
    for (size_t i = 0; i < list->count; i++)
        if (root_of(list, i) != largest)
            memset(mask + list->runs[i].offset, 0,
                   (size_t)(list->runs[i].end - list->runs[i].start + 1));
}

sgm_status sgm_keep_largest(uint8_t *mask, const int64_t size[3], const int64_t first[3],
                            const int64_t last[3])
{
    if (last[0] < first[0]) return SGM_OK;
    size_t rows = (size_t)(last[1] - first[1] + 1) * (size_t)(last[2] - first[2] + 1);
    run_list list = {.row_start = calloc(rows + 1, sizeof(size_t))};
    sgm_status status = list.row_start
                            ? scan(&list, mask, size, first, last)
                            : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for connected components");
    if (status == SGM_OK) clear_others(&list, mask);
    free(list.runs);
    free(list.row_start);
    return status;
}
