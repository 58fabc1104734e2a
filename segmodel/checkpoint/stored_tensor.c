#include "checkpoint/stored_tensor.h"

#include "checkpoint/mapped_file.h"
#include "core/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned char size;
    bool is_float;
} types[SGM_STORED_TYPE_COUNT] = {
    [SGM_STORED_F32] = {"F32", 4, true},    [SGM_STORED_F16] = {"F16", 2, true},
    [SGM_STORED_BF16] = {"BF16", 2, true},  [SGM_STORED_F64] = {"F64", 8, true},
    [SGM_STORED_I64] = {"I64", 8, false},   [SGM_STORED_I32] = {"I32", 4, false},
    [SGM_STORED_I16] = {"I16", 2, false},   [SGM_STORED_I8] = {"I8", 1, false},
    [SGM_STORED_U64] = {"U64", 8, false},   [SGM_STORED_U32] = {"U32", 4, false},
    [SGM_STORED_U16] = {"U16", 2, false},   [SGM_STORED_U8] = {"U8", 1, false},
    [SGM_STORED_BOOL] = {"BOOL", 1, false},
};

size_t sgm_stored_type_size(sgm_stored_type type)
{
    return types[type].size;
}

const char *sgm_stored_type_name(sgm_stored_type type)
{
    return types[type].name;
}

bool sgm_stored_type_is_float(sgm_stored_type type)
{
    return types[type].is_float;
}

bool sgm_stored_tensor_set_sizes(sgm_stored_tensor *t)
{
    if (t->rank < 0 || t->rank > SGM_STORED_MAX_RANK) return false;
    int64_t count = 1, stride = 1;
    bool empty = false;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->shape[i] < 0) return false;
        t->strides[i] = stride;
        /* A zero must not hide an overflow of the other sizes: strides are products of those. */
        int64_t size = t->shape[i] > 0 ? t->shape[i] : 1;
        empty = empty || t->shape[i] == 0;
        if (__builtin_mul_overflow(stride, size, &stride)) return false;
    }
    count = empty ? 0 : stride;
    int64_t bytes;
    if (__builtin_mul_overflow(count, (int64_t)types[t->type].size, &bytes)) return false;
    t->count = (size_t)count;
    t->byte_size = (size_t)bytes;
    t->contiguous = true;
    return (uint64_t)bytes <= SIZE_MAX;
}

const char *sgm_stored_tensor_shape_text(const sgm_stored_tensor *t, char text[96])
{
    size_t used = (size_t)snprintf(text, 96, "(");
    for (int i = 0; i < t->rank && used < 90; i++)
        used +=
            (size_t)snprintf(text + used, 96 - used, i ? ", %lld" : "%lld", (long long)t->shape[i]);
    if (used < 95) snprintf(text + used, 96 - used, ")");
    return text;
}

/* ------------------------------------------------------------------------------- half formats */

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

float sgm_bf16_to_f32(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}

uint16_t sgm_f32_to_bf16(float value)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40); /* quiet NaN */
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float sgm_f16_to_f32(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7fff;
    if (magnitude >= 0x7c00) return float_of(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
    /* Shifted into place the exponent is 112 too small; the product repairs it, subnormals too. */
    float value = float_of(magnitude << 13) * 0x1p112f;
    return float_of(sign | bits_of(value));
}

uint16_t sgm_f32_to_f16(float value)
{
    uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00);  /* NaN */
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and up round away */
    if (magnitude < 0x38800000) {
        /* Below 2^-14 a half counts multiples of 2^-24: adding 0.5 makes the sum's last bit
         * exactly that, so the addition rounds. */
        float sum = float_of(magnitude) + 0.5f;
        return (uint16_t)(sign | (bits_of(sum) - bits_of(0.5f)));
    }
    uint32_t rounded = magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1);
    return (uint16_t)(sign | rounded >> 13);
}

/* ------------------------------------------------------------------------------------ reading */

static size_t index_offset(const sgm_stored_tensor *t, size_t index)
{
    size_t offset = 0;
    for (int i = t->rank - 1; i >= 0; i--) {
        size_t size = (size_t)t->shape[i];
        offset += index % size * (size_t)t->strides[i];
        index /= size;
    }
    return offset;
}

static void gather_strided(const sgm_stored_tensor *t, size_t first, size_t count, char *out)
{
    size_t size = types[t->type].size;
    size_t row = (size_t)t->shape[t->rank - 1], stride = (size_t)t->strides[t->rank - 1];
    const char *data = t->data;
    for (size_t done = 0; done < count;) {
        size_t index = first + done, left = row - index % row;
        const char *from = data + index_offset(t, index) * size;
        size_t n = left < count - done ? left : count - done;
        for (size_t i = 0; i < n; i++)
            memcpy(out + (done + i) * size, from + i * stride * size, size);
        done += n;
    }
}

/* Bytes [offset, offset + size) from the first element on. */
static sgm_status read_file(const sgm_stored_tensor *t, size_t offset, size_t size, void *out)
{
    const sgm_mapped_file *file = t->source->file;
    size_t first = (size_t)((const unsigned char *)t->data - file->bytes) + offset;
    if (sgm_mapped_file_read(file, first, size, out)) return SGM_OK;
    if (errno)
        return sgm_fail(SGM_BAD_MODEL, "%s: tensor %s cannot be read: %s", t->source->path, t->name,
                        strerror(errno));
    return sgm_fail(SGM_BAD_MODEL,
                    "%s: the file has been cut while it was in use: tensor %s ends at byte %zu",
                    t->source->path, t->name, first + size);
}

