#include "dicom_groups.h"

#include "io_status.h"

#include <string.h>

int sgio_dicom_has_groups(const sgio_dicom_set *set)
{
    return sgio_dicom_find(set, DICOM_SHARED_GROUPS) || sgio_dicom_find(set, DICOM_FRAME_GROUPS);
}

/* The first item of the shared groups; an empty set where there is none. */
static sgio_status read_shared(const sgio_dicom_set *set, sgio_dicom_set *shared)
{
    const sgio_dicom_element *sequence = sgio_dicom_find(set, DICOM_SHARED_GROUPS);
    sgio_dicom_cursor items, item;
    memset(shared, 0, sizeof *shared);
    if (!sequence) return SGIO_OK;
    sgio_dicom_enter(sequence, &items);
    int more = sgio_dicom_next_item(set->file, &items, &item);
    if (more < 0) return SGIO_UNREADABLE;
    return more > 0 ? sgio_dicom_read_item(set, &item, shared) : SGIO_OK;
}

static sgio_status wrong_count(const sgio_dicom_set *set, int count, int found)
{
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: %d frames, but functional groups of %d%s: where they lie is not known",
                     sgio_dicom_path(set->file), count, found, found > count ? " or more" : "");
}

/* At most `most` of the frames that have groups of their own; *found: how many there were. */
static sgio_status walk(const sgio_dicom_set *set, const sgio_dicom_set *shared, int most,
                        sgio_dicom_frame_fn use, void *user, int *found)
{
    const sgio_dicom_element *sequence = sgio_dicom_find(set, DICOM_FRAME_GROUPS);
    sgio_dicom_cursor items, item;
    sgio_status status = SGIO_OK;
    int more = 0;
    *found = 0;
    if (!sequence) return SGIO_OK;
    sgio_dicom_enter(sequence, &items);
    while (status == SGIO_OK && *found < most &&
           (more = sgio_dicom_next_item(set->file, &items, &item)) > 0) {
        sgio_dicom_set own;
        status = sgio_dicom_read_item(set, &item, &own);
        const sgio_dicom_frame frame = {(*found)++, &own, shared};
        if (status == SGIO_OK) status = use(user, &frame);
        sgio_dicom_set_clear(&own);
    }
    return more < 0 ? SGIO_UNREADABLE : status;
}

/* Counts before anything is made of them. */
static sgio_status pass(void *user, const sgio_dicom_frame *frame)
{
    (void)user;
    (void)frame;
    return SGIO_OK;
}

static sgio_status use_frames(const sgio_dicom_set *set, const sgio_dicom_set *shared, int count,
                              sgio_dicom_frame_fn use, void *user)
{
    const sgio_dicom_frame only = {0, NULL, shared};
    int found;
    if (count == 1 && !sgio_dicom_find(set, DICOM_FRAME_GROUPS)) return use(user, &only);
    sgio_status status = walk(set, shared, count < 1 ? 1 : count + 1, pass, NULL, &found);
    if (status != SGIO_OK) return status;
    if (found != count) return wrong_count(set, count, found);
    return walk(set, shared, count, use, user, &found);
}

sgio_status sgio_dicom_for_frames(const sgio_dicom_set *set, int count, sgio_dicom_frame_fn use,
                                  void *user)
{
    sgio_dicom_set shared;
    sgio_status status = read_shared(set, &shared);
    if (status == SGIO_OK) status = use_frames(set, &shared, count, use, user);
    sgio_dicom_set_clear(&shared);
    return status;
}

sgio_status sgio_dicom_in_frame(const sgio_dicom_frame *frame, enum sgio_dicom_tag group,
                                sgio_dicom_item_fn use, void *user)
{
    int is_own = frame->own && sgio_dicom_find(frame->own, group);
    const sgio_dicom_set *set = is_own ? frame->own : frame->shared;
    return set && set->file ? sgio_dicom_for_items(set, group, use, user) : SGIO_OK;
}

static int has_group(const sgio_dicom_frame *frame, enum sgio_dicom_tag group)
{
    return (frame->own && sgio_dicom_find(frame->own, group)) ||
           (frame->shared && sgio_dicom_find(frame->shared, group));
}

static sgio_status note_place(void *user, const sgio_dicom_frame *frame)
{
    int *have = user;
    *have = has_group(frame, DICOM_PLANE_POSITIONS) ||
            has_group(frame, DICOM_PLANE_POSITIONS_IN_VOLUME);
    return SGIO_OK;
}

sgio_status sgio_dicom_frames_have_places(const sgio_dicom_set *set, int *have)
{
    sgio_dicom_set shared;
    int found;
    *have = 0;
    sgio_status status = read_shared(set, &shared);
    if (status == SGIO_OK) status = walk(set, &shared, 1, note_place, have, &found);
    sgio_dicom_set_clear(&shared);
    return status;
}
