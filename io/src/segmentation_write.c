#include "formats.h"

#include "io_status.h"

#include <string.h>

static const sgio_segmentation_write_options no_options;

static sgio_status find_writer(const char *path, const sgio_format **format)
{
    *format = sgio_format_by_name(path);
    if (*format && (*format)->write) return SGIO_OK;
    return sgio_fail(SGIO_USAGE, "%s: the output's extension must be %s", path,
                     sgio_segmentation_endings());
}

int sgio_segmentation_can_write(const char *path)
{
    const sgio_format *format = sgio_format_by_name(path);
    return format && format->write;
}

static sgio_status check_format(const sgio_format *format, const char *path,
                                const sgio_geometry *grid,
                                const sgio_segmentation_write_options *options)
{
    return format->check ? format->check(path, grid, options) : SGIO_OK;
}

sgio_status sgio_segmentation_check_write(const char *path, const sgio_geometry *grid,
                                          const sgio_segmentation_write_options *options)
{
    const sgio_format *format;
    if (!options) options = &no_options;
    sgio_status status = find_writer(path, &format);
    if (status == SGIO_OK) status = check_format(format, path, grid, options);
    return status == SGIO_OK ? sgio_output_check(path) : status;
}

sgio_status sgio_segmentation_beside(const char *path,
                                     const sgio_segmentation_write_options *options,
                                     sgio_path_fn found, void *user)
{
    const sgio_format *format;
    sgio_status status = find_writer(path, &format);
    if (status != SGIO_OK || !format->beside) return status;
    return format->beside(path, options ? options : &no_options, found, user);
}

static void warn_overlap(const sgio_label_job *job)
{
    const sgio_segmentation *from = job->segmentation;
    if (job->overlap->voxels == 0) return;
    sgio_warn(
        job->options->warn, job->options->warn_user,
        "segments overlap in %lld voxels (%.100s and %.100s, for instance): a plain label map "
        "keeps the later one; .seg.nrrd keeps both",
        (long long)job->overlap->voxels, from->segments[job->overlap->first].name,
        from->segments[job->overlap->second].name);
}

static sgio_status write_file(const sgio_format *format, const sgio_label_job *job)
{
    sgio_atomic_file file;
    sgio_status status = sgio_atomic_open(&file, job->path, job->options->outputs);
    if (status != SGIO_OK) return status;
    file.is_segmentation = 1;
    status = format->write(job, &file);
    if (status == SGIO_OK) status = sgio_atomic_commit(&file);
    sgio_atomic_discard(&file);
    if (status == SGIO_OK) warn_overlap(job);
    return status;
}

/* Files that belong together appear together. */
static sgio_status write_set(const sgio_format *format, const sgio_label_job *job)
{
    sgio_segmentation_write_options options = *job->options;
    sgio_label_job joined = *job;
    sgio_status status = sgio_outputs_create(&options.outputs);
    joined.options = &options;
    if (status == SGIO_OK) status = write_file(format, &joined);
    if (status == SGIO_OK) status = sgio_outputs_commit(options.outputs);
    sgio_outputs_destroy(options.outputs);
    return status;
}

sgio_status sgio_segmentation_write(const sgio_segmentation *segmentation, const char *path,
                                    const sgio_segmentation_write_options *options,
                                    sgio_overlap *overlap)
{
    const sgio_format *format;
    sgio_overlap unasked;
    const sgio_label_job job = {segmentation, path, options ? options : &no_options,
                                overlap ? overlap : &unasked};
    memset(job.overlap, 0, sizeof *job.overlap);
    sgio_status status = find_writer(path, &format);
    if (status == SGIO_OK)
        status = check_format(format, path, &segmentation->geometry, job.options);
    if (status != SGIO_OK) return status;
    return format->beside && !job.options->outputs ? write_set(format, &job)
                                                   : write_file(format, &job);
}
