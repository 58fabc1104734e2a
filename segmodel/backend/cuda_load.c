/* Loads the CUDA module and says in one sentence what is missing when that fails.
 *
 * The module is looked for beside the program or library this code is part of, in ../lib from
 * there, where programs and libraries are installed to (SGM_LIBRARY_FOLDER), and by name (run path,
 * LD_LIBRARY_PATH). It stays loaded: a CUDA context does not survive dlclose. */
#include "backend/cuda/cuda_module.h"

#include "core/files.h"
#include "core/system.h"

#include <stdio.h>
#include <string.h>

enum { PATH_ROOM = 4096, PATH_SIZE = PATH_ROOM + 256 };

#define MODULE "libsegmodel_cuda.so"
#define HINT "use the CPU (--device cpu)"

static bool is_file(const char *path)
{
    sgm_file_info info;
    return sgm_path_info(path, &info);
}

/* The module's path; the bare name where no file is found, for the loader's own search. */
static void module_path(char path[PATH_SIZE])
{
    static const char *const places[] = {"", "../lib/", SGM_LIBRARY_FOLDER};
    char folder[PATH_ROOM];
    sgm_module_folder((const void *)sgm_cuda_create, folder, sizeof folder);
    for (size_t i = 0; folder[0] && i < sizeof places / sizeof places[0]; i++) {
        int length = snprintf(path, PATH_SIZE, "%s%s" MODULE, folder, places[i]);
        if (length < PATH_SIZE && is_file(path)) return;
    }
    snprintf(path, PATH_SIZE, MODULE);
}

/* The reason names the library that was not found first: "libcublas.so.13: cannot open ...". */
static sgm_status loading_failed(const char *reason)
{
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
    const char *reason;
    if (sgm_module_open("libcuda.so.1", &reason)) return SGM_OK;
    return sgm_fail(SGM_DEVICE, "CUDA is not available: the NVIDIA driver is not installed "
                                "(libcuda.so.1 was not found); " HINT);
}

sgm_status sgm_cuda_create(int index, sgm_backend **out)
{
    char path[PATH_SIZE];
    module_path(path);
    SGM_TRY(check_driver());
    const char *reason;
    void *module = sgm_module_open(path, &reason);
    if (!module) return loading_failed(reason);
    sgm_cuda_module_create_fn create;
    *(void **)&create = sgm_module_symbol(module, SGM_CUDA_MODULE_SYMBOL);
    if (!create)
        return sgm_fail(SGM_DEVICE,
                        "CUDA is not available: %s is not segmodel's CUDA module; " HINT, path);
    return create(sgm_cuda_host_services(), index, out);
}
