/* make_hash_model MANIFEST OUT.safetensors [f32|f16|bf16]: a checkpoint of hash weights. */
#include "hash_model.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *type = argc == 4 ? argv[3] : "f32";
    sgm_stored_type stored = strcmp(type, "bf16") == 0  ? SGM_STORED_BF16
                             : strcmp(type, "f16") == 0 ? SGM_STORED_F16
                                                        : SGM_STORED_F32;
    if (argc < 3 || argc > 4 || (stored == SGM_STORED_F32 && strcmp(type, "f32") != 0)) {
        fprintf(stderr, "usage: make_hash_model MANIFEST OUT.safetensors [f32|f16|bf16]\n");
        return 1;
    }
    if (hash_model_write(argv[1], argv[2], stored, NULL, NULL) == SGM_OK) return 0;
    fprintf(stderr, "make_hash_model: %s\n", sgm_last_message());
    return 4;
}
