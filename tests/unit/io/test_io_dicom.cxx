// DICOM series written with DCMTK and read back: order, tilt, gaps, values, compression.
#include "io_test_files.h"
#include "sgio/volume.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <dcmtk/dcmjpeg/djrplol.h>
#include <dcmtk/dcmjpls/djencode.h>

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <zlib.h>

using namespace std::string_literals;

namespace
{

constexpr int columns = 5, rows = 4;

// One axial slice; what differs between tests is set by name.
struct Slice {
    double x = -10, y = 20, z = 0;
    int first_value = 0; // pixel n holds first_value + n
    const char *orientation = "1\\0\\0\\0\\1\\0";
    const char *slope = "1", *intercept = "-1024";
    const char *rescale_type = nullptr, *modality = "CT";
    const char *photometric = "MONOCHROME2";
    int bits_stored = 12, is_signed = 0;
    int acquisition = 1, frames = 0, padding = -1;
    std::string series = "1.2.3";
    E_TransferSyntax syntax = EXS_LittleEndianExplicit;
};

int serial;

void put_pixels(DcmDataset &d, const Slice &slice)
{
    std::vector<Uint16> pixels(columns * rows);
    for (int n = 0; n < columns * rows; n++)
        pixels[n] = static_cast<Uint16>(slice.first_value + n);
    d.putAndInsertUint16Array(DCM_PixelData, pixels.data(), pixels.size());
}

void put_image(DcmDataset &d, const Slice &slice)
{
    d.putAndInsertUint16(DCM_SamplesPerPixel, 1);
    d.putAndInsertString(DCM_PhotometricInterpretation, slice.photometric);
    d.putAndInsertUint16(DCM_Rows, rows);
    d.putAndInsertUint16(DCM_Columns, columns);
    d.putAndInsertUint16(DCM_BitsAllocated, 16);
    d.putAndInsertUint16(DCM_BitsStored, static_cast<Uint16>(slice.bits_stored));
    d.putAndInsertUint16(DCM_HighBit, static_cast<Uint16>(slice.bits_stored - 1));
    d.putAndInsertUint16(DCM_PixelRepresentation, static_cast<Uint16>(slice.is_signed));
    d.putAndInsertString(DCM_RescaleSlope, slice.slope);
    d.putAndInsertString(DCM_RescaleIntercept, slice.intercept);
    if (slice.rescale_type) d.putAndInsertString(DCM_RescaleType, slice.rescale_type);
    if (slice.padding >= 0)
        d.putAndInsertUint16(DCM_PixelPaddingValue, static_cast<Uint16>(slice.padding));
    if (slice.frames)
        d.putAndInsertString(DCM_NumberOfFrames, std::to_string(slice.frames).c_str());
    put_pixels(d, slice);
}

void put_identity(DcmDataset &d, const Slice &slice)
{
    const std::string number = std::to_string(++serial);
    d.putAndInsertString(DCM_SOPClassUID, UID_CTImageStorage);
    d.putAndInsertString(DCM_SOPInstanceUID, ("1.2.3.4." + number).c_str());
    d.putAndInsertString(DCM_StudyInstanceUID, "1.2");
    d.putAndInsertString(DCM_SeriesInstanceUID, slice.series.c_str());
    d.putAndInsertString(DCM_Modality, slice.modality);
    d.putAndInsertString(DCM_InstanceNumber, number.c_str());
    d.putAndInsertString(DCM_AcquisitionNumber, std::to_string(slice.acquisition).c_str());
    d.putAndInsertString(DCM_PixelSpacing, "0.75\\0.5"); // rows apart, columns apart
    d.putAndInsertString(DCM_SliceThickness, "9");       // wrong, as it often is
    d.putAndInsertString(DCM_ImageOrientationPatient, slice.orientation);
    const std::string position =
        std::to_string(slice.x) + "\\" + std::to_string(slice.y) + "\\" + std::to_string(slice.z);
    d.putAndInsertString(DCM_ImagePositionPatient, position.c_str());
}

void save(const std::string &name, const Slice &slice)
{
    DcmFileFormat file;
    DcmDataset &d = *file.getDataset();
    put_identity(d, slice);
    put_image(d, slice);
    const DJ_RPLossless lossless;
    const bool is_jpeg = slice.syntax == EXS_JPEGProcess14SV1;
    const OFCondition encoded = d.chooseRepresentation(slice.syntax, is_jpeg ? &lossless : nullptr);
    ASSERT_TRUE(encoded.good()) << encoded.text();
    const OFCondition written = file.saveFile(scratch_path(name.c_str()), slice.syntax);
    ASSERT_TRUE(written.good()) << written.text();
}

std::string read_whole(const char *name)
{
    std::string bytes(1 << 16, 0);
    FILE *stream = fopen(scratch_path(name), "rb");
    if (!stream) return "";
    bytes.resize(fread(&bytes[0], 1, bytes.size(), stream));
    fclose(stream);
    return bytes;
}

std::string deflated(const std::string &plain)
{
    z_stream z = {};
    std::string coded(plain.size() + 1024, 0);
    deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    z.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(plain.data()));
    z.avail_in = static_cast<uInt>(plain.size());
    z.next_out = reinterpret_cast<Bytef *>(&coded[0]);
    z.avail_out = static_cast<uInt>(coded.size());
    EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
    coded.resize(z.total_out);
    deflateEnd(&z);
    return coded;
}

