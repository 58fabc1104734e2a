#define _XOPEN_SOURCE 700
#include "scan_dicom.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PREAMBLE = 128, META = PREAMBLE + 4, HEADER = 1024, LONGEST_UID = 64 };

/* Kinds of objects that hold no picture to segment, by the beginning of their SOP class. */
static const char *const others[][2] = {
    {"1.2.840.10008.5.1.4.1.1.66", "a DICOM segmentation, registration or raw data"},
    {"1.2.840.10008.5.1.4.1.1.481.3", "a DICOM structure set"},
    {"1.2.840.10008.5.1.4.1.1.481.5", "a DICOM plan of radiotherapy"},
    {"1.2.840.10008.5.1.4.1.1.88.", "a DICOM report"},
    {"1.2.840.10008.5.1.4.1.1.11.", "a DICOM presentation state"},
    {"1.2.840.10008.5.1.4.1.1.104.", "a document in DICOM"},
    {"1.2.840.10008.1.3.10", "a DICOMDIR"}};

/* The SOP class in the file's meta header, which is always explicit and little endian. */
static void find_class(const unsigned char *bytes, size_t size, char uid[LONGEST_UID + 1])
{
    uid[0] = '\0';
    for (size_t at = META; at + 12 <= size && bytes[at] == 2 && bytes[at + 1] == 0;) {
        const int is_long = memcmp(bytes + at + 4, "OB", 2) == 0;
        const size_t value = at + (is_long ? 12 : 8), low = is_long ? at + 8 : at + 6;
        const size_t length = bytes[low] | (size_t)bytes[low + 1] << 8;
        if (value + length > size) return;
        if (bytes[at + 2] == 2 && bytes[at + 3] == 0 && length <= LONGEST_UID) {
            memcpy(uid, bytes + value, length);
            uid[length] = '\0';
            return;
        }
        at = value + length;
    }
}

scan_dicom scan_dicom_look(const char *path, const char **what)
{
    unsigned char bytes[HEADER];
    char uid[LONGEST_UID + 1];
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const ssize_t size = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    if (fd >= 0) close(fd);
    if (size < META || memcmp(bytes + PREAMBLE, "DICM", 4) != 0) return SCAN_NO_DICOM;
    find_class(bytes, (size_t)size, uid);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        *what = others[i][1];
        if (strncmp(uid, others[i][0], strlen(others[i][0])) == 0) return SCAN_DICOM_OTHER;
    }
    return SCAN_DICOM_IMAGE;
}
