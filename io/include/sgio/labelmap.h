/* Segmentations: named, coloured segments over a grid, as Slicer's .seg.nrrd holds them. Voxels
 * live in layers; segments that overlap are in different layers, all others share one. */
#ifndef SGIO_LABELMAP_H
#define SGIO_LABELMAP_H

#include "sgio/geometry.h"
#include "sgio/outputs.h"
#include "sgio/prompts.h"
#include "sgio/status.h"
#include "sgio/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SGIO_MAX_SEGMENTS = 4096, SGIO_MAX_LAYERS = 256, SGIO_MAX_LABEL = 65535 };

typedef struct sgio_segment {
    char *id;          /* unique, "Segment_1" */
    char *name;        /* UTF-8 */
    double colour[3];  /* 0-1 */
    char *terminology; /* Slicer's TerminologyEntry, seven parts joined by '~' */
    char *tags;        /* further tags as read, "key:value|key:value|"; NULL when none */
    int layer;         /* -1 while the segment is empty and was never placed */
    int label;         /* voxel value in its layer */
    int64_t extent[6]; /* i0 i1 j0 j1 k0 k1, inclusive; 0 -1 0 -1 0 -1 when empty */
    int64_t voxels;
} sgio_segment;

typedef struct sgio_layer {
    int bytes;  /* per voxel: 1 or 2, unsigned, this machine's byte order */
    void *data; /* size[0]*size[1]*size[2] values, i fastest */
} sgio_layer;

typedef struct sgio_segmentation {
    sgio_geometry geometry;
    sgio_layer *layers;
    size_t layer_count;
    sgio_segment *segments;
    size_t segment_count, segment_capacity;
    int is_sequence;     /* 1: slices along k are pictures of their own, no neighbours in space */
    long *frame_numbers; /* of a folder of pictures: the numbers in their names, size[2] of them,
                          * each once; else NULL. Owned */
} sgio_segmentation;

/* An empty segmentation on that grid. Release with sgio_segmentation_clear. Error:
 * SGIO_OUT_OF_MEMORY for grids of 2^39 voxels and more. */
sgio_status sgio_segmentation_init(sgio_segmentation *segmentation, const sgio_geometry *geometry);
void sgio_segmentation_clear(sgio_segmentation *segmentation);

/* Index of the first segment of that name, or -1. */
int sgio_segmentation_find(const sgio_segmentation *segmentation, const char *name);

/* Appends an empty segment. `colour` NULL: the colour usual for that name ("liver"), else the next
 * of the palette. Its terminology follows the name where it is known, else "Tissue". */
sgio_status sgio_segmentation_add(sgio_segmentation *segmentation, const char *name,
                                  const double colour[3], size_t *index);

/* Replaces the voxels of a segment by those where mask (u8, the grid's size, i fastest) is not 0.
 * It goes to the first layer where it covers no other segment's voxels, or to a new one. */
sgio_status sgio_segmentation_set_mask(sgio_segmentation *segmentation, size_t index,
                                       const uint8_t *mask);

/* Writes the segment as 0/1 into mask (u8, the grid's size). */
void sgio_segmentation_get_mask(const sgio_segmentation *segmentation, size_t index, uint8_t *mask);

/* Millilitres of a segment: voxels times the determinant of the index-to-LPS matrix. */
double sgio_segmentation_ml(const sgio_segmentation *segmentation, size_t index);

/* Label of each segment in a plain label map (values[segment_count], caller's): the layer values
 * where all differ, else 1, 2, ... in order. */
void sgio_segmentation_flat_labels(const sgio_segmentation *segmentation, int *values);

