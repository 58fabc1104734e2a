// consumer MODEL IMAGE x y z: the voxels that a point gives.
#include "itkImageFileReader.h"
#include "itkPromptSegmentationImageFilter.h"

#include <cstdlib>
#include <iostream>

int
main(int argc, char * argv[])
{
  if (argc != 6)
  {
    return EXIT_FAILURE;
  }
  using FilterType = itk::PromptSegmentationImageFilter<itk::Image<short, 3>, itk::Image<unsigned char, 3>>;
  auto model = itk::PromptSegmentationModel::New();
  auto filter = FilterType::New();
  model->Load(argv[1]);
  filter->SetModel(model);
  filter->SetInput(itk::ReadImage<itk::Image<short, 3>>(argv[2]));
  FilterType::PointType point;
  for (int d = 0; d < 3; ++d)
  {
    point[d] = std::atof(argv[3 + d]);
  }
  filter->AddForegroundPoint(1, point);
  filter->Update();
  std::cout << filter->GetReport(1).voxels << std::endl;
  return filter->GetReport(1).voxels > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
