/* A scene for 3D Slicer: nodes in XML, and beside it the segmentation, a file per markup, and the
 * volume where Slicer could not read the input itself. Names in the scene are relative to it. */
#include "scene.h"

#include "io_status.h"
#include "labelmap_formats.h"
#include "volume_formats.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct scene_job {
    const sgio_label_job *job;
    sgio_text xml;
    char *volume; /* its file as the scene names it */
} scene_job;

/* ------------------------------------------------------------------------------- names of files */

/* "<scene without its ending><suffix>", malloc'ed; NULL when out of memory. */
static char *beside(const char *scene, const char *suffix)
{
    const size_t stem = strlen(scene) - strlen(".mrml");
    char *name = malloc(stem + strlen(suffix) + 1);
    if (!name) return NULL;
    memcpy(name, scene, stem);
    strcpy(name + stem, suffix);
    return name;
}

static const char *base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* 3D Slicer reads through ITK: these formats, no sheared grids of NIfTI files, no NRRDs that ITK
 * places elsewhere. Of a file of several volumes it would show them all, or the first. */
static int slicer_reads(const sgio_segmentation_write_options *options)
{
    const sgio_volume *source = options->source;
    const sgio_format *format = sgio_format_by_name(options->source_path);
    if (source->file_count > 0 || source->file_volume > 0 || source->itk_differs || !format)
        return 0;
    if (format->read_volume == sgio_read_nifti)
        return sgio_geometry_is_orthogonal(&source->geometry);
    return format->read_volume == sgio_read_nrrd || format->read_volume == sgio_read_meta;
}

/* The k-th file of a kind: "<stem>-points-2.mrk.json". */
static char *markup_file(const char *scene, const char *kind, size_t number)
{
    char suffix[48];
    snprintf(suffix, sizeof suffix, "-%s-%zu.mrk.json", kind, number);
    return beside(scene, suffix);
}

static sgio_status tell(char *path, sgio_path_fn found, void *user)
{
    if (!path) return sgio_fail_memory(1, "the name of a file");
    found(user, path);
    free(path);
    return SGIO_OK;
}

static sgio_status tell_markups(const char *path, const sgio_prompts *prompts, sgio_path_fn found,
                                void *user)
{
    size_t lists = 0, boxes = 0;
    sgio_status status = SGIO_OK;
    for (size_t s = 0; s < prompts->segment_count && status == SGIO_OK; s++) {
        const sgio_prompt_segment *segment = &prompts->segments[s];
        if (segment->point_count > 0)
            status = tell(markup_file(path, "points", ++lists), found, user);
        for (size_t b = 0; b < segment->box_count && status == SGIO_OK; b++)
            status = tell(markup_file(path, "box", ++boxes), found, user);
    }
    return status;
}

sgio_status sgio_scene_beside(const char *path, const sgio_segmentation_write_options *options,
                              sgio_path_fn found, void *user)
{
    sgio_status status = tell(beside(path, ".seg.nrrd"), found, user);
    if (status == SGIO_OK && (!options->source_path || !slicer_reads(options)))
        status = tell(beside(path, "-volume.nrrd"), found, user);
    if (status == SGIO_OK && options->prompts)
        status = tell_markups(path, options->prompts, found, user);
    return status;
}

/* ------------------------------------------------------------------------------------ the XML */

static void add_escaped(sgio_text *xml, const char *text)
{
    for (const char *c = text; *c; c++)
        switch (*c) {
        case '&':
            sgio_text_add(xml, "&amp;");
            break;
        case '<':
            sgio_text_add(xml, "&lt;");
            break;
        case '>':
            sgio_text_add(xml, "&gt;");
            break;
        case '"':
            sgio_text_add(xml, "&quot;");
            break;
        default:
            sgio_text_add(xml, "%c", (unsigned char)*c < ' ' ? ' ' : *c);
        }
}

/* Slicer decodes %25 and %20 in names of files, and what XML escapes itself. */
static void add_file_name(sgio_text *xml, const char *name)
{
    sgio_text_add(xml, " fileName=\"");
    for (const char *c = name; *c; c++) {
        const char one[2] = {*c, 0};
        add_escaped(xml, *c == '%' ? "%25" : *c == ' ' ? "%20" : one);
    }
    sgio_text_add(xml, "\"");
}

