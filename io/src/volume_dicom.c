/* DICOM volumes: scan, sort, choose, and read slice by slice, or frame by frame. */
#include "dicom_choice.h"
#include "dicom_palette.h"
#include "dicom_scan.h"
#include "dicom_stack.h"
#include "io_status.h"
#include "volume_formats.h"
#include "voxels.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What reading one volume needs at every slice. */
typedef struct job {
    const sgio_dicom_slices *slices;
    const sgio_dicom_volume *volume;
    const sgio_dicom_stack *stack;
    const sgio_read_options *options;
    sgio_volume *out;
    size_t values;           /* per slice, colours counted */
    void *stored;            /* one slice as in its file */
    sgio_dicom_pixels *open; /* the file with several frames that was read last; NULL before */
    const char *open_path;
    uint8_t *colours; /* one slice of a palette's colours, RGB; NULL: there is none */
    sgio_dicom_palette palette;
    const char *palette_path; /* whose it is */
    int colours_told;         /* once per volume */
} job;

static const sgio_dicom_slice *slice_at(const job *job, size_t k)
{
    return &job->slices->items[job->volume->slices[k]];
}

/* Frames in time in one file. */
static int is_sequence(const job *job)
{
    return job->volume->count == 1 && slice_at(job, 0)->frames > 1;
}

/* How many pictures are read: slices, each in its file, or frames of one file. */
static size_t pictures_of(const job *job)
{
    return is_sequence(job) ? (size_t)slice_at(job, 0)->frames : job->volume->count;
}

static int channels_of(const sgio_dicom_slice *slice)
{
    return sgio_dicom_has_palette(slice) ? 3 : slice->samples;
}

static sgio_voxel_format format_of(const sgio_dicom_slice *slice)
{
    static const int raw[3][2] = {{SGIO_U8, SGIO_I8}, {SGIO_U16, SGIO_I16}, {SGIO_U32, SGIO_I32}};
    int width = slice->bits_allocated == 8 ? 0 : slice->bits_allocated == 16 ? 1 : 2;
    sgio_voxel_format format = {raw[width][slice->is_signed], 0, slice->slope, slice->intercept};
    if (channels_of(slice) == 3) { /* colours have no modality transform */
        format.raw = sgio_dicom_has_palette(slice) ? SGIO_U8 : raw[width][0];
        format.slope = 1;
        format.intercept = 0;
    }
    return format;
}

/* What its bits can store. */
static void stored_range(const sgio_dicom_slice *slice, double *low, double *high)
{
    double span = ldexp(1, slice->bits_stored);
    *low = slice->is_signed ? -span / 2 : 0;
    *high = *low + span - 1;
}

static sgio_type type_of(const sgio_dicom_slice *slice)
{
    sgio_voxel_format format = format_of(slice);
    double low, high;
    stored_range(slice, &low, &high);
    return sgio_voxels_type(&format, low, high);
}

/* Slope and intercept may differ from slice to slice (PET). What a float holds of most slices it
 * holds of one with a whole slope too, whose own type would need doubles beside floats. */
static sgio_type widest_type(const job *job)
{
    sgio_type type = type_of(slice_at(job, 0));
    int any_float = type == SGIO_F32;
    for (size_t k = 1; k < job->volume->count; k++) {
        const sgio_type other = type_of(slice_at(job, k));
        any_float |= other == SGIO_F32;
        type = sgio_common_type(type, other);
    }
    return any_float && slice_at(job, 0)->bits_allocated <= 16 ? SGIO_F32 : type;
}

static sgio_status does_not_fit(const sgio_dicom_slice *slice, sgio_type type)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: values do not fit into %s", slice->path,
                     sgio_type_name(type));
}

static const sgio_voxel_format plain = {SGIO_F64, 0, 1, 0};

/* The padding as voxels of the slice have it, to the bit. */
static double padding_of(const sgio_dicom_slice *slice)
{
    sgio_voxel_format format = format_of(slice);
    double value = 0;
    format.raw = SGIO_F64;
    sgio_voxels_convert(&format, &slice->padding, 1, SGIO_F64, &value);
    return value;
}

static int can_be_padded(const sgio_dicom_slice *slice)
{
    double low, high;
    stored_range(slice, &low, &high);
    return channels_of(slice) == 1 && slice->has_padding && slice->padding >= low &&
           slice->padding <= high;
}

/* A volume has one value of padding, that of the first slice which can have some. Slopes, or the
 * padding itself, may differ from slice to slice: padded voxels of the others get it too. */
