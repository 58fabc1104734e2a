#include "dicom_set.h"

#include "io_status.h"
#include "text_number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TOP_LEVEL = 1 << 16, LONGEST_TEXT = 1024, ESCAPE = 0x1b };

static const struct {
    enum sgio_dicom_tag tag;
    const char *vr, *keyword;
} known[] = {
#define SGIO_DICOM_ROW(name, number, vr, keyword) {DICOM_##name, vr, keyword},
    SGIO_DICOM_TAGS(SGIO_DICOM_ROW)
#undef SGIO_DICOM_ROW
};

static const char *usual_vr(uint32_t tag)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((uint32_t)known[i].tag == tag) return known[i].vr;
    return "UN";
}

const char *sgio_dicom_keyword(enum sgio_dicom_tag tag)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].tag == tag) return known[i].keyword;
    return "element";
}

static sgio_status add(sgio_dicom_set *set, const sgio_dicom_element *element)
{
    if (set->count >= MOST_TOP_LEVEL)
        return sgio_fail(SGIO_UNREADABLE, "%s: not readable as DICOM: it has %d elements",
                         sgio_dicom_path(set->file), MOST_TOP_LEVEL);
    if ((set->count & (set->count - 1)) == 0) { /* grows at powers of two */
        size_t room = set->count ? 2 * set->count : 1;
        sgio_dicom_element *grown = realloc(set->items, room * sizeof *grown);
        if (!grown) return sgio_fail_memory(room * sizeof *grown, sgio_dicom_path(set->file));
        set->items = grown;
    }
    set->items[set->count++] = *element;
    return SGIO_OK;
}

static sgio_status read_elements(sgio_dicom_cursor cursor, sgio_dicom_set *set)
{
    sgio_dicom_element element;
    sgio_status status = SGIO_OK;
    int more;
    while (status == SGIO_OK && (more = sgio_dicom_next(set->file, &cursor, &element)) != 0)
        status = more < 0 ? SGIO_UNREADABLE : add(set, &element);
    return status;
}

/* Latin-1 and UTF-8; of other sets only the ASCII half is shown. */
static int character_set_of(const sgio_dicom_set *set)
{
    char text[64];
    sgio_dicom_text(set, DICOM_CHARACTER_SET, text, sizeof text);
    if (!strcmp(text, "ISO_IR 192")) return SGIO_DICOM_UTF_8;
    if (!strcmp(text, "ISO_IR 100")) return SGIO_DICOM_LATIN_1;
    int is_ascii = !text[0] || !strcmp(text, "ISO_IR 6");
    return is_ascii ? SGIO_DICOM_ASCII : SGIO_DICOM_OTHER_CHARACTERS;
}

sgio_status sgio_dicom_read_set(sgio_dicom_file *file, sgio_dicom_set *set)
{
    sgio_dicom_cursor cursor;
    *set = (sgio_dicom_set){file, NULL, 0, SGIO_DICOM_ASCII};
    sgio_dicom_begin(file, &cursor);
    sgio_status status = read_elements(cursor, set);
    if (status == SGIO_OK) set->character_set = character_set_of(set);
    return status;
}

sgio_status sgio_dicom_read_item(const sgio_dicom_set *parent, const sgio_dicom_cursor *item,
                                 sgio_dicom_set *set)
{
    *set = (sgio_dicom_set){parent->file, NULL, 0, parent->character_set};
    return read_elements(*item, set);
}

void sgio_dicom_set_clear(sgio_dicom_set *set)
{
    free(set->items);
    memset(set, 0, sizeof *set);
}

const sgio_dicom_element *sgio_dicom_find(const sgio_dicom_set *set, enum sgio_dicom_tag tag)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].tag == (uint32_t)tag) return &set->items[i];
    return NULL;
}

sgio_status sgio_dicom_for_items(const sgio_dicom_set *set, enum sgio_dicom_tag tag,
                                 sgio_dicom_item_fn use, void *user)
{
    const sgio_dicom_element *sequence = sgio_dicom_find(set, tag);
    sgio_dicom_cursor items, item;
    sgio_status status = SGIO_OK;
    int more = 0;
    if (!sequence) return SGIO_OK;
    sgio_dicom_enter(sequence, &items);
    while (status == SGIO_OK && (more = sgio_dicom_next_item(set->file, &items, &item)) > 0) {
        sgio_dicom_set inner;
        status = sgio_dicom_read_item(set, &item, &inner);
        if (status == SGIO_OK) status = use(user, &inner);
        sgio_dicom_set_clear(&inner);
    }
    return more < 0 ? SGIO_UNREADABLE : status;
}

