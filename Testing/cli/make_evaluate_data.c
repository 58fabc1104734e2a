/* Writes the small label maps that the tests of PromptSegEvaluate compare. argv[1]: folder.
 *
 * Every grid is 16 x 14 x 10 voxels. The files are NRRD written here by hand, so that nothing of
 * the library under test is used; sets of pictures are PNG files of 32 x 32. */
#include "make_structures.h"

#include <png.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NX = 16, NY = 14, NZ = 10, VOXELS = NX * NY * NZ };

static const char plain[] = "(0.5,0,0) (0,0.5,0) (0,0,2)";
static const char tilted[] = "(0.5,0,0) (0,0.5,0.8) (0,0,2)";
static const char origin[] = "(-10,20,30)";

static void box(uint8_t *voxels, uint8_t label, int i0, int i1, int j0, int j1, int k0, int k1)
{
    for (int k = k0; k <= k1; k++)
        for (int j = j0; j <= j1; j++)
            memset(voxels + (k * NY + j) * NX + i0, label, (size_t)(i1 - i0 + 1));
}

static FILE *create(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "wb");
    if (!stream) {
        perror(path);
        exit(1);
    }
    return stream;
}

static void finish(FILE *stream, const void *data, size_t size)
{
    fwrite(data, 1, size, stream);
    if (fclose(stream) != 0) exit(1);
}

static void write_map(const char *folder, const char *name, const char *directions, const char *at,
                      const char *keys, const uint8_t *voxels)
{
    FILE *stream = create(folder, name);
    fprintf(stream,
            "NRRD0004\ntype: unsigned char\ndimension: 3\nspace: left-posterior-superior\n"
            "sizes: %d %d %d\nspace directions: %s\nkinds: domain domain domain\nencoding: raw\n"
            "space origin: %s\n%s\n",
            NX, NY, NZ, directions, at, keys);
    finish(stream, voxels, VOXELS);
}

/* Slicer's form for overlapping segments: list axis first, so that a voxel's layers are adjacent.
 */
static void write_layers(const char *folder, const char *name, const char *keys,
                         const uint8_t *first, const uint8_t *second)
{
    static uint8_t both[2 * VOXELS];
    for (int i = 0; i < VOXELS; i++) {
        both[2 * i] = first[i];
        both[2 * i + 1] = second[i];
    }
    FILE *stream = create(folder, name);
    fprintf(stream,
            "NRRD0004\ntype: unsigned char\ndimension: 4\nspace: left-posterior-superior\n"
            "sizes: 2 %d %d %d\nspace directions: none %s\nkinds: list domain domain domain\n"
            "encoding: raw\nspace origin: %s\n%s\n",
            NX, NY, NZ, plain, origin, keys);
    finish(stream, both, sizeof both);
}

/* As Slicer saves: cut out of the grid, the origin moved along. */
static void write_cropped(const char *folder, const char *name, const int first[3],
                          const int size[3], const char *at, const uint8_t *voxels)
{
    static uint8_t cut[VOXELS];
    const size_t width = (size_t)size[0];
    for (int k = 0; k < size[2]; k++)
        for (int j = 0; j < size[1]; j++)
            memcpy(cut + (size_t)(k * size[1] + j) * width,
                   voxels + ((k + first[2]) * NY + j + first[1]) * NX + first[0], width);
    FILE *stream = create(folder, name);
    fprintf(stream,
            "NRRD0004\ntype: unsigned char\ndimension: 3\nspace: left-posterior-superior\n"
            "sizes: %d %d %d\nspace directions: %s\nkinds: domain domain domain\nencoding: raw\n"
            "space origin: %s\nSegmentation_ReferenceImageExtentOffset:=%d %d %d\n"
            "Segment0_ID:=a\nSegment0_Name:=liver\nSegment0_LabelValue:=1\nSegment0_Layer:=0\n\n",
            size[0], size[1], size[2], plain, at, first[0], first[1], first[2]);
    finish(stream, cut, width * (size_t)size[1] * (size_t)size[2]);
}

/* The same places, the rows counted backwards, as in most NIfTI files of a DICOM series. */
static void write_flipped(const char *folder, const char *name, const uint8_t *voxels)
{
    static uint8_t flipped[VOXELS];
    for (int k = 0; k < NZ; k++)
        for (int j = 0; j < NY; j++)
            memcpy(flipped + (k * NY + j) * NX, voxels + (k * NY + NY - 1 - j) * NX, NX);
    write_map(folder, name, "(0.5,0,0) (0,-0.5,0) (0,0,2)", "(-10,26.5,30)", "", flipped);
}

