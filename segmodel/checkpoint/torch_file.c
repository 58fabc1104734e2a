/* PyTorch's zip checkpoints: <root>/data.pkl is a pickle of nested dicts, the tensors in it are
 * views of storages, each an uncompressed entry <root>/data/<key>. */
#include "checkpoint/torch_dict.h"
#include "checkpoint/zip_directory.h"
#include "core/status.h"

#include <stdio.h>
#include <string.h>

enum { MAX_ROOT = 512 };

typedef struct {
    sgm_checkpoint *checkpoint;
    sgm_zip zip;
    sgm_pickle pickle;
    char root[MAX_ROOT]; /* with the slash */
    size_t root_length;
} torch_file;

/* -------------------------------------------------------------------------------------- archive */

static bool ends_with(const sgm_zip_entry *entry, const char *ending)
{
    size_t n = strlen(ending);
    return entry->name_length >= n && memcmp(entry->name + entry->name_length - n, ending, n) == 0;
}

static const sgm_zip_entry *find_pickle(const torch_file *f)
{
    for (size_t i = 0; i < f->zip.count; i++)
        if (ends_with(&f->zip.entries[i], "/data.pkl")) return &f->zip.entries[i];
    return NULL;
}

static const sgm_zip_entry *find_entry(const torch_file *f, const char *folder, const char *name,
                                       size_t name_length)
{
    char path[2 * MAX_ROOT];
    int n = snprintf(path, sizeof path, "%.*s%s%.*s", (int)f->root_length, f->root, folder,
                     (int)(name_length < MAX_ROOT / 2 ? name_length : MAX_ROOT / 2), name);
    if (n < 0 || (size_t)n >= sizeof path || name_length > MAX_ROOT / 2) return NULL;
    return sgm_zip_find(&f->zip, path, (size_t)n);
}

static sgm_status check_byte_order(const torch_file *f)
{
    const sgm_zip_entry *entry = find_entry(f, "", "byteorder", 9);
    const unsigned char *text;
    if (!entry) return SGM_OK; /* before PyTorch 2.1: little */
    SGM_TRY(sgm_zip_data(&f->zip, entry, &text));
    if (entry->size == 6 && memcmp(text, "little", 6) == 0) return SGM_OK;
    return sgm_fail(SGM_BAD_MODEL, "byte order is not 'little'; save it again on a little-endian "
                                   "machine");
}

static sgm_status open_archive(torch_file *f)
{
    const unsigned char *bytes;
    SGM_TRY(sgm_zip_open(f->checkpoint->bytes, f->checkpoint->size, &f->zip));
    const sgm_zip_entry *entry = find_pickle(f);
    if (!entry)
        return sgm_fail(SGM_BAD_MODEL, "a zip archive without data.pkl: not a PyTorch checkpoint");
    f->root_length = entry->name_length - strlen("data.pkl");
    if (f->root_length >= MAX_ROOT)
        return sgm_fail(SGM_BAD_MODEL, "the archive's folder name is too long");
    memcpy(f->root, entry->name, f->root_length);
    if (find_entry(f, "", "constants.pkl", 13))
        return sgm_fail(SGM_BAD_MODEL,
                        "a TorchScript archive, which holds code. In Python: torch.save("
                        "torch.jit.load(\"old.pt\").state_dict(), \"new.pth\")");
    SGM_TRY(check_byte_order(f));
    SGM_TRY(sgm_zip_data(&f->zip, entry, &bytes));
    return sgm_pickle_parse(bytes, entry->size, &f->pickle);
}

/* ------------------------------------------------------------------------------------- storages */

static sgm_status find_storage(const void *file, const sgm_pickle *pickle,
                               const sgm_pickle_value *storage, const char *name,
                               const unsigned char **data, int64_t *count)
{
    char text[96];
    const torch_file *f = file;
    const sgm_pickle_value *key = &pickle->values[storage->storage.key];
    const sgm_zip_entry *entry = find_entry(f, "data/", key->text.bytes, key->text.length);
    if (!entry)
        return sgm_fail(SGM_BAD_MODEL, "tensor '%s': its storage data/%s is not in the archive",
                        name, sgm_printable(key->text.bytes, key->text.length, text));
    SGM_TRY(sgm_zip_data(&f->zip, entry, data));
    size_t size = storage->storage.element;
    *count = storage->storage.count;
    if ((uint64_t)*count > entry->size / size)
        return sgm_fail(SGM_BAD_MODEL,
                        "tensor '%s': its storage should hold %lld elements of %zu bytes, the "
                        "archive has %zu bytes",
                        name, (long long)*count, size, entry->size);
    return SGM_OK;
}

sgm_status sgm_torch_file_parse(sgm_checkpoint *checkpoint)
{
    torch_file f = {.checkpoint = checkpoint};
    checkpoint->format = "PyTorch zip";
    sgm_status status = open_archive(&f);
    if (status == SGM_OK)
        status = sgm_torch_add_weights(checkpoint, &f.pickle,
                                       &(sgm_torch_storages){.file = &f, .find = find_storage});
    sgm_pickle_free(&f.pickle);
    sgm_zip_close(&f.zip);
    return status;
}
