/* Any text as a file of given prompts for a pack of two pictures; what is accepted becomes tokens.
 */
#include "fuzz_result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "train/given_prompts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Made once; the file is gone as soon as it is mapped. */
static const sgm_pack *two_pictures(void)
{
    static sgm_pack *pack;
    static const uint8_t pixels[16] = {0};
    char path[64] = "/tmp/fuzz_given_prompts_XXXXXX";
    sgm_pack_writer *writer;
    sgm_pack_set set = {"set", "none", "", false, false, false};
    int index, file = pack ? -1 : mkstemp(path);
    if (file < 0) return pack;
    close(file);
    if (sgm_pack_writer_open(path, 0, &writer) == SGM_OK) {
        sgm_pack_writer_set(writer, &set, &index);
        for (int i = 0; i < 2; i++) {
            sgm_pack_item item = {.id = i ? "b" : "a",
                                  .width = 4,
                                  .height = 4,
                                  .channels = 1,
                                  .label_bytes = 1,
                                  .image = pixels,
                                  .label = pixels};
            sgm_pack_writer_item(writer, &item);
        }
        if (sgm_pack_writer_finish(writer) == SGM_OK) sgm_pack_open(path, &pack);
    }
    unlink(path);
    return pack;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sgm_pack *pack = two_pictures();
    sgm_given_prompts *given;
    volatile size_t points = 0;
    char *text = malloc(size + 1);
    if (!text || !pack) abort();
    memcpy(text, data, size);
    text[size] = 0;
    fuzz_refused = sgm_given_prompts_parse(text, "fuzz", pack, &given) != SGM_OK;
    for (int i = 0; !fuzz_refused && i < 2; i++) {
        const sgm_given_prompt *g = sgm_given_prompt_of(given, i);
        if (g) points += sgm_given_as_prompt(g).point_count;
    }
    if (!fuzz_refused) sgm_given_prompts_destroy(given);
    free(text);
    return 0;
}
