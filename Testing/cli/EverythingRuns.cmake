# PromptSegEverything run as a user runs it, on volumes that PromptSegRuns.cmake has written and with
# its model of hash weights: what it says, what it writes, what it refuses.
set(volumes "${data}")
set(data "${CMAKE_CURRENT_BINARY_DIR}/everything")
file(MAKE_DIRECTORY "${data}")
set(pictures "${CMAKE_CURRENT_SOURCE_DIR}/samples")
file(WRITE "${data}/boxes.csv" "x0,y0,x1,y1,score,category,image\n1,1,4,4,0.9,2,a\n0,0,6,5,0.5,1,a\n")
file(WRITE "${data}/boxes.json" "[{\"image_id\": 3, \"category_id\": 2, \"bbox\": [1, 1, 3, 3], "
    "\"score\": 0.9}, {\"image_id\": 4, \"category_id\": 1, \"bbox\": [0, 0, 6, 5], \"score\": 0.5}]")
file(WRITE "${data}/outside.csv" "x0,y0,x1,y1\n1,1,4,4\n100,100,120,110\n")
file(WRITE "${data}/broken.json" "[{\"bbox\": [1, 2, 3")
file(WRITE "${data}/boxes.txt" "1 2 3 4\n")

write_volume(coarse.nrrd "(2,0,0) (0,2,0) (0,0,2)" "(0,0,0)" "${voxels}")

# expect_everything(<name> <exit code> "<arguments>" [check...]): OUT stands for an output that must
# not exist when the run fails.
function(expect_everything name code arguments)
    set(out "${data}/${name}.seg.nrrd")
    set(checks "")
    if(NOT code EQUAL 0)
        list(APPEND checks "-DABSENT=${out}")
    endif()
    foreach(text IN ITEMS arguments ARGN)
        string(REPLACE "DATA/" "${data}/" ${text} "${${text}}")
        string(REPLACE "VOLUMES/" "${volumes}/" ${text} "${${text}}")
        string(REPLACE "PICTURES/" "${pictures}/" ${text} "${${text}}")
    endforeach()
    string(REPLACE "OUT" "${out}" arguments "${arguments}")
    string(REPLACE " " "|" arguments "${arguments}")
    foreach(check IN LISTS ARGN)
        list(APPEND checks "-D${check}")
    endforeach()
    add_test(NAME cli_everything_${name}
        COMMAND "${CMAKE_COMMAND}" "-DPROGRAM=$<TARGET_FILE:PromptSegEverything>" "-DCODE=${code}"
                "-DARGS=${arguments}" ${checks} -P "${CMAKE_CURRENT_SOURCE_DIR}/ExpectRun.cmake")
    set_tests_properties(cli_everything_${name} PROPERTIES
        FIXTURES_REQUIRED test_model LABELS "cli" TIMEOUT 60)
endfunction()

set(model "--model ${PROMPTSEG_TEST_MODEL} --variant tiny_vit_256 --precision fp32 --device cpu")
set(all "${model} --pointsPerSide 2 --predIouThresh 0 --stabilityScoreThresh 0 --boxNmsThresh 1")
set(picture "PICTURES/voc_image.png")

# ---------------------------------------------------------------- questions answered at once
expect_everything(help 0 "--help"
    "STDOUT=Usage: PromptSegEverything .options. <input> <output>.*--pointsPerSide")
expect_everything(version 0 "--version" "STDOUT=^PromptSegEverything [0-9]+[.][0-9]+[.][0-9]+\n$")
expect_everything(xml 0 "--xml" "STDOUT=^<[?]xml .*</executable>\n$")

# ---------------------------------------------------------------- results
expect_everything(picture 0 "${all} ${picture} OUT --report DATA/a.json"
    "FILE=DATA/a.json" "STDOUT=[1-9][0-9]* masks on 1 slices\n"
    "HOLDS=\"points_per_side\": 2.*\"slice\": 0,.*\"label\": 1,.*\"bbox\":.*\"predicted_iou\":.*\"point_coords\":.*\"stability_score\":.*\"crop_box\": .[ \n]*0,[ \n]*0,[ \n]*6,[ \n]*5[ \n]*.")
expect_everything(defaults_of_the_model 0 "${model} ${picture} OUT --report DATA/d.json --minMaskRegionArea 3 --pointsPerSide 2"
    "FILE=DATA/d.json"
    "HOLDS=\"points_per_side\": 2,.*\"pred_iou_thresh\": 0.3,.*\"stability_score_thresh\": 0.6,.*\"crop_n_layers\": 1,")
