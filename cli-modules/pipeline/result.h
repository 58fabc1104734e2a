/* What a case becomes: the segmentation, and the files that tell of it. */
#ifndef PROMPTSEG_PIPELINE_RESULT_H
#define PROMPTSEG_PIPELINE_RESULT_H

#include "engine.h"
#include "sgio/labelmap.h"

typedef struct pipeline_result {
    sgio_segmentation segmentation; /* the initial one with the segments of this run */
    sgm_volume_result found;        /* one object per prompted segment */
    double seconds_predict, seconds_write;
    int *labels;      /* value of each segment in a plain label map; known once it is written */
    int64_t *written; /* voxels of each segment in the file; NULL: all of them, or not written */
} pipeline_result;

/* Asks the engine, unless <output> cannot hold the values that names have. The initial segmentation
 * moves from the case into the result; empty segments are warnings. 0, or an exit code with a
 * message. Release with pipeline_result_clear, also after a failure. */
int pipeline_result_make(pipeline_engine *engine, pipeline_case *work,
                         const result_options *options, engine_progress progress,
                         pipeline_result *out);

/* The case's initial segmentation, moved from there, as the result (--convert). */
void pipeline_result_keep(pipeline_case *work, pipeline_result *out);
void pipeline_result_clear(pipeline_result *result);

/* Who made the result, for its report. */
typedef struct result_maker {
    const char *program, *version;
    double started; /* cli_clock() at the beginning of the run */
    /* The program's own files, asked for after the segmentation and before the report: they appear
     * with all others or not at all. 0, or an exit code with a message. NULL: there are none. */
    int (*write_more)(void *user, sgio_outputs *outputs);
    void *user;
} result_maker;

/* Whether <output> can hold a segmentation of this case, and nothing that was read would be lost by
 * the files that are written beside it: to be asked before the engine is. */
int pipeline_result_check(const pipeline_case *work, const result_options *options);

/* Writes picture, report and segmentation, all or none; what is lost in them is a warning. The
 * engine is for the report, NULL without one. 0, or an exit code with a message. */
int pipeline_result_write(pipeline_result *result, const pipeline_engine *engine,
                          const pipeline_case *work, const result_options *options,
                          const result_maker *maker);

/* Of a segment, or of the i-th prompted one: what the written file holds, where a plain label map
 * has voxels of overlapping segments only once; else what was found. */
int64_t pipeline_result_segment_voxels(const pipeline_result *result, size_t segment);
double pipeline_result_segment_ml(const pipeline_result *result, size_t segment);
int64_t pipeline_result_voxels(const pipeline_result *result, const pipeline_case *work, size_t i);

/* The value of the i-th prompted segment in the written file; 0: the file holds names. */
int pipeline_result_label(const pipeline_result *result, const pipeline_case *work, size_t i);

/* Of the i-th prompted segment. */
double pipeline_result_ml(const pipeline_result *result, const pipeline_case *work, size_t i);
double pipeline_result_quality(const pipeline_result *result, size_t i);

#endif
