#include "models/net.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAME_SIZE = 160 };

#define FORMAT_NAME(text, format)                                                                  \
    char text[NAME_SIZE];                                                                          \
    do {                                                                                           \
        va_list args_;                                                                             \
        va_start(args_, format);                                                                   \
        vsnprintf(text, sizeof text, format, args_);                                               \
        va_end(args_);                                                                             \
    } while (0)

int64_t sgm_net_channels(const sgm_node *x)
{
    return x && x->shape.ndim ? x->shape.dim[x->shape.ndim - 1] : 0;
}

sgm_net sgm_net_scope(const sgm_net *net, const char *name_format, ...)
{
    sgm_net scope = *net;
    FORMAT_NAME(name, name_format);
    int length = snprintf(scope.prefix, sizeof scope.prefix, "%s%s.", net->prefix, name);
    if (length >= (int)sizeof scope.prefix)
        sgm_graph_fail(net->graph,
                       sgm_fail(SGM_INTERNAL, "the scope '%s%s' is too long", net->prefix, name));
    return scope;
}

sgm_node *sgm_net_param(const sgm_net *net, sgm_shape shape, const char *name_format, ...)
{
    FORMAT_NAME(name, name_format);
    return sgm_param(net->graph, shape, "%s%s", net->prefix, name);
}

sgm_node *sgm_net_tap(const sgm_net *net, sgm_node *value, const char *stage_format, ...)
{
    if (!net->tap || !value) return value;
    FORMAT_NAME(stage, stage_format);
    net->tap(net->tap_user, stage, value);
    return value;
}

sgm_node *sgm_net_linear(const sgm_net *net, sgm_node *x, int64_t out, const char *name_format, ...)
{
    if (!x) return NULL;
    FORMAT_NAME(name, name_format);
    sgm_node *weight = sgm_net_param(net, SGM_SHAPE(out, sgm_net_channels(x)), "%s.weight", name);
    sgm_node *bias = sgm_net_param(net, SGM_SHAPE(out), "%s.bias", name);
    return sgm_linear(net->graph, x, weight, bias);
}

sgm_node *sgm_net_norm(const sgm_net *net, sgm_node *x, float eps, const char *name_format, ...)
{
    if (!x) return NULL;
    FORMAT_NAME(name, name_format);
    sgm_shape channels = SGM_SHAPE(sgm_net_channels(x));
    sgm_node *gamma = sgm_net_param(net, channels, "%s.weight", name);
    sgm_node *beta = sgm_net_param(net, channels, "%s.bias", name);
    return sgm_layernorm(net->graph, x, gamma, beta, eps);
}

sgm_node *sgm_net_conv(const sgm_net *net, sgm_node *x, sgm_conv_spec spec, const char *name_format,
                       ...)
{
    if (!x) return NULL;
    FORMAT_NAME(name, name_format);
    int64_t in = sgm_net_channels(x);
    sgm_shape shape = SGM_SHAPE(spec.out, spec.depthwise ? 1 : in, spec.kernel, spec.kernel);
    sgm_node *weight = sgm_net_param(net, shape, "%s.weight", name);
    sgm_node *bias = NULL;
    if (spec.bias) bias = sgm_net_param(net, SGM_SHAPE(spec.out), "%s.bias", name);
    return sgm_conv2d(net->graph, x, weight, bias, spec.stride, spec.pad,
                      spec.depthwise ? (int)in : 1);
}

typedef struct batch_norm {
    sgm_node *gamma, *beta;
    const char *name;
    float eps;
} batch_norm;

/* Mean over all but the channels: y[B, H, W, C] -> [C]. */
static sgm_node *channel_mean(const sgm_net *net, sgm_node *y)
{
    static const int channels_first[4] = {3, 0, 1, 2};
    if (!y) return NULL;
    float share = (float)sgm_net_channels(y) / (float)sgm_shape_count(y->shape);
    y = sgm_permute(net->graph, y, channels_first);
    return sgm_affine(net->graph, sgm_sum(net->graph, y, 1), share, 0);
}