class Dicom : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        scratch_open();
        make_folder("s");
        options.warn = [](void *user, const char *sentence) {
            static_cast<std::vector<std::string> *>(user)->push_back(sentence);
        };
        options.warn_user = &warnings;
    }

    void TearDown() override
    {
        sgio_volume_clear(&volume);
        scratch_close();
    }

    sgio_status load(const char *name)
    {
        sgio_volume_clear(&volume);
        warnings.clear();
        return sgio_volume_read(scratch_path(name), &options, &volume);
    }

    bool warned(const char *part) const
    {
        for (const std::string &sentence : warnings)
            if (holds(sentence.c_str(), part)) return true;
        return false;
    }

    template <typename T> T value(std::size_t n) const
    {
        return static_cast<const T *>(volume.data)[n];
    }

    static constexpr std::size_t slice_values = columns * rows;
    sgio_volume volume = {};
    sgio_read_options options = {};
    std::vector<std::string> warnings;
};

// Written from top to bottom; the steps come from positions, not from the thickness.
TEST_F(Dicom, StacksByPosition)
{
    for (int k = 0; k < 4; k++) {
        Slice slice;
        slice.z = 30 - 2.5 * k;
        slice.first_value = 100 * (3 - k);
        save("s/" + std::to_string(k), slice);
    }
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    const double wanted[3][4] = {{0.5, 0, 0, -10}, {0, 0.75, 0, 20}, {0, 0, 2.5, 22.5}};
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            EXPECT_NEAR(volume.geometry.matrix[r][c], wanted[r][c], 1e-5); // six decimals in files
    EXPECT_EQ(volume.geometry.size[0], columns);
    EXPECT_EQ(volume.geometry.size[1], rows);
    ASSERT_EQ(volume.geometry.size[2], 4);
    ASSERT_EQ(volume.type, SGIO_I16);
    for (std::size_t k = 0; k < 4; k++)
        EXPECT_EQ(value<int16_t>(k * slice_values + 3), 100 * static_cast<int>(k) + 3 - 1024);
    EXPECT_STREQ(volume.modality, "CT");
    EXPECT_STREQ(volume.series_uid, "1.2.3");
    EXPECT_EQ(volume.rescaled, 1);
    EXPECT_EQ(volume.sheared, 0);
    ASSERT_EQ(volume.file_count, 4u);
    EXPECT_TRUE(holds(volume.files[0], "s/3"));
    EXPECT_TRUE(warnings.empty());
}

// Iodine maps and the like are of modality CT too.
TEST_F(Dicom, HounsfieldUnitsAreNotEveryUnitOfCt)
{
    const struct {
        const char *modality, *type;
        int hounsfield;
    } rows[] = {{"CT", nullptr, 1}, {"CT", "HU", 1},    {"CT", "HU_MOD", 1}, {"CT", "MGML", 0},
                {"CT", "Z_EFF", 0}, {"MR", nullptr, 0}, {"PT", "HU", 0}};
    for (const auto &row : rows) {
        for (int k = 0; k < 2; k++) {
            Slice slice;
            slice.z = 2 * k;
            slice.modality = row.modality;
            slice.rescale_type = row.type;
            save("s/" + std::to_string(k), slice);
        }
        ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
        EXPECT_EQ(volume.rescaled, 1);
        EXPECT_EQ(volume.hounsfield, row.hounsfield)
            << row.modality << " " << (row.type ? row.type : "");
    }
}

