/* Any bytes as a training pack; whatever opens is read to the last pixel, and its objects and what
 * continues them on neighbouring slices looked for when it is small. */
#include "fuzz_result.h"

#include "train/neighbour.h"

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

static void follow(const sgm_pack *pack, const sgm_target *object)
{
    sgm_neighbour_pair pair;
    bool found;
    sgm_rng rng = sgm_rng_at(1, (uint64_t)object->area);
    if (sgm_neighbour_draw(pack, object, &rng, &pair, &found) == SGM_OK) sgm_neighbour_clear(&pair);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgm_pack *pack;
    sgm_target_list list = {0};
    volatile unsigned sum = 0;
    fuzz_refused = sgm_pack_open_memory(data, size, "fuzz", &pack) != SGM_OK;
    if (fuzz_refused) return 0;
    for (int i = 0; i < sgm_pack_item_count(pack); i++) {
        const sgm_pack_item *item = sgm_pack_item_at(pack, i);
        sum += touch(item);
        if (i < 8 && item->width * item->height < 4096) sgm_targets_find(pack, i, 4, &list);
    }
    for (size_t i = 0; i < list.count && i < 16; i++)
        follow(pack, &list.objects[i]);
    sgm_target_list_clear(&list);
    sgm_pack_close(pack);
    return 0;
}
