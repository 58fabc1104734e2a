#include "formats.h"

#include "byte_source.h"
#include "dicom_rt_write.h"
#include "dicom_seg.h"
#include "foreign_content.h"
#include "io_status.h"
#include "labelmap_formats.h"
#include "scene.h"
#include "segmentation_parts.h"
#include "volume_formats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int looks_like_nrrd(const unsigned char *bytes, size_t size)
{
    return size >= 4 && memcmp(bytes, "NRRD", 4) == 0;
}

static int looks_like_png(const unsigned char *bytes, size_t size)
{
    return size >= 4 && memcmp(bytes, "\x89PNG", 4) == 0;
}

static int looks_like_jpeg(const unsigned char *bytes, size_t size)
{
    return size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}

static int looks_like_nifti(const unsigned char *bytes, size_t size)
{
    return size >= 348 && (memcmp(bytes + 344, "n+1", 4) == 0 || memcmp(bytes + 4, "n+2", 4) == 0);
}

/* DICOM files often have no ending, and UIDs as names look as if they had one; hence DICOM is the
 * first to be looked for in the content. */
static const sgio_format formats[] = {
    {".rtstruct.dcm", "DICOM", NULL, sgio_read_dicom, sgio_read_dicom_seg, sgio_check_rtstruct,
     sgio_write_rtstruct, NULL, NULL},
    {".dcm", "DICOM", sgio_looks_like_dicom, sgio_read_dicom, sgio_read_dicom_seg,
     sgio_check_dicom_seg, sgio_write_dicom_seg, NULL, NULL},
    {".dicom", "DICOM", NULL, sgio_read_dicom, sgio_read_dicom_seg, NULL, NULL, NULL, NULL},
    {".ima", "DICOM", NULL, sgio_read_dicom, sgio_read_dicom_seg, NULL, NULL, NULL, NULL},
    {".seg.nrrd", "NRRD", NULL, sgio_read_nrrd, sgio_segmentation_read_nrrd, NULL,
     sgio_write_seg_nrrd, NULL, sgio_list_nrrd},
    {".nrrd", "NRRD", looks_like_nrrd, sgio_read_nrrd, sgio_segmentation_read_nrrd, NULL,
     sgio_write_nrrd, NULL, sgio_list_nrrd},
    {".nhdr", "NRRD", NULL, sgio_read_nrrd, sgio_segmentation_read_nrrd, NULL, NULL, NULL,
     sgio_list_nrrd},
    {".nii.gz", "NIfTI", NULL, sgio_read_nifti, NULL, sgio_check_nifti, sgio_write_nifti_gz, NULL,
     sgio_list_nifti},
    {".nii", "NIfTI", looks_like_nifti, sgio_read_nifti, NULL, sgio_check_nifti, sgio_write_nifti,
     NULL, sgio_list_nifti},
    {".hdr", "NIfTI", NULL, sgio_read_nifti, NULL, NULL, NULL, NULL, sgio_list_nifti},
    {".hdr.gz", "NIfTI", NULL, sgio_read_nifti, NULL, NULL, NULL, NULL, sgio_list_nifti},
    {".img", "NIfTI", NULL, sgio_read_nifti, NULL, NULL, NULL, NULL, sgio_list_nifti},
    {".img.gz", "NIfTI", NULL, sgio_read_nifti, NULL, NULL, NULL, NULL, sgio_list_nifti},
    {".mha", "MetaImage", NULL, sgio_read_meta, NULL, NULL, sgio_write_mha, NULL, sgio_list_meta},
    {".mhd", "MetaImage", NULL, sgio_read_meta, NULL, NULL, NULL, NULL, sgio_list_meta},
    {".png", "PNG", looks_like_png, sgio_read_picture, NULL, sgio_check_png, sgio_write_png, NULL,
     sgio_list_picture},
    {".jpg", "JPEG", looks_like_jpeg, sgio_read_picture, NULL, NULL, NULL, NULL, sgio_list_picture},
    {".jpeg", "JPEG", NULL, sgio_read_picture, NULL, NULL, NULL, NULL, sgio_list_picture},
    {"frames.csv", "folder of PNG", NULL, NULL, NULL, sgio_check_frames, sgio_write_frames,
     sgio_frames_beside, NULL},
    {".mrml", "scene", NULL, NULL, NULL, sgio_check_scene, sgio_write_scene, sgio_scene_beside,
     NULL},
};

