#include "io_test_files.h"

#include <ftw.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static char folder[64];

static void give_up(const char *what)
{
    perror(what);
    exit(99);
}

void scratch_open(void)
{
    snprintf(folder, sizeof folder, "/tmp/test_io_XXXXXX");
    if (!mkdtemp(folder)) give_up(folder);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info, (void)type, (void)where;
    return remove(path);
}

void scratch_close(void)
{
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const char *name)
{
    static char paths[8][512];
    static int next;
    next = (next + 1) % 8;
    snprintf(paths[next], sizeof paths[next], "%s%s%s", folder, *name ? "/" : "", name);
    return paths[next];
}

void write_file(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(scratch_path(name), "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) give_up(name);
}

void write_gzip(const char *name, const void *bytes, size_t size)
{
    gzFile file = gzopen(scratch_path(name), "wb");
    if (!file || gzwrite(file, bytes, (unsigned)size) != (int)size || gzclose(file) != Z_OK)
        give_up(name);
}

void make_folder(const char *name)
{
    if (mkdir(scratch_path(name), 0777) != 0) give_up(name);
}

int holds(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* LC_NUMERIC as glibc's locale files hold it: magic, six offsets, strings and wide characters. */
int use_comma_locale(void)
{
    uint32_t file[16] = {0x20031115 ^ LC_NUMERIC, 6, 32, 34, 35, 36, 40, 44};
    memcpy((char *)file + 32, ",\0\0\0,\0\0\0\0\0\0\0C\0", 14);
    make_folder("comma");
    write_file("comma/LC_NUMERIC", file, 46);
    setenv("LOCPATH", scratch_path(""), 1);
    char text[16] = "";
    if (!setlocale(LC_NUMERIC, "comma")) return 0;
    snprintf(text, sizeof text, "%g", 0.5);
    return strcmp(text, "0,5") == 0;
}
