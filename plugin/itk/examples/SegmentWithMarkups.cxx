// Segments objects of a NIfTI (or any other) file from the point lists of a Slicer markup file.
//
//   SegmentWithMarkups MODEL IMAGE PROMPTS.fcsv OUTPUT.nii.gz
//
// The points come in as pipeline data: a PointSet whose values are the labels. Slicer's .fcsv is
// read here because it is short; programs that have a JSON reader take .mrk.json the same way.
#include "itkImageFileReader.h"
#include "itkImageFileWriter.h"
#include "itkPromptSegmentationImageFilter.h"

#include <fstream>
#include <iostream>
#include <sstream>

using ImageType = itk::Image<float, 3>;
using LabelImageType = itk::Image<unsigned char, 3>;
using FilterType = itk::PromptSegmentationImageFilter<ImageType, LabelImageType>;

// id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID; a description "-" or "bg" marks a
// background point.
static FilterType::PointSetType::Pointer
ReadPoints(const char * path)
{
  std::ifstream file(path);
  auto points = FilterType::PointSetType::New();
  FilterType::PointSetType::PointType point;
  double flip = -1; // RAS unless the header says otherwise
  itk::IdentifierType id = 0;
  for (std::string line; std::getline(file, line);)
  {
    if (line.find("CoordinateSystem") != std::string::npos)
    {
      flip = line.find("LPS") != std::string::npos || line.find("= 1") != std::string::npos ? 1 : -1;
    }
    if (line.empty() || line[0] == '#')
    {
      continue;
    }
    std::stringstream columns(line);
    std::vector<std::string> column;
    for (std::string text; std::getline(columns, text, ',');)
    {
      column.push_back(text);
    }
    if (column.size() < 13)
    {
      throw std::runtime_error(std::string(path) + ": a line without 13 columns: " + line);
    }
    point[0] = flip * std::stod(column[1]);
    point[1] = flip * std::stod(column[2]);
    point[2] = std::stod(column[3]);
    points->SetPoint(id, point);
    points->SetPointData(id++, column[12] == "-" || column[12] == "bg" ? -1 : 1);
  }
  return points;
}

int
main(int argc, char * argv[])
{
  if (argc != 5)
  {
    std::cerr << "usage: " << argv[0] << " MODEL IMAGE PROMPTS.fcsv OUTPUT" << std::endl;
    return EXIT_FAILURE;
  }
  try
  {
    auto model = itk::PromptSegmentationModel::New();
    model->Load(argv[1]);
    auto filter = FilterType::New();
    filter->SetInput(itk::ReadImage<ImageType>(argv[2]));
    filter->SetModel(model);
    filter->SetPromptPoints(ReadPoints(argv[3]));
    itk::WriteImage(filter->GetOutput(), argv[4], true);
    for (const auto label : filter->GetPromptedLabels())
    {
      std::cout << "label " << static_cast<int>(label) << ": " << filter->GetReport(label).voxels << " voxels\n";
    }
  }
  catch (const std::exception & error)
  {
    std::cerr << error.what() << std::endl;
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