TEST_F(Dicom, OneFileMeansItsSeries)
{
    for (int k = 0; k < 3; k++) {
        Slice slice;
        slice.z = k;
        save("s/a" + std::to_string(k) + ".dcm", slice);
        slice.series = "9.9";
        save("s/b" + std::to_string(k) + ".dcm", slice);
    }
    ASSERT_EQ(load("s/b1.dcm"), SGIO_OK) << sgio_last_message();
    EXPECT_STREQ(volume.series_uid, "9.9");
    EXPECT_EQ(volume.geometry.size[2], 3);
}

TEST_F(Dicom, SeveralSeriesNeedAChoice)
{
    Slice slice;
    save("s/a", slice);
    slice.series = "9.9";
    save("s/b", slice);
    EXPECT_EQ(load("s"), SGIO_UNREADABLE);
    EXPECT_TRUE(holds(sgio_last_message(), "2 volumes"));
    EXPECT_TRUE(holds(sgio_last_message(), "9.9"));
    options.series = "9.9";
    ASSERT_EQ(load("s"), SGIO_OK);
    EXPECT_STREQ(volume.series_uid, "9.9");
    options.series = "1";
    ASSERT_EQ(load("s"), SGIO_OK);
    EXPECT_STREQ(volume.series_uid, "1.2.3");
    options.series = "3";
    EXPECT_EQ(load("s"), SGIO_UNREADABLE);
    options.series = "7.7";
    EXPECT_EQ(load("s"), SGIO_UNREADABLE);
    char *text = nullptr;
    ASSERT_EQ(sgio_list_series(scratch_path("s"), &text), SGIO_OK);
    EXPECT_TRUE(holds(text, "1  1.2.3  CT  5x4x1")) << text;
    EXPECT_TRUE(holds(text, "2  9.9  CT")) << text;
    free(text);
}

// Rows lie in a plane inclined by 20 degrees, slices step along z.
TEST_F(Dicom, GantryTiltIsKept)
{
    for (int k = 0; k < 3; k++) {
        Slice slice;
        slice.orientation = "1\\0\\0\\0\\0.93969262\\-0.34202014";
        slice.z = 5.0 * k;
        save("s/" + std::to_string(k), slice);
    }
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    EXPECT_EQ(volume.sheared, 1);
    EXPECT_TRUE(warned("20.00 degrees"));
    EXPECT_NEAR(volume.geometry.matrix[1][2], 0, 1e-6);
    EXPECT_NEAR(volume.geometry.matrix[2][2], 5, 1e-6);
    EXPECT_NEAR(volume.geometry.matrix[2][1], -0.34202014 * 0.75, 1e-6);
}

TEST_F(Dicom, MissingSliceIsRefusedOrFilled)
{
    for (int k = 0; k < 6; k++) {
        Slice slice;
        slice.z = 2.0 * k;
        slice.first_value = 100 * k;
        slice.acquisition = k;
        if (k != 3) save("s/" + std::to_string(k), slice);
    }
    EXPECT_EQ(load("s"), SGIO_UNREADABLE);
    EXPECT_TRUE(holds(sgio_last_message(), "slices 3 and 4 lie 4.000 mm apart, others 2.000"));
    options.allow_gaps = 1;
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    EXPECT_EQ(volume.resampled, 1);
    EXPECT_TRUE(warned("resampled to 6 slices"));
    ASSERT_EQ(volume.geometry.size[2], 6);
    EXPECT_NEAR(volume.geometry.matrix[2][2], 2, 1e-6);
    for (std::size_t k = 0; k < 6; k++) // the filled slice lies half way
        EXPECT_EQ(value<int16_t>(k * slice_values), 100 * static_cast<int>(k) - 1024) << k;
    ASSERT_EQ(volume.file_count, 6u);
}

