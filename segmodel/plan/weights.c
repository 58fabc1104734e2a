#include "plan/weights.h"
#include "backend/full.h"

#include <stdlib.h>
#include <string.h>

#include "core/sync.h"
#include "core/system.h"
#include "graph/graph_internal.h"

/* Freed values that are worth asking malloc for: it keeps up to twice the largest of them. */
#define MUCH_FREED ((size_t)16 << 20)

typedef enum entry_kind { ENTRY_VALUE, ENTRY_PACKED } entry_kind;
typedef enum entry_owner { OWNER_NOBODY, OWNER_BACKEND, OWNER_HEAP } entry_owner;

typedef struct entry {
    uint64_t key;
    entry_kind kind;
    entry_owner owner; /* of a value */
    bool bound;        /* handed out to a plan: must stay */
    void *memory;      /* a value, or a packed form (NULL: the backend wants none) */
    size_t bytes;
} entry;

struct sgm_weights {
    sgm_backend *backend;
    sgm_weights_read_fn read;
    void *user;
    sgm_mutex lock; /* taken again: computing a constant asks for its inputs */
    entry *entries;
    size_t count, capacity;
    size_t bytes;
    size_t freed; /* of host memory, since it was last given back */
};

sgm_status sgm_weights_create(sgm_backend *backend, sgm_weights_read_fn read, void *user,
                              sgm_weights **out)
{
    sgm_weights *weights = calloc(1, sizeof *weights);
    if (!weights) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a weight table");
    weights->backend = backend;
    weights->read = read;
    weights->user = user;
    sgm_mutex_create(&weights->lock);
    *out = weights;
    return SGM_OK;
}

static void release(sgm_weights *weights, entry *e)
{
    if (e->kind == ENTRY_PACKED && e->memory)
        weights->backend->ops->release(weights->backend, e->memory);
    else if (e->owner == OWNER_BACKEND)
        weights->backend->ops->free(weights->backend, e->memory);
    else if (e->owner == OWNER_HEAP)
        free(e->memory);
    if (weights->backend->ops->host_memory) weights->freed += e->bytes;
    weights->bytes -= e->bytes;
}

void sgm_weights_destroy(sgm_weights *weights)
{
    if (!weights) return;
    for (size_t i = 0; i < weights->count; i++)
        release(weights, &weights->entries[i]);
    sgm_mutex_destroy(&weights->lock);
    free(weights->entries);
    free(weights);
}

size_t sgm_weights_bytes(const sgm_weights *weights)
{
    return weights->bytes;
}

sgm_backend *sgm_weights_backend(const sgm_weights *weights)
{
    return weights->backend;
}

static entry *find(sgm_weights *weights, entry_kind kind, uint64_t key)
{
    for (size_t i = 0; i < weights->count; i++)
        if (weights->entries[i].key == key && weights->entries[i].kind == kind)
            return &weights->entries[i];
    return NULL;
}

/* Takes the entry's memory over, also when it fails. */
static sgm_status keep(sgm_weights *weights, entry e)
{
    weights->bytes += e.bytes;
    if (weights->count == weights->capacity) {
        size_t wanted = weights->capacity ? 2 * weights->capacity : 256;
        entry *grown = realloc(weights->entries, wanted * sizeof *grown);
        if (!grown) {
            release(weights, &e);
            return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a weight table");
        }
        weights->entries = grown;
        weights->capacity = wanted;
    }
    weights->entries[weights->count++] = e;
    return SGM_OK;
}

/* Host values -> an entry: borrowed or taken over where the device reads host memory, else
 * uploaded. */
static sgm_status from_host(sgm_weights *weights, const sgm_node *node, const float *values,
                            bool owned)
{
    sgm_backend *backend = weights->backend;
    size_t bytes = (size_t)sgm_shape_count(node->shape) * sizeof(float);
    entry e = {.key = node->key,
               .kind = ENTRY_VALUE,
               .memory = (void *)values,
               .owner = owned ? OWNER_HEAP : OWNER_NOBODY,
               .bytes = owned ? bytes : 0};
    if (backend->ops->host_memory) return keep(weights, e);
    e.memory = backend->ops->alloc(backend, bytes);
    e.owner = OWNER_BACKEND;
    e.bytes = bytes;
    sgm_status status = e.memory ? backend->ops->upload(backend, e.memory, values, bytes)
                                 : sgm_backend_full(backend, "no device memory for %s (%zu bytes)",
                                                    node->name, bytes);
    if (owned) free((void *)values);
    if (status != SGM_OK) {
        if (e.memory) backend->ops->free(backend, e.memory);
        return status;
    }
    return keep(weights, e);
}

static sgm_status read_param(sgm_weights *weights, const sgm_node *node)
{
    const float *values = NULL;
    bool owned = false;
    SGM_TRY(weights->read(weights->user, node->name, node->shape, &values, &owned));
    return from_host(weights, node, values, owned);
}

static sgm_status read_data(sgm_weights *weights, const sgm_node *node)
{
    /* Copied: the entry outlives the graph. */
    size_t bytes = (size_t)sgm_shape_count(node->shape) * sizeof(float);
    float *copy = malloc(bytes ? bytes : 1);
    if (!copy) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for constant data");
    memcpy(copy, node->data, bytes);
    return from_host(weights, node, copy, true);
}

static sgm_status value_locked(sgm_weights *weights, const sgm_node *node, void **value);

