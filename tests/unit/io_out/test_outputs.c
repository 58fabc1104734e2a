/* Outputs as a user finds them: complete or as before, together or not at all, with the permissions
 * they had. Kills, file systems without nameless files and failing renames are played by wrapping
 * the system calls (-Wl,--wrap), in child processes. */
#define _GNU_SOURCE
#include "io_out_support.h"

#include "output_recovery.h"
#include "sgio/outputs.h"
#include "sgio/report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------ wrapped calls */

static int no_nameless_files; /* open(O_TMPFILE) fails as on NFS */
static int renames_left = -1; /* after so many renames the process is killed; -1: never */
static int rename_error;      /* the rename that would be the killing one fails with this instead */

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, ...);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (no_nameless_files && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return __real_open(path, flags, mode);
}

int __wrap_rename(const char *from, const char *to)
{
    if (renames_left == 0 && rename_error) {
        errno = rename_error;
        return -1;
    }
    if (renames_left == 0) kill(getpid(), SIGKILL);
    if (renames_left > 0) renames_left--;
    return __real_rename(from, to);
}

/* ------------------------------------------------------------------------------------- helpers */

static void put(sgio_outputs *outputs, const char *name, const char *text)
{
    if (sgio_output_write(outputs, scratch(name), text, strlen(text)) != SGIO_OK) _exit(2);
}

static void put_segmentation(sgio_outputs *outputs, const char *name)
{
    sgio_geometry grid = make_grid(0);
    const sgio_segmentation_write_options options = {.outputs = outputs};
    sgio_segmentation s;
    if (sgio_segmentation_init(&s, &grid) != SGIO_OK ||
        sgio_segmentation_write(&s, scratch(name), &options, NULL) != SGIO_OK)
        _exit(2);
    sgio_segmentation_clear(&s);
}

/* The three files of a run in the order in which a program writes them. */
static sgio_status write_run(const char *text)
{
    sgio_outputs *outputs;
    if (sgio_outputs_create(&outputs) != SGIO_OK) _exit(2);
    put(outputs, "picture.png", text);
    put_segmentation(outputs, "segmentation.nrrd");
    put(outputs, "report.json", text);
    sgio_status status = sgio_outputs_commit(outputs);
    sgio_outputs_destroy(outputs);
    return status;
}

static void old_files(void)
{
    write_text(scratch("picture.png"), "old");
    write_text(scratch("segmentation.nrrd"), "old");
    write_text(scratch("report.json"), "old");
}

static void remove_files(void)
{
    remove_scratch("picture.png");
    remove_scratch("segmentation.nrrd");
    remove_scratch("report.json");
}

static int is_old(const char *name)
{
    size_t bytes;
    char *text = read_file(scratch(name), &bytes);
    int old = strcmp(text, "old") == 0;
    free(text);
    return old;
}

/* Runs write_run in a process that is killed when `renames` renames are done. */
static void killed_after(int renames, int nameless)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        renames_left = renames;
        no_nameless_files = !nameless;
        write_run("new");
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* -------------------------------------------------------------------------------------- tests */

static void the_segmentation_is_the_last_to_appear(void **state)
{
    (void)state;
    for (int renames = 0; renames < 3; renames++) {
        old_files();
        killed_after(renames, 1);
        assert_int_equal(is_old("picture.png"), renames < 1);
        assert_int_equal(is_old("report.json"), renames < 2);
        assert_true(is_old("segmentation.nrrd"));
        assert_int_equal(sgio_output_check(scratch("other")), SGIO_OK);
        remove_files();
        assert_int_equal(scratch_count(), 0);
    }
}

static void a_run_killed_between_renames_is_completed_by_the_next(void **state)
{
    (void)state;
    for (int nameless = 0; nameless < 2; nameless++)
        for (int renames = 0; renames < 3; renames++) {
            old_files();
            killed_after(renames, nameless);
            assert_int_equal(sgio_output_check(scratch("other.nrrd")), SGIO_OK);
            assert_false(is_old("picture.png"));
            assert_false(is_old("report.json"));
            assert_false(is_old("segmentation.nrrd"));
            assert_int_equal(scratch_count(), 3);
            remove_files();
        }
}

