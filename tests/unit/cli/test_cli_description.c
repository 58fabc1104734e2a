/* Descriptions that must be refused, each with a sentence. */
#include "cli_test.h"

#include <libxml/parser.h>

#include "cli_description.h"
#include "cli_exit.h"

#define HEAD "<?xml version=\"1.0\"?>"

static void refused(const char *xml, const char *reason)
{
    cli_tool *tool;
    if (cli_tool_parse(xml, strlen(xml), &tool) == 0) fail_msg("accepted: %s", xml);
    assert_null(tool);
    assert_contains(cli_last_message(), reason);
}

/* One parameter in an otherwise good description. */
static void parameter_refused(const char *parameter, const char *reason)
{
    char xml[2048];
    snprintf(xml, sizeof xml, HEAD "<executable><parameters>%s</parameters></executable>",
             parameter);
    refused(xml, reason);
}

static void other_documents_are_refused(void **state)
{
    (void)state;
    cli_tool *tool;
    assert_int_equal(cli_tool_parse("", 0, &tool), CLI_EXIT_USAGE);
    refused("hello", "line 1");
    refused(HEAD "<executable>", "line 1");
    refused(HEAD "<html/>", "wanted <executable>, found <html>");
    refused(HEAD "<executable colour='red'/>", "unknown attribute 'colour'");
    refused(HEAD "<executable><parameter/></executable>", "unknown element 'parameter'");
    refused(HEAD "<executable><title>a</title><title>b</title></executable>", "given twice");
    refused(HEAD "<executable><parameters advanced='perhaps'/></executable>", "true or false");
}

/* No file of the machine may be pulled in, no billion laughs. */
static void entities_are_not_expanded(void **state)
{
    (void)state;
    refused(HEAD "<!DOCTYPE executable [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>"
                 "<executable><title>&x;</title></executable>",
            "document type");
    refused(HEAD "<!DOCTYPE a SYSTEM \"http://127.0.0.1/a.dtd\"><executable/>", "document type");
    refused(HEAD "<!DOCTYPE e [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">]>"
                 "<executable><title>&b;</title></executable>",
            "document type");
}

static void wrong_parameters_are_refused(void **state)
{
    (void)state;
    parameter_refused("<number><name>n</name></number>", "unknown element 'number'");
    parameter_refused("<boolean-vector><name>n</name></boolean-vector>", "unknown element");
    parameter_refused("<boolean multiple='true'><name>n</name><flag>n</flag></boolean>",
                      "unknown attribute 'multiple'");
    parameter_refused("<integer><longflag>pos-points</longflag></integer>", "not a flag");
    parameter_refused("<integer><name>n</name><flag>ab</flag></integer>", "one character");
    parameter_refused("<integer><name>n</name></integer>", "needs a flag");
    parameter_refused("<integer><name>2n</name><flag>n</flag></integer>", "identifier");
    parameter_refused("<integer><name>n</name><flag>n</flag><index>0</index></integer>", "exclude");
    parameter_refused("<integer><name>n</name><index>-1</index></integer>", "index from 0");
    parameter_refused("<image><name>n</name><channel>output</channel></image>", "needs a flag");
    parameter_refused("<boolean><name>n</name><index>0</index></boolean>", "switch");
    parameter_refused("<integer><name>n</name><flag>n</flag><channel>up</channel></integer>",
                      "input or output");
    parameter_refused("<integer><name>n</name><flag>n</flag><element>1</element></integer>",
                      "unknown element 'element'");
    parameter_refused("<string-enumeration><name>n</name><flag>n</flag></string-enumeration>",
                      "without elements");
    parameter_refused("<integer><name>n</name><flag>n</flag><constraints><minimum>x</minimum>"
                      "</constraints></integer>",
                      "wanted one number");
}

static void names_and_flags_are_unique(void **state)
{
    (void)state;
    parameter_refused("<integer><name>a</name><flag>a</flag></integer>"
                      "<integer><name>a</name><flag>b</flag></integer>",
                      "the name 'a' is used twice");
    parameter_refused("<integer><name>a</name><flag>f</flag></integer>"
                      "<integer><name>b</name><flag>f</flag></integer>",
                      "the flag 'f' is used twice");
    parameter_refused("<integer><name>a</name><longflag alias='old'>f1</longflag></integer>"
                      "<integer><name>b</name><longflag>old</longflag></integer>",
                      "the long flag 'old' is used twice");
    parameter_refused("<image><name>a</name><index>0</index></image>"
                      "<image><name>b</name><index>0</index></image>",
                      "is used twice");
}

static void texts_are_tidied(void **state)
{
    (void)state;
    static const char xml[] = HEAD "<executable><description>\n  one\n  line\n\n  and\tmore  "
                                   "</description><parameters/></executable>";
    cli_tool *tool;
    assert_int_equal(cli_tool_parse(xml, sizeof xml - 1, &tool), 0);
    assert_string_equal(tool->description, "one line\nand more");
    assert_string_equal(tool->title, "");
    assert_int_equal(tool->group_count, 1);
    cli_tool_free(tool);
}

/* The XML parser's memory, which runs out after `left` further requests (-1: never). */
static long left = -1;

static int granted(void)
{
    if (left > 0) left--;
    return left != 0;
}

static void *scarce_malloc(size_t size)
{
    return granted() ? malloc(size) : NULL;
}

static void *scarce_realloc(void *memory, size_t size)
{
    return granted() ? realloc(memory, size) : NULL;
}

static char *scarce_strdup(const char *text)
{
    return granted() ? strdup(text) : NULL;
}

static void memory_that_runs_out_is_no_usage_error(void **state)
{
    (void)state;
    static const char xml[] =
        HEAD "<executable><title>t &amp; u</title><parameters advanced='true'><label>l</label>"
             "<image fileExtensions='.a,.b' multiple='true'><name>n</name>"
             "<longflag alias='old older'>n</longflag></image><integer><name>i</name>"
             "<index>0</index><default>3</default></integer></parameters></executable>";
    int code = CLI_EXIT_MEMORY, failures = 0;
    for (long requests = 1; code; requests++) {
        cli_tool *tool;
        left = requests;
        code = cli_tool_parse(xml, sizeof xml - 1, &tool);
        left = -1;
        if (code && code != CLI_EXIT_MEMORY)
            fail_msg("after %ld requests: exit code %d, %s", requests, code, cli_last_message());
        if (!code) assert_string_equal(tool->parameters[0].file_extensions, ".a,.b");
        if (!code) assert_string_equal(tool->title, "t & u");
        failures += code != 0;
        cli_tool_free(code ? NULL : tool);
    }
    assert_true(failures > 50);
}

int main(void)
{
    xmlMemSetup(free, scarce_malloc, scarce_realloc, scarce_strdup);
    xmlInitParser();
    const struct CMUnitTest tests[] = {cmocka_unit_test(other_documents_are_refused),
                                       cmocka_unit_test(entities_are_not_expanded),
                                       cmocka_unit_test(wrong_parameters_are_refused),
                                       cmocka_unit_test(names_and_flags_are_unique),
                                       cmocka_unit_test(texts_are_tidied),
                                       cmocka_unit_test(memory_that_runs_out_is_no_usage_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
