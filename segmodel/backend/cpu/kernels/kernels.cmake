# The CPU kernels. Defines SGM_KERNEL_SOURCES (relative to segmodel/); each instruction set has its
# own file with its own flags, chosen at run time.
set(SGM_KERNEL_DIR backend/cpu/kernels)
set(SGM_KERNEL_SOURCES)
foreach(name attention attention_core attention_grad attention_grad_bf16 attention_grid attention_grid_grad convolution convolution_grad convolution_in_place
        depthwise elementwise gemm gemm_pack isa isa_base layernorm matmul micro_amx micro_dot
        micro_mmla orthogonalize product resample)
    list(APPEND SGM_KERNEL_SOURCES ${SGM_KERNEL_DIR}/${name}.c)
endforeach()

set(SGM_KERNEL_FLAGS -O3)
if(PROMPTSEG_FUZZ) # no fuzz target gets here, and clang works on them for a quarter of an hour
    list(APPEND SGM_KERNEL_FLAGS -fno-sanitize=all)
endif()
set_source_files_properties(${SGM_KERNEL_SOURCES} PROPERTIES COMPILE_OPTIONS "${SGM_KERNEL_FLAGS}")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    set(SGM_AVX512_FLAGS -mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl)
    list(APPEND SGM_KERNEL_SOURCES ${SGM_KERNEL_DIR}/isa_avx2.c ${SGM_KERNEL_DIR}/isa_avx512.c
        ${SGM_KERNEL_DIR}/isa_avx512_bf16.c)
    set_source_files_properties(${SGM_KERNEL_DIR}/isa_avx2.c PROPERTIES COMPILE_OPTIONS
        "${SGM_KERNEL_FLAGS};-mavx2;-mfma")
    set_source_files_properties(${SGM_KERNEL_DIR}/isa_avx512.c PROPERTIES COMPILE_OPTIONS
        "${SGM_KERNEL_FLAGS};${SGM_AVX512_FLAGS}")
    set_source_files_properties(${SGM_KERNEL_DIR}/isa_avx512_bf16.c
        ${SGM_KERNEL_DIR}/micro_dot.c PROPERTIES COMPILE_OPTIONS
        "${SGM_KERNEL_FLAGS};${SGM_AVX512_FLAGS};-mavx512bf16")
    set_source_files_properties(${SGM_KERNEL_DIR}/micro_amx.c PROPERTIES COMPILE_OPTIONS
        "${SGM_KERNEL_FLAGS};-mamx-tile;-mamx-bf16")
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
    include(CheckCSourceCompiles)
    # Of one file alone; the processor is asked at run time. GCC's and clang's spelling, zig's. Only
    # compiled: to link, zig would make a C library for each spelling first.
    set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
    foreach(flag -march=armv8.2-a+bf16 -mcpu=generic+bf16)
        string(MAKE_C_IDENTIFIER "SGM_BFMMLA${flag}" works)
        set(CMAKE_REQUIRED_FLAGS ${flag})
        check_c_source_compiles("#include <arm_neon.h>
            float32x4_t add(float32x4_t s, bfloat16x8_t a) { return vbfmmlaq_f32(s, a, a); }
            int main(void) { return 0; }" ${works})
        unset(CMAKE_REQUIRED_FLAGS)
        if(${works})
            set(SGM_HAVE_BFMMLA ON)
            set_source_files_properties(${SGM_KERNEL_DIR}/micro_mmla.c PROPERTIES COMPILE_OPTIONS
                "${SGM_KERNEL_FLAGS};${flag}")
            break()
        endif()
    endforeach()
    unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
endif()
