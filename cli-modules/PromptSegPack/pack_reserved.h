/* Cases that nothing may be trained on, because demos and tests measure with them. */
#ifndef PROMPTSEG_PACK_RESERVED_H
#define PROMPTSEG_PACK_RESERVED_H

/* 1 for a file of such a case, by where it lies in its data set; links are followed. */
int pack_is_reserved(const char *path);

#endif
