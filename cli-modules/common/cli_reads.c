#define _XOPEN_SOURCE 700
#include "cli_reads.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sgio/prompts.h"

enum { HEADER_BYTES = 1 << 16, FOLDER_FILES = 256 };

static int ends_in(const char *path, const char *ending)
{
    const size_t length = strlen(path), wanted = strlen(ending);
    return length > wanted && strcasecmp(path + length - wanted, ending) == 0;
}

/* Bytes read from the beginning of a regular file; 0 for all else: opening a pipe would wait. */
static size_t read_start(const char *path, char *bytes, size_t capacity)
{
    struct stat info;
    size_t size = 0;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return 0;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        for (ssize_t n = 1; n > 0 && size < capacity; size += (size_t)(n > 0 ? n : 0))
            n = read(fd, bytes + size, capacity - size);
    close(fd);
    return size;
}

int cli_is_dicom(const char *path)
{
    char start[132];
    return read_start(path, start, sizeof start) == sizeof start &&
           memcmp(start + 128, "DICM", 4) == 0;
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
    if (cli_is_dicom(path)) found_beside(path, strchr(path, '/') ? "" : ".", found, user);
    sgio_prompts_files(path, found, user);
}

/* Looks at the first files of the folder only. */
static int holds_dicom(const char *folder)
{
    char path[PATH_MAX];
    int seen = 0, holds = 0;
    DIR *stream = opendir(folder);
    if (!stream) return 0;
    for (struct dirent *e = readdir(stream); e && !holds && seen < FOLDER_FILES;
         e = readdir(stream), seen++)
        if (snprintf(path, sizeof path, "%s/%s", folder, e->d_name) < (int)sizeof path)
            holds = cli_is_dicom(path);
    closedir(stream);
    return holds;
}

int cli_is_read_in_folder(const char *folder, const char *path)
{
    if (cli_is_dicom(path)) return 1;
    const int picture = ends_in(path, ".png") || ends_in(path, ".jpg") || ends_in(path, ".jpeg");
    return picture && !holds_dicom(folder);
}
