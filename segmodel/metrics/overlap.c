/* Counts of pixels or voxels, and the shares made of them. */
#include "segmodel/metrics.h"

sgm_overlap sgm_overlap_of(const uint8_t *reference, const uint8_t *prediction, size_t count)
{
    sgm_overlap o = {0};
    for (size_t i = 0; i < count; i++) {
        int r = reference[i] != 0, p = prediction[i] != 0;
        o.both += r && p;
        o.only_reference += r && !p;
        o.only_prediction += !r && p;
    }
    o.neither = (int64_t)count - o.both - o.only_reference - o.only_prediction;
    return o;
}

static double share(int64_t part, int64_t whole, double smooth)
{
    return ((double)part + smooth) / ((double)whole + smooth);
}

double sgm_overlap_dice(const sgm_overlap *o, double smooth)
{
    return share(2 * o->both, 2 * o->both + o->only_reference + o->only_prediction, smooth);
}

double sgm_overlap_iou(const sgm_overlap *o, double smooth)
{
    return share(o->both, o->both + o->only_reference + o->only_prediction, smooth);
}

double sgm_overlap_accuracy(const sgm_overlap *o, double smooth)
{
    return share(o->both + o->neither,
                 o->both + o->neither + o->only_reference + o->only_prediction, smooth);
}

double sgm_overlap_sensitivity(const sgm_overlap *o, double smooth)
{
    return share(o->both, o->both + o->only_reference, smooth);
}

double sgm_overlap_specificity(const sgm_overlap *o, double smooth)
{
    return share(o->neither, o->neither + o->only_prediction, smooth);
}
