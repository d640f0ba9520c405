"""YAML loading, extension, overrides, validation, identity."""
