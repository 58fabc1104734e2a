/* The device, the model and the embedding cache: made once, then asked for case after case. */
#ifndef PROMPTSEG_PIPELINE_ENGINE_H
#define PROMPTSEG_PIPELINE_ENGINE_H

#include "case.h"
#include "options.h"

typedef struct pipeline_engine {
    sgm_context *context;
    sgm_model *model;
    sgm_model_info info;
    sgm_embedding_store store;
    char *model_path; /* owned */
    int threads;      /* as asked for */
    double seconds_load;
} pipeline_engine;

/* Opens device, model and cache, in this order. An assumption about the model's family is a
 * warning. 0, or an exit code with a message. Release with pipeline_engine_close, also after a
 * failure. One engine is used by one thread at a time; several engines may work side by side. */
int pipeline_engine_open(const engine_options *options, cli_warnings *warnings,
                         pipeline_engine *out);
void pipeline_engine_close(pipeline_engine *engine);

/* How far a case is: fraction 0-1 and a short phrase. */
typedef struct engine_progress {
    sgm_progress_fn update;
    void *user;
} engine_progress;

/* Segments the case: *out holds one object per prompted segment, in the prompts' order; release it
 * with sgm_volume_result_clear. CLI_EXIT_CANCELLED after a signal. */
int pipeline_engine_segment(pipeline_engine *engine, const pipeline_case *work,
                            engine_progress progress, sgm_volume_result *out);

#endif
