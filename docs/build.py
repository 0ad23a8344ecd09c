"""Build the documentation as a site: ``python docs/build.py``. A broken link, image or docstring is an error.

Needs ``pip install -e '.[docs]'``, and no torch. Where the player for browsers is built, the site has a page that plays
the built-in model.
"""

import sys
from pathlib import Path

from sphinx.cmd.build import main as sphinx_build

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from export.__main__ import main as export
from export.player import built

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "docs"
DEMO = SITE / "toycats.html"  # in the page demo.md


def main() -> int:
    """Build it all anew, and print where it is. Returns the exit code."""
    DEMO.unlink(missing_ok=True)
    without = built.missing()
    tags = [] if without else ["-t", "player"]
    code = sphinx_build(["-E", "-W", "-n", "--keep-going", "-q", *tags, str(ROOT / "docs"), str(SITE)])
    if code == 0 and without:
        print(f"without the live demo: {without}", file=sys.stderr)
    elif code == 0:
        code = export(["toycats", "--html", str(DEMO), "--force"], "python -m export")
    if code == 0:
        print(SITE / "index.html")
    return code


if __name__ == "__main__":
    sys.exit(main())
