/* Training packs: images, label maps and where they come from, in one file.
 *
 * Little endian. A header (64 bytes), the pixel data of all items, the items' records, the records
 * of the data sets (layout: pack_format.h). Pixels are stored plainly, so that a pack is mapped and
 * read at memory speed; the compact form stores images as quantised 8 x 8 cosine coefficients of
 * the same size instead, which a general compressor then makes small for the journey (see
 * resources/train/README.md). Packs are data from outside: everything is checked at open. */
#ifndef SEGMODEL_TRAIN_PACK_H
#define SEGMODEL_TRAIN_PACK_H

#include <stdbool.h>

#include "core/status.h"

enum {
    SGM_PACK_MAX_SIDE = 4096,
    SGM_PACK_MAX_ITEMS = 1 << 20,
    SGM_PACK_MAX_SETS = 4096,
    SGM_PACK_MAX_VOLUMES = 65535,
    SGM_PACK_TEXT = 48 /* bytes of a name, with the closing zero */
};

typedef enum sgm_split { SGM_SPLIT_TRAIN = 0, SGM_SPLIT_VALIDATION = 1 } sgm_split;

typedef struct sgm_pack_set {
    const char *name, *modality, *anatomy;
    bool instances; /* a label value is one object, not a class */
    bool held_out;  /* no item of it is for training. Of a data set that is held out in part there
                     * are two of that name, one of each kind */
    bool thin;      /* trees such as vessels: reported apart from blob-like objects */
} sgm_pack_set;

typedef struct sgm_pack_item {
    const char *id; /* within sets of one name no other has it; old packs may differ */
    int set;
    sgm_split split;
    int width, height;
    int channels;         /* 1, or 3 (RGB, interleaved) */
    int label_bytes;      /* 1 or 2 per pixel */
    const uint8_t *image; /* height * width * channels */
    const uint8_t *label; /* height * width * label_bytes, little endian, 0 is background */
    int volume;           /* slices of one volume share a number from 1; 0: of none */
    int slice;            /* number along the slicing axis, 0 where volume is 0 */
} sgm_pack_item;

typedef struct sgm_pack sgm_pack;

/* Maps the file. SGM_UNREADABLE with a message that names the file and what is wrong. */
sgm_status sgm_pack_open(const char *path, sgm_pack **out);
/* The same on bytes that outlive the pack; `label` names them in messages. */
sgm_status sgm_pack_open_memory(const void *bytes, size_t size, const char *label, sgm_pack **out);
void sgm_pack_close(sgm_pack *pack);

int sgm_pack_item_count(const sgm_pack *pack);
int sgm_pack_set_count(const sgm_pack *pack);
/* Index in range; valid until the close. */
const sgm_pack_item *sgm_pack_item_at(const sgm_pack *pack, int index);
const sgm_pack_set *sgm_pack_set_at(const sgm_pack *pack, int index);
/* The item that is `step` slices further in the same volume, of the same size; -1: there is none.
 */
int sgm_pack_neighbour(const sgm_pack *pack, int index, int step);
/* Hash of the tables: tells one pack from another in a training state. */
uint64_t sgm_pack_hash(const sgm_pack *pack);

/* Hashes of what the pack shows. */
typedef struct sgm_pack_content {
    uint64_t pictures; /* names, sizes and pixels */
    uint64_t labels;
} sgm_pack_content;

/* Reads the whole file the first time, some gigabytes per second where it is in memory, without
 * keeping its pages. Not for several threads at a time. SGM_UNREADABLE: it has become shorter. */
sgm_status sgm_pack_content_of(sgm_pack *pack, sgm_pack_content *out);

static inline int sgm_pack_label(const sgm_pack_item *item, int x, int y)
{
    size_t at = (size_t)y * (size_t)item->width + (size_t)x;
    return item->label_bytes == 1 ? item->label[at]
                                  : item->label[2 * at] | item->label[2 * at + 1] << 8;
}

/* Writing: items are streamed into a file beside `path`, which is renamed by finish. */
typedef struct sgm_pack_writer sgm_pack_writer;

/* compact_quality: 0 for plain pixels, else 1..100 as in JPEG. SGM_UNWRITABLE names the path. */
sgm_status sgm_pack_writer_open(const char *path, int compact_quality, sgm_pack_writer **out);
/* Adds a data set and gives its index; SGM_INVALID_ARGUMENT for an empty or too long name. */
sgm_status sgm_pack_writer_set(sgm_pack_writer *writer, const sgm_pack_set *set, int *index);
/* Adds an item; pixels are borrowed for the call. */
sgm_status sgm_pack_writer_item(sgm_pack_writer *writer, const sgm_pack_item *item);
/* Completes and renames; the writer is gone afterwards, whatever the status. An empty pack is
 * SGM_INVALID_ARGUMENT, and so are two items of one name in sets of one name. */
sgm_status sgm_pack_writer_finish(sgm_pack_writer *writer);
/* Gives up: nothing is left. NULL is fine. */
void sgm_pack_writer_discard(sgm_pack_writer *writer);

#endif
