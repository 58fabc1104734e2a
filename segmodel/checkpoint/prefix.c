#include "checkpoint/prefix.h"

#include "checkpoint/checkpoint_build.h"
#include "core/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------------------------- modules in between */

/* Whole components of names: of DataParallel and DistributedDataParallel, torch.compile, FSDP and
 * activation checkpointing. No known network has a part of such a name. */
static const char *const shells[] = {"module.", "_orig_mod.", "_fsdp_wrapped_module.",
                                     "_checkpoint_wrapped_module."};

/* Bytes of the shells that the text begins with. */
static size_t leading_shells(const char *text)
{
    size_t length = 0;
    for (size_t i = 0; i < sizeof shells / sizeof *shells;) {
        size_t n = strlen(shells[i]);
        bool here = strncmp(text + length, shells[i], n) == 0 && text[length + n];
        if (here) length += n;
        i = here ? 0 : i + 1;
    }
    return length;
}

/* Copies a name without the shells inside; those that it begins with are its prefix and stay.
 * Returns the length; `out` may be NULL. */
static size_t without_shells(const char *name, char *out)
{
    size_t length = 0, kept = leading_shells(name);
    while (*name) {
        if (kept == 0) name += leading_shells(name);
        size_t part = kept ? kept : strcspn(name, "./");
        part += kept == 0 && name[part];
        if (out) memcpy(out + length, name, part);
        length += part;
        name += part;
        kept = 0;
    }
    if (out) out[length] = 0;
    return length;
}

/* Bytes of a name that become the first `bare` ones without the shells inside. */
static size_t length_with_shells(const char *name, size_t bare)
{
    size_t length = leading_shells(name), at = length;
    while (name[at] && length < bare) {
        at += leading_shells(name + at);
        size_t part = strcspn(name + at, "./");
        part += name[at + part] != 0;
        length += part;
        at += part;
    }
    return at;
}

static sgm_status leave_out_shells(sgm_checkpoint *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const char *name = c->tensors[i].name;
        size_t length = without_shells(name, NULL);
        if (length == strlen(name)) continue;
        char *bare = sgm_parse_arena_alloc(&c->arena, length + 1);
        if (!bare) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for names");
        without_shells(name, bare);
        c->tensors[i].name = bare;
    }
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------- networks */

enum { MAX_PLACES = 8 };

/* Where a network lies: what is before its landmarks' names. */
typedef struct {
    const char *prefix; /* begins a tensor's name, `length` bytes of it */
    size_t length;
    size_t tensors;  /* all below it that lie in no longer place */
    const char *own; /* the file's own name of a tensor below it, with the shells inside */
} place;

typedef struct {
    place at[MAX_PLACES];
    int count;
    bool more; /* than these */
} places;

static bool begins(const char *name, const place *p)
{
    return strncmp(name, p->prefix, p->length) == 0 && name[p->length];
}

static void add_place(places *found, const char *name, size_t length, const char *own)
{
    for (int i = 0; i < found->count; i++)
        if (found->at[i].length == length && begins(name, &found->at[i])) return;
    found->more = found->count == MAX_PLACES;
    if (!found->more) found->at[found->count++] = (place){name, length, 0, own};
}

static void find_places(const sgm_checkpoint *c, const char *const *own,
                        const char *const *landmarks, places *found)
{
    for (size_t i = 0; i < c->count && !found->more; i++) {
        const char *name = c->tensors[i].name;
        size_t length = strlen(name);
        for (const char *const *mark = landmarks; *mark; mark++) {
            size_t n = strlen(*mark);
            if (length < n || strcmp(name + length - n, *mark) != 0) continue;
            char before = length == n ? '.' : name[length - n - 1];
            if (before == '.' || before == '/') add_place(found, name, length - n, own[i]);
        }
    }
}

/* Every tensor counts for the innermost place that it lies in. */
static void count_tensors(const sgm_checkpoint *c, places *found)
{
    for (size_t i = 0; i < c->count; i++) {
        place *innermost = NULL;
        for (int k = 0; k < found->count; k++) {
            place *p = &found->at[k];
            if (begins(c->tensors[i].name, p) && (!innermost || p->length > innermost->length))
                innermost = p;
        }
        if (innermost) innermost->tensors++;
    }
}

/* The place of nine in ten tensors: a loss's own buffers may stand beside it. */
static const place *main_place(const sgm_checkpoint *c, const places *found)
{
    for (int i = 0; i < found->count; i++)
        if (found->at[i].tensors * 10 >= c->count * 9) return &found->at[i];
    return NULL;
}

/* ------------------------------------------------------------------------------------- messages */

enum { KEEP_ONE_BYTES = 400 };

/* The line of Python that saves one network alone. It sees the file's own names, and dicts side by
 * side as such, whose keys the names of a PyTorch file begin with here ("student/"). */
