// PNG and JPEG through ITK's image IO classes, which keep libpng's and libjpeg's error handling.
#include "byte_source.h"
#include "io_status.h"
#include "picture_file.h"
#include "volume_formats.h"
#include "voxels.h"

#include <itkJPEGImageIO.h>
#include <itkPNGImageIO.h>

#include <cstdlib>
#include <cstring>

namespace
{

constexpr std::size_t most_pixels = std::size_t(1) << 30;

itk::ImageIOBase::Pointer make_io(const char *path)
{
    char *bytes = nullptr;
    std::size_t size = 0;
    itk::ImageIOBase::Pointer io;
    if (sgio_read_prefix(path, 4, &bytes, &size) != SGIO_OK) return io;
    if (size == 4 && std::memcmp(bytes, "\x89PNG", 4) == 0) io = itk::PNGImageIO::New();
    if (size == 4 && std::memcmp(bytes, "\xff\xd8\xff", 3) == 0) io = itk::JPEGImageIO::New();
    std::free(bytes);
    if (!io) sgio_fail(SGIO_UNREADABLE, "%s: neither a PNG nor a JPEG picture", path);
    return io;
}

// Alpha (the second or fourth value) is dropped, as masks and viewers' exports carry it unused.
void copy_without_alpha(const unsigned char *from, std::size_t pixels, std::size_t file_channels,
                        std::size_t channels, std::size_t width, unsigned char *to)
{
    for (std::size_t i = 0; i < pixels; i++)
        std::memcpy(to + i * channels * width, from + i * file_channels * width, channels * width);
}

sgio_status read_pixels(const char *path, itk::ImageIOBase *io, void *pixels)
{
    const std::size_t file_channels = io->GetNumberOfComponents();
    const std::size_t channels = file_channels >= 3 ? 3 : 1;
    if (file_channels == channels) {
        io->Read(pixels);
        return SGIO_OK;
    }
    const std::size_t bytes = io->GetImageSizeInBytes();
    unsigned char *buffer = static_cast<unsigned char *>(std::malloc(bytes));
    if (!buffer) return sgio_fail_memory(bytes, path);
    try {
        io->Read(buffer);
    } catch (...) {
        std::free(buffer);
        throw;
    }
    copy_without_alpha(buffer, io->GetImageSizeInPixels(), file_channels, channels,
                       io->GetComponentSize(), static_cast<unsigned char *>(pixels));
    std::free(buffer);
    return SGIO_OK;
}

sgio_status describe(const char *path, itk::ImageIOBase *io, sgio_picture *picture)
{
    io->SetFileName(path);
    io->ReadImageInformation();
    const auto type = io->GetComponentType();
    const bool cmyk = io->GetNumberOfComponents() == 4 && !dynamic_cast<itk::PNGImageIO *>(io);
    if (cmyk || io->GetNumberOfComponents() > 4 ||
        (type != itk::IOComponentEnum::UCHAR && type != itk::IOComponentEnum::USHORT))
        return sgio_fail(SGIO_UNREADABLE, "%s: only grey and RGB pictures are supported", path);
    picture->size[0] = static_cast<int64_t>(io->GetDimensions(0));
    picture->size[1] = static_cast<int64_t>(io->GetDimensions(1));
    picture->channels = io->GetNumberOfComponents() >= 3 ? 3 : 1;
    picture->type = type == itk::IOComponentEnum::UCHAR ? SGIO_U8 : SGIO_U16;
    if (picture->size[0] < 1 || picture->size[1] < 1 || 
        static_cast<std::size_t>(io->GetImageSizeInPixels()) > most_pixels)
        return sgio_fail(SGIO_UNREADABLE, "%s: size %lld x %lld is not credible", path,
                         static_cast<long long>(picture->size[0]),
                         static_cast<long long>(picture->size[1]));
    return SGIO_OK;
}

} // namespace

sgio_status sgio_picture_read(const char *path, sgio_picture *picture, void *pixels)
{
    itk::Object::SetGlobalWarningDisplay(false);
    try {
        const itk::ImageIOBase::Pointer io = make_io(path);
        if (!io) return SGIO_UNREADABLE;
        sgio_status status = describe(path, io, picture);
        if (status == SGIO_OK && pixels) status = read_pixels(path, io, pixels);
        return status;
    } catch (const std::bad_alloc &) {
        return sgio_fail_memory(0, path);
    } catch (const std::exception &) {
        return sgio_fail(SGIO_UNREADABLE, "%s: truncated or damaged picture", path);
    }
}
