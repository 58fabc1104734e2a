/* Any bytes as a training pack; whatever opens is read to the last pixel, and its objects looked
 * for when it is small. */
#include "train/objects.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned touch(const sgm_pack_item *item)
{
    unsigned sum = (unsigned)item->id[0];
    int pixels = item->width * item->height;
    for (int i = 0; i < pixels * item->channels; i++)
        sum += item->image[i];
    for (int y = 0; y < item->height; y++)
        for (int x = 0; x < item->width; x++)
            sum += (unsigned)sgm_pack_label(item, x, y);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgm_pack *pack;
    sgm_target_list list = {0};
    volatile unsigned sum = 0;
    if (sgm_pack_open_memory(data, size, "fuzz", &pack) != SGM_OK) return 0;
    for (int i = 0; i < sgm_pack_item_count(pack); i++) {
        const sgm_pack_item *item = sgm_pack_item_at(pack, i);
        sum += touch(item);
        if (i < 8 && item->width * item->height < 4096) sgm_targets_find(pack, i, 4, &list);
    }
    sgm_target_list_clear(&list);
    sgm_pack_close(pack);
    return 0;
}