static const char *keep_one(const sgm_checkpoint *c, const place *p, char line[KEEP_ONE_BYTES])
{
    char text[96], dict[128] = "weights";
    const char *prefix = p->own;
    size_t length = length_with_shells(prefix, p->length);
    const char *slash = strncmp(c->format, "PyTorch", 7) ? NULL : memchr(prefix, '/', length);
    if (slash) {
        size_t key = (size_t)(slash - prefix);
        snprintf(dict, sizeof dict, "weights[\"%s\"]", sgm_printable(prefix, key, text));
        prefix += key + 1;
        length -= key + 1;
    }
    if (length == 0)
        snprintf(line, KEEP_ONE_BYTES,
                 "in Python, of the dict of weights: torch.save(%s, \"new.pth\")", dict);
    else
        snprintf(
            line, KEEP_ONE_BYTES,
            "in Python, of the dict of weights: torch.save({k[%zu:]: v for k, v in %s.items() if "
            "k.startswith(\"%s\")}, \"new.pth\")",
            length, dict, sgm_printable(prefix, length, text));
    return line;
}

static const char *place_text(const place *p, char text[96])
{
    return sgm_printable(p->prefix, p->length, text);
}

static sgm_status fail_several(const sgm_checkpoint *c, const places *found)
{
    enum { NAMED = 4 };
    char list[512] = "", text[96], line[KEEP_ONE_BYTES];
    size_t used = 0;
    for (int i = 0; i < found->count && i < NAMED; i++) {
        const place *p = &found->at[i];
        const char *comma = i ? ", " : "";
        used +=
            (size_t)(p->length ? snprintf(list + used, sizeof list - used, "%s'%s' (%zu tensors)",
                                          comma, place_text(p, text), p->tensors)
                               : snprintf(list + used, sizeof list - used,
                                          "%sno prefix (%zu tensors)", comma, p->tensors));
    }
    const place *example = &found->at[found->at[0].length == 0];
    return sgm_fail(SGM_BAD_MODEL, "several networks in one file, below %s%s: keep one of them, %s",
                    list, found->count > NAMED || found->more ? ", ..." : "",
                    keep_one(c, example, line));
}

static sgm_status fail_part(const sgm_checkpoint *c, const place *p)
{
    char prefix[96], text[96], line[KEEP_ONE_BYTES];
    const char *outside = "";
    for (size_t i = 0; i < c->count && !*outside; i++)
        if (!begins(c->tensors[i].name, p)) outside = c->tensors[i].name;
    place_text(p, prefix);
    return sgm_fail(SGM_BAD_MODEL,
                    "the network below '%s' is a part of a larger one: %zu of %zu tensors are not "
                    "its, '%s' for one; if it is to be used without them, %s",
                    prefix, c->count - p->tensors, c->count,
                    sgm_printable(outside, strlen(outside), text), keep_one(c, p, line));
}

/* -------------------------------------------------------------------------------------- taking off
 */

static sgm_status check_unique(const sgm_checkpoint *c, const place *p)
{
    char name[96], prefix[96];
    for (size_t i = 0; i < c->count; i++) {
        const char *rest = c->tensors[i].name + p->length;
        if (begins(c->tensors[i].name, p) && sgm_checkpoint_find(c, rest))
            return sgm_fail(SGM_BAD_MODEL, "tensor '%s' is there with and without '%s' before it",
                            sgm_printable(rest, strlen(rest), name), place_text(p, prefix));
    }
    return SGM_OK;
}

static sgm_status take_off(sgm_checkpoint *c, const place *p)
{
    SGM_TRY(check_unique(c, p));
    char *prefix = sgm_parse_arena_text(&c->arena, p->prefix, p->length);
    if (!prefix) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for a prefix");
    for (size_t i = 0; i < c->count; i++) {
        if (begins(c->tensors[i].name, p))
            c->tensors[i].name += p->length;
        else
            c->tensors[i].beside = true;
    }
    c->prefix = prefix;
    return sgm_checkpoint_build_index(c);
}

/* `own`: the file's own names of all tensors. */
static sgm_status find_and_take_off(sgm_checkpoint *c, const char *const *own,
                                    const char *const *landmarks)
{
    places found = {0};
    SGM_TRY(leave_out_shells(c));
    SGM_TRY(sgm_checkpoint_build_index(c));
    find_places(c, own, landmarks, &found);
    count_tensors(c, &found);
    const place *network = main_place(c, &found);
    if (found.count > 0 && !network)
        return found.count > 1 || found.more ? fail_several(c, &found) : fail_part(c, &found.at[0]);
    return network && network->length > 0 ? take_off(c, network) : SGM_OK;
}

sgm_status sgm_checkpoint_take_off_prefix(sgm_checkpoint *c, const char *const *landmarks)
{
    const char **own = malloc((c->count + 1) * sizeof *own);
    if (!own) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for names");
    for (size_t i = 0; i < c->count; i++)
        own[i] = c->tensors[i].name;
    sgm_status status = find_and_take_off(c, own, landmarks);
    free(own);
    return status;
}
