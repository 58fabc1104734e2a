/* Rows of 3D Slicer's own lists (Modules/Loadable/Terminologies/Resources, 2026): list, category,
 * type, and whether it has a left and a right. Only types that the library uses. */
static const char *const terminology_rows[] = {
    "Segmentation category and type - 3D Slicer General Anatomy "
    "list~SCT^85756007^Tissue~SCT^85756007^Tissue~0",
    "Segmentation category and type - 3D Slicer General Anatomy "
    "list~SCT^85756007^Tissue~SCT^51114001^Artery~0",
    "Segmentation category and type - 3D Slicer General Anatomy "
    "list~SCT^85756007^Tissue~SCT^272673000^Bone~0",
    "Segmentation category and type - 3D Slicer General Anatomy "
    "list~SCT^85756007^Tissue~SCT^59441001^Lymph node~0",
    "Segmentation category and type - 3D Slicer General Anatomy "
    "list~SCT^85756007^Tissue~SCT^71616004^Muscle~0",
    "Segmentation category and type - 3D Slicer General Anatomy "
    "list~SCT^85756007^Tissue~SCT^39937001^Skin~0",
    "Segmentation category and type - 3D Slicer General Anatomy "
    "list~SCT^85756007^Tissue~SCT^29092000^Vein~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^23451007^Adrenal gland~1",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^15825003^Aorta~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^89837001^Bladder~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^12738006^Brain~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^10200004^Liver~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^78961009^Spleen~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^71854001^Colon~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^38848004^Duodenum~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^32849002^Esophagus~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^28231008^Gallbladder~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^80891009^Heart~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^64033007^Kidney~1",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^39607008^Lung~1",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^15776009^Pancreas~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^41216001^Prostate~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^89546000^Skull~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^30315005^Small Intestine~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^2748008^Spinal cord~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^56873002^Sternum~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^69695003^Stomach~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^69748006^Thyroid~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical "
    "Structure~SCT^44567001^Trachea~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^49755003^Morphologically "
    "Altered Structure~SCT^367643001^Cyst~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^49755003^Morphologically "
    "Altered Structure~SCT^79654002^Edema~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^49755003^Morphologically "
    "Altered Structure~SCT^50960005^Hemorrhage~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^49755003^Morphologically "
    "Altered Structure~SCT^4147007^Mass~0",
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^49755003^Morphologically "
    "Altered Structure~SCT^6574001^Necrosis~0",
    "Segmentation category and type - DICOM master list~SCT^85756007^Tissue~SCT^39937001^Skin~0",
    "Segmentation category and type - DICOM master list~SCT^85756007^Tissue~SCT^71616004^Muscle~0",
    "Segmentation category and type - DICOM master list~SCT^85756007^Tissue~SCT^51114001^Artery~0",
    "Segmentation category and type - DICOM master list~SCT^85756007^Tissue~SCT^29092000^Vein~0",
    "Segmentation category and type - DICOM master list~SCT^85756007^Tissue~SCT^59441001^Lymph "
    "node~0",
    "Segmentation category and type - DICOM master list~SCT^85756007^Tissue~SCT^85756007^Tissue~0",
    "Segmentation category and type - DICOM master list~SCT^85756007^Tissue~SCT^272673000^Bone~0",
    "Segmentation category and type - DICOM master list~SCT^49755003^Morphologically Altered "
    "Structure~SCT^4147007^Mass~0",
    "Segmentation category and type - DICOM master list~SCT^49755003^Morphologically Altered "
    "Structure~SCT^27925004^Nodule~0",
    "Segmentation category and type - DICOM master list~SCT^49755003^Morphologically Altered "
    "Structure~SCT^367643001^Cyst~0",
    "Segmentation category and type - DICOM master list~SCT^49755003^Morphologically Altered "
    "Structure~SCT^79654002^Edema~0",
    "Segmentation category and type - DICOM master list~SCT^49755003^Morphologically Altered "
    "Structure~SCT^50960005^Hemorrhage~0",
    "Segmentation category and type - DICOM master list~SCT^49755003^Morphologically Altered "
    "Structure~SCT^6574001^Necrosis~0",
    "Segmentation category and type - DICOM master list~SCT^49755003^Morphologically Altered "
    "Structure~SCT^108369006^Neoplasm~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^89546000^Skull~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^56873002^Sternum~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^51282000^Vertebra~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^54735007^Sacrum~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^71341001^Femur~1",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^44567001^Trachea~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^39607008^Lung~1",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^80891009^Heart~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^51114001^Artery~1",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^15825003^Aorta~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^29092000^Vein~1",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^32849002^Esophagus~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^69695003^Stomach~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^30315005^Small Intestine~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^38848004^Duodenum~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^71854001^Colon~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^10200004^Liver~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^28231008^Gallbladder~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^15776009^Pancreas~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^64033007^Kidney~1",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^89837001^Bladder~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^41216001^Prostate~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^12738006^Brain~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^5366008^Hippocampus~1",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^2748008^Spinal cord~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^23451007^Adrenal gland~1",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^69748006^Thyroid~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^78961009^Spleen~0",
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical "
    "Structure~SCT^59441001^Lymph node~1",
    "Segmentation category and type - DICOM master list~SCT^309825002^Spatial and Relational "
    "Concept~SCT^85756007^Tissue~0",
};
