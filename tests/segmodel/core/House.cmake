# The order of the house:   cmake -DSEGMODEL=<folder> -P House.cmake
#   includes point one way: a file includes files of its own folder and of those below it
#   no two types have one name
#   there is one clock, and one way to write a file
#   an operating system's headers are seen by core/*_posix.c and core/*_windows.c alone
#   a volume's options are taken apart where they come in: few files know their struct
cmake_minimum_required(VERSION 3.20)

# From the ground up. What stands in one line must not include each other.
set(floors
    "core"
    "graph|metrics"
    "backend"
    "checkpoint|plan"
    "models"
    "predict/picture"
    "predict/session"
    "predict/look"
    "predict/volume|predict/everything|predict/sequence"
    "train"
    "quality|study"
    "tool")

file(GLOB_RECURSE files RELATIVE ${SEGMODEL} ${SEGMODEL}/*.h ${SEGMODEL}/*.c ${SEGMODEL}/*.cu)
if(NOT files)
    message(FATAL_ERROR "no source in ${SEGMODEL}")
endif()

# floor_of(<path> <result> <folder>): number of the floor and folder of a path; -1: not of the house.
function(floor_of path result folder)
    set(${result} -1 PARENT_SCOPE)
    set(number 0)
    foreach(floor IN LISTS floors)
        string(REPLACE "|" ";" rooms "${floor}")
        foreach(room IN LISTS rooms)
            if(path MATCHES "^${room}/")
                set(${result} ${number} PARENT_SCOPE)
                set(${folder} ${room} PARENT_SCOPE)
                return()
            endif()
        endforeach()
        math(EXPR number "${number} + 1")
    endforeach()
endfunction()

# Standard C and what a compiler brings for its processor are for everyone, libpng for the program. All
# else is a system's: for core's two forms of itself, and for the program's way to start itself. The CUDA
# module is a program of Linux by itself.
set(plain_headers "assert|ctype|errno|float|inttypes|limits|locale|math|setjmp|signal|stdarg|stdatomic|")
string(APPEND plain_headers "stdbool|stddef|stdint|stdio|stdlib|string|time|wchar|immintrin|arm_neon|cpuid|png")
set(plain_header "^ *# *include <(${plain_headers})[.]h>")
set(knows_system "^(core/[a-z]+_(posix|windows)[.]c|tool/children_(posix|windows)[.]c|backend/cuda/.*)$")
set(systems 0)
set(checked 0)
set(types "")
set(knowing "")
foreach(file IN LISTS files)
    if(file MATCHES "^(include|cmake)/")
        set(from 100)
    else()
        floor_of(${file} from room)
        if(from EQUAL -1)
            message(SEND_ERROR "${file}: its folder has no floor in House.cmake")
        endif()
    endif()
    file(STRINGS ${SEGMODEL}/${file} lines REGEX
        "sgm_volume_options|^ *# *include [\"<]|^} sgm_[a-z0-9_]+;|^struct sgm_[a-z0-9_]+ {|clock_gettime|[^a-z_](rename|renameat|fopen)\\(")
    if(file MATCHES "^predict/" AND lines MATCHES "sgm_volume_options")
        list(APPEND knowing ${file})
    endif()
    set(other_system OFF) # the same types as in *_posix.c
    if(file MATCHES "_windows[.]c$")
        set(other_system ON)
    endif()
    foreach(line IN LISTS lines)
        if(line MATCHES "^ *# *include <" AND NOT line MATCHES "${plain_header}")
            if(NOT file MATCHES "${knows_system}" AND NOT line MATCHES "include <segmodel/")
                message(SEND_ERROR "${file}: '${line}': core/system.h, core/sync.h and core/files.h "
                    "are the library's only way to the operating system")
            endif()
            math(EXPR systems "${systems} + 1")
        elseif(line MATCHES "^#include \"([a-z/_0-9]+/[a-z_0-9]+[.]h)\"")
            floor_of(${CMAKE_MATCH_1} to other)
            math(EXPR checked "${checked} + 1")
            if(to GREATER from OR (to EQUAL from AND NOT other STREQUAL room))
                message(SEND_ERROR "${file} includes ${CMAKE_MATCH_1}, which stands above it")
            endif()
        elseif(NOT other_system AND line MATCHES "^(} |struct )(sgm_[a-z0-9_]+)")
            set(type ${CMAKE_MATCH_2})
            if(DEFINED type_${type} AND NOT type_${type} STREQUAL file)
                message(SEND_ERROR "two types ${type}: ${type_${type}} and ${file}")
            endif()
            set(type_${type} ${file})
            list(APPEND types ${type})
        elseif(line MATCHES "clock_gettime" AND NOT file STREQUAL core/system_posix.c)
            message(SEND_ERROR "${file} has a clock of its own; core/clock.h has sgm_clock")
        elseif(line MATCHES "[^a-z_]fopen\\(" AND NOT file STREQUAL core/files_posix.c)
            message(SEND_ERROR "${file}: paths are UTF-8 on every system; core/files.h has sgm_fopen")
        elseif(line MATCHES "[^a-z_](rename|renameat)\\(" AND NOT file STREQUAL core/files_posix.c)
            message(SEND_ERROR "${file} replaces a file by itself; core/atomic_file.h does that")
        endif()
    endforeach()
endforeach()
list(LENGTH types count)
if(checked LESS 100 OR count LESS 100 OR systems LESS 10)
    message(FATAL_ERROR "only ${checked} includes, ${count} types and ${systems} headers of systems found: "
        "the test reads nothing")
endif()
list(LENGTH knowing known)
if(known LESS 2 OR known GREATER 7)
    message(FATAL_ERROR "${known} files know sgm_volume_options, 2 to 7 are wanted: ${knowing}")
endif()
message(STATUS "${checked} includes point down, ${count} types have their own names")
