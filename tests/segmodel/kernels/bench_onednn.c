#include "bench_onednn.h"

#include <oneapi/dnnl/dnnl.h>

#include <stdio.h>
#include <stdlib.h>

struct onednn_linear {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t matmul;
    dnnl_memory_t a, w, bias, out;
};

static bool done(dnnl_status_t status)
{
    return status == dnnl_success;
}

static dnnl_memory_desc_t matrix(int64_t rows, int64_t columns, dnnl_data_type_t type,
                                 dnnl_format_tag_t tag)
{
    dnnl_dims_t dims = {rows, columns};
    dnnl_memory_desc_t desc;
    dnnl_memory_desc_init_by_tag(&desc, 2, dims, type, tag);
    return desc;
}

/* FP32 weights [n][k] into the form that `wanted` describes. */
static bool pack_weights(onednn_linear *l, int64_t k, int64_t n, float *w,
                         const dnnl_memory_desc_t *wanted)
{
    dnnl_memory_desc_t plain = matrix(k, n, dnnl_f32, dnnl_ba);
    dnnl_memory_t from = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t reorder = NULL;
    bool ok = done(dnnl_memory_create(&from, &plain, l->engine, w)) &&
              done(dnnl_memory_create(&l->w, wanted, l->engine, DNNL_MEMORY_ALLOCATE)) &&
              done(dnnl_reorder_primitive_desc_create(&desc, &plain, l->engine, wanted, l->engine,
                                                      NULL)) &&
              done(dnnl_primitive_create(&reorder, desc));
    if (ok) {
        dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, l->w}};
        ok = done(dnnl_primitive_execute(reorder, l->stream, 2, args)) &&
             done(dnnl_stream_wait(l->stream));
    }
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(desc);
    dnnl_memory_destroy(from);
    return ok;
}

static bool describe(onednn_linear *l, const dnnl_memory_desc_t md[4], bool gelu,
                     dnnl_primitive_desc_t *out)
{
    dnnl_matmul_desc_t desc;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    bool ok = done(dnnl_matmul_desc_init(&desc, &md[0], &md[1], &md[2], &md[3])) &&
              done(dnnl_primitive_attr_create(&attr)) && done(dnnl_post_ops_create(&ops)) &&
              (!gelu || done(dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_gelu_erf, 0, 0))) &&
              done(dnnl_primitive_attr_set_post_ops(attr, ops)) &&
              done(dnnl_primitive_desc_create(out, &desc, attr, l->engine, NULL));
    dnnl_post_ops_destroy(ops);
    dnnl_primitive_attr_destroy(attr);
    return ok;
}

onednn_linear *onednn_linear_create(int64_t m, int64_t k, int64_t n, sgm_dtype dtype, bool gelu,
                                    void *a, float *w, float *bias, void *out)
{
    dnnl_data_type_t type = dtype == SGM_F32 ? dnnl_f32 : dnnl_bf16;
    dnnl_memory_desc_t md[4] = {matrix(m, k, type, dnnl_ab),
                                matrix(k, n, type, dnnl_format_tag_any),
                                matrix(1, n, dnnl_f32, dnnl_ab), matrix(m, n, type, dnnl_ab)};
    dnnl_primitive_desc_t desc = NULL;
    onednn_linear *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    bool ok =
        done(dnnl_engine_create(&l->engine, dnnl_cpu, 0)) &&
        done(dnnl_stream_create(&l->stream, l->engine, dnnl_stream_default_flags)) &&
        describe(l, md, gelu, &desc) &&
        pack_weights(l, k, n, w, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0)) &&
        done(dnnl_primitive_create(&l->matmul, desc)) &&
        done(dnnl_memory_create(&l->a, &md[0], l->engine, a)) &&
        done(dnnl_memory_create(&l->bias, &md[2], l->engine, bias)) &&
        done(dnnl_memory_create(&l->out, &md[3], l->engine, out));
    dnnl_primitive_desc_destroy(desc);
    if (ok) return l;
    onednn_linear_destroy(l);
    return NULL;
}

void onednn_linear_destroy(onednn_linear *l)
{
    if (!l) return;
    dnnl_memory_t memories[] = {l->a, l->w, l->bias, l->out};
    for (int i = 0; i < 4; i++)
        dnnl_memory_destroy(memories[i]);
    dnnl_primitive_destroy(l->matmul);
    dnnl_stream_destroy(l->stream);
    dnnl_engine_destroy(l->engine);
    free(l);
}

sgm_status onednn_linear_run(void *linear)
{
    onednn_linear *l = linear;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, l->a},
                              {DNNL_ARG_WEIGHTS, l->w},
                              {DNNL_ARG_BIAS, l->bias},
                              {DNNL_ARG_DST, l->out}};
    bool ok = done(dnnl_primitive_execute(l->matmul, l->stream, 4, args)) &&
              done(dnnl_stream_wait(l->stream));
    return ok ? SGM_OK : sgm_fail(SGM_INTERNAL, "oneDNN: a matmul failed");
}

const char *onednn_version(void)
{
    static char text[32];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}
