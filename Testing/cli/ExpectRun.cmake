# Runs a program once and checks what a user would see. For add_test:
#
#   cmake -DPROGRAM=<file> -DARGS=<a;b;c> -DCODE=<exit code> [checks] -P ExpectRun.cmake
#
#   -DSTDOUT=<regex>  -DSTDERR=<regex>   must match
#   -DFILE=<path> -DHOLDS=<regex>        the file exists and matches
#   -DLIST=1                             the message may end in a list, one line each
#   -DABSENT=<path;...>                  must not exist afterwards (removed beforehand)
#
# Always checked: on success standard error is empty; on failure it holds one message that begins
# with the program's name, and no temporary file (<ABSENT>.*) is left.
# "|" in ARGS stands for the list separator, since CTest eats semicolons.

string(REPLACE "|" ";" arguments "${ARGS}")
if(ABSENT)
    file(REMOVE ${ABSENT})
endif()
if(FILE)
    file(REMOVE "${FILE}")
endif()
execute_process(COMMAND "${PROGRAM}" ${arguments}
    RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
get_filename_component(name "${PROGRAM}" NAME)

function(complain what)
    message(FATAL_ERROR "${what}\ncommand: ${name} ${arguments}\nexit code: ${code}\n"
        "stdout:\n${out}\nstderr:\n${err}")
endfunction()

if(NOT code STREQUAL CODE)
    complain("wanted exit code ${CODE}")
endif()
if(CODE STREQUAL "0" AND NOT err STREQUAL "")
    complain("standard error must be empty on success")
endif()
if(NOT CODE STREQUAL "0" AND NOT err MATCHES "^${name}: [^\n]+\n$" AND
   NOT (LIST AND err MATCHES "^${name}: [^\n]+:\n.+\n$"))
    complain("wanted one message that begins with '${name}: '")
endif()
if(DEFINED STDOUT AND NOT out MATCHES "${STDOUT}")
    complain("stdout does not match '${STDOUT}'")
endif()
if(DEFINED STDERR AND NOT err MATCHES "${STDERR}")
    complain("stderr does not match '${STDERR}'")
endif()
if(FILE)
    if(NOT EXISTS "${FILE}")
        complain("${FILE} was not written")
    endif()
    file(READ "${FILE}" content)
    if(DEFINED HOLDS AND NOT content MATCHES "${HOLDS}")
        complain("${FILE} does not match '${HOLDS}':\n${content}")
    endif()
endif()
foreach(path IN LISTS ABSENT)
    file(GLOB left "${path}" "${path}.*")
    if(left)
        complain("must not exist: ${left}")
    endif()
endforeach()
