#include "io_test_volume.h"

#include "io_test_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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
