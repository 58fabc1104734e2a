/* ZIP archives: stored entries and ZIP64 are read; damage is refused. */
#include "byte_builder.h"
#include "check.h"
#include "checkpoint/zip_directory.h"

static zip_builder z; /* large, so not on the stack */

static void make(int zip64)
{
    memset(&z, 0, sizeof z);
    z.zip64 = zip64;
    zip_add(&z, "a/data.pkl", "pickle", 6);
    zip_add(&z, "a/data/0", "", 0);
    zip_add(&z, "a/data/10", "ten", 3);
    zip_finish(&z);
}

static sgm_status open_it(sgm_zip *zip)
{
    return sgm_zip_open(z.file.bytes, z.file.size, zip);
}

static void archives_are_read(int zip64)
{
    sgm_zip zip;
    const unsigned char *bytes;
    make(zip64);
    if (!CHECK_OK(open_it(&zip))) return;
    CHECK(zip.count == 3);
    const sgm_zip_entry *entry = sgm_zip_find(&zip, "a/data/10", 9);
    CHECK(entry && entry->size == 3);
    CHECK_OK(sgm_zip_data(&zip, entry, &bytes));
    CHECK(memcmp(bytes, "ten", 3) == 0);
    CHECK_OK(sgm_zip_data(&zip, sgm_zip_find(&zip, "a/data/0", 8), &bytes));
    CHECK(sgm_zip_find(&zip, "a/data/1", 8) == NULL);
    CHECK(sgm_zip_find(&zip, "a/data/100", 10) == NULL);
    sgm_zip_close(&zip);
}

static void an_archive_comment_is_skipped(void)
{
    sgm_zip zip;
    make(0);
    z.file.bytes[z.file.size - 2] = 5;
    put_text(&z.file, "PK\5\6!");
    if (CHECK_OK(open_it(&zip))) sgm_zip_close(&zip);
}

/* Sets the little-endian field `field` bytes after the nth record "PK<a><b>". */
static void poke(char a, char b, int nth, size_t field, uint64_t value, int n)
{
    for (size_t i = 0; i + 4 <= z.file.size; i++) {
        const unsigned char *p = z.file.bytes + i;
        if (p[0] != 'P' || p[1] != 'K' || p[2] != a || p[3] != b || nth-- > 0) continue;
        for (int k = 0; k < n; k++)
            z.file.bytes[i + field + (size_t)k] = (unsigned char)(value >> 8 * k);
        return;
    }
    CHECK(!"record found");
}

static const struct {
    const char *what;
    int zip64;
    char a, b;
    int nth;
    size_t field;
    uint64_t value;
    int bytes;
    const char *message;
} damages[] = {
    {"end record gone", 0, 5, 6, 0, 2, 0, 2, "end-of-directory"},
    {"comment longer than the file", 0, 5, 6, 0, 20, 9, 2, "end-of-directory"},
    {"second disk", 0, 5, 6, 0, 4, 1, 2, "split"},
    {"more entries than directory", 0, 5, 6, 0, 10, 4, 2, "split"},
    {"directory size", 0, 5, 6, 0, 12, 0xfffffff0, 4, "does not fit"},
    {"directory offset", 0, 5, 6, 0, 16, 0xfffffff0, 4, "does not fit"},
    {"directory too short", 0, 5, 6, 0, 12, 60, 4, "3 entries do not fit"},
    {"saturated without ZIP64", 0, 5, 6, 0, 16, 0xffffffff, 4, "locator is missing"},
    {"ZIP64 record beyond", 1, 6, 7, 0, 8, UINT64_MAX - 8, 8, "ZIP64 end record"},
    {"ZIP64 count", 1, 6, 6, 0, 32, 9, 8, "split"},
    {"ZIP64 directory size", 1, 6, 6, 0, 40, UINT64_MAX, 8, "does not fit"},
    {"ZIP64 directory offset", 1, 6, 6, 0, 48, UINT64_MAX - 4, 8, "does not fit"},
    {"ZIP64 extra cut", 1, 1, 2, 0, 30, 6, 2, "ZIP64 field"},
    {"entry signature", 0, 1, 2, 1, 2, 9, 1, "no directory entry"},
    {"entry name too long", 0, 1, 2, 2, 28, 60000, 2, "cut off"},
    {"entry offset", 0, 1, 2, 0, 42, 0x7fffffff, 4, "'a/data.pkl' reaches beyond"},
    {"entry sizes differ", 0, 1, 2, 0, 24, 5, 4, "two different sizes"},
    {"entry on another disk", 0, 1, 2, 0, 34, 1, 2, "split archive"},
};

static void damaged_directories_are_refused(void)
{
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        sgm_zip zip;
        make(damages[i].zip64);
        poke(damages[i].a, damages[i].b, damages[i].nth, damages[i].field, damages[i].value,
             damages[i].bytes);
        check_status(open_it(&zip), SGM_BAD_MODEL, damages[i].message, damages[i].what, __FILE__,
                     __LINE__);
    }
}

static void check_entry_refused(const char *message)
{
    sgm_zip zip;
    const unsigned char *bytes;
    if (!CHECK_OK(open_it(&zip))) return;
    CHECK_STATUS(sgm_zip_data(&zip, sgm_zip_find(&zip, "a/data.pkl", 10), &bytes), SGM_BAD_MODEL,
                 message);
    sgm_zip_close(&zip);
}

static void damaged_entries_are_refused_when_used(void)
{
    make(0), poke(1, 2, 0, 10, 8, 2), check_entry_refused("is compressed");
    make(0), poke(1, 2, 0, 8, 1, 2), check_entry_refused("is encrypted");
    make(0), poke(3, 4, 0, 2, 0, 1), check_entry_refused("no local header");
    make(0), poke(3, 4, 0, 26, 9, 2), check_entry_refused("another name");
    make(0), poke(3, 4, 0, 28, 65535, 2), check_entry_refused("reaches beyond");
    make(0), poke(3, 4, 0, 30, 'x', 1), check_entry_refused("another name");
}

static void duplicate_names_are_refused(void)
{
    sgm_zip zip;
    memset(&z, 0, sizeof z);
    zip_add(&z, "twice", "1", 1);
    zip_add(&z, "twice", "2", 1);
    zip_finish(&z);
    CHECK_STATUS(open_it(&zip), SGM_BAD_MODEL, "'twice' occurs twice");
}

static void every_truncation_is_refused(void)
{
    for (int zip64 = 0; zip64 < 2; zip64++) {
        make(zip64);
        for (size_t size = 0; size < z.file.size; size++) {
            sgm_zip zip;
            unsigned char *cut = malloc(size + 1);
            memcpy(cut, z.file.bytes, size);
            CHECK(sgm_zip_open(cut, size, &zip) == SGM_BAD_MODEL);
            free(cut);
        }
    }
}

int main(void)
{
    archives_are_read(0);
    archives_are_read(1);
    an_archive_comment_is_skipped();
    damaged_directories_are_refused();
    damaged_entries_are_refused_when_used();
    duplicate_names_are_refused();
    every_truncation_is_refused();
    return check_report();
}
