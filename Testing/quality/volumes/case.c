#include "case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_SLICES = 5, LEAST_VOXELS = 300 };

/* ---------------------------------------------------------------------------------- cases.csv */

/* The next field of a line without quotes; NULL at its end. */
static char *field(char **rest)
{
    char *start = *rest;
    if (!start) return NULL;
    char *end = strpbrk(start, ",\r\n");
    *rest = end && *end == ',' ? end + 1 : NULL;
    if (end) *end = 0;
    return start;
}

static int copy_field(char **rest, char *out, size_t room)
{
    const char *text = field(rest);
    if (!text || strlen(text) >= room) return -1;
    strcpy(out, text);
    return 0;
}

static int parse_row(char *line, case_row *row)
{
    char *rest = line, number[32];
    if (copy_field(&rest, row->dataset, NAME_ROOM) || copy_field(&rest, row->id, NAME_ROOM) ||
        copy_field(&rest, row->image, PATH_ROOM) || copy_field(&rest, row->label, PATH_ROOM) ||
        copy_field(&rest, row->role, NAME_ROOM) || copy_field(&rest, row->patient, NAME_ROOM) ||
        copy_field(&rest, number, sizeof number))
        return -1;
    row->tolerance = atof(number);
    return row->tolerance > 0 ? 0 : -1;
}

case_row *cases_read(const char *path, size_t *count)
{
    char line[2048];
    size_t room = 0, number = 0;
    case_row *rows = NULL;
    FILE *file = fopen(path, "r");
    *count = 0;
    if (!file) {
        fprintf(stderr, "quality_volumes: %s cannot be read\n", path);
        return NULL;
    }
    while (fgets(line, sizeof line, file)) {
        if (number++ == 0) continue;
        if (*count == room) {
            room = room ? 2 * room : 64;
            case_row *grown = must_alloc(room, sizeof *grown);
            if (rows) memcpy(grown, rows, *count * sizeof *rows);
            free(rows);
            rows = grown;
        }
        if (parse_row(line, &rows[(*count)++]) == 0) continue;
        fprintf(stderr,
                "quality_volumes: %s, line %zu is not dataset,id,image,label,role,patient,"
                "tolerance\n",
                path, number);
        free(rows);
        rows = NULL;
        break;
    }
    fclose(file);
    return rows;
}

/* -------------------------------------------------------------------------------------- volume */

/* Of a label map with a palette the indices are meant, not the colours. */
static int read_volume(const char *root, const char *name, int is_label, sgio_volume *out)
{
    char path[2 * PATH_ROOM];
    const sgio_read_options how = {.palette_indices = is_label};
    snprintf(path, sizeof path, "%s/%s", root, name);
    if (sgio_volume_read(path, &how, out) == SGIO_OK) return 0;
    fprintf(stderr, "quality_volumes: %s\n", sgio_last_message());
    return -1;
}

/* The axis slices are taken along for a lone point: the one that is coarser by a tenth than both
 * others, else the one nearest to the patient's long axis. */
static int slice_axis(const sgio_volume *volume, const double spacing[3])
{
    for (int a = 0; a < 3; a++)
        if (spacing[a] >= 1.1 * fmax(spacing[(a + 1) % 3], spacing[(a + 2) % 3])) return a;
    int best = 2;
    for (int a = 0; a < 3; a++)
        if (fabs(volume->geometry.matrix[2][a]) / spacing[a] >
            fabs(volume->geometry.matrix[2][best]) / spacing[best] + 1e-9)
            best = a;
    return best;
}

static void make_views(volume_case *out)
{
    const sgio_volume *image = &out->image;
    sgio_geometry_spacing(&image->geometry, out->grid.spacing);
    memcpy(out->grid.size, image->geometry.size, sizeof out->grid.size);
    out->grid.axis = slice_axis(image, out->grid.spacing);
    out->grid.u = (out->grid.axis + 1) % 3;
    out->grid.v = (out->grid.axis + 2) % 3;
    out->volume = (sgm_volume){.data = image->data,
                               .type = (sgm_voxel)image->type,
                               .channels = image->channels,
                               .hounsfield = SGM_HOUNSFIELD_OFF,
                               .has_padding = image->has_padding,
                               .padding = image->padding};
    memcpy(out->volume.size, image->geometry.size, sizeof out->volume.size);
    memcpy(out->volume.matrix, image->geometry.matrix, sizeof out->volume.matrix);
    if (!strcmp(image->modality, "CT") && image->rescaled)
        out->volume.hounsfield = SGM_HOUNSFIELD_ON;
    if (!image->modality[0]) out->volume.hounsfield = SGM_HOUNSFIELD_AUTO;
}

