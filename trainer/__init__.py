"""Train small image generators: one loop, one file a model family."""
