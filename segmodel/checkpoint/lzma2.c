#include "checkpoint/lzma2.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATES = 12,      /* what the last symbols were; from 7 on the last one was no literal */
    PLACES = 16,      /* position modulo at most 16 */
    LITERALS = 0x300, /* bits of one literal: plain, and beside a match's byte */
    CONTEXTS = 16,    /* literal contexts: lc + lp is at most 4 in LZMA2 */
    HALF = 1024       /* a bit of probability 1/2 */
};

typedef uint16_t bit_model;

typedef struct length_models {
    bit_model above_low, above_middle, low[PLACES][8], middle[PLACES][8], high[256];
} length_models;

/* Bit models only, so that all can be reset as one array. */
typedef struct lzma_models {
    bit_model match[STATES][PLACES], repeat[STATES], not_first[STATES], not_second[STATES],
        not_third[STATES], long_first[STATES][PLACES];
    bit_model slot[4][64], distance[128], align[16];
    bit_model literal[CONTEXTS][LITERALS];
    length_models length, repeat_length;
} lzma_models;

typedef struct lzma2 {
    const char *label;
    const uint8_t *in, *end; /* of the chunk */
    uint32_t range, code;
    bool short_of; /* input ended too early */
    int lc, lp, pb;
    unsigned state;
    uint32_t distance[4]; /* of the last matches, less 1 */
    size_t start;         /* of the dictionary in the output */
    sgm_lzma2_output *out;
    lzma_models m;
} lzma2;

static sgm_status damaged(const lzma2 *d, const char *what)
{
    return sgm_fail(SGM_UNREADABLE, "%s: damaged LZMA2 data: %s", d->label, what);
}

/* --------------------------------------------------------------------------------- range coder */

static void normalise(lzma2 *d)
{
    if (d->range >= 1u << 24) return;
    d->range <<= 8;
    d->code <<= 8;
    if (d->in < d->end)
        d->code |= *d->in++;
    else
        d->short_of = true;
}

static unsigned get_bit(lzma2 *d, bit_model *model)
{
    normalise(d);
    uint32_t bound = (d->range >> 11) * *model;
    if (d->code < bound) {
        d->range = bound;
        *model = (bit_model)(*model + ((2048 - *model) >> 5));
        return 0;
    }
    d->range -= bound;
    d->code -= bound;
    *model = (bit_model)(*model - (*model >> 5));
    return 1;
}

static uint32_t get_plain_bits(lzma2 *d, int count)
{
    uint32_t value = 0;
    while (count-- > 0) {
        normalise(d);
        d->range >>= 1;
        unsigned bit = d->code >= d->range;
        if (bit) d->code -= d->range;
        value = value << 1 | bit;
    }
    return value;
}

/* `count` bits, the highest first; models[1 .. 2^count). */
static unsigned get_tree(lzma2 *d, bit_model *models, int count)
{
    unsigned at = 1;
    for (int i = 0; i < count; i++)
        at = at << 1 | get_bit(d, &models[at]);
    return at - (1u << count);
}

/* The lowest first. */
static unsigned get_reverse_tree(lzma2 *d, bit_model *models, int count)
{
    unsigned at = 1, value = 0;
    for (int i = 0; i < count; i++) {
        unsigned bit = get_bit(d, &models[at]);
        at = at << 1 | bit;
        value |= bit << i;
    }
    return value;
}

/* ------------------------------------------------------------------------------------- symbols */

static size_t position(const lzma2 *d)
{
    return d->out->size - d->start;
}

static uint8_t byte_before(const lzma2 *d, uint32_t distance)
{
    return d->out->bytes[d->out->size - 1 - distance];
}

