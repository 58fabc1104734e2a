#include "dicom_file.h"

#include "byte_source.h"
#include "io_status.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WINDOW = 1 << 15,
    MOST_META = 1 << 16,
    MOST_HEADER = 1 << 24, /* before the pixels of a deflated file */
    MOST_ELEMENTS = 20000000,
    DEEPEST = 64,
    PREAMBLE = 132
};

static const uint32_t open_ended = 0xffffffff;
static const uint32_t item_tag = 0xfffee000, sequence_end = 0xfffee0dd;
static const uint32_t pixel_tag = 0x7fe00010;

struct sgio_dicom_file {
    char *path;
    int descriptor;
    uint64_t on_disk;
    unsigned char *inflated; /* the data set of a deflated file, else NULL */
    uint64_t size;           /* of `inflated`, else of the file */
    uint64_t start;          /* where the data set begins */
    char syntax[65];
    sgio_dicom_encoding encoding;
    size_t elements; /* seen since sgio_dicom_begin */
    uint64_t window_at;
    size_t window_size;
    unsigned char window[WINDOW];
};

const char *sgio_dicom_path(const sgio_dicom_file *file)
{
    return file->path;
}

uint64_t sgio_dicom_bytes_on_disk(const sgio_dicom_file *file)
{
    return file->on_disk;
}

const char *sgio_dicom_transfer_syntax(const sgio_dicom_file *file)
{
    return file->syntax;
}

uint64_t sgio_dicom_available(const sgio_dicom_file *file, uint64_t at, uint64_t count)
{
    uint64_t left = at < file->size ? file->size - at : 0;
    return count < left ? count : left;
}

static int read_at(const sgio_dicom_file *file, uint64_t at, size_t count, unsigned char *to)
{
    for (size_t done = 0; done < count;) {
        ssize_t got = pread(file->descriptor, to + done, count - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return -1;
        done += (size_t)got;
    }
    return 0;
}

int sgio_dicom_copy(sgio_dicom_file *file, uint64_t at, size_t count, void *to)
{
    if (sgio_dicom_available(file, at, count) < count) return -1;
    if (!file->inflated) return read_at(file, at, count, to);
    memcpy(to, file->inflated + at, count);
    return 0;
}

/* `count` bytes (few) at `at`, valid until the next call; NULL beyond the end. */
static const unsigned char *peek(sgio_dicom_file *file, uint64_t at, size_t count)
{
    if (sgio_dicom_available(file, at, count) < count) return NULL;
    if (file->inflated) return file->inflated + at;
    if (at < file->window_at || at + count > file->window_at + file->window_size) {
        file->window_at = at;
        file->window_size = (size_t)sgio_dicom_available(file, at, WINDOW);
        if (read_at(file, at, file->window_size, file->window) != 0) {
            file->window_size = 0;
            return NULL;
        }
    }
    return file->window + (at - file->window_at);
}

static uint32_t number(const unsigned char *b, int bytes, int big_endian)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | b[big_endian ? i : bytes - 1 - i];
    return value;
}

static int begins_with_vr(const unsigned char *b)
{
    return isupper(b[0]) && isupper(b[1]);
}

/* These value representations have two reserved bytes and four of length. */
static int is_long(const unsigned char *vr)
{
    static const char kinds[] = "OB OW OF OD OL OV SQ UN UC UR UT SV UV";
    for (const char *kind = kinds; kind[0]; kind += kind[2] ? 3 : 2)
        if (memcmp(kind, vr, 2) == 0) return 1;
    return 0;
}

/* Tag, VR and length at `at`; at->at is behind them. -1 beyond the end. Elements without a VR in
 * explicit files exist (private sequences copied as they were): they are taken as implicit. */
static int read_head(sgio_dicom_file *file, uint64_t at, sgio_dicom_encoding encoding,
                     sgio_dicom_element *out, uint32_t *length)
{
    const unsigned char *b = peek(file, at, 8);
    if (!b) return -1;
    int big = encoding.big_endian;
    memset(out, 0, sizeof *out);
    out->tag = number(b, 2, big) << 16 | number(b + 2, 2, big);
    out->encoding = encoding;
    out->at = at + 8;
    if (encoding.implicit || out->tag >> 16 == item_tag >> 16 || !begins_with_vr(b + 4)) {
        *length = number(b + 4, 4, big);
        return 0;
    }
    memcpy(out->vr, b + 4, 2);
    *length = number(b + 6, 2, big);
    if (!is_long(b + 4)) return 0;
    b = peek(file, at, 12);
    if (!b) return -1;
    *length = number(b + 8, 4, big);
    out->at = at + 12;
    return 0;
}

static int damaged(const sgio_dicom_file *file, const char *how)
{
    sgio_fail(SGIO_UNREADABLE, "%s: not readable as DICOM: %s", file->path, how);
    return -1;
}

