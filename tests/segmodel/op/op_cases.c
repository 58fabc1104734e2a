#include "op_cases.h"

#include "graph/loss.h"

bool op_case_first_is_input;

/* Parameters are named p0, p1, ...; the name decides the values (op_test.c). */
static sgm_node *p(sgm_graph *g, int i, sgm_shape shape)
{
    if (i == 0 && op_case_first_is_input) return sgm_input(g, "p0", SGM_F32, shape);
    return sgm_param(g, shape, "p%d", i);
}

static sgm_node *linear(sgm_graph *g)
{
    return sgm_linear(g, p(g, 0, SGM_SHAPE(3, 7, 19)), p(g, 1, SGM_SHAPE(33, 19)),
                      p(g, 2, SGM_SHAPE(33)));
}

static sgm_node *linear_one(sgm_graph *g)
{
    return sgm_linear(g, p(g, 0, SGM_SHAPE(1, 1)), p(g, 1, SGM_SHAPE(1, 1)), NULL);
}

static sgm_node *linear_wide(sgm_graph *g)
{
    return sgm_linear(g, p(g, 0, SGM_SHAPE(70, 130)), p(g, 1, SGM_SHAPE(97, 130)),
                      p(g, 2, SGM_SHAPE(97)));
}

/* Long rows, few of them: of what the layer needs, its scratch is not what is laid out first, so it
 * begins where the rows end (3 x 1008 floats are no multiple of 256 bytes). */
static sgm_node *linear_long(sgm_graph *g)
{
    sgm_node *x = sgm_affine(g, p(g, 0, SGM_SHAPE(3, 1008)), 0.25f, 0);
    return sgm_linear(g, x, p(g, 1, SGM_SHAPE(8, 1008)), p(g, 2, SGM_SHAPE(8)));
}

/* So many rows that sums over them are split: groups of four columns, none, and more than stand
 * side by side. */
static sgm_node *many_rows(sgm_graph *g, int64_t rows, int64_t columns)
{
    return sgm_linear(g, p(g, 0, SGM_SHAPE(rows, 3)), p(g, 1, SGM_SHAPE(columns, 3)),
                      p(g, 2, SGM_SHAPE(columns)));
}

static sgm_node *linear_rows(sgm_graph *g)
{
    return many_rows(g, 1203, 20);
}

static sgm_node *linear_rows_odd(sgm_graph *g)
{
    return many_rows(g, 1203, 21);
}

static sgm_node *linear_rows_wide(sgm_graph *g)
{
    return many_rows(g, 301, 140);
}

static sgm_node *linear_rows_narrow(sgm_graph *g)
{
    return many_rows(g, 16500, 1);
}

/* layer, activation, residual: what the plan fuses */
static sgm_node *mlp(sgm_graph *g)
{
    sgm_node *x = p(g, 0, SGM_SHAPE(37, 24));
    sgm_node *h = sgm_act_node(
        g, sgm_linear(g, x, p(g, 1, SGM_SHAPE(50, 24)), p(g, 2, SGM_SHAPE(50))), SGM_ACT_GELU);
    return sgm_add(g, x, sgm_linear(g, h, p(g, 3, SGM_SHAPE(24, 50)), p(g, 4, SGM_SHAPE(24))));
}

/* Rows of whole vectors, as networks have them: the two layers of a block, their inner values in
 * BF16 where the device stores them so. */
static sgm_node *two_layers(sgm_graph *g, int64_t rows, sgm_act act, bool bias)
{
    sgm_node *x = p(g, 0, SGM_SHAPE(rows, 24));
    sgm_node *h =
        sgm_linear(g, x, p(g, 1, SGM_SHAPE(48, 24)), bias ? p(g, 2, SGM_SHAPE(48)) : NULL);
    if (act != SGM_ACT_NONE) h = sgm_act_node(g, h, act);
    sgm_node *y =
        sgm_linear(g, h, p(g, 3, SGM_SHAPE(24, 48)), bias ? p(g, 4, SGM_SHAPE(24)) : NULL);
    return sgm_add(g, x, y);
}

static sgm_node *block_gelu(sgm_graph *g)
{
    return two_layers(g, 37, SGM_ACT_GELU, true);
}

static sgm_node *block_relu(sgm_graph *g)
{
    return two_layers(g, 5, SGM_ACT_RELU, true);
}

static sgm_node *block_sigmoid(sgm_graph *g)
{
    return two_layers(g, 9, SGM_ACT_SIGMOID, true);
}

static sgm_node *block_without_bias(sgm_graph *g)
{
    return two_layers(g, 1, SGM_ACT_NONE, false);
}

/* One weight with two biases: packed forms must not be mixed up. */
static sgm_node *linear_twice(sgm_graph *g)
{
    sgm_node *x = p(g, 0, SGM_SHAPE(6, 16)), *w = p(g, 1, SGM_SHAPE(16, 16));
    sgm_node *y =
        sgm_linear(g, sgm_linear(g, x, w, p(g, 2, SGM_SHAPE(16))), w, p(g, 3, SGM_SHAPE(16)));
    return sgm_linear(g, y, w, NULL);
}

/* Sums whose gradient may or must not stay in one place for both operands (train_sharing.c). */
static sgm_node *square(sgm_graph *g, sgm_node *x, int i)
{
    return sgm_linear(g, x, p(g, i, SGM_SHAPE(12, 12)), p(g, i + 1, SGM_SHAPE(12)));
}

/* Blocks of two steps behind each other, as in an encoder. */
static sgm_node *residual_stream(sgm_graph *g)
{
    sgm_node *x = square(g, p(g, 0, SGM_SHAPE(5, 12)), 1);
    for (int i = 3; i < 9; i += 2)
        x = sgm_add(g, x, sgm_act_node(g, square(g, x, i), SGM_ACT_GELU));
    return sgm_act_node(g, x, SGM_ACT_TANH);
}

