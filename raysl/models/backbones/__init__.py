"""Backbones; ``COMPONENTS`` lists the modules that a study can name."""

COMPONENTS = (
    "c3d",
    "cvrl_r3d",
    "hara_r3d_18",
    "mc3_18",
    "mean_colour",
    "motion_maps",
    "r2plus1d_18",
    "r3d_18",
    "s3d",
    "s3d_g",
    "shallow_c3d",
    "slow_r18",
    "slow_r50",
    "vcop_r2plus1d",
    "vcop_r3d",
)
