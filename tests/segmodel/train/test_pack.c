/* Packs: what is written comes back, damaged ones are refused, a failed write leaves nothing. */
#include <stdlib.h>

#include "../check.h"
#include "../portable.h"
#include "train/pack_format.h"
#include "train/rng.h"

enum { WIDTH = 37, HEIGHT = 21, PIXELS = WIDTH * HEIGHT };
static const char *const PATH = "test_pack.pack";

typedef struct sample {
    uint8_t image[3 * PIXELS], label[2 * PIXELS];
} sample;

/* A smooth picture, as the compact form expects, and labels with values over 255. */
static void fill(sample *s, int channels)
{
    for (int i = 0; i < PIXELS; i++) {
        int x = i % WIDTH, y = i / WIDTH;
        for (int c = 0; c < channels; c++)
            s->image[i * channels + c] = (uint8_t)(40 + 3 * x + 2 * y + 20 * c);
        s->label[2 * i] = (uint8_t)(x > 10 && y > 5 ? 44 : 0);
        s->label[2 * i + 1] = (uint8_t)(x > 10 && y > 5 ? 1 : 0);
    }
}

static sgm_status write_pack(int quality)
{
    static sample grey, colour;
    sgm_pack_writer *writer;
    int first, second;
    fill(&grey, 1);
    fill(&colour, 3);
    SGM_TRY(sgm_pack_writer_open(PATH, quality, &writer));
    sgm_pack_set sets[2] = {{"one", "CT", "liver", false, false, false},
                            {"two", "US", "", true, true, true}};
    CHECK_OK(sgm_pack_writer_set(writer, &sets[0], &first));
    CHECK_OK(sgm_pack_writer_set(writer, &sets[1], &second));
    sgm_pack_item a = {"a", first,      SGM_SPLIT_TRAIN, WIDTH, HEIGHT, 1,
                       2,   grey.image, grey.label,      3,     40};
    sgm_pack_item b = {"b", second, SGM_SPLIT_VALIDATION, WIDTH,       HEIGHT,
                       3,   1,      colour.image,         colour.label};
    CHECK_OK(sgm_pack_writer_item(writer, &a));
    CHECK_OK(sgm_pack_writer_item(writer, &b));
    a.set = 7;
    CHECK_STATUS(sgm_pack_writer_item(writer, &a), SGM_INVALID_ARGUMENT, "a");
    return sgm_pack_writer_finish(writer);
}

static void check_contents(int quality, int tolerance)
{
    sgm_pack *pack;
    static sample grey, colour;
    fill(&grey, 1);
    fill(&colour, 3);
    if (!CHECK_OK(write_pack(quality)) || !CHECK_OK(sgm_pack_open(PATH, &pack))) return;
    CHECK(sgm_pack_item_at(pack, 0)->volume == 3 && sgm_pack_item_at(pack, 0)->slice == 40);
    CHECK(sgm_pack_item_at(pack, 1)->volume == 0 && sgm_pack_neighbour(pack, 1, -1) < 0);
    CHECK(sgm_pack_item_count(pack) == 2 && sgm_pack_set_count(pack) == 2);
    const sgm_pack_set *two = sgm_pack_set_at(pack, 1);
    CHECK(!strcmp(two->name, "two") && !strcmp(two->modality, "US"));
    CHECK(two->instances && two->held_out && two->thin && !sgm_pack_set_at(pack, 0)->thin);
    const sgm_pack_item *a = sgm_pack_item_at(pack, 0), *b = sgm_pack_item_at(pack, 1);
    CHECK(!strcmp(a->id, "a") && a->set == 0 && a->width == WIDTH && a->height == HEIGHT);
    CHECK(b->split == SGM_SPLIT_VALIDATION && b->channels == 3 && b->label_bytes == 1);
    CHECK(sgm_pack_label(a, 11, 6) == 300 && sgm_pack_label(a, 0, 0) == 0);
    int worst = 0;
    for (int i = 0; i < PIXELS; i++)
        worst = abs(a->image[i] - grey.image[i]) > worst ? abs(a->image[i] - grey.image[i]) : worst;
    for (int i = 0; i < 3 * PIXELS; i++) {
        int d = abs(b->image[i] - colour.image[i]);
        worst = d > worst ? d : worst;
    }
    CHECK(worst <= tolerance);
    sgm_pack_close(pack);
}

