#include "metrics_golden.h"

#include "checkpoint/checkpoint.h"

const char *golden_folder;

json_t *golden_json(const char *name)
{
    char path[1024];
    json_error_t error;
    snprintf(path, sizeof path, "%s/%s", golden_folder, name);
    json_t *root = json_load_file(path, 0, &error);
    if (!root) fail_msg("%s: %s", path, error.text);
    return root;
}

golden_array golden_bytes(const char *file, const char *name)
{
    char path[1024];
    sgm_checkpoint *checkpoint;
    golden_array out = {0};
    snprintf(path, sizeof path, "%s/%s", golden_folder, file);
    if (sgm_checkpoint_open(path, &checkpoint) != SGM_OK) fail_msg("%s", sgm_last_message());
    const sgm_stored_tensor *tensor = sgm_checkpoint_find(checkpoint, name);
    if (!tensor || tensor->rank > 3) fail_msg("%s has no array %s of rank 1 to 3", path, name);
    out.rank = tensor->rank;
    out.count = tensor->count;
    for (int i = 0; i < tensor->rank; i++)
        out.shape[i] = tensor->shape[i];
    out.data = malloc(out.count + 1);
    float *values = malloc((out.count + 1) * sizeof *values);
    assert_non_null(out.data);
    assert_non_null(values);
    sgm_stored_tensor_read_f32(tensor, values);
    for (size_t i = 0; i < out.count; i++)
        out.data[i] = (uint8_t)values[i];
    free(values);
    sgm_checkpoint_close(checkpoint);
    return out;
}

double golden_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_number(value)) return json_number_value(value);
    if (!json_is_string(value)) fail_msg("the golden has no number '%s'", key);
    return strcmp(json_string_value(value), "inf") == 0 ? INFINITY : NAN;
}

void check_near(const char *where, const char *what, double value, double wanted, double tolerance)
{
    if (isnan(wanted) && isnan(value)) return;
    if (isinf(wanted) && value == wanted) return;
    double scale = fabs(wanted) > 1 ? fabs(wanted) : 1;
    if (!(fabs(value - wanted) <= tolerance * scale))
        fail_msg("%s, %s: %.12g, wanted %.12g", where, what, value, wanted);
}
