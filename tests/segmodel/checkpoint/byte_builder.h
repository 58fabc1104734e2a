/* Bytes put together piece by piece, and stored-only ZIP archives of them: hand-made checkpoints
 * for tests. Fixed room, because every test file is tiny. */
#ifndef SEGMODEL_TESTS_BYTE_BUILDER_H
#define SEGMODEL_TESTS_BYTE_BUILDER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct byte_builder {
    unsigned char bytes[1 << 16];
    size_t size;
} byte_builder;

static inline void put(byte_builder *b, const void *bytes, size_t size)
{
    if (size > sizeof b->bytes - b->size) {
        fprintf(stderr, "byte_builder is full\n");
        exit(2);
    }
    if (size > 0) memcpy(b->bytes + b->size, bytes, size);
    b->size += size;
}

/* Little-endian, `n` bytes, zeros beyond eight. */
static inline void put_number(byte_builder *b, uint64_t value, int n)
{
    for (int i = 0; i < n; i++)
        put(b, &(unsigned char){i < 8 ? (unsigned char)(value >> 8 * i) : 0}, 1);
}

static inline void put_text(byte_builder *b, const char *text)
{
    put(b, text, strlen(text));
}

/* A .safetensors: JSON header, then `data_size` bytes 0, 1, 2, ... */
static inline void put_safetensors(byte_builder *b, const char *json, size_t data_size)
{
    put_number(b, strlen(json), 8);
    put_text(b, json);
    for (size_t i = 0; i < data_size; i++)
        put_number(b, i, 1);
}

/* ------------------------------------------------------------------------------------------ zip */

typedef struct zip_builder {
    byte_builder file, directory;
    int count, method, flags;
    int zip64; /* write sizes and offsets as ZIP64 fields */
} zip_builder;

static inline void zip_add(zip_builder *z, const char *name, const void *bytes, size_t size)
{
    size_t offset = z->file.size;
    put_text(&z->file, "PK\3\4");
    put_number(&z->file, 20, 2); /* version */
    put_number(&z->file, (uint64_t)z->flags, 2);
    put_number(&z->file, (uint64_t)z->method, 2);
    put_number(&z->file, 0, 16); /* time, date, checksum, sizes */
    put_number(&z->file, strlen(name), 2);
    put_number(&z->file, 4, 2); /* an extra field of no content, as PyTorch's padding */
    put_text(&z->file, name);
    put_number(&z->file, 0x4246, 4);
    put(&z->file, bytes, size);

    byte_builder *d = &z->directory;
    put_text(d, "PK\1\2");
    put_number(d, 20, 2);
    put_number(d, 20, 2);
    put_number(d, (uint64_t)z->flags, 2);
    put_number(d, (uint64_t)z->method, 2);
    put_number(d, 0, 8); /* time, date, checksum */
    put_number(d, z->zip64 ? 0xffffffff : size, 4);
    put_number(d, z->zip64 ? 0xffffffff : size, 4);
    put_number(d, strlen(name), 2);
    put_number(d, z->zip64 ? 28 : 0, 2);
    put_number(d, 0, 10); /* comment, disk, attributes */
    put_number(d, z->zip64 ? 0xffffffff : offset, 4);
    put_text(d, name);
    if (z->zip64) {
        put_number(d, 1, 2);
        put_number(d, 24, 2);
        put_number(d, size, 8);
        put_number(d, size, 8);
        put_number(d, offset, 8);
    }
    z->count++;
}

/* Appends the directory and end records; z->file is then the archive. */
static inline void zip_finish(zip_builder *z)
{
    byte_builder *f = &z->file;
    size_t offset = f->size, size = z->directory.size;
    put(f, z->directory.bytes, size);
    if (z->zip64) {
        size_t at = f->size;
        put_text(f, "PK\6\6");
        put_number(f, 44, 8);
        put_number(f, 45, 2);
        put_number(f, 45, 2);
        put_number(f, 0, 8); /* disks */
        put_number(f, (uint64_t)z->count, 8);
        put_number(f, (uint64_t)z->count, 8);
        put_number(f, size, 8);
        put_number(f, offset, 8);
        put_text(f, "PK\6\7");
        put_number(f, 0, 4);
        put_number(f, at, 8);
        put_number(f, 1, 4);
    }
    put_text(f, "PK\5\6");
    put_number(f, 0, 4); /* disks */
    put_number(f, z->zip64 ? 0xffff : (uint64_t)z->count, 2);
    put_number(f, z->zip64 ? 0xffff : (uint64_t)z->count, 2);
    put_number(f, z->zip64 ? 0xffffffff : size, 4);
    put_number(f, z->zip64 ? 0xffffffff : offset, 4);
    put_number(f, 0, 2);
}

#endif
