#include "cli_text.h"

#include <string.h>
#include <strings.h>

/* Length of the UTF-8 character at `text` and its code point; 0 when it is none. */
static size_t decode(const unsigned char *text, unsigned *code)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t length = text[0] < 0x80             ? 1
                          : (text[0] & 0xE0) == 0xC0 ? 2
                          : (text[0] & 0xF0) == 0xE0 ? 3
                          : (text[0] & 0xF8) == 0xF0 ? 4
                                                     : 0;
    if (length <= 1) {
        *code = text[0];
        return length;
    }
    *code = text[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80) return 0;
        *code = *code << 6 | (text[i] & 0x3F);
    }
    const int surrogate = *code >= 0xD800 && *code <= 0xDFFF;
    return *code < least[length] || *code > 0x10FFFF || surrogate ? 0 : length;
}

static int is_control(unsigned code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C ||
           (code >= 0x200E && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

static int is_space(unsigned code)
{
    return code == '\n' || code == '\r' || code == '\t';
}

/* One of the tags that Slicer looks for. */
static int begins_tag(const char *text)
{
    text += text[1] == '/' ? 2 : 1;
    return strncasecmp(text, "filter-", 7) == 0;
}

/* What one character becomes; -1: it stays. */
static int replacement(const char *at, unsigned code, int what)
{
    if (is_space(code)) return what & CLI_CLEAN_LINES ? ' ' : code == '\r' ? ' ' : -1;
    if (is_control(code)) return '?';
    if (code == '<' && (what & CLI_CLEAN_BRACKETS || begins_tag(at))) return '(';
    if (code == '>' && what & CLI_CLEAN_BRACKETS) return ')';
    return -1;
}

void cli_clean_text(char *text, int what)
{
    char *out = text;
    for (const char *at = text; *at;) {
        unsigned code;
        const size_t length = decode((const unsigned char *)at, &code);
        const int instead = length ? replacement(at, code, what) : '?';
        if (instead >= 0) {
            *out++ = (char)instead;
        } else {
            memmove(out, at, length);
            out += length;
        }
        at += length ? length : 1;
    }
    *out = '\0';
}

const char *cli_clean_copy(char *out, size_t size, const char *text, int what)
{
    size_t length = strnlen(text, size - 1);
    if (text[length]) /* back to the beginning of a character */
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
    memmove(out, text, length);
    out[length] = '\0';
    cli_clean_text(out, what);
    return out;
}
