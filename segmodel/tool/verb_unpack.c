#include "tool.h"
#include "tool_options.h"

#include "checkpoint/mapped_file.h"
#include "checkpoint/xz_file.h"
#include "core/atomic_file.h"

#include <stdlib.h>

/* xz makes blocks of three times its dictionary (24 MiB by default), or one of everything. */
static const size_t LARGEST_BLOCK = (size_t)4 << 30;

static sgm_status write_block(void *user, const uint8_t *bytes, size_t size)
{
    return sgm_atomic_file_write(user, bytes, size);
}

static sgm_status unpack(const char *from, const char *to)
{
    sgm_mapped_file file;
    sgm_atomic_file out;
    SGM_TRY(spare_input(to, from));
    SGM_TRY(sgm_mapped_file_open(from, SGM_UNREADABLE, &file));
    sgm_status status = sgm_atomic_file_create(to, &out);
    if (status == SGM_OK) {
        status = sgm_xz_unpack(file.bytes, file.size, from, LARGEST_BLOCK, write_block, &out);
        if (status == SGM_OK)
            status = sgm_atomic_file_commit(&out);
        else
            sgm_atomic_file_abandon(&out);
    }
    sgm_mapped_file_close(&file);
    return status;
}

int verb_unpack(int argc, char **argv)
{
    const char *files[2] = {NULL, NULL};
    bool helped;
    const option options[] = {{0}};
    command_line line = {.usage = "segmodel unpack FILE.xz FILE",
                         .help = "Unpacks what xz packed, a compact training pack for example.",
                         .options = options,
                         .positional = files,
                         .positional_wanted = 2,
                         .positional_room = 2};
    sgm_status status = parse_options(argc, argv, &line, &helped);
    if (status != SGM_OK || helped) return tool_exit(status);
    return tool_exit(unpack(files[0], files[1]));
}
