#include "models/net.h"

#include <stdio.h>
#include <stdlib.h>

enum { PREFIX_SIZE = 160 };

#define FORMAT_PREFIX(text, format)                                                                \
    char text[PREFIX_SIZE];                                                                        \
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

sgm_node *sgm_net_tap(sgm_net *net, sgm_node *value, const char *stage_format, ...)
{
    if (!net->tap || !value) return value;
    FORMAT_PREFIX(stage, stage_format);
    net->tap(net->tap_user, stage, value);
    return value;
}

sgm_node *sgm_net_linear(sgm_net *net, sgm_node *x, int64_t out, const char *prefix_format, ...)
{
    if (!x) return NULL;
    FORMAT_PREFIX(prefix, prefix_format);
    sgm_node *weight =
        sgm_param(net->graph, SGM_SHAPE(out, sgm_net_channels(x)), "%s.weight", prefix);
    sgm_node *bias = sgm_param(net->graph, SGM_SHAPE(out), "%s.bias", prefix);
    return sgm_linear(net->graph, x, weight, bias);
}

sgm_node *sgm_net_norm(sgm_net *net, sgm_node *x, float eps, const char *prefix_format, ...)
{
    if (!x) return NULL;
    FORMAT_PREFIX(prefix, prefix_format);
    sgm_shape channels = SGM_SHAPE(sgm_net_channels(x));
    sgm_node *gamma = sgm_param(net->graph, channels, "%s.weight", prefix);
    sgm_node *beta = sgm_param(net->graph, channels, "%s.bias", prefix);
    return sgm_layernorm(net->graph, x, gamma, beta, eps);
}

sgm_node *sgm_net_conv(sgm_net *net, sgm_node *x, sgm_conv_spec spec, const char *prefix_format,
                       ...)
{
    if (!x) return NULL;
    FORMAT_PREFIX(prefix, prefix_format);
    int64_t in = sgm_net_channels(x);
    sgm_node *weight = sgm_param(
        net->graph, SGM_SHAPE(spec.out, spec.depthwise ? 1 : in, spec.kernel, spec.kernel),
        "%s.weight", prefix);
    sgm_node *bias = NULL;
    if (spec.bias) bias = sgm_param(net->graph, SGM_SHAPE(spec.out), "%s.bias", prefix);
    return sgm_conv2d(net->graph, x, weight, bias, spec.stride, spec.pad,
                      spec.depthwise ? (int)in : 1);
}

sgm_node *sgm_net_mlp(sgm_net *net, sgm_node *x, int64_t hidden, int64_t out, int layers,
                      const char *prefix)
{
    for (int i = 0; i < layers; i++) {
        bool last = i == layers - 1;
        x = sgm_net_linear(net, x, last ? out : hidden, "%s.layers.%d", prefix, i);
        if (!last) x = sgm_act_node(net->graph, x, SGM_ACT_RELU);
    }
    return x;
}

sgm_node *sgm_net_repeat(sgm_net *net, sgm_node *x, int64_t batch)
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
