#include "labelmap_formats.h"

#include "io_status.h"
#include "volume_formats.h"

#include <string.h>

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
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strlen(path) > strlen(formats[i].suffix) && sgio_has_suffix(path, formats[i].suffix))
            return formats[i].is;
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

const char *sgio_segmentation_caveat(const sgio_geometry *grid, const char *path)
{
    format is = format_of(path);
    if ((is != NII && is != NII_GZ) || sgio_geometry_is_orthogonal(grid)) return NULL;
    return "the grid is sheared: ITK, and 3D Slicer with it, refuses NIfTI files of sheared grids; "
           ".seg.nrrd, .nrrd and .mha are read";
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