expect_everything(defaults_of_the_panel 0
    "${model} ${picture} OUT --report DATA/p.json --returnparameterfile DATA/p.txt --pointsPerSide 2 --predIouThresh 0.88 --cropNLayers 0 --stabilityScoreThresh 0.8"
    "FILE=DATA/p.json"
    "HOLDS=\"points_per_side\": 2,.*\"pred_iou_thresh\": 0.3,.*\"stability_score_thresh\": 0.8,.*\"crop_n_layers\": 1,")
expect_everything(as_picture 0 "${all} ${picture} DATA/labels.png" "FILE=DATA/labels.png"
    "HOLDS=PNG")
expect_everything(layers 0
    "${all} --layers ${picture} OUT --report DATA/l.json --reportMasks"
    "FILE=DATA/l.json" "HOLDS=\"segmentation\":.*\"size\": ..[ \n]*5,[ \n]*6[ \n]*.*\"counts\":")
expect_everything(volume 0
    "${all} VOLUMES/good.nrrd OUT --axis k --firstSlice 2 --lastSlice 3 --report DATA/v.json"
    "STDOUT=masks on 2 slices\n" "FILE=DATA/v.json" "HOLDS=\"slice\": 2,.*\"slice\": 3,")
expect_everything(compared 0
    "${all} --proposals ${picture} OUT --labels PICTURES/voc_labels.png --report DATA/c.json"
    "STDOUT=4 objects: average recall [01][.][0-9]+ at 1, .* at 1000 masks"
    "FILE=DATA/c.json" "HOLDS=\"most\": 1000.*\"objects\": 4,.*\"AR@1\": .*\"AR@1000\": ")
expect_everything(edges 0
    "${all} ${picture} OUT --edges DATA/edges.png --labels PICTURES/voc_labels.png"
    "FILE=DATA/edges.png" "HOLDS=PNG" "STDOUT=edges: ODS [01][.][0-9]+, OIS [01][.][0-9]+")
file(WRITE "${data}/more.csv" "image,labels,imageId\n${pictures}/voc_image.png,${pictures}/few_labels.png,3\n")
expect_everything(more 0
    "${all} ${picture} OUT --labels PICTURES/voc_labels.png --more DATA/more.csv --edges DATA/more.png"
    "STDOUT=6 objects: average recall .*edges: ODS")
expect_everything(more_boxes 0
    "${model} ${picture} OUT --labels PICTURES/voc_labels.png --more DATA/more.csv --detections DATA/boxes.json --imageId 4"
    "STDOUT=6 objects: .*average precision")
expect_everything(augment 0 "${all} ${picture} OUT --augment DATA/augmented.png"
    "FILE=DATA/augmented.png" "HOLDS=PNG")
expect_everything(augment_slices 0
    "${all} VOLUMES/good.nrrd OUT --axis k --lastSlice 1 --augment DATA/channels_%02d.png"
    "FILE=DATA/channels_01.png" "HOLDS=PNG")
expect_everything(boxes 0
    "${model} ${picture} OUT --detections DATA/boxes.csv --labels PICTURES/voc_labels.png --report DATA/b.json"
    "STDOUT=2 masks on 1 slices\n.*average precision" "FILE=DATA/b.json"
    "HOLDS=\"prompt_box\":.*\"score\": 0.9,[ \n]*\"category_id\": 2.*\"AP\": .*\"AP50\": ")
expect_everything(coco_boxes 0 "${model} ${picture} OUT --detections DATA/boxes.json --imageId 3"
    "STDOUT=1 masks on 1 slices\n")
expect_everything(returns 0 "${all} ${picture} OUT --returnparameterfile DATA/r.txt"
    "FILE=DATA/r.txt" "HOLDS=^masks = [1-9][0-9]*\nslices = 1\nseconds = .*\ndeviceUsed = cpu.*\nwarnings = "
    "STDOUT=<filter-start>.*<filter-progress>.*</filter-end>")

# ---------------------------------------------------------------- refusals
set(none "ABSENT=DATA/none.png")
expect_everything(no_arguments 1 "" "STDERR=<input> is missing")
expect_everything(no_output 1 "${all} ${picture}" "STDERR=<output> is missing")
expect_everything(unknown_option 1 "${all} --pointPerSide 4 ${picture} OUT"
    "STDERR=did you mean --pointsPerSide")