/* One step between the operands: it writes to the one gradient while it reads the other. */
static sgm_node *residual_of_one_step(sgm_graph *g)
{
    sgm_node *x = sgm_act_node(g, p(g, 0, SGM_SHAPE(5, 12)), SGM_ACT_TANH);
    x = sgm_add(g, x, square(g, x, 1));
    x = sgm_add(g, square(g, x, 3), x);
    return sgm_act_node(g, x, SGM_ACT_TANH);
}

/* Operands that others use too, before and after the sum, and a sum of a value and itself. */
static sgm_node *residual_crossed(sgm_graph *g)
{
    sgm_node *x = square(g, p(g, 0, SGM_SHAPE(5, 12)), 1);
    sgm_node *y = sgm_act_node(g, square(g, x, 3), SGM_ACT_GELU);
    sgm_node *sum = sgm_add(g, x, y);
    sgm_node *late = sgm_mul(g, sgm_act_node(g, sum, SGM_ACT_TANH), y);
    sgm_node *other = sgm_add(g, sgm_add(g, y, sum), sgm_act_node(g, x, SGM_ACT_SIGMOID));
    sgm_node *twice = sgm_add(g, other, other);
    return sgm_add(g, sgm_act_node(g, twice, SGM_ACT_TANH), late);
}

/* An operand seen in another shape, and one that repeats. */
static sgm_node *residual_reshaped(sgm_graph *g)
{
    sgm_node *x = square(g, p(g, 0, SGM_SHAPE(6, 12)), 1);
    sgm_node *y = sgm_act_node(g, square(g, x, 3), SGM_ACT_GELU);
    sgm_node *sum =
        sgm_add(g, sgm_reshape(g, x, SGM_SHAPE(2, 3, 12)), sgm_reshape(g, y, SGM_SHAPE(2, 3, 12)));
    sum = sgm_add(g, sum, sgm_act_node(g, p(g, 5, SGM_SHAPE(3, 12)), SGM_ACT_TANH));
    return sgm_act_node(g, sum, SGM_ACT_TANH);
}

/* activation, then residual */
static sgm_node *act_and_residual(sgm_graph *g)
{
    sgm_node *x = p(g, 0, SGM_SHAPE(7, 32));
    sgm_node *y = sgm_linear(g, x, p(g, 1, SGM_SHAPE(32, 32)), p(g, 2, SGM_SHAPE(32)));
    return sgm_add(g, sgm_act_node(g, y, SGM_ACT_GELU), x);
}

static sgm_node *conv_block(sgm_graph *g)
{
    sgm_node *x = p(g, 0, SGM_SHAPE(2, 6, 5, 8));
    sgm_node *h =
        sgm_conv2d(g, x, p(g, 1, SGM_SHAPE(16, 8, 3, 3)), p(g, 2, SGM_SHAPE(16)), 1, 1, 1);
    h = sgm_act_node(g, h, SGM_ACT_GELU);
    return sgm_add(
        g, x, sgm_conv2d(g, h, p(g, 3, SGM_SHAPE(8, 16, 1, 1)), p(g, 4, SGM_SHAPE(8)), 1, 0, 1));
}

static sgm_node *conv3(sgm_graph *g)
{
    return sgm_conv2d(g, p(g, 0, SGM_SHAPE(2, 7, 9, 5)), p(g, 1, SGM_SHAPE(11, 5, 3, 3)),
                      p(g, 2, SGM_SHAPE(11)), 1, 1, 1);
}

static sgm_node *conv3_stride(sgm_graph *g)
{
    return sgm_conv2d(g, p(g, 0, SGM_SHAPE(1, 9, 8, 3)), p(g, 1, SGM_SHAPE(17, 3, 3, 3)), NULL, 2,
                      1, 1);
}

static sgm_node *conv1(sgm_graph *g)
{
    return sgm_conv2d(g, p(g, 0, SGM_SHAPE(2, 5, 3, 18)), p(g, 1, SGM_SHAPE(7, 18, 1, 1)),
                      p(g, 2, SGM_SHAPE(7)), 1, 0, 1);
}

static sgm_node *conv_patch(sgm_graph *g)
{
    return sgm_conv2d(g, p(g, 0, SGM_SHAPE(1, 16, 24, 3)), p(g, 1, SGM_SHAPE(20, 3, 8, 8)),
                      p(g, 2, SGM_SHAPE(20)), 8, 0, 1);
}

/* SAMUS: kernel larger than stride */
static sgm_node *conv_overlap(sgm_graph *g)
{
    return sgm_conv2d(g, p(g, 0, SGM_SHAPE(1, 24, 24, 3)), p(g, 1, SGM_SHAPE(6, 3, 16, 16)), NULL,
                      8, 0, 1);
}

static sgm_node *depthwise(sgm_graph *g)
{
    return sgm_act_node(g,
                        sgm_conv2d(g, p(g, 0, SGM_SHAPE(2, 6, 9, 21)),
                                   p(g, 1, SGM_SHAPE(21, 1, 3, 3)), p(g, 2, SGM_SHAPE(21)), 1, 1,
                                   21),
                        SGM_ACT_GELU);
}

static sgm_node *depthwise_stride(sgm_graph *g)
{
    return sgm_conv2d(g, p(g, 0, SGM_SHAPE(1, 7, 10, 16)), p(g, 1, SGM_SHAPE(16, 1, 3, 3)), NULL, 2,
                      1, 16);
}

