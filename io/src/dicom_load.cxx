#include "dicom_load.hxx"

#include "byte_source.h"
#include "dicom_meta.h"
#include "dicom_toolkit.h"
#include "io_status.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

namespace
{

constexpr Uint32 longest_value = 4096;              // longer ones stay in the file
constexpr std::size_t most_header_bytes = 16 << 20; // before the pixels of a deflated file
constexpr std::size_t most_meta_bytes = 1 << 16;
constexpr std::size_t chunk_bytes = 1 << 16;

struct close_source {
    void operator()(sgio_source *source) const { sgio_source_close(source); }
};

sgio_status not_dicom(const char *path, const OFCondition &reason)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: not readable as DICOM: %s", path, reason.text());
}

bool write_all(int file, const void *bytes, std::size_t count)
{
    return write(file, bytes, count) == static_cast<ssize_t>(count);
}

// The file's beginning with its transfer syntax changed to the one without deflate.
sgio_status copy_meta(const char *path, int file, sgio_dicom_meta *meta)
{
    char *bytes = nullptr;
    std::size_t size = 0;
    const sgio_status status = sgio_read_prefix(path, most_meta_bytes, &bytes, &size);
    if (status != SGIO_OK) return status;
    const std::unique_ptr<char, decltype(&std::free)> owner(bytes, &std::free);
    const std::size_t plain = std::strlen(UID_LittleEndianExplicitTransferSyntax);
    if (sgio_dicom_find_meta(bytes, size, meta) != 0 || meta->syntax_bytes < plain)
        return sgio_fail(SGIO_UNREADABLE, "%s: deflated DICOM with a damaged meta header", path);
    std::memset(bytes + meta->syntax, 0, meta->syntax_bytes);
    std::memcpy(bytes + meta->syntax, UID_LittleEndianExplicitTransferSyntax, plain);
    return write_all(file, bytes, meta->end) ? SGIO_OK : sgio_fail_memory(meta->end, path);
}

// A longer stream is cut: what follows the pixels is of no use here.
sgio_status copy_inflated(const char *path, int file, std::size_t offset, std::size_t limit)
{
    sgio_source *opened = nullptr;
    sgio_status status = sgio_source_open(path, offset, SGIO_SOURCE_DEFLATED, &opened);
    const std::unique_ptr<sgio_source, close_source> source(opened);
    std::vector<char> chunk(chunk_bytes);
    std::size_t got = chunk_bytes;
    for (std::size_t done = 0; status == SGIO_OK && done < limit && got == chunk_bytes;
         done += got) {
        status = sgio_source_read_some(opened, chunk.data(), chunk_bytes, &got);
        if (status == SGIO_OK && !write_all(file, chunk.data(), got))
            status = sgio_fail_memory(done + got, path);
    }
    return status;
}

} // namespace

dicom_file::~dicom_file()
{
    if (inflated >= 0) close(inflated);
}

sgio_status dicom_file::inflate(const char *path, std::size_t pixel_bytes)
{
    sgio_dicom_meta meta;
    inflated = memfd_create("inflated DICOM", MFD_CLOEXEC);
    if (inflated < 0)
        return sgio_fail(SGIO_OUT_OF_MEMORY, "%s: cannot be inflated: %s", path,
                         std::strerror(errno));
    const sgio_status status = copy_meta(path, inflated, &meta);
    if (status != SGIO_OK) return status;
    return copy_inflated(path, inflated, meta.end, most_header_bytes + pixel_bytes);
}

sgio_status dicom_file::load(const char *path, const DcmTagKey &stop, std::size_t pixel_bytes)
{
    char name[40];
    OFString syntax;
    sgio_prepare_dcmtk();
    // DCMTK itself says what it would take for deflated, so that no file slips through.
    format.loadFile(path, EXS_Unknown, EGL_noChange, longest_value, ERM_metaOnly);
    DcmMetaInfo *meta = format.getMetaInfo();
    if (meta && meta->findAndGetOFString(DCM_TransferSyntaxUID, syntax).good())
        was_deflated = DcmXfer(syntax.c_str()).getXfer() == EXS_DeflatedLittleEndianExplicit;
    if (was_deflated) {
        const sgio_status status = inflate(path, pixel_bytes);
        if (status != SGIO_OK) return status;
        std::snprintf(name, sizeof name, "/proc/self/fd/%d", inflated);
    }
    const OFCondition result = format.loadFileUntilTag(
        was_deflated ? name : path, EXS_Unknown, EGL_noChange, longest_value, ERM_autoDetect, stop);
    return result.good() ? SGIO_OK : not_dicom(path, result);
}