static void a_file_edited_since_the_kill_is_not_replaced(void **state)
{
    (void)state;
    old_files();
    killed_after(1, 1);
    write_text(scratch("segmentation.nrrd"), "edited in Slicer");
    assert_int_equal(sgio_output_check(scratch("other.nrrd")), SGIO_OK);
    size_t bytes;
    char *text = read_file(scratch("segmentation.nrrd"), &bytes);
    assert_string_equal(text, "edited in Slicer");
    free(text);
    assert_true(is_old("report.json"));
    assert_int_equal(scratch_count(), 3);
    remove_files();
}

static void partial_files_of_killed_runs_are_removed_by_the_next(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        sgio_outputs *outputs;
        no_nameless_files = 1;
        sgio_outputs_create(&outputs);
        put(outputs, "a.json", "new");
        put(outputs, "b.json", "new");
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(scratch_count(), 2);
    assert_int_equal(sgio_output_write(NULL, scratch("c.json"), "c", 1), SGIO_OK);
    assert_int_equal(scratch_count(), 1);
    remove_scratch("c.json");
}

static void partial_files_of_running_programs_stay(void **state)
{
    int ready[2], go[2], status;
    char byte = 0;
    (void)state;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        sgio_outputs *outputs;
        no_nameless_files = 1;
        sgio_outputs_create(&outputs);
        put(outputs, "a.json", "a");
        put(outputs, "b.json", "b");
        if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) _exit(2);
        _exit(sgio_outputs_commit(outputs));
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(sgio_output_check(scratch("c.json")), SGIO_OK);
    assert_int_equal(scratch_count(), 2);
    assert_int_equal(write(go[1], &byte, 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    remove_scratch("a.json");
    remove_scratch("b.json");
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(go[i]);
    }
}

/* A shared file system need not show the locks of other machines. */
static void partial_files_of_another_machine_stay_for_a_day(void **state)
{
    static const char name[] = ".sgio-another-1-0.partial";
    struct timespec times[2];
    (void)state;
    write_text(scratch(name), "being written");
    assert_int_equal(sgio_output_check(scratch("r.json")), SGIO_OK);
    assert_int_equal(scratch_count(), 1);
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= 2 * 86400;
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, scratch(name), times, 0), 0);
    assert_int_equal(sgio_output_check(scratch("r.json")), SGIO_OK);
    assert_int_equal(scratch_count(), 0);
}

/* In a folder with the outputs of a long batch each output pays for a part of the reading; what a
 * killed program left there goes all the same. */
static void a_large_folder_is_cleaned_too(void **state)
{
    enum { FILES = 1000, OPENINGS = 64 };
    char name[64];
    int tries = 0;
    (void)state;
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%d.json", i);
        write_text(scratch(name), "done");
    }
    assert_int_equal(sgio_output_check(scratch("new.json")), SGIO_OK);
    snprintf(name, sizeof name, ".sgio-%s-1-0.partial", sgio_machine_name());
    write_text(scratch(name), "half");
    while (scratch_count() > FILES && tries++ < OPENINGS)
        assert_int_equal(sgio_output_check(scratch("new.json")), SGIO_OK);
    assert_int_equal(scratch_count(), FILES);
    assert_in_range(tries, 2, OPENINGS);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%d.json", i);
        remove_scratch(name);
    }
    for (int i = 0; i < OPENINGS; i++) /* until the folder is known as a small one */
        assert_int_equal(sgio_output_check(scratch("new.json")), SGIO_OK);
}

/* A folder from a stranger may hold such names. */
static void foreign_journals_rename_nothing(void **state)
{
    sgio_journal_entry entry;
    size_t bytes;
    char temporary[512], target[512];
    (void)state;
    write_text(scratch("precious"), "old");
    write_text(scratch("planted"), "bad");
    snprintf(temporary, sizeof temporary, "%s", scratch("planted"));
    snprintf(target, sizeof target, "%s", scratch("precious"));
    assert_int_equal(sgio_journal_describe(temporary, target, &entry), 0);
    char *text = sgio_journal_format(&entry, 1, &bytes);
    char journal[128];
    snprintf(journal, sizeof journal, ".sgio-%s-1-0.journal", sgio_machine_name());
    write_file(scratch(journal), text, bytes);
    free(text);
    snprintf(journal, sizeof journal, ".sgio-%s-2-0.journal", sgio_machine_name());
    write_text(scratch(journal), "nonsense");
    assert_int_equal(sgio_output_check(scratch("other.nrrd")), SGIO_OK);
    assert_true(is_old("precious"));
    assert_int_equal(scratch_count(), 2);
    remove_scratch("precious");
    remove_scratch("planted");
}

