/* IoU over the classes of label maps, as SurgicalSAM's evaluation of EndoVis counts. */
#include "core/status.h"
#include "segmodel/metrics.h"

#include <math.h>

typedef struct histogram {
    int64_t reference[SGM_MOST_CLASSES + 1], prediction[SGM_MOST_CLASSES + 1],
        both[SGM_MOST_CLASSES + 1];
} histogram;

static sgm_status count_labels(int classes, const uint8_t *reference, const uint8_t *prediction,
                               size_t count, histogram *h)
{
    for (size_t i = 0; i < count; i++) {
        int r = reference[i], p = prediction[i];
        if (r > classes || p > classes)
            return sgm_fail(SGM_INVALID_ARGUMENT, "label %d among classes 1..%d", r > p ? r : p,
                            classes);
        h->reference[r]++;
        h->prediction[p]++;
        if (r == p) h->both[r]++;
    }
    return SGM_OK;
}

static void add_class(sgm_class_iou *sums, int label, double iou)
{
    sums->sum[label] += iou;
    sums->count[label]++;
}

/* A frame without any prediction: every class that should be there has 0, and so has the frame; its
 * union is not part of the total. */
static void add_missed(sgm_class_iou *sums, const histogram *h)
{
    int present = 0;
    for (int c = 1; c <= sums->classes; c++)
        if (h->reference[c]) add_class(sums, c, 0), present = 1;
    sums->frames_present += present;
    sums->frames_reference += present;
}

static void add_frame(sgm_class_iou *sums, const histogram *h)
{
    double all = 0, wanted = 0;
    int present = 0, references = 0;
    for (int c = 1; c <= sums->classes; c++) {
        int64_t together = h->reference[c] + h->prediction[c] - h->both[c];
        if (!together) continue;
        double iou = (double)h->both[c] / (double)together;
        add_class(sums, c, iou);
        all += iou;
        present++;
        if (h->reference[c]) wanted += iou, references++;
        sums->intersection += (double)h->both[c];
        sums->together += (double)together;
    }
    sums->sum_present += all / present;
    sums->frames_present++;
    if (!references) return;
    sums->sum_reference += wanted / references;
    sums->frames_reference++;
}

sgm_status sgm_class_iou_add(sgm_class_iou *sums, const uint8_t *reference,
                             const uint8_t *prediction, size_t count)
{
    histogram h = {{0}, {0}, {0}};
    if (sums->classes < 1 || sums->classes > SGM_MOST_CLASSES)
        return sgm_fail(SGM_INVALID_ARGUMENT, "%d classes, 1..%d wanted", sums->classes,
                        SGM_MOST_CLASSES);
    SGM_TRY(count_labels(sums->classes, reference, prediction, count, &h));
    if (h.prediction[0] == (int64_t)count)
        add_missed(sums, &h);
    else
        add_frame(sums, &h);
    return SGM_OK;
}

double sgm_class_iou_mean(const sgm_class_iou *sums)
{
    return sums->sum_present / (double)sums->frames_present;
}

double sgm_class_iou_challenge(const sgm_class_iou *sums)
{
    return sums->sum_reference / (double)sums->frames_reference;
}

double sgm_class_iou_of(const sgm_class_iou *sums, int label)
{
    return sums->sum[label] / (double)sums->count[label];
}

double sgm_class_iou_per_class(const sgm_class_iou *sums)
{
    double sum = 0;
    int seen = 0;
    for (int c = 1; c <= sums->classes; c++)
        if (sums->count[c]) sum += sgm_class_iou_of(sums, c), seen++;
    return sum / seen;
}

double sgm_class_iou_total(const sgm_class_iou *sums)
{
    if (sums->together == 0) return sums->frames_present ? 0 : NAN;
    return sums->intersection / sums->together;
}