static void get_literal(lzma2 *d)
{
    size_t at = position(d);
    unsigned before = at ? byte_before(d, 0) : 0, symbol = 1;
    unsigned context = (unsigned)(at & ((1u << d->lp) - 1)) << d->lc | before >> (8 - d->lc);
    bit_model *models = d->m.literal[context];
    if (d->state >= 7) { /* the byte that a match would have gone on with is a hint */
        unsigned hint = byte_before(d, d->distance[0]), same = 0x100;
        while (symbol < 0x100) {
            hint <<= 1;
            unsigned expected = hint & same;
            unsigned bit = get_bit(d, &models[same + expected + symbol]);
            symbol = symbol << 1 | bit;
            same = bit ? expected : same & ~expected;
        }
    } else {
        while (symbol < 0x100)
            symbol = symbol << 1 | get_bit(d, &models[symbol]);
    }
    d->out->bytes[d->out->size++] = (uint8_t)symbol;
    d->state = d->state < 4 ? 0 : d->state < 10 ? d->state - 3 : d->state - 6;
}

static unsigned get_length(lzma2 *d, length_models *m, unsigned place)
{
    if (!get_bit(d, &m->above_low)) return 2 + get_tree(d, m->low[place], 3);
    if (!get_bit(d, &m->above_middle)) return 10 + get_tree(d, m->middle[place], 3);
    return 18 + get_tree(d, m->high, 8);
}

static uint32_t get_distance(lzma2 *d, unsigned length)
{
    unsigned slot = get_tree(d, d->m.slot[length < 6 ? length - 2 : 3], 6);
    if (slot < 4) return slot;
    int bits = (int)(slot >> 1) - 1;
    uint32_t base = (2u | (slot & 1)) << bits;
    if (slot < 14) return base + get_reverse_tree(d, &d->m.distance[base - slot], bits);
    base += get_plain_bits(d, bits - 4) << 4;
    return base + get_reverse_tree(d, d->m.align, 4);
}

/* Moves distance number `index` to the front. */
static void bring_forward(lzma2 *d, int index)
{
    uint32_t distance = d->distance[index];
    for (int i = index; i > 0; i--)
        d->distance[i] = d->distance[i - 1];
    d->distance[0] = distance;
}

/* Length of a match; its distance is distance[0] then. */
static unsigned get_match(lzma2 *d, unsigned place)
{
    if (!get_bit(d, &d->m.repeat[d->state])) {
        unsigned length = get_length(d, &d->m.length, place);
        d->state = d->state < 7 ? 7 : 10;
        uint32_t distance = get_distance(d, length);
        bring_forward(d, 3);
        d->distance[0] = distance;
        return length;
    }
    if (!get_bit(d, &d->m.not_first[d->state])) {
        if (!get_bit(d, &d->m.long_first[d->state][place])) {
            d->state = d->state < 7 ? 9 : 11;
            return 1;
        }
    } else if (!get_bit(d, &d->m.not_second[d->state])) {
        bring_forward(d, 1);
    } else {
        bring_forward(d, get_bit(d, &d->m.not_third[d->state]) ? 3 : 2);
    }
    d->state = d->state < 7 ? 8 : 11;
    return get_length(d, &d->m.repeat_length, place);
}

/* -------------------------------------------------------------------------------------- chunks */

static void reset_state(lzma2 *d)
{
    bit_model *models = (bit_model *)&d->m;
    for (size_t i = 0; i < sizeof d->m / sizeof *models; i++)
        models[i] = HALF;
    d->state = 0;
    memset(d->distance, 0, sizeof d->distance);
}

static bool set_properties(lzma2 *d, unsigned byte)
{
    if (byte >= 9 * 5 * 5) return false;
    d->lc = (int)(byte % 9);
    d->lp = (int)(byte / 9 % 5);
    d->pb = (int)(byte / 45);
    return d->lc + d->lp <= 4;
}

static sgm_status make_room(lzma2 *d, size_t more)
{
    sgm_lzma2_output *out = d->out;
    if (more > out->limit - out->size)
        return sgm_fail(SGM_UNREADABLE, "%s: unpacks to more than %zu MiB", d->label,
                        out->limit >> 20);
    if (out->size + more <= out->room) return SGM_OK;
    size_t room = out->size + more > 2 * out->room ? out->size + more : 2 * out->room;
    uint8_t *bytes = realloc(out->bytes, room);
    if (!bytes) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to unpack %s", d->label);
    out->bytes = bytes;
    out->room = room;
    return SGM_OK;
}

