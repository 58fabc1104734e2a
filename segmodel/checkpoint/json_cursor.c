#include "checkpoint/json_cursor.h"

#include "core/status.h"

#include <string.h>

static sgm_status fail(const sgm_json_cursor *c, const char *what)
{
    return sgm_fail(SGM_BAD_MODEL, "JSON header, byte %zu: %s", (size_t)(c->at - c->begin), what);
}

static void skip_space(sgm_json_cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

bool sgm_json_take(sgm_json_cursor *c, char byte)
{
    skip_space(c);
    if (c->at == c->end || *c->at != (unsigned char)byte) return false;
    c->at++;
    return true;
}

sgm_status sgm_json_expect(sgm_json_cursor *c, char byte)
{
    if (sgm_json_take(c, byte)) return SGM_OK;
    char what[] = "wanted ' '";
    what[8] = byte;
    return fail(c, what);
}

sgm_status sgm_json_end(sgm_json_cursor *c)
{
    skip_space(c);
    return c->at == c->end ? SGM_OK : fail(c, "text after the closing brace");
}

sgm_status sgm_json_integer(sgm_json_cursor *c, int64_t *out)
{
    skip_space(c);
    const unsigned char *start = c->at;
    int64_t value = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *c->at - '0', &value))
            return fail(c, "the number does not fit 64 bits");
    if (c->at == start) return fail(c, "wanted a non-negative integer");
    if (*start == '0' && c->at - start > 1) return fail(c, "a number with a leading zero");
    *out = value;
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------ strings */

static bool hex4(sgm_json_cursor *c, uint32_t *out)
{
    if (c->end - c->at < 4) return false;
    *out = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char h = *c->at++, low = h | 0x20;
        if (h >= '0' && h <= '9')
            *out = *out << 4 | (uint32_t)(h - '0');
        else if (low >= 'a' && low <= 'f')
            *out = *out << 4 | (uint32_t)(low - 'a' + 10);
        else
            return false;
    }
    return true;
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* After "\u"; a high surrogate must be followed by an escaped low one. */
static bool unicode_escape(sgm_json_cursor *c, uint32_t *code)
{
    if (!hex4(c, code) || *code == 0) return false;
    if (*code < 0xd800 || *code > 0xdfff) return true;
    uint32_t low;
    if (*code > 0xdbff || c->end - c->at < 6 || c->at[0] != '\\' || c->at[1] != 'u') return false;
    c->at += 2;
    if (!hex4(c, &low) || low < 0xdc00 || low > 0xdfff) return false;
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static bool escape(sgm_json_cursor *c, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (c->at == c->end) return false;
    unsigned char kind = *c->at++;
    uint32_t code;
    if (kind == 'u') {
        if (!unicode_escape(c, &code)) return false;
        *out = put_utf8(*out, code);
        return true;
    }
    const char *found = kind ? strchr(from, kind) : NULL;
    if (!found) return false;
    *(*out)++ = to[found - from];
    return true;
}

/* Copies one raw UTF-8 sequence; false if it is overlong, a surrogate, cut or out of range. */
static bool copy_utf8(sgm_json_cursor *c, char **out)
{
    static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
    unsigned char lead = *c->at;
    int more = lead < 0x80       ? 0
               : lead >> 5 == 6  ? 1
               : lead >> 4 == 14 ? 2
               : lead >> 3 == 30 ? 3
                                 : -1;
    if (more < 0 || c->end - c->at <= more) return false;
    uint32_t code = more == 0 ? lead : lead & (0x3fu >> more);
    for (int i = 1; i <= more; i++) {
        if (c->at[i] >> 6 != 2) return false;
        code = code << 6 | (c->at[i] & 0x3f);
    }
    if (code < smallest[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return false;
    memcpy(*out, c->at, (size_t)more + 1);
    *out += more + 1;
    c->at += more + 1;
    return true;
}

/* An upper bound of the decoded length: escapes only shrink. */
static size_t raw_length(const sgm_json_cursor *c)
{
    const unsigned char *s = c->at;
    for (; s < c->end && *s != '"'; s++)
        if (*s == '\\' && s + 1 < c->end) s++;
    return (size_t)(s - c->at);
}

sgm_status sgm_json_string(sgm_json_cursor *c, const char **out)
{
    SGM_TRY(sgm_json_expect(c, '"'));
    char *text = sgm_parse_arena_alloc(c->arena, raw_length(c) + 1), *to = text;
    if (!text) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for a string of the header");
    while (c->at < c->end && *c->at != '"') {
        if (*c->at < 0x20) return fail(c, "a control character in a string");
        if (*c->at == '\\') {
            c->at++;
            if (!escape(c, &to)) return fail(c, "an escape that JSON does not have");
        } else if (!copy_utf8(c, &to)) {
            return fail(c, "a string that is not UTF-8");
        }
    }
    if (c->at == c->end) return fail(c, "a string without its closing quote");
    c->at++;
    *to = 0;
    *out = text;
    return SGM_OK;
}
