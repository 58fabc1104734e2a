/* The ops' test cases: each builds a small graph from parameters, which receive deterministic
 * pseudo-random values. Adding an op to the library means adding a line to op_cases.c. */
#ifndef SEGMODEL_TESTS_OP_CASES_H
#define SEGMODEL_TESTS_OP_CASES_H

#include "graph/graph.h"

typedef struct op_case {
    const char *name;
    sgm_node *(*build)(sgm_graph *g);
    double forward; /* F32 against the double loops: NRMSE. 0: the default of op_test.c */
    double bf16;    /* BF16 against the double loops: NRMSE. 0: the default */
    bool no_gradient;
} op_case;

/* When set, p0 is an input and the others stay parameters, which an inference plan folds, packs and
 * fuses; otherwise all are parameters of a training plan. */
extern bool op_case_first_is_input;

extern const op_case op_cases[];
extern const int op_case_count;

#endif
