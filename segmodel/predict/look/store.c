/* Embeddings in a folder. See segmodel/segmodel.h for what is promised.
 *
 * A file is a header and its values in the machine's byte order; a file from a machine of another
 * order does not have our magic and counts as missing. Values are exact: rounding them (to FP16,
 * say, which a bf16 network's accuracy would allow) would make a second run differ from the first,
 * and break the exact mode's parity; where the device's embeddings are BF16 numbers anyway, two
 * bytes hold them. The time of the last use is the file's modification time, because access times
 * are often switched off. */
#include "segmodel/segmodel.h"

#include "core/atomic_file.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/number.h"
#include "core/status.h"
#include "core/sync.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAME_LENGTH = 20, STALE_SECONDS = 3600 };

typedef struct file_header {
    char magic[8];
    uint32_t order; /* 0x01020304 */
    uint32_t width; /* bytes per value: 4 (FP32) or 2 (BF16) */
    uint64_t key;
    uint64_t count;
    uint64_t checksum; /* of the values as stored: core/hash.h */
} file_header;

static const char magic[8] = {'s', 'g', 'm', 'e', 'm', 'b', '0', '1'};

typedef struct folder {
    sgm_folder *folder;
    uint64_t limit;
    sgm_mutex lock; /* of `size`, and of removing files: several threads may put */
    uint64_t size;  /* bytes in it, as of the last count plus what was written since */
    uint64_t full;  /* bytes beyond which to look for what can go: the limit, or more where what is
                       in  the folder could not be removed */
} folder;

/* ----------------------------------------------------------------------------------- contents */

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static int are_bf16(const float *values, size_t count)
{
    uint32_t low = 0;
    for (size_t i = 0; i < count; i++)
        low |= bits_of(values[i]) & 0xffff;
    return low == 0;
}

static void narrow(const float *values, size_t count, uint16_t *halves)
{
    for (size_t i = 0; i < count; i++)
        halves[i] = (uint16_t)(bits_of(values[i]) >> 16);
}

static void widen(const uint16_t *halves, size_t count, float *values)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)halves[i] << 16;
        memcpy(&values[i], &bits, sizeof bits);
    }
}

/* -------------------------------------------------------------------------------------- files */

static void name_of(uint64_t key, char name[NAME_LENGTH + 1])
{
    snprintf(name, NAME_LENGTH + 1, "%016llx.emb", (unsigned long long)key);
}

static int is_our_name(const char *name)
{
    return strlen(name) == NAME_LENGTH && strspn(name, "0123456789abcdef") == 16 &&
           strcmp(name + 16, ".emb") == 0;
}

static int fits(const file_header *header, uint64_t key, size_t count)
{
    return memcmp(header->magic, magic, sizeof magic) == 0 && header->order == 0x01020304 &&
           (header->width == 2 || header->width == 4) && header->key == key &&
           header->count == count;
}

static int read_values(int file, const file_header *header, float *values)
{
    size_t count = (size_t)header->count;
    if (header->width == 4)
        return sgm_read_all(file, values, count * 4) &&
               sgm_hash(values, count * 4) == header->checksum;
    uint16_t *halves = malloc(count * 2);
    int ok = halves && sgm_read_all(file, halves, count * 2) &&
             sgm_hash(halves, count * 2) == header->checksum;
    if (ok) widen(halves, count, values);
    free(halves);
    return ok;
}

/* An entry as it stands in the folder; it may be anything. A network's embedding is finite; values
 * that are not would spoil every mask made of them. */
static int read_entry(int file, uint64_t key, float *values, size_t count)
{
    sgm_file_info info;
    file_header header;
    if (!sgm_descriptor_info(file, &info) || !info.regular) return 0;
    if (!sgm_read_all(file, &header, sizeof header) || !fits(&header, key, count)) return 0;
    if (info.size != sizeof header + (uint64_t)count * header.width) return 0;
    if (!read_values(file, &header, values) || !sgm_are_finite(values, count)) return 0;
    sgm_touch(file); /* used now; a failure only ages the entry */
    return 1;
}