static const char *vr_of(const sgio_dicom_element *element)
{
    int unknown = !element->vr[0] || strcmp(element->vr, "UN") == 0;
    return unknown ? usual_vr(element->tag) : element->vr;
}

/* The bytes of a text without padding; their count. */
static size_t raw_text(const sgio_dicom_set *set, enum sgio_dicom_tag tag, char *out, size_t size)
{
    const sgio_dicom_element *element = sgio_dicom_find(set, tag);
    size_t count = 0;
    if (element && !element->open_length && strcmp(vr_of(element), "SQ") != 0)
        count = element->length < size - 1 ? (size_t)element->length : size - 1;
    if (count > 0 && sgio_dicom_copy(set->file, element->at, count, out) != 0) count = 0;
    while (count > 0 && (out[count - 1] == ' ' || out[count - 1] == 0))
        count--;
    out[count] = 0;
    return count;
}

/* Bytes of the UTF-8 character at `text`, 0 when it is none. */
static size_t character_bytes(const unsigned char *text)
{
    size_t bytes = text[0] < 0x80   ? 1
                   : text[0] < 0xc2 ? 0
                   : text[0] < 0xe0 ? 2
                   : text[0] < 0xf0 ? 3
                   : text[0] < 0xf5 ? 4
                                    : 0;
    for (size_t i = 1; i < bytes; i++)
        if ((text[i] & 0xc0) != 0x80) return 0;
    if (text[0] == 0xe0 && text[1] < 0xa0) return 0; /* longer than need be */
    if (text[0] == 0xed && text[1] > 0x9f) return 0; /* half of a surrogate pair */
    if (text[0] == 0xf0 && text[1] < 0x90) return 0;
    if (text[0] == 0xf4 && text[1] > 0x8f) return 0;
    if (text[0] == 0xc2 && text[1] < 0xa0) return 0; /* control characters too */
    return bytes;
}

static char harmless(char c)
{
    unsigned char byte = (unsigned char)c;
    if (byte < ' ' || byte == 127) return ' ';
    return c == '<' ? '(' : c == '>' ? ')' : c;
}

/* One character of `from` to at most four bytes at `to`: how many; *used says how many it took. */
static size_t convert(const char *from, int character_set, char to[4], size_t *used)
{
    const unsigned char *bytes = (const unsigned char *)from;
    *used = 1;
    to[0] = from[0];
    if (bytes[0] < 0x80) return 1;
    if (character_set == SGIO_DICOM_LATIN_1 && bytes[0] >= 0xa0) {
        to[0] = (char)(0xc0 | bytes[0] >> 6);
        to[1] = (char)(0x80 | (bytes[0] & 0x3f));
        return 2;
    }
    size_t count = character_set == SGIO_DICOM_UTF_8 ? character_bytes(bytes) : 0;
    if (count == 0) {
        to[0] = '?';
        return 1;
    }
    memcpy(to, from, count);
    *used = count;
    return count;
}

int sgio_dicom_text_fits(const sgio_dicom_set *set, uint32_t tag)
{
    char raw[LONGEST_TEXT], character[4];
    size_t count = raw_text(set, (enum sgio_dicom_tag)tag, raw, sizeof raw), used = 0;
    for (size_t at = 0; at < count; at += used) {
        const size_t bytes = convert(raw + at, set->character_set, character, &used);
        const int made_up = bytes == 1 && character[0] != raw[at];
        if (made_up || raw[at] == ESCAPE) return 0;
    }
    return 1;
}

static int converted_text(const sgio_dicom_set *set, uint32_t tag, char *out, size_t size)
{
    char raw[LONGEST_TEXT], character[4];
    size_t count = raw_text(set, (enum sgio_dicom_tag)tag, raw, sizeof raw), used = 0, done = 0;
    for (size_t at = 0; at < count; at += used) {
        size_t bytes = convert(raw + at, set->character_set, character, &used);
        if (done + bytes >= size) break;
        memcpy(out + done, character, bytes);
        done += bytes;
    }
    out[done] = 0;
    return done > 0;
}

int sgio_dicom_text(const sgio_dicom_set *set, enum sgio_dicom_tag tag, char *out, size_t size)
{
    int any = converted_text(set, (uint32_t)tag, out, size);
    for (char *c = out; *c; c++)
        *c = harmless(*c);
    return any;
}

int sgio_dicom_exact_text(const sgio_dicom_set *set, uint32_t tag, char *out, size_t size)
{
    if (set->character_set != SGIO_DICOM_OTHER_CHARACTERS)
        return converted_text(set, tag, out, size);
    return raw_text(set, (enum sgio_dicom_tag)tag, out, size) > 0;
}

