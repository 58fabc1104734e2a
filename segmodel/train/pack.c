#include "train/pack.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint/mapped_file.h"
#include "core/hash.h"
#include "train/pack_format.h"

struct sgm_pack {
    sgm_mapped_file file; /* bytes == NULL when opened from memory */
    const uint8_t *bytes;
    uint64_t size;
    const char *label;
    char *label_copy;
    int item_count, set_count;
    sgm_pack_item *items;
    sgm_pack_set *sets;
    uint8_t **decoded; /* pixels of compact items */
    uint64_t hash;
    const uint8_t *records; /* of the items, in the file */
    sgm_pack_content content;
    bool has_content;
};

static sgm_status bad(const sgm_pack *pack, const char *what)
{
    return sgm_fail(SGM_UNREADABLE, "%s: not a usable training pack: %s", pack->label, what);
}

static bool in_file(const sgm_pack *pack, uint64_t offset, uint64_t size)
{
    return offset >= SGM_PACK_HEADER_SIZE && offset <= pack->size && size <= pack->size - offset;
}

static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001B3u;
    return hash;
}

static bool text_ends(const uint8_t *text)
{
    return memchr(text, 0, SGM_PACK_TEXT) != NULL;
}

static sgm_status read_set(sgm_pack *pack, const uint8_t *record, sgm_pack_set *set)
{
    for (int i = 0; i < 3; i++)
        if (!text_ends(record + i * SGM_PACK_TEXT))
            return bad(pack, "a data set's name never ends");
    if (!record[0]) return bad(pack, "a data set has no name");
    const char *text = (const char *)record;
    uint32_t flags = (uint32_t)sgm_pack_get(record + 3 * SGM_PACK_TEXT, 4);
    *set = (sgm_pack_set){text,
                          text + SGM_PACK_TEXT,
                          text + 2 * SGM_PACK_TEXT,
                          flags & SGM_PACK_INSTANCES,
                          flags & SGM_PACK_HELD_OUT,
                          flags & SGM_PACK_THIN};
    return SGM_OK;
}

static sgm_status decode_image(sgm_pack *pack, int index, const uint8_t *data, int quality)
{
    sgm_pack_item *item = &pack->items[index];
    size_t size = (size_t)item->width * (size_t)item->height * (size_t)item->channels;
    uint8_t *pixels = malloc(size);
    if (!pixels) return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory for its images", pack->label);
    pack->decoded[index] = pixels;
    sgm_cosine_decode((const int8_t *)data, item->width, item->height, item->channels, quality,
                      pixels);
    item->image = pixels;
    return SGM_OK;
}

static bool item_fields_ok(const sgm_pack *pack, const sgm_pack_item *item, int coding, int quality)
{
    return item->width >= 1 && item->width <= SGM_PACK_MAX_SIDE && item->height >= 1 &&
           item->height <= SGM_PACK_MAX_SIDE && item->set < pack->set_count &&
           (item->channels == 1 || item->channels == 3) &&
           (item->label_bytes == 1 || item->label_bytes == 2) &&
           (item->split == SGM_SPLIT_TRAIN || item->split == SGM_SPLIT_VALIDATION) &&
           (coding == SGM_PACK_PLAIN ||
            (coding == SGM_PACK_COSINE && quality >= 1 && quality <= 100));
}

static sgm_status read_item(sgm_pack *pack, const uint8_t *record, int index)
{
    sgm_pack_item *item = &pack->items[index];
    uint64_t image = sgm_pack_get(record, 8), label = sgm_pack_get(record + 8, 8);
    item->width = (int)sgm_pack_get(record + 32, 2);
    item->height = (int)sgm_pack_get(record + 34, 2);
    item->set = (int)sgm_pack_get(record + 36, 2);
    item->channels = record[38];
    item->label_bytes = record[39];
    item->split = (sgm_split)record[40];
    int coding = record[41], quality = record[42];
    item->volume = (int)sgm_pack_get(record + 43, 2);
    item->slice = (int)sgm_pack_get(record + 45, 2);
    item->id = (const char *)record + 48;
    if (!text_ends(record + 48)) return bad(pack, "an item's name never ends");
    if (!item_fields_ok(pack, item, coding, quality)) return bad(pack, "an item's record is wrong");
    uint64_t pixels = (uint64_t)item->width * (uint64_t)item->height;
    uint64_t image_size = coding == SGM_PACK_PLAIN
                              ? pixels * (uint64_t)item->channels
                              : sgm_cosine_size(item->width, item->height, item->channels);
    uint64_t label_size = pixels * (uint64_t)item->label_bytes;
    if (sgm_pack_get(record + 16, 8) != image_size || sgm_pack_get(record + 24, 8) != label_size ||
        !in_file(pack, image, image_size) || !in_file(pack, label, label_size))
        return bad(pack, "an item's pixels lie outside the file");
    item->image = pack->bytes + image;
    item->label = pack->bytes + label;
    return coding == SGM_PACK_PLAIN ? SGM_OK
                                    : decode_image(pack, index, pack->bytes + image, quality);
}