expect_everything(no_points 1 "${model} --pointsPerSide 0 ${picture} OUT"
    "STDERR=--pointsPerSide wants .*number from 1 to 1024")
expect_everything(bad_threshold 1 "${model} --maskThreshold high ${picture} OUT"
    "STDERR=--maskThreshold high: wanted auto or a logit")
expect_everything(backwards 1 "${all} --firstSlice 3 --lastSlice 1 VOLUMES/good.nrrd OUT"
    "STDERR=--firstSlice 3 lies behind --lastSlice 1")
expect_everything(unknown_ending 1 "${all} ${picture} DATA/out.xyz"
    "STDERR=out.xyz: the output's name must end in")
expect_everything(png_of_a_volume 1 "${all} VOLUMES/good.nrrd DATA/volume.png"
    "STDERR=volume.png: a picture holds one slice .* 8 x 8 x 8" "ABSENT=DATA/volume.png")
expect_everything(dicom_of_a_picture 1 "${all} ${picture} DATA/none.dcm"
    "STDERR=but the input is no DICOM series. [.]seg[.]nrrd" "ABSENT=DATA/none.dcm")
expect_everything(one_name_for_slices 1 "${all} VOLUMES/good.nrrd OUT --edges DATA/none.png"
    "STDERR=--edges .*none.png: there are 8 slices. .* such as slice_%03d.png")
expect_everything(over_its_input 1 "${all} PICTURES/voc_image.png OUT --augment PICTURES/voc_image.png"
    "STDERR=--augment")
expect_everything(image_of_nothing 1 "${all} --imageId 3 ${picture} OUT" "STDERR=there is no --detections")
expect_everything(more_of_nothing 1 "${all} ${picture} OUT --more DATA/more.csv"
    "STDERR=there is no --labels")
foreach(number 0 1)
    configure_file("${pictures}/voc_image.png" "${data}/stack/${number}.png" COPYONLY)
endforeach()
expect_everything(over_its_stack 1 "${all} DATA/stack/%d.png OUT --augment DATA/stack/%d.png"
    "STDERR=--augment and <input> name the same file")
expect_everything(over_its_folder 1 "${all} DATA/stack OUT --edges DATA/stack/%d.png"
    "STDERR=--edges names a file that <input> reads, .*stack/0.png")
expect_everything(over_further_input 1
    "${all} ${picture} OUT --labels PICTURES/voc_labels.png --more DATA/more.csv --augment PICTURES/few_labels.png"
    "STDERR=few_labels.png")
expect_everything(more_without_columns 2
    "${all} ${picture} OUT --labels PICTURES/voc_labels.png --more DATA/boxes.csv"
    "STDERR=boxes.csv: wanted the columns image and labels")
expect_everything(boxes_of_a_volume 1 "${model} VOLUMES/good.nrrd OUT --detections DATA/boxes.csv"
    "STDERR=boxes of one picture, but 8 slices are meant")
expect_everything(missing 2 "${all} DATA/missing.png OUT" "STDERR=missing.png: no such file")
expect_everything(beyond 2 "${all} --firstSlice 9 VOLUMES/good.nrrd OUT"
    "STDERR=slices 9 to 7: .*good.nrrd has 8 slices, 0 to 7")
expect_everything(other_labels 2 "${all} ${picture} OUT --labels DATA/coarse.nrrd" "STDERR=coarse.nrrd")
expect_everything(several_images 2 "${model} ${picture} OUT --detections DATA/boxes.json"
    "STDERR=holds boxes of several images .'3', '4'.. say which is meant with --imageId")
expect_everything(no_such_image 2
    "${model} ${picture} OUT --detections DATA/boxes.json --imageId 5" "STDERR=no box of an image '5'")
expect_everything(broken_boxes 2 "${model} ${picture} OUT --detections DATA/broken.json"
    "STDERR=broken.json, line 1: ")
expect_everything(boxes_of_text 2 "${model} ${picture} OUT --detections DATA/boxes.txt"
    "STDERR=boxes are read from .json .COCO results., .csv or .tsv")
expect_everything(outside 3 "${model} ${picture} OUT --detections DATA/outside.csv"
    "STDERR=outside.csv: box 2, .100, 100. to .120, 110., lies outside the picture of 6 x 5 pixels")
expect_everything(no_model 4 "--model DATA/none.safetensors ${picture} OUT" "STDERR=none.safetensors")
expect_everything(unwritable 6 "${all} ${picture} OUT --report DATA/no/such/none.json"
    "STDERR=cannot write .*none.json: there is no folder")
