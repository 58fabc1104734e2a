/* .xz files that xz wrote, whole and damaged. */
#include "../check.h"
#include "checkpoint/mapped_file.h"
#include "checkpoint/xz_file.h"

#include <stdlib.h>

enum { ROOM = 1 << 20 };

typedef struct output {
    uint8_t bytes[ROOM];
    size_t size;
    int blocks;
} output;

static output out;

static sgm_status keep(void *user, const uint8_t *bytes, size_t size)
{
    output *o = user;
    if (!CHECK(size <= ROOM - o->size)) return SGM_INTERNAL;
    memcpy(o->bytes + o->size, bytes, size);
    o->size += size;
    o->blocks++;
    return SGM_OK;
}

static sgm_status unpack(const uint8_t *bytes, size_t size, size_t limit)
{
    out.size = 0;
    out.blocks = 0;
    return sgm_xz_unpack(bytes, size, "test.xz", limit, keep, &out);
}

/* What was packed: 400 lines, then 3000 bytes without any order. */
static size_t original(char *to)
{
    size_t size = 0;
    uint32_t state = 1;
    for (int i = 0; i < 400; i++)
        size += (size_t)sprintf(to + size, "line %d of the sample\n", i);
    for (int i = 0; i < 3000; i++) {
        state = state * 1664525u + 1013904223u;
        to[size++] = (char)(state >> 24);
    }
    return size;
}

static void unpacks_what_xz_packed(const char *name, int blocks)
{
    static char wanted[ROOM];
    char path[512];
    sgm_mapped_file file;
    size_t size = original(wanted);
    snprintf(path, sizeof path, SAMPLES "/%s", name);
    if (!CHECK_OK(sgm_mapped_file_open(path, SGM_UNREADABLE, &file))) return;
    CHECK_OK(unpack(file.bytes, file.size, ROOM));
    CHECK(out.size == size && memcmp(out.bytes, wanted, size) == 0);
    CHECK(out.blocks == blocks);
    CHECK_STATUS(unpack(file.bytes, file.size, 4000), SGM_UNREADABLE, "more than");
    sgm_mapped_file_close(&file);
}

/* Checksums cover every byte: none may change unnoticed, none may be missing. */
static void notices_damage(const char *path)
{
    sgm_mapped_file file;
    if (!CHECK_OK(sgm_mapped_file_open(path, SGM_UNREADABLE, &file))) return;
    uint8_t *copy = malloc(file.size);
    for (size_t i = 0; i < file.size; i++) {
        memcpy(copy, file.bytes, file.size);
        copy[i] ^= (uint8_t)(1 << i % 8);
        CHECK(unpack(copy, file.size, ROOM) == SGM_UNREADABLE);
    }
    free(copy);
    for (size_t size = 0; size < file.size; size++) {
        copy = malloc(size ? size : 1); /* of this size, so that sanitizers see a read too far */
        memcpy(copy, file.bytes, size);
        CHECK(unpack(copy, size, ROOM) == SGM_UNREADABLE);
        free(copy);
    }
    sgm_mapped_file_close(&file);
}

int main(void)
{
    unpacks_what_xz_packed("text.xz", 1);
    unpacks_what_xz_packed("text_blocks.xz", 3);
    unpacks_what_xz_packed("text_properties.xz", 1);
    notices_damage(SAMPLES "/text.xz");
    notices_damage(SAMPLES "/text_blocks.xz");
    return check_report();
}
