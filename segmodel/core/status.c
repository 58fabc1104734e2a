#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

sgm_status(sgm_fail)(sgm_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return code;
}

sgm_status sgm_fail_in(sgm_status code, const char *prefix)
{
    char old[sizeof message];
    memcpy(old, message, sizeof old);
    snprintf(message, sizeof message, "%s: ", prefix);
    size_t used = strlen(message);
    memcpy(message + used, old, sizeof message - used);
    message[sizeof message - 1] = 0;
    return code;
}

void sgm_set_message(const char *text)
{
    snprintf(message, sizeof message, "%s", text);
}

const char *sgm_last_message(void)
{
    return message;
}

const char *sgm_status_name(sgm_status status)
{
    switch (status) {
    case SGM_OK:
        return "ok";
    case SGM_INVALID_ARGUMENT:
        return "invalid argument";
    case SGM_UNREADABLE:
        return "input cannot be read";
    case SGM_BAD_PROMPT:
        return "invalid prompt";
    case SGM_BAD_MODEL:
        return "model or checkpoint";
    case SGM_OUT_OF_MEMORY:
        return "out of memory";
    case SGM_DEVICE:
        return "device failure";
    case SGM_UNWRITABLE:
        return "output cannot be written";
    case SGM_CANCELLED:
        return "cancelled";
    case SGM_INTERNAL:
        return "internal error";
    }
    return "unknown status";
}