/* `count` bytes of output from the chunk's bytes. */
static sgm_status decode_chunk(lzma2 *d, size_t count)
{
    if (d->end - d->in < 5 || d->in[0] != 0) return damaged(d, "a chunk's beginning");
    d->range = 0xFFFFFFFFu;
    d->code =
        (uint32_t)d->in[1] << 24 | (uint32_t)d->in[2] << 16 | (uint32_t)d->in[3] << 8 | d->in[4];
    d->in += 5;
    size_t goal = d->out->size + count;
    while (d->out->size < goal) {
        unsigned place = (unsigned)(position(d) & ((1u << d->pb) - 1));
        if (!get_bit(d, &d->m.match[d->state][place])) {
            if (d->state >= 7 && d->distance[0] >= position(d)) return damaged(d, "a distance");
            get_literal(d);
            continue;
        }
        size_t length = get_match(d, place);
        if (d->distance[0] >= position(d)) return damaged(d, "a distance");
        if (length > goal - d->out->size) return damaged(d, "a length");
        while (length-- > 0) {
            d->out->bytes[d->out->size] = byte_before(d, d->distance[0]);
            d->out->size++;
        }
    }
    normalise(d);
    if (d->short_of || d->in != d->end || d->code != 0) return damaged(d, "a chunk's end");
    return SGM_OK;
}

static unsigned pair_at(const uint8_t *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

static sgm_status plain_chunk(lzma2 *d, const uint8_t *bytes, size_t size, size_t *at)
{
    if (size - *at < 2) return damaged(d, "cut off");
    size_t count = pair_at(bytes + *at) + 1u;
    *at += 2;
    if (size - *at < count) return damaged(d, "cut off");
    SGM_TRY(make_room(d, count));
    memcpy(d->out->bytes + d->out->size, bytes + *at, count);
    d->out->size += count;
    *at += count;
    return SGM_OK;
}

static sgm_status packed_chunk(lzma2 *d, unsigned control, const uint8_t *bytes, size_t size,
                               size_t *at)
{
    size_t properties = control >= 0xC0; /* the next byte, after the sizes */
    if (size - *at < 4 + properties) return damaged(d, "cut off");
    size_t count = ((size_t)(control & 0x1F) << 16) + pair_at(bytes + *at) + 1;
    size_t packed = pair_at(bytes + *at + 2) + 1u;
    *at += 4;
    if (properties && !set_properties(d, bytes[(*at)++])) return damaged(d, "the properties");
    if (size - *at < packed) return damaged(d, "cut off");
    if (control >= 0xA0) reset_state(d);
    SGM_TRY(make_room(d, count));
    d->in = bytes + *at;
    d->end = d->in + packed;
    *at += packed;
    return decode_chunk(d, count);
}

/* What must have been reset before: 2 dictionary, state and properties; 1 the latter; 0 nothing. */
static sgm_status decode(lzma2 *d, const uint8_t *bytes, size_t size, size_t *at)
{
    for (int missing = 2;;) {
        if (*at >= size) return damaged(d, "cut off");
        unsigned control = bytes[(*at)++];
        if (control == 0) return SGM_OK;
        if (control == 1 || control >= 0xE0) {
            d->start = d->out->size;
            missing = missing == 2 ? 1 : missing;
        }
        if (missing == 2) return damaged(d, "the first chunk");
        if (control < 0x80) {
            if (control > 2) return damaged(d, "a chunk of an unknown kind");
            SGM_TRY(plain_chunk(d, bytes, size, at));
            continue;
        }
        if (control >= 0xC0) missing = 0;
        if (missing) return damaged(d, "a chunk without properties");
        SGM_TRY(packed_chunk(d, control, bytes, size, at));
    }
}

sgm_status sgm_lzma2_decode(const uint8_t *bytes, size_t size, size_t *at, const char *label,
                            sgm_lzma2_output *out)
{
    lzma2 *d = calloc(1, sizeof *d);
    if (!d) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to unpack %s", label);
    d->label = label;
    d->out = out;
    d->start = out->size;
    sgm_status status = decode(d, bytes, size, at);
    free(d);
    return status;
}