/* Slices are found beside each other wherever they lie, and never across volumes, sets or sizes. */
static void check_neighbours(void)
{
    static sample grey;
    static const struct {
        int set, volume, slice, width;
    } ITEMS[] = {{0, 1, 7, WIDTH}, {0, 1, 8, WIDTH}, {0, 2, 9, WIDTH},        {0, 1, 9, WIDTH},
                 {1, 1, 6, WIDTH}, {0, 1, 6, 10},    {0, 65535, 65535, WIDTH}};
    sgm_pack_writer *writer;
    sgm_pack *pack;
    int index;
    fill(&grey, 1);
    CHECK_OK(sgm_pack_writer_open(PATH, 0, &writer));
    sgm_pack_set set = {"one", "", "", false, false, false};
    CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
    CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
    for (size_t i = 0; i < sizeof ITEMS / sizeof *ITEMS; i++) {
        char id[8];
        snprintf(id, sizeof id, "a%zu", i);
        sgm_pack_item item = {id, ITEMS[i].set, SGM_SPLIT_TRAIN, ITEMS[i].width,  HEIGHT,        1,
                              1,  grey.image,   grey.label,      ITEMS[i].volume, ITEMS[i].slice};
        CHECK_OK(sgm_pack_writer_item(writer, &item));
    }
    CHECK_OK(sgm_pack_writer_finish(writer));
    if (!CHECK_OK(sgm_pack_open(PATH, &pack))) return;
    CHECK(sgm_pack_neighbour(pack, 0, 1) == 1 && sgm_pack_neighbour(pack, 1, -1) == 0);
    CHECK(sgm_pack_neighbour(pack, 1, 1) == 3 && sgm_pack_neighbour(pack, 3, -2) == 0);
    CHECK(sgm_pack_neighbour(pack, 0, -1) < 0 && sgm_pack_neighbour(pack, 2, -1) < 0);
    CHECK(sgm_pack_neighbour(pack, 6, 1) < 0);
    sgm_pack_close(pack);
}

static uint8_t *read_file(size_t *size)
{
    FILE *stream = fopen(PATH, "rb");
    uint8_t *bytes = malloc(1 << 20);
    *size = stream && bytes ? fread(bytes, 1, 1 << 20, stream) : 0;
    if (stream) fclose(stream);
    return bytes;
}

