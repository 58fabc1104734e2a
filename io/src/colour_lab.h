/* Colours as DICOM has them: CIELab in three 16-bit numbers (PS3.3 C.10.7.1.1). */
#ifndef SGIO_COLOUR_LAB_H
#define SGIO_COLOUR_LAB_H

#include <stdint.h>

/* From and to sRGB in 0-1, with white D65 as DCMTK and 3D Slicer take it. */
void sgio_rgb_to_lab(const double rgb[3], uint16_t lab[3]);
void sgio_lab_to_rgb(const double lab[3], double rgb[3]);

#endif
