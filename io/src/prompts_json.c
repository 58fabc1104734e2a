/* Slicer's markups files, schema 1.0.x: Fiducial and ROI markups; others are named in a warning. */
#include "prompts_parse.h"

#include "io_status.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Bounds what the JSON library builds in memory: about 100 bytes a value. Slicer writes some 35
 * values a control point. */
enum { MAX_VALUES = 4000000, MAX_DEPTH = 32 };

typedef struct frame {
    const sgio_prompt_source *source;
    sgio_prompts *prompts;
    const char *segment; /* the markup's */
    double unit;         /* millimetres */
    int ras;
    size_t number; /* of the markup, from 1 */
} frame;

static sgio_status bad(const frame *f, const char *wrong)
{
    return sgio_fail(SGIO_BAD_PROMPT, "%s: markup %zu ('%s'): %s", f->source->file, f->number,
                     f->segment, wrong);
}

/* Values and nesting are counted before the library parses, so that hostile text stays cheap. */
static sgio_status check_size(const sgio_prompt_source *source)
{
    size_t values = 0, depth = 0;
    int in_string = 0;
    for (size_t i = 0; i < source->bytes; i++) {
        char c = source->text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = 0;
        } else if (c == '"') {
            in_string = 1;
        } else if (c == '[' || c == '{') {
            values++;
            if (++depth > MAX_DEPTH)
                return sgio_fail(SGIO_BAD_PROMPT, "%s: nested deeper than %d", source->file,
                                 MAX_DEPTH);
        } else if (c == ']' || c == '}') {
            depth -= depth > 0;
        } else if (c == ',') {
            values++;
        }
        if (values > MAX_VALUES)
            return sgio_fail(SGIO_BAD_PROMPT, "%s: more than %d values", source->file, MAX_VALUES);
    }
    return SGIO_OK;
}

/* `count` finite numbers of an array; `what` names it. */
static sgio_status read_numbers(const frame *f, const json_t *array, const char *what,
                                double *values, size_t count)
{
    char wrong[256];
    if (!json_is_array(array) || json_array_size(array) != count) {
        snprintf(wrong, sizeof wrong, "%s must be a list of %zu numbers", what, count);
        return bad(f, wrong);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        values[i] = json_number_value(item);
        if (!json_is_number(item) || !isfinite(values[i])) {
            snprintf(wrong, sizeof wrong, "element %zu of %s is not a finite number", i + 1, what);
            return bad(f, wrong);
        }
    }
    return SGIO_OK;
}

/* Lengths in mm and LPS. */
static sgio_status read_position(const frame *f, const json_t *array, const char *what,
                                 double lps[3])
{
    sgio_status status = read_numbers(f, array, what, lps, 3);
    for (int r = 0; r < 3 && status == SGIO_OK; r++)
        lps[r] *= f->unit;
    if (f->ras) sgio_flip_lps_ras(lps);
    return status;
}

/* Slicer leaves position "" where a point was never placed. */
static int is_placed(const json_t *point)
{
    const char *state = json_string_value(json_object_get(point, "positionStatus"));
    if (state && strcmp(state, "defined") != 0) return 0;
    const json_t *position = json_object_get(point, "position");
    return !(json_is_string(position) && json_string_length(position) == 0);
}

static sgio_status read_control_point(const frame *f, const json_t *point, size_t number)
{
    char what[96];
    double lps[3];
    if (!json_is_object(point)) return bad(f, "a control point must be an object");
    const char *label = json_string_value(json_object_get(point, "label"));
    const char *description = json_string_value(json_object_get(point, "description"));
    if (json_is_false(json_object_get(point, "selected")) || !is_placed(point)) return SGIO_OK;
    snprintf(what, sizeof what, "position of control point %zu ('%.40s')", number,
             label ? label : "");
    sgio_status status = read_position(f, json_object_get(point, "position"), what, lps);
    if (status != SGIO_OK) return status;
    return sgio_prompts_add_point(f->prompts, f->segment, lps,
                                  !sgio_prompts_background(label, description), label);
}

static sgio_status read_fiducial(const frame *f, const json_t *markup)
{
    const json_t *points = json_object_get(markup, "controlPoints");
    if (!points) return SGIO_OK;
    if (!json_is_array(points)) return bad(f, "controlPoints must be a list");
    for (size_t i = 0; i < json_array_size(points); i++) {
        sgio_status status = read_control_point(f, json_array_get(points, i), i + 1);
        if (status != SGIO_OK) return status;
    }
    return SGIO_OK;
}

/* Axes are columns of the row-major matrix; RAS to LPS negates the first two rows. */
static sgio_status read_orientation(const frame *f, const json_t *markup, double matrix[9])
{
    static const double identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    const json_t *array = json_object_get(markup, "orientation");
    memcpy(matrix, identity, sizeof identity);
    if (!array) return SGIO_OK; /* the ROI's own axes: a sign does not change the box */
    sgio_status status = read_numbers(f, array, "orientation", matrix, 9);
    for (int i = 0; i < 6 && f->ras; i++)
        matrix[i] = -matrix[i];
    return status;
}

/* An ROI node that was made but never drawn: nothing to segment, nothing wrong. */
static int roi_is_unplaced(const json_t *markup)
{
    const json_t *points = json_object_get(markup, "controlPoints");
    const json_t *size = json_object_get(markup, "size");
    for (size_t i = 0; i < json_array_size(points); i++)
        if (is_placed(json_array_get(points, i))) return 0;
    for (size_t i = 0; i < json_array_size(size); i++)
        if (json_number_value(json_array_get(size, i)) != 0) return 0;
    return json_is_array(size);
}

