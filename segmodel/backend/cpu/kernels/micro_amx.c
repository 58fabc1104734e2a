/* BF16 products with AMX tiles: 2 x 2 tiles of 16 x 16 sums, two tiles each of A and B, so that
 * four products share four tile loads.
 *
 * With SGM_AMX_EMULATED the tile instructions are plain C, so that this file's addressing can be
 * tested on any processor: tests/segmodel/kernels builds the tests a second time that way. */
#include "backend/cpu/kernels/isa.h"

#if defined(SGM_AMX_EMULATED)
#include "backend/cpu/kernels/amx_emulation.h"
#elif defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(SGM_AMX_EMULATED) || defined(__x86_64__)

#define STRIP 16
#define A_ROW 64 /* bytes between rows of a packed tile, of A and of B alike */

typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* Tiles 0-3: sums; 4, 5: A; 6, 7: B. All 16 rows of 64 bytes. */
static void begin(void)
{
    tile_config config = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        config.row_bytes[i] = 64;
        config.rows[i] = 16;
    }
    _tile_loadconfig(&config);
}

static void end(void)
{
    _tile_release();
}

static void two_strips(const char *a, size_t strip_bytes, const char *b, int64_t chunks)
{
    for (int64_t i = 0; i < chunks; i++) {
        _tile_loadd(4, a, A_ROW);
        _tile_loadd(6, b, A_ROW);
        _tile_loadd(7, b + SGM_B_CHUNK / 2, A_ROW);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(5, a + strip_bytes, A_ROW);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        a += STRIP * SGM_CHUNK;
        b += SGM_B_CHUNK;
    }
}

static void one_strip(const char *a, const char *b, int64_t chunks)
{
    for (int64_t i = 0; i < chunks; i++) {
        _tile_loadd(4, a, A_ROW);
        _tile_loadd(6, b, A_ROW);
        _tile_loadd(7, b + SGM_B_CHUNK / 2, A_ROW);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        a += STRIP * SGM_CHUNK;
        b += SGM_B_CHUNK;
    }
}

/* 32 x 32 sums whose rows exist in memory. */
static void whole_tiles(const void *a, size_t strip_bytes, const void *b, int64_t chunks, float *c,
                        int64_t ld, int64_t half, bool two, bool accumulate)
{
    size_t row = (size_t)ld * sizeof(float);
    if (accumulate) {
        _tile_loadd(0, c, row);
        _tile_loadd(1, c + half, row);
        if (two) {
            _tile_loadd(2, c + 16 * ld, row);
            _tile_loadd(3, c + 16 * ld + half, row);
        }
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    if (two)
        two_strips(a, strip_bytes, b, chunks);
    else
        one_strip(a, b, chunks);
    _tile_stored(0, c, row);
    _tile_stored(1, c + half, row);
    if (two) {
        _tile_stored(2, c + 16 * ld, row);
        _tile_stored(3, c + 16 * ld + half, row);
    }
}

/* A tile always has 16 rows; where C has fewer, through a copy. */
static void partial_tiles(const void *a, size_t strip_bytes, const void *b, int64_t chunks,
                          float *c, int64_t ld, int64_t half, int rows, bool accumulate)
{
    _Alignas(64) float copy[SGM_MAX_STEP][SGM_PANEL];
    if (accumulate) memset(copy, 0, sizeof copy);
    for (int i = 0; accumulate && i < rows; i++) {
        memcpy(copy[i], c + i * ld, 64);
        memcpy(copy[i] + 16, c + i * ld + half, 64);
    }
    whole_tiles(a, strip_bytes, b, chunks, copy[0], SGM_PANEL, 16, rows > STRIP, accumulate);
    for (int i = 0; i < rows; i++) {
        memcpy(c + i * ld, copy[i], 64);
        memcpy(c + i * ld + half, copy[i] + 16, 64);
    }
}

static void run(const void *a, size_t strip_bytes, const void *b, int64_t chunks, float *c,
                int64_t ld, int64_t half, int rows, bool accumulate)
{
    if (rows % STRIP == 0)
        whole_tiles(a, strip_bytes, b, chunks, c, ld, half, rows > STRIP, accumulate);
    else
        partial_tiles(a, strip_bytes, b, chunks, c, ld, half, rows, accumulate);
}

const sgm_micro sgm_micro_amx = {
    .strip = STRIP, .step = 2 * STRIP, .run = run, .begin = begin, .end = end};
#else
const sgm_micro sgm_micro_amx;
#endif
