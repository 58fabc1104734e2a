/* Prediction on one image through a model of small input (256 pixels, say) without losing small
 * objects: the network looks at a crop around the prompt, and the mask is put back in its place,
 * pixel by pixel. sgm_volume_predict does the same on slices.
 *
 * Where it looks. With a box or a mask prompt: a square of at least 1.3 times their extent. With
 * points alone: at up to seven scales, two to an octave, from the whole image down to an eighth of
 * it (32 pixels at least); the answer that the network rates highest and that does not run out of
 * its crop decides where the second look goes.
 * An answer that touches the side of its crop is asked for again in a wider one. Crops snap to a
 * coarse grid, and the last one is kept while prompt and mask lie well inside it: then a further
 * click costs one decode. */
#ifndef SEGMODEL_ZOOM_H
#define SEGMODEL_ZOOM_H

#include "segmodel/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sgm_zoom sgm_zoom;

/* Whether `mode` means crops for this model. */
SGM_API int sgm_zoom_applies(const sgm_model *model, sgm_zoom_mode mode);

/* The model must outlive it; one thread at a time. With SGM_ZOOM_OFF, or AUTO for a model of large
 * input, predictions are those of a session. `store` (may be NULL) is copied and must stay open. */
SGM_API sgm_status sgm_zoom_create(sgm_model *model, sgm_zoom_mode mode,
                                   const sgm_embedding_store *store, sgm_zoom **out);
SGM_API void sgm_zoom_destroy(sgm_zoom *zoom);

/* The image is copied; nothing is encoded yet. */
SGM_API sgm_status sgm_zoom_set_image(sgm_zoom *zoom, const sgm_image *image);

/* As sgm_session_predict, in pixels of the image. The result's low_res logits lie in the crop that
 * the network looked at; given back as mask prompt of the next call, they are moved to its crop.
 * The result is valid until the next call. */
SGM_API sgm_status sgm_zoom_predict(sgm_zoom *zoom, const sgm_prompt *prompt,
                                    const sgm_predict_options *options, sgm_mask *out);

/* The crop of the last prediction: x, y, width, height; zeros before the first. */
SGM_API void sgm_zoom_view(const sgm_zoom *zoom, int view[4]);
/* Embeddings computed and taken from the store so far. */
SGM_API void sgm_zoom_counts(const sgm_zoom *zoom, int64_t *encoded, int64_t *cached);

#ifdef __cplusplus
}
#endif
#endif
