# The binary interface of libsegmodel.so against the table of its version (abi/segmodel-<version>.txt): sizes
# and offsets of all public structs, values of enumerators, declarations of functions; and
# sgm_struct_size against sizeof.
#   cmake -DHEADERS=... -DLIBRARY=... -DABI=0.3 -DTABLES=... -DC_COMPILER=... -DC_FLAGS=... -DSCRATCH=...
#         [-DUPDATE=ON] -P AbiTable.cmake
# What is new goes into the table by UPDATE (cmake --build <build> --target segmodel_abi_table). What is gone
# or has changed breaks programs that were built before: then the version must be raised, and UPDATE
# refuses. (A parameter that got another name only: take its line out of the table by hand.)
cmake_minimum_required(VERSION 3.20)

# Semicolons and brackets mean something in lists: @ and <> stand for them.
set(text "")
set(includes "")
file(GLOB headers ${HEADERS}/*.h)
foreach(header IN LISTS headers)
    file(READ ${header} part)
    string(APPEND text "${part}\n")
    string(APPEND includes "#include \"${header}\"\n")
endforeach()
string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/" " " text "${text}")
string(REGEX REPLACE "#([^\n\\]|\\\\\n|\\\\)*\n" "\n" text "${text}")
string(REPLACE ";" "@" text "${text}")
string(REPLACE "[" "<" text "${text}")
string(REPLACE "]" ">" text "${text}")
string(REGEX REPLACE "[ \t\n]+" " " text "${text}")

set(rows "")
string(REGEX MATCHALL "typedef struct [a-z0-9_]* ?{" begun "${text}")
string(REGEX MATCHALL "typedef struct [a-z0-9_]* ?{[^{}]*} [a-z0-9_]+@" structs "${text}")
list(LENGTH begun wanted)
list(LENGTH structs found)
if(NOT wanted EQUAL found OR found LESS 20)
    message(FATAL_ERROR "${found} of ${wanted} structs could be read")
endif()
foreach(struct IN LISTS structs)
    string(REGEX MATCH "{(.*)} ([a-z0-9_]+)@$" unused "${struct}")
    set(name ${CMAKE_MATCH_2})
    string(REPLACE "@" ";" members "${CMAKE_MATCH_1}")
    string(APPEND rows "    SIZE(${name});\n")
    foreach(member IN LISTS members)
        string(STRIP "${member}" member)
        if(member MATCHES "\\(\\*([a-z0-9_]+)\\)") # a function
            set(names ${CMAKE_MATCH_1})
        else()
            string(REGEX REPLACE "<[^>]*>" "" member "${member}")
            string(REPLACE "," ";" names "${member}")
        endif()
        foreach(one IN LISTS names)
            if(one MATCHES "([a-z0-9_]+) *$")
                string(APPEND rows "    MEMBER(${name}, ${CMAKE_MATCH_1});\n")
            endif()
        endforeach()
    endforeach()
endforeach()
string(REGEX MATCHALL "enum [a-z0-9_]* ?{[^{}]*}" enums "${text}")
foreach(enum IN LISTS enums)
    string(REGEX REPLACE "^[^{]*{(.*)}$" "\\1" body "${enum}")
    string(REPLACE "," ";" values "${body}")
    foreach(value IN LISTS values)
        if(value MATCHES "^ *([A-Z0-9_]+)")
            string(APPEND rows "    VALUE(${CMAKE_MATCH_1});\n")
        endif()
    endforeach()
endforeach()

file(MAKE_DIRECTORY ${SCRATCH})
file(WRITE ${SCRATCH}/abi.c "${includes}
#include <stdio.h>
#define SIZE(type)                                                            \\
    printf(\"struct %s %zu\\n\", #type, sizeof(type));                          \\
    if (sgm_struct_size(#type) && sgm_struct_size(#type) != sizeof(type))     \\
        printf(\"struct %s has another size in the library\\n\", #type)
#define MEMBER(type, member)                                                  \\
    printf(\"struct %s.%s %zu %zu\\n\", #type, #member, offsetof(type, member), \\
           sizeof(((type *)0)->member))
#define VALUE(name) printf(\"enum %s %lld\\n\", #name, (long long)name)

int main(void)
{
${rows}    printf(\"pointer %zu\\n\", sizeof(void *));
    return 0;
}
")
separate_arguments(flags UNIX_COMMAND "${C_FLAGS}")
get_filename_component(folder ${LIBRARY} DIRECTORY)
execute_process(COMMAND ${C_COMPILER} ${flags} -I${HEADERS}/.. ${SCRATCH}/abi.c -o ${SCRATCH}/abi ${LIBRARY}
    RESULT_VARIABLE code ERROR_VARIABLE error)
if(code EQUAL 0)
    execute_process(COMMAND ${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${folder} ${SCRATCH}/abi
        RESULT_VARIABLE code OUTPUT_VARIABLE now ERROR_VARIABLE error)
endif()
if(NOT code EQUAL 0)
    message(FATAL_ERROR "the table of what there is cannot be made:\n${error}")
endif()
string(STRIP "${now}" now)
string(REPLACE "\n" ";" now "${now}")
if(now MATCHES "struct [a-z0-9_]+ has another size in the library")
    message(FATAL_ERROR "headers and library do not belong together: ${CMAKE_MATCH_0}")
endif()
if(NOT "pointer 8" IN_LIST now)
    message(STATUS "left out: the tables are those of 64-bit systems")
    return()
endif()
string(REGEX MATCHALL "SGM_API [^@{]*@" functions "${text}")
foreach(function IN LISTS functions)
    string(REGEX REPLACE "SGM_API (.*)@" "function \\1" function "${function}")
    list(APPEND now "${function}")
endforeach()
list(SORT now)

set(table ${TABLES}/segmodel-${ABI}.txt)
set(command "cmake --build <build folder> --target segmodel_abi_table")
set(recorded "")
if(EXISTS ${table})
    file(STRINGS ${table} recorded)
elseif(NOT UPDATE)
    message(FATAL_ERROR "there is no table of the interface ${ABI}; make it: ${command}")
endif()

# A struct that begins with its own size may grow at its end.
function(is_growth line result)
    set(${result} OFF PARENT_SCOPE)
    if(NOT line MATCHES "^struct ([a-z0-9_]+) ([0-9]+)$")
        return()
    endif()
    set(name ${CMAKE_MATCH_1})
    set(before ${CMAKE_MATCH_2})
    if("struct ${name}.size 0 8" IN_LIST now)
        set(grown ${now})
        list(FILTER grown INCLUDE REGEX "^struct ${name} [0-9]+$")
        string(REGEX REPLACE ".* " "" after "${grown}")
        if(after GREATER before)
            set(${result} ON PARENT_SCOPE)
        endif()
    endif()
endfunction()

set(gone "")
set(new "")
foreach(line IN LISTS recorded)
    if(NOT line IN_LIST now)
        is_growth("${line}" growth)
        if(NOT growth)
            string(APPEND gone "\n  ${line}")
        endif()
    endif()
endforeach()
foreach(line IN LISTS now)
    if(NOT line IN_LIST recorded)
        string(APPEND new "\n  ${line}")
    endif()
endforeach()
if(gone)
    message(FATAL_ERROR "programs built against libsegmodel.so.${ABI} would break, these are gone or have \
changed:${gone}\nRaise the version (project() in segmodel/CMakeLists.txt, segmodel.h, the Python packages) and \
record its table: ${command}")
elseif(UPDATE)
    list(JOIN now "\n" lines)
    file(WRITE ${table} "${lines}\n")
    message(STATUS "${table} written")
elseif(new)
    message(FATAL_ERROR "not in ${table}:${new}\nAdditions are recorded by: ${command}")
endif()
