#include "batch_shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"
#include "cli_number.h"

enum { MOST_SHARDS = 100000 };

static int from_text(const char *text, batch_shard *out)
{
    char number[32];
    long long i = 0, n = 0;
    const char *slash = strchr(text, '/');
    snprintf(number, sizeof number, "%.*s", slash ? (int)(slash - text) : 0, text);
    if (!slash || cli_parse_integer(number, &i) || cli_parse_integer(slash + 1, &n) || i < 1 ||
        n < i || n > MOST_SHARDS)
        return cli_fail(CLI_EXIT_USAGE,
                        "--shard %.60s: wanted i/n, the i-th of n parts, counted from 1 (1/4, 2/4, "
                        "3/4, 4/4)",
                        text);
    *out = (batch_shard){(int)i, (int)n};
    return 0;
}

/* An environment variable as a number, `otherwise` when it is not set. 0, or -1. */
static int from_environment(const char *name, long long otherwise, long long *value)
{
    const char *text = getenv(name);
    *value = otherwise;
    return text && *text ? cli_parse_integer(text, value) : 0;
}

int batch_shard_read(const char *text, batch_shard *out)
{
    long long id, first, count, step;
    *out = (batch_shard){1, 1};
    if (text) return from_text(text, out);
    if (!getenv("SLURM_ARRAY_TASK_ID")) return 0;
    if (from_environment("SLURM_ARRAY_TASK_ID", 0, &id) ||
        from_environment("SLURM_ARRAY_TASK_MIN", 0, &first) ||
        from_environment("SLURM_ARRAY_TASK_COUNT", 0, &count) ||
        from_environment("SLURM_ARRAY_TASK_STEP", 1, &step) || step < 1 || count < 1 ||
        count > MOST_SHARDS || id < first || (id - first) / step >= count)
        return cli_fail(CLI_EXIT_USAGE,
                        "the SLURM_ARRAY_TASK_* variables do not tell which part this is: give "
                        "--shard i/n");
    *out = (batch_shard){(int)((id - first) / step) + 1, (int)count};
    return 0;
}

int batch_shard_has(batch_shard shard, size_t row)
{
    return (int)(row % (size_t)shard.count) == shard.number - 1;
}
