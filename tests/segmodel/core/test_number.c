/* Numbers in a process whose locale writes a decimal comma, as Slicer or Python may have it. */
#define _GNU_SOURCE
#include "check.h"
#include "core/number.h"

#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* LC_NUMERIC as glibc's locale files hold it: magic, six offsets, strings and wide characters. */
static int use_comma_locale(void)
{
    uint32_t file[16] = {0x20031115 ^ LC_NUMERIC, 6, 32, 34, 35, 36, 40, 44};
    char text[16] = "";
    memcpy((char *)file + 32, ",\0\0\0,\0\0\0\0\0\0\0C\0", 14);
    mkdir("comma", 0700);
    FILE *stream = fopen("comma/LC_NUMERIC", "wb");
    if (!stream) return 0;
    int whole = fwrite(file, 1, 46, stream) == 46;
    if (fclose(stream) != 0 || !whole) return 0;
    setenv("LOCPATH", ".", 1);
    if (!setlocale(LC_NUMERIC, "comma")) return 0;
    snprintf(text, sizeof text, "%g", 0.5);
    return strcmp(text, "0,5") == 0;
}

int main(void)
{
    char *end;
    CHECK(sgm_read_number("-0.3x", &end) == -0.3 && *end == 'x');
    if (!use_comma_locale()) {
        printf("skipped: this C library takes no locale of a test\n");
        return check_failures ? 1 : 77;
    }
    CHECK(strtod("-0.3", NULL) == 0); /* what the model's threshold was read as */
    CHECK(sgm_read_number("-0.3", &end) == -0.3 && *end == 0);
    CHECK(sgm_read_number("1e-3,5", &end) == 1e-3 && *end == ',');
    return check_report();
}
