"""Play with exported image generators on a CPU: window, terminal or recording; no torch."""

import os

# Both are read once, when the libraries are imported.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**27))  # a small PNG can decode to gigabytes
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no linear algebra here, and its threads are slow to start
