/* Label maps frame by frame: a PNG for each, named like the frame it was made of, and a table. */
#include "labelmap_formats.h"
#include "labelmap_rows.h"

#include "io_status.h"
#include "segmentation_parts.h"
#include "volume_formats.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 300 };

/* "frame_007.png", or "000007.png" where frames have no names. */
static void name_of(const sgio_segmentation_write_options *options, int64_t k, char out[NAME_BYTES])
{
    const sgio_volume *source = options->source;
    if (source && source->frame_names)
        snprintf(out, NAME_BYTES, "%.290s.png", source->frame_names[k]);
    else
        snprintf(out, NAME_BYTES, "%06lld.png", (long long)k + 1);
}

static char *path_of(const char *table, const sgio_segmentation_write_options *options, int64_t k)
{
    char name[NAME_BYTES];
    name_of(options, k, name);
    return sgio_path_beside(table, name);
}

sgio_status sgio_frames_beside(const char *path, const sgio_segmentation_write_options *options,
                               sgio_path_fn found, void *user)
{
    const int64_t frames = options->source ? options->source->geometry.size[2] : 0;
    for (int64_t k = 0; k < frames; k++) {
        char *frame = path_of(path, options, k);
        if (!frame) return sgio_fail_memory(1, path);
        found(user, frame);
        free(frame);
    }
    return SGIO_OK;
}

static void check_one(void *status, const char *path)
{
    sgio_status *s = status;
    if (*s == SGIO_OK) *s = sgio_output_check(path);
}

sgio_status sgio_check_frames(const char *path, const sgio_geometry *grid,
                              const sgio_segmentation_write_options *options)
{
    sgio_status found = SGIO_OK;
    if (!options->source || options->source->geometry.size[2] != grid->size[2])
        return sgio_fail(SGIO_USAGE, "%s: pictures are named by the frames that were segmented",
                         path);
    const sgio_status status = sgio_frames_beside(path, options, check_one, &found);
    return status == SGIO_OK ? found : status;
}

static size_t segment_of(const sgio_segmentation *from, const int *labels, int label)
{
    size_t s = 0;
    while (s + 1 < from->segment_count && labels[s] != label)
        s++;
    return s;
}

static void paint(const sgio_label_job *job, const int *labels, int64_t k, size_t s,
                  uint8_t *pixels)
{
    const sgio_segmentation *from = job->segmentation;
    const sgio_segment *segment = &from->segments[s];
    const int64_t *size = from->geometry.size, plane = size[0] * size[1];
    const sgio_layer *layer = &from->layers[segment->layer];
    for (int64_t i = 0; i < plane; i++) {
        if (sgio_layer_value(layer, (size_t)(k * plane + i)) != segment->label) continue;
        if (pixels[i]) {
            job->overlap->voxels++;
            job->overlap->first = segment_of(from, labels, pixels[i]);
            job->overlap->second = s;
        }
        pixels[i] = (uint8_t)labels[s];
    }
}

/* One frame's labels; later segments win. Counts what the picture holds of each. */
static void flatten(const sgio_label_job *job, const int *labels, int64_t k, uint8_t *pixels,
                    int64_t *counts)
{
    const sgio_segmentation *from = job->segmentation;
    const int64_t *size = from->geometry.size, plane = size[0] * size[1];
    int64_t of_label[UINT8_MAX + 1] = {0}, *written = job->options->written;
    memset(pixels, 0, (size_t)plane);
    for (size_t s = 0; s < from->segment_count; s++) {
        const sgio_segment *segment = &from->segments[s];
        if (segment->voxels == 0 || k < segment->extent[4] || k > segment->extent[5]) continue;
        paint(job, labels, k, s, pixels);
    }
    for (int64_t i = 0; i < plane; i++)
        of_label[pixels[i]]++;
    for (size_t s = 0; s < from->segment_count; s++) {
        counts[s] = of_label[labels[s]];
        if (written) written[s] = counts[s] + (k > 0 ? written[s] : 0);
    }
}

