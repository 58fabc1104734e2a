/* Slicer's keys of a .seg.nrrd: SegmentN_ID, _Name, _Color, _Layer, _LabelValue, _Tags. */
#include "nrrd_header.h"
#include "segmentation_parts.h"

#include "io_status.h"
#include "text_number.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct segment_keys {
    const char *id, *name, *colour, *layer, *label, *tags;
} segment_keys;

/* The number of "Segment<number>_<field>", with *field behind the underscore; -1 for other keys. */
static int segment_number(const char *key, const char **field)
{
    int64_t number;
    const char *end = key + 7;
    if (strncmp(key, "Segment", 7) != 0 || !isdigit((unsigned char)*end)) return -1;
    if (!sgio_take_integer(&end, 0, SGIO_MAX_SEGMENTS - 1, &number) || *end != '_') return -1;
    *field = end + 1;
    return (int)number;
}

int sgio_segmentation_names_layers(const sgio_nrrd *nrrd)
{
    for (size_t i = 0; i < nrrd->key_count; i++) {
        const char *field, *value = nrrd->keys[i].value;
        if (segment_number(nrrd->keys[i].name, &field) < 0 || strcmp(field, "Layer")) continue;
        if (value[strspn(value, " 0")]) return 1;
    }
    return 0;
}

static void collect(const sgio_nrrd *nrrd, segment_keys *all)
{
    for (size_t i = 0; i < nrrd->key_count; i++) {
        const char *field, *value = nrrd->keys[i].value;
        int number = segment_number(nrrd->keys[i].name, &field);
        if (number < 0) continue;
        segment_keys *k = &all[number];
        if (strcmp(field, "ID") == 0)
            k->id = value;
        else if (strcmp(field, "Name") == 0)
            k->name = value;
        else if (strcmp(field, "Color") == 0)
            k->colour = value;
        else if (strcmp(field, "Layer") == 0)
            k->layer = value;
        else if (strcmp(field, "LabelValue") == 0)
            k->label = value;
        else if (strcmp(field, "Tags") == 0)
            k->tags = value;
    }
}

static void parse_colour(const char *text, size_t index, double colour[3])
{
    double found[3];
    sgio_colour_palette(index, colour);
    for (int c = 0; c < 3; c++)
        if (!text || !sgio_take_double(&text, &found[c]) || !(found[c] >= 0 && found[c] <= 1))
            return;
    if (!sgio_text_ends(text)) return;
    memcpy(colour, found, sizeof found);
}

/* A whole number in [low, high], `absent` when there is no text; -1 for anything else. */
static long parse_integer(const char *text, long low, long high, long absent)
{
    int64_t value;
    if (!text) return absent;
    return sgio_whole_integer(text, low, high, &value) ? (long)value : -1;
}

/* "key:value|key:value|": the terminology goes to its own field, all else is kept as it is. */
static sgio_status parse_tags(const char *tags, sgio_segment *segment)
{
    static const char key[] = "TerminologyEntry:";
    size_t kept = 0;
    char *rest = malloc(strlen(tags) + 2);
    if (!rest) return sgio_fail_memory(strlen(tags), "segment tags");
    while (*tags) {
        size_t n = strcspn(tags, "|");
        if (strncmp(tags, key, sizeof key - 1) == 0 && n >= sizeof key - 1) {
            char *entry = strndup(tags + sizeof key - 1, n - (sizeof key - 1));
            if (entry) {
                free(segment->terminology);
                segment->terminology = entry;
            }
        } else if (n > 0) {
            memcpy(rest + kept, tags, n);
            kept += n;
            rest[kept++] = '|';
        }
        tags += n + (tags[n] == '|');
    }
    rest[kept] = '\0';
    if (kept)
        segment->tags = rest;
    else
        free(rest);
    return SGIO_OK;
}

static sgio_status add_segment(const segment_keys *k, size_t number, const char *file,
                               sgio_segmentation *out)
{
    double colour[3];
    long layers = (long)out->layer_count;
    long layer = parse_integer(k->layer, 0, layers - 1, (long)number);
    long label = parse_integer(k->label, 1, SGIO_MAX_LABEL, 1);
    if (layer < 0 || layer >= layers || label < 0)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: segment %zu has layer \"%.20s\" and label value \"%.20s\", wanted a "
                         "layer from 0 to %ld and a label value from 1 to %d",
                         file, number, k->layer ? k->layer : "", k->label ? k->label : "",
                         layers - 1, SGIO_MAX_LABEL);
    parse_colour(k->colour, number, colour);
    sgio_status status = sgio_segmentation_append(out, k->id, k->name && *k->name ? k->name : k->id,
                                                  colour, (int)label);
    if (status != SGIO_OK) return status;
    sgio_segment *segment = &out->segments[out->segment_count - 1];
    segment->layer = (int)layer;
    return k->tags ? parse_tags(k->tags, segment) : SGIO_OK;
}

sgio_status sgio_segmentation_read_keys(const sgio_nrrd *nrrd, const char *file,
                                        sgio_segmentation *out)
{
    sgio_status status = SGIO_OK;
    segment_keys *all = calloc(SGIO_MAX_SEGMENTS, sizeof *all);
    if (!all) return sgio_fail_memory(SGIO_MAX_SEGMENTS * sizeof *all, file);
    collect(nrrd, all);
    for (size_t s = 0; s < SGIO_MAX_SEGMENTS && status == SGIO_OK; s++)
        if (all[s].id) status = add_segment(&all[s], s, file, out);
    free(all);
    return status;
}
