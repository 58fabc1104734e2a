// The filter as a citizen of a pipeline.
#include "test_itk_filter.h"

#include "itkCommand.h"
#include "itkImageDuplicator.h"
#include "itkImageFileReader.h"
#include "itkMetaDataObject.h"
#include "itkOutputWindow.h"
#include "itkStreamingImageFilter.h"
#include "itkTestingMacros.h"

#include <atomic>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <thread>

namespace test
{
std::string model, demo, work, program;

itk::PromptSegmentationModel *
Model()
{
  static const auto shared = [] {
    auto loaded = itk::PromptSegmentationModel::New();
    loaded->Load(model);
    return loaded;
  }();
  return shared;
}

ImageType::Pointer
Brain()
{
  static const auto read = itk::ReadImage<ImageType>(demo + "/brain1/image.nrrd");
  auto duplicator = itk::ImageDuplicator<ImageType>::New();
  duplicator->SetInputImage(read);
  duplicator->Update();
  return duplicator->GetOutput();
}

std::vector<FilterType::PointType>
TumourPoints()
{
  const double positions[3][3] = { { 48, -6.5, -6.5 }, { 52.5, 20.5, 6.5 }, { 39.5, 21.5, 26 } };
  std::vector<FilterType::PointType> points;
  for (const auto & position : positions)
  {
    points.emplace_back(position);
  }
  return points;
}

FilterType::Pointer
TumourFilter(unsigned int count)
{
  auto filter = FilterType::New();
  filter->SetInput(Brain());
  filter->SetModel(Model());
  for (unsigned int n = 0; n < count; ++n)
  {
    filter->AddForegroundPoint(1, TumourPoints()[n]);
  }
  return filter;
}
} // namespace test

using namespace test;

namespace
{
// The sentence of the exception that an update ends with.
template <typename TFilter>
std::string
Failure(TFilter * filter)
{
  try
  {
    filter->Update();
  }
  catch (const itk::ExceptionObject & error)
  {
    return error.GetDescription();
  }
  return "";
}

itk::SizeValueType
Voxels(FilterType * filter)
{
  filter->Update();
  return filter->GetReport(1).voxels;
}
} // namespace

// ------------------------------------------------------------------------------------------------ as an object of ITK

TEST(Filter, HasTheBasicObjectMethods)
{
  auto filter = FilterType::New();
  std::ostringstream printed;
  filter->Print(printed);
  EXPECT_STREQ(filter->GetNameOfClass(), "PromptSegmentationImageFilter");
  for (const char * member : { "Prompts:",
                               "Axis:",
                               "Window:",
                               "WindowLow:",
                               "WindowHigh:",
                               "Hounsfield:",
                               "Zoom:",
                               "Propagate:",
                               "MaximumSlices:",
                               "KeepLargest:",
                               "FillHoles:",
                               "EmbeddingMemory:",
                               "CacheFolder:",
                               "TagsHounsfield:",
                               "TagsPadding:",
                               "TagsDeviation:",
                               "Warnings:" })
  {
    EXPECT_NE(printed.str().find(member), std::string::npos) << member;
  }
  EXPECT_STREQ(filter->CreateAnother()->GetNameOfClass(), "PromptSegmentationImageFilter");
}

TEST(Model, HasTheBasicObjectMethods)
{
  auto fresh = itk::PromptSegmentationModel::New();
  std::ostringstream printed;
  fresh->Print(printed);
  EXPECT_STREQ(fresh->GetNameOfClass(), "PromptSegmentationModel");
  EXPECT_FALSE(fresh->IsLoaded());
  EXPECT_EQ(fresh->GetVariant(), "");
  EXPECT_EQ(fresh->GetHandle(), nullptr);
  EXPECT_NE(printed.str().find("MemoryLimit:"), std::string::npos);
  EXPECT_TRUE(Model()->IsLoaded());
  EXPECT_NE(Model()->GetDeviceDescription(), "");
}

// ITK's own macros return from the function that they stand in.
TEST(Filter, PassesItksExercise)
{
  EXPECT_EQ(EXIT_SUCCESS, [] {
    auto filter = FilterType::New();
    ITK_EXERCISE_BASIC_OBJECT_METHODS(filter, PromptSegmentationImageFilter, ImageToImageFilter);
    return EXIT_SUCCESS;
  }());
  EXPECT_EQ(EXIT_SUCCESS, [] {
    auto fresh = itk::PromptSegmentationModel::New();
    ITK_EXERCISE_BASIC_OBJECT_METHODS(fresh, PromptSegmentationModel, DataObject);
    return EXIT_SUCCESS;
  }());
}