static void a_failing_rename_is_said_and_leaves_no_partial_file(void **state)
{
    (void)state;
    for (int nameless = 0; nameless < 2; nameless++) {
        old_files();
        no_nameless_files = !nameless;
        renames_left = 0;
        rename_error = EIO;
        assert_int_equal(write_run("new"), SGIO_UNWRITABLE);
        renames_left = -1;
        rename_error = no_nameless_files = 0;
        assert_message("picture.png");
        assert_true(is_old("picture.png") && is_old("segmentation.nrrd") && is_old("report.json"));
        assert_int_equal(scratch_count(), 3);
        remove_files();
    }
}

static void forty_files_appear_together(void **state)
{
    sgio_outputs *outputs;
    char name[32];
    (void)state;
    assert_int_equal(sgio_outputs_create(&outputs), SGIO_OK);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%d.json", i);
        put(outputs, name, "new");
        assert_int_equal(scratch_count(), 0);
    }
    assert_int_equal(sgio_outputs_commit(outputs), SGIO_OK);
    sgio_outputs_destroy(outputs);
    assert_int_equal(scratch_count(), 40);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%d.json", i);
        remove_scratch(name);
    }
}

/* ---------------------------------------------------------------------------------- large sets */

enum { FILM = 500, FEW_DESCRIPTORS = 128 };

static const char *frame(int i)
{
    static char name[32];
    snprintf(name, sizeof name, "%04d.png", i);
    return name;
}

static void allow_descriptors(rlim_t count)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static sgio_outputs *put_film(int frames)
{
    sgio_outputs *outputs;
    if (sgio_outputs_create(&outputs) != SGIO_OK) _exit(2);
    put_segmentation(outputs, "segmentation.nrrd");
    for (int i = 0; i < frames; i++)
        put(outputs, frame(i), "new");
    return outputs;
}

static int count_frames(void)
{
    int count = 0;
    for (int i = 0; i < FILM; i++)
        count += access(scratch(frame(i)), F_OK) == 0;
    return count;
}

static void remove_film(void)
{
    for (int i = 0; i < FILM; i++)
        unlink(scratch(frame(i)));
    unlink(scratch("segmentation.nrrd"));
}

/* Puts a film in a process that may open few files, and is killed before it commits or, after so
 * many renames, while it does; `renames` -1: it ends as it should. */
static void film_in_a_process(int commits, int renames)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        allow_descriptors(FEW_DESCRIPTORS);
        sgio_outputs *outputs = put_film(FILM);
        if (!commits) kill(getpid(), SIGKILL);
        renames_left = renames;
        _exit(sgio_outputs_commit(outputs));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (renames < 0 && commits) assert_int_equal(status, 0);
    if (renames >= 0 || !commits) assert_true(WIFSIGNALED(status));
}

/* What a killed program left goes within so many openings, in a folder that is known as a small
 * one. */
static void look_again(void)
{
    for (int i = 0; i < 64; i++)
        assert_int_equal(sgio_output_check(scratch("other.nrrd")), SGIO_OK);
}

static void films_need_few_descriptors(void **state)
{
    (void)state;
    film_in_a_process(1, -1);
    assert_int_equal(count_frames(), FILM);
    assert_int_equal(scratch_count(), FILM + 1);
    remove_film();
    assert_int_equal(scratch_count(), 0);
}

static void killed_films_are_completed_or_go(void **state)
{
    (void)state;
    film_in_a_process(0, 0);
    assert_int_equal(count_frames(), 0);
    look_again();
    assert_int_equal(scratch_count(), 0);
    film_in_a_process(1, FILM / 2);
    assert_int_equal(count_frames(), FILM / 2);
    look_again();
    assert_int_equal(count_frames(), FILM);
    assert_int_equal(access(scratch("segmentation.nrrd"), F_OK), 0);
    assert_int_equal(scratch_count(), FILM + 1);
    remove_film();
}

/* 10,000 frames in a deep folder. */
static void long_journals_are_understood(void **state)
{
    enum { FRAMES = 10000 };
    static sgio_journal_entry entries[FRAMES];
    char name[300];
    size_t bytes;
    sgio_journal journal;
    (void)state;
    snprintf(name, sizeof name, "/%0250d", 1);
    for (int i = 0; i < FRAMES; i++)
        entries[i] = (sgio_journal_entry){.temporary = name, .target = name, .inode = i};
    char *text = sgio_journal_format(entries, FRAMES, &bytes);
    assert_non_null(text);
    assert_int_equal(sgio_journal_parse(text, bytes, &journal), 0);
    assert_int_equal(journal.count, FRAMES);
    assert_int_equal(journal.entries[FRAMES - 1].inode, FRAMES - 1);
    sgio_journal_clear(&journal);
    free(text);
}

