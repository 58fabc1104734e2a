# cmake -DSTAGE=... -DSOURCE=... [-DLIBRARY=...|-DWHEEL=...] -P assemble.cmake
# Puts the live module together as Slicer finds it: PromptSegLive.py, and the packages that it needs
# in the same folder, which Slicer adds to Python's path. The package promptseg comes from the source,
# with LIBRARY in it, or from a wheel, as for another system; without either it is left out. Files that
# did not change keep their time.
cmake_policy(VERSION 3.20)
function(copy_newer from to)
    execute_process(COMMAND ${CMAKE_COMMAND} -E copy_if_different "${from}" "${to}"
        RESULT_VARIABLE failed)
    if(failed)
        message(FATAL_ERROR "${from} cannot be copied to ${to}")
    endif()
endfunction()

function(copy_files folder pattern to)
    file(GLOB_RECURSE files RELATIVE "${folder}" "${folder}/${pattern}")
    foreach(file IN LISTS files)
        get_filename_component(place "${to}/${file}" DIRECTORY)
        file(MAKE_DIRECTORY "${place}")
        copy_newer("${folder}/${file}" "${to}/${file}")
    endforeach()
endfunction()

if(LIBRARY)
    copy_files("${SOURCE}/plugin/python/promptseg" "*.py" "${STAGE}/promptseg")
    copy_newer("${SOURCE}/plugin/python/promptseg/py.typed" "${STAGE}/promptseg/py.typed")
    copy_newer("${LIBRARY}" "${STAGE}/promptseg/libsegmodel.so")
    file(MAKE_DIRECTORY "${STAGE}/promptseg/models")
    copy_newer("${SOURCE}/resources/models/promptseg-lite.safetensors"
        "${STAGE}/promptseg/models/promptseg-lite.safetensors")
    copy_newer("${SOURCE}/resources/models/README.md" "${STAGE}/promptseg/models/README.md")
    copy_newer("${SOURCE}/LICENSE" "${STAGE}/promptseg/LICENSE")
endif()
if(WHEEL)
    file(REMOVE_RECURSE "${STAGE}/promptseg")
    file(ARCHIVE_EXTRACT INPUT "${WHEEL}" DESTINATION "${STAGE}" PATTERNS "promptseg/*")
    file(GLOB library "${STAGE}/promptseg/libsegmodel.so" "${STAGE}/promptseg/libsegmodel.dylib"
        "${STAGE}/promptseg/segmodel.dll")
    if(NOT library)
        message(FATAL_ERROR "${WHEEL} is no wheel of promptseg: it holds no model library")
    endif()
endif()
foreach(package promptseg_mrml promptseg_live)
    copy_files("${SOURCE}/plugin/slicer/${package}" "*.py" "${STAGE}/${package}")
    copy_newer("${SOURCE}/LICENSE" "${STAGE}/${package}/LICENSE")
endforeach()
copy_newer("${SOURCE}/plugin/slicer/PromptSegLive/PromptSegLive.py" "${STAGE}/PromptSegLive.py")
copy_files("${SOURCE}/plugin/slicer/SegmentEditorPromptSeg" "*.py" "${STAGE}")
copy_files("${SOURCE}/plugin/slicer/PromptSegLive/Resources" "*.png" "${STAGE}/Resources")

# The programs' table of structures, as data.
file(STRINGS "${SOURCE}/io/src/segmentation_colours.c" rows
    REGEX "^    {\"[a-z ]+\", [A-Z]+, [A-Z]+, \"[^\"]+\", {[0-9, ]+}, [01]},$")
list(LENGTH rows count)
if(count LESS 40)
    message(FATAL_ERROR "io/src/segmentation_colours.c: 40 rows of structures are wanted, found ${count}")
endif()
set(table "name,list,category,type,red,green,blue,sides\n")
foreach(row IN LISTS rows)
    string(REGEX REPLACE
        "^    {\"([a-z ]+)\", ([A-Z]+), ([A-Z]+), \"([^\"]+)\", {([0-9]+), ([0-9]+), ([0-9]+)}, ([01])},$"
        "\\1,\\2,\\3,\\4,\\5,\\6,\\7,\\8" row "${row}")
    string(APPEND table "${row}\n")
endforeach()
file(WRITE "${STAGE}/promptseg_mrml/structures.csv.new" "${table}")
copy_newer("${STAGE}/promptseg_mrml/structures.csv.new" "${STAGE}/promptseg_mrml/structures.csv")
file(REMOVE "${STAGE}/promptseg_mrml/structures.csv.new")

# The programs' colours of segments whose name says none.
file(READ "${SOURCE}/io/src/segmentation_colours.c" text)
if(NOT text MATCHES "palette\\[24\\]\\[3\\] = {([{}0-9, \n]+)};")
    message(FATAL_ERROR "io/src/segmentation_colours.c: the palette of 24 colours is not found")
endif()
string(REGEX MATCHALL "{[0-9]+, [0-9]+, [0-9]+}" rows "${CMAKE_MATCH_1}")
list(LENGTH rows count)
if(NOT count EQUAL 24)
    message(FATAL_ERROR "io/src/segmentation_colours.c: 24 colours are wanted, found ${count}")
endif()
set(table "red,green,blue\n")
foreach(row IN LISTS rows)
    string(REGEX REPLACE "{([0-9]+), ([0-9]+), ([0-9]+)}" "\\1,\\2,\\3" row "${row}")
    string(APPEND table "${row}\n")
endforeach()
file(WRITE "${STAGE}/promptseg_mrml/palette.csv.new" "${table}")
copy_newer("${STAGE}/promptseg_mrml/palette.csv.new" "${STAGE}/promptseg_mrml/palette.csv")
file(REMOVE "${STAGE}/promptseg_mrml/palette.csv.new")
