#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomic_file.h"
#include "train/pack_format.h"

struct sgm_pack_writer {
    sgm_atomic_file file;
    int quality;
    uint64_t offset;
    uint8_t *items, *sets;
    size_t item_count, set_count, item_capacity;
};

static sgm_status write_bytes(sgm_pack_writer *writer, const void *bytes, size_t size)
{
    if (fwrite(bytes, 1, size, writer->file.stream) != size)
        return sgm_fail(SGM_UNWRITABLE, "%s: %s", writer->file.path, strerror(errno));
    writer->offset += size;
    return SGM_OK;
}

static sgm_status align(sgm_pack_writer *writer)
{
    static const uint8_t zeros[SGM_PACK_ALIGN];
    return write_bytes(writer, zeros,
                       (SGM_PACK_ALIGN - writer->offset % SGM_PACK_ALIGN) % SGM_PACK_ALIGN);
}

sgm_status sgm_pack_writer_open(const char *path, int compact_quality, sgm_pack_writer **out)
{
    static const uint8_t header[SGM_PACK_HEADER_SIZE];
    *out = NULL;
    if (compact_quality < 0 || compact_quality > 100)
        return sgm_fail(SGM_INVALID_ARGUMENT, "pack quality must be 0..100, found %d",
                        compact_quality);
    sgm_pack_writer *writer = calloc(1, sizeof *writer);
    if (!writer || !(writer->sets = malloc((size_t)SGM_PACK_MAX_SETS * SGM_PACK_SET_SIZE))) {
        free(writer);
        return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory", path);
    }
    writer->quality = compact_quality;
    sgm_atomic_file_sweep_beside(path);
    sgm_status status = sgm_atomic_file_create(path, &writer->file);
    if (status == SGM_OK) status = write_bytes(writer, header, sizeof header);
    if (status != SGM_OK)
        sgm_pack_writer_discard(writer);
    else
        *out = writer;
    return status;
}

static sgm_status put_text(uint8_t *field, const char *text, const char *what)
{
    size_t size = text ? strlen(text) : 0;
    if (size >= SGM_PACK_TEXT)
        return sgm_fail(SGM_INVALID_ARGUMENT, "%s \"%s\" is longer than %d bytes", what, text,
                        SGM_PACK_TEXT - 1);
    if (size) memcpy(field, text, size);
    return SGM_OK;
}

sgm_status sgm_pack_writer_set(sgm_pack_writer *writer, const sgm_pack_set *set, int *index)
{
    if (!set->name || !set->name[0])
        return sgm_fail(SGM_INVALID_ARGUMENT, "a data set needs a name");
    if (writer->set_count == SGM_PACK_MAX_SETS)
        return sgm_fail(SGM_INVALID_ARGUMENT, "more than %d data sets", SGM_PACK_MAX_SETS);
    uint8_t *record = writer->sets + writer->set_count * SGM_PACK_SET_SIZE;
    memset(record, 0, SGM_PACK_SET_SIZE);
    SGM_TRY(put_text(record, set->name, "data set"));
    SGM_TRY(put_text(record + SGM_PACK_TEXT, set->modality, "modality"));
    SGM_TRY(put_text(record + 2 * SGM_PACK_TEXT, set->anatomy, "anatomy"));
    sgm_pack_put(record + 3 * SGM_PACK_TEXT, 4,
                 (set->instances ? SGM_PACK_INSTANCES : 0u) |
                     (set->held_out ? SGM_PACK_HELD_OUT : 0u) | (set->thin ? SGM_PACK_THIN : 0u));
    *index = (int)writer->set_count++;
    return SGM_OK;
}

static sgm_status check_item(const sgm_pack_writer *writer, const sgm_pack_item *item)
{
    if (item->width < 1 || item->width > SGM_PACK_MAX_SIDE || item->height < 1 ||
        item->height > SGM_PACK_MAX_SIDE)
        return sgm_fail(SGM_INVALID_ARGUMENT, "%s: sides must be 1..%d, found %d x %d", item->id,
                        SGM_PACK_MAX_SIDE, item->width, item->height);
    if (item->set < 0 || (size_t)item->set >= writer->set_count ||
        (item->channels != 1 && item->channels != 3) ||
        (item->label_bytes != 1 && item->label_bytes != 2) || !item->image || !item->label ||
        item->volume < 0 || item->volume > SGM_PACK_MAX_VOLUMES || item->slice < 0 ||
        item->slice > UINT16_MAX)
        return sgm_fail(SGM_INVALID_ARGUMENT, "%s: item is incomplete", item->id);
    return SGM_OK;
}

static sgm_status new_record(sgm_pack_writer *writer, uint8_t **record)
{
    if (writer->item_count == SGM_PACK_MAX_ITEMS)
        return sgm_fail(SGM_INVALID_ARGUMENT, "more than %d items", SGM_PACK_MAX_ITEMS);
    if (writer->item_count == writer->item_capacity) {
        size_t capacity = writer->item_capacity ? 2 * writer->item_capacity : 256;
        uint8_t *grown = realloc(writer->items, capacity * SGM_PACK_ITEM_SIZE);
        if (!grown) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the pack's item table");
        writer->items = grown;
        writer->item_capacity = capacity;
    }
    *record = writer->items + writer->item_count * SGM_PACK_ITEM_SIZE;
    memset(*record, 0, SGM_PACK_ITEM_SIZE);
    return SGM_OK;
}