static sgio_status write_png(const sgio_label_job *job, const char *path, const uint8_t *pixels)
{
    const int64_t *size = job->segmentation->geometry.size;
    sgio_atomic_file file;
    png_image image;
    sgio_status status = sgio_atomic_open(&file, path, job->options->outputs);
    if (status != SGIO_OK) return status;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.format = PNG_FORMAT_GRAY;
    image.width = (png_uint_32)size[0];
    image.height = (png_uint_32)size[1];
    errno = 0;
    if (!png_image_write_to_stdio(&image, file.stream, 0, pixels, 0, NULL)) {
        const char *reason = ferror(file.stream) && errno ? strerror(errno) : image.message;
        status = sgio_fail(SGIO_UNWRITABLE, "cannot write %s: %s", path, reason);
        sgio_atomic_discard(&file);
        return status;
    }
    return sgio_atomic_commit(&file);
}

/* Fields in quotes, quotes doubled. */
static void add_quoted(sgio_text *text, const char *field, const char *behind)
{
    sgio_text_add(text, "\"");
    for (; *field; field++)
        sgio_text_add(text, *field == '"' ? "\"\"" : "%c", *field);
    sgio_text_add(text, "%s\"", behind);
}

static void add_row(sgio_text *table, const sgio_label_job *job, int64_t k, const int64_t *counts)
{
    char name[NAME_BYTES];
    name_of(job->options, k, name);
    sgio_text_add(table, "%lld,", (long long)k + 1);
    add_quoted(table, name, "");
    for (size_t s = 0; s < job->segmentation->segment_count; s++)
        sgio_text_add(table, ",%lld", (long long)counts[s]);
    sgio_text_add(table, "\n");
}

static sgio_status write_frame(const sgio_label_job *job, const int *labels, int64_t k,
                               uint8_t *pixels, int64_t *counts, sgio_text *table)
{
    char *path = path_of(job->path, job->options, k);
    if (!path) return sgio_fail_memory(1, job->path);
    flatten(job, labels, k, pixels, counts);
    add_row(table, job, k, counts);
    sgio_status status = write_png(job, path, pixels);
    free(path);
    if (status != SGIO_OK) return status;
    return sgio_tell(job->options->progress, job->options->progress_user, (size_t)k + 1,
                     (size_t)job->segmentation->geometry.size[2]);
}

static sgio_status write_all(const sgio_label_job *job, const int *labels, uint8_t *pixels,
                             int64_t *counts, sgio_text *table)
{
    const sgio_segmentation *from = job->segmentation;
    sgio_status status = SGIO_OK;
    sgio_text_add(table, "frame,file");
    for (size_t s = 0; s < from->segment_count; s++) {
        sgio_text_add(table, ",");
        add_quoted(table, from->segments[s].name, " (pixels)");
    }
    sgio_text_add(table, "\n");
    for (int64_t k = 0; k < from->geometry.size[2] && status == SGIO_OK; k++)
        status = write_frame(job, labels, k, pixels, counts, table);
    return status;
}

sgio_status sgio_write_frames(const sgio_label_job *job, sgio_atomic_file *file)
{
    const sgio_segmentation *from = job->segmentation;
    const int64_t *size = from->geometry.size;
    sgio_text table = {0};
    if (sgio_flat_bytes(job) != 1)
        return sgio_fail(SGIO_USAGE, "%s: its pictures hold labels up to %d", job->path, UINT8_MAX);
    int *labels = calloc(from->segment_count + 1, sizeof *labels);
    int64_t *counts = calloc(from->segment_count + 1, sizeof *counts);
    uint8_t *pixels = malloc((size_t)(size[0] * size[1]));
    sgio_status status = labels && counts && pixels ? SGIO_OK : sgio_fail_memory(1, job->path);
    if (status == SGIO_OK) {
        sgio_job_labels(job, labels);
        status = write_all(job, labels, pixels, counts, &table);
    }
    if (status == SGIO_OK)
        status = sgio_text_send(&table, file);
    else
        free(table.data);
    free(labels);
    free(counts);
    free(pixels);
    return status;
}
