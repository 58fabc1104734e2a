/* Process-wide settings of DCMTK and GDCM. */
#ifndef SGIO_DICOM_TOOLKIT_H
#define SGIO_DICOM_TOOLKIT_H

#ifdef __cplusplus
extern "C" {
#endif

/* Keeps both toolkits from printing: their findings come back as status and message. Adds the tags
 * that reading needs to DCMTK's dictionary when that could not be loaded (its file is looked up by
 * absolute path, which a relocated installation does not have). Cheap after the first call, safe
 * from any thread. */
void sgio_quiet_toolkits(void);

#ifdef __cplusplus
}
#endif
#endif
