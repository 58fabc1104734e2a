/* The graph: how a network is written down once for every device, precision and purpose.
 *
 * Model code emits nodes; each node is one op with one output value. Shapes are checked while the
 * graph is built: the first mistake sticks to the graph (sgm_graph_status) and every later call
 * returns NULL quietly, so model code needs no error handling of its own. plan.h turns a graph into
 * memory and steps; backends execute the steps.
 *
 * Layouts. Row-major; channels last: tokens are [.., C], images and feature maps [B, H, W, C].
 * Weights keep PyTorch's layout (linear [out, in], convolution [out, in/groups, kh, kw], transposed
 * convolution [in, out, 2, 2]): backends repack them once.
 *
 * What depends on parameters only (folded batch norms, LoRA sums, resized position embeddings) is
 * ordinary graph code; an inference plan computes it once. */
#ifndef SEGMODEL_GRAPH_GRAPH_H
#define SEGMODEL_GRAPH_GRAPH_H

#include <stdbool.h>

#include "core/status.h"

#define SGM_MAX_DIMS 5
#define SGM_MAX_INPUTS 8

typedef enum sgm_dtype { SGM_F32 = 0, SGM_BF16 = 1, SGM_I32 = 2 } sgm_dtype;

typedef struct sgm_shape {
    int ndim; /* 0: a scalar */
    int64_t dim[SGM_MAX_DIMS];
} sgm_shape;

/* SGM_SHAPE(1, 64, 64, 256) */
#define SGM_SHAPE(...)                                                                             \
    ((sgm_shape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})

int64_t sgm_shape_count(sgm_shape shape);
bool sgm_shape_equal(sgm_shape a, sgm_shape b);
/* "1x64x64x256" into `text`; returns text. */
char *sgm_shape_text(sgm_shape shape, char text[64]);

typedef enum sgm_op {
    SGM_OP_INPUT,          /* filled by the caller before each run */
    SGM_OP_PARAM,          /* a named weight */
    SGM_OP_DATA,           /* numbers written into the graph (grids of coordinates) */
    SGM_OP_RESHAPE,        /* view */
    SGM_OP_LINEAR,         /* x[.., K], w[N, K], b[N]? -> [.., N] */
    SGM_OP_CONV2D,         /* x[B,H,W,I], w[O,I/g,kh,kw], b[O]? -> [B,H',W',O] */
    SGM_OP_CONV_TRANSPOSE, /* kernel 2, stride 2: x[B,H,W,I], w[I,O,2,2], b[O]? -> [B,2H,2W,O] */
    SGM_OP_LAYERNORM,      /* over the last axis: x, gamma[C], beta[C] */
    SGM_OP_ATTENTION,      /* q[B,N,C], k[B|1,M,C], v[B|1,M,C] -> [B,N,C] */
    SGM_OP_ATTENTION_GRID, /* qkv[B,H,W,3C], pad[3C]?, bias... -> [B,H,W,C]; see below */
    SGM_OP_MATMUL,         /* a[B|1,M,K], b[B|1,N,K] -> a * transpose(b) [B,M,N] */
    SGM_OP_ADD,            /* with broadcasting, as NumPy */
    SGM_OP_MUL,            /* with broadcasting */
    SGM_OP_AFFINE,         /* scale * x + shift, numbers */
    SGM_OP_ACT,            /* elementwise function */
    SGM_OP_CONCAT,         /* up to 8 values along one axis */
    SGM_OP_SLICE,          /* start, count along one axis */
    SGM_OP_PERMUTE,
    SGM_OP_GATHER,  /* table[R, C], index[..] int32 -> [.., C] */
    SGM_OP_RESIZE,  /* bilinear, x[B,H,W,C] */
    SGM_OP_MAXPOOL, /* 2 x 2, stride 2, x[B,H,W,C] */
    SGM_OP_FOURIER, /* coordinates[.., 2] in [-1, 1], gaussian[2, F] -> [.., 2F]: sin, cos */
    SGM_OP_SOFTMAX, /* over the last axis */
    SGM_OP_SUM,     /* over all but the first `keep` axes */
    SGM_OP_LOSS,    /* a training loss, scalar; kinds in graph/loss.h */
    SGM_OP_COUNT
} sgm_op;

