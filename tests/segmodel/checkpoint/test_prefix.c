/* What stands before a network's names in a file, found by the names themselves. */
#include "byte_builder.h"
#include "check.h"
#include "checkpoint/prefix.h"

static const char *const landmarks[] = {"encoder.first.weight", "inc.0.weight", NULL};

static byte_builder file;

/* A .safetensors of one byte per name. */
static sgm_checkpoint *open_names(int count, const char *const *names)
{
    static char json[1 << 14];
    size_t used = (size_t)snprintf(json, sizeof json, "{");
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(json + used, sizeof json - used,
                                 "%s\"%s\":{\"dtype\":\"U8\",\"shape\":[1],"
                                 "\"data_offsets\":[%d,%d]}",
                                 i ? "," : "", names[i], i, i + 1);
    snprintf(json + used, sizeof json - used, "}");
    file.size = 0;
    put_safetensors(&file, json, (size_t)count);
    sgm_checkpoint *c = NULL;
    CHECK_OK(sgm_checkpoint_open_memory(file.bytes, file.size, "names.safetensors", &c));
    return c;
}

#define NAMES(...)                                                                                 \
    (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), (const char *const[])      \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* The names must be found, and `prefix` be what was taken off. */
static void check_names(const char *prefix, int count, const char *const *wanted, int names,
                        const char *const *name)
{
    sgm_checkpoint *c = open_names(names, name);
    if (c && check_that(sgm_checkpoint_take_off_prefix(c, landmarks) == SGM_OK, name[0], __FILE__,
                        __LINE__)) {
        for (int i = 0; i < count; i++) {
            const sgm_stored_tensor *t = sgm_checkpoint_find(c, wanted[i]);
            check_that(t && !t->beside, name[0], __FILE__, __LINE__);
        }
        check_that(strcmp(sgm_checkpoint_prefix(c), prefix) == 0, name[0], __FILE__, __LINE__);
    }
    sgm_checkpoint_close(c);
}

static void check_refused(const char *message, int count, const char *const *names)
{
    sgm_checkpoint *c = open_names(count, names);
    if (c) CHECK_STATUS(sgm_checkpoint_take_off_prefix(c, landmarks), SGM_BAD_MODEL, message);
    sgm_checkpoint_close(c);
}

#define BARE NAMES("encoder.first.weight", "decoder.b")

static void any_prefix_is_taken_off(void)
{
    static const char *const prefixes[] = {"",
                                           "module.",
                                           "sam_model.",
                                           "module.sam.",
                                           "model.sam_model.",
                                           "medsam_model.",
                                           "module._orig_mod.",
                                           "_orig_mod.module.",
                                           "base_model.model.model.net.",
                                           "student/model.",
                                           "encoder."};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        char first[96], second[96];
        snprintf(first, sizeof first, "%sencoder.first.weight", prefixes[i]);
        snprintf(second, sizeof second, "%sdecoder.b", prefixes[i]);
        check_names(prefixes[i], BARE, NAMES(first, second));
        check_names(prefixes[i], BARE, NAMES(second, first));
    }
    /* A component, not the end of one; and without a landmark, nothing. */
    check_names("", NAMES("my_encoder.first.weight"), NAMES("my_encoder.first.weight", "b"));
    check_names("", NAMES("model.a", "model.b"), NAMES("model.a", "model.b"));
    check_names("net.", NAMES("inc.0.weight", "out.bias"),
                NAMES("net.inc.0.weight", "net.out.bias"));
}

static void modules_in_between_are_left_out(void)
{
    check_names("", BARE, NAMES("encoder._orig_mod.first.weight", "decoder.b"));
    check_names("", BARE, NAMES("encoder.module.first.weight", "decoder.module._orig_mod.b"));
    check_names("model.", BARE,
                NAMES("model._orig_mod.encoder._fsdp_wrapped_module.first.weight",
                      "model._orig_mod.decoder._checkpoint_wrapped_module.b"));
    check_names("", NAMES("encoder.first.weight", "b.module", "b._orig_mod"),
                NAMES("encoder.first.weight", "b.module", "b._orig_mod"));
    check_refused("'decoder.b' occurs twice",
                  NAMES("encoder.first.weight", "decoder.b", "decoder._orig_mod.b"));
}

#define TEN(p)                                                                                     \
    p "encoder.first.weight", p "1", p "2", p "3", p "4", p "5", p "6", p "7", p "8", p "9"

static void what_stands_beside_is_marked(void)
{
    sgm_checkpoint *c = open_names(NAMES(TEN("net.sam."), "loss.weight"));
    if (c && CHECK_OK(sgm_checkpoint_take_off_prefix(c, landmarks))) {
        const sgm_stored_tensor *loss = sgm_checkpoint_find(c, "loss.weight");
        CHECK(loss && loss->beside);
        CHECK(sgm_checkpoint_find(c, "9") && !sgm_checkpoint_find(c, "9")->beside);
    }
    sgm_checkpoint_close(c);
    /* One in ten at most: else it is a part of the network. */
    check_refused("the network below 'sam.' is a part of a larger one: 2 of 12 tensors are not "
                  "its, 'head.weight' for one",
                  NAMES(TEN("sam."), "head.weight", "head.bias"));
    check_refused("k[4:]: v for k, v in weights.items() if k.startswith(\"sam.\")",
                  NAMES(TEN("sam."), "head.weight", "head.bias"));
    check_refused("'9' is there with and without 'net.' before it", NAMES(TEN("net."), "9"));
}

static void several_networks_are_named(void)
{
    check_refused("several networks in one file, below 'student.' (10 tensors), 'teacher.' (10 "
                  "tensors): keep one of them",
                  NAMES(TEN("student."), TEN("teacher.")));
    check_refused("below no prefix (10 tensors), 'ema.' (10 tensors)",
                  NAMES(TEN(""), TEN("ema.module.")));
    check_refused("k[4:]: v for k, v in weights.items() if k.startswith(\"ema.\")",
                  NAMES(TEN(""), TEN("ema.module.")));
    /* What was left out of the names is in those that Python sees; what they begin with is, too. */
    check_refused("k[20:]: v for k, v in weights.items() if k.startswith(\"model._orig_mod.ema.\")",
                  NAMES(TEN(""), TEN("model._orig_mod.ema.")));
    check_refused("k[15:]: v for k, v in weights.items() if k.startswith(\"module.student.\")",
                  NAMES(TEN("module.student."), TEN("module.teacher.")));
    check_refused("k[8:]: v for k, v in weights.items() if k.startswith(\"student/\")",
                  NAMES(TEN("student/"), TEN("teacher/"))); /* a .safetensors has no dicts */
    check_refused("below 'sam.' (10 tensors), 'sam.unet.' (2 tensors)",
                  NAMES(TEN("sam."), "sam.unet.inc.0.weight", "sam.unet.b"));
    check_refused("'d.' (1 tensors), ...",
                  NAMES("a.inc.0.weight", "b.inc.0.weight", "c.inc.0.weight", "d.inc.0.weight",
                        "e.inc.0.weight", "f.inc.0.weight", "g.inc.0.weight", "h.inc.0.weight",
                        "i.inc.0.weight", "j.inc.0.weight"));
    /* A small one inside is no second network. */
    check_names("sam.", NAMES("encoder.first.weight", "9", "unet.inc.0.weight"),
                NAMES(TEN("sam."), "sam.unet.inc.0.weight"));
}

int main(void)
{
    any_prefix_is_taken_off();
    modules_in_between_are_left_out();
    what_stands_beside_is_marked();
    several_networks_are_named();
    return check_report();
}
