"""From studies to cells to a plan."""
