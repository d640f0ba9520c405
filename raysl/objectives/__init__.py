"""Losses and the composed objective."""