/* Cut-outs of which neither holds the other, and a leak that only one of them shows. */
static void write_cut_outs(const char *folder, const uint8_t *moved)
{
    static uint8_t leak[VOXELS];
    memcpy(leak, moved, VOXELS);
    leak[(1 * NY + 1) * NX + 1] = 0; /* label 3 */
    box(leak, 1, 12, 15, 10, 13, 0, 3);
    write_map(folder, "leak.nrrd", plain, origin, "", leak);
    write_flipped(folder, "leak_flipped.nrrd", leak);
    write_cropped(folder, "cropped.seg.nrrd", (int[]){3, 4, 2}, (int[]){8, 5, 6}, "(-8.5,22,34)",
                  moved);
    write_cropped(folder, "cropped_leak.seg.nrrd", (int[]){4, 4, 0}, (int[]){12, 10, 10},
                  "(-8,22,30)", leak);
    write_cropped(folder, "far.seg.nrrd", (int[]){3, 4, 2}, (int[]){8, 5, 6}, "(99991.5,50022,34)",
                  moved);
}

/* Without a label: on another grid, and as Slicer says that there is nothing. */
static void write_empty(const char *folder, const uint8_t *none)
{
    write_map(folder, "nothing.nrrd", plain, origin, "", none);
    write_map(folder, "nothing_elsewhere.nrrd", plain, "(-10,20,31)", "", none);
    write_cropped(folder, "no_data.seg.nrrd", (int[]){0, 0, 0}, (int[]){1, 1, 1}, "(7,7,7.3)",
                  none);
}

/* Names against values, and objects that mark nothing. */
static void write_names(const char *folder, const uint8_t *reference)
{
    static uint8_t one[VOXELS], two[VOXELS];
    for (int i = 0; i < VOXELS; i++) {
        one[i] = reference[i] == 1;
        two[i] = reference[i] == 1 ? 2 : reference[i] == 2;
    }
    write_map(folder, "kidney.seg.nrrd", plain, origin,
              "Segment0_ID:=a\nSegment0_Name:=kidney\nSegment0_LabelValue:=1\nSegment0_Layer:=0\n",
              one);
    write_map(folder, "tumour_kidney.seg.nrrd", plain, origin,
              "Segment0_ID:=a\nSegment0_Name:=tumour\nSegment0_LabelValue:=1\nSegment0_Layer:=0\n"
              "Segment1_ID:=b\nSegment1_Name:=kidney\nSegment1_LabelValue:=2\nSegment1_Layer:=0\n",
              two);
    write_map(folder, "capital.seg.nrrd", plain, origin,
              "Segment0_ID:=a\nSegment0_Name:=Liver\nSegment0_LabelValue:=1\nSegment0_Layer:=0\n",
              one);
    write_map(folder, "empty_beside.seg.nrrd", plain, origin,
              "Segment0_ID:=a\nSegment0_Name:=liver\nSegment0_LabelValue:=1\nSegment0_Layer:=0\n"
              "Segment1_ID:=b\nSegment1_Name:=spleen\nSegment1_LabelValue:=2\nSegment1_Layer:=0\n",
              one);
}

/* Grey maps that say what label 1 says: stored in another order, and of another place. */
static void write_grey_maps(const char *folder, const uint8_t *reference)
{
    static uint8_t white[VOXELS];
    for (int i = 0; i < VOXELS; i++)
        white[i] = reference[i] == 1 ? 255 : 0;
    write_flipped(folder, "map_flipped.nrrd", white);
    write_map(folder, "map_elsewhere.nrrd", plain, "(-10,20,31)", "", white);
}

static void write_noise(const char *folder)
{
    static uint8_t noise[VOXELS];
    uint32_t state = 1;
    for (int i = 0; i < VOXELS; i++) {
        state = state * 1664525u + 1013904223u;
        noise[i] = (uint8_t)(state >> 24);
    }
    write_map(folder, "photo.nrrd", plain, origin, "", noise);
}

/* Around the contours of tests/fuzz/corpus/labels/reject_structures_without_grid.dcm. */
static void write_around_contours(const char *folder)
{
    static uint8_t organ[VOXELS];
    box(organ, 1, 2, 5, 3, 7, 2, 4);
    write_map(folder, "around_contours.nrrd", "(0.75,0,0) (0,0.75,0) (0,0,3)", "(-32,12,4)", "",
              organ);
    FILE *stream = create(folder, "contours_cut.nrrd"); /* what is marked there, and no more */
    fprintf(stream, "NRRD0004\ntype: unsigned char\ndimension: 3\nspace: left-posterior-superior\n"
                    "sizes: 4 5 3\nspace directions: (0.75,0,0) (0,0.75,0) (0,0,3)\n"
                    "kinds: domain domain domain\nencoding: raw\n"
                    "space origin: (-30.5,14.25,10)\n\n");
    memset(organ, 1, 60);
    finish(stream, organ, 60);
}

