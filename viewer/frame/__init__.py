"""What the frame shows: areas, plots."""
