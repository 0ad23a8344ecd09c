"""What several families use: layers, losses, noise schedules, base classes."""
