/* segmodel: promptable segmentation (the Segment-Anything family) in C.
 *
 * In ten lines, from an image to a mask:
 *
 *     sgm_context *context;  sgm_model *model;  sgm_picture *picture;
 *     sgm_context_create(NULL, &context);
 *     sgm_model_load(context, "promptseg-lite.safetensors", NULL, &model);
 *     sgm_picture_create(model, NULL, &picture);
 *     sgm_picture_set_image(picture, &image);                   // copied; nothing is computed yet
 *     sgm_point point = {320, 240, SGM_FOREGROUND};
 *     sgm_prompt prompt = {.points = &point, .point_count = 1};
 *     sgm_mask mask;
 *     sgm_picture_predict(picture, &prompt, NULL, NULL, &mask); // as often as you like
 *     ... mask.data[y * mask.width + x] is 0 or 1 ...
 *
 * Handles. A context holds a device, its threads and the callbacks; a model holds immutable
 * weights and may be shared by threads; a picture answers prompts on one image and belongs to one
 * thread at a time. A picture looks where its model has to: networks of small input see a crop
 * around the prompt, so that small objects keep their resolution. A session is the bare network
 * on a whole image, as the official codes run it. Volumes are in segmodel/volume.h. Handles keep
 * what they were made from alive: destroy them in any order. `destroy(NULL)` does nothing.
 *
 * Errors. Every function that can fail returns a status; 0 is success. sgm_last_message() then
 * explains what was wanted and what was found. The library never prints, exits or aborts.
 *
 * Coordinates. x runs along a row, y down the columns, in pixels of the image as given; the centre
 * of the top-left pixel is (0, 0), the convention of the official SAM code for prompts.
 *
 * Ownership. Inputs are borrowed for the call and never kept.
 *
 * Growing. Structs of options begin with their own size, so that a program built with an older
 * header works with a newer library: members it does not know are zero. 0 stands for the size in
 * version 0.2. A larger size than the library knows is refused unless the rest is zero.
 *
 * Threads and processes. No call touches the locale, signals, stdin, stdout or stderr. Callbacks
 * come on the thread that made the call. A process made by fork has neither the threads nor the GPU
 * of what it inherits: it may destroy that, and computes with a context that it makes itself. A
 * thread that calls needs a stack of 128 KiB. On a processor with AMX a context asks the kernel for
 * it, which holds for the whole process: sigaltstack then takes no stack below
 * sysconf(_SC_MINSIGSTKSZ), which is more than the usual 8 KiB; and where a thread has a smaller one
 * already, the library computes without AMX. */
#ifndef SEGMODEL_SEGMODEL_H
#define SEGMODEL_SEGMODEL_H

#include <stddef.h>
#include <stdint.h>

#if defined(SEGMODEL_STATIC) || !defined(__GNUC__)
#define SGM_API
#else
#define SGM_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------ version */

#define SGM_VERSION_MAJOR 0
#define SGM_VERSION_MINOR 3
#define SGM_VERSION_PATCH 0

/* "0.3.0"; static storage. */
SGM_API const char *sgm_version(void);

/* ------------------------------------------------------------------------------------- status */

typedef enum sgm_status {
    SGM_OK = 0,
    SGM_INVALID_ARGUMENT =
        1,                 /* the caller's mistake: NULL, a size that cannot be, order of calls */
    SGM_UNREADABLE = 2,    /* an image or volume that cannot be read or is not supported */
    SGM_BAD_PROMPT = 3,    /* a prompt outside the image, not a number, or none at all */
    SGM_BAD_MODEL = 4,     /* a checkpoint that is damaged, incomplete or of an unknown kind */
    SGM_OUT_OF_MEMORY = 5, /* memory or the context's memory limit */
    SGM_DEVICE = 6,        /* no such device, or it failed */
    SGM_UNWRITABLE = 7,    /* an output that cannot be written */
    SGM_CANCELLED = 8,     /* the cancel callback said so */
    SGM_INTERNAL = 9       /* a defect of this library */
} sgm_status;

/* The calling thread's message of its last failing call; valid until its next one. */
SGM_API const char *sgm_last_message(void);

/* A short English name for logs; static storage. */
SGM_API const char *sgm_status_name(sgm_status status);

/* ------------------------------------------------------------------------------------ context */

typedef struct sgm_context sgm_context;

typedef enum sgm_device {
    SGM_DEVICE_AUTO, /* CUDA when there is one, else CPU */
    SGM_DEVICE_CPU,
    SGM_DEVICE_CUDA,
    SGM_DEVICE_REFERENCE /* plain loops in double: slow, the oracle of the tests */
} sgm_device;

