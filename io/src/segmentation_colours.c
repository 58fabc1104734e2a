/* Default colours and DICOM codes of segments. */
#include "segmentation_parts.h"

#include "io_status.h"
#include "prompts_parse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Saturated enough to stand out from grey images; neighbours in the list differ in hue. */
static const uint8_t palette[24][3] = {
    {60, 180, 100},  {230, 75, 60},   {70, 130, 230},  {250, 200, 40},  {180, 90, 220},
    {245, 140, 40},  {50, 200, 210},  {240, 110, 170}, {160, 210, 60},  {150, 110, 70},
    {110, 100, 240}, {30, 150, 140},  {250, 150, 130}, {140, 220, 170}, {150, 190, 250},
    {230, 220, 120}, {210, 160, 240}, {190, 60, 120},  {110, 150, 40},  {240, 190, 140},
    {80, 165, 250},  {200, 120, 40},  {120, 240, 120}, {170, 60, 60}};

void sgio_colour_palette(size_t index, double colour[3])
{
    for (int c = 0; c < 3; c++)
        colour[c] = palette[index % 24][c] / 255.0;
}

sgio_status sgio_colour_parse(const char *text, double colour[3])
{
    int count = sgio_parse_numbers(text, colour, 3);
    int valid = count == 3;
    for (int c = 0; c < 3 && valid; c++)
        valid = colour[c] >= 0 && colour[c] <= 1;
    if (valid) return SGIO_OK;
    return sgio_fail(SGIO_USAGE, "a colour needs r,g,b in 0-1, not '%s'", text);
}

/* Category codes of DICOM CID 7150. */
static const char STRUCTURE[] = "SCT^123037004^Anatomical Structure";
static const char ALTERED[] = "SCT^49755003^Morphologically Altered Structure";
static const char TISSUE[] = "SCT^85756007^Tissue";
/* Slicer shows a code under its name only if the list that an entry names has it. */
static const char GENERAL[] = "Segmentation category and type - 3D Slicer General Anatomy list";
static const char MASTER[] = "Segmentation category and type - DICOM master list";
static const char REGIONS[] = "Anatomic codes - DICOM master list";

/* SNOMED CT codes as DICOM uses them, and the usual colours of anatomy. */
typedef struct structure {
    const char *name, *list, *category, *type;
    uint8_t colour[3];
    int has_sides; /* the list has it left and right */
} structure;

