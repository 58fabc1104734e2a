# PromptSeg run as a user runs it: every refusal with its exit code, its message, and no output.
# Included by CMakeLists.txt; ExpectRun.cmake checks.
set(data "${CMAKE_CURRENT_BINARY_DIR}/promptseg")
set(samples "${PROJECT_SOURCE_DIR}/resources/demo")
file(MAKE_DIRECTORY "${data}/empty_folder" "${data}/folder.nrrd" "${data}/text_folder")

# ---------------------------------------------------------------- volumes, text serves as voxels
set(voxels "")
foreach(row RANGE 1 64)
    string(APPEND voxels "abcdefgh")
endforeach()
function(write_volume file directions origin content)
    file(WRITE "${data}/${file}" "NRRD0004\ntype: uchar\ndimension: 3\n"
        "space: left-posterior-superior\nsizes: 8 8 8\nspace directions: ${directions}\n"
        "kinds: domain domain domain\nencoding: raw\nspace origin: ${origin}\n\n${content}")
endfunction()
set(unit "(1,0,0) (0,1,0) (0,0,1)")
write_volume(good.nrrd "${unit}" "(0,0,0)" "${voxels}")
write_volume(wrong_suffix.nii.gz "${unit}" "(0,0,0)" "${voxels}")
write_volume(truncated.nrrd "${unit}" "(0,0,0)" "abcdefgh")
write_volume(nan_spacing.nrrd "(1,0,0) (0,1,0) (0,0,nan)" "(0,0,0)" "${voxels}")
write_volume(nan_origin.nrrd "${unit}" "(0,nan,0)" "${voxels}")
write_volume(zero_direction.nrrd "(1,0,0) (0,0,0) (0,0,1)" "(0,0,0)" "${voxels}")
write_volume(flat_axes.nrrd "(1,0,0) (2,0,0) (0,0,1)" "(0,0,0)" "${voxels}")
foreach(ending nrrd nii nii.gz mha png dcm)
    file(WRITE "${data}/empty.${ending}" "")
    file(WRITE "${data}/text.${ending}" "this is no image\n")
endforeach()
file(WRITE "${data}/text.xyz" "this is no image\n")
file(WRITE "${data}/text_folder/a.txt" "this is no image\n")
file(WRITE "${data}/broken.mrk.json" "{")
file(WRITE "${data}/no_markups.mrk.json" "{\"markups\": []}")
file(WRITE "${data}/empty.fcsv" "")
file(WRITE "${data}/outside.mrk.json" "{\"markups\": [{\"type\": \"Fiducial\", \"name\": \"cyst\","
    "\"controlPoints\": [{\"label\": \"cyst-7\", \"position\": [1, 1, 99]}]}]}")

# expect_promptseg(<name> <exit code> "<arguments>" [check...]): OUT stands for an output that must
# not exist when the run fails.
function(expect_promptseg name code arguments)
    set(out "${data}/${name}.seg.nrrd")
    set(checks "")
    if(NOT code EQUAL 0)
        list(APPEND checks "-DABSENT=${out}")
    endif()
    foreach(text IN ITEMS arguments ARGN)
        string(REPLACE "DATA/" "${data}/" ${text} "${${text}}")
        string(REPLACE "SAMPLES/" "${samples}/" ${text} "${${text}}")
    endforeach()
    string(REPLACE "OUT" "${out}" arguments "${arguments}")
    string(REPLACE " " "|" arguments "${arguments}")
    foreach(check IN LISTS ARGN)
        list(APPEND checks "-D${check}")
    endforeach()
    add_test(NAME cli_promptseg_${name}
        COMMAND "${CMAKE_COMMAND}" "-DPROGRAM=$<TARGET_FILE:PromptSeg>" "-DCODE=${code}"
                "-DARGS=${arguments}" ${checks} -P "${CMAKE_CURRENT_SOURCE_DIR}/ExpectRun.cmake")
    set_tests_properties(cli_promptseg_${name} PROPERTIES
        FIXTURES_REQUIRED test_model LABELS "cli" TIMEOUT 60)
endfunction()

# ---------------------------------------------------------------- questions answered at once
expect_promptseg(help 0 "--help" "STDOUT=Usage: PromptSeg .options. <input> <output>.*--foreground")
expect_promptseg(version 0 "--version" "STDOUT=^PromptSeg [0-9]+[.][0-9]+[.][0-9]+\n$")
expect_promptseg(xml 0 "--xml" "STDOUT=^<[?]xml .*</executable>\n$")
expect_promptseg(list_series 0 "--listSeries SAMPLES/ct-3slice/dicom"
    "STDOUT=^1 .* CT  512x512x3  0[.]810547x0[.]810547x1 mm")

