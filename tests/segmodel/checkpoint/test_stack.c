/* A base beneath an overlay, and what is said when one of them is missing or of another size. */
#include "../check.h"

#include "checkpoint/checkpoint_write.h"
#include "checkpoint/stack.h"
#include "models/registry.h"

#include <stdlib.h>

typedef struct part {
    const char *name;
    int64_t rows, columns;
    float first;
} part;

static void save(const char *path, const char *key, const char *value, int count,
                 const part parts[])
{
    sgm_checkpoint_writer *writer;
    float *kept[4]; /* borrowed by the writer */
    if (!CHECK_OK(sgm_checkpoint_writer_create(&writer))) return;
    for (int i = 0; i < count; i++) {
        const int64_t shape[2] = {parts[i].rows, parts[i].columns};
        float *tensor = calloc((size_t)(shape[0] * shape[1]), sizeof *tensor);
        kept[i] = tensor;
        tensor[0] = parts[i].first;
        sgm_stored_tensor t = {.name = parts[i].name,
                               .type = SGM_STORED_F32,
                               .rank = 2,
                               .shape = {shape[0], shape[1]},
                               .data = tensor};
        CHECK(sgm_stored_tensor_set_sizes(&t));
        CHECK_OK(sgm_checkpoint_writer_add(writer, &t, SGM_STORED_F32));
    }
    CHECK_OK(sgm_checkpoint_writer_metadata(writer, key, value));
    CHECK_OK(sgm_checkpoint_writer_save(writer, path));
    sgm_checkpoint_writer_destroy(writer);
    for (int i = 0; i < count; i++)
        free(kept[i]);
}

static float first_of(const sgm_checkpoint *c, const char *name)
{
    float value = -1;
    const sgm_stored_tensor *t = sgm_checkpoint_find(c, name);
    if (CHECK(t != NULL)) CHECK_OK(sgm_stored_tensor_read_f32_range(t, 0, 1, &value));
    return value;
}

static void the_overlay_lies_above(void)
{
    const part base[] = {{"decoder.a", 2, 2, 1}, {"encoder.b", 3, 3, 2}};
    const part overlay[] = {{"dict/a", 4, 1, 3}, {"w", 2, 1, 4}};
    sgm_checkpoint *below, *above, *stack = NULL;
    save("base.safetensors", "variant", "sam", 2, base);
    save("overlay.safetensors", "classes", "knife,fork", 2, overlay);
    if (!CHECK_OK(sgm_checkpoint_open("base.safetensors", &below)) ||
        !CHECK_OK(sgm_checkpoint_open("overlay.safetensors", &above)) ||
        !CHECK_OK(sgm_checkpoint_stack(below, above, "other/=x.,dict/=decoder.", &stack)))
        return;
    CHECK(sgm_checkpoint_count(stack) == 3);
    CHECK(first_of(stack, "decoder.a") == 3 && first_of(stack, "encoder.b") == 2);
    CHECK(first_of(stack, "w") == 4 && !sgm_checkpoint_find(stack, "dict/a"));
    CHECK(!sgm_checkpoint_metadata(stack, "variant")); /* the base's, which the two are not */
    CHECK(!strcmp(sgm_checkpoint_metadata(stack, "classes"), "knife,fork"));
    CHECK(!strcmp(sgm_checkpoint_path(stack), "overlay.safetensors on base.safetensors"));
    sgm_checkpoint_close(stack);
}

static void names_may_not_meet(void)
{
    const part base[] = {{"z", 1, 1, 0}}, overlay[] = {{"dict/a", 1, 1, 0}, {"x.a", 1, 1, 0}};
    sgm_checkpoint *below, *above, *stack;
    save("base.safetensors", "k", "v", 1, base);
    save("overlay.safetensors", "k", "v", 2, overlay);
    if (CHECK_OK(sgm_checkpoint_open("base.safetensors", &below)) &&
        CHECK_OK(sgm_checkpoint_open("overlay.safetensors", &above)))
        CHECK_STATUS(sgm_checkpoint_stack(below, above, "dict/=x.", &stack), SGM_BAD_MODEL,
                     "'x.a' occurs twice");
}

