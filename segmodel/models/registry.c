#include "models/registry.h"

#include "checkpoint/prefix.h"
#include "checkpoint/stack.h"
#include "models/family.h"
#include "models/transformers_names.h"
#include "models/vit_blocks.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Variant `index` over all families in their order. */
static const sgm_variant *variant_at(int index)
{
    for (int f = 0; sgm_families[f] && index >= 0; f++)
        for (const sgm_variant *v = sgm_families[f]->variants; v->name; v++)
            if (index-- == 0) return v;
    return NULL;
}

const char *sgm_variant_name(int index)
{
    const sgm_variant *variant = variant_at(index);
    return variant ? variant->name : NULL;
}

const char *sgm_variant_description(int index)
{
    const sgm_variant *variant = variant_at(index);
    return variant ? variant->description : NULL;
}

static const sgm_variant *find_variant(const char *name)
{
    const sgm_variant *variant;
    for (int i = 0; (variant = variant_at(i)); i++)
        if (!strcmp(variant->name, name)) return variant;
    return NULL;
}

static void fill(const sgm_variant *variant, sgm_model_config *config)
{
    memset(config, 0, sizeof *config);
    variant->fill(config);
    snprintf(config->variant, sizeof config->variant, "%s", variant->name);
}

bool sgm_variant_config(const char *name, sgm_model_config *config)
{
    const sgm_variant *variant = find_variant(name);
    if (!variant) return false;
    fill(variant, config);
    return sgm_config_check(config) == SGM_OK;
}

static sgm_status unknown_variant(const char *name)
{
    char list[512] = "";
    size_t used = 0;
    for (int i = 0; sgm_variant_name(i) && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, ", %s", sgm_variant_name(i));
    return sgm_fail(SGM_BAD_MODEL, "no variant '%.60s'; there are: auto, sam%s", name, list);
}

int sgm_tensor_dimension(const sgm_checkpoint *file, const char *name, int axis)
{
    const sgm_stored_tensor *t = sgm_checkpoint_find(file, name);
    if (!t || axis >= t->rank || t->shape[axis] > 1 << 20) return 0;
    return (int)t->shape[axis];
}

bool sgm_file_name_contains(const sgm_checkpoint *file, const char *word)
{
    const char *path = sgm_checkpoint_path(file), *slash = strrchr(path, '/');
    char name[256];
    size_t n = 0;
    for (const char *p = slash ? slash + 1 : path; *p && n + 1 < sizeof name; p++)
        name[n++] = (char)tolower((unsigned char)*p);
    name[n] = 0;
    return strstr(name, word) != NULL;
}

/* What people call SAM is the first family, of the size that the file has: of two networks with the
 * same tensors the first one is meant, whatever the file is called. */
static const char *sized(const sgm_checkpoint *file, const char *name)
{
    char assumption[256];
    sgm_model_config first, found;
    if (!name || strcmp(name, "sam") != 0) return name;
    name = sgm_family_vit.detect(file, assumption);
    fill(&sgm_family_vit.variants[0], &first);
    fill(find_variant(name), &found);
    return found.protocol == first.protocol ? name : sgm_family_vit.variants[0].name;
}

static sgm_status named(const sgm_checkpoint *file, const char *name, sgm_model_config *config)
{
    const sgm_variant *variant = find_variant(name);
    if (!variant) return unknown_variant(name);
    fill(variant, config);
    if (config->family->adopt) config->family->adopt(file, config);
    sgm_status status = sgm_config_check(config);
    return status ? sgm_fail_in(status, sgm_checkpoint_path(file)) : SGM_OK;
}

sgm_status sgm_registry_fresh(const sgm_checkpoint *file, const char *name,
                              sgm_model_config *config)
{
    sgm_model_config plain;
    name = sized(file, name);
    if (!sgm_variant_config(name, &plain)) return unknown_variant(name);
    SGM_TRY(named(file, name, config));
    config->decoder.mask_tokens = plain.decoder.mask_tokens;
    config->classes = plain.classes;
    if (plain.vit.embed_dim == config->vit.embed_dim) { /* of the official size */
        config->image_size = plain.image_size;
        config->vit.pos_side = plain.vit.pos_side;
        config->vit.rel_global = plain.vit.rel_global;
    }
    return sgm_config_check(config);
}

static sgm_status by_metadata(const sgm_checkpoint *file, sgm_model_config *config)
{
    const char *variant = sgm_checkpoint_metadata(file, SGM_METADATA_VARIANT);
    const char *architecture = sgm_checkpoint_metadata(file, SGM_METADATA_ARCHITECTURE);
    if (!architecture) return named(file, variant, config);
    sgm_status status = sgm_config_parse(architecture, config);
    if (status) return sgm_fail_in(status, sgm_checkpoint_path(file));
    snprintf(config->variant, sizeof config->variant, "%.31s", variant ? variant : "custom");
    return SGM_OK;
}

