#include "checkpoint/zip_directory.h"

#include "checkpoint/parse_arena.h"
#include "core/status.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Fixed parts of the records, without names and comments. */
enum { LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22, LOCATOR_SIZE = 20, END64_SIZE = 56 };
enum { MAX_COMMENT = 65535, MAX_ENTRIES = 1 << 20, ENCRYPTION_FLAGS = 0x2041 };

typedef struct {
    uint64_t count, size, offset;
    size_t at; /* where the end record (the ZIP64 one if there is one) begins */
} directory;

static uint16_t u16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t u32(const unsigned char *p)
{
    return u16(p) | (uint32_t)u16(p + 2) << 16;
}

static uint64_t u64(const unsigned char *p)
{
    return u32(p) | (uint64_t)u32(p + 4) << 32;
}

static bool is_record(const unsigned char *p, char a, char b)
{
    return p[0] == 'P' && p[1] == 'K' && p[2] == (unsigned char)a && p[3] == (unsigned char)b;
}

/* ----------------------------------------------------------------------------- end of archive */

static bool find_end(const sgm_zip *z, size_t *at)
{
    if (z->size < END_SIZE) return false;
    for (size_t comment = 0; comment <= MAX_COMMENT && comment + END_SIZE <= z->size; comment++) {
        const unsigned char *p = z->bytes + z->size - END_SIZE - comment;
        if (is_record(p, 5, 6) && u16(p + 20) == comment) {
            *at = (size_t)(p - z->bytes);
            return true;
        }
    }
    return false;
}

static sgm_status read_end64(const sgm_zip *z, directory *d)
{
    if (d->at < LOCATOR_SIZE || !is_record(z->bytes + d->at - LOCATOR_SIZE, 6, 7))
        return sgm_fail(SGM_BAD_MODEL, "zip: the ZIP64 locator is missing");
    size_t locator = d->at - LOCATOR_SIZE;
    uint64_t at = u64(z->bytes + locator + 8);
    if (locator < END64_SIZE || at > locator - END64_SIZE || !is_record(z->bytes + at, 6, 6))
        return sgm_fail(SGM_BAD_MODEL, "zip: the ZIP64 end record is not where byte %zu says",
                        locator);
    const unsigned char *p = z->bytes + at;
    if (u32(p + 16) != 0 || u32(p + 20) != 0 || u64(p + 24) != u64(p + 32))
        return sgm_fail(SGM_BAD_MODEL, "zip: split archives are not supported");
    *d = (directory){u64(p + 32), u64(p + 40), u64(p + 48), (size_t)at};
    return SGM_OK;
}

static sgm_status read_end(const sgm_zip *z, directory *d)
{
    if (!find_end(z, &d->at))
        return sgm_fail(SGM_BAD_MODEL, "zip: no end-of-directory record (is the file cut off?)");
    const unsigned char *p = z->bytes + d->at;
    d->count = u16(p + 10);
    d->size = u32(p + 12);
    d->offset = u32(p + 16);
    if (d->count == 0xffff || d->size == 0xffffffff || d->offset == 0xffffffff)
        return read_end64(z, d);
    if (u16(p + 4) != 0 || u16(p + 6) != 0 || u16(p + 8) != d->count)
        return sgm_fail(SGM_BAD_MODEL, "zip: split archives are not supported");
    return SGM_OK;
}