TEST(Filter, SetsAndGets)
{
  auto filter = FilterType::New();
  EXPECT_EQ(filter->GetAxis(), SGM_AXIS_AUTO);
  filter->SetAxis(SGM_AXIS_CORONAL);
  EXPECT_EQ(filter->GetAxis(), SGM_AXIS_CORONAL);
  filter->SetWindow(SGM_WINDOW_MANUAL);
  filter->SetWindowLow(-5.5);
  filter->SetWindowHigh(600);
  EXPECT_EQ(filter->GetWindow(), SGM_WINDOW_MANUAL);
  EXPECT_EQ(filter->GetWindowLow(), -5.5);
  EXPECT_EQ(filter->GetWindowHigh(), 600);
  filter->SetHounsfield(SGM_HOUNSFIELD_ON);
  EXPECT_EQ(filter->GetHounsfield(), SGM_HOUNSFIELD_ON);
  filter->SetZoom(SGM_ZOOM_OFF);
  EXPECT_EQ(filter->GetZoom(), SGM_ZOOM_OFF);
  EXPECT_TRUE(filter->GetPropagate());
  filter->PropagateOff();
  EXPECT_FALSE(filter->GetPropagate());
  filter->SetMaximumSlices(4);
  EXPECT_EQ(filter->GetMaximumSlices(), 4u);
  filter->KeepLargestOn();
  filter->FillHolesOn();
  EXPECT_TRUE(filter->GetKeepLargest() && filter->GetFillHoles());
  filter->SetEmbeddingMemory(1 << 20);
  EXPECT_EQ(filter->GetEmbeddingMemory(), 1u << 20);
  filter->SetCacheFolder("/nowhere");
  EXPECT_STREQ(filter->GetCacheFolder(), "/nowhere");
}

TEST(Filter, PromptsChangeItsTime)
{
  auto filter = FilterType::New();
  const auto before = filter->GetMTime();
  filter->AddForegroundPoint(3, TumourPoints()[0]);
  EXPECT_GT(filter->GetMTime(), before);
  EXPECT_EQ(filter->GetPromptedLabels(), std::vector<unsigned char>({ 3 }));
  const auto added = filter->GetMTime();
  filter->ClearPrompts(4);
  EXPECT_EQ(filter->GetMTime(), added);
  filter->ClearPrompts(3);
  EXPECT_GT(filter->GetMTime(), added);
  EXPECT_TRUE(filter->GetPromptedLabels().empty());
  EXPECT_THROW(filter->AddForegroundPoint(0, TumourPoints()[0]), itk::ExceptionObject);
}

// ---------------------------------------------------------------------------------------------------------- prompts

TEST(Prompts, OfTwoLabelsOverlapInOrder)
{
  auto filter = TumourFilter();
  filter->AddForegroundPoint(7, TumourPoints()[1]);
  filter->Update();
  EXPECT_EQ(filter->GetPromptedLabels(), std::vector<unsigned char>({ 1, 7 }));
  itk::SizeValueType sevens = 0;
  const auto * output = filter->GetOutput();
  for (itk::SizeValueType i = 0; i < output->GetBufferedRegion().GetNumberOfPixels(); ++i)
  {
    sevens += output->GetBufferPointer()[i] == 7;
  }
  EXPECT_EQ(sevens, filter->GetReport(7).voxels);
}

TEST(Prompts, ComeAsPipelineData)
{
  auto points = FilterType::PointSetType::New();
  auto group = FilterType::BoxGroupType::New();
  auto box = FilterType::BoxType::New();
  for (unsigned int n = 0; n < 3; ++n)
  {
    points->SetPoint(n, TumourPoints()[n]);
    points->SetPointData(n, 1);
  }
  box->SetPositionInObjectSpace(At(24.0, -23.0, -9.75));
  const double size[3] = { 42, 60, 45.5 };
  box->SetSizeInObjectSpace(size);
  box->SetId(1);
  box->Update();
  group->AddChild(box);
  group->Update();
  auto filter = TumourFilter(0);
  filter->SetPromptPoints(points);
  filter->SetPromptBoxes(group);
  filter->Update();
  auto added = TumourFilter();
  added->AddBox(1, box);
  added->Update();
  EXPECT_EQ(CountDifferences(filter->GetOutput(), added->GetOutput()), 0u);
  points->SetPointData(1, 0); // the point set's own time stays
  EXPECT_NE(Failure(filter.GetPointer()).find("prompt point 1"), std::string::npos);
  points->SetPointData(1, -1);
  EXPECT_EQ(Failure(filter.GetPointer()), "");
}

