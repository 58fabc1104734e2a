#include "foreign_content.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { TAR_MAGIC_AT = 257 };

static const struct {
    const char *magic;
    size_t bytes;
    const char *sentence;
} beginnings[] = {
    {"version https://git-lfs.github.com/spec/", 40,
     "a Git LFS pointer in place of the file; fetch the file with 'git lfs pull'"},
    {"PK\3\4", 4, "a ZIP archive; unpack it first"},
    {"7z\xBC\xAF\x27\x1C", 6, "a 7z archive; unpack it first"},
    {"Rar!\x1A\7", 6, "a RAR archive; unpack it first"},
    {"BZh", 3, "compressed with bzip2; unpack it first"},
    {"\xFD"
     "7zXZ\0",
     6, "compressed with xz; unpack it first"},
    {"\x28\xB5\x2F\xFD", 4, "compressed with zstd; unpack it first"},
    {"\x89HDF\r\n\x1A\n", 8,
     "an HDF5 file (MINC, for instance); convert it to NIfTI or NRRD first"},
    {"CDF\1", 4, "a NetCDF file (MINC, for instance); convert it to NIfTI or NRRD first"},
};

/* Servers answer with a page where a login or a licence is asked for. */
static int is_web_page(const char *bytes, size_t size)
{
    static const char *const tags[] = {"<!doctype html", "<html", "<head"};
    while (size > 0 && isspace((unsigned char)*bytes)) {
        bytes++;
        size--;
    }
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (size >= strlen(tags[i]) && strncasecmp(bytes, tags[i], strlen(tags[i])) == 0) return 1;
    return 0;
}

const char *sgio_foreign_content(const void *content, size_t size)
{
    const char *bytes = content;
    if (size == 0) return "empty; it may have been copied or downloaded incompletely";
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (size >= beginnings[i].bytes &&
            memcmp(bytes, beginnings[i].magic, beginnings[i].bytes) == 0)
            return beginnings[i].sentence;
    if (is_web_page(bytes, size))
        return "a web page in place of the file; download the file itself";
    if (size >= TAR_MAGIC_AT + 5 && memcmp(bytes + TAR_MAGIC_AT, "ustar", 5) == 0)
        return "a tar archive; unpack it first";
    return NULL;
}

int sgio_is_gzip(const void *content, size_t size)
{
    return size >= 3 && memcmp(content, "\x1F\x8B\x08", 3) == 0;
}
