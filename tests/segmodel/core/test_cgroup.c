/* Quotas of control groups, in folders that look like /proc and /sys; and what the number of
 * processors makes of them and of a machine of very many. */
#define _GNU_SOURCE
#include "../check.h"
#include "../portable.h"

#include "core/cgroup.h"
#include "core/files.h"
#include "core/system.h"

#ifdef __linux__
#include <errno.h>
#include <sched.h>

enum { POSSIBLE = 4096, ALLOWED = 3000 };

/* A kernel for 4096 processors: a set must have room for them all. */
int sched_getaffinity(pid_t process, size_t size, cpu_set_t *set)
{
    (void)process;
    if (size < POSSIBLE / 8) {
        errno = EINVAL;
        return -1;
    }
    CPU_ZERO_S(size, set);
    for (int i = 0; i < ALLOWED; i++)
        CPU_SET_S(i, size, set);
    return 0;
}

static void check_many_processors(void)
{
    int quota = sgm_cgroup_processors("");
    CHECK(sgm_available_cores() == (quota > 0 && quota < ALLOWED ? quota : ALLOWED));
}
#endif

static const char *const ROOT = "test_cgroup_root";

/* Writes ROOT + path, with the folders above it. */
static void put(const char *path, const char *text)
{
    char name[1024];
    snprintf(name, sizeof name, "%s%s", ROOT, path);
    for (char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        sgm_make_folder(name, false);
        *slash = '/';
    }
    FILE *stream = fopen(name, "wb");
    if (!CHECK(stream != NULL)) return;
    fputs(text, stream);
    fclose(stream);
}

static void drop(const char *path)
{
    char name[1024];
    snprintf(name, sizeof name, "%s%s", ROOT, path);
    remove(name);
}

#define V1 "/sys/fs/cgroup/cpu set"
#define V2 "/sys/fs/cgroup/unified"

