/* The families, one line each, from plain to special: a file is offered to the last one first. */
FAMILY(sgm_family_vit)      /* SAM, MedSAM */
FAMILY(sgm_family_tiny_vit) /* MobileSAM, LiteMedSAM, models trained here */
FAMILY(sgm_family_msa)
FAMILY(sgm_family_samus)
FAMILY(sgm_family_samihs)
FAMILY(sgm_family_samed)
FAMILY(sgm_family_surgicalsam)
FAMILY(sgm_family_autosam)
FAMILY(sgm_family_unet)