/* A filter per channel in groups of four: kernels of other sizes, borders that a stride does not
 * meet, and so many pixels that the sums of the weights' gradient are split. */
static sgm_node *depthwise_of(sgm_graph *g, sgm_shape x, int64_t kh, int64_t kw, int stride)
{
    int64_t C = x.dim[3];
    return sgm_conv2d(g, p(g, 0, x), p(g, 1, SGM_SHAPE(C, 1, kh, kw)), p(g, 2, SGM_SHAPE(C)),
                      stride, 1, (int)C);
}

static sgm_node *depthwise_oblong(sgm_graph *g)
{
    return depthwise_of(g, SGM_SHAPE(2, 9, 8, 12), 5, 2, 2);
}

static sgm_node *depthwise_stride3(sgm_graph *g)
{
    return depthwise_of(g, SGM_SHAPE(1, 11, 13, 8), 3, 3, 3);
}

static sgm_node *depthwise_many_pixels(sgm_graph *g)
{
    return depthwise_of(g, SGM_SHAPE(2, 31, 29, 12), 3, 3, 1);
}

static sgm_node *depthwise_wide(sgm_graph *g)
{
    return depthwise_of(g, SGM_SHAPE(1, 19, 23, 132), 3, 3, 2);
}

static sgm_node *conv_groups(sgm_graph *g)
{
    return sgm_conv2d(g, p(g, 0, SGM_SHAPE(1, 5, 5, 8)), p(g, 1, SGM_SHAPE(6, 4, 3, 3)),
                      p(g, 2, SGM_SHAPE(6)), 1, 1, 2);
}

static sgm_node *conv_transpose(sgm_graph *g)
{
    return sgm_conv_transpose(g, p(g, 0, SGM_SHAPE(2, 3, 5, 13)), p(g, 1, SGM_SHAPE(13, 19, 2, 2)),
                              p(g, 2, SGM_SHAPE(19)));
}

static sgm_node *conv_transpose_gelu(sgm_graph *g)
{
    return sgm_act_node(g, conv_transpose(g), SGM_ACT_GELU);
}

static sgm_node *layernorm(sgm_graph *g)
{
    return sgm_layernorm(g, p(g, 0, SGM_SHAPE(5, 3, 37)), p(g, 1, SGM_SHAPE(37)),
                         p(g, 2, SGM_SHAPE(37)), 1e-6f);
}

static sgm_node *layernorm_wide(sgm_graph *g)
{
    return sgm_layernorm(g, p(g, 0, SGM_SHAPE(5, 776)), p(g, 1, SGM_SHAPE(776)),
                         p(g, 2, SGM_SHAPE(776)), 1e-6f);
}

/* as in front of a block's layers; rows are no multiple of four */
static sgm_node *layernorm_linear(sgm_graph *g)
{
    sgm_node *x = sgm_layernorm(g, p(g, 0, SGM_SHAPE(7, 64)), p(g, 1, SGM_SHAPE(64)),
                                p(g, 2, SGM_SHAPE(64)), 1e-6f);
    return sgm_linear(g, x, p(g, 3, SGM_SHAPE(16, 64)), NULL);
}

/* in front of linear layers again, rows as wide as those of SAM's encoders */
static sgm_node *layernorm_encoder(sgm_graph *g, int64_t C)
{
    sgm_node *x = sgm_layernorm(g, p(g, 0, SGM_SHAPE(6, C)), p(g, 1, SGM_SHAPE(C)),
                                p(g, 2, SGM_SHAPE(C)), 1e-6f);
    return sgm_linear(g, x, p(g, 3, SGM_SHAPE(8, C)), NULL);
}

static sgm_node *layernorm_256(sgm_graph *g)
{
    return layernorm_encoder(g, 256);
}

static sgm_node *layernorm_768(sgm_graph *g)
{
    return layernorm_encoder(g, 768);
}

static sgm_node *layernorm_1024(sgm_graph *g)
{
    return layernorm_encoder(g, 1024);
}

static sgm_node *layernorm_1280(sgm_graph *g)
{
    return layernorm_encoder(g, 1280);
}

static sgm_node *layernorm_widest(sgm_graph *g)
{
    return sgm_layernorm(g, p(g, 0, SGM_SHAPE(2, 2052)), p(g, 1, SGM_SHAPE(2052)),
                         p(g, 2, SGM_SHAPE(2052)), 1e-6f);
}

/* so many rows that the sums of gamma's and beta's gradients are split */
static sgm_node *layernorm_rows(sgm_graph *g, int64_t rows, int64_t C)
{
    return sgm_layernorm(g, p(g, 0, SGM_SHAPE(rows, C)), p(g, 1, SGM_SHAPE(C)),
                         p(g, 2, SGM_SHAPE(C)), 1e-6f);
}

static sgm_node *layernorm_many_rows(sgm_graph *g)
{
    return layernorm_rows(g, 701, 24);
}

static sgm_node *layernorm_many_odd_rows(sgm_graph *g)
{
    return layernorm_rows(g, 503, 37);
}

static sgm_node *layernorm_gelu(sgm_graph *g)
{
    return sgm_act_node(g, layernorm(g), SGM_ACT_GELU);
}

static sgm_node *attention(sgm_graph *g)
{
    return sgm_attention(g, p(g, 0, SGM_SHAPE(2, 7, 32)), p(g, 1, SGM_SHAPE(2, 45, 32)),
                         p(g, 2, SGM_SHAPE(2, 45, 32)), 4);
}

static sgm_node *attention_shared(sgm_graph *g)
{
    return sgm_attention(g, p(g, 0, SGM_SHAPE(3, 70, 16)), p(g, 1, SGM_SHAPE(1, 6, 16)),
                         p(g, 2, SGM_SHAPE(1, 6, 16)), 2);
}

