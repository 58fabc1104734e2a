#include "graph/graph.h"
#include "graph/graph_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sgm_graph {
    sgm_node **nodes;
    int count, capacity;
    void **blocks; /* names, data */
    int block_count, block_capacity;
    sgm_param_check_fn check;
    void *user;
    sgm_status status;
    char message[512];
};

int64_t sgm_shape_count(sgm_shape shape)
{
    int64_t count = 1;
    for (int i = 0; i < shape.ndim; i++)
        count *= shape.dim[i];
    return count;
}

bool sgm_shape_equal(sgm_shape a, sgm_shape b)
{
    if (a.ndim != b.ndim) return false;
    for (int i = 0; i < a.ndim; i++)
        if (a.dim[i] != b.dim[i]) return false;
    return true;
}

char *sgm_shape_text(sgm_shape shape, char text[64])
{
    size_t used = 0;
    snprintf(text, 64, "scalar");
    for (int i = 0; i < shape.ndim && used < 63; i++)
        used +=
            (size_t)snprintf(text + used, 64 - used, i ? "x%lld" : "%lld", (long long)shape.dim[i]);
    return text;
}

sgm_graph *sgm_graph_create(sgm_param_check_fn check, void *user)
{
    sgm_graph *graph = calloc(1, sizeof *graph);
    if (!graph) {
        (void)sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a graph");
        return NULL;
    }
    graph->check = check;
    graph->user = user;
    return graph;
}

void sgm_graph_destroy(sgm_graph *graph)
{
    if (!graph) return;
    for (int i = 0; i < graph->count; i++)
        free(graph->nodes[i]);
    for (int i = 0; i < graph->block_count; i++)
        free(graph->blocks[i]);
    free(graph->nodes);
    free(graph->blocks);
    free(graph);
}

sgm_status sgm_graph_status(const sgm_graph *graph)
{
    if (graph->status != SGM_OK) sgm_set_message(graph->message);
    return graph->status;
}

sgm_node *sgm_graph_fail(sgm_graph *graph, sgm_status status)
{
    if (graph->status == SGM_OK) {
        graph->status = status;
        snprintf(graph->message, sizeof graph->message, "%s", sgm_last_message());
    }
    return NULL;
}

sgm_node *sgm_graph_refuse(sgm_graph *graph, const char *format, ...)
{
    if (graph->status != SGM_OK) return NULL;
    va_list args;
    va_start(args, format);
    vsnprintf(graph->message, sizeof graph->message, format, args);
    va_end(args);
    graph->status = SGM_INVALID_ARGUMENT;
    return NULL;
}

int sgm_graph_size(const sgm_graph *graph)
{
    return graph->count;
}

sgm_node *sgm_graph_node(const sgm_graph *graph, int id)
{
    return graph->nodes[id];
}

/* Room for one more pointer; doubles. */
static bool grow(void ***list, int count, int *capacity)
{
    if (count < *capacity) return true;
    int wanted = *capacity ? *capacity * 2 : 64;
    void **grown = realloc(*list, (size_t)wanted * sizeof *grown);
    if (!grown) return false;
    *list = grown;
    *capacity = wanted;
    return true;
}

