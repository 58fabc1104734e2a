#include "io_status.h"
#include "nifti_header.h"
#include "volume_formats.h"
#include "volume_share.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_EXTENSION_BYTES = 64 << 20 }; /* behind the header proper */

static sgio_status read_header(const char *path, sgio_nifti_header *header)
{
    unsigned char bytes[SGIO_NIFTI_2_BYTES];
    size_t size = 0;
    sgio_source *source;
    sgio_status status = sgio_source_open(path, 0, SGIO_SOURCE_BY_MAGIC, &source);
    if (status != SGIO_OK) return status;
    status = sgio_source_read_some(source, bytes, sizeof bytes, &size);
    if (status == SGIO_OK) status = sgio_nifti_parse(path, bytes, size, header);
    /* The voxels of a pair are in another stream. */
    if (status == SGIO_OK && !header->single_file)
        status = sgio_source_drain(source, MOST_EXTENSION_BYTES);
    sgio_source_close(source);
    return status;
}

/* "x.hdr.gz" <-> "x.img.gz": replaces the three letters, keeping their case. */
static char *with_letters(const char *path, const char *lower, const char *upper)
{
    char *copy = strdup(path);
    if (!copy) return NULL;
    size_t end = strlen(copy);
    if (sgio_has_suffix(copy, ".gz")) end -= 3;
    memcpy(copy + end - 3, copy[end - 1] >= 'a' ? lower : upper, 3);
    return copy;
}

static int is_pair_member(const char *path, const char *plain, const char *gzipped)
{
    return sgio_has_suffix(path, plain) || sgio_has_suffix(path, gzipped);
}

static sgio_status read_voxels(const char *path, const sgio_nifti_header *header,
                               const sgio_read_options *options, sgio_volume *out)
{
    const sgio_voxel_share share = {header->volumes, out->file_volume - (header->volumes > 1), 0};
    sgio_source *source;
    sgio_status status = sgio_source_open(path, 0, SGIO_SOURCE_BY_MAGIC, &source);
    if (status == SGIO_OK) status = sgio_source_skip(source, header->data_offset);
    if (status == SGIO_OK)
        status = sgio_voxels_read(source, path, &header->format, &share, options, out);
    sgio_source_close(source);
    return status;
}

/* The .img of a pair may be compressed while its .hdr is not, and the other way round. */
static sgio_status read_pair(const char *header_path, const sgio_nifti_header *header,
                             const sgio_read_options *options, sgio_volume *out)
{
    char *path = with_letters(header_path, "img", "IMG");
    if (!path) return sgio_fail_memory(strlen(header_path), header_path);
    sgio_status status = read_voxels(path, header, options, out);
    free(path);
    return status;
}

static void warn_about_transform(const char *path, const sgio_nifti_header *header,
                                 const sgio_read_options *options)
{
    if (header->transform == SGIO_NIFTI_NONE)
        sgio_warn(options->warn, options->warn_user,
                  "%s does not say how it lies in the patient (no sform, no qform): axes R to L, "
                  "A to P, I to S are assumed, as ITK and 3D Slicer do; other programs flip it",
                  path);
    if (header->forms_differ)
        sgio_warn(
            options->warn, options->warn_user,
            "%s: its sform and its qform name different places; the %s is taken, as ITK and 3D "
            "Slicer do; other programs take the other one",
            path, header->transform == SGIO_NIFTI_SFORM ? "sform" : "qform");
    if (header->sform_unusable)
        sgio_warn(options->warn, options->warn_user,
                  "%s: its sform gives one axis no direction; the qform is taken", path);
}

static sgio_status choose(const char *path, const sgio_nifti_header *header,
                          const sgio_read_options *options, sgio_volume *out)
{
    sgio_voxel_share share = {header->volumes, 0, 0};
    sgio_status status = sgio_choose_volume(path, &header->geometry, options, &share);
    if (status == SGIO_OK && share.count > 1) out->file_volume = share.number + 1;
    return status;
}

static sgio_status read_files(const char *path, const sgio_read_options *options, sgio_volume *out)
{
    sgio_nifti_header header;
    sgio_status status = read_header(path, &header);
    if (status == SGIO_OK) status = sgio_check_geometry(path, &header.geometry);
    if (status == SGIO_OK) status = choose(path, &header, options, out);
    if (status != SGIO_OK) return status;
    warn_about_transform(path, &header, options);
    sgio_say_assumed(path, header.spacing_assumed, options, out);
    out->geometry = header.geometry;
    out->channels = header.channels;
    out->rescaled = header.format.slope != 1 || header.format.intercept != 0;
    if (header.single_file) return read_voxels(path, &header, options, out);
    if (is_pair_member(path, ".hdr", ".hdr.gz")) return read_pair(path, &header, options, out);
    return sgio_fail(SGIO_UNREADABLE, "%s: header of a .hdr/.img pair in a file named otherwise",
                     path);
}

/* The header of a pair is in the .hdr, whichever of both is named. malloc'ed. */
static char *header_path_of(const char *path)
{
    if (is_pair_member(path, ".img", ".img.gz")) return with_letters(path, "hdr", "HDR");
    return strdup(path);
}

sgio_status sgio_read_nifti(const char *path, const sgio_read_options *options, sgio_volume *out)
{
    char *header_path = header_path_of(path);
    if (!header_path) return sgio_fail_memory(strlen(path), path);
    sgio_status status = read_files(header_path, options, out);
    free(header_path);
    return status;
}

sgio_status sgio_list_nifti(const char *path, char **text)
{
    sgio_nifti_header header;
    char *header_path = header_path_of(path);
    if (!header_path) return sgio_fail_memory(strlen(path), path);
    sgio_status status = read_header(header_path, &header);
    if (status == SGIO_OK) status = sgio_check_geometry(header_path, &header.geometry);
    if (status == SGIO_OK)
        status = sgio_list_volumes(path, "NIfTI", &header.geometry, header.volumes, text);
    free(header_path);
    return status;
}
