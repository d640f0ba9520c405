"""A package of its own, as a lab would have it: its folder is put on Python's path by the tests that need it."""

from pathlib import Path

FOLDER = Path(__file__).parent
FADE = "fading_lab.fade"
"""The import path of its task."""
