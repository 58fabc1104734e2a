/* PromptSegPack manifest.csv out.pack: images and label maps become one training pack. */
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "cli_embed.h"
#include "cli_files.h"
#include "cli_program.h"
#include "pack_grid.h"
#include "pack_manifest.h"
#include "pack_names.h"
#include "pack_reserved.h"
#include "pack_sets.h"
#include "pack_slices.h"
#include "train/pack.h"

CLI_DECLARE_EMBEDDED(PromptSegPack_xml);

typedef struct pack_job {
    cli_program *program;
    char *root;
    int max_side, max_slices;
    sgm_pack_writer *writer;
    const pack_row *sets[SGM_PACK_MAX_SETS]; /* the first row of each */
    int set_count;
    int train, validation, held_out; /* slices */
    int volumes;                     /* numbers given */
    const char *volume;              /* the stack that the last row belonged to, "": none */
    int volume_set, volume_slice;
} pack_job;

/* Of a single picture spacing and place decide nothing, and it may be of one colour. */
static void hand_on(const cli_warnings *said, const sgio_volume *volume, cli_warnings *out)
{
    const int is_picture = volume->spacing_assumed && volume->geometry.size[2] == 1;
    for (size_t i = 0; i < said->count && !is_picture; i++)
        cli_warn(out, said->sentences[i]);
}

/* Of a label map with a palette the indices are meant, not the colours. */
static int read_volume(const pack_job *job, const char *path, const char *series, int is_label,
                       sgio_volume *out)
{
    char full[PACK_PATH];
    cli_warnings said = {.quiet = 1};
    const sgio_read_options how = {.series = series[0] ? series : NULL,
                                   .palette_indices = is_label,
                                   .warn = cli_warn,
                                   .warn_user = &said};
    int failed = pack_manifest_path(job->root, path, full);
    if (!failed) failed = bridge_from_io(sgio_volume_read(full, &how, out));
    if (!failed) hand_on(&said, out, &job->program->warnings);
    cli_warnings_clear(&said);
    return failed;
}

/* Data sets in the order of their first row. What is held out of one is a second one of the same
 * name, because a pack holds out whole sets. */
static int find_set(pack_job *job, const pack_row *row, int *index)
{
    for (int i = 0; i < job->set_count; i++)
        if (strcmp(job->sets[i]->dataset, row->dataset) == 0 &&
            job->sets[i]->held_out == row->held_out) {
            *index = i;
            return 0;
        }
    sgm_pack_set set = {row->dataset,   row->modality, row->anatomy,
                        row->instances, row->held_out, row->thin};
    int code = bridge_from_model(sgm_pack_writer_set(job->writer, &set, index));
    if (code == 0) job->sets[job->set_count++] = row;
    return code;
}

/* Into the pack's bytes, in place: one byte where the values fit, else two, little endian. */
static void narrow_labels(pack_slice *slice)
{
    size_t pixels = (size_t)slice->width * (size_t)slice->height;
    uint8_t *bytes = (uint8_t *)slice->label;
    for (size_t i = 0; i < pixels; i++) {
        uint16_t value = slice->label[i];
        if (slice->most < 256) {
            bytes[i] = (uint8_t)value;
        } else {
            bytes[2 * i] = (uint8_t)value;
            bytes[2 * i + 1] = (uint8_t)(value >> 8);
        }
    }
}

/* Numbers the volumes, and the pictures of a sequence that lies in consecutive rows. */
static int next_volume(pack_job *job, const pack_row *row, const pack_slicing *slicing, int set)
{
    int is_stack = pack_slicing_count(slicing) > 1;
    if (!is_stack && row->volume[0] && job->volume && job->volume_set == set &&
        strcmp(job->volume, row->volume) == 0) {
        job->volume_slice++;
        return 0;
    }
    job->volume = is_stack ? NULL : row->volume;
    job->volume_set = set;
    job->volume_slice = 0;
    if ((is_stack || row->volume[0]) && ++job->volumes > SGM_PACK_MAX_VOLUMES)
        return cli_fail(CLI_EXIT_INPUT, "more than %d volumes", SGM_PACK_MAX_VOLUMES);
    return 0;
}

