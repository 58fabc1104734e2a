/* Finding masks with a finder that the caller keeps. */
#ifndef SEGMODEL_PREDICT_EVERYTHING_SEARCH_H
#define SEGMODEL_PREDICT_EVERYTHING_SEARCH_H

#include "predict/everything/finder.h"
#include "predict/everything/found.h"

/* sgm_everything_find within a call that the thread is in. Adds the points to finder->total. The
 * last crop stays encoded: the whole picture where there are no others. *out: NULL after a failure.
 */
sgm_status sgm_search(sgm_finder *finder, const sgm_everything_options *options,
                      sgm_everything **out);

#endif