void *sgm_graph_copy(sgm_graph *graph, const void *bytes, size_t size)
{
    if (graph->status != SGM_OK) return NULL;
    void *copy = malloc(size ? size : 1);
    if (!copy || !grow(&graph->blocks, graph->block_count, &graph->block_capacity)) {
        free(copy);
        return sgm_graph_fail(graph, sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a graph"));
    }
    memcpy(copy, bytes, size);
    graph->blocks[graph->block_count++] = copy;
    return copy;
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * 0x100000001B3u;
    return hash;
}

/* Equal keys must mean equal values within one model: op, numbers, inputs, and for leaves the name
 * or the numbers themselves. */
static uint64_t constant_key(const sgm_node *node)
{
    uint64_t hash = 0xCBF29CE484222325u;
    hash = mix(hash, &node->op, sizeof node->op);
    hash = mix(hash, &node->u, sizeof node->u);
    for (int i = 0; i < node->shape.ndim; i++)
        hash = mix(hash, &node->shape.dim[i], sizeof(int64_t));
    for (int i = 0; i < node->input_count; i++)
        hash = mix(hash, node->in[i] ? &node->in[i]->key : &(uint64_t){0}, sizeof(uint64_t));
    if (node->op == SGM_OP_PARAM) hash = mix(hash, node->name, strlen(node->name));
    if (node->op == SGM_OP_DATA)
        hash = mix(hash, node->data, (size_t)sgm_shape_count(node->shape) * sizeof(float));
    return hash;
}

static bool is_constant(const sgm_node *node)
{
    if (node->op == SGM_OP_INPUT) return false;
    for (int i = 0; i < node->input_count; i++)
        if (node->in[i] && !node->in[i]->constant) return false;
    return true;
}

sgm_node *sgm_graph_append(sgm_graph *graph, const sgm_node *node)
{
    if (graph->status != SGM_OK) return NULL;
    sgm_node *added = malloc(sizeof *added);
    if (!added || !grow((void ***)&graph->nodes, graph->count, &graph->capacity)) {
        free(added);
        return sgm_graph_fail(graph, sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a graph"));
    }
    *added = *node;
    added->id = graph->count;
    if (!added->name) added->name = "";
    added->constant = is_constant(added);
    added->key = added->constant ? constant_key(added) : 0;
    graph->nodes[graph->count++] = added;
    return added;
}

sgm_node *sgm_input(sgm_graph *g, const char *name, sgm_dtype dtype, sgm_shape shape)
{
    sgm_node node = {.op = SGM_OP_INPUT, .shape = shape, .dtype = dtype};
    node.name = sgm_graph_copy(g, name, strlen(name) + 1);
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_param(sgm_graph *g, sgm_shape shape, const char *name_format, ...)
{
    char name[256];
    va_list args;
    va_start(args, name_format);
    vsnprintf(name, sizeof name, name_format, args);
    va_end(args);
    if (g->status != SGM_OK) return NULL;
    if (g->check) {
        sgm_status status = g->check(g->user, name, shape);
        if (status != SGM_OK) return sgm_graph_fail(g, status);
    }
    sgm_node node = {.op = SGM_OP_PARAM, .shape = shape};
    node.name = sgm_graph_copy(g, name, strlen(name) + 1);
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_data(sgm_graph *g, sgm_shape shape, const float *values)
{
    sgm_node node = {.op = SGM_OP_DATA, .shape = shape};
    node.data = sgm_graph_copy(g, values, (size_t)sgm_shape_count(shape) * sizeof(float));
    return sgm_graph_append(g, &node);
}

const char *sgm_op_name(sgm_op op)
{
    static const char *const names[SGM_OP_COUNT] = {
        [SGM_OP_INPUT] = "input",
        [SGM_OP_PARAM] = "param",
        [SGM_OP_DATA] = "data",
        [SGM_OP_RESHAPE] = "reshape",
        [SGM_OP_LINEAR] = "linear",
        [SGM_OP_CONV2D] = "conv2d",
        [SGM_OP_CONV_TRANSPOSE] = "conv_transpose",
        [SGM_OP_LAYERNORM] = "layernorm",
        [SGM_OP_ATTENTION] = "attention",
        [SGM_OP_ATTENTION_GRID] = "attention_grid",
        [SGM_OP_MATMUL] = "matmul",
        [SGM_OP_ADD] = "add",
        [SGM_OP_MUL] = "mul",
        [SGM_OP_AFFINE] = "affine",
        [SGM_OP_ACT] = "act",
        [SGM_OP_CONCAT] = "concat",
        [SGM_OP_SLICE] = "slice",
        [SGM_OP_PERMUTE] = "permute",
        [SGM_OP_GATHER] = "gather",
        [SGM_OP_RESIZE] = "resize",
        [SGM_OP_MAXPOOL] = "maxpool",
        [SGM_OP_FOURIER] = "fourier",
        [SGM_OP_SOFTMAX] = "softmax",
        [SGM_OP_SUM] = "sum",
        [SGM_OP_LOSS] = "loss",
    };
    return op >= 0 && op < SGM_OP_COUNT && names[op] ? names[op] : "unknown";
}

char *sgm_graph_dump(const sgm_graph *graph)
{
    size_t room = (size_t)graph->count * 256 + 1, used = 0;
    char *text = malloc(room), shape[64];
    if (!text) return NULL;
    text[0] = 0;
    for (int i = 0; i < graph->count; i++) {
        const sgm_node *n = graph->nodes[i];
        used += (size_t)snprintf(text + used, room - used, "%4d %-14s %-18s%s", n->id,
                                 sgm_op_name(n->op), sgm_shape_text(n->shape, shape),
                                 n->constant ? " const" : "");
        for (int k = 0; k < n->input_count; k++)
            used += (size_t)snprintf(text + used, room - used, " %d", n->in[k] ? n->in[k]->id : -1);
        used += (size_t)snprintf(text + used, room - used, " %.100s\n", n->name);
    }
    return text;
}