static sgm_node *grid(sgm_graph *g, int64_t h, int64_t w, int heads, int hd, int window,
                      sgm_grid_bias bias, sgm_qkv_layout layout, bool pad)
{
    int64_t C = heads * hd, sh = window ? window : h, sw = window ? window : w;
    sgm_node *b0 = NULL, *b1 = NULL;
    if (bias == SGM_BIAS_TABLE) b0 = p(g, 2, SGM_SHAPE(heads, sh * sw));
    if (bias == SGM_BIAS_REL_POS) {
        b0 = p(g, 2, SGM_SHAPE(2 * sh - 1, hd));
        b1 = p(g, 3, SGM_SHAPE(2 * sw - 1, hd));
    }
    return sgm_attention_grid(g, p(g, 0, SGM_SHAPE(2, h, w, 3 * C)),
                              pad ? p(g, 1, SGM_SHAPE(3 * C)) : NULL, b0, b1, bias, layout, heads,
                              window);
}

static sgm_node *grid_global(sgm_graph *g)
{
    return grid(g, 6, 9, 2, 16, 0, SGM_BIAS_REL_POS, SGM_QKV_SAM, false);
}

static sgm_node *grid_window(sgm_graph *g)
{
    return grid(g, 8, 11, 2, 16, 5, SGM_BIAS_REL_POS, SGM_QKV_SAM, true);
}

static sgm_node *grid_window_fits(sgm_graph *g)
{
    return grid(g, 8, 4, 1, 64, 4, SGM_BIAS_REL_POS, SGM_QKV_SAM, true);
}

static sgm_node *grid_head80(sgm_graph *g)
{
    return grid(g, 7, 7, 2, 80, 0, SGM_BIAS_REL_POS, SGM_QKV_SAM, false);
}

static sgm_node *grid_tinyvit(sgm_graph *g)
{
    return grid(g, 8, 8, 3, 32, 7, SGM_BIAS_TABLE, SGM_QKV_TINYVIT, true);
}

/* So many windows that the sums of the table's gradient are split. */
static sgm_node *grid_many_windows(sgm_graph *g)
{
    return grid(g, 26, 23, 3, 4, 3, SGM_BIAS_TABLE, SGM_QKV_TINYVIT, true);
}

static sgm_node *grid_many_even_windows(sgm_graph *g)
{
    return grid(g, 30, 32, 2, 4, 4, SGM_BIAS_TABLE, SGM_QKV_TINYVIT, false);
}

static sgm_node *grid_plain(sgm_graph *g)
{
    return grid(g, 5, 4, 2, 8, 0, SGM_BIAS_NONE, SGM_QKV_SAM, false);
}

static sgm_node *grid_no_pad(sgm_graph *g)
{
    return grid(g, 5, 6, 1, 16, 4, SGM_BIAS_TABLE, SGM_QKV_TINYVIT, false);
}

/* more queries than a block of tensor cores has, and a window that hangs over both borders */
static sgm_node *grid_window_sam(sgm_graph *g)
{
    return grid(g, 16, 9, 1, 64, 14, SGM_BIAS_REL_POS, SGM_QKV_SAM, true);
}

/* rows of whole key tiles, as SAM's 64 x 64 grid */
static sgm_node *grid_wide(sgm_graph *g)
{
    return grid(g, 3, 64, 1, 64, 0, SGM_BIAS_REL_POS, SGM_QKV_SAM, false);
}

static sgm_node *grid_wide_head80(sgm_graph *g)
{
    return grid(g, 2, 64, 1, 80, 0, SGM_BIAS_REL_POS, SGM_QKV_SAM, false);
}

/* heads that no kernel fits exactly: 24 of 32, 48 of 64, 112 of 128 channels; 12 stays in F32 */
static sgm_node *grid_odd(sgm_graph *g, int hd)
{
    return grid(g, 5, 7, 2, hd, 4, SGM_BIAS_REL_POS, SGM_QKV_TINYVIT, true);
}

static sgm_node *grid_head24(sgm_graph *g)
{
    return grid_odd(g, 24);
}

static sgm_node *grid_head48(sgm_graph *g)
{
    return grid_odd(g, 48);
}

static sgm_node *grid_head112(sgm_graph *g)
{
    return grid_odd(g, 112);
}

static sgm_node *grid_head12(sgm_graph *g)
{
    return grid_odd(g, 12);
}

/* the mask decoder: few tokens ask the image, and the other way round */
static sgm_node *attention_to_image(sgm_graph *g)
{
    return sgm_attention(g, p(g, 0, SGM_SHAPE(2, 7, 32)), p(g, 1, SGM_SHAPE(2, 1030, 32)),
                         p(g, 2, SGM_SHAPE(2, 1030, 32)), 2);
}

static sgm_node *attention_one_query(sgm_graph *g)
{
    return sgm_attention(g, p(g, 0, SGM_SHAPE(1, 1, 64)), p(g, 1, SGM_SHAPE(1, 300, 64)),
                         p(g, 2, SGM_SHAPE(1, 300, 64)), 2);
}

static sgm_node *attention_one_key(sgm_graph *g)
{
    return sgm_attention(g, p(g, 0, SGM_SHAPE(2, 200, 64)), p(g, 1, SGM_SHAPE(1, 1, 64)),
                         p(g, 2, SGM_SHAPE(1, 1, 64)), 1);
}