/* A liver at the border of the grid, drawn half a voxel outside it, and structures that reach
 * beyond, by tens and by thousands of voxels. */
static void write_border(const char *folder)
{
    static uint8_t liver[VOXELS];
    const structure at_border = {"liver", {-10.25, -8.25}, {21.75, 23.75}, 34},
                    couch = {"couch", {-30.25, 10.25}, {24.75, 26.25}, 34},
                    wire = {"wire", {-10000, 10000}, {-10000, 10000}, 34};
    box(liver, 1, 0, 3, 4, 7, 2, 5);
    write_map(folder, "border.seg.nrrd", plain, origin,
              "Segment0_ID:=a\nSegment0_Name:=liver\nSegment0_LabelValue:=1\nSegment0_Layer:=0\n",
              liver);
    for (int i = 0; i < VOXELS; i++)
        liver[i] = liver[i] ? 255 : 0;
    write_map(folder, "border_map.nrrd", plain, origin, "", liver);
    write_structures(create(folder, "border.dcm"), &at_border, 1);
    write_structures(create(folder, "border_couch.dcm"), (structure[]){at_border, couch}, 2);
    write_structures(create(folder, "border_wire.dcm"), (structure[]){at_border, wire}, 2);
}

static void write_float(const char *folder)
{
    static float values[VOXELS];
    for (int i = 0; i < VOXELS; i++)
        values[i] = (float)i * 0.37f;
    FILE *stream = create(folder, "intensities.nrrd");
    fprintf(stream,
            "NRRD0004\ntype: float\ndimension: 3\nspace: left-posterior-superior\n"
            "sizes: %d %d %d\nspace directions: %s\nkinds: domain domain domain\n"
            "endian: little\nencoding: raw\nspace origin: %s\n\n",
            NX, NY, NZ, plain, origin);
    finish(stream, values, sizeof values);
}

static void write_broken(const char *folder, const uint8_t *voxels)
{
    finish(create(folder, "empty.nrrd"), "", 0);
    finish(create(folder, "text.nrrd"), "this is no image\n", 17);
    FILE *stream = create(folder, "truncated.nrrd");
    fprintf(stream,
            "NRRD0004\ntype: unsigned char\ndimension: 3\nspace: left-posterior-superior\n"
            "sizes: %d %d %d\nspace directions: %s\nkinds: domain domain domain\nencoding: raw\n"
            "space origin: %s\n\n",
            NX, NY, NZ, plain, origin);
    finish(stream, voxels, VOXELS / 2);
}

enum { SIDE = 32 };

/* folder/set/p<number>.png: a white square of 8 x 8 from (at, at) on; at < 0: nothing. */
static void write_picture(const char *folder, const char *set, int number, int at)
{
    static uint8_t pixels[SIDE * SIDE];
    char path[4096];
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE, .format = PNG_FORMAT_GRAY};
    memset(pixels, 0, sizeof pixels);
    for (int y = at; at >= 0 && y < at + 8; y++)
        memset(pixels + y * SIDE + at, 255, 8);
    snprintf(path, sizeof path, "%s/%s", folder, set);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/p%d.png", folder, set, number);
    if (!png_image_write_to_file(&image, path, 0, pixels, 0, NULL)) exit(1);
}

/* Numbered pictures: what is in one of them is nowhere near what is in the next. */
static void write_sets(const char *folder)
{
    for (int k = 1; k <= 4; k++) {
        write_picture(folder, "set", k, 5 * k);
        write_picture(folder, "set_elsewhere", k + 4, 5 * k);
        if (k > 1) write_picture(folder, "set_lacks_first", k, 5 * k);
        if (k != 2) write_picture(folder, "set_lacks_second", k, 5 * k);
    }
    for (int k = 1; k <= 2; k++) {
        write_picture(folder, "set_crossed_a", k, k == 1 ? 2 : 20);
        write_picture(folder, "set_crossed_b", k, k == 1 ? 20 : 2);
        write_picture(folder, "set_half_a", k, k == 1 ? 2 : -1);
        write_picture(folder, "set_half_b", k, k == 1 ? 3 : -1);
        write_picture(folder, "set_half_c", k, 2 * k);
    }
}

/* The pictures of a set as slices of one file, or pixels `from` and on of their rows and columns.
 */
typedef struct stack {
    int first, last; /* numbers of its slices; backwards where first > last */
    int from, side;
    const char *directions, *at;
} stack;

