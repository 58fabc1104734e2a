// JPEG and JPEG-LS pixels through DCMTK, which gets a data set of a dozen elements that describe
// one frame, and never the file.
#include "dicom_codecs.h"
#include "dicom_toolkit.h"
#include "io_status.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dctk.h>

#include <cstring>
#include <exception>
#include <memory>
#include <new>

namespace
{

sgio_status cannot_decode(const sgio_dicom_slice *slice, const char *why)
{
    const char *name = sgio_dicom_uid_name(slice->transfer_syntax);
    return sgio_fail(SGIO_UNREADABLE, "%s: compressed pixels (%s) cannot be decoded: %s",
                     slice->path, name ? name : slice->transfer_syntax, why);
}

struct frame_header {
    int precision, rows, columns, components;
    bool is_ycc; // by its markers
};

bool is_jpeg_ls(const sgio_dicom_slice *slice)
{
    return !std::strcmp(slice->transfer_syntax, "1.2.840.10008.1.2.4.80") ||
           !std::strcmp(slice->transfer_syntax, "1.2.840.10008.1.2.4.81");
}

// SOF0 to SOF15 but DHT, JPG and DAC; SOF55 is JPEG-LS, which DCMTK's decoders of JPEG do not know:
// they search for another frame, for ever.
bool begins_frame(int marker, bool jpeg_ls)
{
    if (jpeg_ls) return marker == 0xf7;
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

// DHT, DAC, DQT, DRI, APPn, LSE, COM: what has a length and may stand before a frame.
bool may_precede_frame(int marker)
{
    return marker == 0xc4 || marker == 0xcc || marker == 0xdb || marker == 0xdd ||
           (marker >= 0xe0 && marker <= 0xef) || marker == 0xf8 || marker == 0xfe;
}

// JFIF knows no colours but YCbCr; Adobe's marker says in its last byte what they are.
bool says_ycc(int marker, const unsigned char *segment, std::size_t length)
{
    if (marker == 0xe0) return length >= 5 && std::memcmp(segment, "JFIF", 5) == 0;
    return marker == 0xee && length >= 12 && std::memcmp(segment, "Adobe", 5) == 0 &&
           segment[11] == 1;
}

// Lossless processes (SOF3 and others) code what they are given.
bool is_lossy(int marker)
{
    return marker >= 0xc0 && marker <= 0xc2;
}

// What the code stream says of its picture; the decoders trust the data set instead. Nothing but
// segments with a length may stand before: DCMTK's own search for the frame runs for ever on
// others.
bool find_frame(const unsigned char *data, std::size_t size, bool jpeg_ls, frame_header *out)
{
    std::size_t at = 2;
    bool is_ycc = false;
    if (size < 2 || data[0] != 0xff || data[1] != 0xd8) return false;
    while (size - at >= 10 && data[at] == 0xff) {
        const int marker = data[at + 1];
        const std::size_t length = std::size_t(data[at + 2]) << 8 | data[at + 3];
        if (begins_frame(marker, jpeg_ls)) {
            *out = {data[at + 4], data[at + 5] << 8 | data[at + 6],
                    data[at + 7] << 8 | data[at + 8], data[at + 9], is_ycc && is_lossy(marker)};
            return true;
        }
        if (!may_precede_frame(marker) || length < 2 || length + 2 > size - at) return false;
        is_ycc = is_ycc || says_ycc(marker, data + at + 4, length - 2);
        at += length + 2;
    }
    return false;
}

sgio_status check_stream(const sgio_dicom_slice *slice, const unsigned char *data, std::size_t size,
                         bool *is_ycc)
{
    frame_header found{};
    if (!find_frame(data, size, is_jpeg_ls(slice), &found))
        return cannot_decode(slice, "no picture of that kind in them");
    if (found.rows != slice->rows || found.columns != slice->columns ||
        found.components != slice->samples || found.precision > slice->bits_allocated)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: its JPEG is %d x %d with %d component(s) of %d bits, its header says "
                         "%d x %d with %d of %d",
                         slice->path, found.columns, found.rows, found.components, found.precision,
                         slice->columns, slice->rows, slice->samples, slice->bits_stored);
    *is_ycc = found.is_ycc;
    return SGIO_OK;
}

void put(DcmDataset &dataset, const DcmTagKey &tag, int value)
{
    dataset.putAndInsertUint16(DcmTag(tag, EVR_US), static_cast<Uint16>(value));
}

void describe(const sgio_dicom_slice *slice, const char *photometric, DcmDataset &dataset)
{
    put(dataset, DCM_SamplesPerPixel, slice->samples);
    put(dataset, DCM_Rows, slice->rows);
    put(dataset, DCM_Columns, slice->columns);
    put(dataset, DCM_BitsAllocated, slice->bits_allocated);
    put(dataset, DCM_BitsStored, slice->bits_stored);
    put(dataset, DCM_HighBit, slice->high_bit);
    put(dataset, DCM_PixelRepresentation, slice->is_signed);
    if (slice->samples > 1) put(dataset, DCM_PlanarConfiguration, slice->planar);
    dataset.putAndInsertString(DcmTag(DCM_PhotometricInterpretation, EVR_CS), photometric);
}

// The data set owns the fragments afterwards. They have an even length in DICOM.
OFCondition insert_stream(DcmDataset &dataset, E_TransferSyntax syntax, const unsigned char *data,
                          std::size_t size)
{
    const DcmTag item_tag(DCM_Item, EVR_OB), pixel_tag(DCM_PixelData, EVR_OB);
    auto sequence = std::make_unique<DcmPixelSequence>(pixel_tag);
    auto fragment = std::make_unique<DcmPixelItem>(item_tag);
    Uint8 *to = nullptr;
    sequence->insert(new DcmPixelItem(item_tag)); // an empty offset table
    const OFCondition made = fragment->createUint8Array(static_cast<Uint32>(size + (size & 1)), to);
    if (made.bad()) return made;
    std::memcpy(to, data, size);
    if (size & 1) to[size] = 0;
    sequence->insert(fragment.release());
    auto pixels = std::make_unique<DcmPixelData>(pixel_tag);
    pixels->putOriginalRepresentation(syntax, nullptr, sequence.release());
    return dataset.insert(pixels.release(), OFTrue);
}

sgio_status copy_pixels(const sgio_dicom_slice *slice, DcmDataset &dataset, void *pixels)
{
    DcmElement *element = nullptr;
    Uint8 *as_bytes = nullptr;
    Uint16 *as_words = nullptr;
    const std::size_t bytes = sgio_dicom_pixel_bytes(slice);
    if (dataset.findAndGetElement(DCM_PixelData, element).bad() || !element ||
        element->getLength() < bytes)
        return cannot_decode(slice, "there are too few pixels");
    if (element->getVR() == EVR_OB && element->getUint8Array(as_bytes).good() && as_bytes)
        std::memcpy(pixels, as_bytes, bytes);
    else if (element->getUint16Array(as_words).good() && as_words)
        std::memcpy(pixels, as_words, bytes);
    else
        return cannot_decode(slice, "there are no pixels");
    return SGIO_OK;
}

// A warning means that the decoder made pixels up.
sgio_status check_warning(const sgio_dicom_slice *slice)
{
    char warning[160];
    sgio_dcmtk_take_warning(warning, sizeof warning);
    return warning[0] ? cannot_decode(slice, warning) : SGIO_OK;
}

sgio_status decode(const sgio_dicom_slice *slice, const unsigned char *data, std::size_t size,
                   void *pixels, sgio_jpeg_colours *out)
{
    char ignored[8];
    DcmDataset dataset;
    OFString colours;
    Uint16 planar = 0;
    sgio_prepare_dcmtk();
    describe(slice, out->said_rgb ? "YBR_FULL" : slice->photometric, dataset);
    const E_TransferSyntax syntax = DcmXfer(slice->transfer_syntax).getXfer();
    OFCondition result = insert_stream(dataset, syntax, data, size);
    sgio_dcmtk_take_warning(ignored, sizeof ignored);
    if (result.good()) result = dataset.chooseRepresentation(EXS_LittleEndianExplicit, nullptr);
    if (result.bad()) return cannot_decode(slice, result.text());
    const sgio_status status = check_warning(slice);
    if (status != SGIO_OK) return status;
    dataset.findAndGetOFString(DCM_PhotometricInterpretation, colours);
    dataset.findAndGetUint16(DCM_PlanarConfiguration, planar);
    out->are_ybr = colours.compare(0, 8, "YBR_FULL") == 0;
    out->are_planar = planar == 1;
    return copy_pixels(slice, dataset, pixels);
}

} // namespace

sgio_status sgio_jpeg_decode(const sgio_dicom_slice *slice, const unsigned char *data, size_t size,
                             void *pixels, sgio_jpeg_colours *colours)
{
    bool is_ycc = false;
    const sgio_status status = check_stream(slice, data, size, &is_ycc);
    if (status != SGIO_OK) return status;
    *colours = {0, 0, is_ycc && !std::strcmp(slice->photometric, "RGB")};
    try {
        return decode(slice, data, size, pixels, colours);
    } catch (const std::bad_alloc &) {
        return sgio_fail_memory(sgio_dicom_pixel_bytes(slice), slice->path);
    } catch (const std::exception &error) {
        return cannot_decode(slice, error.what());
    }
}
