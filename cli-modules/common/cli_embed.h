/* The bytes that promptseg_embed() (resources/cmake/PromptSegEmbed.cmake) puts into a program. */
#ifndef PROMPTSEG_CLI_EMBED_H
#define PROMPTSEG_CLI_EMBED_H

#include <stddef.h>

#ifdef __cplusplus
#define CLI_EMBEDDED extern "C"
#else
#define CLI_EMBEDDED extern
#endif

/* Declares an embedded file; `symbol_size` does not count the zero byte that follows. */
#define CLI_DECLARE_EMBEDDED(symbol)                                                               \
    CLI_EMBEDDED const unsigned char symbol[];                                                     \
    CLI_EMBEDDED const size_t symbol##_size

#endif
