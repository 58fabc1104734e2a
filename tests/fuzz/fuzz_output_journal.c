/* The journal of an interrupted set of outputs. */
#include "fuzz_result.h"

#include "output_recovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgio_journal journal;
    fuzz_refused = sgio_journal_parse((const char *)data, size, &journal) != 0;
    if (!fuzz_refused) sgio_journal_clear(&journal);
    return 0;
}
