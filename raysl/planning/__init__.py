"""Studies to cells to a plan."""
