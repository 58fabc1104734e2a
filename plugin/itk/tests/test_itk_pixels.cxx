// Every pixel type and dimension that an image may have gives the same labels.
#include "test_itk_filter.h"

#include "itkCastImageFilter.h"
#include "itkExtractImageFilter.h"
#include "itkRGBPixel.h"
#include "itkVectorImage.h"

#include <random>

using namespace test;

namespace
{
// Values that every type holds, so that nothing but the type differs.
ImageType::Pointer
SmallValues()
{
  auto image = Brain();
  for (itk::SizeValueType i = 0; i < image->GetBufferedRegion().GetNumberOfPixels(); ++i)
  {
    auto & value = image->GetBufferPointer()[i];
    value = static_cast<short>(value < 0 ? 0 : value > 1016 ? 127 : value / 8);
  }
  return image;
}

template <typename TPixel>
itk::SizeValueType
DifferencesAs(const LabelImageType * wanted)
{
  using Type = itk::Image<TPixel, 3>;
  auto cast = itk::CastImageFilter<ImageType, Type>::New();
  cast->SetInput(SmallValues());
  auto filter = itk::PromptSegmentationImageFilter<Type, LabelImageType>::New();
  filter->SetInput(cast->GetOutput());
  filter->SetModel(Model());
  filter->AddForegroundPoint(1, TumourPoints()[0]);
  filter->Update();
  return CountDifferences(filter->GetOutput(), wanted);
}

template <typename TLabel>
itk::SizeValueType
VoxelsAsLabel(TLabel label)
{
  using Type = itk::Image<TLabel, 3>;
  auto filter = itk::PromptSegmentationImageFilter<ImageType, Type>::New();
  filter->SetInput(SmallValues());
  filter->SetModel(Model());
  filter->AddForegroundPoint(label, TumourPoints()[0]);
  filter->Update();
  itk::SizeValueType found = 0;
  for (itk::SizeValueType i = 0; i < filter->GetOutput()->GetBufferedRegion().GetNumberOfPixels(); ++i)
  {
    found += filter->GetOutput()->GetBufferPointer()[i] == label;
  }
  return found;
}
} // namespace

TEST(Pixels, ScalarTypesAllSayTheSame)
{
  auto filter = TumourFilter(1);
  filter->SetInput(SmallValues());
  filter->Update();
  const LabelImageType * wanted = filter->GetOutput();
  EXPECT_GT(filter->GetReport(1).voxels, 0u);
  EXPECT_EQ(DifferencesAs<unsigned char>(wanted), 0u);
  EXPECT_EQ(DifferencesAs<signed char>(wanted), 0u);
  EXPECT_EQ(DifferencesAs<char>(wanted), 0u);
  EXPECT_EQ(DifferencesAs<unsigned short>(wanted), 0u);
  EXPECT_EQ(DifferencesAs<int>(wanted), 0u);
  EXPECT_EQ(DifferencesAs<unsigned int>(wanted), 0u);
  EXPECT_EQ(DifferencesAs<float>(wanted), 0u);
  EXPECT_EQ(DifferencesAs<double>(wanted), 0u);
}

TEST(Pixels, SixtyFourBitIntegersAreRefusedWithASentence)
{
  using Type = itk::Image<long long, 3>;
  auto cast = itk::CastImageFilter<ImageType, Type>::New();
  cast->SetInput(SmallValues());
  auto filter = itk::PromptSegmentationImageFilter<Type, LabelImageType>::New();
  filter->SetInput(cast->GetOutput());
  filter->SetModel(Model());
  filter->AddForegroundPoint(1, TumourPoints()[0]);
  try
  {
    filter->Update();
    ADD_FAILURE();
  }
  catch (const itk::PromptSegmentationError & error)
  {
    EXPECT_EQ(error.GetStatus(), SGM_UNREADABLE);
    EXPECT_NE(std::string(error.GetDescription()).find("64"), std::string::npos);
  }
}

