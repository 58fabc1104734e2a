/* check_pack PROMPTSEGPACK FOLDER: training sees what prediction shows.
 *
 * Writes volumes as scanners store them (sagittal, reversed axes, coarse slices, in-plane spacings
 * that differ), has PromptSegPack cut them, and asks the volume predictor for a mask on every slice
 * with a network that only keeps the pictures it is shown. Both must be the same, byte for byte. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "predict/volume/segment.h"
#include "train/pack.h"

enum { SIDE = 8, MOST = 1 << 16 };

typedef struct recorder {
    sgm_predictor predictor;
    uint8_t shown[MOST];
    int width, height;
    uint8_t mask[MOST];
    float low_res[SIDE * SIDE], iou[1];
} recorder;

static sgm_status keep_picture(void *self, const sgm_image *image, float *embedding)
{
    recorder *r = self;
    size_t row = (size_t)image->width * (size_t)image->channels;
    r->width = image->width;
    r->height = image->height;
    for (int y = 0; y < image->height; y++)
        memcpy(r->shown + (size_t)y * row,
               image->data + y * (image->stride ? image->stride : (ptrdiff_t)row), row);
    *embedding = 0;
    return SGM_OK;
}

static sgm_status select_nothing(void *self, const float *embedding, int width, int height)
{
    (void)self, (void)embedding, (void)width, (void)height;
    return SGM_OK;
}

static sgm_status answer_nothing(void *self, const sgm_prompt *prompt,
                                 const sgm_predict_options *options, sgm_mask *out)
{
    recorder *r = self;
    (void)prompt, (void)options;
    *out = (sgm_mask){.data = r->mask,
                      .width = r->width,
                      .height = r->height,
                      .low_res = r->low_res,
                      .low_res_shape = {SIDE, SIDE},
                      .iou = r->iou,
                      .mask_tokens = 1};
    return SGM_OK;
}

static recorder *make_recorder(void)
{
    recorder *r = calloc(1, sizeof *r);
    if (!r) exit(2);
    r->predictor = (sgm_predictor){.self = r,
                                   .image_size = 4 * SIDE,
                                   .low_res_shape = {SIDE, SIDE},
                                   .embedding_count = 1,
                                   .encode = keep_picture,
                                   .select = select_nothing,
                                   .decode = answer_nothing};
    return r;
}

/* What the predictor shows of slice `slice` along `axis`. */
static void show(recorder *r, const sgm_volume *volume, sgm_axis axis, int slice_axis, int slice)
{
    sgm_seed seed = {.label = SGM_FOREGROUND};
    sgm_object object = {.name = "all", .seeds = &seed, .seed_count = 1};
    sgm_volume_options options = {.axis = axis, .no_propagation = 1};
    sgm_volume_result result;
    for (int a = 0; a < 3; a++)
        seed.index[a] = a == slice_axis ? slice : (double)volume->size[a] / 2;
    memset(r->shown, 0xA5, sizeof r->shown);
    if (sgm_volume_segment(&r->predictor, 0, volume, &object, 1, &options, &result) != SGM_OK) {
        fprintf(stderr, "%s\n", sgm_last_message());
        exit(1);
    }
    sgm_volume_result_clear(&result);
}

/* A volume as a file has it: sizes, the three directions, and what its values look like. */
typedef struct stored {
    const char *name, *axis;
    int size[3];
    const char *directions;
    int hounsfield;
    sgm_axis wish;
    int slice_axis; /* the index axis that slices are counted along */
} stored;

static const stored VOLUMES[] = {
    {"coarse", "", {23, 19, 7}, "(0.8,0,0) (0,-1.1,0) (0.1,0,5)", 0, SGM_AXIS_AUTO, 2},
    {"sagittal", "", {6, 30, 22}, "(-4,0,0) (0,0,-0.7) (0,0.9,0)", 1, SGM_AXIS_AUTO, 0},
    {"coronal", "coronal", {15, 16, 17}, "(1,0,0) (0,1,0) (0,0,1)", 1, SGM_AXIS_CORONAL, 1},
};
enum { VOLUME_COUNT = sizeof VOLUMES / sizeof *VOLUMES };

