/* The JSON report of a case. */
#ifndef PROMPTSEG_PIPELINE_RESULT_REPORT_H
#define PROMPTSEG_PIPELINE_RESULT_REPORT_H

#include "result.h"

/* Writes it into the set. 0, or an exit code with a message. Paths, also those inside warnings, are
 * shown as options->paths says. */
int result_report_write(const pipeline_result *result, const pipeline_engine *engine,
                        const pipeline_case *work, const result_options *options,
                        const result_maker *maker, sgio_outputs *outputs);

#endif
