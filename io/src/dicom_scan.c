#include "dicom_scan.h"

#include "io_status.h"
#include "volume_formats.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEEPEST = 8 };

/* Files without preamble begin with an element of group 2 or 8: explicit VR in either byte order,
 * or implicit VR with a short value. */
static int begins_like_dataset(const unsigned char *b, size_t size)
{
    if (size < 16) return 0;
    int little = (b[0] == 2 || b[0] == 8) && b[1] == 0 && b[3] == 0;
    int big = b[0] == 0 && (b[1] == 2 || b[1] == 8) && b[2] == 0;
    int has_vr = isupper(b[4]) && isupper(b[5]);
    int short_value = b[4] <= 64 && b[5] == 0 && b[6] == 0 && b[7] == 0;
    return (little && (has_vr || short_value)) || (big && has_vr);
}

int sgio_looks_like_dicom(const unsigned char *bytes, size_t size)
{
    return (size >= 132 && memcmp(bytes + 128, "DICM", 4) == 0) || begins_like_dataset(bytes, size);
}

/* How many of the first `size` bytes there are; -1 where the file cannot be read. FIFOs are not
 * waited for. */
static ssize_t read_beginning(const char *path, unsigned char *bytes, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return -1;
    ssize_t count = read(file, bytes, size);
    int failure = errno;
    close(file);
    errno = failure;
    return count;
}

static int has_dicom_suffix(const char *path)
{
    return sgio_has_suffix(path, ".dcm") || sgio_has_suffix(path, ".dicom") ||
           sgio_has_suffix(path, ".ima");
}

static int looks_like_dicom(const char *path)
{
    unsigned char bytes[132];
    ssize_t size = read_beginning(path, bytes, sizeof bytes);
    return size > 0 && sgio_looks_like_dicom(bytes, (size_t)size);
}

sgio_status sgio_folder_files(const char *folder, int below, sgio_path_fn found, void *user)
{
    sgio_file_tree tree;
    sgio_status status = sgio_list_files(folder, below ? DEEPEST : 0, &tree);
    for (size_t i = 0; i < tree.count; i++)
        found(user, tree.files[i]);
    sgio_file_tree_clear(&tree);
    return status;
}

sgio_status sgio_list_dicom(const char *directory, sgio_file_tree *tree, int *holds)
{
    sgio_status status = sgio_list_files(directory, DEEPEST, tree);
    *holds = 0;
    for (size_t i = 0; i < tree->count && !*holds; i++)
        *holds = looks_like_dicom(tree->files[i]);
    return status;
}

static void leave_out(sgio_dicom_slices *slices, size_t count, const char *why)
{
    if (slices->left_out == 0 && count > 0)
        snprintf(slices->first_left_out, sizeof slices->first_left_out, "%s", why);
    slices->left_out += count;
}

/* `series` NULL: any. A file that fails may belong to the series unless it says another. */
static sgio_status read_one(const char *path, const char *series, sgio_dicom_slices *slices)
{
    const size_t before = slices->count;
    sgio_dicom_about about;
    sgio_status status = sgio_dicom_read_header(path, slices, &about);
    int wanted = !series || strcmp(series, about.series_uid) == 0;
    if (status == SGIO_UNREADABLE) {
        int may_belong = wanted || (!about.series_uid[0] && !about.no_image);
        leave_out(slices, may_belong, sgio_last_message());
        return SGIO_OK;
    }
    if (!wanted) sgio_dicom_slices_cut(slices, before);
    return status;
}

/* Files of other kinds are nobody's concern; one that cannot be read, that is empty, or that is
 * named like DICOM and is none, may be a slice that the user believes to be there. */
