#include "train/sampler.h"

#include <stdlib.h>
#include <string.h>

#include "train/asked_sample.h"
#include "train/augment.h"
#include "train/crop.h"
#include "train/neighbour.h"
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
    bool holds_objects; /* not only pictures without one */
};

enum { MIN_AREA = 32, MIN_CROP_AREA = 24, MIN_FRAME = 32 };

static double object_weight(const sgm_target *object)
{
    double extra = object->kind == SGM_TARGET_COMPONENT ? 1 : 0.4;
    return extra * sqrt((double)object->area);
}

static bool item_is_wanted(const sgm_sampler *sampler, int index)
{
    const sgm_pack_item *item = sgm_pack_item_at(sampler->pack, index);
    const sgm_pack_set *set = sgm_pack_set_at(sampler->pack, item->set);
    if (sampler->options.given && !sgm_given_prompt_of(sampler->options.given, index)) return false;
    if (sampler->options.held_out) return set->held_out;
    return !set->held_out && item->split == sampler->options.split;
}

static sgm_status find_objects(sgm_sampler *sampler, int index)
{
    sgm_object_kinds kinds = sampler->options.kinds;
    if (kinds == SGM_OBJECTS_ANY)
        return sgm_targets_find(sampler->pack, index, MIN_AREA, &sampler->objects);
    return sgm_targets_find_values(sampler->pack, index, 1, kinds == SGM_OBJECTS_FOREGROUND,
                                   &sampler->objects);
}

/* Label values are classes of the network where it is asked for them or answers with all. */
static sgm_status check_classes(const sgm_sampler *sampler, size_t first)
{
    const sgm_sampler_options *o = &sampler->options;
    if (!o->class_map && o->asked != SGM_ASKED_CLASS) return SGM_OK;
    for (size_t i = first; i < sampler->objects.count; i++) {
        const sgm_target *t = &sampler->objects.objects[i];
        const sgm_pack_item *item = sgm_pack_item_at(sampler->pack, t->item);
        if (t->label > o->model->classes)
            return sgm_fail(SGM_UNREADABLE, "%s/%s has a pixel of class %d; the network has %d",
                            sgm_pack_set_at(sampler->pack, item->set)->name, item->id, t->label,
                            o->model->classes);
    }
    return SGM_OK;
}

static sgm_status add_item(sgm_sampler *sampler, int index)
{
    const sgm_pack_item *item = sgm_pack_item_at(sampler->pack, index);
    size_t first = sampler->objects.count;
    if (!item_is_wanted(sampler, index)) return SGM_OK;
    SGM_TRY(find_objects(sampler, index));
    SGM_TRY(check_classes(sampler, first));
    sampler->holds_objects |= sampler->objects.count > first;
    if (sampler->objects.count == first && sampler->options.empty && !sampler->options.limit)
        SGM_TRY(sgm_targets_add_nothing(index, &sampler->objects));
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
    if (!sampler->holds_objects) sampler->item_count = 0; /* nothing that could be learnt */
    return SGM_OK;
}

sgm_status sgm_sampler_create_if_any(const sgm_pack *pack, const sgm_sampler_options *options,
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
    if (status == SGM_OK && (sampler->item_count || options->synthetic_share >= 1))
        *out = sampler;
    else
        sgm_sampler_destroy(sampler);
    return status;
}

sgm_status sgm_sampler_create(const sgm_pack *pack, const sgm_sampler_options *options,
                              sgm_sampler **out)
{
    SGM_TRY(sgm_sampler_create_if_any(pack, options, out));
    return *out ? SGM_OK
                : sgm_fail(SGM_UNREADABLE, "the pack has no object to draw for this purpose");
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

/* Items that are never drawn are no part of an epoch either. */
static void leave_out(sgm_sampler *sampler, int set)
{
    size_t kept = 0;
    for (size_t i = 0; i < sampler->item_count; i++)
        if (sampler->items[i].set != set) sampler->items[kept++] = sampler->items[i];
    sampler->item_count = kept;
    sampler->set_items[set] = 0;
}

bool sgm_sampler_weight(sgm_sampler *sampler, const char *set, double factor)
{
    bool found = false;
    if (!sampler->pack) return false;
    for (int i = 0; i < sgm_pack_set_count(sampler->pack); i++)
        if (strcmp(sgm_pack_set_at(sampler->pack, i)->name, set) == 0) {
            sampler->set_weight[i] *= factor;
            if (factor == 0) leave_out(sampler, i);
            found = true;
        }
    return found;
}

sgm_status sgm_sampler_check_weights(const sgm_sampler *sampler)
{
    if (sampler->item_count || sampler->options.synthetic_share >= 1) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT,
                    "every data set that the pack has objects of has the weight 0: one at least "
                    "must be above");
}

