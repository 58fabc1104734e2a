#include "train/given_prompts.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/files.h"
#include "core/number.h"
#include "core/text.h"
#include "predict/session/prompt_tokens.h"

struct sgm_given_prompts {
    int items, tokens;
    bool points, boxes;
    sgm_given_prompt *of; /* by item */
};

typedef struct given_line {
    const char *path;
    int number;
} given_line;

static sgm_status bad(const given_line *at, const char *what, const char *found)
{
    return sgm_fail(SGM_UNREADABLE, "%s:%d: %s, found \"%.80s\"", at->path, at->number, what,
                    found);
}

static bool is_named(const sgm_pack *pack, const sgm_pack_item *item, const char *name)
{
    const char *set = sgm_pack_set_at(pack, item->set)->name;
    size_t n = strlen(set);
    if (!strcmp(item->id, name)) return true;
    return !strncmp(name, set, n) && name[n] == '/' && !strcmp(item->id, name + n + 1);
}

/* The one item of that name, in *index. */
static sgm_status find_item(const given_line *at, const sgm_pack *pack, const char *name,
                            int *index)
{
    *index = -1;
    for (int i = 0; i < sgm_pack_item_count(pack); i++) {
        if (!is_named(pack, sgm_pack_item_at(pack, i), name)) continue;
        if (*index >= 0)
            return bad(at, "the pack has several items of that name; write data set/item", name);
        *index = i;
    }
    return *index >= 0 ? SGM_OK : bad(at, "the pack has no such item", name);
}

static sgm_status add_point(const given_line *at, sgm_given_prompt *to, const double v[4])
{
    if (v[2] != 0 && v[2] != 1) return bad(at, "a point's label must be 0 or 1", "another number");
    if (to->point_count == SGM_GIVEN_POINTS) return bad(at, "at most 16 points per item", "more");
    to->points[to->point_count++] =
        (sgm_point){v[0], v[1], v[2] != 0 ? SGM_FOREGROUND : SGM_BACKGROUND};
    return SGM_OK;
}

static sgm_status add_box(const given_line *at, sgm_given_prompt *to, const double v[4])
{
    if (to->has_box) return bad(at, "one box per item", "another");
    if (!(v[2] > v[0] && v[3] > v[1])) return bad(at, "a box must have x0 < x1 and y0 < y1", "not");
    to->box = (sgm_box){v[0], v[1], v[2], v[3]};
    to->has_box = true;
    return SGM_OK;
}

/* "item,number,number,number[,number]" */
static sgm_status parse_line(const given_line *at, char *line, const sgm_pack *pack,
                             sgm_given_prompts *given)
{
    double v[4];
    int count = 0;
    line[strcspn(line, "\r\n")] = 0;
    sgm_text_cut_comment(line);
    for (size_t n = strlen(line); n && (line[n - 1] == ' ' || line[n - 1] == '\t'); n--)
        line[n - 1] = 0;
    if (!*line) return SGM_OK;
    char *comma = strchr(line, ',');
    if (!comma) return bad(at, "a line must read item,x,y,label or item,x0,y0,x1,y1", line);
    *comma = 0;
    for (char *next = comma + 1; next;) {
        char *end;
        if (count == 4) return bad(at, "at most four numbers", next);
        v[count] = sgm_read_number(next, &end);
        if (end == next || (*end && *end != ',') || !(fabs(v[count]) < 1e6))
            return bad(at, "wanted numbers between commas", next);
        count++;
        next = *end ? end + 1 : NULL;
    }
    int item;
    SGM_TRY(find_item(at, pack, line, &item));
    if (count == 3) return add_point(at, &given->of[item], v);
    if (count == 4) return add_box(at, &given->of[item], v);
    return bad(at, "wanted three numbers for a point or four for a box", line);
}

