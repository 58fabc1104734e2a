// Pixels of one DICOM image: DCMTK reads uncompressed ones and decodes RLE, JPEG and JPEG-LS,
// OpenJPEG decodes JPEG 2000. (GDCM would do all, but its codecs print to stderr.)
#include "dicom_jpeg2000.h"
#include "dicom_load.hxx"
#include "dicom_slice.h"
#include "io_status.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace
{

bool is_encapsulated(const sgio_dicom_slice *slice)
{
    return DcmXfer(slice->transfer_syntax).isEncapsulated();
}

std::size_t pixel_count(const sgio_dicom_slice *slice)
{
    return static_cast<std::size_t>(slice->rows) * static_cast<std::size_t>(slice->columns);
}

// YBR_FULL_422 stores two pixels as Y Y Cb Cr.
bool is_subsampled_native(const sgio_dicom_slice *slice)
{
    return !is_encapsulated(slice) && std::strcmp(slice->photometric, "YBR_FULL_422") == 0 &&
           slice->bits_allocated == 8;
}

std::size_t stored_bytes(const sgio_dicom_slice *slice)
{
    if (is_subsampled_native(slice)) return 2 * pixel_count(slice);
    return sgio_dicom_pixel_bytes(slice);
}

sgio_status too_short(const sgio_dicom_slice *slice, std::size_t found)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: truncated: %zu bytes of pixels, wanted %zu", slice->path,
                     found, stored_bytes(slice));
}

// DCMTK hands 16-bit words in native order; a 32-bit value of a big-endian file is still in halves.
void join_halves(void *pixels, std::size_t bytes)
{
    std::uint16_t *words = static_cast<std::uint16_t *>(pixels);
    for (std::size_t i = 0; i + 1 < bytes / 2; i += 2)
        std::swap(words[i], words[i + 1]);
}

sgio_status copy_native(const sgio_dicom_slice *slice, DcmFileFormat &file, void *pixels)
{
    DcmElement *element = nullptr;
    if (file.getDataset()->findAndGetElement(DCM_PixelData, element).bad() || !element)
        return sgio_fail(SGIO_UNREADABLE, "%s: DICOM without pixels", slice->path);
    const std::size_t bytes = stored_bytes(slice);
    if (element->getLength() < bytes) return too_short(slice, element->getLength());
    Uint8 *as_bytes = nullptr;
    Uint16 *as_words = nullptr;
    const void *from = nullptr;
    if (element->getVR() == EVR_OB && element->getUint8Array(as_bytes).good())
        from = as_bytes;
    else if (element->getUint16Array(as_words).good())
        from = as_words;
    if (!from) return too_short(slice, 0);
    std::memcpy(pixels, from, bytes);
    const bool big = DcmXfer(slice->transfer_syntax).isBigEndian();
    if (big && slice->bits_allocated == 32) join_halves(pixels, bytes);
    return SGIO_OK;
}

bool is_jpeg2000(const sgio_dicom_slice *slice)
{
    return std::strcmp(slice->transfer_syntax, UID_JPEG2000LosslessOnlyTransferSyntax) == 0 ||
           std::strcmp(slice->transfer_syntax, UID_JPEG2000TransferSyntax) == 0;
}

sgio_status cannot_decode(const sgio_dicom_slice *slice, const char *why)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: compressed pixels (%s) cannot be decoded: %s",
                     slice->path, dcmFindNameOfUID(slice->transfer_syntax), why);
}

// The fragments of the only frame, joined; the first item is the offset table.
bool join_fragments(DcmDataset &dataset, std::vector<unsigned char> &stream)
{
    DcmElement *element = nullptr;
    DcmPixelSequence *sequence = nullptr;
    E_TransferSyntax syntax = EXS_Unknown;
    const DcmRepresentationParameter *parameter = nullptr;
    if (dataset.findAndGetElement(DCM_PixelData, element).bad()) return false;
    DcmPixelData *pixels = dynamic_cast<DcmPixelData *>(element);
    if (!pixels) return false;
    pixels->getOriginalRepresentationKey(syntax, parameter);
    if (pixels->getEncapsulatedRepresentation(syntax, parameter, sequence).bad()) return false;
    for (unsigned long i = 1; i < sequence->card(); i++) {
        DcmPixelItem *item = nullptr;
        Uint8 *bytes = nullptr;
        if (sequence->getItem(item, i).bad() || item->getLength() == 0) continue;
        if (item->getUint8Array(bytes).bad() || !bytes) return false;
        stream.insert(stream.end(), bytes, bytes + item->getLength());
    }
    return !stream.empty();
}

sgio_status read_jpeg2000(const sgio_dicom_slice *slice, DcmDataset &dataset, void *pixels)
{
    std::vector<unsigned char> stream;
    if (!join_fragments(dataset, stream)) return cannot_decode(slice, "no code stream");
    return sgio_jpeg2000_decode(slice, stream.data(), stream.size(), pixels);
}

template <typename T> void interleave(const sgio_dicom_slice *slice, T *pixels)
{
    const std::size_t count = pixel_count(slice);
    const std::vector<T> planes(pixels, pixels + 3 * count);
    for (std::size_t i = 0; i < count; i++)
        for (std::size_t c = 0; c < 3; c++)
            pixels[3 * i + c] = planes[c * count + i];
}

// In place from the back: pixel pairs need 4 bytes stored and 6 expanded.
void expand_422(const sgio_dicom_slice *slice, std::uint8_t *pixels)
{
    for (std::size_t pair = pixel_count(slice) / 2; pair-- > 0;) {
        const std::uint8_t *from = pixels + 4 * pair;
        const std::uint8_t y0 = from[0], y1 = from[1], cb = from[2], cr = from[3];
        const std::uint8_t expanded[6] = {y0, cb, cr, y1, cb, cr};
        std::memcpy(pixels + 6 * pair, expanded, sizeof expanded);
    }
}