/* As in a network: queries, keys and values come from layers, which store them in BF16. */
static sgm_node *grid_layer(sgm_graph *g, int64_t h, int64_t w, int heads, int hd, int window)
{
    int64_t C = heads * hd, sh = window ? window : h, sw = window ? window : w;
    sgm_node *x = p(g, 0, SGM_SHAPE(2, h, w, 8)), *bias = p(g, 2, SGM_SHAPE(3 * C));
    sgm_node *qkv = sgm_linear(g, x, p(g, 1, SGM_SHAPE(3 * C, 8)), bias);
    return sgm_attention_grid(g, qkv, window ? bias : NULL, p(g, 3, SGM_SHAPE(2 * sh - 1, hd)),
                              p(g, 4, SGM_SHAPE(2 * sw - 1, hd)), SGM_BIAS_REL_POS, SGM_QKV_SAM,
                              heads, window);
}

static sgm_node *grid_layer_window(sgm_graph *g)
{
    return grid_layer(g, 9, 12, 2, 16, 7);
}

static sgm_node *grid_layer_wide(sgm_graph *g)
{
    return grid_layer(g, 3, 64, 1, 64, 0);
}

/* windows in rows of 16 keys: a whole one and one that hangs over, 14 rows of 14 */
static sgm_node *grid_layer_sam(sgm_graph *g)
{
    return grid_layer(g, 14, 17, 1, 64, 14);
}

static sgm_node *grid_layer_head80(sgm_graph *g)
{
    return grid_layer(g, 13, 10, 1, 80, 10);
}

/* four rows and three, four and one; a head that no kernel fits exactly, and no column too many */
static sgm_node *grid_layer_rows7(sgm_graph *g)
{
    return grid_layer(g, 7, 9, 1, 64, 0);
}

static sgm_node *grid_layer_rows5(sgm_graph *g)
{
    return grid_layer(g, 5, 16, 2, 56, 0);
}

static sgm_node *attention_layer(sgm_graph *g)
{
    sgm_node *x = p(g, 0, SGM_SHAPE(2, 150, 8)), *w = p(g, 1, SGM_SHAPE(48, 8));
    sgm_node *q = sgm_linear(g, x, w, NULL), *k = sgm_linear(g, x, p(g, 2, SGM_SHAPE(48, 8)), NULL);
    return sgm_attention(g, q, k, sgm_linear(g, x, w, p(g, 3, SGM_SHAPE(48))), 2);
}

static sgm_node *matmul(sgm_graph *g)
{
    return sgm_matmul(g, p(g, 0, SGM_SHAPE(3, 4, 32)), p(g, 1, SGM_SHAPE(3, 65, 32)));
}

static sgm_node *matmul_shared(sgm_graph *g)
{
    return sgm_matmul(g, p(g, 0, SGM_SHAPE(3, 4, 10)), p(g, 1, SGM_SHAPE(1, 31, 10)));
}

static sgm_node *add(sgm_graph *g)
{
    return sgm_add(g, p(g, 0, SGM_SHAPE(2, 3, 4, 5)), p(g, 1, SGM_SHAPE(2, 3, 4, 5)));
}

static sgm_node *add_batch(sgm_graph *g)
{
    return sgm_add(g, p(g, 0, SGM_SHAPE(3, 4, 4, 6)), p(g, 1, SGM_SHAPE(1, 4, 4, 6)));
}

static sgm_node *add_row(sgm_graph *g)
{
    return sgm_add(g, p(g, 0, SGM_SHAPE(9)), p(g, 1, SGM_SHAPE(5, 9)));
}

static sgm_node *add_inner(sgm_graph *g)
{
    return sgm_add(g, p(g, 0, SGM_SHAPE(2, 1, 5)), p(g, 1, SGM_SHAPE(1, 3, 1)));
}

/* a bias of many rows, and of the images of a batch */
static sgm_node *add_bias(sgm_graph *g)
{
    return sgm_add(g, p(g, 0, SGM_SHAPE(150, 24)), p(g, 1, SGM_SHAPE(24)));
}
static sgm_node *add_image_bias(sgm_graph *g)
{
    return sgm_add(g, p(g, 0, SGM_SHAPE(2, 9, 11, 8)), p(g, 1, SGM_SHAPE(2, 1, 1, 8)));
}
static sgm_node *mul_scale(sgm_graph *g)
{
    return sgm_mul(g, p(g, 0, SGM_SHAPE(3, 70, 20)), p(g, 1, SGM_SHAPE(1, 70, 1)));
}
static sgm_node *mul_bias(sgm_graph *g)
{
    return sgm_mul(g, p(g, 0, SGM_SHAPE(200, 12)), p(g, 1, SGM_SHAPE(12)));
}

/* so many rows that sums over them are split */
static sgm_node *add_bias_many(sgm_graph *g)
{
    return sgm_add(g, p(g, 0, SGM_SHAPE(1, 20)), p(g, 1, SGM_SHAPE(1203, 20)));
}
static sgm_node *mul_bias_many(sgm_graph *g)
{
    return sgm_mul(g, p(g, 0, SGM_SHAPE(1203, 20)), p(g, 1, SGM_SHAPE(20)));
}
static sgm_node *mul_bias_many_odd(sgm_graph *g)
{
    return sgm_mul(g, p(g, 0, SGM_SHAPE(3, 7, 61, 21)), p(g, 1, SGM_SHAPE(21)));
}
static sgm_node *mul_bias_many_crossed(sgm_graph *g)
{
    return sgm_mul(g, p(g, 0, SGM_SHAPE(1203, 1)), p(g, 1, SGM_SHAPE(21)));
}

/* the same value twice, and used again: gradients must add up */
static sgm_node *reuse(sgm_graph *g)
{
    sgm_node *x = p(g, 0, SGM_SHAPE(4, 6));
    sgm_node *y = sgm_affine(g, sgm_add(g, x, x), 0.5f, 0.25f);
    return sgm_mul(g, sgm_add(g, y, x), y);
}

