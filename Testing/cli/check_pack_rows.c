/* check_pack_rows PROMPTSEGPACK FOLDER: what becomes of the rows of a manifest: on which side of
 * the split an item is, and what it is called. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "train/pack.h"

/* Two slices of 3 x 2 pixels, or one. */
static void write_volume(const char *folder, const char *name, int slices)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *at = path + strlen(folder) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = 0;
        mkdir(path, 0777);
        *at = '/';
    }
    FILE *file = fopen(path, "w");
    if (!file) exit(2);
    fprintf(file,
            "NRRD0004\ntype: uchar\ndimension: 3\nspace: left-posterior-superior\n"
            "sizes: 3 2 %d\nspace directions: (1,0,0) (0,1,0) (0,0,2)\n"
            "kinds: domain domain domain\nencoding: raw\nspace origin: (0,0,0)\n\n%.*s",
            slices, 6 * slices, "abcdefghijkl");
    if (fclose(file) != 0) exit(2);
}

typedef struct wanted_item {
    const char *set;
    int held_out;
    sgm_split split;
    const char *id;
} wanted_item;

#define TRAIN(set, id)                                                                             \
    {                                                                                              \
        set, 0, SGM_SPLIT_TRAIN, id                                                                \
    }
#define VAL(set, id)                                                                               \
    {                                                                                              \
        set, 0, SGM_SPLIT_VALIDATION, id                                                           \
    }
#define HELD_OUT(set, id)                                                                          \
    {                                                                                              \
        set, 1, SGM_SPLIT_VALIDATION, id                                                           \
    }
#define LONG "an_image_of_which_the_name_is_as_long_as_it_can_be_said"
#define E10 "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"

typedef struct pack_case {
    const char *name, *rows;
    int count;
    wanted_item items[8];
} pack_case;

static const pack_case cases[] = {
    {"a held-out patient comes first",
     "p1/ct.nrrd,p1/ct.nrrd,liver,class,heldout,\np2/ct.nrrd,p2/ct.nrrd,liver,class,train,\n"
     "p3/ct.nrrd,p3/ct.nrrd,liver,class,val,\n",
     6,
     {HELD_OUT("liver", "p1_ct_00000"), HELD_OUT("liver", "p1_ct_00001"),
      TRAIN("liver", "p2_ct_00000"), TRAIN("liver", "p2_ct_00001"), VAL("liver", "p3_ct_00000"),
      VAL("liver", "p3_ct_00001")}},
    {"a held-out patient comes last",
     "p2/ct.nrrd,p2/ct.nrrd,liver,class,train,\np1/ct.nrrd,p1/ct.nrrd,liver,class,heldout,\n",
     4,
     {TRAIN("liver", "p2_ct_00000"), TRAIN("liver", "p2_ct_00001"),
      HELD_OUT("liver", "p1_ct_00000"), HELD_OUT("liver", "p1_ct_00001")}},
    {"names of other data sets do not count",
     "p1/ct.nrrd,p1/ct.nrrd,a,class,train,\np2/ct.nrrd,p2/ct.nrrd,b,class,train,\n",
     4,
     {TRAIN("a", "ct_00000"), TRAIN("a", "ct_00001"), TRAIN("b", "ct_00000"),
      TRAIN("b", "ct_00001")}},
    {"a dot is part of a name",
     "case.01.nrrd,case.01.nrrd,a,class,train,\ncase.02.nrrd,case.02.nrrd,a,class,val,\n",
     4,
     {TRAIN("a", "case.01_00000"), TRAIN("a", "case.01_00001"), VAL("a", "case.02_00000"),
      VAL("a", "case.02_00001")}},
    {"pictures of several folders",
     "s1/1.nrrd,s1/1.nrrd,a,class,train,s1\ns1/2.nrrd,s1/2.nrrd,a,class,train,s1\n"
     "s2/1.nrrd,s2/1.nrrd,a,class,val,s2\n./s3/9.nrrd,s3/9.nrrd,a,class,val,s3\n",
     4,
     {TRAIN("a", "s1_1"), TRAIN("a", "s1_2"), VAL("a", "s2_1"), VAL("a", "9")}},
    {"folders that differ further up",
     "p1/t/ct.nrrd,p1/t/ct.nrrd,a,class,train,\np2/t/ct.nrrd,p2/t/ct.nrrd,a,class,val,\n",
     4,
     {TRAIN("a", "p1_t_ct_00000"), TRAIN("a", "p1_t_ct_00001"), VAL("a", "p2_t_ct_00000"),
      VAL("a", "p2_t_ct_00001")}},
    {"one image along two axes",
     "case.01.nrrd,case.01.nrrd,a,class,train,,k\ncase.01.nrrd,case.01.nrrd,a,class,train,,j\n",
     4,
     {TRAIN("a", "case.01_k_00000"), TRAIN("a", "case.01_k_00001"), TRAIN("a", "case.01_j_00000"),
      TRAIN("a", "case.01_j_00001")}},
    {"one image with two label maps",
     "case.01.nrrd,case.01.nrrd,a,class,train,\ncase.01.nrrd,case.02.nrrd,a,class,train,\n",
     4,
     {TRAIN("a", "case.01_case.01_00000"), TRAIN("a", "case.01_case.01_00001"),
      TRAIN("a", "case.01_case.02_00000"), TRAIN("a", "case.01_case.02_00001")}},
};