/* Opens the element of a node; further attributes and its end follow. */
static void begin_node(sgio_text *xml, const char *tag, const char *class_name, size_t number,
                       const char *name)
{
    sgio_text_add(xml, " <%s id=\"vtkMRML%sNode%zu\" name=\"", tag, class_name, number);
    add_escaped(xml, name);
    sgio_text_add(xml, "\"");
}

static void add_storage(sgio_text *xml, const char *class_name, size_t number, const char *file)
{
    begin_node(xml, class_name, class_name, number, class_name);
    add_file_name(xml, file);
    if (strcmp(class_name, "VolumeArchetypeStorage") == 0)
        sgio_text_add(xml, " centerImage=\"0\" UseOrientationFromFile=\"1\"");
    sgio_text_add(xml, "></%s>\n", class_name);
}

static void add_volume(scene_job *scene)
{
    sgio_text *xml = &scene->xml;
    const int colour = scene->job->options->source->channels == 3;
    const char *class_name = colour ? "VectorVolume" : "ScalarVolume";
    char display[32];
    snprintf(display, sizeof display, "%sDisplay", class_name);
    add_storage(xml, "VolumeArchetypeStorage", 1, scene->volume);
    begin_node(xml, colour ? display : "VolumeDisplay", display, 1, display);
    sgio_text_add(xml, " autoWindowLevel=\"1\"%s></%s>\n",
                  colour ? "" : " colorNodeID=\"vtkMRMLColorTableNodeGrey\"",
                  colour ? display : "VolumeDisplay");
    begin_node(xml, colour ? class_name : "Volume", class_name, 1,
               base(scene->job->options->source_path));
    sgio_text_add(xml,
                  " references=\"display:vtkMRML%sNode1;storage:"
                  "vtkMRMLVolumeArchetypeStorageNode1;\"></%s>\n",
                  display, colour ? class_name : "Volume");
}

static void add_segmentation(scene_job *scene, const char *name, const char *file)
{
    sgio_text *xml = &scene->xml;
    const int colour = scene->job->options->source->channels == 3;
    add_storage(xml, "SegmentationStorage", 1, file);
    begin_node(xml, "SegmentationDisplay", "SegmentationDisplay", 1, "SegmentationDisplay");
    sgio_text_add(xml, "></SegmentationDisplay>\n");
    begin_node(xml, "Segmentation", "Segmentation", 1, name);
    sgio_text_add(xml,
                  " references=\"display:vtkMRMLSegmentationDisplayNode1;storage:"
                  "vtkMRMLSegmentationStorageNode1;referenceImageGeometryRef:vtkMRML%sVolumeNode1;"
                  "\"></Segmentation>\n",
                  colour ? "Vector" : "Scalar");
}

/* "Fiducial" or "ROI" with storage, display and data. */
static void add_markup(sgio_text *xml, const char *kind, const char *storage, size_t number,
                       const sgio_prompt_segment *segment, const char *file)
{
    char node[32], display[40];
    snprintf(node, sizeof node, "Markups%s", kind);
    snprintf(display, sizeof display, "Markups%sDisplay", kind);
    add_storage(xml, storage, number, file);
    begin_node(xml, display, display, number, display);
    if (segment->has_colour)
        sgio_text_add(xml, " selectedColor=\"%.4g %.4g %.4g\"", segment->colour[0],
                      segment->colour[1], segment->colour[2]);
    sgio_text_add(xml, "></%s>\n", display);
    begin_node(xml, node, node, number, segment->name);
    sgio_text_add(xml, " references=\"display:vtkMRML%sNode%zu;storage:vtkMRML%sNode%zu;\"></%s>\n",
                  display, number, storage, number, node);
}

/* ---------------------------------------------------------------------------------- the files */

