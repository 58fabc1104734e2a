/* Any text as the settings of a study; lists that are accepted rise and fit. */
#include "fuzz_result.h"

#include <stdlib.h>
#include <string.h>

#include "study/study_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const sgm_study_config *config)
{
    if (config->count_count < 1 || config->count_count > SGM_STUDY_LIST) abort();
    if (config->noise_count < 1 || config->noise_count > SGM_STUDY_LIST) abort();
    for (int i = 0; i < config->count_count; i++)
        if (config->counts[i] > SGM_STUDY_MOST_POINTS ||
            (i && config->counts[i] <= config->counts[i - 1]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sgm_study_config config;
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    fuzz_refused = sgm_study_config_parse(text, "fuzz", &config) != SGM_OK;
    if (!fuzz_refused) check(&config);
    free(text);
    return 0;
}