typedef struct sgio_segmentation_read_options {
    /* The grid wanted. A file cropped from it, as Slicer writes them, is put back in place; one
     * that counts its voxels along other axes or backwards is turned, cropped or not; another grid
     * (sgio_geometry_rounding) is an error. NULL: the file's own. */
    const sgio_geometry *grid;
    sgio_warning_fn warn; /* may be NULL */
    void *warn_user;
    sgio_progress_fn progress; /* may be NULL */
    void *progress_user;
    /* A volume's values are known to be labels: many without names are no sign of an image. */
    int are_labels;
    /* The volume of that grid, where it is at hand; may be NULL. Frames of a DICOM SEG are looked
     * for at the places of its slices, which may lie unevenly. Where both are folders of numbered
     * pictures, those of one number belong together: what has no partner is warned about, and
     * folders without a common number are refused. */
    const sgio_volume *volume;
} sgio_segmentation_read_options;

/* Reads .seg.nrrd, a DICOM Segmentation (.dcm; binary, label map, fractional), an RT structure set
 * (.dcm; onto options->grid, without which SGIO_UNREADABLE) or a label map: NRRD
 * (.nrrd, .nhdr; also Slicer's 4D with the list axis first), all else through sgio_volume_read.
 * Labels without a name become "Segment_<label>". Where most of them do not form regions, more than
 * 64 are warned about, and more than 1024 refused as an image. JPEG pictures are warned about.
 * `options` may be NULL. Errors: SGIO_UNREADABLE, SGIO_OUT_OF_MEMORY. */
sgio_status sgio_segmentation_read(const char *path, const sgio_segmentation_read_options *options,
                                   sgio_segmentation *out);

/* As above from a volume in memory; `name` is used in messages. */
sgio_status sgio_segmentation_from_volume(const sgio_volume *volume, const char *name,
                                          const sgio_segmentation_read_options *options,
                                          sgio_segmentation *out);

/* The structures of an RT structure set as segments without voxels, with names and labels as they
 * are read. `extent`: the voxels of `grid`, inside it or not, that filling their contours can mark;
 * `voxels`: 1 where there are any, else 0. Structures that are read onto a grid with these voxels
 * lose nothing. Release with sgio_segmentation_clear. Errors: SGIO_UNREADABLE, also for all other
 * files; SGIO_OUT_OF_MEMORY. */
sgio_status sgio_rtstruct_extents(const char *path, const sgio_geometry *grid,
                                  sgio_segmentation *out);

/* Of a folder of pictures (frame_numbers): slice k becomes the picture of numbers[k], an empty one
 * where there is none; pictures of other numbers are dropped. *found: of how many numbers there is
 * a picture. `name` is used in messages. Error: SGIO_OUT_OF_MEMORY. */
sgio_status sgio_segmentation_deal_frames(sgio_segmentation *segmentation, const long *numbers,
                                          int64_t count, const char *name, int64_t *found);

typedef struct sgio_overlap {
    int64_t voxels;       /* segment voxels lost to a later segment */
    size_t first, second; /* one such pair: the lost and the kept segment */
} sgio_overlap;

/* The endings that sgio_segmentation_write knows, as words: ".seg.nrrd, .nrrd, ... or .mrml". */
const char *sgio_segmentation_endings(void);

/* 1 when the ending of `path` is one of them. */
int sgio_segmentation_can_write(const char *path);

/* 1 when files of that ending hold one value per voxel and no names: label maps, pictures. */
int sgio_segmentation_is_plain(const char *path);

/* The largest value that files of that ending hold: SGIO_MAX_LABEL, of pictures frame by frame 255.
 */
int sgio_segmentation_most_label(const char *path);

