#include "train/sampler.h"

#include <stdlib.h>
#include <string.h>

#include "train/augment.h"
#include "train/crop.h"
#include "train/synth.h"

/* The objects of one item, a range of the list. */
typedef struct item_range {
    int item, set;
    size_t first, count;
    double weight; /* sum over its objects */
} item_range;

struct sgm_sampler {
    const sgm_pack *pack;
    sgm_sampler_options options;
    sgm_target_list objects;
    item_range *items;
    size_t item_count;
    double *set_weight; /* 0 where the set has nothing to draw */
    int *set_items;     /* items per set */
};

enum { MIN_AREA = 32, MIN_CROP_AREA = 24, MIN_FRAME = 32 };

static double object_weight(const sgm_target *object)
{
    double extra = object->kind == SGM_TARGET_COMPONENT ? 1 : 0.4;
    return extra * sqrt((double)object->area);
}

static bool item_is_wanted(const sgm_sampler *sampler, const sgm_pack_item *item)
{
    const sgm_pack_set *set = sgm_pack_set_at(sampler->pack, item->set);
    if (sampler->options.held_out) return set->held_out;
    return !set->held_out && item->split == sampler->options.split;
}

static sgm_status add_item(sgm_sampler *sampler, int index)
{
    const sgm_pack_item *item = sgm_pack_item_at(sampler->pack, index);
    size_t first = sampler->objects.count;
    if (!item_is_wanted(sampler, item)) return SGM_OK;
    SGM_TRY(sgm_targets_find(sampler->pack, index, MIN_AREA, &sampler->objects));
    if (sampler->objects.count == first) return SGM_OK;
    item_range *range = &sampler->items[sampler->item_count++];
    *range = (item_range){index, item->set, first, sampler->objects.count - first, 0};
    for (size_t i = first; i < sampler->objects.count; i++)
        range->weight += object_weight(&sampler->objects.objects[i]);
    sampler->set_items[item->set]++;
    sampler->set_weight[item->set] = sgm_pack_set_at(sampler->pack, item->set)->thin ? 1 / 3.0 : 1;
    return SGM_OK;
}

static sgm_status find_items(sgm_sampler *sampler)
{
    if (!sampler->pack) return SGM_OK;
    int items = sgm_pack_item_count(sampler->pack), sets = sgm_pack_set_count(sampler->pack);
    sampler->items = calloc((size_t)items, sizeof *sampler->items);
    sampler->set_weight = calloc((size_t)sets, sizeof *sampler->set_weight);
    sampler->set_items = calloc((size_t)sets, sizeof *sampler->set_items);
    if (!sampler->items || !sampler->set_weight || !sampler->set_items)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the sampler");
    int limit = sampler->options.limit;
    for (int i = 0; i < items; i++)
        if (!limit || sampler->item_count < (size_t)limit) SGM_TRY(add_item(sampler, i));
    return SGM_OK;
}

sgm_status sgm_sampler_create(const sgm_pack *pack, const sgm_sampler_options *options,
                              sgm_sampler **out)
{
    *out = NULL;
    if (options->size < 16 || options->target_side < 1 || options->size % options->target_side)
        return sgm_fail(SGM_INVALID_ARGUMENT, "target side %d must divide the image side %d",
                        options->target_side, options->size);
    sgm_sampler *sampler = calloc(1, sizeof *sampler);
    if (!sampler) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the sampler");
    sampler->pack = pack;
    sampler->options = *options;
    sgm_status status = find_items(sampler);
    if (status == SGM_OK && !sampler->item_count && options->synthetic_share < 1)
        status = sgm_fail(SGM_UNREADABLE, "the pack has no object to draw for this purpose");
    if (status != SGM_OK) {
        sgm_sampler_destroy(sampler);
        return status;
    }
    *out = sampler;
    return SGM_OK;
}

