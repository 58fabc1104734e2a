#include "cli_test.h"

#include <math.h>
#include <unistd.h>

#include "cli_progress.h"

typedef struct capture {
    FILE *stream;
    char *text;
    size_t size;
} capture;

static void open_capture(capture *c)
{
    c->text = NULL;
    c->stream = open_memstream(&c->text, &c->size);
    assert_non_null(c->stream);
}

static void close_capture(capture *c)
{
    fclose(c->stream);
    c->stream = NULL;
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

static void slicer_gets_its_tags(void **state)
{
    (void)state;
    capture c;
    cli_progress p;
    open_capture(&c);
    cli_progress_start(&p, CLI_PROGRESS_SLICER, c.stream, "PromptSeg", "Reading");
    cli_progress_update(&p, 0.5, "Slice 3");
    cli_progress_end(&p);
    close_capture(&c);
    static const char wanted[] = "<filter-start>\n<filter-name>PromptSeg</filter-name>\n"
                                 "<filter-comment> \"Reading\" </filter-comment>\n</filter-start>\n"
                                 "<filter-comment> \"Slice 3\" </filter-comment>\n"
                                 "<filter-progress>0.500</filter-progress>\n<filter-end>\n";
    assert_memory_equal(c.text, wanted, sizeof wanted - 1);
    assert_contains(c.text, "<filter-time>0.0");
    assert_string_equal(c.text + c.size - 14, "</filter-end>\n");
    free(c.text);
}

/* Slicer reads each group as it comes: all of it must have left the buffer. */
static void groups_are_flushed(void **state)
{
    (void)state;
    char buffer[64];
    FILE *stream = tmpfile();
    FILE *reader = fdopen(dup(fileno(stream)), "r");
    cli_progress p;
    cli_progress_start(&p, CLI_PROGRESS_SLICER, stream, "n", "c");
    cli_progress_update(&p, 0.25, NULL);
    rewind(reader);
    int seen = 0;
    while (fgets(buffer, sizeof buffer, reader))
        seen |= strcmp(buffer, "<filter-progress>0.250</filter-progress>\n") == 0;
    assert_true(seen);
    fclose(reader);
    fclose(stream);
}

static void updates_are_few_and_reach_the_end(void **state)
{
    (void)state;
    capture c;
    cli_progress p;
    char comment[32];
    open_capture(&c);
    cli_progress_start(&p, CLI_PROGRESS_SLICER, c.stream, "n", "c");
    for (int i = 0; i <= 100000; i++) {
        snprintf(comment, sizeof comment, "slice %d", i);
        cli_progress_update(&p, i / 100000.0, comment);
    }
    cli_progress_end(&p);
    close_capture(&c);
    assert_in_range(occurrences(c.text, "<filter-progress>"), 50, CLI_PROGRESS_UPDATES - 2);
    assert_contains(c.text, "<filter-progress>1.000<");
    free(c.text);
}

static void strange_values_do_no_harm(void **state)
{
    (void)state;
    capture c;
    cli_progress p;
    open_capture(&c);
    cli_progress_start(&p, CLI_PROGRESS_SLICER, c.stream, "a<b", "x</filter-comment>\ny");
    cli_progress_update(&p, NAN, "not shown");
    cli_progress_update(&p, 0.6, NULL);
    cli_progress_update(&p, 0.1, "back");
    cli_progress_update(&p, 7, NULL);
    cli_progress_update(&p, -INFINITY, NULL);
    cli_progress_end(&p);
    close_capture(&c);
    assert_contains(c.text, "<filter-name>a(b</filter-name>");
    assert_contains(c.text, "x(/filter-comment) y");
    assert_null(strstr(c.text, "not shown"));
    assert_null(strstr(c.text, "0.100"));
    assert_int_equal(occurrences(c.text, "<filter-progress>1.000<"), 1);
    free(c.text);
}

static void silence_is_silent_and_bars_go_away(void **state)
{
    (void)state;
    capture c;
    cli_progress p;
    open_capture(&c);
    cli_progress_start(&p, CLI_PROGRESS_SILENT, c.stream, "n", "c");
    cli_progress_update(&p, 0.5, "s");
    cli_progress_end(&p);
    fflush(c.stream);
    assert_int_equal(c.size, 0);
    cli_progress_start(&p, CLI_PROGRESS_BAR, c.stream, "n", "c");
    cli_progress_update(&p, 0.5, "half");
    cli_progress_end(&p);
    close_capture(&c);
    assert_contains(c.text, " 50 %  half");
    assert_string_equal(c.text + c.size - 4, "\r\033[K");
    free(c.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(slicer_gets_its_tags),
                                       cmocka_unit_test(groups_are_flushed),
                                       cmocka_unit_test(updates_are_few_and_reach_the_end),
                                       cmocka_unit_test(strange_values_do_no_harm),
                                       cmocka_unit_test(silence_is_silent_and_bars_go_away)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
