"""Images that are drawn, not read."""
