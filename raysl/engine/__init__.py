"""Ray: Tune trials and TorchTrainer workers; the only package that imports ray."""