# ---------------------------------------------------------------- usage
set(model "--model ${PROMPTSEG_TEST_MODEL} --variant tiny_vit_256")
set(seed "${model} --foreground 1,1,1")
set(good "DATA/good.nrrd")
expect_promptseg(no_arguments 1 "" "STDERR=<input> is missing")
expect_promptseg(no_output 1 "${seed} ${good}" "STDERR=<output> is missing")
expect_promptseg(unknown_option 1 "${seed} --forground 1,2,3 ${good} OUT"
    "STDERR=did you mean --foreground")
expect_promptseg(unknown_ending 1 "${seed} ${good} DATA/out.xyz"
    "STDERR=out.xyz: the output's name must end in .*[.]seg[.]nrrd, .* or [.]mrml")
expect_promptseg(bad_axis 1 "${seed} --axis up ${good} OUT" "STDERR=--axis wants one of auto, axial")
expect_promptseg(bad_window 1 "${seed} --window 5,3 ${good} OUT" "STDERR=--window 5,3: wanted auto")
expect_promptseg(bad_colour 1 "${seed} --segmentColor 2,0,0 ${good} OUT"
    "STDERR=--segmentColor 2,0,0: wanted red,green,blue")
expect_promptseg(no_name 1 "${seed} --segmentName= ${good} OUT" "STDERR=--segmentName is empty")
expect_promptseg(no_class 3 "${seed} --class 2 ${good} OUT"
    "STDERR=is prompted by points and boxes, not by a class")
expect_promptseg(no_class_of_that_name 3 "${seed} --class liver ${good} OUT"
    "STDERR=is prompted by points and boxes, not by a class")
expect_promptseg(base_of_a_whole_network 4
    "${seed} --base ${PROMPTSEG_TEST_MODEL} ${good} OUT" "STDERR=a whole network, which lies on no base")
expect_promptseg(class_zero 1 "${seed} --class 0 ${good} OUT" "STDERR=classes are numbered from 1")
expect_promptseg(short_point 1 "${model} --foreground 1,1 ${good} OUT"
    "STDERR=--foreground wants a point x,y,z in LPS millimetres .*found '1,1'")
expect_promptseg(nan_point 1 "${model} --foreground 1,1,nan ${good} OUT" "STDERR=found '1,1,nan'")
expect_promptseg(short_roi 1 "${model} --roi 1,1,1,2,2 ${good} OUT"
    "STDERR=--roi wants a box cx,cy,cz,rx,ry,rz")

# ---------------------------------------------------------------- input
foreach(ending nrrd nii nii.gz mha png dcm)
    expect_promptseg(empty_${ending} 2 "${seed} DATA/empty.${ending} OUT"
        "STDERR=/empty.${ending}: ")
    expect_promptseg(text_${ending} 2 "${seed} DATA/text.${ending} OUT" "STDERR=/text.${ending}: ")
endforeach()
expect_promptseg(missing 2 "${seed} DATA/missing.nrrd OUT" "STDERR=missing.nrrd: no such file")
expect_promptseg(unknown_file 2 "${seed} DATA/text.xyz OUT" "STDERR=text.xyz: not a volume")
expect_promptseg(empty_folder 2 "${seed} DATA/empty_folder OUT" "STDERR=holds neither DICOM files")
expect_promptseg(text_folder 2 "${seed} DATA/text_folder OUT" "STDERR=holds neither DICOM files")
expect_promptseg(wrong_suffix 2 "${seed} DATA/wrong_suffix.nii.gz OUT" "STDERR=its content is NRRD")
expect_promptseg(truncated 2 "${seed} DATA/truncated.nrrd OUT" "STDERR=truncated")
expect_promptseg(nan_spacing 2 "${seed} DATA/nan_spacing.nrrd OUT" "STDERR=space directions.*nan")
expect_promptseg(nan_origin 2 "${seed} DATA/nan_origin.nrrd OUT" "STDERR=space origin.*nan")
expect_promptseg(zero_direction 2 "${seed} DATA/zero_direction.nrrd OUT" "STDERR=axis 1 is zero")
expect_promptseg(flat_axes 2 "${seed} DATA/flat_axes.nrrd OUT" "STDERR=axes lie in one plane")
expect_promptseg(no_such_series 2 "${seed} --series 4 SAMPLES/ct-3slice/dicom OUT" "LIST=1"
    "STDERR=has no volume number 4.*1[.]2[.]392")
