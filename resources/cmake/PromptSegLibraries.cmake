# Runs at install time: copies the shared libraries of PROGRAMS into lib/promptseg and writes
#   share/promptseg/libraries.txt        one line for each: file, version, package it came from
#   share/promptseg/licences/<package>   what the package says of its copyright
#   share/promptseg/licences/common-licenses/   the texts that those name
# The C library and the loader are the system's.
set(share "${CMAKE_INSTALL_PREFIX}/share/promptseg")
set(table "$ENV{DESTDIR}${share}/libraries.txt")

# Earlier versions put them into lib, where they stand in the way of the system's. They are not removed:
# what lies there now may be somebody else's.
if(EXISTS "${table}")
    file(STRINGS "${table}" lines)
    set(left "")
    if(lines MATCHES "^# Shared libraries in lib/:")
        list(FILTER lines EXCLUDE REGEX "^#")
        foreach(line IN LISTS lines)
            string(REGEX REPLACE "\t.*" "" name "${line}")
            if(EXISTS "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/${name}")
                string(APPEND left " ${name}")
            endif()
        endforeach()
    endif()
    if(left)
        message(WARNING "an earlier installation put libraries into ${CMAKE_INSTALL_PREFIX}/lib, which other \
programs may take for the system's; they are not needed any more, remove them:${left}")
    endif()
endif()

file(GET_RUNTIME_DEPENDENCIES
    EXECUTABLES ${PROGRAMS}
    RESOLVED_DEPENDENCIES_VAR needed
    UNRESOLVED_DEPENDENCIES_VAR missing
    POST_EXCLUDE_REGEXES "/(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|nsl|util))[.-][^/]*so.*$")
if(missing)
    message(FATAL_ERROR "libraries not found: ${missing}")
endif()

# Version and name of the Debian package that owns the file; else the version in its name, and "-".
function(package_of library version_result package_result)
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
                set(${version_result} "${version}" PARENT_SCOPE)
                set(${package_result} "${package}" PARENT_SCOPE)
                return()
            endif()
        endforeach()
    endif()
    string(REGEX MATCH "so[.]([0-9.]+)$" found "${file}")
    set(${version_result} "${CMAKE_MATCH_1}" PARENT_SCOPE)
    set(${package_result} "-" PARENT_SCOPE)
endfunction()

function(install_as name file folder)
    get_filename_component(file "${file}" REALPATH)
    file(INSTALL DESTINATION "${folder}" TYPE FILE RENAME "${name}" FILES "${file}")
endfunction()

# Debian's statement of a package, and the licences that it names instead of quoting.
function(install_licence package)
    set(statement "/usr/share/doc/${package}/copyright")
    if(NOT EXISTS "${statement}")
        message(WARNING "no licence is found for libraries of ${package} (${statement} is not there): \
add it to ${share}/licences before you pass this folder on")
        return()
    endif()
    install_as("${package}" "${statement}" "${share}/licences")
    file(READ "${statement}" text)
    string(REGEX MATCHALL "/usr/share/common-licenses/[A-Za-z0-9.+-]*[A-Za-z0-9]" texts "${text}")
    list(REMOVE_DUPLICATES texts)
    foreach(file IN LISTS texts)
        get_filename_component(name "${file}" NAME)
        if(EXISTS "${file}")
            install_as("${name}" "${file}" "${share}/licences/common-licenses")
        else()
            message(WARNING "${file}, which the licence of ${package} names, is not there")
        endif()
    endforeach()
endfunction()

set(lines "")
set(packages "")
list(SORT needed)
foreach(library IN LISTS needed)
    file(INSTALL DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/promptseg" TYPE SHARED_LIBRARY
         FOLLOW_SYMLINK_CHAIN FILES "${library}")
    get_filename_component(name "${library}" NAME)
    package_of("${library}" version package)
    string(APPEND lines "${name}\t${version}\t${package}\n")
    if(package STREQUAL "-")
        message(WARNING "no package is known to own ${library}: add its licence to ${share}/licences \
before you pass this folder on")
    else()
        list(APPEND packages "${package}")
    endif()
endforeach()
list(REMOVE_DUPLICATES packages)
foreach(package IN LISTS packages)
    install_licence("${package}")
endforeach()
file(WRITE "${table}"
    "# Shared libraries in lib/promptseg: file, version, Debian package. README.md says how to update them.\n"
    "${lines}")
