/* Attention on tensor cores: what cuda_attention.cu asks of cuda_attention_mma.cu. */
#ifndef SEGMODEL_BACKEND_CUDA_CUDA_ATTENTION_MMA_H
#define SEGMODEL_BACKEND_CUDA_CUDA_ATTENTION_MMA_H

#include "cuda_attention.h"

/* Once, when the device is opened: which kernels it has code for, and how much shared memory they may
 * ask for (the device's most, so that no launch has to). */
void sgm_flash_open(sgm_cuda *cuda);
/* Can the step run on tensor cores? BF16 is wanted, the GPU and its code have them, heads are
 * multiples of 8 channels (16 bytes), and shared memory is large enough. */
bool sgm_flash_fits(sgm_cuda *cuda, const sgm_step *step, const sgm_attend *a);
/* Takes what the run will take from the cursor. */
void sgm_flash_scratch(sgm_cuda *cuda, const sgm_attend *a, sgm_cursor *cursor);
sgm_status sgm_flash_run(sgm_cuda *cuda, const sgm_attend *a, sgm_cursor *cursor);

#endif
