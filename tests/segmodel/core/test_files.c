/* Files and folders as core/files.h has them, the same on every system: names that are in no code
 * page, paths longer than Windows takes by itself, files that others replace, errors by errno. */
#define _XOPEN_SOURCE 700

#include "core/files.h"

#include "check.h"
#include "portable.h"

#include <errno.h>

/* Umlauts, Chinese, and a letter outside the first 65536. */
#define NAME "Größe 脳 \xf0\x9f\xa7\xa0"

static void put(const char *path, const char *text)
{
    FILE *file = sgm_fopen(path, "wb");
    if (!CHECK(file != NULL)) return;
    CHECK(fputs(text, file) >= 0 && fclose(file) == 0);
}

static int holds(const char *path, const char *text)
{
    char found[64] = "";
    FILE *file = sgm_fopen(path, "rb");
    size_t n = file ? fread(found, 1, sizeof found - 1, file) : 0;
    if (file) fclose(file);
    return file && n == strlen(text) && memcmp(found, text, n) == 0;
}

/* Makes, looks at, replaces and removes a file in a folder that is there. */
static void a_file_lives(const char *folder)
{
    char path[2048], other[2048];
    sgm_file_info info;
    snprintf(path, sizeof path, "%s/%s", folder, NAME);
    snprintf(other, sizeof other, "%s/%s", folder, "ein anderes");
    CHECK(!sgm_path_info(path, &info) && errno == ENOENT);
    put(path, "eins");
    CHECK(sgm_path_info(path, &info) && info.regular && !info.folder && info.writable);
    CHECK(info.size == 4 && info.changed > 1600000000);
    put(other, "zwei!");
    CHECK(sgm_replace_file(other, path));
    CHECK(holds(path, "zwei!") && !sgm_path_info(other, &info));
    CHECK(sgm_open_new(path, 0) < 0 && errno == EEXIST);
    CHECK(sgm_remove_file(path) && !sgm_remove_file(path) && errno == ENOENT);
}

/* However a file is reached, its real path is one; what is not there has none. */
static void a_file_has_one_real_path(const char *folder)
{
    char path[2048], other[4096];
    snprintf(path, sizeof path, "%s/%s", folder, NAME);
    snprintf(other, sizeof other, "./%s/../%s/%s", folder, sgm_file_name(folder), NAME);
    CHECK(!sgm_real_path(path) && errno == ENOENT);
    put(path, "eins");
    char *one = sgm_real_path(path), *two = sgm_real_path(other);
    CHECK(one && two && !strcmp(one, two) && strcmp(one, path) != 0);
    CHECK(one && !strcmp(sgm_file_name(one), NAME) && holds(one, "eins"));
    free(one);
    free(two);
    CHECK(sgm_remove_file(path));
}

struct seen {
    int count;
    char name[256];
    uint64_t size;
};

static bool see(void *user, const char *name, const sgm_file_info *info)
{
    struct seen *seen = user;
    seen->count++;
    seen->size = info->size;
    snprintf(seen->name, sizeof seen->name, "%s", name);
    return true;
}

/* The same by a folder that stays open; what is listed has the names that were given. */
static void an_open_folder_works(const char *path)
{
    sgm_folder *folder = sgm_folder_open(path);
    struct seen seen = {0};
    char byte = 0;
    if (!CHECK(folder != NULL)) return;
    CHECK(sgm_folder_writable(folder));
    int descriptor = sgm_folder_create(folder, "neu");
    FILE *stream = descriptor >= 0 ? sgm_descriptor_stream(descriptor) : NULL;
    CHECK(stream && fputs("abc", stream) >= 0 && sgm_flush_to_disk(stream) && fclose(stream) == 0);
    CHECK(sgm_folder_create(folder, "neu") < 0 && errno == EEXIST);
    CHECK(sgm_folder_rename(folder, "neu", NAME));
    CHECK(sgm_folder_list(folder, see, &seen));
    CHECK(seen.count == 1 && strcmp(seen.name, NAME) == 0 && seen.size == 3);
    CHECK(sgm_folder_read(folder, "neu") < 0 && errno == ENOENT);
    descriptor = sgm_folder_read(folder, NAME);
    CHECK(descriptor >= 0 && sgm_read_at(descriptor, 2, &byte, 1) && byte == 'c');
    if (descriptor >= 0) sgm_close(descriptor);
    CHECK(sgm_folder_remove(folder, NAME));
    sgm_folder_close(folder);
}

static void names_are_utf8(void)
{
    CHECK(sgm_make_folder(NAME, false));
    CHECK(sgm_make_folder(NAME, true)); /* is there */
    a_file_lives(NAME);
    a_file_has_one_real_path(NAME);
    an_open_folder_works(NAME);
    CHECK(remove_folder(NAME) ||
          !POSIX_FILES); /* by a narrow call: Windows has another name for it */
}

/* Seven folders of sixty letters, one in the other. */
static void long_paths_work(void)
{
    char path[1024] = "";
    for (int depth = 0; depth < 7; depth++) {
        size_t length = strlen(path);
        snprintf(path + length, sizeof path - length, "%s%060d", depth ? "/" : "", depth);
        CHECK(sgm_make_folder(path, false));
    }
    CHECK(strlen(path) > 400);
    a_file_lives(path);
    a_file_has_one_real_path(path);
    an_open_folder_works(path);
}

/* Who has a file open keeps what it was when another comes in its place; on Windows it may have to
 * wait until the file is closed. */
