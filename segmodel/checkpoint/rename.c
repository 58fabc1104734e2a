#include "checkpoint/rename.h"

#include "checkpoint/checkpoint_build.h"
#include "core/status.h"

#include <string.h>

/* Where a change's `from` was found in a name. */
typedef struct {
    size_t length; /* bytes of the name that it takes */
    const char *digits;
    size_t digit_count; /* of '#' */
} match;

static bool matches(const char *from, size_t size, const char *name, match *out)
{
    const char *at = name;
    *out = (match){0};
    for (size_t i = 0; i < size; i++) {
        if (from[i] == '#') {
            out->digits = at;
            out->digit_count = strspn(at, "0123456789");
            if (out->digit_count == 0) return false;
            at += out->digit_count;
        } else if (*at++ != from[i]) {
            return false;
        }
    }
    out->length = (size_t)(at - name);
    return true;
}

static const char *replaced(sgm_checkpoint *c, const char *to, size_t size, const char *name,
                            const match *found)
{
    const char *rest = name + found->length;
    char *made = sgm_parse_arena_alloc(&c->arena, size + found->digit_count + strlen(rest) + 1);
    char *at = made;
    if (!made) return NULL;
    for (size_t i = 0; i < size; i++) {
        bool number = to[i] == '#';
        size_t n = number ? found->digit_count : 1;
        memcpy(at, number ? found->digits : to + i, n);
        at += n;
    }
    memcpy(at, rest, strlen(rest) + 1);
    return made;
}

const char *sgm_checkpoint_changed_name(sgm_checkpoint *c, const char *changes, const char *name)
{
    while (changes && *changes) {
        size_t from = strcspn(changes, "="), to = strcspn(changes + from + 1, ",");
        match found;
        if (matches(changes, from, name, &found))
            return replaced(c, changes + from + 1, to, name, &found);
        changes += from + 1 + to;
        changes += *changes == ',';
    }
    return name;
}

sgm_status sgm_checkpoint_rename(sgm_checkpoint *c, const char *changes)
{
    for (size_t i = 0; i < c->count; i++) {
        const char *name = sgm_checkpoint_changed_name(c, changes, c->tensors[i].name);
        if (!name) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for names");
        c->tensors[i].name = name;
    }
    return sgm_checkpoint_build_index(c);
}

void sgm_checkpoint_leave_out(sgm_checkpoint *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->tensors[i].name, name) == 0) c->tensors[i].beside = true;
}
