/* A manifest: every cell is a string inside the text, and there is a header. */
#include "fuzz_result.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli_table.h"

static void check_row(const cli_table *table, const cli_table_row *row, const char *end)
{
    if (row->count == 0) abort();
    for (size_t i = 0; i < row->count; i++) {
        const char *cell = row->cells[i];
        if (cell < table->text || cell > end || strlen(cell) > (size_t)(end - cell)) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cli_table table;
    char *text = calloc(1, size + 1);
    if (!text) abort();
    memcpy(text, data, size);
    const char *end = text + size;
    fuzz_refused = cli_table_parse("fuzz", text, &table) != 0;
    if (fuzz_refused) return 0;
    check_row(&table, &table.header, end);
    for (size_t i = 0; i < table.row_count; i++)
        check_row(&table, &table.rows[i], end);
    cli_table_column(&table, "id");
    cli_table_clear(&table);
    return 0;
}
