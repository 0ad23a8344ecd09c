"""One readable file a model family."""
