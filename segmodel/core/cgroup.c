#include "core/cgroup.h"

#include "core/files.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer paths and lines are passed over, and files of more lines are not read on. */
enum { PATH_SIZE = 4096, LINE_SIZE = 8192, MOST_LINES = 20000 };

/* Where the groups of a hierarchy are seen, and this process's among them. */
typedef struct hierarchy {
    bool v2;
    char mount[PATH_SIZE]; /* "": not found */
    char top[PATH_SIZE];   /* the group that is seen at `mount` */
    char group[PATH_SIZE]; /* this process's; "": not found */
} hierarchy;

/* False: no more lines. One that is too long comes as "". */
static bool next_line(FILE *stream, char line[LINE_SIZE])
{
    if (!fgets(line, LINE_SIZE, stream)) return false;
    size_t length = strlen(line);
    if (length && line[length - 1] == '\n') {
        line[length - 1] = 0;
    } else if (length == LINE_SIZE - 1) {
        for (int c = getc(stream); c != EOF && c != '\n';)
            c = getc(stream);
        line[0] = 0;
    }
    return true;
}

static void read_lines(const char *root, const char *path, void (*take)(hierarchy *, char *),
                       hierarchy *h)
{
    char name[PATH_SIZE], line[LINE_SIZE];
    int length = snprintf(name, sizeof name, "%s%s", root, path);
    FILE *stream = length > 0 && length < PATH_SIZE ? sgm_fopen(name, "r") : NULL;
    for (int i = 0; stream && i < MOST_LINES && next_line(stream, line); i++)
        take(h, line);
    if (stream) fclose(stream);
}

/* "cpu" among "cpu,cpuacct" */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (; *list; list += strcspn(list, ",") + (list[strcspn(list, ",")] == ',')) {
        size_t size = strcspn(list, ",");
        if (size == length && !memcmp(list, word, length)) return true;
    }
    return false;
}

static bool is_octal(const char *text)
{
    for (int i = 0; i < 3; i++)
        if (text[i] < '0' || text[i] > '7') return false;
    return true;
}

/* The kernel writes a blank as "\040". `to` holds PATH_SIZE; left alone by what is too long. */
static void copy_path(char *to, const char *from)
{
    if (from[0] != '/' || strlen(from) >= PATH_SIZE) return;
    for (; *from; to++) {
        if (from[0] == '\\' && is_octal(from + 1)) {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = 0;
}

/* The next word of a line of words between blanks; NULL: there is none. */
static char *next_word(char **line)
{
    char *word = *line + strspn(*line, " ");
    if (!*word) return NULL;
    *line = word + strcspn(word, " ");
    if (**line) *(*line)++ = 0;
    return word;
}

/* "36 35 98:0 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw": the group and the folder
 * are words 4 and 5, behind the dash are the type, the device and the options. */
static void take_mount(hierarchy *h, char *line)
{
    char *top = NULL, *mount = NULL, *word;
    for (int i = 1; (word = next_word(&line)) && strcmp(word, "-") != 0; i++) {
        if (i == 4) top = word;
        if (i == 5) mount = word;
    }
    char *type = next_word(&line);
    next_word(&line);
    char *options = next_word(&line);
    if (h->mount[0] || !mount || !options) return;
    if (strcmp(type, h->v2 ? "cgroup2" : "cgroup") != 0) return;
    if (!h->v2 && !has_word(options, "cpu")) return;
    copy_path(h->top, top);
    copy_path(h->mount, mount);
}

/* "0::/group" of v2, "4:cpu,cpuacct:/group" of v1 */
static void take_group(hierarchy *h, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group || group[1] != '/' || strlen(group + 1) >= PATH_SIZE) return;
    *controllers++ = 0;
    *group++ = 0;
    if (h->v2 ? strcmp(line, "0") == 0 && !*controllers : has_word(controllers, "cpu"))
        strcpy(h->group, group);
}

/* Rounded up; INT_MAX: no limit. "max" is no number. */
static int ratio(const char *quota, const char *period)
{
    char *end;
    long long q = strtoll(quota, &end, 10), p = end == quota ? 0 : strtoll(period, NULL, 10);
    if (q <= 0 || p <= 0) return INT_MAX;
    long long processors = q / p + (q % p != 0);
    return processors < INT_MAX ? (int)processors : INT_MAX;
}

static bool read_first(const char *folder, const char *name, char *text, int size)
{
    char path[3 * PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = length > 0 && length < (int)sizeof path ? sgm_fopen(path, "r") : NULL;
    bool read = stream && fgets(text, size, stream);
    if (stream) fclose(stream);
    return read;
}

static int quota_of(const hierarchy *h, const char *folder)
{
    char quota[64], period[64];
    if (h->v2) {
        if (!read_first(folder, "cpu.max", quota, sizeof quota)) return INT_MAX;
        char *blank = strchr(quota, ' ');
        return blank ? ratio(quota, blank) : INT_MAX;
    }
    if (!read_first(folder, "cpu.cfs_quota_us", quota, sizeof quota) ||
        !read_first(folder, "cpu.cfs_period_us", period, sizeof period))
        return INT_MAX;
    return ratio(quota, period);
}

/* What stands in `group` below `top`: "" where it is not below, as in a container that sees its own
 * group at the mount, and where its name would lead out of the mount. */
static const char *below(const char *group, const char *top)
{
    size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (strncmp(group, top, length) != 0 || (group[length] && group[length] != '/')) return "";
    return strstr(group + length, "/..") ? "" : group + length;
}

/* The least of the group and those above it, as far as the mount shows them. */
static int least_quota(const char *root, bool v2)
{
    hierarchy h = {.v2 = v2};
    char folder[3 * PATH_SIZE];
    read_lines(root, "/proc/self/mountinfo", take_mount, &h);
    read_lines(root, "/proc/self/cgroup", take_group, &h);
    if (!h.mount[0]) strcpy(h.mount, v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu");
    if (strlen(root) >= PATH_SIZE) return INT_MAX;
    size_t top = (size_t)snprintf(folder, sizeof folder, "%s%s", root, h.mount);
    size_t end = top + (size_t)snprintf(folder + top, sizeof folder - top, "%s",
                                        below(h.group, h.top[0] ? h.top : "/"));
    int least = INT_MAX;
    for (;;) {
        int quota = quota_of(&h, folder);
        if (quota < least) least = quota;
        if (end <= top) return least;
        while (end > top && folder[end - 1] != '/')
            end--;
        while (end > top && folder[end - 1] == '/')
            end--;
        folder[end] = 0;
    }
}

int sgm_cgroup_processors(const char *root)
{
    int v1 = least_quota(root, false), v2 = least_quota(root, true);
    int least = v1 < v2 ? v1 : v2;
    return least < INT_MAX ? least : 0;
}
