/* Markups of a scene as prompts: each lies in a file of its own, in coordinates that transforms may
 * carry elsewhere. */
#include "prompts_parse.h"
#include "scene.h"

#include "byte_source.h"
#include "io_status.h"
#include "volume_formats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FRAMES = 32, MOST_TOLD = 16 };

static const double UNIT[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};

/* out = a * b; out is neither. */
static void multiply(const double a[16], const double b[16], double out[16])
{
    for (int r = 0; r < 4; r++)
        for (int c = 0; c < 4; c++) {
            out[4 * r + c] = 0;
            for (int k = 0; k < 4; k++)
                out[4 * r + c] += a[4 * r + k] * b[4 * k + c];
        }
}

static double determinant(const double m[16])
{
    return m[0] * (m[5] * m[10] - m[6] * m[9]) - m[1] * (m[4] * m[10] - m[6] * m[8]) +
           m[2] * (m[4] * m[9] - m[5] * m[8]);
}

static sgio_status bad_frame(const sgio_scene *scene, const sgio_scene_node *node,
                             const char *frame, const char *why)
{
    return sgio_fail(SGIO_BAD_PROMPT, "%s: '%.100s' lies under the transform '%.100s', %s",
                     scene->path, node->name, frame, why);
}

static sgio_status check_frame(const sgio_scene *scene, const sgio_scene_node *node,
                               const sgio_scene_node *frame, const char *id)
{
    if (!frame || frame->kind != SGIO_SCENE_TRANSFORM)
        return bad_frame(scene, node, id, "which is not in the scene");
    if (!frame->has_matrix)
        return bad_frame(scene, node, frame->name,
                         "which is not linear; harden it in 3D Slicer (Data module: Harden "
                         "transform) and save again");
    const double *m = frame->to_parent;
    int is_affine = m[12] == 0 && m[13] == 0 && m[14] == 0 && m[15] == 1;
    if (!is_affine || !(fabs(determinant(m)) > 1e-9) || !(fabs(determinant(m)) < 1e9))
        return bad_frame(scene, node, frame->name, "whose matrix flattens or distorts space");
    return SGIO_OK;
}

sgio_status sgio_scene_to_world(const sgio_scene *scene, const sgio_scene_node *node,
                                double matrix[16])
{
    double above[16];
    const char *id = node->frame;
    memcpy(matrix, UNIT, sizeof UNIT);
    for (int depth = 0; *id; depth++) {
        const sgio_scene_node *frame = sgio_scene_find(scene, id);
        sgio_status status = check_frame(scene, node, frame, id);
        if (status != SGIO_OK) return status;
        if (depth == MOST_FRAMES)
            return bad_frame(scene, node, frame->name, "which lies under itself, or too deep");
        multiply(frame->to_parent, matrix, above);
        memcpy(matrix, above, sizeof above);
        id = frame->frame;
    }
    /* from RAS to LPS: both sides change the sign of x and y */
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            if ((r < 2) != (c < 2)) matrix[4 * r + c] = -matrix[4 * r + c];
    return SGIO_OK;
}

static void turn(const double m[16], const double in[3], double shift, double out[3])
{
    for (int r = 0; r < 3; r++)
        out[r] =
            m[4 * r] * in[0] + m[4 * r + 1] * in[1] + m[4 * r + 2] * in[2] + shift * m[4 * r + 3];
}

static sgio_status add_segment(const sgio_prompt_segment *read, const double world[16],
                               sgio_prompts *prompts)
{
    sgio_status status = SGIO_OK;
    for (size_t i = 0; i < read->point_count && status == SGIO_OK; i++) {
        const sgio_point *p = &read->points[i];
        double lps[3];
        turn(world, p->lps, 1, lps);
        status = sgio_prompts_add_point(prompts, read->name, lps, p->foreground, p->label);
    }
    for (size_t i = 0; i < read->box_count && status == SGIO_OK; i++) {
        sgio_box box;
        turn(world, read->boxes[i].centre, 1, box.centre);
        for (int a = 0; a < 3; a++)
            turn(world, read->boxes[i].half_axis[a], 0, box.half_axis[a]);
        status = sgio_prompts_add_box(prompts, read->name, &box);
    }
    return status;
}

/* What reading one scene needs at every markup. */
typedef struct reading {
    const sgio_scene *scene;
    const sgio_prompts_options *options; /* not NULL */
    sgio_prompts *prompts;
    size_t bytes_left; /* of all files together */
    int told;          /* nodes that were warned about */
} reading;

static sgio_status add_file(reading *r, const sgio_scene_node *node, const char *path,
                            const char *text, size_t bytes)
{
    double world[16];
    sgio_prompts read = {0};
    const sgio_prompt_source source = {.file = path,
                                       .segment = *node->name ? node->name : node->id,
                                       .text = text,
                                       .bytes = bytes,
                                       .warn = r->options->warn,
                                       .warn_user = r->options->warn_user,
                                       .first_only = 1};
    sgio_status status = sgio_scene_to_world(r->scene, node, world);
    if (status == SGIO_OK) status = sgio_prompts_parse_markups(&source, &read);
    for (size_t s = 0; s < read.segment_count && status == SGIO_OK; s++)
        status = add_segment(&read.segments[s], world, r->prompts);
    sgio_prompts_clear(&read);
    return status;
}