/* Runs one op on constant inputs, in F32. */
static sgm_status compute(sgm_weights *weights, const sgm_node *node)
{
    sgm_backend *backend = weights->backend;
    sgm_step step = {.node = node, .input_count = node->input_count};
    for (int i = 0; i < node->input_count; i++) {
        if (!node->in[i]) continue;
        step.in[i].shape = node->in[i]->shape;
        SGM_TRY(value_locked(weights, node->in[i], &step.in[i].data));
    }
    size_t bytes = (size_t)sgm_shape_count(node->shape) * sizeof(float);
    step.out.shape = node->shape;
    step.scratch_size = backend->ops->scratch(backend, &step, false);
    step.out.data = backend->ops->alloc(backend, bytes);
    step.scratch = step.scratch_size ? backend->ops->alloc(backend, step.scratch_size) : NULL;
    sgm_status status = SGM_OK;
    if (!step.out.data || (step.scratch_size && !step.scratch))
        status = sgm_backend_full(backend, "no memory for a folded constant (%zu bytes)", bytes);
    if (status == SGM_OK) status = backend->ops->forward(backend, &step);
    if (status == SGM_OK) status = backend->ops->synchronize(backend);
    if (step.scratch) backend->ops->free(backend, step.scratch);
    if (status != SGM_OK) {
        if (step.out.data) backend->ops->free(backend, step.out.data);
        return status;
    }
    return keep(weights, (entry){.key = node->key,
                                 .kind = ENTRY_VALUE,
                                 .owner = OWNER_BACKEND,
                                 .memory = step.out.data,
                                 .bytes = bytes});
}

/* A view: the value of what it views. */
static const sgm_node *viewed(const sgm_node *node)
{
    while (node->op == SGM_OP_RESHAPE)
        node = node->in[0];
    return node;
}

static sgm_status value_locked(sgm_weights *weights, const sgm_node *node, void **value)
{
    node = viewed(node);
    entry *e = find(weights, ENTRY_VALUE, node->key);
    if (!e) {
        if (node->op == SGM_OP_PARAM)
            SGM_TRY(read_param(weights, node));
        else if (node->op == SGM_OP_DATA)
            SGM_TRY(read_data(weights, node));
        else
            SGM_TRY(compute(weights, node));
        e = find(weights, ENTRY_VALUE, node->key);
    }
    *value = e->memory;
    return SGM_OK;
}

sgm_status sgm_weights_value(sgm_weights *weights, const sgm_node *node, void **value)
{
    sgm_mutex_lock(&weights->lock);
    sgm_status status = value_locked(weights, node, value);
    if (status == SGM_OK) find(weights, ENTRY_VALUE, viewed(node)->key)->bound = true;
    sgm_mutex_unlock(&weights->lock);
    return status;
}

void sgm_weights_trim(sgm_weights *weights)
{
    sgm_mutex_lock(&weights->lock);
    for (size_t i = weights->count; i-- > 0;) {
        entry *e = &weights->entries[i];
        if (e->kind == ENTRY_PACKED || e->bound || e->owner == OWNER_NOBODY) continue;
        release(weights, e);
        *e = weights->entries[--weights->count];
    }
    if (weights->freed > MUCH_FREED) {
        sgm_give_back_memory();
        weights->freed = 0;
    }
    sgm_mutex_unlock(&weights->lock);
}

/* Frees a value that no plan holds, so that packing a network never holds it twice. */
static void drop_unbound(sgm_weights *weights, uint64_t key)
{
    entry *e = find(weights, ENTRY_VALUE, key);
    if (!e || e->bound) return;
    release(weights, e);
    *e = weights->entries[--weights->count];
}

/* The same weight is packed differently by different ops and precisions, and may be packed with a
 * bias. */
static uint64_t packed_key(const sgm_step *step, bool bf16)
{
    const sgm_node *node = step->node;
    const sgm_node *bias = node->input_count > 2 ? node->in[2] : NULL;
    uint64_t key = node->in[1]->key;
    uint64_t parts[] = {(uint64_t)node->op, bf16, bias && bias->constant ? bias->key : 0,
                        (uint64_t)node->u.conv.groups * (node->op == SGM_OP_CONV2D),
                        (uint64_t)node->u.conv.stride * (node->op == SGM_OP_CONV2D)};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        key = (key ^ parts[i]) * 0x9E3779B97F4A7C15u + 0x7F4A7C15u;
    return key;
}

static sgm_status packed_locked(sgm_weights *weights, const sgm_step *step, bool bf16,
                                void **packed)
{
    uint64_t key = packed_key(step, bf16);
    entry *e = find(weights, ENTRY_PACKED, key);
    if (e) {
        *packed = e->memory;
        return SGM_OK;
    }
    sgm_step bound = *step;
    SGM_TRY(value_locked(weights, step->node->in[1], &bound.in[1].data));
    size_t bytes = 0;
    sgm_status status =
        weights->backend->ops->prepare(weights->backend, &bound, bf16, packed, &bytes);
    if (status == SGM_OK && *packed) drop_unbound(weights, viewed(step->node->in[1])->key);
    SGM_TRY(status);
    return keep(weights,
                (entry){.key = key, .kind = ENTRY_PACKED, .memory = *packed, .bytes = bytes});
}

sgm_status sgm_weights_packed(sgm_weights *weights, const sgm_step *step, bool bf16, void **packed)
{
    sgm_mutex_lock(&weights->lock);
    sgm_status status = packed_locked(weights, step, bf16, packed);
    sgm_mutex_unlock(&weights->lock);
    return status;
}
