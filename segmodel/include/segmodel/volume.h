/* Segmenting a volume from seeds and boxes, on plain arrays: no file formats here.
 *
 * Coordinates are continuous voxel indices (i fastest, voxel centres at integers); a voxel's cell
 * reaches half an index around its centre, so that the volume spans -0.5 .. size - 0.5.
 *
 * Slices are taken along one of the three index axes and shown to the network as pictures in the
 * radiologist's orientation, whatever the order and signs of the stored axes: x runs to the
 * patient's left (sagittal: to posterior), y to posterior (coronal and sagittal: to inferior). So
 * the same anatomy gives the same masks however it was stored. Pixels are made square by
 * interpolating the coarser in-plane axis to the finer spacing; masks are mapped back to voxels.
 *
 * From prompts to 3D, for each object:
 *  - Prompted slices are decoded from what lies on them: seeds (in the slice nearest to them), the
 *    bounding box of the ROIs' cross-section (rotated ROIs too, several are united), the initial
 *    mask. ROIs without foreground seed or mask prompt every slice they cross; beside seeds or a
 *    mask, they are the box on prompted slices and bound everything else. A model that zooms takes
 *    a ROI over several slices, beside seeds, as the place to look at and not as a tight box.
 *  - From there outward slice by slice: the neighbour's mask becomes the next prompt (its box with
 *    a margin, its innermost points, its logits, and the background seeds of the slice).
 *  - A walk stops at an empty mask, at a drop of the predicted quality, at a jump of the area, when
 *    the mask leaves its neighbour's place or looks more like its neighbour's surroundings than
 *    like its neighbour (predict/volume/stop.h), at max_slices and at the end of the ROI.
 *  - Between two prompted slices, each slice is taken from the nearer one; the one in the middle is
 *    decoded from the mean of both neighbours. If one walk stops early, the other one goes on.
 *  - Nothing is marked outside the bounding box of the ROIs' cross-section, if there is a ROI. */
#ifndef SEGMODEL_VOLUME_H
#define SEGMODEL_VOLUME_H

#include "segmodel/segmodel.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sgm_voxel {
    SGM_VOXEL_U8,
    SGM_VOXEL_I8,
    SGM_VOXEL_U16,
    SGM_VOXEL_I16,
    SGM_VOXEL_U32,
    SGM_VOXEL_I32,
    SGM_VOXEL_F32,
    SGM_VOXEL_F64
} sgm_voxel;

/* Borrowed. */
typedef struct sgm_volume {
    const void *data;
    sgm_voxel type;
    int channels;        /* 1, or 3 for 8-bit RGB */
    int64_t size[3];     /* i, j, k */
    double matrix[3][4]; /* index -> LPS mm, any direction, may be sheared */
    int is_hounsfield;   /* CT in Hounsfield units: window presets make sense, and an object's mean
                            does not drift from slice to slice */
    int has_padding;     /* voxels equal to `padding` are no data for percentiles */
    double padding;
} sgm_volume;

/* For files that do not say what they hold (NIfTI, NRRD): 1 if the values are those of a CT, that
 * is, a twentieth of them within 150 of air (-1000) and a tenth within 150 of water (0). */
SGM_API int sgm_volume_looks_hounsfield(const sgm_volume *volume);

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
    SGM_AXIS_AUTO,  /* an axis of one voxel; else one at least 10 % coarser than the others; else
                       the one along which the prompts lie on clearly fewer slices, else axial */
    SGM_AXIS_AXIAL, /* the index axis nearest to it; the three anatomical ones never coincide */
    SGM_AXIS_CORONAL,
    SGM_AXIS_SAGITTAL,
    SGM_AXIS_I,
    SGM_AXIS_J,
    SGM_AXIS_K
} sgm_axis;

/* Level/width of the presets in Hounsfield units as radiologists use them. RGB is never windowed.
 */