static int add_slice(pack_job *job, const pack_row *row, pack_slicing *slicing, int64_t index,
                     int set)
{
    pack_slice slice;
    char name[SGM_PACK_TEXT];
    int code = pack_slicing_make(slicing, index, &slice);
    if (code != 0) return code;
    narrow_labels(&slice);
    int is_stack = pack_slicing_count(slicing) > 1;
    pack_names_item(row, is_stack, index, name);
    sgm_pack_item item = {.id = name,
                          .set = set,
                          .split = row->validation ? SGM_SPLIT_VALIDATION : SGM_SPLIT_TRAIN,
                          .width = slice.width,
                          .height = slice.height,
                          .channels = slice.channels,
                          .label_bytes = slice.most < 256 ? 1 : 2,
                          .volume = is_stack || row->volume[0] ? job->volumes : 0,
                          .slice = is_stack ? (int)index : job->volume_slice,
                          .image = slice.image,
                          .label = (const uint8_t *)slice.label};
    code = bridge_from_model(sgm_pack_writer_item(job->writer, &item));
    pack_slice_clear(&slice);
    int *count = row->held_out ? &job->held_out : row->validation ? &job->validation : &job->train;
    ++*count;
    return code;
}

static void warn_empty(pack_job *job, const pack_row *row)
{
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s holds no label and is left out", row->label);
    cli_warn(&job->program->warnings, sentence);
}

/* Slices with a label in first..last; returns how many. */
static int64_t labelled_range(const pack_slicing *slicing, int64_t *first, int64_t *last)
{
    int64_t count = pack_slicing_count(slicing), labelled = 0;
    *first = 0;
    *last = -1;
    for (int64_t i = 0; i < count; i++) {
        if (!pack_slicing_has_label(slicing, i)) continue;
        if (!labelled++) *first = i;
        *last = i;
    }
    return labelled;
}

/* All slices from one before the first labelled one to one behind the last: where objects end is
 * part of what neighbours teach. */
static int add_whole_range(pack_job *job, const pack_row *row, pack_slicing *slicing, int64_t first,
                           int64_t last, int set)
{
    int code = 0;
    if (last < first) return 0;
    if (first > 0) first--;
    if (last + 1 < pack_slicing_count(slicing)) last++;
    for (int64_t i = first; i <= last && code == 0; i++)
        code = add_slice(job, row, slicing, i, set);
    return code;
}

static int add_slices(pack_job *job, const pack_row *row, pack_slicing *slicing)
{
    int64_t first, last, labelled = labelled_range(slicing, &first, &last), seen = 0;
    int set, code = find_set(job, row, &set);
    if (code == 0) code = next_volume(job, row, slicing, set);
    if (code != 0) return code;
    int is_frame = pack_slicing_count(slicing) == 1 && row->volume[0];
    if (is_frame) return add_slice(job, row, slicing, 0, set);
    if (!labelled) warn_empty(job, row);
    if (!job->max_slices) return add_whole_range(job, row, slicing, first, last, set);
    int64_t wanted = labelled < job->max_slices ? labelled : job->max_slices;
    for (int64_t i = first; i <= last && code == 0; i++) {
        if (!pack_slicing_has_label(slicing, i)) continue;
        /* the slice is wanted when its turn among `wanted` of `labelled` comes */
        if (seen * wanted / labelled != (seen + 1) * wanted / labelled)
            code = add_slice(job, row, slicing, i, set);
        seen++;
    }
    return code;
}

static int add_row(pack_job *job, const pack_row *row)
{
    sgio_volume image = {0}, label = {0};
    pack_slicing slicing = {0};
    int code = read_volume(job, row->image, row->series, 0, &image);
    if (code == 0) code = read_volume(job, row->label, "", 1, &label);
    if (code == 0) {
        code = pack_grid_fit(&image, &label);
        if (code == 0)
            code = pack_slicing_begin(&image, &label, row->axis, job->max_side, &slicing);
        if (code == 0) code = add_slices(job, row, &slicing);
        pack_slicing_end(&slicing);
        if (code != 0 && !strstr(cli_last_message(), row->label)) {
            char reason[1024];
            snprintf(reason, sizeof reason, "%s", cli_last_message());
            code = cli_fail(code, "%s with %s: %s", row->image, row->label, reason);
        }
    }
    sgio_volume_clear(&image);
    sgio_volume_clear(&label);
    return code;
}