static void films_under_way_stay_and_can_be_dropped(void **state)
{
    enum { SOME = 200 };
    (void)state;
    sgio_outputs *outputs = put_film(SOME);
    look_again();
    assert_int_equal(sgio_outputs_commit(outputs), SGIO_OK);
    sgio_outputs_destroy(outputs);
    assert_int_equal(count_frames(), SOME);
    assert_int_equal(scratch_count(), SOME + 1);
    remove_film();
    outputs = put_film(SOME);
    sgio_outputs_destroy(outputs);
    assert_int_equal(scratch_count(), 0);
    renames_left = SOME / 2; /* then renames fail */
    rename_error = EIO;
    outputs = put_film(SOME);
    assert_int_equal(sgio_outputs_commit(outputs), SGIO_UNWRITABLE);
    sgio_outputs_destroy(outputs);
    renames_left = -1;
    rename_error = 0;
    assert_int_equal(scratch_count(), SOME / 2);
    remove_film();
}

static void dropped_outputs_leave_the_old_files(void **state)
{
    sgio_outputs *outputs;
    (void)state;
    old_files();
    assert_int_equal(sgio_outputs_create(&outputs), SGIO_OK);
    put(outputs, "report.json", "new");
    put_segmentation(outputs, "segmentation.nrrd");
    sgio_outputs_destroy(outputs);
    assert_true(is_old("segmentation.nrrd") && is_old("report.json"));
    assert_int_equal(scratch_count(), 3);
    remove_files();
}

