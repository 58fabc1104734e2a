#include "core/hash.h"

#include <string.h>

uint64_t sgm_hash(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t sum = 0x9e3779b97f4a7c15u ^ size, word;
    for (; size >= 8; size -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        sum = (sum ^ word) * 0xff51afd7ed558ccdu;
        sum ^= sum >> 32;
    }
    for (; size; size--)
        sum = (sum ^ *bytes++) * 0xff51afd7ed558ccdu;
    return sum ^ sum >> 29;
}

uint64_t sgm_hash_join(uint64_t a, uint64_t b)
{
    const uint64_t both[2] = {a, b};
    return sgm_hash(both, sizeof both);
}

uint64_t sgm_hash_text(uint64_t a, const char *text)
{
    return sgm_hash_join(a, sgm_hash(text, strlen(text)));
}
