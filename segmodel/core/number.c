#define _GNU_SOURCE
#include "core/number.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>

static locale_t plain;
static pthread_once_t made = PTHREAD_ONCE_INIT;

static void make(void)
{
    plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
}

double sgm_read_number(const char *text, char **end)
{
    pthread_once(&made, make);
    return plain ? strtod_l(text, end, plain) : strtod(text, end);
}