static int store_get(void *user, uint64_t key, float *values, size_t count)
{
    folder *f = user;
    char name[NAME_LENGTH + 1];
    name_of(key, name);
    int file = sgm_folder_read(f->folder, name);
    if (file < 0) return 0;
    int ok = read_entry(file, key, values, count);
    sgm_close(file);
    return ok;
}

/* ----------------------------------------------------------------------------------- eviction */

typedef struct entry {
    char name[NAME_LENGTH + 1];
    int64_t used, nanoseconds;
    uint64_t size;
} entry;

typedef struct listing {
    entry *entries;
    size_t count, room;
    uint64_t size;
} listing;

static int add_entry(listing *list, const char *name, const sgm_file_info *info)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        entry *grown = realloc(list->entries, room * sizeof *grown);
        if (!grown) return 0;
        list->entries = grown;
        list->room = room;
    }
    entry *e = &list->entries[list->count++];
    memcpy(e->name, name, NAME_LENGTH + 1);
    e->used = info->changed;
    e->nanoseconds = info->nanoseconds;
    e->size = info->size;
    list->size += e->size;
    return 1;
}

/* Half-written. */
static bool is_half(const char *name)
{
    char whole[NAME_LENGTH + 1];
    long process;
    snprintf(whole, sizeof whole, "%.*s", NAME_LENGTH, name);
    return is_our_name(whole) && sgm_atomic_file_is_half(name, whole, &process);
}

/* Of processes that died. */
static void remove_if_stale(const folder *f, const char *name, const sgm_file_info *info)
{
    if (is_half(name) && time(NULL) - info->changed > STALE_SECONDS)
        sgm_folder_remove(f->folder, name);
}

typedef struct look_through {
    const folder *folder;
    listing *list;
} look_through;

static bool see_file(void *user, const char *name, const sgm_file_info *info)
{
    const look_through *look = user;
    remove_if_stale(look->folder, name, info);
    return !is_our_name(name) || add_entry(look->list, name, info);
}

/* Our entries; what else lies in the folder is none of our business. 0: cannot be listed. */
static int list_entries(const folder *f, listing *list)
{
    look_through look = {f, list};
    *list = (listing){0};
    return sgm_folder_list(f->folder, see_file, &look);
}

static int compare_use(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->used != y->used) return x->used < y->used ? -1 : 1;
    if (x->nanoseconds != y->nanoseconds) return x->nanoseconds < y->nanoseconds ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* What was used longest ago, until the rest is within the limit, and then as long as the rest fills
 * seven eighths of it: listing takes as long as there are files and must not be due at every put.
 */
static void remove_oldest(const folder *f, listing *list)
{
    const uint64_t target = f->limit - f->limit / 8;
    qsort(list->entries, list->count, sizeof *list->entries, compare_use);
    for (size_t i = 0; i < list->count; i++) {
        const entry *oldest = &list->entries[i];
        if (list->size <= f->limit && list->size < target + oldest->size) return;
        if (sgm_folder_remove(f->folder, oldest->name)) list->size -= oldest->size;
    }
}

/* Counts the folder and brings it within the limit. */
static void shrink(folder *f)
{
    listing list;
    if (list_entries(f, &list)) {
        if (list.count && f->limit && list.size > f->limit) remove_oldest(f, &list);
        f->size = list.size;
    }
    f->full = f->size > f->limit ? f->size + f->limit / 8 : f->limit;
    free(list.entries);
}

/* ------------------------------------------------------------------------------------ writing */

