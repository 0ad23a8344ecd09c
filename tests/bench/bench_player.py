"""The player in a browser: how large a page is, how soon it is live, how fast it plays, and whether it stays so.

    python tests/bench/bench_player.py pages/
    python tests/bench/bench_player.py pages/ --memory 10
    python tests/bench/bench_player.py pages/ --axe
    python tests/bench/bench_player.py pages/ --screens screens/

Makes pages of models of every kind in a folder (those that are there already are kept), and opens them from their
files in headless Chromium without a network. Without a flag: the size of each page beyond its model; seconds to the
first live page of a VAE of 64 px, on one core; frames a second of its walk; milliseconds from each movement of the
pen to the result of a U-Net of 128 px; time of a page of images as fp32, fp16 and int8. ``--memory``: random keys in
every mode for so many minutes; prints the browser's memory through them. ``--axe``: what axe-core (``npm ci`` in
export/web) finds in every mode, by severity. ``--screens``: every mode on a phone, a laptop and a large screen, light
and dark.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from PIL import Image

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / name) for name in ("export/player", "viewer"))]
from pages import BROWSERS, LIVE, find_browser, make_kinds  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AXE = ROOT / "export" / "web" / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {"phone": (360, 740), "laptop": (1280, 800), "large": (2560, 1440)}
SEVERE = ("serious", "critical")
KEYS = [*"xirsmnpcu0123hza+-=_ldbefy", "Space", "Enter", "Tab", "Backspace", "Escape", "Home", "End", "PageUp",
        "PageDown", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]  # fmt: skip
# What the page says to its worker and hears from it, with the times of both.
LISTEN = """(() => {
    window.runs = [];
    const Own = window.Worker;
    window.Worker = class extends Own {
        constructor(...given) {
            super(...given);
            this.addEventListener("message", ({ data }) => {
                if (data.type === "made") window.runs.find((one) => one.run === data.run).made = performance.now();
            });
        }
        postMessage(message, ...more) {
            if (message.type === "run") window.runs.push({ run: message.run, asked: performance.now() });
            super.postMessage(message, ...more);
        }
    };
    const look = () => {
        if ((LIVE)()) window.liveAt = performance.now();
        else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
})()""".replace("LIVE", LIVE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the pages")
    parser.add_argument("--memory", type=float, metavar="MINUTES")
    parser.add_argument("--axe", action="store_true")
    parser.add_argument("--screens", type=Path, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    pages = write_pages(arguments.folder)
    if arguments.memory:
        measure_memory(pages, arguments.memory)
    elif arguments.axe:
        check_access(pages)
    elif arguments.screens:
        take_screens(pages, arguments.screens)
    else:
        measure(pages, arguments.rounds)


# The pages.


def write_pages(folder: Path) -> dict[str, Path]:
    """The page of every kind of model, and of those that are measured; by name."""
    models: dict[str, Sequence[Path]] = {}
    tiny = folder / "tiny"
    tiny.mkdir(exist_ok=True)
    models |= make_kinds(tiny)
    models["cats"] = [ROOT / "viewer" / "models" / "toycats.onnx"]
    models["vae 64"] = [trained(folder, "vae", "--image-size 64 --data toycats:500 --steps 300")]
    edges = "--steps 2 --condition edges --width 16 --norm instance --image-size 128 --data toycats:200"
    models["draw 128"] = [trained(folder, "pix2pix", edges)]
    for precision in ("fp16", "int8"):
        models[precision] = [exported(folder, "vae", precision)]
    made = {}
    for name, files in models.items():
        path = made[name] = folder / f"{name.replace(' ', '-')}.html"
        if not path.exists():
            command = ["export", *map(str, files), "--html", str(path)]
            subprocess.run([sys.executable, "-m", *command], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return made


def trained(folder: Path, family: str, options: str) -> Path:
    """The model of a training of some steps: figures of time ask for no more."""
    run = folder / "runs" / family
    if not run.exists():
        usual = f"--batch-size 8 --hold-out 0 --out {run} --threads 1 {options}"
        train = [sys.executable, "-m", f"trainer.train_{family}", *usual.split()]
        subprocess.run(train, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return exported(folder, family, "fp32")


def exported(folder: Path, family: str, precision: str) -> Path:
    path = folder / (f"{family}.onnx" if precision == "fp32" else f"{family}-{precision}.onnx")
    if not path.exists():
        command = ["export", str(folder / "runs" / family), "-o", str(path), "--precision", precision]
        subprocess.run([sys.executable, "-m", *command], check=True, cwd=ROOT)
    return path


@contextmanager
def chromium(cores: Sequence[int] = ()) -> "Iterator[Browser]":
    """A browser, on these cores alone if there are any."""
    from playwright.sync_api import sync_playwright

    own = os.sched_getaffinity(0)
    with sync_playwright() as playwright:
        if cores:
            os.sched_setaffinity(0, cores)  # what is started from here on inherits it
        browser = playwright.chromium.launch(executable_path=find_browser(BROWSERS), args=["--no-sandbox"])
        os.sched_setaffinity(0, own)
        yield browser
        browser.close()


def opened(browser: "Browser", path: Path, hash: str = "", size: str = "laptop", **context: Any) -> "Page":
    """A page, once it is live."""
    width, height = SIZES[size]
    made = browser.new_context(viewport={"width": width, "height": height}, offline=True, **context)
    page = made.new_page()
    page.add_init_script(LISTEN)
    page.goto(path.as_uri() + hash)
    page.wait_for_function("() => window.liveAt !== undefined", timeout=120_000)
    return page


def modes_of(page: "Page") -> list[str]:
    tabs = page.locator("nav [data-mode]")
    return [str(tabs.nth(number).get_attribute("data-mode")) for number in range(tabs.count())]


def show(page: "Page", mode: str) -> None:
    if page.locator("nav [data-mode]").count() > 1:
        page.evaluate("name => document.querySelector(`nav [data-mode=${name}]`).click()", mode)
    page.wait_for_function("() => document.querySelector('.session') !== null")  # no handle, which would keep it


# What is measured.


def measure(pages: Mapping[str, Path], rounds: int) -> None:
    for name, path in pages.items():
        if name in ("cats", "vae 64", "draw 128", "fp16", "int8"):
            size = path.stat().st_size
            beyond = size - sum(one.stat().st_size for one in models_of(path, name))
            print(f"{name}: page {size / 1e6:.1f} MB, {beyond / 1e6:.2f} MB more than its models")
    for cores in ([0], []):
        found = [live_seconds(pages["vae 64"], cores) for _ in range(rounds)]
        print(f"first live page at 64 px, {'one core' if cores else 'all cores'}: {told(found, 's', 2)}")
    with chromium() as browser:
        print(f"walk at 64 px: {told([frames(browser, pages['vae 64']) for _ in range(rounds)], 'frames/s', 1)}")
        strokes = [one for _ in range(rounds) for one in draw(browser, pages["draw 128"])]
        worst = sorted(strokes)[-len(strokes) // 20]
        print(f"from pen to result at 128 px: {told(strokes, 'ms', 1)}; 95 of 100 within {worst:.1f} ms")
        for name in ("vae 64", "fp16", "int8"):
            found = [images_ms(browser, pages[name]) for _ in range(rounds)]
            print(f"page of images at 64 px, {'fp32' if name == 'vae 64' else name}: {told(found, 'ms an image', 2)}")


def told(values: Sequence[float], unit: str, digits: int) -> str:
    """Median and range, in words."""
    middle = statistics.median(values)
    return f"{middle:.{digits}f} {unit} ({min(values):.{digits}f} to {max(values):.{digits}f}, {len(values)} times)"


def models_of(page: Path, name: str) -> list[Path]:
    """The files that are in a measured page."""
    own = {"cats": ROOT / "viewer" / "models" / "toycats.onnx", "vae 64": page.with_name("vae.onnx"),
           "draw 128": page.with_name("pix2pix.onnx")}  # fmt: skip
    first = own.get(name, page.with_name(f"vae-{name}.onnx"))
    beside = first.with_name(f"{first.stem}.encoder.onnx")
    return [first, *([beside] if beside.exists() else [])]


def live_seconds(path: Path, cores: Sequence[int]) -> float:
    with chromium(cores) as browser:
        return float(opened(browser, path).evaluate("() => window.liveAt")) / 1000


def frames(browser: "Browser", path: Path, seconds: float = 5) -> float:
    """A second, of a walk at the highest speed at which each frame is another one."""
    page = opened(browser, path, "#mode=animate")
    page.evaluate("() => { window.runs.length = 0; }")
    page.wait_for_timeout(1000 * seconds)
    times = page.evaluate("() => window.runs.filter((one) => one.made).map((one) => one.made)")
    page.context.close()
    return float((len(times) - 1) / (times[-1] - times[0]) * 1000)


def draw(browser: "Browser", path: Path, moves: int = 60) -> list[float]:
    """Milliseconds from each movement of the pen to the first result that has it."""
    page = opened(browser, path, "#mode=draw")
    page.wait_for_function("() => window.runs.length > 0 && window.runs.every((one) => one.made)")
    times = page.evaluate(
        """async (moves) => {
            const canvas = document.querySelector(".draw canvas"), box = canvas.getBoundingClientRect(), found = [];
            canvas.setPointerCapture = () => undefined;
            const send = (type, at) => {
                const clientX = box.x + (0.5 + 0.4 * Math.cos(at / 9)) * box.width;
                const clientY = box.y + (0.5 + 0.4 * Math.sin(at / 7)) * box.height;
                const usual = { pointerId: 1, isPrimary: true, bubbles: true, buttons: 1, pointerType: "mouse" };
                canvas.dispatchEvent(new PointerEvent(type, { ...usual, clientX, clientY }));
            };
            send("pointerdown", 0);
            for (let at = 1; at <= moves; at += 1) {
                const began = performance.now();
                send("pointermove", at);
                let result;
                while (result === undefined) {
                    await new Promise((go) => setTimeout(go));
                    result = window.runs.find((one) => one.asked >= began && one.made !== undefined);
                }
                found.push(result.made - began);
            }
            send("pointerup", moves);
            return found;
        }""",
        moves,
    )
    page.context.close()
    return [float(one) for one in times]


def images_ms(browser: "Browser", path: Path, pages: int = 4) -> float:
    """Milliseconds of the model for an image of a page, mean over some pages."""
    page = opened(browser, path, "#mode=grid&rows=4&cols=6")
    idle = "() => window.runs.length > 0 && window.runs.every((one) => one.made)"
    page.wait_for_function(idle)
    page.evaluate("() => { window.runs.length = 0; }")
    for _ in range(pages):
        count = page.evaluate("() => window.runs.length")
        page.keyboard.press("x")
        page.wait_for_function(f"count => window.runs.length > count && ({idle})()", arg=count)
    total = page.evaluate("() => window.runs.reduce((sum, one) => sum + one.made - one.asked, 0)")
    page.context.close()
    return float(total) / pages / 24


def measure_memory(pages: Mapping[str, Path], minutes: float) -> None:
    """Random keys in every mode of one page after another; the memory of the browser and the page's own, after each."""
    names = ["cats", "classes and encoder", "draw 128", "masks", "twice", "denoiser of classes"]
    chance, rows = random.Random(0), []
    with chromium() as browser:
        shown = [opened(browser, pages[name]) for name in names]
        server = psutil.Process()
        end = time.monotonic() + 60 * minutes
        said: list[str] = []
        for page in shown:
            page.on("pageerror", lambda error: said.append(str(error)))
        while time.monotonic() < end:
            for page in shown:
                page.bring_to_front()
                modes = modes_of(page)
                if modes:
                    show(page, chance.choice(modes))
                for _ in range(40):
                    page.keyboard.press(chance.choice(KEYS))
                page.keyboard.press("Escape")
            rows.append((end - time.monotonic(), *memory_of(shown, server)))
            print(f"{minutes * 60 - rows[-1][0]:6.0f} s: browser {rows[-1][1]:.0f} MiB, pages {rows[-1][2]:.1f} MiB, "
                  f"{rows[-1][3]} elements", flush=True)  # fmt: skip
    later = np.array(rows[len(rows) // 4 :])
    passed = minutes - later[:, 0] / 60
    slopes = [np.polyfit(passed, later[:, column], 1)[0] for column in (1, 2, 3)]
    print(f"after the first quarter: browser {slopes[0]:+.1f} MiB a minute, pages {slopes[1]:+.2f} MiB a minute, "
          f"elements {slopes[2]:+.1f} a minute; {len(said)} errors {said[:3]}")  # fmt: skip


def memory_of(shown: "Sequence[Page]", server: psutil.Process) -> tuple[float, float, int]:
    """MiB of all processes of the browser, MiB of the pages' own objects, elements."""
    heap, elements = 0.0, 0
    for page in shown:
        session = page.context.new_cdp_session(page)
        session.send("HeapProfiler.collectGarbage")
        heap += session.send("Runtime.getHeapUsage")["usedSize"]
        elements += int(page.evaluate("() => document.querySelectorAll('*').length"))
        session.detach()
    total = 0.0
    for process in server.children(recursive=True):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20, heap / 2**20, elements


def check_access(pages: Mapping[str, Path]) -> None:
    """What axe finds in every mode."""
    names = ("cats", "classes and encoder", "edges", "masks", "twice", "denoiser of classes")
    count = 0
    with chromium() as browser:
        for scheme in ("light", "dark"):
            for name in names:
                page = opened(browser, pages[name], bypass_csp=True, color_scheme=scheme)
                page.evaluate(AXE.read_text())
                for mode in modes_of(page) or [""]:
                    if mode:
                        show(page, mode)
                    page.wait_for_timeout(500)  # of transitions: colours between two are nobody's
                    for found in page.evaluate("async () => (await axe.run()).violations"):
                        count += found["impact"] in SEVERE
                        where = f"{name}, {mode}, {scheme}: {found['impact']}"
                        print(f"{where}: {found['help']}: {found['nodes'][0]['html'][:160]}")
                page.context.close()
    print(f"{count} serious or critical findings")


def take_screens(pages: Mapping[str, Path], folder: Path) -> None:
    """Every mode at every size, light and dark; and one sheet of all for each size."""
    folder.mkdir(parents=True, exist_ok=True)
    photograph = folder / "photograph.png"
    Image.fromarray(_cat()).save(photograph)
    wanted = {"cats": None, "classes and encoder": ["grid", "encode"], "draw 128": ["draw", "translate"],
              "twice": None, "denoiser of classes": None}  # fmt: skip
    with chromium() as browser:
        for size in SIZES:
            shots = []
            for scheme in ("light", "dark"):
                for name, modes in wanted.items():
                    locale = "ja-JP" if (size, scheme) == ("phone", "dark") else "en-GB"
                    page = opened(browser, pages[name], size=size, color_scheme=scheme, locale=locale)
                    for mode in modes or modes_of(page) or [""]:
                        if mode:
                            show(page, mode)
                        if name in ("draw 128", "twice") or mode == "encode":
                            drop(page, photograph)
                        page.wait_for_function("() => window.runs.some((one) => one.made)", timeout=60_000)
                        page.wait_for_timeout(1500)  # until transitions have ended
                        shots.append(folder / f"{size}-{scheme}-{name.replace(' ', '-')}-{mode}.png")
                        page.screenshot(path=shots[-1])
                    page.context.close()
            print(f"{sheet_of(shots, folder / f'{size}.png')}: {len(shots)} screens", flush=True)


def _cat() -> np.ndarray:
    import utsuroi

    return np.asarray(utsuroi.load().sample(1, seed=3)[0])


def drop(page: "Page", path: Path) -> None:
    page.evaluate(
        """([data, name]) => {
            const files = new DataTransfer();
            files.items.add(new File([new Uint8Array(data)], name, {type: "image/png"}));
            window.dispatchEvent(new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true}));
        }""",
        [list(path.read_bytes()), path.name],
    )


def sheet_of(shots: Sequence[Path], path: Path, columns: int = 5, width: int = 480) -> Path:
    """All screens side by side, small."""
    images = [Image.open(shot).convert("RGB") for shot in shots]
    small = [image.resize((width, width * image.height // image.width)) for image in images]
    rows = -(-len(small) // columns)
    height = small[0].height
    sheet = Image.new("RGB", (columns * (width + 8), rows * (height + 8)), "white")
    for number, image in enumerate(small):
        row, column = divmod(number, columns)
        sheet.paste(image, (column * (width + 8), row * (height + 8)))
    sheet.save(path)
    return path


if __name__ == "__main__":
    main()