static void write_stack(const char *folder, const char *name, stack s)
{
    static uint8_t pixels[SIDE * SIDE];
    const int step = s.first > s.last ? -1 : 1;
    FILE *stream = create(folder, name);
    fprintf(stream,
            "NRRD0004\ntype: unsigned char\ndimension: 3\nspace: left-posterior-superior\n"
            "sizes: %d %d %d\nspace directions: %s\n"
            "kinds: domain domain domain\nencoding: raw\nspace origin: %s\n\n",
            s.side, s.side, abs(s.last - s.first) + 1, s.directions, s.at);
    for (int k = s.first; k != s.last + step; k += step) {
        memset(pixels, 0, sizeof pixels);
        for (int y = 5 * k; y < 5 * k + 8; y++)
            memset(pixels + y * SIDE + 5 * k, 255, 8);
        for (int y = s.from; y < s.from + s.side; y++)
            fwrite(pixels + y * SIDE + s.from, 1, (size_t)s.side, stream);
    }
    if (fclose(stream) != 0) exit(1);
}

/* As pictures lie, elsewhere among them, and of a place of its own. */
static void write_stacks(const char *folder)
{
    static const char pixel[] = "(1,0,0) (0,1,0) (0,0,1)", back[] = "(1,0,0) (0,1,0) (0,0,-1)";
    write_stack(folder, "stack.nrrd", (stack){1, 4, 0, SIDE, pixel, "(0,0,0)"});
    write_stack(folder, "stack_short.nrrd", (stack){2, 4, 0, SIDE, pixel, "(0,0,0)"});
    write_stack(folder, "stack_later.nrrd", (stack){2, 4, 0, SIDE, pixel, "(0,0,1)"});
    write_stack(folder, "stack_beyond.nrrd", (stack){1, 4, 0, SIDE, pixel, "(0,0,1)"});
    write_stack(folder, "stack_back.nrrd", (stack){4, 1, 0, SIDE, back, "(0,0,3)"});
    write_stack(folder, "stack_cut.nrrd", (stack){2, 3, 10, 13, pixel, "(10,10,1)"});
    write_stack(folder, "stack_away.nrrd", (stack){1, 4, 0, SIDE, pixel, "(-90,-90,7)"});
    write_stack(folder, "stack_in_mm.nrrd", (stack){1, 4, 0, SIDE, plain, origin});
    write_stack(folder, "stack_in_mm_short.nrrd", (stack){2, 4, 0, SIDE, plain, origin});
}

int main(int argc, char **argv)
{
    static uint8_t reference[VOXELS], moved[VOXELS], second[VOXELS], none[VOXELS];
    if (argc != 2) return 1;
    const char *folder = argv[1];
    box(reference, 1, 3, 6, 4, 7, 2, 5);
    box(reference, 2, 10, 13, 4, 7, 2, 5);
    box(moved, 1, 4, 7, 4, 7, 2, 5); /* one voxel along i: 0.5 mm */
    box(moved, 3, 1, 1, 1, 1, 1, 1);
    box(second, 5, 5, 8, 4, 7, 2, 5); /* overlaps label 1 of `reference` */
    write_map(folder, "reference.nrrd", plain, origin, "", reference);
    write_map(folder, "moved.nrrd", plain, origin, "", moved);
    write_map(folder, "shifted_grid.nrrd", plain, "(-10,20,31)", "", moved);
    write_map(folder, "reference_tilted.nrrd", tilted, origin, "", reference);
    write_map(folder, "moved_tilted.nrrd", tilted, origin, "", moved);
    write_empty(folder, none);
    write_layers(folder, "layers.seg.nrrd",
                 "Segment0_ID:=Segment_1\nSegment0_Name:=liver\nSegment0_Layer:=0\n"
                 "Segment0_LabelValue:=1\nSegment1_ID:=Segment_2\nSegment1_Name:=tumour, \"left\"\n"
                 "Segment1_Layer:=1\nSegment1_LabelValue:=5\n",
                 reference, second);
    /* The same names, other values: must be matched by name. */
    for (int i = 0; i < VOXELS; i++)
        none[i] = moved[i] == 1 ? 9 : 0;
    write_map(folder, "named.seg.nrrd", plain, origin,
              "Segment0_ID:=a\nSegment0_Name:=liver\nSegment0_LabelValue:=9\nSegment0_Layer:=0\n",
              none);
    write_map(folder, "nine.nrrd", plain, origin, "", none);
    write_cut_outs(folder, moved);
    write_float(folder);
    write_sets(folder);
    write_stacks(folder);
    write_names(folder, reference);
    write_grey_maps(folder, reference);
    write_noise(folder);
    write_around_contours(folder);
    write_border(folder);
    write_broken(folder, reference);
    return 0;
}