typedef enum sgm_window {
    SGM_WINDOW_AUTO,        /* CT: abdomen; other 8-bit data: as they are; else percentiles */
    SGM_WINDOW_NONE,        /* whole range of the data */
    SGM_WINDOW_PERCENTILE,  /* 0.5 % to 99.5 % of the voxels that are not padding */
    SGM_WINDOW_BRAIN,       /* 40/80 */
    SGM_WINDOW_LUNG,        /* -600/1500 */
    SGM_WINDOW_ABDOMEN,     /* 40/400 */
    SGM_WINDOW_BONE,        /* 400/1800 */
    SGM_WINDOW_MEDIASTINUM, /* 50/350 */
    SGM_WINDOW_MANUAL
} sgm_window;

/* Whether the network sees the whole slice or a crop around the prompt (see segmodel/zoom.h). */
typedef enum sgm_zoom_mode {
    SGM_ZOOM_AUTO, /* crops for models of small input that were trained on crops */
    SGM_ZOOM_OFF,
    SGM_ZOOM_ON
} sgm_zoom_mode;

/* `fraction` of the slices that may still be reached, never decreasing, 1 at the end; `message` is
 * a short phrase, valid for the call. */
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
    sgm_zoom_mode zoom;
    int no_propagation;      /* decode prompted slices only */
    int max_slices;          /* per direction from a prompted slice; 0: no limit */
    int keep_largest;        /* largest 3D component only; voxels sharing a corner are connected */
    int fill_holes;          /* in each slice; holes are 4-connected */
    size_t embedding_memory; /* bytes of embeddings kept in memory; 0: 256 MiB. At least two are */
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

/* Why a walk from slice to slice ended. */
typedef enum sgm_stop {
    SGM_STOP_NONE,       /* there was none: no_propagation */
    SGM_STOP_LIMIT,      /* end of the volume, of the ROI, or max_slices */
    SGM_STOP_EMPTY,      /* nothing found */
    SGM_STOP_QUALITY,    /* the network's rating fell */
    SGM_STOP_AREA,       /* the mask grew or shrank too fast */
    SGM_STOP_PLACE,      /* the mask left its neighbour's place */
    SGM_STOP_APPEARANCE, /* it looks like the surroundings */
    SGM_STOP_COUNT
} sgm_stop;

/* "low quality", ...; NULL for SGM_STOP_NONE; static storage. */
SGM_API const char *sgm_stop_name(sgm_stop stop);

typedef struct sgm_object_result {
    uint8_t *mask; /* size[0]*size[1]*size[2], 0 or 1; pages never marked cost no memory */
    int64_t voxels;
    int64_t first[3], last[3]; /* inclusive bounding box of the mask; last < first when empty */
    sgm_stop stopped[2];       /* the walks below the first and above the last prompted slice */
    sgm_slice_report *slices;  /* ascending; every slice taken, also those now without voxels */
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
 * An object's mask does not depend on which other objects are asked for. Memory: the volume is not
 * copied; beside the masks, a few slices and `embedding_memory`, whatever the number of slices.
 * Release *out with sgm_volume_result_clear (also after a failure: it is empty then). Errors:
 * SGM_BAD_PROMPT names the object, the prompt and the volume's bounds; SGM_UNREADABLE for sizes and
 * matrices that cannot be; SGM_CANCELLED from the context's callback. `options` may be NULL. */
SGM_API sgm_status sgm_volume_predict(sgm_model *model, const sgm_volume *volume,
                                      const sgm_object *objects, size_t object_count,
                                      const sgm_volume_options *options, sgm_volume_result *out);
SGM_API void sgm_volume_result_clear(sgm_volume_result *result);

/* Embedding cache in a folder (made if missing, its parents are not): one file per embedding,
 * written beside and renamed; those used longest ago are removed when the folder outgrows
 * limit_bytes (0: no limit). Several processes may share it. Files are exact, so that results do
 * not depend on the cache: FP32, or two bytes per value where all values are BF16 numbers. A file
 * that is damaged or not ours counts as missing; a full disk only means that nothing is kept.
 * SGM_UNWRITABLE when the folder cannot be made or written. Fills *store; close when done. */
SGM_API sgm_status sgm_store_open(const char *folder, uint64_t limit_bytes,
                                  sgm_embedding_store *store);
SGM_API void sgm_store_close(sgm_embedding_store *store);

#ifdef __cplusplus
}
#endif
#endif
