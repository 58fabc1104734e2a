#include "backend/full.h"

#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>

sgm_status sgm_backend_full(sgm_backend *backend, const char *format, ...)
{
    char text[256];
    va_list arguments;
    SGM_TRY(backend->ops->synchronize(backend));
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return sgm_fail(SGM_OUT_OF_MEMORY, "%s", text);
}