/* SAMed's file of additions: alone, on ViT-H, on something else; and a whole network on a base. */
static void says_what_is_wrong_with_a_base(void)
{
    const part additions[] = {{"w_a_000", 4, 768, 0},
                              {"w_b_000", 768, 4, 0},
                              {"mask_decoder.mask_tokens.weight", 9, 4, 0}};
    const part wide[] = {{"w_a_000", 4, 1280, 0}, {"mask_decoder.mask_tokens.weight", 9, 4, 0}};
    const part large[] = {{"w_a_000", 4, 1024, 0}, {"mask_decoder.mask_tokens.weight", 9, 4, 0}};
    const part huge[] = {{"image_encoder.patch_embed.proj.weight", 1280, 4, 0}};
    const part fits[] = {{"image_encoder.patch_embed.proj.weight", 768, 4, 0}};
    sgm_checkpoint *c = NULL;
    save("lora.safetensors", "k", "v", 3, additions);
    save("wide.safetensors", "k", "v", 2, wide);
    save("large.safetensors", "k", "v", 2, large);
    save("huge.safetensors", "k", "v", 1, huge);
    save("fits.safetensors", "k", "v", 1, fits);
    CHECK_STATUS(sgm_registry_open("lora.safetensors", NULL, &c), SGM_BAD_MODEL,
                 "lora.safetensors: holds only what was trained of samed; it lies on SAM ViT-B");
    CHECK_STATUS(sgm_registry_open("lora.safetensors", "huge.safetensors", &c), SGM_BAD_MODEL,
                 "huge.safetensors: of another size than the base of lora.safetensors: 1280 "
                 "channels, not 768; it lies on SAM ViT-B");
    CHECK_STATUS(sgm_registry_open("wide.safetensors", NULL, &c), SGM_BAD_MODEL,
                 "it lies on SAM ViT-H: give that file as the base");
    CHECK_STATUS(sgm_registry_open("large.safetensors", "huge.safetensors", &c), SGM_BAD_MODEL,
                 "1280 channels, not 1024; it lies on SAM ViT-L");
    CHECK_STATUS(sgm_registry_open("lora.safetensors", "lora.safetensors", &c), SGM_BAD_MODEL,
                 "no base for");
    CHECK_STATUS(sgm_registry_open("fits.safetensors", "fits.safetensors", &c), SGM_BAD_MODEL,
                 "lies on no base");
    CHECK(c == NULL);
    if (CHECK_OK(sgm_registry_open("lora.safetensors", "fits.safetensors", &c)))
        CHECK(sgm_checkpoint_count(c) == 4);
    sgm_checkpoint_close(c);
}

/* Other networks' additions have SAMed's names, and SAM's decoder is none of theirs. */
static void additions_without_a_decoder_are_not_sameds(void)
{
    const part additions[] = {{"w_a_000", 4, 768, 0}, {"w_b_000", 768, 4, 0}};
    const part base[] = {{"image_encoder.patch_embed.proj.weight", 768, 4, 0},
                         {"mask_decoder.mask_tokens.weight", 4, 256, 0}};
    sgm_checkpoint *c = NULL;
    save("only_lora.safetensors", "k", "v", 2, additions);
    save("with_masks.safetensors", "k", "v", 2, base);
    CHECK_STATUS(sgm_registry_open("only_lora.safetensors", "with_masks.safetensors", &c),
                 SGM_BAD_MODEL,
                 "only_lora.safetensors: has w_a_000 as files of samed have, but no "
                 "mask_decoder.mask_tokens.weight, which they hold");
    CHECK_STATUS(sgm_registry_open("only_lora.safetensors", NULL, &c), SGM_BAD_MODEL,
                 "a network that is not known");
    CHECK(c == NULL);
}

/* A base that segmodel convert wrote says what it is: that is not what the two together are. */
static void a_converted_base_is_a_base(void)
{
    const part additions[] = {{"w_a_000", 4, 768, 0},
                              {"w_b_000", 768, 4, 0},
                              {"mask_decoder.mask_tokens.weight", 9, 256, 0}};
    const part base[] = {{"image_encoder.patch_embed.proj.weight", 768, 4, 0}};
    static const char *const keys[] = {"variant", "architecture", "mask_threshold", "classes"};
    static const char *const values[] = {"sam_vit_b", "vit image=1024", "-0.3", "liver"};
    save("additions.safetensors", "format", "pt", 3, additions);
    for (int i = 0; i < 4; i++) {
        sgm_checkpoint *c = NULL;
        sgm_model_config config;
        char assumption[256];
        save("converted.safetensors", keys[i], values[i], 1, base);
        if (CHECK_OK(sgm_registry_open("additions.safetensors", "converted.safetensors", &c)) &&
            CHECK_OK(sgm_registry_detect(c, NULL, &config, assumption))) {
            CHECK(!sgm_checkpoint_metadata(c, keys[i]));
            CHECK(!strcmp(config.variant, "samed") && config.classes == 8);
        }
        sgm_checkpoint_close(c);
    }
}

