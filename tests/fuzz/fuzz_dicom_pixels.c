/* Any bytes as compressed pixels. The first six say decoder, rows, columns, samples, bits and
 * colours; what a decoder returns fills the slice exactly. */
#include "fuzz_result.h"

#include "dicom_codecs.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 6 };

static void describe(const uint8_t *b, sgio_dicom_slice *slice)
{
    static char path[] = "fuzz";
    static const char *const syntaxes[] = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51",
                                           "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70",
                                           "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"};
    static const char *const colours[] = {"MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422"};
    memset(slice, 0, sizeof *slice);
    slice->path = path;
    strcpy(slice->transfer_syntax, syntaxes[b[0] % 6]);
    slice->rows = b[1] + 1;
    slice->columns = b[2] + 1;
    slice->samples = b[3] % 2 ? 3 : 1;
    slice->planar = b[3] / 2 % 2;
    slice->bits_allocated = b[4] % 2 ? 16 : 8;
    slice->bits_stored = 1 + b[4] / 2 % slice->bits_allocated;
    slice->high_bit = slice->bits_stored - 1;
    slice->is_signed = b[5] / 4 % 2;
    strcpy(slice->photometric, colours[slice->samples == 1 ? 0 : 1 + b[5] % 3]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgio_dicom_slice slice;
    sgio_jpeg_colours left;
    fuzz_refused = 1;
    if (size < HEADER) return 0;
    describe(data, &slice);
    void *pixels = malloc(sgio_dicom_pixel_bytes(&slice)); /* exact, for the sanitizer */
    if (!pixels) return 0;
    data += HEADER;
    size -= HEADER;
    if (data[-HEADER] >= 192)
        fuzz_refused = sgio_rle_decode(&slice, data, size, pixels);
    else if (data[-HEADER] >= 128)
        fuzz_refused = sgio_jpeg2000_decode(&slice, data, size, pixels);
    else
        fuzz_refused = sgio_jpeg_decode(&slice, data, size, pixels, &left);
    free(pixels);
    return 0;
}
