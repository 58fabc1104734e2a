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
 * From prompts to 3D, for each object, with a model that is asked by masks (the bundled one, and
 * what is trained here on crops):
 *  - The first foreground seed's slice is decoded from it. From there a mask walks outward slice by
 *    slice: the neighbour's mask, and nothing else, says what is meant on the next slice.
 *  - Without a ROI a walk ends where nothing is found, where the network does not believe in its
 *    answer (farther away than the object is thick it must believe more, if the file says so),
 *    where the mask grows too fast or looks like its neighbour's surroundings
 *    (predict/volume/stop.h), and at max_slices.
 *  - A ROI bounds the object and says its extent: its cross-section on its middle slice is asked
 *    as a box that the object lies somewhere in (as a tight one of a model that has not learnt what
 *    such a box is, see sgm_prompt.loose_box). The mask walks from there both ways; every slice is
 *    also asked with a tight box, that of the ellipsoid inscribed in the ROI, and both answers are
 *    joined. The walk ends at the ROI or where nothing is found.
 *  - An initial mask stays as it is, voxel by voxel. Without seeds it walks on over slices that it
 *    leaves empty, and meets itself in the middle of gaps.
 *  - All further seeds (beside a ROI or an initial mask: all) are clicks, taken in their order. One
 *    that the mask agrees with changes nothing. One on a slice without a mask begins a walk over
 *    slices without one. Any other changes the region that it lies in, on its slice, and then on
 *    the neighbours as far as they are wrong in the same place, nowhere much more than on its own;
 *    what a foreground seed adds beyond two slices the network must be sure of. A background seed
 *    at the innermost place of the mask, beyond the slices of all foreground seeds, says that the
 *    object does not reach there, unless it lies in what looks like a hole: the mask goes on its
 *    slice and on all beyond. All else stays as it is. On a picture of one slice all points are
 *    asked together.
 *  - Beside neither ROI nor initial mask: a list in which some seed agrees with the mask that stands
 *    when its turn comes was not clicked one after the other, but set together. If the walk of
 *    another foreground seed (of at most eight) agrees with more of the seeds than the first one's,
 *    that seed comes first.
 *  - To a model that has not learnt what a loose box is, the first seed beside a ROI over several
 *    slices says how it is meant. A foreground seed that the ROI's own answer holds already (or
 *    where it has none, or one that the network itself rates low) corrects nothing: it says which
 *    of the things in the box is meant, and the object is asked as below. Any other is a click, and
 *    so are all behind it.
 * A model that is asked by boxes (all others; and that for objects whose seeds say what is meant in
 * their ROI):
 *  - Prompted slices are decoded from what lies on them: seeds (in the slice nearest to them), the
 *    bounding box of the ROIs' cross-section (rotated ROIs too, several are united; where they
 *    cross several slices, that of the ellipsoids inscribed in them), the initial mask. ROIs
 *    without foreground seed or mask prompt every slice they cross; beside seeds or a mask, they
 *    are the box on prompted slices and bound everything else. A model that zooms takes a ROI over
 *    several slices, beside seeds, as the place to look at and not as a tight box.
 *  - From there outward slice by slice: the neighbour's mask becomes the next prompt (its box with
 *    a margin, its innermost points, its logits, and the background seeds of the slice).
 *  - A walk stops at an empty mask, at a drop of the predicted quality, at a jump of the area, when
 *    the mask leaves its neighbour's place or looks more like its neighbour's surroundings than
 *    like its neighbour (predict/volume/stop.h), at max_slices and at the end of the ROI.
 * Both:
 *  - Between two prompted slices, each slice is taken from the nearer one; the one in the middle is
 *    decoded from the mean of both neighbours. If one walk stops early, the other one goes on.
 *  - Nothing is marked outside the bounding box of the ROIs' cross-section, if there is a ROI, but
 *    on slices of an initial mask that no ROI crosses. Seeds on slices that no ROI crosses are not
 *    used, and a warning says so. A foreground seed beside the cross-section, on a slice that has
 *    one, widens the box there to itself. */
#ifndef SEGMODEL_VOLUME_H
#define SEGMODEL_VOLUME_H

#include "segmodel/segmodel.h"

#include <string.h>

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
    SGM_VOXEL_F64,
    SGM_VOXEL_U64, /* labels only; a volume of 64-bit integers is refused */
    SGM_VOXEL_I64
} sgm_voxel;

/* Whether voxels are CT numbers in Hounsfield units: then window presets make sense, and an
 * object's mean does not drift from slice to slice. */
typedef enum sgm_hounsfield {
    SGM_HOUNSFIELD_AUTO, /* as the values look, see sgm_volume_looks_hounsfield; with a warning */
    SGM_HOUNSFIELD_ON,
    SGM_HOUNSFIELD_OFF
} sgm_hounsfield;

