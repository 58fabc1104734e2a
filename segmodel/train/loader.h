/* Batches prepared ahead by worker threads, delivered in order. */
#ifndef SEGMODEL_TRAIN_LOADER_H
#define SEGMODEL_TRAIN_LOADER_H

#include "train/sampler.h"

typedef struct sgm_loader sgm_loader;

/* Batch k holds samples k * batch_size ... and behind them room for `extra` more, which the caller
 * fills; the first delivered is `first_batch`. threads >= 1. */
sgm_status sgm_loader_create(const sgm_sampler *sampler, const sgm_sampler_options *options,
                             int batch_size, int extra, uint64_t first_batch, int threads,
                             sgm_loader **out);
/* Stops the workers and waits for them; in a forked child, where there are none, only frees. */
void sgm_loader_destroy(sgm_loader *loader);

/* The next batch; valid (and the caller's to change) until the following call. A worker's error
 * comes with its message. */
sgm_status sgm_loader_next(sgm_loader *loader, sgm_batch **batch);

#endif