static void a_replaced_file_keeps_its_permissions(void **state)
{
    static const mode_t modes[] = {0600, 0640, 0664, 0666, 0755, 0200};
    struct stat info;
    (void)state;
    for (int nameless = 0; nameless < 2; nameless++)
        for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
            no_nameless_files = !nameless;
            write_text(scratch("r.json"), "old");
            assert_int_equal(chmod(scratch("r.json"), modes[i]), 0);
            assert_int_equal(sgio_output_write(NULL, scratch("r.json"), "new", 3), SGIO_OK);
            assert_int_equal(stat(scratch("r.json"), &info), 0);
            assert_int_equal(info.st_mode & 0777, modes[i]);
            assert_int_equal(info.st_size, 3);
            remove_scratch("r.json");
        }
    no_nameless_files = 0;
    mode_t mask = umask(0027);
    assert_int_equal(sgio_output_write(NULL, scratch("r.json"), "new", 3), SGIO_OK);
    umask(mask);
    assert_int_equal(stat(scratch("r.json"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    remove_scratch("r.json");
}

static void a_write_protected_result_is_refused(void **state)
{
    (void)state;
    old_files();
    assert_int_equal(chmod(scratch("segmentation.nrrd"), 0444), 0);
    assert_int_equal(sgio_output_check(scratch("segmentation.nrrd")), SGIO_UNWRITABLE);
    assert_message("write-protected");
    assert_message("segmentation.nrrd");
    assert_int_equal(sgio_output_write(NULL, scratch("segmentation.nrrd"), "new", 3),
                     SGIO_UNWRITABLE);
    assert_true(is_old("segmentation.nrrd"));
    assert_int_equal(scratch_count(), 3);
    remove_files();
}

static void of_a_hard_link_only_the_given_name_changes(void **state)
{
    (void)state;
    write_text(scratch("input.nrrd"), "old");
    assert_int_equal(link(scratch("input.nrrd"), scratch("r.json")), 0);
    assert_int_equal(sgio_output_write(NULL, scratch("r.json"), "new", 3), SGIO_OK);
    assert_true(is_old("input.nrrd"));
    assert_false(is_old("r.json"));
    remove_scratch("input.nrrd");
    remove_scratch("r.json");
}

static void a_link_to_a_file_to_come_stays_a_link(void **state)
{
    struct stat info;
    (void)state;
    assert_int_equal(mkdir(scratch("d"), 0700), 0);
    assert_int_equal(symlink("d/r.json", scratch("link")), 0);
    assert_int_equal(sgio_output_write(NULL, scratch("link"), "new", 3), SGIO_OK);
    assert_int_equal(lstat(scratch("link"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(lstat(scratch("d/r.json"), &info), 0);
    assert_int_equal(info.st_size, 3);
    remove_scratch("d/r.json");
    remove_scratch("link");
    assert_int_equal(symlink("link", scratch("link")), 0);
    assert_int_equal(sgio_output_check(scratch("link")), SGIO_UNWRITABLE);
    remove_scratch("link");
    assert_int_equal(rmdir(scratch("d")), 0);
}

static void impossible_names_are_found_before_the_work(void **state)
{
    char name[400];
    (void)state;
    memset(name, 'x', sizeof name);
    strcpy(name + 300, ".nrrd");
    assert_int_equal(sgio_output_check(scratch(name)), SGIO_UNWRITABLE);
    assert_message("too long");
    assert_int_equal(sgio_output_check(scratch("none/r.json")), SGIO_UNWRITABLE);
    assert_message("there is no folder");
    assert_int_equal(sgio_output_check(scratch("folder/")), SGIO_UNWRITABLE);
    assert_message("folder");
    assert_int_equal(sgio_output_check(""), SGIO_UNWRITABLE);
    write_text(scratch("file"), "");
    assert_int_equal(sgio_output_check(scratch("file/r.json")), SGIO_UNWRITABLE);
    remove_scratch("file");
    assert_int_equal(sgio_output_check("/dev/full"), SGIO_UNWRITABLE);
    assert_int_equal(mkfifo(scratch("pipe"), 0600), 0);
    assert_int_equal(sgio_output_check(scratch("pipe")), SGIO_UNWRITABLE);
    assert_message("not a regular file");
    remove_scratch("pipe");
    assert_int_equal(sgio_output_check(scratch("r.json")), SGIO_OK);
    assert_int_equal(scratch_count(), 0);
}

static int stop_at_once(void *user, double done)
{
    *(double *)user = done;
    return 1;
}

static void a_cancelled_write_leaves_the_old_file(void **state)
{
    static const char *const names[] = {"c.nii", "c.nii.gz", "c.mha", "c.nrrd", "c.seg.nrrd"};
    sgio_geometry grid = make_grid(0);
    double done = -1;
    const sgio_segmentation_write_options options = {.progress = stop_at_once,
                                                     .progress_user = &done};
    sgio_segmentation s;
    (void)state;
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    for (int n = 0; n < 5; n++) {
        done = -1;
        write_text(scratch(names[n]), "old");
        assert_int_equal(sgio_segmentation_write(&s, scratch(names[n]), &options, NULL),
                         SGIO_CANCELLED);
        assert_true(done > 0 && done <= 1);
        assert_true(is_old(names[n]));
        assert_int_equal(scratch_count(), 1);
        remove_scratch(names[n]);
    }
    sgio_segmentation_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_segmentation_is_the_last_to_appear),
        cmocka_unit_test(a_run_killed_between_renames_is_completed_by_the_next),
        cmocka_unit_test(a_file_edited_since_the_kill_is_not_replaced),
        cmocka_unit_test(partial_files_of_killed_runs_are_removed_by_the_next),
        cmocka_unit_test(partial_files_of_running_programs_stay),
        cmocka_unit_test(partial_files_of_another_machine_stay_for_a_day),
        cmocka_unit_test(a_large_folder_is_cleaned_too),
        cmocka_unit_test(foreign_journals_rename_nothing),
        cmocka_unit_test(a_failing_rename_is_said_and_leaves_no_partial_file),
        cmocka_unit_test(forty_files_appear_together),
        cmocka_unit_test(films_need_few_descriptors),
        cmocka_unit_test(killed_films_are_completed_or_go),
        cmocka_unit_test(long_journals_are_understood),
        cmocka_unit_test(films_under_way_stay_and_can_be_dropped),
        cmocka_unit_test(dropped_outputs_leave_the_old_files),
        cmocka_unit_test(a_replaced_file_keeps_its_permissions),
        cmocka_unit_test(a_write_protected_result_is_refused),
        cmocka_unit_test(of_a_hard_link_only_the_given_name_changes),
        cmocka_unit_test(a_link_to_a_file_to_come_stays_a_link),
        cmocka_unit_test(impossible_names_are_found_before_the_work),
        cmocka_unit_test(a_cancelled_write_leaves_the_old_file)};
    return cmocka_run_group_tests(tests, scratch_group_setup, scratch_group_teardown);
}
