/* Scenes of 3D Slicer (.mrml): a flat list of nodes in XML that refer to one another by id and to
 * files by name. Here: which markups there are, where their files lie, under which transforms. */
#ifndef SGIO_SCENE_H
#define SGIO_SCENE_H

#include "formats.h"
#include "sgio/prompts.h"

typedef enum sgio_scene_kind {
    SGIO_SCENE_STORAGE,
    SGIO_SCENE_FIDUCIALS,
    SGIO_SCENE_ROI,
    SGIO_SCENE_OTHER_MARKUP, /* a line, a plane, a list of an old version: no prompt */
    SGIO_SCENE_TRANSFORM,
    SGIO_SCENE_VOLUME
} sgio_scene_kind;

/* Texts are owned and never NULL; empty where the scene says nothing. */
typedef struct sgio_scene_node {
    sgio_scene_kind kind;
    char *tag, *id, *name;
    char *file;            /* of a storage: decoded */
    char *storage, *frame; /* ids: where the data are, the transform it lies under */
    int has_matrix;        /* of a transform: it is linear and the scene holds it */
    double to_parent[16];  /* row by row, RAS */
} sgio_scene_node;

typedef struct sgio_scene {
    const char *path;
    sgio_scene_node *nodes; /* in the scene's order */
    size_t count, capacity;
    const sgio_scene_node **by_id; /* sorted */
} sgio_scene;

enum { SGIO_MAX_SCENE_NODES = 20000 };

/* 1 when the bytes are UTF-8 without a zero. */
int sgio_is_utf8(const char *text, size_t bytes);

/* Parses `bytes` bytes of text. `path` is borrowed and named in messages. SGIO_BAD_PROMPT for what
 * is no such XML, has a document type (entities are never read) or too many nodes;
 * SGIO_OUT_OF_MEMORY. To be released with sgio_scene_clear, also after a failure. */
sgio_status sgio_scene_parse(const char *path, const char *text, size_t bytes, sgio_scene *scene);
void sgio_scene_clear(sgio_scene *scene);

/* The node of that id, NULL: there is none. */
const sgio_scene_node *sgio_scene_find(const sgio_scene *scene, const char *id);

/* From the node's own coordinates to the world, LPS, row by row. SGIO_BAD_PROMPT when a transform
 * above it is not there, not linear, flattens space, or lies under itself. */
sgio_status sgio_scene_to_world(const sgio_scene *scene, const sgio_scene_node *node,
                                double matrix[16]);

/* Points and boxes of all markups, in the world's coordinates. */
sgio_status sgio_scene_read_prompts(const char *path, const char *text, size_t bytes,
                                    const sgio_prompts_options *options, sgio_prompts *prompts);

/* The row of the format: a scene with the volume, the segmentation and the prompts. */
sgio_status sgio_check_scene(const char *path, const sgio_geometry *grid,
                             const sgio_segmentation_write_options *options);
sgio_status sgio_write_scene(const sgio_label_job *job, sgio_atomic_file *file);
sgio_status sgio_scene_beside(const char *path, const sgio_segmentation_write_options *options,
                              sgio_path_fn found, void *user);

/* One markup as a .mrk.json of Slicer's: the points of a segment, or one of its boxes. */
sgio_status sgio_write_points(const sgio_prompt_segment *segment, const char *path,
                              sgio_outputs *outputs);
sgio_status sgio_write_box(const sgio_prompt_segment *segment, size_t box, const char *path,
                           sgio_outputs *outputs);

/* A volume as NRRD, gzip. Its axes are kept as they are, shear too. */
sgio_status sgio_write_volume_nrrd(const sgio_volume *volume, const char *path,
                                   const sgio_segmentation_write_options *options);

#endif