static sgm_status read_tables(sgm_pack *pack)
{
    const uint8_t *header = pack->bytes;
    if (pack->size < SGM_PACK_HEADER_SIZE || memcmp(header, SGM_PACK_MAGIC, 8) != 0)
        return bad(pack, "it does not begin as one");
    uint64_t items = sgm_pack_get(header + 8, 4), sets = sgm_pack_get(header + 12, 4);
    uint64_t item_table = sgm_pack_get(header + 16, 8), set_table = sgm_pack_get(header + 24, 8);
    if (sgm_pack_get(header + 32, 8) != pack->size) return bad(pack, "it is cut or has grown");
    if (items < 1 || items > SGM_PACK_MAX_ITEMS || sets < 1 || sets > SGM_PACK_MAX_SETS)
        return bad(pack, "the number of items or data sets is impossible");
    if (!in_file(pack, item_table, items * SGM_PACK_ITEM_SIZE) ||
        !in_file(pack, set_table, sets * SGM_PACK_SET_SIZE))
        return bad(pack, "a table lies outside the file");
    pack->item_count = (int)items;
    pack->set_count = (int)sets;
    pack->items = calloc(items, sizeof *pack->items);
    pack->sets = calloc(sets, sizeof *pack->sets);
    pack->decoded = calloc(items, sizeof *pack->decoded);
    if (!pack->items || !pack->sets || !pack->decoded)
        return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory for its tables", pack->label);
    const uint8_t *set_bytes = pack->bytes + set_table, *item_bytes = pack->bytes + item_table;
    pack->records = item_bytes;
    for (int i = 0; i < pack->set_count; i++)
        SGM_TRY(read_set(pack, set_bytes + i * SGM_PACK_SET_SIZE, &pack->sets[i]));
    for (int i = 0; i < pack->item_count; i++)
        SGM_TRY(read_item(pack, item_bytes + (size_t)i * SGM_PACK_ITEM_SIZE, i));
    pack->hash = hash_bytes(0xCBF29CE484222325u, item_bytes, items * SGM_PACK_ITEM_SIZE);
    pack->hash = hash_bytes(pack->hash, set_bytes, sets * SGM_PACK_SET_SIZE);
    return SGM_OK;
}

sgm_status sgm_pack_open_memory(const void *bytes, size_t size, const char *label, sgm_pack **out)
{
    *out = NULL;
    sgm_pack *pack = calloc(1, sizeof *pack);
    if (!pack || !(pack->label_copy = strdup(label))) {
        free(pack);
        return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory", label);
    }
    pack->label = pack->label_copy;
    pack->bytes = bytes;
    pack->size = size;
    sgm_status status = read_tables(pack);
    if (status != SGM_OK) {
        sgm_pack_close(pack);
        return status;
    }
    *out = pack;
    return SGM_OK;
}

sgm_status sgm_pack_open(const char *path, sgm_pack **out)
{
    sgm_mapped_file file;
    *out = NULL;
    SGM_TRY(sgm_mapped_file_open_kept(path, SGM_UNREADABLE, &file));
    sgm_status status = sgm_pack_open_memory(file.bytes, file.size, path, out);
    if (status != SGM_OK)
        sgm_mapped_file_close(&file);
    else
        (*out)->file = file;
    return status;
}

