/* A volume as NRRD, for programs that cannot read what it came from. */
#include "scene.h"

#include "io_status.h"
#include "labelmap_formats.h"
#include "labelmap_sink.h"
#include "segmentation_parts.h"
#include "voxels.h"

static const char *const type_names[] = {"unsigned char", "signed char",  "unsigned short",
                                         "short",         "unsigned int", "int",
                                         "float",         "double"};

static void add_header(sgio_text *text, const sgio_volume *volume)
{
    const sgio_geometry *g = &volume->geometry;
    const int colour = volume->channels == 3;
    const char *order = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? "big" : "little";
    sgio_text_add(text, "NRRD0004\ntype: %s\ndimension: %d\nspace: left-posterior-superior\nsizes:",
                  type_names[volume->type], colour ? 4 : 3);
    if (colour) sgio_text_add(text, " 3");
    sgio_text_add(text, " %lld %lld %lld\nspace directions:%s", (long long)g->size[0],
                  (long long)g->size[1], (long long)g->size[2], colour ? " none" : "");
    for (int c = 0; c < 3; c++)
        sgio_text_add(text, " (%.17g,%.17g,%.17g)", g->matrix[0][c], g->matrix[1][c],
                      g->matrix[2][c]);
    sgio_text_add(text, "\nkinds:%s domain domain domain\nendian: %s\nencoding: gzip\n",
                  colour ? " RGB-color" : "", order);
    sgio_text_add(text, "space origin: (%.17g,%.17g,%.17g)\n\n", g->matrix[0][3], g->matrix[1][3],
                  g->matrix[2][3]);
}

static sgio_status send_voxels(const sgio_volume *volume, sgio_sink *sink,
                               const sgio_segmentation_write_options *options)
{
    const char *data = volume->data;
    const size_t bytes = sgio_voxel_count(&volume->geometry) * (size_t)volume->channels *
                         sgio_raw_bytes((int)volume->type);
    sgio_status status = SGIO_OK;
    for (size_t at = 0; at < bytes && status == SGIO_OK; at += SGIO_SINK_BLOCK) {
        const size_t part = bytes - at < SGIO_SINK_BLOCK ? bytes - at : SGIO_SINK_BLOCK;
        status = sgio_sink_write(sink, data + at, part);
        if (status == SGIO_OK)
            status = sgio_tell(options->progress, options->progress_user, at + part, bytes);
    }
    return status;
}

static sgio_status write_file(const sgio_volume *volume, sgio_atomic_file *file,
                              const sgio_segmentation_write_options *options)
{
    sgio_text text = {0};
    sgio_sink sink;
    add_header(&text, volume);
    sgio_status status = sgio_text_send(&text, file);
    if (status != SGIO_OK) return status;
    status = sgio_sink_open(&sink, file, SGIO_GZIP);
    if (status == SGIO_OK) status = send_voxels(volume, &sink, options);
    if (status == SGIO_OK) status = sgio_sink_finish(&sink);
    sgio_sink_close(&sink);
    return status;
}

sgio_status sgio_write_volume_nrrd(const sgio_volume *volume, const char *path,
                                   const sgio_segmentation_write_options *options)
{
    sgio_atomic_file file;
    sgio_status status = sgio_atomic_open(&file, path, options->outputs);
    if (status != SGIO_OK) return status;
    status = write_file(volume, &file, options);
    if (status == SGIO_OK) status = sgio_atomic_commit(&file);
    sgio_atomic_discard(&file);
    return status;
}
