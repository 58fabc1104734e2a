/* A data set or an item in memory: where its elements are, and their values. */
#ifndef SGIO_DICOM_SET_H
#define SGIO_DICOM_SET_H

#include "dicom_file.h"
#include "dicom_tags.h"

#ifdef __cplusplus
extern "C" {
#endif

/* SpecificCharacterSet, as far as it is understood. */
enum { SGIO_DICOM_ASCII, SGIO_DICOM_LATIN_1, SGIO_DICOM_UTF_8, SGIO_DICOM_OTHER_CHARACTERS };

typedef struct sgio_dicom_set {
    sgio_dicom_file *file; /* borrowed; read from when values are asked for */
    sgio_dicom_element *items;
    size_t count;
    int character_set; /* how texts become UTF-8; nested sets have that of the data set */
} sgio_dicom_set;

/* The elements of the whole data set, up to its pixels, or of an item. Of equal tags the first one
 * counts. To be released with sgio_dicom_set_clear, also after a failure. SGIO_UNREADABLE names
 * the file. */
sgio_status sgio_dicom_read_set(sgio_dicom_file *file, sgio_dicom_set *set);
sgio_status sgio_dicom_read_item(const sgio_dicom_set *parent, const sgio_dicom_cursor *item,
                                 sgio_dicom_set *set);
void sgio_dicom_set_clear(sgio_dicom_set *set);

/* Calls `use` with every item of a sequence until it returns something else than SGIO_OK. An absent
 * sequence has no items. */
typedef sgio_status (*sgio_dicom_item_fn)(void *user, const sgio_dicom_set *item);
sgio_status sgio_dicom_for_items(const sgio_dicom_set *set, enum sgio_dicom_tag tag,
                                 sgio_dicom_item_fn use, void *user);

/* NULL when absent. */
const sgio_dicom_element *sgio_dicom_find(const sgio_dicom_set *set, enum sgio_dicom_tag tag);

/* The value as UTF-8 without padding, cut to `size`, "" when absent. Control characters become
 * blanks and angle brackets round ones, so that a text cannot command a terminal or look like
 * Slicer's progress tags. Returns 1 when there is something. */
int sgio_dicom_text(const sgio_dicom_set *set, enum sgio_dicom_tag tag, char *out, size_t size);

/* The value to be written into another file: as UTF-8, whatever characters it has; of a set that is
 * not understood the bytes as they are. */
int sgio_dicom_exact_text(const sgio_dicom_set *set, uint32_t tag, char *out, size_t size);

/* 1 when every character of the text is one of its character set, none an escape into another. */
int sgio_dicom_text_fits(const sgio_dicom_set *set, uint32_t tag);

typedef enum sgio_dicom_found {
    SGIO_DICOM_ABSENT, /* or empty */
    SGIO_DICOM_NUMBER,
    SGIO_DICOM_COMMA, /* a number with a decimal comma, which the standard does not have */
    SGIO_DICOM_NO_NUMBER
} sgio_dicom_found;

/* Value `index` of an element of numbers, binary or text. Texts are numbers as PS3.5 has them,
 * whatever the locale; *value is set for SGIO_DICOM_NUMBER and SGIO_DICOM_COMMA only. */
sgio_dicom_found sgio_dicom_number(const sgio_dicom_set *set, enum sgio_dicom_tag tag, int index,
                                   double *value);

/* "PixelSpacing" */
const char *sgio_dicom_keyword(enum sgio_dicom_tag tag);

#ifdef __cplusplus
}
#endif
#endif