typedef enum sgm_precision {
    SGM_PRECISION_AUTO, /* BF16 where the device multiplies it in hardware, else FP32 */
    SGM_PRECISION_FP32, /* the exact mode */
    SGM_PRECISION_BF16  /* the fast mode; SGM_DEVICE when the device cannot */
} sgm_precision;

/* Called with a sentence worth logging (what was assumed, what was chosen). */
typedef void (*sgm_log_fn)(void *user, const char *sentence);
/* Polled between steps of long work; non-zero cancels. */
typedef int (*sgm_cancel_fn)(void *user);

/* `fraction` of the work that may still come, never decreasing, 1 at the end; `message` is a short
 * phrase, valid for the call. */
typedef void (*sgm_progress_fn)(void *user, double fraction, const char *message);

/* What goes with one call. Start from sgm_call_init(), or from zeros. */
typedef struct sgm_call {
    size_t size;          /* sizeof(sgm_call) */
    sgm_cancel_fn cancel; /* polled every few milliseconds; non-zero ends the call */
    void *cancel_user;
    sgm_progress_fn progress;
    void *progress_user;
    sgm_log_fn warning; /* a sentence about this call that the user should read */
    void *warning_user;
} sgm_call;

static inline sgm_call sgm_call_init(void)
{
    sgm_call call = {sizeof call, NULL, NULL, NULL, NULL, NULL, NULL};
    return call;
}

/* Zero-initialise, then set what matters. */
typedef struct sgm_context_options {
    size_t size; /* sizeof(sgm_context_options) */
    sgm_device device;
    sgm_precision precision;
    int threads;         /* 0: one per core it may use, or as many as it gets */
    size_t memory_limit; /* bytes for a session's working memory, on every device; 0: none */
    sgm_log_fn log;
    void *log_user;
    sgm_cancel_fn cancel;
    void *cancel_user;
} sgm_context_options;

/* `options` may be NULL. SGM_DEVICE when the device is missing, with the reason. */
SGM_API sgm_status sgm_context_create(const sgm_context_options *options, sgm_context **out);
SGM_API void sgm_context_destroy(sgm_context *context);
/* "cpu, 2 threads, bf16 (AMX)"; valid as long as the context. */
SGM_API const char *sgm_context_device(const sgm_context *context);

/* -------------------------------------------------------------------------------------- model */

typedef struct sgm_model sgm_model;

typedef struct sgm_model_info {
    const char *variant;    /* "sam_vit_b", "medsam", "mobile_sam", ...; valid with the model */
    const char *assumption; /* what was taken for granted about the variant, "" if nothing */
    int image_size;         /* side of the encoder's square input, pixels */
    int embedding_shape[3]; /* channels, rows, columns */
    size_t embedding_count; /* floats of sgm_session_get_embedding: the embedding, then what else
                               the network's decoder reads of a picture (finer features) */
    int mask_tokens;        /* masks the decoder makes: 4 for SAM */
    int classes;            /* it is prompted by a class of 1 to that many; 0: by places */
    int low_res_shape[2];   /* rows, columns of the low-res logits */
    int64_t parameters;
    uint64_t hash;           /* of the weights: key of embedding caches */
    sgm_precision precision; /* FP32 or BF16, never AUTO */
} sgm_model_info;

/* Loads a .safetensors or PyTorch .pth checkpoint (memory-mapped; nothing in it is executed).
 * variant: NULL or "auto", else a name of `segmodel info`. SGM_BAD_MODEL names the tensor, the
 * wanted and the found shape. The file stays open, and weights are read from it when they are first
 * needed: replace it by renaming, never in place. */
SGM_API sgm_status sgm_model_load(sgm_context *context, const char *path, const char *variant,
                                  sgm_model **out);
/* The same for a file that holds only what was trained (SAMed's low-rank additions, SurgicalSAM's
 * prototypes) and the file it was made from. `base` NULL: as above. SGM_BAD_MODEL says that a base
 * is missing, is too much, or is of another size. */
SGM_API sgm_status sgm_model_load_on(sgm_context *context, const char *base, const char *path,
                                     const char *variant, sgm_model **out);
SGM_API void sgm_model_destroy(sgm_model *model);
SGM_API void sgm_model_get_info(const sgm_model *model, sgm_model_info *info);

/* -------------------------------------------------------------------------------------- image */

/* 8-bit image, borrowed. The whole 0..255 range is used as it is: windowing is the caller's (or
 * sgm_volume_predict's) business. */
typedef struct sgm_image {
    const uint8_t *data; /* channels interleaved */
    int width, height;   /* at least 1, at most 32768 */
    int channels;        /* 1 (grey) or 3 (RGB) */
    ptrdiff_t stride;    /* bytes from row to row; 0: width * channels */
} sgm_image;

/* ------------------------------------------------------------------------------------ session */

typedef struct sgm_session sgm_session;

