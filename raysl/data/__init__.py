"""Catalogs, manifest, decoding, frame cache."""