static void find_padding(const job *job)
{
    sgio_volume *out = job->out;
    for (size_t k = 0; k < job->volume->count && !out->has_padding; k++) {
        out->has_padding = can_be_padded(slice_at(job, k));
        if (out->has_padding) out->padding = padding_of(slice_at(job, k));
    }
}

/* `to` holds the slice in job->stored, converted to `type`. */
static sgio_status unify_padding(const job *job, const sgio_dicom_slice *slice, sgio_type type,
                                 void *to)
{
    enum { CHUNK = 1024 };
    const sgio_voxel_format as_stored = {format_of(slice).raw, 0, 1, 0};
    const size_t width = sgio_raw_bytes((int)type), stored_width = sgio_raw_bytes(as_stored.raw);
    double stored[CHUNK], padding;
    if (!can_be_padded(slice) || padding_of(slice) == job->out->padding) return SGIO_OK;
    int fits = sgio_voxels_convert(&plain, &job->out->padding, 1, type, &padding) == 0;
    for (size_t start = 0; start < job->values; start += CHUNK) {
        size_t count = job->values - start < CHUNK ? job->values - start : CHUNK;
        sgio_voxels_convert(&as_stored, (const char *)job->stored + start * stored_width, count,
                            SGIO_F64, stored);
        for (size_t i = 0; i < count; i++) {
            if (stored[i] != slice->padding) continue;
            if (!fits) return does_not_fit(slice, type);
            memcpy((char *)to + (start + i) * width, &padding, width);
        }
    }
    return SGIO_OK;
}

static void warn_of_colours(job *job, const sgio_dicom_slice *slice,
                            const sgio_dicom_pixels *pixels)
{
    const char *otherwise = sgio_dicom_pixels_otherwise(pixels);
    if (!otherwise || job->colours_told) return;
    job->colours_told = 1;
    sgio_warn(job->options->warn, job->options->warn_user, "%s: %s", slice->path, otherwise);
}

static sgio_status read_frame(job *job, const sgio_dicom_slice *slice, sgio_dicom_pixels *pixels,
                              int frame)
{
    const sgio_status status = sgio_dicom_pixels_read(pixels, frame, job->stored);
    if (status == SGIO_OK) warn_of_colours(job, slice, pixels);
    return status;
}

/* A file of several frames stays open for the next one. */
static sgio_status open_file(job *job, const sgio_dicom_slice *slice)
{
    if (job->open && strcmp(job->open_path, slice->path) == 0) return SGIO_OK;
    sgio_dicom_pixels_close(job->open);
    job->open = NULL;
    job->open_path = slice->path;
    return sgio_dicom_pixels_open(slice, &job->open);
}

static sgio_status read_stored(job *job, const sgio_dicom_slice *slice, size_t k)
{
    sgio_dicom_pixels *pixels;
    sgio_status status;
    if (slice->stored_frames > 1) {
        status = open_file(job, slice);
        if (status != SGIO_OK) return status;
        return read_frame(job, slice, job->open, is_sequence(job) ? (int)k : slice->frame);
    }
    status = sgio_dicom_pixels_open(slice, &pixels);
    if (status == SGIO_OK) status = read_frame(job, slice, pixels, 0);
    sgio_dicom_pixels_close(pixels);
    return status;
}

/* The colours of the slice in job->stored. */
static sgio_status find_colours(job *job, const sgio_dicom_slice *slice)
{
    if (!job->palette_path || strcmp(job->palette_path, slice->path) != 0) {
        sgio_dicom_palette_clear(&job->palette);
        job->palette_path = slice->path;
        sgio_status status = sgio_dicom_read_palette(slice, &job->palette);
        if (status != SGIO_OK) return status;
    }
    sgio_dicom_palette_apply(&job->palette, slice, job->stored, job->values / 3, job->colours);
    return SGIO_OK;
}

/* One source slice, converted to `type`. */
static sgio_status read_slice(job *job, size_t k, sgio_type type, void *to)
{
    const sgio_dicom_slice *slice = slice_at(job, is_sequence(job) ? 0 : k);
    sgio_voxel_format format = format_of(slice);
    sgio_status status = read_stored(job, slice, k);
    if (status == SGIO_OK && job->colours) status = find_colours(job, slice);
    if (status != SGIO_OK) return status;
    const void *values = job->colours ? job->colours : job->stored;
    if (sgio_voxels_convert(&format, values, job->values, type, to) != 0)
        return does_not_fit(slice, type);
    status = unify_padding(job, slice, type, to);
    if (status != SGIO_OK) return status;
    return sgio_tell(job->options->progress, job->options->progress_user, k + 1, pictures_of(job));
}