SGM_API sgm_status sgm_session_create(sgm_model *model, sgm_session **out);
SGM_API void sgm_session_destroy(sgm_session *session);

/* Runs the preprocessing and the encoder; the embedding stays until the next call. */
SGM_API sgm_status sgm_session_set_image(sgm_session *session, const sgm_image *image);

/* The embedding as embedding_count FP32 values, and back: what caches store. First come those of
 * embedding_shape, channel-major like the official code; then the finer features of networks that
 * have them, each channel-major too. `width`, `height`: the original image's, needed to place
 * prompts. SGM_INVALID_ARGUMENT for values that are not finite. */
SGM_API sgm_status sgm_session_get_embedding(sgm_session *session, float *values);
SGM_API sgm_status sgm_session_set_embedding(sgm_session *session, const float *values, int width,
                                             int height);
/* Hash of the exact encoder input this image would give, without encoding: a cache's key together
 * with sgm_model_info.hash and .precision. */
SGM_API sgm_status sgm_session_input_hash(sgm_session *session, const sgm_image *image,
                                          uint64_t *hash);

#define SGM_BACKGROUND 0
#define SGM_FOREGROUND 1

typedef struct sgm_point {
    double x, y;
    int label; /* SGM_FOREGROUND or SGM_BACKGROUND */
} sgm_point;

typedef struct sgm_box {
    double x0, y0, x1, y1; /* corners, pixels */
} sgm_box;

/* Any mix; all parts together describe one object. */
typedef struct sgm_prompt {
    const sgm_point *points;
    size_t point_count; /* at most 4096 */
    const sgm_box *box; /* or NULL */
    const float *mask;  /* low-res logits of an earlier prediction, low_res_shape, or NULL */
    int class_index;    /* 1 to sgm_model_info.classes; 0 for networks that are prompted by places.
                           Where a class is asked for, points, box and mask are not looked at */
    int loose_box;      /* 1: the box only bounds the object and is not drawn tightly around it;
                           heeded by models trained for it (metadata `loose_box = 1`) */
} sgm_prompt;

/* Which mask: one point and nothing else gives the one of highest predicted IoU among masks 1..3,
 * any other prompt gives mask 0; SGM_CHOOSE_MULTI forces the former, SGM_CHOOSE_SINGLE the latter.
 * What counts is what the network sees: background points outside a crop are not shown to it. */
typedef enum sgm_choice { SGM_CHOOSE_AUTO, SGM_CHOOSE_MULTI, SGM_CHOOSE_SINGLE } sgm_choice;

/* Whether a box without mask prompt and without background points is taken for tight: the threshold
 * is lowered until the mask spans nearly the whole box, and holes are filled. AUTO: if the model's
 * metadata say `tight_box = 1`. Without it, a mask is where its logits exceed the model's threshold
 * (metadata `mask_threshold`, 0 unless given). Logits are never changed. sgm_volume_predict never
 * does it, because a 3D box is not tight on every slice. */
typedef enum sgm_tight_box {
    SGM_TIGHT_BOX_AUTO,
    SGM_TIGHT_BOX_OFF,
    SGM_TIGHT_BOX_ON
} sgm_tight_box;

typedef struct sgm_predict_options {
    size_t size; /* sizeof(sgm_predict_options) */
    sgm_choice choice;
    int want_logits; /* also fill sgm_mask.low_res with every mask token's logits */
    sgm_tight_box tight_box;
} sgm_predict_options;

/* Owned by the session, valid until its next call. */
typedef struct sgm_mask {
    const uint8_t *data;  /* width * height, 0 or 1 */
    int width, height;    /* the image's */
    int chosen;           /* index of the mask token */
    float predicted_iou;  /* of the chosen one */
    const float *low_res; /* mask_tokens x low_res_shape logits */
    const float *iou;     /* mask_tokens predictions */
    int mask_tokens;
    int low_res_shape[2];
} sgm_mask;

/* Needs an embedding (SGM_INVALID_ARGUMENT else). SGM_BAD_PROMPT names a point outside the image or
 * not a number, an empty box, or that there is no prompt. As in the official codes, places count as
 * inside up to one pixel beyond the outermost centres, and background points alone are answered,
 * with anything: sgm_picture_predict is stricter. `options` may be NULL. */
SGM_API sgm_status sgm_session_predict(sgm_session *session, const sgm_prompt *prompt,
                                       const sgm_predict_options *options, sgm_mask *out);
/* `count` objects on the same embedding in batches; masks[i] as above, together valid until the
 * session's next call: a picture's size of bytes for each. */
SGM_API sgm_status sgm_session_predict_many(sgm_session *session, const sgm_prompt *prompts,
                                            size_t count, const sgm_predict_options *options,
                                            sgm_mask *masks);

