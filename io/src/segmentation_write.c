#include "labelmap_formats.h"

#include "io_status.h"

#include <string.h>
#include <strings.h>

typedef enum format { NONE, SEG_NRRD, NRRD, NII_GZ, NII, MHA } format;

static format format_of(const char *path)
{
    static const struct {
        const char *suffix;
        format is;
    } formats[] = {{".seg.nrrd", SEG_NRRD},
                   {".nrrd", NRRD},
                   {".nii.gz", NII_GZ},
                   {".nii", NII},
                   {".mha", MHA}};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        size_t s = strlen(formats[i].suffix);
        if (n > s && strcasecmp(path + n - s, formats[i].suffix) == 0) return formats[i].is;
    }
    return NONE;
}

int sgio_segmentation_can_write(const char *path)
{
    return format_of(path) != NONE;
}

static sgio_status write_as(format is, const sgio_segmentation *segmentation,
                            sgio_atomic_file *file, sgio_overlap *overlap)
{
    switch (is) {
    case SEG_NRRD:
        return sgio_write_seg_nrrd(segmentation, file);
    case NRRD:
        return sgio_write_nrrd(segmentation, file, overlap);
    case NII_GZ:
        return sgio_write_nifti(segmentation, file, 1, overlap);
    case NII:
        return sgio_write_nifti(segmentation, file, 0, overlap);
    default:
        return sgio_write_mha(segmentation, file, overlap);
    }
}

sgio_status sgio_segmentation_write(const sgio_segmentation *segmentation, const char *path,
                                    sgio_overlap *overlap)
{
    sgio_atomic_file file;
    format is = format_of(path);
    if (overlap) memset(overlap, 0, sizeof *overlap);
    if (is == NONE)
        return sgio_fail(SGIO_USAGE,
                         "%s: the output's extension must be .seg.nrrd, .nrrd, .nii.gz, .nii or "
                         ".mha",
                         path);
    sgio_status status = sgio_atomic_open(&file, path);
    if (status != SGIO_OK) return status;
    status = write_as(is, segmentation, &file, overlap);
    if (status == SGIO_OK) return sgio_atomic_commit(&file);
    sgio_atomic_discard(&file);
    return status;
}
