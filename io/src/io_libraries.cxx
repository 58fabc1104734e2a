#include "sgio/libraries.h"

#include <cstdio>
#include <string>

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <jansson.h>
#include <jpeglib.h>
#include <openjpeg.h>
#include <png.h>
#include <zlib.h>

namespace
{

/* "libjpeg 6.2" where the header does not say that it is libjpeg-turbo's. */
std::string jpeg_version()
{
#if defined(LIBJPEG_TURBO_VERSION_NUMBER)
    const int number = LIBJPEG_TURBO_VERSION_NUMBER;
    return "libjpeg-turbo " + std::to_string(number / 1000000) + "." +
           std::to_string(number / 1000 % 1000) + "." + std::to_string(number % 1000);
#else
    return "libjpeg " + std::to_string(JPEG_LIB_VERSION / 10) + "." +
           std::to_string(JPEG_LIB_VERSION % 10);
#endif
}

std::string describe()
{
    std::string text = "DCMTK " OFFIS_DCMTK_VERSION_STRING "\n";
    text += std::string("OpenJPEG ") + opj_version() + "\n";
    text += jpeg_version() + "\n";
    text += std::string("libpng ") + png_get_libpng_ver(nullptr) + "\n";
    text += std::string("zlib ") + zlibVersion() + "\n";
    text += std::string("jansson ") + JANSSON_VERSION + "\n";
    return text;
}

} // namespace

extern "C" const char *sgio_libraries(void)
{
    static const std::string text = describe();
    return text.c_str();
}