TEST(Pixels, LabelsOfAnyIntegerType)
{
  auto filter = TumourFilter(1);
  filter->SetInput(SmallValues());
  filter->Update();
  const auto wanted = filter->GetReport(1).voxels;
  EXPECT_EQ(VoxelsAsLabel<signed char>(-5), wanted);
  EXPECT_EQ(VoxelsAsLabel<short>(-300), wanted);
  EXPECT_EQ(VoxelsAsLabel<unsigned short>(65535), wanted);
  EXPECT_EQ(VoxelsAsLabel<int>(1 << 30), wanted);
  EXPECT_EQ(VoxelsAsLabel<long>(1L << 40), wanted);
}

TEST(Pixels, APlaneIsAVolumeOfOneSlice)
{
  using PlaneType = itk::Image<short, 2>;
  using PlaneLabelType = itk::Image<unsigned char, 2>;
  auto region = Brain()->GetLargestPossibleRegion();
  region.SetIndex(2, 12);
  region.SetSize(2, 0);
  auto extract = itk::ExtractImageFilter<ImageType, PlaneType>::New();
  extract->SetInput(Brain());
  extract->SetExtractionRegion(region);
  extract->SetDirectionCollapseToSubmatrix();
  extract->Update();
  using FilterType2 = itk::PromptSegmentationImageFilter<PlaneType, PlaneLabelType>;
  auto filter = FilterType2::New();
  FilterType2::PointType point;
  itk::ContinuousIndex<double, 2> middle;
  middle.Fill(128);
  extract->GetOutput()->TransformContinuousIndexToPhysicalPoint(middle, point);
  filter->SetInput(extract->GetOutput());
  filter->SetModel(Model());
  filter->AddForegroundPoint(1, point);
  filter->Update();
  EXPECT_GT(filter->GetReport(1).voxels, 0u);
  EXPECT_EQ(filter->GetOutput()->GetLargestPossibleRegion(), extract->GetOutput()->GetLargestPossibleRegion());
}

TEST(Pixels, ColoursAsPixelsAndAsVectors)
{
  using ColourType = itk::Image<itk::RGBPixel<unsigned char>, 2>;
  using VectorType = itk::VectorImage<unsigned char, 2>;
  using PlaneLabelType = itk::Image<unsigned char, 2>;
  const itk::Size<2> size = { { 80, 64 } };
  auto colours = ColourType::New();
  auto vectors = VectorType::New();
  colours->SetRegions(size);
  colours->Allocate(true);
  vectors->SetRegions(size);
  vectors->SetVectorLength(3);
  vectors->Allocate(true);
  std::minstd_rand noise(1); // a picture without any is none that the network knows
  for (unsigned int y = 0; y < 64; ++y)
  {
    for (unsigned int x = 0; x < 80; ++x)
    {
      const bool inside = y >= 16 && y < 48 && x >= 20 && x < 60;
      const auto grey = static_cast<unsigned char>(70 + noise() % 30);
      auto & pixel = colours->GetBufferPointer()[y * 80 + x];
      pixel.Set(static_cast<unsigned char>(grey + (inside ? 100 : 0)), grey, grey);
      std::copy(pixel.Begin(), pixel.End(), vectors->GetBufferPointer() + 3 * (y * 80 + x));
    }
  }
  auto of_colours = itk::PromptSegmentationImageFilter<ColourType, PlaneLabelType>::New();
  auto of_vectors = itk::PromptSegmentationImageFilter<VectorType, PlaneLabelType>::New();
  of_colours->SetInput(colours);
  of_vectors->SetInput(vectors);
  of_colours->SetModel(Model());
  of_vectors->SetModel(Model());
  of_colours->AddBox(1, At(19.0, 15.0), At(60.0, 48.0));
  of_vectors->AddBox(1, At(19.0, 15.0), At(60.0, 48.0));
  of_colours->Update();
  of_vectors->Update();
  EXPECT_NEAR(static_cast<double>(of_colours->GetReport(1).voxels), 40 * 32, 130);
  EXPECT_EQ(CountDifferences(of_colours->GetOutput(), of_vectors->GetOutput()), 0u);
}