/* All that the tests put anywhere: a run before may have ended early. */
static void clear(void)
{
    static const char *const files[] = {"/proc/self/mountinfo",
                                        "/proc/self/cgroup",
                                        V2 "/cpu.max",
                                        V2 "/a/cpu.max",
                                        V2 "/a/b.scope/cpu.max",
                                        V1 "/cpu.cfs_quota_us",
                                        V1 "/cpu.cfs_period_us",
                                        V1 "/job/cpu.cfs_quota_us",
                                        V1 "/job/cpu.cfs_period_us",
                                        "/sys/fs/cgroup/a/cpu.max",
                                        "/outside/cpu.max"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        drop(files[i]);
}

/* As systemd and containers write it: other mounts, optional words, a dash, types. */
static const char *const MOUNTS =
    "22 28 0:21 / /proc rw,nosuid shared:12 - proc proc rw\n"
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "33 31 0:29 %s /sys/fs/cgroup/cpu\\040set rw shared:9 master:3 - cgroup cgroup rw,cpuacct,cpu\n"
    "34 31 0:31 %s /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw\n";

static void put_mounts(const char *top1, const char *top2)
{
    char text[2048];
    snprintf(text, sizeof text, MOUNTS, top1, top2);
    put("/proc/self/mountinfo", text);
}

static int processors(void)
{
    return sgm_cgroup_processors(ROOT);
}

static void check_v2(void)
{
    put_mounts("/", "/");
    put("/proc/self/cgroup", "4:cpuset:/x\n3:cpu,cpuacct:/\n0::/a/b.scope\n");
    CHECK(processors() == 0);
    put(V2 "/a/b.scope/cpu.max", "max 100000\n");
    CHECK(processors() == 0);
    put(V2 "/a/b.scope/cpu.max", "250000 100000\n");
    CHECK(processors() == 3);
    put(V2 "/a/cpu.max", "200000 100000\n"); /* of the group above */
    CHECK(processors() == 2);
    put(V2 "/a/cpu.max", "1000 100000\n");
    CHECK(processors() == 1);
    put(V2 "/cpu.max", "900000 100000\n");
    CHECK(processors() == 1);
    drop(V2 "/a/cpu.max");
    CHECK(processors() == 3);
    put_mounts("/", "/a"); /* the mount shows group /a */
    put(V2 "/cpu.max", "150000 100000\n");
    CHECK(processors() == 2);
    put_mounts("/", "/elsewhere"); /* and a container's name for a group that it does not see */
    put(V2 "/cpu.max", "600000 100000\n");
    CHECK(processors() == 6);
}

static void check_v1(void)
{
    put_mounts("/docker/12", "/");
    put("/proc/self/cgroup", "4:cpuset:/docker/12\n3:cpu,cpuacct:/docker/12/job\n0::/\n");
    CHECK(processors() == 0);
    put(V1 "/job/cpu.cfs_quota_us", "-1\n");
    put(V1 "/job/cpu.cfs_period_us", "100000\n");
    CHECK(processors() == 0);
    put(V1 "/job/cpu.cfs_quota_us", "400000\n");
    CHECK(processors() == 4);
    put(V1 "/cpu.cfs_quota_us", "110000\n");
    CHECK(processors() == 4); /* without a period it says nothing */
    put(V1 "/cpu.cfs_period_us", "50000\n");
    CHECK(processors() == 3);
    put(V2 "/cpu.max", "100000 100000\n"); /* the least of both kinds */
    CHECK(processors() == 1);
}

/* What is not understood is no quota, and leads nowhere else. */
static void check_odd(void)
{
    static const char *const odd[] = {"",
                                      "\n",
                                      "100000",
                                      "100000 ",
                                      "0 100000",
                                      "-5 100000",
                                      "100000 0",
                                      "100000 -1",
                                      "abc 10000",
                                      "max\n",
                                      "1e5 x",
                                      "100000 max",
                                      "200000000000000000000000000000 1",
                                      "9223372036854775807 1"};
    put_mounts("/", "/");
    put("/proc/self/cgroup", "0::/a/b.scope\n");
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        put(V2 "/a/b.scope/cpu.max", odd[i]);
        CHECK(processors() == 0);
    }
    put(V2 "/a/b.scope/cpu.max", "200000 100000\n");
    CHECK(processors() == 2);
    put("/outside/cpu.max", "100000 100000\n");
    put("/proc/self/cgroup", "0::/../../../../outside\n");
    CHECK(processors() == 0);
    put("/proc/self/cgroup", "no colon\n:\n::\n0:\n0::\n0::relative\n9:cpuidle:/a/b.scope\n");
    CHECK(processors() == 0);
    size_t size = 300000;
    char *line = malloc(size + 32);
    if (!CHECK(line != NULL)) return;
    memset(line, '/', size);
    strcpy(line + size, "\n0::/a/b.scope\n"); /* found behind a line that is too long */
    memcpy(line, "0::/", 4);
    put("/proc/self/cgroup", line);
    CHECK(processors() == 2);
    memcpy(line + 6000, "\n0::/", 5); /* longer than a path, shorter than a line */
    memset(line + 6005, 'a', 5000);
    line[6005 + 5000] = 0;
    put("/proc/self/cgroup", line);
    CHECK(processors() == 0);
    put("/proc/self/mountinfo", line);
    CHECK(processors() == 0);
    free(line);
    put("/proc/self/mountinfo", "1 2 3 / - cgroup2 cgroup2 rw\n-\n\n1 2 3 x y z - cgroup2\n");
    put("/proc/self/cgroup", "0::/a\n"); /* no mount known: the usual one */
    put("/sys/fs/cgroup/a/cpu.max", "500000 100000\n");
    CHECK(processors() == 5);
    drop("/proc/self/mountinfo");
    CHECK(processors() == 5);
    drop("/proc/self/cgroup");
    CHECK(processors() == 0);
}

int main(void)
{
    CHECK(sgm_cgroup_processors("test_cgroup_no_such_folder") == 0);
    clear();
    check_v2();
    clear();
    check_v1();
    clear();
    check_odd();
    clear();
#ifdef __linux__
    check_many_processors();
#endif
    return check_report();
}
