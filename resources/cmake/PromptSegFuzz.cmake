# Fuzz targets. promptseg_fuzz_target(<name> <libraries>...): tests/fuzz/fuzz_<name>.c becomes
#   - a libFuzzer program in <build>/fuzz when PROMPTSEG_FUZZ is on (clang; target fuzz_programs
#     builds all of them), and always
#   - a replay of its corpus tests/fuzz/corpus/<name> as a test, with any compiler, in <build>/replay
#     (target replay_programs builds all of them; with --mutate they make inputs of their own).
option(PROMPTSEG_FUZZ "Build libFuzzer programs (needs clang)" OFF)

function(promptseg_fuzz_target name)
    set(dir "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../../tests/fuzz")
    if(PROMPTSEG_FUZZ)
        add_executable(fuzz_${name} "${dir}/fuzz_${name}.c")
        target_link_libraries(fuzz_${name} PRIVATE ${ARGN} -fsanitize=fuzzer)
        set_target_properties(fuzz_${name} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
        if(NOT TARGET fuzz_programs)
            add_custom_target(fuzz_programs)
        endif()
        add_dependencies(fuzz_programs fuzz_${name})
    endif()
    if(TARGET replay_${name}) # segmodel's own tests replay already
        return()
    endif()
    add_executable(replay_${name} "${dir}/fuzz_${name}.c" "${dir}/replay.c")
    target_link_libraries(replay_${name} PRIVATE ${ARGN})
    set_target_properties(replay_${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/replay")
    if(NOT TARGET replay_programs)
        add_custom_target(replay_programs)
    endif()
    add_dependencies(replay_programs replay_${name})
    add_test(NAME fuzz.replay.${name} COMMAND replay_${name} "${dir}/corpus/${name}")
    set_tests_properties(fuzz.replay.${name} PROPERTIES LABELS "fuzz" TIMEOUT 120)
endfunction()
