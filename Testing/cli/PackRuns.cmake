# PromptSegPack's refusals: exit code, message, and no pack. Included by CMakeLists.txt.
set(data "${CMAKE_CURRENT_BINARY_DIR}/pack")
file(MAKE_DIRECTORY "${data}")

# Text serves as pixels; 'a' is label 97.
function(write_placed file width height slices directions origin content)
    file(WRITE "${data}/${file}" "NRRD0004\ntype: uchar\ndimension: 3\n"
        "space: left-posterior-superior\nsizes: ${width} ${height} ${slices}\n"
        "space directions: ${directions}\nkinds: domain domain domain\n"
        "encoding: raw\nspace origin: ${origin}\n\n${content}")
endfunction()
function(write_picture file width height content)
    write_placed(${file} ${width} ${height} 1 "(1,0,0) (0,1,0) (0,0,1)" "(0,0,0)" "${content}")
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
write_manifest(other_numbers "../evaluate/set,../evaluate/set_elsewhere,test,endoscopy,,class,train\n")
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
expect_pack(other_numbers 2
    "STDERR=the label's pictures are numbered otherwise than the image's: p5 stands where p1 is wanted")
set_tests_properties(cli_pack_other_numbers PROPERTIES FIXTURES_REQUIRED evaluate_data)
expect_pack(other_size 2
    "STDERR=image.nrrd with small_label.nrrd: the label .4 x 2 x 1. does not fit its image .4 x 4 x 1.")
expect_pack(no_image 2 "STDERR=nowhere.nrrd")
expect_pack(share_alike 2 "STDERR=share_alike.csv:2: .*only be used for validation")
expect_pack(unknown_kind 2 "STDERR=unknown_kind.csv:2: kind must be")
file(WRITE "${data}/unknown_axis.csv" "image,label,dataset,kind,split,axis\n"
    "image.nrrd,label.nrrd,test,class,train,diagonal\n")
expect_pack(unknown_axis 2 "STDERR=unknown_axis.csv:2: axis must be auto, axial")

# A data set is one thing, and an image is on one side of the split.
write_manifest(other_modality "image.nrrd,label.nrrd,test,MR,,class,train"
    "label.nrrd,label.nrrd,other,CT,,class,train" "label.nrrd,label.nrrd,test,CT,,class,train\n")
expect_pack(other_modality 2
    "STDERR=other_modality.csv:4: the modality of data set test is .CT., but .MR. on line 2")
write_manifest(other_kind "image.nrrd,label.nrrd,test,MR,,class,train"
    "label.nrrd,label.nrrd,test,MR,,instance,train\n")
expect_pack(other_kind 2 "STDERR=other_kind.csv:3: the kind of data set test is .instance., but .class. on line 2")
write_manifest(other_anatomy "image.nrrd,label.nrrd,test,MR,liver,class,train"
    "label.nrrd,label.nrrd,test,MR,kidney,class,train\n")
expect_pack(other_anatomy 2 "STDERR=other_anatomy.csv:3: the anatomy of data set test is .kidney., but .liver. on line 2")
foreach(split val heldout)
    write_manifest(train_and_${split} "image.nrrd,label.nrrd,test,MR,,class,train"
        "./image.nrrd,label.nrrd,test,MR,,class,${split}\n")
    expect_pack(train_and_${split} 2
        "STDERR=line 3 of <manifest>: ./image.nrrd of data set test is ${split}, but train on line 2")
endforeach()
write_manifest(label_of_both "image.nrrd,label.nrrd,test,MR,,class,train"
    "small_label.nrrd,small_label.nrrd,test,MR,,class,train"
    "label.nrrd,label.nrrd,test,MR,,class,val\n")
expect_pack(label_of_both 0
    "STDOUT=warning: label.nrrd is train on line 2 of the manifest and val on line 4: .*3 images of 1 data sets: 2 to train on, 1 for validation, 0 held out")
write_manifest(image_of_two_sets "image.nrrd,label.nrrd,test,MR,,class,train"
    "image.nrrd,image.nrrd,other,MR,,class,heldout\n")
expect_pack(image_of_two_sets 0
    "STDOUT=warning: image.nrrd is train on line 2 of the manifest and heldout on line 3: .*2 images of 2 data sets: 1 to train on, 0 for validation, 1 held out")
write_manifest(repeated "image.nrrd,label.nrrd,test,MR,,class,train"
    "image.nrrd,label.nrrd,test,MR,,class,train\n")
expect_pack(repeated 2 "STDERR=line 3 of <manifest> repeats line 2: image.nrrd with label.nrrd")
file(WRITE "${data}/parted_sequence.csv" "image,label,dataset,kind,split,volume\n"
    "image.nrrd,label.nrrd,test,class,train,film\nlabel.nrrd,label.nrrd,test,class,val,film\n")
expect_pack(parted_sequence 2
    "STDERR=parted_sequence.csv:3: the sequence film of data set test is val, but train on line 2")

