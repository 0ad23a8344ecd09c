"""Draw the images of the documentation that need some minutes of training at most: ``python docs/screenshots.py
[NAME ...]``.

They show the built-in model, drawn toy cats, short trainings, and cuttings of the committed sheets of each model.
Without names, all of them are drawn, in a quarter of an hour. Those that train need ``pip install -e '.[export]'``,
those of terminals ``pip install -e '.[test]'`` and a machine with pseudo-terminals, the notebook's besides Chromium
and ``pip install jupyterlab``.
"""

import contextlib
import io
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

DOCS = Path(__file__).resolve().parent
THUMBNAIL = (480, 120)  # width and height in pixels
THUMBNAILS = {  # of which sheet; left, top, width and height of the cutting, four times as wide as high
    "vae": ("cats.png", 1, 781, 1040, 260),
    "ae": ("models/ae.png", 67, 1, 528, 132),
    "convae": ("models/convae.png", 59, 1, 464, 116),
    "gan": ("models/gan.png", 59, 1, 464, 116),
    "dcgan": ("models/dcgan.png", 67, 1, 528, 132),
    "cgan": ("models/cgan.png", 31, 61, 360, 90),
    "wgan": ("models/wgan.png", 59, 1, 464, 116),
    "wgan_gp": ("models/wgan_gp.png", 59, 1, 464, 116),
    "alphagan": ("models/alphagan_faces.png", 67, 1, 528, 132),
    "vaegan": ("models/vaegan.png", 99, 1, 784, 196),
    "hpf": ("models/hpf.png", 0, 0, 1024, 256),
    "ddpm": ("models/ddpm.png", 35, 1, 544, 136),
    "pix2pix": ("models/pix2pix.png", 2, 136, 880, 220),
    "srgan": ("upscale.png", 0, 210, 512, 128),
}
HOLD_OUT = 50  # every how manieth cat is not trained on
HALF_A_CAT = (  # strokes in 64ths of the page, which are mirrored: head, cheek, ear, mouth, nose, collar, shoulder
    ((31, 15), (26, 15), (14, 8), (8, 6), (6, 9), (6, 16), (8, 25), (6, 31)),
    ((6, 31), (7, 37), (11, 43), (17, 47), (24, 50), (31, 51)),
    ((9, 10), (9, 22), (12, 22), (20, 16), (9, 10)),
    ((31, 42), (31, 44), (29, 46), (26, 45)),
    ((31, 40), (29, 40), (31, 42)),
    ((17, 48), (18, 50), (24, 53), (31, 54)),
    ((17, 48), (15, 55), (11, 63)),
)
OVALS = ((20, 34, 6, 7), (20, 34, 3, 4))  # of an eye: centre, half the width, half the height
CELL = (8, 16)  # pixels of a character
COLUMNS, LINES = 148, 39
BRAILLE = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))  # places of its dots, by bit
NOTEBOOK_PORT = 8899
QUIET_SECONDS = 3.0  # a terminal in which nothing has changed for so long has drawn its page


def viewer(*words: str) -> None:
    """Run the viewer without a screen, on one thread, so that the same bits come out everywhere."""
    command = [sys.executable, "-m", "viewer", *words, "--display", "none"]
    if words[0] not in ("dataset", "pick", "watch"):
        command += ["--threads", "1"]
    subprocess.run(command, check=True)


def tool(*words: str) -> None:
    """Run a data tool."""
    subprocess.run([sys.executable, "-m", "trainer.data", *words], check=True, stdout=subprocess.DEVNULL)


def save(image: Image.Image, name: str) -> None:
    """Write an image as docs/NAME.webp."""
    path = DOCS / f"{name}.webp"
    path.parent.mkdir(exist_ok=True)
    image.convert("RGB").save(path, quality=88, method=6)
    print(f"{path.relative_to(DOCS.parent)}: {image.width}x{image.height}, {path.stat().st_size // 1000} kB")