static const structure structures[] = {
    {"adrenal gland", GENERAL, STRUCTURE, "SCT^23451007^Adrenal gland", {249, 186, 150}, 1},
    {"aorta", GENERAL, STRUCTURE, "SCT^15825003^Aorta", {224, 97, 76}, 0},
    {"artery", GENERAL, TISSUE, "SCT^51114001^Artery", {216, 101, 79}, 0},
    {"bladder", GENERAL, STRUCTURE, "SCT^89837001^Bladder", {222, 154, 132}, 0},
    {"bone", GENERAL, TISSUE, "SCT^272673000^Bone", {241, 214, 145}, 0},
    {"brain", GENERAL, STRUCTURE, "SCT^12738006^Brain", {250, 250, 225}, 0},
    {"colon", GENERAL, STRUCTURE, "SCT^71854001^Colon", {204, 168, 143}, 0},
    {"cyst", GENERAL, ALTERED, "SCT^367643001^Cyst", {205, 205, 100}, 0},
    {"duodenum", GENERAL, STRUCTURE, "SCT^38848004^Duodenum", {255, 253, 229}, 0},
    {"edema", GENERAL, ALTERED, "SCT^79654002^Edema", {140, 224, 228}, 0},
    {"esophagus", GENERAL, STRUCTURE, "SCT^32849002^Esophagus", {211, 171, 143}, 0},
    {"femur", MASTER, STRUCTURE, "SCT^71341001^Femur", {255, 238, 170}, 1},
    {"gallbladder", GENERAL, STRUCTURE, "SCT^28231008^Gallbladder", {139, 150, 98}, 0},
    {"heart", GENERAL, STRUCTURE, "SCT^80891009^Heart", {206, 110, 84}, 0},
    {"hemorrhage", GENERAL, ALTERED, "SCT^50960005^Hemorrhage", {188, 65, 28}, 0},
    {"hippocampus", MASTER, STRUCTURE, "SCT^5366008^Hippocampus", {249, 180, 111}, 1},
    {"kidney", GENERAL, STRUCTURE, "SCT^64033007^Kidney", {185, 102, 83}, 1},
    {"liver", GENERAL, STRUCTURE, "SCT^10200004^Liver", {221, 130, 101}, 0},
    {"lung", GENERAL, STRUCTURE, "SCT^39607008^Lung", {197, 165, 145}, 1},
    {"lymph node", GENERAL, TISSUE, "SCT^59441001^Lymph node", {68, 172, 100}, 0},
    {"mass", GENERAL, ALTERED, "SCT^4147007^Mass", {144, 238, 144}, 0},
    {"muscle", GENERAL, TISSUE, "SCT^71616004^Muscle", {192, 104, 88}, 0},
    {"necrosis", GENERAL, ALTERED, "SCT^6574001^Necrosis", {216, 191, 216}, 0},
    {"neoplasm", MASTER, ALTERED, "SCT^108369006^Neoplasm", {144, 238, 144}, 0},
    {"nodule", MASTER, ALTERED, "SCT^27925004^Nodule", {144, 238, 144}, 0},
    {"oesophagus", GENERAL, STRUCTURE, "SCT^32849002^Esophagus", {211, 171, 143}, 0},
    {"pancreas", GENERAL, STRUCTURE, "SCT^15776009^Pancreas", {249, 180, 111}, 0},
    {"prostate", GENERAL, STRUCTURE, "SCT^41216001^Prostate", {230, 158, 140}, 0},
    {"sacrum", MASTER, STRUCTURE, "SCT^54735007^Sacrum", {212, 188, 102}, 0},
    {"skin", GENERAL, TISSUE, "SCT^39937001^Skin", {177, 122, 101}, 0},
    {"skull", GENERAL, STRUCTURE, "SCT^89546000^Skull", {241, 213, 144}, 0},
    {"small bowel", GENERAL, STRUCTURE, "SCT^30315005^Small Intestine", {205, 167, 142}, 0},
    {"small intestine", GENERAL, STRUCTURE, "SCT^30315005^Small Intestine", {205, 167, 142}, 0},
    {"spinal cord", GENERAL, STRUCTURE, "SCT^2748008^Spinal cord", {244, 214, 49}, 0},
    {"spleen", GENERAL, STRUCTURE, "SCT^78961009^Spleen", {157, 108, 162}, 0},
    {"sternum", GENERAL, STRUCTURE, "SCT^56873002^Sternum", {244, 217, 154}, 0},
    {"stomach", GENERAL, STRUCTURE, "SCT^69695003^Stomach", {216, 132, 105}, 0},
    {"thyroid", GENERAL, STRUCTURE, "SCT^69748006^Thyroid", {62, 162, 114}, 0},
    {"thyroid gland", GENERAL, STRUCTURE, "SCT^69748006^Thyroid", {62, 162, 114}, 0},
    {"trachea", GENERAL, STRUCTURE, "SCT^44567001^Trachea", {182, 228, 255}, 0},
    {"tumor", MASTER, ALTERED, "SCT^108369006^Neoplasm", {144, 238, 144}, 0},
    {"tumour", MASTER, ALTERED, "SCT^108369006^Neoplasm", {144, 238, 144}, 0},
    {"urinary bladder", GENERAL, STRUCTURE, "SCT^89837001^Bladder", {222, 154, 132}, 0},
    {"vein", GENERAL, TISSUE, "SCT^29092000^Vein", {0, 151, 206}, 0},
    {"vertebra", MASTER, STRUCTURE, "SCT^51282000^Vertebra", {255, 255, 207}, 0},
};

