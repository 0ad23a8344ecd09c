"""Images into training sets, and training sets into batches."""
