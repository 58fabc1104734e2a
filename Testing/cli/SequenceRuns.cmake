# Sequences: frames in time with masks of another network as prompts, with the bundled model.
find_package(PNG REQUIRED)
set(clips "${CMAKE_CURRENT_BINARY_DIR}/sequence")
foreach(folder clip labels spoilt worse odd worse_answer some wide stray none map colours empty answer gaps)
    file(MAKE_DIRECTORY "${clips}/${folder}")
endforeach()
add_executable(make_sequence_data make_sequence_data.c)
target_link_libraries(make_sequence_data PRIVATE PNG::PNG)
add_test(NAME cli_sequence_data COMMAND make_sequence_data "${clips}")
set_tests_properties(cli_sequence_data PROPERTIES FIXTURES_SETUP sequence_data LABELS "cli" TIMEOUT 60)

# expect_sequence(<name> <program> <exit code> "<arguments>" [check...]): CLIPS/ is the folder.
function(expect_sequence name program code arguments)
    set(checks "")
    string(REPLACE "CLIPS/" "${clips}/" arguments "${arguments}")
    string(REPLACE " " "|" arguments "${arguments}")
    foreach(check IN LISTS ARGN)
        string(REPLACE "CLIPS/" "${clips}/" check "${check}")
        list(APPEND checks "-D${check}")
    endforeach()
    add_test(NAME cli_sequence_${name}
        COMMAND "${CMAKE_COMMAND}" "-DPROGRAM=$<TARGET_FILE:${program}>" "-DCODE=${code}"
                "-DARGS=${arguments}" ${checks} -P "${CMAKE_CURRENT_SOURCE_DIR}/ExpectRun.cmake")
    set_tests_properties(cli_sequence_${name} PROPERTIES
        FIXTURES_REQUIRED sequence_data LABELS "cli" TIMEOUT 120)
endfunction()

set(bundled "--model ${PROJECT_SOURCE_DIR}/resources/models/promptseg-lite.safetensors")
set(refused "CLIPS/clip CLIPS/refused.seg.nrrd")
expect_sequence(missing_masks PromptSeg 2 "${bundled} --maskPrompts CLIPS/nowhere ${refused}"
    "STDERR=nowhere: no such file" "ABSENT=CLIPS/refused.seg.nrrd")
expect_sequence(no_masks PromptSeg 2 "${bundled} --maskPrompts CLIPS/empty ${refused}"
    "STDERR=empty: holds neither DICOM files nor numbered pictures" "ABSENT=CLIPS/refused.seg.nrrd")
expect_sequence(masks_of_another_size PromptSeg 3 "${bundled} --maskPrompts CLIPS/wide ${refused}"
    "STDERR=masks of 100 x 80 pixels do not fit frames of 96 x 80" "ABSENT=CLIPS/refused.seg.nrrd")
expect_sequence(mask_without_frame PromptSeg 3 "${bundled} --maskPrompts CLIPS/stray ${refused}"
    "STDERR=there is no frame for the mask mask_77 .frames are numbered 1 to 11."
    "ABSENT=CLIPS/refused.seg.nrrd")
expect_sequence(frames_of_two_sizes PromptSeg 2 "${bundled} --foreground 36,44,0 CLIPS/odd CLIPS/refused.seg.nrrd"
    "STDERR=mask_3.png: 96 x 80 with 1 channel.s., but the first picture is 100 x 80" "ABSENT=CLIPS/refused.seg.nrrd")
expect_sequence(masks_of_two_sizes PromptSeg 2 "${bundled} --maskPrompts CLIPS/odd ${refused}"
    "STDERR=mask_3.png: 96 x 80 with 1 channel.s., but the first picture is 100 x 80" "ABSENT=CLIPS/refused.seg.nrrd")
expect_sequence(empty_masks PromptSeg 3 "${bundled} --maskPrompts CLIPS/none ${refused}"
    "STDERR=no mask marks anything" "ABSENT=CLIPS/refused.seg.nrrd")
expect_sequence(coloured_masks PromptSeg 3 "${bundled} --maskPrompts CLIPS/colours ${refused}"
    "STDERR=a mask has colours" "ABSENT=CLIPS/refused.seg.nrrd")
expect_sequence(masks_of_a_volume PromptSeg 3
    "${bundled} --maskPrompts CLIPS/spoilt ${PROJECT_SOURCE_DIR}/Testing/Data/volumes/sheared.nii.gz CLIPS/refused.seg.nrrd"
    "STDERR=--maskPrompts is for frames in time" "ABSENT=CLIPS/refused.seg.nrrd")
expect_sequence(masks_twice PromptSeg 1
    "${bundled} --maskPrompts CLIPS/spoilt --initial CLIPS/labels ${refused}"
    "STDERR=both say where the object is" "ABSENT=CLIPS/refused.seg.nrrd")
expect_sequence(masks_along_another_axis PromptSeg 1
    "${bundled} --maskPrompts CLIPS/spoilt --axis i ${refused}"
    "STDERR=--maskPrompts goes along time, which is --axis k" "ABSENT=CLIPS/refused.seg.nrrd")
expect_sequence(dicom_of_a_clip PromptSeg 1
    "${bundled} --maskPrompts CLIPS/spoilt CLIPS/clip CLIPS/refused.dcm"
    "STDERR=frames of a sequence in time have no place in space" "ABSENT=CLIPS/refused.dcm")
expect_sequence(frames_over_the_input PromptSeg 1
    "${bundled} --maskPrompts CLIPS/spoilt CLIPS/clip CLIPS/clip/frames.csv"
    "STDERR=clip/frame1.png" "ABSENT=CLIPS/clip/frames.csv")

