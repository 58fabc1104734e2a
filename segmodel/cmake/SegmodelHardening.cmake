# What makes a fault in our own code harder to use: stack protector, checked string functions,
# read-only relocations bound at start, position-independent programs. Included by the project's top
# level and by segmodel alone; holds for all targets below. tests/package/CheckBinaries.cmake reads
# the binaries. Sanitizers bring checks of their own, which _FORTIFY_SOURCE would hide from them.
option(SEGMODEL_HARDENING "Stack protector, _FORTIFY_SOURCE, full RELRO, PIE" ON)
if(NOT SEGMODEL_HARDENING)
    return()
endif()
include(CheckPIESupported)
check_pie_supported()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_C_COMPILER_ID MATCHES "GNU|Clang" OR WIN32)
    return()
endif()
add_compile_options(-fstack-protector-strong)
if(NOT APPLE)
    add_link_options(LINKER:-z,relro,-z,now,-z,noexecstack)
endif()
if(NOT "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "-fsanitize")
    # Only an optimising compiler knows the sizes that it checks. One option, so that a target's own
    # -U_FORTIFY_SOURCE is no repetition, which CMake would drop.
    add_compile_options(
        "$<$<NOT:$<CONFIG:Debug>>:SHELL:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>")
endif()