size_t sgm_sampler_object_count(const sgm_sampler *sampler)
{
    size_t count = 0;
    for (size_t i = 0; i < sampler->item_count; i++)
        count += sampler->items[i].count;
    return count;
}

/* Of those of weight 0 too: a weight may change while a run rests. */
bool sgm_sampler_holds_empty(const sgm_sampler *sampler)
{
    for (size_t i = 0; i < sampler->objects.count; i++)
        if (!sampler->objects.objects[i].area) return true;
    return false;
}

int sgm_sampler_largest_label(const sgm_sampler *sampler)
{
    int most = 0;
    for (size_t i = 0; i < sampler->objects.count; i++)
        most = sampler->objects.objects[i].label > most ? sampler->objects.objects[i].label : most;
    return most;
}

/* Floats of a batch, or (with `batch`) where they lie. */
static size_t place_floats(const sgm_sampler_options *options, size_t n, float *at,
                           sgm_batch *batch)
{
    size_t pixels = (size_t)options->size * (size_t)options->size, used = 0;
    size_t cells = (size_t)options->target_side * (size_t)options->target_side;
    batch->image = at;
    used += n * 3 * pixels;
    batch->target = at + used;
    if (options->asked != SGM_ASKED_MIXED) {
        used += n * (size_t)options->grid.width * (size_t)options->grid.height;
        batch->coords[0] = at + used;
        used += n * (size_t)options->tokens * 2;
        batch->class_at = at + used;
        batch->weight = at + used + n;
        return used + 2 * n;
    }
    used += n * cells;
    for (int g = 0; g < sgm_group_count(options->sim.walks); g++) {
        size_t rows = n * (size_t)sgm_round_groups[g].rounds;
        batch->masks[g] = at + used;
        used += rows * cells;
        batch->coords[g] = at + used;
        used += rows * (size_t)sgm_round_groups[g].tokens * 2;
    }
    batch->weight = at + used;
    return used + n;
}

static size_t place_ints(const sgm_sampler_options *options, size_t n, int32_t *at,
                         sgm_batch *batch)
{
    size_t used = 0;
    bool mixed = options->asked == SGM_ASKED_MIXED;
    batch->labels[0] = at;
    for (int g = 0; mixed && g < sgm_group_count(options->sim.walks); g++) {
        batch->labels[g] = at + used;
        used += n * (size_t)(sgm_round_groups[g].rounds * sgm_round_groups[g].tokens);
    }
    if (!mixed) used = n * (size_t)options->tokens;
    batch->item = at + used;
    batch->paired = at + used + n;
    batch->label = at + used + 2 * n;
    batch->class_index = at + used + 3 * n;
    return used + 4 * n;
}

sgm_status sgm_batch_create(const sgm_sampler_options *options, int count, sgm_batch *batch)
{
    static float none[1];
    size_t n = (size_t)count;
    sgm_batch sizes = {0};
    memset(batch, 0, sizeof *batch);
    size_t floats = place_floats(options, n, none, &sizes);
    size_t ints = place_ints(options, n, (int32_t *)none, &sizes);
    batch->memory = calloc(floats + ints, sizeof(float));
    if (!batch->memory) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a batch of %d", count);
    batch->count = count;
    place_floats(options, n, batch->memory, batch);
    place_ints(options, n, (int32_t *)batch->memory + floats, batch);
    return SGM_OK;
}

void sgm_batch_clear(sgm_batch *batch)
{
    free(batch->memory);
    memset(batch, 0, sizeof *batch);
}

