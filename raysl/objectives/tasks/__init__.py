"""What pretext tasks share: options, heads, checks, and how a framework contrasts their views."""