// A click more, or one that was moved, is another question.
TEST(Prompts, PointsOfPipelineDataMayChange)
{
  auto points = FilterType::PointSetType::New();
  points->SetPoint(0, TumourPoints()[0]);
  points->SetPointData(0, 1);
  auto filter = TumourFilter(0);
  filter->SetPromptPoints(points);
  for (unsigned int n = 1; n <= 3; ++n)
  {
    filter->Update();
    auto added = TumourFilter(n);
    added->Update();
    EXPECT_EQ(CountDifferences(filter->GetOutput(), added->GetOutput()), 0u) << n << " points";
    if (n < 3)
    {
      points->SetPoint(n, TumourPoints()[n]);
      points->SetPointData(n, 1);
    }
  }
  points->SetPoint(0, TumourPoints()[1]);
  const auto before = filter->GetOutput()->GetUpdateMTime();
  filter->Update();
  EXPECT_GT(filter->GetOutput()->GetUpdateMTime(), before);
  filter->Update();
  const auto once = filter->GetOutput()->GetUpdateMTime();
  filter->Update();
  EXPECT_EQ(filter->GetOutput()->GetUpdateMTime(), once); // nothing changed
}

// With voxels of equal sides each label alone would be cut along the axis that its own clicks choose.
TEST(Prompts, OfSeveralLabelsHaveOneAxis)
{
  auto image = ImageType::New();
  ImageType::SizeType size = { { 48, 48, 48 } };
  image->SetRegions(size);
  image->Allocate();
  short * voxel = image->GetBufferPointer();
  for (int k = 0; k < 48; ++k)
  {
    for (int j = 0; j < 48; ++j)
    {
      for (int i = 0; i < 48; ++i)
      {
        *voxel++ = (i - 14) * (i - 14) + (j - 26) * (j - 26) + (k - 24) * (k - 24) < 64 ? 180 : 40;
      }
    }
  }
  auto filter = TumourFilter(0);
  filter->SetInput(image);
  filter->AddForegroundPoint(1, At(14, 25.3, 23.6));
  filter->AddForegroundPoint(1, At(14, 28.4, 26.7));
  filter->Update();
  EXPECT_EQ(filter->GetReport(1).axis, 0u);
  filter->AddForegroundPoint(2, At(33.2, 21.4, 24));
  filter->AddForegroundPoint(2, At(34.7, 23.1, 24));
  filter->Update();
  EXPECT_EQ(filter->GetReport(1).axis, 2u);
  EXPECT_EQ(filter->GetReport(2).axis, 2u);
  filter->ClearPrompts(2);
  filter->Update();
  EXPECT_EQ(filter->GetReport(1).axis, 0u);
}

TEST(Prompts, OtherInitialLabelsAreKept)
{
  auto initial = LabelImageType::New();
  initial->CopyInformation(Brain());
  initial->SetRegions(Brain()->GetLargestPossibleRegion());
  initial->Allocate(true);
  initial->GetBufferPointer()[5] = 9;
  auto filter = TumourFilter();
  filter->SetInitialLabels(initial);
  filter->Update();
  EXPECT_EQ(filter->GetOutput()->GetBufferPointer()[5], 9);
  EXPECT_GT(filter->GetReport(1).voxels, 0u);
}

// ---------------------------------------------------------------------------------------------------------- pipeline

TEST(Pipeline, ASecondUpdateEncodesNothing)
{
  auto filter = TumourFilter(1);
  const auto first = Voxels(filter);
  EXPECT_GT(filter->GetReport(1).encoded, 0u);
  // A further click on the same slice: its mask is drawn again, nothing is looked at again.
  auto beside = TumourPoints()[0];
  beside[0] += 3;
  filter->AddBackgroundPoint(1, beside);
  EXPECT_NE(Voxels(filter), first);
  EXPECT_EQ(filter->GetReport(1).encoded, 0u);
  EXPECT_GT(filter->GetReport(1).decoded, 0u);
  filter->ClearPrompts();
  filter->AddForegroundPoint(1, TumourPoints()[0]);
  filter->AddForegroundPoint(1, TumourPoints()[1]);
  filter->Update();
  filter->Modified();
  filter->Update();
  EXPECT_EQ(filter->GetReport(1).encoded, 0u);
  filter->ClearPrompts();
  filter->AddForegroundPoint(1, TumourPoints()[0]);
  EXPECT_EQ(Voxels(filter), first);
  EXPECT_EQ(filter->GetReport(1).encoded, 0u);
}

TEST(Pipeline, AChangedImageStartsAnew)
{
  auto image = Brain();
  auto filter = TumourFilter();
  filter->SetInput(image);
  const auto before = Voxels(filter);
  image->FillBuffer(100);
  image->GetBufferPointer()[0] = 0;
  image->Modified();
  EXPECT_NE(Voxels(filter), before);
  EXPECT_GT(filter->GetReport(1).encoded, 0u);
}

