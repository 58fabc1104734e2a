// DICOM headers through DCMTK, read up to the pixels only.
#include "byte_source.h"
#include "dicom_load.hxx"
#include "dicom_slice.h"
#include "io_status.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <zlib.h>

namespace
{

constexpr int most_rows = 65535;
constexpr std::size_t most_pixel_bytes = std::size_t(1) << 30; // of one slice

// Conversions of single values. Texts are ISO 646 in all tags used here but SeriesDescription.
void copy_text(DcmItem &item, const DcmTagKey &tag, char *out, std::size_t size)
{
    OFString text;
    if (item.findAndGetOFStringArray(tag, text).bad()) text.clear();
    std::snprintf(out, size, "%s", text.c_str());
    for (std::size_t n = std::strlen(out); n > 0 && out[n - 1] == ' '; n--)
        out[n - 1] = 0;
}

double real_value(DcmItem &item, const DcmTagKey &tag, unsigned long index = 0)
{
    OFString text;
    Float64 value = 0;
    if (item.findAndGetFloat64(tag, value, index).good()) return value;
    if (item.findAndGetOFString(tag, text, index).bad() || text.empty())
        return std::numeric_limits<double>::quiet_NaN();
    char *end = nullptr;
    const double parsed = std::strtod(text.c_str(), &end);
    return end == text.c_str() ? std::numeric_limits<double>::quiet_NaN() : parsed;
}

int integer_value(DcmItem &item, const DcmTagKey &tag, int fallback)
{
    Uint16 small = 0;
    if (item.findAndGetUint16(tag, small).good()) return small;
    const double value = real_value(item, tag);
    return std::isfinite(value) && std::fabs(value) < 1e9 ? static_cast<int>(value) : fallback;
}

bool read_vector(DcmItem &item, const DcmTagKey &tag, int count, double *out)
{
    for (int i = 0; i < count; i++) {
        out[i] = real_value(item, tag, static_cast<unsigned long>(i));
        if (!std::isfinite(out[i])) return false;
    }
    return true;
}

const char *kind_of_object(DcmItem &item)
{
    static thread_local char kind[80];
    OFString uid;
    if (item.findAndGetOFString(DCM_SOPClassUID, uid).bad()) return "no SOP class";
    const char *name = dcmFindNameOfUID(uid.c_str());
    std::snprintf(kind, sizeof kind, "%s", name ? name : uid.c_str());
    return kind;
}

// Syntaxes newer than the toolkit, which would otherwise be refused by bare UID.
const char *name_of_syntax(const char *uid)
{
    static const struct {
        const char *uid, *name;
    } newer[] = {
        {"1.2.840.10008.1.2.4.110", "JPEG XL Lossless"},
        {"1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression"},
        {"1.2.840.10008.1.2.4.112", "JPEG XL"},
        {"1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 Lossless"},
        {"1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 RPCL Lossless"},
        {"1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000"},
    };
    for (const auto &entry : newer)
        if (std::strcmp(entry.uid, uid) == 0) return entry.name;
    const char *name = dcmFindNameOfUID(uid);
    return name ? name : "unknown";
}

bool is_decodable(const char *uid)
{
    static const char *const known[] = {
        "1.2.840.10008.1.2",      "1.2.840.10008.1.2.1",    "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.2",    "1.2.840.10008.1.2.5",    "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70",
        "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.4.91",
    };
    for (const char *entry : known)
        if (std::strcmp(entry, uid) == 0) return true;
    return false;
}

void read_transfer_syntax(dicom_file &loaded, sgio_dicom_slice *slice)
{
    OFString uid;
    DcmFileFormat &file = loaded.format;
    DcmMetaInfo *meta = file.getMetaInfo();
    if (loaded.was_deflated)
        uid = UID_DeflatedExplicitVRLittleEndianTransferSyntax;
    else if (!meta || meta->findAndGetOFString(DCM_TransferSyntaxUID, uid).bad() || uid.empty())
        uid = DcmXfer(file.getDataset()->getOriginalXfer()).getXferID();
    std::snprintf(slice->transfer_syntax, sizeof slice->transfer_syntax, "%s", uid.c_str());
}

// What volumes are made of: images of one frame with a decoder.
sgio_status check_object(DcmItem &item, sgio_dicom_slice *slice)
{
    const int frames = integer_value(item, DCM_NumberOfFrames, 1);
    OFString sop_class;
    item.findAndGetOFString(DCM_SOPClassUID, sop_class);
    if (sop_class == UID_SegmentationStorage)
        return sgio_fail(SGIO_UNREADABLE, "%s: a DICOM segmentation, not an image", slice->path);
    if (item.tagExists(DCM_DirectoryRecordSequence))
        return sgio_fail(SGIO_UNREADABLE, "%s: a DICOM directory record, not an image",
                         slice->path);
    if (slice->rows <= 0 || slice->columns <= 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: DICOM without an image (%s)", slice->path,
                         kind_of_object(item));
    if (frames > 1)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: multi-frame DICOM (%s, %d frames) is not supported; convert it to "
                         "NIfTI or to single frames first",
                         slice->path, kind_of_object(item), frames);
    if (item.tagExists(DCM_SharedFunctionalGroupsSequence))
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: enhanced DICOM (%s) is not supported; convert it to "
                         "NIfTI first",
                         slice->path, kind_of_object(item));
    if (!is_decodable(slice->transfer_syntax))
        return sgio_fail(SGIO_UNREADABLE, "%s: transfer syntax %s (%s) is not supported",
                         slice->path, name_of_syntax(slice->transfer_syntax),
                         slice->transfer_syntax);
    return SGIO_OK;
}