expect_promptseg(initial_image 2 "${seed} --initial SAMPLES/brain1/image.nrrd ${good} OUT"
    "STDERR=an image, not a label map")
expect_promptseg(initial_other_grid 2 "${seed} --initial SAMPLES/brain1/tumour.nrrd ${good} OUT"
    "STDERR=tumour.nrrd: ")

# ---------------------------------------------------------------- prompts
expect_promptseg(no_prompt 3 "${model} ${good} OUT" "STDERR=nothing to look for: give a point")
expect_promptseg(background_only 3 "${model} --background 1,1,1 ${good} OUT"
    "STDERR=has background points only")
expect_promptseg(outside 3 "${model} --foreground 1,1,99 ${good} OUT"
    "STDERR=1,1,99.* lies outside the volume: x -0.5 to 7.5, y -0.5 to 7.5, z -0.5 to 7.5 mm")
expect_promptseg(outside_named 3 "${model} --prompts DATA/outside.mrk.json ${good} OUT"
    "STDERR=cyst-7.* of segment 'cyst' at 1,1,99 lies outside the volume")
expect_promptseg(roi_misses 3 "${model} --roi 100,1,1,2,2,2 ${good} OUT"
    "STDERR=ROI 1 of segment 'Segment_1', centred at 100,1,1, misses the volume")
expect_promptseg(negative_roi 3 "${model} --roi 1,1,1,-2,2,2 ${good} OUT" "STDERR=negative")
foreach(file broken.mrk.json empty.fcsv missing.mrk.json no_markups.mrk.json)
    expect_promptseg(prompts_${file} 3 "${model} --prompts DATA/${file} ${good} OUT")
endforeach()

# ---------------------------------------------------------------- model, device, output
expect_promptseg(missing_model 4 "--model DATA/none.pth --foreground 1,1,1 ${good} OUT"
    "STDERR=none.pth")
expect_promptseg(text_model 4 "--model DATA/text.nrrd --foreground 1,1,1 ${good} OUT"
    "STDERR=text.nrrd")
expect_promptseg(other_variant 4
    "--model ${PROMPTSEG_TEST_MODEL} --variant sam_vit_b --foreground 1,1,1 ${good} OUT"
    "STDERR=tensor ")
expect_promptseg(no_folder 6 "${seed} ${good} DATA/no/such.nrrd" "STDERR=there is no folder")
expect_promptseg(output_is_folder 6 "${seed} ${good} DATA/folder.nrrd" "STDERR=is a folder")
expect_promptseg(no_report_folder 6 "${seed} --report DATA/no/r.json ${good} OUT"
    "STDERR=there is no folder")
expect_promptseg(cache_is_file 6 "${seed} --cache DATA/text.xyz ${good} OUT" "STDERR=Not a directory")

# ---------------------------------------------------------------- a batch's own files
# Before anything is made: results.csv would take the manifest's place, summary.json a report's.
function(expect_batch_refused name manifest message)
    set(folder "${data}/batch_${name}")
    file(MAKE_DIRECTORY "${folder}")
    configure_file("${data}/good.nrrd" "${folder}/good.nrrd" COPYONLY)
    file(WRITE "${folder}/${manifest}" "${ARGN}")
    add_test(NAME cli_batch_${name}
        COMMAND "${CMAKE_COMMAND}" "-DPROGRAM=$<TARGET_FILE:PromptSegBatch>" -DCODE=1
                "-DARGS=${folder}/${manifest}|--output|${folder}" "-DSTDERR=${message}"
                "-DABSENT=${folder}/contact_sheet.png" -P "${CMAKE_CURRENT_SOURCE_DIR}/ExpectRun.cmake")
    set_tests_properties(cli_batch_${name} PROPERTIES LABELS "cli" TIMEOUT 60)
endfunction()
expect_batch_refused(over_its_manifest results.csv
    "--output and <manifest> name the same file, .*results.csv"
    "id,image,foreground\na,good.nrrd,\"1,1,1\"\n")
expect_batch_refused(over_a_report cases.csv "name the same file, .*summary.json"
    "id,image,foreground\nsummary,good.nrrd,\"1,1,1\"\n")
