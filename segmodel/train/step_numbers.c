#include "train/step_numbers.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/transfer.h"

enum { NORM = -1 };

struct sgm_awaited_number {
    int64_t step;
    int part; /* from 0; NORM */
    void *transfer;
    char items[SGM_STEP_ITEMS];
};

sgm_status sgm_step_numbers_create(sgm_backend *backend, int parts, sgm_step_numbers *out)
{
    *out = (sgm_step_numbers){.backend = backend, .parts = parts, .room = 2 * (parts + 1)};
    out->waiting = calloc((size_t)out->room, sizeof *out->waiting);
    return out->waiting ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory to train");
}

void sgm_step_numbers_clear(sgm_step_numbers *numbers)
{
    for (int i = 0; numbers->waiting && i < numbers->room; i++)
        sgm_transfer_release(numbers->backend, numbers->waiting[i].transfer);
    free(numbers->waiting);
    memset(numbers, 0, sizeof *numbers);
}

static size_t size_of(int part)
{
    return part == NORM ? sizeof(double) : sizeof(float);
}

/* The place of a loss always gets losses, that of a norm norms: transfers keep their size. */
static sgm_status await(sgm_step_numbers *n, int64_t step, int part, const char *items,
                        const void *memory)
{
    if (n->count == n->room) return sgm_fail(SGM_INTERNAL, "more than two steps are under way");
    sgm_awaited_number *a = &n->waiting[(n->first + n->count++) % n->room];
    a->step = step;
    a->part = part;
    snprintf(a->items, sizeof a->items, "%s", items);
    return sgm_download_begin(n->backend, memory, size_of(part), &a->transfer);
}

sgm_status sgm_step_numbers_loss(sgm_step_numbers *numbers, int64_t step, int part,
                                 const char *items, const void *memory)
{
    return await(numbers, step, part, items, memory);
}

sgm_status sgm_step_numbers_norm(sgm_step_numbers *numbers, int64_t step, const char *items,
                                 const void *memory)
{
    return await(numbers, step, NORM, items, memory);
}

static sgm_status settle_loss(sgm_step_numbers *n, const sgm_awaited_number *a)
{
    float value;
    SGM_TRY(sgm_download_end(n->backend, a->transfer, &value, sizeof value));
    if (!isfinite(value))
        return sgm_fail(SGM_INTERNAL,
                        "step %" PRId64 ", part %d: the loss is %g on %s; the last "
                        "saved state is kept",
                        a->step, a->part + 1, (double)value, a->items);
    n->part_loss += value / n->parts;
    return SGM_OK;
}

static sgm_status settle_norm(sgm_step_numbers *n, const sgm_awaited_number *a)
{
    SGM_TRY(sgm_download_end(n->backend, a->transfer, &n->norm, sizeof n->norm));
    if (!isfinite(n->norm))
        return sgm_fail(SGM_INTERNAL,
                        "step %" PRId64 ": the gradient is not finite, last on %s; "
                        "the last saved state is kept",
                        a->step, a->items);
    n->loss_sum += n->part_loss;
    n->loss_count++;
    n->part_loss = 0;
    return SGM_OK;
}

sgm_status sgm_step_numbers_settle(sgm_step_numbers *numbers, int64_t step, int64_t *failed)
{
    while (numbers->count && numbers->waiting[numbers->first].step <= step) {
        const sgm_awaited_number *a = &numbers->waiting[numbers->first];
        numbers->first = (numbers->first + 1) % numbers->room;
        numbers->count--;
        *failed = a->step;
        SGM_TRY(a->part == NORM ? settle_norm(numbers, a) : settle_loss(numbers, a));
    }
    return SGM_OK;
}
