/* Functional groups of the frames of an enhanced DICOM object (PS3.3 C.7.6.16): what a frame says
 * of itself, and what all frames share. */
#ifndef SGIO_DICOM_GROUPS_H
#define SGIO_DICOM_GROUPS_H

#include "dicom_set.h"

typedef struct sgio_dicom_frame {
    int number;                         /* from 0 */
    const sgio_dicom_set *own, *shared; /* NULL where the object has none */
} sgio_dicom_frame;

/* Whether the object has functional groups at all. */
int sgio_dicom_has_groups(const sgio_dicom_set *set);

/* Calls `use` with frame after frame until it returns something else than SGIO_OK. `count`: how
 * many the object says it has; SGIO_UNREADABLE where its groups are not as many. A single frame
 * needs none of its own. */
typedef sgio_status (*sgio_dicom_frame_fn)(void *user, const sgio_dicom_frame *frame);
sgio_status sgio_dicom_for_frames(const sgio_dicom_set *set, int count, sgio_dicom_frame_fn use,
                                  void *user);

/* Calls `use` with the items of that group of the frame: its own, else the shared ones. */
sgio_status sgio_dicom_in_frame(const sgio_dicom_frame *frame, enum sgio_dicom_tag group,
                                sgio_dicom_item_fn use, void *user);

/* Whether the first frame says where it lies: in the patient, or in the volume that a probe
 * recorded. */
sgio_status sgio_dicom_frames_have_places(const sgio_dicom_set *set, int *have);

#endif