static sgm_node *mul(sgm_graph *g)
{
    return sgm_mul(g, p(g, 0, SGM_SHAPE(2, 3, 4, 5)), p(g, 1, SGM_SHAPE(2, 1, 1, 5)));
}

static sgm_node *mul_row(sgm_graph *g)
{
    return sgm_mul(g, p(g, 0, SGM_SHAPE(6, 5)), p(g, 1, SGM_SHAPE(5)));
}

static sgm_node *gelu(sgm_graph *g)
{
    return sgm_act_node(g, p(g, 0, SGM_SHAPE(67)), SGM_ACT_GELU);
}
/* Few values at kinks: none lies so near that a finite difference would step over it. */
static sgm_node *relu(sgm_graph *g)
{
    return sgm_act_node(g, p(g, 0, SGM_SHAPE(13)), SGM_ACT_RELU);
}
static sgm_node *sigmoid(sgm_graph *g)
{
    return sgm_act_node(g, p(g, 0, SGM_SHAPE(67)), SGM_ACT_SIGMOID);
}
static sgm_node *tanh_act(sgm_graph *g)
{
    return sgm_act_node(g, p(g, 0, SGM_SHAPE(67)), SGM_ACT_TANH);
}
static sgm_node *leaky(sgm_graph *g)
{
    return sgm_act_node(g, p(g, 0, SGM_SHAPE(13)), SGM_ACT_LEAKY_RELU);
}
static sgm_node *exponential(sgm_graph *g)
{
    return sgm_act_node(g, p(g, 0, SGM_SHAPE(67)), SGM_ACT_EXP);
}

/* positive inputs only */
static sgm_node *logarithm(sgm_graph *g)
{
    return sgm_act_node(g, sgm_affine(g, p(g, 0, SGM_SHAPE(67)), 0.5f, 2), SGM_ACT_LOG);
}

static sgm_node *rsqrt(sgm_graph *g)
{
    return sgm_act_node(g, sgm_affine(g, p(g, 0, SGM_SHAPE(67)), 0.5f, 2), SGM_ACT_RSQRT);
}

static sgm_node *concat(sgm_graph *g)
{
    sgm_node *parts[] = {p(g, 0, SGM_SHAPE(2, 3, 5)), p(g, 1, SGM_SHAPE(2, 1, 5)),
                         p(g, 2, SGM_SHAPE(2, 4, 5))};
    return sgm_concat(g, 1, 3, parts);
}

static sgm_node *slice(sgm_graph *g)
{
    return sgm_slice(g, p(g, 0, SGM_SHAPE(2, 7, 5)), 1, 2, 3);
}

static sgm_node *permute(sgm_graph *g)
{
    return sgm_permute(g, p(g, 0, SGM_SHAPE(2, 3, 4, 5)), (int[]){0, 3, 1, 2});
}

/* a view between two ops: its gradient is its base's */
static sgm_node *reshape(sgm_graph *g)
{
    sgm_node *x = sgm_act_node(g, p(g, 0, SGM_SHAPE(2, 3, 8)), SGM_ACT_GELU);
    sgm_node *y = sgm_reshape(g, x, SGM_SHAPE(6, -1));
    return sgm_add(g, sgm_linear(g, y, p(g, 1, SGM_SHAPE(8, 8)), NULL), y);
}

