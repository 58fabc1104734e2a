// Registers a command-line module as Slicer's module factory does: the XML goes through Slicer's
// own parser (ModuleDescriptionParser of the SlicerExecutionModel) into
// vtkMRMLCommandLineModuleNode. slicer-core has both, without Python names and without headers:
// these are the few declarations that are needed. The objects are made, copied and destroyed by
// Slicer's libraries; here they are only memory, of more bytes than they have (less than 2000).
//
// g++ -shared -fPIC -D_GLIBCXX_USE_CXX11_ABI=0, as the wheel was built.
#include <string>

class ModuleDescription
{
  public:
    ModuleDescription();
    ModuleDescription(const ModuleDescription &);
    ~ModuleDescription();
    void SetType(const std::string &);
    void SetTarget(const std::string &);
    void SetLocation(const std::string &);
    bool HasParameter(const std::string &) const;

  private:
    alignas(16) char memory[16384];
};

class ModuleDescriptionParser
{
  public:
    int Parse(const std::string &xml, ModuleDescription &description);
};

class vtkMRMLCommandLineModuleNode
{
  public:
    static void RegisterModuleDescription(ModuleDescription);
};

// The parser's code: 0 when the description is as Slicer wants it; then the module is known.
extern "C" int register_module(const char *xml, const char *program)
{
    ModuleDescription description;
    ModuleDescriptionParser parser;
    int failed = parser.Parse(xml, description);
    if (failed) return failed;
    description.SetType("CommandLineModule");
    description.SetTarget(program);
    description.SetLocation(program);
    vtkMRMLCommandLineModuleNode::RegisterModuleDescription(description);
    return 0;
}