void sgm_sampler_destroy(sgm_sampler *sampler)
{
    if (!sampler) return;
    sgm_target_list_clear(&sampler->objects);
    free(sampler->items);
    free(sampler->set_weight);
    free(sampler->set_items);
    free(sampler);
}

bool sgm_sampler_weight(sgm_sampler *sampler, const char *set, double factor)
{
    if (!sampler->pack) return false;
    for (int i = 0; i < sgm_pack_set_count(sampler->pack); i++)
        if (strcmp(sgm_pack_set_at(sampler->pack, i)->name, set) == 0) {
            sampler->set_weight[i] *= factor;
            return true;
        }
    return false;
}

size_t sgm_sampler_object_count(const sgm_sampler *sampler)
{
    return sampler->objects.count;
}

sgm_status sgm_batch_create(const sgm_sampler_options *options, int count, sgm_batch *batch)
{
    size_t n = (size_t)count, pixels = (size_t)options->size * (size_t)options->size;
    size_t cells = (size_t)options->target_side * (size_t)options->target_side;
    memset(batch, 0, sizeof *batch);
    size_t floats = n * (3 * pixels + 5 * cells + 2 * 2 * 2 + 2 * 4 * 2);
    batch->memory = calloc(floats * sizeof(float) + n * 13 * sizeof(int32_t), 1);
    if (!batch->memory) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a batch of %d", count);
    float *at = batch->memory;
    batch->count = count;
    batch->image = at;
    batch->target = at += n * 3 * pixels;
    batch->masks[0] = at += n * cells;
    batch->masks[1] = at += 2 * n * cells;
    batch->coords[0] = at += 2 * n * cells;
    batch->coords[1] = at += 2 * n * 4;
    batch->labels[0] = (int32_t *)(at + 2 * n * 8);
    batch->labels[1] = batch->labels[0] + 2 * n * 2;
    batch->item = batch->labels[1] + 2 * n * 4;
    return SGM_OK;
}

void sgm_batch_clear(sgm_batch *batch)
{
    free(batch->memory);
    memset(batch, 0, sizeof *batch);
}

/* Floats: image scratch 3, synthetic 4, masks of the rounds 4; bytes: mask and 3 more. */
sgm_status sgm_sampler_scratch_create(const sgm_sampler_options *options,
                                      sgm_sampler_scratch *scratch)
{
    size_t pixels = (size_t)options->size * (size_t)options->size;
    scratch->floats = malloc(11 * pixels * sizeof(float));
    scratch->bytes = malloc(4 * pixels);
    scratch->ints = malloc(pixels * sizeof(int32_t));
    if (scratch->floats && scratch->bytes && scratch->ints) return SGM_OK;
    sgm_sampler_scratch_clear(scratch);
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to prepare samples");
}

void sgm_sampler_scratch_clear(sgm_sampler_scratch *scratch)
{
    free(scratch->floats);
    free(scratch->bytes);
    free(scratch->ints);
    memset(scratch, 0, sizeof *scratch);
}

static const item_range *draw_item(const sgm_sampler *sampler, sgm_rng *rng)
{
    int sets = sgm_pack_set_count(sampler->pack), set = -1;
    double total = 0;
    for (int i = 0; i < sets; i++)
        total += sampler->set_weight[i];
    double at = sgm_rng_unit(rng) * total;
    for (int i = 0; i < sets; i++)
        if (sampler->set_weight[i] > 0) {
            set = i;
            if ((at -= sampler->set_weight[i]) < 0) break;
        }
    int64_t wanted = sgm_rng_below(rng, sampler->set_items[set]);
    for (size_t i = 0;; i++)
        if (sampler->items[i].set == set && wanted-- == 0) return &sampler->items[i];
}

static const sgm_target *draw_object(const sgm_sampler *sampler, const item_range *range,
                                     sgm_rng *rng)
{
    const sgm_target *object = &sampler->objects.objects[range->first];
    double at = sgm_rng_unit(rng) * range->weight;
    for (size_t i = 0; i + 1 < range->count; i++, object++)
        if ((at -= object_weight(object)) < 0) break;
    return object;
}

