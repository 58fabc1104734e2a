/* Loads the CUDA module and says in one sentence what is missing when that fails.
 *
 * The module is looked for beside the program or library this code is part of, in ../lib from
 * there, and by name (run path, LD_LIBRARY_PATH). It stays loaded: a CUDA context does not survive
 * dlclose. */
#define _GNU_SOURCE /* dladdr */
#include "backend/cuda/cuda_module.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MODULE "libsegmodel_cuda.so"
#define HINT "use the CPU (--device cpu)"

/* Folder of the program or library that holds this function, with its slash; "" if unknown. */
static void own_folder(char folder[PATH_MAX])
{
    Dl_info info;
    ssize_t length = 0;
    if (dladdr((void *)sgm_cuda_create, &info) && strchr(info.dli_fname, '/')) {
        snprintf(folder, PATH_MAX, "%s", info.dli_fname);
        length = (ssize_t)strlen(folder);
    } else { /* a program found through PATH knows only its name */
        length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    }
    while (length > 0 && folder[length - 1] != '/')
        length--;
    folder[length > 0 ? length : 0] = 0;
}

static bool is_file(const char *path)
{
    return access(path, R_OK) == 0;
}

/* The module's path; the bare name where no file is found, for the loader's own search. */
static void module_path(char path[PATH_MAX + 64])
{
    char folder[PATH_MAX];
    own_folder(folder);
    snprintf(path, PATH_MAX + 64, "%s" MODULE, folder);
    if (folder[0] && is_file(path)) return;
    snprintf(path, PATH_MAX + 64, "%s../lib/" MODULE, folder);
    if (!folder[0] || !is_file(path)) snprintf(path, PATH_MAX + 64, MODULE);
}

/* dlerror names the library that was not found first: "libcublas.so.13: cannot open ...". */
static sgm_status loading_failed(const char *reason)
{
    if (!reason) reason = "no reason given";
    if (!strncmp(reason, MODULE, strlen(MODULE)))
        return sgm_fail(SGM_DEVICE,
                        "CUDA is not available: this installation has no CUDA module (" MODULE
                        "); " HINT);
    if (!strncmp(reason, "libcublas", 9))
        return sgm_fail(SGM_DEVICE,
                        "CUDA is not available: the cuBLAS library is missing (%.*s, part of the "
                        "CUDA Toolkit); install it or " HINT,
                        (int)strcspn(reason, ":"), reason);
    return sgm_fail(SGM_DEVICE,
                    "CUDA is not available: the CUDA module cannot be loaded (%s); " HINT, reason);
}

/* A module without a driver would load and find no GPU; this says which of the two it is. */
static sgm_status check_driver(void)
{
    if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL)) return SGM_OK;
    return sgm_fail(SGM_DEVICE, "CUDA is not available: the NVIDIA driver is not installed "
                                "(libcuda.so.1 was not found); " HINT);
}

sgm_status sgm_cuda_create(int index, sgm_backend **out)
{
    char path[PATH_MAX + 64];
    module_path(path);
    SGM_TRY(check_driver());
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module) return loading_failed(dlerror());
    sgm_cuda_module_create_fn create;
    *(void **)&create = dlsym(module, SGM_CUDA_MODULE_SYMBOL);
    if (!create)
        return sgm_fail(SGM_DEVICE,
                        "CUDA is not available: %s is not segmodel's CUDA module; " HINT, path);
    return create(sgm_cuda_host_services(), index, out);
}
