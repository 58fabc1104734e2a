#include "core/call.h"

#include "core/sized.h"
#include "core/status.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static _Thread_local sgm_call_scope *current;

sgm_status sgm_call_enter(sgm_call_scope *scope, const sgm_call *call)
{
    *scope = (sgm_call_scope){.outer = current};
    if (call)
        SGM_TRY(
            sgm_sized_read("sgm_call", call, sizeof scope->call, &scope->call, sizeof scope->call));
    current = scope;
    return SGM_OK;
}

void sgm_call_leave(sgm_call_scope *scope)
{
    current = scope->outer;
}

sgm_status sgm_call_cancelled(void)
{
    for (const sgm_call_scope *scope = current; scope; scope = scope->outer)
        if (scope->call.cancel && scope->call.cancel(scope->call.cancel_user))
            return sgm_fail(SGM_CANCELLED, "cancelled");
    return SGM_OK;
}

void sgm_call_progress(double fraction, const char *message)
{
    if (current && current->call.progress)
        current->call.progress(current->call.progress_user, fraction, message);
}

void sgm_call_warn(const char *format, ...)
{
    char sentence[512];
    va_list args;
    if (!current || !current->call.warning) return;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    current->call.warning(current->call.warning_user, sentence);
}
