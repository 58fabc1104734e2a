#include "cli_progress.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "cli_clock.h"
#include "cli_text.h"

enum {
    STEPS = 120,                            /* updates for the fraction alone */
    LAST_UPDATE = CLI_PROGRESS_UPDATES - 2, /* start and end are groups too */
    BAR_WIDTH = 30
};

/* Slicer cuts its tags out of the log with [^<]*, and a line break would end the message. */
static void copy_text(char *out, size_t size, const char *text)
{
    cli_clean_copy(out, size, text, CLI_CLEAN_LINES | CLI_CLEAN_BRACKETS);
}

cli_progress_mode cli_progress_choose(int slicer)
{
    if (slicer) return CLI_PROGRESS_SLICER;
    return isatty(STDERR_FILENO) ? CLI_PROGRESS_BAR : CLI_PROGRESS_SILENT;
}

/* "0.5" without printf's locale-dependent decimal point: thousandths by integer arithmetic. */
static void write_number(FILE *stream, double value)
{
    const long thousandths = lround(value * 1000);
    fprintf(stream, "%ld.%03ld", thousandths / 1000, thousandths % 1000);
}

void cli_progress_start(cli_progress *progress, cli_progress_mode mode, FILE *stream,
                        const char *name, const char *comment)
{
    memset(progress, 0, sizeof *progress);
    progress->mode = mode;
    progress->stream = stream;
    progress->shown = -1;
    progress->started = cli_clock();
    copy_text(progress->name, sizeof progress->name, name);
    copy_text(progress->comment, sizeof progress->comment, comment);
    if (mode != CLI_PROGRESS_SLICER) return;
    fprintf(stream,
            "<filter-start>\n<filter-name>%s</filter-name>\n"
            "<filter-comment> \"%s\" </filter-comment>\n</filter-start>\n",
            progress->name, progress->comment);
    fflush(stream);
    progress->updates = 1;
}

static void write_tags(cli_progress *p, double fraction, int new_comment)
{
    if (new_comment) fprintf(p->stream, "<filter-comment> \"%s\" </filter-comment>\n", p->comment);
    fputs("<filter-progress>", p->stream);
    write_number(p->stream, fraction);
    fputs("</filter-progress>\n", p->stream);
    fflush(p->stream);
}

static void write_bar(cli_progress *p, double fraction)
{
    char bar[BAR_WIDTH + 1];
    const int filled = (int)(fraction * BAR_WIDTH);
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(p->stream, "\r\033[K[%s] %3d %%  %.40s", bar, (int)(fraction * 100), p->comment);
    fflush(p->stream);
    p->bar_open = 1;
}

void cli_progress_update(cli_progress *progress, double fraction, const char *comment)
{
    char text[sizeof progress->comment];
    if (progress->mode == CLI_PROGRESS_SILENT || isnan(fraction)) return;
    fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
    if (fraction < progress->shown) fraction = progress->shown;
    copy_text(text, sizeof text, comment ? comment : progress->comment);
    const int new_comment = strcmp(text, progress->comment) != 0;
    const int advanced =
        fraction >= progress->shown + 1.0 / STEPS || (fraction >= 1 && progress->shown < 1);
    if (!advanced && !new_comment) return;
    if (progress->mode == CLI_PROGRESS_SLICER) {
        /* The last group before the end is kept for 1.0. */
        if (progress->updates >= LAST_UPDATE - (fraction < 1)) return;
        progress->updates++;
    }
    memcpy(progress->comment, text, sizeof text);
    progress->shown = fraction;
    if (progress->mode == CLI_PROGRESS_SLICER) {
        write_tags(progress, fraction, new_comment);
    } else {
        write_bar(progress, fraction);
    }
}

void cli_progress_end(cli_progress *progress)
{
    if (progress->mode == CLI_PROGRESS_SLICER) {
        fprintf(progress->stream, "<filter-end>\n<filter-name>%s</filter-name>\n<filter-time>",
                progress->name);
        write_number(progress->stream, cli_clock() - progress->started);
        fputs("</filter-time>\n</filter-end>\n", progress->stream);
        fflush(progress->stream);
    } else if (progress->bar_open) {
        fputs("\r\033[K", progress->stream);
        fflush(progress->stream);
    }
    progress->mode = CLI_PROGRESS_SILENT;
}
