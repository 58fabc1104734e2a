#include "dicom_sort.h"

#include "dicom_deal.h"
#include "io_status.h"
#include "vectors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What stays the same while groups are split. */
typedef struct sorter {
    const sgio_dicom_slices *slices;
    int join;
    sgio_dicom_volumes *volumes;
} sorter;

/* A group being split: indices into slices->items. */
typedef struct group {
    size_t *index;
    size_t count;
} group;

/* qsort has no user pointer: keys travel with the indices. */
typedef struct keyed {
    double key;
    int number;
    const char *path;
    size_t index;
} keyed;

void sgio_dicom_normal(const sgio_dicom_slice *slice, double normal[3])
{
    sgio_cross(slice->row, slice->column, normal);
    double length = sqrt(sgio_dot(normal, normal));
    for (int r = 0; r < 3; r++)
        normal[r] /= length;
}

double sgio_dicom_distance(const sgio_dicom_slice *slice, const double normal[3])
{
    return sgio_dot(slice->position, normal);
}

double sgio_dicom_unevenness(const sgio_dicom_slices *slices, const size_t *order, size_t count,
                             double *spacing)
{
    const double *first = slices->items[order[0]].position;
    const double *last = slices->items[order[count - 1]].position;
    double worst = 0, step[3];
    *spacing = 0;
    if (count < 2) return 0;
    for (int r = 0; r < 3; r++)
        step[r] = (last[r] - first[r]) / (double)(count - 1);
    *spacing = sqrt(step[0] * step[0] + step[1] * step[1] + step[2] * step[2]);
    for (size_t k = 0; k < count; k++) {
        const double *p = slices->items[order[k]].position;
        double squares = 0;
        for (int r = 0; r < 3; r++) {
            double d = p[r] - first[r] - step[r] * (double)k;
            squares += d * d;
        }
        worst = fmax(worst, sqrt(squares));
    }
    return worst;
}

/* Positions are written with one to six decimals: 0.1 mm covers the coarsest rounding, as long as
 * it is small against the spacing. */
int sgio_dicom_is_even(double deviation, double spacing)
{
    return deviation <= fmax(0.01, fmin(0.15 * spacing, 0.1));
}

static int close_to(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance;
}

/* 1e-4 in a cosine moves a voxel 200 mm away by 0.02 mm. */
static int same_plane_directions(const sgio_dicom_slice *a, const sgio_dicom_slice *b)
{
    for (int r = 0; r < 3; r++)
        if (!close_to(a->row[r], b->row[r], 1e-4) || !close_to(a->column[r], b->column[r], 1e-4))
            return 0;
    return 1;
}

static int can_share_volume(const sgio_dicom_slice *a, const sgio_dicom_slice *b, int join)
{
    int same_series = join & SGIO_DICOM_JOIN_SERIES || !strcmp(a->series_uid, b->series_uid);
    return a->has_plane && b->has_plane && a->frames <= 1 && b->frames <= 1 && same_series &&
           a->rows == b->rows && a->columns == b->columns && a->samples == b->samples &&
           a->bits_allocated == b->bits_allocated && strcmp(a->photometric, b->photometric) == 0 &&
           strcmp(a->modality, b->modality) == 0 &&
           close_to(a->row_spacing, b->row_spacing, 1e-4 * a->row_spacing) &&
           close_to(a->column_spacing, b->column_spacing, 1e-4 * a->column_spacing) &&
           same_plane_directions(a, b);
}

static int compare_keyed(const void *left, const void *right)
{
    const keyed *a = left, *b = right;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    int order = strcmp(a->path, b->path);
    return order ? order : (a->index > b->index) - (a->index < b->index); /* frames of a file */
}

/* Orders the group by `key` (one value per member), then instance number, then path, then frame. */
static int sort_group(const sgio_dicom_slices *slices, const group *members, const double *key)
{
    keyed *work = malloc(members->count * sizeof *work);
    if (!work) return -1;
    for (size_t i = 0; i < members->count; i++) {
        const sgio_dicom_slice *slice = &slices->items[members->index[i]];
        work[i] = (keyed){key[i], slice->instance_number, slice->path, members->index[i]};
    }
    qsort(work, members->count, sizeof *work, compare_keyed);
    for (size_t i = 0; i < members->count; i++)
        members->index[i] = work[i].index;
    free(work);
    return 0;
}

