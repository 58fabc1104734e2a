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
static const char CONTEXT[] = "Segmentation category and type - 3D Slicer General Anatomy list";
static const char REGIONS[] = "Anatomic codes - DICOM master list";

/* SNOMED CT codes as DICOM uses them, and the usual colours of anatomy. */
typedef struct structure {
    const char *name, *category, *type;
    uint8_t colour[3];
} structure;

static const structure structures[] = {
    {"adrenal gland", STRUCTURE, "SCT^23451007^Adrenal gland", {249, 186, 150}},
    {"aorta", STRUCTURE, "SCT^15825003^Aorta", {224, 97, 76}},
    {"bladder", STRUCTURE, "SCT^89837001^Urinary bladder", {222, 154, 132}},
    {"bone", TISSUE, "SCT^272673000^Bone", {241, 214, 145}},
    {"brain", STRUCTURE, "SCT^12738006^Brain", {250, 250, 225}},
    {"colon", STRUCTURE, "SCT^71854001^Colon", {204, 168, 143}},
    {"cyst", ALTERED, "SCT^367643001^Cyst", {205, 205, 100}},
    {"duodenum", STRUCTURE, "SCT^38848004^Duodenum", {255, 253, 229}},
    {"esophagus", STRUCTURE, "SCT^32849002^Esophagus", {211, 171, 143}},
    {"femur", STRUCTURE, "SCT^71341001^Femur", {255, 238, 170}},
    {"gallbladder", STRUCTURE, "SCT^28231008^Gallbladder", {139, 150, 98}},
    {"heart", STRUCTURE, "SCT^80891009^Heart", {206, 110, 84}},
    {"hemorrhage", ALTERED, "SCT^50960005^Hemorrhage", {188, 65, 28}},
    {"kidney", STRUCTURE, "SCT^64033007^Kidney", {185, 102, 83}},
    {"liver", STRUCTURE, "SCT^10200004^Liver", {221, 130, 101}},
    {"lung", STRUCTURE, "SCT^39607008^Lung", {197, 165, 145}},
    {"lymph node", TISSUE, "SCT^59441001^Lymph node", {68, 172, 100}},
    {"muscle", TISSUE, "SCT^71616004^Muscle", {192, 104, 88}},
    {"neoplasm", ALTERED, "SCT^108369006^Neoplasm", {144, 238, 144}},
    {"oesophagus", STRUCTURE, "SCT^32849002^Esophagus", {211, 171, 143}},
    {"pancreas", STRUCTURE, "SCT^15776009^Pancreas", {249, 180, 111}},
    {"prostate", STRUCTURE, "SCT^41216001^Prostate", {230, 158, 140}},
    {"sacrum", STRUCTURE, "SCT^54735007^Sacrum", {212, 188, 102}},
    {"skin", TISSUE, "SCT^39937001^Skin", {177, 122, 101}},
    {"skull", STRUCTURE, "SCT^89546000^Skull", {241, 213, 144}},
    {"small bowel", STRUCTURE, "SCT^30315005^Small Intestine", {205, 167, 142}},
    {"spinal cord", STRUCTURE, "SCT^2748008^Spinal cord", {244, 214, 49}},
    {"spleen", STRUCTURE, "SCT^78961009^Spleen", {157, 108, 162}},
    {"stomach", STRUCTURE, "SCT^69695003^Stomach", {216, 132, 105}},
    {"thyroid", STRUCTURE, "SCT^69748006^Thyroid gland", {62, 162, 114}},
    {"trachea", STRUCTURE, "SCT^44567001^Trachea", {182, 228, 255}},
    {"tumor", ALTERED, "SCT^108369006^Neoplasm", {144, 238, 144}},
    {"tumour", ALTERED, "SCT^108369006^Neoplasm", {144, 238, 144}},
    {"urinary bladder", STRUCTURE, "SCT^89837001^Urinary bladder", {222, 154, 132}},
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
    snprintf(entry, 512, "%s~%s~%s~%s~%s~^^~^^", CONTEXT, known ? known->category : TISSUE,
             known ? known->type : TISSUE, known && *side ? side : "^^", REGIONS);
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
