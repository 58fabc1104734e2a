/* Options that two programs share are the same option: one text, one default, one meaning.
 * usage: test_shared_options PromptSeg.xml PromptSegBatch.xml */
#include "cli_test.h"

#include "cli_description.h"

static cli_tool *tools[2];

static cli_tool *load(const char *path)
{
    cli_tool *tool = NULL;
    size_t size;
    char *xml = read_text(path, &size);
    if (cli_tool_parse(xml, size, &tool) != 0) fail_msg("%s cannot be read", path);
    free(xml);
    return tool;
}

static const char *default_of(const cli_parameter *p)
{
    return p->default_text ? p->default_text : "(none)";
}

static void options_of_one_name_are_one_option(void **state)
{
    (void)state;
    int shared = 0;
    for (size_t i = 0; i < tools[1]->parameter_count; i++) {
        const cli_parameter *b = &tools[1]->parameters[i];
        const cli_parameter *a = cli_tool_find(tools[0], b->name);
        if (!a || !b->long_flag || strcmp(b->name, "output") == 0) continue;
        shared++;
        assert_string_equal(a->long_flag, b->long_flag);
        assert_string_equal(a->element, b->element);
        assert_string_equal(a->description, b->description);
        assert_string_equal(default_of(a), default_of(b));
        assert_int_equal(a->choice_count, b->choice_count);
        assert_int_equal(a->multiple, b->multiple);
    }
    assert_true(shared >= 18);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(options_of_one_name_are_one_option)};
    if (argc != 3) return 1;
    tools[0] = load(argv[1]);
    tools[1] = load(argv[2]);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cli_tool_free(tools[0]);
    cli_tool_free(tools[1]);
    return failed;
}
