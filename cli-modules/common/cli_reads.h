/* What is read beside a file that was named. */
#ifndef PROMPTSEG_CLI_READS_H
#define PROMPTSEG_CLI_READS_H

typedef void (*cli_read_fn)(void *user, const char *path);

/* Calls `found` for each file that is read with `path`: the data files that a detached header
 * (.nhdr, .mhd) names, the other half of a .hdr/.img pair, the folder of a DICOM slice or of
 * numbered pictures, the markups of a scene (.mrml). */
void cli_reads_with(const char *path, cli_read_fn found, void *user);

/* 1 when the file begins like DICOM, as the io library takes it: with or without preamble. */
int cli_is_dicom(const char *path);

/* 1 when reading the folder, with `below` its subfolders too, would read this file of it: DICOM, or
 * a picture where no DICOM file is. */
int cli_is_read_in_folder(const char *folder, int below, const char *path);

/* 1 when there can be such a folder. */
int cli_may_be_read_in_folder(const char *path);

#endif