std::uint8_t clamp(double value)
{
    return static_cast<std::uint8_t>(std::min(255.0, std::max(0.0, value + 0.5)));
}

// DICOM PS3.3 C.7.6.3.1.2 (the ITU-R BT.601 matrix at full range).
void ybr_to_rgb(std::size_t count, std::uint8_t *pixels)
{
    for (std::size_t i = 0; i < count; i++, pixels += 3) {
        const double y = pixels[0], cb = pixels[1] - 128.0, cr = pixels[2] - 128.0;
        pixels[0] = clamp(y + 1.402 * cr);
        pixels[1] = clamp(y - 0.344136 * cb - 0.714136 * cr);
        pixels[2] = clamp(y + 1.772 * cb);
    }
}

// How colours lie in the buffer once a decoder is done with them.
struct layout {
    bool is_ybr, is_subsampled, is_planar;
};

sgio_status finish_colour(const sgio_dicom_slice *slice, const layout &layout, void *pixels)
{
    if (slice->bits_allocated == 16) {
        if (layout.is_ybr)
            return sgio_fail(SGIO_UNREADABLE, "%s: 16-bit YBR colour is not supported",
                             slice->path);
        if (layout.is_planar) interleave(slice, static_cast<std::uint16_t *>(pixels));
        return SGIO_OK;
    }
    std::uint8_t *bytes = static_cast<std::uint8_t *>(pixels);
    if (layout.is_subsampled) expand_422(slice, bytes);
    if (layout.is_planar) interleave(slice, bytes);
    if (layout.is_ybr) ybr_to_rgb(pixel_count(slice), bytes);
    return SGIO_OK;
}

// Bits outside the stored ones hold overlays in old files; the sign bit is the highest stored one.
template <typename T>
void keep_stored_bits(const sgio_dicom_slice *slice, std::size_t count, T *values)
{
    const int width = static_cast<int>(8 * sizeof(T));
    const int left = width - 1 - slice->high_bit, right = width - slice->bits_stored;
    if (right == 0) return;
    using U = std::make_unsigned_t<T>;
    for (std::size_t i = 0; i < count; i++)
        values[i] = static_cast<T>(static_cast<T>(static_cast<U>(values[i]) << left) >> right);
}

void reduce_bits(const sgio_dicom_slice *slice, void *pixels)
{
    const std::size_t count = pixel_count(slice) * static_cast<std::size_t>(slice->samples);
    switch (slice->bits_allocated + slice->is_signed) {
    case 8:
        return keep_stored_bits(slice, count, static_cast<std::uint8_t *>(pixels));
    case 9:
        return keep_stored_bits(slice, count, static_cast<std::int8_t *>(pixels));
    case 16:
        return keep_stored_bits(slice, count, static_cast<std::uint16_t *>(pixels));
    case 17:
        return keep_stored_bits(slice, count, static_cast<std::int16_t *>(pixels));
    case 32:
        return keep_stored_bits(slice, count, static_cast<std::uint32_t *>(pixels));
    default:
        return keep_stored_bits(slice, count, static_cast<std::int32_t *>(pixels));
    }
}

layout layout_of(const sgio_dicom_slice *slice, DcmDataset &dataset)
{
    OFString colours;
    Uint16 configuration = 0;
    dataset.findAndGetOFString(DCM_PhotometricInterpretation, colours);
    dataset.findAndGetUint16(DCM_PlanarConfiguration, configuration);
    const bool is_subsampled = is_subsampled_native(slice);
    return {colours.compare(0, 8, "YBR_FULL") == 0, is_subsampled,
            configuration == 1 && !is_subsampled && !is_jpeg2000(slice)};
}

sgio_status decode(const sgio_dicom_slice *slice, DcmFileFormat &file, void *pixels)
{
    DcmDataset &dataset = *file.getDataset();
    if (is_jpeg2000(slice)) return read_jpeg2000(slice, dataset, pixels);
    if (is_encapsulated(slice)) {
        const OFCondition result = dataset.chooseRepresentation(EXS_LittleEndianExplicit, nullptr);
        if (result.bad()) return cannot_decode(slice, result.text());
    }
    return copy_native(slice, file, pixels);
}

sgio_status read_pixels(const sgio_dicom_slice *slice, void *pixels)
{
    const DcmTagKey behind_pixels(0x7fe0, 0x0011);
    dicom_file file;
    sgio_status status = file.load(slice->path, behind_pixels, sgio_dicom_pixel_bytes(slice));
    if (status == SGIO_OK) status = decode(slice, file.format, pixels);
    if (status != SGIO_OK) return status;
    if (slice->samples == 3)
        return finish_colour(slice, layout_of(slice, *file.format.getDataset()), pixels);
    reduce_bits(slice, pixels);
    return SGIO_OK;
}

} // namespace

size_t sgio_dicom_pixel_bytes(const sgio_dicom_slice *slice)
{
    return pixel_count(slice) * static_cast<std::size_t>(slice->samples) *
           static_cast<std::size_t>(slice->bits_allocated / 8);
}

sgio_status sgio_dicom_read_pixels(const sgio_dicom_slice *slice, void *pixels)
{
    try {
        return read_pixels(slice, pixels);
    } catch (const std::bad_alloc &) {
        return sgio_fail_memory(sgio_dicom_pixel_bytes(slice), slice->path);
    } catch (const std::exception &error) {
        return sgio_fail(SGIO_UNREADABLE, "%s: pixels cannot be decoded: %s", slice->path,
                         error.what());
    }
}
