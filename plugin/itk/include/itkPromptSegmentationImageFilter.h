/*=========================================================================
 *
 *  Copyright PromptSeg contributors
 *
 *  Licensed under the Apache License, Version 2.0 (the "License");
 *  you may not use this file except in compliance with the License.
 *  You may obtain a copy of the License at
 *
 *         https://www.apache.org/licenses/LICENSE-2.0.txt
 *
 *  Unless required by applicable law or agreed to in writing, software
 *  distributed under the License is distributed on an "AS IS" BASIS,
 *  WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 *  See the License for the specific language governing permissions and
 *  limitations under the License.
 *
 *=========================================================================*/
#ifndef itkPromptSegmentationImageFilter_h
#define itkPromptSegmentationImageFilter_h

#include "itkBoxSpatialObject.h"
#include "itkGroupSpatialObject.h"
#include "itkImageToImageFilter.h"
#include "itkMetaDataDictionary.h"
#include "itkPointSet.h"
#include "itkPromptSegmentationModel.h"
#include "itkPromptSegmentationPrompts.h"
#include "itkPromptSegmentationVoxel.h"

#include <exception>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace itk
{
/** \class PromptSegmentationImageFilter
 * \brief Segments objects of an image from points, boxes and initial labels, with a network of the Segment Anything
 * family.
 *
 * The input is a plane or a volume of any scalar pixel type of up to 32 bits or of floating point, or of 8-bit colours;
 * the output a label image of any integer type with the input's geometry. Prompts belong to a label and are physical
 * points (LPS millimetres for images that ITK read); several labels may be segmented in one update, the highest one
 * having the voxels where they overlap.
 *
 * What the network has seen is kept between updates: a change of prompts decodes again, only a change of the image, of
 * the model or of how slices are shown starts anew. Undoing a prompt costs nothing.
 *
 * The whole image is needed: the filter requests the largest possible region of every input and makes that of the
 * output. The voxels are read and the labels written where they are, without a copy.
 *
 * Observers of ProgressEvent may call AbortGenerateDataOn(), also from another thread; Update() then throws
 * ProcessAborted. Failures of the library are PromptSegmentationError with its sentence.
 *
 * \sa PromptSegmentationModel
 * \ingroup PromptSeg
 */
template <typename TInputImage, typename TLabelImage>
class PromptSegmentationImageFilter : public ImageToImageFilter<TInputImage, TLabelImage>
{
public:
  ITK_DISALLOW_COPY_AND_ASSIGN(PromptSegmentationImageFilter);

  using Self = PromptSegmentationImageFilter;
  using Superclass = ImageToImageFilter<TInputImage, TLabelImage>;
  using Pointer = SmartPointer<Self>;
  using ConstPointer = SmartPointer<const Self>;

  itkNewMacro(Self);
  PromptSegNameOfClassMacro(PromptSegmentationImageFilter, ImageToImageFilter);

  static constexpr unsigned int ImageDimension = TInputImage::ImageDimension;
  static_assert(ImageDimension == 2 || ImageDimension == 3, "planes and volumes");
  static_assert(TLabelImage::ImageDimension == ImageDimension, "labels have the image's dimension");
  static_assert(std::is_integral<typename TLabelImage::PixelType>::value, "labels are whole numbers");

  using InputImageType = TInputImage;
  using LabelImageType = TLabelImage;
  using LabelType = typename TLabelImage::PixelType;
  using ModelType = PromptSegmentationModel;
  using PromptsType = PromptSegmentationPrompts<ImageDimension>;
  using PointType = typename PromptsType::PointType;
  using BoxType = BoxSpatialObject<ImageDimension>;
  using BoxGroupType = GroupSpatialObject<ImageDimension>;
  using PointSetType = PointSet<double, ImageDimension>;
  using RegionType = typename TLabelImage::RegionType;
  using DictionaryArrayType = std::vector<MetaDataDictionary *>;

  /** What is known of a label after an update. */
  struct ReportType
  {
    SizeValueType voxels = 0;
    double quality = 0;                                     /* mean of the network's own rating of the slices, an IoU */
    RegionType boundingBox;                                 /* of size 0 when nothing was found */
    sgm_stop stopped[2] = { SGM_STOP_NONE, SGM_STOP_NONE }; /* the walks below and above the prompts */
    unsigned int axis = 0;                                  /* index axis that slices were taken along */
    SizeValueType encoded = 0;                              /* slices that the network had to see */
    SizeValueType decoded = 0;                              /* masks that it had to draw */
    SizeValueType cached = 0;                               /* slices that came from the cache folder */
    double window[2] = { 0, 0 };                            /* intensities that were shown as black and white */
    bool hounsfield = false;                                /* whether the voxels were taken for CT numbers */
  };

  /** The network; required. */
  itkSetInputMacro(Model, ModelType);
  itkGetInputMacro(Model, ModelType);

  /** Labels to start from, on the grid of the input; optional. A label that has prompts is refined, all others are
   * kept as they are. */
  itkSetInputMacro(InitialLabels, LabelImageType);
  itkGetInputMacro(InitialLabels, LabelImageType);

  /** Points as pipeline data: a point's value is the label it belongs to, the negative value of a label makes it a
   * background point of it. */
  itkSetInputMacro(PromptPoints, PointSetType);
  itkGetInputMacro(PromptPoints, PointSetType);

  /** Boxes as pipeline data: the group's BoxSpatialObject children, whose Id is the label. */
  itkSetInputMacro(PromptBoxes, BoxGroupType);
  itkGetInputMacro(PromptBoxes, BoxGroupType);

  /** Prompts of a label, in physical coordinates. Points are clicks: each corrects what those before it gave, so their
   * order matters. A box may be rotated; it is copied. */
  void
  AddForegroundPoint(LabelType label, const PointType & point);
  void
  AddBackgroundPoint(LabelType label, const PointType & point);
  void
  AddBox(LabelType label, const BoxType * box);
  void
  AddBox(LabelType label, const PointType & corner, const PointType & oppositeCorner);

  /** Removes the prompts of one label, or all that were added. */
  void
  ClearPrompts(LabelType label);
  void
  ClearPrompts();

  /** Index axis of the slices; SGM_AXIS_AUTO: the coarsest one, else as the prompts lie, one for all labels. */
  itkSetEnumMacro(Axis, sgm_axis);
  itkGetEnumMacro(Axis, sgm_axis);

  /** Which intensities are shown as black and white; SGM_WINDOW_MANUAL uses WindowLow and WindowHigh. */
  itkSetEnumMacro(Window, sgm_window);
  itkGetEnumMacro(Window, sgm_window);
  itkSetMacro(WindowLow, double);
  itkGetConstMacro(WindowLow, double);
  itkSetMacro(WindowHigh, double);
  itkGetConstMacro(WindowHigh, double);

  /** Whether voxels are Hounsfield units. SGM_HOUNSFIELD_AUTO: as the DICOM tags say (SetMetaDataDictionaryArray), else
   * as the values look. */
  itkSetEnumMacro(Hounsfield, sgm_hounsfield);
  itkGetEnumMacro(Hounsfield, sgm_hounsfield);

  /** Whether the network sees the whole slice or a crop around the prompt. */
  itkSetEnumMacro(Zoom, sgm_zoom_mode);
  itkGetEnumMacro(Zoom, sgm_zoom_mode);

  /** Off: slices with prompts only. */
  itkSetMacro(Propagate, bool);
  itkGetConstMacro(Propagate, bool);
  itkBooleanMacro(Propagate);

  /** Slices per direction from a prompted slice; 0: no limit. */
  itkSetMacro(MaximumSlices, unsigned int);
  itkGetConstMacro(MaximumSlices, unsigned int);

  /** The largest component of each label only. */
  itkSetMacro(KeepLargest, bool);
  itkGetConstMacro(KeepLargest, bool);
  itkBooleanMacro(KeepLargest);

  /** Fills holes in each slice. */
  itkSetMacro(FillHoles, bool);
  itkGetConstMacro(FillHoles, bool);
  itkBooleanMacro(FillHoles);

  /** Class that all objects are of, from 1, for networks that are prompted by class; 0 (the default): none. */
  itkSetMacro(ClassIndex, unsigned int);
  itkGetConstMacro(ClassIndex, unsigned int);

  /** Bytes of embeddings kept between slices and updates; 0: 256 MiB. */
  itkSetMacro(EmbeddingMemory, SizeValueType);
  itkGetConstMacro(EmbeddingMemory, SizeValueType);

  /** A folder that keeps embeddings between programs; empty (the default): none. */
  itkSetStringMacro(CacheFolder);
  itkGetStringMacro(CacheFolder);

  /** What the DICOM files said, as ImageSeriesReader::GetMetaDataDictionaryArray() has it: an output image carries no
   * tags. The reader fills it in its Update(): an empty one is an exception, NULL forgets the tags. Used for Hounsfield
   * units and padding; uneven slice distances become a warning. */
  void
  SetMetaDataDictionaryArray(const DictionaryArrayType * dictionaries);
  void
  UseMetaDataDictionary(const MetaDataDictionary & dictionary);

  /** That of the prompts that come as pipeline data too. */
  ModifiedTimeType
  GetMTime() const override;

  /** Labels that have prompts. */
  std::vector<LabelType>
  GetPromptedLabels() const;

  /** Report of a label of the last update; throws if it had no prompts. */
  const ReportType &
  GetReport(LabelType label) const;

  /** Sentences of the library about the last update that a user should read. */
  const std::vector<std::string> &
  GetWarnings() const
  {
    return m_Warnings;
  }

protected:
  PromptSegmentationImageFilter();
  ~PromptSegmentationImageFilter() override = default;

  void
  PrintSelf(std::ostream & os, Indent indent) const override;
  void
  VerifyPreconditions() const override;
  void
  VerifyInputInformation() const override;
  void
  GenerateInputRequestedRegion() override;
  void
  EnlargeOutputRequestedRegion(DataObject * output) override;
  void
  GenerateData() override;

private:
  using PromptMapType = std::map<LabelType, PromptsType>;

  struct Closer
  {
    void
    operator()(sgm_live_volume * live) const
    {
      sgm_live_volume_destroy(live);
    }
  };

  /** A cache that stays open as long as the volume that borrows it. */
  struct Cache
  {
    sgm_embedding_store store = {};
    ~Cache()
    {
      if (store.user)
      {
        sgm_store_close(&store);
      }
    }
  };

  /** What an open volume was made from; it serves as long as nothing of it has changed. */
  struct Origin
  {
    const void * model = nullptr;
    const void * buffer = nullptr;
    ModifiedTimeType modelTime = 0;
    ModifiedTimeType imageTime = 0;
    ModifiedTimeType updateTime = 0;
    std::string options;

    bool
    operator==(const Origin & other) const
    {
      return model == other.model && buffer == other.buffer && modelTime == other.modelTime &&
             imageTime == other.imageTime && updateTime == other.updateTime && options == other.options;
    }
  };

  /** What an object of the library points to. */
  struct ObjectParts
  {
    std::string name;
    std::vector<sgm_seed> seeds;
    std::vector<sgm_roi> rois;
  };

  /** One update's state that the library's callbacks see. */
  struct Job
  {
    Self * filter;
    std::exception_ptr thrown;
    double done = 0;  /* labels, as a share */
    double share = 1; /* of one label */
  };

  static int
  OnCancel(void * user);
  static void
  OnProgress(void * user, double fraction, const char * message);
  static void
  OnWarning(void * user, const char * sentence);

  PromptsType &
  PromptsOf(LabelType label);
  PromptMapType
  AllPrompts() const;
  void
  AddPromptPoints(PromptMapType & prompts) const;
  void
  AddPromptBoxes(PromptMapType & prompts) const;
  static typename PromptsType::Box
  ToBox(const BoxType * box);

  sgm_volume
  VolumeOf(const InputImageType * image) const;
  sgm_volume_options
  OptionsOf(Cache * cache) const;
  Origin
  OriginOf(const InputImageType * image) const;
  void
  OpenVolume(const InputImageType * image);
  void
  StartFromInitialLabels();
  std::vector<sgm_object>
  ObjectsOf(const PromptMapType & prompts, std::vector<ObjectParts> & parts) const;
  sgm_object
  ObjectOf(LabelType label, const PromptsType & prompts, ObjectParts & parts) const;
  void
  SegmentLabel(LabelType label, const sgm_object & object, Job & job);
  void
  Finish(LabelType label, const sgm_live_result & result);
  void
  Throw(sgm_status status, Job & job);

  PromptMapType m_Prompts;
  std::map<LabelType, ReportType> m_Reports;
  std::vector<std::string> m_Warnings;

  sgm_axis m_Axis{ SGM_AXIS_AUTO };
  sgm_window m_Window{ SGM_WINDOW_AUTO };
  double m_WindowLow{ 0 };
  double m_WindowHigh{ 255 };
  sgm_hounsfield m_Hounsfield{ SGM_HOUNSFIELD_AUTO };
  sgm_zoom_mode m_Zoom{ SGM_ZOOM_AUTO };
  bool m_Propagate{ true };
  unsigned int m_MaximumSlices{ 0 };
  bool m_KeepLargest{ false };
  bool m_FillHoles{ false };
  unsigned int m_ClassIndex{ 0 };
  SizeValueType m_EmbeddingMemory{ 0 };
  std::string m_CacheFolder;

  sgm_hounsfield m_TagsHounsfield{ SGM_HOUNSFIELD_AUTO };
  bool m_TagsHavePadding{ false };
  double m_TagsPadding{ 0 };
  double m_TagsDeviation{ 0 };

  std::unique_ptr<Cache> m_Cache;
  std::unique_ptr<sgm_live_volume, Closer> m_Live;
  Origin m_Origin;
};
} // namespace itk

#ifndef ITK_MANUAL_INSTANTIATION
#include "itkPromptSegmentationImageFilter.hxx"
#endif

#endif