static sgio_status read_even(job *job)
{
    size_t bytes = job->values * sgio_raw_bytes((int)job->out->type);
    sgio_status status = SGIO_OK;
    for (size_t k = 0; k < pictures_of(job) && status == SGIO_OK; k++)
        status = read_slice(job, k, job->out->type, (char *)job->out->data + k * bytes);
    return status;
}

/* Between padding and tissue nothing is mixed: the nearer value is taken. */
static void mix(const job *job, const double *a, const double *b, double share, double *out)
{
    const sgio_volume *volume = job->out;
    int whole = volume->type != SGIO_F32 && volume->type != SGIO_F64;
    for (size_t i = 0; i < job->values; i++) {
        int padded = volume->has_padding && (a[i] == volume->padding || b[i] == volume->padding);
        double value = (1 - share) * a[i] + share * b[i];
        if (padded) value = share < 0.5 ? a[i] : b[i];
        out[i] = whole ? rint(value) : value;
    }
}

/* Linear interpolation along k; two source slices are in memory at a time. */
static sgio_status read_between(job *job, double *buffers[3])
{
    size_t bytes = job->values * sgio_raw_bytes((int)job->out->type), left = 0;
    sgio_status status = read_slice(job, 0, SGIO_F64, buffers[0]);
    if (status == SGIO_OK) status = read_slice(job, 1, SGIO_F64, buffers[1]);
    for (int64_t k = 0; k < job->out->geometry.size[2] && status == SGIO_OK; k++) {
        const double *place = job->stack->place;
        while (status == SGIO_OK && left + 2 < job->volume->count && place[left + 1] <= (double)k) {
            double *swap = buffers[0];
            buffers[0] = buffers[1];
            buffers[1] = swap;
            left++;
            status = read_slice(job, left + 1, SGIO_F64, buffers[1]);
        }
        if (status != SGIO_OK) break;
        double share = ((double)k - place[left]) / (place[left + 1] - place[left]);
        mix(job, buffers[0], buffers[1], fmin(fmax(share, 0), 1), buffers[2]);
        if (sgio_voxels_convert(&plain, buffers[2], job->values, job->out->type,
                                (char *)job->out->data + (size_t)k * bytes) != 0)
            status = does_not_fit(slice_at(job, left), job->out->type);
    }
    return status;
}

static sgio_status read_resampled(job *job)
{
    double *buffers[3] = {NULL, NULL, NULL};
    size_t bytes = job->values * sizeof(double);
    sgio_status status = SGIO_OK;
    for (int i = 0; i < 3 && status == SGIO_OK; i++) {
        buffers[i] = malloc(bytes);
        if (!buffers[i]) status = sgio_fail_memory(bytes, slice_at(job, 0)->path);
    }
    if (status == SGIO_OK) status = read_between(job, buffers);
    for (int i = 0; i < 3; i++)
        free(buffers[i]);
    return status;
}

/* Range by header is a worst case: 16 stored bits and an intercept of -1024 claim 32-bit values
 * that CT never has. int16 is tried first and costs a second pass only when it fails. */
static sgio_status read_voxels(job *job, const char *path)
{
    sgio_type widest = widest_type(job);
    int try_narrow = widest == SGIO_I32 && slice_at(job, 0)->bits_allocated == 16;
    for (;; try_narrow = 0) {
        job->out->type = try_narrow ? SGIO_I16 : widest;
        sgio_status status = sgio_volume_allocate(job->out, path);
        if (status == SGIO_OK) status = job->stack->place ? read_resampled(job) : read_even(job);
        if (status == SGIO_OK || !try_narrow || status != SGIO_UNREADABLE) return status;
        free(job->out->data);
        job->out->data = NULL;
    }
}

static sgio_status refuse_pixels(const job *job)
{
    const sgio_dicom_slice *slice = slice_at(job, 0);
    if (slice->samples == 1 || strcmp(slice->photometric, "RGB") == 0 ||
        strncmp(slice->photometric, "YBR_", 4) == 0)
        return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE, "%s: colour model \"%s\" is not supported", slice->path,
                     slice->photometric);
}

