#define _XOPEN_SOURCE 700
#include "cli_reads.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sgio/prompts.h"
#include "sgio/volume.h"

enum { HEADER_BYTES = 1 << 16 };

static int ends_in(const char *path, const char *ending)
{
    const size_t length = strlen(path), wanted = strlen(ending);
    return length > wanted && strcasecmp(path + length - wanted, ending) == 0;
}

/* Bytes read from the beginning of a regular file; 0 for all else: opening a pipe would wait. */
static size_t read_start(const char *path, void *bytes, size_t capacity)
{
    struct stat info;
    size_t size = 0;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return 0;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        for (ssize_t n = 1; n > 0 && size < capacity; size += (size_t)(n > 0 ? n : 0))
            n = read(fd, (char *)bytes + size, capacity - size);
    close(fd);
    return size;
}

int cli_is_dicom(const char *path)
{
    unsigned char start[132];
    return sgio_looks_like_dicom(start, read_start(path, start, sizeof start));
}

/* By its name, or by its beginning: links have names of their own. */
static int is_picture(const char *path)
{
    unsigned char start[8];
    if (ends_in(path, ".png") || ends_in(path, ".jpg") || ends_in(path, ".jpeg")) return 1;
    if (read_start(path, start, sizeof start) < sizeof start) return 0;
    return memcmp(start, "\x89PNG\r\n\x1a\n", 8) == 0 || memcmp(start, "\xff\xd8\xff", 3) == 0;
}

/* `name` beside `path`, unless it is absolute. 0, or -1 when it is too long. */
static int beside(const char *path, const char *name, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    const int folder = slash && name[0] != '/' ? (int)(slash - path) + 1 : 0;
    return snprintf(out, PATH_MAX, "%.*s%s", folder, path, name) < PATH_MAX ? 0 : -1;
}

static void found_beside(const char *path, const char *name, cli_read_fn found, void *user)
{
    char full[PATH_MAX];
    if (beside(path, name, full) == 0) found(user, full);
}

/* The value of a header's line that names data: "data file: x", "datafile: x", or
 * "ElementDataFile = x". NULL for other lines. */
static char *data_value(char *line)
{
    static const char *const keys[] = {"data file:", "datafile:", "ElementDataFile"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const size_t length = strlen(keys[i]);
        if (strncasecmp(line, keys[i], length) == 0)
            return line + length + strspn(line + length, " \t=");
    }
    return NULL;
}

static void names_in_header(const char *path, cli_read_fn found, void *user)
{
    static _Thread_local char text[HEADER_BYTES + 1];
    text[read_start(path, text, HEADER_BYTES)] = '\0';
    int listing = 0;
    for (char *line = text, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = '\0';
        line[strcspn(line, "\r")] = '\0';
        char *name = listing ? line : data_value(line);
        if (!name || !*name || strcmp(name, "LOCAL") == 0) continue;
        if (!listing && strncmp(name, "LIST", 4) == 0)
            listing = 1;
        else
            found_beside(path, name, found, user);
    }
}

static void other_half(const char *path, const char *ending, cli_read_fn found, void *user)
{
    char name[PATH_MAX];
    const int stem = (int)(strlen(path) - strlen(strrchr(path, '.')));
    if (snprintf(name, sizeof name, "%.*s%s", stem, path, ending) < (int)sizeof name)
        found(user, name);
}

void cli_reads_with(const char *path, cli_read_fn found, void *user)
{
    if (ends_in(path, ".nhdr") || ends_in(path, ".mhd")) names_in_header(path, found, user);
    if (ends_in(path, ".hdr")) {
        other_half(path, ".img", found, user);
        other_half(path, ".img.gz", found, user);
    }
    if (ends_in(path, ".img")) other_half(path, ".hdr", found, user);
    /* a pattern for numbered pictures: dir/a_%03d.png */
    if (strchr(path, '%') && access(path, F_OK) != 0)
        found_beside(path, strchr(path, '/') ? "" : ".", found, user);
    if (cli_is_dicom(path) && sgio_dicom_reach(path) > 0)
        found_beside(path, strchr(path, '/') ? "" : ".", found, user);
    sgio_prompts_files(path, found, user);
}

static void look_for_dicom(void *holds, const char *path)
{
    if (!*(int *)holds) *(int *)holds = cli_is_dicom(path);
}

int cli_may_be_read_in_folder(const char *path)
{
    return cli_is_dicom(path) || is_picture(path);
}

int cli_is_read_in_folder(const char *folder, int below, const char *path)
{
    int holds_dicom = cli_is_dicom(path);
    if (holds_dicom || !is_picture(path)) return holds_dicom;
    sgio_folder_files(folder, below, look_for_dicom, &holds_dicom);
    return !holds_dicom;
}
