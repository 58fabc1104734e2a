/* Characters that the font lacks, in letters that it has. */
#include "picture_canvas.h"

#include <string.h>

/* U+00C0 to U+017F, Latin-1 and Latin Extended-A. */
enum { FIRST = 0xC0, LAST = 0x17F };
static const char letters[LAST - FIRST + 1][3] = {
    "A", "A", "A",  "A",  "AE", "AA", "AE", "C", "E",  "E",  "E",  "E",  "I",  "I", "I",  "I",
    "D", "N", "O",  "O",  "O",  "O",  "OE", "X", "OE", "U",  "U",  "U",  "UE", "Y", "TH", "SS",
    "A", "A", "A",  "A",  "AE", "AA", "AE", "C", "E",  "E",  "E",  "E",  "I",  "I", "I",  "I",
    "D", "N", "O",  "O",  "O",  "O",  "OE", "/", "OE", "U",  "U",  "U",  "UE", "Y", "TH", "Y",
    "A", "A", "A",  "A",  "A",  "A",  "C",  "C", "C",  "C",  "C",  "C",  "C",  "C", "D",  "D",
    "D", "D", "E",  "E",  "E",  "E",  "E",  "E", "E",  "E",  "E",  "E",  "G",  "G", "G",  "G",
    "G", "G", "G",  "G",  "H",  "H",  "H",  "H", "I",  "I",  "I",  "I",  "I",  "I", "I",  "I",
    "I", "I", "IJ", "IJ", "J",  "J",  "K",  "K", "K",  "L",  "L",  "L",  "L",  "L", "L",  "L",
    "L", "L", "L",  "N",  "N",  "N",  "N",  "N", "N",  "'N", "NG", "NG", "O",  "O", "O",  "O",
    "O", "O", "OE", "OE", "R",  "R",  "R",  "R", "R",  "R",  "S",  "S",  "S",  "S", "S",  "S",
    "S", "S", "T",  "T",  "T",  "T",  "T",  "T", "U",  "U",  "U",  "U",  "U",  "U", "U",  "U",
    "U", "U", "U",  "U",  "W",  "W",  "Y",  "Y", "Y",  "Z",  "Z",  "Z",  "Z",  "Z", "Z",  "S"};

/* Bytes of the character at `text`, and its number; a byte that is no UTF-8 stands for itself. */
static size_t decode(const char *text, uint32_t *number)
{
    const unsigned char *at = (const unsigned char *)text;
    const size_t length = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : at[0] >= 0xC2 ? 2 : 1;
    *number = length == 1 ? at[0] : at[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            *number = at[0];
            return 1;
        }
        *number = *number << 6 | (at[i] & 0x3F);
    }
    return length;
}

/* Accents that stand behind their letter, as macOS writes file names. */
static int is_combining(uint32_t number)
{
    return number >= 0x300 && number <= 0x36F;
}

/* Dashes, quotes and the blank that does not break are common in names. */
static const char *punctuation(uint32_t number)
{
    if (number == 0xA0) return " ";
    if (number == 0xB5) return "U"; /* micro */
    if (number >= 0x2010 && number <= 0x2015) return "-";
    if (number == 0x2018 || number == 0x2019) return "'";
    if (number == 0x1E9E) return "SS";
    return "?";
}

size_t sgio_letters(const char **text, char out[3])
{
    uint32_t number;
    const size_t length = decode(*text, &number);
    *text += length;
    if (number < 0x80) {
        out[0] = (char)number;
        return 1;
    }
    if (is_combining(number)) return 0;
    const int known = length > 1 && number >= FIRST && number <= LAST;
    const char *found = known ? letters[number - FIRST] : punctuation(length > 1 ? number : 0);
    memcpy(out, found, strlen(found));
    return strlen(found);
}