TEST(Pipeline, RequestsTheWholeOfEveryImage)
{
  auto filter = TumourFilter();
  filter->UpdateOutputInformation();
  auto region = filter->GetOutput()->GetLargestPossibleRegion();
  region.SetSize(2, 1);
  filter->GetOutput()->SetRequestedRegion(region);
  filter->GetOutput()->PropagateRequestedRegion();
  EXPECT_EQ(filter->GetInput()->GetRequestedRegion(), filter->GetInput()->GetLargestPossibleRegion());
  EXPECT_EQ(filter->GetOutput()->GetRequestedRegion(), filter->GetOutput()->GetLargestPossibleRegion());
}

TEST(Pipeline, StreamsToTheSameLabels)
{
  auto filter = TumourFilter();
  filter->Update();
  auto again = TumourFilter();
  auto stream = itk::StreamingImageFilter<LabelImageType, LabelImageType>::New();
  stream->SetInput(again->GetOutput());
  stream->SetNumberOfStreamDivisions(5);
  stream->Update();
  EXPECT_EQ(CountDifferences(stream->GetOutput(), filter->GetOutput()), 0u);
}

TEST(Pipeline, AStartIndexIsNoDisplacement)
{
  auto image = Brain();
  auto region = image->GetLargestPossibleRegion();
  const auto spacing = image->GetSpacing();
  const auto direction = image->GetDirection();
  auto origin = image->GetOrigin();
  const itk::Index<3> start = { { 11, -4, 3 } };
  for (unsigned int d = 0; d < 3; ++d)
  {
    for (unsigned int c = 0; c < 3; ++c)
    {
      origin[d] -= direction[d][c] * spacing[c] * start[c];
    }
  }
  region.SetIndex(start);
  image->SetRegions(region);
  image->SetOrigin(origin);
  auto filter = TumourFilter();
  filter->Update();
  auto moved = TumourFilter();
  moved->SetInput(image);
  moved->Update();
  EXPECT_EQ(CountDifferences(moved->GetOutput(), filter->GetOutput()), 0u);
  EXPECT_EQ(moved->GetReport(1).boundingBox.GetIndex(0), filter->GetReport(1).boundingBox.GetIndex(0) + 11);
}

TEST(Pipeline, WritesIntoTheCallersMemory)
{
  auto filter = TumourFilter();
  filter->Update();
  auto labels = LabelImageType::New();
  labels->CopyInformation(Brain());
  labels->SetRegions(Brain()->GetLargestPossibleRegion());
  labels->Allocate();
  auto again = TumourFilter();
  again->GraftOutput(labels);
  again->Update();
  EXPECT_EQ(again->GetOutput()->GetBufferPointer(), labels->GetBufferPointer());
  EXPECT_EQ(CountDifferences(labels.GetPointer(), filter->GetOutput()), 0u);
}

TEST(Pipeline, ProgressRisesToOneOverAllLabels)
{
  auto filter = TumourFilter();
  std::vector<float> seen;
  filter->AddForegroundPoint(2, TumourPoints()[2]);
  filter->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) { seen.push_back(filter->GetProgress()); });
  filter->Update();
  ASSERT_GT(seen.size(), 2u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.back(), 1.0f);
}

TEST(Pipeline, TwoFiltersShareAModelInTwoThreads)
{
  auto wanted = TumourFilter();
  wanted->Update();
  std::vector<FilterType::Pointer> filters = { TumourFilter(), TumourFilter() };
  std::vector<std::thread> threads;
  for (auto & filter : filters)
  {
    threads.emplace_back([&filter] { filter->Update(); });
  }
  for (auto & thread : threads)
  {
    thread.join();
  }
  for (auto & filter : filters)
  {
    EXPECT_EQ(CountDifferences(filter->GetOutput(), wanted->GetOutput()), 0u);
  }
}

// -------------------------------------------------------------------------------------------------------------- tags

namespace
{
FilterType::ReportType
WithTags(FilterType * filter, const std::vector<std::pair<const char *, const char *>> & tags)
{
  itk::MetaDataDictionary dictionary;
  for (const auto & tag : tags)
  {
    itk::EncapsulateMetaData<std::string>(dictionary, tag.first, tag.second);
  }
  filter->UseMetaDataDictionary(dictionary);
  filter->Update();
  return filter->GetReport(1);
}
} // namespace