def recorded(folder: Path, *words: str) -> Image.Image:
    """The last frame of the viewer."""
    path = folder / "frame.png"
    viewer(*words, "--record", str(path), "--force")
    return Image.open(path)


def samples(folder: Path) -> None:
    """A page of the built-in model."""
    save(recorded(folder, "grid", "--rows", "4", "--seed", "7"), "samples")


def keys(folder: Path) -> None:
    """The key table over a page."""
    save(recorded(folder, "grid", "--rows", "4", "--seed", "7", "--keys", "h"), "keys")


def animate(folder: Path) -> None:
    """A closed walk through the latent space of the built-in model."""
    path = folder / "walk.webp"
    viewer("animate", "--cols", "4", "--scale", "1", "--loop", "--frames", "90", "--record", str(path), "--force")
    frames = []
    with Image.open(path) as film:
        for index in range(getattr(film, "n_frames", 1)):
            film.seek(index)
            frames.append(film.convert("RGB"))
    target = DOCS / "animate.webp"
    frames[0].save(target, save_all=True, append_images=frames[1:], duration=50, loop=0, quality=70, method=6)
    print(f"docs/animate.webp: {len(frames)} frames, {target.stat().st_size // 1000} kB")


def latent(folder: Path) -> None:
    """The line between two random points of latent space."""
    save(recorded(folder, "latent", "--view", "line", "--keys", "i"), "latent")


def sliders(folder: Path) -> None:
    """A slider for each axis of latent space."""
    save(recorded(folder, "latent", "--view", "sliders", "--keys", "right,right,+,+,+"), "sliders")


def compare(folder: Path) -> None:
    """Four checkpoints of one run."""
    cats, run = folder / "toycats.npy", folder / "cats"
    tool("toycats", "-o", str(cats), "--count", "1500", "--size", "64")
    options = ["--arch", "conv", "--latent-size", "20", "--batch-size", "32", "--steps", "600", "--save-every", "150"]
    command = [sys.executable, str(DOCS.parent / "trainer" / "train_vae.py"), "--data", str(cats), "--out", str(run)]
    subprocess.run([*command, *options, "--keep", "6"], check=True, stdout=subprocess.DEVNULL)
    compared(folder, run)


def compared(folder: Path, run: Path) -> None:
    """The checkpoints of a run."""
    save(recorded(folder, "compare", str(run), "--rows", "3", "--seed", "1"), "viewer/compare")


def toycats(folder: Path, size: int) -> Path:
    """A set of drawn cats that are so many pixels wide."""
    cats = folder / f"cats{size}.npy"
    if not cats.exists():
        tool("toycats", "-o", str(cats), "--count", "2000", "--size", str(size))
    return cats


def held_out(folder: Path, size: int, number: int) -> Path:
    """A cat that no training has seen, as a PNG."""
    path = folder / f"cat{number}.png"
    Image.fromarray(np.load(toycats(folder, size), mmap_mode="r")[number * HOLD_OUT]).save(path)
    return path


def trained(folder: Path, family: str, size: int, options: str) -> Path:
    """The exported model of a training on drawn cats, which is run once."""
    run, model = folder / family, folder / f"{family}.onnx"
    words = f"--data {toycats(folder, size)} --out {run} --no-flip --hold-out {HOLD_OUT} --threads 1 {options}".split()
    usual = ["--sample-every", "100000", "--save-minutes", "0"]  # nothing that depends on how fast a machine is
    for command in (f"trainer.train_{family}", *words, *usual), ("export", str(run), "-o", str(model), "--force"):
        subprocess.run([sys.executable, "-m", *command], check=True, stdout=subprocess.DEVNULL)
    return model


def trained_translator(folder: Path) -> Path:
    """A translator from edges to cats."""
    size = "--image-size 128 --width 16 --batch-size 4 --norm instance"
    return trained(folder, "pix2pix", 128, f"{size} --learning-rate 4e-4 --save-every 300 --steps 900")


