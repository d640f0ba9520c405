"""Benchmarks of raysl. A package, since other distributions install a folder of this name (pyarrow 17)."""
