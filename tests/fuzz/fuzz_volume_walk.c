/* Masks in volumes for any geometry, any prompts and any options, on the synthetic network: the
 * bytes of the input are numbers that describe them. Checks what must hold of every answer: it is a
 * failure with a sentence, or masks that agree with their counts and boxes. */
#include "predict/volume/segment.h"
#include "synthetic_network.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 32, MOST_VOXELS = 20, MOST_PROMPTS = 7, MOST_OBJECTS = 3 };

typedef struct script {
    const uint8_t *at, *end;
} script;

static uint8_t byte(script *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

/* Mostly -1 .. 1, now and then any double. */
static double number(script *s)
{
    uint8_t kind = byte(s);
    double any = 0;
    if (kind < 240) return ((double)byte(s) - 128 + kind / 240.0) / 128;
    for (size_t i = 0; i < sizeof any; i++)
        ((uint8_t *)&any)[i] = byte(s);
    return any;
}

static size_t voxel_size(sgm_voxel type)
{
    static const size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    return (size_t)type < sizeof sizes / sizeof *sizes ? sizes[type] : 8;
}

/* A volume whose voxels repeat a few bytes of the script. */
static void *make_volume(script *s, sgm_volume *volume)
{
    *volume = (sgm_volume){.type = (sgm_voxel)(byte(s) % 11), .channels = 1};
    if (byte(s) > 200) volume->channels = byte(s) % 5;
    for (int a = 0; a < 3; a++)
        volume->size[a] = 1 + byte(s) % MOST_VOXELS;
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            volume->matrix[r][c] = number(s) * (c == 3 ? 100 : 2) + (r == c);
    volume->hounsfield = (sgm_hounsfield)(byte(s) % 3);
    volume->has_padding = byte(s) & 1;
    volume->padding = number(s) * 1000;
    size_t size = (size_t)(volume->size[0] * volume->size[1] * volume->size[2]) *
                  voxel_size(volume->type) * 4;
    uint8_t *data = malloc(size), pattern[61];
    if (!data) return NULL;
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = byte(s);
    for (size_t i = 0; i < size; i++)
        data[i] = pattern[i % sizeof pattern] + (uint8_t)(i / 997);
    volume->data = data;
    return data;
}

/* Around the volume: -0.2 .. 1.2 of its size for most numbers. */
static double place(script *s, int64_t size)
{
    return (number(s) * 0.7 + 0.5) * (double)size - 0.5;
}

static void make_object(script *s, const sgm_volume *volume, sgm_object *object, sgm_seed *seeds,
                        sgm_roi *rois, void *labels)
{
    object->seeds = seeds;
    object->seed_count = byte(s) % MOST_PROMPTS;
    for (size_t i = 0; i < object->seed_count; i++) {
        seeds[i].label = byte(s) & 3 ? SGM_FOREGROUND : SGM_BACKGROUND;
        for (int a = 0; a < 3; a++)
            seeds[i].index[a] = place(s, volume->size[a]);
    }
    object->rois = rois;
    object->roi_count = byte(s) % 3;
    for (size_t i = 0; i < object->roi_count; i++)
        for (int a = 0; a < 3; a++) {
            rois[i].center[a] = place(s, volume->size[a]);
            for (int c = 0; c < 3; c++)
                rois[i].half_axis[a][c] = number(s) * (a == c ? (double)volume->size[a] : 2);
        }
    if (byte(s) < 200) return;
    object->labels = labels;
    object->label_type = volume->type;
    object->label_value = byte(s) % 4;
}

static sgm_volume_options make_options(script *s)
{
    sgm_volume_options options = sgm_volume_options_init();
    options.axis = (sgm_axis)(byte(s) % 8);
    options.window = (sgm_window)(byte(s) % 10);
    options.window_low = number(s) * 100;
    options.window_high = number(s) * 100;
    options.hounsfield = (sgm_hounsfield)(byte(s) % 3);
    options.padding = (sgm_padding)(byte(s) % 3);
    options.padding_value = number(s);
    options.no_propagation = byte(s) > 220;
    options.max_slices = byte(s) % 8;
    options.keep_largest = byte(s) & 1;
    options.fill_holes = byte(s) & 1;
    options.embedding_memory = byte(s) > 200 ? 1 : 0;
    return options;
}

/* How walks ask, and whether slices are moments. */
static void choose_way(script *s, synthetic_network *network, sgm_volume_options *options)
{
    static const sgm_walk by_mask = {.logits = true};
    uint8_t way = byte(s);
    if (way & 1) network->predictor.walk = by_mask;
    if (way & 2) network->predictor.walk_in_box = by_mask;
    options->is_sequence = way >> 2 & 1;
    if (way & 8) network->object_grey = byte(s);
    if (way & 8) network->object_reach = byte(s);
}

/* Ends the program: what a sanitizer does not see is a fault too. */
static void must(int holds)
{
    if (!holds) abort();
}

static void check_object(const sgm_volume *volume, const sgm_object_result *object)
{
    const int64_t *n = volume->size;
    int64_t count = 0;
    for (int64_t k = 0; k < n[2]; k++)
        for (int64_t j = 0; j < n[1]; j++)
            for (int64_t i = 0; i < n[0]; i++) {
                uint8_t mask = object->mask[i + n[0] * (j + n[1] * k)];
                const int64_t at[3] = {i, j, k};
                must(mask <= 1);
                count += mask;
                for (int a = 0; a < 3 && mask; a++)
                    must(at[a] >= object->first[a] && at[a] <= object->last[a]);
            }
    must(count == object->voxels);
    must((count == 0) == (object->last[0] < object->first[0]));
    for (size_t i = 1; i < object->slice_count; i++)
        must(object->slices[i].slice > object->slices[i - 1].slice);
    must(isfinite(object->quality));
}

static void check(sgm_status status, const sgm_volume *volume, size_t count,
                  const sgm_volume_result *result)
{
    if (status != SGM_OK) {
        must(sgm_last_message()[0] != 0 && result->object_count == 0);
        return;
    }
    must(result->object_count == count && result->axis >= 0 && result->axis <= 2);
    for (size_t i = 0; i < count; i++)
        check_object(volume, &result->objects[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static synthetic_network network;
    script s = {data, data + size};
    sgm_volume volume;
    sgm_seed seeds[MOST_OBJECTS][MOST_PROMPTS];
    sgm_roi rois[MOST_OBJECTS][3];
    sgm_object objects[MOST_OBJECTS];
    sgm_volume_result result = {0};
    memset(objects, 0, sizeof objects);
    int zoom = byte(&s) > 200;
    size_t count = 1 + byte(&s) % MOST_OBJECTS;
    sgm_volume_options options = make_options(&s);
    void *voxels = make_volume(&s, &volume);
    if (!voxels) return 0;
    for (size_t i = 0; i < count; i++)
        make_object(&s, &volume, &objects[i], seeds[i], rois[i], voxels);
    synthetic_init(&network, SIDE);
    choose_way(&s, &network, &options);
    sgm_status status =
        sgm_volume_segment(&network.predictor, zoom, &volume, objects, count, &options, &result);
    check(status, &volume, count, &result);
    sgm_volume_result_clear(&result);
    synthetic_clear(&network);
    free(voxels);
    return 0;
}