/* Borrowed: data must stay as they are while a live volume uses them. Byte order is the machine's,
 * rows lie without gaps. */
typedef struct sgm_volume {
    const void *data;
    sgm_voxel type;
    int channels;              /* 1, or 3 for 8-bit RGB */
    int64_t size[3];           /* i, j, k */
    double matrix[3][4];       /* index -> LPS mm, any direction, may be sheared */
    sgm_hounsfield hounsfield; /* what the file says; AUTO: it says nothing */
    int has_padding;           /* voxels equal to `padding` are no data */
    double padding;
} sgm_volume;

/* SGM_UNREADABLE says in a sentence what cannot be: 64-bit integers, 16-bit RGB, two channels or
 * more than three, a size or a matrix. Everything below checks by itself. */
SGM_API sgm_status sgm_volume_check(const sgm_volume *volume);

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

/* One object: all its prompts, in the order they were given. The initial label is the mask prompt
 * on the slices where it is not empty. */
typedef struct sgm_object {
    const char *name; /* for messages; may be NULL */
    const sgm_seed *seeds;
    size_t seed_count;
    const sgm_roi *rois;
    size_t roi_count;
    const void *labels;   /* label volume of the volume's size, borrowed for the call; or NULL */
    sgm_voxel label_type; /* of `labels`: any type */
    int64_t label_value;  /* the voxels meant; 0: all that are not 0 (nor NaN) */
    uint64_t label_stamp; /* a live volume reads `labels` again when the stamp is 0 or another one
                             than in its last call with the same labels, type and value */
} sgm_object;

typedef enum sgm_axis {
    SGM_AXIS_AUTO,  /* an axis of one voxel; else one at least 10 % coarser than the others; else
                       the one along which all points lie in slices' planes, as clicks in a viewer
                       do (and flat boxes within a slice), if it is the only one; else axial */
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
    SGM_WINDOW_AUTO,       /* CT: abdomen; whole numbers of 0..255, the largest 64 at least: as they
                              are; else percentiles. Values decide, the voxel type does not */
    SGM_WINDOW_NONE,       /* whole range of the data */
    SGM_WINDOW_PERCENTILE, /* 0.5 % to 99.5 % of the voxels that are not padding */
    SGM_WINDOW_BRAIN,      /* 40/80 */
    SGM_WINDOW_LUNG,       /* -600/1500 */
    SGM_WINDOW_ABDOMEN,    /* 40/400 */
    SGM_WINDOW_BONE,       /* 400/1800 */
    SGM_WINDOW_MEDIASTINUM, /* 50/350 */
    SGM_WINDOW_MANUAL
} sgm_window;

typedef enum sgm_padding {
    SGM_PADDING_AUTO, /* as the volume says */
    SGM_PADDING_VALUE,
    SGM_PADDING_NONE
} sgm_padding;

/* Start from sgm_volume_options_init(), or from zeros (see segmodel.h, "Growing"). */
typedef struct sgm_volume_options {
    size_t size; /* sizeof(sgm_volume_options) */
    sgm_axis axis;
    sgm_window window;
    double window_low, window_high; /* SGM_WINDOW_MANUAL */
    sgm_hounsfield hounsfield;      /* AUTO: as the volume says; ON, OFF: whatever it says */
    sgm_padding padding;
    double padding_value; /* SGM_PADDING_VALUE */
    sgm_zoom_mode zoom;
    int no_propagation;      /* decode prompted slices only */
    int max_slices;          /* per direction from a prompted slice; 0: no limit */
    int keep_largest;        /* largest 3D component only; voxels sharing a corner are connected */
    int fill_holes;          /* in each slice; holes are 4-connected */
    size_t embedding_memory; /* bytes of embeddings kept in memory; 0: 256 MiB. At least two are */
    size_t answer_memory;    /* bytes a live volume keeps of earlier answers, beside the objects'
                                present masks; 0: 32 MiB */
    sgm_embedding_store store; /* borrowed; open as long as the options' user */
    int class_index; /* for networks prompted by class (sgm_model_info.classes): the class of
                        all objects, from 1; prompts then say where they are. 0: none */
    int is_sequence; /* 1: slices are moments, not places: there are no millimetres between
                        them, and walks follow what moves from one to the next */
} sgm_volume_options;

static inline sgm_volume_options sgm_volume_options_init(void)
{
    sgm_volume_options options = {sizeof options,
                                  SGM_AXIS_AUTO,
                                  SGM_WINDOW_AUTO,
                                  0,
                                  0,
                                  SGM_HOUNSFIELD_AUTO,
                                  SGM_PADDING_AUTO,
                                  0,
                                  SGM_ZOOM_AUTO,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0,
                                  {NULL, NULL, NULL},
                                  0,
                                  0};
    return options;
}

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
    SGM_STOP_MET,        /* it met the walk from the next prompted slice */
    SGM_STOP_COUNT
} sgm_stop;

