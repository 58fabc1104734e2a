// What the tests share: where the files are, and the demo's images and prompts.
#ifndef test_itk_filter_h
#define test_itk_filter_h

#include "itkImage.h"
#include "itkPromptSegmentationImageFilter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace test
{
extern std::string model, demo, work, program;

using ImageType = itk::Image<short, 3>;
using LabelImageType = itk::Image<unsigned char, 3>;
using FilterType = itk::PromptSegmentationImageFilter<ImageType, LabelImageType>;

inline itk::Point<double, 3>
At(double x, double y, double z)
{
  const double position[3] = { x, y, z };
  return itk::Point<double, 3>(position);
}

inline itk::Point<double, 2>
At(double x, double y)
{
  const double position[2] = { x, y };
  return itk::Point<double, 2>(position);
}

// Loaded once for all tests.
itk::PromptSegmentationModel *
Model();

// The brain MR of the demo, read once; a copy each time, so that tests may change it.
ImageType::Pointer
Brain();

// The demo's three points in the tumour.
std::vector<FilterType::PointType>
TumourPoints();

// A filter on the brain with the first `count` points as label 1.
FilterType::Pointer
TumourFilter(unsigned int count = 3);

template <typename TImage>
itk::SizeValueType
CountDifferences(const TImage * a, const TImage * b)
{
  const auto count = a->GetBufferedRegion().GetNumberOfPixels();
  itk::SizeValueType different = 0;
  EXPECT_EQ(count, b->GetBufferedRegion().GetNumberOfPixels());
  for (itk::SizeValueType i = 0; i < count; ++i)
  {
    different += a->GetBufferPointer()[i] != b->GetBufferPointer()[i];
  }
  return different;
}
} // namespace test

#endif
