#include "train/replace_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

sgm_status sgm_replace_begin(const char *path, sgm_replace_file *file)
{
    memset(file, 0, sizeof *file);
    size_t size = strlen(path) + 32;
    file->path = strdup(path);
    file->beside = malloc(size);
    if (!file->path || !file->beside) {
        sgm_replace_abandon(file);
        return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory", path);
    }
    snprintf(file->beside, size, "%s.%ld.tmp", path, (long)getpid());
    file->stream = fopen(file->beside, "wb");
    if (!file->stream) {
        int error = errno;
        free(file->beside);
        file->beside = NULL; /* not ours to remove */
        sgm_replace_abandon(file);
        return sgm_fail(SGM_UNWRITABLE, "%s: %s", path, strerror(error));
    }
    return SGM_OK;
}

sgm_status sgm_replace_commit(sgm_replace_file *file)
{
    int failed = fflush(file->stream) != 0 || ferror(file->stream) || fsync(fileno(file->stream));
    int error = errno;
    if (fclose(file->stream) != 0 && !failed) {
        failed = 1;
        error = errno;
    }
    file->stream = NULL;
    if (!failed && rename(file->beside, file->path) != 0) {
        failed = 1;
        error = errno;
    }
    sgm_status status = SGM_OK;
    if (failed) status = sgm_fail(SGM_UNWRITABLE, "%s: %s", file->path, strerror(error));
    if (!failed) {
        free(file->beside);
        file->beside = NULL;
    }
    sgm_replace_abandon(file);
    return status;
}

void sgm_replace_abandon(sgm_replace_file *file)
{
    if (file->stream) fclose(file->stream);
    if (file->beside) {
        unlink(file->beside);
        free(file->beside);
    }
    free(file->path);
    memset(file, 0, sizeof *file);
}
