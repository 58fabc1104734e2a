/* A command line: arguments separated by zero bytes, for a tool with every kind of option. */
#include "fuzz_result.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli_options.h"

static const char xml[] =
    "<?xml version=\"1.0\"?><executable><parameters>"
    "<image><name>in</name><index>0</index></image>"
    "<image multiple=\"true\"><name>more</name><index>1</index></image>"
    "<integer><name>n</name><flag>n</flag><longflag alias=\"old\">number</longflag>"
    "<constraints><minimum>-5</minimum><maximum>5</maximum></constraints></integer>"
    "<double multiple=\"true\"><name>d</name><longflag>double</longflag></double>"
    "<boolean><name>b</name><flag>b</flag></boolean>"
    "<string><name>s</name><longflag>string</longflag></string>"
    "<string-enumeration><name>e</name><longflag>choice</longflag><element>x</element>"
    "</string-enumeration>"
    "<point multiple=\"true\"><name>p</name><longflag>point</longflag></point>"
    "<region multiple=\"true\"><name>r</name><longflag>region</longflag></region>"
    "<double-vector multiple=\"true\"><name>v</name><longflag>vector</longflag></double-vector>"
    "</parameters></executable>";

enum { MAX_ARGUMENTS = 256 };

static void use(const cli_options *options)
{
    static const char *const names[] = {"in", "more", "n", "d", "b",   "s",
                                        "e",  "p",    "r", "v", "none"};
    double numbers[15];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const size_t given = cli_given(options, names[i]);
        for (size_t k = 0; k <= given; k++)
            cli_numbers_at(options, names[i], k, numbers, 15);
        cli_integer(options, names[i]);
        cli_real(options, names[i]);
    }
    cli_options_check_positional(options, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[MAX_ARGUMENTS] = {(char *)"tool"};
    int argc = 1;
    cli_tool *tool;
    cli_options *options;
    char *text = calloc(1, size + 1);
    if (!text || cli_tool_parse(xml, sizeof xml - 1, &tool)) abort();
    memcpy(text, data, size);
    for (size_t at = 0; at < size && argc < MAX_ARGUMENTS; at += strlen(text + at) + 1)
        argv[argc++] = text + at;
    fuzz_refused = cli_options_parse(tool, argc, argv, &options) != 0;
    if (!fuzz_refused) use(options);
    cli_options_free(options);
    cli_tool_free(tool);
    free(text);
    return 0;
}
