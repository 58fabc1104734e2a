# segmodel (SOURCE) configured for folders other than lib and include: what others find it by names them.
# Nothing is built.
cmake_minimum_required(VERSION 3.20)
file(REMOVE_RECURSE ${SCRATCH})

function(configure name)
    execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${SCRATCH}/${name}
            -DCMAKE_C_COMPILER=${C_COMPILER} -DBUILD_TESTING=OFF ${ARGN}
        RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE out)
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "segmodel cannot be configured for other folders:\n${out}")
    endif()
endfunction()

# wanted(<file> <regex>...)
function(wanted file)
    file(GLOB_RECURSE found ${SCRATCH}/${file})
    if(NOT found)
        message(FATAL_ERROR "${file} was not made")
    endif()
    file(READ "${found}" text)
    foreach(regex IN LISTS ARGN)
        if(NOT text MATCHES "${regex}")
            message(SEND_ERROR "${found} does not match '${regex}':\n${text}")
        endif()
    endforeach()
endfunction()

set(prefix ${SCRATCH}/prefix)
configure(relative -DCMAKE_INSTALL_PREFIX=${prefix} -DCMAKE_INSTALL_INCLUDEDIR=headers/v1
    -DCMAKE_INSTALL_LIBDIR=libs/here)
wanted(relative/segmodel.pc "prefix=[$]{pcfiledir}/../../..\n" "libdir=[$]{prefix}/libs/here\n"
    "includedir=[$]{prefix}/headers/v1\n")
wanted(relative/CMakeFiles/segmodelTargets.cmake "DIRECTORIES \"[$]{_IMPORT_PREFIX}/headers/v1\".*DIRECTORIES \"[$]{_IMPORT_PREFIX}/headers/v1\"")

configure(full -DCMAKE_INSTALL_PREFIX=${prefix} -DCMAKE_INSTALL_INCLUDEDIR=${SCRATCH}/far/headers
    -DCMAKE_INSTALL_LIBDIR=${SCRATCH}/far/libs)
wanted(full/segmodel.pc "prefix=${prefix}\n" "libdir=${SCRATCH}/far/libs\n"
    "includedir=${SCRATCH}/far/headers\n")
wanted(full/CMakeFiles/segmodelTargets.cmake "DIRECTORIES \"${SCRATCH}/far/headers\"")

# The CUDA module, where this machine can build it, goes beside the library and with it.
file(READ ${SCRATCH}/relative/cmake_install.cmake text)
if(text MATCHES "segmodel_cuda")
    string(REGEX MATCHALL "DESTINATION \"[^\"]*\" TYPE MODULE" places "${text}")
    if(NOT places STREQUAL "DESTINATION \"\${CMAKE_INSTALL_PREFIX}/libs/here\" TYPE MODULE")
        message(SEND_ERROR "the CUDA module is installed to ${places}")
    endif()
endif()