void sgm_pack_close(sgm_pack *pack)
{
    if (!pack) return;
    for (int i = 0; pack->decoded && i < pack->item_count; i++)
        free(pack->decoded[i]);
    free(pack->decoded);
    free(pack->items);
    free(pack->sets);
    free(pack->label_copy);
    if (pack->file.bytes) sgm_mapped_file_close(&pack->file);
    free(pack);
}

int sgm_pack_item_count(const sgm_pack *pack)
{
    return pack->item_count;
}

int sgm_pack_set_count(const sgm_pack *pack)
{
    return pack->set_count;
}

const sgm_pack_item *sgm_pack_item_at(const sgm_pack *pack, int index)
{
    return &pack->items[index];
}

const sgm_pack_set *sgm_pack_set_at(const sgm_pack *pack, int index)
{
    return &pack->sets[index];
}

static bool is_slice(const sgm_pack *pack, int index, const sgm_pack_item *of, int slice)
{
    if (index < 0 || index >= pack->item_count) return false;
    const sgm_pack_item *item = &pack->items[index];
    return item->volume == of->volume && item->slice == slice && item->set == of->set &&
           item->width == of->width && item->height == of->height;
}

/* Packs are written in the order of slices: the neighbour is nearly always where it should be. */
int sgm_pack_neighbour(const sgm_pack *pack, int index, int step)
{
    const sgm_pack_item *item = &pack->items[index];
    int slice = item->slice + step;
    if (!item->volume) return -1;
    if (is_slice(pack, index + step, item, slice)) return index + step;
    for (int i = 0; i < pack->item_count; i++)
        if (is_slice(pack, i, item, slice)) return i;
    return -1;
}

uint64_t sgm_pack_hash(const sgm_pack *pack)
{
    return pack->hash;
}

/* ------------------------------------------------------------------------------- its content */

enum { BLOCK = 1 << 20 };

/* Through the file where there is one: pages that are only hashed do not count as memory. */
static sgm_status hash_part(const sgm_pack *pack, uint64_t offset, uint64_t size, uint8_t *block,
                            uint64_t *hash)
{
    while (size) {
        size_t part = size < BLOCK ? (size_t)size : BLOCK;
        const uint8_t *bytes = pack->bytes + offset;
        if (pack->file.bytes) {
            if (!sgm_mapped_file_read(&pack->file, (size_t)offset, part, block))
                return bad(pack, "it has become shorter or cannot be read");
            bytes = block;
        }
        *hash = sgm_hash_join(*hash, sgm_hash(bytes, part));
        offset += part;
        size -= part;
    }
    return SGM_OK;
}

static sgm_status hash_item(const sgm_pack *pack, int index, uint8_t *block, sgm_pack_content *c)
{
    const uint8_t *record = pack->records + (size_t)index * SGM_PACK_ITEM_SIZE;
    const sgm_pack_item *item = &pack->items[index];
    const uint64_t form[] = {sgm_pack_get(record + 16, 8), (uint64_t)item->width,
                             (uint64_t)item->height, (uint64_t)item->channels,
                             sgm_pack_get(record + 41, 2)}; /* coding, quality */
    c->pictures = sgm_hash_text(c->pictures, pack->sets[item->set].name);
    c->pictures = sgm_hash_text(c->pictures, item->id);
    c->pictures = sgm_hash_join(c->pictures, sgm_hash(form, sizeof form));
    SGM_TRY(hash_part(pack, sgm_pack_get(record, 8), form[0], block, &c->pictures));
    return hash_part(pack, sgm_pack_get(record + 8, 8), sgm_pack_get(record + 24, 8), block,
                     &c->labels);
}

sgm_status sgm_pack_content_of(sgm_pack *pack, sgm_pack_content *out)
{
    sgm_pack_content c = {0};
    uint8_t *block = pack->has_content ? NULL : malloc(BLOCK);
    if (!pack->has_content && !block)
        return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory", pack->label);
    sgm_status status = SGM_OK;
    for (int i = 0; block && status == SGM_OK && i < pack->item_count; i++)
        status = hash_item(pack, i, block, &c);
    free(block);
    if (status != SGM_OK) return status;
    if (!pack->has_content) pack->content = c;
    pack->has_content = true;
    *out = pack->content;
    return SGM_OK;
}
