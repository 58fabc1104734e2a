/* The bytes of a training pack; little endian, all offsets from the file's beginning. */
#ifndef SEGMODEL_TRAIN_PACK_FORMAT_H
#define SEGMODEL_TRAIN_PACK_FORMAT_H

#include "train/pack.h"

#define SGM_PACK_MAGIC "SGMPACK1"

enum {
    SGM_PACK_HEADER_SIZE = 64, /* magic[8], items u32, sets u32, item table u64, set table u64,
                                  file size u64, zeros */
    SGM_PACK_SET_SIZE = 160,   /* name[48], modality[48], anatomy[48], flags u32, zeros[12] */
    SGM_PACK_ITEM_SIZE = 96,   /* image u64, label u64, image bytes u64, label bytes u64,
                                  width u16, height u16, set u16, channels u8, label bytes u8,
                                  split u8, coding u8, quality u8, volume u16, slice u16,
                                  zero, id[48] */
    SGM_PACK_ALIGN = 16        /* of pixel data and tables */
};

enum { SGM_PACK_INSTANCES = 1, SGM_PACK_HELD_OUT = 2, SGM_PACK_THIN = 4 };
enum { SGM_PACK_PLAIN = 0, SGM_PACK_COSINE = 1 };

static inline uint64_t sgm_pack_get(const uint8_t *bytes, int size)
{
    uint64_t value = 0;
    for (int i = size - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static inline void sgm_pack_put(uint8_t *bytes, int size, uint64_t value)
{
    for (int i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

/* Compact images: bytes of the coefficients; channels are Y, Cb, Cr planes of 8 x 8 blocks,
 * coefficient-major (all DC first). `coefficients` and `pixels` do not overlap. */
size_t sgm_cosine_size(int width, int height, int channels);
void sgm_cosine_encode(const uint8_t *pixels, int width, int height, int channels, int quality,
                       int8_t *coefficients);
void sgm_cosine_decode(const int8_t *coefficients, int width, int height, int channels, int quality,
                       uint8_t *pixels);

#endif