static void count_tokens(sgm_given_prompts *given)
{
    for (int i = 0; i < given->items; i++) {
        const sgm_given_prompt *g = sgm_given_prompt_of(given, i);
        if (!g) continue;
        given->points |= g->point_count > 0;
        given->boxes |= g->has_box;
        sgm_prompt prompt = sgm_given_as_prompt(g);
        int tokens = sgm_prompt_token_count(&prompt);
        if (tokens > given->tokens) given->tokens = tokens;
    }
}

static sgm_status parse_all(const char *path, const char *text, const sgm_pack *pack,
                            sgm_given_prompts *given)
{
    given_line at = {path, 0};
    char line[256];
    text = sgm_text_start(text);
    while (*text) {
        size_t size = strcspn(text, "\n");
        at.number++;
        if (size >= sizeof line) return bad(&at, "a line is too long", "...");
        memcpy(line, text, size);
        line[size] = 0;
        text += size + (text[size] == '\n');
        SGM_TRY(parse_line(&at, line, pack, given));
    }
    count_tokens(given);
    if (!given->tokens) return sgm_fail(SGM_UNREADABLE, "%s: there is no prompt in it", path);
    return SGM_OK;
}

sgm_status sgm_given_prompts_parse(const char *text, const char *path, const sgm_pack *pack,
                                   sgm_given_prompts **out)
{
    *out = NULL;
    sgm_given_prompts *given = calloc(1, sizeof *given);
    if (!given) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for prompts");
    given->items = sgm_pack_item_count(pack);
    given->of = calloc((size_t)given->items + 1, sizeof *given->of);
    sgm_status status = given->of ? parse_all(path, text, pack, given)
                                  : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for prompts");
    if (status != SGM_OK)
        sgm_given_prompts_destroy(given);
    else
        *out = given;
    return status;
}

enum { LARGEST_FILE = 1 << 26 };

/* The file's text, malloc'ed; a zero byte in it ends it early and is refused. */
static sgm_status read_text(const char *path, char **out)
{
    FILE *stream = sgm_fopen(path, "rb");
    if (!stream) return sgm_fail(SGM_UNREADABLE, "%s: %s", path, strerror(errno));
    size_t room = 65536, size = 0, got;
    char *text = malloc(room);
    while (text && (got = fread(text + size, 1, room - size - 1, stream)) > 0) {
        size += got;
        if (size + 1 < room) continue;
        char *grown = room < LARGEST_FILE ? realloc(text, room *= 2) : NULL;
        if (!grown) free(text);
        text = grown;
    }
    int failed = ferror(stream);
    fclose(stream);
    if (!text) return sgm_fail(SGM_OUT_OF_MEMORY, "%s: too large for a file of prompts", path);
    text[size] = 0;
    *out = text;
    if (!failed && strlen(text) == size) return SGM_OK;
    free(text);
    return sgm_fail(SGM_UNREADABLE, "%s: not a readable text", path);
}

sgm_status sgm_given_prompts_read(const char *path, const sgm_pack *pack, sgm_given_prompts **out)
{
    char *text;
    *out = NULL;
    SGM_TRY(read_text(path, &text));
    sgm_status status = sgm_given_prompts_parse(text, path, pack, out);
    free(text);
    return status;
}

void sgm_given_prompts_destroy(sgm_given_prompts *given)
{
    if (!given) return;
    free(given->of);
    free(given);
}

const sgm_given_prompt *sgm_given_prompt_of(const sgm_given_prompts *given, int item)
{
    const sgm_given_prompt *g = &given->of[item];
    return g->point_count || g->has_box ? g : NULL;
}

sgm_prompt sgm_given_as_prompt(const sgm_given_prompt *g)
{
    return (sgm_prompt){.points = g->points,
                        .point_count = (size_t)g->point_count,
                        .box = g->has_box ? &g->box : NULL};
}

int sgm_given_tokens(const sgm_given_prompts *given)
{
    return given->tokens;
}

bool sgm_given_has_points(const sgm_given_prompts *given)
{
    return given->points;
}

bool sgm_given_has_boxes(const sgm_given_prompts *given)
{
    return given->boxes;
}
