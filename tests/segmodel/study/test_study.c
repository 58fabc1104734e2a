/* test_study SAM_SMALL.safetensors
 *
 * Whole small studies: what is asked, and that the same settings give the same files. */
#include <stdlib.h>

#include "../check.h"
#include "core/files.h"
#include "models/registry.h"
#include "study/study.h"

enum { SIDE = 64, PIXELS = SIDE * SIDE };
static const char *const PATH = "test_study.pack";

static int in_disc(int i, int x, int y, int radius)
{
    const int dx = i % SIDE - x, dy = i / SIDE - y;
    return dx * dx + dy * dy < radius * radius;
}

/* A picture with a disc of class 1 and one of class 2. */
static void write_item(sgm_pack_writer *writer, int number, int set, int volume)
{
    static uint8_t image[PIXELS], label[PIXELS];
    for (int i = 0; i < PIXELS; i++) {
        label[i] = (uint8_t)(in_disc(i, 15 + number, 16, 8) ? 1 : in_disc(i, 32, 46, 12) ? 2 : 0);
        image[i] = (uint8_t)(60 + 70 * label[i] + (i * 7 + number) % 13);
    }
    sgm_pack_item item = {"a",    set,   SGM_SPLIT_VALIDATION, SIDE, SIDE, 1, 1, image, label,
                          volume, number};
    char id[8];
    snprintf(id, sizeof id, "p%d", number);
    item.id = id;
    CHECK_OK(sgm_pack_writer_item(writer, &item));
}

static sgm_pack *make_pack(void)
{
    const sgm_pack_set pictures = {"pictures", "US", "disc", false, false, false};
    const sgm_pack_set stack = {"stack", "CT", "disc", false, false, false};
    sgm_pack_writer *writer;
    sgm_pack *pack = NULL;
    int first, second;
    CHECK_OK(sgm_pack_writer_open(PATH, 0, &writer));
    CHECK_OK(sgm_pack_writer_set(writer, &pictures, &first));
    CHECK_OK(sgm_pack_writer_set(writer, &stack, &second));
    write_item(writer, 0, first, 0);
    write_item(writer, 1, first, 0);
    write_item(writer, 2, second, 1);
    write_item(writer, 3, second, 1);
    CHECK_OK(sgm_pack_writer_finish(writer));
    CHECK_OK(sgm_pack_open(PATH, &pack));
    return pack;
}

static void read_all(const char *path, char **bytes, size_t *size)
{
    FILE *stream = sgm_fopen(path, "rb");
    *bytes = calloc(4 << 20, 1);
    *size = stream ? fread(*bytes, 1, 4 << 20, stream) : 0;
    if (stream) fclose(stream);
}

/* Whether two files hold the same, and something. */
static int same_files(const char *a, const char *b)
{
    char *first, *second;
    size_t sizes[2];
    read_all(a, &first, &sizes[0]);
    read_all(b, &second, &sizes[1]);
    const int same = sizes[0] > 0 && sizes[0] == sizes[1] && !memcmp(first, second, sizes[0]);
    free(first);
    free(second);
    return same;
}

static void write_all(const sgm_study *study, const sgm_study_groups *groups, int run)
{
    char path[64];
    snprintf(path, sizeof path, "test_study_rows_%d.csv", run);
    CHECK_OK(sgm_study_write_rows(study, path));
    snprintf(path, sizeof path, "test_study_table_%d.csv", run);
    CHECK_OK(sgm_study_write_table(study, groups, path));
    snprintf(path, sizeof path, "test_study_table_%d.md", run);
    CHECK_OK(sgm_study_write_markdown(study, groups, path));
    snprintf(path, sizeof path, "test_study_plot_%d.png", run);
    CHECK_OK(sgm_study_write_plot(study, groups, path));
}

/* Two objects in each of four pictures; pictures alone are units, slices of the volume one. */
static void check_groups(const sgm_study *study, const sgm_study_groups *groups)
{
    const int repeats = study->config.repeats;
    CHECK(study->count == 8 * repeats);
    CHECK(groups->count >= 5); /* all, two sets, two modalities, sizes */
    CHECK(!strcmp(groups->items[0].kind, "all") && groups->items[0].rows == study->count);
    CHECK(groups->items[0].units == 3);
    CHECK(!strcmp(groups->items[1].name, "pictures") && groups->items[1].units == 2);
    CHECK(!strcmp(groups->items[2].name, "stack") && groups->items[2].units == 1);
    CHECK(groups->items[1].rows + groups->items[2].rows == study->count);
    int by_size = 0;
    for (size_t i = 0; i < groups->count; i++)
        if (!strcmp(groups->items[i].kind, "size")) by_size += groups->items[i].rows;
    CHECK(by_size == study->count);
}

