// Segments an object of a DICOM series from one point.
//
//   SegmentDicomSeries MODEL FOLDER x y z OUTPUT.nrrd       x y z: LPS millimetres
#include "itkGDCMImageIO.h"
#include "itkGDCMSeriesFileNames.h"
#include "itkImageFileWriter.h"
#include "itkImageSeriesReader.h"
#include "itkPromptSegmentationImageFilter.h"

#include <cstdlib>
#include <iostream>

int
main(int argc, char * argv[])
{
  if (argc != 7)
  {
    std::cerr << "usage: " << argv[0] << " MODEL FOLDER x y z OUTPUT" << std::endl;
    return EXIT_FAILURE;
  }
  using ImageType = itk::Image<short, 3>;
  using LabelImageType = itk::Image<unsigned char, 3>;
  using FilterType = itk::PromptSegmentationImageFilter<ImageType, LabelImageType>;
  try
  {
    auto names = itk::GDCMSeriesFileNames::New();
    names->SetDirectory(argv[2]);
    auto reader = itk::ImageSeriesReader<ImageType>::New();
    reader->SetImageIO(itk::GDCMImageIO::New());
    reader->SetFileNames(names->GetInputFileNames());
    reader->Update(); // now the tags are known

    auto model = itk::PromptSegmentationModel::New();
    model->Load(argv[1]);

    auto filter = FilterType::New();
    filter->SetInput(reader->GetOutput());
    filter->SetModel(model);
    filter->SetMetaDataDictionaryArray(reader->GetMetaDataDictionaryArray());
    FilterType::PointType point;
    for (unsigned int d = 0; d < 3; ++d)
    {
      point[d] = std::atof(argv[3 + d]);
    }
    filter->AddForegroundPoint(1, point);

    auto writer = itk::ImageFileWriter<LabelImageType>::New();
    writer->SetInput(filter->GetOutput());
    writer->SetFileName(argv[6]);
    writer->UseCompressionOn();
    writer->Update();
    std::cout << filter->GetReport(1).voxels << " voxels" << std::endl;
  }
  catch (const itk::ExceptionObject & error)
  {
    std::cerr << error.GetDescription() << std::endl;
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