static int make_pack(const char *program, const char *folder, const char *rows, sgm_pack **pack)
{
    char command[16384];
    const int axes = strstr(rows, ",k\n") != NULL;
    snprintf(command, sizeof command, "%s/rows.csv", folder);
    FILE *file = fopen(command, "w");
    if (!file) return 1;
    fprintf(file, "image,label,dataset,kind,split,volume%s\n%s", axes ? ",axis" : "", rows);
    if (fclose(file) != 0) return 1;
    snprintf(command, sizeof command, "'%s' '%s/rows.csv' '%s/rows.pack'", program, folder, folder);
    if (system(command) != 0) return 1;
    snprintf(command, sizeof command, "%s/rows.pack", folder);
    return sgm_pack_open(command, pack) != SGM_OK;
}

static int differs(const sgm_pack *pack, int index, const wanted_item *wanted)
{
    const sgm_pack_item *item = sgm_pack_item_at(pack, index);
    const sgm_pack_set *set = sgm_pack_set_at(pack, item->set);
    if (strcmp(set->name, wanted->set) == 0 && set->held_out == (wanted->held_out != 0) &&
        item->split == wanted->split && strcmp(item->id, wanted->id) == 0)
        return 0;
    fprintf(stderr, "item %d: wanted %s/%s (held out %d, split %d), found %s/%s (%d, %d)\n", index,
            wanted->set, wanted->id, wanted->held_out, (int)wanted->split, set->name, item->id,
            (int)set->held_out, (int)item->split);
    return 1;
}

static int check_case(const char *program, const char *folder, const pack_case *c)
{
    sgm_pack *pack;
    if (make_pack(program, folder, c->rows, &pack)) return 1;
    int wrong = sgm_pack_item_count(pack) != c->count;
    for (int i = 0; i < c->count && !wrong; i++)
        wrong = differs(pack, i, &c->items[i]);
    sgm_pack_close(pack);
    if (wrong) fprintf(stderr, "%s: wrong\n", c->name);
    return wrong;
}

/* What does not fit differs, and a character of two bytes lies across the cut: names are different
 * ones and UTF-8. Alone, a long name keeps its end. */
static int check_long(const char *program, const char *folder)
{
    static const char *const ends[2] = {"_an_end_of_the_name_of_an_image_to_be_kept", E10 E10 "e"};
    int wrong = 0;
    for (int e = 0; e < 2; e++) {
        char rows[1024], name[2][256];
        sgm_pack *pack;
        for (int i = 0; i < 2; i++) {
            snprintf(name[i], sizeof name[i], "%d" LONG "%s.nrrd", i, ends[e]);
            write_volume(folder, name[i], 2);
        }
        snprintf(rows, sizeof rows, "%s,%s,a,class,train,\n%s,%s,a,class,val,\n", name[0], name[0],
                 name[1], name[1]);
        if (make_pack(program, folder, rows, &pack)) return 1;
        wrong += sgm_pack_item_count(pack) != 4;
        for (int i = 0; i < sgm_pack_item_count(pack); i++) {
            const char *id = sgm_pack_item_at(pack, i)->id;
            wrong += (*id & 0xC0) == 0x80 || strlen(id) < 40;
            for (int k = 0; k < i; k++)
                wrong += strcmp(id, sgm_pack_item_at(pack, k)->id) == 0;
        }
        sgm_pack_close(pack);
    }
    if (wrong) fprintf(stderr, "long names: %d wrong\n", wrong);
    return wrong;
}

int main(int argc, char **argv)
{
    static const char *const volumes[] = {"p1/ct.nrrd",   "p2/ct.nrrd",   "p3/ct.nrrd",
                                          "p1/t/ct.nrrd", "p2/t/ct.nrrd", "case.01.nrrd",
                                          "case.02.nrrd"};
    static const char *const pictures[] = {"s1/1.nrrd", "s1/2.nrrd", "s2/1.nrrd", "s3/9.nrrd"};
    int wrong = 0;
    if (argc != 3) return 2;
    for (size_t i = 0; i < sizeof volumes / sizeof *volumes; i++)
        write_volume(argv[2], volumes[i], 2);
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
        write_volume(argv[2], pictures[i], 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        wrong += check_case(argv[1], argv[2], &cases[i]);
    wrong += check_long(argv[1], argv[2]);
    printf("%zu manifests, %d wrong\n", sizeof cases / sizeof *cases, wrong);
    return wrong != 0;
}