void sgio_dicom_begin(sgio_dicom_file *file, sgio_dicom_cursor *cursor)
{
    *cursor = (sgio_dicom_cursor){file->start, file->size, file->encoding, 0};
    file->elements = 0;
}

/* Moves *at behind the items and the delimiter of a sequence of open length. */
static int skip_items(sgio_dicom_file *file, uint64_t *at, const sgio_dicom_cursor *within)
{
    sgio_dicom_cursor items = *within, item;
    items.at = *at;
    for (;;) {
        sgio_dicom_element head;
        uint32_t length;
        if (items.at >= items.end || read_head(file, items.at, items.encoding, &head, &length) != 0)
            return damaged(file, "it ends within a sequence");
        if (head.tag == sequence_end) break;
        if (sgio_dicom_next_item(file, &items, &item) < 0) return -1;
    }
    *at = items.at + 8;
    return 0;
}

/* An unknown element of open length is a sequence in implicit VR (PS3.5 section 6.2.2). */
static int measure(sgio_dicom_file *file, const sgio_dicom_cursor *cursor, sgio_dicom_element *out)
{
    uint64_t end = out->at;
    if (cursor->depth >= DEEPEST) return damaged(file, "sequences are nested more than 64 deep");
    if (memcmp(out->vr, "UN", 2) == 0) out->encoding = (sgio_dicom_encoding){1, 0};
    const sgio_dicom_cursor inside = {out->at, cursor->end, out->encoding, cursor->depth + 1};
    if (skip_items(file, &end, &inside) != 0) return -1;
    out->open_length = 1;
    out->length = end - 8 - out->at;
    return 0;
}

static int take(sgio_dicom_file *file, sgio_dicom_cursor *cursor, sgio_dicom_element *out,
                uint32_t length)
{
    out->depth = cursor->depth;
    if (cursor->depth == 0 && out->tag == pixel_tag) {
        out->open_length = length == open_ended;
        out->length = out->open_length ? cursor->end - out->at : length;
        cursor->at = cursor->end;
        return 1;
    }
    if (length == open_ended) {
        if (measure(file, cursor, out) != 0) return -1;
        cursor->at = out->at + out->length + 8;
        return 1;
    }
    if (length > cursor->end - out->at) return damaged(file, "an element is cut off");
    out->length = length;
    cursor->at = out->at + length;
    return 1;
}

int sgio_dicom_next(sgio_dicom_file *file, sgio_dicom_cursor *cursor, sgio_dicom_element *element)
{
    uint32_t length;
    if (cursor->at >= cursor->end) return 0;
    if (file->elements++ >= MOST_ELEMENTS) return damaged(file, "it has 20 million elements");
    if (read_head(file, cursor->at, cursor->encoding, element, &length) != 0 ||
        element->at > cursor->end)
        return damaged(file, "it ends within an element");
    if (element->tag >> 16 == item_tag >> 16) { /* the delimiter of an item of open length */
        cursor->at += 8;
        cursor->end = cursor->at;
        return 0;
    }
    if (element->tag >> 16 == 0) return damaged(file, "zeros where elements are expected");
    return take(file, cursor, element, length);
}

void sgio_dicom_enter(const sgio_dicom_element *sequence, sgio_dicom_cursor *items)
{
    *items = (sgio_dicom_cursor){sequence->at, sequence->at + sequence->length, sequence->encoding,
                                 sequence->depth + 1};
}

/* Item or fragment of open length: the elements have to be walked to find its end. */
static int measure_item(sgio_dicom_file *file, sgio_dicom_cursor *items, sgio_dicom_cursor *item)
{
    sgio_dicom_cursor walk = *item;
    sgio_dicom_element element;
    int more;
    while ((more = sgio_dicom_next(file, &walk, &element)) > 0) {
    }
    items->at = walk.at;
    item->end = walk.at;
    return more < 0 ? -1 : 1;
}

int sgio_dicom_next_item(sgio_dicom_file *file, sgio_dicom_cursor *items, sgio_dicom_cursor *item)
{
    sgio_dicom_element head;
    uint32_t length;
    if (items->at >= items->end) return 0;
    if (file->elements++ >= MOST_ELEMENTS) return damaged(file, "it has 20 million elements");
    if (read_head(file, items->at, items->encoding, &head, &length) != 0 || head.at > items->end)
        return damaged(file, "it ends within a sequence");
    if (head.tag == sequence_end) return 0;
    if (head.tag != item_tag) return damaged(file, "a sequence holds something else than items");
    *item = (sgio_dicom_cursor){head.at, items->end, items->encoding, items->depth};
    if (length == open_ended) return measure_item(file, items, item);
    if (length > items->end - head.at) return damaged(file, "an item is cut off");
    item->end = items->at = head.at + length;
    return 1;
}

