# promptseg_embed(<target> <file> <symbol>)
#   Compiles the bytes of <file> into <target> as
#     const unsigned char <symbol>[];  const size_t <symbol>_size;
#   A zero byte that <symbol>_size does not count follows, so that text can be used as a string.
#
# The same file is the script that writes the C source at build time (cmake -P), so that nothing but
# CMake is needed.

if(CMAKE_SCRIPT_MODE_FILE)
    file(READ "${INPUT}" bytes HEX)
    string(LENGTH "${bytes}" digits)
    math(EXPR size "${digits} / 2")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    # Lines of 16 bytes: compilers and readers choke on one line of half a megabyte.
    set(line "")
    foreach(i RANGE 1 16)
        string(APPEND line ".....")
    endforeach()
    string(REGEX REPLACE "(${line})" "\\1\n    " bytes "${bytes}")
    file(WRITE "${OUTPUT}"
        "#include <stddef.h>\n\n"
        "extern const unsigned char ${SYMBOL}[];\nextern const size_t ${SYMBOL}_size;\n\n"
        "const unsigned char ${SYMBOL}[] = {\n    ${bytes}0};\n"
        "const size_t ${SYMBOL}_size = ${size};\n")
    return()
endif()

set(PROMPTSEG_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_FILE}" CACHE INTERNAL "")

function(promptseg_embed target file symbol)
    get_filename_component(input "${file}" ABSOLUTE)
    set(output "${CMAKE_CURRENT_BINARY_DIR}/${target}_${symbol}.c")
    add_custom_command(
        OUTPUT "${output}"
        COMMAND "${CMAKE_COMMAND}" "-DINPUT=${input}" "-DOUTPUT=${output}" "-DSYMBOL=${symbol}"
                -P "${PROMPTSEG_EMBED_SCRIPT}"
        DEPENDS "${input}" "${PROMPTSEG_EMBED_SCRIPT}"
        COMMENT "Embedding ${symbol}"
        VERBATIM)
    target_sources(${target} PRIVATE "${output}")
endfunction()
