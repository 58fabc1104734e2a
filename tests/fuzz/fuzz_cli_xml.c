/* A program's description: XML from outside, as if someone edited the file beside the program. What
 * is accepted must also survive --help and a command line. */
#include "fuzz_result.h"

#include <stdint.h>
#include <stdio.h>

#include "cli_help.h"
#include "cli_options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[] = {(char *)"tool", (char *)"a", (char *)"--flag", (char *)"1,2,3", (char *)"b"};
    cli_tool *tool;
    cli_options *options;
    fuzz_refused = cli_tool_parse(data, size, &tool) != 0;
    if (fuzz_refused) return 0;
    FILE *nowhere = fopen("/dev/null", "w");
    if (nowhere) {
        cli_help_print(tool, "tool", 80, nowhere);
        if (cli_options_parse(tool, 5, argv, &options) == 0) cli_options_print(options, nowhere);
        cli_options_free(options);
        fclose(nowhere);
    }
    cli_tool_free(tool);
    return 0;
}
