#include "nrrd_fields.h"

#include "io_status.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void trim_end(char *text)
{
    size_t n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        text[--n] = 0;
}

/* "\n" and "\\" stand for a line end and a backslash. */
static void unescape(char *text)
{
    char *out = text;
    for (char *in = text; *in; in++) {
        if (in[0] == '\\' && (in[1] == 'n' || in[1] == '\\'))
            *out++ = *++in == 'n' ? '\n' : '\\';
        else
            *out++ = *in;
    }
    *out = 0;
}

static sgio_status add_key(const char *path, char *name, char *value, sgio_nrrd *header)
{
    size_t count = header->key_count;
    if (count >= SGIO_NRRD_MAX_KEYS)
        return sgio_fail(SGIO_UNREADABLE, "%s: NRRD header with more than %d keys", path,
                         SGIO_NRRD_MAX_KEYS);
    if ((count & (count - 1)) == 0) { /* grows at powers of two */
        size_t room = count ? 2 * count : 1;
        sgio_nrrd_key *keys = realloc(header->keys, room * sizeof *keys);
        if (!keys) return sgio_fail_memory(room * sizeof *keys, path);
        header->keys = keys;
    }
    unescape(value);
    header->keys[header->key_count++] = (sgio_nrrd_key){name, value};
    return SGIO_OK;
}

/* "field: value", "key:=value" or "# comment". */
static sgio_status read_line(const char *path, char *line, sgio_nrrd *header)
{
    if (*line == '#') return SGIO_OK;
    char *colon = strchr(line, ':');
    if (!colon)
        return sgio_fail(SGIO_UNREADABLE, "%s: NRRD header line without a colon: \"%.60s\"", path,
                         line);
    *colon = 0;
    if (colon[1] == '=') return add_key(path, line, colon + 2, header);
    trim_end(colon + 1);
    return sgio_nrrd_set_field(path, line, colon + 1 + strspn(colon + 1, " \t"), header);
}

/* Splits the header into lines, in place, up to the empty one. */
static sgio_status read_lines(const char *path, char *text, sgio_nrrd *header)
{
    char *line = text;
    while (*line) {
        size_t n = strcspn(line, "\n");
        char *next = line + n + (line[n] == '\n');
        line[n] = 0;
        if (n > 0 && line[n - 1] == '\r') line[--n] = 0;
        if (n == 0) {
            header->header_bytes = (size_t)(next - text);
            return SGIO_OK;
        }
        sgio_status status = line == text ? SGIO_OK : read_line(path, line, header);
        if (status != SGIO_OK) return status;
        line = next;
    }
    header->header_bytes = (size_t)(line - text);
    if (header->data_file) return SGIO_OK; /* a detached header may just end */
    return sgio_fail(SGIO_UNREADABLE, "%s: NRRD header without its closing empty line", path);
}

static sgio_status check_complete(const char *path, const sgio_nrrd *header)
{
    const char *missing = NULL;
    if (header->dimension == 0)
        missing = "dimension";
    else if (header->axes[header->dimension - 1].size == 0)
        missing = "sizes";
    else if (header->raw < 0)
        missing = "type";
    else if ((int)header->encoding < 0)
        missing = "encoding";
    else if (header->swap < 0 && sgio_raw_bytes(header->raw) > 1)
        missing = "endian";
    if (!missing) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE, "%s: NRRD header without its field \"%s\"", path, missing);
}

/* A space of four dimensions, as ITK writes it or with time, is one of three, and volumes along the
 * axis that has the fourth for itself. */
static sgio_status split_space(const char *path, sgio_nrrd *header)
{
    int along = 0;
    if (header->space_dimension != 4) return SGIO_OK;
    if (header->space_has_time && header->dimension < 4)
        return sgio_fail(SGIO_UNREADABLE, "%s: its space has four axes, its voxels %d", path,
                         header->dimension);
    header->space_dimension = 3;
    for (int axis = 0; axis < header->dimension; axis++) {
        const double *d = header->axes[axis].direction;
        if (!header->axes[axis].has_direction || d[3] == 0) continue;
        if (along++ > 0 || d[0] != 0 || d[1] != 0 || d[2] != 0)
            return sgio_fail(SGIO_UNREADABLE,
                             "%s: its axis %d reaches into the fourth dimension of its space, "
                             "wanted one axis that lies there alone",
                             path, axis);
        header->axes[axis].has_direction = 0;
    }
    return SGIO_OK;
}

static void set_absent(sgio_nrrd *header)
{
    memset(header, 0, sizeof *header);
    header->raw = header->swap = -1;
    header->encoding = (sgio_nrrd_encoding)-1;
    for (int axis = 0; axis < SGIO_NRRD_AXES; axis++)
        header->axes[axis].spacing = header->axes[axis].min = NAN;
}

sgio_status sgio_nrrd_parse(const char *path, const char *bytes, size_t size, sgio_nrrd *header)
{
    set_absent(header);
    if (size < 8 || memcmp(bytes, "NRRD000", 7) != 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: not an NRRD file (it does not begin with NRRD000)",
                         path);
    header->text = malloc(size + 1);
    if (!header->text) return sgio_fail_memory(size, path);
    memcpy(header->text, bytes, size);
    header->text[size] = 0;
    sgio_status status = read_lines(path, header->text, header);
    if (status == SGIO_OK) status = check_complete(path, header);
    if (status == SGIO_OK) status = split_space(path, header);
    if (header->swap < 0) header->swap = 0;
    if (status != SGIO_OK) sgio_nrrd_clear(header);
    return status;
}

/* The header ends at the first empty line; voxels behind it need not be copied. */
static size_t header_length(const char *bytes, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        if (bytes[i] != '\n') continue;
        if (bytes[i + 1] == '\n') return i + 2;
        if (i + 2 < size && bytes[i + 1] == '\r' && bytes[i + 2] == '\n') return i + 3;
    }
    return size;
}

sgio_status sgio_nrrd_read(const char *path, sgio_nrrd *header)
{
    enum { FIRST_TRY = 1 << 16 };
    char *bytes;
    size_t size = 0;
    set_absent(header);
    sgio_status status = sgio_read_prefix(path, FIRST_TRY, &bytes, &size);
    if (status == SGIO_OK && size == FIRST_TRY && header_length(bytes, size) == size) {
        free(bytes);
        status = sgio_read_prefix(path, SGIO_NRRD_MAX_HEADER, &bytes, &size);
    }
    if (status != SGIO_OK) return status;
    status = sgio_nrrd_parse(path, bytes, header_length(bytes, size), header);
    free(bytes);
    return status;
}

void sgio_nrrd_clear(sgio_nrrd *header)
{
    free(header->text);
    free(header->keys);
    set_absent(header);
}
