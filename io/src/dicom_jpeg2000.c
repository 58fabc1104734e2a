#include "dicom_codecs.h"

#include "io_status.h"
#include "jpeg2000_tiles.h"

#include <openjpeg.h>
#include <stdio.h>
#include <string.h>

enum { WARNING_BYTES = 160 };

/* What OpenJPEG reads from. */
typedef struct bytes {
    const unsigned char *data;
    size_t size, at;
} bytes;

static OPJ_SIZE_T read_bytes(void *buffer, OPJ_SIZE_T wanted, void *user)
{
    bytes *from = user;
    size_t left = from->size - from->at;
    size_t count = wanted < left ? wanted : left;
    if (count == 0) return (OPJ_SIZE_T)-1;
    memcpy(buffer, from->data + from->at, count);
    from->at += count;
    return count;
}

static OPJ_OFF_T skip_bytes(OPJ_OFF_T count, void *user)
{
    bytes *from = user;
    if (count < 0 || (size_t)count > from->size - from->at) return -1;
    from->at += (size_t)count;
    return count;
}

static OPJ_BOOL seek_bytes(OPJ_OFF_T position, void *user)
{
    bytes *from = user;
    if (position < 0 || (size_t)position > from->size) return OPJ_FALSE;
    from->at = (size_t)position;
    return OPJ_TRUE;
}

static void say_nothing(const char *message, void *user)
{
    (void)message;
    (void)user;
}

/* About how a file is put together, not about samples. */
static int is_formality(const char *message)
{
    static const char *const parts[] = {"onform", "COLR", "ihdr",  "IHDR",
                                        "ignore", "JP2",  "nknown"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(message, parts[i])) return 1;
    return 0;
}

/* OpenJPEG warns where it fills up what a code stream does not hold. */
static void keep_warning(const char *message, void *user)
{
    char *kept = user;
    if (is_formality(message)) return;
    if (!kept[0]) snprintf(kept, WARNING_BYTES, "%.*s", (int)strcspn(message, "\n"), message);
}

static opj_stream_t *make_stream(bytes *from)
{
    opj_stream_t *stream = opj_stream_default_create(OPJ_TRUE);
    if (!stream) return NULL;
    opj_stream_set_user_data(stream, from, NULL);
    opj_stream_set_user_data_length(stream, from->size);
    opj_stream_set_read_function(stream, read_bytes);
    opj_stream_set_skip_function(stream, skip_bytes);
    opj_stream_set_seek_function(stream, seek_bytes);
    return stream;
}

static int is_code_stream(const bytes *from)
{
    return from->size > 4 && memcmp(from->data, "\xff\x4f\xff\x51", 4) == 0;
}

static opj_codec_t *make_codec(const bytes *from, char *warning)
{
    opj_codec_t *codec =
        opj_create_decompress(is_code_stream(from) ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
    opj_dparameters_t parameters;
    if (!codec) return NULL;
    opj_set_default_decoder_parameters(&parameters);
    opj_set_info_handler(codec, say_nothing, NULL);
    opj_set_warning_handler(codec, keep_warning, warning);
    opj_set_error_handler(codec, say_nothing, NULL);
    if (opj_setup_decoder(codec, &parameters)) return codec;
    opj_destroy_codec(codec);
    return NULL;
}

static int matches(const sgio_dicom_slice *slice, const opj_image_t *image)
{
    if (image->numcomps != (OPJ_UINT32)slice->samples) return 0;
    for (OPJ_UINT32 c = 0; c < image->numcomps; c++) {
        const opj_image_comp_t *component = &image->comps[c];
        if (component->w != (OPJ_UINT32)slice->columns || component->h != (OPJ_UINT32)slice->rows ||
            component->prec > (OPJ_UINT32)slice->bits_allocated)
            return 0;
    }
    return 1;
}

/* Header first, so that a lying code stream is refused before memory is asked for; and again once
 * decoded, because the palette of a JP2 file changes the number of components. */
static opj_image_t *decode(const sgio_dicom_slice *slice, opj_codec_t *codec, opj_stream_t *stream)
{
    opj_image_t *image = NULL;
    int good = opj_read_header(stream, codec, &image) && matches(slice, image) &&
               opj_decode(codec, stream, image) && opj_end_decompress(codec, stream) &&
               matches(slice, image);
    for (OPJ_UINT32 c = 0; good && c < image->numcomps; c++)
        good = image->comps[c].data != NULL;
    if (good) return image;
    opj_image_destroy(image);
    return NULL;
}

static void copy_pixels(const sgio_dicom_slice *slice, const opj_image_t *image, void *pixels)
{
    size_t count = (size_t)slice->rows * (size_t)slice->columns, samples = (size_t)slice->samples;
    for (size_t c = 0; c < samples; c++) {
        const OPJ_INT32 *from = image->comps[c].data;
        for (size_t i = 0; i < count; i++) {
            size_t at = i * samples + c;
            if (slice->bits_allocated == 8)
                ((uint8_t *)pixels)[at] = (uint8_t)from[i];
            else if (slice->bits_allocated == 16)
                ((uint16_t *)pixels)[at] = (uint16_t)from[i];
            else
                ((uint32_t *)pixels)[at] = (uint32_t)from[i];
        }
    }
}

sgio_status sgio_jpeg2000_decode(const sgio_dicom_slice *slice, const unsigned char *data,
                                 size_t size, void *pixels)
{
    bytes from = {data, size, 0};
    char warning[WARNING_BYTES] = "";
    opj_stream_t *stream = make_stream(&from);
    opj_codec_t *codec = make_codec(&from, warning);
    opj_image_t *image =
        stream && codec && sgio_jpeg2000_is_whole(data, size) ? decode(slice, codec, stream) : NULL;
    int good = image && !warning[0];
    if (good) copy_pixels(slice, image, pixels);
    opj_image_destroy(image);
    opj_destroy_codec(codec);
    opj_stream_destroy(stream);
    if (good) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: its JPEG 2000 pixels are damaged, cut, or do not match the header%s%s",
                     slice->path, warning[0] ? ": " : "", warning);
}