sgio_status check_pixels(const sgio_dicom_slice *slice)
{
    const int bits = slice->bits_allocated;
    if ((slice->samples != 1 && slice->samples != 3) || (bits != 8 && bits != 16 && bits != 32) ||
        slice->rows > most_rows || slice->columns > most_rows)
        return sgio_fail(SGIO_UNREADABLE, "%s: %d sample(s) of %d bits per pixel are not supported",
                         slice->path, slice->samples, bits);
    if (slice->bits_stored < 1 || slice->bits_stored > bits || slice->high_bit >= bits ||
        slice->high_bit < slice->bits_stored - 1)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: %d bits stored with high bit %d in %d allocated make no sense",
                         slice->path, slice->bits_stored, slice->high_bit, bits);
    if (slice->samples == 3 && bits != 8 && bits != 16)
        return sgio_fail(SGIO_UNREADABLE, "%s: colour of %d bits is not supported", slice->path,
                         bits);
    return SGIO_OK;
}

// The most bytes of pixels that a file of that length can hold.
uint64_t most_stored(const sgio_dicom_slice *slice, uint64_t file_bytes)
{
    const DcmXfer syntax(slice->transfer_syntax);
    if (syntax.isEncapsulated()) return UINT64_MAX;
    if (syntax.getXfer() == EXS_DeflatedLittleEndianExplicit)
        return file_bytes * SGIO_DEFLATE_MAX_RATIO;
    return file_bytes;
}

// Memory is asked for by rows and columns later: these must be credible for the file's length.
sgio_status check_length(const sgio_dicom_slice *slice)
{
    const std::size_t bytes = sgio_dicom_pixel_bytes(slice);
    const bool is_subsampled = std::strcmp(slice->photometric, "YBR_FULL_422") == 0;
    uint64_t file_bytes = 0;
    const sgio_status status = sgio_file_bytes(slice->path, &file_bytes);
    if (status != SGIO_OK) return status;
    if ((is_subsampled ? bytes / 3 * 2 : bytes) > most_stored(slice, file_bytes))
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: truncated: %llu bytes cannot hold its %d x %d pixels, which need %zu",
                         slice->path, static_cast<unsigned long long>(file_bytes), slice->columns,
                         slice->rows, bytes);
    if (bytes > most_pixel_bytes)
        return sgio_fail(SGIO_UNREADABLE, "%s: size %d x %d is not credible", slice->path,
                         slice->columns, slice->rows);
    return SGIO_OK;
}

void read_pixel_description(DcmItem &item, sgio_dicom_slice *slice)
{
    slice->rows = integer_value(item, DCM_Rows, 0);
    slice->columns = integer_value(item, DCM_Columns, 0);
    slice->samples = integer_value(item, DCM_SamplesPerPixel, 1);
    slice->bits_allocated = integer_value(item, DCM_BitsAllocated, 0);
    slice->bits_stored = integer_value(item, DCM_BitsStored, slice->bits_allocated);
    slice->high_bit = integer_value(item, DCM_HighBit, slice->bits_stored - 1);
    slice->is_signed = integer_value(item, DCM_PixelRepresentation, 0) == 1;
    copy_text(item, DCM_PhotometricInterpretation, slice->photometric, sizeof slice->photometric);
}

bool normalise(double *v)
{
    const double length = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    for (int r = 0; r < 3; r++)
        v[r] /= length;
    return length > 0.5 && length < 2; // written with few digits perhaps, but a direction
}

