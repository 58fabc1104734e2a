#include "io_test_volume.h"

#include "io_test_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

sgio_volume volume;

sgio_status load(const char *name)
{
    sgio_volume_clear(&volume);
    return sgio_volume_read(scratch_path(name), NULL, &volume);
}

void expect_file_refused(const char *name, const char *reason)
{
    assert_int_equal(load(name), SGIO_UNREADABLE);
    assert_true(holds(sgio_last_message(), name));
    assert_true(holds(sgio_last_message(), reason));
    assert_null(volume.data);
}

static void expect_number_refused(const char *name, const char *number)
{
    const sgio_read_options options = {.series = number};
    const sgio_read_options others = {.series = number, .series_may_be_others = 1};
    assert_int_equal(sgio_volume_read(scratch_path(name), &options, &volume), SGIO_UNREADABLE);
    assert_true(holds(sgio_last_message(), name));
    assert_true(holds(sgio_last_message(), "holds one volume, number 1, not"));
    assert_int_equal(sgio_volume_read(scratch_path(name), &others, &volume), SGIO_OK);
    sgio_volume_clear(&volume);
}

void expect_only_volume(const char *name, const char *line)
{
    static const char *const others[] = {"7", "0", "2", "1.2.3", "1-2"};
    const sgio_read_options first = {.series = "1"}, none = {.series = ""};
    char *text = NULL;
    sgio_volume_clear(&volume);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        expect_number_refused(name, others[i]);
    assert_int_equal(sgio_volume_read(scratch_path(name), &none, &volume), SGIO_OK);
    sgio_volume_clear(&volume);
    assert_int_equal(sgio_volume_read(scratch_path(name), &first, &volume), SGIO_OK);
    sgio_volume_clear(&volume);
    if (!line) return;
    assert_int_equal(sgio_list_series(scratch_path(name), &text), SGIO_OK);
    assert_string_equal(text, line);
    free(text);
}

int open_scratch(void **state)
{
    (void)state;
    scratch_open();
    return 0;
}

int close_scratch(void **state)
{
    (void)state;
    sgio_volume_clear(&volume);
    scratch_close();
    return 0;
}
