#include "dicom_fragments.h"

#include "io_status.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRY = 4 }; /* bytes of an entry of the offset table */

static sgio_status no_stream(const sgio_dicom_file *file)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: compressed pixels without a code stream",
                     sgio_dicom_path(file));
}

static uint32_t little_32(const unsigned char *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* The entries of the table as places in the file: offsets count from the first item behind it. 0
 * where it does not name every frame, one behind the other. */
static int read_table(sgio_dicom_fragments *f, const sgio_dicom_cursor *table)
{
    unsigned char entry[ENTRY];
    if (table->end - table->at != ENTRY * (uint64_t)f->frames) return 0;
    for (size_t n = 0; n < f->frames; n++) {
        if (sgio_dicom_copy(f->file, table->at + ENTRY * n, ENTRY, entry) != 0) return 0;
        f->starts[n] = table->end + little_32(entry);
        if (n > 0 && f->starts[n] <= f->starts[n - 1]) return 0;
    }
    return 1;
}

/* Entries may point between items: a frame begins with the first item from there on. A frame that
 * has none begins where the next one does. */
static int find_by_table(sgio_dicom_fragments *f, sgio_dicom_cursor items)
{
    sgio_dicom_cursor item;
    size_t next = 0;
    int more;
    uint64_t at = items.at;
    for (; (more = sgio_dicom_next_item(f->file, &items, &item)) > 0; at = items.at)
        for (; next < f->frames && f->starts[next] <= at; next++)
            f->starts[next] = at;
    for (; next < f->frames; next++)
        f->starts[next] = UINT64_MAX;
    return more;
}

/* *count becomes that of the items. */
static int find_one_each(sgio_dicom_fragments *f, sgio_dicom_cursor items, size_t *count)
{
    sgio_dicom_cursor item;
    int more;
    uint64_t at = items.at;
    *count = 0;
    for (; (more = sgio_dicom_next_item(f->file, &items, &item)) > 0; at = items.at, ++*count)
        if (*count < f->frames) f->starts[*count] = at;
    return more;
}

static sgio_status find_frames(sgio_dicom_fragments *f, const sgio_dicom_cursor *table,
                               const sgio_dicom_cursor *items)
{
    size_t count = f->frames;
    int more = 0;
    f->starts[f->frames] = UINT64_MAX;
    if (f->frames == 1)
        f->starts[0] = items->at;
    else if (read_table(f, table))
        more = find_by_table(f, *items);
    else
        more = find_one_each(f, *items, &count);
    if (more < 0) return SGIO_UNREADABLE;
    if (count == f->frames) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: nothing says which of its fragments belong to which of %zu frames",
                     sgio_dicom_path(f->file), f->frames);
}

sgio_status sgio_dicom_find_fragments(sgio_dicom_file *file, const sgio_dicom_element *element,
                                      size_t frames, sgio_dicom_fragments *out)
{
    sgio_dicom_cursor items, table;
    *out = (sgio_dicom_fragments){file, element, frames, NULL};
    if (!element->open_length) return no_stream(file);
    sgio_dicom_enter(element, &items);
    int more = sgio_dicom_next_item(file, &items, &table); /* the first item, empty or not */
    if (more <= 0) return more < 0 ? SGIO_UNREADABLE : no_stream(file);
    out->starts = malloc((frames + 1) * sizeof *out->starts);
    if (!out->starts) return sgio_fail_memory(frames * sizeof *out->starts, sgio_dicom_path(file));
    return find_frames(out, &table, &items);
}

void sgio_dicom_fragments_clear(sgio_dicom_fragments *fragments)
{
    free(fragments->starts);
    memset(fragments, 0, sizeof *fragments);
}

sgio_status sgio_dicom_join_fragments(const sgio_dicom_fragments *fragments, size_t frame,
                                      unsigned char **stream, size_t *size)
{
    sgio_dicom_file *file = fragments->file;
    const uint64_t begin = fragments->starts[frame], end = fragments->starts[frame + 1];
    const uint64_t room = begin < end ? sgio_dicom_available(file, begin, end - begin) : 0;
    sgio_dicom_cursor items, item;
    int more = 0;
    *stream = NULL;
    *size = 0;
    if (room == 0) return no_stream(file);
    *stream = malloc(room);
    if (!*stream) return sgio_fail_memory(room, sgio_dicom_path(file));
    sgio_dicom_enter(fragments->element, &items);
    items.at = begin;
    while (items.at < end && (more = sgio_dicom_next_item(file, &items, &item)) > 0) {
        const size_t bytes = (size_t)(item.end - item.at);
        if (sgio_dicom_copy(file, item.at, bytes, *stream + *size) != 0) return no_stream(file);
        *size += bytes;
    }
    if (more < 0) return SGIO_UNREADABLE;
    return *size == 0 ? no_stream(file) : SGIO_OK;
}