TEST(Tags, UnevenSlicesAreAWarning)
{
  itk::MetaDataDictionary dictionary;
  itk::EncapsulateMetaData<double>(dictionary, "ITK_non_uniform_sampling_deviation", 2.5);
  const FilterType::DictionaryArrayType array{ &dictionary };
  auto filter = TumourFilter(1);
  filter->GlobalWarningDisplayOff();
  filter->SetMetaDataDictionaryArray(&array);
  filter->Update();
  std::string said;
  for (const auto & sentence : filter->GetWarnings())
  {
    said += sentence;
  }
  EXPECT_NE(said.find("2.5 mm"), std::string::npos) << said;
  filter->SetMetaDataDictionaryArray(nullptr);
  filter->Update();
  filter->GlobalWarningDisplayOn();
  for (const auto & sentence : filter->GetWarnings())
  {
    EXPECT_EQ(sentence.find("2.5 mm"), std::string::npos) << sentence;
  }
}

TEST(Tags, SayWhetherVoxelsAreHounsfieldUnits)
{
  auto filter = TumourFilter(1);
  EXPECT_TRUE(WithTags(filter, { { "0008|0060", "CT" } }).hounsfield);
  EXPECT_FALSE(WithTags(filter, { { "0008|0060", "MR" } }).hounsfield);
  EXPECT_FALSE(WithTags(filter, { { "0008|0060", "CT " }, { "0028|1054", "US" } }).hounsfield);
  EXPECT_FALSE(WithTags(filter, { { "0008|0060", "CT" }, { "0028|1054", "MGML" } }).hounsfield);
  EXPECT_TRUE(WithTags(filter, { { "0008|0060", "CT" }, { "0028|1054", "HU" } }).hounsfield);
  EXPECT_TRUE(WithTags(filter, { { "0008|0060", "CT" }, { "0028|1054", "HU_MOD" } }).hounsfield);
  filter->SetHounsfield(SGM_HOUNSFIELD_ON);
  EXPECT_TRUE(WithTags(filter, { { "0008|0060", "MR" } }).hounsfield);
}

// Padding is stored before the slope is applied, and a reader hands voxels out after it.
TEST(Tags, PaddingIsNoData)
{
  auto image = Brain();
  const auto count = image->GetBufferedRegion().GetNumberOfPixels();
  std::fill_n(image->GetBufferPointer(), count / 8, short{ 5000 });
  auto filter = TumourFilter(1);
  filter->SetInput(image);
  EXPECT_EQ(WithTags(filter, { { "0008|0060", "MR" } }).window[1], 5000);
  const auto report =
    WithTags(filter, { { "0008|0060", "MR" }, { "0028|0120", "2510 " }, { "0028|1053", "2" }, { "0028|1052", "-20" } });
  EXPECT_LT(report.window[1], 5000);
  EXPECT_GT(report.window[1], report.window[0]);
}

// 63536 and -2000 are the same bits: which number they are, the pixels' representation says.
TEST(Tags, PaddingHasThePixelsSign)
{
  auto image = Brain();
  const auto count = image->GetBufferedRegion().GetNumberOfPixels();
  auto filter = TumourFilter(1);
  filter->SetWindow(SGM_WINDOW_PERCENTILE);
  filter->SetInput(image);
  std::fill_n(image->GetBufferPointer(), count / 8, short{ -2000 });
  image->Modified();
  EXPECT_EQ(WithTags(filter, { { "0008|0060", "MR" } }).window[0], -2000);
  for (const char * padding : { "63536", "-2000", "-2000 " })
  {
    EXPECT_GT(WithTags(filter, { { "0008|0060", "MR" }, { "0028|0103", "1" }, { "0028|0120", padding } }).window[0],
              -2000)
      << padding;
  }
  // What is no number is no padding, not zero.
  const auto unreadable =
    WithTags(filter, { { "0008|0060", "MR" }, { "0028|0103", "1" }, { "0028|0120", "MPg=" } });
  EXPECT_EQ(unreadable.window[0], -2000);
  auto wide = itk::Image<int, 3>::New();
  wide->CopyInformation(image);
  wide->SetRegions(image->GetLargestPossibleRegion());
  wide->Allocate();
  std::copy_n(image->GetBufferPointer(), count, wide->GetBufferPointer());
  std::fill_n(wide->GetBufferPointer(), count / 8, 63536);
  auto unsignedFilter = itk::PromptSegmentationImageFilter<itk::Image<int, 3>, LabelImageType>::New();
  unsignedFilter->SetInput(wide);
  unsignedFilter->SetModel(Model());
  unsignedFilter->SetWindow(SGM_WINDOW_PERCENTILE);
  unsignedFilter->AddForegroundPoint(1, TumourPoints()[0]);
  itk::MetaDataDictionary dictionary;
  itk::EncapsulateMetaData<std::string>(dictionary, "0028|0103", "0");
  itk::EncapsulateMetaData<std::string>(dictionary, "0028|0120", "-2000");
  unsignedFilter->UseMetaDataDictionary(dictionary);
  unsignedFilter->Update();
  EXPECT_LT(unsignedFilter->GetReport(1).window[1], 63536);
}