static bool has_mark(const sgm_checkpoint *file, const sgm_family *family)
{
    return sgm_checkpoint_find(file, family->mark) ||
           (family->other_mark && sgm_checkpoint_find(file, family->other_mark));
}

/* The last family of the list whose mark is among the tensors. */
static const sgm_family *family_of(const sgm_checkpoint *file)
{
    const sgm_family *found = NULL;
    for (int i = 0; sgm_families[i]; i++)
        if (has_mark(file, sgm_families[i])) found = sgm_families[i];
    return found;
}

const char *sgm_registry_missing_hint(const sgm_checkpoint *file)
{
    enum { DIGITS = 5 };
    const char *path = sgm_checkpoint_path(file), *slash = strrchr(path, '/');
    const char *of = strstr(slash ? slash : path, "-of-");
    for (; of; of = strstr(of + 1, "-of-"))
        if (strspn(of + strlen("-of-"), "0123456789") == DIGITS &&
            strncmp(of + strlen("-of-"), "00001", DIGITS) != 0)
            return "; by its name it is one of several files, which must be joined: give the index "
                   "(.index.json) to read how";
    for (size_t i = 0; i < sgm_checkpoint_count(file); i++)
        if (strstr(sgm_checkpoint_tensor(file, i)->name, ".lora_A."))
            return "; it holds PEFT's low-rank additions: model.merge_and_unload() in Python joins "
                   "them and the network, whose state dict is then read";
    return "";
}

static sgm_status of_no_family(const sgm_checkpoint *file)
{
    char marks[512] = "";
    size_t used = 0;
    for (int i = 0; sgm_families[i] && used < sizeof marks; i++)
        used += (size_t)snprintf(marks + used, sizeof marks - used, "%s%s (%s)", i ? ", " : "",
                                 sgm_families[i]->mark, sgm_families[i]->name);
    return sgm_fail(SGM_BAD_MODEL,
                    "%s: not a checkpoint of a known network: none of these is among its %zu "
                    "tensors: %s%s",
                    sgm_checkpoint_path(file), sgm_checkpoint_count(file), marks,
                    sgm_registry_missing_hint(file));
}

/* ------------------------------------------------------------------------------------- opening */

/* The tensors by which every family is told, for prefix.h; NULL at the end. */
static void list_landmarks(const char **out, int room)
{
    int n = 0;
    out[n++] = SGM_TRANSFORMERS_MARK;
    for (int i = 0; sgm_families[i]; i++) {
        const sgm_family *family = sgm_families[i];
        const char *const marks[] = {family->mark, family->other_mark,
                                     family->overlay ? family->overlay->mark : NULL};
        for (int k = 0; k < 3; k++)
            if (marks[k] && n + 1 < room) out[n++] = marks[k];
    }
    out[n] = NULL;
}

/* A file, its tensors by the names that networks give them. */
static sgm_status open_bare(const char *path, sgm_checkpoint **out)
{
    const char *landmarks[64];
    list_landmarks(landmarks, sizeof landmarks / sizeof *landmarks);
    SGM_TRY(sgm_checkpoint_open(path, out));
    sgm_status status = sgm_checkpoint_take_off_prefix(*out, landmarks);
    if (status == SGM_OK) status = sgm_transformers_rename(*out);
    if (status == SGM_OK) return SGM_OK;
    sgm_checkpoint_close(*out);
    *out = NULL;
    return sgm_fail_in(status, path);
}

/* -------------------------------------------------------------------------------------- stacks */

#define BENEATH "image_encoder.patch_embed.proj.weight"

/* The family whose overlay this file is; NULL for a whole network. */
static const sgm_family *overlay_of(const sgm_checkpoint *file)
{
    if (sgm_checkpoint_find(file, BENEATH)) return NULL;
    for (int i = 0; sgm_families[i]; i++) {
        const sgm_overlay *overlay = sgm_families[i]->overlay;
        if (overlay && sgm_checkpoint_find(file, overlay->mark)) return sgm_families[i];
    }
    return NULL;
}

/* Channels of the base's tokens; 0: any. */
static int wanted_width(const sgm_checkpoint *file, const sgm_overlay *overlay)
{
    return overlay->wide ? sgm_tensor_dimension(file, overlay->wide, overlay->wide_axis) : 0;
}

