# Runs at install time: copies the shared libraries of PROGRAMS into lib/ and writes
# share/promptseg/libraries.txt, one line for each: soname, version, package it came from.
# The C library and the loader are the system's.
file(GET_RUNTIME_DEPENDENCIES
    EXECUTABLES ${PROGRAMS}
    RESOLVED_DEPENDENCIES_VAR needed
    UNRESOLVED_DEPENDENCIES_VAR missing
    POST_EXCLUDE_REGEXES "/(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|nsl|util))[.-][^/]*so.*$")
if(missing)
    message(FATAL_ERROR "libraries not found: ${missing}")
endif()

# "package version" of the Debian package that owns the file, else the version in its name.
function(version_of library result)
    get_filename_component(file "${library}" REALPATH)
    find_program(PROMPTSEG_DPKG dpkg-query)
    if(PROMPTSEG_DPKG)
        # files of a merged /usr are registered without it
        string(REGEX REPLACE "^/usr/" "/" short "${file}")
        foreach(name IN ITEMS "${file}" "${short}")
            execute_process(COMMAND "${PROMPTSEG_DPKG}" -S "${name}"
                OUTPUT_VARIABLE owner ERROR_QUIET RESULT_VARIABLE code)
            if(code EQUAL 0 AND owner MATCHES "^([^:, \n]+)")
                set(package "${CMAKE_MATCH_1}")
                execute_process(
                    COMMAND "${PROMPTSEG_DPKG}" -W "-f=\${Version}\n" "${package}"
                    OUTPUT_VARIABLE version ERROR_QUIET)
                string(REGEX REPLACE "\n.*" "" version "${version}")
                set(${result} "${version}\t${package}" PARENT_SCOPE)
                return()
            endif()
        endforeach()
    endif()
    string(REGEX MATCH "so[.]([0-9.]+)$" found "${file}")
    set(${result} "${CMAKE_MATCH_1}\t-" PARENT_SCOPE)
endfunction()

set(lines "")
list(SORT needed)
foreach(library IN LISTS needed)
    file(INSTALL DESTINATION "${CMAKE_INSTALL_PREFIX}/lib" TYPE SHARED_LIBRARY
         FOLLOW_SYMLINK_CHAIN FILES "${library}")
    get_filename_component(name "${library}" NAME)
    version_of("${library}" version)
    string(APPEND lines "${name}\t${version}\n")
endforeach()
file(WRITE "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share/promptseg/libraries.txt"
    "# Shared libraries in lib/: file, version, Debian package. README.md says how to update them.\n"
    "${lines}")
