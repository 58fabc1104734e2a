/* Shape rules of layers: ops with weights, attention, resampling. */
#include "graph/graph_internal.h"

#include <math.h>

static sgm_node *refuse2(sgm_graph *g, const char *what, const sgm_node *x, const sgm_node *w)
{
    char a[64], b[64];
    return sgm_graph_refuse(g, "%s: %s does not fit %s %s", what, sgm_shape_text(x->shape, a),
                            sgm_shape_text(w->shape, b), w->name);
}

/* A bias is absent or one number per output channel. */
static bool bias_fits(const sgm_node *bias, int64_t channels)
{
    return !bias || (bias->shape.ndim == 1 && bias->shape.dim[0] == channels);
}

static int64_t last(const sgm_node *x)
{
    return x->shape.ndim ? x->shape.dim[x->shape.ndim - 1] : 1;
}

sgm_node *sgm_linear(sgm_graph *g, sgm_node *x, sgm_node *weight, sgm_node *bias)
{
    if (!x || !weight) return NULL;
    if (weight->shape.ndim != 2 || x->shape.ndim < 1 || last(x) != weight->shape.dim[1])
        return refuse2(g, "linear", x, weight);
    if (!bias_fits(bias, weight->shape.dim[0])) return refuse2(g, "linear bias", weight, bias);
    sgm_node node = {
        .op = SGM_OP_LINEAR, .in = {x, weight, bias}, .input_count = 3, .shape = x->shape};
    node.shape.dim[node.shape.ndim - 1] = weight->shape.dim[0];
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_conv2d(sgm_graph *g, sgm_node *x, sgm_node *weight, sgm_node *bias, int stride,
                     int pad, int groups)
{
    if (!x || !weight) return NULL;
    const int64_t *w = weight->shape.dim, *d = x->shape.dim;
    if (x->shape.ndim != 4 || weight->shape.ndim != 4 || groups < 1 || stride < 1 || pad < 0 ||
        d[3] != w[1] * groups || w[0] % groups || d[1] + 2 * pad < w[2] || d[2] + 2 * pad < w[3])
        return refuse2(g, "conv2d", x, weight);
    if (!bias_fits(bias, w[0])) return refuse2(g, "conv2d bias", weight, bias);
    sgm_node node = {.op = SGM_OP_CONV2D, .in = {x, weight, bias}, .input_count = 3};
    node.shape = SGM_SHAPE(d[0], (d[1] + 2 * pad - w[2]) / stride + 1,
                           (d[2] + 2 * pad - w[3]) / stride + 1, w[0]);
    node.u.conv.stride = stride;
    node.u.conv.pad = pad;
    node.u.conv.groups = groups;
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_conv_transpose(sgm_graph *g, sgm_node *x, sgm_node *weight, sgm_node *bias)
{
    if (!x || !weight) return NULL;
    const int64_t *w = weight->shape.dim, *d = x->shape.dim;
    if (x->shape.ndim != 4 || weight->shape.ndim != 4 || d[3] != w[0] || w[2] != 2 || w[3] != 2)
        return refuse2(g, "conv_transpose", x, weight);
    if (!bias_fits(bias, w[1])) return refuse2(g, "conv_transpose bias", weight, bias);
    sgm_node node = {.op = SGM_OP_CONV_TRANSPOSE,
                     .in = {x, weight, bias},
                     .input_count = 3,
                     .shape = SGM_SHAPE(d[0], 2 * d[1], 2 * d[2], w[1])};
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_layernorm(sgm_graph *g, sgm_node *x, sgm_node *gamma, sgm_node *beta, float eps)
{
    if (!x || !gamma || !beta) return NULL;
    if (!bias_fits(gamma, last(x))) return refuse2(g, "layernorm", x, gamma);
    if (!bias_fits(beta, last(x))) return refuse2(g, "layernorm", x, beta);
    sgm_node node = {
        .op = SGM_OP_LAYERNORM, .in = {x, gamma, beta}, .input_count = 3, .shape = x->shape};
    node.u.norm.eps = eps;
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_attention(sgm_graph *g, sgm_node *q, sgm_node *k, sgm_node *v, int heads)
{
    if (!q || !k || !v) return NULL;
    const int64_t *a = q->shape.dim, *b = k->shape.dim;
    if (q->shape.ndim != 3 || k->shape.ndim != 3 || !sgm_shape_equal(k->shape, v->shape) ||
        heads < 1 || a[2] != b[2] || a[2] % heads || (b[0] != 1 && b[0] != a[0]))
        return refuse2(g, "attention", q, k);
    sgm_node node = {.op = SGM_OP_ATTENTION, .in = {q, k, v}, .input_count = 3, .shape = q->shape};
    node.u.attention.heads = heads;
    node.u.attention.scale = (float)(1.0 / sqrt((double)(a[2] / heads)));
    return sgm_graph_append(g, &node);
}

/* Are bias0 and bias1 what the kind of bias asks for? */
static bool grid_bias_fits(const sgm_node *qkv, const sgm_node *bias0, const sgm_node *bias1,
                           sgm_grid_bias bias, int heads, int window)
{
    int64_t rows = window ? window : qkv->shape.dim[1], cols = window ? window : qkv->shape.dim[2];
    int64_t head_dim = qkv->shape.dim[3] / 3 / heads;
    if (bias == SGM_BIAS_NONE) return !bias0 && !bias1;
    if (bias == SGM_BIAS_TABLE)
        return bias0 && !bias1 && rows == cols &&
               sgm_shape_equal(bias0->shape, SGM_SHAPE(heads, rows * cols));
    return bias0 && bias1 && sgm_shape_equal(bias0->shape, SGM_SHAPE(2 * rows - 1, head_dim)) &&
           sgm_shape_equal(bias1->shape, SGM_SHAPE(2 * cols - 1, head_dim));
}

sgm_node *sgm_attention_grid(sgm_graph *g, sgm_node *qkv, sgm_node *pad, sgm_node *bias0,
                             sgm_node *bias1, sgm_grid_bias bias, sgm_qkv_layout layout, int heads,
                             int window)
{
    if (!qkv || (bias != SGM_BIAS_NONE && !bias0) || (bias == SGM_BIAS_REL_POS && !bias1))
        return NULL;
    const int64_t *d = qkv->shape.dim;
    char text[64];
    if (qkv->shape.ndim != 4 || heads < 1 || d[3] % (3 * heads) || window < 0)
        return sgm_graph_refuse(g, "attention_grid: %s with %d heads and window %d",
                                sgm_shape_text(qkv->shape, text), heads, window);
    if (pad && (pad->shape.ndim != 1 || pad->shape.dim[0] != d[3]))
        return refuse2(g, "attention_grid padding", qkv, pad);
    if (!grid_bias_fits(qkv, bias0, bias1, bias, heads, window))
        return refuse2(g, "attention_grid bias", qkv, bias0 ? bias0 : qkv);
    sgm_node node = {.op = SGM_OP_ATTENTION_GRID,
                     .in = {qkv, pad, bias0, bias1},
                     .input_count = 4,
                     .shape = SGM_SHAPE(d[0], d[1], d[2], d[3] / 3)};
    node.u.attention.heads = heads;
    node.u.attention.scale = (float)(1.0 / sqrt((double)(d[3] / 3 / heads)));
    node.u.attention.window = window;
    node.u.attention.bias = bias;
    node.u.attention.layout = layout;
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_resize(sgm_graph *g, sgm_node *x, int64_t height, int64_t width, bool align_corners)
{
    if (!x) return NULL;
    if (x->shape.ndim != 4 || height < 1 || width < 1)
        return sgm_graph_refuse(g, "resize: wants [B, H, W, C] and a size of at least 1 x 1");
    sgm_node node = {.op = SGM_OP_RESIZE,
                     .in = {x},
                     .input_count = 1,
                     .shape = SGM_SHAPE(x->shape.dim[0], height, width, x->shape.dim[3])};
    node.u.resize.align_corners = align_corners;
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_maxpool(sgm_graph *g, sgm_node *x)
{
    if (!x) return NULL;
    const int64_t *d = x->shape.dim;
    if (x->shape.ndim != 4 || d[1] < 2 || d[2] < 2)
        return sgm_graph_refuse(g, "maxpool: wants [B, H, W, C] of at least 2 x 2");
    sgm_node node = {.op = SGM_OP_MAXPOOL,
                     .in = {x},
                     .input_count = 1,
                     .shape = SGM_SHAPE(d[0], d[1] / 2, d[2] / 2, d[3])};
    return sgm_graph_append(g, &node);
}

sgm_node *sgm_fourier(sgm_graph *g, sgm_node *coordinates, sgm_node *gaussian)
{
    if (!coordinates || !gaussian) return NULL;
    if (gaussian->shape.ndim != 2 || gaussian->shape.dim[0] != 2 || last(coordinates) != 2)
        return refuse2(g, "fourier", coordinates, gaussian);
    sgm_node node = {.op = SGM_OP_FOURIER,
                     .in = {coordinates, gaussian},
                     .input_count = 2,
                     .shape = coordinates->shape};
    node.shape.dim[node.shape.ndim - 1] = 2 * gaussian->shape.dim[1];
    return sgm_graph_append(g, &node);
}