static int16_t value_at(const stored *v, int i, int j, int k)
{
    int wave = (i * 37 + j * 91 + k * 53) % 97;
    if (!v->hounsfield) return (int16_t)(100 + 9 * wave);
    return (int16_t)(i + j + k < 20 ? -1000 + wave : wave - 40);
}

static void write_nrrd(const char *path, const stored *v, int is_label)
{
    FILE *out = fopen(path, "wb");
    if (!out) exit(2);
    fprintf(out,
            "NRRD0004\ntype: int16\ndimension: 3\nspace: left-posterior-superior\n"
            "sizes: %d %d %d\nspace directions: %s\nkinds: domain domain domain\nendian: little\n"
            "encoding: raw\nspace origin: (3,4,5)\n\n",
            v->size[0], v->size[1], v->size[2], v->directions);
    for (int k = 0; k < v->size[2]; k++)
        for (int j = 0; j < v->size[1]; j++)
            for (int i = 0; i < v->size[0]; i++) {
                int16_t value = is_label ? (int16_t)(1 + (i + j + k) % 3) : value_at(v, i, j, k);
                fwrite(&value, sizeof value, 1, out);
            }
    if (fclose(out) != 0) exit(2);
}

static void write_files(const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/shown.csv", folder);
    FILE *manifest = fopen(path, "w");
    if (!manifest) exit(2);
    fprintf(manifest, "image,label,dataset,kind,split,axis\n");
    for (int n = 0; n < VOLUME_COUNT; n++) {
        const stored *v = &VOLUMES[n];
        snprintf(path, sizeof path, "%s/%s.nrrd", folder, v->name);
        write_nrrd(path, v, 0);
        snprintf(path, sizeof path, "%s/%s_label.nrrd", folder, v->name);
        write_nrrd(path, v, 1);
        fprintf(manifest, "%s.nrrd,%s_label.nrrd,%s,class,train,%s\n", v->name, v->name, v->name,
                v->axis);
    }
    if (fclose(manifest) != 0) exit(2);
}

static int compare_item(recorder *r, const sgm_pack *pack, int index, const sgm_volume *volume,
                        const stored *v)
{
    const sgm_pack_item *item = sgm_pack_item_at(pack, index);
    show(r, volume, v->wish, v->slice_axis, item->slice);
    size_t pixels = (size_t)item->width * (size_t)item->height;
    if (r->width == item->width && r->height == item->height &&
        memcmp(r->shown, item->image, pixels) == 0)
        return 0;
    fprintf(stderr, "%s, slice %d: the pack has %d x %d, the predictor shows %d x %d\n", v->name,
            item->slice, item->width, item->height, r->width, r->height);
    return 1;
}

static int compare(const char *folder)
{
    char path[4096];
    sgm_pack *pack;
    recorder *r = make_recorder();
    int wrong = 0, compared = 0;
    snprintf(path, sizeof path, "%s/shown.pack", folder);
    if (sgm_pack_open(path, &pack) != SGM_OK) return 1;
    for (int n = 0; n < VOLUME_COUNT; n++) {
        sgio_volume image = {0};
        snprintf(path, sizeof path, "%s/%s.nrrd", folder, VOLUMES[n].name);
        if (sgio_volume_read(path, NULL, &image) != SGIO_OK) exit(2);
        sgm_volume volume = bridge_volume(&image);
        for (int i = 0; i < sgm_pack_item_count(pack); i++)
            if (sgm_pack_item_at(pack, i)->set == n) {
                wrong += compare_item(r, pack, i, &volume, &VOLUMES[n]);
                compared++;
            }
        sgio_volume_clear(&image);
    }
    sgm_pack_close(pack);
    free(r);
    printf("%d slices compared, %d differ\n", compared, wrong);
    return wrong || compared != 7 + 6 + 16;
}

int main(int argc, char **argv)
{
    char command[16384];
    if (argc != 3) return 2;
    write_files(argv[2]);
    snprintf(command, sizeof command, "'%s' '%s/shown.csv' '%s/shown.pack' --maxSlices 0", argv[1],
             argv[2], argv[2]);
    if (system(command) != 0) return 1;
    return compare(argv[2]);
}