static sgio_status look_at(const char *path, const char *series, sgio_dicom_slices *slices)
{
    unsigned char bytes[132];
    char why[512];
    ssize_t size = read_beginning(path, bytes, sizeof bytes);
    if (size > 0 && sgio_looks_like_dicom(bytes, (size_t)size))
        return read_one(path, series, slices);
    if (size < 0)
        snprintf(why, sizeof why, "%s: cannot be read: %s", path, strerror(errno));
    else if (size == 0)
        snprintf(why, sizeof why, "%s: an empty file", path);
    else
        snprintf(why, sizeof why, "%s: not DICOM in spite of its name", path);
    leave_out(slices, size <= 0 || has_dicom_suffix(path), why);
    return SGIO_OK;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int is_named(const sgio_dicom_slices *slices, const char *path)
{
    return slices->named && strcmp(last_part(slices->items[0].path), last_part(path)) == 0;
}

/* Long folders can be left at every file; how much of the reading they are is not known. */
static sgio_status read_headers(const sgio_file_tree *tree, const char *series,
                                const sgio_read_options *options, sgio_dicom_slices *slices)
{
    sgio_status status = SGIO_OK;
    for (size_t i = 0; i < tree->count && status == SGIO_OK; i++) {
        status = sgio_tell(options->progress, options->progress_user, 0, 1);
        if (status == SGIO_OK && !is_named(slices, tree->files[i]))
            status = look_at(tree->files[i], series, slices);
    }
    leave_out(slices, tree->left_out, tree->first_left_out);
    return status;
}

static void warn_of_left_out(const sgio_dicom_slices *slices, const sgio_read_options *options)
{
    if (slices->left_out > 0)
        sgio_warn(options->warn, options->warn_user, "%zu DICOM file(s) left out; %s",
                  slices->left_out, slices->first_left_out);
}

static sgio_status scan_files(const char *path, const sgio_file_tree *tree,
                              const sgio_read_options *options, sgio_dicom_slices *slices)
{
    sgio_status status = read_headers(tree, NULL, options, slices);
    if (status != SGIO_OK) return status;
    if (slices->count == 0 && slices->left_out > 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: no DICOM image among %zu file(s); %s", path,
                         slices->left_out, slices->first_left_out);
    if (slices->count == 0) return sgio_fail(SGIO_UNREADABLE, "%s: no DICOM files", path);
    warn_of_left_out(slices, options);
    return SGIO_OK;
}

static sgio_status scan_directory(const char *path, const sgio_read_options *options,
                                  sgio_dicom_slices *slices)
{
    sgio_file_tree tree;
    sgio_status status = sgio_list_files(path, DEEPEST, &tree);
    if (status == SGIO_OK) status = scan_files(path, &tree, options, slices);
    sgio_file_tree_clear(&tree);
    return status;
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path) + (slash == path)) : strdup(".");
}

static sgio_status scan_series(const char *path, const char *series,
                               const sgio_read_options *options, sgio_dicom_slices *slices)
{
    char *directory = directory_of(path);
    if (!directory) return sgio_fail_memory(strlen(path), path);
    sgio_file_tree tree;
    sgio_status status = sgio_list_files(directory, 0, &tree);
    if (status == SGIO_OK) status = read_headers(&tree, series, options, slices);
    sgio_file_tree_clear(&tree);
    free(directory);
    if (status == SGIO_OK) warn_of_left_out(slices, options);
    return status;
}

/* It is the volume: nothing says where it lies, or of which series it is. */
static int is_alone(const sgio_dicom_slice *slice)
{
    return !slice->has_plane || !slice->series_uid[0];
}

/* The named file comes first, so that it wins over copies of its instance. */
static sgio_status scan_file(const char *path, const sgio_read_options *options,
                             sgio_dicom_slices *slices)
{
    sgio_dicom_about about;
    sgio_status status = sgio_dicom_read_header(path, slices, &about);
    slices->named = slices->count;
    if (status != SGIO_OK || is_alone(&slices->items[0])) return status;
    return scan_series(path, about.series_uid, options, slices);
}

/* It stands for the tree it lies in. */
static int is_dicomdir(const char *path)
{
    return strcmp(last_part(path), "DICOMDIR") == 0;
}

int sgio_dicom_reach(const char *path)
{
    sgio_dicom_slices slices = {0};
    sgio_dicom_about about;
    if (is_dicomdir(path)) return 2;
    if (sgio_dicom_read_header(path, &slices, &about) != SGIO_OK) return 0;
    int reach = !is_alone(&slices.items[0]);
    sgio_dicom_slices_clear(&slices);
    return reach;
}

static sgio_status scan_dicomdir(const char *path, const sgio_read_options *options,
                                 sgio_dicom_slices *slices)
{
    char *directory = directory_of(path);
    if (!directory) return sgio_fail_memory(strlen(path), path);
    sgio_status status = scan_directory(directory, options, slices);
    free(directory);
    return status;
}

sgio_status sgio_dicom_scan_tree(const char *directory, const sgio_file_tree *tree,
                                 const sgio_read_options *options, sgio_dicom_slices *slices)
{
    memset(slices, 0, sizeof *slices);
    sgio_status status = scan_files(directory, tree, options, slices);
    if (status != SGIO_OK) sgio_dicom_slices_clear(slices);
    return status;
}

sgio_status sgio_dicom_scan(const char *path, const sgio_read_options *options,
                            sgio_dicom_slices *slices)
{
    struct stat info;
    memset(slices, 0, sizeof *slices);
    if (stat(path, &info) != 0) return sgio_fail(SGIO_UNREADABLE, "%s: %s", path, strerror(errno));
    sgio_status status;
    if (S_ISDIR(info.st_mode))
        status = scan_directory(path, options, slices);
    else if (is_dicomdir(path))
        status = scan_dicomdir(path, options, slices);
    else
        status = scan_file(path, options, slices);
    if (status != SGIO_OK) sgio_dicom_slices_clear(slices);
    return status;
}
