#include "checkpoint/foreign_file.h"

#include "core/status.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const char *magic;
    size_t at, length;
    const char *sentence;
} kinds[] = {
    {"version https://git-lfs", 0, 23, "a Git LFS pointer, not the weights: run 'git lfs pull'"},
    {"\x93NUMPY", 0, 6, "a .npy array, not a checkpoint"},
    {"\x1f\x8b", 0, 2, "compressed with gzip: unpack it first"},
    {"BZh", 0, 3, "compressed with bzip2: unpack it first"},
    {"\xfd"
     "7zXZ",
     0, 5, "compressed with xz: unpack it first"},
    {"7z\xbc\xaf", 0, 4, "a 7z archive: unpack it first"},
    {"Rar!", 0, 4, "a RAR archive: unpack it first"},
    {"\x28\xb5\x2f\xfd", 0, 4, "compressed with zstd: unpack it first"},
    {"\x89HDF\r\n\x1a\n", 0, 8, "an HDF5 file (Keras, for instance), not a PyTorch checkpoint"},
    {"ustar", 257, 5,
     "a tar archive: a packed folder, to be unpacked, or what PyTorch wrote before 0.1.10, which "
     "is "
     "not read; in Python: torch.save(torch.load(\"old.pth\", map_location=\"cpu\", "
     "weights_only=False), \"new.pth\")"},
    {"\x80", 0, 1,
     "a bare pickle, not what torch.save writes; in Python, if it is a state dict: import pickle; "
     "torch.save(pickle.load(open(\"old.pth\", \"rb\")), \"new.pth\")"},
};

static char lower(unsigned char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool begins_with(const unsigned char *bytes, size_t size, const char *tag)
{
    size_t length = strlen(tag), same = 0;
    while (same < length && same < size && lower(bytes[same]) == tag[same])
        same++;
    return same == length;
}

/* Servers answer with a page where a login, a licence or a scan for viruses is asked for. */
static bool is_web_page(const unsigned char *bytes, size_t size)
{
    static const char *const tags[] = {"<!doctype html", "<html", "<head", "<?xml", "<!--"};
    if (begins_with(bytes, size, "\xef\xbb\xbf")) bytes += 3, size -= 3;
    while (size > 0 && (*bytes == ' ' || (*bytes >= '\t' && *bytes <= '\r')))
        bytes++, size--;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (begins_with(bytes, size, tags[i])) return true;
    return false;
}

/* Is the text anywhere in the first bytes? */
static bool holds(const unsigned char *bytes, size_t size, const char *text)
{
    enum { LOOKED_AT = 1 << 16 };
    size_t length = strlen(text), end = size < LOOKED_AT ? size : LOOKED_AT;
    for (size_t i = 0; i + length <= end; i++)
        if (memcmp(bytes + i, text, length) == 0) return true;
    return false;
}

/* What transformers, accelerate and others put beside the weights: settings, or where each tensor
 * of weights in several files is. */
static const char *json_sentence(const unsigned char *bytes, size_t size)
{
    size_t at = 0;
    while (at < size && (bytes[at] == ' ' || bytes[at] == '\n' || bytes[at] == '\r'))
        at++;
    if (at == size || bytes[at] != '{') return NULL;
    if (!holds(bytes, size, "\"weight_map\""))
        return holds(bytes, size, "\"") ? "a JSON text, not the weights" : NULL;
    if (holds(bytes, size, ".safetensors\""))
        return "the index of weights in several files: join them. In Python, in their folder: "
               "import "
               "glob; from safetensors.torch import load_file, save_file; save_file({k: v for f in "
               "glob.glob(\"*-of-*.safetensors\") for k, v in load_file(f).items()}, "
               "\"one.safetensors\")";
    return "the index of weights in several files: join them. In Python, in their folder: import "
           "glob, torch; torch.save({k: v for f in glob.glob(\"*-of-*.bin\") for k, v in "
           "torch.load(f, map_location=\"cpu\").items()}, \"one.pth\")";
}

sgm_status sgm_fail_foreign_file(const unsigned char *bytes, size_t size)
{
    if (size == 0) return sgm_fail(SGM_BAD_MODEL, "the file is empty");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (size >= kinds[i].at + kinds[i].length &&
            memcmp(bytes + kinds[i].at, kinds[i].magic, kinds[i].length) == 0)
            return sgm_fail(SGM_BAD_MODEL, "%s", kinds[i].sentence);
    const char *json = json_sentence(bytes, size);
    if (json) return sgm_fail(SGM_BAD_MODEL, "%s", json);
    if (is_web_page(bytes, size))
        return sgm_fail(SGM_BAD_MODEL,
                        "a web page in place of the weights: download the file itself");
    return sgm_fail(SGM_BAD_MODEL,
                    "neither a .safetensors nor a PyTorch file (%zu bytes, first byte 0x%02x)",
                    size, bytes[0]);
}