/* ------------------------------------------------------------------------------------- objects */

typedef struct part {
    int32_t number;
    int64_t voxels;
    span box;
} part;

static int larger_first(const void *a, const void *b)
{
    const part *x = a, *y = b;
    if (x->voxels != y->voxels) return x->voxels > y->voxels ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static void measure_parts(const grid *g, const int32_t *parts, part *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        list[i] = (part){.number = (int32_t)i + 1};
        for (int a = 0; a < 3; a++) {
            list[i].box.first[a] = g->size[a];
            list[i].box.last[a] = -1;
        }
    }
    for (size_t at = 0; at < grid_count(g); at++) {
        if (!parts[at]) continue;
        part *p = &list[parts[at] - 1];
        int64_t index[3];
        grid_index(g, at, index);
        p->voxels++;
        for (int a = 0; a < 3; a++) {
            if (index[a] < p->box.first[a]) p->box.first[a] = index[a];
            if (index[a] > p->box.last[a]) p->box.last[a] = index[a];
        }
    }
}

static void take_object(volume_case *out, const int32_t *values, const int32_t *parts,
                        const part *chosen)
{
    const grid *g = &out->grid;
    truth *object = &out->objects[out->object_count];
    *object = (truth){.number = (int)out->object_count++,
                      .voxels = chosen->voxels,
                      .box = chosen->box,
                      .mask = must_alloc(grid_count(g), 1)};
    for (size_t at = 0; at < grid_count(g); at++)
        if (parts[at] == chosen->number) {
            object->mask[at] = 1;
            object->label = values[at];
        }
    int64_t most = 0;
    for (int64_t s = chosen->box.first[g->axis]; s <= chosen->box.last[g->axis]; s++) {
        int64_t area = grid_slice_area(g, object->mask, s);
        if (area > most) {
            most = area;
            object->largest = s;
        }
    }
}

static void choose_objects(volume_case *out, const int32_t *values, size_t most)
{
    const grid *g = &out->grid;
    int32_t *parts = must_alloc(grid_count(g), sizeof *parts);
    size_t count = (size_t)grid_parts(g, values, 1, parts), kept = 0;
    part *list = must_alloc(count, sizeof *list);
    measure_parts(g, parts, list, count);
    for (size_t i = 0; i < count; i++)
        if (list[i].voxels >= LEAST_VOXELS &&
            list[i].box.last[g->axis] - list[i].box.first[g->axis] + 1 >= LEAST_SLICES)
            list[kept++] = list[i];
    qsort(list, kept, sizeof *list, larger_first);
    if (most > MOST_OBJECTS) most = MOST_OBJECTS;
    size_t wanted = kept < most ? kept : most;
    for (size_t i = 0; i < wanted; i++)
        take_object(out, values, parts, &list[i * kept / wanted]);
    free(list);
    free(parts);
}

int case_load(const char *root, const case_row *row, size_t most, volume_case *out)
{
    sgio_volume label;
    *out = (volume_case){.row = row};
    if (read_volume(root, row->image, 0, &out->image)) return -1;
    if (read_volume(root, row->label, 1, &label)) {
        case_clear(out);
        return -1;
    }
    if (memcmp(label.geometry.size, out->image.geometry.size, sizeof label.geometry.size)) {
        fprintf(stderr, "quality_volumes: %s and its label differ in size\n", row->image);
        sgio_volume_clear(&label);
        case_clear(out);
        return -1;
    }
    make_views(out);
    size_t count = grid_count(&out->grid);
    int32_t *values = must_alloc(count, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = (int32_t)lrint(sgio_volume_value(&label, i * (size_t)label.channels));
    choose_objects(out, values, most);
    free(values);
    sgio_volume_clear(&label);
    return 0;
}

void case_clear(volume_case *loaded)
{
    for (size_t i = 0; i < loaded->object_count; i++)
        free(loaded->objects[i].mask);
    sgio_volume_clear(&loaded->image);
    *loaded = (volume_case){0};
}
