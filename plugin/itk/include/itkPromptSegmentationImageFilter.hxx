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
#ifndef itkPromptSegmentationImageFilter_hxx
#define itkPromptSegmentationImageFilter_hxx

#include "itkMetaDataObject.h"
#include "itkNumericTraits.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <sstream>

namespace itk
{
template <typename TInputImage, typename TLabelImage>
PromptSegmentationImageFilter<TInputImage, TLabelImage>::PromptSegmentationImageFilter()
{
  this->AddRequiredInputName("Model");
  this->AddOptionalInputName("InitialLabels");
  this->AddOptionalInputName("PromptPoints");
  this->AddOptionalInputName("PromptBoxes");
}

// ---------------------------------------------------------------------------------------------------------- prompts

template <typename TInputImage, typename TLabelImage>
auto
PromptSegmentationImageFilter<TInputImage, TLabelImage>::PromptsOf(LabelType label) -> PromptsType &
{
  if (label == NumericTraits<LabelType>::ZeroValue())
  {
    itkExceptionMacro(<< "label 0 is the background of the label image: prompts belong to another label");
  }
  this->Modified();
  return m_Prompts[label];
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::AddForegroundPoint(LabelType label, const PointType & point)
{
  this->PromptsOf(label).clicks.push_back({ point, SGM_FOREGROUND });
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::AddBackgroundPoint(LabelType label, const PointType & point)
{
  this->PromptsOf(label).clicks.push_back({ point, SGM_BACKGROUND });
}

template <typename TInputImage, typename TLabelImage>
auto
PromptSegmentationImageFilter<TInputImage, TLabelImage>::ToBox(const BoxType * box) -> typename PromptsType::Box
{
  const auto transform = box->GetObjectToWorldTransform();
  const auto size = box->GetSizeInObjectSpace();
  const auto corner = box->GetPositionInObjectSpace();
  PointType center = corner;
  for (unsigned int d = 0; d < ImageDimension; ++d)
  {
    center[d] += size[d] / 2;
  }
  typename PromptsType::Box out;
  out.center = transform->TransformPoint(center);
  for (unsigned int d = 0; d < ImageDimension; ++d)
  {
    PointType end = center;
    end[d] += size[d] / 2;
    out.halfAxis[d] = transform->TransformPoint(end) - out.center;
  }
  return out;
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::AddBox(LabelType label, const BoxType * box)
{
  if (box == nullptr)
  {
    itkExceptionMacro(<< "the box of label " << static_cast<long long>(label) << " is NULL");
  }
  this->PromptsOf(label).boxes.push_back(ToBox(box));
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::AddBox(LabelType label,
                                                                const PointType & corner,
                                                                const PointType & oppositeCorner)
{
  typename PromptsType::Box box;
  for (unsigned int d = 0; d < ImageDimension; ++d)
  {
    box.center[d] = (corner[d] + oppositeCorner[d]) / 2;
    box.halfAxis[d].Fill(0);
    box.halfAxis[d][d] = std::abs(oppositeCorner[d] - corner[d]) / 2;
  }
  this->PromptsOf(label).boxes.push_back(box);
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::ClearPrompts(LabelType label)
{
  if (m_Prompts.erase(label) > 0)
  {
    this->Modified();
  }
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::ClearPrompts()
{
  if (!m_Prompts.empty())
  {
    m_Prompts.clear();
    this->Modified();
  }
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::AddPromptPoints(PromptMapType & prompts) const
{
  const PointSetType * points = this->GetPromptPoints();
  if (points == nullptr)
  {
    return;
  }
  for (IdentifierType id = 0; id < points->GetNumberOfPoints(); ++id)
  {
    double value = 0;
    if (!points->GetPointData(id, &value) || value == 0 || value != std::floor(value) ||
        std::abs(value) >= std::ldexp(1.0, std::numeric_limits<LabelType>::digits))
    {
      itkExceptionMacro(<< "prompt point " << id << " needs a label as its value (negative: background), found "
                        << value);
    }
    PointType point;
    point.CastFrom(points->GetPoint(id));
    prompts[static_cast<LabelType>(std::abs(value))].clicks.push_back(
      { point, value > 0 ? SGM_FOREGROUND : SGM_BACKGROUND });
  }
}

/** A point set's own time leaves out what was done to its points; a group of boxes has its children's. */
template <typename TInputImage, typename TLabelImage>
ModifiedTimeType
PromptSegmentationImageFilter<TInputImage, TLabelImage>::GetMTime() const
{
  ModifiedTimeType time = Superclass::GetMTime();
  const PointSetType * points = this->GetPromptPoints();
  if (points != nullptr && points->GetPoints() != nullptr)
  {
    time = std::max(time, points->GetPoints()->GetMTime());
  }
  if (points != nullptr && points->GetPointData() != nullptr)
  {
    time = std::max(time, points->GetPointData()->GetMTime());
  }
  return time;
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::AddPromptBoxes(PromptMapType & prompts) const
{
  const BoxGroupType * group = this->GetPromptBoxes();
  if (group == nullptr)
  {
    return;
  }
  std::unique_ptr<typename BoxGroupType::ChildrenListType> children(
    group->GetChildren(BoxGroupType::MaximumDepth, "BoxSpatialObject"));
  for (const auto & child : *children)
  {
    const int id = child->GetId();
    if (id < 1 || static_cast<double>(id) > static_cast<double>(NumericTraits<LabelType>::max()))
    {
      itkExceptionMacro(<< "a prompt box needs a label as its Id, found " << id);
    }
    prompts[static_cast<LabelType>(id)].boxes.push_back(ToBox(dynamic_cast<const BoxType *>(child.GetPointer())));
  }
}

template <typename TInputImage, typename TLabelImage>
auto
PromptSegmentationImageFilter<TInputImage, TLabelImage>::AllPrompts() const -> PromptMapType
{
  PromptMapType prompts = m_Prompts;
  this->AddPromptPoints(prompts);
  this->AddPromptBoxes(prompts);
  return prompts;
}

template <typename TInputImage, typename TLabelImage>
auto
PromptSegmentationImageFilter<TInputImage, TLabelImage>::GetPromptedLabels() const -> std::vector<LabelType>
{
  std::vector<LabelType> labels;
  for (const auto & entry : this->AllPrompts())
  {
    labels.push_back(entry.first);
  }
  return labels;
}

template <typename TInputImage, typename TLabelImage>
auto
PromptSegmentationImageFilter<TInputImage, TLabelImage>::GetReport(LabelType label) const -> const ReportType &
{
  const auto found = m_Reports.find(label);
  if (found == m_Reports.end())
  {
    itkExceptionMacro(<< "label " << static_cast<long long>(label) << " had no prompts in the last update");
  }
  return found->second;
}

// ------------------------------------------------------------------------------------------------------- DICOM tags

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::UseMetaDataDictionary(const MetaDataDictionary & dictionary)
{
  const auto text = [&dictionary](const char * tag) {
    std::string value;
    ExposeMetaData<std::string>(dictionary, tag, value);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\0'))
    {
      value.pop_back();
    }
    return value;
  };
  const auto number = [&text](const char * tag, double otherwise) {
    const std::string value = text(tag);
    char * end = nullptr;
    const double found = std::strtod(value.c_str(), &end);
    return value.empty() || *end != '\0' || !std::isfinite(found) ? otherwise : found;
  };
  // A file may have it with the wrong sign, or its value representation have none: what the pixels are decides.
  const double stored = number("0028|0120", 65536);
  const double lifted = stored < 0 ? stored + 65536 : stored;
  const std::string representation = text("0028|0103");
  const double padding = representation.empty()                       ? stored
                         : representation == "1" && lifted >= 0x8000 ? lifted - 65536
                                                                     : lifted;
  const std::string modality = text("0008|0060");
  const std::string unit = text("0028|1054");
  const bool isHounsfield = unit.empty() || unit == "HU" || unit == "HU_MOD"; // CT has iodine maps and the like too
  m_TagsHounsfield = modality.empty()                   ? SGM_HOUNSFIELD_AUTO
                     : modality == "CT" && isHounsfield ? SGM_HOUNSFIELD_ON
                                                        : SGM_HOUNSFIELD_OFF;
  m_TagsHavePadding = std::abs(stored) < 65536;
  m_TagsPadding = m_TagsHavePadding ? padding * number("0028|1053", 1) + number("0028|1052", 0) : 0;
  m_TagsDeviation = 0;
  ExposeMetaData<double>(dictionary, "ITK_non_uniform_sampling_deviation", m_TagsDeviation);
  this->Modified();
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::SetMetaDataDictionaryArray(
  const DictionaryArrayType * dictionaries)
{
  if (dictionaries == nullptr)
  {
    this->UseMetaDataDictionary(MetaDataDictionary());
    return;
  }
  if (dictionaries->empty())
  {
    itkExceptionMacro(<< "the array of dictionaries is empty: a reader fills it in its Update(), which comes before");
  }
  this->UseMetaDataDictionary(*dictionaries->front());
}

// ---------------------------------------------------------------------------------------------------------- pipeline

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::VerifyPreconditions() const
{
  Superclass::VerifyPreconditions();
  if (!this->GetModel()->IsLoaded())
  {
    itkExceptionMacro(<< "the model is not loaded: call its Load()");
  }
  if (this->AllPrompts().empty())
  {
    itkExceptionMacro(<< "there are no prompts: add a point or a box");
  }
}

/** The base class compares the geometry of all inputs that are images, the initial labels among them. */
template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::VerifyInputInformation() const
{
  Superclass::VerifyInputInformation();
  const LabelImageType * initial = this->GetInitialLabels();
  if (initial != nullptr && initial->GetLargestPossibleRegion() != this->GetInput()->GetLargestPossibleRegion())
  {
    itkExceptionMacro(<< "the initial labels have the region " << initial->GetLargestPossibleRegion()
                      << ", the image has " << this->GetInput()->GetLargestPossibleRegion());
  }
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::GenerateInputRequestedRegion()
{
  Superclass::GenerateInputRequestedRegion();
  for (DataObject * input : { static_cast<DataObject *>(const_cast<InputImageType *>(this->GetInput())),
                              static_cast<DataObject *>(const_cast<LabelImageType *>(this->GetInitialLabels())) })
  {
    if (input != nullptr)
    {
      input->SetRequestedRegionToLargestPossibleRegion();
    }
  }
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::EnlargeOutputRequestedRegion(DataObject * output)
{
  Superclass::EnlargeOutputRequestedRegion(output);
  output->SetRequestedRegionToLargestPossibleRegion();
}

// --------------------------------------------------------------------------------------------------------- callbacks

template <typename TInputImage, typename TLabelImage>
int
PromptSegmentationImageFilter<TInputImage, TLabelImage>::OnCancel(void * user)
{
  const Job * job = static_cast<Job *>(user);
  return job->thrown != nullptr || job->filter->GetAbortGenerateData();
}

/** An observer's exception must not cross the library: it is kept, the call is cancelled, and it goes on from there. */
template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::OnProgress(void * user, double fraction, const char *)
{
  Job * job = static_cast<Job *>(user);
  if (job->thrown != nullptr)
  {
    return;
  }
  try
  {
    job->filter->UpdateProgress(static_cast<float>(std::min(1.0, job->done + fraction * job->share)));
  }
  catch (...)
  {
    job->thrown = std::current_exception();
  }
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::OnWarning(void * user, const char * sentence)
{
  Job * job = static_cast<Job *>(user);
  try
  {
    job->filter->m_Warnings.emplace_back(sentence);
  }
  catch (...)
  {
    job->thrown = std::current_exception();
  }
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::Throw(sgm_status status, Job & job)
{
  if (job.thrown != nullptr)
  {
    std::rethrow_exception(job.thrown);
  }
  if (status == SGM_CANCELLED)
  {
    ProcessAborted aborted(__FILE__, __LINE__);
    aborted.SetLocation(ITK_LOCATION);
    throw aborted;
  }
  throw PromptSegmentationError(__FILE__, __LINE__, status, ITK_LOCATION);
}

// ------------------------------------------------------------------------------------------------------- open volume

template <typename TInputImage, typename TLabelImage>
sgm_volume
PromptSegmentationImageFilter<TInputImage, TLabelImage>::VolumeOf(const InputImageType * image) const
{
  using ComponentType = typename NumericTraits<typename TInputImage::PixelType>::ValueType;
  sgm_volume volume = {};
  const auto & region = image->GetBufferedRegion();
  const auto & direction = image->GetDirection();
  PointType origin;
  image->TransformIndexToPhysicalPoint(region.GetIndex(), origin);
  volume.data = image->GetBufferPointer();
  volume.type = PromptSegmentationVoxel<ComponentType>();
  volume.channels = static_cast<int>(image->GetNumberOfComponentsPerPixel());
  for (unsigned int d = 0; d < 3; ++d)
  {
    const bool known = d < ImageDimension;
    volume.size[d] = known ? static_cast<int64_t>(region.GetSize(d)) : 1;
    volume.matrix[d][3] = known ? origin[d] : 0;
    for (unsigned int c = 0; c < 3; ++c)
    {
      const bool inside = known && c < ImageDimension;
      volume.matrix[d][c] = inside ? direction[d][c] * image->GetSpacing()[c] : (d == c ? 1 : 0);
    }
  }
  volume.hounsfield = m_TagsHounsfield;
  volume.has_padding = m_TagsHavePadding;
  volume.padding = m_TagsPadding;
  return volume;
}

template <typename TInputImage, typename TLabelImage>
sgm_volume_options
PromptSegmentationImageFilter<TInputImage, TLabelImage>::OptionsOf(Cache * cache) const
{
  sgm_volume_options options = sgm_volume_options_init();
  options.axis = m_Axis;
  options.window = m_Window;
  options.window_low = m_WindowLow;
  options.window_high = m_WindowHigh;
  options.hounsfield = m_Hounsfield;
  options.zoom = m_Zoom;
  options.no_propagation = !m_Propagate;
  options.max_slices = static_cast<int>(m_MaximumSlices);
  options.keep_largest = m_KeepLargest;
  options.fill_holes = m_FillHoles;
  options.class_index = static_cast<int>(m_ClassIndex);
  options.embedding_memory = m_EmbeddingMemory;
  if (cache != nullptr)
  {
    options.store = cache->store;
  }
  return options;
}

template <typename TInputImage, typename TLabelImage>
auto
PromptSegmentationImageFilter<TInputImage, TLabelImage>::OriginOf(const InputImageType * image) const -> Origin
{
  Origin origin;
  std::ostringstream options;
  options.precision(17);
  options << m_Axis << ' ' << m_Window << ' ' << m_WindowLow << ' ' << m_WindowHigh << ' ' << m_Hounsfield << ' '
          << m_Zoom << ' ' << m_Propagate << ' ' << m_MaximumSlices << ' ' << m_KeepLargest << ' ' << m_FillHoles << ' '
          << m_ClassIndex << ' ' << m_EmbeddingMemory << ' ' << m_TagsHounsfield << ' ' << m_TagsHavePadding << ' '
          << m_TagsPadding << ' ' << m_CacheFolder;
  origin.model = this->GetModel();
  origin.modelTime = this->GetModel()->GetMTime();
  origin.buffer = image->GetBufferPointer();
  origin.imageTime = image->GetMTime();
  origin.updateTime = image->GetUpdateMTime();
  origin.options = options.str();
  return origin;
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::OpenVolume(const InputImageType * image)
{
  Origin origin = this->OriginOf(image);
  if (m_Live != nullptr && m_Origin == origin)
  {
    return;
  }
  m_Live.reset();
  m_Cache.reset();
  std::unique_ptr<Cache> cache;
  Job job{ this, nullptr };
  if (!m_CacheFolder.empty())
  {
    cache = std::make_unique<Cache>();
    const sgm_status status = sgm_store_open(m_CacheFolder.c_str(), 0, &cache->store);
    if (status != SGM_OK)
    {
      this->Throw(status, job);
    }
  }
  const sgm_volume volume = this->VolumeOf(image);
  const sgm_volume_options options = this->OptionsOf(cache.get());
  sgm_live_volume * live = nullptr;
  const sgm_status status = sgm_live_volume_create(this->GetModel()->GetHandle(), &volume, &options, &live);
  if (status != SGM_OK)
  {
    this->Throw(status, job);
  }
  m_Cache = std::move(cache);
  m_Live.reset(live);
  m_Origin = std::move(origin);
}

// -------------------------------------------------------------------------------------------------------- the update

/** The output begins as the initial labels without those that have prompts, else empty. */
template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::StartFromInitialLabels()
{
  LabelImageType * output = this->GetOutput();
  const LabelImageType * initial = this->GetInitialLabels();
  output->FillBuffer(NumericTraits<LabelType>::ZeroValue());
  if (initial == nullptr)
  {
    return;
  }
  const PromptMapType prompts = this->AllPrompts();
  const SizeValueType count = output->GetBufferedRegion().GetNumberOfPixels();
  std::transform(initial->GetBufferPointer(),
                 initial->GetBufferPointer() + count,
                 output->GetBufferPointer(),
                 [&prompts](LabelType label) { return prompts.count(label) ? LabelType{} : label; });
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::Finish(LabelType label, const sgm_live_result & result)
{
  ReportType & report = m_Reports[label];
  report.voxels = static_cast<SizeValueType>(result.voxels);
  report.quality = result.quality;
  report.stopped[0] = result.stopped[0];
  report.stopped[1] = result.stopped[1];
  report.axis = static_cast<unsigned int>(result.axis);
  report.encoded = static_cast<SizeValueType>(result.encoded);
  report.decoded = static_cast<SizeValueType>(result.decoded);
  report.cached = static_cast<SizeValueType>(result.cached);
  std::copy(result.window, result.window + 2, report.window);
  report.hounsfield = result.hounsfield != 0;
  const auto start = this->GetOutput()->GetBufferedRegion().GetIndex();
  for (unsigned int d = 0; d < ImageDimension && result.voxels > 0; ++d)
  {
    report.boundingBox.SetIndex(d, start[d] + result.first[d]);
    report.boundingBox.SetSize(d, static_cast<SizeValueType>(result.last[d] - result.first[d] + 1));
  }
}

/** Of all labels, in their order. The objects point into `parts`. */
template <typename TInputImage, typename TLabelImage>
auto
PromptSegmentationImageFilter<TInputImage, TLabelImage>::ObjectsOf(const PromptMapType & prompts,
                                                                   std::vector<ObjectParts> & parts) const
  -> std::vector<sgm_object>
{
  std::vector<sgm_object> objects;
  parts.resize(prompts.size());
  for (const auto & entry : prompts)
  {
    objects.push_back(this->ObjectOf(entry.first, entry.second, parts[objects.size()]));
  }
  return objects;
}

template <typename TInputImage, typename TLabelImage>
sgm_object
PromptSegmentationImageFilter<TInputImage, TLabelImage>::ObjectOf(LabelType label,
                                                                  const PromptsType & prompts,
                                                                  ObjectParts & parts) const
{
  prompts.ToIndices(this->GetInput(), parts.seeds, parts.rois);
  parts.name = "label " + std::to_string(static_cast<long long>(label));
  sgm_object object = {};
  object.name = parts.name.c_str();
  object.seeds = parts.seeds.data();
  object.seed_count = parts.seeds.size();
  object.rois = parts.rois.data();
  object.roi_count = parts.rois.size();
  if (this->GetInitialLabels() != nullptr)
  {
    object.labels = this->GetInitialLabels()->GetBufferPointer();
    object.label_type = PromptSegmentationVoxel<LabelType>();
    object.label_value = static_cast<int64_t>(label);
  }
  return object;
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::SegmentLabel(LabelType label,
                                                                      const sgm_object & object,
                                                                      Job & job)
{
  sgm_call call = sgm_call_init();
  call.cancel = OnCancel;
  call.progress = OnProgress;
  call.warning = OnWarning;
  call.cancel_user = call.progress_user = call.warning_user = &job;
  sgm_live_result result = sgm_live_result_init();
  const auto id = static_cast<int64_t>(label);
  sgm_status status = sgm_live_volume_predict(m_Live.get(), id, &object, &call, &result);
  if (status == SGM_OK && job.thrown == nullptr)
  {
    status = sgm_live_volume_paint(
      m_Live.get(), id, this->GetOutput()->GetBufferPointer(), PromptSegmentationVoxel<LabelType>(), id);
  }
  if (status != SGM_OK || job.thrown != nullptr)
  {
    this->Throw(status, job);
  }
  this->Finish(label, result);
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::GenerateData()
{
  this->AllocateOutputs();
  m_Reports.clear();
  m_Warnings.clear();
  if (m_TagsDeviation > 0)
  {
    std::ostringstream sentence;
    sentence << "slices are not evenly spaced: off by up to " << m_TagsDeviation << " mm";
    m_Warnings.push_back(sentence.str());
  }
  this->OpenVolume(this->GetInput());
  this->StartFromInitialLabels();
  const PromptMapType prompts = this->AllPrompts();
  Job job{ this, nullptr };
  std::vector<ObjectParts> parts;
  const std::vector<sgm_object> objects = this->ObjectsOf(prompts, parts);
  // One axis for all labels, as the library chooses it for objects at once.
  const sgm_status status = sgm_live_volume_hold_axis(m_Live.get(), objects.data(), objects.size());
  if (status != SGM_OK)
  {
    this->Throw(status, job);
  }
  job.share = 1.0 / static_cast<double>(prompts.size());
  auto object = objects.begin();
  for (const auto & entry : prompts)
  {
    this->SegmentLabel(entry.first, *object++, job);
    job.done += job.share;
  }
  for (const std::string & sentence : m_Warnings)
  {
    itkWarningMacro(<< sentence);
  }
}

template <typename TInputImage, typename TLabelImage>
void
PromptSegmentationImageFilter<TInputImage, TLabelImage>::PrintSelf(std::ostream & os, Indent indent) const
{
  Superclass::PrintSelf(os, indent);
  os << indent << "Prompts: " << m_Prompts.size() << " labels" << std::endl;
  for (const auto & entry : m_Prompts)
  {
    os << indent.GetNextIndent() << static_cast<long long>(entry.first) << ": " << entry.second.clicks.size()
       << " points, " << entry.second.boxes.size() << " boxes" << std::endl;
  }
  os << indent << "Axis: " << static_cast<int>(m_Axis) << std::endl;
  os << indent << "Window: " << static_cast<int>(m_Window) << std::endl;
  os << indent << "WindowLow: " << m_WindowLow << std::endl;
  os << indent << "WindowHigh: " << m_WindowHigh << std::endl;
  os << indent << "Hounsfield: " << static_cast<int>(m_Hounsfield) << std::endl;
  os << indent << "Zoom: " << static_cast<int>(m_Zoom) << std::endl;
  os << indent << "Propagate: " << (m_Propagate ? "On" : "Off") << std::endl;
  os << indent << "MaximumSlices: " << m_MaximumSlices << std::endl;
  os << indent << "KeepLargest: " << (m_KeepLargest ? "On" : "Off") << std::endl;
  os << indent << "FillHoles: " << (m_FillHoles ? "On" : "Off") << std::endl;
  os << indent << "ClassIndex: " << m_ClassIndex << std::endl;
  os << indent << "EmbeddingMemory: " << m_EmbeddingMemory << std::endl;
  os << indent << "CacheFolder: " << m_CacheFolder << std::endl;
  os << indent << "TagsHounsfield: " << static_cast<int>(m_TagsHounsfield) << std::endl;
  os << indent << "TagsPadding: " << (m_TagsHavePadding ? std::to_string(m_TagsPadding) : "none") << std::endl;
  os << indent << "TagsDeviation: " << m_TagsDeviation << std::endl;
  os << indent << "Reports: " << m_Reports.size() << std::endl;
  os << indent << "Warnings: " << m_Warnings.size() << std::endl;
  os << indent << "Live: " << (m_Live ? "open" : "closed") << std::endl;
  os << indent << "Cache: " << (m_Cache ? "open" : "none") << std::endl;
}
} // namespace itk

#endif
