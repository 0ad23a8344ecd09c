"""Play with exported image generators on a CPU: window, terminal or recording; no torch."""
