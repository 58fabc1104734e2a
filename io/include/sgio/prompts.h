/* Prompts: points and boxes in LPS millimetres, grouped by the segment they belong to. They come
 * from Slicer's markups (.mrk.json, .fcsv, .csv), from its scenes (.mrml), and from command-line
 * flags.
 *
 * A Fiducial markup is a segment of that name; an ROI markup adds its box to the segment of the
 * same name. Files as Slicer writes them do not name their markups: their segment is named by the
 * file, "kidney.mrk.json" -> "kidney". A control point is background when its label or description
 * is exactly "-" or "bg" or begins with "-" or "bg:"; Slicer labels points "<node name>-1", so
 * names never decide. */
#ifndef SGIO_PROMPTS_H
#define SGIO_PROMPTS_H

#include "sgio/geometry.h"
#include "sgio/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SGIO_MAX_PROMPT_FILE = 64 << 20, /* bytes */
    SGIO_MAX_PROMPT_POINTS = 100000, /* in one set; boxes count as points */
    SGIO_MAX_PROMPT_SEGMENTS = 1024,
    SGIO_POINT_LABEL = 48
};

typedef struct sgio_point {
    double lps[3];
    int foreground;               /* 0: background */
    char label[SGIO_POINT_LABEL]; /* for messages; cut at a character's end when longer */
} sgio_point;

/* A box, axis-aligned or rotated: { centre + sum t_a * half_axis[a], t_a in [-1, 1] }. One half
 * axis may have length zero: a flat box. */
typedef struct sgio_box {
    double centre[3];
    double half_axis[3][3]; /* [axis][component]: from the centre to the middle of a face */
} sgio_box;

typedef struct sgio_prompt_segment {
    char *name;
    int has_colour;
    double colour[3]; /* 0-1 */
    sgio_point *points;
    size_t point_count, point_capacity;
    sgio_box *boxes;
    size_t box_count, box_capacity;
} sgio_prompt_segment;

/* Zero-initialise before use; segments are in order of first mention. */
typedef struct sgio_prompts {
    sgio_prompt_segment *segments;
    size_t segment_count, segment_capacity;
} sgio_prompts;

typedef struct sgio_prompts_options {
    /* Segment name for markups without a name in a temporary file of Slicer
     * ("BHIA_vtkMRMLMarkupsFiducialNodeB.mrk.json"), whose own name says nothing; NULL: that one.
     */
    const char *unnamed;
    sgio_warning_fn warn; /* may be NULL */
    void *warn_user;
} sgio_prompts_options;

/* 1 when the file is named as Slicer names what it hands to a module: process number and node ID,
 * the digits written as letters. */
int sgio_prompts_is_temporary(const char *path);

/* Appends what `path` holds to *prompts. The format follows the extension: .fcsv, .csv, .json
 * (also .mrk.json), and .mrml: the point lists and ROIs of a scene, from their files, each carried
 * by the linear transforms that it lies under; a list without a name in its file is named by its
 * node. On error *prompts keeps what it had and may have gained some segments.
 * `options` may be NULL. Errors: SGIO_BAD_PROMPT (unreadable, malformed, not a number, wrong
 * units, too large: the sentence names the file and the control point), SGIO_OUT_OF_MEMORY. */
sgio_status sgio_prompts_read(const char *path, const sgio_prompts_options *options,
                              sgio_prompts *prompts);

/* Tells the files that are read with `path`: those of a scene's markups. None for other files, and
 * for a scene that cannot be read. */
void sgio_prompts_files(const char *path, sgio_path_fn found, void *user);

/* A segment of that name, without prompts; nothing changes where there is one. */
sgio_status sgio_prompts_add_segment(sgio_prompts *prompts, const char *segment);

/* Appends a point or a box to the segment of that name, which is created when new. */
sgio_status sgio_prompts_add_point(sgio_prompts *prompts, const char *segment, const double lps[3],
                                   int foreground, const char *label);
sgio_status sgio_prompts_add_box(sgio_prompts *prompts, const char *segment, const sgio_box *box);

/* Command-line forms, LPS: "x,y,z", and "cx,cy,cz,rx,ry,rz" with r the radius (half the size),
 * optionally followed by a 3x3 matrix row by row whose columns are the box's axes. SGIO_USAGE when
 * the text has another form or names no finite number; SGIO_BAD_PROMPT when the box makes no
 * sense. A box of zeros only, which Slicer passes for a ROI that was never drawn, is skipped with a
 * warning (`options` may be NULL). */
sgio_status sgio_prompts_add_point_text(sgio_prompts *prompts, const char *segment,
                                        const char *text, int foreground);
sgio_status sgio_prompts_add_roi_text(sgio_prompts *prompts, const char *segment, const char *text,
                                      const sgio_prompts_options *options);

/* Colours the segment of that name when it exists; else does nothing. */
void sgio_prompts_set_colour(sgio_prompts *prompts, const char *segment, const double colour[3]);

const sgio_prompt_segment *sgio_prompts_find(const sgio_prompts *prompts, const char *segment);

typedef struct sgio_prompts_check_options {
    /* Whether a segment has a mask prompt; may be NULL: none has. */
    int (*has_mask)(void *user, const char *segment);
    void *user;
    sgio_warning_fn warn; /* may be NULL */
    void *warn_user;
} sgio_prompts_check_options;

/* Every point lies inside the volume, every box meets it, and every segment has something to
 * find: a foreground point, a box, or a mask prompt. SGIO_BAD_PROMPT names the prompt and the
 * volume's bounds, in LPS and in RAS, which Slicer shows. A warning names points of a segment that
 * lie in one voxel and contradict each other. `options` may be NULL. */
sgio_status sgio_prompts_check(const sgio_prompts *prompts, const sgio_geometry *geometry,
                               const sgio_prompts_check_options *options);

/* The continuous index range that the box covers in the volume, clipped to the outer faces of its
 * voxels ([-0.5, size - 0.5]). Returns 1, or 0 when box and volume do not meet. For a rotated box
 * this is the bounding range: cross-sections are the caller's to compute from half_axis. */
int sgio_box_index_range(const sgio_box *box, const sgio_geometry *geometry, double low[3],
                         double high[3]);

/* 1 when the LPS point lies in the closed box (flat sides count within 1e-6 mm). */
int sgio_box_contains(const sgio_box *box, const double lps[3]);

/* Frees what the set owns and zeroes it. */
void sgio_prompts_clear(sgio_prompts *prompts);

#ifdef __cplusplus
}
#endif
#endif