static sgm_status check_directory(const directory *d)
{
    if (d->offset > d->at || d->size > d->at - d->offset)
        return sgm_fail(SGM_BAD_MODEL,
                        "zip: a directory of %llu bytes at %llu does not fit before byte %zu",
                        (unsigned long long)d->size, (unsigned long long)d->offset, d->at);
    if (d->count > d->size / CENTRAL_SIZE || d->count > MAX_ENTRIES)
        return sgm_fail(SGM_BAD_MODEL, "zip: %llu entries do not fit a directory of %llu bytes",
                        (unsigned long long)d->count, (unsigned long long)d->size);
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------ entries */

typedef struct {
    uint64_t size, packed_size, offset;
} extents;

/* Replaces saturated 32-bit fields by those of the ZIP64 extra field, which come in this order. */
static bool read_extra64(const unsigned char *extra, size_t length, extents *e)
{
    while (length >= 4) {
        size_t id = u16(extra), n = u16(extra + 2);
        extra += 4, length -= 4;
        if (n > length) return false;
        if (id == 1) {
            uint64_t *fields[] = {&e->size, &e->packed_size, &e->offset};
            for (int i = 0; i < 3; i++) {
                if (*fields[i] != 0xffffffff) continue;
                if (n < 8) return false;
                *fields[i] = u64(extra);
                extra += 8, length -= 8, n -= 8;
            }
            return true;
        }
        extra += n, length -= n;
    }
    return e->size != 0xffffffff && e->packed_size != 0xffffffff && e->offset != 0xffffffff;
}

static sgm_status fail_entry(const sgm_zip_entry *entry, const char *what)
{
    char text[96];
    return sgm_fail(SGM_BAD_MODEL, "zip entry '%s' %s",
                    sgm_printable(entry->name, entry->name_length, text), what);
}

static sgm_status check_entry(const sgm_zip *z, const unsigned char *p, const extents *e,
                              const sgm_zip_entry *entry)
{
    if (u16(p + 34) != 0) return fail_entry(entry, "lies in another part of a split archive");
    if (entry->stored && e->size != e->packed_size)
        return fail_entry(entry, "has two different sizes");
    if (e->offset > z->data_end || e->packed_size > z->data_end - e->offset)
        return fail_entry(entry, "reaches beyond the file");
    return SGM_OK;
}

/* Reads the entry at *at of the directory that ends at `end`, and moves *at on. */
static sgm_status read_entry(const sgm_zip *z, size_t *at, size_t end, sgm_zip_entry *entry)
{
    const unsigned char *p = z->bytes + *at;
    if (end - *at < CENTRAL_SIZE || !is_record(p, 1, 2))
        return sgm_fail(SGM_BAD_MODEL, "zip: no directory entry at byte %zu", *at);
    size_t name_length = u16(p + 28), extra_length = u16(p + 30);
    size_t length = CENTRAL_SIZE + name_length + extra_length + u16(p + 32);
    if (length > end - *at)
        return sgm_fail(SGM_BAD_MODEL, "zip: the directory entry at byte %zu is cut off", *at);
    extents e = {u32(p + 24), u32(p + 20), u32(p + 42)};
    *entry = (sgm_zip_entry){.name = (const char *)p + CENTRAL_SIZE, .name_length = name_length};
    entry->encrypted = (u16(p + 8) & ENCRYPTION_FLAGS) != 0;
    entry->stored = u16(p + 10) == 0;
    if (!read_extra64(p + CENTRAL_SIZE + name_length, extra_length, &e))
        return fail_entry(entry, "has a damaged ZIP64 field");
    SGM_TRY(check_entry(z, p, &e, entry));
    entry->size = (size_t)e.size;
    entry->local_offset = (size_t)e.offset;
    *at += length;
    return SGM_OK;
}

static int compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int compare_entries(const void *a, const void *b)
{
    const sgm_zip_entry *x = a, *y = b;
    return compare(x->name, x->name_length, y->name, y->name_length);
}

static sgm_status read_entries(sgm_zip *z, const directory *d)
{
    size_t at = (size_t)d->offset, end = at + (size_t)d->size;
    for (; z->count < d->count; z->count++)
        SGM_TRY(read_entry(z, &at, end, &z->entries[z->count]));
    if (at != end)
        return sgm_fail(SGM_BAD_MODEL, "zip: %zu bytes too many in the directory", end - at);
    qsort(z->entries, z->count, sizeof *z->entries, compare_entries);
    for (size_t i = 1; i < z->count; i++)
        if (compare_entries(&z->entries[i - 1], &z->entries[i]) == 0)
            return fail_entry(&z->entries[i], "occurs twice");
    return SGM_OK;
}

sgm_status sgm_zip_open(const void *bytes, size_t size, sgm_zip *out)
{
    sgm_zip z = {.bytes = bytes, .size = size};
    directory d = {0};
    SGM_TRY(read_end(&z, &d));
    SGM_TRY(check_directory(&d));
    z.data_end = (size_t)d.offset;
    z.entries = malloc(((size_t)d.count + 1) * sizeof *z.entries);
    if (!z.entries) return sgm_fail(SGM_OUT_OF_MEMORY, "zip: out of memory for the directory");
    sgm_status status = read_entries(&z, &d);
    if (status == SGM_OK)
        *out = z;
    else
        free(z.entries);
    return status;
}

void sgm_zip_close(sgm_zip *zip)
{
    free(zip->entries);
    *zip = (sgm_zip){0};
}

const sgm_zip_entry *sgm_zip_find(const sgm_zip *z, const char *name, size_t name_length)
{
    sgm_zip_entry key = {.name = name, .name_length = name_length};
    if (z->count == 0) return NULL;
    return bsearch(&key, z->entries, z->count, sizeof key, compare_entries);
}

sgm_status sgm_zip_data(const sgm_zip *z, const sgm_zip_entry *entry, const unsigned char **data)
{
    if (entry->encrypted) return fail_entry(entry, "is encrypted");
    if (!entry->stored)
        return fail_entry(entry, "is compressed; PyTorch stores entries uncompressed, save the "
                                 "checkpoint again with torch.save");
    size_t room = z->data_end - entry->local_offset;
    const unsigned char *p = z->bytes + entry->local_offset;
    if (room < LOCAL_SIZE || !is_record(p, 3, 4))
        return fail_entry(entry, "has no local header where the directory says");
    size_t header = LOCAL_SIZE + u16(p + 26) + (size_t)u16(p + 28);
    if (header > room || entry->size > room - header)
        return fail_entry(entry, "reaches beyond the file");
    if (u16(p + 26) != entry->name_length ||
        memcmp(p + LOCAL_SIZE, entry->name, entry->name_length) != 0)
        return fail_entry(entry, "has another name in its local header");
    *data = p + header;
    return SGM_OK;
}
