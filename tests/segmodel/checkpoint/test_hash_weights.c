/* The synthetic weights and pictures equal those the goldens were computed with, and whole
 * checkpoints of them come out of the manifests. goldens/hash_selftest.txt has the references. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "checkpoint/checkpoint.h"
#include "hash_model.h"
#include "hash_weights.h"

#include <stdlib.h>

#include "portable.h"

static int64_t parse_shape(const char *text, int *rank, int64_t shape[8])
{
    int64_t count = 1;
    *rank = 0;
    for (const char *s = text; *s && *rank < 8; s += *s == ',') {
        shape[*rank] = strtoll(s, (char **)&s, 10);
        count *= shape[(*rank)++];
    }
    return count;
}

static void check_weight(const char *line)
{
    char name[128], dims[64];
    double base, scale;
    float first[4];
    int rank;
    int64_t shape[8];
    unsigned long long want;
    if (!CHECK(sscanf(line, "weight %127s %63s %lf %lf %llx %f %f %f %f", name, dims, &base, &scale,
                      &want, &first[0], &first[1], &first[2], &first[3]) == 9))
        return;
    size_t count = (size_t)parse_shape(dims, &rank, shape);
    hash_rule rule = hash_rule_for(name, rank, shape);
    float *values = malloc(count * sizeof *values);
    if (!CHECK(values != NULL)) return;
    hash_weights(name, rank, shape, values);
    check_that(rule.base == base && rule.scale == scale, name, __FILE__, __LINE__);
    check_close(name, values, first, 4, 0, 0);
    check_that(hash_fnv1a64(values, count * sizeof *values) == want, name, __FILE__, __LINE__);
    hash_fill(name, rule, 3, 1, first);
    CHECK(first[0] == values[3]); /* any range gives the same values */
    free(values);
}

static void check_image(const char *line)
{
    int width, height, variant;
    long want_sum, sum = 0;
    unsigned long long want;
    if (!CHECK(sscanf(line, "image %d %d %d %ld %llx", &width, &height, &variant, &want_sum,
                      &want) == 5))
        return;
    size_t size = (size_t)width * (size_t)height * 3;
    uint8_t *pixels = malloc(size);
    if (!CHECK(pixels != NULL)) return;
    hash_image(width, height, variant, pixels);
    for (size_t i = 0; i < size; i++)
        sum += pixels[i];
    CHECK(sum == want_sum);
    CHECK(hash_fnv1a64(pixels, size) == want);
    free(pixels);
}

static void check_masks(const char *line)
{
    static float logits[64 * 64];
    static uint8_t disc[64 * 64];
    unsigned long long want;
    if (sscanf(line, "mask_logits 64 20 30 17 %*f %llx", &want) == 1) {
        hash_mask_logits(64, 20, 30, 17, logits);
        CHECK(hash_fnv1a64(logits, sizeof logits) == want);
    } else if (CHECK(sscanf(line, "disc_mask 64 20 30 17 %*d %llx", &want) == 1)) {
        hash_disc_mask(64, 20, 30, 17, disc);
        CHECK(hash_fnv1a64(disc, sizeof disc) == want);
    }
}

static void values_equal_the_references(void)
{
    char line[512];
    int lines = 0;
    FILE *file = fopen(GOLDENS "/hash_selftest.txt", "r");
    if (!CHECK(file != NULL)) return;
    for (; fgets(line, sizeof line, file); lines++) {
        if (line[0] == '#') continue;
        if (strncmp(line, "weight ", 7) == 0)
            check_weight(line);
        else if (strncmp(line, "image ", 6) == 0)
            check_image(line);
        else
            check_masks(line);
    }
    fclose(file);
    CHECK(lines > 18);
}

/* The smallest manifest, read back: every tensor is there and holds its function. */
static void a_manifest_becomes_a_checkpoint(void)
{
    const char *path = "scratch_hash.safetensors";
    sgm_checkpoint *c;
    if (!CHECK_OK(hash_model_write(GOLDENS "/manifests/surgicalsam_tokens2.txt", path,
                                   SGM_STORED_F32, "architecture", "surgicalsam")) ||
        !CHECK_OK(sgm_checkpoint_open(path, &c)))
        return;
    CHECK(sgm_checkpoint_count(c) == 131);
    CHECK(strcmp(sgm_checkpoint_metadata(c, "architecture"), "surgicalsam") == 0);
    const sgm_stored_tensor *t =
        sgm_checkpoint_find(c, "sam_decoder_state_dict/iou_prediction_head.layers.2.bias");
    float want[4];
    if (CHECK(t && t->count == 4)) {
        hash_weights("mask_decoder.iou_prediction_head.layers.2.bias", 1, t->shape, want);
        check_close("hashed under another name", t->data, want, 4, 0, 0);
    }
    sgm_checkpoint_close(c);
    unlink(path);
}

int main(void)
{
    values_equal_the_references();
    a_manifest_becomes_a_checkpoint();
    CHECK_STATUS(hash_model_write("no.txt", "x", SGM_STORED_F32, NULL, NULL), SGM_BAD_MODEL,
                 "no.txt");
    return check_report();
}