// A head CT: 4 mm below, 7 mm above. Two volumes, or one when gaps may be filled.
TEST_F(Dicom, TwoSpacingsInOneSeries)
{
    for (int k = 0; k < 8; k++) {
        Slice slice;
        slice.z = k < 4 ? 4.0 * k : 13 + 7.0 * (k - 4);
        slice.acquisition = k < 4 ? 1 : 2;
        save("s/" + std::to_string(k), slice);
    }
    EXPECT_EQ(load("s"), SGIO_UNREADABLE);
    EXPECT_TRUE(holds(sgio_last_message(), "2 volumes"));
    EXPECT_TRUE(holds(sgio_last_message(), "join them with --allowGaps"));
    options.series = "2";
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    EXPECT_NEAR(volume.geometry.matrix[2][2], 7, 1e-6);
    options.series = nullptr;
    options.allow_gaps = 1;
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    EXPECT_EQ(volume.resampled, 1);
    const double spacing = volume.geometry.matrix[2][2];
    EXPECT_NEAR(spacing * static_cast<double>(volume.geometry.size[2] - 1), 34, 1e-6);
}

TEST_F(Dicom, SidewaysSliceIsRefusedEvenWithGapsAllowed)
{
    for (int k = 0; k < 4; k++) {
        Slice slice;
        slice.z = 2.0 * k;
        slice.x = k == 2 ? 15 : -10;
        save("s/" + std::to_string(k), slice);
    }
    options.allow_gaps = 1;
    EXPECT_EQ(load("s"), SGIO_UNREADABLE);
    EXPECT_TRUE(holds(sgio_last_message(), "sideways"));
}

// PET: each slice has its own slope.
TEST_F(Dicom, RescalePerSlice)
{
    Slice slice;
    slice.slope = "0.5";
    slice.intercept = "0";
    slice.first_value = 8;
    save("s/0", slice);
    slice.slope = "2.25";
    slice.z = 1;
    save("s/1", slice);
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    ASSERT_EQ(volume.type, SGIO_F32);
    EXPECT_EQ(value<float>(0), 4.0f);
    EXPECT_EQ(value<float>(slice_values), 18.0f);
}

// One slope that is whole among others that are not.
TEST_F(Dicom, SixteenBitsAndAnySlopeAreFloats)
{
    const char *const slopes[] = {"0.5", "3", "1000000", "0.25"};
    for (int k = 0; k < 4; k++) {
        Slice slice;
        slice.bits_stored = 16;
        slice.slope = slopes[k];
        slice.intercept = "0";
        slice.z = k;
        slice.first_value = 1000;
        save("s/" + std::to_string(k), slice);
    }
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    ASSERT_EQ(volume.type, SGIO_F32);
    for (std::size_t k = 0; k < 4; k++)
        EXPECT_EQ(value<float>(k * slice_values), 1000 * std::stof(slopes[k]));
}

// 0.7312 * 1003 is no float: voxels and padding must be rounded alike.
TEST_F(Dicom, PaddingIsWhatItsVoxelsHold)
{
    Slice slice;
    slice.slope = "0.7312";
    slice.intercept = "0";
    slice.first_value = 1000;
    slice.padding = 1003;
    save("s/0", slice);
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    ASSERT_EQ(volume.type, SGIO_F32);
    ASSERT_EQ(volume.has_padding, 1);
    EXPECT_EQ(value<float>(3), volume.padding);
    EXPECT_NEAR(volume.padding, 0.7312 * 1003, 1e-4);
}

// With a slope for every slice (PET) one stored value is many; one slice may call another value
// padding, or none.
TEST_F(Dicom, PaddingIsOneValueInAllSlices)
{
    const char *const slopes[][4] = {{"0.7312", "1.5", "0.25", "3"}, {"1", "2", "3", "4"}};
    for (const auto &slope : slopes) {
        for (int k = 0; k < 4; k++) {
            Slice slice;
            slice.slope = slope[k];
            slice.intercept = "0";
            slice.z = 2 * k;
            slice.first_value = 1000;
            slice.padding = k == 2 ? 1005 : 1003;
            if (k == 3) slice.padding = -1;
            save("s/" + std::to_string(k), slice);
        }
        ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
        ASSERT_EQ(volume.geometry.size[2], 4);
        for (std::size_t n = 0; n < 4 * slice_values; n++) {
            const std::size_t k = n / slice_values, pixel = n % slice_values;
            const double wanted = std::atof(slope[k]) * static_cast<double>(1000 + pixel);
            const bool is_padding = k < 3 && pixel == (k == 2 ? 5u : 3u);
            if (is_padding)
                EXPECT_EQ(sgio_volume_value(&volume, n), volume.padding) << n;
            else
                EXPECT_NEAR(sgio_volume_value(&volume, n), wanted, 1e-3) << n;
        }
    }
}