typedef enum sgm_act {
    SGM_ACT_NONE,
    SGM_ACT_RELU,
    SGM_ACT_GELU, /* the exact one, with erf */
    SGM_ACT_SIGMOID,
    SGM_ACT_TANH,
    SGM_ACT_LEAKY_RELU, /* slope 0.01 */
    SGM_ACT_EXP,
    SGM_ACT_LOG,
    SGM_ACT_RSQRT
} sgm_act;

/* Bias of SGM_OP_ATTENTION_GRID. */
typedef enum sgm_grid_bias {
    SGM_BIAS_NONE,
    SGM_BIAS_REL_POS, /* decomposed (SAM): rel_h[2Sh-1, hd], rel_w[2Sw-1, hd], UNSCALED query */
    SGM_BIAS_TABLE    /* TinyViT: table[heads, S*S] at |dy| * S + |dx| */
} sgm_grid_bias;

typedef enum sgm_qkv_layout {
    SGM_QKV_SAM,    /* last axis is [3][heads][hd] */
    SGM_QKV_TINYVIT /* last axis is [heads][3][hd] */
} sgm_qkv_layout;

typedef struct sgm_node sgm_node;
typedef struct sgm_graph sgm_graph;

struct sgm_node {
    sgm_op op;
    int id; /* position in the graph: inputs always have smaller ids */
    int input_count;
    sgm_node *in[SGM_MAX_INPUTS]; /* optional inputs may be NULL */
    sgm_shape shape;
    sgm_dtype dtype;   /* SGM_F32, or SGM_I32 for indices; a plan may store F32 values as BF16 */
    bool constant;     /* depends on parameters and data only */
    uint64_t key;      /* structural hash of a constant node: same key, same value in a model */
    const char *name;  /* parameter or input name, "" otherwise; owned by the graph */
    const float *data; /* SGM_OP_DATA only; owned by the graph */
    union {
        struct {
            int stride, pad, groups;
        } conv;
        struct {
            float eps;
        } norm;
        struct {
            int heads;
            float scale; /* of q * k; 1 / sqrt(hd) unless the model says otherwise */
            int window;  /* grid: side of the windows, 0 for the whole grid */
            sgm_grid_bias bias;
            sgm_qkv_layout layout;
        } attention;
        struct {
            float scale, shift;
        } affine;
        sgm_act act;
        struct {
            int axis;
            int64_t start, count;
        } slice; /* also concat's axis */
        int perm[SGM_MAX_DIMS];
        struct {
            bool align_corners;
        } resize;
        int keep; /* SGM_OP_SUM */
        struct {
            int kind;
            float value[4];
        } loss;
    } u;
};

/* Parameters are looked up while the graph is built; the source checks name and shape.
 * Returns SGM_OK, or fails with a message that names the tensor, wanted and found shape. */
typedef sgm_status (*sgm_param_check_fn)(void *user, const char *name, sgm_shape wanted);

/* `check` may be NULL (shapes are then taken as given). Returns NULL when out of memory. */
sgm_graph *sgm_graph_create(sgm_param_check_fn check, void *user);
void sgm_graph_destroy(sgm_graph *graph);

/* The first error while building, SGM_OK if none; its message becomes the thread's. */
sgm_status sgm_graph_status(const sgm_graph *graph);
/* Makes `status` (with the thread's message) the graph's error, if it has none yet. */
sgm_node *sgm_graph_fail(sgm_graph *graph, sgm_status status);

int sgm_graph_size(const sgm_graph *graph);
sgm_node *sgm_graph_node(const sgm_graph *graph, int id);
/* One line per node: id, op, shape, inputs, name. malloc'ed text; NULL when out of memory. */
char *sgm_graph_dump(const sgm_graph *graph);