static void an_open_file_is_kept(void)
{
    char bytes[4] = "";
    put("old", "old");
    put("new", "newer");
    int descriptor = sgm_open_read("old");
    if (!CHECK(descriptor >= 0)) return;
    bool replaced = sgm_replace_file("new", "old");
    CHECK(replaced || (!POSIX_FILES && errno == EACCES));
    CHECK(holds("old", replaced ? "newer" : "old") && holds("new", "newer") == !replaced);
    CHECK(sgm_read_at(descriptor, 0, bytes, 3) && memcmp(bytes, "old", 3) == 0);
    sgm_close(descriptor);
    CHECK((replaced || sgm_replace_file("new", "old")) && holds("old", "newer"));
    CHECK(sgm_remove_file("old"));
}

static void parts_of_a_file_are_read(void)
{
    char bytes[8] = "";
    sgm_file_info info;
    put("parts", "0123456789");
    int descriptor = sgm_open_read("parts");
    if (!CHECK(descriptor >= 0)) return;
    CHECK(sgm_descriptor_info(descriptor, &info) && info.regular && info.size == 10);
    CHECK(sgm_read_at(descriptor, 7, bytes, 3) && memcmp(bytes, "789", 3) == 0);
    CHECK(!sgm_read_at(descriptor, 8, bytes, 3) && errno == 0); /* ends before */
    CHECK(sgm_read_at(descriptor, 0, bytes, 2) && memcmp(bytes, "01", 2) == 0);
    const char *mapped = sgm_map_file(descriptor, 10);
    int other = sgm_duplicate(descriptor);
    CHECK(other > 0 && other != descriptor);
    sgm_close(descriptor);
    if (other > 0) sgm_close(other);
    CHECK(mapped && memcmp(mapped, "0123456789", 10) == 0); /* the mapping stays */
    if (mapped) sgm_unmap_file(mapped, 10);
    CHECK(sgm_remove_file("parts"));
}

static void a_touch_is_seen(void)
{
    sgm_file_info info;
    put("touched", "x");
    CHECK(set_file_time("touched", 1000000000) == 0);
    CHECK(sgm_path_info("touched", &info) && info.changed == 1000000000);
    int descriptor = sgm_open_read("touched");
    if (!CHECK(descriptor >= 0)) return;
    sgm_touch(descriptor);
    sgm_close(descriptor);
    CHECK(sgm_path_info("touched", &info) && info.changed > 1600000000);
    CHECK(sgm_remove_file("touched"));
}

static void errors_have_their_numbers(void)
{
    put("plain", "x");
    CHECK(!sgm_make_folder("plain", false) && errno == ENOTDIR);
    CHECK(!sgm_make_folder("no/such", false) && errno == ENOENT);
    CHECK(!sgm_folder_open("plain") && errno == ENOTDIR);
    CHECK(!sgm_folder_open("nothing") && errno == ENOENT);
    CHECK(sgm_open_read("nothing") < 0 && errno == ENOENT);
    CHECK(!sgm_replace_file("nothing", "plain") && errno == ENOENT);
    CHECK(!sgm_fopen("no/such", "wb") && errno == ENOENT);
    CHECK(sgm_remove_file("plain"));
}

#ifdef _WIN32

#include "core/wide.h"

static int wide_is_long(const char *path, const wchar_t *start, const wchar_t *end)
{
    wchar_t *wide = sgm_wide(path);
    size_t length = wide ? wcslen(wide) : 0, tail = wcslen(end);
    int is = wide && wcsncmp(wide, start, wcslen(start)) == 0 && length >= tail &&
             wcscmp(wide + length - tail, end) == 0;
    free(wide);
    return is;
}

/* Wine takes long paths in any form, so the form itself is looked at. */
static void long_paths_have_their_form(void)
{
    char path[512], deep[256];
    wchar_t *wide = sgm_wide("short/ü");
    CHECK(wide && wcscmp(wide, L"short/\u00fc") == 0);
    free(wide);
    CHECK(!sgm_wide("not UTF-8: \xff") && errno == EILSEQ);
    snprintf(path, sizeof path, "C:/%0250d/x", 1);
    CHECK(wide_is_long(path, L"\\\\?\\C:\\000", L"1\\x"));
    snprintf(path, sizeof path, "//server/share/%0250d/x", 1);
    CHECK(wide_is_long(path, L"\\\\?\\UNC\\server\\share\\000", L"1\\x"));
    snprintf(path, sizeof path, "\\\\?\\C:\\%0250d\\x", 1); /* as it is */
    CHECK(wide_is_long(path, L"\\\\?\\C:\\000", L"1\\x"));
    snprintf(deep, sizeof deep, "%0150d", 1); /* a short name in a deep folder */
    CHECK(sgm_make_folder(deep, false) && chdir(deep) == 0);
    snprintf(path, sizeof path, "%0100d", 2);
    CHECK(wide_is_long(path, L"\\\\?\\", L"2"));
    CHECK(chdir("..") == 0);
}

#endif

int main(void)
{
    CHECK(sgm_make_folder("test_files", false) && chdir("test_files") == 0);
    names_are_utf8();
    long_paths_work();
    an_open_file_is_kept();
    parts_of_a_file_are_read();
    a_touch_is_seen();
    errors_have_their_numbers();
#ifdef _WIN32
    long_paths_have_their_form();
#endif
    return check_report();
}
