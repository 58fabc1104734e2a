/* check_volumes [--series S] [--allow-gaps] [--list] [--voxels file] path
 *
 * Reads a volume and prints as JSON what was read: geometry, type, value range and sum, flags,
 * source files, warnings, or the error. --voxels also writes the voxels as they lie in memory. */
#include "sgio/volume.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct arguments {
    const char *path, *voxels;
    int list;
    sgio_read_options options;
} arguments;

static const char *const type_names[] = {"uint8",  "int8",  "uint16",  "int16",
                                         "uint32", "int32", "float32", "float64"};
static const size_t type_bytes[] = {1, 1, 2, 2, 4, 4, 4, 8};

static int parse_arguments(int argc, char **argv, arguments *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--allow-gaps"))
            out->options.allow_gaps = 1;
        else if (!strcmp(argv[i], "--list"))
            out->list = 1;
        else if (!strcmp(argv[i], "--series") && i + 1 < argc)
            out->options.series = argv[++i];
        else if (!strcmp(argv[i], "--voxels") && i + 1 < argc)
            out->voxels = argv[++i];
        else
            out->path = argv[i];
    }
    return out->path ? 0 : -1;
}

static void keep_warning(void *user, const char *sentence)
{
    json_array_append_new(user, json_string(sentence));
}

static size_t value_count(const sgio_volume *volume)
{
    const int64_t *size = volume->geometry.size;
    return (size_t)(size[0] * size[1] * size[2]) * (size_t)volume->channels;
}

static void add_statistics(const sgio_volume *volume, json_t *report)
{
    double low = sgio_volume_value(volume, 0), high = low, sum = 0;
    for (size_t i = 0; i < value_count(volume); i++) {
        double value = sgio_volume_value(volume, i);
        if (value < low) low = value;
        if (value > high) high = value;
        sum += value;
    }
    json_object_set_new(report, "minimum", json_real(low));
    json_object_set_new(report, "maximum", json_real(high));
    json_object_set_new(report, "sum", json_real(sum));
}

static void add_geometry(const sgio_volume *volume, json_t *report)
{
    json_t *size = json_array(), *matrix = json_array();
    for (int axis = 0; axis < 3; axis++)
        json_array_append_new(size, json_integer(volume->geometry.size[axis]));
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            json_array_append_new(matrix, json_real(volume->geometry.matrix[r][c]));
    json_object_set_new(report, "size", size);
    json_object_set_new(report, "matrix", matrix);
}

static void add_volume(const sgio_volume *volume, json_t *report)
{
    json_t *files = json_array(), *frames = json_array();
    for (size_t i = 0; i < volume->file_count; i++) {
        json_array_append_new(files, json_string(volume->files[i]));
        json_array_append_new(frames, json_integer(volume->file_frames[i]));
    }
    add_geometry(volume, report);
    add_statistics(volume, report);
    json_object_set_new(report, "type", json_string(type_names[volume->type]));
    json_object_set_new(report, "channels", json_integer(volume->channels));
    json_object_set_new(report, "modality", json_string(volume->modality));
    json_object_set_new(report, "rescaled", json_boolean(volume->rescaled));
    json_object_set_new(report, "sheared", json_boolean(volume->sheared));
    json_object_set_new(report, "sequence", json_boolean(volume->is_sequence));
    json_object_set_new(report, "resampled", json_boolean(volume->resampled));
    if (volume->has_padding) json_object_set_new(report, "padding", json_real(volume->padding));
    json_object_set_new(report, "files", files);
    json_object_set_new(report, "frames", frames); /* of those files, from 1; 0: the whole file */
}

static int write_voxels(const sgio_volume *volume, const char *path)
{
    size_t count = value_count(volume);
    FILE *file = fopen(path, "wb");
    if (!file) return -1;
    size_t written = fwrite(volume->data, type_bytes[volume->type], count, file);
    return fclose(file) == 0 && written == count ? 0 : -1;
}

static sgio_status read_volume(const arguments *arguments, json_t *report)
{
    sgio_volume volume;
    sgio_status status = sgio_volume_read(arguments->path, &arguments->options, &volume);
    if (status != SGIO_OK) return status;
    add_volume(&volume, report);
    if (arguments->voxels && write_voxels(&volume, arguments->voxels) != 0)
        status = SGIO_UNWRITABLE;
    sgio_volume_clear(&volume);
    return status;
}

static sgio_status list_series(const arguments *arguments, json_t *report)
{
    char *text = NULL;
    sgio_status status = sgio_list_series(arguments->path, &text);
    if (text) json_object_set_new(report, "listing", json_string(text));
    free(text);
    return status;
}

int main(int argc, char **argv)
{
    arguments arguments;
    if (parse_arguments(argc, argv, &arguments) != 0) {
        fprintf(stderr, "usage: check_volumes [--series S] [--allow-gaps] [--list] "
                        "[--voxels file] path\n");
        return SGIO_USAGE;
    }
    json_t *report = json_object(), *warnings = json_array();
    arguments.options.warn = keep_warning;
    arguments.options.warn_user = warnings;
    sgio_status status =
        arguments.list ? list_series(&arguments, report) : read_volume(&arguments, report);
    json_object_set_new(report, "warnings", warnings);
    json_object_set_new(report, "status", json_integer(status));
    if (status != SGIO_OK) json_object_set_new(report, "message", json_string(sgio_last_message()));
    json_dumpf(report, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    printf("\n");
    json_decref(report);
    return status;
}
