#include "core/number.h"

#include "core/system.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

double sgm_read_number(const char *text, char **end)
{
    return sgm_plain_strtod(text, end);
}

int sgm_take_number(const char **at, double *value)
{
    char *end;
    *value = sgm_read_number(*at, &end);
    int found = end != *at;
    *at = end;
    return found;
}

/* The thread's locale stays as it is: what stands between two digits is its decimal point, of one
 * byte or more. */
const char *sgm_number_text(char out[SGM_NUMBER_TEXT], const char *format, double value)
{
    static const char digits[] = "0123456789";
    /* printf writes a NaN's sign, which means nothing. */
    snprintf(out, SGM_NUMBER_TEXT, format, isnan(value) ? fabs(value) : value);
    char *point = out + strspn(out, "+- ");
    point += strspn(point, digits);
    size_t length = strcspn(point, digits);
    if (*point == 'e' || point[length] == 0) return out; /* whole, "inf" or "nan" */
    *point = '.';
    memmove(point + 1, point + length, strlen(point + length) + 1);
    return out;
}

int sgm_are_finite(const float *values, size_t count)
{
    uint32_t found = 0, bits;
    for (size_t i = 0; i < count; i++) {
        memcpy(&bits, &values[i], sizeof bits);
        found |= (bits & 0x7f800000) == 0x7f800000;
    }
    return !found;
}