/* CT has other values too: iodine in mg/ml, effective atomic numbers, electron densities. */
static int is_hounsfield(const sgio_dicom_slice *slice)
{
    const char *type = slice->rescale_type;
    return !strcmp(slice->modality, "CT") &&
           (!*type || !strcmp(type, "HU") || !strcmp(type, "HU_MOD"));
}

static void describe(const job *job)
{
    const sgio_dicom_slice *first = slice_at(job, 0);
    sgio_volume *out = job->out;
    out->geometry = job->stack->geometry;
    out->channels = channels_of(first);
    out->sheared = job->stack->sheared;
    out->resampled = job->stack->place != NULL;
    out->spacing_assumed = job->stack->assumed;
    out->is_sequence = is_sequence(job);
    memcpy(out->modality, first->modality, sizeof out->modality);
    out->rescaled = out->channels == 1 && !first->has_modality_lut;
    for (size_t k = 0; k < job->volume->count; k++)
        if (!slice_at(job, k)->has_rescale) out->rescaled = 0;
    out->hounsfield = out->rescaled;
    for (size_t k = 0; k < job->volume->count; k++)
        if (!is_hounsfield(slice_at(job, k))) out->hounsfield = 0;
    find_padding(job);
}

/* The source slice nearest to slice k of the grid. */
static size_t nearest_source(const job *job, size_t k)
{
    const double *place = job->stack->place;
    size_t nearest = 0;
    if (!place) return k;
    while (nearest + 1 < job->volume->count &&
           fabs(place[nearest + 1] - (double)k) <= fabs(place[nearest] - (double)k))
        nearest++;
    return nearest;
}

/* Frames of a sequence have no files of their own. */
static sgio_status name_sources(const job *job)
{
    sgio_volume *out = job->out;
    size_t count = (size_t)job->stack->geometry.size[2];
    if (out->is_sequence) return SGIO_OK;
    out->series_uid = strdup(slice_at(job, 0)->series_uid);
    out->files = calloc(count, sizeof *out->files);
    out->file_frames = calloc(count, sizeof *out->file_frames);
    if (!out->series_uid || !out->files || !out->file_frames)
        return sgio_fail_memory(count, slice_at(job, 0)->path);
    for (out->file_count = 0; out->file_count < count; out->file_count++) {
        const sgio_dicom_slice *slice = slice_at(job, nearest_source(job, out->file_count));
        out->files[out->file_count] = strdup(slice->path);
        if (!out->files[out->file_count]) return sgio_fail_memory(strlen(slice->path), slice->path);
        out->file_frames[out->file_count] = slice->stored_frames > 1 ? slice->frame + 1 : 0;
    }
    return SGIO_OK;
}

/* How many slices have such a text; the first one in *first. */
static size_t count_texts(const job *job, size_t offset, const char **first)
{
    size_t count = 0;
    for (size_t k = 0; k < job->volume->count; k++) {
        const char *text = (const char *)slice_at(job, k) + offset;
        if (text[0] && count++ == 0) *first = text;
    }
    return count;
}

static void warn_of_values(const job *job, const char *path)
{
    const sgio_read_options *options = job->options;
    const char *text = "";
    size_t commas = count_texts(job, offsetof(sgio_dicom_slice, with_comma), &text);
    if (commas > 0)
        sgio_warn(
            options->warn, options->warn_user,
            "%s: decimal commas in %zu file(s) are read as points, which DICOM prescribes: %s",
            path, commas, text);
    size_t others = count_texts(job, offsetof(sgio_dicom_slice, not_a_number), &text);
    if (others > 0)
        sgio_warn(options->warn, options->warn_user,
                  "%s: no number, and not used, in %zu file(s): %s", path, others, text);
    if (slice_at(job, 0)->has_modality_lut)
        sgio_warn(options->warn, options->warn_user,
                  "%s: its Modality LUT is not applied, values are as stored", path);
}

/* To what voxels of that type hold: they are compared with it. */
static void round_padding(sgio_volume *out)
{
    float rounded;
    if (out->type != SGIO_F32) return;
    sgio_voxels_convert(&plain, &out->padding, 1, SGIO_F32, &rounded);
    out->padding = (double)rounded;
}