static sgm_node *resize_up(sgm_graph *g)
{
    return sgm_resize(g, p(g, 0, SGM_SHAPE(2, 5, 4, 3)), 11, 9, false);
}
static sgm_node *resize_vectors(sgm_graph *g)
{
    return sgm_resize(g, p(g, 0, SGM_SHAPE(2, 5, 4, 8)), 7, 9, false);
}
static sgm_node *maxpool_vectors(sgm_graph *g)
{
    return sgm_maxpool(g, p(g, 0, SGM_SHAPE(2, 5, 4, 8)));
}
static sgm_node *concat_vectors(sgm_graph *g)
{
    sgm_node *parts[] = {p(g, 0, SGM_SHAPE(3, 8)), p(g, 1, SGM_SHAPE(3, 12))};
    return sgm_concat(g, 1, 2, parts);
}
static sgm_node *depthwise_vectors(sgm_graph *g)
{
    return sgm_conv2d(g, p(g, 0, SGM_SHAPE(2, 6, 9, 24)), p(g, 1, SGM_SHAPE(24, 1, 3, 3)),
                      p(g, 2, SGM_SHAPE(24)), 1, 1, 24);
}
static sgm_node *conv_transpose_vectors(sgm_graph *g)
{
    return sgm_conv_transpose(g, p(g, 0, SGM_SHAPE(2, 3, 5, 16)), p(g, 1, SGM_SHAPE(16, 8, 2, 2)),
                              p(g, 2, SGM_SHAPE(8)));
}
static sgm_node *resize_down(sgm_graph *g)
{
    return sgm_resize(g, p(g, 0, SGM_SHAPE(1, 9, 13, 2)), 4, 5, false);
}
static sgm_node *resize_corners(sgm_graph *g)
{
    return sgm_resize(g, p(g, 0, SGM_SHAPE(1, 4, 5, 3)), 7, 1, true);
}
static sgm_node *maxpool(sgm_graph *g)
{
    return sgm_maxpool(g, p(g, 0, SGM_SHAPE(1, 5, 4, 2)));
}
static sgm_node *softmax(sgm_graph *g)
{
    return sgm_softmax(g, p(g, 0, SGM_SHAPE(4, 11)));
}
/* Rows no longer than a vector. */
static sgm_node *softmax_seven(sgm_graph *g)
{
    return sgm_softmax(g, p(g, 0, SGM_SHAPE(5, 3, 7)));
}
static sgm_node *softmax_sixteen(sgm_graph *g)
{
    return sgm_softmax(g, p(g, 0, SGM_SHAPE(3, 16)));
}
static sgm_node *matmul_residual(sgm_graph *g)
{
    sgm_node *y = sgm_matmul(g, p(g, 0, SGM_SHAPE(2, 37, 21)), p(g, 1, SGM_SHAPE(2, 45, 21)));
    return sgm_add(g, p(g, 2, SGM_SHAPE(2, 37, 45)), y);
}
/* One residual for all of the batch: a sum of its own. */
static sgm_node *matmul_shared_residual(sgm_graph *g)
{
    sgm_node *y = sgm_matmul(g, p(g, 0, SGM_SHAPE(2, 5, 8)), p(g, 1, SGM_SHAPE(1, 9, 8)));
    return sgm_add(g, p(g, 2, SGM_SHAPE(1, 5, 9)), y);
}
static sgm_node *mul_crossed(sgm_graph *g)
{
    return sgm_mul(g, p(g, 0, SGM_SHAPE(2, 1, 3, 9)), p(g, 1, SGM_SHAPE(1, 4, 1, 9)));
}
static sgm_node *add_crossed(sgm_graph *g)
{
    return sgm_add(g, p(g, 0, SGM_SHAPE(2, 5, 12)), p(g, 1, SGM_SHAPE(2, 1, 12)));
}
static sgm_node *mul_crossed_numbers(sgm_graph *g)
{
    return sgm_mul(g, p(g, 0, SGM_SHAPE(5, 1, 19)), p(g, 1, SGM_SHAPE(5, 3, 1)));
}
static sgm_node *add_crossed_numbers(sgm_graph *g)
{
    return sgm_add(g, p(g, 0, SGM_SHAPE(4, 1)), p(g, 1, SGM_SHAPE(2, 1, 17)));
}
static sgm_node *attention_many_keys(sgm_graph *g)
{
    return sgm_attention(g, p(g, 0, SGM_SHAPE(2, 9, 24)), p(g, 1, SGM_SHAPE(1, 300, 24)),
                         p(g, 2, SGM_SHAPE(1, 300, 24)), 1);
}
static sgm_node *sum(sgm_graph *g)
{
    return sgm_sum(g, p(g, 0, SGM_SHAPE(2, 3, 4, 5)), 2);
}

static sgm_node *fourier(sgm_graph *g)
{
    return sgm_fourier(g, p(g, 0, SGM_SHAPE(3, 5, 2)), p(g, 1, SGM_SHAPE(2, 8)));
}

/* SAM's loss of the best of three masks; its targets have no gradient: test_loss, test_rows. */
static sgm_node *loss_sam(sgm_graph *g)
{
    static const float value[4] = {20, 1, 1, 1};
    sgm_node *in[3] = {p(g, 0, SGM_SHAPE(3, 4, 45, 31)), p(g, 1, SGM_SHAPE(3, 4)),
                       p(g, 2, SGM_SHAPE(3, 45, 31))};
    return sgm_loss(g, SGM_LOSS_SAM, value, 3, in);
}

