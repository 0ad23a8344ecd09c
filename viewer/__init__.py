"""Play with exported image generators on a CPU: window, terminal or recording; no torch."""

import os

os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**27))  # OpenCV reads it once, when it is imported