static int add_all(pack_job *job, const pack_manifest *manifest)
{
    cli_progress progress;
    int code = 0;
    cli_progress_start(&progress, cli_progress_choose(0), stderr, "PromptSegPack", "reading");
    for (size_t i = 0; i < manifest->count && code == 0; i++) {
        code = add_row(job, &manifest->rows[i]);
        cli_progress_update(&progress, (double)(i + 1) / (double)manifest->count, NULL);
        if (code == 0 && cli_cancelled(NULL)) code = cli_fail(CLI_EXIT_CANCELLED, "cancelled");
    }
    cli_progress_end(&progress);
    return code;
}

static int check_file(const pack_job *job, const pack_row *row, const char *path, cli_files *files)
{
    char full[PACK_PATH], role[64];
    int failed = pack_manifest_path(job->root, path, full);
    if (failed) return failed;
    if (pack_is_reserved(full))
        return cli_fail(
            CLI_EXIT_INPUT,
            "line %d of <manifest>: %s (%s) is refused: this case is reserved for demos "
            "and tests",
            row->line, path, row->dataset);
    snprintf(role, sizeof role, "line %d of <manifest>", row->line);
    cli_files_add(files, role, full, CLI_FILE_READ);
    return 0;
}

/* The pack must not be one of the files it is made of, and nothing may be trained on what demos and
 * tests measure with. */
static int check_files(const pack_job *job, const pack_manifest *manifest)
{
    cli_files files = {0};
    int failed = 0;
    cli_files_add_options(&files, job->program->options, "");
    for (size_t i = 0; i < manifest->count && !failed; i++) {
        const pack_row *row = &manifest->rows[i];
        failed = check_file(job, row, row->image, &files);
        if (!failed) failed = check_file(job, row, row->label, &files);
    }
    if (!failed) failed = cli_files_check(&files);
    cli_files_clear(&files);
    return failed;
}

static int count_names(const pack_job *job)
{
    int count = 0;
    for (int i = 0; i < job->set_count; i++) {
        int earlier = 0;
        while (strcmp(job->sets[earlier]->dataset, job->sets[i]->dataset) != 0)
            earlier++;
        count += earlier == i;
    }
    return count;
}

static void tell(const pack_job *job, const char *pack_path)
{
    printf("%s: %d images of %d data sets: %d to train on, %d for validation, %d held out\n",
           pack_path, job->train + job->validation + job->held_out, count_names(job), job->train,
           job->validation, job->held_out);
}

static int make_pack(pack_job *job, const char *manifest_path, const char *pack_path)
{
    pack_manifest manifest;
    int code = pack_manifest_read(manifest_path, &manifest);
    if (code != 0) return code;
    int quality = (int)cli_integer(job->program->options, "compact");
    code = check_files(job, &manifest);
    if (code == 0) code = pack_sets_check_files(job->root, &manifest, &job->program->warnings);
    if (code == 0) code = pack_names_make(&manifest);
    if (code == 0) code = bridge_from_model(sgm_pack_writer_open(pack_path, quality, &job->writer));
    if (code == 0) {
        code = add_all(job, &manifest);
        if (code == 0)
            code = bridge_from_model(sgm_pack_writer_finish(job->writer));
        else
            sgm_pack_writer_discard(job->writer);
    }
    if (code == 0) tell(job, pack_path);
    pack_manifest_clear(&manifest);
    return code;
}

int main(int argc, char **argv)
{
    static cli_program program;
    static pack_job job;
    int code;
    if (!cli_program_begin(&program, "PromptSegPack", PromptSegPack_xml, PromptSegPack_xml_size,
                           argc, argv, NULL, &code))
        return code;
    const char *manifest = cli_text(program.options, "manifest");
    const char *root = cli_text(program.options, "root");
    char *copy = strdup(manifest);
    job.program = &program;
    job.root = copy ? strdup(root[0] ? root : dirname(copy)) : NULL;
    job.max_side = (int)cli_integer(program.options, "maxSide");
    job.max_slices = (int)cli_integer(program.options, "maxSlices");
    code = job.root ? make_pack(&job, manifest, cli_text(program.options, "pack"))
                    : cli_fail(CLI_EXIT_MEMORY, "no memory");
    free(copy);
    free(job.root);
    return cli_program_end(&program, code, NULL);
}
