#include "models/few_tokens.h"

#include <math.h>
#include <stdlib.h>

/* A product with heads * T columns against one with `inner`; the latter's attention is cheap. */
bool sgm_few_tokens_pay(int heads, int64_t inner, int64_t channels, int64_t tokens)
{
    return 4 * heads * tokens <= 3 * inner && channels <= 256;
}

static sgm_node *no_memory(const sgm_net *net)
{
    return sgm_graph_fail(net->graph, sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a graph"));
}

/* [heads, inner]: `value` where a channel is of the head, else 0. */
static sgm_node *head_mask(const sgm_net *net, const sgm_few_tokens *l, float value)
{
    int64_t width = l->inner / l->heads;
    float *values = calloc((size_t)(l->heads * l->inner), sizeof *values);
    if (!values) return no_memory(net);
    for (int64_t c = 0; c < l->inner; c++)
        values[c / width * l->inner + c] = value;
    sgm_node *mask = sgm_data(net->graph, SGM_SHAPE(l->heads, l->inner), values);
    free(values);
    return mask;
}

static sgm_node *transposed(const sgm_net *net, sgm_node *matrix)
{
    return sgm_permute(net->graph, matrix, (const int[]){1, 0});
}

static sgm_node *weight_of(const sgm_net *net, const sgm_few_tokens *l, const char *name)
{
    bool back = name[0] == 'o';
    int64_t c = sgm_net_channels(l->image);
    return sgm_net_param(net, back ? SGM_SHAPE(c, l->inner) : SGM_SHAPE(l->inner, c),
                         "%s.%s.weight", l->prefix, name);
}

static sgm_node *bias_of(const sgm_net *net, const sgm_few_tokens *l, const char *name)
{
    int64_t size = name[0] == 'o' ? sgm_net_channels(l->image) : l->inner;
    return sgm_net_param(net, SGM_SHAPE(size), "%s.%s.bias", l->prefix, name);
}

/* x[B, T, inner] -> [B, heads * T, inner], row (h, t) with the channels of head h alone. */
static sgm_node *spread(const sgm_net *net, const sgm_few_tokens *l, sgm_node *x, float scale)
{
    if (!x) return NULL;
    sgm_graph *g = net->graph;
    int64_t batch = x->shape.dim[0], count = x->shape.dim[1], h = l->heads;
    sgm_node *mask = sgm_reshape(g, head_mask(net, l, scale), SGM_SHAPE(1, h, 1, l->inner));
    x = sgm_mul(g, sgm_reshape(g, x, SGM_SHAPE(batch, 1, count, l->inner)), mask);
    return sgm_reshape(g, x, SGM_SHAPE(batch, h * count, l->inner));
}

/* ----------------------------------------------------------------------- tokens look at the image
 */

/* [1, T, heads * T]: the sum over the heads of rows (h, t). */
static sgm_node *sum_of_heads(const sgm_net *net, int64_t heads, int64_t count)
{
    int64_t rows = heads * count;
    float *values = calloc((size_t)(count * rows), sizeof *values);
    if (!values) return no_memory(net);
    for (int64_t row = 0; row < rows; row++)
        values[row % count * rows + row] = 1;
    sgm_node *sum = sgm_data(net->graph, SGM_SHAPE(1, count, rows), values);
    free(values);
    return sum;
}

/* Queries [B, heads * T, C]: a query's head h back in the picture's channels. The attention divides
 * by sqrt(C), the layer by sqrt(inner / heads). k_proj's bias adds the same to all of a query's
 * scores, which a softmax does not see. */
static sgm_node *picture_queries(const sgm_net *net, const sgm_few_tokens *l)
{
    int64_t c = sgm_net_channels(l->image);
    float scale = (float)sqrt((double)(c * l->heads) / (double)l->inner);
    sgm_node *q = sgm_net_linear(net, l->placed, l->inner, "%s.q_proj", l->prefix);
    q = spread(net, l, q, scale);
    return sgm_linear(net->graph, q, transposed(net, weight_of(net, l, "k_proj")), NULL);
}

/* v_proj on what each head has gathered of the picture, x[B, heads * T, C] -> [B, T, inner]. All
 * channels of all heads are made, and those of other heads dropped: a weight of one head's columns
 * and zeros, [inner, heads * C], would be read from memory in every decode. */
static sgm_node *gathered_values(const sgm_net *net, const sgm_few_tokens *l, sgm_node *x)
{
    if (!x) return NULL;
    sgm_graph *g = net->graph;
    int64_t batch = x->shape.dim[0], h = l->heads, count = l->placed->shape.dim[1];
    x = sgm_linear(g, x, weight_of(net, l, "v_proj"), NULL);
    sgm_node *mask = sgm_reshape(g, head_mask(net, l, 1), SGM_SHAPE(1, h, 1, l->inner));
    x = sgm_mul(g, sgm_reshape(g, x, SGM_SHAPE(batch, h, count, l->inner)), mask);
    x = sgm_permute(g, sgm_reshape(g, x, SGM_SHAPE(batch, h * count, l->inner)),
                    (const int[]){0, 2, 1});
    return sgm_add(g, sgm_matmul(g, sum_of_heads(net, h, count), x), bias_of(net, l, "v_proj"));
}

sgm_node *sgm_few_tokens_ask(const sgm_net *net, const sgm_few_tokens *l)
{
    if (!l->placed || !l->image) return NULL;
    sgm_node *q = picture_queries(net, l);
    sgm_node *x = sgm_attention(net->graph, q, l->placed_image, l->image, 1);
    x = gathered_values(net, l, x);
    return sgm_net_linear(net, x, sgm_net_channels(l->image), "%s.out_proj", l->prefix);
}

/* ----------------------------------------------------------------------- the image looks at tokens
 */

/* Probabilities [B, N, heads * T]. */
static sgm_node *probabilities(const sgm_net *net, const sgm_few_tokens *l)
{
    sgm_graph *g = net->graph;
    int64_t count = l->placed->shape.dim[1], h = l->heads;
    float scale = (float)(1 / sqrt((double)l->inner / h));
    sgm_node *k = sgm_net_linear(net, l->placed, l->inner, "%s.k_proj", l->prefix);
    k = spread(net, l, k, scale);
    sgm_node *bias = sgm_reshape(g, bias_of(net, l, "q_proj"), SGM_SHAPE(1, l->inner));
    sgm_node *own = sgm_linear(g, k, bias, NULL);
    k = sgm_linear(g, k, transposed(net, weight_of(net, l, "q_proj")), NULL);
    sgm_node *s = sgm_matmul(g, l->placed_image, k);
    if (!s || !own) return NULL;
    int64_t batch = s->shape.dim[0], places = s->shape.dim[1];
    s = sgm_add(g, s, sgm_reshape(g, own, SGM_SHAPE(own->shape.dim[0], 1, h * count)));
    s = sgm_softmax(g, sgm_reshape(g, s, SGM_SHAPE(batch, places, h, count)));
    return sgm_reshape(g, s, SGM_SHAPE(batch, places, h * count));
}

/* out_proj's bias in the columns of head 0, [1, C, heads * T]: each head's probabilities sum to 1.
 */
static sgm_node *bias_columns(const sgm_net *net, const sgm_few_tokens *l, int64_t count)
{
    float *first = calloc((size_t)(l->heads * count), sizeof *first);
    if (!first) return no_memory(net);
    for (int64_t t = 0; t < count; t++)
        first[t] = 1;
    sgm_node *columns = sgm_data(net->graph, SGM_SHAPE(1, 1, l->heads * count), first);
    free(first);
    sgm_node *bias = sgm_reshape(net->graph, bias_of(net, l, "out_proj"),
                                 SGM_SHAPE(1, sgm_net_channels(l->image), 1));
    return sgm_mul(net->graph, bias, columns);
}

sgm_node *sgm_few_tokens_answer(const sgm_net *net, const sgm_few_tokens *l)
{
    if (!l->placed || !l->tokens || !l->image) return NULL;
    sgm_graph *g = net->graph;
    int64_t c = sgm_net_channels(l->image), count = l->placed->shape.dim[1];
    sgm_node *p = probabilities(net, l);
    sgm_node *v = sgm_net_linear(net, l->tokens, l->inner, "%s.v_proj", l->prefix);
    sgm_node *out = sgm_reshape(g, weight_of(net, l, "out_proj"), SGM_SHAPE(1, c, l->inner));
    v = sgm_matmul(g, out, spread(net, l, v, 1));
    v = sgm_add(g, v, bias_columns(net, l, count));
    return sgm_add(g, l->image, sgm_matmul(g, p, v));
}