/* Leaves. */
sgm_node *sgm_input(sgm_graph *g, const char *name, sgm_dtype dtype, sgm_shape shape);
sgm_node *sgm_param(sgm_graph *g, sgm_shape shape, const char *name_format, ...)
    __attribute__((format(printf, 3, 4)));
/* Copies the numbers. */
sgm_node *sgm_data(sgm_graph *g, sgm_shape shape, const float *values);

/* Views and rearrangement. One dimension of `shape` may be -1. */
sgm_node *sgm_reshape(sgm_graph *g, sgm_node *x, sgm_shape shape);
sgm_node *sgm_permute(sgm_graph *g, sgm_node *x, const int perm[]);
sgm_node *sgm_concat(sgm_graph *g, int axis, int count, sgm_node *const parts[]);
sgm_node *sgm_slice(sgm_graph *g, sgm_node *x, int axis, int64_t start, int64_t count);
sgm_node *sgm_gather(sgm_graph *g, sgm_node *table, sgm_node *index);

/* Layers; NULL stands for an absent bias. */
sgm_node *sgm_linear(sgm_graph *g, sgm_node *x, sgm_node *weight, sgm_node *bias);
sgm_node *sgm_conv2d(sgm_graph *g, sgm_node *x, sgm_node *weight, sgm_node *bias, int stride,
                     int pad, int groups);
sgm_node *sgm_conv_transpose(sgm_graph *g, sgm_node *x, sgm_node *weight, sgm_node *bias);
sgm_node *sgm_layernorm(sgm_graph *g, sgm_node *x, sgm_node *gamma, sgm_node *beta, float eps);
sgm_node *sgm_act_node(sgm_graph *g, sgm_node *x, sgm_act act);
sgm_node *sgm_resize(sgm_graph *g, sgm_node *x, int64_t height, int64_t width, bool align_corners);
sgm_node *sgm_maxpool(sgm_graph *g, sgm_node *x);
sgm_node *sgm_fourier(sgm_graph *g, sgm_node *coordinates, sgm_node *gaussian);
sgm_node *sgm_softmax(sgm_graph *g, sgm_node *x);
sgm_node *sgm_sum(sgm_graph *g, sgm_node *x, int keep);

/* Attention with `heads` heads of C / heads channels, scale 1 / sqrt(C / heads). */
sgm_node *sgm_attention(sgm_graph *g, sgm_node *q, sgm_node *k, sgm_node *v, int heads);

/* Self-attention over a grid of tokens, in windows when window > 0. Windows that reach over the
 * right or bottom border hold padding tokens: they are keys and values (all equal to `pad`, their
 * q|k|v in the layout of qkv; zeros when NULL) but are never asked. SAM pads after the norm, so
 * `pad` is the qkv bias; TinyViT pads before it, so `pad` is the qkv of the norm's beta.
 * bias0, bias1: rel_h and rel_w, or the table and NULL. */
sgm_node *sgm_attention_grid(sgm_graph *g, sgm_node *qkv, sgm_node *pad, sgm_node *bias0,
                             sgm_node *bias1, sgm_grid_bias bias, sgm_qkv_layout layout, int heads,
                             int window);

/* Arithmetic. */
sgm_node *sgm_matmul(sgm_graph *g, sgm_node *a, sgm_node *b);
sgm_node *sgm_add(sgm_graph *g, sgm_node *a, sgm_node *b);
sgm_node *sgm_mul(sgm_graph *g, sgm_node *a, sgm_node *b);
sgm_node *sgm_affine(sgm_graph *g, sgm_node *x, float scale, float shift);

/* A loss of graph/loss.h: up to SGM_MAX_INPUTS inputs, value[] are its numbers; scalar output. */
sgm_node *sgm_loss(sgm_graph *g, int kind, const float value[4], int count,
                   sgm_node *const inputs[]);

#endif
