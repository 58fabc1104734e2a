/* cuda_loader_test TEXT [nodriver]: opening a GPU must fail with SGM_DEVICE and a message that
 * contains TEXT; the environment decides what is missing. With `nodriver` the test is left out on a
 * machine that has one. */
#include <dlfcn.h>
#include <stdio.h>

#include "../check.h"
#include "backend/backend.h"

int main(int argc, char **argv)
{
    sgm_backend *backend = NULL;
    if (argc < 2) return 1;
    if (argc > 2 && dlopen("libcuda.so.1", RTLD_NOW)) {
        printf("left out: a driver is installed\n");
        return 77;
    }
    CHECK_STATUS(sgm_cuda_create(0, &backend), SGM_DEVICE, argv[1]);
    CHECK(!backend && !strchr(sgm_last_message(), '\n'));
    CHECK(strstr(sgm_last_message(), "--device cpu") != NULL);
    return check_report();
}
