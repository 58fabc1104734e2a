/* The tile instructions that micro_amx.c uses, in C, as Intel's manual defines them (rows of at
 * most 64 bytes; TDPBF16PS adds pairs of BF16 products to FP32 sums). For tests only: it lets every
 * AMX code path run under a sanitizer and on processors without AMX. */
#ifndef SEGMODEL_CPU_KERNELS_AMX_EMULATION_H
#define SEGMODEL_CPU_KERNELS_AMX_EMULATION_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct {
    int configured;
    uint8_t rows[8];
    uint16_t row_bytes[8];
    unsigned char data[8][16][64];
} sgm_tiles;

static inline void sgm_tiles_need_config(void)
{
    if (!sgm_tiles.configured) abort(); /* the processor would raise an exception */
}

static inline void _tile_loadconfig(const void *config)
{
    const uint8_t *c = config;
    if (c[0] != 1) abort();
    memcpy(sgm_tiles.row_bytes, c + 16, sizeof sgm_tiles.row_bytes);
    memcpy(sgm_tiles.rows, c + 48, sizeof sgm_tiles.rows);
    sgm_tiles.configured = 1;
}

static inline void _tile_release(void)
{
    sgm_tiles.configured = 0;
}

static inline void _tile_zero(int t)
{
    sgm_tiles_need_config();
    memset(sgm_tiles.data[t], 0, sizeof sgm_tiles.data[t]);
}

static inline void _tile_loadd(int t, const void *base, size_t stride)
{
    _tile_zero(t);
    for (int i = 0; i < sgm_tiles.rows[t]; i++)
        memcpy(sgm_tiles.data[t][i], (const char *)base + (size_t)i * stride,
               sgm_tiles.row_bytes[t]);
}

static inline void _tile_stored(int t, void *base, size_t stride)
{
    sgm_tiles_need_config();
    for (int i = 0; i < sgm_tiles.rows[t]; i++)
        memcpy((char *)base + (size_t)i * stride, sgm_tiles.data[t][i], sgm_tiles.row_bytes[t]);
}

static inline float sgm_tile_bf16(const unsigned char *p)
{
    uint16_t half;
    memcpy(&half, p, 2);
    uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static inline void _tile_dpbf16ps(int c, int a, int b)
{
    sgm_tiles_need_config();
    for (int m = 0; m < sgm_tiles.rows[c]; m++)
        for (int k = 0; k < sgm_tiles.row_bytes[a] / 4; k++)
            for (int n = 0; n < sgm_tiles.row_bytes[c] / 4; n++) {
                const unsigned char *x = sgm_tiles.data[a][m] + 4 * k;
                const unsigned char *y = sgm_tiles.data[b][k] + 4 * n;
                float sum;
                memcpy(&sum, sgm_tiles.data[c][m] + 4 * n, 4);
                sum += sgm_tile_bf16(x) * sgm_tile_bf16(y);
                sum += sgm_tile_bf16(x + 2) * sgm_tile_bf16(y + 2);
                memcpy(sgm_tiles.data[c][m] + 4 * n, &sum, 4);
            }
}

#endif