/* Group 2 is explicit VR, little endian, whatever follows it. */
static sgio_status read_meta(sgio_dicom_file *file)
{
    const sgio_dicom_encoding meta = {0, 0};
    const unsigned char *b = peek(file, 0, PREAMBLE);
    uint64_t at = b && memcmp(b + PREAMBLE - 4, "DICM", 4) == 0 ? PREAMBLE : 0;
    sgio_dicom_element element;
    uint32_t length;
    while (at < MOST_META && read_head(file, at, meta, &element, &length) == 0 &&
           element.tag >> 16 == 2) {
        at = element.at + length;
        if (sgio_dicom_available(file, element.at, length) < length)
            return sgio_fail(SGIO_UNREADABLE, "%s: not readable as DICOM: its meta header is cut",
                             file->path);
        if (element.tag != 0x00020010) continue;
        size_t count = length < sizeof file->syntax - 1 ? length : sizeof file->syntax - 1;
        b = peek(file, element.at, count);
        for (size_t i = 0; b && i < count && (isdigit(b[i]) || b[i] == '.'); i++)
            file->syntax[i] = (char)b[i];
    }
    file->start = at;
    return SGIO_OK;
}

/* What the first element shows counts where no syntax is named, and against a name of implicit VR:
 * its two letters would be a length of 16 KiB at least. */
static void find_encoding(sgio_dicom_file *file)
{
    const unsigned char *b = peek(file, file->start, 8);
    int has_vr = b && begins_with_vr(b + 4), big = b && b[0] == 0 && b[1] != 0 && has_vr;
    if (!file->syntax[0])
        snprintf(file->syntax, sizeof file->syntax, "%s",
                 big      ? "1.2.840.10008.1.2.2"
                 : has_vr ? "1.2.840.10008.1.2.1"
                          : "1.2.840.10008.1.2");
    file->encoding.big_endian = strcmp(file->syntax, "1.2.840.10008.1.2.2") == 0;
    file->encoding.implicit = strcmp(file->syntax, "1.2.840.10008.1.2") == 0 && !has_vr;
}

static sgio_status grow(sgio_dicom_file *file, uint64_t room)
{
    unsigned char *grown = realloc(file->inflated, room);
    if (!grown) return sgio_fail_memory(room, file->path);
    file->inflated = grown;
    return SGIO_OK;
}

/* A longer stream is cut: what follows the pixels is of no use. */
static sgio_status inflate_from(sgio_dicom_file *file, sgio_source *source, uint64_t most)
{
    uint64_t room = 0, used = 0;
    size_t got = WINDOW;
    sgio_status status = SGIO_OK;
    while (status == SGIO_OK && used < most && got == WINDOW) {
        if (room - used < WINDOW) {
            room = 2 * room + WINDOW;
            status = grow(file, room);
        }
        if (status == SGIO_OK)
            status = sgio_source_read_some(source, file->inflated + used, WINDOW, &got);
        if (status == SGIO_OK) used += got;
    }
    file->size = used;
    file->start = 0;
    return status;
}

static sgio_status inflate(sgio_dicom_file *file, uint64_t pixel_bytes)
{
    sgio_source *source = NULL;
    sgio_status status = sgio_source_open(file->path, file->start, SGIO_SOURCE_DEFLATED, &source);
    if (status == SGIO_OK) status = inflate_from(file, source, MOST_HEADER + pixel_bytes);
    sgio_source_close(source);
    return status;
}

static sgio_status open_regular(sgio_dicom_file *file)
{
    struct stat info;
    file->descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->descriptor < 0 || fstat(file->descriptor, &info) != 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: cannot be read: %s", file->path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return sgio_fail(SGIO_UNREADABLE, "%s: not a regular file", file->path);
    file->size = file->on_disk = (uint64_t)info.st_size;
    if (file->size == 0) return sgio_fail(SGIO_UNREADABLE, "%s: an empty file", file->path);
    return SGIO_OK;
}

static sgio_status open_file(sgio_dicom_file *file, uint64_t pixel_bytes)
{
    sgio_status status = open_regular(file);
    if (status == SGIO_OK) status = read_meta(file);
    if (status == SGIO_OK && strcmp(file->syntax, "1.2.840.10008.1.2.1.99") == 0)
        status = inflate(file, pixel_bytes);
    if (status == SGIO_OK) find_encoding(file);
    return status;
}

sgio_status sgio_dicom_open(const char *path, uint64_t pixel_bytes, sgio_dicom_file **out)
{
    sgio_dicom_file *file = calloc(1, sizeof *file);
    *out = NULL;
    if (!file) return sgio_fail_memory(sizeof *file, path);
    file->descriptor = -1;
    file->path = strdup(path);
    sgio_status status =
        file->path ? open_file(file, pixel_bytes) : sgio_fail_memory(strlen(path), path);
    if (status == SGIO_OK)
        *out = file;
    else
        sgio_dicom_close(file);
    return status;
}

void sgio_dicom_close(sgio_dicom_file *file)
{
    if (!file) return;
    if (file->descriptor >= 0) close(file->descriptor);
    free(file->inflated);
    free(file->path);
    free(file);
}
