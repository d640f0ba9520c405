"""raysl: a Ray-distributed ablation engine for self-supervised video representation learning."""
