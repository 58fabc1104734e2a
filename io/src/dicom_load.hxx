// DICOM files handed to DCMTK. Deflated ones are inflated here first, with a bound: inside DCMTK's
// inflating stream lengths cannot be checked, and it allocates whatever an element claims.
#ifndef SGIO_DICOM_LOAD_HXX
#define SGIO_DICOM_LOAD_HXX

#include "sgio/status.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <cstddef>

struct dicom_file {
    DcmFileFormat format;
    bool was_deflated = false; // the format's own transfer syntax is then explicit little endian

    // Reads up to the element `stop`. Of a deflated file only as much is inflated as a header and
    // `pixel_bytes` need. SGIO_UNREADABLE names the file.
    sgio_status load(const char *path, const DcmTagKey &stop, std::size_t pixel_bytes);

    dicom_file() = default;
    dicom_file(const dicom_file &) = delete;
    dicom_file &operator=(const dicom_file &) = delete;
    ~dicom_file();

  private:
    int inflated = -1; // the file in memory that long values are still read from

    sgio_status inflate(const char *path, std::size_t pixel_bytes);
};

#endif
