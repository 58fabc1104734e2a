/* MetaImage with attached, compressed data. Its axes are LPS, like ours. */
#include "labelmap_formats.h"
#include "labelmap_rows.h"

#include "io_status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The compressed size is known last: its digits are overwritten in place. */
enum { SIZE_DIGITS = 15 };

static void add_header(sgio_text *text, const sgio_label_job *job, size_t *size_at)
{
    const sgio_geometry *g = &job->segmentation->geometry;
    const double(*m)[4] = g->matrix;
    double spacing[3], d[3][3];
    sgio_geometry_spacing(g, spacing);
    sgio_geometry_direction(g, d);
    sgio_text_add(text,
                  "ObjectType = Image\nNDims = 3\nBinaryData = True\n"
                  "BinaryDataByteOrderMSB = %s\nCompressedData = True\nCompressedDataSize = ",
                  __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? "True" : "False");
    *size_at = text->length;
    sgio_text_add(text, "%0*d\nTransformMatrix =", SIZE_DIGITS, 0);
    for (int axis = 0; axis < 3; axis++) /* one axis after the other, not row by row */
        sgio_text_add(text, " %.17g %.17g %.17g", d[0][axis], d[1][axis], d[2][axis]);
    sgio_text_add(text, "\nOffset = %.17g %.17g %.17g\nCenterOfRotation = 0 0 0\n", m[0][3],
                  m[1][3], m[2][3]);
    sgio_text_add(text, "ElementSpacing = %.17g %.17g %.17g\nDimSize = %lld %lld %lld\n",
                  spacing[0], spacing[1], spacing[2], (long long)g->size[0], (long long)g->size[1],
                  (long long)g->size[2]);
    sgio_text_add(text, "ElementType = %s\nElementDataFile = LOCAL\n",
                  sgio_flat_bytes(job) == 1 ? "MET_UCHAR" : "MET_USHORT");
}

static sgio_status patch_size(sgio_atomic_file *file, size_t at, uint64_t bytes)
{
    char digits[SIZE_DIGITS + 8];
    snprintf(digits, sizeof digits, "%0*llu", SIZE_DIGITS, (unsigned long long)bytes);
    if (fseek(file->stream, (long)at, SEEK_SET) != 0)
        return sgio_fail(SGIO_UNWRITABLE, "cannot write %s: %s", file->target, strerror(errno));
    return sgio_atomic_write(file, digits, SIZE_DIGITS);
}

sgio_status sgio_write_mha(const sgio_label_job *job, sgio_atomic_file *file)
{
    sgio_text text = {0};
    sgio_sink sink;
    size_t size_at;
    add_header(&text, job, &size_at);
    sgio_status status = sgio_text_send(&text, file);
    if (status != SGIO_OK) return status;
    status = sgio_sink_open(&sink, file, SGIO_ZLIB);
    if (status == SGIO_OK) status = sgio_flat_send(job, &sink);
    if (status == SGIO_OK) status = sgio_sink_finish(&sink);
    uint64_t bytes = sink.coded_bytes;
    sgio_sink_close(&sink);
    return status == SGIO_OK ? patch_size(file, size_at, bytes) : status;
}