sgio_status read_plane(DcmItem &item, sgio_dicom_slice *slice)
{
    double cosines[6], spacing[2];
    slice->has_plane = read_vector(item, DCM_ImagePositionPatient, 3, slice->position) &&
                       read_vector(item, DCM_ImageOrientationPatient, 6, cosines);
    slice->has_spacing = read_vector(item, DCM_PixelSpacing, 2, spacing) ||
                         read_vector(item, DCM_ImagerPixelSpacing, 2, spacing);
    slice->row_spacing = slice->has_spacing ? spacing[0] : 1;
    slice->column_spacing = slice->has_spacing ? spacing[1] : 1;
    if (!(slice->row_spacing > 0 && slice->column_spacing > 0))
        return sgio_fail(SGIO_UNREADABLE, "%s: pixel spacing %g\\%g makes no sense", slice->path,
                         slice->row_spacing, slice->column_spacing);
    const double thickness = real_value(item, DCM_SliceThickness);
    slice->thickness = thickness > 0 && std::isfinite(thickness) ? thickness : 0;
    if (!slice->has_plane) return SGIO_OK;
    std::memcpy(slice->row, cosines, sizeof slice->row);
    std::memcpy(slice->column, cosines + 3, sizeof slice->column);
    const bool directions = normalise(slice->row) && normalise(slice->column);
    double dot = 0;
    for (int r = 0; r < 3; r++)
        dot += slice->row[r] * slice->column[r];
    if (directions && std::fabs(dot) < 0.01) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: image orientation is not a pair of perpendicular vectors", slice->path);
}

void read_values(DcmItem &item, sgio_dicom_slice *slice)
{
    const double slope = real_value(item, DCM_RescaleSlope);
    const double intercept = real_value(item, DCM_RescaleIntercept);
    slice->has_rescale = std::isfinite(slope) && slope != 0 && std::isfinite(intercept);
    slice->slope = slice->has_rescale ? slope : 1;
    slice->intercept = slice->has_rescale ? intercept : 0;
    slice->has_modality_lut = item.tagExists(DCM_ModalityLUTSequence);
    Uint16 bits = 0;
    Sint16 number = 0;
    if (item.findAndGetSint16(DCM_PixelPaddingValue, number).good()) {
        slice->padding = number;
    } else if (item.findAndGetUint16(DCM_PixelPaddingValue, bits).good()) {
        // Writers mix up US and SS; PixelRepresentation decides what was meant.
        slice->padding = slice->is_signed ? static_cast<Sint16>(bits) : bits;
    } else {
        return;
    }
    if (!slice->is_signed && slice->padding < 0) slice->padding += 65536;
    slice->has_padding = 1;
}

void read_identity(DcmItem &item, sgio_dicom_slice *slice)
{
    copy_text(item, DCM_SeriesInstanceUID, slice->series_uid, sizeof slice->series_uid);
    copy_text(item, DCM_SOPInstanceUID, slice->instance_uid, sizeof slice->instance_uid);
    copy_text(item, DCM_Modality, slice->modality, sizeof slice->modality);
    copy_text(item, DCM_SeriesDescription, slice->description, sizeof slice->description);
    slice->series_number = integer_value(item, DCM_SeriesNumber, 0);
    slice->instance_number = integer_value(item, DCM_InstanceNumber, 0);
    char image_type[128];
    copy_text(item, DCM_ImageType, image_type, sizeof image_type);
    slice->attributes[SGIO_DICOM_IMAGE_TYPE] = static_cast<double>(
        crc32(0, reinterpret_cast<const Bytef *>(image_type), std::strlen(image_type)));
    static const DcmTagKey tags[SGIO_DICOM_ATTRIBUTES - 1] = {
        // in the order of the enumeration
        DCM_EchoTime,    DCM_TemporalPositionIdentifier, DCM_DiffusionBValue,
        DCM_TriggerTime, DCM_AcquisitionNumber,          DCM_AcquisitionTime,
        DCM_ContentTime,
    };
    for (int i = 1; i < SGIO_DICOM_ATTRIBUTES; i++)
        slice->attributes[i] = real_value(item, tags[i - 1]);
}

sgio_status read_dataset(dicom_file &file, sgio_dicom_slice *slice)
{
    DcmDataset &item = *file.format.getDataset();
    read_transfer_syntax(file, slice);
    read_identity(item, slice);
    read_pixel_description(item, slice);
    sgio_status status = check_object(item, slice);
    if (status == SGIO_OK) status = check_pixels(slice);
    if (status == SGIO_OK) status = check_length(slice);
    if (status == SGIO_OK) status = read_plane(item, slice);
    if (status == SGIO_OK) read_values(item, slice);
    return status;
}

sgio_status read_file(const char *path, sgio_dicom_slice *slice)
{
    dicom_file file;
    const sgio_status status = file.load(path, DCM_PixelData, 0);
    if (status != SGIO_OK) return status;
    slice->path = strdup(path);
    if (!slice->path) return sgio_fail_memory(std::strlen(path), path);
    return read_dataset(file, slice);
}

} // namespace

sgio_status sgio_dicom_read_header(const char *path, sgio_dicom_slice *slice)
{
    std::memset(slice, 0, sizeof *slice);
    sgio_status status;
    try {
        status = read_file(path, slice);
    } catch (const std::bad_alloc &) {
        status = sgio_fail_memory(0, path);
    } catch (const std::exception &error) {
        status = sgio_fail(SGIO_UNREADABLE, "%s: not readable as DICOM: %s", path, error.what());
    }
    if (status != SGIO_OK) sgio_dicom_slice_clear(slice);
    return status;
}
