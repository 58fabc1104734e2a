#include "sgio/volume.h"

#include "formats.h"
#include "io_status.h"
#include "volume_formats.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void sgio_volume_clear(sgio_volume *volume)
{
    free(volume->data);
    free(volume->series_uid);
    for (size_t i = 0; volume->files && i < volume->file_count; i++)
        free(volume->files[i]);
    free(volume->files);
    free(volume->file_frames);
    for (int64_t k = 0; volume->frame_names && k < volume->geometry.size[2]; k++)
        free(volume->frame_names[k]);
    free(volume->frame_names);
    memset(volume, 0, sizeof *volume);
}

double sgio_volume_value(const sgio_volume *volume, size_t at)
{
    switch (volume->type) {
    case SGIO_U8:
        return ((const uint8_t *)volume->data)[at];
    case SGIO_I8:
        return ((const int8_t *)volume->data)[at];
    case SGIO_U16:
        return ((const uint16_t *)volume->data)[at];
    case SGIO_I16:
        return ((const int16_t *)volume->data)[at];
    case SGIO_U32:
        return ((const uint32_t *)volume->data)[at];
    case SGIO_I32:
        return ((const int32_t *)volume->data)[at];
    case SGIO_F32:
        return (double)((const float *)volume->data)[at];
    case SGIO_F64:
        return ((const double *)volume->data)[at];
    }
    return 0;
}

/* A directory holds DICOM files, or numbered pictures. */
static sgio_status read_directory(const char *path, const sgio_read_options *options,
                                  sgio_volume *out)
{
    int has_dicom = 0;
    sgio_file_tree tree;
    sgio_status status = sgio_list_dicom(path, &tree, &has_dicom);
    if (status == SGIO_OK)
        status = has_dicom ? sgio_read_dicom_tree(path, &tree, options, out)
                           : sgio_read_pictures(path, options, out);
    sgio_file_tree_clear(&tree);
    return status;
}

static sgio_status no_volume(const char *path, const sgio_format *format)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: a %s file holds no volume", path, format->name);
}

static sgio_status read_any(const char *path, const sgio_read_options *options, sgio_volume *out)
{
    struct stat info;
    const sgio_format *format = NULL;
    if (stat(path, &info) != 0) {
        if (strchr(path, '%')) return sgio_read_pictures(path, options, out);
        return sgio_fail(SGIO_UNREADABLE, "%s: no such file or directory", path);
    }
    if (S_ISDIR(info.st_mode)) return read_directory(path, options, out);
    sgio_status status = sgio_format_find(path, &format);
    if (status != SGIO_OK) return status;
    if (format->read_volume) return format->read_volume(path, options, out);
    return no_volume(path, format);
}

static const sgio_read_options defaults;

sgio_status sgio_volume_load(const char *path, const sgio_read_options *options, sgio_volume *out)
{
    memset(out, 0, sizeof *out);
    sgio_status status = read_any(path, options ? options : &defaults, out);
    if (status != SGIO_OK) sgio_volume_clear(out);
    return status;
}

sgio_status sgio_volume_read(const char *path, const sgio_read_options *options, sgio_volume *out)
{
    sgio_status status = sgio_volume_load(path, options, out);
    if (status != SGIO_OK || !out->data) return status;
    status = sgio_check_values(path, options ? options : &defaults, out);
    if (status != SGIO_OK) sgio_volume_clear(out);
    return status;
}

static sgio_status list_directory(const char *path, char **text)
{
    int has_dicom = 0;
    sgio_file_tree tree;
    sgio_status status = sgio_list_dicom(path, &tree, &has_dicom);
    sgio_file_tree_clear(&tree);
    if (status != SGIO_OK) return status;
    return has_dicom ? sgio_list_dicom_series(path, text) : sgio_list_pictures(path, text);
}

sgio_status sgio_list_series(const char *path, char **text)
{
    struct stat info;
    const sgio_format *format = NULL;
    *text = NULL;
    const int exists = stat(path, &info) == 0;
    if (!exists && strchr(path, '%')) return sgio_list_pictures(path, text);
    if (exists && S_ISDIR(info.st_mode)) return list_directory(path, text);
    if (!exists || !S_ISREG(info.st_mode)) return sgio_list_dicom_series(path, text);
    sgio_status status = sgio_format_find(path, &format);
    if (status != SGIO_OK) return status;
    if (format->list) return format->list(path, text);
    if (format->read_volume == sgio_read_dicom) return sgio_list_dicom_series(path, text);
    return no_volume(path, format);
}