/* Moves the window into the item as far as it fits, as the predictor does. */
static void shift_inside(double *centre, double side, double extent)
{
    double half = side / 2 - 0.5;
    if (side >= extent)
        *centre = (extent - 1) / 2;
    else
        *centre = fmin(fmax(*centre, half), extent - 1 - half);
}

/* Tight: as for a box, the object nearly fills the window. Wide: as for a lone click, the window is
 * somewhere around a place of the object and may be many times as large. */
static sgm_crop draw_crop(const sgm_sampler *sampler, const sgm_pack_item *item,
                          const sgm_target *o, bool plain, sgm_rng *rng)
{
    double w = o->x1 - o->x0 + 1, h = o->y1 - o->y0 + 1, longest = fmax(w, h);
    bool tight = plain || sgm_rng_chance(rng, sampler->options.tight_share);
    double scale =
        tight ? sgm_rng_range(rng, 1.15, 2.1) : exp(sgm_rng_range(rng, log(1.4), log(9)));
    double side = fmax(longest * scale, MIN_FRAME);
    side = fmin(side, fmax(1.15 * longest, 1.1 * fmax(item->width, item->height)));
    sgm_crop crop = {
        .cx = (o->x0 + o->x1) / 2.0, .cy = (o->y0 + o->y1) / 2.0, .side = side, .stretch = 1};
    double room = tight ? 0.35 * (side - longest) : 0.3 * side;
    crop.cx += sgm_rng_range(rng, -room, room);
    crop.cy += sgm_rng_range(rng, -room, room);
    shift_inside(&crop.cx, side, item->width);
    shift_inside(&crop.cy, side, item->height);
    if (plain) return crop;
    crop.flip_x = sgm_rng_chance(rng, 0.5);
    crop.flip_y = sgm_rng_chance(rng, 0.25);
    crop.angle = sgm_rng_chance(rng, 0.3) ? sgm_rng_range(rng, -0.5, 0.5) : 0;
    if (sgm_rng_chance(rng, 0.25)) crop.angle += 1.5707963 * (1 + (double)sgm_rng_below(rng, 3));
    if (sgm_rng_chance(rng, 0.3)) crop.stretch = exp(sgm_rng_range(rng, -0.15, 0.15));
    return crop;
}

typedef struct sample_work {
    const sgm_sampler *sampler;
    const sgm_sampler_scratch *scratch;
    sgm_batch *batch;
    int slot;
    uint64_t index;
    sgm_rng rng;
    float *image;
    uint8_t *mask;
} sample_work;

static sgm_status draw_from_pack(sample_work *work, bool *usable)
{
    const sgm_sampler *sampler = work->sampler;
    int size = sampler->options.size;
    const item_range *range = draw_item(sampler, &work->rng);
    const sgm_target *object = draw_object(sampler, range, &work->rng);
    const sgm_pack_item *item = sgm_pack_item_at(sampler->pack, range->item);
    uint8_t *object_mask = sgm_target_mask(sampler->pack, object);
    if (!object_mask) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an object's mask");
    *usable = false;
    for (int attempt = 0; attempt < 3 && !*usable; attempt++) {
        bool plain = attempt == 2 || sampler->options.augmentation <= 0;
        sgm_crop crop = draw_crop(sampler, item, object, plain, &work->rng);
        sgm_crop_mask(&crop, object, object_mask, size, work->mask);
        *usable = sgm_mask_bounds(work->mask, size, size).area >= MIN_CROP_AREA;
        if (*usable) sgm_crop_image(&crop, item, size, 0, work->image);
    }
    free(object_mask);
    work->batch->item[work->slot] = range->item;
    return SGM_OK;
}

