#include "memory_available.h"

#include "io_status.h"
#include "text_number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t SMALL = UINT64_C(256) << 20;

/* A number from a file of one line; UINT64_MAX when there is none ("max"). */
static uint64_t read_number(const char *path)
{
    char line[64];
    int64_t value = -1;
    FILE *file = fopen(path, "r");
    if (!file) return UINT64_MAX;
    const char *text = fgets(line, sizeof line, file);
    fclose(file);
    if (!text || !sgio_take_integer(&text, 0, INT64_MAX, &value)) return UINT64_MAX;
    return (uint64_t)value;
}

/* "MemAvailable:   123 kB": bytes, 0 when the line is another one. */
static uint64_t take_field(const char *line, const char *name)
{
    int64_t kib;
    size_t n = strlen(name);
    if (strncmp(line, name, n) != 0) return 0;
    line += n;
    return sgio_take_integer(&line, 0, INT64_MAX / 1024, &kib) ? (uint64_t)kib * 1024 : 0;
}

static uint64_t system_available(void)
{
    char line[128];
    uint64_t total = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    if (!file) return UINT64_MAX;
    while (fgets(line, sizeof line, file))
        total += take_field(line, "MemAvailable:") + take_field(line, "SwapFree:");
    fclose(file);
    return total ? total : UINT64_MAX;
}

static uint64_t resident(void)
{
    char line[64];
    int64_t all, pages;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    const char *text = fgets(line, sizeof line, file);
    fclose(file);
    if (!text || !sgio_take_integer(&text, 0, INT64_MAX, &all)) return 0;
    if (!sgio_take_integer(&text, 0, INT64_MAX >> 16, &pages)) return 0;
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* As a container sees its own group, of either version. */
static uint64_t group_limit(void)
{
    uint64_t limit = read_number("/sys/fs/cgroup/memory.max");
    uint64_t older = read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    return limit < older ? limit : older;
}

uint64_t sgio_memory_available(void)
{
    uint64_t system = system_available(), group = group_limit(), own = resident();
    if (group != UINT64_MAX) group -= own < group ? own : group;
    return system < group ? system : group;
}

sgio_status sgio_memory_expect(uint64_t bytes, const char *what)
{
    uint64_t available = bytes > SMALL ? sgio_memory_available() : UINT64_MAX;
    if (bytes <= available) return SGIO_OK;
    return sgio_fail(SGIO_OUT_OF_MEMORY, "%s: needs %.1f GiB of memory, %.1f GiB are available",
                     what, (double)bytes / 1073741824.0, (double)available / 1073741824.0);
}
