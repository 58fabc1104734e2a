# What the programs need beyond the model library:
#   io            DCMTK, OpenJPEG, libjpeg, libpng, zlib, jansson, libxml2
#   cli-modules   libxml2 (descriptions of options), jansson through pkg-config (reports)
# Sets PROMPTSEG_MISSING to the names of those that are not there.
find_package(DCMTK QUIET)
find_package(JPEG QUIET)
find_package(PNG QUIET)
find_package(ZLIB QUIET)
find_package(LibXml2 QUIET)
find_package(PkgConfig QUIET)
# OpenJPEG's own CMake files name programs that Debian packages apart.
find_path(OPENJPEG_INCLUDE_DIR openjpeg.h PATH_SUFFIXES openjpeg-2.5 openjpeg-2.4)
find_library(OPENJPEG_LIBRARY openjp2)
find_path(JANSSON_INCLUDE_DIR jansson.h)
find_library(JANSSON_LIBRARY jansson)

set(PROMPTSEG_MISSING "")
foreach(need DCMTK_FOUND JPEG_FOUND PNG_FOUND ZLIB_FOUND LibXml2_FOUND PkgConfig_FOUND
             OPENJPEG_INCLUDE_DIR OPENJPEG_LIBRARY JANSSON_INCLUDE_DIR JANSSON_LIBRARY)
    if(NOT ${need})
        string(REGEX REPLACE "_(FOUND|INCLUDE_DIR|LIBRARY)$" "" name ${need})
        list(APPEND PROMPTSEG_MISSING ${name})
    endif()
endforeach()
list(REMOVE_DUPLICATES PROMPTSEG_MISSING)
list(JOIN PROMPTSEG_MISSING ", " PROMPTSEG_MISSING)
