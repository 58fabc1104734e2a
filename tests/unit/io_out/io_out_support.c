#include "io_out_support.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static char folder[256];

const char *scratch(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

int scratch_group_setup(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/io_out_XXXXXX", base ? base : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

int scratch_group_teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

void remove_scratch(const char *name)
{
    assert_int_equal(unlink(scratch(name)), 0);
}

int scratch_count(void)
{
    int count = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return count;
}

void scratch_remove_partial(void)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        if (strstr(entry->d_name, ".partial")) remove_scratch(entry->d_name);
    closedir(directory);
}

void write_file(const char *path, const void *bytes, size_t count)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, count, stream), count);
    assert_int_equal(fclose(stream), 0);
}

void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

char *read_file(const char *path, size_t *bytes)
{
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    fseek(stream, 0, SEEK_END);
    *bytes = (size_t)ftell(stream);
    rewind(stream);
    char *data = malloc(*bytes + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *bytes, stream), *bytes);
    data[*bytes] = '\0';
    fclose(stream);
    return data;
}

void inflate_exactly(const void *coded, size_t coded_bytes, void *plain, size_t count)
{
    z_stream z = {0};
    uint8_t extra;
    assert_int_equal(inflateInit2(&z, 15 + 32), Z_OK);
    z.next_in = (Bytef *)coded;
    z.avail_in = (uInt)coded_bytes;
    z.next_out = plain;
    z.avail_out = (uInt)count;
    inflate(&z, Z_NO_FLUSH);
    assert_int_equal(z.avail_out, 0);
    z.next_out = &extra; /* the end is reached, its checksum agrees, and nothing follows */
    z.avail_out = 1;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_out, 1);
    assert_int_equal(z.avail_in, 0);
    inflateEnd(&z);
}

sgio_geometry make_grid(int which)
{
    static const double matrices[GRID_COUNT][3][4] = {
        {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}},
        {{0.7, 0, 0, -12.5}, {0, 0.7, 0, 33.25}, {0, 0, 5, -101.125}},
        {{-0.7, 0, 0, 12.5}, {0, 0.9, 0, 33.25}, {0, 0, 2.5, 7}},
        {{0, 0, 3, 4}, {-1.1, 0, 0, 5}, {0, -0.6, 0, 6}},
        /* 0.8, 0.9, 2 mm along axes turned by 30 degrees about z, then by 20 about x */
        {{0.69282032302755092, -0.45, 0, 1.1},
         {0.37587704831436337, 0.73242079, -0.68404028665133743, 2.2},
         {0.13680805733026749, 0.26658134, 1.8793852415718169, 3.3}},
        {{0.5, 0, 0.1, 0}, {0, 0.5, 0.6, 0}, {0, 0, 3, 0}}};
    sgio_geometry grid = {.size = {5, 4, 3}};
    memcpy(grid.matrix, matrices[which], sizeof grid.matrix);
    return grid;
}

void assert_near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g and %.17g differ", a, b);
}

void assert_message(const char *part)
{
    if (!strstr(sgio_last_message(), part))
        fail_msg("the message '%s' does not say '%s'", sgio_last_message(), part);
}

void count_warning(void *user, const char *sentence)
{
    warnings *w = user;
    w->count++;
    snprintf(w->last, sizeof w->last, "%s", sentence);
}
