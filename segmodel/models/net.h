/* The vocabulary model code is written in: layers that find their weights by the checkpoint's
 * names. Each takes a printf format for the layer's name within the scope it is called in and
 * appends ".weight", ".bias" and so on itself, so a line of model code shows the name that a state
 * dict shows. */
#ifndef SEGMODEL_MODELS_NET_H
#define SEGMODEL_MODELS_NET_H

#include "graph/graph.h"

#include <stdarg.h>

/* Called with intermediate values under the names the goldens use ("block0.attn", "neck1");
 * [B, H, W, C] unless said otherwise. */
typedef void (*sgm_tap_fn)(void *user, const char *stage, sgm_node *value);

enum { SGM_SCOPE_SIZE = 128 };

/* A place in a network: where its nodes go, and what stands before the names of its weights. Passed
 * on to a part of the network as a scope (sgm_net_scope), so that a network can be a part of
 * another one. */
typedef struct sgm_net {
    sgm_graph *graph;
    sgm_tap_fn tap; /* may be NULL: only tests look inside */
    void *tap_user;
    bool batch_statistics; /* batch norms take mean and deviation of the batch, as in training,
                              instead of those that they have gathered */
    bool few_tokens; /* attention between few and many tokens as few_tokens.h has it */
    sgm_node *drop; /* [B, branches]: what every branch beside a shortcut is multiplied with in a
                       sample (drop path, while training); NULL: they are whole */
    char prefix[SGM_SCOPE_SIZE]; /* "" or ends in '.' */
} sgm_net;

/* The scope of a part: names in it begin with net's prefix, the formatted name and a dot. A prefix
 * that is too long is the graph's error. */
sgm_net sgm_net_scope(const sgm_net *net, const char *name_format, ...)
    __attribute__((format(printf, 2, 3)));

/* A weight of that name in the scope. */
sgm_node *sgm_net_param(const sgm_net *net, sgm_shape shape, const char *name_format, ...)
    __attribute__((format(printf, 3, 4)));

/* Shows `value` to the tap and returns it. */
sgm_node *sgm_net_tap(const sgm_net *net, sgm_node *value, const char *stage_format, ...)
    __attribute__((format(printf, 3, 4)));

/* x[.., K] -> [.., out] */
sgm_node *sgm_net_linear(const sgm_net *net, sgm_node *x, int64_t out, const char *name_format, ...)
    __attribute__((format(printf, 4, 5)));

/* Normalisation over the channels, which are the last axis: LayerNorm of tokens and LayerNorm2d of
 * feature maps alike. */
sgm_node *sgm_net_norm(const sgm_net *net, sgm_node *x, float eps, const char *name_format, ...)
    __attribute__((format(printf, 4, 5)));

typedef struct sgm_conv_spec {
    int64_t out;
    int kernel, stride, pad;
    bool depthwise; /* groups = channels */
    bool bias;
} sgm_conv_spec;

/* x[B, H, W, I] -> [B, H', W', out] */
sgm_node *sgm_net_conv(const sgm_net *net, sgm_node *x, sgm_conv_spec spec, const char *name_format,
                       ...) __attribute__((format(printf, 4, 5)));

/* A convolution without bias, or with one (spec.bias), and a batch norm named `norm`. With the
 * statistics that it has gathered the norm is folded into weight and bias, so it costs nothing.
 * With batch_statistics the tap is shown the batch's under "<full name>.batch_mean" and
 * ".batch_var"
 * ([C], the biased variance), from which a trainer gathers. */
sgm_node *sgm_net_conv_norm(const sgm_net *net, sgm_node *x, sgm_conv_spec spec, float eps,
                            const char *conv, const char *norm);

/* MLP of linear layers <name>.layers.0 ... with ReLU between, as SAM's heads are made. */
sgm_node *sgm_net_mlp(const sgm_net *net, sgm_node *x, int64_t hidden, int64_t out, int layers,
                      const char *name_format, ...) __attribute__((format(printf, 6, 7)));

/* x[B, H, W, C], the encoder's branch `number`, multiplied as net->drop says. */
sgm_node *sgm_net_branch(const sgm_net *net, sgm_node *x, int number);

/* Repeats x[1, ..] over `batch` (a broadcast sum with zeros, so its gradient is the sum). */
sgm_node *sgm_net_repeat(const sgm_net *net, sgm_node *x, int64_t batch);

int64_t sgm_net_channels(const sgm_node *x);

#endif
