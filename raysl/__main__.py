"""``python -m raysl``."""

from raysl.cli import main

main()
