/* Any text as the settings of a training run; what is accepted describes a network that can be
 * built, or that is refused with a reason. */
#include "fuzz_result.h"

#include <stdlib.h>
#include <string.h>

#include "train/train_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sgm_train_config config;
    volatile bool frozen = false;
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    fuzz_refused = sgm_train_config_parse(text, "fuzz", &config) != SGM_OK;
    if (!fuzz_refused)
        frozen = sgm_name_matches(config.freeze, "image_encoder.layers.0.blocks.0.attn.qkv.weight");
    (void)frozen;
    free(text);
    return 0;
}
