"""Three places for a frame to go: a window, a bare terminal, a recording."""
