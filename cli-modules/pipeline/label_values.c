#include "label_values.h"

#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"

const label_value *label_values_find(const label_values *values, const char *name, size_t rank)
{
    for (size_t i = 0; i < values->count; i++)
        if (values->items[i].rank == rank && strcmp(values->items[i].name, name) == 0)
            return &values->items[i];
    return NULL;
}

const label_value *label_values_with(const label_values *values, int value)
{
    for (size_t i = 0; i < values->count; i++)
        if (values->items[i].value == value) return &values->items[i];
    return NULL;
}

int label_values_free(const label_values *values)
{
    return values->taken + 1;
}

static int none_left(const char *name)
{
    return cli_fail(CLI_EXIT_USAGE,
                    "no value from 1 to %d is left for '%.200s'; --labelValues chooses values",
                    SGIO_MAX_LABEL, name);
}

int label_values_add(label_values *values, const char *name, size_t rank, int value)
{
    if (value > SGIO_MAX_LABEL) return none_left(name);
    char *copy = strdup(name);
    if (values->count == values->capacity) {
        const size_t capacity = values->capacity * 2 + 16;
        label_value *grown = realloc(values->items, capacity * sizeof *grown);
        if (grown) values->items = grown;
        if (grown) values->capacity = capacity;
    }
    if (!copy || values->count == values->capacity) {
        free(copy);
        return cli_fail(CLI_EXIT_MEMORY, "no memory for the values of labels");
    }
    values->items[values->count++] = (label_value){copy, rank, value};
    while (label_values_with(values, values->taken + 1))
        values->taken++;
    return 0;
}

/* Without the blanks around it, in place. */
static char *trimmed(char *text)
{
    text += strspn(text, " ");
    for (size_t length = strlen(text); length > 0 && text[length - 1] == ' '; length--)
        text[length - 1] = '\0';
    return text;
}

/* "name=value", in place: a name may hold '=' itself. */
static int read_pair(char *pair, label_values *out)
{
    char *sign = strrchr(pair, '='), *end;
    if (sign) *sign = '\0';
    const char *number = sign ? trimmed(sign + 1) : "";
    const long value = strtol(number, &end, 10);
    pair = trimmed(pair);
    if (!*pair || end == number || *end || value < 1 || value > SGIO_MAX_LABEL)
        return cli_fail(CLI_EXIT_USAGE,
                        "--labelValues: wanted name=value with a value from 1 to %d, such as "
                        "kidney=2,liver=5, found '%.200s%s%.80s'",
                        SGIO_MAX_LABEL, pair, sign ? "=" : "", number);
    if (label_values_find(out, pair, 0))
        return cli_fail(CLI_EXIT_USAGE, "--labelValues names '%.200s' twice", pair);
    const label_value *other = label_values_with(out, (int)value);
    if (other)
        return cli_fail(CLI_EXIT_USAGE, "--labelValues gives %ld to '%.200s' and to '%.200s'",
                        value, other->name, pair);
    return label_values_add(out, pair, 0, (int)value);
}

int label_values_read(const char *text, label_values *out)
{
    char *copy = strdup(text), *rest = NULL;
    int failed = copy ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory for the values of labels");
    for (char *pair = copy ? strtok_r(copy, ",", &rest) : NULL; pair && !failed;
         pair = strtok_r(NULL, ",", &rest))
        failed = read_pair(pair, out);
    free(copy);
    return failed;
}

static int is_taken(const int *labels, size_t count, int value)
{
    for (size_t i = 0; i < count; i++)
        if (labels[i] == value) return 1;
    return 0;
}

size_t label_values_rank(const sgio_segmentation *segmentation, size_t segment)
{
    const sgio_segment *segments = segmentation->segments;
    size_t rank = 0;
    for (size_t i = 0; i < segment; i++)
        rank += strcmp(segments[i].name, segments[segment].name) == 0;
    return rank;
}

static const label_value *own_value(const label_values *values, const sgio_segmentation *s,
                                    size_t i)
{
    return label_values_find(values, s->segments[i].name, label_values_rank(s, i));
}

int label_values_assign(const label_values *values, const sgio_segmentation *segmentation,
                        int *labels)
{
    const size_t count = segmentation->segment_count;
    int next = 1;
    sgio_segmentation_flat_labels(segmentation, labels);
    for (size_t i = 0; i < count && values; i++) {
        const label_value *own = own_value(values, segmentation, i);
        if (own || label_values_with(values, labels[i])) labels[i] = own ? -own->value : 0;
    }
    for (size_t i = 0; i < count && values; i++) {
        if (labels[i] < 0) labels[i] = -labels[i];
        if (labels[i]) continue;
        while (label_values_with(values, next) || is_taken(labels, count, next))
            next++;
        if (next > SGIO_MAX_LABEL) return none_left(segmentation->segments[i].name);
        labels[i] = next;
    }
    return 0;
}

void label_values_clear(label_values *values)
{
    for (size_t i = 0; i < values->count; i++)
        free(values->items[i].name);
    free(values->items);
    memset(values, 0, sizeof *values);
}