static void check_damage(void)
{
    size_t size;
    sgm_pack *pack;
    CHECK_OK(write_pack(0));
    uint8_t *bytes = read_file(&size);
    CHECK(size > 200);
    uint64_t items = sgm_pack_get(bytes + 16, 8), sets = sgm_pack_get(bytes + 24, 8);
    const struct {
        uint64_t at;
        int bytes;
        uint64_t value;
        const char *says;
    } CASES[] = {{0, 1, 'X', "begin"},
                 {8, 4, 0, "number of items"},
                 {8, 4, 0xFFFFFFFF, "number of items"},
                 {8, 4, 900, "table"},
                 {16, 8, size + 5, "table"},
                 {16, 8, UINT64_MAX - 8, "table"},
                 {32, 8, size + 1, "cut"},
                 {items, 8, size - 3, "outside"},
                 {items, 8, UINT64_MAX, "outside"},
                 {items, 8, 3, "outside"},
                 {items + 32, 2, 0, "record"},
                 {items + 32, 2, 65535, "record"},
                 {items + 32, 2, WIDTH + 1, "outside"},
                 {items + 36, 2, 2, "record"},
                 {items + 38, 1, 2, "record"},
                 {items + 39, 1, 3, "record"},
                 {items + 40, 1, 2, "record"},
                 {items + 41, 1, 2, "record"},
                 {sets, 1, 0, "no name"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        uint64_t kept = sgm_pack_get(bytes + CASES[i].at, CASES[i].bytes);
        sgm_pack_put(bytes + CASES[i].at, CASES[i].bytes, CASES[i].value);
        CHECK_STATUS(sgm_pack_open_memory(bytes, size, "damaged", &pack), SGM_UNREADABLE,
                     CASES[i].says);
        sgm_pack_put(bytes + CASES[i].at, CASES[i].bytes, kept);
    }
    for (size_t cut = 0; cut < size; cut += 13)
        CHECK_STATUS(sgm_pack_open_memory(bytes, cut, "cut", &pack), SGM_UNREADABLE, "cut");
    memset(bytes + sets, 'n', SGM_PACK_TEXT);
    CHECK_STATUS(sgm_pack_open_memory(bytes, size, "endless", &pack), SGM_UNREADABLE, "never ends");
    free(bytes);
}

/* Two items of that name in sets of those names; what comes of it is the writer's word. */
static sgm_status write_twins(const char *first_set, const char *second_set)
{
    static sample grey;
    sgm_pack_writer *writer;
    const char *names[2] = {first_set, second_set};
    fill(&grey, 1);
    SGM_TRY(sgm_pack_writer_open(PATH, 0, &writer));
    for (int i = 0; i < 2; i++) {
        int index;
        sgm_pack_set set = {names[i], "CT", "", false, i == 1, false};
        sgm_pack_item item = {"twin", i, SGM_SPLIT_VALIDATION, WIDTH,     HEIGHT,
                              1,      1, grey.image,           grey.label};
        CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
        CHECK_OK(sgm_pack_writer_item(writer, &item));
    }
    return sgm_pack_writer_finish(writer);
}

/* What is held out of a set is a second one of its name: a name is one item's in both together. An
 * old pack may have it twice. */
static void check_names(void)
{
    sgm_pack *pack;
    size_t size;
    unlink(PATH);
    CHECK_STATUS(write_twins("one", "one"), SGM_INVALID_ARGUMENT,
                 "two items of data set one are named twin");
    CHECK(access(PATH, F_OK) != 0);
    CHECK_OK(write_twins("one", "two"));
    uint8_t *bytes = read_file(&size);
    memcpy(bytes + sgm_pack_get(bytes + 24, 8) + SGM_PACK_SET_SIZE, "one", 4);
    if (CHECK_OK(sgm_pack_open_memory(bytes, size, "old", &pack))) sgm_pack_close(pack);
    free(bytes);
}

static void check_refusals(void)
{
    sgm_pack_writer *writer;
    sgm_pack *pack;
    CHECK_STATUS(sgm_pack_open("no such file", &pack), SGM_UNREADABLE, "no such file");
    CHECK_STATUS(sgm_pack_writer_open("no/such/folder/x.pack", 0, &writer), SGM_UNWRITABLE,
                 "no/such/folder");
    unlink(PATH);
    CHECK_OK(sgm_pack_writer_open(PATH, 0, &writer));
    CHECK_STATUS(sgm_pack_writer_finish(writer), SGM_INVALID_ARGUMENT, "at least one");
    CHECK(access(PATH, F_OK) != 0);
    { /* giving up leaves the old file alone */
        CHECK_OK(write_pack(0));
        struct stat before, after;
        stat(PATH, &before);
        CHECK_OK(sgm_pack_writer_open(PATH, 0, &writer));
        sgm_pack_writer_discard(writer);
        stat(PATH, &after);
        CHECK(before.st_size == after.st_size);
    }
}

static sgm_pack_content content_of(const void *bytes, size_t size)
{
    sgm_pack *pack;
    sgm_pack_content content = {0}, again = {0};
    if (!CHECK_OK(sgm_pack_open_memory(bytes, size, "memory", &pack))) return content;
    CHECK_OK(sgm_pack_content_of(pack, &content));
    CHECK_OK(sgm_pack_content_of(pack, &again));
    CHECK(!memcmp(&content, &again, sizeof content));
    sgm_pack_close(pack);
    return content;
}

/* Every pixel and every label counts, each for its own hash; the file's are those of memory. */
static void check_content(int quality)
{
    static uint8_t bytes[1 << 16];
    CHECK_OK(write_pack(quality));
    FILE *stream = fopen(PATH, "rb");
    size_t size = stream ? fread(bytes, 1, sizeof bytes, stream) : 0;
    if (stream) fclose(stream);
    if (!CHECK(size > 0 && size < sizeof bytes)) return;
    sgm_pack *pack;
    sgm_pack_content whole = content_of(bytes, size), file = {0};
    CHECK_OK(sgm_pack_open(PATH, &pack));
    CHECK_OK(sgm_pack_content_of(pack, &file));
    CHECK(file.pictures == whole.pictures && file.labels == whole.labels);
    sgm_pack_close(pack);
    const uint8_t *record = bytes + sgm_pack_get(bytes + 16, 8);
    for (int i = 0; i < 2; i++, record += SGM_PACK_ITEM_SIZE)
        for (int part = 0; part < 2; part++) {
            uint64_t begin = sgm_pack_get(record + 8 * part, 8);
            uint64_t length = sgm_pack_get(record + 16 + 8 * part, 8);
            for (uint64_t at = 0; at < length; at += at + 101 < length ? 100 : 1) {
                bytes[begin + at] ^= 4;
                sgm_pack_content other = content_of(bytes, size);
                CHECK((other.pictures != whole.pictures) == (part == 0));
                CHECK((other.labels != whole.labels) == (part == 1));
                bytes[begin + at] ^= 4;
            }
        }
}

int main(void)
{
    check_contents(0, 0);
    check_contents(75, 12); /* JPEG at 75 on a ramp, with its steps at block edges */
    check_content(0);
    check_content(75);
    check_neighbours();
    check_damage();
    check_names();
    check_refusals();
    unlink(PATH);
    return check_report();
}