def hpf(folder: Path) -> None:
    """Images of a short VAE with an eighth of the detail, and with all of it."""
    low = trained(folder, "vae", 64, "--arch conv --latent-size 20 --batch-size 32 --steps 500")
    detail = trained(folder, "hpf", 64, f"--low {folder / 'vae'} --batch-size 8 --save-every 50 --steps 200")
    page = ["hpf", str(low), str(detail), "--rows", "2", "--seed", "7", "--gain"]
    screens = [np.asarray(recorded(folder, *page, gain).convert("RGB")) for gain in ("0.125", "1")]
    save(Image.fromarray(np.concatenate(screens)), "viewer/hpf")


def diffuse(folder: Path) -> None:
    """A page of cats, and how four of them come out of noise."""
    size = "--width 16 --multipliers 1 2 2 --batch-size 16 --no-classes"
    pace = "--learning-rate 2e-3 --schedule cosine --ema 4000 --sample-steps 15 --save-every 300 --steps 1400"
    model = trained(folder, "ddpm", 32, f"{size} {pace}")
    save(recorded(folder, "diffuse", str(model), "--rows", "2", "--cols", "6", "--seed", "7"), "viewer/diffuse")
    steps = folder / "steps"
    page = ["--rows", "4", "--cols", "1", "--seed", "7", "--keys", "S", "--keep-steps", "png"]
    viewer("diffuse", str(model), *page, "--out", str(steps))
    with Image.open(max(steps.glob("*-steps.png"))) as image:
        large = image.convert("RGB").resize((2 * image.width, 2 * image.height), Image.Resampling.BICUBIC)
    save(large, "viewer/diffuse-steps")


def translate(folder: Path) -> None:
    """A cat, its edges, and what a translator makes of them."""
    model = trained_translator(folder)
    save(recorded(folder, "translate", str(model), str(held_out(folder, 128, 3))), "viewer/translate")


def draw(folder: Path) -> None:
    """A cat that is drawn by hand."""
    angles = np.linspace(0, 2 * np.pi, 13)
    ovals = [[(x + a * np.cos(angle), y + b * np.sin(angle)) for angle in angles] for x, y, a, b in OVALS]
    keys = []
    for stroke in (*HALF_A_CAT, *ovals):
        for points in (stroke, [(63 - x, y) for x, y in stroke]):
            keys.append(":".join(["drag", *(str(round(12 + 8 * place)) for point in points for place in point)]))
    model = trained_translator(folder)
    save(recorded(folder, "translate", str(model), "--draw", "--keys", ",".join(keys)), "viewer/draw")


def upscale(folder: Path) -> None:
    """A cat twice as large, bicubic to the left of the divider."""
    size = "--preset cpu --precision fp32 --blocks 4 --features 16 --batch-size 8"
    model = trained(folder, "srgan", 128, f"{size} --save-every 100 --pretrain 300 --steps 300")
    small = folder / "small.png"
    with Image.open(held_out(folder, 128, 3)) as image:
        image.resize((64, 64), Image.Resampling.BICUBIC).save(small)
    save(recorded(folder, "upscale", str(model), str(small)), "viewer/upscale")


def pick(folder: Path) -> None:
    """A saved page, to cut images out of it."""
    save(recorded(folder, "pick", str(saved_page(folder)), "--keys", "right,right,down"), "viewer/pick")


def info(folder: Path) -> None:
    """What a saved page was made from."""
    page = saved_page(folder)
    command = [sys.executable, "-m", "viewer", "info", page.name]
    done = subprocess.run(command, cwd=page.parent, check=True, capture_output=True, text=True)
    save(in_lines(f"$ python -m viewer info {page.name}\n{done.stdout}"), "viewer/info")


def saved_page(folder: Path) -> Path:
    """A page of the built-in model."""
    page = folder / "saved" / "toycats-0001.png"
    if not page.exists():
        viewer("grid", "--rows", "4", "--cols", "6", "--seed", "7", "--keys", "S", "--out", str(page.parent))
    return page


