"""Backbones, projectors, batch norm over the global batch."""
