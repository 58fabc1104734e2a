/* NIfTI-1 label maps. RAS exists in this file's header only.
 * https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h */
#include "labelmap_formats.h"
#include "labelmap_rows.h"

#include "io_status.h"

#include <math.h>
#include <string.h>

enum { MAX_SIZE = 32767, VOXEL_OFFSET = 352, INTENT_LABEL = 1002, SCANNER = 1, UNITS_MM = 2 };
enum { TYPE_UINT8 = 2, TYPE_UINT16 = 512 };

typedef struct nifti1_header {
    int32_t header_bytes;
    char unused_1[35];
    uint8_t slice_order;
    int16_t dim[8];
    float intent_parameter[3];
    int16_t intent_code, type, bits, slice_start;
    float pixdim[8];
    float voxel_offset, slope, intercept;
    int16_t slice_end;
    uint8_t slice_code, units;
    float display_max, display_min, slice_duration, time_offset;
    int32_t unused_2[2];
    char description[80], auxiliary[24];
    int16_t qform_code, sform_code;
    float quaternion[3], quaternion_offset[3];
    float sform[3][4];
    char intent_name[16], magic[4];
} nifti1_header;

_Static_assert(sizeof(nifti1_header) == 348, "NIfTI-1 headers have 348 bytes");

static double determinant(double d[3][3])
{
    return d[0][0] * (d[1][1] * d[2][2] - d[1][2] * d[2][1]) -
           d[0][1] * (d[1][0] * d[2][2] - d[1][2] * d[2][0]) +
           d[0][2] * (d[1][0] * d[2][1] - d[1][1] * d[2][0]);
}

/* b, c, d of the unit quaternion with a >= 0 (Shepperd's method: the largest of the four squares
 * is divided by, so nothing cancels). */
static void quaternion(double r[3][3], double q[3])
{
    double trace = r[0][0] + r[1][1] + r[2][2];
    const double squares[4] = {trace, r[0][0], r[1][1], r[2][2]};
    int largest = 0;
    for (int i = 1; i < 4; i++)
        if (squares[i] > squares[largest]) largest = i;
    double a, v[3];
    if (largest == 0) {
        a = sqrt(1 + trace) / 2;
        v[0] = (r[2][1] - r[1][2]) / (4 * a);
        v[1] = (r[0][2] - r[2][0]) / (4 * a);
        v[2] = (r[1][0] - r[0][1]) / (4 * a);
    } else {
        int i = largest - 1, j = (i + 1) % 3, k = (i + 2) % 3;
        v[i] = sqrt(1 + r[i][i] - r[j][j] - r[k][k]) / 2;
        v[j] = (r[j][i] + r[i][j]) / (4 * v[i]);
        v[k] = (r[k][i] + r[i][k]) / (4 * v[i]);
        a = (r[k][j] - r[j][k]) / (4 * v[i]);
    }
    for (int i = 0; i < 3; i++)
        q[i] = a < 0 ? -v[i] : v[i];
}

/* pixdim[0] is the handedness: the third axis is negated where the grid is left-handed. */
static void set_qform(nifti1_header *header, double d[3][3])
{
    double q[3];
    header->pixdim[0] = determinant(d) < 0 ? -1 : 1;
    for (int r = 0; r < 3; r++)
        d[r][2] *= header->pixdim[0];
    quaternion(d, q);
    header->qform_code = SCANNER;
    for (int i = 0; i < 3; i++) {
        header->quaternion[i] = (float)q[i];
        header->quaternion_offset[i] = header->sform[i][3];
    }
}

static void set_transform(nifti1_header *header, const sgio_geometry *g)
{
    static const double to_ras[3] = {-1, -1, 1};
    double spacing[3], d[3][3];
    sgio_geometry_spacing(g, spacing);
    sgio_geometry_direction(g, d);
    header->sform_code = SCANNER;
    header->pixdim[0] = 1;
    for (int r = 0; r < 3; r++) {
        header->pixdim[1 + r] = (float)spacing[r];
        for (int c = 0; c < 4; c++)
            header->sform[r][c] = (float)(to_ras[r] * g->matrix[r][c]);
        for (int c = 0; c < 3; c++)
            d[r][c] *= to_ras[r];
    }
    /* A quaternion holds a rotation: of a sheared grid it would move voxels. */
    if (sgio_geometry_is_orthogonal(g)) set_qform(header, d);
}

sgio_status sgio_check_nifti(const char *path, const sgio_geometry *grid,
                             const sgio_segmentation_write_options *options)
{
    (void)options;
    for (int a = 0; a < 3; a++)
        if (grid->size[a] > MAX_SIZE)
            return sgio_fail(SGIO_UNWRITABLE,
                             "cannot write %s: %lld voxels along axis %d, NIfTI-1 holds %d; "
                             ".seg.nrrd, .nrrd and .mha hold any number",
                             path, (long long)grid->size[a], a, MAX_SIZE);
    return SGIO_OK;
}

static void make_header(const sgio_label_job *job, nifti1_header *header)
{
    const sgio_geometry *g = &job->segmentation->geometry;
    int bytes = sgio_flat_bytes(job);
    memset(header, 0, sizeof *header);
    header->header_bytes = sizeof *header;
    header->dim[0] = 3;
    for (int a = 0; a < 3; a++)
        header->dim[1 + a] = (int16_t)g->size[a];
    for (int a = 4; a < 8; a++) {
        header->dim[a] = 1;
        header->pixdim[a] = 1;
    }
    header->type = bytes == 1 ? TYPE_UINT8 : TYPE_UINT16;
    header->bits = (int16_t)(8 * bytes);
    header->intent_code = INTENT_LABEL;
    header->voxel_offset = VOXEL_OFFSET;
    header->slope = 1;
    header->units = UNITS_MM;
    memcpy(header->magic, "n+1", 4);
    set_transform(header, g);
}

static void warn_sheared(const sgio_label_job *job)
{
    if (sgio_geometry_is_orthogonal(&job->segmentation->geometry)) return;
    sgio_warn(job->options->warn, job->options->warn_user,
              "the grid is sheared: ITK, and 3D Slicer with it, refuses NIfTI files of sheared "
              "grids; .seg.nrrd, .nrrd and .mha are read");
}

static sgio_status send(const sgio_label_job *job, sgio_atomic_file *file, sgio_encoding encoding)
{
    static const char no_extension[VOXEL_OFFSET - sizeof(nifti1_header)];
    nifti1_header header;
    sgio_sink sink;
    make_header(job, &header);
    sgio_status status = sgio_sink_open(&sink, file, encoding);
    if (status == SGIO_OK) status = sgio_sink_write(&sink, &header, sizeof header);
    if (status == SGIO_OK) status = sgio_sink_write(&sink, no_extension, sizeof no_extension);
    if (status == SGIO_OK) status = sgio_flat_send(job, &sink);
    if (status == SGIO_OK) status = sgio_sink_finish(&sink);
    sgio_sink_close(&sink);
    if (status == SGIO_OK) warn_sheared(job);
    return status;
}

sgio_status sgio_write_nifti(const sgio_label_job *job, sgio_atomic_file *file)
{
    return send(job, file, SGIO_RAW);
}

sgio_status sgio_write_nifti_gz(const sgio_label_job *job, sgio_atomic_file *file)
{
    return send(job, file, SGIO_GZIP);
}
