#include "cli_description.h"

#include <ctype.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"
#include "cli_number.h"

enum { MAX_XML_BYTES = 1 << 20, MAX_PARAMETERS = 512, MAX_LIST = 256 };

typedef struct element_rule {
    const char *element;
    cli_kind kind;
    const char *attributes; /* blank-separated, besides none */
} element_rule;

/* SlicerExecutionModel's elements and attributes. Not taken: measurement, which no program here
 * needs and whose command-line form is not documented. */
static const element_rule rules[] = {
    {"integer", CLI_INTEGER, "hidden multiple"},
    {"float", CLI_REAL, "hidden multiple"},
    {"double", CLI_REAL, "hidden multiple"},
    {"string", CLI_STRING, "hidden multiple"},
    {"boolean", CLI_BOOLEAN, "hidden"},
    {"integer-vector", CLI_INTEGER_VECTOR, "hidden multiple"},
    {"float-vector", CLI_REAL_VECTOR, "hidden multiple"},
    {"double-vector", CLI_REAL_VECTOR, "hidden multiple"},
    {"string-vector", CLI_STRING_VECTOR, "hidden multiple"},
    {"integer-enumeration", CLI_INTEGER, "hidden"},
    {"float-enumeration", CLI_REAL, "hidden"},
    {"double-enumeration", CLI_REAL, "hidden"},
    {"string-enumeration", CLI_STRING, "hidden"},
    {"point", CLI_POINT, "multiple coordinateSystem"},
    {"region", CLI_REGION, "multiple coordinateSystem"},
    {"pointfile", CLI_PATH, "multiple type fileExtensions coordinateSystem"},
    {"file", CLI_PATH, "multiple fileExtensions"},
    {"directory", CLI_PATH, "multiple"},
    {"image", CLI_PATH, "multiple hidden reference fileExtensions type"},
    {"geometry", CLI_PATH, "multiple reference aggregate fileExtensions type"},
    {"transform", CLI_PATH, "multiple reference fileExtensions type"},
    {"table", CLI_PATH, "multiple hidden reference fileExtensions type"},
};

static const element_rule *find_rule(const char *element)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (strcmp(rules[i].element, element) == 0) return &rules[i];
    return NULL;
}

static const char *name_of(const xmlNode *node)
{
    return (const char *)node->name;
}

static int fail_at(const xmlNode *node, const char *what, const char *found)
{
    return cli_fail(CLI_EXIT_USAGE, "tool description, line %ld, <%s>: %s '%.80s'",
                    xmlGetLineNo(node), name_of(node), what, found);
}

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "out of memory while reading the tool description");
}

/* The node's text with runs of blanks and line breaks made one blank; blank lines become '\n', so
 * that descriptions can have paragraphs. malloc'ed, NULL when out of memory. */
static char *text_of(const xmlNode *node)
{
    xmlChar *raw = xmlNodeGetContent(node);
    if (!raw && node->children) return NULL;
    char *text = malloc(raw ? strlen((char *)raw) + 1 : 1);
    if (!text) {
        xmlFree(raw);
        return NULL;
    }
    size_t length = 0;
    int breaks = 0, blanks = 0;
    for (const char *c = raw ? (const char *)raw : ""; *c; c++) {
        if (isspace((unsigned char)*c)) {
            blanks = 1;
            breaks += *c == '\n';
            continue;
        }
        if (blanks && length > 0) text[length++] = breaks > 1 ? '\n' : ' ';
        blanks = breaks = 0;
        text[length++] = *c;
    }
    text[length] = '\0';
    xmlFree(raw);
    return text;
}

/* Sets *field to the node's text; a second occurrence is an error. */
static int set_text(char **field, const xmlNode *node)
{
    if (*field) return fail_at(node, "given twice, second time as", *field);
    *field = text_of(node);
    return *field ? 0 : no_memory();
}

static int append_text(char ***list, size_t *count, char *text)
{
    char **grown = text ? realloc(*list, (*count + 1) * sizeof(char *)) : NULL;
    if (!grown || *count >= MAX_LIST) {
        if (grown) *list = grown;
        free(text);
        return no_memory();
    }
    *list = grown;
    grown[(*count)++] = text;
    return 0;
}

static int is_word(const char *text, const char *delimited)
{
    const size_t length = strlen(text);
    for (const char *at = delimited; (at = strstr(at, text)) != NULL; at += length) {
        const int starts = at == delimited || at[-1] == ' ';
        if (starts && (at[length] == ' ' || at[length] == '\0')) return 1;
    }
    return 0;
}

