# Kernels that live from registers must not keep anything in local memory, as ptxas counts it:
#   cmake -DNVCC=<nvcc or empty> -DSEGMODEL=<folder> -DSOURCE=<name>.cu -DKERNELS=<regex>
#         -DOUT=<folder> -P LocalMemory.cmake
if(NOT NVCC)
    message("skipped: nvcc was not found")
    return()
endif()
file(MAKE_DIRECTORY ${OUT})
execute_process(COMMAND ${NVCC} -std=c++17 -O3 -arch=sm_80 -cubin -Xptxas -v
        -I${SEGMODEL} -I${SEGMODEL}/include ${SEGMODEL}/backend/cuda/${SOURCE}
        -o ${OUT}/${SOURCE}.cubin
    RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
if(NOT code EQUAL 0)
    message(FATAL_ERROR "nvcc cannot compile ${SOURCE}:\n${text}")
endif()
string(REGEX MATCHALL "Compiling entry function '[^']*'[^\n]*\n[^\n]*\n[^\n]*bytes stack frame" found "${text}")
set(checked 0)
foreach(kernel IN LISTS found)
    string(REGEX MATCH "'([^']*)'" name "${kernel}")
    set(name ${CMAKE_MATCH_1})
    if(NOT name MATCHES "${KERNELS}")
        continue()
    endif()
    math(EXPR checked "${checked} + 1")
    string(REGEX MATCH "([0-9]+) bytes stack frame" stack "${kernel}")
    if(NOT CMAKE_MATCH_1 EQUAL 0)
        message(SEND_ERROR "${name} keeps ${CMAKE_MATCH_1} bytes in local memory")
    endif()
endforeach()
if(checked EQUAL 0)
    message(FATAL_ERROR "no kernel ${KERNELS} in ${SOURCE}; ptxas said:\n${text}")
endif()
message(STATUS "${checked} kernels without local memory")
