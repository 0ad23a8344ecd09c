"""Each family's paper, as plainly as a tutorial would write it: what ``bench_time_to_quality.py`` compares with.

A class is one paper. ``VARIANTS`` are its settings: ``published`` as printed, at most as wide as one core can train;
others are what people who know the field would set on such a machine (the width and the batch size of ours, Adam
instead of an older rule). All variants have the whole of the time, and of each moment the best one counts.

No mixed precision, averaged weights, schedules or augmentation but what the paper has.
"""
