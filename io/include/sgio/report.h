/* The JSON report of a run. The caller fills the struct; nothing in it is owned. Strings are UTF-8;
 * NULL strings, negative counts and numbers that are not finite become null. */
#ifndef SGIO_REPORT_H
#define SGIO_REPORT_H

#include "sgio/outputs.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sgio_report_slice {
    int64_t index;  /* along the slice axis, 0-based */
    double quality; /* predicted IoU, 0-1 */
    int64_t voxels; /* of the segment in this slice */
    int prompted;   /* decoded from the user's prompts, not propagated */
} sgio_report_slice;

typedef struct sgio_report_segment {
    const char *name;
    int label; /* in the written file */
    int64_t voxels;
    int64_t first[3],
        last[3]; /* corner voxels of its bounding box, inclusive; not read without voxels */
    double ml;
    double quality; /* mean over its slices */
    /* Why the walks below the first and above the last prompted slice ended, or NULL. */
    const char *stopped_below, *stopped_above;
    const sgio_report_slice *slices;
    size_t slice_count;
} sgio_report_segment;

typedef struct sgio_report {
    const char *program, *version;
    const char *input, *output;
    int64_t size[3];
    double spacing[3];
    int spacing_assumed; /* sgio_volume's: millimetres and millilitres are a guess */
    const char *modality;
    int hounsfield;   /* whether voxels were taken for Hounsfield units */
    const char *axis; /* "k" or "axial", as chosen */
    double window[2]; /* intensities mapped to black and white */
    const char *model, *variant, *device, *precision;
    int threads; /* asked for; -1: as many as there are */
    double seconds_total, seconds_read, seconds_load, seconds_predict, seconds_write;
    int64_t peak_memory; /* bytes */
    int64_t embeddings_encoded, embeddings_cached;
    const sgio_report_segment *segments;
    size_t segment_count;
    const char *const *warnings;
    size_t warning_count;
} sgio_report;

/* Writes the report. `outputs` as in sgio/outputs.h. Text that is not UTF-8 is written with the
 * bytes replaced. Errors: SGIO_UNWRITABLE, SGIO_OUT_OF_MEMORY. */
sgio_status sgio_report_write(sgio_outputs *outputs, const char *path, const sgio_report *report);

/* The largest resident size of this process so far in bytes, or -1. */
int64_t sgio_peak_memory(void);

#ifdef __cplusplus
}
#endif
#endif
