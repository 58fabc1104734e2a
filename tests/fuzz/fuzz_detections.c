/* Any bytes as a detector's file: JSON where they begin with a bracket, else a table. What is read
 * holds boxes that are some. */
#include "fuzz_result.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "detections.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const detection *d)
{
    if (!isfinite(d->x0) || !isfinite(d->y0) || !isfinite(d->score)) abort();
    if (!(d->x0 < d->x1) || !(d->y0 < d->y1) || !d->image) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    detections found;
    char *text = malloc(size + 1);
    if (!text) abort();
    memcpy(text, data, size);
    text[size] = 0;
    const int is_json = *text == '[' || *text == '{';
    fuzz_refused = detections_parse(is_json ? "fuzz.json" : "fuzz.csv", text, size, &found) != 0;
    if (fuzz_refused) return 0;
    for (size_t i = 0; i < found.count; i++)
        check(&found.items[i]);
    if (found.count) {
        char *image = strdup(found.items[found.count - 1].image);
        if (!image || detections_keep(&found, "fuzz", image) != 0 || !found.count) abort();
        free(image);
    }
    detections_clear(&found);
    return 0;
}