static sgm_node *norm_of_batch(const sgm_net *net, sgm_node *y, const batch_norm *norm)
{
    sgm_graph *g = net->graph;
    sgm_node *mean = channel_mean(net, y);
    sgm_net_tap(net, mean, "%s%s.batch_mean", net->prefix, norm->name);
    y = sgm_add(g, y, sgm_affine(g, mean, -1, 0));
    sgm_node *variance = channel_mean(net, sgm_mul(g, y, y));
    sgm_net_tap(net, variance, "%s%s.batch_var", net->prefix, norm->name);
    sgm_node *scale = sgm_act_node(g, sgm_affine(g, variance, 1, norm->eps), SGM_ACT_RSQRT);
    return sgm_add(g, sgm_mul(g, y, sgm_mul(g, norm->gamma, scale)), norm->beta);
}

/* The norm as a factor and a summand of each channel, within weight and bias (which may be NULL).
 */
static sgm_node *folded_norm(const sgm_net *net, sgm_node *x, sgm_conv_spec spec, sgm_node *weight,
                             sgm_node *bias, const batch_norm *norm)
{
    sgm_graph *g = net->graph;
    sgm_shape channels = SGM_SHAPE(spec.out);
    sgm_node *mean = sgm_net_param(net, channels, "%s.running_mean", norm->name);
    sgm_node *variance = sgm_net_param(net, channels, "%s.running_var", norm->name);
    sgm_node *scale = sgm_act_node(g, sgm_affine(g, variance, 1, norm->eps), SGM_ACT_RSQRT);
    scale = sgm_mul(g, norm->gamma, scale);
    if (bias) mean = sgm_add(g, mean, sgm_affine(g, bias, -1, 0));
    bias = sgm_add(g, norm->beta, sgm_affine(g, sgm_mul(g, mean, scale), -1, 0));
    weight = sgm_mul(g, weight, sgm_reshape(g, scale, SGM_SHAPE(spec.out, 1, 1, 1)));
    return sgm_conv2d(g, x, weight, bias, spec.stride, spec.pad,
                      spec.depthwise ? (int)spec.out : 1);
}

sgm_node *sgm_net_conv_norm(const sgm_net *net, sgm_node *x, sgm_conv_spec spec, float eps,
                            const char *conv, const char *name)
{
    if (!x) return NULL;
    sgm_shape channels = SGM_SHAPE(spec.out);
    int64_t in = spec.depthwise ? 1 : sgm_net_channels(x);
    sgm_shape kernel = SGM_SHAPE(spec.out, in, spec.kernel, spec.kernel);
    sgm_node *weight = sgm_net_param(net, kernel, "%s.weight", conv);
    batch_norm norm = {.gamma = sgm_net_param(net, channels, "%s.weight", name),
                       .beta = sgm_net_param(net, channels, "%s.bias", name),
                       .name = name,
                       .eps = eps};
    sgm_node *bias = spec.bias ? sgm_net_param(net, channels, "%s.bias", conv) : NULL;
    if (!net->batch_statistics) return folded_norm(net, x, spec, weight, bias, &norm);
    x = sgm_conv2d(net->graph, x, weight, bias, spec.stride, spec.pad,
                   spec.depthwise ? (int)spec.out : 1);
    return norm_of_batch(net, x, &norm);
}

sgm_node *sgm_net_mlp(const sgm_net *net, sgm_node *x, int64_t hidden, int64_t out, int layers,
                      const char *name_format, ...)
{
    FORMAT_NAME(name, name_format);
    for (int i = 0; i < layers; i++) {
        bool last = i == layers - 1;
        x = sgm_net_linear(net, x, last ? out : hidden, "%s.layers.%d", name, i);
        if (!last) x = sgm_act_node(net->graph, x, SGM_ACT_RELU);
    }
    return x;
}

sgm_node *sgm_net_branch(const sgm_net *net, sgm_node *x, int number)
{
    if (!net->drop) return x;
    sgm_node *keep = sgm_slice(net->graph, net->drop, 1, number, 1);
    return sgm_mul(net->graph, x, sgm_reshape(net->graph, keep, SGM_SHAPE(-1, 1, 1, 1)));
}

sgm_node *sgm_net_repeat(const sgm_net *net, sgm_node *x, int64_t batch)
{
    if (!x || x->shape.dim[0] == batch) return x;
    float *zeros = calloc((size_t)batch, sizeof *zeros);
    if (!zeros)
        return sgm_graph_fail(net->graph, sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a graph"));
    sgm_shape shape = {.ndim = x->shape.ndim, .dim = {batch, 1, 1, 1, 1}};
    sgm_node *zero = sgm_data(net->graph, shape, zeros);
    free(zeros);
    return sgm_add(net->graph, x, zero);
}
