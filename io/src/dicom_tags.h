/* The data elements that this library reads or writes, PS3.6. */
#ifndef SGIO_DICOM_TAGS_H
#define SGIO_DICOM_TAGS_H

/* One row per element: constant, tag, VR (for files that do not say), keyword (for messages). */
#define SGIO_DICOM_TAGS(X)                                                                         \
    X(CHARACTER_SET, 0x00080005, "CS", "SpecificCharacterSet")                                     \
    X(IMAGE_TYPE, 0x00080008, "CS", "ImageType")                                                   \
    X(FRAME_TYPE, 0x00089007, "CS", "FrameType")                                                   \
    X(COMPLEX_COMPONENT, 0x00089208, "CS", "ComplexImageComponent")                                \
    X(SOP_CLASS, 0x00080016, "UI", "SOPClassUID")                                                  \
    X(SOP_INSTANCE, 0x00080018, "UI", "SOPInstanceUID")                                            \
    X(CODE_VALUE, 0x00080100, "SH", "CodeValue")                                                   \
    X(CODE_SCHEME, 0x00080102, "SH", "CodingSchemeDesignator")                                     \
    X(CODE_MEANING, 0x00080104, "LO", "CodeMeaning")                                               \
    X(ANATOMIC_REGION, 0x00082218, "SQ", "AnatomicRegionSequence")                                 \
    X(SPACING_BETWEEN, 0x00180088, "DS", "SpacingBetweenSlices")                                   \
    X(EFFECTIVE_ECHO_TIME, 0x00189082, "FD", "EffectiveEchoTime")                                  \
    X(GRADIENT_DIRECTIONS, 0x00189076, "SQ", "DiffusionGradientDirectionSequence")                 \
    X(GRADIENT, 0x00189089, "FD", "DiffusionGradientOrientation")                                  \
    X(INVERSION_TIMES, 0x00189079, "FD", "InversionTimes")                                         \
    X(TIMING, 0x00189112, "SQ", "MRTimingAndRelatedParametersSequence")                            \
    X(ECHOES, 0x00189114, "SQ", "MREchoSequence")                                                  \
    X(MODIFIERS, 0x00189115, "SQ", "MRModifierSequence")                                           \
    X(DIFFUSION, 0x00189117, "SQ", "MRDiffusionSequence")                                          \
    X(CARDIAC_SYNCHRONIZATION, 0x00189118, "SQ", "CardiacSynchronizationSequence")                 \
    X(RESPIRATORY_SYNCHRONIZATION, 0x00209253, "SQ", "RespiratorySynchronizationSequence")         \
    X(CARDIAC_PHASE, 0x00209241, "FL", "NominalPercentageOfCardiacPhase")                          \
    X(RESPIRATORY_PHASE, 0x00209245, "FL", "NominalPercentageOfRespiratoryPhase")                  \
    X(UNASSIGNED_OF_ALL, 0x00209170, "SQ", "UnassignedSharedConvertedAttributesSequence")          \
    X(UNASSIGNED_OF_FRAME, 0x00209171, "SQ", "UnassignedPerFrameConvertedAttributesSequence")      \
    X(MR_FRAME_TYPES, 0x00189226, "SQ", "MRImageFrameTypeSequence")                                \
    X(CT_FRAME_TYPES, 0x00189329, "SQ", "CTImageFrameTypeSequence")                                \
    X(PET_FRAME_TYPES, 0x00189751, "SQ", "PETFrameTypeSequence")                                   \
    X(STACK_ID, 0x00209056, "SH", "StackID")                                                       \
    X(FRAME_ACQUIRED_AT, 0x00189074, "DT", "FrameAcquisitionDateTime")                             \
    X(FRAME_REFERS_TO, 0x00189151, "DT", "FrameReferenceDateTime")                                 \
    X(FRAME_CONTENT, 0x00209111, "SQ", "FrameContentSequence")                                     \
    X(FRAME_TEMPORAL_POSITION, 0x00209128, "UL", "TemporalPositionIndex")                          \
    X(TRIGGER_DELAY, 0x00209153, "FD", "NominalCardiacTriggerDelayTime")                           \
    X(FRAME_ACQUISITION, 0x00209156, "US", "FrameAcquisitionNumber")                               \
    X(POSITION_IN_VOLUME, 0x00209301, "FD", "ImagePositionVolume")                                 \
    X(ORIENTATION_IN_VOLUME, 0x00209302, "FD", "ImageOrientationVolume")                           \
    X(PLANE_POSITIONS_IN_VOLUME, 0x0020930e, "SQ", "PlanePositionVolumeSequence")                  \
    X(PLANE_ORIENTATIONS_IN_VOLUME, 0x0020930f, "SQ", "PlaneOrientationVolumeSequence")            \
    X(VALUE_TRANSFORMATIONS, 0x00289145, "SQ", "PixelValueTransformationSequence")                 \
    X(PLANE_POSITIONS, 0x00209113, "SQ", "PlanePositionSequence")                                  \
    X(PLANE_ORIENTATIONS, 0x00209116, "SQ", "PlaneOrientationSequence")                            \
    X(PIXEL_MEASURES, 0x00289110, "SQ", "PixelMeasuresSequence")                                   \
    X(ENERGY_WINDOW_VECTOR, 0x00540010, "US", "EnergyWindowVector")                                \
    X(DETECTORS, 0x00540022, "SQ", "DetectorInformationSequence")                                  \
    X(TIME_SLOT_VECTOR, 0x00540070, "US", "TimeSlotVector")                                        \
    X(SLICE_VECTOR, 0x00540080, "US", "SliceVector")                                               \
    X(SEGMENTATION_TYPE, 0x00620001, "CS", "SegmentationType")                                     \
    X(SEGMENTS, 0x00620002, "SQ", "SegmentSequence")                                               \
    X(SEGMENT_CATEGORY, 0x00620003, "SQ", "SegmentedPropertyCategoryCodeSequence")                 \
    X(SEGMENT_NUMBER, 0x00620004, "US", "SegmentNumber")                                           \
    X(SEGMENT_LABEL, 0x00620005, "LO", "SegmentLabel")                                             \
    X(SEGMENT_IDENTIFICATION, 0x0062000a, "SQ", "SegmentIdentificationSequence")                   \
    X(SEGMENT_REFERENCE, 0x0062000b, "US", "ReferencedSegmentNumber")                              \
    X(SEGMENT_COLOUR, 0x0062000d, "US", "RecommendedDisplayCIELabValue")                           \
    X(MAXIMUM_FRACTION, 0x0062000e, "US", "MaximumFractionalValue")                                \
    X(SEGMENT_TYPE, 0x0062000f, "SQ", "SegmentedPropertyTypeCodeSequence")                         \
    X(SEGMENT_MODIFIER, 0x00620011, "SQ", "SegmentedPropertyTypeModifierCodeSequence")             \
    X(FRAME_GROUPS, 0x52009230, "SQ", "PerFrameFunctionalGroupsSequence")                          \
    X(SERIES_TIME, 0x00080031, "TM", "SeriesTime")                                                 \
    X(ACQUISITION_TIME, 0x00080032, "TM", "AcquisitionTime")                                       \
    X(CONTENT_TIME, 0x00080033, "TM", "ContentTime")                                               \
    X(MODALITY, 0x00080060, "CS", "Modality")                                                      \
    X(SERIES_DESCRIPTION, 0x0008103e, "LO", "SeriesDescription")                                   \
    X(CONTRAST_AGENT, 0x00180010, "LO", "ContrastBolusAgent")                                      \
    X(SLICE_THICKNESS, 0x00180050, "DS", "SliceThickness")                                         \
    X(ECHO_TIME, 0x00180081, "DS", "EchoTime")                                                     \
    X(INVERSION_TIME, 0x00180082, "DS", "InversionTime")                                           \
    X(FLIP_ANGLE, 0x00181314, "DS", "FlipAngle")                                                   \
    X(PROTOCOL, 0x00181030, "LO", "ProtocolName")                                                  \
    X(TRIGGER_TIME, 0x00181060, "DS", "TriggerTime")                                               \
    X(IMAGER_PIXEL_SPACING, 0x00181164, "DS", "ImagerPixelSpacing")                                \
    X(KERNEL, 0x00181210, "SH", "ConvolutionKernel")                                               \
    X(REGIONS, 0x00186011, "SQ", "SequenceOfUltrasoundRegions")                                    \
    X(REGION_FORMAT, 0x00186012, "US", "RegionSpatialFormat")                                      \
    X(REGION_UNITS_X, 0x00186024, "US", "PhysicalUnitsXDirection")                                 \
    X(REGION_UNITS_Y, 0x00186026, "US", "PhysicalUnitsYDirection")                                 \
    X(REGION_DELTA_X, 0x0018602c, "FD", "PhysicalDeltaX")                                          \
    X(REGION_DELTA_Y, 0x0018602e, "FD", "PhysicalDeltaY")                                          \
    X(B_VALUE, 0x00189087, "FD", "DiffusionBValue")                                                \
    X(STUDY_INSTANCE, 0x0020000d, "UI", "StudyInstanceUID")                                        \
    X(SERIES_INSTANCE, 0x0020000e, "UI", "SeriesInstanceUID")                                      \
    X(SERIES_NUMBER, 0x00200011, "IS", "SeriesNumber")                                             \
    X(ACQUISITION_NUMBER, 0x00200012, "IS", "AcquisitionNumber")                                   \
    X(INSTANCE_NUMBER, 0x00200013, "IS", "InstanceNumber")                                         \
    X(POSITION, 0x00200032, "DS", "ImagePositionPatient")                                          \
    X(ORIENTATION, 0x00200037, "DS", "ImageOrientationPatient")                                    \
    X(TEMPORAL_POSITION, 0x00200100, "IS", "TemporalPositionIdentifier")                           \
    X(SAMPLES, 0x00280002, "US", "SamplesPerPixel")                                                \
    X(PHOTOMETRIC, 0x00280004, "CS", "PhotometricInterpretation")                                  \
    X(PLANAR, 0x00280006, "US", "PlanarConfiguration")                                             \
    X(FRAMES, 0x00280008, "IS", "NumberOfFrames")                                                  \
    X(ROWS, 0x00280010, "US", "Rows")                                                              \
    X(COLUMNS, 0x00280011, "US", "Columns")                                                        \
    X(PIXEL_SPACING, 0x00280030, "DS", "PixelSpacing")                                             \
    X(BITS_ALLOCATED, 0x00280100, "US", "BitsAllocated")                                           \
    X(BITS_STORED, 0x00280101, "US", "BitsStored")                                                 \
    X(HIGH_BIT, 0x00280102, "US", "HighBit")                                                       \
    X(PIXEL_SIGN, 0x00280103, "US", "PixelRepresentation")                                         \
    X(PADDING, 0x00280120, "US", "PixelPaddingValue")                                              \
    X(INTERCEPT, 0x00281052, "DS", "RescaleIntercept")                                             \
    X(SLOPE, 0x00281053, "DS", "RescaleSlope")                                                     \
    X(RESCALE_TYPE, 0x00281054, "LO", "RescaleType")                                               \
    X(RED_TABLE_SIZE, 0x00281101, "US", "RedPaletteColorLookupTableDescriptor")                    \
    X(RED_TABLE, 0x00281201, "OW", "RedPaletteColorLookupTableData")                               \
    X(GREEN_TABLE_SIZE, 0x00281102, "US", "GreenPaletteColorLookupTableDescriptor")                \
    X(GREEN_TABLE, 0x00281202, "OW", "GreenPaletteColorLookupTableData")                           \
    X(BLUE_TABLE_SIZE, 0x00281103, "US", "BluePaletteColorLookupTableDescriptor")                  \
    X(BLUE_TABLE, 0x00281203, "OW", "BluePaletteColorLookupTableData")                             \
    X(MODALITY_LUT, 0x00283000, "SQ", "ModalityLUTSequence")                                       \
    X(SHARED_GROUPS, 0x52009229, "SQ", "SharedFunctionalGroupsSequence")                           \
    X(STRUCTURES, 0x30060020, "SQ", "StructureSetROISequence")                                     \
    X(ROI_NUMBER, 0x30060022, "IS", "ROINumber")                                                   \
    X(ROI_NAME, 0x30060026, "LO", "ROIName")                                                       \
    X(ROI_COLOUR, 0x3006002a, "IS", "ROIDisplayColor")                                             \
    X(ROI_CONTOURS, 0x30060039, "SQ", "ROIContourSequence")                                        \
    X(CONTOURS, 0x30060040, "SQ", "ContourSequence")                                               \
    X(CONTOUR_KIND, 0x30060042, "CS", "ContourGeometricType")                                      \
    X(CONTOUR_DATA, 0x30060050, "DS", "ContourData")                                               \
    X(ROI_REFERENCE, 0x30060084, "IS", "ReferencedROINumber")                                      \
    X(DIRECTORY_RECORDS, 0x00041220, "SQ", "DirectoryRecordSequence")                              \
    X(PIXELS, 0x7fe00010, "OW", "PixelData")

enum sgio_dicom_tag {
#define SGIO_DICOM_CONSTANT(name, tag, vr, keyword) DICOM_##name = (tag),
    SGIO_DICOM_TAGS(SGIO_DICOM_CONSTANT)
#undef SGIO_DICOM_CONSTANT
};

#endif