/* What the overlay lies on, in words. */
static const char *base_of(const sgm_checkpoint *file, const sgm_overlay *overlay)
{
    switch (wanted_width(file, overlay)) {
    case 768:
        return "SAM ViT-B";
    case 1024:
        return "SAM ViT-L";
    case 1280:
        return "SAM ViT-H";
    default:
        return overlay->base;
    }
}

/* Whether the base is what the overlay was made on. */
static sgm_status check_base(const sgm_checkpoint *base, const sgm_checkpoint *file,
                             const sgm_overlay *overlay)
{
    int found = sgm_tensor_dimension(base, BENEATH, 0), wanted = wanted_width(file, overlay);
    if (!found)
        return sgm_fail(SGM_BAD_MODEL, "%s: no base for %s: it has no tensor " BENEATH,
                        sgm_checkpoint_path(base), sgm_checkpoint_path(file));
    if (!wanted || wanted == found) return SGM_OK;
    return sgm_fail(SGM_BAD_MODEL,
                    "%s: of another size than the base of %s: %d channels, not %d; it lies on %s",
                    sgm_checkpoint_path(base), sgm_checkpoint_path(file), found, wanted,
                    base_of(file, overlay));
}

static sgm_status lay(const char *base, const sgm_family *family, sgm_checkpoint *file,
                      sgm_checkpoint **out)
{
    sgm_checkpoint *beneath;
    sgm_status status = open_bare(base, &beneath);
    if (status == SGM_OK) {
        status = check_base(beneath, file, family->overlay);
        if (status == SGM_OK)
            return sgm_checkpoint_stack(beneath, file, family->overlay->names, out);
        sgm_checkpoint_close(beneath);
    }
    sgm_checkpoint_close(file);
    return status;
}

/* An overlay by its mark, and what it must have beside it. */
static sgm_status check_overlay(const sgm_checkpoint *file, const sgm_family *family)
{
    const sgm_overlay *overlay = family->overlay;
    if (!overlay->with || sgm_checkpoint_find(file, overlay->with)) return SGM_OK;
    return sgm_fail(SGM_BAD_MODEL,
                    "%s: has %s as files of %s have, but no %s, which they hold: additions of a "
                    "network that is not known",
                    sgm_checkpoint_path(file), overlay->mark, family->name, overlay->with);
}

static sgm_status alone(const sgm_checkpoint *file, const sgm_family *family)
{
    return sgm_fail(SGM_BAD_MODEL,
                    "%s: holds only what was trained of %s; it lies on %s: give that file as the "
                    "base (--base), or join both by segmodel convert --base",
                    sgm_checkpoint_path(file), family->name, base_of(file, family->overlay));
}

sgm_status sgm_registry_open(const char *path, const char *base, sgm_checkpoint **out)
{
    sgm_checkpoint *file;
    *out = NULL;
    SGM_TRY(open_bare(path, &file));
    const sgm_family *family = overlay_of(file);
    sgm_status status = family ? check_overlay(file, family) : SGM_OK;
    if (status == SGM_OK && base && family) return lay(base, family, file, out);
    if (status == SGM_OK && !base && !family) {
        *out = file;
        return SGM_OK;
    }
    if (status == SGM_OK && !base) status = alone(file, family);
    if (status == SGM_OK)
        status = sgm_fail(SGM_BAD_MODEL, "%s: a whole network, which lies on no base", path);
    sgm_checkpoint_close(file);
    return status;
}

/* What is taken for granted besides which network it is. */
static void assume(const sgm_checkpoint *file, const char *name, char assumption[256])
{
    const sgm_variant *variant = find_variant(name);
    sgm_model_config config;
    if (!variant) return;
    fill(variant, &config);
    if (config.family->assume && !assumption[0]) config.family->assume(file, assumption);
}

sgm_status sgm_registry_detect(const sgm_checkpoint *file, const char *variant,
                               sgm_model_config *config, char assumption[256])
{
    assumption[0] = 0;
    const char *stored = sgm_checkpoint_metadata(file, SGM_METADATA_VARIANT);
    bool given = variant && strcmp(variant, "auto") != 0;
    variant = sized(file, variant);
    if (given && !(stored && !strcmp(stored, variant))) {
        assume(file, variant, assumption);
        return named(file, variant, config);
    }
    if (stored || sgm_checkpoint_metadata(file, SGM_METADATA_ARCHITECTURE))
        return by_metadata(file, config);
    const sgm_family *family = family_of(file);
    if (!family) return of_no_family(file);
    if (family->refuse) SGM_TRY(family->refuse(file));
    const char *name = family->detect ? family->detect(file, assumption) : family->variants[0].name;
    assume(file, name, assumption);
    return named(file, name, config);
}