# Six masks that another network got wrong come out better than they went in.
expect_sequence(answers PromptSeg 0
    "${bundled} --maskPrompts CLIPS/spoilt --segmentName polyp --picture CLIPS/strip.png CLIPS/clip CLIPS/answer/frames.csv"
    "STDOUT=6 pictures for the numbers 1 to 11.*polyp .label 1.: [0-9]+ pixels on 6 of 6 frames, predicted quality"
    "FILE=CLIPS/answer/frames.csv"
    "HOLDS=^frame,file,\"polyp .pixels.\"\n1,\"frame1.png\",[0-9]+\n2,\"frame2.png\",.*6,\"frame11.png\",[0-9]+\n$")
expect_sequence(before PromptSegEvaluate 0
    "--reference CLIPS/labels --prediction CLIPS/spoilt --metrics framedice --csv CLIPS/before.csv"
    "FILE=CLIPS/before.csv" "HOLDS=,0[.][78][0-9]+\n$")
expect_sequence(after PromptSegEvaluate 0
    "--reference CLIPS/labels --prediction CLIPS/answer --metrics framedice --csv CLIPS/after.csv"
    "FILE=CLIPS/after.csv" "HOLDS=,0[.]9[4-9][0-9]+\n$"
    "STDOUT=warning: label 255 .Segment_255. of [^\n]*labels is compared with label 1 .Segment_1. of [^\n]*answer: each has but one")
# Better masks in, better masks out: from those that are three times as wrong less comes out.
expect_sequence(worse_answers PromptSeg 0
    "${bundled} --maskPrompts CLIPS/worse --segmentName polyp CLIPS/clip CLIPS/worse_answer/frames.csv"
    "STDOUT=polyp .label 1.: [0-9]+ pixels on 6 of 6 frames")
expect_sequence(worse_before PromptSegEvaluate 0
    "--reference CLIPS/labels --prediction CLIPS/worse --metrics framedice --csv CLIPS/worse_before.csv"
    "FILE=CLIPS/worse_before.csv" "HOLDS=,0[.]3[0-9]+\n$")
expect_sequence(worse_after PromptSegEvaluate 0
    "--reference CLIPS/labels --prediction CLIPS/worse_answer --metrics framedice --csv CLIPS/worse_after.csv"
    "FILE=CLIPS/worse_after.csv" "HOLDS=,0[.][4-7][0-9]+\n$")
# Two masks of six frames: the others are reached along time.
expect_sequence(two_masks PromptSeg 0
    "${bundled} --maskPrompts CLIPS/some --segmentName polyp CLIPS/clip CLIPS/gaps/frames.csv"
    "STDOUT=polyp .label 1.: [0-9]+ pixels on 6 of 6 frames")
expect_sequence(two_masks_after PromptSegEvaluate 0
    "--reference CLIPS/labels --prediction CLIPS/gaps --metrics framedice --csv CLIPS/gaps.csv"
    "FILE=CLIPS/gaps.csv" "HOLDS=,0[.]9[3-9][0-9]+\n$")
expect_sequence(grey_maps PromptSeg 0
    "${bundled} --maskPrompts CLIPS/map CLIPS/clip CLIPS/map.seg.nrrd"
    "STDOUT=grey maps. what is at least 128 is inside")
# A click walks along time; a stack is one if the user says so.
expect_sequence(click PromptSeg 0 "${bundled} --foreground 36,44,0 CLIPS/clip CLIPS/click.seg.nrrd"
    "STDOUT=Segment_1: [0-9]+ pixels on 6 of 6 frames")
expect_sequence(stack PromptSeg 0
    "${bundled} --sequence --maskPrompts CLIPS/spoilt.nrrd CLIPS/clip.nrrd CLIPS/stack.seg.nrrd"
    "STDOUT=Segment_1: [0-9]+ pixels on 6 of 6 frames")
expect_sequence(stack_after PromptSegEvaluate 0
    "--reference CLIPS/labels --prediction CLIPS/stack.seg.nrrd --metrics framedice --csv CLIPS/stack.csv"
    "FILE=CLIPS/stack.csv" "HOLDS=,0[.]9[4-9][0-9]+\n$")
expect_sequence(too_few_slices PromptSeg 3
    "${bundled} --sequence --maskPrompts CLIPS/short.nrrd CLIPS/clip.nrrd CLIPS/refused.seg.nrrd"
    "STDERR=5 masks for 6 frames" "ABSENT=CLIPS/refused.seg.nrrd")
expect_sequence(ultrasound PromptSeg 0
    "${bundled} --foreground 0.4,0.3,1 ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/dicom_frames/rgb.dcm CLIPS/us.seg.nrrd"
    "STDOUT=4 frames in time. along them there are no millimetres.*pixels on [0-4] of 4 frames")
set_tests_properties(cli_sequence_stack PROPERTIES FIXTURES_SETUP sequence_stack)
set_tests_properties(cli_sequence_stack_after PROPERTIES
    FIXTURES_REQUIRED "sequence_data;sequence_stack")
set_tests_properties(cli_sequence_answers PROPERTIES FIXTURES_SETUP sequence_answer)
set_tests_properties(cli_sequence_after PROPERTIES FIXTURES_REQUIRED "sequence_data;sequence_answer")
set_tests_properties(cli_sequence_worse_answers PROPERTIES FIXTURES_SETUP sequence_worse)
set_tests_properties(cli_sequence_worse_after PROPERTIES
    FIXTURES_REQUIRED "sequence_data;sequence_worse")
set_tests_properties(cli_sequence_two_masks PROPERTIES FIXTURES_SETUP sequence_gaps)
set_tests_properties(cli_sequence_two_masks_after PROPERTIES
    FIXTURES_REQUIRED "sequence_data;sequence_gaps")
