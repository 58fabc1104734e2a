#include "byte_source.h"

#include "io_status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { INPUT_BYTES = 1 << 16 };
enum { ANY_WRAPPER = 15 + 32, NO_WRAPPER = -15 }; /* zlib: largest window; gzip or zlib header */

struct sgio_source {
    FILE *file;
    char *path;
    uint64_t file_bytes_left; /* from the offset to the end of the file */
    int compressed, wrapper;
    int ended; /* the last deflate member is complete */
    z_stream z;
    unsigned char input[INPUT_BYTES];
};

static sgio_status open_file(const char *path, FILE **file, uint64_t *size)
{
    struct stat info;
    /* A pipe without a writer would block for ever. */
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    *file = NULL;
    if (descriptor < 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(descriptor);
        return sgio_fail(SGIO_UNREADABLE, "%s: %s, wanted a regular file", path,
                         S_ISDIR(info.st_mode) ? "a folder" : "a pipe or a device");
    }
    *file = fdopen(descriptor, "rb");
    if (!*file) {
        close(descriptor);
        return sgio_fail_memory(INPUT_BYTES, path);
    }
    *size = (uint64_t)info.st_size;
    return SGIO_OK;
}

sgio_status sgio_open_input(const char *path, FILE **file)
{
    uint64_t size;
    return open_file(path, file, &size);
}

static int begins_like_gzip(FILE *file)
{
    unsigned char magic[2];
    long start = ftell(file);
    int yes = fread(magic, 1, 2, file) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
    fseek(file, start, SEEK_SET);
    return yes;
}

sgio_status sgio_source_open(const char *path, uint64_t offset, sgio_source_kind kind,
                             sgio_source **out)
{
    FILE *file;
    uint64_t size = 0;
    sgio_status status = open_file(path, &file, &size);
    *out = NULL;
    if (status != SGIO_OK) return status;
    if (offset > size || fseeko(file, (off_t)offset, SEEK_SET) != 0) {
        fclose(file);
        return sgio_fail(SGIO_UNREADABLE, "%s: data begin at byte %llu but the file has %llu", path,
                         (unsigned long long)offset, (unsigned long long)size);
    }
    sgio_source *source = calloc(1, sizeof *source);
    char *name = strdup(path);
    if (!source || !name) {
        fclose(file);
        free(source);
        free(name);
        return sgio_fail_memory(sizeof *source, path);
    }
    source->file = file;
    source->path = name;
    source->file_bytes_left = size - offset;
    source->compressed = kind == SGIO_SOURCE_COMPRESSED || kind == SGIO_SOURCE_DEFLATED ||
                         (kind == SGIO_SOURCE_BY_MAGIC && begins_like_gzip(file));
    source->wrapper = kind == SGIO_SOURCE_DEFLATED ? NO_WRAPPER : ANY_WRAPPER;
    if (source->compressed && inflateInit2(&source->z, source->wrapper) != Z_OK) {
        source->compressed = 0;
        sgio_source_close(source);
        return sgio_fail_memory(INPUT_BYTES, path);
    }
    *out = source;
    return SGIO_OK;
}

void sgio_source_close(sgio_source *source)
{
    if (!source) return;
    if (source->compressed) inflateEnd(&source->z);
    fclose(source->file);
    free(source->path);
    free(source);
}

/* Refills the input; leaves avail_in at 0 at the end of the file. */
static void refill(sgio_source *source)
{
    if (source->z.avail_in > 0) return;
    source->z.next_in = source->input;
    source->z.avail_in = (uInt)fread(source->input, 1, INPUT_BYTES, source->file);
}

/* A gzip file may hold several members (bgzip writes one per 64 KiB block). Zeros or other bytes
 * behind the last member are ignored, as gzip does. */
static int next_member(sgio_source *source)
{
    if (source->wrapper == NO_WRAPPER) return 0;
    refill(source);
    if (source->z.avail_in == 0 || source->z.next_in[0] != 0x1f) return 0;
    return inflateReset(&source->z) == Z_OK;
}

