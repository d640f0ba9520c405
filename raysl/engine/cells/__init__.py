"""Cells as Tune trials: their workers, where they run, and how they end."""
