/* Outputs that would destroy what is read: files of folders, however they are named. */
#include "cli_test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cli_exit.h"
#include "cli_files.h"
#include "io_test_dicom.h"
#include "io_test_files.h"

static int enter_folder(void **state)
{
    (void)state;
    scratch_open();
    return chdir(scratch_path("."));
}

static int leave_folder(void **state)
{
    (void)state;
    scratch_close();
    return chdir("/");
}

static void save_dicom(const char *path)
{
    const dicom_slice slice = dicom_slice_at(0);
    dicom_save_slice(path, &slice);
}

/* The data set alone, as it begins: (0008,0005) CS "ISO_IR 100". */
static void save_bare_dicom(const char *path)
{
    write_file(path, "\x08\0\x05\0CS\x0a\0ISO_IR 100", 18);
}

static void save_segmentation(const char *path)
{
    dicom_begin(SYNTAX_PLAIN);
    dicom_text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.66.4");
    dicom_save(path);
}

static void save_picture(const char *path)
{
    write_file(path, "\x89PNG\r\n\x1a\n", 8);
}

static int compare(const char *input, const char *output)
{
    cli_files files = {0};
    cli_files_add(&files, "<input>", input, CLI_FILE_READ);
    cli_files_add(&files, "<output>", output, CLI_FILE_WRITTEN);
    const int failed = cli_files_compare(&files);
    cli_files_clear(&files);
    return failed;
}

static void check_refused(const char *input, const char *output)
{
    char wanted[256];
    snprintf(wanted, sizeof wanted, "<output> names a file that <input> reads, %s: choose", output);
    if (compare(input, output) != CLI_EXIT_USAGE) fail_msg("%s over %s", output, input);
    assert_contains(cli_last_message(), wanted);
}

static void check_allowed(const char *input, const char *output)
{
    if (compare(input, output) != 0) fail_msg("%s", cli_last_message());
}

static void slices_of_a_folder_stay(void **state)
{
    (void)state;
    make_folder("s");
    make_folder("s/deeper");
    save_dicom("s/1.dcm");
    save_bare_dicom("s/2.dcm");
    save_bare_dicom("s/deeper/3.dcm");
    write_file("s/notes.txt", "text", 4);
    check_refused("s", "s/1.dcm");
    check_refused("s", "s/2.dcm");
    check_refused("s", "s/deeper/3.dcm");
    check_refused("s/1.dcm", "s/2.dcm"); /* of one series */
    check_allowed("s/1.dcm", "s/deeper/3.dcm");
    check_allowed("s", "s/notes.txt");
    check_allowed("s", "s/new.dcm");
}

static void slices_behind_links_stay(void **state)
{
    (void)state;
    make_folder("archive");
    make_folder("archive/whole");
    make_folder("links");
    save_dicom("archive/1.dcm");
    save_dicom("archive/2.dcm");
    save_bare_dicom("archive/whole/3.dcm");
    save_dicom("archive/other.dcm");
    assert_int_equal(symlink("../archive/1.dcm", "links/a.dcm"), 0);
    assert_int_equal(symlink("../archive/2.dcm", "links/b.dcm"), 0);
    assert_int_equal(symlink("../archive/whole", "links/whole"), 0);
    assert_int_equal(symlink("archive/2.dcm", "elsewhere"), 0);
    check_refused("links", "links/b.dcm");
    check_refused("links", "archive/2.dcm");
    check_refused("links", "elsewhere");
    check_refused("links", "links/whole/3.dcm");
    check_refused("links", "archive/whole/3.dcm");
    check_refused("links/a.dcm", "archive/2.dcm");
    check_allowed("links", "archive/other.dcm");
}

static void pictures_of_a_stack_stay(void **state)
{
    (void)state;
    make_folder("kept");
    make_folder("stack");
    save_picture("kept/frame");
    save_picture("stack/1.png");
    assert_int_equal(symlink("../kept/frame", "stack/2.png"), 0);
    check_refused("stack", "stack/1.png");
    check_refused("stack", "kept/frame");
    check_refused("stack/%d.png", "stack/2.png");
    save_bare_dicom("stack/slice"); /* now the folder is a series */
    check_allowed("stack", "stack/1.png");
}

/* A DICOMDIR stands for its tree, other files for their folder. */
static void trees_of_a_dicomdir_stay(void **state)
{
    (void)state;
    make_folder("disc");
    make_folder("disc/images");
    save_dicom("disc/DICOMDIR");
    save_dicom("disc/images/1");
    check_refused("disc/DICOMDIR", "disc/images/1");
}

/* One is read without its neighbours, and as --initial gives its place to its successor. */
static void segmentations_are_single_files(void **state)
{
    (void)state;
    save_segmentation("a.dcm");
    save_segmentation("b.dcm");
    check_allowed("a.dcm", "b.dcm");
    check_allowed("./a.dcm", "./b.dcm");
    check_refused(".", "b.dcm");
    cli_files files = {0};
    cli_files_add(&files, "--initial", "a.dcm", CLI_FILE_READ_REPLACEABLE);
    cli_files_add(&files, "<output>", "a.dcm", CLI_FILE_REPLACES);
    if (cli_files_compare(&files) != 0) fail_msg("%s", cli_last_message());
    cli_files_clear(&files);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)
    const struct CMUnitTest tests[] = {
        TEST(slices_of_a_folder_stay),        TEST(slices_behind_links_stay),
        TEST(pictures_of_a_stack_stay),       TEST(trees_of_a_dicomdir_stay),
        TEST(segmentations_are_single_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
