/* Segmenting a volume from seeds and boxes, on plain arrays: no file formats here.
 *
 * Coordinates are continuous voxel indices (i fastest, voxel centres at integers). Slices are taken
 * along one of the three index axes. See predict/volume.c for how a mask travels from slice to
 * slice. */
#ifndef SEGMODEL_VOLUME_H
#define SEGMODEL_VOLUME_H

#include "segmodel/segmodel.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sgm_voxel {
    SGM_U8,
    SGM_I8,
    SGM_U16,
    SGM_I16,
    SGM_U32,
    SGM_I32,
    SGM_VF32,
    SGM_VF64
} sgm_voxel;

/* Borrowed. */
typedef struct sgm_volume {
    const void *data;
    sgm_voxel type;
    int channels;        /* 1, or 3 for 8-bit RGB */
    int64_t size[3];     /* i, j, k */
    double matrix[3][4]; /* index -> LPS mm, any direction, may be sheared */
    int is_hounsfield;   /* CT in Hounsfield units: window presets make sense */
    int has_padding;     /* voxels equal to `padding` are no data for percentiles */
    double padding;
} sgm_volume;

typedef struct sgm_seed {
    double index[3]; /* continuous voxel index */
    int label;       /* SGM_FOREGROUND or SGM_BACKGROUND */
} sgm_seed;

/* A box in space: centre and three half-axes in continuous voxel index coordinates. */
typedef struct sgm_roi {
    double center[3];
    double half_axis[3][3]; /* [axis][i, j, k] */
} sgm_roi;

/* One object. `mask` is an optional initial label (0/1, volume size, borrowed): the mask prompt on
 * the slices where it is not empty. */
typedef struct sgm_object {
    const char *name; /* for messages; may be NULL */
    const sgm_seed *seeds;
    size_t seed_count;
    const sgm_roi *rois;
    size_t roi_count;
    const uint8_t *mask;
} sgm_object;

typedef enum sgm_axis {
    SGM_AXIS_AUTO, /* the coarsest spacing; isotropic: the one the prompts suggest */
    SGM_AXIS_AXIAL,
    SGM_AXIS_CORONAL,
    SGM_AXIS_SAGITTAL,
    SGM_AXIS_I,
    SGM_AXIS_J,
    SGM_AXIS_K
} sgm_axis;

typedef enum sgm_window {
    SGM_WINDOW_AUTO, /* CT: soft tissue preset; else percentiles */
    SGM_WINDOW_NONE, /* whole range of the data */
    SGM_WINDOW_PERCENTILE,
    SGM_WINDOW_BRAIN,
    SGM_WINDOW_LUNG,
    SGM_WINDOW_ABDOMEN,
    SGM_WINDOW_BONE,
    SGM_WINDOW_MEDIASTINUM,
    SGM_WINDOW_MANUAL
} sgm_window;

/* done and total count slices decoded; `message` is a short phrase. */
typedef void (*sgm_progress_fn)(void *user, double fraction, const char *message);

/* An embedding cache. Both may be NULL. get returns 1 and fills `values` when the key is there. */
typedef struct sgm_embedding_store {
    int (*get)(void *user, uint64_t key, float *values, size_t count);
    void (*put)(void *user, uint64_t key, const float *values, size_t count);
    void *user;
} sgm_embedding_store;

/* Zero-initialise, then set what matters. */
typedef struct sgm_volume_options {
    sgm_axis axis;
    sgm_window window;
    double window_low, window_high; /* SGM_WINDOW_MANUAL */
    int no_propagation;             /* decode prompted slices only */
    int max_slices;                 /* per direction from a prompted slice; 0: no limit */
    int keep_largest;               /* largest 3D component only */
    int fill_holes;                 /* in each slice */
    sgm_embedding_store store;
    sgm_progress_fn progress;
    void *progress_user;
} sgm_volume_options;

typedef struct sgm_slice_report {
    int64_t slice; /* index along the axis */
    float predicted_iou;
    int64_t voxels;
    int prompted; /* 1: decoded from the user's prompts, 0: reached by propagation */
} sgm_slice_report;

typedef struct sgm_object_result {
    uint8_t *mask; /* size[0]*size[1]*size[2], 0 or 1 */
    int64_t voxels;
    sgm_slice_report *slices;
    size_t slice_count;
} sgm_object_result;

typedef struct sgm_volume_result {
    sgm_object_result *objects;
    size_t object_count;
    int axis;                /* 0, 1, 2: the index axis slices were taken along */
    double window[2];        /* intensities shown as black and white */
    int64_t encoded, cached; /* embeddings computed, and taken from the store */
} sgm_volume_result;

/* Segments all objects; slices' embeddings are shared between them and computed only where needed.
 * Release *out with sgm_volume_result_clear. Errors: SGM_BAD_PROMPT names object and prompt,
 * SGM_CANCELLED from the context's callback. `options` may be NULL. */
SGM_API sgm_status sgm_volume_predict(sgm_model *model, const sgm_volume *volume,
                                      const sgm_object *objects, size_t object_count,
                                      const sgm_volume_options *options, sgm_volume_result *out);
SGM_API void sgm_volume_result_clear(sgm_volume_result *result);

/* Embedding cache in a folder: one file per embedding, written beside and renamed, the oldest
 * removed when the folder outgrows limit_bytes (0: none). Fills *store; close when done. */
SGM_API sgm_status sgm_store_open(const char *folder, uint64_t limit_bytes,
                                  sgm_embedding_store *store);
SGM_API void sgm_store_close(sgm_embedding_store *store);

#ifdef __cplusplus
}
#endif
#endif