static void check_scores(const sgm_study *study)
{
    for (int i = 0; i < study->count; i++)
        for (int c = 0; c < study->condition_count; c++) {
            const sgm_study_score *s = &study->rows[i].scores[c];
            CHECK(s->dice >= 0 && s->dice <= 1 && s->iou >= 0 && s->iou <= s->dice);
        }
}

/* The answer to one point is one of the three masks that the oracle chooses from. */
static void check_oracle(const sgm_study *study)
{
    const int counts = study->config.count_count;
    for (int i = 0; i < study->count; i++)
        for (int first = 0; first < 2; first++) {
            const sgm_study_score *scores = study->rows[i].scores + first * (counts + 1);
            CHECK(scores[counts].iou >= scores[0].iou);
        }
}

/* The volume's slices are one unit: its means stand alone, others have intervals. */
static void check_single_unit(const sgm_study *study, const sgm_study_groups *groups)
{
    sgm_study_cell cell;
    char *table;
    size_t size;
    CHECK_OK(sgm_study_cell_make(study, &groups->items[2], 0, SGM_STUDY_DICE, false, &cell));
    CHECK(!isnan(cell.mean) && isnan(cell.low) && isnan(cell.high));
    CHECK_OK(sgm_study_cell_make(study, &groups->items[1], 0, SGM_STUDY_DICE, false, &cell));
    CHECK(!isnan(cell.mean) && !isnan(cell.low) && !isnan(cell.high));
    read_all("test_study_table_0.md", &table, &size);
    const char *volume = strstr(table, "**set stack**");
    const char *end = volume ? strstr(volume + 2, "\n\n**") : NULL;
    if (CHECK(end != NULL)) CHECK(strstr(volume, " to 0.") > end && strstr(table, " to 0.") < end);
    free(table);
}

static void run_twice(const char *name, sgm_model *model, const sgm_pack *pack)
{
    const sgm_study_kind *kind = sgm_study_find(name);
    sgm_study_config config;
    sgm_study_config_defaults(&config);
    config.min_area = 16;
    config.repeats = strcmp(name, "second") ? 1 : 2;
    config.zoom = SGM_ZOOM_OFF; /* one embedding for each picture */
    config.count_count = 3;
    if (!CHECK(kind != NULL)) return;
    for (int run = 0; run < config.repeats + 1; run++) {
        sgm_study study;
        sgm_study_groups groups;
        config.seed = run < 2 ? 1 : 2;
        if (!CHECK_OK(sgm_study_run(kind, model, pack, &config, NULL, NULL, &study))) return;
        CHECK_OK(sgm_study_groups_make(&study, &groups));
        check_groups(&study, &groups);
        check_scores(&study);
        if (!strcmp(name, "points")) check_oracle(&study);
        write_all(&study, &groups, run);
        if (run == 0) check_single_unit(&study, &groups);
        sgm_study_groups_clear(&groups);
        sgm_study_clear(&study);
    }
    CHECK(same_files("test_study_rows_0.csv", "test_study_rows_1.csv"));
    CHECK(same_files("test_study_table_0.csv", "test_study_table_1.csv"));
    CHECK(same_files("test_study_table_0.md", "test_study_table_1.md"));
    CHECK(same_files("test_study_plot_0.png", "test_study_plot_1.png"));
    if (config.repeats > 1) CHECK(!same_files("test_study_rows_0.csv", "test_study_rows_2.csv"));
}

static void check_refusals(sgm_model *model, const sgm_pack *pack)
{
    sgm_study study;
    sgm_study_config config;
    sgm_study_config_defaults(&config);
    strcpy(config.sets, "nothing*");
    CHECK_STATUS(sgm_study_run(sgm_study_find("boxes"), model, pack, &config, NULL, NULL, &study),
                 SGM_UNREADABLE, "holds no object");
    CHECK(sgm_study_find("colours") == NULL);
}

int main(int argc, char **argv)
{
    sgm_context_options options = {.device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32};
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    if (argc != 2) return 2;
    sgm_pack *pack = make_pack();
    if (pack && CHECK_OK(sgm_context_create(&options, &context)) &&
        CHECK_OK(sgm_model_load(context, argv[1], NULL, &model))) {
        for (const sgm_study_kind *kind = sgm_study_kinds; kind->name; kind++)
            run_twice(kind->name, model, pack);
        check_refusals(model, pack);
    }
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    sgm_pack_close(pack);
    return check_report();
}
