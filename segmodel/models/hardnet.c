/* Follows talshaharabany/AutoSAM, models/hardnet.py (PingoLH/Pytorch-HarDNet). */
#include "models/hardnet.h"

#include <stdio.h>

enum { MOST_LAYERS = 16 };

#define HARDNET_EPS 1e-5f

/* min(max(x, 0), 6) */
static sgm_node *relu6(sgm_graph *g, sgm_node *x)
{
    sgm_node *over = sgm_act_node(g, sgm_affine(g, x, 1, -6), SGM_ACT_RELU);
    return sgm_add(g, sgm_act_node(g, x, SGM_ACT_RELU), sgm_affine(g, over, -1, 0));
}

static sgm_node *conv(const sgm_net *net, sgm_node *x, int64_t out, int kernel, int stride,
                      const char *name)
{
    char of[64], norm[64];
    snprintf(of, sizeof of, "%s.conv", name);
    snprintf(norm, sizeof norm, "%s.norm", name);
    sgm_conv_spec spec = {.out = out, .kernel = kernel, .stride = stride, .pad = kernel / 2};
    return relu6(net->graph, sgm_net_conv_norm(net, x, spec, HARDNET_EPS, of, norm));
}

/* Layer `layer` reads the layers at distances 1, 2, 4 .. that divide it, nearest first; every
 * distance but the first widens it by 1.7. Returns how many it reads. */
static int links_of(int layer, int growth, int links[5], int64_t *out)
{
    double width = growth;
    int count = 0;
    for (int distance = 1; layer % distance == 0 && distance <= layer; distance *= 2) {
        links[count++] = layer - distance;
        if (distance > 1) width *= 1.7;
    }
    *out = (int)(width + 1) / 2 * 2;
    return count;
}

/* All odd layers and the last one, side by side. */
static sgm_node *gather_layers(sgm_graph *g, sgm_node *const layers[], int count)
{
    sgm_node *parts[MOST_LAYERS / 2 + 1];
    int used = 0;
    for (int i = 1; i <= count; i += 2)
        parts[used++] = layers[i];
    if (count % 2 == 0) parts[used++] = layers[count];
    if (used <= SGM_MAX_INPUTS) return sgm_concat(g, 3, used, parts);
    sgm_node *halves[2] = {sgm_concat(g, 3, used / 2, parts),
                           sgm_concat(g, 3, used - used / 2, parts + used / 2)};
    return sgm_concat(g, 3, 2, halves);
}

static sgm_node *block(const sgm_net *net, sgm_node *x, int number, int growth, int count)
{
    sgm_node *layers[MOST_LAYERS + 1] = {x};
    for (int i = 1; i <= count; i++) {
        char name[32];
        int links[5];
        int64_t out;
        sgm_node *parts[5];
        int read = links_of(i, growth, links, &out);
        for (int k = 0; k < read; k++)
            parts[k] = layers[links[k]];
        x = read > 1 ? sgm_concat(net->graph, 3, read, parts) : parts[0];
        snprintf(name, sizeof name, "base.%d.layers.%d", number, i - 1);
        layers[i] = conv(net, x, out, 3, 1, name);
    }
    return sgm_net_tap(net, gather_layers(net->graph, layers, count), "base%d", number);
}

/* max(a, b) of values that are close to each other or not: b where it is larger. */
static sgm_node *larger(sgm_graph *g, sgm_node *a, sgm_node *b)
{
    sgm_node *more = sgm_add(g, b, sgm_affine(g, a, -1, 0));
    return sgm_add(g, a, sgm_act_node(g, more, SGM_ACT_RELU));
}

/* x moved by one along an axis, 0 coming in. */
static sgm_node *moved(const sgm_net *net, sgm_node *x, int axis)
{
    if (!x) return NULL;
    sgm_graph *g = net->graph;
    sgm_node *edge = sgm_affine(g, sgm_slice(g, x, axis, 0, 1), 0, 0);
    sgm_node *rest = sgm_slice(g, x, axis, 0, x->shape.dim[axis] - 1);
    return sgm_concat(g, axis, 2, (sgm_node *[]){edge, rest});
}

/* The largest of 3 x 3 with stride 2 and a border of 1, of values that are not negative: the larger
 * of pools of 2 x 2 over the picture and over the picture moved by one pixel. */
static sgm_node *pool_of_three(const sgm_net *net, sgm_node *x)
{
    sgm_graph *g = net->graph;
    sgm_node *down = moved(net, x, 1);
    sgm_node *a = larger(g, sgm_maxpool(g, x), sgm_maxpool(g, down));
    sgm_node *b = larger(g, sgm_maxpool(g, moved(net, x, 2)), sgm_maxpool(g, moved(net, down, 2)));
    return sgm_net_tap(net, larger(g, a, b), "base2");
}

/* A layer of the list that is one convolution. */
static sgm_node *single(const sgm_net *net, sgm_node *x, int number, int64_t out, int kernel,
                        int stride)
{
    char name[32];
    snprintf(name, sizeof name, "base.%d", number);
    return sgm_net_tap(net, conv(net, x, out, kernel, stride, name), "base%d", number);
}

static sgm_node *halved(const sgm_net *net, sgm_node *x, int number)
{
    return sgm_net_tap(net, sgm_maxpool(net->graph, x), "base%d", number);
}

sgm_hardnet_features sgm_hardnet(const sgm_net *net, sgm_node *image)
{
    sgm_hardnet_features out;
    sgm_node *x = single(net, image, 0, 48, 3, 2);
    x = pool_of_three(net, single(net, x, 1, 96, 3, 1));
    x = out.quarter = single(net, block(net, x, 3, 24, 8), 4, 192, 1, 1);
    x = single(net, block(net, halved(net, x, 5), 6, 24, 16), 7, 256, 1, 1);
    x = out.eighth = single(net, block(net, x, 8, 28, 16), 9, 320, 1, 1);
    x = single(net, block(net, halved(net, x, 10), 11, 36, 16), 12, 480, 1, 1);
    out.sixteenth = single(net, block(net, x, 13, 48, 16), 14, 720, 1, 1);
    return out;
}
