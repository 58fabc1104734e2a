# The extension, configured by itself: cmake -S plugin/slicer -B build -DSlicer_DIR=<a build of Slicer>
# -DPROMPTSEG_INSTALLED=<prefix of cmake --install>, or, where the programs that need DCMTK are not to be
# had (Windows, macOS), -DPROMPTSEG_WHEEL=<the system's wheel of ./dev cross>. It packs what was built and
# tested outside: programs and Python modules need nothing of Slicer's libraries.
set(PROMPTSEG_HOMEPAGE "" CACHE STRING "Address of the repository that the extension is published from")
set(EXTENSION_HOMEPAGE "${PROMPTSEG_HOMEPAGE}")
set(EXTENSION_CATEGORY "Segmentation")
set(EXTENSION_CONTRIBUTORS "PromptSeg developers")
set(EXTENSION_DESCRIPTION
    "Click on an object and it is segmented: networks of the Segment Anything family, without PyTorch, \
server or network connection.")
set(EXTENSION_ICONURL "${EXTENSION_HOMEPAGE}/raw/main/plugin/slicer/PromptSeg.png")
set(EXTENSION_SCREENSHOTURLS "${EXTENSION_HOMEPAGE}/raw/main/plugin/slicer/Screenshots/browser.png")
set(EXTENSION_DEPENDS "NA")

find_package(Slicer REQUIRED)
include(${Slicer_USE_FILE})
set(PROMPTSEG_INSTALLED "" CACHE PATH "Where PromptSeg was installed (cmake --install)")
set(PROMPTSEG_WHEEL "" CACHE FILEPATH "Wheel of promptseg for the system that the package is for")
if(PROMPTSEG_WHEEL)
    include(cmake/wheel.cmake)
    return()
endif()
if(NOT EXISTS "${PROMPTSEG_INSTALLED}/slicer/PromptSegLive.py")
    message(FATAL_ERROR "PROMPTSEG_INSTALLED is no installation of PromptSeg: '${PROMPTSEG_INSTALLED}'")
endif()
# Programs find their libraries and the model beside themselves (bin, lib, share), so the three stay
# together; Slicer looks for command-line modules in the first folder.
get_filename_component(modules "${Slicer_INSTALL_CLIMODULES_BIN_DIR}" DIRECTORY)
install(DIRECTORY "${PROMPTSEG_INSTALLED}/bin/" DESTINATION "${Slicer_INSTALL_CLIMODULES_BIN_DIR}"
    USE_SOURCE_PERMISSIONS)
install(DIRECTORY "${PROMPTSEG_INSTALLED}/lib/" DESTINATION "${modules}/lib")
install(DIRECTORY "${PROMPTSEG_INSTALLED}/share/" DESTINATION "${modules}/share")
install(DIRECTORY "${PROMPTSEG_INSTALLED}/slicer/"
    DESTINATION "${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}" PATTERN __pycache__ EXCLUDE)
include(${Slicer_EXTENSION_GENERATE_CONFIG})
include(${Slicer_EXTENSION_CPACK})