def directions(folder: Path) -> None:
    """Two groups of random cats, and the direction from one to the other."""
    marked = "rdrag:80:20:230:650,a,rdrag:520:20:690:650,b"
    flags = ["--view", "scatter", "--random", "300", "--range", "2", "--out", str(folder)]
    save(recorded(folder, "latent", *flags, "--keys", f"{marked},click:395:300"), "directions")


def dataset(folder: Path) -> None:
    """A page of a set with two images on the list."""
    cats = folder / "toycats.npy"
    tool("toycats", "-o", str(cats), "--count", "300", "--force")
    keys = "1,0,enter,d,2,9,enter,d,left,left"
    save(recorded(folder, "dataset", str(cats), "--rows", "5", "--cols", "8", "--keys", keys), "dataset")


def workshop(folder: Path) -> None:
    """The page that ``stats`` writes."""
    cats, page = folder / "toycats.npy", folder / "page.png"
    tool("toycats", "-o", str(cats), "--force")
    tool("stats", str(cats), "-o", str(page))
    with Image.open(page) as image:
        save(
            image.convert("RGB").resize((987, 987 * image.height // image.width), Image.Resampling.LANCZOS), "workshop"
        )


def terminal(folder: Path) -> None:
    """The grid in a terminal, and the plane of latent space."""
    save(in_terminal(folder, "seed", "grid", "--seed", "7"), "terminal")
    save(in_terminal(folder, "plane", "latent"), "terminal-latent")


def watch(folder: Path) -> None:
    """Two trainings, in a window and in a terminal."""
    cats = folder / "cats.npy"
    tool("toycats", "-o", str(cats), "--size", "32", "--count", "1000")
    usual = f"--data {cats} --batch-size 32 --width 16 --ema 100 --no-flip --hold-out 50 --log-every 5"
    for name, rate, steps in (("slow", "1e-3", "800"), ("quick", "3e-3", "600")):
        run = f"{usual} --sample-every 25 --save-every 150 --learning-rate {rate} --steps {steps}".split()
        train = [sys.executable, "-m", "trainer.train_vae", *run, "--out", str(folder / "runs" / name)]
        subprocess.run(train, check=True, stdout=subprocess.DEVNULL)
    runs = str(folder / "runs")
    save(recorded(folder, "watch", runs, "--keys", "left,left,left,left,left,left"), "watch")
    save(in_terminal(folder, "sheet", "watch", f"{runs}/quick", "--smooth", "0.9"), "watch-terminal")


def notebook(folder: Path) -> None:
    """A model below a cell of JupyterLab."""
    from playwright.sync_api import sync_playwright

    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "id": "a"}
    cell["source"] = "import utsuroi\n\ncats = utsuroi.load()\ncats"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    contents = {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "cats.ipynb").write_text(json.dumps(contents))
    settings = ["--no-browser", "--allow-root", f"--ServerApp.port={NOTEBOOK_PORT}", "--IdentityProvider.token=t"]
    command = [sys.executable, "-m", "jupyterlab", *settings, f"--ServerApp.root_dir={folder}"]
    new = os.environ | {"JUPYTER_CONFIG_DIR": str(folder)}  # as on the first day
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(subprocess.Popen(command, env=new, stderr=subprocess.PIPE, text=True))
        stack.callback(server.terminate)
        assert server.stderr is not None
        next(line for line in server.stderr if "is running at" in line)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 900}, device_scale_factor=1.5)
        page.goto(f"http://127.0.0.1:{NOTEBOOK_PORT}/lab/tree/cats.ipynb?token=t")
        page.get_by_role("button", name="No", exact=True).click()  # no news
        page.get_by_text("| Idle").wait_for()
        page.locator(".jp-CodeCell .cm-content").click()
        page.keyboard.press("Shift+Enter")
        frame = page.frame_locator("iframe[sandbox]")
        frame.locator(".session").wait_for(timeout=60_000)
        frame.locator("#poster").wait_for(state="detached", timeout=60_000)
        page.mouse.move(0, 0)
        image = page.locator(".jp-CodeCell").first.screenshot()
        browser.close()
    with Image.open(io.BytesIO(image)) as shown:
        save(shown, "notebook")