# A label counts where it lies: stored along other axes or backwards it makes the same pack, and
# elsewhere it is refused. Where one of the files gives no place, pixel stands for pixel.
write_placed(two_slices.nrrd 3 2 2 "(1,0,0) (0,1,0) (0,0,2)" "(0,0,0)" "abcdefghijkl")
write_placed(lying.nrrd 3 2 2 "(1,0,0) (0,1,0) (0,0,2)" "(0,0,0)" "aabbcccccdde")
write_placed(backwards.nrrd 3 2 2 "(-1,0,0) (0,-1,0) (0,0,2)" "(2,1,0)" "ccbbaaeddccc")
write_placed(other_axes.nrrd 2 2 3 "(0,0,-2) (0,1,0) (1,0,0)" "(0,0,2)" "cadbcadccbec")
write_placed(rounded.nrrd 3 2 2 "(1,0,0) (0,1,0) (0,0,2)" "(0.002,0,-0.01)" "aabbcccccdde")
write_placed(far.nrrd 3 2 2 "(1,0,0) (0,1,0) (0,0,2)" "(500,0,0)" "aabbcccccdde")
write_placed(turned_wrong.nrrd 3 2 2 "(-1,0,0) (0,1,0) (0,0,2)" "(0,0,0)" "aabbcccccdde")
file(WRITE "${data}/nowhere_known.nrrd" "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 3 2 2\n"
    "encoding: raw\n\naabbcccccdde")
foreach(label lying backwards other_axes rounded far turned_wrong nowhere_known)
    write_manifest(${label} "two_slices.nrrd,${label}.nrrd,test,MR,,class,train\n")
endforeach()
expect_pack(lying 0 "STDOUT=2 images of 1 data sets")
foreach(label backwards other_axes rounded nowhere_known)
    expect_pack(${label} 0)
    add_test(NAME cli_pack_${label}_is_lying
        COMMAND "${CMAKE_COMMAND}" -E compare_files "${data}/lying.pack" "${data}/${label}.pack")
    set_tests_properties(cli_pack_${label}_is_lying PROPERTIES
        DEPENDS "cli_pack_lying;cli_pack_${label}" LABELS "cli" TIMEOUT 60)
endforeach()
expect_pack(far 2
    "STDERR=two_slices.nrrd with far.nrrd: the label lies elsewhere than its image: it has 3 x 2 x 2 voxels of 1 x 1 x 2 mm, first at 500,0,0, last at 502,1,2. the image has .* first at 0,0,0, last at 2,1,2[.]")
expect_pack(turned_wrong 2 "STDERR=it has .* first at 0,0,0, last at -2,1,2. the image has ")
# A picture that is named as a slice of a volume is.
write_picture(lying_00001.nrrd 4 4 "aaaabbbbaaaabbbb")
write_manifest(same_name "lying.nrrd,lying.nrrd,test,MR,,class,train"
    "lying_00001.nrrd,lying_00001.nrrd,test,MR,,class,train\n")
expect_pack(same_name 1 "STDERR=same_name.pack: two items of data set test are named lying_00001")
write_manifest(warned "nowhere_known.nrrd,lying.nrrd,test,MR,,class,train\n")
expect_pack(warned 0 "STDOUT=warning: .*nowhere_known.nrrd gives no spacing.*2 images")

# Reserved are the cases of demos and tests, wherever the manifest begins, and no namesakes.
file(MAKE_DIRECTORY "${data}/sct_testing_data/t2s" "${data}/t2s")
foreach(folder sct_testing_data/t2s t2s)
    configure_file("${data}/image.nrrd" "${data}/${folder}/t2space_brain1.nrrd" COPYONLY)
endforeach()
write_manifest(namesake "t2s/t2space_brain1.nrrd,label.nrrd,test,MR,,class,train\n")
expect_pack(namesake 0 "STDOUT=1 images of 1 data sets")
write_manifest(reserved "image.nrrd,label.nrrd,test,MR,,class,train"
    "sct_testing_data/t2s/t2space_brain1.nrrd,label.nrrd,test,MR,,class,val\n")
expect_pack(reserved 2 "STDERR=line 3 of <manifest>: sct_testing_data/t2s/t2space_brain1.nrrd .test. is refused: this case is reserved")
write_manifest(sct_testing_data/reserved_from_within
    "t2s/t2space_brain1.nrrd,../label.nrrd,test,MR,,class,train\n")
expect_pack(sct_testing_data/reserved_from_within 2 "STDERR=line 2 of <manifest>: t2s/t2space_brain1.nrrd .test. is refused")

# Training sees what prediction shows, byte for byte.
if(TARGET promptseg_pipeline)
    add_executable(check_pack check_pack.c)
    target_link_libraries(check_pack PRIVATE promptseg_pipeline segmodel_internal)
    add_test(NAME cli_pack_shows_what_prediction_shows
        COMMAND check_pack "$<TARGET_FILE:PromptSegPack>" "${data}")
    set_tests_properties(cli_pack_shows_what_prediction_shows PROPERTIES LABELS "cli" TIMEOUT 60)
endif()

