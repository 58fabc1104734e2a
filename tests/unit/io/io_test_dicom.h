/* DICOM files byte by byte, also such as no toolkit would write. Explicit VR, little endian. */
#ifndef IO_TEST_DICOM_H
#define IO_TEST_DICOM_H

#include <stddef.h>
#include <stdint.h>

#define SYNTAX_PLAIN "1.2.840.10008.1.2.1"
#define SYNTAX_RLE "1.2.840.10008.1.2.5"
#define SYNTAX_JPEG "1.2.840.10008.1.2.4.50"
#define SYNTAX_JPEG_2000 "1.2.840.10008.1.2.4.90"

/* A new file: preamble and meta header. */
void dicom_begin(const char *syntax);

/* Elements, as given. */
void dicom_text(uint32_t tag, const char *vr, const char *text);
void dicom_u16(uint32_t tag, unsigned value);
void dicom_double(uint32_t tag, double value);
void dicom_bytes(uint32_t tag, const char *vr, const void *bytes, size_t size);

/* Sequences and items of open length. */
void dicom_open_sequence(uint32_t tag);
void dicom_open_item(void);
void dicom_close_item(void);
void dicom_close_sequence(void);

/* Pixels in one fragment behind an empty offset table. */
void dicom_fragment(const void *bytes, size_t size);

/* Pixels in fragments, which are items behind an offset table; dicom_close_sequence ends them. */
void dicom_open_fragments(const void *table, size_t size);
void dicom_item(const void *bytes, size_t size);

/* Zeros as far as the file gets `size` bytes; without taking disk where the system knows how. */
void dicom_save_sparse(const char *name, uint64_t size);
void dicom_save(const char *name);

/* A slice of 5 x 4 pixels of 16 bits, axial; NULL texts leave the element out. */
typedef struct dicom_slice {
    const char *series, *position, *spacing, *slope, *intercept, *description;
    const char *instance;    /* instance number, and last part of its UID */
    int first_value;         /* pixel n holds first_value + n */
    const char *orientation; /* NULL: axial, where there is a position */
} dicom_slice;

/* What most tests begin with: a slice at that height, its number from it. Texts live until the
 * eighth further call. */
dicom_slice dicom_slice_at(double z);

/* The parts of a slice: all but the pixels' elements; size and bits; the pixels. */
void dicom_identity(const dicom_slice *slice); /* of a CT */
void dicom_identity_of(const char *sop_class, const char *modality, const dicom_slice *slice);
void dicom_picture(int rows, int columns, int samples, int bits, const char *colours);
void dicom_pixels(const dicom_slice *slice);

/* All of them. */
void dicom_save_slice(const char *name, const dicom_slice *slice);

#endif
