#include "dicom_deal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct deal {
    sgio_dealt_slice *slices;
    size_t count, places, layers;
    size_t *of_place, *of_rest; /* a value for each place, 0 before each try */
} deal;

static void forget(const deal *d)
{
    memset(d->of_place, 0, d->places * sizeof *d->of_place);
    memset(d->of_rest, 0, d->places * sizeof *d->of_rest);
}

/* Time after time, numbered from `first` on without a gap but those of missing slices: the place
 * follows from the number, and the time. 0 when that is not so. */
static int fit_places(const deal *d, int64_t first)
{
    const int64_t places = (int64_t)d->places;
    forget(d);
    for (size_t i = 0; i < d->count; i++) {
        sgio_dealt_slice *slice = &d->slices[i];
        const int64_t rank = slice->number - first;
        const size_t rest = (size_t)(rank % places);
        size_t *of_place = &d->of_place[slice->place], *of_rest = &d->of_rest[rest]; /* + 1 */
        if (*of_place && *of_place != rest + 1) return 0;
        if (*of_rest && *of_rest != slice->place + 1) return 0;
        if (i > 0 && slice->number == slice[-1].number) return 0;
        *of_place = rest + 1;
        *of_rest = slice->place + 1;
        slice->part = (size_t)(rank / places);
    }
    return 1;
}

static int fit_times(const deal *d, int64_t first)
{
    return fit_places(d, first) && d->slices[d->count - 1].part + 1 == d->layers;
}

/* The first number is there beyond doubt. */
static int by_places(const deal *d)
{
    const int64_t first = d->slices[0].number;
    return (first == 0 || first == 1) && fit_places(d, first);
}

/* It may be missing. */
static int by_likely_places(const deal *d)
{
    const int64_t first = d->slices[0].number;
    const int from_1 = first > 1 && first <= (int64_t)d->places && fit_times(d, 1);
    return from_1 || fit_times(d, first);
}

/* Time after time, each in one direction: it ends where the next slice lies behind. */
static int by_sweeps(const deal *d)
{
    size_t up = 0, down = 0, part = 0;
    for (size_t i = 1; i < d->count; i++) {
        up += d->slices[i].place > d->slices[i - 1].place;
        down += d->slices[i].place < d->slices[i - 1].place;
    }
    d->slices[0].part = 0;
    for (size_t i = 1; i < d->count; i++) {
        const size_t here = d->slices[i].place, before = d->slices[i - 1].place;
        part += up >= down ? here <= before : here >= before;
        d->slices[i].part = part;
    }
    return part + 1 == d->layers;
}

/* Time after time in whatever order: it ends where a place comes again. */
static int by_repeats(const deal *d)
{
    size_t part = 0;
    forget(d);
    for (size_t i = 0; i < d->count; i++) {
        size_t *last = &d->of_place[d->slices[i].place]; /* the part it was in, from 1 */
        part += *last == part + 1;
        *last = part + 1;
        d->slices[i].part = part;
    }
    return part + 1 == d->layers;
}

/* The same from a first number on, which need not be there. */
static int fit_layers(const deal *d, int64_t first)
{
    const int64_t layers = (int64_t)d->layers;
    size_t before = 0;
    forget(d);
    for (size_t i = 0; i < d->count; i++) {
        sgio_dealt_slice *slice = &d->slices[i];
        const int64_t rank = slice->number - first;
        const size_t block = (size_t)(rank / layers) + 1;
        size_t *of_place = &d->of_place[slice->place];
        if (*of_place && *of_place != block) return 0;
        if (i > 0 && slice->number == slice[-1].number) return 0;
        if (block == before && slice->place != slice[-1].place) return 0;
        *of_place = before = block;
        slice->part = (size_t)(rank % layers);
    }
    return 1;
}

/* Place after place, all times of each numbered in turn. 0 when that is not so. */
static int by_layers(const deal *d)
{
    for (size_t missing = 0; missing < d->layers; missing++)
        if (fit_layers(d, d->slices[0].number - (int64_t)missing)) return 1;
    return 0;
}

/* The n-th slice at a place goes to the n-th part. */
static int by_turns(const deal *d)
{
    forget(d);
    for (size_t i = 0; i < d->count; i++)
        d->slices[i].part = d->of_place[d->slices[i].place]++;
    return 1;
}

static int compare_numbers(const void *left, const void *right)
{
    const sgio_dealt_slice *a = left, *b = right;
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/* Volumes with slices missing; else it is one volume of which some slices are there again, or
 * stacks that overlap, and the first at each place are the most complete one. */
static int most_places_are_full(const deal *d)
{
    size_t full = 0;
    forget(d);
    for (size_t i = 0; i < d->count; i++)
        full += ++d->of_place[d->slices[i].place] == d->layers;
    return full > d->places / 2;
}

int sgio_dicom_deal(sgio_dealt_slice *slices, size_t count, size_t places, size_t layers)
{
    static int (*const ways[])(const deal *) = {by_places,  by_sweeps, by_likely_places,
                                                by_repeats, by_layers, by_turns};
    size_t *values = malloc(2 * places * sizeof *values);
    const deal d = {slices, count, places, layers, values, values + places};
    int done = 0;
    if (!values) return -1;
    qsort(slices, count, sizeof *slices, compare_numbers);
    if (!most_places_are_full(&d)) done = by_turns(&d);
    for (size_t i = 0; !done && i < sizeof ways / sizeof *ways; i++)
        done = ways[i](&d);
    free(values);
    return 0;
}

static int compare_indices(const void *left, const void *right)
{
    const sgio_dealt_slice *a = left, *b = right;
    return (a->index > b->index) - (a->index < b->index);
}

static int compare_parts(const void *left, const void *right)
{
    const sgio_dealt_slice *a = left, *b = right;
    return (a->part > b->part) - (a->part < b->part);
}

/* How many runs of one part the slices have in that order. */
static size_t count_runs(const sgio_dealt_slice *slices, size_t count)
{
    size_t runs = 1;
    for (size_t i = 1; i < count; i++)
        runs += slices[i].part != slices[i - 1].part;
    return runs;
}

static int have_own_numbers(const sgio_dealt_slice *slices, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (slices[i].number == slices[i - 1].number) return 0;
    return 1;
}

int sgio_dicom_is_regular(sgio_dealt_slice *slices, size_t count)
{
    qsort(slices, count, sizeof *slices, compare_parts);
    const size_t parts = count_runs(slices, count);
    qsort(slices, count, sizeof *slices, compare_indices);
    if (count_runs(slices, count) == parts) return 1;
    qsort(slices, count, sizeof *slices, compare_numbers);
    return have_own_numbers(slices, count) && count_runs(slices, count) == parts;
}
