#include "make_structures.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SLICES = 4, UNDEFINED = -1 };

static void put(FILE *stream, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fputc((int)(value >> 8 * i & 255), stream);
}

static void put_tag(FILE *stream, uint32_t tag)
{
    put(stream, tag >> 16, 2);
    put(stream, tag & 0xffff, 2);
}

/* Explicit VR, little endian; texts are made even. */
static void put_text(FILE *stream, uint32_t tag, const char *vr, const char *text)
{
    const size_t length = strlen(text);
    put_tag(stream, tag);
    fputs(vr, stream);
    put(stream, (uint32_t)(length + length % 2), 2);
    fputs(text, stream);
    if (length % 2) fputc(strcmp(vr, "UI") ? ' ' : 0, stream);
}

static void put_number(FILE *stream, uint32_t tag, int number)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    put_text(stream, tag, "IS", text);
}

/* Sequences and items end with a delimiter. */
static void open_sequence(FILE *stream, uint32_t tag)
{
    put_tag(stream, tag);
    fputs("SQ", stream);
    put(stream, 0, 2);
    put(stream, (uint32_t)UNDEFINED, 4);
}

static void put_mark(FILE *stream, uint32_t tag, int length)
{
    put_tag(stream, tag);
    put(stream, (uint32_t)length, 4);
}

static void open_item(FILE *stream)
{
    put_mark(stream, 0xfffee000, UNDEFINED);
}

static void close_item(FILE *stream)
{
    put_mark(stream, 0xfffee00d, 0);
}

static void close_sequence(FILE *stream)
{
    put_mark(stream, 0xfffee0dd, 0);
}

static void put_contour(FILE *stream, const structure *s, double z)
{
    char text[256];
    snprintf(text, sizeof text, "%g\\%g\\%g\\%g\\%g\\%g\\%g\\%g\\%g\\%g\\%g\\%g", s->x[0], s->y[0],
             z, s->x[1], s->y[0], z, s->x[1], s->y[1], z, s->x[0], s->y[1], z);
    open_item(stream);
    put_text(stream, 0x30060042, "CS", "CLOSED_PLANAR");
    put_number(stream, 0x30060046, 4);
    put_text(stream, 0x30060050, "DS", text);
    close_item(stream);
}

static void put_contours(FILE *stream, const structure *s, int number)
{
    open_item(stream);
    open_sequence(stream, 0x30060040);
    for (int k = 0; k < SLICES; k++)
        put_contour(stream, s, s->z + 2 * k);
    close_sequence(stream);
    put_number(stream, 0x30060084, number);
    close_item(stream);
}

static void put_head(FILE *stream)
{
    static const char preamble[128];
    fwrite(preamble, 1, sizeof preamble, stream);
    fputs("DICM", stream);
    put_text(stream, 0x00020010, "UI", "1.2.840.10008.1.2.1");
    put_text(stream, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.481.3");
    put_text(stream, 0x00080018, "UI", "1.2.3");
    put_text(stream, 0x00080060, "CS", "RTSTRUCT");
}

void write_structures(FILE *stream, const structure *structures, int count)
{
    put_head(stream);
    open_sequence(stream, 0x30060020);
    for (int i = 0; i < count; i++) {
        open_item(stream);
        put_number(stream, 0x30060022, i + 1);
        put_text(stream, 0x30060026, "LO", structures[i].name);
        close_item(stream);
    }
    close_sequence(stream);
    open_sequence(stream, 0x30060039);
    for (int i = 0; i < count; i++)
        put_contours(stream, &structures[i], i + 1);
    close_sequence(stream);
    if (fclose(stream) != 0) exit(1);
}
