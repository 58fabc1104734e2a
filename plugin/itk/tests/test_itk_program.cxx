// Voxel by voxel what the PromptSeg program writes for the same image and prompts.
#include "test_itk_filter.h"

#include "itkCastImageFilter.h"
#include "itkGDCMImageIO.h"
#include "itkGDCMSeriesFileNames.h"
#include "itkImageFileReader.h"
#include "itkImageFileWriter.h"
#include "itkImageRegionConstIterator.h"
#include "itkImageSeriesReader.h"
#include "itksys/SystemTools.hxx"

#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

using namespace test;

namespace
{
void
RunQuietly(const std::string & command)
{
  const std::string quiet = command + " >'" + work + "/program.txt' 2>&1";
  ASSERT_EQ(std::system(quiet.c_str()), 0) << quiet;
}

// What the program writes for an image and flags.
LabelImageType::Pointer
AskProgram(const std::string & image, const std::string & flags)
{
  const std::string output = work + "/program.nrrd";
  RunQuietly("'" + program + "' " + flags + " -- '" + image + "' '" + output + "'");
  return itk::ReadImage<LabelImageType>(output);
}

std::string
Numbers(const FilterType::PointType & point)
{
  std::ostringstream text;
  text.precision(17);
  text << point[0] << ',' << point[1] << ',' << point[2];
  return text.str();
}

// A list of points as Slicer writes it; the one at `background` is outside the object.
void
WritePoints(const std::string & path, const std::vector<FilterType::PointType> & points, size_t background = 99)
{
  std::ofstream list(path);
  list << "# Markups fiducial file version = 4.11\n# CoordinateSystem = LPS\n"
          "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n";
  for (size_t n = 0; n < points.size(); ++n)
  {
    list << n << ',' << Numbers(points[n]) << ",0,0,0,1,1,1,0,p," << (n == background ? "-" : "") << ",\n";
  }
}

std::string
PointFlags(unsigned int count)
{
  std::string flags;
  for (unsigned int n = 0; n < count; ++n)
  {
    flags += " --foreground " + Numbers(TumourPoints()[n]);
  }
  return flags;
}

// The filter's answer to the tumour's points on any image.
template <typename TImage>
LabelImageType::Pointer
AskFilter(TImage * image, unsigned int count = 3)
{
  auto filter = itk::PromptSegmentationImageFilter<TImage, LabelImageType>::New();
  filter->SetInput(image);
  filter->SetModel(Model());
  for (unsigned int n = 0; n < count; ++n)
  {
    filter->AddForegroundPoint(1, TumourPoints()[n]);
  }
  filter->Update();
  EXPECT_GT(filter->GetReport(1).voxels, 0u);
  return filter->GetOutput();
}

// The image as a file of the given pixel type, read again as `TRead`, against the program on the file.
template <typename TStored, typename TRead>
void
ExpectSameFromFile(const std::string & name, const std::function<void(const std::string &)> & patch = nullptr)
{
  using StoredType = itk::Image<TStored, 3>;
  auto cast = itk::CastImageFilter<ImageType, StoredType>::New();
  cast->SetInput(Brain());
  cast->Update();
  const std::string path = work + "/" + name;
  itk::WriteImage(cast->GetOutput(), path);
  if (patch)
  {
    patch(path);
  }
  auto image = itk::ReadImage<itk::Image<TRead, 3>>(path);
  const auto wanted = AskProgram(path, PointFlags(3));
  EXPECT_EQ(CountDifferences(AskFilter(image.GetPointer()).GetPointer(), wanted.GetPointer()), 0u) << name;
}

std::string
BytesOf(const std::string & path)
{
  std::ifstream stream(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
}

void
Write(const std::string & path, const std::string & bytes)
{
  std::ofstream(path, std::ios::binary) << bytes;
}

// The demo's CT as a gantry would leave it that is tilted: each slice is moved by `shift` mm along y. The files are
// implicit little endian: tag, length of 32 bits, value.
std::string
TiltedSeries(double shift)
{
  const std::string folder = work + "/tilted";
  itksys::SystemTools::MakeDirectory(folder);
  for (int n = 1; n <= 3; ++n)
  {
    std::string bytes = BytesOf(demo + "/ct-3slice/dicom/0" + std::to_string(n) + ".dcm");
    const size_t at = bytes.find(std::string("\x20\x00\x32\x00", 4));
    const auto length = static_cast<unsigned char>(bytes.at(at + 4));
    double x = 0, y = 0, z = 0;
    EXPECT_EQ(std::sscanf(bytes.c_str() + at + 8, "%lf\\%lf\\%lf", &x, &y, &z), 3);
    std::ostringstream position;
    position << x << '\\' << y + shift * (n - 1) << '\\' << z;
    std::string value = position.str();
    value.resize(length, ' ');
    bytes.replace(at + 8, length, value);
    Write(folder + "/" + std::to_string(n) + ".dcm", bytes);
  }
  return folder;
}

void
ExpectSameOfSeries(const std::string & folder, bool give_tags)
{
  auto names = itk::GDCMSeriesFileNames::New();
  names->SetDirectory(folder);
  auto reader = itk::ImageSeriesReader<ImageType>::New();
  reader->SetImageIO(itk::GDCMImageIO::New());
  reader->SetFileNames(names->GetInputFileNames());
  reader->ForceOrthogonalDirectionOff();
  reader->Update();
  auto filter = FilterType::New();
  filter->SetInput(reader->GetOutput());
  filter->SetModel(Model());
  if (give_tags)
  {
    filter->SetMetaDataDictionaryArray(reader->GetMetaDataDictionaryArray());
  }
  else
  {
    filter->SetHounsfield(SGM_HOUNSFIELD_ON);
  }
  filter->AddForegroundPoint(1, At(-104.5, -25.0, -127.69));
  filter->Update();
  EXPECT_GT(filter->GetReport(1).voxels, 10000u);
  EXPECT_TRUE(filter->GetWarnings().empty());
  const auto wanted = AskProgram(folder, "--foreground -104.5,-25,-127.69");
  EXPECT_EQ(CountDifferences(filter->GetOutput(), wanted.GetPointer()), 0u);
}

// A part of the brain around the tumour: small, so that it can be asked often.
ImageType::Pointer
Tumour()
{
  auto whole = Brain();
  ImageType::RegionType part;
  itk::Index<3> middle;
  whole->TransformPhysicalPointToIndex(TumourPoints()[1], middle);
  const itk::Size<3> size = { { 72, 80, 10 } };
  auto image = ImageType::New();
  for (unsigned int d = 0; d < 3; ++d)
  {
    part.SetIndex(d, middle[d] - static_cast<itk::IndexValueType>(size[d] / 2));
    part.SetSize(d, size[d]);
  }
  EXPECT_TRUE(whole->GetLargestPossibleRegion().IsInside(part));
  FilterType::PointType origin;
  whole->TransformIndexToPhysicalPoint(part.GetIndex(), origin);
  image->CopyInformation(whole);
  image->SetOrigin(origin);
  image->SetRegions(size);
  image->Allocate();
  itk::ImageRegionConstIterator<ImageType> from(whole, part);
  for (short * to = image->GetBufferPointer(); !from.IsAtEnd(); ++from)
  {
    *to++ = from.Get();
  }
  return image;
}

// The same anatomy with its axes stored in another order and direction. By hand: FlipImageFilter and
// PermuteAxesImageFilter do not keep it in place.
ImageType::Pointer
Stored(const ImageType * image, const unsigned int order[3], unsigned int flips)
{
  const auto size = image->GetLargestPossibleRegion().GetSize();
  itk::Size<3> stored_size;
  auto direction = image->GetDirection();
  auto spacing = image->GetSpacing();
  itk::Index<3> first;
  first.Fill(0);
  for (unsigned int axis = 0; axis < 3; ++axis)
  {
    const bool flipped = flips >> axis & 1;
    stored_size[axis] = size[order[axis]];
    spacing[axis] = image->GetSpacing()[order[axis]];
    first[order[axis]] = flipped ? static_cast<itk::IndexValueType>(size[order[axis]]) - 1 : 0;
    for (unsigned int row = 0; row < 3; ++row)
    {
      direction[row][axis] = (flipped ? -1 : 1) * image->GetDirection()[row][order[axis]];
    }
  }
  auto out = ImageType::New();
  FilterType::PointType origin;
  image->TransformIndexToPhysicalPoint(first, origin);
  out->SetRegions(stored_size);
  out->SetDirection(direction);
  out->SetSpacing(spacing);
  out->SetOrigin(origin);
  out->Allocate();
  itk::ImageRegionIteratorWithIndex<ImageType> to(out, out->GetLargestPossibleRegion());
  for (; !to.IsAtEnd(); ++to)
  {
    itk::Index<3> from;
    for (unsigned int axis = 0; axis < 3; ++axis)
    {
      const auto n = to.GetIndex()[axis];
      from[order[axis]] = flips >> axis & 1 ? static_cast<itk::IndexValueType>(stored_size[axis]) - 1 - n : n;
    }
    to.Set(image->GetPixel(from));
  }
  return out;
}
} // namespace

TEST(Program, SaysTheSameOfPoints)
{
  for (unsigned int count = 1; count <= 3; ++count)
  {
    const auto found = AskFilter(Brain().GetPointer(), count);
    const auto wanted = AskProgram(demo + "/brain1/image.nrrd", PointFlags(count));
    EXPECT_EQ(CountDifferences(found.GetPointer(), wanted.GetPointer()), 0u) << count << " points";
    EXPECT_EQ(found->GetDirection(), wanted->GetDirection());
  }
}

TEST(Program, SaysTheSameOfABox)
{
  auto filter = TumourFilter();
  filter->AddBox(1, At(24.0, -23.0, -9.75), At(66.0, 37.0, 35.75));
  filter->Update();
  const auto wanted = AskProgram(demo + "/brain1/image.nrrd", PointFlags(3) + " --roi 45,7,13,21,30,22.75");
  EXPECT_EQ(CountDifferences(filter->GetOutput(), wanted.GetPointer()), 0u);
}

TEST(Program, SaysTheSameOfARotatedBox)
{
  auto box = FilterType::BoxType::New();
  box->SetPositionInObjectSpace(At(-20.0, -10.0, -15.0));
  const double size[3] = { 40, 20, 30 };
  box->SetSizeInObjectSpace(size);
  auto turn = FilterType::BoxType::TransformType::New();
  itk::Vector<double, 3> axis, shift;
  axis.Fill(0);
  axis[2] = 1;
  shift[0] = 45;
  shift[1] = 7;
  shift[2] = 13;
  turn->Rotate3D(axis, 0.5);
  turn->Translate(shift);
  box->SetObjectToParentTransform(turn);
  box->Update();
  auto filter = TumourFilter(0);
  filter->AddForegroundPoint(1, TumourPoints()[1]);
  filter->AddBox(1, box);
  filter->Update();
  std::ostringstream flags;
  flags.precision(17);
  flags << "--foreground 52.5,20.5,6.5 --roi 45,7,13,20,10,15," << cos(0.5) << ',' << -sin(0.5) << ",0," << sin(0.5)
        << ',' << cos(0.5) << ",0,0,0,1";
  const auto wanted = AskProgram(demo + "/brain1/image.nrrd", flags.str());
  EXPECT_EQ(CountDifferences(filter->GetOutput(), wanted.GetPointer()), 0u);
}

TEST(Program, SaysTheSameOfADicomSeries)
{
  ExpectSameOfSeries(demo + "/ct-3slice/dicom", true);
  ExpectSameOfSeries(demo + "/ct-3slice/dicom", false);
}

TEST(Program, SaysTheSameOfATiltedSeries)
{
  ExpectSameOfSeries(TiltedSeries(0.25), true);
}

TEST(Program, SaysTheSameOfNifti)
{
  ExpectSameFromFile<short, short>("brain.nii");
  ExpectSameFromFile<float, float>("brain-float.nii.gz");
  ExpectSameFromFile<short, float>("brain-scaled.nii", [](const std::string & path) {
    std::string bytes = BytesOf(path);
    const float scale[2] = { 0.37f, -11.25f }; // scl_slope, scl_inter
    std::memcpy(&bytes.at(112), scale, sizeof scale);
    Write(path, bytes);
  });
}

TEST(Program, SaysTheSameOfNrrd)
{
  ExpectSameFromFile<float, float>("brain-float.nrrd");
  ExpectSameFromFile<unsigned short, unsigned short>("brain-unsigned.nrrd");
}

TEST(Program, SaysTheSameInAll48AxisOrders)
{
  const unsigned int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
  const auto image = Tumour();
  const auto folder = work + "/axes";
  itksys::SystemTools::RemoveADirectory(folder);
  itksys::SystemTools::MakeDirectory(folder);
  std::map<std::string, ImageType::Pointer> images;
  std::ofstream manifest(folder + "/m.csv");
  manifest << "id,image,foreground\n";
  for (const auto & order : orders)
  {
    for (unsigned int flips = 0; flips < 8; ++flips)
    {
      const std::string id =
        std::to_string(order[0]) + std::to_string(order[1]) + std::to_string(order[2]) + "-" + std::to_string(flips);
      images[id] = Stored(image, order, flips);
      itk::WriteImage(images[id].GetPointer(), folder + "/" + id + ".nrrd");
      manifest << id << ',' << id << ".nrrd,\"" << Numbers(TumourPoints()[1]) << "\"\n";
    }
  }
  manifest.close();
  RunQuietly("'" + itksys::SystemTools::GetFilenamePath(program) + "/PromptSegBatch' '" + folder +
             "/m.csv' --output '" + folder + "/out' --outputEnding nrrd");
  itk::SizeValueType voxels = 0;
  for (const auto & entry : images)
  {
    auto filter = FilterType::New();
    filter->SetInput(entry.second);
    filter->SetModel(Model());
    filter->AddForegroundPoint(1, TumourPoints()[1]);
    filter->Update();
    voxels = voxels ? voxels : filter->GetReport(1).voxels;
    EXPECT_EQ(filter->GetReport(1).voxels, voxels) << entry.first;
    const auto wanted = itk::ReadImage<LabelImageType>(folder + "/out/" + entry.first + ".nrrd");
    EXPECT_EQ(CountDifferences(filter->GetOutput(), wanted.GetPointer()), 0u) << entry.first;
    EXPECT_LT((filter->GetOutput()->GetOrigin() - wanted->GetOrigin()).GetNorm(), 1e-6) << entry.first;
  }
  EXPECT_GT(voxels, 100u);
}

// Labels in the order of the program's segments: where they overlap, the later one has the voxel.
TEST(Program, SaysTheSameOfOverlappingLabels)
{
  std::string flags;
  for (unsigned int n = 0; n < 3; ++n)
  {
    const std::string path = work + "/part" + std::to_string(n) + ".fcsv";
    const auto points = TumourPoints();
    WritePoints(path, n == 0 ? points : std::vector<FilterType::PointType>{ points[n - 1] });
    flags += " --prompts '" + path + "'";
  }
  auto filter = TumourFilter(3);
  filter->AddForegroundPoint(2, TumourPoints()[0]);
  filter->AddForegroundPoint(3, TumourPoints()[1]);
  filter->Update();
  const auto wanted = AskProgram(demo + "/brain1/image.nrrd", flags);
  std::map<int, itk::SizeValueType> left;
  for (itk::SizeValueType i = 0; i < wanted->GetBufferedRegion().GetNumberOfPixels(); ++i)
  {
    ++left[wanted->GetBufferPointer()[i]];
  }
  EXPECT_EQ(left.size(), 4u) << "all three labels are seen";
  EXPECT_LT(left[1], filter->GetReport(1).voxels) << "they overlap";
  EXPECT_EQ(CountDifferences(filter->GetOutput(), wanted.GetPointer()), 0u);
}

// The clicks of a list are taken in its order, background among them.
TEST(Program, SaysTheSameOfClicksInTheirOrder)
{
  const auto outside = At(52.5, 20.5, 6.5), inside = At(50.0, 15.0, 6.5);
  WritePoints(work + "/clicks.fcsv", { TumourPoints()[0], outside, inside }, 1);
  auto filter = TumourFilter(1);
  filter->AddBackgroundPoint(1, outside);
  filter->AddForegroundPoint(1, inside);
  filter->Update();
  const auto wanted = AskProgram(demo + "/brain1/image.nrrd", "--prompts '" + work + "/clicks.fcsv'");
  EXPECT_EQ(CountDifferences(filter->GetOutput(), wanted.GetPointer()), 0u);
  filter->ClearPrompts();
  filter->AddForegroundPoint(1, TumourPoints()[0]);
  filter->AddForegroundPoint(1, inside);
  filter->AddBackgroundPoint(1, outside);
  filter->Update();
  EXPECT_NE(CountDifferences(filter->GetOutput(), wanted.GetPointer()), 0u) << "the order matters here";
}

TEST(Program, SaysTheSameOfAnInitialLabel)
{
  auto first = TumourFilter(1);
  first->Update();
  itk::WriteImage(first->GetOutput(), work + "/initial.nrrd");
  auto filter = TumourFilter();
  filter->SetInitialLabels(first->GetOutput());
  filter->Update();
  const auto wanted = AskProgram(demo + "/brain1/image.nrrd",
                                 PointFlags(3) + " --segmentName Segment_1 --initial '" + work + "/initial.nrrd'");
  EXPECT_EQ(CountDifferences(filter->GetOutput(), wanted.GetPointer()), 0u);
}
