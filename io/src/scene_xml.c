/* MRML as XML: libxml2 calls for each element, nothing is kept but the nodes that matter here. */
#include "scene.h"

#include "io_status.h"
#include "text_number.h"

#include <libxml/parser.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Read in pieces, so that a refusal ends the work. */
enum { MOST_DEPTH = 64, PIECE = 1 << 16 };

typedef struct parse {
    sgio_scene *scene;
    xmlParserCtxtPtr parser;
    int depth;
    sgio_status status;
    char wrong[200]; /* the parser's own sentence */
    int line;
} parse;

static void stop(parse *p, sgio_status status)
{
    p->status = status;
    xmlStopParser(p->parser);
}

/* ---------------------------------------------------------------------------- what nodes say */

static char *copy_text(const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    if (!copy) return NULL;
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What Slicer encodes in names of files, and nothing else. */
static void decode_file(char *name)
{
    char *to = name;
    for (const char *c = name; *c; c++) {
        const int high = *c == '%' ? hex(c[1]) : -1, low = high >= 0 ? hex(c[2]) : -1;
        const int value = high * 16 + low;
        if (low >= 0 && value > 0 && strchr("% '<>\"", value)) {
            *to++ = (char)value;
            c += 2;
        } else {
            *to++ = *c;
        }
    }
    *to = 0;
}

/* "display:a;storage:b c;transform:d;": the first id behind a role. */
static char *referred(const char *references, const char *role)
{
    const size_t length = strlen(role);
    for (const char *at = references; at; at = strchr(at, ';')) {
        at += *at == ';';
        if (strncmp(at, role, length) != 0 || at[length] != ':') continue;
        at += length + 1;
        return copy_text(at, strcspn(at, " ;"));
    }
    return copy_text("", 0);
}

static int read_matrix(const char *text, double matrix[16])
{
    for (int i = 0; i < 16; i++)
        if (!sgio_take_double(&text, &matrix[i])) return 0;
    return sgio_text_ends(text);
}

static void replace(parse *p, char **field, char *text)
{
    if (!text) stop(p, sgio_fail_memory(64, p->scene->path));
    if (!text) return;
    free(*field);
    *field = text;
}

static void read_references(parse *p, sgio_scene_node *node, const char *value)
{
    char *storage = referred(value, "storage"), *frame = referred(value, "transform");
    if (storage && *storage)
        replace(p, &node->storage, storage);
    else
        free(storage);
    if (frame && *frame)
        replace(p, &node->frame, frame);
    else
        free(frame);
}

/* storageNodeRef and transformNodeRef are what versions before 4.3 wrote. */
static void read_attribute(parse *p, sgio_scene_node *node, const char *name, char *value)
{
    if (strcmp(name, "id") == 0) replace(p, &node->id, strdup(value));
    if (strcmp(name, "name") == 0) replace(p, &node->name, strdup(value));
    if (strcmp(name, "storageNodeRef") == 0) replace(p, &node->storage, strdup(value));
    if (strcmp(name, "transformNodeRef") == 0) replace(p, &node->frame, strdup(value));
    if (strcmp(name, "references") == 0) read_references(p, node, value);
    if (strcmp(name, "fileName") == 0) {
        decode_file(value);
        replace(p, &node->file, strdup(value));
    }
    if (strcmp(name, "matrixTransformToParent") == 0)
        node->has_matrix = read_matrix(value, node->to_parent);
}

/* -------------------------------------------------------------------------------------- nodes */

static int ends_in(const char *text, const char *ending)
{
    const size_t length = strlen(text), wanted = strlen(ending);
    return length >= wanted && strcmp(text + length - wanted, ending) == 0;
}

static int is_markup(const char *tag)
{
    return strncmp(tag, "Markups", 7) == 0 || strncmp(tag, "Annotation", 10) == 0 ||
           strcmp(tag, "FiducialList") == 0;
}

/* 1 when the element is a node that matters. */
static int kind_of(const char *tag, sgio_scene_kind *kind)
{
    if (ends_in(tag, "Storage"))
        *kind = SGIO_SCENE_STORAGE;
    else if (ends_in(tag, "Display") || ends_in(tag, "Properties"))
        return 0;
    else if (strcmp(tag, "MarkupsFiducial") == 0)
        *kind = SGIO_SCENE_FIDUCIALS;
    else if (strcmp(tag, "MarkupsROI") == 0)
        *kind = SGIO_SCENE_ROI;
    else if (is_markup(tag))
        *kind = SGIO_SCENE_OTHER_MARKUP;
    else if (ends_in(tag, "Transform"))
        *kind = SGIO_SCENE_TRANSFORM;
    else if (ends_in(tag, "Volume"))
        *kind = SGIO_SCENE_VOLUME;
    else
        return 0;
    return 1;
}

static sgio_scene_node *add_node(parse *p, const char *tag, sgio_scene_kind kind)
{
    sgio_scene *scene = p->scene;
    if (scene->count >= SGIO_MAX_SCENE_NODES) {
        stop(p, sgio_fail(SGIO_BAD_PROMPT, "%s: more than %d nodes", scene->path,
                          SGIO_MAX_SCENE_NODES));
        return NULL;
    }
    if (scene->count == scene->capacity) {
        const size_t capacity = scene->capacity * 2 + 16;
        sgio_scene_node *grown = realloc(scene->nodes, capacity * sizeof *grown);
        if (!grown) stop(p, sgio_fail_memory(capacity * sizeof *grown, scene->path));
        if (!grown) return NULL;
        scene->nodes = grown;
        scene->capacity = capacity;
    }
    sgio_scene_node *node = &scene->nodes[scene->count++];
    memset(node, 0, sizeof *node);
    node->kind = kind;
    char **const texts[] = {&node->tag,  &node->id,      &node->name,
                            &node->file, &node->storage, &node->frame};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        replace(p, texts[i], strdup(i == 0 ? tag : ""));
    return p->status == SGIO_OK ? node : NULL;
}

/* Attributes are five pointers each: name, prefix, address, begin and end of the value. */
static void read_node(parse *p, sgio_scene_node *node, int count, const xmlChar **attributes)
{
    for (int i = 0; i < count && p->status == SGIO_OK; i++) {
        const char *name = (const char *)attributes[5 * i];
        const char *begin = (const char *)attributes[5 * i + 3];
        char *value = copy_text(begin, (size_t)((const char *)attributes[5 * i + 4] - begin));
        if (!value) {
            stop(p, sgio_fail_memory(64, p->scene->path));
            return;
        }
        read_attribute(p, node, name, value);
        free(value);
    }
}

static void on_element(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                       int spaces, const xmlChar **space, int count, int defaulted,
                       const xmlChar **attributes)
{
    parse *p = user;
    sgio_scene_kind kind;
    const char *tag = (const char *)name;
    (void)prefix, (void)uri, (void)spaces, (void)space, (void)defaulted;
    if (p->status != SGIO_OK) return;
    p->depth++;
    if (p->depth == 1 && strcmp(tag, "MRML") != 0)
        stop(p, sgio_fail(SGIO_BAD_PROMPT, "%s: not a scene of 3D Slicer: it begins with <%.40s>",
                          p->scene->path, tag));
    else if (p->depth > MOST_DEPTH)
        stop(p,
             sgio_fail(SGIO_BAD_PROMPT, "%s: nested deeper than %d", p->scene->path, MOST_DEPTH));
    /* deeper elements are copies of the scene: its views */
    if (p->status != SGIO_OK || p->depth != 2 || !kind_of(tag, &kind)) return;
    sgio_scene_node *node = add_node(p, tag, kind);
    if (node) read_node(p, node, count, attributes);
}

static void on_end(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    (void)name, (void)prefix, (void)uri;
    ((parse *)user)->depth--;
}

/* Entities stand in document types; scenes have none. */
static void on_document_type(void *user, const xmlChar *name, const xmlChar *external,
                             const xmlChar *system)
{
    parse *p = user;
    (void)name, (void)external, (void)system;
    stop(p, sgio_fail(SGIO_BAD_PROMPT, "%s: a document type, and so no scene of 3D Slicer",
                      p->scene->path));
}

static void on_error(void *user, xmlErrorPtr error)
{
    parse *p = user;
    if (p->line || error->level < XML_ERR_ERROR) return;
    p->line = error->line > 0 ? error->line : 1;
    snprintf(p->wrong, sizeof p->wrong, "%.*s",
             error->message ? (int)strcspn(error->message, "\n") : 0,
             error->message ? error->message : "");
}

/* ------------------------------------------------------------------------------------- scene */

static int compare_ids(const void *left, const void *right)
{
    return strcmp((*(const sgio_scene_node *const *)left)->id,
                  (*(const sgio_scene_node *const *)right)->id);
}

static sgio_status sort_nodes(sgio_scene *scene)
{
    scene->by_id = calloc(scene->count + 1, sizeof(sgio_scene_node *));
    if (!scene->by_id) return sgio_fail_memory(scene->count, scene->path);
    for (size_t i = 0; i < scene->count; i++)
        scene->by_id[i] = &scene->nodes[i];
    qsort(scene->by_id, scene->count, sizeof *scene->by_id, compare_ids);
    for (size_t i = 1; i < scene->count; i++)
        if (*scene->by_id[i]->id && compare_ids(&scene->by_id[i - 1], &scene->by_id[i]) == 0)
            return sgio_fail(SGIO_BAD_PROMPT, "%s: two nodes have the id '%.80s'", scene->path,
                             scene->by_id[i]->id);
    return SGIO_OK;
}

const sgio_scene_node *sgio_scene_find(const sgio_scene *scene, const char *id)
{
    sgio_scene_node wanted = {.id = (char *)id};
    const sgio_scene_node *key = &wanted;
    if (!*id) return NULL;
    const sgio_scene_node **found =
        bsearch(&key, scene->by_id, scene->count, sizeof *scene->by_id, compare_ids);
    return found ? *found : NULL;
}

static sgio_status run(parse *p, const char *text, size_t bytes)
{
    xmlSAXHandler *handler = p->parser->sax;
    memset(handler, 0, sizeof *handler);
    handler->initialized = XML_SAX2_MAGIC;
    handler->startElementNs = on_element;
    handler->endElementNs = on_end;
    handler->internalSubset = on_document_type;
    handler->serror = on_error;
    p->parser->userData = p;
    /* &amp; becomes & (NOENT); entities of its own a text cannot have: its document type ends it */
    xmlCtxtUseOptions(p->parser, XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_IGNORE_ENC);
    int failed = 0;
    for (size_t at = 0; at < bytes && !failed && p->status == SGIO_OK; at += PIECE) {
        const size_t piece = bytes - at < PIECE ? bytes - at : PIECE;
        failed = xmlParseChunk(p->parser, text + at, (int)piece, 0);
    }
    if (!failed && p->status == SGIO_OK) failed = xmlParseChunk(p->parser, text, 0, 1);
    if (p->status != SGIO_OK) return p->status;
    if (failed || p->line || !p->parser->wellFormed)
        return sgio_fail(SGIO_BAD_PROMPT, "%s: line %d: %s", p->scene->path, p->line ? p->line : 1,
                         p->wrong[0] ? p->wrong : "not XML");
    return sort_nodes(p->scene);
}

int sgio_is_utf8(const char *text, size_t bytes)
{
    const unsigned char *c = (const unsigned char *)text;
    for (size_t i = 0; i < bytes; i++) {
        const int lead = c[i];
        const int more = lead < 0x80 ? 0 : lead >> 5 == 6 ? 1 : lead >> 4 == 14 ? 2 : 3;
        if (lead == 0 || (more == 3 && lead >> 3 != 30) || bytes - i <= (size_t)more) return 0;
        for (int k = 0; k < more; k++)
            if ((c[++i] & 0xc0) != 0x80) return 0;
    }
    return 1;
}

sgio_status sgio_scene_parse(const char *path, const char *text, size_t bytes, sgio_scene *scene)
{
    parse p = {.scene = scene};
    memset(scene, 0, sizeof *scene);
    scene->path = path;
    if (bytes > SGIO_MAX_PROMPT_FILE)
        return sgio_fail(SGIO_BAD_PROMPT, "%s: larger than 64 MiB", path);
    /* libxml2 says on standard error what it cannot convert: nothing is left to convert */
    if (!sgio_is_utf8(text, bytes))
        return sgio_fail(SGIO_BAD_PROMPT, "%s: not a scene of 3D Slicer: its text is not UTF-8",
                         path);
    p.parser = xmlCreatePushParserCtxt(NULL, NULL, NULL, 0, NULL);
    if (!p.parser) return sgio_fail_memory(bytes, path);
    const sgio_status status = run(&p, text, bytes);
    xmlFreeParserCtxt(p.parser);
    return status;
}

void sgio_scene_clear(sgio_scene *scene)
{
    for (size_t i = 0; i < scene->count; i++) {
        sgio_scene_node *n = &scene->nodes[i];
        free(n->tag);
        free(n->id);
        free(n->name);
        free(n->file);
        free(n->storage);
        free(n->frame);
    }
    free(scene->nodes);
    free(scene->by_id);
    memset(scene, 0, sizeof *scene);
}
