/* The call a thread is in: its callbacks reach whatever runs on that thread (plans between their
 * steps, loops over voxels) without being handed down through every function. Calls on different
 * threads do not meet, and a call inside a call hides the outer one's callbacks but for cancel. */
#ifndef SEGMODEL_CORE_CALL_H
#define SEGMODEL_CORE_CALL_H

#include "segmodel/segmodel.h"

typedef struct sgm_call_scope {
    sgm_call call;
    struct sgm_call_scope *outer;
} sgm_call_scope;

/* `call` may be NULL; it is copied. SGM_INVALID_ARGUMENT for a size that cannot be: the thread is
 * then as before. The scope must stay where it is until it is left. */
sgm_status sgm_call_enter(sgm_call_scope *scope, const sgm_call *call);
void sgm_call_leave(sgm_call_scope *scope);

/* SGM_CANCELLED with a message when the thread's call, or one around it, is to end. */
sgm_status sgm_call_cancelled(void);
void sgm_call_progress(double fraction, const char *message);
void sgm_call_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
