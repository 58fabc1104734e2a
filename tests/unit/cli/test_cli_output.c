/* Files that programs write, return values, exit codes, cancelling. */
#define _XOPEN_SOURCE 700
#include "cli_test.h"

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli_program.h"

static char folder[64];

static int enter_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/promptseg_cli_XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

/* Files in the folder; removes them when asked. */
static int count_files(int and_remove)
{
    int count = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (e->d_name[0] == '.') continue;
        count++;
        if (and_remove) remove(e->d_name);
    }
    closedir(d);
    return count;
}

static int leave_folder(void **state)
{
    (void)state;
    count_files(1);
    return rmdir(folder);
}

static void check_content(const char *path, const char *wanted)
{
    size_t size;
    char *text = read_text(path, &size);
    assert_string_equal(text, wanted);
    free(text);
}

static void files_are_replaced_whole(void **state)
{
    (void)state;
    struct stat found;
    umask(022);
    assert_int_equal(cli_write_file(NULL, "a.txt", "old", 3), 0);
    assert_int_equal(cli_write_file(NULL, "a.txt", "new text", 8), 0);
    check_content("a.txt", "new text");
    assert_int_equal(stat("a.txt", &found), 0);
    assert_int_equal(found.st_mode & 0777, 0644);
    assert_int_equal(count_files(1), 1);
}

static void links_stay_links(void **state)
{
    (void)state;
    struct stat found;
    assert_int_equal(cli_write_file(NULL, "target", "1", 1), 0);
    assert_int_equal(symlink("target", "link"), 0);
    assert_int_equal(cli_write_file(NULL, "link", "22", 2), 0);
    assert_int_equal(lstat("link", &found), 0);
    assert_true(S_ISLNK(found.st_mode));
    check_content("target", "22");
    count_files(1);
}

static void impossible_files_are_explained(void **state)
{
    (void)state;
    assert_int_equal(cli_write_file(NULL, "no/such/folder/a", "x", 1), CLI_EXIT_OUTPUT);
    assert_string_equal(cli_last_message(),
                        "cannot write no/such/folder/a: there is no folder no/such/folder");
    assert_int_equal(cli_write_file(NULL, ".", "x", 1), CLI_EXIT_OUTPUT);
    assert_contains(cli_last_message(), "it is a folder");
    assert_int_equal(cli_write_file(NULL, "/dev/full", "x", 1), CLI_EXIT_OUTPUT);
    assert_contains(cli_last_message(), "No space left");
    assert_int_equal(count_files(0), 0);
}

static const char xml[] =
    "<?xml version=\"1.0\"?><executable><version>3</version><parameters>"
    "<boolean><name>b</name><flag>b</flag></boolean>"
    "<double><name>ml</name><channel>output</channel></double>"
    "<string><name>device</name><channel>output</channel></string></parameters></executable>";

static int begin(cli_program *program, char **argv, int argc)
{
    int code = -1;
    return cli_program_begin(program, "tool", xml, sizeof xml - 1, argc, argv, NULL, &code) ? -1
                                                                                            : code;
}

static void return_values_are_written_on_success(void **state)
{
    (void)state;
    cli_program program;
    char *argv[] = {(char *)"tool", (char *)"--returnparameterfile", (char *)"r.txt"};
    assert_int_equal(begin(&program, argv, 3), -1);
    assert_true(program.slicer);
    cli_return_real(&program.returns, "ml", 12.5);
    cli_return_text(&program.returns, "device", "cpu\nbf16");
    assert_int_equal(cli_program_end(&program, CLI_EXIT_DONE, NULL), 0);
    check_content("r.txt", "ml = 12.5\ndevice = cpu bf16\n");
    count_files(1);
}

/* printf writes a NaN's sign. */
static void undefined_values_have_no_sign(void **state)
{
    cli_buffer returns = {0};
    (void)state;
    cli_return_real(&returns, "a", copysign(NAN, -1));
    cli_return_real(&returns, "b", -HUGE_VAL);
    assert_string_equal(returns.text, "a = nan\nb = -inf\n");
    cli_buffer_clear(&returns);
}

/* What a program prints on stderr and returns, from a child process. */
static int run_child(int (*child)(void), char *errors, size_t size)
{
    int status = 0, ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        if (!freopen("/dev/null", "w", stdout)) _exit(99);
        _exit(child());
    }
    close(ends[1]);
    size_t used = 0;
    for (ssize_t n = 1; n > 0 && used + 1 < size; used += (size_t)(n > 0 ? n : 0))
        n = read(ends[0], errors + used, size - 1 - used);
    errors[used] = '\0';
    close(ends[0]);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int unknown_return_value(void)
{
    cli_program program;
    char *argv[] = {(char *)"tool", (char *)"--returnparameterfile=r.txt"};
    begin(&program, argv, 2);
    cli_return_integer(&program.returns, "typo", 1);
    return cli_program_end(&program, CLI_EXIT_DONE, NULL);
}

static int usage_error(void)
{
    cli_program program;
    char *argv[] = {(char *)"tool", (char *)"--nonsense"};
    return begin(&program, argv, 2);
}

static int version(void)
{
    cli_program program;
    char *argv[] = {(char *)"tool", (char *)"--version"};
    return begin(&program, argv, 2);
}

static int version_on_a_full_disk(void)
{
    return freopen("/dev/full", "w", stdout) ? version() : 99;
}

/* "tool --version | head -0" */
static int version_nobody_reads(void)
{
    int ends[2];
    if (pipe(ends) != 0 || dup2(ends[1], STDOUT_FILENO) < 0) return 99;
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    return version();
}

