#include "models/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sgm_status out_of_range(const char *key, int value)
{
    return sgm_fail(SGM_BAD_MODEL, "architecture: %s cannot be %d", key, value);
}

#define WITHIN(key, value, low, high)                                                              \
    do {                                                                                           \
        if ((value) < (low) || (value) > (high)) return out_of_range(key, (value));                \
    } while (0)

static sgm_status check_vit(sgm_model_config *config)
{
    const sgm_vit_config *vit = &config->vit;
    WITHIN("embed", vit->embed_dim, 8, 8192);
    WITHIN("depth", vit->depth, 1, 64);
    WITHIN("heads", vit->heads, 1, 256);
    if (vit->embed_dim % vit->heads) return out_of_range("heads", vit->heads);
    WITHIN("patch", vit->patch, 1, 64);
    WITHIN("window", vit->window, 1, 256);
    WITHIN("pos_side", vit->pos_side, 1, 1024);
    WITHIN("rel_window", vit->rel_window, 1, 4095);
    WITHIN("rel_global", vit->rel_global, 1, 4095);
    if (config->image_size % vit->patch) return out_of_range("image", config->image_size);
    config->grid = config->image_size / vit->patch;
    return SGM_OK;
}

/* The encoder must have features of the sides that the decoder upsamples to. */
static sgm_status check_high_res(const sgm_model_config *config)
{
    const sgm_tiny_vit_config *tiny = &config->tiny;
    WITHIN("high_res", config->decoder.high_res, 0, 1);
    if (!config->decoder.high_res) return SGM_OK;
    if (config->encoder != SGM_ENCODER_TINY_VIT) return out_of_range("high_res", 1);
    int side = config->image_size / tiny->stem_stride[0];
    bool fits = side == 4 * config->grid && side / tiny->stem_stride[1] == 2 * config->grid;
    return fits ? SGM_OK : out_of_range("high_res", 1);
}

static sgm_status check_tiny(sgm_model_config *config)
{
    const sgm_tiny_vit_config *tiny = &config->tiny;
    if (tiny->stem_kernel != 1 && tiny->stem_kernel != 3)
        return out_of_range("stem_kernel", tiny->stem_kernel);
    int stride = 1;
    for (int i = 0; i < 2; i++) {
        WITHIN("stem_strides", tiny->stem_stride[i], 1, 4);
        stride *= tiny->stem_stride[i];
    }
    for (int i = 0; i < 4; i++) {
        WITHIN("dims", tiny->dim[i], 2, 4096);
        WITHIN("depths", tiny->depth[i], 0, 64);
        WITHIN("heads", tiny->heads[i], 1, 256);
        WITHIN("windows", tiny->window[i], 1, 256);
        if (i && tiny->dim[i] % tiny->heads[i]) return out_of_range("heads", tiny->heads[i]);
        if (i < 3) {
            WITHIN("merge_strides", tiny->merge_stride[i], 1, 2);
            stride *= tiny->merge_stride[i];
        }
    }
    WITHIN("expand", tiny->expand, 1, 16);
    WITHIN("mlp_ratio", tiny->mlp_ratio, 1, 16);
    if (config->image_size % stride) return out_of_range("image", config->image_size);
    config->grid = config->image_size / stride;
    return SGM_OK;
}

sgm_status sgm_config_check(sgm_model_config *config)
{
    const sgm_decoder_config *decoder = &config->decoder;
    WITHIN("image", config->image_size, 16, 4096);
    WITHIN("decoder_dim", decoder->dim, 8, 4096);
    WITHIN("decoder_heads", decoder->heads, 1, 256);
    if (decoder->dim % 8 || decoder->dim % (2 * decoder->heads))
        return out_of_range("decoder_dim", decoder->dim);
    WITHIN("decoder_depth", decoder->depth, 1, 16);
    WITHIN("decoder_mlp", decoder->mlp_dim, 1, 65536);
    WITHIN("mask_tokens", decoder->mask_tokens, 1, 256);
    SGM_TRY(config->encoder == SGM_ENCODER_TINY_VIT ? check_tiny(config) : check_vit(config));
    WITHIN("grid", config->grid, 2, config->image_size / 4);
    return check_high_res(config);
}

int sgm_config_embedding_rows(const sgm_model_config *config)
{
    return config->decoder.high_res ? 4 * config->grid : config->grid;
}

static const char *const encoder_names[] = {"vit", "tiny_vit", "samus", "samihs"};
static const char *const norm_names[] = {"batch", "layer", "none"};
static const char *const protocol_names[] = {"sam", "medsam", "lite_medsam", "samus", "samihs"};

/* The text form of every number: where it is and how many there are. */
typedef struct field {
    const char *key;
    int *value;
    int count;
} field;

enum { MAX_FIELDS = 24 };

