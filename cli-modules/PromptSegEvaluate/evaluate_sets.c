#include "evaluate_sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"
#include "evaluate_grid.h"

static int by_value(const void *left, const void *right)
{
    const long a = *(const long *)left, b = *(const long *)right;
    return (a > b) - (a < b);
}

static int64_t frames_of(evaluate_side side)
{
    return side.segmentation->geometry.size[2];
}

/* All numbers once, rising; *count of them. NULL without memory. */
static long *all_numbers(evaluate_side a, evaluate_side b, int64_t *count)
{
    const int64_t of_a = frames_of(a), of_b = frames_of(b);
    long *numbers = calloc((size_t)(of_a + of_b), sizeof *numbers);
    if (!numbers) return NULL;
    memcpy(numbers, a.segmentation->frame_numbers, (size_t)of_a * sizeof *numbers);
    memcpy(numbers + of_a, b.segmentation->frame_numbers, (size_t)of_b * sizeof *numbers);
    qsort(numbers, (size_t)(of_a + of_b), sizeof *numbers, by_value);
    *count = 0;
    for (int64_t i = 0; i < of_a + of_b; i++)
        if (i == 0 || numbers[i] != numbers[i - 1]) numbers[(*count)++] = numbers[i];
    return numbers;
}

static int nothing_in_common(evaluate_side a, evaluate_side b)
{
    const long *of_a = a.segmentation->frame_numbers, *of_b = b.segmentation->frame_numbers;
    return cli_fail(CLI_EXIT_INPUT,
                    "no picture of %s (numbered %ld to %ld) has the number of one of %s (%ld to "
                    "%ld): pictures are compared by their numbers",
                    a.path, of_a[0], of_a[frames_of(a) - 1], b.path, of_b[0],
                    of_b[frames_of(b) - 1]);
}

/* Says which numbers the side lacks: the first of them, and how many. */
static void warn_about_lack(evaluate_side side, const long *numbers, int64_t count,
                            cli_warnings *warnings)
{
    char sentence[1024];
    int64_t lacking = count - frames_of(side), at = 0;
    if (lacking == 0) return;
    while (at < frames_of(side) && side.segmentation->frame_numbers[at] == numbers[at])
        at++;
    snprintf(sentence, sizeof sentence,
             "%.600s has no picture numbered %ld, and %lld of %lld numbers are missing there: they "
             "count as empty",
             side.path, numbers[at], (long long)lacking, (long long)count);
    cli_warn(warnings, sentence);
}

static int deal(evaluate_side side, const long *numbers, int64_t count)
{
    int64_t found;
    if (count == frames_of(side)) return 0;
    if (sgio_segmentation_deal_frames(side.segmentation, numbers, count, side.path, &found) ==
        SGIO_OK)
        return 0;
    return cli_fail(CLI_EXIT_MEMORY, "%s", sgio_last_message());
}

/* Where a file of slices lies among the pictures of a set, as 3D Slicer saves a cut-out of them, in
 * voxels behind the first one. 0: none lies there, or they reach beyond a picture's sides. */
static int find_place(const sgio_geometry *set, const sgio_geometry *stack, int64_t offset[3])
{
    sgio_geometry turned;
    if (sgio_geometry_turned_offset(stack, set, sgio_geometry_rounding(set), &turned, offset) != 0)
        return 0;
    for (int axis = 0; axis < 2; axis++)
        if (offset[axis] < 0 || offset[axis] + turned.size[axis] > set->size[axis]) return 0;
    return offset[2] >= 0 && offset[2] < set->size[2];
}

/* A file of slices that begins where pictures do may as well have no place. */
static int is_usual(const int64_t offset[3])
{
    return offset[0] == 0 && offset[1] == 0 && offset[2] == 0;
}

static void say_how(evaluate_side set, evaluate_side stack, const char *how, cli_warnings *warnings)
{
    char sentence[1400];
    snprintf(sentence, sizeof sentence,
             "%.600s has no numbers: its %lld slices are compared with the pictures of %.600s %s",
             stack.path, (long long)frames_of(stack), set.path, how);
    cli_warn(warnings, sentence);
}

/* Slice for picture, whatever the file says of places. */
static void take_in_order(evaluate_side set, evaluate_side stack)
{
    stack.segmentation->geometry = set.segmentation->geometry;
    stack.segmentation->is_sequence = 1;
}

/* Whether the file stores its voxels as pictures are stored. */
static int is_turned(const sgio_geometry *set, const sgio_geometry *stack)
{
    int64_t offset[3];
    return sgio_geometry_offset(stack, set, sgio_geometry_rounding(set), offset) != 0;
}

/* A single file of slices beside a folder of pictures: without a place among them its order is all
 * there is to go by, and says nothing where one side has other pictures than the other. Slices of
 * another size are left to whoever compares the grids. */
static int align_stack(evaluate_side set, evaluate_side stack, cli_warnings *warnings)
{
    const sgio_geometry *pictures = &set.segmentation->geometry,
                        *slices = &stack.segmentation->geometry;
    int64_t offset[3];
    if (evaluate_has_no_place(stack.segmentation)) return 0;
    const int has_place = find_place(pictures, slices, offset);
    if (frames_of(set) != frames_of(stack) && !(has_place && !is_usual(offset)))
        return cli_fail(CLI_EXIT_INPUT,
                        "%s has no numbers, and %lld slices for the %lld pictures of %s: which "
                        "belong together cannot be known",
                        stack.path, (long long)frames_of(stack), (long long)frames_of(set),
                        set.path);
    if (has_place) {
        const int by_place = !is_usual(offset) || is_turned(pictures, slices);
        say_how(set, stack, by_place ? "where they lie" : "in their order", warnings);
    } else if (slices->size[0] == pictures->size[0] && slices->size[1] == pictures->size[1]) {
        take_in_order(set, stack);
        say_how(set, stack, "in their order", warnings);
    }
    return 0;
}

int evaluate_align_sets(evaluate_side reference, evaluate_side prediction, cli_warnings *warnings)
{
    const sgio_segmentation *r = reference.segmentation, *p = prediction.segmentation;
    int64_t count;
    if (r->frame_numbers && !p->frame_numbers) return align_stack(reference, prediction, warnings);
    if (p->frame_numbers && !r->frame_numbers) return align_stack(prediction, reference, warnings);
    if (!r->frame_numbers) return 0;
    if (r->geometry.size[0] != p->geometry.size[0] || r->geometry.size[1] != p->geometry.size[1])
        return 0;
    long *numbers = all_numbers(reference, prediction, &count);
    if (!numbers) return cli_fail(CLI_EXIT_MEMORY, "out of memory while pairing pictures");
    int failed = 0;
    if (count == frames_of(reference) + frames_of(prediction))
        failed = nothing_in_common(reference, prediction);
    if (!failed) {
        warn_about_lack(reference, numbers, count, warnings);
        warn_about_lack(prediction, numbers, count, warnings);
        failed = deal(reference, numbers, count);
    }
    if (!failed) failed = deal(prediction, numbers, count);
    free(numbers);
    return failed;
}