/* Floats: image scratch 3, synthetic 4, masks of the rounds; bytes: mask, neighbour and 3 more. */
sgm_status sgm_sampler_scratch_create(const sgm_sampler_options *options,
                                      sgm_sampler_scratch *scratch)
{
    size_t pixels = (size_t)options->size * (size_t)options->size;
    scratch->floats = malloc((7 + SGM_ROUNDS) * pixels * sizeof(float));
    scratch->bytes = malloc(5 * pixels);
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

static const item_range *draw_item(const sgm_sampler *sampler, uint64_t index, sgm_rng *rng)
{
    if (sampler->options.draws == SGM_DRAWS_EPOCHS) {
        int64_t count = (int64_t)sampler->item_count;
        return &sampler->items[sgm_epoch_item(sampler->options.seed, index / (uint64_t)count,
                                              (int64_t)(index % (uint64_t)count), count)];
    }
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
    if (sampler->options.draws == SGM_DRAWS_EPOCHS)
        return object + sgm_rng_below(rng, (int64_t)range->count);
    double at = sgm_rng_unit(rng) * range->weight;
    for (size_t i = 0; i + 1 < range->count; i++, object++)
        if ((at -= object_weight(object)) < 0) break;
    return object;
}

/* Moves the window into the item as far as it fits, as the predictor does; what is left over lies
 * at the right or below. */
static void shift_inside(double *centre, double side, double extent)
{
    double half = side / 2 - 0.5;
    if (side >= extent)
        *centre = half;
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
    uint8_t *neighbour; /* NULL: none but what the mask suggests */
    bool paired;        /* the other sample of the pair shows the neighbour */
    uint8_t *around;    /* pixels beyond the item */
    /* Whole pictures only. */
    const sgm_target *wanted; /* NULL: any */
    const sgm_target *object;
    uint8_t *object_mask; /* malloc'ed */
    sgm_look_change change;
    sgm_frame frame;
} sample_work;

static bool crop_is_usable(const sample_work *work, bool may_be_empty)
{
    int size = work->sampler->options.size;
    return may_be_empty || sgm_mask_bounds(work->mask, size, size).area >= MIN_CROP_AREA;
}

/* A window on one item: `centre` says around what, object and mask what is to be drawn. */
static sgm_crop try_crop(sample_work *work, const sgm_target *centre, const sgm_target *object,
                         const uint8_t *object_mask, int attempt)
{
    const sgm_sampler *sampler = work->sampler;
    const sgm_pack_item *item = sgm_pack_item_at(sampler->pack, object->item);
    bool plain = attempt == 2 || sampler->options.augmentation <= 0;
    sgm_crop crop = draw_crop(sampler, item, centre, plain, &work->rng);
    sgm_crop_mask(&crop, object, object_mask, sampler->options.size, work->mask);
    return crop;
}

static void take_crop(sample_work *work, const sgm_crop *crop, int item)
{
    const sgm_pack_item *shown = sgm_pack_item_at(work->sampler->pack, item);
    sgm_crop_image(crop, shown, work->sampler->options.size, 0, work->image);
    sgm_crop_around(crop, shown, work->sampler->options.size, work->around);
    work->batch->item[work->slot] = item;
}

static void draw_alone(sample_work *work, const sgm_target *object, const uint8_t *object_mask,
                       bool *usable)
{
    for (int attempt = 0; attempt < 3 && !*usable; attempt++) {
        sgm_crop crop = try_crop(work, object, object, object_mask, attempt);
        *usable = crop_is_usable(work, false);
        if (*usable) take_crop(work, &crop, object->item);
    }
}

/* The second sample of a pair: the neighbouring slice, asked with the first one's mask. Where the
 * object has ended there is no such mask: it is drawn as if it were alone. */
static sgm_status show_other(sample_work *work, const sgm_target *object, const sgm_crop *crop,
                             sgm_neighbour_pair *pair, uint8_t *neighbour)
{
    int size = work->sampler->options.size;
    if (!pair->ended) {
        SGM_TRY(sgm_neighbour_turn(work->sampler->pack, object, pair));
        sgm_crop_mask(crop, &pair->frame, pair->mask, size, work->mask);
        sgm_crop_mask(crop, &pair->frame, pair->neighbour, size, neighbour);
        take_crop(work, crop, pair->item);
        return SGM_OK;
    }
    sgm_crop_mask(crop, &pair->frame, pair->neighbour, size, work->mask);
    take_crop(work, crop, pair->beside);
    work->neighbour = NULL;
    return SGM_OK;
}

/* The view is around the neighbour's mask, as a walk chooses it. */
static sgm_status draw_pair(sample_work *work, const sgm_target *object, sgm_neighbour_pair *pair,
                            uint8_t *neighbour, bool *usable)
{
    int size = work->sampler->options.size;
    sgm_crop crop = {0};
    for (int attempt = 0; attempt < 3 && !*usable; attempt++) {
        crop = try_crop(work, &pair->extent, &pair->frame, pair->mask, attempt);
        sgm_crop_mask(&crop, &pair->frame, pair->neighbour, size, neighbour);
        *usable = crop_is_usable(work, pair->ended) &&
                  sgm_mask_bounds(neighbour, size, size).area >= MIN_CROP_AREA;
    }
    if (!*usable) return SGM_OK;
    work->neighbour = neighbour;
    if (work->index % 2)
        SGM_TRY(show_other(work, object, &crop, pair, neighbour));
    else
        take_crop(work, &crop, pair->item);
    work->paired = work->neighbour != NULL;
    return SGM_OK;
}

/* An object, and where walks are trained its neighbour. Objects end on two slices of many: one in
 * five draws looks for such a pair. */
static sgm_status draw_neighbours(sample_work *work, const sgm_target **object,
                                  sgm_neighbour_pair *pair, bool *paired)
{
    const sgm_sampler *sampler = work->sampler;
    bool walks = sampler->options.sim.walks, wants_end = walks && sgm_rng_chance(&work->rng, 0.2);
    for (int attempt = 0;; attempt++) {
        const item_range *range = draw_item(sampler, work->index, &work->rng);
        *object = draw_object(sampler, range, &work->rng);
        if (walks) SGM_TRY(sgm_neighbour_draw(sampler->pack, *object, &work->rng, pair, paired));
        if (!wants_end || pair->ended || attempt == 12) return SGM_OK;
        sgm_neighbour_clear(pair);
    }
}

/* Another picture without neighbours, for the second sample of a pair that is none: with the pair's
 * own random numbers it would be the first one again. */
static const sgm_target *draw_unpaired(sample_work *work, const sgm_target *otherwise)
{
    const sgm_sampler *sampler = work->sampler;
    work->rng = sgm_rng_at(~sampler->options.seed, work->index);
    for (int attempt = 0; attempt < 12; attempt++) {
        const item_range *range = draw_item(sampler, work->index, &work->rng);
        bool alone = sgm_pack_neighbour(sampler->pack, range->item, 1) < 0 &&
                     sgm_pack_neighbour(sampler->pack, range->item, -1) < 0;
        if (alone) return draw_object(sampler, range, &work->rng);
    }
    return otherwise;
}

static sgm_status draw_from_pack(sample_work *work, bool *usable)
{
    const sgm_sampler *sampler = work->sampler;
    size_t pixels = (size_t)sampler->options.size * (size_t)sampler->options.size;
    const sgm_target *object;
    sgm_neighbour_pair pair = {0};
    bool paired = false;
    *usable = false;
    SGM_TRY(draw_neighbours(work, &object, &pair, &paired));
    if (paired) {
        sgm_status status =
            draw_pair(work, object, &pair, work->scratch->bytes + 4 * pixels, usable);
        sgm_neighbour_clear(&pair);
        return status;
    }
    if (sampler->options.sim.walks && work->index % 2) object = draw_unpaired(work, object);
    uint8_t *object_mask = sgm_target_mask(sampler->pack, object);
    if (!object_mask) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an object's mask");
    draw_alone(work, object, object_mask, usable);
    free(object_mask);
    return SGM_OK;
}

/* Where there is no picture the network sees 0, as prediction pads. */
static void clear_around(const sample_work *work)
{
    int size = work->sampler->options.size;
    for (int i = 0; i < size * size; i++)
        if (work->around[i])
            work->image[3 * i] = work->image[3 * i + 1] = work->image[3 * i + 2] = 0;
}

/* Of walks, one generated object in eight has ended: the picture without it, asked with its mask.
 */
static void draw_synthetic(sample_work *work)
{
    const sgm_sampler_options *options = &work->sampler->options;
    size_t pixels = (size_t)options->size * (size_t)options->size;
    uint8_t *neighbour = work->scratch->bytes + 4 * pixels;
    bool ended = options->sim.walks && sgm_rng_chance(&work->rng, 0.125);
    sgm_synth(options->seed, work->index, options->size, ended, work->image, work->mask,
              work->scratch->floats + 3 * pixels);
    work->batch->item[work->slot] = -1;
    memset(work->around, 0, pixels);
    if (!ended) return;
    memcpy(neighbour, work->mask, pixels);
    memset(work->mask, 0, pixels);
    work->neighbour = neighbour;
}

static double box_overlap(const sgm_target *t, const sgm_box *box)
{
    double w = fmin(t->x1, box->x1) - fmax(t->x0, box->x0) + 1;
    double h = fmin(t->y1, box->y1) - fmax(t->y0, box->y0) + 1;
    double own = (t->x1 - t->x0 + 1.0) * (t->y1 - t->y0 + 1.0);
    double other = (box->x1 - box->x0 + 1) * (box->y1 - box->y0 + 1);
    double both = w > 0 && h > 0 ? w * h : 0;
    return both / (own + other - both);
}

/* What a given prompt means: what the first point on an object points at, else what fits the box
 * best. */
static const sgm_target *given_object(const sgm_sampler *sampler, const item_range *range)
{
    const sgm_given_prompt *g = sgm_given_prompt_of(sampler->options.given, range->item);
    const sgm_pack_item *item = sgm_pack_item_at(sampler->pack, range->item);
    const sgm_target *objects = &sampler->objects.objects[range->first], *best = objects;
    for (int p = 0; p < g->point_count; p++) {
        int x = (int)(g->points[p].x + 0.5), y = (int)(g->points[p].y + 0.5);
        if (g->points[p].label != SGM_FOREGROUND) continue;
        if (x < 0 || y < 0 || x >= item->width || y >= item->height) continue;
        for (size_t i = 0; i < range->count; i++)
            if (sgm_pack_label(item, x, y) == objects[i].label) return &objects[i];
    }
    for (size_t i = 1; g->has_box && i < range->count; i++)
        if (box_overlap(&objects[i], &g->box) > box_overlap(best, &g->box)) best = &objects[i];
    return best;
}

static const sgm_target *whole_object(sample_work *work)
{
    const sgm_sampler *sampler = work->sampler;
    if (work->wanted) return work->wanted;
    const item_range *range = draw_item(sampler, work->index, &work->rng);
    if (sampler->options.given) return given_object(sampler, range);
    return draw_object(sampler, range, &work->rng);
}

/* An object of a whole picture; where it is too small to be seen, another one. Epochs keep to their
 * item. */
static sgm_status draw_whole(sample_work *work)
{
    const sgm_sampler *sampler = work->sampler;
    int size = sampler->options.size;
    for (int attempt = 0; attempt < 8; attempt++) {
        const sgm_target *object = whole_object(work);
        uint8_t *object_mask = sgm_target_mask(sampler->pack, object);
        if (!object_mask) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an object's mask");
        work->change = sgm_look_change_draw(sampler->options.augmentation, &work->rng);
        sgm_whole_mask(sampler->options.model, sgm_pack_item_at(sampler->pack, object->item),
                       &work->change, object, object_mask, work->mask);
        work->object = object;
        work->batch->item[work->slot] = object->item;
        if (sgm_mask_bounds(work->mask, size, size).area || !object->area || attempt == 7) {
            work->object_mask = object_mask;
            break;
        }
        free(object_mask);
    }
    return sgm_whole_picture(sampler->options.model,
                             sgm_pack_item_at(sampler->pack, work->object->item), &work->change,
                             work->image, &work->frame);
}

static sgm_status draw_pixels(sample_work *work)
{
    if (work->sampler->options.window == SGM_VIEW_WHOLE) return draw_whole(work);
    const sgm_sampler_options *options = &work->sampler->options;
    bool usable = false;
    if (!sgm_rng_chance(&work->rng, options->synthetic_share))
        for (int attempt = 0; attempt < 4 && !usable; attempt++)
            SGM_TRY(draw_from_pack(work, &usable));
    if (!usable) draw_synthetic(work);
    sgm_augment(work->image, options->size, options->augmentation, &work->rng,
                work->scratch->floats);
    sgm_normalise(work->image, options->size, options->protocol);
    clear_around(work);
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
    for (int r = 0; r < sgm_round_count(options->sim.walks); r++) {
        int part, group = sgm_group_of(r, &part);
        size_t tokens = (size_t)rounds[r].tokens;
        size_t row = (size_t)(part * work->batch->count + work->slot);
        memcpy(work->batch->coords[group] + row * tokens * 2, rounds[r].coords,
               tokens * 2 * sizeof(float));
        memcpy(work->batch->labels[group] + row * tokens, rounds[r].labels,
               tokens * sizeof(int32_t));
        shrink_logits(masks[r], options->size, options->target_side,
                      work->batch->masks[group] + row * cells);
    }
}

/* Target and prompt of a sample that is asked as the family's authors do. */
static void write_asked(const sample_work *work)
{
    const sgm_sampler_options *o = &work->sampler->options;
    size_t slot = (size_t)work->slot, cells = (size_t)o->grid.width * (size_t)o->grid.height;
    float *target = work->batch->target + slot * cells;
    float *coordinates = work->batch->coords[0] + slot * (size_t)o->tokens * 2;
    int32_t *labels = work->batch->labels[0] + slot * (size_t)o->tokens;
    sgm_rng rng = work->rng;
    if (work->object)
        sgm_whole_cells(o->model, sgm_pack_item_at(work->sampler->pack, work->object->item),
                        &work->change, o->class_map ? NULL : work->object, work->object_mask,
                        o->grid, target);
    else
        shrink_mask(work->mask, o->size, o->grid.width, target);
    work->batch->label[slot] = work->object ? work->object->label : 0;
    work->batch->class_index[slot] = work->batch->label[slot] - 1;
    work->batch->class_at[slot] = (float)work->batch->class_index[slot];
    if (o->given && work->object)
        sgm_asked_given(o, sgm_given_prompt_of(o->given, work->object->item), &work->frame,
                        &work->change, coordinates, labels);
    else
        sgm_asked_prompt(o, work->mask, &rng, work->scratch->ints, coordinates, labels);
}

static sgm_status draw_sample(const sgm_sampler *sampler, const sgm_target *wanted, uint64_t index,
                              int slot, const sgm_sampler_scratch *scratch, sgm_batch *batch)
{
    const sgm_sampler_options *options = &sampler->options;
    size_t pixels = (size_t)options->size * (size_t)options->size;
    size_t cells = (size_t)options->target_side * (size_t)options->target_side;
    sample_work work = {.sampler = sampler,
                        .wanted = wanted,
                        .scratch = scratch,
                        .batch = batch,
                        .slot = slot,
                        .index = index,
                        .rng = sgm_rng_at(options->seed, options->sim.walks ? index / 2 : index),
                        .image = batch->image + (size_t)slot * 3 * pixels,
                        .mask = scratch->bytes,
                        .around = scratch->bytes + pixels};
    sgm_status status = draw_pixels(&work);
    batch->weight[slot] = 1;
    batch->paired[slot] = 0;
    if (status == SGM_OK && options->asked != SGM_ASKED_MIXED) write_asked(&work);
    free(work.object_mask);
    if (status != SGM_OK || options->asked != SGM_ASKED_MIXED) return status;
    shrink_mask(work.mask, options->size, options->target_side,
                batch->target + (size_t)slot * cells);
    batch->weight[slot] = sgm_mask_bounds(work.mask, options->size, options->size).area ? 1 : 0;
    batch->paired[slot] = work.paired;
    sgm_sim_scratch sim = {.distance = scratch->ints};
    float *masks[SGM_ROUNDS];
    for (int i = 0; i < 3; i++)
        sim.mask[i] = scratch->bytes + (size_t)(i + 1) * pixels;
    for (int i = 0; i < SGM_ROUNDS; i++)
        masks[i] = scratch->floats + (size_t)(i + 7) * pixels;
    sgm_round rounds[SGM_ROUNDS];
    sgm_simulate(work.mask, work.neighbour, options->size, &options->sim, &work.rng, &sim, rounds,
                 masks);
    write_rounds(&work, rounds, masks);
    return SGM_OK;
}

sgm_status sgm_sampler_draw(const sgm_sampler *sampler, uint64_t index, int slot,
                            const sgm_sampler_scratch *scratch, sgm_batch *batch)
{
    return draw_sample(sampler, NULL, index, slot, scratch, batch);
}

sgm_status sgm_sampler_draw_object(const sgm_sampler *sampler, int item, int label, uint64_t index,
                                   int slot, const sgm_sampler_scratch *scratch, sgm_batch *batch)
{
    for (size_t i = 0; i < sampler->objects.count; i++) {
        const sgm_target *t = &sampler->objects.objects[i];
        if (t->item == item && t->label == label && sampler->options.window == SGM_VIEW_WHOLE)
            return draw_sample(sampler, t, index, slot, scratch, batch);
    }
    return sgm_fail(SGM_INVALID_ARGUMENT, "item %d has no object of class %d", item, label);
}
