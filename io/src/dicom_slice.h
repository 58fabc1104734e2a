/* What the header of one DICOM image says, as far as volumes need it: a slice, one of the frames in
 * space of an enhanced image, or the frames of a sequence. */
#ifndef SGIO_DICOM_SLICE_H
#define SGIO_DICOM_SLICE_H

#include "sgio/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Attributes that tell volumes of one series apart; NaN when the file has none. */
enum {
    SGIO_DICOM_IMAGE_TYPE, /* checksums of texts */
    SGIO_DICOM_STACK,
    SGIO_DICOM_GRADIENT,
    SGIO_DICOM_CARDIAC_PHASE, /* percent */
    SGIO_DICOM_RESPIRATORY_PHASE,
    SGIO_DICOM_ECHO_TIME,
    SGIO_DICOM_INVERSION_TIME,
    SGIO_DICOM_FLIP_ANGLE,
    SGIO_DICOM_TEMPORAL_POSITION,
    SGIO_DICOM_B_VALUE,
    SGIO_DICOM_TRIGGER_TIME,
    SGIO_DICOM_ACQUISITION_NUMBER,
    SGIO_DICOM_ACQUISITION_TIME,
    SGIO_DICOM_CONTENT_TIME,
    SGIO_DICOM_ATTRIBUTES
};

typedef struct sgio_dicom_slice {
    char *path; /* owned */
    char series_uid[65], instance_uid[65], transfer_syntax[65];
    char modality[17], photometric[17], description[200];
    char image_type[128], contrast[48], kernel[48], protocol[48], stack[17]; /* for listings */
    char gradient[48];  /* "0.707 0.707 0", of diffusion */
    double series_time; /* hhmmss; NaN when absent */
    int series_number, instance_number;
    int rows, columns, samples, planar; /* planar: colours stored plane by plane */
    int frames;                         /* 1, or those of a sequence in time */
    int stored_frames;                  /* in its file, of whatever kind */
    int frame;                          /* which of them, from 0, where they lie in space */
    int bits_allocated, bits_stored, high_bit, is_signed;
    int has_plane;                         /* position and orientation are there */
    double position[3], row[3], column[3]; /* LPS mm; unit vectors along a row, down a column */
    int has_spacing;
    int regions; /* ultrasound regions with scales of their own, where no spacing is to be had */
    double row_spacing, column_spacing; /* between rows, between columns */
    double thickness;                   /* 0 when the file does not say */
    int has_rescale;
    double slope, intercept;
    char rescale_type[17]; /* the unit that they lead to; "" when the file does not say */
    int has_modality_lut;
    int has_padding;
    double padding; /* as stored */
    double attributes[SGIO_DICOM_ATTRIBUTES];
    /* The first number that is not written as the standard has it, "PixelSpacing \"0,5\"": */
    char with_comma[96];   /* read all the same */
    char not_a_number[96]; /* and therefore not used; nothing that decides where a voxel is */
} sgio_dicom_slice;

typedef struct sgio_dicom_slices {
    sgio_dicom_slice *items;
    size_t count;
    size_t named;             /* so many in front are of the file that the user named */
    size_t left_out;          /* files that may belong to them and could not be read */
    char first_left_out[512]; /* why, of the first one */
} sgio_dicom_slices;

/* What is known of a file even where it cannot be read. */
typedef struct sgio_dicom_about {
    char series_uid[65];
    int no_image; /* a DICOM object of another kind */
} sgio_dicom_about;

/* Reads the header up to the pixels, and appends its slice, its slices where it is an enhanced
 * image whose frames lie in space, or its sequence. SGIO_UNREADABLE names the reason: not DICOM, no
 * image (with the object's kind), several frames that lie neither in space nor in time, transfer
 * syntax without decoder, values that make no sense or that the file cannot hold; nothing is
 * appended then. */
sgio_status sgio_dicom_read_header(const char *path, sgio_dicom_slices *slices,
                                   sgio_dicom_about *about);

/* Appends a copy with a path of its own. */
sgio_status sgio_dicom_slices_add(sgio_dicom_slices *slices, const sgio_dicom_slice *slice);

/* Releases all but the first `count`. */
void sgio_dicom_slices_cut(sgio_dicom_slices *slices, size_t count);

void sgio_dicom_slice_clear(sgio_dicom_slice *slice);

/* For messages: its file, and "frame 3 of a.dcm" where that has several. Lives until the fourth
 * further call of the thread. */
const char *sgio_dicom_slice_name(const sgio_dicom_slice *slice);
void sgio_dicom_slices_clear(sgio_dicom_slices *slices);

/* Bytes of a frame's stored pixels: samples * rows * columns * bits_allocated / 8. */
size_t sgio_dicom_pixel_bytes(const sgio_dicom_slice *slice);

/* The pixels of an image, whose file stays open from frame to frame. `slice` is borrowed. *out is
 * to be closed with sgio_dicom_pixels_close; NULL after a failure. */
typedef struct sgio_dicom_pixels sgio_dicom_pixels;
sgio_status sgio_dicom_pixels_open(const sgio_dicom_slice *slice, sgio_dicom_pixels **out);
void sgio_dicom_pixels_close(sgio_dicom_pixels *pixels);

/* Reads and decodes the stored pixels of a frame, from 0 (native byte order, colours interleaved as
 * RGB, values reduced to the stored bits and sign-extended) into a buffer of
 * sgio_dicom_pixel_bytes. Palettes are not expanded. Data that are shorter than the image are
 * SGIO_UNREADABLE, compressed or not; nothing is filled up. */
sgio_status sgio_dicom_pixels_read(sgio_dicom_pixels *pixels, int frame, void *to);

/* What a user should know of the colours of the frame read last: how they are stored where that is
 * not what the header says. NULL when there is nothing. */
const char *sgio_dicom_pixels_otherwise(const sgio_dicom_pixels *pixels);

#ifdef __cplusplus
}
#endif
#endif