/* "low quality", ...; NULL for SGM_STOP_NONE; static storage. */
SGM_API const char *sgm_stop_name(sgm_stop stop);

/* One walk: it left prompted slice `from` in `direction` and took all slices up to `last` (`from`
 * itself if none). */
typedef struct sgm_walk_report {
    int64_t from, last;
    int direction; /* 1 or -1 */
    sgm_stop stop;
} sgm_walk_report;

/* ------------------------------------------------------------------------------- live volumes */

/* A volume that stays open between questions, for clicks and live preview. It keeps orientation
 * and window (found once), embeddings (in memory up to a limit, beyond it in the store if there is
 * one), and for each object the masks of its slices and what they were decoded from.
 *
 * Every question brings all prompts of its object. Undo and redo are the caller's: the same
 * prompts give the same masks, bit for bit, as a live volume made anew and asked nothing else, and
 * cost nothing while the earlier answers are kept. Only what a changed prompt can change is
 * decoded: slices whose own prompts, and those that the walk came from, are as before keep their
 * answers. With SGM_AXIS_AUTO the axis follows the prompts of each call, so that it may change
 * from one call to the next; the masks are then those of a run along the new axis.
 *
 * Threads: one thread at a time uses a live volume; callbacks come on the thread of the call.
 * Several live volumes may share a model (with its threads) and a store. A call that fails or is
 * cancelled leaves the object as it was, and keeps what was encoded and decoded. */
typedef struct sgm_live_volume sgm_live_volume;

/* The volume's data and the store are borrowed until destruction; the model is kept alive. Nothing
 * is encoded yet and no voxel is read: what takes time comes in the first call that can be
 * cancelled. `options` may be NULL. */
SGM_API sgm_status sgm_live_volume_create(sgm_model *model, const sgm_volume *volume,
                                          const sgm_volume_options *options, sgm_live_volume **out);
SGM_API void sgm_live_volume_destroy(sgm_live_volume *live);

/* What is known of an object. Pointers belong to the live volume and are valid until the next call
 * that names this object, or destruction. */
typedef struct sgm_live_result {
    size_t size; /* sizeof(sgm_live_result), set by the caller */
    int64_t voxels;
    int64_t first[3], last[3]; /* inclusive bounding box of the mask; last < first when empty */
    int64_t changed_first[3], changed_last[3]; /* of the voxels this call changed, likewise */
    double quality;                            /* mean predicted IoU of its slices; 0 without any */
    sgm_stop stopped[2]; /* the walks below the first and above the last prompted slice */
    const sgm_slice_report *slices; /* ascending; every slice taken, also those without voxels */
    size_t slice_count;
    const sgm_walk_report *walks; /* every walk, by prompted slice, down before up */
    size_t walk_count;
    int axis;                /* 0, 1, 2: the index axis slices were taken along */
    double window[2];        /* intensities shown as black and white */
    int hounsfield;          /* 1: taken for CT numbers */
    int64_t encoded, cached; /* by this call: embeddings computed, and taken from the store */
    int64_t decoded, reused; /* by this call: decodes, and slices whose earlier answer stands */
} sgm_live_result;

static inline sgm_live_result sgm_live_result_init(void)
{
    sgm_live_result result;
    memset(&result, 0, sizeof result);
    result.size = sizeof result;
    return result;
}

/* Segments an object, `id` being the caller's number for it. `call` may be NULL, and so may
 * `result`. That values were taken for CT numbers is warned of until a prediction has succeeded.
 * Errors as of sgm_volume_predict. */
SGM_API sgm_status sgm_live_volume_predict(sgm_live_volume *live, int64_t id,
                                           const sgm_object *object, const sgm_call *call,
                                           sgm_live_result *result);

/* Has the questions to come take slices along the axis that sgm_volume_predict takes for these
 * objects, so that objects that are one answer are cut alike; count 0: as before, each chooses its
 * own. Only with SGM_AXIS_AUTO is there a choice. Errors as of sgm_volume_predict; each question
 * chooses its own then. */
SGM_API sgm_status sgm_live_volume_hold_axis(sgm_live_volume *live, const sgm_object *objects,
                                             size_t count);

/* One slice of an object. `mask` belongs to the live volume until its next call. */
typedef struct sgm_live_slice {
    size_t size; /* sizeof(sgm_live_slice), set by the caller */
    int axis;
    int64_t slice;
    const uint8_t *mask; /* 0/1: the voxels of the slice in memory order, the lower of the two
                            other index axes fastest */
    int64_t mask_size[2];
    int64_t voxels;
    float predicted_iou; /* 0 where nothing is known of the slice */
    int prompted; /* 1: prompts lie on it, and the mask is theirs; 0: the mask is the object's of
                     its last prediction, empty if there was none */
    int64_t encoded, cached, decoded; /* by this call */
} sgm_live_slice;