static sgio_status check_roi_kind(const frame *f, const json_t *markup)
{
    const json_t *kind = json_object_get(markup, "roiType");
    const char *name = json_string_value(kind);
    if (kind && (!name || (strcmp(name, "Box") != 0 && strcmp(name, "BoundingBox") != 0)))
        return bad(f, "roiType must be Box or BoundingBox");
    if (json_is_true(json_object_get(markup, "insideOut")))
        return bad(f, "an inside-out ROI cannot be a prompt");
    return SGIO_OK;
}

static sgio_status read_roi(const frame *f, const json_t *markup)
{
    double centre[3], half[3], matrix[9];
    char what[512];
    sgio_box box;
    sgio_status status = check_roi_kind(f, markup);
    if (status != SGIO_OK) return status;
    if (roi_is_unplaced(markup)) {
        sgio_warn(f->source->warn, f->source->warn_user,
                  "%s: ROI '%s' has no position yet and is skipped", f->source->file, f->segment);
        return SGIO_OK;
    }
    status = read_position(f, json_object_get(markup, "center"), "center", centre);
    if (status == SGIO_OK)
        status = read_numbers(f, json_object_get(markup, "size"), "size", half, 3);
    if (status == SGIO_OK) status = read_orientation(f, markup, matrix);
    if (status != SGIO_OK) return status;
    for (int r = 0; r < 3; r++)
        half[r] *= 0.5 * f->unit; /* the file holds full lengths */
    snprintf(what, sizeof what, "%s: markup %zu ('%s')", f->source->file, f->number, f->segment);
    status = sgio_box_make(centre, half, matrix, what, &box);
    return status == SGIO_OK ? sgio_prompts_add_box(f->prompts, f->segment, &box) : status;
}

static sgio_status read_system(frame *f, const json_t *markup)
{
    const json_t *system = json_object_get(markup, "coordinateSystem");
    const char *name = system ? json_string_value(system) : "LPS";
    f->ras = name && (strcmp(name, "RAS") == 0 || strcmp(name, "0") == 0);
    if (f->ras || (name && (strcmp(name, "LPS") == 0 || strcmp(name, "1") == 0))) return SGIO_OK;
    return bad(f, "coordinateSystem must be LPS or RAS");
}

/* "mm", "um", or a coded triple [value, scheme, meaning]. */
static sgio_status read_units(frame *f, const json_t *markup)
{
    char wrong[128];
    const json_t *units = json_object_get(markup, "coordinateUnits");
    const char *name = units ? json_string_value(units) : "mm";
    if (json_is_array(units)) name = json_string_value(json_array_get(units, 0));
    f->unit = 1;
    if (name && strcmp(name, "mm") == 0) return SGIO_OK;
    f->unit = 1e-3;
    if (name && strcmp(name, "um") == 0) return SGIO_OK;
    snprintf(wrong, sizeof wrong, "coordinateUnits must be mm or um, not '%.40s'",
             name ? name : "something else");
    return bad(f, wrong);
}

static sgio_status read_markup(frame *f, const json_t *markup)
{
    f->segment = f->source->segment;
    if (!json_is_object(markup)) return bad(f, "must be an object");
    const char *name = json_string_value(json_object_get(markup, "name"));
    if (name && *name) f->segment = name;
    const char *type = json_string_value(json_object_get(markup, "type"));
    if (!type) return bad(f, "has no type");
    int fiducial = strcmp(type, "Fiducial") == 0;
    if (!fiducial && strcmp(type, "ROI") != 0) {
        sgio_warn(f->source->warn, f->source->warn_user,
                  "%s: markup '%s' is a %.40s and is ignored; prompts are Fiducial and ROI markups",
                  f->source->file, f->segment, type);
        return SGIO_OK;
    }
    sgio_status status = read_system(f, markup);
    if (status == SGIO_OK) status = read_units(f, markup);
    if (status != SGIO_OK) return status;
    return fiducial ? read_fiducial(f, markup) : read_roi(f, markup);
}

static sgio_status read_markups(const sgio_prompt_source *source, const json_t *root,
                                sgio_prompts *prompts)
{
    frame f = {source, prompts, source->segment, 1, 0, 0};
    const json_t *markups = json_object_get(root, "markups");
    if (!json_is_array(markups))
        return sgio_fail(SGIO_BAD_PROMPT, "%s: no list 'markups': not a Slicer markups file",
                         source->file);
    size_t count = json_array_size(markups);
    if (source->first_only && count > 1) {
        sgio_warn(source->warn, source->warn_user,
                  "%s: it holds %zu markups; a scene means the first, as in 3D Slicer",
                  source->file, count);
        count = 1;
    }
    for (size_t i = 0; i < count; i++) {
        f.number = i + 1;
        sgio_status status = read_markup(&f, json_array_get(markups, i));
        if (status != SGIO_OK) return status;
    }
    return SGIO_OK;
}

sgio_status sgio_prompts_parse_json(const sgio_prompt_source *source, sgio_prompts *prompts)
{
    json_error_t error;
    sgio_status status = check_size(source);
    if (status != SGIO_OK) return status;
    size_t mark = source->bytes >= 3 && memcmp(source->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    json_t *root =
        json_loadb(source->text + mark, source->bytes - mark, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        if (json_error_code(&error) == json_error_out_of_memory)
            return sgio_fail_memory(source->bytes, source->file);
        return sgio_fail(SGIO_BAD_PROMPT, "%s: line %d: %s", source->file, error.line, error.text);
    }
    status = read_markups(source, root, prompts);
    json_decref(root);
    return status;
}
