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
#ifndef itkPromptSegmentationModel_h
#define itkPromptSegmentationModel_h

#include "itkDataObject.h"
#include "itkObjectFactory.h"
#include "itkVersion.h"
#include "itkMacro.h"

#include "segmodel/segmodel.h"
#include "segmodel/volume.h"

#include <string>

// ITK 5.3 replaced itkTypeMacro by a macro that overrides GetNameOfClass.
#ifdef itkOverrideGetNameOfClassMacro
#define PromptSegNameOfClassMacro(thisClass, superClass) itkOverrideGetNameOfClassMacro(thisClass)
#else
#define PromptSegNameOfClassMacro(thisClass, superClass) itkTypeMacro(thisClass, superClass)
#endif

namespace itk
{
/** \class PromptSegmentationError
 * \brief A failure of the model library: its sentence is the description, its number the status.
 * \ingroup PromptSeg
 */
class PromptSegmentationError : public ExceptionObject
{
public:
  PromptSegmentationError(const char * file, unsigned int line, sgm_status status, const char * location)
    : ExceptionObject(file, line, sgm_last_message(), location)
    , m_Status(status)
  {}

  const char *
  GetNameOfClass() const override
  {
    return "PromptSegmentationError";
  }

  /** sgm_status of segmodel/segmodel.h: SGM_BAD_PROMPT, SGM_BAD_MODEL and so on. */
  sgm_status
  GetStatus() const
  {
    return m_Status;
  }

private:
  sgm_status m_Status;
};

/** \class PromptSegmentationModel
 * \brief A network of the Segment Anything family with its weights, on a device.
 *
 * Load it once and share it: any number of filters in any number of threads may use one model. Device, precision,
 * threads and memory limit are those of the next Load().
 *
 * \ingroup PromptSeg
 */
class PromptSegmentationModel : public DataObject
{
public:
  ITK_DISALLOW_COPY_AND_ASSIGN(PromptSegmentationModel);

  using Self = PromptSegmentationModel;
  using Superclass = DataObject;
  using Pointer = SmartPointer<Self>;
  using ConstPointer = SmartPointer<const Self>;

  itkNewMacro(Self);
  PromptSegNameOfClassMacro(PromptSegmentationModel, DataObject);

  /** SGM_DEVICE_AUTO (the default) takes a GPU where there is one. */
  itkSetEnumMacro(Device, sgm_device);
  itkGetEnumMacro(Device, sgm_device);

  /** SGM_PRECISION_AUTO (the default) takes BF16 where the device multiplies it in hardware. */
  itkSetEnumMacro(Precision, sgm_precision);
  itkGetEnumMacro(Precision, sgm_precision);

  /** Threads of the library; 0 (the default): one per core. They are not ITK's. */
  itkSetMacro(NumberOfThreads, unsigned int);
  itkGetConstMacro(NumberOfThreads, unsigned int);

  /** Bytes of working memory; 0 (the default): no limit. */
  itkSetMacro(MemoryLimit, SizeValueType);
  itkGetConstMacro(MemoryLimit, SizeValueType);

  /** Reads a .safetensors file or an official PyTorch .pth (nothing in it is executed). `variant` names the network
   * where the file does not tell; what is assumed otherwise is a warning. Throws PromptSegmentationError; the model
   * loaded before stays then. */
  void
  Load(const std::string & fileName, const std::string & variant = "auto")
  {
    Handles handles;
    const sgm_context_options options = this->ContextOptions();
    this->Check(sgm_context_create(&options, &handles.context), "sgm_context_create");
    this->Check(sgm_model_load(handles.context, fileName.c_str(), variant.c_str(), &handles.model), "sgm_model_load");
    m_Handles.Swap(handles);
    m_FileName = fileName;
    this->Modified();
    sgm_model_info info;
    sgm_model_get_info(m_Handles.model, &info);
    if (info.assumption[0] != '\0')
    {
      itkWarningMacro(<< info.assumption);
    }
  }

  itkGetStringMacro(FileName);

  bool
  IsLoaded() const
  {
    return m_Handles.model != nullptr;
  }

  /** "sam_vit_b", "mobile_sam" ...; empty before Load(). */
  std::string
  GetVariant() const
  {
    if (!this->IsLoaded())
    {
      return "";
    }
    sgm_model_info info;
    sgm_model_get_info(m_Handles.model, &info);
    return info.variant;
  }

  /** Such as "cpu, 2 threads, bf16 (AMX)"; empty before Load(). */
  std::string
  GetDeviceDescription() const
  {
    return this->IsLoaded() ? sgm_context_device(m_Handles.context) : "";
  }

  /** For calls of the C interface; NULL before Load(). Owned by this object. */
  sgm_model *
  GetHandle() const
  {
    return m_Handles.model;
  }

protected:
  PromptSegmentationModel() = default;
  ~PromptSegmentationModel() override = default;

  void
  PrintSelf(std::ostream & os, Indent indent) const override
  {
    Superclass::PrintSelf(os, indent);
    os << indent << "Device: " << static_cast<int>(m_Device) << std::endl;
    os << indent << "Precision: " << static_cast<int>(m_Precision) << std::endl;
    os << indent << "NumberOfThreads: " << m_NumberOfThreads << std::endl;
    os << indent << "MemoryLimit: " << m_MemoryLimit << std::endl;
    os << indent << "FileName: " << m_FileName << std::endl;
    os << indent << "Variant: " << this->GetVariant() << std::endl;
    os << indent << "DeviceDescription: " << this->GetDeviceDescription() << std::endl;
  }

private:
  struct Handles
  {
    sgm_context * context = nullptr;
    sgm_model * model = nullptr;

    Handles() = default;
    Handles(const Handles &) = delete;
    Handles &
    operator=(const Handles &) = delete;
    ~Handles()
    {
      sgm_model_destroy(model);
      sgm_context_destroy(context);
    }
    void
    Swap(Handles & other)
    {
      std::swap(context, other.context);
      std::swap(model, other.model);
    }
  };

  sgm_context_options
  ContextOptions() const
  {
    sgm_context_options options = {};
    options.size = sizeof options;
    options.device = m_Device;
    options.precision = m_Precision;
    options.threads = static_cast<int>(m_NumberOfThreads);
    options.memory_limit = m_MemoryLimit;
    return options;
  }

  void
  Check(sgm_status status, const char * location) const
  {
    if (status != SGM_OK)
    {
      throw PromptSegmentationError(__FILE__, __LINE__, status, location);
    }
  }

  sgm_device m_Device{ SGM_DEVICE_AUTO };
  sgm_precision m_Precision{ SGM_PRECISION_AUTO };
  unsigned int m_NumberOfThreads{ 0 };
  SizeValueType m_MemoryLimit{ 0 };
  std::string m_FileName;
  Handles m_Handles;
};
} // namespace itk

#endif
