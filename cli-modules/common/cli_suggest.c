#include "cli_suggest.h"

#include <ctype.h>

enum { MAX_WORD = 64 };

/* Length of the normalised word, or MAX_WORD if it does not fit. */
static size_t normalise(const char *word, char out[MAX_WORD])
{
    size_t length = 0;
    for (; *word; word++) {
        if (*word == '-' || *word == '_') continue;
        if (length + 1 == MAX_WORD) return MAX_WORD;
        out[length++] = (char)tolower((unsigned char)*word);
    }
    out[length] = '\0';
    return length;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t cli_edit_distance(const char *a, const char *b)
{
    char x[MAX_WORD], y[MAX_WORD];
    const size_t n = normalise(a, x), m = normalise(b, y);
    if (n == MAX_WORD || m == MAX_WORD) return MAX_WORD;
    static _Thread_local size_t d[MAX_WORD + 1][MAX_WORD + 1];
    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            const size_t replace = d[i - 1][j - 1] + (x[i - 1] != y[j - 1]);
            d[i][j] = least(replace, least(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && x[i - 1] == y[j - 2] && x[i - 2] == y[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n][m];
}
