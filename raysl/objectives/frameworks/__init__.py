"""Contrastive frameworks, one file each."""
