"""Whether ``trainer``, ``viewer`` and ``export`` are those that came with this package. Standard library only.

A file of such a name in the current folder, or another distribution that has such a package, is imported instead.
"""

import importlib.util
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[1]
_NAMES: Final = ("trainer", "viewer", "export")
_OWN: Final = "install utsuroi into an environment of its own"


def hidden() -> str:
    """What hides one of them, in one line; empty: nothing."""
    for name in _NAMES:
        spec = importlib.util.find_spec(name)
        if spec is None:
            return f"{_ROOT / name} is missing: reinstall utsuroi"
        place = Path(spec.origin or next(iter(spec.submodule_search_locations or ()), "")).resolve()
        if _ROOT / name not in place.parents:
            folder = place.parent if place.stem == name else place.parent.parent
            other = _distribution(folder, name)
            way_out = f"it is of {other}; {_OWN}" if other else "rename it, or start from another folder"
            return f"{place} hides the package {name} of utsuroi: {way_out}"
    return ""


def sharing() -> str:
    """Which other distribution was installed into the same folders, in one line; empty: none."""
    for name in _NAMES:
        if other := _distribution(_ROOT, name):
            return f"{other} has a package {name} too, in the same folder {_ROOT / name}; one may not work: {_OWN}"
    return ""


def _distribution(folder: Path, name: str) -> str:
    """Another distribution that installed a package or module ``name`` into a folder; empty: there is none."""
    for record in folder.glob("*.dist-info/RECORD"):
        distribution = record.parent.name.partition("-")[0]
        files = b"\n" + record.read_bytes()
        if distribution != "utsuroi" and (f"\n{name}/".encode() in files or f"\n{name}.py,".encode() in files):
            return distribution
    return ""
