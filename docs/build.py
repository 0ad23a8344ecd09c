"""Build the documentation as a site: ``python docs/build.py``. A broken link, image or docstring is an error.

Needs ``pip install -e '.[docs]'``, and no torch.
"""

import sys
from pathlib import Path

from sphinx.cmd.build import main as sphinx_build

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "docs"


def main() -> int:
    """Build it all anew, and print where it is. Returns the exit code."""
    code = sphinx_build(["-E", "-W", "-n", "--keep-going", "-q", str(ROOT / "docs"), str(SITE)])
    if code == 0:
        print(SITE / "index.html")
    return code


if __name__ == "__main__":
    sys.exit(main())