// As a reader's array is before its update.
TEST(Tags, OfAReaderThatHasNotReadAreRefused)
{
  const FilterType::DictionaryArrayType none;
  auto filter = TumourFilter(1);
  EXPECT_THROW(filter->SetMetaDataDictionaryArray(&none), itk::ExceptionObject);
  EXPECT_NO_THROW(filter->SetMetaDataDictionaryArray(nullptr));
}

// ------------------------------------------------------------------------------------------------------------- abort

TEST(Abort, FromAnObserver)
{
  auto filter = TumourFilter();
  int ended = 0, aborted = 0;
  filter->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) { filter->AbortGenerateDataOn(); });
  filter->AddObserver(itk::EndEvent(), [&](const itk::EventObject &) { ++ended; });
  filter->AddObserver(itk::AbortEvent(), [&](const itk::EventObject &) { ++aborted; });
  EXPECT_THROW(filter->Update(), itk::ProcessAborted);
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(aborted, 1);
  filter->RemoveAllObservers();
  EXPECT_GT(Voxels(filter), 0u);
}

// The update waits in an observer until the other thread has spoken, so that it cannot be over before.
TEST(Abort, FromAnotherThread)
{
  auto filter = TumourFilter();
  std::atomic<bool> working{ false }, spoken{ false };
  filter->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) {
    working = true;
    while (!spoken)
    {
      std::this_thread::yield();
    }
  });
  std::thread other([&] {
    while (!working)
    {
      std::this_thread::yield();
    }
    filter->AbortGenerateDataOn();
    spoken = true;
  });
  EXPECT_THROW(filter->Update(), itk::ProcessAborted);
  other.join();
  filter->RemoveAllObservers();
  EXPECT_GT(Voxels(filter), 0u);
}

TEST(Abort, FromAnObserverOfTheSecondLabel)
{
  auto filter = TumourFilter();
  filter->AddForegroundPoint(2, TumourPoints()[2]);
  filter->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) {
    if (filter->GetProgress() > 0.6f)
    {
      filter->AbortGenerateDataOn();
    }
  });
  EXPECT_THROW(filter->Update(), itk::ProcessAborted);
  filter->RemoveAllObservers();
  EXPECT_GT(Voxels(filter), 0u);
  EXPECT_GT(filter->GetReport(2).voxels, 0u);
}

// A filter downstream that is aborted ends this one's update with it, as it does any filter's.
TEST(Abort, OfAPipeline)
{
  auto filter = TumourFilter();
  auto stream = itk::StreamingImageFilter<LabelImageType, LabelImageType>::New();
  stream->SetInput(filter->GetOutput());
  filter->AddObserver(itk::ProgressEvent(), [&](const itk::EventObject &) { filter->AbortGenerateDataOn(); });
  EXPECT_THROW(stream->Update(), itk::ProcessAborted);
  filter->RemoveAllObservers();
  stream->ResetPipeline(); // as ITK wants it after an exception from upstream
  stream->Update();
  EXPECT_EQ(CountDifferences(stream->GetOutput(), filter->GetOutput()), 0u);
}

// ITK clears the flag when an update begins.
TEST(Abort, BeforeAnUpdateIsForgotten)
{
  auto filter = TumourFilter(1);
  filter->AbortGenerateDataOn();
  EXPECT_GT(Voxels(filter), 0u);
}

TEST(Abort, AThrowingObserverGetsThrough)
{
  struct Mine
  {};
  auto filter = TumourFilter();
  filter->AddObserver(itk::ProgressEvent(), [](const itk::EventObject &) { throw Mine(); });
  EXPECT_THROW(filter->Update(), Mine);
  filter->RemoveAllObservers();
  EXPECT_GT(Voxels(filter), 0u);
}

// ------------------------------------------------------------------------------------------------------------ errors

TEST(Errors, CarryTheSentenceAndTheStatus)
{
  auto filter = TumourFilter(0);
  EXPECT_NE(Failure(filter.GetPointer()).find("no prompts"), std::string::npos);
  filter->AddForegroundPoint(1, At(9999.0, 0.0, 0.0));
  try
  {
    filter->Update();
    ADD_FAILURE() << "a point outside was taken";
  }
  catch (const itk::PromptSegmentationError & error)
  {
    EXPECT_EQ(error.GetStatus(), SGM_BAD_PROMPT);
    EXPECT_NE(std::string(error.GetDescription()).find("label 1"), std::string::npos);
  }
  filter->ClearPrompts();
  filter->AddForegroundPoint(1, TumourPoints()[0]);
  EXPECT_GT(Voxels(filter), 0u);
}

