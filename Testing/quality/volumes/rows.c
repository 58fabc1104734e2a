#include "rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void row_header(FILE *file)
{
    fputs("dataset,case,role,object,label,voxels,slices,protocol,dice,surface_dice,beyond,missed,"
          "growth,stop_down,stop_up,cpu,walked,obeyed,worse,elsewhere\n",
          file);
}

static void number(FILE *file, double value, char end)
{
    if (!isnan(value)) fprintf(file, "%.5g", value);
    fputc(end, file);
}

void row_write(FILE *file, const row *r)
{
    fprintf(file, "%s,%s,%s,%d,%d,%lld,%lld,%s,", r->dataset, r->id, r->role, r->object, r->label,
            r->voxels, r->slices, r->protocol);
    number(file, r->m.dice, ',');
    number(file, r->m.surface_dice, ',');
    number(file, r->m.beyond, ',');
    number(file, r->m.missed, ',');
    number(file, r->m.growth, ',');
    fprintf(file, "%s,%s,", r->stop_down, r->stop_up);
    number(file, r->cpu, ',');
    number(file, r->walked, ',');
    number(file, r->obeyed, ',');
    number(file, r->worse, ',');
    number(file, r->elsewhere, '\n');
    fflush(file);
}

/* Copies the next field; an empty string beyond the last. */
static const char *text(char **rest, char *out, size_t room)
{
    size_t length = strcspn(*rest, ",\r\n");
    snprintf(out, room, "%.*s", (int)length, *rest);
    *rest += length;
    if (**rest == ',') ++*rest;
    return out;
}

static double value(char **rest)
{
    char field[64];
    text(rest, field, sizeof field);
    return field[0] ? atof(field) : NAN;
}

static row parse(char *line)
{
    row r = {.object = 0};
    text(&line, r.dataset, sizeof r.dataset);
    text(&line, r.id, sizeof r.id);
    text(&line, r.role, sizeof r.role);
    r.object = (int)value(&line);
    r.label = (int)value(&line);
    r.voxels = (long long)value(&line);
    r.slices = (long long)value(&line);
    text(&line, r.protocol, sizeof r.protocol);
    r.m.dice = value(&line);
    r.m.surface_dice = value(&line);
    r.m.beyond = value(&line);
    r.m.missed = value(&line);
    r.m.growth = value(&line);
    text(&line, r.stop_down, sizeof r.stop_down);
    text(&line, r.stop_up, sizeof r.stop_up);
    r.cpu = value(&line);
    r.walked = value(&line);
    r.obeyed = value(&line);
    r.worse = value(&line);
    r.elsewhere = value(&line);
    return r;
}

int rows_read(const char *path, row **rows, size_t *count)
{
    char line[2048];
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "quality_volumes: %s cannot be read\n", path);
        return -1;
    }
    size_t room = *count;
    while (fgets(line, sizeof line, file)) {
        if (!strncmp(line, "dataset,", 8)) continue;
        if (*count == room) {
            room = room ? 2 * room : 256;
            row *grown = must_alloc(room, sizeof *grown);
            if (*rows) memcpy(grown, *rows, *count * sizeof *grown);
            free(*rows);
            *rows = grown;
        }
        (*rows)[(*count)++] = parse(line);
    }
    fclose(file);
    return 0;
}
