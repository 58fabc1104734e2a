# The CUDA backend: a module (libsegmodel_cuda.so) that backend/cuda_load.c loads at run time.
#
#   SEGMODEL_CUDA                 AUTO: built when nvcc and cuBLAS are found; ON: insist; OFF: left out
#   SEGMODEL_CUDA_ARCHITECTURES   list for machine code; PTX of 80 (or the first one) is added, which
#                                 the driver compiles for GPUs newer than the list. The default covers
#                                 sm_75 to sm_120 (8.6 and 8.9 run the code of 8.0) in about a minute
#                                 of one core; "all" gives each its own: 75;80;86;89;90a;100;120
#   SEGMODEL_CUDA_WGMMA           ON: on Hopper, attention over heads of 64 channels by wgmma. OFF, the
#                                 default, because its descriptors of shared memory have not met
#                                 hardware yet, while the mma.sync kernels have; wants 90a in the list
#                                 and a toolkit that knows it
#
# The toolkit must be 11.4 or later (it lists what it can make code for); libcudart_static may be
# missing, then the shared one is linked. The driver that a build wants is that of its toolkit: 580 for
# CUDA 13, 525 for 12, 450 for 11.
#
# nvcc is called directly: CMake's own CUDA language would need a GPU architecture that it knows and
# makes configuring fail where nvcc is half installed.
set(SEGMODEL_CUDA_ARCHITECTURES "75;80;90a;100;120" CACHE STRING
    "GPU architectures to build machine code for, or all")
option(SEGMODEL_CUDA_WGMMA "Attention by wgmma on Hopper (not proven on hardware)" OFF)

set(SGM_CUDA_MISSING "")
if(NOT SEGMODEL_CUDA STREQUAL OFF)
    find_program(SGM_NVCC nvcc HINTS ENV CUDA_PATH ENV CUDA_HOME PATHS /usr/local/cuda
        PATH_SUFFIXES bin)
    if(SGM_NVCC)
        get_filename_component(SGM_CUDA_BIN ${SGM_NVCC} REALPATH)
        get_filename_component(SGM_CUDA_BIN ${SGM_CUDA_BIN} DIRECTORY)
        get_filename_component(SGM_CUDA_ROOT ${SGM_CUDA_BIN} DIRECTORY)
        set(SGM_CUDA_HINTS HINTS ${SGM_CUDA_ROOT} ${SGM_CUDA_ROOT}/targets/x86_64-linux
            PATHS /usr/local/cuda PATH_SUFFIXES lib64 lib lib/x86_64-linux-gnu)
        # what nvcc can make code for; before 11.4 it could not say
        execute_process(COMMAND ${SGM_NVCC} --list-gpu-code RESULT_VARIABLE code
            OUTPUT_VARIABLE known ERROR_QUIET)
        string(REGEX MATCHALL "sm_[0-9]+[a-z]?" SGM_CUDA_KNOWN "${known}")
        execute_process(COMMAND ${SGM_NVCC} --version OUTPUT_VARIABLE version ERROR_QUIET)
        string(REGEX MATCH "release ([0-9]+)" version "${version}")
        set(version "${CMAKE_MATCH_1}")
        # packages of libraries alone have no name without a version
        foreach(library cublas cublasLt cudart)
            set(names_${library} ${library})
            if(version)
                list(APPEND names_${library} lib${library}.so.${version})
            endif()
        endforeach()
        find_library(SGM_CUBLAS NAMES ${names_cublas} NAMES_PER_DIR ${SGM_CUDA_HINTS})
        find_library(SGM_CUBLASLT NAMES ${names_cublasLt} NAMES_PER_DIR ${SGM_CUDA_HINTS})
        find_library(SGM_CUDART NAMES cudart_static ${names_cudart} NAMES_PER_DIR ${SGM_CUDA_HINTS})
    endif()
    if(NOT SGM_NVCC)
        set(SGM_CUDA_MISSING "nvcc was not found")
    elseif(NOT code EQUAL 0 OR NOT SGM_CUDA_KNOWN)
        set(SGM_CUDA_MISSING "${SGM_NVCC} does not list what it can make code for (CUDA 11.4 or later is wanted)")
    elseif(NOT SGM_CUBLAS OR NOT SGM_CUBLASLT OR NOT SGM_CUDART)
        set(SGM_CUDA_MISSING "the CUDA Toolkit's libcublas, libcublasLt or libcudart was not found")
    endif()
    if(SGM_CUDA_MISSING AND SEGMODEL_CUDA STREQUAL ON)
        message(FATAL_ERROR "SEGMODEL_CUDA=ON: ${SGM_CUDA_MISSING}")
    endif()
endif()

target_link_libraries(segmodel PUBLIC ${CMAKE_DL_LIBS})

# The way from installed programs to installed libraries, for the loader.
set(programs ${CMAKE_INSTALL_FULL_BINDIR})
if(NOT SEGMODEL_ALONE) # the root project's place for programs
    set(programs ${CMAKE_INSTALL_PREFIX}/bin)
endif()
file(RELATIVE_PATH libraries ${programs} ${CMAKE_INSTALL_FULL_LIBDIR})
if(libraries)
    string(APPEND libraries "/")
