/* golden_convert VARIANT SAM.safetensors GOLDEN
 *
 * A network made out of SAM ViT-B against the official loader of its family: what is taken as it
 * is, what is resized and to which values, what is new. */
#include "golden_file.h"

#include "../check.h"

#include "core/names.h"
#include "tool/fresh_network.h"

#include <stdlib.h>

int check_count, check_failures;

/* Whether a JSON list in the metadata has the name. */
static bool lists(const golden_file *file, const char *key, const char *name)
{
    const char *text = sgm_checkpoint_metadata(file->checkpoint, key);
    char quoted[256];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    return text && strstr(text, quoted);
}

static void check_tensor(const golden_file *file, const sgm_family *family, const fresh_tensor *t)
{
    bool resized = lists(file, "resized", t->name);
    bool remade = sgm_name_matches(family->remade, t->name);
    bool additions = sgm_name_matches("w_a_*,w_b_*", t->name); /* not in the golden */
    bool is_new = additions || lists(file, "not_in_sam", t->name);
    if (t->origin == SGM_ORIGIN_LOADED) check_that(!resized && !is_new, t->name, "loaded", 0);
    if (t->origin == SGM_ORIGIN_RESIZED) {
        check_that(resized && !remade, t->name, "resized", 0);
        /* a place near 120 has 8e-6 of a step in float, and the order of rounding is torch's own */
        golden_check(file, t->name, t->shape, t->values, 1e-5);
    }
    if (t->origin == SGM_ORIGIN_ZERO || t->origin == SGM_ORIGIN_MADE)
        check_that(is_new || (resized && remade), t->name, "new", 0);
}

int main(int argc, char **argv)
{
    golden_file file = {0};
    fresh_network fresh;
    if (argc < 4) return 1;
    snprintf(file.label, sizeof file.label, "convert");
    if (CHECK_OK(sgm_checkpoint_open(argv[3], &file.checkpoint)) &&
        CHECK_OK(fresh_network_make(argv[2], NULL, argv[1], &fresh))) {
        size_t loaded = 0, resized = 0;
        for (size_t i = 0; i < fresh.count; i++) {
            check_tensor(&file, fresh.config.family, &fresh.tensors[i]);
            loaded += fresh.tensors[i].origin == SGM_ORIGIN_LOADED;
            resized += fresh.tensors[i].origin == SGM_ORIGIN_RESIZED;
        }
        const char *copied = sgm_checkpoint_metadata(file.checkpoint, "copied");
        printf("  %s: %zu loaded, %zu resized of %zu; the official loader took %s\n", argv[1],
               loaded, resized, fresh.count, copied);
        /* tensors of points and masks, which a network prompted by class is never asked by */
        size_t idle = fresh.config.classes ? 15 : 0;
        CHECK(copied && loaded + idle == (size_t)atoi(copied));
        fresh_network_clear(&fresh);
    }
    golden_close(&file);
    return check_report();
}
