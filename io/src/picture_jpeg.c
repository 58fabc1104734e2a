/* JPEG through libjpeg, with errors as status. */
#include "byte_source.h"
#include "io_status.h"
#include "picture_file.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h> /* these two need stdio.h before them */
#include <jpeglib.h>

typedef struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors; /* libjpeg's, found again through jpeg.err */
    jmp_buf escape;
    char problem[JMSG_LENGTH_MAX];
} reader;

/* `jpeg` is the first member, so its address is the reader's. */
static void keep_error(j_common_ptr jpeg)
{
    reader *reader = (struct reader *)jpeg;
    jpeg->err->format_message(jpeg, reader->problem);
    longjmp(reader->escape, 1);
}

/* libjpeg fills up missing rows in grey: a cut file is an error here. Other warnings (stray bytes
 * between markers, which cameras write) and traces are dropped. */
static void judge_message(j_common_ptr jpeg, int level)
{
    int code = jpeg->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)) keep_error(jpeg);
}

static int set_colours(struct jpeg_decompress_struct *jpeg)
{
    if (jpeg->jpeg_color_space != JCS_GRAYSCALE && jpeg->jpeg_color_space != JCS_YCbCr &&
        jpeg->jpeg_color_space != JCS_RGB)
        return -1;
    jpeg->out_color_space = jpeg->jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    return 0;
}

static void read_rows(struct jpeg_decompress_struct *jpeg, unsigned char *pixels)
{
    size_t row_bytes = (size_t)jpeg->output_width * (size_t)jpeg->output_components;
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = pixels + jpeg->output_scanline * row_bytes;
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
}

static int read_all(reader *reader, FILE *file, sgio_picture *picture, void *pixels)
{
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    if (setjmp(reader->escape)) return -1;
    jpeg_create_decompress(jpeg);
    jpeg_stdio_src(jpeg, file);
    jpeg_read_header(jpeg, TRUE);
    if (set_colours(jpeg) != 0) {
        snprintf(reader->problem, sizeof reader->problem, "colours are neither grey nor RGB");
        return -1;
    }
    jpeg_calc_output_dimensions(jpeg);
    picture->size[0] = jpeg->output_width;
    picture->size[1] = jpeg->output_height;
    picture->channels = jpeg->output_components;
    picture->type = SGIO_U8;
    if (pixels) read_rows(jpeg, pixels);
    return 0;
}

sgio_status sgio_jpeg_read(const char *path, sgio_picture *picture, void *pixels)
{
    reader reader;
    FILE *file;
    sgio_status status = sgio_open_input(path, &file);
    if (status != SGIO_OK) return status;
    memset(&reader, 0, sizeof reader);
    reader.jpeg.err = jpeg_std_error(&reader.errors);
    reader.errors.error_exit = keep_error;
    reader.errors.emit_message = judge_message;
    int failed = read_all(&reader, file, picture, pixels);
    jpeg_destroy_decompress(&reader.jpeg);
    fclose(file);
    if (!failed) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE, "%s: damaged or unusual JPEG picture: %s", path,
                     reader.problem);
}