static int failing_run(void)
{
    cli_program program;
    char *argv[] = {(char *)"tool", (char *)"--returnparameterfile=r.txt"};
    begin(&program, argv, 2);
    cli_return_real(&program.returns, "ml", 1);
    return cli_program_end(&program, CLI_EXIT_INPUT, "a.nrrd: not an image");
}

/* The io library's messages may be lists of series, of 8 KiB with the end. */
static char list[8192];

static int long_failure(void)
{
    return cli_report_failure("tool", cli_fail(CLI_EXIT_INPUT, "%s", list), cli_last_message());
}

static void long_messages_stay_whole(void **state)
{
    (void)state;
    char errors[sizeof list + 16], wanted[sizeof list + 16];
    memset(list, 'x', sizeof list - 1);
    for (size_t i = 80; i < sizeof list - 1; i += 80)
        list[i] = '\n';
    assert_int_equal(run_child(long_failure, errors, sizeof errors), 2);
    snprintf(wanted, sizeof wanted, "tool: %s\n", list);
    assert_string_equal(errors, wanted);
}

static void failures_say_one_line(void **state)
{
    (void)state;
    char errors[512];
    assert_int_equal(run_child(usage_error, errors, sizeof errors), 1);
    assert_string_equal(errors, "tool: unknown option --nonsense; --help lists the options\n");
    assert_int_equal(run_child(failing_run, errors, sizeof errors), 2);
    assert_string_equal(errors, "tool: a.nrrd: not an image\n");
    assert_int_equal(run_child(unknown_return_value, errors, sizeof errors), 1);
    assert_string_equal(errors, "tool: 'typo' is not a return value of this program\n");
    assert_int_equal(run_child(version, errors, sizeof errors), 0);
    assert_string_equal(errors, "");
    assert_int_equal(run_child(version_on_a_full_disk, errors, sizeof errors), 6);
    assert_string_equal(errors, "tool: cannot write to standard output\n");
    assert_int_equal(run_child(version_nobody_reads, errors, sizeof errors), 0);
    assert_string_equal(errors, "");
    assert_int_equal(count_files(0), 0);
}

static int cancelled_run(void)
{
    cli_program program;
    char *argv[] = {(char *)"tool"};
    begin(&program, argv, 1);
    if (cli_cancelled(NULL)) return 98;
    raise(SIGTERM);
    if (!cli_cancelled(NULL)) return 97;
    return cli_program_end(&program, CLI_EXIT_CANCELLED, "cancelled");
}

static int cancelled_twice(void)
{
    cli_cancel_install();
    raise(SIGINT);
    raise(SIGINT);
    return 96;
}

static int cancelled_while_reading(void)
{
    cli_cancel_install();
    cli_cancel_at_once("tool");
    raise(SIGINT);
    return 95;
}

static int cancelled_before_reading(void)
{
    cli_cancel_install();
    raise(SIGINT);
    cli_cancel_at_once("tool");
    return 94;
}

static int cancelled_after_reading(void)
{
    cli_cancel_install();
    cli_cancel_at_once("tool");
    cli_cancel_at_once(NULL);
    raise(SIGINT);
    return cli_cancelled(NULL) ? 0 : 93;
}

static void cancelling_ends_with_130(void **state)
{
    (void)state;
    char errors[512];
    assert_int_equal(run_child(cancelled_run, errors, sizeof errors), 130);
    assert_string_equal(errors, "tool: cancelled\n");
    assert_int_equal(run_child(cancelled_twice, errors, sizeof errors), 130);
    assert_int_equal(run_child(cancelled_while_reading, errors, sizeof errors), 130);
    assert_string_equal(errors, "tool: cancelled\n");
    assert_int_equal(run_child(cancelled_before_reading, errors, sizeof errors), 130);
    assert_string_equal(errors, "tool: cancelled\n");
    assert_int_equal(run_child(cancelled_after_reading, errors, sizeof errors), 0);
}

static void statuses_become_exit_codes(void **state)
{
    (void)state;
    static const int wanted[] = {0, 1, 2, 3, 4, 5, 5, 6, 130, 5};
    for (int i = 0; i < 10; i++)
        assert_int_equal(cli_exit_from_model_status(i), wanted[i]);
    assert_int_equal(cli_exit_from_model_status(77), 5);
    assert_int_equal(cli_exit_from_io_status(6), 6);
}

static void warnings_are_kept_once(void **state)
{
    (void)state;
    cli_warnings w = {.quiet = 1};
    char *joined = cli_warnings_join(&w);
    assert_string_equal(joined, "none");
    free(joined);
    cli_warn(&w, "slice 4\nis missing");
    cli_warn(&w, "b");
    cli_warn(&w, "slice 4\nis missing");
    joined = cli_warnings_join(&w);
    assert_int_equal(w.count, 2);
    assert_string_equal(joined, "slice 4 is missing; b");
    free(joined);
    cli_warnings_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(files_are_replaced_whole),
                                       cmocka_unit_test(links_stay_links),
                                       cmocka_unit_test(impossible_files_are_explained),
                                       cmocka_unit_test(undefined_values_have_no_sign),
                                       cmocka_unit_test(long_messages_stay_whole),
                                       cmocka_unit_test(return_values_are_written_on_success),
                                       cmocka_unit_test(failures_say_one_line),
                                       cmocka_unit_test(cancelling_ends_with_130),
                                       cmocka_unit_test(statuses_become_exit_codes),
                                       cmocka_unit_test(warnings_are_kept_once)};
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
