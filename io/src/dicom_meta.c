#include "dicom_meta.h"

#include <string.h>

enum { PREAMBLE = 132, META_GROUP = 2, TRANSFER_SYNTAX = 0x10 };

static size_t little(const unsigned char *bytes, int count)
{
    size_t value = 0;
    for (int i = count - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/* These value representations have two reserved bytes and four of length. */
static int is_long(const unsigned char *vr)
{
    static const char kinds[] = "OB OW OF OD OL OV SQ UN UC UR UT SV UV";
    for (const char *kind = kinds; kind[0]; kind += kind[2] ? 3 : 2)
        if (memcmp(kind, vr, 2) == 0) return 1;
    return 0;
}

int sgio_dicom_find_meta(const char *bytes, size_t size, sgio_dicom_meta *meta)
{
    const unsigned char *b = (const unsigned char *)bytes;
    size_t at = PREAMBLE;
    memset(meta, 0, sizeof *meta);
    if (size < PREAMBLE || memcmp(bytes + PREAMBLE - 4, "DICM", 4) != 0) return -1;
    while (size - at >= 8 && little(b + at, 2) == META_GROUP) {
        size_t element = little(b + at + 2, 2), head = is_long(b + at + 4) ? 12 : 8;
        if (size - at < head) return -1;
        size_t length = head == 12 ? little(b + at + 8, 4) : little(b + at + 6, 2);
        if (length > size - at - head) return -1;
        at += head;
        if (element == TRANSFER_SYNTAX) {
            meta->syntax = at;
            meta->syntax_bytes = length;
        }
        at += length;
    }
    meta->end = at;
    return meta->syntax ? 0 : -1;
}