static sgio_status write_points(scene_job *scene, const sgio_prompt_segment *segment, size_t number)
{
    char *path = markup_file(scene->job->path, "points", number);
    if (!path) return sgio_fail_memory(1, scene->job->path);
    add_markup(&scene->xml, "Fiducial", "MarkupsJsonStorage", number, segment, base(path));
    const sgio_status status = sgio_write_points(segment, path, scene->job->options->outputs);
    free(path);
    return status;
}

static sgio_status write_box(scene_job *scene, const sgio_prompt_segment *segment, size_t box,
                             size_t number)
{
    char *path = markup_file(scene->job->path, "box", number);
    if (!path) return sgio_fail_memory(1, scene->job->path);
    add_markup(&scene->xml, "ROI", "MarkupsROIJsonStorage", number, segment, base(path));
    const sgio_status status = sgio_write_box(segment, box, path, scene->job->options->outputs);
    free(path);
    return status;
}

static sgio_status write_markups(scene_job *scene)
{
    const sgio_prompts *prompts = scene->job->options->prompts;
    size_t lists = 0, boxes = 0;
    sgio_status status = SGIO_OK;
    for (size_t s = 0; prompts && s < prompts->segment_count && status == SGIO_OK; s++) {
        const sgio_prompt_segment *segment = &prompts->segments[s];
        if (segment->point_count > 0) status = write_points(scene, segment, ++lists);
        for (size_t b = 0; b < segment->box_count && status == SGIO_OK; b++)
            status = write_box(scene, segment, b, ++boxes);
    }
    return status;
}

static sgio_status write_volume(scene_job *scene)
{
    const sgio_segmentation_write_options *options = scene->job->options;
    if (slicer_reads(options)) {
        scene->volume = sgio_path_relative(scene->job->path, options->source_path);
        return scene->volume ? SGIO_OK : sgio_fail_memory(1, scene->job->path);
    }
    char *path = beside(scene->job->path, "-volume.nrrd");
    if (!path) return sgio_fail_memory(1, scene->job->path);
    scene->volume = strdup(base(path));
    sgio_status status = scene->volume ? sgio_write_volume_nrrd(options->source, path, options)
                                       : sgio_fail_memory(1, path);
    free(path);
    return status;
}

static sgio_status write_segmentation(scene_job *scene)
{
    char *path = beside(scene->job->path, ".seg.nrrd"), *name = beside(scene->job->path, "");
    sgio_status status = path && name ? SGIO_OK : sgio_fail_memory(1, scene->job->path);
    if (status == SGIO_OK) add_segmentation(scene, base(name), base(path));
    if (status == SGIO_OK)
        status = sgio_segmentation_write(scene->job->segmentation, path, scene->job->options, NULL);
    free(path);
    free(name);
    return status;
}

static void check_one(void *status, const char *path)
{
    sgio_status *s = status;
    if (*s == SGIO_OK) *s = sgio_output_check(path);
}

sgio_status sgio_check_scene(const char *path, const sgio_geometry *grid,
                             const sgio_segmentation_write_options *options)
{
    (void)grid;
    if (!options->source || !options->source_path)
        return sgio_fail(SGIO_USAGE, "%s: a scene refers to the volume that was segmented", path);
    if (!sgio_is_utf8(base(path), strlen(base(path))) ||
        !sgio_is_utf8(options->source_path, strlen(options->source_path)))
        return sgio_fail(SGIO_USAGE, "%s: names of files in a scene must be UTF-8", path);
    sgio_status found = SGIO_OK;
    const sgio_status status = sgio_scene_beside(path, options, check_one, &found);
    return status == SGIO_OK ? found : status;
}

sgio_status sgio_write_scene(const sgio_label_job *job, sgio_atomic_file *file)
{
    scene_job scene = {.job = job};
    sgio_status status = write_volume(&scene);
    sgio_text_add(&scene.xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MRML version=\"5.0.0\" "
                              "userTags=\"\">\n");
    if (status == SGIO_OK) add_volume(&scene);
    if (status == SGIO_OK) status = write_segmentation(&scene);
    if (status == SGIO_OK) status = write_markups(&scene);
    sgio_text_add(&scene.xml, "</MRML>\n");
    if (status == SGIO_OK) status = sgio_text_send(&scene.xml, file);
    free(scene.xml.data);
    free(scene.volume);
    return status;
}
