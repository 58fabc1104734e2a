# The extension without the programs: the live module, with the model library out of PROMPTSEG_WHEEL.
cmake_path(ABSOLUTE_PATH PROMPTSEG_WHEEL BASE_DIRECTORY "${CMAKE_SOURCE_DIR}" NORMALIZE)
if(NOT EXISTS "${PROMPTSEG_WHEEL}")
    message(FATAL_ERROR "PROMPTSEG_WHEEL is not there: '${PROMPTSEG_WHEEL}'")
endif()

# A wheel says in its name what it is for; one of another system would be found out by users alone.
set(wanted "manylinux[0-9_]*x86_64")
if(WIN32)
    set(wanted "win_amd64")
elseif(APPLE)
    set(wanted "macosx_[0-9_]+(x86_64|arm64)")
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(wanted "manylinux[0-9_]*aarch64")
endif()
cmake_path(GET PROMPTSEG_WHEEL FILENAME name)
if(NOT name MATCHES "^promptseg-[0-9.]+-py3-none-.*${wanted}")
    message(FATAL_ERROR "PROMPTSEG_WHEEL: ${name} is not for this system (${wanted})")
endif()

set(stage "${CMAKE_BINARY_DIR}/slicer")
execute_process(COMMAND "${CMAKE_COMMAND}" "-DSTAGE=${stage}" "-DSOURCE=${CMAKE_SOURCE_DIR}/../.."
    "-DWHEEL=${PROMPTSEG_WHEEL}" -P "${CMAKE_SOURCE_DIR}/cmake/assemble.cmake"
    COMMAND_ERROR_IS_FATAL ANY)
install(DIRECTORY "${stage}/" DESTINATION "${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}")
include(${Slicer_EXTENSION_GENERATE_CONFIG})
include(${Slicer_EXTENSION_CPACK})
