"""Rendering of the synthetic data set: motions, scenes, H.264."""
