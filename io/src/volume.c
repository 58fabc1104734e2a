#include "sgio/volume.h"

#include "byte_source.h"
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
    memset(volume, 0, sizeof *volume);
}

typedef sgio_status (*reader)(const char *, const sgio_read_options *, sgio_volume *);

static reader reader_by_suffix(const char *path)
{
    static const struct {
        const char *suffix;
        reader read;
    } known[] = {
        {".nii", sgio_read_nifti},    {".nii.gz", sgio_read_nifti}, {".hdr", sgio_read_nifti},
        {".hdr.gz", sgio_read_nifti}, {".img", sgio_read_nifti},    {".img.gz", sgio_read_nifti},
        {".nrrd", sgio_read_nrrd},    {".nhdr", sgio_read_nrrd},    {".mha", sgio_read_meta},
        {".mhd", sgio_read_meta},     {".png", sgio_read_picture},  {".jpg", sgio_read_picture},
        {".jpeg", sgio_read_picture}, {".dcm", sgio_read_dicom},    {".dicom", sgio_read_dicom},
        {".ima", sgio_read_dicom},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (sgio_has_suffix(path, known[i].suffix)) return known[i].read;
    return NULL;
}

/* DICOM files often have no suffix, and UIDs as names look as if they had one. */
static reader reader_by_content(const unsigned char *bytes, size_t size)
{
    if (sgio_looks_like_dicom(bytes, size)) return sgio_read_dicom;
    if (size >= 4 && memcmp(bytes, "NRRD", 4) == 0) return sgio_read_nrrd;
    if (size >= 4 && memcmp(bytes, "\x89PNG", 4) == 0) return sgio_read_picture;
    if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0) return sgio_read_picture;
    if (size >= 348 && (memcmp(bytes + 344, "n+1", 4) == 0 || memcmp(bytes + 4, "n+2", 4) == 0))
        return sgio_read_nifti;
    return NULL;
}

static sgio_status choose_reader(const char *path, reader *read)
{
    char *bytes;
    size_t size = 0;
    *read = reader_by_suffix(path);
    if (*read) return SGIO_OK;
    sgio_status status = sgio_read_prefix(path, 1024, &bytes, &size);
    if (status != SGIO_OK) return status;
    *read = reader_by_content((const unsigned char *)bytes, size);
    free(bytes);
    if (*read) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: not a volume: neither its name nor its %s is one of NIfTI, NRRD, "
                     "MetaImage, PNG, JPEG or DICOM",
                     path, size ? "content" : "(empty) content");
}

/* A directory holds DICOM files, or numbered pictures. */
static sgio_status read_directory(const char *path, const sgio_read_options *options,
                                  sgio_volume *out)
{
    int has_dicom = 0;
    sgio_status status = sgio_holds_dicom(path, &has_dicom);
    if (status != SGIO_OK) return status;
    return has_dicom ? sgio_read_dicom(path, options, out) : sgio_read_pictures(path, options, out);
}

static sgio_status read_any(const char *path, const sgio_read_options *options, sgio_volume *out)
{
    struct stat info;
    reader read = NULL;
    if (stat(path, &info) != 0) {
        if (strchr(path, '%')) return sgio_read_pictures(path, options, out);
        return sgio_fail(SGIO_UNREADABLE, "%s: no such file or directory", path);
    }
    if (S_ISDIR(info.st_mode)) return read_directory(path, options, out);
    sgio_status status = choose_reader(path, &read);
    return status == SGIO_OK ? read(path, options, out) : status;
}

sgio_status sgio_volume_read(const char *path, const sgio_read_options *options, sgio_volume *out)
{
    static const sgio_read_options defaults;
    memset(out, 0, sizeof *out);
    sgio_status status = read_any(path, options ? options : &defaults, out);
    if (status != SGIO_OK) sgio_volume_clear(out);
    return status;
}