/* `text` holds one value; it is changed. */
static sgio_dicom_found number_from_text(char *text, double *value)
{
    const char *at = text;
    char *comma = strchr(text, ',');
    if (comma) *comma = '.';
    if (!sgio_take_double(&at, value) || *at) return SGIO_DICOM_NO_NUMBER;
    return comma ? SGIO_DICOM_COMMA : SGIO_DICOM_NUMBER;
}

/* Cuts value `index` out of a text of several, blanks around it left out; NULL when there are not
 * so many. */
static char *value_of_text(char *text, int index)
{
    char *start = text;
    for (; index > 0; index--) {
        start = strchr(start, '\\');
        if (!start) return NULL;
        start++;
    }
    start += strspn(start, " ");
    char *end = start + strcspn(start, "\\");
    while (end > start && end[-1] == ' ')
        end--;
    *end = 0;
    return *start ? start : NULL;
}

/* Times are hhmmss.frac; old files have hh:mm:ss. */
static void drop_colons(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++)
        if (*from != ':') *to++ = *from;
    *to = 0;
}

/* The last value of a text that was cut is half a number. 0 where it is the only one. */
static int drop_cut_value(char *text)
{
    char *last = strrchr(text, '\\');
    if (last) *last = 0;
    return last != NULL;
}

static sgio_dicom_found text_number(const sgio_dicom_set *set, const sgio_dicom_element *element,
                                    int index, double *value)
{
    char text[LONGEST_TEXT];
    raw_text(set, (enum sgio_dicom_tag)element->tag, text, sizeof text);
    if (element->length >= sizeof text && !drop_cut_value(text)) return SGIO_DICOM_NO_NUMBER;
    if (strcmp(vr_of(element), "TM") == 0) drop_colons(text);
    char *one = value_of_text(text, index);
    return one ? number_from_text(one, value) : SGIO_DICOM_ABSENT;
}

typedef union bits {
    unsigned char bytes[8];
    uint16_t u16;
    int16_t i16;
    uint32_t u32;
    int32_t i32;
    float f32;
    double f64;
} bits;

static size_t binary_bytes(const char *vr)
{
    if (!strcmp(vr, "US") || !strcmp(vr, "SS")) return 2;
    if (!strcmp(vr, "UL") || !strcmp(vr, "SL") || !strcmp(vr, "FL")) return 4;
    return !strcmp(vr, "FD") ? 8 : 0;
}

static double binary_value(const char *vr, const bits *b)
{
    switch (vr[0] << 8 | vr[1]) {
    case 'U' << 8 | 'S':
        return b->u16;
    case 'S' << 8 | 'S':
        return b->i16;
    case 'U' << 8 | 'L':
        return b->u32;
    case 'S' << 8 | 'L':
        return b->i32;
    case 'F' << 8 | 'L':
        return b->f32;
    default:
        return b->f64;
    }
}

static int is_little_machine(void)
{
    const uint16_t one = 1;
    return *(const unsigned char *)&one == 1;
}

static sgio_dicom_found binary_number(const sgio_dicom_set *set, const sgio_dicom_element *element,
                                      int index, double *value)
{
    bits b;
    const char *vr = vr_of(element);
    size_t bytes = binary_bytes(vr);
    uint64_t offset = (uint64_t)index * bytes;
    if (element->length < offset + bytes) return SGIO_DICOM_ABSENT;
    if (sgio_dicom_copy(set->file, element->at + offset, bytes, b.bytes) != 0)
        return SGIO_DICOM_ABSENT;
    for (size_t i = 0; i < bytes / 2 && element->encoding.big_endian == is_little_machine(); i++) {
        unsigned char swap = b.bytes[i];
        b.bytes[i] = b.bytes[bytes - 1 - i];
        b.bytes[bytes - 1 - i] = swap;
    }
    *value = binary_value(vr, &b);
    return isfinite(*value) ? SGIO_DICOM_NUMBER : SGIO_DICOM_NO_NUMBER;
}

sgio_dicom_found sgio_dicom_number(const sgio_dicom_set *set, enum sgio_dicom_tag tag, int index,
                                   double *value)
{
    const sgio_dicom_element *element = sgio_dicom_find(set, tag);
    if (!element || element->open_length) return SGIO_DICOM_ABSENT;
    return binary_bytes(vr_of(element)) > 0 ? binary_number(set, element, index, value)
                                            : text_number(set, element, index, value);
}