/* What a segmentation came from and goes to. Zero-initialise. */
typedef struct sgio_segmentation_write_options {
    /* The segmented volume and the path it was read from, for formats that refer to it; may be
     * NULL otherwise. */
    const sgio_volume *source;
    const char *source_path;
    const sgio_prompts *prompts; /* for formats that hold them too; may be NULL */
    sgio_outputs *outputs;       /* the set that the file joins; NULL: it appears at once */
    sgio_warning_fn warn;        /* may be NULL */
    void *warn_user;
    sgio_progress_fn progress; /* may be NULL */
    void *progress_user;
    /* The DICOM series that SEG and RTSTRUCT refer to (without_voxels will do) where it is not the
     * source, with its path; NULL: it is. Its voxels must be the grid's, but may be counted along
     * other axes or backwards, as in a NIfTI file made of it. */
    const sgio_volume *reference;
    const char *reference_path;
    const char
        *reference_option; /* how a user names it, for messages: "--reference"; may be NULL */
    /* Of plain label maps. Each segment's value, from 1 to SGIO_MAX_LABEL and no two alike; NULL:
     * those of sgio_segmentation_flat_labels. */
    const int *labels;
    /* Takes how many voxels of each segment the file holds, without those that a later one covers;
     * may be NULL. */
    int64_t *written;
} sgio_segmentation_write_options;

/* To be asked before the work that ends in sgio_segmentation_write: whether a segmentation on that
 * grid can be written to `path` (ending, limits of the format, what the format needs of the source,
 * and sgio_output_check). `options` may be NULL. The errors are those of writing. */
sgio_status sgio_segmentation_check_write(const char *path, const sgio_geometry *grid,
                                          const sgio_segmentation_write_options *options);

/* Tells the further files that sgio_segmentation_write makes beside `path`, as far as `options` say
 * what there is to be written: those of a scene. */
sgio_status sgio_segmentation_beside(const char *path,
                                     const sgio_segmentation_write_options *options,
                                     sgio_path_fn found, void *user);

/* Writes by ending: .seg.nrrd (all layers, names, colours, terminology), .nrrd, .nii.gz, .nii
 * and .mha (plain label maps; later segments win and *overlap, which may be NULL, says how much
 * was lost), .dcm (DICOM SEG) and .rtstruct.dcm (RT structure set): for these options->source or
 * ->reference must be the DICOM series of that grid (else SGIO_USAGE), and in a SEG something must
 * be segmented (else SGIO_UNWRITABLE). .png is a label map of one slice (else SGIO_USAGE) with a
 * palette of the segments' colours (16-bit greys where a label exceeds 255). .mrml is a scene of 3D
 * Slicer with the volume (named relative to the scene; a copy, <scene>-volume.nrrd, where Slicer
 * cannot read the input), <scene>.seg.nrrd, and options->prompts, a file per markup
 * (<scene>-points-1.mrk.json, <scene>-box-1.mrk.json); it needs options->source and ->source_path
 * (else SGIO_USAGE). The grid is written with 17 digits, NIfTI's in float. The file appears
 * complete or not at all. Warnings: overlap that was lost; a sheared grid (gantry tilt) in NIfTI,
 * which nibabel and this library read and ITK does not, and in DICOM SEG, which 3D Slicer refuses.
 * `options` may be NULL. Errors: SGIO_USAGE (ending), SGIO_UNWRITABLE with the reason,
 * SGIO_OUT_OF_MEMORY, SGIO_CANCELLED. */
sgio_status sgio_segmentation_write(const sgio_segmentation *segmentation, const char *path,
                                    const sgio_segmentation_write_options *options,
                                    sgio_overlap *overlap);

/* Colours. parse: "r,g,b" in 0-1 (SGIO_USAGE otherwise). palette: well separated, repeats after
 * 24. named: 1 and the colour when the name is a known structure's. */
sgio_status sgio_colour_parse(const char *text, double colour[3]);
void sgio_colour_palette(size_t index, double colour[3]);
int sgio_colour_named(const char *name, double colour[3]);

/* A code of the terminology; any part may be empty. Strings point into the parsed entry's copy. */
typedef struct sgio_code {
    char scheme[24], value[32], meaning[96];
} sgio_code;

typedef struct sgio_terminology {
    sgio_code category, type, type_modifier, region, region_modifier;
} sgio_terminology;

/* Parses a TerminologyEntry as segments carry it; returns 0, or -1 when it has another form or a
 * part that is too long. For writers of DICOM SEG. */
int sgio_terminology_parse(const char *entry, sgio_terminology *out);

#ifdef __cplusplus
}
#endif
#endif
