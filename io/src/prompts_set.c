#include "prompts_parse.h"

#include "io_status.h"

#include <stdlib.h>
#include <string.h>

static size_t total_points(const sgio_prompts *prompts)
{
    size_t total = 0;
    for (size_t s = 0; s < prompts->segment_count; s++)
        total += prompts->segments[s].point_count + prompts->segments[s].box_count;
    return total;
}

/* Makes room for one more element; arrays double. */
static void *grow(void *array, size_t count, size_t *capacity, size_t element)
{
    if (count < *capacity) return array;
    size_t wanted = *capacity ? *capacity * 2 : 4;
    void *larger = realloc(array, wanted * element);
    if (larger) *capacity = wanted;
    return larger;
}

static sgio_prompt_segment *find(const sgio_prompts *prompts, const char *name)
{
    for (size_t s = 0; s < prompts->segment_count; s++)
        if (strcmp(prompts->segments[s].name, name) == 0) return &prompts->segments[s];
    return NULL;
}

const sgio_prompt_segment *sgio_prompts_find(const sgio_prompts *prompts, const char *segment)
{
    return find(prompts, segment);
}

static sgio_status find_or_add(sgio_prompts *prompts, const char *name, sgio_prompt_segment **out)
{
    *out = find(prompts, name);
    if (*out) return SGIO_OK;
    if (prompts->segment_count >= SGIO_MAX_PROMPT_SEGMENTS)
        return sgio_fail(SGIO_BAD_PROMPT, "more than %d segments are prompted",
                         SGIO_MAX_PROMPT_SEGMENTS);
    sgio_prompt_segment *segments = grow(prompts->segments, prompts->segment_count,
                                         &prompts->segment_capacity, sizeof *segments);
    if (!segments) return sgio_fail_memory(sizeof *segments, "prompts");
    prompts->segments = segments;
    char *copy = strdup(name);
    if (!copy) return sgio_fail_memory(strlen(name) + 1, "prompts");
    *out = &segments[prompts->segment_count++];
    memset(*out, 0, sizeof **out);
    (*out)->name = copy;
    return SGIO_OK;
}

static sgio_status check_room(const sgio_prompts *prompts)
{
    if (total_points(prompts) < SGIO_MAX_PROMPT_POINTS) return SGIO_OK;
    return sgio_fail(SGIO_BAD_PROMPT, "more than %d points and boxes", SGIO_MAX_PROMPT_POINTS);
}

/* Copies up to the last whole UTF-8 character; control characters would break messages. */
static void copy_label(char out[SGIO_POINT_LABEL], const char *label)
{
    size_t n = label ? strlen(label) : 0;
    if (n >= SGIO_POINT_LABEL) {
        n = SGIO_POINT_LABEL - 1;
        while (n > 0 && ((unsigned char)label[n] & 0xC0) == 0x80)
            n--;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)label[i] < 32 ? ' ' : label[i];
    out[n] = '\0';
}

sgio_status sgio_prompts_add_point(sgio_prompts *prompts, const char *segment, const double lps[3],
                                   int foreground, const char *label)
{
    sgio_prompt_segment *target;
    sgio_status status = check_room(prompts);
    if (status == SGIO_OK) status = find_or_add(prompts, segment, &target);
    if (status != SGIO_OK) return status;
    sgio_point *points =
        grow(target->points, target->point_count, &target->point_capacity, sizeof *points);
    if (!points) return sgio_fail_memory(sizeof *points, "prompts");
    target->points = points;
    sgio_point *point = &points[target->point_count++];
    memcpy(point->lps, lps, sizeof point->lps);
    point->foreground = foreground != 0;
    copy_label(point->label, label);
    return SGIO_OK;
}

sgio_status sgio_prompts_add_box(sgio_prompts *prompts, const char *segment, const sgio_box *box)
{
    sgio_prompt_segment *target;
    sgio_status status = check_room(prompts);
    if (status == SGIO_OK) status = find_or_add(prompts, segment, &target);
    if (status != SGIO_OK) return status;
    sgio_box *boxes = grow(target->boxes, target->box_count, &target->box_capacity, sizeof *boxes);
    if (!boxes) return sgio_fail_memory(sizeof *boxes, "prompts");
    target->boxes = boxes;
    boxes[target->box_count++] = *box;
    return SGIO_OK;
}

sgio_status sgio_prompts_add_segment(sgio_prompts *prompts, const char *segment)
{
    sgio_prompt_segment *unused;
    return find_or_add(prompts, segment, &unused);
}

void sgio_prompts_set_colour(sgio_prompts *prompts, const char *segment, const double colour[3])
{
    sgio_prompt_segment *target = find(prompts, segment);
    if (!target) return;
    target->has_colour = 1;
    memcpy(target->colour, colour, sizeof target->colour);
}

void sgio_prompts_clear(sgio_prompts *prompts)
{
    for (size_t s = 0; s < prompts->segment_count; s++) {
        free(prompts->segments[s].name);
        free(prompts->segments[s].points);
        free(prompts->segments[s].boxes);
    }
    free(prompts->segments);
    memset(prompts, 0, sizeof *prompts);
}

static int marks_background(const char *text)
{
    if (!text) return 0;
    return text[0] == '-' || strcmp(text, "bg") == 0 || strncmp(text, "bg:", 3) == 0;
}

int sgio_prompts_background(const char *label, const char *description)
{
    return marks_background(label) || marks_background(description);
}

void sgio_flip_lps_ras(double point[3])
{
    point[0] = -point[0];
    point[1] = -point[1];
}