static inline sgm_live_slice sgm_live_slice_init(void)
{
    sgm_live_slice slice;
    memset(&slice, 0, sizeof slice);
    slice.size = sizeof slice;
    return slice;
}

/* One slice now, without walking, and without changing the object: if the prompts ask for this
 * slice, what sgm_live_volume_predict will take there (which then costs nothing more; clicks that
 * may reach it are taken, and what they correct is walked if it was not predicted); else the
 * object's present mask on it, which knows nothing of these prompts: that of the last prediction of
 * `id`, whatever that was asked with, and `prompted` is 0. So it is on slices that only walks
 * reach, among them those of background seeds in the second way from prompts to 3D (see above): a
 * walk takes them when it comes by. `slice` is an index along the axis that these prompts choose;
 * -1: the slice of the last seed. */
SGM_API sgm_status sgm_live_volume_preview(sgm_live_volume *live, int64_t id,
                                           const sgm_object *object, int64_t slice,
                                           const sgm_call *call, sgm_live_slice *out);

/* Encodes what a click at `place` (continuous voxel index) and walks from there will need, nearest
 * first, as long as memory holds it, while nobody asks. Interrupt it for a question by
 * call->cancel: SGM_CANCELLED then, and what was encoded stays. SGM_OK when there is no more to do.
 */
SGM_API sgm_status sgm_live_volume_ahead(sgm_live_volume *live, const double place[3],
                                         const sgm_call *call);

/* The result of the object's last prediction again; its counts and changes are zero. An object
 * that was never predicted is empty. */
SGM_API sgm_status sgm_live_volume_get(sgm_live_volume *live, int64_t id, sgm_live_result *result);

/* Copies the part first..last (inclusive, within the volume) of the object's mask as 0/1, i
 * fastest; `mask` has room for it. */
SGM_API sgm_status sgm_live_volume_mask(sgm_live_volume *live, int64_t id, const int64_t first[3],
                                        const int64_t last[3], uint8_t *mask);

/* Sets the object's voxels in a label volume (the volume's size, any integer type) to `value`,
 * which must fit the type; other voxels stay. */
SGM_API sgm_status sgm_live_volume_paint(sgm_live_volume *live, int64_t id, void *labels,
                                         sgm_voxel type, int64_t value);

/* Forgets an object. Its earlier answers serve as long as they are kept. */
SGM_API void sgm_live_volume_remove(sgm_live_volume *live, int64_t id);

/* ------------------------------------------------------------------------------------ at once */

typedef struct sgm_object_result {
    uint8_t *mask; /* size[0]*size[1]*size[2], 0 or 1; pages never marked cost no memory */
    int64_t voxels;
    int64_t first[3], last[3]; /* inclusive bounding box of the mask; last < first when empty */
    double quality;            /* as in sgm_live_result, and so are the next ones */
    sgm_stop stopped[2];
    sgm_slice_report *slices;
    size_t slice_count;
    sgm_walk_report *walks;
    size_t walk_count;
} sgm_object_result;

typedef struct sgm_volume_result {
    sgm_object_result *objects;
    size_t object_count;
    int axis;                /* 0, 1, 2: the index axis slices were taken along */
    double window[2];        /* intensities shown as black and white */
    int hounsfield;          /* 1: taken for CT numbers */
    int64_t encoded, cached; /* embeddings computed, and taken from the store */
} sgm_volume_result;

/* Segments all objects of a volume, the one-shot form of a live volume; slices' embeddings are
 * shared between objects and computed only where needed. An object's mask does not depend on which
 * other objects are asked for, but with SGM_AXIS_AUTO all objects have one axis, chosen for all.
 * Memory: the volume is not copied; beside the masks, a few slices and `embedding_memory`, whatever
 * the number of slices. Release *out with sgm_volume_result_clear (also after a failure: it is
 * empty then). Errors: SGM_BAD_PROMPT names the object, the prompt and the volume's bounds;
 * SGM_UNREADABLE for what sgm_volume_check refuses; SGM_CANCELLED from the call's or the context's
 * callback. `options` and `call` may be NULL. */
SGM_API sgm_status sgm_volume_predict(sgm_model *model, const sgm_volume *volume,
                                      const sgm_object *objects, size_t object_count,
                                      const sgm_volume_options *options, const sgm_call *call,
                                      sgm_volume_result *out);
SGM_API void sgm_volume_result_clear(sgm_volume_result *result);

/* ------------------------------------------------------------------------------------ bindings */

/* Bytes of a struct of this interface by its name ("sgm_volume"), 0 for an unknown one: so that a
 * binding that lays structs out by itself can refuse a library of another build. */
SGM_API size_t sgm_struct_size(const char *name);

#ifdef __cplusplus
}
#endif
#endif
