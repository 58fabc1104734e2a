/* One reader per format; volume.c chooses. Each fills *out, which comes zeroed; on failure the
 * caller clears it. */
#ifndef SGIO_VOLUME_FORMATS_H
#define SGIO_VOLUME_FORMATS_H

#include "sgio/file_tree.h"
#include "sgio/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

sgio_status sgio_read_nifti(const char *path, const sgio_read_options *options, sgio_volume *out);
sgio_status sgio_read_nrrd(const char *path, const sgio_read_options *options, sgio_volume *out);
sgio_status sgio_read_meta(const char *path, const sgio_read_options *options, sgio_volume *out);
sgio_status sgio_read_dicom(const char *path, const sgio_read_options *options, sgio_volume *out);

/* A line for each volume of the file, as sgio_list_series. */
sgio_status sgio_list_nifti(const char *path, char **text);
sgio_status sgio_list_nrrd(const char *path, char **text);
sgio_status sgio_list_meta(const char *path, char **text);
sgio_status sgio_list_picture(const char *path, char **text);
sgio_status sgio_list_pictures(const char *path, char **text); /* as sgio_read_pictures */
sgio_status sgio_list_dicom_series(const char *path, char **text);

/* One PNG or JPEG file. */
sgio_status sgio_read_picture(const char *path, const sgio_read_options *options, sgio_volume *out);

/* A numbered series: `path` is a directory, or a pattern such as dir/frame_%03d.png. */
sgio_status sgio_read_pictures(const char *path, const sgio_read_options *options,
                               sgio_volume *out);

/* SGIO_UNREADABLE when the matrix has NaN, a zero column, or parallel columns. */
sgio_status sgio_check_geometry(const char *path, const sgio_geometry *geometry);

/* sgio_volume_read without sgio_check_values: for label maps, which may be empty. */
sgio_status sgio_volume_load(const char *path, const sgio_read_options *options, sgio_volume *out);

/* SGIO_UNREADABLE when no voxel is a number; a warning when all are the same. */
sgio_status sgio_check_values(const char *path, const sgio_read_options *options,
                              const sgio_volume *volume);

/* Gives an axis of one voxel that came without a direction (2-D pictures) the unit normal of the
 * other two, or its own unit vector when these are missing too. The axes completed, as bits. */
int sgio_complete_geometry(sgio_geometry *geometry);

/* Where bits of `axes` are set, the file at `path` gave no spacing and 1 mm was taken: sets
 * out->spacing_assumed and warns. */
void sgio_say_assumed(const char *path, int axes, const sgio_read_options *options,
                      sgio_volume *out);

/* The file names another unit of length than the millimetre: says so, marks lengths as a guess. */
void sgio_say_unit(const char *path, const char *unit, const sgio_read_options *options,
                   sgio_volume *out);

/* 1 when `path` ends in `suffix`, whatever the case of the letters. */
int sgio_has_suffix(const char *path, const char *suffix);

/* "dir/a.nhdr" + "a.raw" -> "dir/a.raw", an absolute name stays; malloc'ed. */
char *sgio_path_beside(const char *path, const char *name);

/* `target` as seen from the folder of `file`: "../data/a.nrrd". Links are followed; a target that
 * is not there keeps its name. malloc'ed, NULL when out of memory. */
char *sgio_path_relative(const char *file, const char *target);

/* The files of a directory (subdirectories included), and whether one of them is DICOM. To be
 * released with sgio_file_tree_clear, also after a failure. */
sgio_status sgio_list_dicom(const char *directory, sgio_file_tree *tree, int *holds);
/* The volume among those files. */
sgio_status sgio_read_dicom_tree(const char *directory, const sgio_file_tree *tree,
                                 const sgio_read_options *options, sgio_volume *out);

#ifdef __cplusplus
}
#endif
#endif