// Half way between slices of different slopes the padding of either is not mixed into tissue.
TEST_F(Dicom, PaddingIsNotMixedWhereGapsAreFilled)
{
    const char *const slopes[] = {"0.7312", "1.5", "1.5", "1.5"};
    const double places[] = {0, 4, 6, 8};
    for (int k = 0; k < 4; k++) {
        Slice slice;
        slice.slope = slopes[k];
        slice.intercept = "0";
        slice.z = places[k];
        slice.first_value = 1000;
        slice.padding = 1003;
        save("s/" + std::to_string(k), slice);
    }
    options.allow_gaps = 1;
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    ASSERT_EQ(volume.geometry.size[2], 5);
    for (int k = 0; k < 5; k++)
        EXPECT_EQ(sgio_volume_value(&volume, k * slice_values + 3), volume.padding) << k;
    EXPECT_NEAR(sgio_volume_value(&volume, slice_values), (0.7312 + 1.5) / 2 * 1000, 1e-3);
}

// Twelve bits cannot hold this: no voxel is padded, and none is taken for it.
TEST_F(Dicom, PaddingThatCannotBeStoredIsNone)
{
    Slice slice;
    slice.padding = 63536;
    save("s/0", slice);
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    EXPECT_EQ(volume.has_padding, 0);
}

TEST_F(Dicom, MonochromeOneIsNotInverted)
{
    Slice slice;
    slice.photometric = "MONOCHROME1";
    slice.first_value = 1000;
    save("s/0", slice);
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    EXPECT_EQ(value<int16_t>(1), 1001 - 1024);
}

// 16 stored bits with an intercept could need 32; CT never does, and stays at 16.
TEST_F(Dicom, SignedSixteenBitsStayNarrowWhenTheyFit)
{
    Slice slice;
    slice.bits_stored = 16;
    slice.is_signed = 1;
    slice.first_value = -30;
    slice.padding = static_cast<Uint16>(-2000);
    save("s/0", slice);
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    ASSERT_EQ(volume.type, SGIO_I16);
    EXPECT_EQ(value<int16_t>(0), -1054);
    EXPECT_EQ(volume.has_padding, 1);
    EXPECT_EQ(volume.padding, -3024);
    slice.first_value = -32768;
    save("s/0", slice);
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    ASSERT_EQ(volume.type, SGIO_I32);
    EXPECT_EQ(value<int32_t>(0), -32768 - 1024);
}

// Old scanners kept overlays in the bits above the stored ones.
TEST_F(Dicom, BitsAboveTheStoredOnesAreDropped)
{
    Slice slice;
    slice.first_value = 0x3000 + 7;
    slice.intercept = "0";
    save("s/0", slice);
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    EXPECT_EQ(value<uint16_t>(0), 7);
    slice.is_signed = 1;
    slice.first_value = 0x0ff0; // -16 in 12 bits
    save("s/0", slice);
    ASSERT_EQ(load("s"), SGIO_OK) << sgio_last_message();
    EXPECT_EQ(value<int16_t>(0), -16);
}

TEST_F(Dicom, TransferSyntaxes)
{
    DJEncoderRegistration::registerCodecs();
    DJLSEncoderRegistration::registerCodecs();
    DcmRLEEncoderRegistration::registerCodecs();
    const E_TransferSyntax syntaxes[] = {
        EXS_LittleEndianImplicit, EXS_BigEndianExplicit, EXS_DeflatedLittleEndianExplicit,
        EXS_RLELossless,          EXS_JPEGProcess14SV1,  EXS_JPEGLSLossless,
    };
    for (const E_TransferSyntax syntax : syntaxes) {
        Slice slice;
        slice.syntax = syntax;
        slice.first_value = 1500;
        save("one.dcm", slice);
        ASSERT_EQ(load("one.dcm"), SGIO_OK) << sgio_last_message();
        for (std::size_t n = 0; n < slice_values; n++)
            ASSERT_EQ(value<int16_t>(n), 1500 - 1024 + static_cast<int>(n))
                << DcmXfer(syntax).getXferName();
    }
}

