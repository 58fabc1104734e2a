# One relocatable folder:
#   bin/    programs; each Slicer module with its .xml beside it
#   lib/    the shared libraries they need beyond the C library, found through $ORIGIN
#   share/promptseg/models   the default model
#
# DT_RPATH instead of DT_RUNPATH: it comes before LD_LIBRARY_PATH and also holds for the libraries'
# own needs, so that Slicer's environment, which points at other ITK libraries, does no harm.
set(PROMPTSEG_INSTALLED_PROGRAMS "")
foreach(program segmodel_tool PromptSeg PromptSegEvaluate PromptSegPack PromptSegBatch)
    if(TARGET ${program})
        list(APPEND PROMPTSEG_INSTALLED_PROGRAMS ${program})
        set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
        target_link_options(${program} PRIVATE -Wl,--disable-new-dtags)
    endif()
endforeach()
if(TARGET segmodel_tool)
    install(TARGETS segmodel_tool RUNTIME DESTINATION bin)
endif()
if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/resources/models)
    install(DIRECTORY resources/models/ DESTINATION share/promptseg/models)
endif()
install(FILES LICENSE README.md DESTINATION share/promptseg)

# Copies what the programs load at run time, except the C library and the loader.
set(PROMPTSEG_INSTALLED_FILES "")
foreach(program IN LISTS PROMPTSEG_INSTALLED_PROGRAMS)
    list(APPEND PROMPTSEG_INSTALLED_FILES "$<TARGET_FILE:${program}>")
endforeach()
install(CODE "
    file(GET_RUNTIME_DEPENDENCIES
        EXECUTABLES ${PROMPTSEG_INSTALLED_FILES}
        RESOLVED_DEPENDENCIES_VAR needed
        UNRESOLVED_DEPENDENCIES_VAR missing
        POST_EXCLUDE_REGEXES \"/(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|nsl|util))[.-][^/]*so.*\$\")
    if(missing)
        message(FATAL_ERROR \"libraries not found: \${missing}\")
    endif()
    foreach(library IN LISTS needed)
        file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib\" TYPE SHARED_LIBRARY
             FOLLOW_SYMLINK_CHAIN FILES \"\${library}\")
    endforeach()")
