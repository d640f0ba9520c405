"""The figures of a report, one per file, which ends with ``FIGURE = Figure(...)``."""
