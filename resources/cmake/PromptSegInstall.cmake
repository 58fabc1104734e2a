# One relocatable folder:
#   bin/    programs; each Slicer module with its .xml beside it
#   lib/    the model library, for others to build against
#   lib/promptseg/  the shared libraries that the programs need beyond the C library, found through
#           $ORIGIN. A folder of their own: below /usr/local, lib/ comes before the system's libraries,
#           and every program of the machine would take its libstdc++ from here
#   share/promptseg/models         the default model
#   share/promptseg/train          settings that fine-tune it
#   share/promptseg/libraries.txt  the libraries in lib/promptseg with their versions
#   share/promptseg/licences/      the licences of the packages that they come from
#
# DT_RPATH instead of DT_RUNPATH: it comes before LD_LIBRARY_PATH and also holds for the libraries'
# own needs, so that Slicer's environment, which points at other ITK libraries, does no harm.
#
# The build tree has the same run path. CMake's own would be filled up with colons to have room for
# the installed one, and an empty entry is the current folder: a library that lies beside a patient's
# images would be run.
set(PROMPTSEG_INSTALLED_PROGRAMS "")
if(TARGET segmodel_tool)
    list(APPEND PROMPTSEG_INSTALLED_PROGRAMS segmodel_tool)
    install(TARGETS segmodel_tool RUNTIME DESTINATION bin)
endif()
if(PROMPTSEG_HAVE_PROGRAMS)
    get_property(targets DIRECTORY cli-modules PROPERTY BUILDSYSTEM_TARGETS)
    foreach(target IN LISTS targets)
        get_target_property(type ${target} TYPE)
        if(type STREQUAL EXECUTABLE)
            list(APPEND PROMPTSEG_INSTALLED_PROGRAMS ${target})
        endif()
    endforeach()
endif()
foreach(program IN LISTS PROMPTSEG_INSTALLED_PROGRAMS)
    set_target_properties(${program} PROPERTIES
        INSTALL_RPATH "$ORIGIN/../lib/promptseg" BUILD_WITH_INSTALL_RPATH ON)
    target_link_options(${program} PRIVATE -Wl,--disable-new-dtags)
endforeach()
if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/resources/models)
    install(DIRECTORY resources/models/ DESTINATION share/promptseg/models)
    install(FILES resources/train/finetune.cfg DESTINATION share/promptseg/train)
endif()
if(PROMPTSEG_HAVE_PROGRAMS)
    install(DIRECTORY resources/cluster/ DESTINATION share/promptseg/cluster
            USE_SOURCE_PERMISSIONS)
endif()
install(FILES LICENSE README.md DESTINATION share/promptseg)

# Copies what the programs load at run time, except the C library and the loader.
option(PROMPTSEG_BUNDLE_LIBRARIES "Install the shared libraries that the programs need"
    ${PROMPTSEG_TOP_LEVEL})
if(NOT PROMPTSEG_BUNDLE_LIBRARIES)
    return()
endif()
set(PROMPTSEG_INSTALLED_FILES "")
foreach(program IN LISTS PROMPTSEG_INSTALLED_PROGRAMS)
    list(APPEND PROMPTSEG_INSTALLED_FILES "$<TARGET_FILE:${program}>")
endforeach()
install(CODE "
    set(PROGRAMS \"${PROMPTSEG_INSTALLED_FILES}\")
    include(\"${CMAKE_CURRENT_LIST_DIR}/PromptSegLibraries.cmake\")")