// What DCMTK's inflating stream would allocate before reading it.
constexpr Uint32 lying_length = 0xde000000;

// A deflated file that is whole up to an element whose length is a lie.
void save_lie(const char *name, const DcmTagKey &tag)
{
    save("plain.dcm", Slice());
    const std::string plain = read_whole("plain.dcm");
    const std::size_t pixels = plain.find("\xe0\x7f\x10\0OW"s);
    const std::size_t group = plain.find("\x08\0\x16\0UI"s); // the data set's first element
    ASSERT_NE(pixels, std::string::npos);
    std::string lie = plain.substr(group, pixels - group);
    const Uint16 words[] = {tag.getGroup(), tag.getElement()};
    lie.append(reinterpret_cast<const char *>(words), 4).append("OW\0\0"s);
    lie.append(reinterpret_cast<const char *>(&lying_length), 4).append("only this"s);
    std::string file = plain.substr(0, group);
    const std::string syntax = "\x02\0\x10\0UI\x14\0"s + "1.2.840.10008.1.2.1\0"s;
    const std::size_t at = file.find(syntax);
    ASSERT_NE(at, std::string::npos);
    file.replace(at, syntax.size(), "\x02\0\x10\0UI\x16\0"s + "1.2.840.10008.1.2.1.99");
    file += deflated(lie);
    write_file(name, file.data(), file.size());
}

// Memory is limited while the file is read, so that an allocation asked for in vain shows in the
// status or the message. (The address sanitizer reserves more than any limit.)
sgio_status load_in_little_memory(const char *name, sgio_volume *volume)
{
    rlimit before;
    getrlimit(RLIMIT_AS, &before);
#ifndef __SANITIZE_ADDRESS__
    const rlimit little = {rlim_t(2) << 30, before.rlim_max};
    setrlimit(RLIMIT_AS, &little);
#endif
    const sgio_status status = sgio_volume_read(scratch_path(name), nullptr, volume);
    setrlimit(RLIMIT_AS, &before);
    return status;
}

TEST_F(Dicom, LyingLengthsOfDeflatedFilesTakeNoMemory)
{
    const DcmTagKey tags[] = {{0x7fe0, 0x0010}, {0x7fdf, 0x1011}}; // pixels; before them
    for (const DcmTagKey &tag : tags) {
        sgio_volume read;
        save_lie("lie.dcm", tag);
        EXPECT_EQ(load_in_little_memory("lie.dcm", &read), SGIO_UNREADABLE);
        EXPECT_TRUE(holds(sgio_last_message(), "lie.dcm")) << sgio_last_message();
        EXPECT_FALSE(holds(sgio_last_message(), "emory")) << sgio_last_message();
    }
}

TEST_F(Dicom, MultiFrameIsRefusedByName)
{
    Slice slice;
    slice.frames = 3;
    save("many.dcm", slice);
    EXPECT_EQ(load("many.dcm"), SGIO_UNREADABLE);
    EXPECT_TRUE(holds(sgio_last_message(), "3 frames")) << sgio_last_message();
}

TEST_F(Dicom, DamagedFilesAreRefused)
{
    write_file("empty.dcm", "", 0);
    EXPECT_EQ(load("empty.dcm"), SGIO_UNREADABLE);
    write_file("text.dcm", "not an image at all", 19);
    EXPECT_EQ(load("text.dcm"), SGIO_UNREADABLE);
    save("whole.dcm", Slice());
    const std::string bytes = read_whole("whole.dcm");
    const std::size_t size = bytes.size();
    for (std::size_t cut : {size / 4, size / 2, size - 20}) {
        write_file("cut.dcm", bytes.data(), cut);
        EXPECT_EQ(load("cut.dcm"), SGIO_UNREADABLE) << cut;
        EXPECT_TRUE(holds(sgio_last_message(), "cut.dcm"));
    }
}

} // namespace
