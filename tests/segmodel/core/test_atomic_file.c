/* Files that are whole or not there: what is replaced keeps its mode and its links, where there are
 * such, and what fails leaves nothing. */
#define _XOPEN_SOURCE 700

#include "core/atomic_file.h"
#include "core/status.h"

#include "check.h"
#include "portable.h"

#include <time.h>

static void put(const char *path, const char *text, int mode)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    if (!file) return;
    fputs(text, file);
    fclose(file);
    CHECK(chmod(path, mode) == 0);
}

static int holds(const char *path, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    size_t n = fread(found, 1, sizeof found - 1, file);
    fclose(file);
    return n == strlen(text) && memcmp(found, text, n) == 0;
}

/* Files in the current folder. */
static int count_files(void)
{
    int count = 0;
    DIR *folder = opendir(".");
    if (!folder) return -1;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static sgm_status write_new(const char *path)
{
    sgm_atomic_file file;
    SGM_TRY(sgm_atomic_file_create(path, &file));
    sgm_status status = sgm_atomic_file_write(&file, "new", 3);
    if (status == SGM_OK) return sgm_atomic_file_commit(&file);
    sgm_atomic_file_abandon(&file);
    return status;
}

static void a_file_is_new_or_replaced(void)
{
    CHECK_OK(write_new("whole"));
    CHECK(holds("whole", "new"));
    put("whole", "much older", 0644);
    CHECK_OK(write_new("whole"));
    CHECK(holds("whole", "new"));
}

#ifndef _WIN32

static void a_private_file_stays_private(void)
{
    struct stat info;
    put("private", "old", 0600);
    CHECK_OK(write_new("private"));
    CHECK(holds("private", "new"));
    CHECK(stat("private", &info) == 0 && (info.st_mode & 07777) == 0600);
}

static void a_link_goes_on_naming_the_result(void)
{
    struct stat info;
    put("target", "old", 0644);
    CHECK(symlink("target", "link") == 0);
    CHECK_OK(write_new("link"));
    CHECK(lstat("link", &info) == 0 && S_ISLNK(info.st_mode));
    CHECK(holds("target", "new"));
}

/* The folder may be gone when the file is whole. */
static void a_failed_rename_is_said(void)
{
    sgm_atomic_file file;
    CHECK(mkdir("folder", 0777) == 0);
    CHECK_OK(sgm_atomic_file_create("folder/x", &file));
    CHECK(rename("folder", "elsewhere") == 0);
    CHECK_STATUS(sgm_atomic_file_commit(&file), SGM_UNWRITABLE, "folder/x: cannot be renamed");
}

static void a_device_is_refused(void)
{
    int before = count_files();
    CHECK_STATUS(write_new("/dev/full"), SGM_UNWRITABLE, "/dev/full: exists and is not a regular");
    CHECK(count_files() == before);
}

#endif

static void a_protected_file_is_refused(void)
{
    put("protected", "old", 0444);
    if (access("protected", W_OK) == 0) { /* root may write everything */
        CHECK_OK(write_new("protected"));
        return;
    }
    CHECK_STATUS(write_new("protected"), SGM_UNWRITABLE, "protected: exists and may not be");
    CHECK(holds("protected", "old"));
}

static void what_fails_leaves_nothing(void)
{
    int before = count_files();
    sgm_atomic_file file;
    put("kept", "old", 0644);
    CHECK_OK(sgm_atomic_file_create("kept", &file));
    CHECK_OK(sgm_atomic_file_write(&file, "half", 4));
    sgm_atomic_file_abandon(&file);
    CHECK(holds("kept", "old"));
    CHECK_STATUS(write_new("no/such/folder"), SGM_UNWRITABLE, "no/such/folder: cannot be created");
    CHECK_STATUS(write_new("."), SGM_UNWRITABLE, "not a regular file");
    CHECK(count_files() == before + 1);
}

/* A number that no process has. */
#define GONE "999999998"

static void put_old(const char *path)
{
    put(path, "half", 0644);
    CHECK(set_file_time(path, (long long)time(NULL) - 600) == 0);
}

/* What a process that is gone was writing goes, unless it has just been written; what a living one
 * writes stays, and so does what is called otherwise. */
static void what_the_dead_left_is_removed(void)
{
    static const char *const names[2] = {"big", "a.big"};
    static const char *const others[] = {"big." GONE "-0.tmp.x", "xbig." GONE "-0.tmp",
                                         "big." GONE ".tmp",     "big.-0.tmp",
                                         "big." GONE "-.tmp",    "big",
                                         "big.-1-0.tmp",         "big." GONE "x-0.tmp"};
    char own[64], fresh[64] = "big." GONE "-7.tmp";
    int before = count_files(), count = (int)(sizeof others / sizeof *others);
    for (int i = 0; i < count; i++)
        put_old(others[i]);
    snprintf(own, sizeof own, "big.%ld-0.tmp", (long)getpid());
    put_old(own);
    put(fresh, "half", 0644);
    put_old("big." GONE "-0.tmp");
    put_old("big." GONE "-12.tmp");
    put_old("a.big." GONE "-0.tmp");
    sgm_atomic_file_sweep(".", names, 2);
    CHECK(count_files() == before + count + 2);
    CHECK(holds(own, "half") && holds(fresh, "half"));
    CHECK(set_file_time(own, (long long)time(NULL) - 7200) == 0); /* of an earlier bearer */
    CHECK(set_file_time(fresh, (long long)time(NULL) - 600) == 0);
    sgm_atomic_file_sweep_beside("./xbig");
    CHECK(count_files() == before + count + 1);
    sgm_atomic_file_sweep_beside("big");
    CHECK(count_files() == before + count - 1);
    sgm_atomic_file_sweep_beside("no/such/folder/big");
#ifndef _WIN32
    snprintf(own, sizeof own, "big.%ld-0.tmp", (long)getppid());
    put_old(own);
    put_old("big.1-0.tmp");
    sgm_atomic_file_sweep_beside("big");
    CHECK(holds(own, "half") && holds("big.1-0.tmp", "half"));
#endif
}

#ifdef __linux__
/* A name as long as it may be: what is written beside it has a name too, and the sweep knows it. */
static void a_long_name_is_written(void)
{
    char name[256] = "", path[300], half[256] = "";
    memset(name, 'n', 255);
    for (int length = 200; length <= 255; length += 5) {
        name[length] = 0;
        CHECK_OK(write_new(name));
        snprintf(path, sizeof path, "./%s", name);
        CHECK_OK(write_new(path));
        CHECK(holds(name, "new") && remove(name) == 0);
        name[length] = 'n';
    }
    name[255] = 0;
    int before = count_files();
    sgm_atomic_file file;
    CHECK_OK(sgm_atomic_file_create(path, &file));
    char *dot = strstr(file.temporary, "half-");
    if (!CHECK(dot != NULL)) return;
    snprintf(half, sizeof half, "%.*s" GONE "-3.tmp", (int)(strcspn(dot, ".") + 1), dot);
    sgm_atomic_file_abandon(&file);
    put_old(half);
    put_old("half-0123456789abcdef." GONE "-3.tmp"); /* another's */
    sgm_atomic_file_sweep_beside(path);
    CHECK(!holds(half, "half") && count_files() == before + 1);
    name[254] = 0;
    put_old(half);
    sgm_atomic_file_sweep_beside(name);
    CHECK(holds(half, "half"));
    memset(path, 'n', 256);
    path[256] = 0;
    CHECK_STATUS(write_new(path), SGM_UNWRITABLE, "too long");
}
#endif

int main(void)
{
    char folder[64];
    snprintf(folder, sizeof folder, "atomic_file_%ld", (long)getpid());
    CHECK(mkdir(folder, 0777) == 0 && chdir(folder) == 0);
    a_file_is_new_or_replaced();
    a_protected_file_is_refused();
    what_fails_leaves_nothing();
    what_the_dead_left_is_removed();
#ifndef _WIN32
    a_private_file_stays_private();
    a_link_goes_on_naming_the_result();
    a_device_is_refused();
    a_failed_rename_is_said();
#endif
#ifdef __linux__
    a_long_name_is_written();
#endif
    return check_report();
}
