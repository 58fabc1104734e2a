/* Process-wide settings of DCMTK, and what its tables know. */
#ifndef SGIO_DICOM_TOOLKIT_H
#define SGIO_DICOM_TOOLKIT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Registers DCMTK's decoders (JPEG, JPEG-LS), keeps it from printing, and adds the few dictionary
 * entries that decoding needs where DCMTK's file is absent (a relocated installation has none). A
 * dictionary that DCMDICTPATH names is never opened. Cheap after the first call, safe from any
 * thread. */
void sgio_prepare_dcmtk(void);

/* What DCMTK's decoders said of missing or damaged pixels on this thread since the last call: the
 * first sentence, "" when nothing. Empties it. */
void sgio_dcmtk_take_warning(char *out, size_t size);

/* "CTImageStorage"; NULL when the UID is unknown. */
const char *sgio_dicom_uid_name(const char *uid);

#ifdef __cplusplus
}
#endif
#endif
