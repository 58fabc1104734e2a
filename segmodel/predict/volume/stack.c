#include "predict/volume/stack.h"

#include "core/status.h"

#include <stdlib.h>

static size_t picture_bytes(const sgm_stack *stack)
{
    const sgm_plane *plane = &stack->plane;
    return (size_t)plane->width * (size_t)plane->height * (size_t)stack->volume->channels;
}

static sgm_status make_room(sgm_stack *stack)
{
    const sgm_plane *plane = &stack->plane;
    size_t pixels = (size_t)plane->width * (size_t)plane->height;
    stack->pixels[0] = malloc(picture_bytes(stack));
    stack->ahead_pixels = malloc(picture_bytes(stack));
    stack->neighbour = malloc(pixels);
    stack->other_neighbour = malloc(pixels);
    stack->voxels = malloc((size_t)plane->columns * (size_t)plane->rows);
    stack->picture = (sgm_image){.data = stack->pixels[0],
                                 .width = plane->width,
                                 .height = plane->height,
                                 .channels = stack->volume->channels};
    stack->ahead = stack->picture;
    stack->ahead.data = stack->ahead_pixels;
    if (stack->pixels[0] && stack->ahead_pixels && stack->neighbour && stack->other_neighbour &&
        stack->voxels)
        return SGM_OK;
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for slices of %d x %d pixels", plane->width,
                    plane->height);
}

sgm_status sgm_stack_init(sgm_stack *stack, const sgm_volume *volume, const sgm_plane *plane,
                          double low, double high)
{
    *stack = (sgm_stack){.volume = volume, .plane = *plane, .shown = -1};
    for (int i = 0; i < SGM_STACK_PICTURES; i++)
        stack->slices[i] = -1;
    sgm_status status = make_room(stack);
    if (status == SGM_OK) status = sgm_slicer_init(&stack->slicer, volume, plane, low, high);
    if (status != SGM_OK) sgm_stack_clear(stack);
    return status;
}

void sgm_stack_clear(sgm_stack *stack)
{
    sgm_slicer_clear(&stack->slicer);
    for (int i = 0; i < SGM_STACK_PICTURES; i++)
        free(stack->pixels[i]);
    free(stack->ahead_pixels);
    free(stack->neighbour);
    free(stack->other_neighbour);
    free(stack->voxels);
    free(stack->region);
    free(stack->behind);
    free(stack->around);
    *stack = (sgm_stack){0};
}

sgm_status sgm_stack_make_regions(sgm_stack *stack)
{
    size_t pixels = (size_t)stack->plane.width * (size_t)stack->plane.height;
    if (!stack->region) stack->region = malloc(pixels * sizeof *stack->region);
    if (!stack->behind) stack->behind = malloc(pixels);
    if (!stack->around) stack->around = malloc(pixels);
    if (stack->region && stack->behind && stack->around) return SGM_OK;
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a click's region");
}

/* The picture that has not been made for longest; without memory for another, the first. */
static int picture_to_make(sgm_stack *stack)
{
    int place = stack->oldest;
    if (!stack->pixels[place]) stack->pixels[place] = malloc(picture_bytes(stack));
    if (!stack->pixels[place]) place = 0;
    stack->oldest = (place + 1) % SGM_STACK_PICTURES;
    return place;
}

void sgm_stack_show(sgm_stack *stack, int64_t slice)
{
    int place = 0;
    if (stack->shown == slice) return;
    while (place < SGM_STACK_PICTURES && stack->slices[place] != slice)
        place++;
    if (place == SGM_STACK_PICTURES) {
        place = picture_to_make(stack);
        sgm_slicer_extract(&stack->slicer, slice, stack->pixels[place]);
        stack->slices[place] = slice;
    }
    stack->picture.data = stack->pixels[place];
    stack->shown = slice;
}

const sgm_image *sgm_stack_look_ahead(sgm_stack *stack, int64_t slice)
{
    sgm_slicer_extract(&stack->slicer, slice, stack->ahead_pixels);
    return &stack->ahead;
}

int64_t sgm_stack_picture(const sgm_stack *stack, int64_t slice)
{
    return 3 * slice + stack->plane.axis;
}

int64_t sgm_stack_slice(int64_t picture)
{
    return picture / 3;
}

sgm_status sgm_stack_pack(sgm_stack *stack, const uint8_t *picture, sgm_packed_mask *packed)
{
    const sgm_plane *plane = &stack->plane;
    sgm_slice_store(plane, picture, stack->voxels);
    return sgm_packed_mask_make(stack->voxels, (int)plane->columns, (int)plane->rows, packed);
}

void sgm_stack_unpack(sgm_stack *stack, const sgm_packed_mask *packed, uint8_t *picture)
{
    const sgm_plane *plane = &stack->plane;
    sgm_packed_mask_unpack(packed, (int)plane->columns, (int)plane->rows, stack->voxels);
    sgm_slice_load(plane, stack->voxels, picture);
}
