/* check_pack_labels PROMPTSEGPACK SAMPLES FOLDER: sets with a palette (VOC's way, here as Pillow
 * writes them) are trained by their classes: the labels of the pack are the palette's indices,
 * whatever its colours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/pack.h"

enum { WIDTH = 6, HEIGHT = 5 };

static const uint8_t voc[WIDTH * HEIGHT] = {1,  1, 1, 0, 0,  255, 1,  1, 1, 0,  0,  0,  0,  15, 15,
                                            15, 0, 0, 0, 15, 15,  15, 0, 0, 20, 20, 20, 20, 20, 20};
static const uint8_t few[WIDTH * HEIGHT] = {0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1,
                                            0, 0, 0, 0, 0, 0, 3, 3, 3, 0, 0, 0, 3, 3, 3};

static int differs(const sgm_pack *pack, int index, const uint8_t *wanted)
{
    const sgm_pack_item *item = sgm_pack_item_at(pack, index);
    if (item->width == WIDTH && item->height == HEIGHT && item->label_bytes == 1 &&
        memcmp(item->label, wanted, WIDTH * HEIGHT) == 0)
        return 0;
    fprintf(stderr, "item %d: the labels are not the palette's indices\n", index);
    return 1;
}

static int write_manifest(const char *samples, const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/palette.csv", folder);
    FILE *file = fopen(path, "w");
    if (!file) return 1;
    fprintf(file, "image,label,dataset,modality,anatomy,kind,split\n");
    fprintf(file, "%s/voc_image.png,%s/voc_labels.png,test,none,,class,train\n", samples, samples);
    fprintf(file, "%s/voc_image.png,%s/few_labels.png,test,none,,class,train\n", samples, samples);
    return fclose(file) != 0;
}

int main(int argc, char **argv)
{
    char command[16384];
    sgm_pack *pack;
    if (argc != 4 || write_manifest(argv[2], argv[3])) return 2;
    snprintf(command, sizeof command, "'%s' '%s/palette.csv' '%s/palette.pack'", argv[1], argv[3],
             argv[3]);
    if (system(command) != 0) return 1;
    snprintf(command, sizeof command, "%s/palette.pack", argv[3]);
    if (sgm_pack_open(command, &pack) != SGM_OK || sgm_pack_item_count(pack) != 2) return 1;
    const int wrong = differs(pack, 0, voc) + differs(pack, 1, few);
    sgm_pack_close(pack);
    printf("2 label maps with a palette, %d wrong\n", wrong);
    return wrong;
}