add_executable(check_pack_rows check_pack_rows.c)
target_compile_definitions(check_pack_rows PRIVATE _POSIX_C_SOURCE=200809L)
target_link_libraries(check_pack_rows PRIVATE segmodel_internal)
file(MAKE_DIRECTORY "${data}/rows")
add_test(NAME cli_pack_rows
    COMMAND check_pack_rows "$<TARGET_FILE:PromptSegPack>" "${data}/rows")
set_tests_properties(cli_pack_rows PROPERTIES LABELS "cli" TIMEOUT 60)

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

# What a model is worth is asked on slices of volumes too, unless pictures alone are wanted.
if(TARGET segmodel_tool AND TARGET promptseg_test_model)
    string(REPEAT "aaaabbbbbbbbaaaa" 48 shades)
    write_placed(volume_to_ask.nrrd 16 16 3 "(1,0,0) (0,1,0) (0,0,2)" "(0,0,0)" "${shades}")
    string(REPEAT "aabbbbbbbbbbaaaa" 16 shades)
    write_picture(picture_to_ask.nrrd 16 16 "${shades}")
    write_manifest(to_ask "volume_to_ask.nrrd,volume_to_ask.nrrd,scans,MR,,instance,val"
        "picture_to_ask.nrrd,picture_to_ask.nrrd,pictures,MR,,instance,heldout\n")
    write_manifest(volume_to_ask "volume_to_ask.nrrd,volume_to_ask.nrrd,scans,MR,,instance,val\n")
    expect_pack(to_ask 0)
    expect_pack(volume_to_ask 0)
    function(expect_quality name pack code)
        cmake_parse_arguments(PARSE_ARGV 3 own "" "" "ARGUMENTS;CHECKS")
        list(TRANSFORM own_CHECKS PREPEND "-D")
        list(JOIN own_ARGUMENTS "|" arguments)
        set(out "${data}/quality_${name}")
        add_test(NAME cli_quality_${name}
            COMMAND "${CMAKE_COMMAND}" "-DPROGRAM=$<TARGET_FILE:segmodel_tool>" "-DCODE=${code}"
                    "-DARGS=quality|${PROMPTSEG_TEST_MODEL}|--data|${data}/${pack}.pack|--out|${out}|--objects|1|${arguments}"
                    ${own_CHECKS} -P "${CMAKE_CURRENT_SOURCE_DIR}/ExpectRun.cmake")
        set_tests_properties(cli_quality_${name} PROPERTIES DEPENDS cli_pack_${pack}
            FIXTURES_REQUIRED test_model LABELS "cli" TIMEOUT 120)
    endfunction()
    expect_quality(of_volumes to_ask 0 CHECKS "FILE=${data}/quality_of_volumes/quality.csv"
        "HOLDS=\n.scans.,.MR.,0,0,.volume_to_ask_0000[0-2].,.*\n.pictures.,.MR.,1,0,.picture_to_ask.,")
    expect_quality(of_pictures to_ask 0 ARGUMENTS --withoutVolumes
        CHECKS "FILE=${data}/quality_of_pictures/quality.csv"
        "HOLDS=^dataset,[^\n]*\n.pictures.,[^\n]*\n$"
        "STDOUT=1 objects: .*\n3 validation images of volumes and sequences are left out\n$")
    expect_quality(of_no_picture volume_to_ask 2 ARGUMENTS --withoutVolumes
        CHECKS "STDERR=the pack has no object for validation: none of 64 pixels and more on 0 images. 3 of volumes and sequences are left out")
endif()

# A row takes one volume of a four-dimensional file.
file(WRITE "${data}/two.nrrd" "NRRD0004\ntype: uchar\ndimension: 4\n"
    "space: left-posterior-superior\nsizes: 4 4 1 2\n"
    "space directions: (1,0,0) (0,1,0) (0,0,1) none\nkinds: domain domain domain list\n"
    "encoding: raw\nspace origin: (0,0,0)\n\nabcdefghijklmnopponmlkjihgfedcba")
function(write_series name)
    string(JOIN "\n" rows ${ARGN})
    file(WRITE "${data}/${name}.csv" "image,label,dataset,kind,split,series\n${rows}\n")
endfunction()
write_series(both_volumes "two.nrrd,label.nrrd,test,class,train,1" "two.nrrd,label.nrrd,test,class,train,2")
expect_pack(both_volumes 0 "STDOUT=2 images of 1 data sets")
write_series(volume_twice "two.nrrd,label.nrrd,test,class,train,2" "two.nrrd,label.nrrd,test,class,train,2")
expect_pack(volume_twice 2 "STDERR=line 3 of <manifest> repeats line 2")
write_series(no_volume "two.nrrd,label.nrrd,test,class,train,")
expect_pack(no_volume 2 "STDERR=two.nrrd: holds 2 volumes of 4 x 4 x 1 voxels")
write_series(third_volume "two.nrrd,label.nrrd,test,class,train,3")
expect_pack(third_volume 2 "STDERR=two.nrrd: holds 2 volumes of .* wanted one, not .3.")
