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
#ifndef itkPromptSegmentationVoxel_h
#define itkPromptSegmentationVoxel_h

#include "itkIntTypes.h"

#include "segmodel/volume.h"

#include <type_traits>

namespace itk
{
/** The library's name for a voxel's component type, by its size and kind, so that `long` or `char` are what they are
 * on this platform. 64-bit integers serve as labels only: the library says so. */
template <typename TComponent>
constexpr sgm_voxel
PromptSegmentationVoxel()
{
  static_assert(std::is_arithmetic<TComponent>::value, "voxels are numbers, or colours of 8-bit numbers");
  static_assert(!std::is_same<TComponent, long double>::value, "long double voxels are not supported");
  return std::is_floating_point<TComponent>::value ? (sizeof(TComponent) == 4 ? SGM_VOXEL_F32 : SGM_VOXEL_F64)
         : std::is_signed<TComponent>::value       ? (sizeof(TComponent) == 1   ? SGM_VOXEL_I8
                                                      : sizeof(TComponent) == 2 ? SGM_VOXEL_I16
                                                      : sizeof(TComponent) == 4 ? SGM_VOXEL_I32
                                                                                : SGM_VOXEL_I64)
                                                   : (sizeof(TComponent) == 1   ? SGM_VOXEL_U8
                                                      : sizeof(TComponent) == 2 ? SGM_VOXEL_U16
                                                      : sizeof(TComponent) == 4 ? SGM_VOXEL_U32
                                                                                : SGM_VOXEL_U64);
}
} // namespace itk

#endif
