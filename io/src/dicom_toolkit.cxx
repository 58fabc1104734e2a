#include "dicom_toolkit.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>

#include <mutex>

namespace
{

struct entry {
    DcmTagKey tag;
    DcmEVR vr;
    const char *name;
};

// Every tag that dicom_header.cxx asks for, for files with implicit VR.
const entry entries[] = {
    {DCM_ImageType, EVR_CS, "ImageType"},
    {DCM_SOPClassUID, EVR_UI, "SOPClassUID"},
    {DCM_SOPInstanceUID, EVR_UI, "SOPInstanceUID"},
    {DCM_AcquisitionTime, EVR_TM, "AcquisitionTime"},
    {DCM_ContentTime, EVR_TM, "ContentTime"},
    {DCM_Modality, EVR_CS, "Modality"},
    {DCM_SeriesDescription, EVR_LO, "SeriesDescription"},
    {DCM_SliceThickness, EVR_DS, "SliceThickness"},
    {DCM_EchoTime, EVR_DS, "EchoTime"},
    {DCM_TriggerTime, EVR_DS, "TriggerTime"},
    {DCM_ImagerPixelSpacing, EVR_DS, "ImagerPixelSpacing"},
    {DCM_DiffusionBValue, EVR_FD, "DiffusionBValue"},
    {DCM_SeriesInstanceUID, EVR_UI, "SeriesInstanceUID"},
    {DCM_SeriesNumber, EVR_IS, "SeriesNumber"},
    {DCM_AcquisitionNumber, EVR_IS, "AcquisitionNumber"},
    {DCM_InstanceNumber, EVR_IS, "InstanceNumber"},
    {DCM_ImagePositionPatient, EVR_DS, "ImagePositionPatient"},
    {DCM_ImageOrientationPatient, EVR_DS, "ImageOrientationPatient"},
    {DCM_TemporalPositionIdentifier, EVR_IS, "TemporalPositionIdentifier"},
    {DCM_SamplesPerPixel, EVR_US, "SamplesPerPixel"},
    {DCM_PhotometricInterpretation, EVR_CS, "PhotometricInterpretation"},
    {DCM_PlanarConfiguration, EVR_US, "PlanarConfiguration"},
    {DCM_NumberOfFrames, EVR_IS, "NumberOfFrames"},
    {DCM_Rows, EVR_US, "Rows"},
    {DCM_Columns, EVR_US, "Columns"},
    {DCM_PixelSpacing, EVR_DS, "PixelSpacing"},
    {DCM_BitsAllocated, EVR_US, "BitsAllocated"},
    {DCM_BitsStored, EVR_US, "BitsStored"},
    {DCM_HighBit, EVR_US, "HighBit"},
    {DCM_PixelRepresentation, EVR_US, "PixelRepresentation"},
    {DCM_PixelPaddingValue, EVR_xs, "PixelPaddingValue"},
    {DCM_RescaleIntercept, EVR_DS, "RescaleIntercept"},
    {DCM_RescaleSlope, EVR_DS, "RescaleSlope"},
    {DCM_ModalityLUTSequence, EVR_SQ, "ModalityLUTSequence"},
    {DCM_SharedFunctionalGroupsSequence, EVR_SQ, "SharedFunctionalGroupsSequence"},
    {DCM_PixelData, EVR_ox, "PixelData"},
};

void complete_dictionary()
{
    DcmDataDictionary &dictionary = dcmDataDict.wrlock();
    for (const entry &e : entries)
        if (!dictionary.findEntry(e.tag, nullptr))
            dictionary.addEntry(new DcmDictEntry(e.tag.getGroup(), e.tag.getElement(), DcmVR(e.vr),
                                                 e.name, 1, DcmVariableVM, "DICOM", OFFalse,
                                                 nullptr));
    dcmDataDict.wrunlock();
}

void configure()
{
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    complete_dictionary();
    DJDecoderRegistration::registerCodecs(EDC_photometricInterpretation);
    DJLSDecoderRegistration::registerCodecs();
    DcmRLEDecoderRegistration::registerCodecs();
}

} // namespace

void sgio_prepare_dcmtk(void)
{
    static std::once_flag once;
    std::call_once(once, configure);
}
