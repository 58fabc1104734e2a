#include "strip.h"

#include "rivals.h"

#include "sgio/picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TILES = 7, TILE = 150, GAP = 2 };

void strip_path(const char *folder, const row *r, char *path, size_t room)
{
    char protocol[NAME_ROOM];
    snprintf(protocol, sizeof protocol, "%s", r->protocol);
    for (char *p = protocol; *p; p++)
        if (*p == ' ' || *p == ':') *p = '_';
    snprintf(path, room, "%s/%s_%s_%d_%s.png", folder, r->dataset, r->id, r->object, protocol);
}

/* Square window (in mm) of the slices around truth and mask. */
typedef struct window {
    double u, v, side;
    int64_t first, last;
} window;

static window window_of(const volume_case *c, const truth *object, const uint8_t *mask)
{
    const grid *g = &c->grid;
    span box = object->box;
    int64_t at[3];
    for (size_t i = 0; i < grid_count(g); i++) {
        if (!mask[i]) continue;
        grid_index(g, i, at);
        for (int a = 0; a < 3; a++) {
            if (at[a] < box.first[a]) box.first[a] = at[a];
            if (at[a] > box.last[a]) box.last[a] = at[a];
        }
    }
    double wide = (double)(box.last[g->u] - box.first[g->u] + 1) * g->spacing[g->u];
    double high = (double)(box.last[g->v] - box.first[g->v] + 1) * g->spacing[g->v];
    return (window){.u = (double)(box.first[g->u] + box.last[g->u]) / 2 * g->spacing[g->u],
                    .v = (double)(box.first[g->v] + box.last[g->v]) / 2 * g->spacing[g->v],
                    .side = 1.3 * fmax(wide, high),
                    .first = box.first[g->axis],
                    .last = box.last[g->axis]};
}

/* Voxel under a pixel of a tile; 0 when there is none. */
static int voxel_at(const grid *g, const window *w, int64_t slice, int x, int y, size_t *at)
{
    int64_t index[3];
    index[g->axis] = slice;
    index[g->u] = llrint((w->u + ((x + 0.5) / TILE - 0.5) * w->side) / g->spacing[g->u]);
    index[g->v] = llrint((w->v + ((y + 0.5) / TILE - 0.5) * w->side) / g->spacing[g->v]);
    for (int a = 0; a < 3; a++)
        if (index[a] < 0 || index[a] >= g->size[a]) return 0;
    *at = grid_at(g, index);
    return 1;
}

static int inside(const grid *g, const window *w, int64_t slice, int x, int y, const uint8_t *mask)
{
    size_t at;
    return voxel_at(g, w, slice, x, y, &at) && mask[at];
}

static int on_outline(const grid *g, const window *w, int64_t slice, int x, int y,
                      const uint8_t *mask)
{
    return inside(g, w, slice, x, y, mask) &&
           !(inside(g, w, slice, x - 1, y, mask) && inside(g, w, slice, x + 1, y, mask) &&
             inside(g, w, slice, x, y - 1, mask) && inside(g, w, slice, x, y + 1, mask));
}

static void draw_tile(const volume_case *c, const truth *object, const uint8_t *mask,
                      const uint8_t *grey, const window *w, int number, uint8_t *rgb)
{
    const grid *g = &c->grid;
    int width = TILES * (TILE + GAP);
    double share = (double)number / (TILES - 1);
    int64_t slice = w->first + llrint(share * (double)(w->last - w->first));
    for (int y = 0; y < TILE; y++)
        for (int x = 0; x < TILE; x++) {
            size_t at;
            uint8_t *pixel =
                rgb + 3 * ((size_t)y * (size_t)width + (size_t)(number * (TILE + GAP) + x));
            uint8_t shade = voxel_at(g, w, slice, x, y, &at) ? grey[at] : 0;
            int truly = on_outline(g, w, slice, x, y, object->mask);
            int found = on_outline(g, w, slice, x, y, mask);
            memset(pixel, shade, 3);
            if (truly || found) {
                pixel[0] = found ? 255 : 0;
                pixel[1] = truly ? 255 : 0;
                pixel[2] = 0;
            }
        }
}

void strip_write(const char *folder, const volume_case *c, const truth *object, const row *r,
                 const uint8_t *mask)
{
    char path[2 * PATH_ROOM];
    int width = TILES * (TILE + GAP), height = TILE + GAP;
    uint8_t *rgb = must_alloc((size_t)width * (size_t)height, 3), *grey = rival_grey(c);
    window w = window_of(c, object, mask);
    for (int i = 0; i < TILES; i++)
        draw_tile(c, object, mask, grey, &w, i, rgb);
    strip_path(folder, r, path, sizeof path);
    sgio_png_write_rgb(NULL, path, rgb, width, height);
    free(rgb);
    free(grey);
}

int strip_page(const char *folder, const row *const *worst, size_t count, const char *path)
{
    int width = TILES * (TILE + GAP), height = TILE + GAP;
    size_t bytes = (size_t)width * (size_t)height * 3;
    uint8_t *page = must_alloc(count, bytes);
    size_t read = 0;
    for (size_t i = 0; i < count; i++) {
        char name[2 * PATH_ROOM];
        sgio_volume picture;
        strip_path(folder, worst[i], name, sizeof name);
        if (sgio_volume_read(name, NULL, &picture) != SGIO_OK) continue;
        if (picture.geometry.size[0] == width && picture.geometry.size[1] == height &&
            picture.channels == 3 && picture.type == SGIO_U8) {
            memcpy(page + i * bytes, picture.data, bytes);
            read++;
        }
        sgio_volume_clear(&picture);
    }
    if (read == 0) {
        fprintf(stderr,
                "quality_volumes: %s has none of the %zu worst strips; 'run' writes them there\n",
                folder, count);
        free(page);
        return -1;
    }
    int failed = sgio_png_write_rgb(NULL, path, page, width, height * (int)count) != SGIO_OK;
    if (failed) fprintf(stderr, "quality_volumes: %s\n", sgio_last_message());
    free(page);
    return failed ? -1 : 0;
}
