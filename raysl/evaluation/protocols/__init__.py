"""Protocols; ``COMPONENTS`` lists the modules that a study can name."""

COMPONENTS = (
    "attention",
    "class_activation",
    "classifier",
    "detection",
    "finetune",
    "frame_map",
    "geometry",
    "linear",
    "linear_trained",
    "motion_difference",
    "retrieval",
    "similarity",
    "task_accuracy",
    "timesteps",
    "transfer",
    "tsne",
)
