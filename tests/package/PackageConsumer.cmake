# Installs the library into SCRATCH, moves the folder, builds a program against it the way HOW says
# (pkg_config: C11 and a bare compiler call; find_package: C++17 and CMake), and lets it predict. HOW
# build_tree: as find_package, of the folder PACKAGE of a build, where nothing is installed.
function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE out)
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "${ARGN}\nreturned ${code}:\n${out}")
    endif()
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
file(MAKE_DIRECTORY ${SCRATCH})
if(HOW STREQUAL build_tree)
    run(${CMAKE_COMMAND} -S ${SOURCE} -B ${SCRATCH}/build -Dsegmodel_DIR=${PACKAGE}
        -DCMAKE_CXX_COMPILER=${CXX_COMPILER} -DCMAKE_CXX_FLAGS=${CXX_FLAGS} -DLIBRARY=${LIBRARY})
    run(${CMAKE_COMMAND} --build ${SCRATCH}/build)
    run(${SCRATCH}/build/consumer ${MODEL})
    return()
endif()
run(${CMAKE_COMMAND} --install ${BUILD} --config "${CONFIG}" --prefix ${SCRATCH}/installed
    --component segmodel_development)
file(RENAME ${SCRATCH}/installed ${SCRATCH}/moved)
if(NOT EXISTS ${SCRATCH}/moved/share/doc/segmodel/LICENSE)
    message(FATAL_ERROR "the library comes without its licence")
endif()
file(GLOB_RECURSE package ${SCRATCH}/moved/*.cmake ${SCRATCH}/moved/*.pc)
foreach(file IN LISTS package)
    file(STRINGS ${file} lines REGEX "${SCRATCH}|${BUILD}")
    if(lines)
        message(FATAL_ERROR "${file} names a folder of this machine: ${lines}")
    endif()
endforeach()

if(HOW STREQUAL pkg_config)
    file(GLOB_RECURSE pc ${SCRATCH}/moved/segmodel.pc)
    get_filename_component(folder "${pc}" DIRECTORY)
    execute_process(
        COMMAND ${CMAKE_COMMAND} -E env PKG_CONFIG_LIBDIR=${folder}
                ${PKG_CONFIG} --cflags --libs segmodel
        OUTPUT_VARIABLE flags RESULT_VARIABLE code)
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "pkg-config does not find segmodel in ${folder}")
    endif()
    separate_arguments(flags UNIX_COMMAND "${flags}")
    separate_arguments(more UNIX_COMMAND "${C_FLAGS}")
    run(${C_COMPILER} ${more} -std=c11 -Wall -Werror ${SOURCE}/consumer.c -o ${SCRATCH}/consumer ${flags})
    run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${folder}/.. ${SCRATCH}/consumer ${MODEL})
else()
    run(${CMAKE_COMMAND} -S ${SOURCE} -B ${SCRATCH}/build -DCMAKE_PREFIX_PATH=${SCRATCH}/moved
        -DCMAKE_CXX_COMPILER=${CXX_COMPILER} -DCMAKE_CXX_FLAGS=${CXX_FLAGS} -DLIBRARY=${LIBRARY})
    run(${CMAKE_COMMAND} --build ${SCRATCH}/build)
    run(${SCRATCH}/build/consumer ${MODEL})
endif()
