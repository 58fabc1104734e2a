/* Included by isa_*.c after defining ISA_TABLE: the table of this instruction set. */
#include "backend/cpu/kernels/isa.h"

#include "backend/cpu/kernels/body_attention.h"
#include "backend/cpu/kernels/body_gemm.h"
#include "backend/cpu/kernels/body_image.h"
#include "backend/cpu/kernels/body_loss.h"
#include "backend/cpu/kernels/body_pack.h"
#include "backend/cpu/kernels/body_rows.h"

const sgm_isa_table ISA_TABLE = {
    .f32 =
        {.strip = STRIP,
         .step = STRIP,
         .depth = DEPTH,
         .run = micro_f32,
         .run_half = MICRO_HALF,
         .in_place = MICRO_IN_PLACE},
    .transpose = transpose_words,
    .pack_rows = pack_rows,
    .pack_patches = pack_patches,
    .pack_turned = pack_turned,
    .pack_patch_panel = pack_patch_panel,
    .pack_columns = pack_columns,
    .epilogue = epilogue,
    .store_scaled = store_scaled,
    .convert = convert_run,
    .softmax_strip = softmax_strip,
    .axpy = axpy,
    .scale = scale_run,
    .dot = dot_run,
    .row_times = row_times,
    .bias_row = bias_row,
    .bias_row_grad = bias_row_grad,
    .column_stats = column_stats,
    .column_grad = column_grad,
    .exp2_shifted = exp2_shifted,
    .softmax_grad = softmax_grad,
    .add_chunks = add_chunks,
    .put_chunks = put_chunks,
    .layernorm = layernorm,
    .layernorm_grad = layernorm_grad,
    .act = act_run,
    .act_slopes = act_slopes,
    .act_grad = act_grad_run,
    .binary = binary_run,
    .affine = affine_run,
    .add_to = add_to,
    .sum_rows = sum_rows,
    .softmax_rows = softmax_rows,
    .resize_row = resize_row,
    .depthwise_row = depthwise_row,
    .depthwise_grad_row = depthwise_grad_row,
    .depthwise_weight_grad = depthwise_weight_grad,
    .sam_sums = sam_sums,
    .sam_grad = sam_grad,
    .max4 = max4,
};