/* What a training program put before the names of either file, or between a module and its parts.
 */
static void wrapped_files_are_opened_by_their_own_names(void)
{
    const part additions[] = {{"module._orig_mod.w_a_000", 4, 768, 0},
                              {"module._orig_mod.w_b_000", 768, 4, 0},
                              {"module._orig_mod.mask_decoder.mask_tokens.weight", 9, 4, 0}};
    const part base[] = {
        {"medsam_model.image_encoder._orig_mod.patch_embed.proj.weight", 768, 4, 0}};
    const part two[] = {{"student.image_encoder.patch_embed.proj.weight", 768, 4, 0},
                        {"teacher.image_encoder.patch_embed.proj.weight", 1280, 4, 0}};
    sgm_checkpoint *c = NULL;
    save("wrapped.safetensors", "k", "v", 3, additions);
    save("wrapped_base.safetensors", "k", "v", 1, base);
    save("two.safetensors", "k", "v", 2, two);
    if (CHECK_OK(sgm_registry_open("wrapped.safetensors", "wrapped_base.safetensors", &c))) {
        CHECK(sgm_checkpoint_find(c, "w_a_000") && sgm_checkpoint_find(c, "w_b_000"));
        CHECK(sgm_checkpoint_find(c, "image_encoder.patch_embed.proj.weight"));
        CHECK(!strcmp(sgm_checkpoint_prefix(c), "module._orig_mod."));
    }
    sgm_checkpoint_close(c);
    CHECK_STATUS(sgm_registry_open("two.safetensors", NULL, &c), SGM_BAD_MODEL,
                 "two.safetensors: several networks in one file, below 'student.' (1 tensors), "
                 "'teacher.' (1 tensors)");
    CHECK_STATUS(sgm_registry_open("wrapped.safetensors", "two.safetensors", &c), SGM_BAD_MODEL,
                 "two.safetensors: several networks");
    CHECK(c == NULL);
}

/* What PEFT saves: the network's own names are gone. */
static void low_rank_additions_of_peft_are_told(void)
{
    const part additions[] = {{"base_model.model.mask_decoder.a.lora_A.weight", 4, 256, 0},
                              {"base_model.model.mask_decoder.a.lora_B.weight", 256, 4, 0}};
    sgm_checkpoint *c = NULL;
    sgm_model_config config;
    char assumption[256];
    save("adapter_model.safetensors", "format", "pt", 2, additions);
    if (!CHECK_OK(sgm_registry_open("adapter_model.safetensors", NULL, &c))) return;
    CHECK_STATUS(sgm_registry_detect(c, NULL, &config, assumption), SGM_BAD_MODEL,
                 "PEFT's low-rank additions: model.merge_and_unload() in Python joins");
    sgm_checkpoint_close(c);
}

/* One of several files: its own message would only say what it lacks. */
static void a_part_of_the_weights_is_told_by_its_name(void)
{
    const part rest[] = {{"mask_decoder.mask_tokens.weight", 4, 256, 0}};
    static const char *const names[] = {"m-00002-of-00002.safetensors",
                                        "m-00001-of-00001.safetensors", "best-of-3.safetensors"};
    for (int i = 0; i < 3; i++) {
        sgm_checkpoint *c = NULL;
        sgm_model_config config;
        char assumption[256];
        save(names[i], "format", "pt", 1, rest);
        if (!CHECK_OK(sgm_registry_open(names[i], NULL, &c))) continue;
        CHECK_STATUS(sgm_registry_detect(c, NULL, &config, assumption), SGM_BAD_MODEL,
                     "not a checkpoint of a known network");
        CHECK((strstr(sgm_last_message(), "one of several files, which must be joined") != NULL) ==
              (i == 0));
        sgm_checkpoint_close(c);
    }
}

int main(void)
{
    a_part_of_the_weights_is_told_by_its_name();
    low_rank_additions_of_peft_are_told();
    wrapped_files_are_opened_by_their_own_names();
    the_overlay_lies_above();
    names_may_not_meet();
    says_what_is_wrong_with_a_base();
    additions_without_a_decoder_are_not_sameds();
    a_converted_base_is_a_base();
    return check_report();
}