/* A view of a file becomes one of memory: everything between its first and its last element. */
sgm_status sgm_stored_tensor_gathered(const sgm_stored_tensor *t, sgm_stored_tensor *view,
                                      void **memory)
{
    size_t last = 0;
    *view = *t;
    *memory = NULL;
    if (!t->source || t->contiguous || t->rank == 0 || t->count == 0) return SGM_OK;
    for (int i = 0; i < t->rank; i++)
        last += (size_t)((t->shape[i] - 1) * t->strides[i]);
    size_t size = (last + 1) * types[t->type].size;
    *memory = malloc(size);
    if (!*memory)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for tensor %s (%zu bytes)", t->name, size);
    view->data = *memory;
    view->source = NULL;
    return read_file(t, 0, size, *memory);
}

static void copy_raw(const sgm_stored_tensor *t, size_t first, size_t count, void *out)
{
    size_t size = types[t->type].size;
    if (t->contiguous || t->rank == 0)
        memcpy(out, (const char *)t->data + first * size, count * size);
    else
        gather_strided(t, first, count, out);
}

sgm_status sgm_stored_tensor_read_raw(const sgm_stored_tensor *t, size_t first, size_t count,
                                      void *out)
{
    size_t size = types[t->type].size;
    if (count == 0) return SGM_OK;
    if (t->source && (t->contiguous || t->rank == 0))
        return read_file(t, first * size, count * size, out);
    if (!t->source) {
        copy_raw(t, first, count, out);
        return SGM_OK;
    }
    sgm_stored_tensor view;
    void *memory;
    sgm_status status = sgm_stored_tensor_gathered(t, &view, &memory);
    if (status == SGM_OK) copy_raw(&view, first, count, out);
    free(memory);
    return status;
}

#define CONVERT(type, expression)                                                                  \
    for (size_t i = 0; i < count; i++) {                                                           \
        type v;                                                                                    \
        memcpy(&v, bytes + i * sizeof v, sizeof v);                                                \
        out[i] = (expression);                                                                     \
    }                                                                                              \
    break

static void convert_to_f32(sgm_stored_type type, const char *bytes, size_t count, float *out)
{
    switch (type) {
    case SGM_STORED_F32:
        memcpy(out, bytes, count * sizeof *out);
        break;
    case SGM_STORED_F16:
        CONVERT(uint16_t, sgm_f16_to_f32(v));
    case SGM_STORED_BF16:
        CONVERT(uint16_t, sgm_bf16_to_f32(v));
    case SGM_STORED_F64:
        CONVERT(double, (float)v);
    case SGM_STORED_I64:
        CONVERT(int64_t, (float)v);
    case SGM_STORED_I32:
        CONVERT(int32_t, (float)v);
    case SGM_STORED_I16:
        CONVERT(int16_t, (float)v);
    case SGM_STORED_I8:
        CONVERT(int8_t, (float)v);
    case SGM_STORED_U64:
        CONVERT(uint64_t, (float)v);
    case SGM_STORED_U32:
        CONVERT(uint32_t, (float)v);
    case SGM_STORED_U16:
        CONVERT(uint16_t, (float)v);
    case SGM_STORED_U8:
        CONVERT(uint8_t, (float)v);
    case SGM_STORED_BOOL:
        CONVERT(uint8_t, v ? 1.0f : 0.0f);
    case SGM_STORED_TYPE_COUNT:
        break;
    }
}

/* In pieces through a buffer, which holds what a type needs and what a view scatters. */
static sgm_status convert_in_pieces(const sgm_stored_tensor *t, size_t first, size_t count,
                                    float *out)
{
    char chunk[65536];
    size_t step = sizeof chunk / types[t->type].size;
    for (size_t done = 0; done < count; done += step) {
        size_t n = count - done < step ? count - done : step;
        SGM_TRY(sgm_stored_tensor_read_raw(t, first + done, n, chunk));
        convert_to_f32(t->type, chunk, n, out + done);
    }
    return SGM_OK;
}

sgm_status sgm_stored_tensor_read_f32_range(const sgm_stored_tensor *t, size_t first, size_t count,
                                            float *out)
{
    size_t size = types[t->type].size;
    if (count == 0) return SGM_OK;
    if (!t->source && t->contiguous) {
        convert_to_f32(t->type, (const char *)t->data + first * size, count, out);
        return SGM_OK;
    }
    if (t->type == SGM_STORED_F32) return sgm_stored_tensor_read_raw(t, first, count, out);
    if (!t->source || t->contiguous) return convert_in_pieces(t, first, count, out);
    sgm_stored_tensor view;
    void *memory;
    sgm_status status = sgm_stored_tensor_gathered(t, &view, &memory);
    if (status == SGM_OK) status = convert_in_pieces(&view, first, count, out);
    free(memory);
    return status;
}

sgm_status sgm_stored_tensor_read_f32(const sgm_stored_tensor *t, float *out)
{
    return sgm_stored_tensor_read_f32_range(t, 0, t->count, out);
}

const float *sgm_stored_tensor_f32(const sgm_stored_tensor *t)
{
    bool direct = !t->source && t->type == SGM_STORED_F32 && t->contiguous &&
                  (uintptr_t)t->data % _Alignof(float) == 0;
    return direct ? (const float *)t->data : NULL;
}
