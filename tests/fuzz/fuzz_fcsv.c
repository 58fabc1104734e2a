/* Point lists, .fcsv and .csv. */
#include "fuzz_result.h"

#include "prompts_parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgio_prompts prompts = {0};
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    sgio_prompt_source source = {"fuzz", "fuzz", text, size, NULL, NULL};
    fuzz_refused = sgio_prompts_parse_csv(&source, &prompts) != SGIO_OK;
    sgio_prompts_clear(&prompts);
    fuzz_refused &= sgio_prompts_parse_fcsv(&source, &prompts) != SGIO_OK;
    sgio_prompts_clear(&prompts);
    free(text);
    return 0;
}
