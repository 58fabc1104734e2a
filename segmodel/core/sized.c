#include "core/sized.h"

#include "core/status.h"

#include <string.h>

static sgm_status size_of(const char *type, const void *given, size_t first, size_t *size)
{
    memcpy(size, given, sizeof *size);
    if (!*size) *size = first;
    if (*size >= first && *size < (size_t)1 << 16) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT, "%s has the size %zu; wanted sizeof(%s), %zu or more",
                    type, *size, type, first);
}

sgm_status sgm_sized_read(const char *type, const void *from, size_t first, void *to, size_t room)
{
    const unsigned char *bytes = from;
    size_t size;
    SGM_TRY(size_of(type, from, first, &size));
    for (size_t i = room; i < size; i++)
        if (bytes[i])
            return sgm_fail(SGM_INVALID_ARGUMENT,
                            "%s sets members that this version (%s) does not know", type,
                            sgm_version());
    memset(to, 0, room);
    memcpy(to, from, size < room ? size : room);
    return SGM_OK;
}

sgm_status sgm_sized_check(const char *type, const void *to, size_t first)
{
    size_t size;
    return size_of(type, to, first, &size);
}

sgm_status sgm_sized_write(const char *type, const void *from, size_t first, size_t room, void *to)
{
    size_t size, skipped = sizeof size;
    SGM_TRY(size_of(type, to, first, &size));
    if (size > room) {
        memset((unsigned char *)to + room, 0, size - room);
        size = room;
    }
    memcpy((unsigned char *)to + skipped, (const unsigned char *)from + skipped, size - skipped);
    return SGM_OK;
}