namespace
{
// Keeps what ITK would show.
class Heard : public itk::OutputWindow
{
public:
  using Self = Heard;
  using Superclass = itk::OutputWindow;
  using Pointer = itk::SmartPointer<Self>;
  itkFactorylessNewMacro(Self);

  void
  DisplayWarningText(const char * text) override
  {
    said += text;
  }

  std::string said;
};

// Weights, all zero, that fit MobileSAM and the same network at 256 pixels.
std::string
WriteTwoNetworks()
{
  std::ifstream      manifest(demo + "/../../tests/segmodel/goldens/manifests/mobile_sam.txt");
  std::ostringstream header;
  std::string        name, kind, shape;
  std::size_t        size = 0;
  while (manifest >> name >> kind >> shape)
  {
    if (kind != "F32")
    {
      continue; // counters of training
    }
    std::size_t        count = 4;
    std::istringstream dims(shape);
    for (std::string dim; std::getline(dims, dim, ',');)
    {
      count *= std::stoul(dim);
    }
    header << (size > 0 ? ',' : '{') << '"' << name << R"(":{"dtype":"F32","shape":[)" << shape
           << R"(],"data_offsets":[)" << size << ',' << size + count << "]}";
    size += count;
  }
  header << '}';
  const std::string   text = header.str();
  const auto          path = work + "/two_networks.safetensors";
  const std::uint64_t length = text.size();
  std::ofstream       file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(&length), sizeof length) << text << std::string(size, '\0');
  return path;
}
} // namespace

TEST(Model, SaysWhatIsAssumed)
{
  const auto path = WriteTwoNetworks();
  const auto shown = itk::OutputWindow::GetInstance();
  const auto heard = Heard::New();
  itk::OutputWindow::SetInstance(heard);
  auto loaded = itk::PromptSegmentationModel::New();
  loaded->Load(path);
  EXPECT_NE(heard->said.find("taken for MobileSAM"), std::string::npos) << heard->said;
  heard->said.clear();
  loaded->Load(path, "tiny_vit_256");
  loaded->Load(model);
  itk::OutputWindow::SetInstance(shown);
  EXPECT_EQ(heard->said, "");
}

TEST(Errors, AModelThatIsNone)
{
  auto filter = TumourFilter();
  auto fresh = itk::PromptSegmentationModel::New();
  filter->SetModel(fresh);
  EXPECT_NE(Failure(filter.GetPointer()).find("Load"), std::string::npos);
  std::ifstream whole(model, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(whole)), std::istreambuf_iterator<char>());
  const auto path = work + "/short.safetensors";
  std::ofstream(path, std::ios::binary) << bytes.substr(0, bytes.size() / 2);
  for (const std::string & name : { path, work + "/nowhere.safetensors" })
  {
    try
    {
      fresh->Load(name);
      ADD_FAILURE() << name << " was loaded";
    }
    catch (const itk::PromptSegmentationError & error)
    {
      EXPECT_EQ(error.GetStatus(), SGM_BAD_MODEL);
      EXPECT_NE(std::string(error.GetDescription()).find(name), std::string::npos);
    }
  }
  fresh->Load(model);
  EXPECT_GT(Voxels(filter), 0u);
}

TEST(Errors, HaveEveryStatus)
{
  const auto status_of = [](const std::function<void(FilterType *, itk::PromptSegmentationModel *)> & change) {
    auto filter = TumourFilter();
    auto own = itk::PromptSegmentationModel::New();
    try
    {
      change(filter, own);
      filter->Update();
    }
    catch (const itk::PromptSegmentationError & error)
    {
      EXPECT_GT(std::strlen(error.GetDescription()), 10u);
      EXPECT_STREQ(error.GetNameOfClass(), "PromptSegmentationError");
      return error.GetStatus();
    }
    return SGM_OK;
  };
  using Model = itk::PromptSegmentationModel;
  EXPECT_EQ(status_of([](FilterType *, Model *) {}), SGM_OK);
  EXPECT_EQ(status_of([](FilterType * filter, Model *) { filter->SetClassIndex(3); }), SGM_BAD_PROMPT);
  EXPECT_EQ(status_of([](FilterType * filter, Model *) {
              filter->SetWindow(SGM_WINDOW_MANUAL);
              filter->SetWindowLow(5);
              filter->SetWindowHigh(5);
            }),
            SGM_INVALID_ARGUMENT);
  EXPECT_EQ(status_of([](FilterType * filter, Model *) { filter->AddForegroundPoint(1, At(0.0, 9999.0, 0.0)); }),
            SGM_BAD_PROMPT);
  EXPECT_EQ(status_of([](FilterType *, Model * own) { own->Load(demo + "/liver.png"); }), SGM_BAD_MODEL);
  EXPECT_EQ(status_of([](FilterType * filter, Model * own) {
              own->SetMemoryLimit(1 << 16);
              own->Load(model);
              filter->SetModel(own);
            }),
            SGM_OUT_OF_MEMORY);
  EXPECT_EQ(status_of([](FilterType * filter, Model *) { filter->SetCacheFolder(model); }), SGM_UNWRITABLE);
  const sgm_status cuda = status_of([](FilterType *, Model * own) {
    own->SetDevice(SGM_DEVICE_CUDA);
    own->Load(model);
  });
  EXPECT_TRUE(cuda == SGM_DEVICE || cuda == SGM_OK) << cuda; // there may be one
}

