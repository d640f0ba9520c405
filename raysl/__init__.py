"""raysl: a Ray-distributed ablation engine for self-supervised video representation learning."""

__version__ = "0.1.0"
