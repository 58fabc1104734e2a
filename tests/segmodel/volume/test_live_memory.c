/* test_live_memory SIDE SLICES OBJECTS: what a live volume takes beside the volume itself. */
#include "check.h"
#include "synthetic_network.h"

#include "predict/volume/live.h"

#include <stdlib.h>

#include "core/system.h"

enum { EMBEDDINGS = 16 << 20, BESIDE = 64 << 20 };

static long peak_kibibytes(void)
{
    return (long)(sgm_peak_memory() / 1024);
}

/* OBJECTS columns through all slices, on a grid, each of its own shade. */
static void draw(int16_t *voxels, int side, int slices, int objects)
{
    int columns = 5, pitch = side / columns;
    for (int k = 0; k < slices; k++)
        for (int j = 0; j < side; j++)
            for (int i = 0; i < side; i++) {
                int number = i / pitch + columns * (j / pitch);
                int x = i % pitch - pitch / 2, y = j % pitch - pitch / 2;
                int inside =
                    i / pitch < columns && number < objects && x * x + y * y < pitch * pitch / 9;
                voxels[(size_t)side * ((size_t)side * (size_t)k + (size_t)j) + (size_t)i] =
                    (int16_t)(inside ? 700 + 10 * (number % 20) : (i + j) % 50);
            }
}

static void predict_all(sgm_live_volume *live, int side, int slices, int objects)
{
    int columns = 5, pitch = side / columns;
    for (int n = 0; n < objects; n++) {
        sgm_seed seed = {
            {n % columns * pitch + pitch / 2, n / columns * pitch + pitch / 2, slices / 2}, 1};
        sgm_object object = {.seeds = &seed, .seed_count = 1};
        sgm_live_result result = sgm_live_result_init();
        CHECK_OK(sgm_live_volume_predict(live, n, &object, NULL, &result));
        CHECK(result.slice_count == (size_t)slices);
    }
}

int main(int argc, char **argv)
{
    static synthetic_network network;
    sgm_live_volume *live = NULL;
    if (argc != 4) return 2;
    int side = atoi(argv[1]), slices = atoi(argv[2]), objects = atoi(argv[3]);
    int16_t *voxels = malloc((size_t)side * (size_t)side * (size_t)slices * sizeof *voxels);
    if (!CHECK(voxels != NULL)) return check_report();
    draw(voxels, side, slices, objects);
    sgm_volume volume = {.data = voxels,
                         .type = SGM_VOXEL_I16,
                         .channels = 1,
                         .size = {side, side, slices},
                         .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 2, 0}}};
    sgm_volume_options options = sgm_volume_options_init();
    options.embedding_memory = EMBEDDINGS;
    options.hounsfield = SGM_HOUNSFIELD_OFF;
    synthetic_init(&network, 128);
    long before = peak_kibibytes();
    CHECK_OK(sgm_live_volume_make(&network.predictor, 0, &volume, &options, &live));
    predict_all(live, side, slices, objects);
    long taken = peak_kibibytes() - before;
    printf("%d x %d x %d, %d objects: %ld MiB beside the volume, of which embeddings %d MiB\n",
           side, side, slices, objects, taken >> 10, EMBEDDINGS >> 20);
    CHECK(taken < (EMBEDDINGS + BESIDE) >> 10);
    sgm_live_volume_destroy(live);
    synthetic_clear(&network);
    free(voxels);
    return check_report();
}