def in_terminal(folder: Path, title: str, *words: str) -> Image.Image:
    """The viewer in a terminal, when all is there. ``title``: what its last line says by then."""
    import fcntl
    import termios

    import pyte

    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    child, descriptor = pty.fork()
    if not child:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        os.chdir(folder)
        threads = () if words[0] == "watch" else ("--threads", "1")
        os.execv(sys.executable, [sys.executable, "-m", "viewer", *words, *threads, "--display", "terminal"])
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, COLUMNS * CELL[0], LINES * CELL[1]))
    while select.select([descriptor], [], [], QUIET_SECONDS if title in "".join(screen.display) else 60)[0]:
        stream.feed(os.read(descriptor, 1 << 16))
    image = painted(screen)
    os.write(descriptor, b"\x1b")
    os.waitpid(child, 0)
    os.close(descriptor)
    return image


def in_lines(text: str) -> Image.Image:
    """What a command has printed."""
    import pyte

    lines = text.rstrip().replace("\t", "    ").split("\n")
    screen = pyte.Screen(max(map(len, lines)) + 4, len(lines) + 2)
    pyte.Stream(screen).feed("".join(f"\r\n  {line}" for line in lines))
    return painted(screen)


def painted(screen: "pyte.Screen") -> Image.Image:  # type: ignore[name-defined]  # noqa: F821
    """The characters of a terminal; half blocks are two pixels."""
    width, height = CELL
    image = Image.new("RGB", (screen.columns * width, screen.lines * height), "#101114")
    draw = ImageDraw.Draw(image)
    font = monospaced(13)
    for y in range(screen.lines):
        for x in range(screen.columns):
            cell = screen.buffer[y][x]
            left, top = x * width, y * height
            colour = "#d0d0d0" if cell.fg == "default" else f"#{cell.fg}"
            if cell.bg != "default":
                draw.rectangle((left, top, left + width - 1, top + height - 1), fill=f"#{cell.bg}")
            if cell.data == "▀":
                draw.rectangle((left, top, left + width - 1, top + height // 2 - 1), fill=colour)
            elif "\u2800" <= cell.data < "\u2900":  # braille: two dots across, four down
                for dot, (across, down) in enumerate(BRAILLE):
                    if (ord(cell.data) - 0x2800) >> dot & 1:
                        corner = left + 1 + across * width // 2, top + 1 + down * height // 4
                        draw.rectangle((*corner, corner[0] + 1, corner[1] + 1), fill=colour)
            elif cell.data.strip():
                draw.text((left + width / 2, top + height - 4), cell.data, fill=colour, font=font, anchor="ms")
    return image


def monospaced(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font of the machine, or Pillow's own, whose letters are not all as wide."""
    for name in ("DejaVuSansMono.ttf", "LiberationMono-Regular.ttf", "Menlo.ttc", "consola.ttf"):
        with contextlib.suppress(OSError):
            return ImageFont.truetype(name, size)
    return ImageFont.load_default(size)


def thumbnails(folder: Path) -> None:
    """A strip of each model's sheet, for the table of the README."""
    for name, (sheet, left, top, width, height) in THUMBNAILS.items():
        with Image.open(DOCS / sheet) as image:
            strip = image.convert("RGB").crop((left, top, left + width, top + height))
        save(strip.resize(THUMBNAIL, Image.Resampling.LANCZOS), f"models/thumbnails/{name}")


SHOTS: dict[str, Callable[[Path], None]] = {
    shot.__name__: shot
    for shot in (samples, keys, animate, latent, sliders, directions, compare, hpf, diffuse, translate, draw, upscale,
                 dataset, pick, info, workshop, terminal, watch, notebook, thumbnails)
}  # fmt: skip


def main() -> int:
    """Draw the images that are named, or all. Returns the exit code."""
    names = sys.argv[1:] or list(SHOTS)
    unknown = [name for name in names if name not in SHOTS]
    if unknown:
        print(f"error: {unknown[0]} is no image, expected {', '.join(SHOTS)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            SHOTS[name](Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
