#include "nrrd_header.h"
#include "segmentation_parts.h"

#include "io_status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* Reads up to the blank line that ends the header; the stream then stands at the data. */
static sgio_status read_header_text(FILE *stream, const char *file, char **text, size_t *bytes)
{
    size_t capacity = 1 << 14;
    int c, at_line_start = 0;
    *bytes = 0;
    *text = malloc(capacity);
    while (*text && (c = getc(stream)) != EOF) {
        if (*bytes == capacity) {
            char *more = capacity < SGIO_NRRD_MAX_HEADER ? realloc(*text, capacity *= 2) : NULL;
            if (!more) return sgio_fail(SGIO_UNREADABLE, "%s: its NRRD header does not end", file);
            *text = more;
        }
        (*text)[(*bytes)++] = (char)c;
        if (*bytes == 4 && memcmp(*text, "NRRD", 4) != 0) break;
        if (c == '\n' && at_line_start) return SGIO_OK;
        if (c != '\r') at_line_start = c == '\n';
    }
    if (!*text) return sgio_fail_memory(capacity, file);
    return sgio_fail(SGIO_UNREADABLE, "%s: not a NRRD file, or cut off in its header", file);
}

static sgio_status read_header(FILE *stream, const char *file, sgio_nrrd *nrrd)
{
    char *text = NULL;
    size_t bytes;
    sgio_status status = read_header_text(stream, file, &text, &bytes);
    if (status == SGIO_OK) status = sgio_nrrd_parse_header(text, bytes, file, nrrd);
    free(text);
    return status;
}

/* Names, extents and counts once layers are there. */
static sgio_status finish(sgio_segmentation *out, const char *file, sgio_warning_fn warn,
                          void *user)
{
    sgio_status status = SGIO_OK;
    if (out->segment_count == 0) {
        if (out->layer_count > 1)
            return sgio_fail(SGIO_UNREADABLE, "%s: several layers and no segments", file);
        status = sgio_segmentation_name_values(out, file);
    }
    if (status != SGIO_OK) return status;
    int64_t strangers = sgio_segmentation_measure(out);
    if (strangers < 0) return sgio_fail_memory(SGIO_MAX_LABEL, file);
    if (strangers > 0)
        sgio_warn(warn, user, "%s: %lld voxels belong to no segment and are dropped", file,
                  (long long)strangers);
    sgio_segmentation_shrink(out);
    return SGIO_OK;
}

sgio_status sgio_nrrd_read_segmentation(FILE *stream, const char *file, sgio_warning_fn warn,
                                        void *user, sgio_segmentation *out)
{
    sgio_nrrd nrrd;
    memset(out, 0, sizeof *out);
    sgio_status status = read_header(stream, file, &nrrd);
    if (status != SGIO_OK) return status;
    status = sgio_segmentation_init(out, &nrrd.geometry);
    if (status == SGIO_OK) status = sgio_nrrd_read_layers(stream, file, &nrrd, out);
    if (status == SGIO_OK) status = sgio_nrrd_read_segments(&nrrd, file, out);
    if (status == SGIO_OK) status = finish(out, file, warn, user);
    sgio_nrrd_clear(&nrrd);
    if (status != SGIO_OK) sgio_segmentation_clear(out);
    return status;
}

static sgio_status read_nrrd_file(const char *path, sgio_warning_fn warn, void *user,
                                  sgio_segmentation *out)
{
    struct stat info;
    FILE *stream = fopen(path, "rb");
    if (!stream) return sgio_fail(SGIO_UNREADABLE, "cannot read %s: %s", path, strerror(errno));
    sgio_status status = SGIO_UNREADABLE;
    if (fstat(fileno(stream), &info) != 0 || !S_ISREG(info.st_mode))
        sgio_fail(status, "cannot read %s: not a regular file", path);
    else
        status = sgio_nrrd_read_segmentation(stream, path, warn, user, out);
    fclose(stream);
    return status;
}

/* Kind and bytes of a volume's values, as NRRD header fields have them. */
static void describe_type(sgio_type type, char *kind, int *bytes)
{
    static const struct {
        char kind;
        int bytes;
    } table[] = {
        [SGIO_U8] = {'u', 1},  [SGIO_I8] = {'i', 1},  [SGIO_U16] = {'u', 2}, [SGIO_I16] = {'i', 2},
        [SGIO_U32] = {'u', 4}, [SGIO_I32] = {'i', 4}, [SGIO_F32] = {'f', 4}, [SGIO_F64] = {'f', 8}};
    *kind = table[type].kind;
    *bytes = table[type].bytes;
}

static sgio_status fit_to_grid(sgio_segmentation *out, const char *name,
                               const sgio_segmentation_read_options *options)
{
    if (!options || !options->grid) return SGIO_OK;
    sgio_status status =
        sgio_segmentation_fit(out, options->grid, name, options->warn, options->warn_user);
    if (status != SGIO_OK) sgio_segmentation_clear(out);
    return status;
}

sgio_status sgio_segmentation_from_volume(const sgio_volume *volume, const char *name,
                                          const sgio_segmentation_read_options *options,
                                          sgio_segmentation *out)
{
    char kind;
    int bytes, layer;
    memset(out, 0, sizeof *out);
    if (volume->channels != 1)
        return sgio_fail(SGIO_UNREADABLE, "%s: a colour image is not a label map", name);
    sgio_status status = sgio_segmentation_init(out, &volume->geometry);
    if (status == SGIO_OK) status = sgio_segmentation_add_layer(out, 2, &layer);
    describe_type(volume->type, &kind, &bytes);
    if (status == SGIO_OK &&
        sgio_values_to_labels(volume->data, kind, bytes, sgio_voxel_count(&out->geometry),
                              out->layers[0].data) != 0)
        status = sgio_fail(SGIO_UNREADABLE,
                           "%s: not a label map: it has values that are no whole number from 0 to "
                           "%d",
                           name, SGIO_MAX_LABEL);
    if (status == SGIO_OK) status = finish(out, name, NULL, NULL);
    if (status != SGIO_OK) {
        sgio_segmentation_clear(out);
        return status;
    }
    return fit_to_grid(out, name, options);
}

static int is_nrrd(const char *path)
{
    size_t n = strlen(path);
    return n >= 5 && strcasecmp(path + n - 5, ".nrrd") == 0;
}

sgio_status sgio_segmentation_read(const char *path, const sgio_segmentation_read_options *options,
                                   sgio_segmentation *out)
{
    sgio_warning_fn warn = options ? options->warn : NULL;
    void *user = options ? options->warn_user : NULL;
    sgio_status status;
    memset(out, 0, sizeof *out);
    if (is_nrrd(path)) {
        status = read_nrrd_file(path, warn, user, out);
        return status == SGIO_OK ? fit_to_grid(out, path, options) : status;
    }
    sgio_volume volume;
    sgio_read_options reading = {.warn = warn, .warn_user = user};
    status = sgio_volume_read(path, &reading, &volume);
    if (status != SGIO_OK) return status;
    status = sgio_segmentation_from_volume(&volume, path, options, out);
    sgio_volume_clear(&volume);
    return status;
}
