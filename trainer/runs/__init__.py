"""Run folders: starting a run, what it may resume from, networks in and out of checkpoints."""