/* As sgm_session_predict_many, but hands each mask out as it is made: memory for a few, however
 * many there are. *mask is valid during the call of `give`; non-zero from it ends with
 * SGM_CANCELLED. Mask prompts must not be the session's own logits. */
typedef int (*sgm_mask_fn)(void *user, size_t index, const sgm_mask *mask);
SGM_API sgm_status sgm_session_predict_each(sgm_session *session, const sgm_prompt *prompts,
                                            size_t count, const sgm_predict_options *options,
                                            sgm_mask_fn give, void *user);

/* ------------------------------------------------------------------------------------ picture */

/* Whether the network sees the whole picture or a crop around the prompt. */
typedef enum sgm_zoom_mode {
    SGM_ZOOM_AUTO, /* crops for models of small input that were trained on crops */
    SGM_ZOOM_OFF,
    SGM_ZOOM_ON
} sgm_zoom_mode;

/* Whether `mode` means crops for this model. */
SGM_API int sgm_zoom_applies(const sgm_model *model, sgm_zoom_mode mode);

/* Keeps embeddings beyond a handle's memory: sgm_store_open makes one of a folder. All may be NULL.
 * get returns 1 and fills `values` when the key is there; both may come from several threads. */
typedef struct sgm_embedding_store {
    int (*get)(void *user, uint64_t key, float *values, size_t count);
    void (*put)(void *user, uint64_t key, const float *values, size_t count);
    void *user;
} sgm_embedding_store;

/* Embedding cache in a folder (made if missing, with its parents, for its owner only): one file
 * per embedding, written beside and renamed; those used longest ago are removed when the folder
 * outgrows limit_bytes (0: no limit). Several threads and processes may share it. Files are exact,
 * so that results do not depend on the cache: FP32, or two bytes per value where all values are
 * BF16 numbers. A file that is damaged or not ours, or holds what is not a finite number, counts as
 * missing; a full disk only means that nothing is kept. SGM_UNWRITABLE when the folder cannot be
 * made or written. Fills *store; close it after the last handle that uses it. */
SGM_API sgm_status sgm_store_open(const char *folder, uint64_t limit_bytes,
                                  sgm_embedding_store *store);
SGM_API void sgm_store_close(sgm_embedding_store *store);

typedef struct sgm_picture sgm_picture;

/* Zero-initialise, then set what matters. */
typedef struct sgm_picture_options {
    size_t size; /* sizeof(sgm_picture_options) */
    sgm_zoom_mode zoom;
    size_t embedding_memory; /* bytes of embeddings kept in memory; 0: 256 MiB. At least two are */
    sgm_embedding_store store; /* borrowed; open as long as the picture lives */
} sgm_picture_options;

/* `options` may be NULL. */
SGM_API sgm_status sgm_picture_create(sgm_model *model, const sgm_picture_options *options,
                                      sgm_picture **out);
SGM_API void sgm_picture_destroy(sgm_picture *picture);

/* The image is copied; nothing is encoded yet. */
SGM_API sgm_status sgm_picture_set_image(sgm_picture *picture, const sgm_image *image);

/* As sgm_session_predict, in pixels of the image, but SGM_BAD_PROMPT also for a point beyond the
 * outermost pixels (-0.5 to width - 0.5), a box that meets none of them, and background points
 * alone. Without zoom the answer is a session's. With zoom, it is what sgm_volume_predict gives on
 * a volume of this one slice:
 *  - With a box or a mask prompt the crop is a square of at least 1.45 times their extent, and
 *    nothing is marked outside the box. With points alone the network looks at up to seven scales,
 *    two to an octave, from the whole image down to an eighth of it (32 pixels at least); the
 *    answer that it rates highest and that does not run out of its crop decides where the last
 *    look goes. An answer that touches the side of its crop is asked for again in a wider one.
 *  - Crops snap to a coarse grid, and the last one is kept while prompt and mask lie well inside
 *    it: then a further click costs one decode.
 *  - The result's low_res logits lie in the crop that the network looked at; given back as mask
 *    prompt of the next call, they are moved to its crop.
 * `options` and `call` may be NULL. The result is valid until the next call. */
SGM_API sgm_status sgm_picture_predict(sgm_picture *picture, const sgm_prompt *prompt,
                                       const sgm_predict_options *options, const sgm_call *call,
                                       sgm_mask *out);

/* The crop of the last prediction: x, y, width, height; zeros before the first. */
SGM_API void sgm_picture_view(const sgm_picture *picture, int view[4]);
/* Embeddings computed and taken from the store, and decodes, so far. */
SGM_API void sgm_picture_counts(const sgm_picture *picture, int64_t *encoded, int64_t *cached,
                                int64_t *decoded);

#ifdef __cplusplus
}
#endif

#endif
