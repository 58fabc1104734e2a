#include "dicom_toolkit.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>
#include <dcmtk/oflog/spi/logevent.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

namespace
{

struct entry {
    DcmTagKey tag;
    DcmEVR vr;
    const char *name;
};

// What decoders look up or set while they decode.
const entry entries[] = {
    {DCM_ImageType, EVR_CS, "ImageType"},
    {DCM_SOPClassUID, EVR_UI, "SOPClassUID"},
    {DCM_SOPInstanceUID, EVR_UI, "SOPInstanceUID"},
    {DCM_DerivationDescription, EVR_ST, "DerivationDescription"},
    {DCM_SamplesPerPixel, EVR_US, "SamplesPerPixel"},
    {DCM_PhotometricInterpretation, EVR_CS, "PhotometricInterpretation"},
    {DCM_PlanarConfiguration, EVR_US, "PlanarConfiguration"},
    {DCM_NumberOfFrames, EVR_IS, "NumberOfFrames"},
    {DCM_Rows, EVR_US, "Rows"},
    {DCM_Columns, EVR_US, "Columns"},
    {DCM_BitsAllocated, EVR_US, "BitsAllocated"},
    {DCM_BitsStored, EVR_US, "BitsStored"},
    {DCM_HighBit, EVR_US, "HighBit"},
    {DCM_PixelRepresentation, EVR_US, "PixelRepresentation"},
    {DCM_LossyImageCompression, EVR_CS, "LossyImageCompression"},
    {DCM_LossyImageCompressionRatio, EVR_DS, "LossyImageCompressionRatio"},
    {DCM_LossyImageCompressionMethod, EVR_CS, "LossyImageCompressionMethod"},
    {DCM_PixelData, EVR_ox, "PixelData"},
};

// The first use of the dictionary loads what DCMDICTPATH names, be it wrong or a FIFO. The variable
// is emptied in place for that moment, because setenv could move the environment under another
// thread's feet. DCMTK's own file is loaded where it is installed.
DcmDataDictionary &dictionary_without_environment()
{
    char *named = std::getenv("DCMDICTPATH");
    const char kept = named ? *named : 0;
    if (named) *named = 0;
    DcmDataDictionary &dictionary = dcmDataDict.wrlock();
    if (named) *named = kept;
    return dictionary;
}

void complete_dictionary()
{
    DcmDataDictionary &dictionary = dictionary_without_environment();
    for (const entry &e : entries)
        if (!dictionary.findEntry(e.tag, nullptr))
            dictionary.addEntry(new DcmDictEntry(e.tag.getGroup(), e.tag.getElement(), DcmVR(e.vr),
                                                 e.name, 1, DcmVariableVM, "DICOM", OFFalse,
                                                 nullptr));
    dcmDataDict.wrunlock();
}

thread_local char first_warning[160];

// About how a stream is put together: bytes too many between markers, scan parameters that
// sequential JPEG does not use.
bool is_formality(const std::string &message)
{
    return message.find("extraneous") != std::string::npos ||
           message.find("SOS param") != std::string::npos;
}

// Takes the place of DCMTK's output to stderr: dcmtk.dcmjpeg and dcmtk.dcmjpls speak of pixels.
class keep_warning : public dcmtk::log4cplus::Appender
{
  public:
    ~keep_warning() override { destructorImpl(); }
    void close() override { closed = true; }

  protected:
    void append(const dcmtk::log4cplus::spi::InternalLoggingEvent &event) override
    {
        const std::string message = event.getMessage().c_str();
        const bool is_codec = event.getLoggerName().find("dcmtk.dcmjp") == 0;
        if (is_codec && !first_warning[0] && !is_formality(message))
            std::snprintf(first_warning, sizeof first_warning, "%s", message.c_str());
    }
};

void keep_quiet()
{
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    dcmtk::log4cplus::Logger root = dcmtk::log4cplus::Logger::getRoot();
    root.removeAllAppenders();
    root.addAppender(dcmtk::log4cplus::SharedAppenderPtr(new keep_warning));
    root.setLogLevel(dcmtk::log4cplus::WARN_LOG_LEVEL);
}

void configure()
{
    keep_quiet();
    complete_dictionary();
    DJDecoderRegistration::registerCodecs(EDC_photometricInterpretation);
    DJLSDecoderRegistration::registerCodecs();
}

} // namespace

void sgio_prepare_dcmtk(void)
{
    static std::once_flag once;
    std::call_once(once, configure);
}

void sgio_dcmtk_take_warning(char *out, size_t size)
{
    std::snprintf(out, size, "%s", first_warning);
    first_warning[0] = 0;
}

const char *sgio_dicom_uid_name(const char *uid)
{
    return dcmFindNameOfUID(uid);
}
