/* --makeManifest: a folder becomes a manifest. */
#ifndef PROMPTSEG_BATCH_SCAN_H
#define PROMPTSEG_BATCH_SCAN_H

/* Writes a manifest (id, image, series, prompts) of what lies below the folder: volumes in files,
 * and every volume of each folder with DICOM images, those in folders below it included. Prompt
 * files (.mrk.json, .fcsv) that are named like a volume, with anything behind its name, are its
 * prompts; where two volumes beside them are named so, those of the longer name. Links to folders
 * are not followed. What is left out is said on standard output, each with its reason. 0, or an
 * exit code. */
int batch_scan(const char *folder, const char *manifest);

#endif
