"""Pair samplers, one file each."""
