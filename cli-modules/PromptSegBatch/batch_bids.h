/* BIDS derivatives as the layout of a batch's outputs. */
#ifndef PROMPTSEG_BATCH_BIDS_H
#define PROMPTSEG_BATCH_BIDS_H

#include "cli_output.h"

/* The path below the output folder for an id such as sub-01_ses-1_T1w:
 * sub-01/ses-1/anat/sub-01_ses-1_desc-promptseg_dseg.nii.gz. 0, or CLI_EXIT_USAGE for an id that is
 * none. */
int batch_bids_output(const char *id, cli_buffer *path);

/* 1 when the id is of one of the participants in a list of labels separated by commas, with or
 * without "sub-". */
int batch_bids_is_of(const char *id, const char *labels);

/* dataset_description.json in the folder. 0, or an exit code. */
int batch_bids_describe(const char *folder, const char *version);

#endif
