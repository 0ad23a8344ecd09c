"""How long threads that wait for each other spin before they sleep: set before torch is imported."""

import os

# Turns of libgomp's waiting loop, some tens of microseconds: the gaps between operations. Its own 300,000 are
# milliseconds; beside other programs, they take from the thread that is waited for the core that it needs.
SPINS = "1000"
MILLISECONDS = "1"  # of LLVM's and Intel's OpenMP, instead of 200


def wait_briefly() -> None:
    """Have OpenMP's threads sleep soon, unless the environment says how they wait. Results do not depend on it."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
        os.environ.setdefault("KMP_BLOCKTIME", MILLISECONDS)
