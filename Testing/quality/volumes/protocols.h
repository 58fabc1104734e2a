/* The protocols of one object. README.md has their words. */
#ifndef QUALITY_VOLUMES_PROTOCOLS_H
#define QUALITY_VOLUMES_PROTOCOLS_H

#include "prompts.h"
#include "rows.h"
#include "store.h"

typedef struct bench {
    sgm_model *model;
    memory_store *store;
    FILE *rows;
    const char *strips; /* a folder for pictures of results, or NULL */
    const char *only;   /* a protocol, or NULL for all */
    int rivals;         /* 0: the network alone */
} bench;

/* All protocols, rows written. 0, or -1 after a message on stderr. */
int protocols_run(const bench *b, const volume_case *c, const truth *object);

/* One prediction. `mask` (the volume's size) is filled; the rest of the row is the caller's. */
typedef struct answer {
    uint8_t *mask;
    sgm_stop stopped[2];
    double cpu;
    size_t slices;
} answer;

int protocol_ask(const bench *b, const volume_case *c, const prompt_list *prompts, sgm_axis axis,
                 int use_store, answer *out);
/* Writes the row of a mask; `walk` may be NULL. */
void protocol_report(const bench *b, const volume_case *c, const truth *object, const char *name,
                     const uint8_t *mask, const answer *walk);
row protocol_row(const volume_case *c, const truth *object, const char *name, const uint8_t *mask,
                 const answer *walk);

/* Five clicks after the prompts that gave `mask`, which is changed; rows "NAME 1" to "NAME 5". */
int clicks_run(const bench *b, const volume_case *c, const truth *object, const char *name,
               prompt_list *prompts, uint8_t *mask);

#endif
