/* Process-wide settings of DCMTK, and what its tables know. */
#ifndef SGIO_DICOM_TOOLKIT_H
#define SGIO_DICOM_TOOLKIT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Registers DCMTK's decoders (JPEG, JPEG-LS), keeps it from printing, and gives it the few
 * dictionary entries that decoding needs in place of any dictionary file: the one that DCMDICTPATH
 * names is never opened, and what a file says does not depend on the one that is installed. Cheap
 * after the first call, safe from any thread. */
void sgio_prepare_dcmtk(void);

/* What DCMTK's decoders warned of on this thread since the last call that emptied it: the first
 * sentence, "" when nothing. Empties it. */
void sgio_dcmtk_take_warning(char *out, size_t size);

/* "CTImageStorage"; NULL when the UID is unknown. */
const char *sgio_dicom_uid_name(const char *uid);

#ifdef __cplusplus
}
#endif
#endif
