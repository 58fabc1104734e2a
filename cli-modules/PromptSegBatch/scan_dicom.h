/* What a DICOM file is about, from its first bytes. */
#ifndef PROMPTSEG_BATCH_SCAN_DICOM_H
#define PROMPTSEG_BATCH_SCAN_DICOM_H

typedef enum scan_dicom { SCAN_NO_DICOM, SCAN_DICOM_IMAGE, SCAN_DICOM_OTHER } scan_dicom;

/* Whether a regular file is DICOM, and then an image as far as its header of 1 KiB tells. For
 * SCAN_DICOM_OTHER `*what` says what it is. */
scan_dicom scan_dicom_look(const char *path, const char **what);

#endif
