#include "cli_program.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cli_help.h"
#include "sgio/libraries.h"

static void release(cli_program *program)
{
    cli_options_free(program->options);
    cli_tool_free(program->tool);
    cli_warnings_clear(&program->warnings);
    cli_buffer_clear(&program->returns);
    memset(program, 0, sizeof *program);
}

/* 1 when standard output is a pipe whose reader has gone, as after "| head". */
static int reader_has_left(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&output, 1, 0) == 1 && (output.revents & POLLERR);
}

/* Output that did not arrive (a full disk behind stdout) is an error, unless nobody wants it. */
static int flush_stdout(const char *name)
{
    if ((fflush(stdout) == 0 && !ferror(stdout)) || reader_has_left()) return CLI_EXIT_DONE;
    return cli_report_failure(name, CLI_EXIT_OUTPUT, "cannot write to standard output");
}

static int answer(const cli_program *program, const void *xml, size_t xml_size)
{
    switch (cli_options_request(program->options)) {
    case CLI_SHOW_XML:
        if (!program->tool->category[0])
            return cli_report_failure(program->name, CLI_EXIT_USAGE,
                                      "this program is no module of 3D Slicer and has no --xml");
        fwrite(xml, 1, xml_size, stdout);
        break;
    case CLI_SHOW_VERSION:
        printf("%s %s\n", program->name, program->tool->version);
        if (cli_options_verbose(program->options))
            printf("libxml2 %s\n%s", cli_description_library(), sgio_libraries());
        break;
    default:
        cli_help_print(program->tool, program->name, cli_help_width(stdout), stdout);
    }
    return flush_stdout(program->name);
}

/* With a standard stream closed, the first file that is opened would take its number, and what is
 * printed would end up in it. */
static void keep_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0) return;
}

static int read_all(cli_program *program, const void *xml, size_t xml_size, int argc,
                    char *const argv[])
{
    const int failed = cli_tool_parse(xml, xml_size, &program->tool);
    if (failed) return failed;
    return cli_options_parse(program->tool, argc, argv, &program->options);
}

int cli_program_begin(cli_program *program, const char *name, const void *xml, size_t xml_size,
                      int argc, char *const argv[], const char *inputs_only, int *code)
{
    memset(program, 0, sizeof *program);
    keep_standard_streams();
    program->name = name;
    *code = read_all(program, xml, xml_size, argc, argv);
    if (*code == 0 && cli_options_request(program->options) != CLI_RUN) {
        *code = answer(program, xml, xml_size);
        release(program);
        return 0;
    }
    if (*code == 0)
        *code = cli_options_check_positional(
            program->options, inputs_only && cli_switch(program->options, inputs_only));
    if (*code != 0) {
        cli_report_failure(name, *code, cli_last_message());
        release(program);
        return 0;
    }
    program->slicer = cli_options_return_file(program->options) != NULL;
    if (cli_options_echo(program->options)) cli_options_print(program->options, stdout);
    cli_cancel_install();
    return 1;
}

int cli_program_end(cli_program *program, int code, const char *message)
{
    const char *name = program->name;
    if (code == CLI_EXIT_DONE || code == CLI_EXIT_PARTIAL) {
        const int failed = cli_returns_write(&program->returns, program->tool, program->options);
        if (failed) {
            code = failed;
            message = NULL;
        }
    }
    cli_cancel_at_once(NULL);
    if (code == CLI_EXIT_DONE) {
        if (program->stdout_is_result) code = flush_stdout(name);
    } else {
        cli_report_failure(name, code, message ? message : cli_last_message());
    }
    release(program);
    return code;
}