static int list_fields(sgm_model_config *c, field f[MAX_FIELDS])
{
    int n = 0;
    f[n++] = (field){"image", &c->image_size, 1};
    f[n++] = (field){"decoder_dim", &c->decoder.dim, 1};
    f[n++] = (field){"decoder_heads", &c->decoder.heads, 1};
    f[n++] = (field){"decoder_depth", &c->decoder.depth, 1};
    f[n++] = (field){"decoder_mlp", &c->decoder.mlp_dim, 1};
    f[n++] = (field){"mask_tokens", &c->decoder.mask_tokens, 1};
    f[n++] = (field){"high_res", &c->decoder.high_res, 1};
    if (c->encoder == SGM_ENCODER_TINY_VIT) {
        f[n++] = (field){"stem_kernel", &c->tiny.stem_kernel, 1};
        f[n++] = (field){"stem_strides", c->tiny.stem_stride, 2};
        f[n++] = (field){"dims", c->tiny.dim, 4};
        f[n++] = (field){"depths", c->tiny.depth, 4};
        f[n++] = (field){"heads", c->tiny.heads, 4};
        f[n++] = (field){"windows", c->tiny.window, 4};
        f[n++] = (field){"merge_strides", c->tiny.merge_stride, 3};
        f[n++] = (field){"expand", &c->tiny.expand, 1};
        f[n++] = (field){"mlp_ratio", &c->tiny.mlp_ratio, 1};
        return n;
    }
    f[n++] = (field){"embed", &c->vit.embed_dim, 1};
    f[n++] = (field){"depth", &c->vit.depth, 1};
    f[n++] = (field){"heads", &c->vit.heads, 1};
    f[n++] = (field){"patch", &c->vit.patch, 1};
    f[n++] = (field){"window", &c->vit.window, 1};
    f[n++] = (field){"pos_side", &c->vit.pos_side, 1};
    f[n++] = (field){"rel_window", &c->vit.rel_window, 1};
    f[n++] = (field){"rel_global", &c->vit.rel_global, 1};
    return n;
}

static int find_name(const char *const names[], int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], name)) return i;
    return -1;
}

static sgm_status bad_word(const char *word)
{
    return sgm_fail(SGM_BAD_MODEL, "architecture: '%.60s' is not understood", word);
}

/* "48,96,128,192" into exactly f->count numbers. */
static sgm_status parse_numbers(const char *text, const field *f)
{
    const char *at = text;
    for (int i = 0; i < f->count; i++) {
        char *end;
        long value = strtol(at, &end, 10);
        if (end == at || value < -1000000 || value > 1000000 ||
            *end != (i + 1 < f->count ? ',' : '\0'))
            return bad_word(text);
        f->value[i] = (int)value;
        at = end + 1;
    }
    return SGM_OK;
}

/* "global=2,5,8,11" sets bits. */
static sgm_status parse_blocks(const char *text, uint64_t *blocks)
{
    *blocks = 0;
    for (const char *at = text; *at;) {
        char *end;
        long block = strtol(at, &end, 10);
        if (end == at || block < 0 || block > 63 || (*end && *end != ',')) return bad_word(text);
        *blocks |= UINT64_C(1) << block;
        at = *end ? end + 1 : end;
    }
    return SGM_OK;
}

static sgm_status parse_pair(sgm_model_config *config, const char *key, const char *value)
{
    if (!strcmp(key, "protocol")) {
        int i = find_name(protocol_names, 5, value);
        if (i < 0) return bad_word(value);
        config->protocol = (sgm_protocol)i;
        return SGM_OK;
    }
    if (!strcmp(key, "norm")) {
        int i = find_name(norm_names, 3, value);
        if (i < 0) return bad_word(value);
        config->tiny.norm = (sgm_tiny_norm)i;
        return SGM_OK;
    }
    if (!strcmp(key, "global")) return parse_blocks(value, &config->vit.global_blocks);
    field fields[MAX_FIELDS];
    int count = list_fields(config, fields);
    for (int i = 0; i < count; i++)
        if (!strcmp(fields[i].key, key)) return parse_numbers(value, &fields[i]);
    return bad_word(key);
}

sgm_status sgm_config_parse(const char *text, sgm_model_config *config)
{
    char copy[1024], *rest = copy, *word;
    if (strlen(text) >= sizeof copy)
        return sgm_fail(SGM_BAD_MODEL, "architecture: the description is too long");
    strcpy(copy, text);
    memset(config, 0, sizeof *config);
    word = strtok_r(rest, " ", &rest);
    int kind = word ? find_name(encoder_names, 4, word) : -1;
    if (kind < 0) return bad_word(word ? word : "");
    config->encoder = (sgm_encoder_kind)kind;
    config->decoder = (sgm_decoder_config){256, 8, 2, 2048, 4, 0};
    while ((word = strtok_r(rest, " ", &rest))) {
        char *equals = strchr(word, '=');
        if (!equals) return bad_word(word);
        *equals = 0;
        SGM_TRY(parse_pair(config, word, equals + 1));
    }
    return sgm_config_check(config);
}

static size_t append_numbers(char *text, size_t used, const char *key, const int *value, int count)
{
    used += (size_t)snprintf(text + used, 512 - used, " %s=", key);
    for (int i = 0; i < count && used < 500; i++)
        used += (size_t)snprintf(text + used, 512 - used, "%s%d", i ? "," : "", value[i]);
    return used < 511 ? used : 511;
}

void sgm_config_text(const sgm_model_config *config, char text[512])
{
    sgm_model_config copy = *config;
    field fields[MAX_FIELDS];
    int count = list_fields(&copy, fields);
    bool tiny = config->encoder == SGM_ENCODER_TINY_VIT;
    size_t used = (size_t)snprintf(text, 512, "%s protocol=%s", encoder_names[config->encoder],
                                   protocol_names[config->protocol]);
    if (tiny)
        used +=
            (size_t)snprintf(text + used, 512 - used, " norm=%s", norm_names[config->tiny.norm]);
    for (int i = 0; i < count; i++)
        used = append_numbers(text, used, fields[i].key, fields[i].value, fields[i].count);
    int blocks[64], block_count = 0;
    for (int i = 0; i < 64; i++)
        if (config->vit.global_blocks >> i & 1) blocks[block_count++] = i;
    if (!tiny && block_count) append_numbers(text, used, "global", blocks, block_count);
}