/* Room for one slice. */
static sgio_status make_buffers(job *job, const char *path)
{
    const sgio_dicom_slice *first = slice_at(job, 0);
    size_t most = 0;
    for (size_t k = 0; k < job->volume->count; k++) {
        size_t bytes = sgio_dicom_pixel_bytes(slice_at(job, k));
        if (bytes > most) most = bytes;
    }
    job->values = most / (size_t)(first->bits_allocated / 8);
    job->stored = malloc(most);
    if (!job->stored) return sgio_fail_memory(most, path);
    if (!sgio_dicom_has_palette(first)) return SGIO_OK;
    job->values *= 3;
    job->colours = malloc(job->values);
    return job->colours ? SGIO_OK : sgio_fail_memory(job->values, path);
}

static void warn_of_dealing(const job *job, const char *path)
{
    const sgio_read_options *options = job->options;
    if (job->volume->is_dealt)
        sgio_warn(options->warn, options->warn_user,
                  "%s: some places in its series have fewer slices than others, and nothing but "
                  "instance numbers tells which belong together; slices of another volume may be "
                  "among these",
                  path);
    else if (job->volume->is_irregular)
        sgio_warn(options->warn, options->warn_user,
                  "%s: several slices of its series lie at each place, nothing but their order "
                  "tells which belong together, and that does not go volume by volume; "
                  "slices of another volume may be among these",
                  path);
}

static sgio_status run_job(const char *path, job *job)
{
    sgio_status status = refuse_pixels(job);
    if (status != SGIO_OK) return status;
    describe(job);
    warn_of_dealing(job, path);
    if (job->options->without_voxels) return name_sources(job);
    warn_of_values(job, path);
    if (job->out->is_sequence)
        sgio_warn(job->options->warn, job->options->warn_user,
                  "%s: %d frames in time; along them there are no millimetres", path,
                  slice_at(job, 0)->frames);
    status = make_buffers(job, path);
    if (status == SGIO_OK) status = read_voxels(job, path);
    if (status == SGIO_OK) round_padding(job->out);
    if (status == SGIO_OK) status = name_sources(job);
    sgio_dicom_pixels_close(job->open);
    sgio_dicom_palette_clear(&job->palette);
    free(job->colours);
    free(job->stored);
    return status;
}

static sgio_status read_volume(const char *path, const sgio_dicom_slices *slices,
                               const sgio_dicom_volume *volume, const sgio_read_options *options,
                               sgio_volume *out)
{
    sgio_dicom_stack stack;
    sgio_status status = sgio_dicom_stack_plan(path, slices, volume, options, &stack);
    if (status != SGIO_OK) return status;
    job job = {.slices = slices, .volume = volume, .stack = &stack, .options = options, .out = out};
    status = run_job(path, &job);
    sgio_dicom_stack_clear(&stack);
    return status;
}

static void warn_of_copies(const char *path, const sgio_dicom_copies *alike,
                           const sgio_read_options *options)
{
    if (alike->copies > 0)
        sgio_warn(options->warn, options->warn_user,
                  "%s: %zu file(s) hold instances that other files hold too and were left out",
                  path, alike->copies);
    if (alike->repeats > 0)
        sgio_warn(options->warn, options->warn_user,
                  "%s: the SOP instance UIDs of %zu file(s) are those of others, from which they "
                  "differ in series, number or place; they are read, but no DICOM output can refer "
                  "to them without doubt",
                  path, alike->repeats);
}

/* Releases the slices. */
static sgio_status read_chosen(const char *path, sgio_dicom_slices *slices,
                               const sgio_read_options *options, sgio_volume *out)
{
    sgio_dicom_volumes volumes;
    size_t chosen = 0;
    sgio_status status =
        sgio_dicom_choose(path, slices, options->series, options->allow_gaps, &volumes, &chosen);
    if (status == SGIO_OK) warn_of_copies(path, &volumes.alike, options);
    if (status == SGIO_OK) status = read_volume(path, slices, &volumes.items[chosen], options, out);
    sgio_dicom_volumes_clear(&volumes);
    sgio_dicom_slices_clear(slices);
    return status;
}

sgio_status sgio_read_dicom(const char *path, const sgio_read_options *options, sgio_volume *out)
{
    sgio_dicom_slices slices;
    sgio_status status = sgio_dicom_scan(path, options, &slices);
    return status == SGIO_OK ? read_chosen(path, &slices, options, out) : status;
}

sgio_status sgio_read_dicom_tree(const char *directory, const sgio_file_tree *tree,
                                 const sgio_read_options *options, sgio_volume *out)
{
    sgio_dicom_slices slices;
    sgio_status status = sgio_dicom_scan_tree(directory, tree, options, &slices);
    return status == SGIO_OK ? read_chosen(directory, &slices, options, out) : status;
}