TEST(Errors, AnEmptyImage)
{
  auto filter = TumourFilter();
  auto image = ImageType::New();
  image->SetRegions(itk::Size<3>{ { 0, 4, 4 } });
  image->Allocate();
  filter->SetInput(image);
  EXPECT_NE(Failure(filter.GetPointer()), "");
  filter->SetInput(Brain());
  EXPECT_GT(Voxels(filter), 0u);
}

// 300 is no label of 8 bits.
TEST(Errors, ALabelThatItsTypeCannotHold)
{
  auto points = FilterType::PointSetType::New();
  points->SetPoint(0, TumourPoints()[0]);
  points->SetPointData(0, 300);
  auto filter = TumourFilter();
  filter->SetPromptPoints(points);
  EXPECT_NE(Failure(filter.GetPointer()).find("300"), std::string::npos);
  points->SetPointData(0, 1.5);
  points->Modified();
  EXPECT_NE(Failure(filter.GetPointer()).find("1.5"), std::string::npos);
  filter->SetPromptPoints(nullptr);
  auto group = FilterType::BoxGroupType::New();
  auto box = FilterType::BoxType::New();
  box->SetId(300);
  group->AddChild(box);
  filter->SetPromptBoxes(group);
  EXPECT_NE(Failure(filter.GetPointer()).find("300"), std::string::npos);
  filter->SetPromptBoxes(nullptr);
  EXPECT_GT(Voxels(filter), 0u);
}

// An origin that is no number; with such directions ITK itself ends the process, in SetDirection().
TEST(Errors, GeometryThatCannotBe)
{
  auto filter = TumourFilter();
  auto image = Brain();
  auto origin = image->GetOrigin();
  origin[1] = std::numeric_limits<double>::quiet_NaN();
  image->SetOrigin(origin);
  filter->SetInput(image);
  EXPECT_NE(Failure(filter.GetPointer()), "");
  auto initial = LabelImageType::New();
  initial->CopyInformation(Brain());
  initial->SetRegions(Brain()->GetLargestPossibleRegion());
  initial->Allocate(true);
  auto shifted = initial->GetOrigin();
  shifted[0] += 5;
  initial->SetOrigin(shifted);
  auto other = TumourFilter();
  other->SetInitialLabels(initial);
  EXPECT_NE(Failure(other.GetPointer()), "");
  other->SetInitialLabels(nullptr);
  EXPECT_GT(Voxels(other), 0u);
}

TEST(Errors, AnUnknownLabelHasNoReport)
{
  auto filter = TumourFilter();
  filter->Update();
  EXPECT_THROW(filter->GetReport(2), itk::ExceptionObject);
  EXPECT_THROW(filter->AddBox(1, static_cast<const FilterType::BoxType *>(nullptr)), itk::ExceptionObject);
}

TEST(Errors, ACacheThatCannotBe)
{
  auto filter = TumourFilter();
  filter->SetCacheFolder(model); // a file
  EXPECT_NE(Failure(filter.GetPointer()), "");
  filter->SetCacheFolder(work + "/cache");
  EXPECT_GT(Voxels(filter), 0u);
  auto again = TumourFilter();
  again->SetCacheFolder(work + "/cache");
  again->Update();
  EXPECT_EQ(again->GetReport(1).encoded, 0u);
  EXPECT_GT(again->GetReport(1).cached, 0u);
}

int
main(int argc, char * argv[])
{
  ::testing::InitGoogleTest(&argc, argv);
  if (argc != 5)
  {
    std::cerr << "usage: " << argv[0] << " MODEL DEMO WORK PROGRAM" << std::endl;
    return EXIT_FAILURE;
  }
  test::model = argv[1];
  test::demo = argv[2];
  test::work = argv[3];
  test::program = argv[4];
  return RUN_ALL_TESTS();
}