static sgm_status draw_pixels(sample_work *work)
{
    const sgm_sampler_options *options = &work->sampler->options;
    bool usable = false;
    if (!sgm_rng_chance(&work->rng, options->synthetic_share))
        for (int attempt = 0; attempt < 4 && !usable; attempt++)
            SGM_TRY(draw_from_pack(work, &usable));
    size_t pixels = (size_t)options->size * (size_t)options->size;
    if (!usable) {
        sgm_synth(options->seed, work->index, options->size, work->image, work->mask,
                  work->scratch->floats + 3 * pixels);
        work->batch->item[work->slot] = -1;
    }
    sgm_augment(work->image, options->size, options->augmentation, &work->rng,
                work->scratch->floats);
    sgm_normalise(work->image, options->size, options->protocol);
    return SGM_OK;
}

/* Mean over blocks of size / side pixels. */
static void shrink_mask(const uint8_t *mask, int size, int side, float *out)
{
    int k = size / side;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            int sum = 0;
            for (int v = 0; v < k; v++)
                for (int u = 0; u < k; u++)
                    sum += mask[(y * k + v) * size + x * k + u];
            out[y * side + x] = (float)sum / (float)(k * k);
        }
}

static void shrink_logits(const float *logits, int size, int side, float *out)
{
    int k = size / side;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            float sum = 0;
            for (int v = 0; v < k; v++)
                for (int u = 0; u < k; u++)
                    sum += logits[(y * k + v) * size + x * k + u];
            out[y * side + x] = sum / (float)(k * k);
        }
}

static void write_rounds(const sample_work *work, const sgm_round rounds[SGM_ROUNDS],
                         float *const masks[SGM_ROUNDS])
{
    const sgm_sampler_options *options = &work->sampler->options;
    size_t cells = (size_t)options->target_side * (size_t)options->target_side;
    for (int r = 0; r < SGM_ROUNDS; r++) {
        int pair = r / 2, tokens = rounds[r].tokens;
        size_t row = (size_t)(r % 2 * work->batch->count + work->slot);
        memcpy(work->batch->coords[pair] + row * (size_t)tokens * 2, rounds[r].coords,
               (size_t)tokens * 2 * sizeof(float));
        memcpy(work->batch->labels[pair] + row * (size_t)tokens, rounds[r].labels,
               (size_t)tokens * sizeof(int32_t));
        shrink_logits(masks[r], options->size, options->target_side,
                      work->batch->masks[pair] + row * cells);
    }
}

sgm_status sgm_sampler_draw(const sgm_sampler *sampler, uint64_t index, int slot,
                            const sgm_sampler_scratch *scratch, sgm_batch *batch)
{
    const sgm_sampler_options *options = &sampler->options;
    size_t pixels = (size_t)options->size * (size_t)options->size;
    size_t cells = (size_t)options->target_side * (size_t)options->target_side;
    sample_work work = {.sampler = sampler,
                        .scratch = scratch,
                        .batch = batch,
                        .slot = slot,
                        .index = index,
                        .rng = sgm_rng_at(options->seed, index),
                        .image = batch->image + (size_t)slot * 3 * pixels,
                        .mask = scratch->bytes};
    SGM_TRY(draw_pixels(&work));
    shrink_mask(work.mask, options->size, options->target_side,
                batch->target + (size_t)slot * cells);
    sgm_sim_scratch sim = {.distance = scratch->ints};
    float *masks[SGM_ROUNDS];
    for (int i = 0; i < 3; i++)
        sim.mask[i] = scratch->bytes + (size_t)(i + 1) * pixels;
    for (int i = 0; i < SGM_ROUNDS; i++)
        masks[i] = scratch->floats + (size_t)(i + 7) * pixels;
    sgm_round rounds[SGM_ROUNDS];
    sgm_simulate(work.mask, options->size, &options->sim, &work.rng, &sim, rounds, masks);
    write_rounds(&work, rounds, masks);
    return SGM_OK;
}