static int parse_truth(const xmlNode *node, const char *text, int *value)
{
    if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0) {
        *value = 1;
    } else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0) {
        *value = 0;
    } else {
        return fail_at(node, "wanted true or false, found", text);
    }
    return 0;
}

static int check_attributes(const xmlNode *node, const char *allowed)
{
    for (const xmlAttr *a = node->properties; a; a = a->next)
        if (!is_word((const char *)a->name, allowed))
            return fail_at(node, "unknown attribute", (const char *)a->name);
    return 0;
}

/* The attribute's text, NULL when it is not there; the caller's (xmlFree). */
static int get_attribute(const xmlNode *node, const char *attribute, xmlChar **text)
{
    *text = xmlGetNoNsProp(node, (const xmlChar *)attribute);
    return !*text && xmlHasProp(node, (const xmlChar *)attribute) ? no_memory() : 0;
}

static int truth_attribute(const xmlNode *node, const char *attribute, int *value)
{
    xmlChar *text;
    if (get_attribute(node, attribute, &text)) return CLI_EXIT_MEMORY;
    if (!text) return 0;
    const int failed = parse_truth(node, (const char *)text, value);
    xmlFree(text);
    return failed;
}

/* Removes leading dashes and checks that letters, digits and underscores remain. */
static int clean_flag(const xmlNode *node, char *flag)
{
    const size_t dashes = strspn(flag, "-");
    memmove(flag, flag + dashes, strlen(flag + dashes) + 1);
    const size_t good =
        strspn(flag, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    if (good == 0 || flag[good]) return fail_at(node, "not a flag:", flag);
    return 0;
}

static int parse_aliases(const xmlNode *node, const char *attribute, cli_parameter *p)
{
    xmlChar *all;
    int failed = get_attribute(node, attribute, &all);
    char *rest = NULL;
    for (char *word = all ? strtok_r((char *)all, ", ", &rest) : NULL; word && !failed;
         word = strtok_r(NULL, ", ", &rest)) {
        failed = clean_flag(node, word);
        if (!failed) failed = append_text(&p->aliases, &p->alias_count, strdup(word));
    }
    xmlFree(all);
    return failed;
}

static int parse_flag(const xmlNode *node, char **field, cli_parameter *p)
{
    int failed = check_attributes(node, "alias deprecatedalias");
    if (!failed) failed = set_text(field, node);
    if (!failed) failed = clean_flag(node, *field);
    if (!failed && field == &p->flag && strlen(p->flag) != 1)
        failed = fail_at(node, "a short flag has one character, found", p->flag);
    if (!failed) failed = parse_aliases(node, "alias", p);
    if (!failed) failed = parse_aliases(node, "deprecatedalias", p);
    return failed;
}

static int parse_bound(const xmlNode *node, int *has, double *bound)
{
    char *text = text_of(node);
    if (!text) return no_memory();
    const int bad = *has || cli_parse_real(text, bound);
    const int failed = bad ? fail_at(node, "wanted one number, found", text) : 0;
    *has = 1;
    free(text);
    return failed;
}

static int parse_constraints(const xmlNode *node, cli_parameter *p)
{
    int has_step = 0;
    double step;
    for (const xmlNode *n = node->children; n; n = n->next) {
        int failed = 0;
        if (n->type != XML_ELEMENT_NODE) continue;
        if (strcmp(name_of(n), "minimum") == 0) {
            failed = parse_bound(n, &p->has_minimum, &p->minimum);
        } else if (strcmp(name_of(n), "maximum") == 0) {
            failed = parse_bound(n, &p->has_maximum, &p->maximum);
        } else if (strcmp(name_of(n), "step") == 0) {
            failed = parse_bound(n, &has_step, &step);
        } else {
            failed = fail_at(node, "unknown element", name_of(n));
        }
        if (failed) return failed;
    }
    return 0;
}

static int parse_index(const xmlNode *node, cli_parameter *p)
{
    long long index;
    char *text = text_of(node);
    if (!text) return no_memory();
    const int bad = p->index >= 0 || cli_parse_integer(text, &index) || index < 0 || index > 99;
    const int failed = bad ? fail_at(node, "wanted one index from 0 to 99, found", text) : 0;
    if (!bad) p->index = (int)index;
    free(text);
    return failed;
}

static int parse_channel(const xmlNode *node, cli_parameter *p)
{
    char *text = text_of(node);
    if (!text) return no_memory();
    int failed = 0;
    p->is_output = strcmp(text, "output") == 0;
    if (!p->is_output && strcmp(text, "input") != 0)
        failed = fail_at(node, "wanted input or output, found", text);
    free(text);
    return failed;
}

static int parse_parameter_child(const xmlNode *node, cli_parameter *p)
{
    const char *element = name_of(node);
    if (strcmp(element, "flag") == 0) return parse_flag(node, &p->flag, p);
    if (strcmp(element, "longflag") == 0) return parse_flag(node, &p->long_flag, p);
    if (strcmp(element, "reference") == 0) return check_attributes(node, "role parameter");
    if (check_attributes(node, "")) return CLI_EXIT_USAGE;
    if (strcmp(element, "name") == 0) return set_text(&p->name, node);
    if (strcmp(element, "description") == 0) return set_text(&p->description, node);
    if (strcmp(element, "label") == 0) return set_text(&p->label, node);
    if (strcmp(element, "default") == 0) return set_text(&p->default_text, node);
    if (strcmp(element, "channel") == 0) return parse_channel(node, p);
    if (strcmp(element, "index") == 0) return parse_index(node, p);
    if (strcmp(element, "constraints") == 0) return parse_constraints(node, p);
    if (strcmp(element, "element") == 0 && strstr(p->element, "enumeration"))
        return append_text(&p->choices, &p->choice_count, text_of(node));
    return fail_at(node->parent, "unknown element", element);
}

static int is_identifier(const char *text)
{
    if (isdigit((unsigned char)*text)) return 0;
    const size_t good =
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return good > 0 && text[good] == '\0';
}

static int is_simple(cli_kind kind)
{
    return kind == CLI_INTEGER || kind == CLI_REAL || kind == CLI_STRING || kind == CLI_BOOLEAN;
}

/* What the parser can only say once it has seen the whole parameter. */
static int finish_parameter(const xmlNode *node, cli_parameter *p)
{
    if (!p->name && p->long_flag && !(p->name = strdup(p->long_flag))) return no_memory();
    if (!p->name || !is_identifier(p->name))
        return fail_at(node, "wanted an identifier as name, found", p->name ? p->name : "");
    const int has_flag = p->flag || p->long_flag;
    if (has_flag && p->index >= 0)
        return fail_at(node, "flag and index exclude one another:", p->name);
    p->is_return = !has_flag && p->index < 0;
    if (p->is_return && !(p->is_output && is_simple(p->kind)))
        return fail_at(node,
                       "needs a flag, an index, or a simple type and channel output:", p->name);
    if (p->kind == CLI_BOOLEAN && p->index >= 0)
        return fail_at(node, "a switch cannot be positional:", p->name);
    if (strstr(p->element, "enumeration") && p->choice_count == 0)
        return fail_at(node, "an enumeration without elements:", p->name);
    return 0;
}

static int parse_parameter(const xmlNode *node, const element_rule *rule, cli_parameter *p)
{
    p->kind = rule->kind;
    p->index = -1;
    p->element = strdup(rule->element);
    if (!p->element) return no_memory();
    int failed = check_attributes(node, rule->attributes);
    if (!failed) failed = truth_attribute(node, "multiple", &p->multiple);
    xmlChar *extensions = NULL;
    if (!failed) failed = get_attribute(node, "fileExtensions", &extensions);
    if (extensions && !(p->file_extensions = strdup((char *)extensions))) failed = no_memory();
    xmlFree(extensions);
    for (const xmlNode *n = node->children; n && !failed; n = n->next)
        if (n->type == XML_ELEMENT_NODE) failed = parse_parameter_child(n, p);
    return failed ? failed : finish_parameter(node, p);
}

/* Grows the array by one zeroed element, so that cli_tool_free() can release a half-read one. */
static cli_parameter *add_parameter(cli_tool *tool)
{
    if (tool->parameter_count >= MAX_PARAMETERS) return NULL;
    cli_parameter *grown = realloc(tool->parameters, (tool->parameter_count + 1) * sizeof *grown);
    if (!grown) return NULL;
    tool->parameters = grown;
    cli_parameter *added = &grown[tool->parameter_count++];
    memset(added, 0, sizeof *added);
    added->group = tool->group_count - 1;
    return added;
}

static cli_group *add_group(cli_tool *tool)
{
    if (tool->group_count >= MAX_PARAMETERS) return NULL;
    cli_group *grown = realloc(tool->groups, (tool->group_count + 1) * sizeof *grown);
    if (!grown) return NULL;
    tool->groups = grown;
    cli_group *added = &grown[tool->group_count++];
    memset(added, 0, sizeof *added);
    return added;
}

static int parse_group_child(const xmlNode *node, cli_tool *tool)
{
    cli_group *group = &tool->groups[tool->group_count - 1];
    if (strcmp(name_of(node), "label") == 0) return set_text(&group->label, node);
    if (strcmp(name_of(node), "description") == 0) return set_text(&group->description, node);
    const element_rule *rule = find_rule(name_of(node));
    if (!rule) return fail_at(node->parent, "unknown element", name_of(node));
    cli_parameter *parameter = add_parameter(tool);
    return parameter ? parse_parameter(node, rule, parameter) : no_memory();
}

static int parse_group(const xmlNode *node, cli_tool *tool)
{
    cli_group *group = add_group(tool);
    if (!group) return no_memory();
    int failed = check_attributes(node, "advanced");
    if (!failed) failed = truth_attribute(node, "advanced", &group->advanced);
    for (const xmlNode *n = node->children; n && !failed; n = n->next)
        if (n->type == XML_ELEMENT_NODE) failed = parse_group_child(n, tool);
    return failed;
}

static int parse_tool_child(const xmlNode *node, cli_tool *tool)
{
    static const char *const ignored = "index acknowledgements location";
    const struct {
        const char *element;
        char **field;
    } texts[] = {{"category", &tool->category},
                 {"title", &tool->title},
                 {"description", &tool->description},
                 {"version", &tool->version},
                 {"documentation-url", &tool->documentation_url},
                 {"license", &tool->license},
                 {"contributor", &tool->contributor}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(name_of(node), texts[i].element) == 0) return set_text(texts[i].field, node);
    if (strcmp(name_of(node), "parameters") == 0) return parse_group(node, tool);
    if (is_word(name_of(node), ignored)) return 0;
    return fail_at(node->parent, "unknown element", name_of(node));
}

static int clash(const cli_parameter *p, const char *what, const char *found)
{
    return cli_fail(CLI_EXIT_USAGE, "tool description, parameter %s: %s '%.80s' is used twice",
                    p->name, what, found);
}

static int has_flag_text(const cli_parameter *p, const char *flag)
{
    if (p->flag && strcmp(p->flag, flag) == 0) return 1;
    if (p->long_flag && strcmp(p->long_flag, flag) == 0) return 1;
    for (size_t i = 0; i < p->alias_count; i++)
        if (strcmp(p->aliases[i], flag) == 0) return 1;
    return 0;
}

static int check_pair(const cli_parameter *a, const cli_parameter *b)
{
    if (strcmp(a->name, b->name) == 0) return clash(b, "the name", b->name);
    if (b->flag && has_flag_text(a, b->flag)) return clash(b, "the flag", b->flag);
    if (b->long_flag && has_flag_text(a, b->long_flag))
        return clash(b, "the long flag", b->long_flag);
    for (size_t i = 0; i < b->alias_count; i++)
        if (has_flag_text(a, b->aliases[i])) return clash(b, "the alias", b->aliases[i]);
    if (a->index >= 0 && a->index == b->index) return clash(b, "the index of", a->name);
    return 0;
}

static int check_uniqueness(const cli_tool *tool)
{
    for (size_t b = 0; b < tool->parameter_count; b++)
        for (size_t a = 0; a < b; a++)
            if (check_pair(&tool->parameters[a], &tool->parameters[b])) return CLI_EXIT_USAGE;
    return 0;
}

/* Gives the texts that were left out their promised value "". */
static int fill_texts(cli_tool *tool)
{
    char **fields[] = {&tool->category,          &tool->title,   &tool->description, &tool->version,
                       &tool->documentation_url, &tool->license, &tool->contributor};
    int failed = 0;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (!*fields[i] && !(*fields[i] = strdup(""))) failed = 1;
    for (size_t i = 0; i < tool->group_count; i++) {
        if (!tool->groups[i].label && !(tool->groups[i].label = strdup(""))) failed = 1;
        if (!tool->groups[i].description && !(tool->groups[i].description = strdup(""))) failed = 1;
    }
    for (size_t i = 0; i < tool->parameter_count; i++) {
        cli_parameter *p = &tool->parameters[i];
        if (!p->description && !(p->description = strdup(""))) failed = 1;
        if (!p->label && !(p->label = strdup(""))) failed = 1;
        if (!p->file_extensions && !(p->file_extensions = strdup(""))) failed = 1;
    }
    return failed ? no_memory() : 0;
}

static int parse_document(xmlDoc *document, cli_tool *tool)
{
    const xmlNode *root = xmlDocGetRootElement(document);
    if (xmlGetIntSubset(document))
        return cli_fail(CLI_EXIT_USAGE, "tool description: a document type is not allowed");
    if (!root || strcmp(name_of(root), "executable") != 0)
        return cli_fail(CLI_EXIT_USAGE, "tool description: wanted <executable>, found <%.80s>",
                        root ? name_of(root) : "");
    int failed = check_attributes(root, "");
    for (const xmlNode *n = root->children; n && !failed; n = n->next)
        if (n->type == XML_ELEMENT_NODE) failed = parse_tool_child(n, tool);
    if (!failed) failed = check_uniqueness(tool);
    return failed ? failed : fill_texts(tool);
}

/* Errors of the parser's, also those of its tree functions, which have no other way to say that
 * memory ran out than a message on standard error. */
static void note_error(void *ran_out, xmlErrorPtr error)
{
    if (error->code == XML_ERR_NO_MEMORY) *(int *)ran_out = 1;
}

static int read_document(const void *xml, size_t size, xmlDoc **out)
{
    xmlParserCtxt *context = xmlNewParserCtxt();
    if (!context) return no_memory();
    const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
    int failed = 0;
    *out = xmlCtxtReadMemory(context, xml, (int)size, NULL, NULL, options);
    if (!*out) {
        const char *reason = context->lastError.message ? context->lastError.message : "not XML";
        failed = cli_fail(CLI_EXIT_USAGE, "tool description, line %d: %.*s",
                          context->lastError.line, (int)strcspn(reason, "\n"), reason);
    }
    xmlFreeParserCtxt(context);
    return failed;
}

static int parse(const void *xml, size_t size, cli_tool **out)
{
    if (size == 0 || size > MAX_XML_BYTES)
        return cli_fail(CLI_EXIT_USAGE, "tool description: %zu bytes, wanted 1 to %d", size,
                        MAX_XML_BYTES);
    xmlDoc *document;
    int failed = read_document(xml, size, &document);
    if (failed) return failed;
    cli_tool *tool = calloc(1, sizeof *tool);
    failed = tool ? parse_document(document, tool) : no_memory();
    xmlFreeDoc(document);
    if (failed) {
        cli_tool_free(tool);
        return failed;
    }
    *out = tool;
    return 0;
}

int cli_tool_parse(const void *xml, size_t size, cli_tool **out)
{
    int ran_out = 0;
    *out = NULL;
    xmlSetStructuredErrorFunc(&ran_out, note_error);
    const int failed = parse(xml, size, out);
    xmlSetStructuredErrorFunc(NULL, NULL);
    if (!ran_out) return failed;
    cli_tool_free(*out); /* it may lack what the parser had no memory for */
    *out = NULL;
    return no_memory();
}

static void free_list(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

static void free_parameter(cli_parameter *p)
{
    free(p->element);
    free(p->name);
    free(p->flag);
    free(p->long_flag);
    free(p->description);
    free(p->label);
    free(p->default_text);
    free(p->file_extensions);
    free_list(p->aliases, p->alias_count);
    free_list(p->choices, p->choice_count);
}

void cli_tool_free(cli_tool *tool)
{
    if (!tool) return;
    for (size_t i = 0; i < tool->parameter_count; i++)
        free_parameter(&tool->parameters[i]);
    for (size_t i = 0; i < tool->group_count; i++) {
        free(tool->groups[i].label);
        free(tool->groups[i].description);
    }
    free(tool->parameters);
    free(tool->groups);
    free(tool->category);
    free(tool->title);
    free(tool->description);
    free(tool->version);
    free(tool->documentation_url);
    free(tool->license);
    free(tool->contributor);
    free(tool);
}

const char *cli_description_library(void)
{
    return LIBXML_DOTTED_VERSION;
}

const cli_parameter *cli_tool_find(const cli_tool *tool, const char *name)
{
    for (size_t i = 0; i < tool->parameter_count; i++)
        if (strcmp(tool->parameters[i].name, name) == 0) return &tool->parameters[i];
    return NULL;
}
