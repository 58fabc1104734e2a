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
#ifndef itkPromptSegmentationPrompts_h
#define itkPromptSegmentationPrompts_h

#include "itkImageBase.h"
#include "itkMatrix.h"
#include "itkPoint.h"

#include "segmodel/volume.h"

#include <vector>

namespace itk
{
/** \class PromptSegmentationPrompts
 * \brief The prompts of one object in physical coordinates, and as the library takes them.
 * \ingroup PromptSeg
 */
template <unsigned int VDimension>
class PromptSegmentationPrompts
{
public:
  using PointType = Point<double, VDimension>;
  using ImageBaseType = ImageBase<VDimension>;

  /** A box in space: its centre and half of each edge. */
  struct Box
  {
    PointType center;
    Vector<double, VDimension> halfAxis[VDimension];
  };

  /** A point inside the object (SGM_FOREGROUND) or outside (SGM_BACKGROUND). */
  struct Click
  {
    PointType point;
    int label;
  };

  std::vector<Click> clicks; /* in the order in which they were made: each corrects those before */
  std::vector<Box> boxes;

  bool
  IsEmpty() const
  {
    return clicks.empty() && boxes.empty();
  }

  /** Seeds and boxes in continuous indices of the buffer, whose first voxel is (0, 0, 0) whatever the image's start
   * index is. */
  void
  ToIndices(const ImageBaseType * image, std::vector<sgm_seed> & seeds, std::vector<sgm_roi> & rois) const
  {
    seeds.clear();
    rois.clear();
    for (const Click & click : clicks)
    {
      sgm_seed seed;
      ToIndex(image, click.point, seed.index);
      seed.label = click.label;
      seeds.push_back(seed);
    }
    for (const Box & box : boxes)
    {
      rois.push_back(ToRoi(image, box));
    }
  }

private:
  static void
  ToIndex(const ImageBaseType * image, const PointType & point, double index[3])
  {
    const auto continuous = image->template TransformPhysicalPointToContinuousIndex<double>(point);
    const auto start = image->GetBufferedRegion().GetIndex();
    for (unsigned int d = 0; d < 3; ++d)
    {
      index[d] = d < VDimension ? continuous[d] - static_cast<double>(start[d]) : 0.0;
    }
  }

  static sgm_roi
  ToRoi(const ImageBaseType * image, const Box & box)
  {
    sgm_roi roi = {};
    ToIndex(image, box.center, roi.center);
    for (unsigned int axis = 0; axis < VDimension; ++axis)
    {
      double end[3];
      ToIndex(image, box.center + box.halfAxis[axis], end);
      for (unsigned int d = 0; d < 3; ++d)
      {
        roi.half_axis[axis][d] = end[d] - roi.center[d];
      }
    }
    if (VDimension == 2)
    {
      roi.half_axis[2][2] = 0.5; // the one slice that there is
    }
    return roi;
  }
};
} // namespace itk

#endif
