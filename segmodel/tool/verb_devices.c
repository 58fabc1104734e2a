#include "tool.h"
#include "tool_options.h"

#include "backend/backend.h"
#include "core/cpu_features.h"

#include <stdio.h>

/* A device's line: what it is, or why it is not there. */
static sgm_status describe(const char *name, sgm_device device, const char *detail)
{
    sgm_context_options options = {.device = device};
    sgm_context *context;
    sgm_status status = sgm_context_create(&options, &context);
    if (status != SGM_OK) {
        printf("%-6s %s\n", name, sgm_last_message());
        return status;
    }
    printf("%-6s %s%s\n", name, sgm_context_device(context), detail);
    sgm_context_destroy(context);
    return SGM_OK;
}

int verb_devices(int argc, char **argv)
{
    sgm_device device = SGM_DEVICE_AUTO;
    const option options[] = {{"--device", OPTION_DEVICE, &device, NULL, "auto|cpu|cuda",
                               "fail (exit 5) unless this device is there"},
                              {0}};
    command_line line = {.usage = "segmodel devices [--device auto|cpu|cuda]",
                         .help = "Lists what this build and machine compute on, and why not.",
                         .options = options};
    bool helped;
    sgm_status status = parse_options(argc, argv, &line, &helped);
    if (status != SGM_OK || helped) return tool_exit(status);
    char detail[128];
    snprintf(detail, sizeof detail, " (%s)", sgm_cpu_summary());
    sgm_status cpu = describe("cpu", SGM_DEVICE_CPU, detail);
    sgm_status cuda = describe("cuda", SGM_DEVICE_CUDA, "");
    if (device == SGM_DEVICE_CUDA) return tool_exit(cuda);
    return device == SGM_DEVICE_CPU ? tool_exit(cpu) : EXIT_DONE;
}
