"""Export every architecture that spandrel knows, small and with random weights: what works, and what it takes.

    python tests/bench/bench_spandrel.py                                 # all of them, one after another
    python tests/bench/bench_spandrel.py SwinIR.SwinIR                   # one
    python tests/bench/bench_spandrel.py --play photo.png --keep made/   # and play each, on a photograph

Each in a process of its own, its weights in another wrapper. Prints a row of a table for each: the most that the file
differs from the library's own call, processor seconds, which do not depend on what else the machine does, and the most
memory, both of the export. With --play, the viewer makes an image file and a recording, which is held against what the
library makes of the photograph, in levels of 255; with --keep, all stays, and sheet.png shows the recordings.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "export")]
SIDE = 96  # of what is cut out of the middle of the photograph, at least
CELLS = ("wrapper", "images", "multiple", "scale", "context", "difference", "CPU s", "memory MB", "levels off")


def export_one(name: str, folder: Path, photo: Path | None) -> dict[str, Any]:
    """Build, save and export one network, compare it with the library, and play it."""
    import warnings

    import torch
    from restorers import difference
    from small_networks import card_of
    from small_restorers import SMALL, small, ways

    from export.from_weights import export_weights
    from export.to_onnx import Output
    from trainer.contract.errors import UserError

    warnings.simplefilter("ignore")
    wrappers = ways({})
    wrapper = list(wrappers)[list(SMALL).index(name) % len(wrappers)]
    network, file, said = small(name), folder / f"{name}.pth", list[str]()
    try:
        torch.save(ways(network.state_dict())[wrapper](), file)
        (out,) = export_weights(file, Output(path=folder / f"{name}.onnx", force=True), say=said.append)
    except UserError as error:
        return {"refused": str(error).replace(f"{folder}/", "")}
    finally:
        file.unlink()
    usage, card = resource.getrusage(resource.RUSAGE_SELF), card_of(out)
    found = {
        "wrapper": wrapper,
        "images": "any" if card.image_size is None else "x".join(map(str, card.image_size[::-1])),
        "multiple": card.multiple,
        "scale": card.scale,
        "context": card.context,
        "CPU s": round(usage.ru_utime + usage.ru_stime),
        "memory MB": round(usage.ru_maxrss / 1024),
        "said": said,
        "levels off": "",
        "difference": f"{difference(network, out):.2g}",
    }
    if photo is not None:
        found["levels off"] = play(network, out, photo)
    return found


def play(network: Any, out: Path, photo: Path) -> str:
    """Let the viewer make an image of a photograph and a recording; how far the image is from the library's."""
    from restorers import made_by
    from small_networks import card_of

    from export.importers import spandrel as importer

    card, image = card_of(out), cv2.imread(str(photo))
    side = -(-SIDE // card.multiple) * card.multiple
    top, left = (max(length - side, 0) // 2 for length in image.shape[:2])
    image = image[top : top + side, left : left + side]
    given, made, recorded = (out.with_suffix(end) for end in (".photo.png", ".png", ".record.png"))
    cv2.imwrite(str(given), image)
    mode = "upscale" if card.scale > 1 else "translate"
    command = [sys.executable, "-m", "viewer", mode, str(out), str(given), "--display", "none", "--force"]
    for more in (["-o", str(made)], ["--record", str(recorded)]):
        done = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the viewer ends with {done.returncode}: {done.stderr.strip()}")
    given.unlink()
    if image.shape[:2] != (side, side) or card.image_size is not None or (card.input_channels or 3) != 3:
        return "in parts"
    expected = made_by(importer.load(network.state_dict()), image[None, ..., ::-1])[0, ..., ::-1].clip(0, 1) * 255
    return f"{np.abs(cv2.imread(str(made)) - expected).max():.2g}"


def sheet(folder: Path) -> None:
    """All recordings in ``folder`` beside one another, with their names: sheet.png."""
    width, height, cells = 400, 240, []
    for path in sorted(folder.glob("*.record.png")):
        cell, image = np.full((height, width, 3), 40, np.uint8), cv2.imread(str(path))
        factor = min(width / image.shape[1], (height - 24) / image.shape[0])
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        cell[24 : 24 + image.shape[0], : image.shape[1]] = image[: height - 24]
        cv2.putText(cell, path.name.split(".")[1], (4, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
        cells.append(cell)
    cells += [np.zeros((height, width, 3), np.uint8)] * (-len(cells) % 4)
    rows = [np.hstack(cells[start : start + 4]) for start in range(0, len(cells), 4)]
    if rows:
        cv2.imwrite(str(folder / "sheet.png"), np.vstack(rows))


def main() -> None:
    """A row each."""
    from small_restorers import SMALL

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(SMALL), help="such as SwinIR.SwinIR (all)")
    parser.add_argument("--play", type=Path, metavar="PHOTO", help="play each, on this photograph")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the files and images stay")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(export_one(options.names[0], options.keep, options.play)))
        return
    with tempfile.TemporaryDirectory() as folder:
        keep = options.keep or Path(folder)
        keep.mkdir(parents=True, exist_ok=True)
        print(f"| architecture | {' | '.join(CELLS)} |\n|{'---|' * (len(CELLS) + 1)}")
        for name in options.names:
            command = [sys.executable, __file__, "--one", name, "--keep", keep]
            row(name, [*command, *(["--play", options.play.resolve()] if options.play else [])])
        sheet(keep)


def row(name: str, command: list[Any]) -> None:
    """Run one, and print its row."""
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        output.seek(0)
        line = (output.read().strip() or f"ended with {status}").splitlines()[-1]
    try:
        found = json.loads(line)
    except ValueError:
        found = {"refused": f"FAILED: {line[:300]}"}
    if "refused" in found:
        took = f"{usage.ru_utime + usage.ru_stime:.0f} s, {usage.ru_maxrss / 1024:.0f} MB"
        print(f"| {name} | {found['refused']} | {took} |", flush=True)
        return
    print(f"| {name} | {' | '.join(str(found[cell]) for cell in CELLS)} |", flush=True)
    print(f"{name}: {'; '.join(found['said'])}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