/* Positions along the group's normal, snapped so that equal positions compare equal. */
static double snapped_distance(const sgio_dicom_slice *slice, const double normal[3])
{
    return rint(sgio_dicom_distance(slice, normal) / SGIO_DICOM_SAME_POSITION) *
           SGIO_DICOM_SAME_POSITION;
}

static int sort_by_position(const sgio_dicom_slices *slices, const group *members)
{
    double normal[3];
    double *key = malloc(members->count * sizeof *key);
    if (!key) return -1;
    sgio_dicom_normal(&slices->items[members->index[0]], normal);
    for (size_t i = 0; i < members->count; i++)
        key[i] = snapped_distance(&slices->items[members->index[i]], normal);
    int failed = sort_group(slices, members, key);
    free(key);
    return failed;
}

static int same_position(const sgio_dicom_slices *slices, size_t a, size_t b)
{
    double normal[3];
    sgio_dicom_normal(&slices->items[a], normal);
    return close_to(sgio_dicom_distance(&slices->items[a], normal),
                    sgio_dicom_distance(&slices->items[b], normal), 2 * SGIO_DICOM_SAME_POSITION);
}

/* The most slices that share one position; the group is sorted. */
static size_t multiplicity(const sgio_dicom_slices *slices, const group *members)
{
    size_t most = 1, run = 1;
    for (size_t i = 1; i < members->count; i++) {
        run = same_position(slices, members->index[i - 1], members->index[i]) ? run + 1 : 1;
        if (run > most) most = run;
    }
    return most;
}

static int is_even_stack(const sgio_dicom_slices *slices, const group *members)
{
    double spacing;
    double deviation = sgio_dicom_unevenness(slices, members->index, members->count, &spacing);
    return multiplicity(slices, members) == 1 && sgio_dicom_is_even(deviation, spacing);
}

/* Absent attributes sort first and form a part of their own. */
static double attribute_of(const sgio_dicom_slices *slices, size_t index, int attribute)
{
    double value = slices->items[index].attributes[attribute];
    return isnan(value) ? -HUGE_VAL : value;
}

static int sort_by_attribute(const sgio_dicom_slices *slices, const group *members, int attribute)
{
    double *key = malloc(members->count * sizeof *key);
    if (!key) return -1;
    for (size_t i = 0; i < members->count; i++)
        key[i] = attribute_of(slices, members->index[i], attribute);
    int failed = sort_group(slices, members, key);
    free(key);
    return failed;
}

/* The part of equal attribute values that begins at `start` of a group sorted by attribute. */
static group part_at(const sgio_dicom_slices *slices, const group *members, size_t start,
                     int attribute)
{
    size_t end = start;
    double value = attribute_of(slices, members->index[start], attribute);
    while (end < members->count && attribute_of(slices, members->index[end], attribute) == value)
        end++;
    return (group){members->index + start, end - start};
}

/* Whether the parts make more sense than the whole: fewer slices at one position without
 * shattering the group, or parts that are all even stacks. Leaves every part sorted by position.
 * 1 yes, 0 no, -1 out of memory. */
static int split_helps(const sorter *sorter, const group *members, int attribute,
                       size_t whole_multiplicity)
{
    const sgio_dicom_slices *slices = sorter->slices;
    size_t parts = 0, worst = 0;
    int all_even = 1;
    for (size_t start = 0; start < members->count; parts++) {
        group part = part_at(slices, members, start, attribute);
        if (sort_by_position(slices, &part) != 0) return -1;
        size_t most = multiplicity(slices, &part);
        if (most > worst) worst = most;
        if (part.count < 3 || !is_even_stack(slices, &part)) all_even = 0;
        start += part.count;
    }
    if (parts < 2) return 0;
    return (all_even && !(sorter->join & SGIO_DICOM_JOIN_STACKS)) ||
           (worst < whole_multiplicity && parts <= whole_multiplicity);
}

