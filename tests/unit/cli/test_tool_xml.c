/* The programs' descriptions against the rules that Slicer's and CTK's readers and their panels put
 * up: argv[1..] are the files. Written without cli_description.c, so that one checks the other. */
#include "cli_test.h"

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "cli_options.h"

static char **paths;
static int path_count;

static const char *name_of(const xmlNode *n)
{
    return (const char *)n->name;
}

static const xmlNode *next_element(const xmlNode *n)
{
    while (n && n->type != XML_ELEMENT_NODE)
        n = n->next;
    return n;
}

static const xmlNode *first_child(const xmlNode *n)
{
    return next_element(n->children);
}

/* Children must come in the order of `order` (blank-separated); what is not in it is refused. */
static void check_order(const char *path, const xmlNode *parent, const char *order)
{
    const char *at = order;
    for (const xmlNode *n = first_child(parent); n; n = next_element(n->next)) {
        char word[64];
        snprintf(word, sizeof word, " %s ", name_of(n));
        const char *found = strstr(at, word);
        if (!found)
            fail_msg("%s, line %ld: <%s> is unknown or out of CTK's order in <%s>", path,
                     xmlGetLineNo(n), name_of(n), name_of(parent));
        at = found;
    }
}

static char *child_text(const xmlNode *parent, const char *name)
{
    for (const xmlNode *n = first_child(parent); n; n = next_element(n->next))
        if (strcmp(name_of(n), name) == 0) return (char *)xmlNodeGetContent(n);
    return NULL;
}

static int is_parameter(const xmlNode *n)
{
    return strcmp(name_of(n), "label") != 0 && strcmp(name_of(n), "description") != 0;
}

static void need(const char *path, const xmlNode *n, const char *child)
{
    char *text = child_text(n, child);
    if (!text || !text[0])
        fail_msg("%s, line %ld: <%s> without <%s>", path, xmlGetLineNo(n), name_of(n), child);
    xmlFree(text);
}

static void check_parameter(const char *path, const xmlNode *n)
{
    check_order(path, n,
                " name flag longflag index description label default channel constraints "
                "element ");
    need(path, n, "name");
    need(path, n, "description");
    need(path, n, "label");
    char *value = child_text(n, "default"), *flag = child_text(n, "longflag");
    if (strcmp(name_of(n), "boolean") == 0 && (!value || strcmp(value, "false") != 0))
        fail_msg("%s, line %ld: a boolean's default must be false", path, xmlGetLineNo(n));
    if (flag &&
        flag[strspn(flag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")])
        fail_msg("%s: --%s holds more than letters and digits", path, flag);
    for (const xmlNode *c = first_child(n); c; c = next_element(c->next))
        if (strcmp(name_of(c), "constraints") == 0) check_order(path, c, " minimum maximum step ");
    xmlFree(value);
    xmlFree(flag);
}

static void check_document(const char *path, const xmlNode *root)
{
    check_order(path, root,
                " category title description version documentation-url license contributor "
                "acknowledgements parameters parameters ");
    need(path, root, "title");
    need(path, root, "version");
    for (const xmlNode *g = first_child(root); g; g = next_element(g->next)) {
        if (strcmp(name_of(g), "parameters") != 0) continue;
        need(path, g, "label");
        need(path, g, "description");
        const xmlNode *n = first_child(g);
        assert_string_equal(name_of(n), "label");
        n = next_element(n->next);
        assert_string_equal(name_of(n), "description");
        for (n = next_element(n->next); n; n = next_element(n->next)) {
            assert_true(is_parameter(n));
            check_parameter(path, n);
        }
    }
}

static void files_follow_ctk_and_slicer(void **state)
{
    (void)state;
    assert_true(path_count > 0);
    for (int i = 0; i < path_count; i++) {
        size_t size;
        char *xml = read_text(paths[i], &size);
        if (strncmp(xml, "<?xml ", 6) != 0) fail_msg("%s does not begin with '<?xml '", paths[i]);
        xmlDoc *document = xmlReadMemory(xml, (int)size, NULL, NULL, XML_PARSE_NONET);
        if (!document) fail_msg("%s is not well-formed", paths[i]);
        check_document(paths[i], xmlDocGetRootElement(document));
        xmlFreeDoc(document);
        free(xml);
    }
}

/* cli_tool_parse checks elements, attributes, and that names and flags are unique. */
static void our_reader_takes_them(void **state)
{
    (void)state;
    for (int i = 0; i < path_count; i++) {
        size_t size;
        cli_tool *tool;
        char *xml = read_text(paths[i], &size);
        if (cli_tool_parse(xml, size, &tool)) fail();
        for (size_t k = 0; k < tool->parameter_count; k++) {
            const cli_parameter *p = &tool->parameters[k];
            if (p->default_text && cli_check_value(p, p->name, p->default_text)) fail();
            if (p->flag && strcmp(p->flag, "h") == 0) fail_msg("%s: -h is --help", paths[i]);
            static const char *const taken[] = {"help",
                                                "xml",
                                                "version",
                                                "echo",
                                                "returnparameterfile",
                                                "processinformationaddress"};
            for (size_t t = 0; t < sizeof taken / sizeof taken[0]; t++)
                if (p->long_flag) assert_string_not_equal(p->long_flag, taken[t]);
        }
        cli_tool_free(tool);
        free(xml);
    }
}

/* GenerateCLP makes a C++ variable of each name. */
static void names_are_no_cxx_keywords(void **state)
{
    (void)state;
    static const char *const words[] = {"class", "default",  "double", "float",
                                        "int",   "register", "switch", "template",
                                        "this",  "volatile", "union",  "new"};
    for (int i = 0; i < path_count; i++) {
        size_t size;
        cli_tool *tool;
        char *xml = read_text(paths[i], &size);
        assert_int_equal(cli_tool_parse(xml, size, &tool), 0);
        for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
            if (cli_tool_find(tool, words[k])) fail_msg("%s: name '%s'", paths[i], words[k]);
        cli_tool_free(tool);
        free(xml);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(files_follow_ctk_and_slicer),
                                       cmocka_unit_test(our_reader_takes_them),
                                       cmocka_unit_test(names_are_no_cxx_keywords)};
    paths = argv + 1;
    path_count = argc - 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
