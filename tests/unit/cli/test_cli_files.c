/* Outputs that would destroy what is read: files of folders, however they are named. */
#define _XOPEN_SOURCE 700
#include "cli_test.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_exit.h"
#include "cli_files.h"

static char folder[64];

static int enter_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/promptseg_cli_XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static int leave_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void save(const char *path, const void *bytes, size_t size)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    fclose(stream);
}

static void save_dicom(const char *path)
{
    char bytes[140] = {0};
    memcpy(bytes + 128, "DICM", 4);
    save(path, bytes, sizeof bytes);
}

/* The data set alone: (0008,0005) CS "ISO_IR 100". */
static void save_bare_dicom(const char *path)
{
    save(path, "\x08\0\x05\0CS\x0a\0ISO_IR 100", 18);
}

static void save_picture(const char *path)
{
    save(path, "\x89PNG\r\n\x1a\n", 8);
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
    mkdir("s", 0755);
    mkdir("s/deeper", 0755);
    save_dicom("s/1.dcm");
    save_bare_dicom("s/2.dcm");
    save_bare_dicom("s/deeper/3.dcm");
    save("s/notes.txt", "text", 4);
    check_refused("s", "s/1.dcm");
    check_refused("s", "s/2.dcm");
    check_refused("s", "s/deeper/3.dcm");
    check_refused("s/2.dcm", "s/1.dcm"); /* of one series */
    check_allowed("s/2.dcm", "s/deeper/3.dcm");
    check_allowed("s", "s/notes.txt");
    check_allowed("s", "s/new.dcm");
}

static void slices_behind_links_stay(void **state)
{
    (void)state;
    mkdir("archive", 0755);
    mkdir("archive/whole", 0755);
    mkdir("links", 0755);
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
    mkdir("kept", 0755);
    mkdir("stack", 0755);
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
    mkdir("disc", 0755);
    mkdir("disc/images", 0755);
    save_dicom("disc/DICOMDIR");
    save_dicom("disc/images/1");
    check_refused("disc/DICOMDIR", "disc/images/1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)
    const struct CMUnitTest tests[] = {
        TEST(slices_of_a_folder_stay),
        TEST(slices_behind_links_stay),
        TEST(pictures_of_a_stack_stay),
        TEST(trees_of_a_dicomdir_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