/* `told` says how the volume is told from others; its slices are the group's. */
static sgio_status emit(const group *members, sgio_dicom_volume told, sgio_dicom_volumes *volumes)
{
    sgio_dicom_volume *grown = realloc(volumes->items, (volumes->count + 1) * sizeof *grown);
    if (grown) volumes->items = grown;
    size_t *copy = grown ? malloc(members->count * sizeof *copy) : NULL;
    if (!copy) return sgio_fail_memory(members->count * sizeof *copy, "the list of DICOM volumes");
    memcpy(copy, members->index, members->count * sizeof *copy);
    told.slices = copy;
    told.count = members->count;
    volumes->items[volumes->count++] = told;
    return SGIO_OK;
}

static int compare_parts(const void *left, const void *right)
{
    const sgio_dealt_slice *a = left, *b = right;
    if (a->part != b->part) return a->part < b->part ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

/* Frames of a file have one instance number: they are counted on through it, and through files of
 * as many frames. */
static int64_t number_of(const sgio_dicom_slice *slice)
{
    if (slice->stored_frames <= 1) return slice->instance_number;
    return ((int64_t)slice->instance_number - 1) * slice->stored_frames + slice->frame + 1;
}

/* The n-th slice of every position goes to part n; the group is sorted by position. Returns how
 * many positions there are. */
static size_t deal_in_turn(const sorter *sorter, const group *members, sgio_dealt_slice *out)
{
    size_t places = 0, part = 0;
    for (size_t i = 0; i < members->count; i++) {
        const int repeats =
            i > 0 && same_position(sorter->slices, members->index[i - 1], members->index[i]);
        places += !repeats;
        part = repeats ? part + 1 : 0;
        const size_t index = members->index[i];
        out[i] = (sgio_dealt_slice){index, i, number_of(&sorter->slices->items[index]), places - 1,
                                    part};
    }
    return places;
}

static sgio_status emit_parts(const sorter *sorter, const group *members, sgio_dealt_slice *dealt,
                              sgio_dicom_volume told)
{
    sgio_status status = SGIO_OK;
    qsort(dealt, members->count, sizeof *dealt, compare_parts);
    for (size_t i = 0; i < members->count; i++)
        members->index[i] = dealt[i].index;
    for (size_t start = 0, end = 0; start < members->count && status == SGIO_OK; start = end) {
        while (end < members->count && dealt[end].part == dealt[start].part)
            end++;
        status = emit(&(group){members->index + start, end - start}, told, sorter->volumes);
    }
    return status;
}

/* Slices that nothing else tells apart: in turn where none is missing, else by their numbers. */
static sgio_status deal_out(const sorter *sorter, const group *members, size_t layers)
{
    const size_t bytes = members->count * sizeof(sgio_dealt_slice);
    sgio_dealt_slice *dealt = malloc(bytes);
    if (!dealt) return sgio_fail_memory(bytes, "the list of DICOM slices");
    const size_t places = deal_in_turn(sorter, members, dealt);
    const int some_missing = members->count < places * layers;
    sgio_status status = SGIO_OK;
    if (some_missing && sgio_dicom_deal(dealt, members->count, places, layers) != 0)
        status = sgio_fail_memory(bytes, "the list of DICOM slices");
    const sgio_dicom_volume told = {.is_dealt = some_missing,
                                    .is_irregular = !sgio_dicom_is_regular(dealt, members->count)};
    if (status == SGIO_OK) status = emit_parts(sorter, members, dealt, told);
    free(dealt);
    return status;
}

static sgio_status split(const sorter *sorter, const group *members, int attribute);

static sgio_status split_parts(const sorter *sorter, const group *members, int attribute)
{
    for (size_t start = 0; start < members->count;) {
        group part = part_at(sorter->slices, members, start, attribute);
        sgio_status status = split(sorter, &part, attribute + 1);
        if (status != SGIO_OK) return status;
        start += part.count;
    }
    return SGIO_OK;
}

static sgio_status split(const sorter *sorter, const group *members, int attribute)
{
    const sgio_dicom_slices *slices = sorter->slices;
    int failed = sort_by_position(slices, members);
    size_t layers = multiplicity(slices, members);
    int settled = !failed && is_even_stack(slices, members);
    for (; !settled && !failed && attribute < SGIO_DICOM_ATTRIBUTES; attribute++) {
        failed = sort_by_attribute(slices, members, attribute);
        int helps = failed ? -1 : split_helps(sorter, members, attribute, layers);
        if (helps > 0) return split_parts(sorter, members, attribute);
        failed = helps < 0;
    }
    if (!failed) failed = sort_by_position(slices, members);
    if (failed) return sgio_fail_memory(members->count * sizeof(keyed), "sorting DICOM slices");
    if (layers > 1) return deal_out(sorter, members, layers);
    return emit(members, (sgio_dicom_volume){0}, sorter->volumes);
}

/* Moves all that can share a volume with the first of `rest` to its front; returns how many. */
static size_t gather(const sgio_dicom_slices *slices, int join, size_t *rest, size_t count)
{
    size_t front = 1;
    for (size_t i = 1; i < count; i++) {
        if (!can_share_volume(&slices->items[rest[0]], &slices->items[rest[i]], join)) continue;
        size_t moved = rest[i];
        rest[i] = rest[front];
        rest[front++] = moved;
    }
    return front;
}

/* Listing order, with the slices at hand through the first one of each volume. */
typedef struct listed {
    const sgio_dicom_slice *first;
    sgio_dicom_volume volume;
} listed;

static int compare_listed(const void *left, const void *right)
{
    const sgio_dicom_slice *a = ((const listed *)left)->first, *b = ((const listed *)right)->first;
    if (a->series_number != b->series_number) return a->series_number < b->series_number ? -1 : 1;
    int order = strcmp(a->series_uid, b->series_uid);
    if (order) return order;
    if (a->instance_number != b->instance_number)
        return a->instance_number < b->instance_number ? -1 : 1;
    order = strcmp(a->path, b->path);
    return order ? order : (a->frame > b->frame) - (a->frame < b->frame);
}

static const sgio_dicom_slice *lowest_instance(const sgio_dicom_slices *slices,
                                               const sgio_dicom_volume *volume)
{
    const sgio_dicom_slice *lowest = &slices->items[volume->slices[0]];
    for (size_t i = 1; i < volume->count; i++) {
        const sgio_dicom_slice *other = &slices->items[volume->slices[i]];
        int is_earlier_frame =
            other->instance_number == lowest->instance_number && other->frame < lowest->frame;
        if (other->instance_number < lowest->instance_number || is_earlier_frame) lowest = other;
    }
    return lowest;
}

static sgio_status order_volumes(const sgio_dicom_slices *slices, sgio_dicom_volumes *volumes)
{
    listed *work = malloc((volumes->count + 1) * sizeof *work);
    if (!work) return sgio_fail_memory(volumes->count * sizeof *work, "sorting DICOM volumes");
    for (size_t i = 0; i < volumes->count; i++)
        work[i] = (listed){lowest_instance(slices, &volumes->items[i]), volumes->items[i]};
    qsort(work, volumes->count, sizeof *work, compare_listed);
    for (size_t i = 0; i < volumes->count; i++)
        volumes->items[i] = work[i].volume;
    free(work);
    return SGIO_OK;
}

static sgio_status sort_all(const sorter *sorter, size_t *index)
{
    const sgio_dicom_slices *slices = sorter->slices;
    sgio_dicom_volumes *volumes = sorter->volumes;
    size_t count = 0;
    sgio_status status = sgio_dicom_list_distinct(slices, index, &count, &volumes->alike);
    for (size_t start = 0; start < count && status == SGIO_OK;) {
        group members = {index + start, gather(slices, sorter->join, index + start, count - start)};
        start += members.count;
        if (slices->items[members.index[0]].has_plane)
            status = split(sorter, &members, 0);
        else
            status = emit(&members, (sgio_dicom_volume){0}, volumes);
    }
    return status == SGIO_OK ? order_volumes(slices, volumes) : status;
}

sgio_status sgio_dicom_sort(const sgio_dicom_slices *slices, int join, sgio_dicom_volumes *volumes)
{
    const sorter sorter = {slices, join, volumes};
    memset(volumes, 0, sizeof *volumes);
    size_t *index = malloc((slices->count + 1) * sizeof *index);
    if (!index) return sgio_fail_memory(slices->count * sizeof *index, "sorting DICOM slices");
    sgio_status status = sort_all(&sorter, index);
    free(index);
    return status;
}

void sgio_dicom_volumes_clear(sgio_dicom_volumes *volumes)
{
    for (size_t i = 0; i < volumes->count; i++)
        free(volumes->items[i].slices);
    free(volumes->items);
    memset(volumes, 0, sizeof *volumes);
}
