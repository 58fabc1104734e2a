/* Process-wide settings of DCMTK. */
#ifndef SGIO_DICOM_TOOLKIT_H
#define SGIO_DICOM_TOOLKIT_H

#ifdef __cplusplus
extern "C" {
#endif

/* Keeps DCMTK from printing: its findings come back as status and message. Registers its decoders
 * (JPEG, JPEG-LS, RLE). Adds the tags
 * that reading needs to its dictionary when that could not be loaded (its file is looked up by
 * absolute path, which a relocated installation does not have). Cheap after the first call, safe
 * from any thread. */
void sgio_prepare_dcmtk(void);

#ifdef __cplusplus
}
#endif
#endif