static sgm_status write_image(sgm_pack_writer *writer, const sgm_pack_item *item, size_t *size)
{
    *size = (size_t)item->width * (size_t)item->height * (size_t)item->channels;
    if (!writer->quality) return write_bytes(writer, item->image, *size);
    *size = sgm_cosine_size(item->width, item->height, item->channels);
    int8_t *coefficients = malloc(*size);
    if (!coefficients) return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory", item->id);
    sgm_cosine_encode(item->image, item->width, item->height, item->channels, writer->quality,
                      coefficients);
    sgm_status status = write_bytes(writer, coefficients, *size);
    free(coefficients);
    return status;
}

sgm_status sgm_pack_writer_item(sgm_pack_writer *writer, const sgm_pack_item *item)
{
    SGM_TRY(check_item(writer, item));
    uint8_t *record;
    SGM_TRY(new_record(writer, &record));
    SGM_TRY(put_text(record + 48, item->id, "item"));
    size_t label_size = (size_t)item->width * (size_t)item->height * (size_t)item->label_bytes;
    size_t image_size;
    SGM_TRY(align(writer));
    sgm_pack_put(record, 8, writer->offset);
    SGM_TRY(write_image(writer, item, &image_size));
    SGM_TRY(align(writer));
    sgm_pack_put(record + 8, 8, writer->offset);
    SGM_TRY(write_bytes(writer, item->label, label_size));
    sgm_pack_put(record + 16, 8, image_size);
    sgm_pack_put(record + 24, 8, label_size);
    sgm_pack_put(record + 32, 2, (uint64_t)item->width);
    sgm_pack_put(record + 34, 2, (uint64_t)item->height);
    sgm_pack_put(record + 36, 2, (uint64_t)item->set);
    record[38] = (uint8_t)item->channels;
    record[39] = (uint8_t)item->label_bytes;
    record[40] = (uint8_t)item->split;
    record[41] = writer->quality ? SGM_PACK_COSINE : SGM_PACK_PLAIN;
    record[42] = (uint8_t)writer->quality;
    sgm_pack_put(record + 43, 2, (uint64_t)item->volume);
    sgm_pack_put(record + 45, 2, (uint64_t)item->slice);
    writer->item_count++;
    return SGM_OK;
}

/* ----------------------------------------------------------------------- names that are no names
 */

typedef struct item_name {
    const char *set, *id;
} item_name;

static int compare_names(const void *left, const void *right)
{
    const item_name *a = left, *b = right;
    int set = strcmp(a->set, b->set);
    return set ? set : strcmp(a->id, b->id);
}

/* Features, given prompts and tables know an item by its name. */
static sgm_status check_names(const sgm_pack_writer *writer)
{
    item_name *names = malloc((writer->item_count + 1) * sizeof *names);
    if (!names) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the names of a pack");
    for (size_t i = 0; i < writer->item_count; i++) {
        const uint8_t *item = writer->items + i * SGM_PACK_ITEM_SIZE;
        const uint8_t *set = writer->sets + sgm_pack_get(item + 36, 2) * SGM_PACK_SET_SIZE;
        names[i] = (item_name){(const char *)set, (const char *)item + 48};
    }
    qsort(names, writer->item_count, sizeof *names, compare_names);
    sgm_status status = SGM_OK;
    for (size_t i = 1; i < writer->item_count && status == SGM_OK; i++)
        if (compare_names(&names[i - 1], &names[i]) == 0)
            status = sgm_fail(SGM_INVALID_ARGUMENT, "%s: two items of data set %s are named %s",
                              writer->file.path, names[i].set, names[i].id);
    free(names);
    return status;
}

static sgm_status write_tables(sgm_pack_writer *writer)
{
    uint8_t header[SGM_PACK_HEADER_SIZE] = SGM_PACK_MAGIC;
    if (!writer->item_count)
        return sgm_fail(SGM_INVALID_ARGUMENT, "%s: a pack needs at least one item",
                        writer->file.path);
    SGM_TRY(check_names(writer));
    SGM_TRY(align(writer));
    sgm_pack_put(header + 8, 4, writer->item_count);
    sgm_pack_put(header + 12, 4, writer->set_count);
    sgm_pack_put(header + 16, 8, writer->offset);
    SGM_TRY(write_bytes(writer, writer->items, writer->item_count * SGM_PACK_ITEM_SIZE));
    sgm_pack_put(header + 24, 8, writer->offset);
    SGM_TRY(write_bytes(writer, writer->sets, writer->set_count * SGM_PACK_SET_SIZE));
    sgm_pack_put(header + 32, 8, writer->offset);
    if (fseeko(writer->file.stream, 0, SEEK_SET) != 0)
        return sgm_fail(SGM_UNWRITABLE, "%s: %s", writer->file.path, strerror(errno));
    return write_bytes(writer, header, sizeof header);
}

sgm_status sgm_pack_writer_finish(sgm_pack_writer *writer)
{
    sgm_status status = write_tables(writer);
    if (status == SGM_OK) status = sgm_atomic_file_commit(&writer->file);
    sgm_pack_writer_discard(writer);
    return status;
}

void sgm_pack_writer_discard(sgm_pack_writer *writer)
{
    if (!writer) return;
    sgm_atomic_file_abandon(&writer->file);
    free(writer->items);
    free(writer->sets);
    free(writer);
}
