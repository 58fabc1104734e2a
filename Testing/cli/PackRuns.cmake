# PromptSegPack's refusals: exit code, message, and no pack. Included by CMakeLists.txt.
set(data "${CMAKE_CURRENT_BINARY_DIR}/pack")
file(MAKE_DIRECTORY "${data}")

# Text serves as pixels; 'a' is label 97.
function(write_picture file width height content)
    file(WRITE "${data}/${file}" "NRRD0004\ntype: uchar\ndimension: 3\n"
        "space: left-posterior-superior\nsizes: ${width} ${height} 1\n"
        "space directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\n"
        "encoding: raw\nspace origin: (0,0,0)\n\n${content}")
endfunction()
write_picture(image.nrrd 4 4 "abcdefghijklmnop")
write_picture(label.nrrd 4 4 "aaaabbbbaaaabbbb")
write_picture(small_label.nrrd 4 2 "aaaabbbb")

set(columns "image,label,dataset,modality,anatomy,kind,split\n")
function(write_manifest name)
    string(JOIN "\n" rows ${ARGN})
    file(WRITE "${data}/${name}.csv" "${columns}${rows}")
endfunction()
write_manifest(good "image.nrrd,label.nrrd,test,MR,,class,train\n")
write_manifest(no_rows)
file(WRITE "${data}/empty.csv" "")
write_manifest(other_size "image.nrrd,label.nrrd,test,MR,,class,train"
    "image.nrrd,small_label.nrrd,test,MR,,class,train\n")
write_manifest(no_image "nowhere.nrrd,label.nrrd,test,MR,,class,train\n")
write_manifest(share_alike "image.nrrd,label.nrrd,msd_spleen,CT,,class,train\n")
write_manifest(unknown_kind "image.nrrd,label.nrrd,test,MR,,tree,train\n")

function(expect_pack name code)
    set(checks "")
    foreach(check IN LISTS ARGN)
        list(APPEND checks "-D${check}")
    endforeach()
    if(NOT code EQUAL 0)
        list(APPEND checks "-DABSENT=${data}/${name}.pack")
    endif()
    add_test(NAME cli_pack_${name}
        COMMAND "${CMAKE_COMMAND}" "-DPROGRAM=$<TARGET_FILE:PromptSegPack>" "-DCODE=${code}"
                "-DARGS=${data}/${name}.csv|${data}/${name}.pack" ${checks}
                -P "${CMAKE_CURRENT_SOURCE_DIR}/ExpectRun.cmake")
    set_tests_properties(cli_pack_${name} PROPERTIES LABELS "cli" TIMEOUT 60)
endfunction()
expect_pack(good 0 "STDOUT=1 images of 1 data sets")
expect_pack(no_rows 2 "STDERR=no_rows.csv")
expect_pack(empty 2 "STDERR=empty.csv")
expect_pack(other_size 2
    "STDERR=image.nrrd with small_label.nrrd: the label .4 x 2 x 1. does not fit its image .4 x 4 x 1.")
expect_pack(no_image 2 "STDERR=nowhere.nrrd")
expect_pack(share_alike 2 "STDERR=share_alike.csv:2: .*only be used for validation")
expect_pack(unknown_kind 2 "STDERR=unknown_kind.csv:2: kind must be")
file(WRITE "${data}/unknown_axis.csv" "image,label,dataset,kind,split,axis\n"
    "image.nrrd,label.nrrd,test,class,train,diagonal\n")
expect_pack(unknown_axis 2 "STDERR=unknown_axis.csv:2: axis must be auto, axial")

# Training sees what prediction shows, byte for byte.
if(TARGET promptseg_pipeline)
    add_executable(check_pack check_pack.c)
    target_link_libraries(check_pack PRIVATE promptseg_pipeline segmodel_internal)
    add_test(NAME cli_pack_shows_what_prediction_shows
        COMMAND check_pack "$<TARGET_FILE:PromptSegPack>" "${data}")
    set_tests_properties(cli_pack_shows_what_prediction_shows PROPERTIES LABELS "cli" TIMEOUT 60)
endif()

# Label maps with a palette, as Pillow writes them, are their indices; colours are no labels.
set(samples "${CMAKE_CURRENT_SOURCE_DIR}/samples")
write_manifest(coloured_labels
    "${samples}/voc_image.png,${samples}/coloured_labels.png,test,none,,class,train\n")
expect_pack(coloured_labels 2 "STDERR=coloured_labels.png: a colour image is not a label map")
add_executable(check_pack_labels check_pack_labels.c)
target_link_libraries(check_pack_labels PRIVATE segmodel_internal)
add_test(NAME cli_pack_palette_labels_are_classes
    COMMAND check_pack_labels "$<TARGET_FILE:PromptSegPack>" "${samples}" "${data}")
set_tests_properties(cli_pack_palette_labels_are_classes PROPERTIES LABELS "cli" TIMEOUT 60)
