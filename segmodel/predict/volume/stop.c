#include "predict/volume/stop.h"

#include "predict/picture/grey.h"
#include "predict/session/mask.h"

#include <math.h>

static const float least_quality = 0.6f, least_contrast = 12;
static const float outer_trust = 1.5f, enclosed_trust = 2;
static const float most_drift = 0.2f;
static const double ball_ends = 0.5, surer_by = 2; /* diameters; rating per diameter */
static const double most_growth = 2.5, least_share = 0.1, area_grace = 16;

/* First and last pixel of a span that is wider by a quarter (at least 3 pixels) on each side. */
static void widen(double low, double high, int length, int *first, int *last)
{
    double margin = fmax(3, (high - low + 1) / 4);
    *first = (int)fmax(0, low - margin);
    *last = (int)fmin(length - 1, high + margin);
}

/* Sums are of whole numbers, so their order does not matter. */
static void add_grey_row(const uint8_t *pixels, const uint8_t *mask, int first, int last,
                         double sum[2], double count[2])
{
    unsigned all = 0, inside = 0, set = 0;
    for (int x = first; x <= last; x++) {
        all += pixels[x];
        inside += mask[x] ? pixels[x] : 0;
        set += mask[x];
    }
    sum[0] += all - inside;
    sum[1] += inside;
    count[0] += last - first + 1 - (int)set;
    count[1] += set;
}

sgm_shades sgm_shades_of(const sgm_image *picture, const uint8_t *mask, const sgm_box *extent)
{
    double sum[2] = {0}, count[2] = {0};
    size_t width = (size_t)picture->width;
    int left, right, top, bottom;
    widen(extent->x0, extent->x1, picture->width, &left, &right);
    widen(extent->y0, extent->y1, picture->height, &top, &bottom);
    for (int y = top; y <= bottom; y++) {
        if (picture->channels == 1)
            add_grey_row(sgm_picture_row(picture, y), mask + (size_t)y * width, left, right, sum,
                         count);
        else
            for (int x = left; x <= right; x++) {
                int inside = mask[(size_t)y * width + (size_t)x];
                sum[inside] += sgm_grey_at(picture, x, y);
                count[inside]++;
            }
    }
    sgm_shades shades = {.inside = (float)(sum[1] / fmax(1, count[1]))};
    shades.around = count[0] > 0 ? (float)(sum[0] / count[0]) : shades.inside;
    return shades;
}

static int is_in_place(const sgm_look *look, const sgm_box *extent)
{
    double x, y;
    sgm_mask_centre(look->mask, look->width, look->height, &x, &y);
    double mx = fmax(2, 0.1 * (extent->x1 - extent->x0));
    double my = fmax(2, 0.1 * (extent->y1 - extent->y0));
    return x >= extent->x0 - mx && x <= extent->x1 + mx && y >= extent->y0 - my &&
           y <= extent->y1 + my;
}

static int has_drifted(const sgm_shades *first, const sgm_shades *now)
{
    float contrast = fabsf(first->inside - first->around);
    float most = fmaxf(most_drift * contrast, least_contrast);
    return contrast >= least_contrast && fabsf(now->inside - first->inside) > most;
}

static int looks_alike(const sgm_image *picture, const sgm_look *look, const sgm_neighbour *from)
{
    const sgm_shades *before = &from->shades;
    float trust = from->enclosed ? enclosed_trust : outer_trust;
    sgm_shades now = sgm_shades_of(picture, look->mask, &look->extent);
    if (from->calibrated && has_drifted(&from->first, &now)) return 0;
    if (fabsf(before->inside - before->around) < least_contrast) return 1;
    return fabsf(now.inside - before->inside) <= trust * fabsf(now.inside - before->around);
}

static float least_rating(const sgm_neighbour *from)
{
    double wanted = from->stop_rating + surer_by * fmax(0, from->distance - ball_ends);
    return from->enclosed ? from->stop_rating
                          : fmaxf(from->stop_rating, (float)fmin(from->far_rating, wanted));
}

static sgm_stop reason_by_mask(const sgm_image *picture, const sgm_look *look,
                               const sgm_neighbour *from)
{
    sgm_neighbour uncalibrated = *from;
    float iou = look->raw.predicted_iou;
    uncalibrated.calibrated = 0;
    if (from->bounded) return SGM_STOP_NONE;
    if (isnan(iou) || iou < least_rating(from)) return SGM_STOP_QUALITY;
    if ((double)look->area > most_growth * (double)from->area + area_grace) return SGM_STOP_AREA;
    return looks_alike(picture, look, &uncalibrated) ? SGM_STOP_NONE : SGM_STOP_APPEARANCE;
}

sgm_stop sgm_stop_reason(const sgm_image *picture, const sgm_look *look, const sgm_neighbour *from)
{
    double area = (double)look->area, before = (double)from->area;
    float iou = look->raw.predicted_iou;
    if (!look->area) return SGM_STOP_EMPTY;
    if (from->by_mask) return reason_by_mask(picture, look, from);
    if (isnan(iou) || (from->quality > 0 && iou < least_quality * from->quality))
        return SGM_STOP_QUALITY;
    if (area > most_growth * before + area_grace || area < least_share * before - area_grace)
        return SGM_STOP_AREA;
    if (!is_in_place(look, &from->extent)) return SGM_STOP_PLACE;
    return looks_alike(picture, look, from) ? SGM_STOP_NONE : SGM_STOP_APPEARANCE;
}

const char *sgm_stop_name(sgm_stop stop)
{
    static const char *const names[SGM_STOP_COUNT] = {
        [SGM_STOP_LIMIT] = "limit",         [SGM_STOP_EMPTY] = "empty mask",
        [SGM_STOP_QUALITY] = "low quality", [SGM_STOP_AREA] = "area jump",
        [SGM_STOP_PLACE] = "other place",   [SGM_STOP_APPEARANCE] = "other appearance",
        [SGM_STOP_MET] = "met another walk"};
    return (unsigned)stop < SGM_STOP_COUNT ? names[stop] : NULL;
}