static sgio_status inflate_some(sgio_source *source, unsigned char *buffer, size_t size,
                                size_t *got)
{
    size_t done = 0;
    while (done < size && !source->ended) {
        refill(source);
        size_t want = size - done < (1u << 30) ? size - done : (1u << 30);
        source->z.next_out = buffer + done;
        source->z.avail_out = (uInt)want;
        if (source->z.avail_in == 0) break;
        int code = inflate(&source->z, Z_NO_FLUSH);
        done += want - source->z.avail_out;
        if (code == Z_STREAM_END)
            source->ended = !next_member(source);
        else if (code != Z_OK)
            return sgio_fail(SGIO_UNREADABLE, "%s: compressed data are corrupt (%s)", source->path,
                             source->z.msg ? source->z.msg : zError(code));
    }
    *got = done;
    return SGIO_OK;
}

sgio_status sgio_source_read_some(sgio_source *source, void *buffer, size_t size, size_t *got)
{
    if (source->compressed) return inflate_some(source, buffer, size, got);
    *got = fread(buffer, 1, size, source->file);
    if (ferror(source->file))
        return sgio_fail(SGIO_UNREADABLE, "%s: read error: %s", source->path, strerror(errno));
    return SGIO_OK;
}

static sgio_status check_ended(const sgio_source *source)
{
    if (source->ended) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE, "%s: truncated: its compressed data have no end",
                     source->path);
}

sgio_status sgio_source_read(sgio_source *source, void *buffer, size_t size)
{
    size_t got = 0;
    sgio_status status = sgio_source_read_some(source, buffer, size, &got);
    if (status != SGIO_OK || got == size) return status;
    return sgio_fail(SGIO_UNREADABLE, "%s: truncated: the data end %zu bytes too early",
                     source->path, size - got);
}

sgio_status sgio_source_skip(sgio_source *source, uint64_t size)
{
    unsigned char scratch[4096];
    sgio_status status = SGIO_OK;
    while (size > 0 && status == SGIO_OK) {
        size_t step = size < sizeof scratch ? (size_t)size : sizeof scratch;
        status = sgio_source_read(source, scratch, step);
        size -= step;
    }
    return status;
}

/* The checksum stands at the stream's end, and a damaged stream need not fail before: it may just
 * yield other bytes, and often more or fewer of them. */
sgio_status sgio_source_finish(sgio_source *source)
{
    unsigned char scratch[1];
    size_t got = 0;
    if (!source->compressed) return SGIO_OK;
    sgio_status status = inflate_some(source, scratch, sizeof scratch, &got);
    if (status != SGIO_OK) return status;
    if (got > 0)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: damaged: its data go on behind the last voxel that its header tells",
                         source->path);
    return check_ended(source);
}

sgio_status sgio_source_drain(sgio_source *source, uint64_t limit)
{
    unsigned char scratch[4096];
    size_t got = sizeof scratch;
    sgio_status status = SGIO_OK;
    if (!source->compressed) return SGIO_OK;
    for (uint64_t done = 0; status == SGIO_OK && got == sizeof scratch; done += got) {
        if (done > limit)
            return sgio_fail(SGIO_UNREADABLE, "%s: longer than a header can be", source->path);
        status = inflate_some(source, scratch, sizeof scratch, &got);
    }
    return status == SGIO_OK ? check_ended(source) : status;
}

sgio_status sgio_source_expect(sgio_source *source, uint64_t size)
{
    uint64_t most = source->file_bytes_left;
    if (source->compressed)
        most =
            most < UINT64_MAX / SGIO_DEFLATE_MAX_RATIO ? most * SGIO_DEFLATE_MAX_RATIO : UINT64_MAX;
    if (size <= most) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: truncated: its header announces %llu bytes of voxels, the file cannot "
                     "hold more than %llu",
                     source->path, (unsigned long long)size, (unsigned long long)most);
}

sgio_status sgio_file_bytes(const char *path, uint64_t *size)
{
    FILE *file;
    sgio_status status = open_file(path, &file, size);
    if (status == SGIO_OK) fclose(file);
    return status;
}

sgio_status sgio_read_prefix(const char *path, size_t limit, char **buffer, size_t *size)
{
    FILE *file;
    uint64_t file_size = 0;
    sgio_status status = open_file(path, &file, &file_size);
    *buffer = NULL;
    if (status != SGIO_OK) return status;
    size_t want = file_size < limit ? (size_t)file_size : limit;
    *buffer = malloc(want + 1);
    if (*buffer) {
        *size = fread(*buffer, 1, want, file);
        (*buffer)[*size] = 0;
    }
    fclose(file);
    return *buffer ? SGIO_OK : sgio_fail_memory(want, path);
}