static int write_entry(sgm_atomic_file *file, uint64_t key, const float *values, size_t count)
{
    file_header header = {
        .order = 0x01020304, .width = are_bf16(values, count) ? 2 : 4, .key = key, .count = count};
    memcpy(header.magic, magic, sizeof magic);
    uint16_t *halves = NULL;
    const void *data = values;
    if (header.width == 2) {
        data = halves = malloc(count * 2);
        if (!halves) return 0;
        narrow(values, count, halves);
    }
    header.checksum = sgm_hash(data, count * header.width);
    int ok = sgm_atomic_file_write(file, &header, sizeof header) == SGM_OK &&
             sgm_atomic_file_write(file, data, count * header.width) == SGM_OK;
    free(halves);
    return ok;
}

static void store_put(void *user, uint64_t key, const float *values, size_t count)
{
    folder *f = user;
    sgm_atomic_file file;
    char name[NAME_LENGTH + 1];
    uint64_t size = sizeof(file_header) + (uint64_t)count * 4;
    if (!count || (f->limit && size > f->limit) || !sgm_are_finite(values, count)) return;
    name_of(key, name);
    if (sgm_atomic_file_create_entry(f->folder, name, &file) != SGM_OK) return;
    if (!write_entry(&file, key, values, count)) {
        sgm_atomic_file_abandon(&file);
        return;
    }
    if (sgm_atomic_file_commit(&file) != SGM_OK) return;
    sgm_mutex_lock(&f->lock);
    f->size += size;
    if (f->limit && f->size > f->full) shrink(f);
    sgm_mutex_unlock(&f->lock);
}

/* ------------------------------------------------------------------------------ open and close */

static sgm_status cannot(const char *what, const char *path)
{
    return sgm_fail(SGM_UNWRITABLE, "%s: the embedding cache's folder cannot be %s: %s", path, what,
                    strerror(errno));
}

static bool is_separator(char c)
{
#ifdef _WIN32
    if (c == '\\') return true;
#endif
    return c == '/';
}

/* The folder that one lies in; malloc'ed. NULL: none that its name tells, or no memory. */
static char *folder_above(const char *path)
{
    size_t length = strlen(path);
    while (length > 0 && is_separator(path[length - 1]))
        length--;
    while (length > 0 && !is_separator(path[length - 1]))
        length--;
    char *above = length > 0 ? malloc(length + 1) : NULL;
    if (!above) return NULL;
    memcpy(above, path, length);
    above[length] = 0;
    return above;
}

/* With those above it: in a new home or container ~/.cache is not there yet. */
static bool make_folders(const char *path)
{
    if (sgm_make_folder(path, true)) return true;
    if (errno != ENOENT) return false;
    char *above = folder_above(path);
    bool made = above && make_folders(above);
    free(above);
    return made && sgm_make_folder(path, true);
}

static sgm_status open_folder(const char *path, sgm_folder **opened)
{
    if (!make_folders(path) && errno != ENOTDIR) return cannot("made", path);
    *opened = sgm_folder_open(path);
    if (!*opened) return cannot("opened", path);
    if (sgm_folder_writable(*opened)) return SGM_OK;
    sgm_status status = cannot("written", path);
    sgm_folder_close(*opened);
    return status;
}

sgm_status sgm_store_open(const char *path, uint64_t limit_bytes, sgm_embedding_store *store)
{
    if (!path || !*path || !store)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_store_open: no folder or no store");
    *store = (sgm_embedding_store){0};
    sgm_folder *opened;
    SGM_TRY(open_folder(path, &opened));
    folder *f = calloc(1, sizeof *f);
    if (!f) {
        sgm_folder_close(opened);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the embedding cache");
    }
    sgm_mutex_create(&f->lock);
    f->folder = opened;
    f->limit = limit_bytes;
    shrink(f);
    *store = (sgm_embedding_store){store_get, store_put, f};
    return SGM_OK;
}

void sgm_store_close(sgm_embedding_store *store)
{
    if (!store || !store->user) return;
    folder *f = store->user;
    sgm_folder_close(f->folder);
    sgm_mutex_destroy(&f->lock);
    free(f);
    *store = (sgm_embedding_store){0};
}
