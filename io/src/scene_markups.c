/* Prompts as Slicer's .mrk.json, one markup a file: that is what a scene's nodes read. */
#include "scene.h"

#include "io_status.h"
#include "prompts_parse.h"
#include "vectors.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const SCHEMA = "https://raw.githubusercontent.com/slicer/slicer/master/Modules/"
                                  "Loadable/Markups/Resources/Schema/"
                                  "markups-schema-v1.0.3.json#";

static json_t *numbers(const double *values, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_real(values[i] + 0.0)); /* no -0 */
    return list;
}

/* What is no UTF-8 would be no JSON text. */
static json_t *text(const char *value)
{
    json_t *string = json_string(value);
    return string ? string : json_string("?");
}

static json_t *begin(const char *type, const char *name)
{
    json_t *markup = json_object();
    json_object_set_new(markup, "type", json_string(type));
    json_object_set_new(markup, "name", text(name));
    json_object_set_new(markup, "coordinateSystem", json_string("LPS"));
    json_object_set_new(markup, "coordinateUnits", json_string("mm"));
    return markup;
}

static json_t *control_point(size_t number, const char *label, const char *description,
                             const double lps[3])
{
    char id[24];
    json_t *point = json_object();
    snprintf(id, sizeof id, "%zu", number);
    json_object_set_new(point, "id", json_string(id));
    json_object_set_new(point, "label", text(label));
    json_object_set_new(point, "description", json_string(description));
    json_object_set_new(point, "position", numbers(lps, 3));
    json_object_set_new(point, "selected", json_true());
    json_object_set_new(point, "visibility", json_true());
    json_object_set_new(point, "positionStatus", json_string("defined"));
    return point;
}

/* Takes the markup. */
static sgio_status write_file(json_t *markup, const char *path, sgio_outputs *outputs)
{
    json_t *root = json_object(), *markups = json_array();
    json_array_append_new(markups, markup);
    json_object_set_new(root, "@schema", json_string(SCHEMA));
    json_object_set_new(root, "markups", markups);
    char *bytes = json_dumps(root, JSON_INDENT(4) | JSON_REAL_PRECISION(17));
    json_decref(root);
    if (!bytes) return sgio_fail_memory(1, path);
    const sgio_status status = sgio_output_write(outputs, path, bytes, strlen(bytes));
    free(bytes);
    return status;
}

/* A point is told apart by its label or its description, whichever said so. Labels made of
 * coordinates ("-104.7,-25,3") would say it of the wrong ones. */
static json_t *point_of(const sgio_point *point, size_t number)
{
    char made[24];
    const int marked = sgio_prompts_background(point->label, NULL);
    const int serves = point->label[0] && (!marked || !point->foreground);
    snprintf(made, sizeof made, "%s%zu", point->foreground ? "" : "-", number);
    return control_point(number, serves ? point->label : made,
                         !point->foreground && serves && !marked ? "bg" : "", point->lps);
}

sgio_status sgio_write_points(const sgio_prompt_segment *segment, const char *path,
                              sgio_outputs *outputs)
{
    json_t *markup = begin("Fiducial", segment->name), *points = json_array();
    for (size_t i = 0; i < segment->point_count; i++)
        json_array_append_new(points, point_of(&segment->points[i], i + 1));
    json_object_set_new(markup, "controlPoints", points);
    return write_file(markup, path, outputs);
}

/* Lengths and unit axes as columns; a flat side's axis stands on the other two. */
static void measure(const sgio_box *box, double size[3], double matrix[9])
{
    double axes[3][3], half[3];
    for (int a = 0; a < 3; a++) {
        memcpy(axes[a], box->half_axis[a], sizeof axes[a]);
        half[a] = sqrt(sgio_dot(axes[a], axes[a]));
    }
    for (int a = 0; a < 3; a++) {
        size[a] = 2 * half[a];
        if (half[a] < 1e-9) sgio_cross(axes[(a + 1) % 3], axes[(a + 2) % 3], axes[a]);
        const double length = sqrt(sgio_dot(axes[a], axes[a]));
        for (int r = 0; r < 3; r++)
            matrix[3 * r + a] = axes[a][r] / length;
    }
}

sgio_status sgio_write_box(const sgio_prompt_segment *segment, size_t box, const char *path,
                           sgio_outputs *outputs)
{
    double size[3], matrix[9];
    const sgio_box *b = &segment->boxes[box];
    json_t *markup = begin("ROI", segment->name), *points = json_array();
    measure(b, size, matrix);
    json_object_set_new(markup, "roiType", json_string("Box"));
    json_object_set_new(markup, "center", numbers(b->centre, 3));
    json_object_set_new(markup, "orientation", numbers(matrix, 9));
    json_object_set_new(markup, "size", numbers(size, 3));
    json_object_set_new(markup, "insideOut", json_false());
    json_array_append_new(points, control_point(1, segment->name, "", b->centre));
    json_object_set_new(markup, "controlPoints", points);
    return write_file(markup, path, outputs);
}
