/* Image-bank re-sampling for long tails: a slot per class holds the last object of that class that
 * was trained on; every batch is joined by objects of slots drawn evenly, so that classes that are
 * rare in the pictures are about as frequent in training as the others. A slot names an item and
 * its label value: what joins is drawn anew of that item, with another look. */
#ifndef SEGMODEL_TRAIN_BANK_H
#define SEGMODEL_TRAIN_BANK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

typedef struct sgm_bank_slot {
    int item;              /* -1: nothing of this class yet */
    int64_t drawn, joined; /* how often the class came with a batch, and from here */
} sgm_bank_slot;

typedef struct sgm_bank {
    int classes, items;   /* items: of the pack */
    sgm_bank_slot *slots; /* of label values 1 .. classes */
} sgm_bank;

sgm_status sgm_bank_create(int classes, int items, sgm_bank *out);
void sgm_bank_clear(sgm_bank *bank);

/* An object of a batch, in its order: the last one of a class stays. */
void sgm_bank_put(sgm_bank *bank, int item, int label);

/* Label value of the slot that draw `index` of stream `key` takes, evenly among those that are
 * filled; 0: none is. Number n of the stream: the upper half of SplitMix64's n-th output, scaled.
 */
int sgm_bank_pick(const sgm_bank *bank, uint64_t key, uint64_t index);

/* All of it as text for a training state, malloc'ed; and back. SGM_BAD_MODEL: not such a text. */
char *sgm_bank_text(const sgm_bank *bank);
sgm_status sgm_bank_read(sgm_bank *bank, const char *text);

/* "class,name,from_pictures,from_bank" per class; names as in the model's metadata, or "". */
sgm_status sgm_bank_save(const sgm_bank *bank, const char *names, const char *path);

#endif
