"""Figures of a run: held-out metrics, feature extractors, FID and its kin."""
