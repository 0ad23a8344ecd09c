"""Time to quality: families and what is measured of each, training by either side, curves and their table. The command
is ``bench_time_to_quality.py``."""
