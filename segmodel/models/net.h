/* The vocabulary model code is written in: layers that find their weights by the checkpoint's
 * names. Each takes a printf format for the layer's prefix and appends ".weight", ".bias" and so on
 * itself, so a line of model code shows the name that a state dict shows. */
#ifndef SEGMODEL_MODELS_NET_H
#define SEGMODEL_MODELS_NET_H

#include "graph/graph.h"

#include <stdarg.h>

/* Called with intermediate values under the names the goldens use ("block0.attn", "neck1");
 * [B, H, W, C] unless said otherwise. */
typedef void (*sgm_tap_fn)(void *user, const char *stage, sgm_node *value);

typedef struct sgm_net {
    sgm_graph *graph;
    sgm_tap_fn tap; /* may be NULL: only tests look inside */
    void *tap_user;
} sgm_net;

/* Shows `value` to the tap and returns it. */
sgm_node *sgm_net_tap(sgm_net *net, sgm_node *value, const char *stage_format, ...)
    __attribute__((format(printf, 3, 4)));

/* x[.., K] -> [.., out] */
sgm_node *sgm_net_linear(sgm_net *net, sgm_node *x, int64_t out, const char *prefix_format, ...)
    __attribute__((format(printf, 4, 5)));

/* Normalisation over the channels, which are the last axis: LayerNorm of tokens and LayerNorm2d of
 * feature maps alike. */
sgm_node *sgm_net_norm(sgm_net *net, sgm_node *x, float eps, const char *prefix_format, ...)
    __attribute__((format(printf, 4, 5)));

typedef struct sgm_conv_spec {
    int64_t out;
    int kernel, stride, pad;
    bool depthwise; /* groups = channels */
    bool bias;
} sgm_conv_spec;

/* x[B, H, W, I] -> [B, H', W', out] */
sgm_node *sgm_net_conv(sgm_net *net, sgm_node *x, sgm_conv_spec spec, const char *prefix_format,
                       ...) __attribute__((format(printf, 4, 5)));

/* MLP of linear layers <prefix>.layers.0 ... with ReLU between, as SAM's heads are made. */
sgm_node *sgm_net_mlp(sgm_net *net, sgm_node *x, int64_t hidden, int64_t out, int layers,
                      const char *prefix);

/* Repeats x[1, ..] over `batch` (a broadcast sum with zeros, so its gradient is the sum). */
sgm_node *sgm_net_repeat(sgm_net *net, sgm_node *x, int64_t batch);

int64_t sgm_net_channels(const sgm_node *x);

#endif
