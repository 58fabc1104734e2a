#include "train/bank.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomic_file.h"
#include "train/rng.h"

sgm_status sgm_bank_create(int classes, int items, sgm_bank *out)
{
    *out = (sgm_bank){classes, items, calloc((size_t)classes + 1, sizeof *out->slots)};
    if (!out->slots) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the image bank");
    for (int c = 0; c < classes; c++)
        out->slots[c].item = -1;
    return SGM_OK;
}

void sgm_bank_clear(sgm_bank *bank)
{
    free(bank->slots);
    *bank = (sgm_bank){0};
}

void sgm_bank_put(sgm_bank *bank, int item, int label)
{
    if (label < 1 || label > bank->classes) return;
    bank->slots[label - 1].item = item;
    bank->slots[label - 1].drawn++;
}

int sgm_bank_pick(const sgm_bank *bank, uint64_t key, uint64_t index)
{
    uint64_t filled = 0;
    for (int c = 0; c < bank->classes; c++)
        filled += bank->slots[c].item >= 0;
    if (!filled) return 0;
    uint64_t wanted = (sgm_rng_mix(key + (index + 1) * 0x9E3779B97F4A7C15u) >> 32) * filled >> 32;
    for (int c = 0;; c++)
        if (bank->slots[c].item >= 0 && wanted-- == 0) return c + 1;
}

char *sgm_bank_text(const sgm_bank *bank)
{
    size_t room = (size_t)bank->classes * 64 + 1, used = 0;
    char *text = calloc(room, 1);
    for (int c = 0; text && c < bank->classes; c++)
        used +=
            (size_t)snprintf(text + used, room - used, "%s%d %" PRId64 " %" PRId64, c ? "," : "",
                             bank->slots[c].item, bank->slots[c].drawn, bank->slots[c].joined);
    return text;
}

sgm_status sgm_bank_read(sgm_bank *bank, const char *text)
{
    const char *at = text;
    for (int c = 0; c < bank->classes; c++) {
        sgm_bank_slot *s = &bank->slots[c];
        int used = 0;
        if (!at ||
            sscanf(at, "%d %" SCNd64 " %" SCNd64 "%n", &s->item, &s->drawn, &s->joined, &used) !=
                3 ||
            s->item < -1 || s->item >= bank->items || s->drawn < 0 || s->joined < 0)
            return sgm_fail(SGM_BAD_MODEL, "the state's image bank is missing or damaged");
        at += used;
        at += *at == ',';
    }
    return SGM_OK;
}

sgm_status sgm_bank_save(const sgm_bank *bank, const char *names, const char *path)
{
    sgm_atomic_file file;
    SGM_TRY(sgm_atomic_file_create(path, &file));
    fputs("class,name,from_pictures,from_bank\n", file.stream);
    for (int c = 0; c < bank->classes; c++) {
        size_t n = names ? strcspn(names, ",") : 0;
        fprintf(file.stream, "%d,%.*s,%" PRId64 ",%" PRId64 "\n", c + 1, (int)n, names ? names : "",
                bank->slots[c].drawn, bank->slots[c].joined);
        if (names) names += n + (names[n] == ',');
    }
    return sgm_atomic_file_commit(&file);
}