enum { FORMATS = sizeof formats / sizeof *formats };

/* An ending behind a point is no name by itself; "frames.csv" is one. */
static int is_named(const char *path, const char *ending)
{
    const size_t least = strlen(ending) + (ending[0] == '.');
    return strlen(path) >= least && sgio_has_suffix(path, ending);
}

const sgio_format *sgio_format_by_name(const char *path)
{
    for (int i = 0; i < FORMATS; i++)
        if (is_named(path, formats[i].ending)) return &formats[i];
    return NULL;
}

const sgio_format *sgio_format_by_content(const unsigned char *bytes, size_t size)
{
    for (int i = 0; i < FORMATS; i++)
        if (formats[i].looks_like && formats[i].looks_like(bytes, size)) return &formats[i];
    return NULL;
}

int sgio_segmentation_is_plain(const char *path)
{
    const sgio_format *format = sgio_format_by_name(path);
    return format && (format->write == sgio_write_nrrd || format->write == sgio_write_nifti_gz ||
                      format->write == sgio_write_nifti || format->write == sgio_write_mha ||
                      format->write == sgio_write_png || format->write == sgio_write_frames);
}

int sgio_segmentation_most_label(const char *path)
{
    const sgio_format *format = sgio_format_by_name(path);
    return format && format->write == sgio_write_frames ? UINT8_MAX : SGIO_MAX_LABEL;
}

static sgio_status refuse_foreign(const char *path, const unsigned char *bytes, size_t size,
                                  const sgio_format *named)
{
    int may_be_gzip = named && named->read_volume == sgio_read_nifti;
    const char *what = sgio_foreign_content(bytes, size);
    if (!what && !may_be_gzip && sgio_is_gzip(bytes, size))
        what = "compressed with gzip; unpack it first";
    return what ? sgio_fail(SGIO_UNREADABLE, "%s: %s", path, what) : SGIO_OK;
}

/* Only bytes that leave no doubt contradict a name. */
static sgio_status compare_with_name(const char *path, const unsigned char *bytes, size_t size,
                                     const sgio_format *named)
{
    int is_dicom = size >= 132 && memcmp(bytes + 128, "DICM", 4) == 0;
    const sgio_format *found = sgio_format_by_content(bytes, size);
    if (!found || found->read_volume == named->read_volume) return SGIO_OK;
    if (found->read_volume == sgio_read_dicom && !is_dicom) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: its name says %s, its content is %s; rename it to end in %s", path,
                     named->name, found->name, found->ending);
}

static sgio_status find_by_content(const char *path, const unsigned char *bytes, size_t size,
                                   const sgio_format **format)
{
    *format = sgio_format_by_content(bytes, size);
    if (*format) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: not a volume: neither its name nor its content is one of NIfTI, NRRD, "
                     "MetaImage, PNG, JPEG or DICOM",
                     path);
}

sgio_status sgio_format_find(const char *path, const sgio_format **format)
{
    char *text;
    size_t size = 0;
    *format = sgio_format_by_name(path);
    sgio_status status = sgio_read_prefix(path, SGIO_SNIFF_BYTES, &text, &size);
    if (status != SGIO_OK) return status;
    const unsigned char *bytes = (const unsigned char *)text;
    status = refuse_foreign(path, bytes, size, *format);
    if (status == SGIO_OK)
        status = *format ? compare_with_name(path, bytes, size, *format)
                         : find_by_content(path, bytes, size, format);
    free(text);
    return status;
}

const char *sgio_segmentation_endings(void)
{
    static _Thread_local char words[256];
    size_t used = 0;
    int left = 0;
    for (int i = 0; i < FORMATS; i++)
        left += formats[i].write != NULL;
    for (int i = 0; i < FORMATS; i++) {
        if (!formats[i].write) continue;
        left--;
        int n = snprintf(words + used, sizeof words - used, "%s%s", formats[i].ending,
                         left > 1    ? ", "
                         : left == 1 ? " or "
                                     : "");
        used += n > 0 && (size_t)n < sizeof words - used ? (size_t)n : 0;
    }
    return words;
}