static sgio_status read_file(reading *r, const sgio_scene_node *node, const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    sgio_status status = sgio_read_prefix(path, r->bytes_left + 1, &text, &bytes);
    if (status == SGIO_UNREADABLE) return SGIO_BAD_PROMPT;
    if (status != SGIO_OK) return status;
    if (bytes > r->bytes_left)
        status =
            sgio_fail(SGIO_BAD_PROMPT, "%s: its markups are larger than 64 MiB", r->scene->path);
    r->bytes_left -= bytes < r->bytes_left ? bytes : r->bytes_left;
    if (status == SGIO_OK) status = add_file(r, node, path, text, bytes);
    free(text);
    return status;
}

/* Where the markup's data are, malloc'ed; NULL when the scene names no file. */
static char *file_of(const sgio_scene *scene, const sgio_scene_node *node)
{
    const sgio_scene_node *storage = sgio_scene_find(scene, node->storage);
    if (!storage || storage->kind != SGIO_SCENE_STORAGE || !*storage->file) return NULL;
    return sgio_path_beside(scene->path, storage->file);
}

static sgio_status read_markup(reading *r, const sgio_scene_node *node)
{
    char *path = file_of(r->scene, node);
    if (!path) {
        sgio_warn(r->options->warn, r->options->warn_user,
                  "%s: '%.100s' has no file and is skipped; save the scene again with its markups",
                  r->scene->path, node->name);
        return SGIO_OK;
    }
    const sgio_status status = read_file(r, node, path);
    free(path);
    return status;
}

static int is_prompt(const sgio_scene_node *node)
{
    return node->kind == SGIO_SCENE_FIDUCIALS || node->kind == SGIO_SCENE_ROI;
}

/* What the scene holds and prompts cannot say. */
static void warn_of(reading *r, const sgio_scene_node *node)
{
    const int odd =
        node->kind == SGIO_SCENE_OTHER_MARKUP || (node->kind == SGIO_SCENE_VOLUME && *node->frame);
    if (!odd || ++r->told > MOST_TOLD) return;
    if (node->kind == SGIO_SCENE_OTHER_MARKUP)
        sgio_warn(r->options->warn, r->options->warn_user,
                  "%s: '%.100s' is a %.40s and is ignored; prompts are point lists and ROIs",
                  r->scene->path, node->name, node->tag);
    else
        sgio_warn(r->options->warn, r->options->warn_user,
                  "%s: the volume '%.100s' lies under a transform; prompts are where the scene "
                  "shows them, the volume's file is where it was",
                  r->scene->path, node->name);
}

static sgio_status read_all(reading *r)
{
    size_t markups = 0;
    sgio_status status = SGIO_OK;
    for (size_t i = 0; i < r->scene->count && status == SGIO_OK; i++) {
        const sgio_scene_node *node = &r->scene->nodes[i];
        warn_of(r, node);
        if (!is_prompt(node)) continue;
        if (++markups > SGIO_MAX_PROMPT_SEGMENTS)
            return sgio_fail(SGIO_BAD_PROMPT, "%s: more than %d markups", r->scene->path,
                             SGIO_MAX_PROMPT_SEGMENTS);
        status = read_markup(r, node);
    }
    if (status == SGIO_OK && markups == 0)
        return sgio_fail(SGIO_BAD_PROMPT, "%s: the scene holds no point list and no ROI",
                         r->scene->path);
    return status;
}

sgio_status sgio_scene_read_prompts(const char *path, const char *text, size_t bytes,
                                    const sgio_prompts_options *options, sgio_prompts *prompts)
{
    static const sgio_prompts_options defaults;
    sgio_scene scene;
    reading r = {&scene, options ? options : &defaults, prompts, SGIO_MAX_PROMPT_FILE, 0};
    sgio_status status = sgio_scene_parse(path, text, bytes, &scene);
    if (status == SGIO_OK) status = read_all(&r);
    sgio_scene_clear(&scene);
    return status;
}

/* ------------------------------------------------------------------------- which files are read */

static void tell_files(const sgio_scene *scene, sgio_path_fn found, void *user)
{
    for (size_t i = 0; i < scene->count; i++) {
        if (!is_prompt(&scene->nodes[i])) continue;
        char *path = file_of(scene, &scene->nodes[i]);
        if (path) found(user, path);
        free(path);
    }
}

void sgio_prompts_files(const char *path, sgio_path_fn found, void *user)
{
    char *text = NULL;
    size_t bytes = 0;
    sgio_scene scene;
    if (!sgio_has_suffix(path, ".mrml")) return;
    if (sgio_read_prefix(path, SGIO_MAX_PROMPT_FILE, &text, &bytes) != SGIO_OK) return;
    if (sgio_scene_parse(path, text, bytes, &scene) == SGIO_OK) tell_files(&scene, found, user);
    sgio_scene_clear(&scene);
    free(text);
}
