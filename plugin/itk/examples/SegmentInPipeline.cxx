// As part of a pipeline: smoothing before, relabelling by size after. One Update() runs all of it;
// a further click only decodes.
//
//   SegmentInPipeline MODEL IMAGE OUTPUT x y z [x y z ...]
#include "itkConnectedComponentImageFilter.h"
#include "itkCurvatureFlowImageFilter.h"
#include "itkImageFileReader.h"
#include "itkImageFileWriter.h"
#include "itkPromptSegmentationImageFilter.h"
#include "itkRelabelComponentImageFilter.h"

#include <cstdlib>
#include <iostream>

int
main(int argc, char * argv[])
{
  if (argc < 7 || (argc - 4) % 3 != 0)
  {
    std::cerr << "usage: " << argv[0] << " MODEL IMAGE OUTPUT x y z [x y z ...]" << std::endl;
    return EXIT_FAILURE;
  }
  using ImageType = itk::Image<float, 3>;
  using LabelImageType = itk::Image<unsigned short, 3>;
  using FilterType = itk::PromptSegmentationImageFilter<ImageType, LabelImageType>;
  try
  {
    auto smooth = itk::CurvatureFlowImageFilter<ImageType, ImageType>::New();
    smooth->SetInput(itk::ReadImage<ImageType>(argv[2]));
    smooth->SetNumberOfIterations(2);
    smooth->SetTimeStep(0.0625);

    auto model = itk::PromptSegmentationModel::New();
    model->Load(argv[1]);
    auto segment = FilterType::New();
    segment->SetInput(smooth->GetOutput());
    segment->SetModel(model);

    auto components = itk::ConnectedComponentImageFilter<LabelImageType, LabelImageType>::New();
    components->SetInput(segment->GetOutput());
    auto relabel = itk::RelabelComponentImageFilter<LabelImageType, LabelImageType>::New();
    relabel->SetInput(components->GetOutput());

    for (int argument = 4; argument + 2 < argc; argument += 3)
    {
      FilterType::PointType point;
      for (int d = 0; d < 3; ++d)
      {
        point[d] = std::atof(argv[argument + d]);
      }
      segment->AddForegroundPoint(1, point);
      relabel->Update(); // the first time everything, then only what the point changes
      std::cout << segment->GetReport(1).voxels << " voxels in " << relabel->GetNumberOfObjects() << " parts, "
                << segment->GetReport(1).encoded << " slices encoded" << std::endl;
    }
    itk::WriteImage(relabel->GetOutput(), argv[3], true);
  }
  catch (const itk::ExceptionObject & error)
  {
    std::cerr << error.GetDescription() << std::endl;
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