const op_case op_cases[] = {
    {"linear", linear, 0, 0, false},
    {"linear 1x1", linear_one, 0, 0, false},
    {"linear wide", linear_wide, 0, 0, false},
    {"linear long", linear_long, 0, 0, false},
    {"linear of many rows", linear_rows, 0, 0, false},
    {"linear of many odd rows", linear_rows_odd, 0, 0, false},
    {"linear of many wide rows", linear_rows_wide, 0, 0, false},
    {"linear of many rows of one value", linear_rows_narrow, 0, 0, false},
    {"mlp with residual", mlp, 0, 0, false},
    {"block with gelu", block_gelu, 0, 0, false},
    {"block with relu", block_relu, 0, 0, false},
    {"block with sigmoid", block_sigmoid, 0, 0, false},
    {"block without bias", block_without_bias, 0, 0, false},
    {"linear, one weight twice", linear_twice, 0, 0, false},
    {"linear gelu residual", act_and_residual, 0, 0, false},
    {"conv block", conv_block, 0, 0, false},
    {"conv 3x3", conv3, 0, 0, false},
    {"conv 3x3 stride 2", conv3_stride, 0, 0, false},
    {"conv 1x1", conv1, 0, 0, false},
    {"conv patch", conv_patch, 0, 0, false},
    {"conv kernel over stride", conv_overlap, 0, 0, false},
    {"conv depthwise gelu", depthwise, 0, 0, false},
    {"conv depthwise stride 2", depthwise_stride, 0, 0, false},
    {"conv depthwise oblong", depthwise_oblong, 0, 0, false},
    {"conv depthwise stride 3", depthwise_stride3, 0, 0, false},
    {"conv depthwise of many pixels", depthwise_many_pixels, 0, 0, false},
    {"conv depthwise wide", depthwise_wide, 0, 0, false},
    {"conv two groups", conv_groups, 0, 0, false},
    {"conv transpose", conv_transpose, 0, 0, false},
    {"conv transpose gelu", conv_transpose_gelu, 0, 0, false},
    {"layernorm", layernorm, 0, 0, false},
    {"layernorm gelu", layernorm_gelu, 0, 0, false},
    {"layernorm wide", layernorm_wide, 0, 0, false},
    {"layernorm widest", layernorm_widest, 0, 0, false},
    {"layernorm of many rows", layernorm_many_rows, 0, 0, false},
    {"layernorm of many odd rows", layernorm_many_odd_rows, 0, 0, false},
    {"layernorm linear", layernorm_linear, 0, 0, false},
    {"layernorm linear 256", layernorm_256, 0, 0, false},
    {"layernorm linear 768", layernorm_768, 0, 0, false},
    {"layernorm linear 1024", layernorm_1024, 0, 0, false},
    {"layernorm linear 1280", layernorm_1280, 0, 0, false},
    {"attention", attention, 0, 0, false},
    {"attention shared keys", attention_shared, 0, 0, false},
    {"attention to the image", attention_to_image, 0, 0, false},
    {"attention of one query", attention_one_query, 0, 0, false},
    {"attention to one key", attention_one_key, 0, 0, false},
    {"attention after layers", attention_layer, 0, 0, false},
    {"grid global rel-pos", grid_global, 0, 0, false},
    {"grid windows rel-pos", grid_window, 0, 0, false},
    {"grid windows without padding", grid_window_fits, 0, 0, false},
    {"grid head size 80", grid_head80, 0, 0, false},
    {"grid TinyViT", grid_tinyvit, 0, 0, false},
    {"grid of many windows", grid_many_windows, 0, 0, false},
    {"grid of many even windows", grid_many_even_windows, 0, 0, false},
    {"grid no bias", grid_plain, 0, 0, false},
    {"grid padded with zeros", grid_no_pad, 0, 0, false},
    {"grid windows of SAM", grid_window_sam, 0, 0, true},
    {"grid of wide rows", grid_wide, 0, 0, true},
    {"grid of wide rows, head size 80", grid_wide_head80, 0, 0, true},
    {"grid windows after a layer", grid_layer_window, 0, 0, false},
    {"grid windows of SAM after a layer", grid_layer_sam, 0, 0, true},
    {"grid windows of ten after a layer, head size 80", grid_layer_head80, 0, 0, true},
    {"grid of seven rows after a layer", grid_layer_rows7, 0, 0, false},
    {"grid of five rows after a layer", grid_layer_rows5, 0, 0, true},
    {"grid of wide rows after a layer", grid_layer_wide, 0, 1e-2, true},
    {"grid head size 12", grid_head12, 0, 0, false},
    {"grid head size 24", grid_head24, 0, 0, false},
    {"grid head size 48", grid_head48, 0, 0, false},
    {"grid head size 112", grid_head112, 0, 0, false},
    {"matmul", matmul, 0, 0, false},
    {"matmul shared", matmul_shared, 0, 0, false},
    {"add", add, 0, 0, false},
    {"add over the batch", add_batch, 0, 0, false},
    {"add a row", add_row, 0, 0, false},
    {"add inner", add_inner, 0, 0, false},
    {"add a bias", add_bias, 0, 0, false},
    {"add a bias per image", add_image_bias, 0, 0, false},
    {"mul rows by scales", mul_scale, 0, 0, false},
    {"mul by a bias", mul_bias, 0, 0, false},
    {"add a bias to many rows", add_bias_many, 0, 0, false},
    {"mul many rows by a bias", mul_bias_many, 0, 0, false},
    {"mul many odd rows by a bias", mul_bias_many_odd, 0, 0, false},
    {"mul many scales by a bias", mul_bias_many_crossed, 0, 0, false},
    {"a value used twice", reuse, 0, 0, false},
    {"residual stream", residual_stream, 0, 0, false},
    {"residual of one step", residual_of_one_step, 0, 0, false},
    {"residual crossed", residual_crossed, 0, 0, false},
    {"residual reshaped", residual_reshaped, 0, 0, false},
    {"mul", mul, 0, 0, false},
    {"mul a row", mul_row, 0, 0, false},
    {"gelu", gelu, 0, 0, false},
    {"relu", relu, 0, 0, false},
    {"sigmoid", sigmoid, 0, 0, false},
    {"tanh", tanh_act, 0, 0, false},
    {"leaky relu", leaky, 0, 0, false},
    {"exp", exponential, 0, 0, false},
    {"log", logarithm, 0, 0, false},
    {"rsqrt", rsqrt, 0, 0, false},
    {"concat", concat, 0, 0, false},
    {"slice", slice, 0, 0, false},
    {"permute", permute, 0, 0, false},
    {"reshape", reshape, 0, 0, false},
    {"resize up", resize_up, 0, 0, false},
    {"resize vectors", resize_vectors, 0, 0, false},
    {"maxpool vectors", maxpool_vectors, 0, 0, false},
    {"concat vectors", concat_vectors, 0, 0, false},
    {"conv depthwise vectors", depthwise_vectors, 0, 0, false},
    {"conv transpose vectors", conv_transpose_vectors, 0, 0, false},
    {"resize down", resize_down, 0, 0, false},
    {"resize corners", resize_corners, 0, 0, false},
    {"maxpool", maxpool, 0, 0, false},
    {"softmax", softmax, 0, 0, false},
    {"softmax of 7", softmax_seven, 0, 0, false},
    {"softmax of 16", softmax_sixteen, 0, 0, false},
    {"matmul with residual", matmul_residual, 0, 0, false},
    {"matmul with shared residual", matmul_shared_residual, 0, 0, false},
    {"mul crossed", mul_crossed, 0, 0, false},
    {"add crossed", add_crossed, 0, 0, false},
    {"mul crossed numbers", mul_crossed_numbers, 0, 0, false},
    {"add crossed numbers", add_crossed_numbers, 0, 0, false},
    {"attention to many keys", attention_many_keys, 0, 0, false},
    {"sum", sum, 0, 0, false},
    {"fourier", fourier, 0, 0, true},
    {"loss sam", loss_sam, 0, 0, true},
};

const int op_case_count = (int)(sizeof op_cases / sizeof *op_cases);
