"""What all tests share: a process and all that it starts compute with one thread each, and draw no progress bars.

Tests run beside each other, one worker a core. More threads would wait for each other, and on a busy machine they do so
by spinning. The libraries read these variables when they are imported, so that they are set before any test is read.
"""

import faulthandler
import gc
import os
import signal

import pytest
from hypothesis import settings

os.environ |= {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "OMP_WAIT_POLICY": "PASSIVE",  # for tests that ask for more threads
    "KMP_BLOCKTIME": "0",
    "TQDM_DISABLE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
}

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job: what tests start would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("busy", deadline=None)  # other programs may take the cores meanwhile
settings.load_profile("busy")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What has been imported stays: to look through it for garbage again and again took an eighth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Slow tests may take longer than ``faulthandler_timeout``: most have limits of their own."""
    if item.get_closest_marker("slow"):
        faulthandler.cancel_dump_traceback_later()