endif()
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/cuda_load.c PROPERTIES
    COMPILE_DEFINITIONS "SGM_LIBRARY_FOLDER=\"${libraries}\"")

if(SEGMODEL_CUDA STREQUAL OFF)
    message(STATUS "segmodel: CUDA left out (SEGMODEL_CUDA=OFF)")
elseif(SGM_CUDA_MISSING)
    message(STATUS "segmodel: CUDA left out, ${SGM_CUDA_MISSING}")
else()
    set(archs ${SEGMODEL_CUDA_ARCHITECTURES})
    if(archs STREQUAL all)
        set(archs 75 80 86 89 90a 100 120)
    endif()
    # an older toolkit knows fewer: PTX serves the GPUs that are left out
    set(known ${SGM_CUDA_KNOWN})
    if(version GREATER_EQUAL 12)
        list(APPEND known sm_90a) # not listed
    endif()
    if(NOT sm_90a IN_LIST known)
        list(TRANSFORM archs REPLACE "^90a$" 90) # nothing here needs Hopper's own instructions
        list(REMOVE_DUPLICATES archs)
    endif()
    foreach(arch IN LISTS archs)
        if(NOT sm_${arch} IN_LIST known)
            list(REMOVE_ITEM archs ${arch})
            message(STATUS "segmodel: this nvcc does not know sm_${arch}")
        endif()
    endforeach()
    if(NOT archs)
        message(FATAL_ERROR "SEGMODEL_CUDA_ARCHITECTURES=${SEGMODEL_CUDA_ARCHITECTURES}: this nvcc makes code for none of them; it knows ${SGM_CUDA_KNOWN}")
    endif()
    set(wgmma "")
    if(SEGMODEL_CUDA_WGMMA)
        if(NOT 90a IN_LIST archs)
            list(JOIN archs " " text)
            message(FATAL_ERROR "SEGMODEL_CUDA_WGMMA=ON wants code for sm_90a, and this build makes it for sm ${text}")
        endif()
        set(wgmma -DSGM_CUDA_WGMMA)
    endif()
    set(SGM_CUDA_GENCODE "")
    foreach(arch IN LISTS archs)
        list(APPEND SGM_CUDA_GENCODE -gencode arch=compute_${arch},code=sm_${arch})
    endforeach()
    list(GET archs 0 ptx)
    if(80 IN_LIST archs)
        set(ptx 80) # that of 75 has no BF16 products, whatever GPU it is compiled for
    endif()
    list(APPEND SGM_CUDA_GENCODE -gencode arch=compute_${ptx},code=compute_${ptx})

    file(GLOB SGM_CUDA_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/cuda/*.cu)
    set(SGM_CUDA_OBJECTS "")
    foreach(source IN LISTS SGM_CUDA_SOURCES)
        get_filename_component(name ${source} NAME_WE)
        set(object ${CMAKE_CURRENT_BINARY_DIR}/cuda/${name}.o)
        add_custom_command(OUTPUT ${object}
            COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/cuda
            COMMAND ${CMAKE_C_COMPILER_LAUNCHER} ${SGM_NVCC} -std=c++17 -O3 ${SGM_CUDA_GENCODE} ${wgmma}
                -Xcompiler=-fPIC,-fvisibility=hidden,-fno-exceptions,-fno-rtti,-fno-threadsafe-statics,-Wall
                -I${CMAKE_CURRENT_SOURCE_DIR} -I${CMAKE_CURRENT_SOURCE_DIR}/include
                -MD -MF ${object}.d -c ${source} -o ${object}
            DEPENDS ${source} DEPFILE ${object}.d
            COMMENT "nvcc ${name}.cu" VERBATIM)
        list(APPEND SGM_CUDA_OBJECTS ${object})
    endforeach()
    # where the loader looks: beside the program or library, or in lib beside the program's bin
    set(folder ${CMAKE_BINARY_DIR})
    if(NOT SEGMODEL_ALONE)
        set(folder ${CMAKE_BINARY_DIR}/lib)
    endif()
    get_filename_component(cublas_folder ${SGM_CUBLAS} DIRECTORY)
    add_library(segmodel_cuda MODULE ${SGM_CUDA_OBJECTS})
    target_link_options(segmodel_cuda PRIVATE -Wl,-z,defs)
    set_target_properties(segmodel_cuda PROPERTIES LINKER_LANGUAGE C
        LIBRARY_OUTPUT_DIRECTORY ${folder}
        INSTALL_RPATH "$ORIGIN;/usr/local/cuda/lib64;${cublas_folder}"
        BUILD_WITH_INSTALL_RPATH ON) # CMake's own for the build tree has empty entries
    target_link_libraries(segmodel_cuda PRIVATE ${SGM_CUDART} ${SGM_CUBLAS} ${SGM_CUBLASLT} Threads::Threads
        ${CMAKE_DL_LIBS} rt m)
    install(TARGETS segmodel_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        COMPONENT segmodel_development)
    list(JOIN archs " " text)
    set(with "")
    if(wgmma)
        set(with ", attention by wgmma")
    endif()
    message(STATUS "segmodel: CUDA module for sm ${text}, and PTX of ${ptx}${with}")
endif()