/* Lower case, blanks for '_' and '-'. Longer names are none of the table's. */
static int normalise(const char *name, char *out, size_t bytes)
{
    size_t n = strlen(name);
    if (n >= bytes) return -1;
    for (size_t i = 0; i <= n; i++)
        out[i] = name[i] == '_' || name[i] == '-' ? ' ' : (char)tolower((unsigned char)name[i]);
    return 0;
}

/* Takes "left"/"right" off either end; returns the side's code or "". */
static const char *take_side(char *name)
{
    static const char *const sides[2] = {"left", "right"};
    static const char *const codes[2] = {"SCT^7771000^Left", "SCT^24028007^Right"};
    for (int s = 0; s < 2; s++) {
        size_t n = strlen(name), m = strlen(sides[s]);
        if (n > m && strncmp(name, sides[s], m) == 0 && name[m] == ' ') {
            memmove(name, name + m + 1, n - m);
            return codes[s];
        }
        if (n > m && strcmp(name + n - m, sides[s]) == 0 && name[n - m - 1] == ' ') {
            name[n - m - 1] = '\0';
            return codes[s];
        }
    }
    return "";
}

static const structure *look_up(const char *name, const char **side)
{
    char key[64];
    *side = "";
    if (normalise(name, key, sizeof key) != 0) return NULL;
    *side = take_side(key);
    for (size_t i = 0; i < sizeof structures / sizeof *structures; i++)
        if (strcmp(structures[i].name, key) == 0) return &structures[i];
    return NULL;
}

int sgio_colour_named(const char *name, double colour[3])
{
    const char *side;
    const structure *known = look_up(name, &side);
    for (int c = 0; c < 3 && known; c++)
        colour[c] = known->colour[c] / 255.0;
    return known != NULL;
}

/* context~category~type~modifier~region context~region~region modifier; "^^" is an empty code. */
char *sgio_terminology_entry(const char *name)
{
    const char *side;
    const structure *known = look_up(name, &side);
    char *entry = malloc(512);
    if (!entry) return NULL;
    snprintf(entry, 512, "%s~%s~%s~%s~%s~^^~^^", known ? known->list : GENERAL,
             known ? known->category : TISSUE, known ? known->type : TISSUE,
             known && known->has_sides && *side ? side : "^^", REGIONS);
    return entry;
}

/* Copies up to a separator; returns what follows it, or NULL when the part is too long. */
static const char *take(const char *text, const char *separators, char *out, size_t bytes)
{
    size_t n = strcspn(text, separators);
    if (n >= bytes) return NULL;
    memcpy(out, text, n);
    out[n] = '\0';
    return text + n + (text[n] != '\0');
}

static int parse_code(const char *text, sgio_code *code)
{
    text = take(text, "^", code->scheme, sizeof code->scheme);
    if (text) text = take(text, "^", code->value, sizeof code->value);
    if (text) text = take(text, "^", code->meaning, sizeof code->meaning);
    return text ? 0 : -1;
}

int sgio_terminology_parse(const char *entry, sgio_terminology *out)
{
    sgio_code *const codes[7] = {NULL, &out->category, &out->type,           &out->type_modifier,
                                 NULL, &out->region,   &out->region_modifier};
    char part[256];
    int separators = 0;
    memset(out, 0, sizeof *out);
    for (const char *c = entry; *c; c++)
        separators += *c == '~';
    if (separators != 6) return -1;
    for (int i = 0; i < 7; i++) {
        entry = take(entry, "~", part, sizeof part);
        if (!entry || (codes[i] && parse_code(part, codes[i]) != 0)) return -1;
    }
    return *out->category.value && *out->type.value ? 0 : -1;
}
