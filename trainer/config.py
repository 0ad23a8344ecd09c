"""Options of all families as frozen dataclasses, and their JSON."""

import dataclasses
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar, get_args

from trainer.contract.errors import UserError, require
from trainer.schedule import Schedule


class Check(NamedTuple):
    """What must hold for an option, in the annotation of its field: ``width: Annotated[int, least(1)] = 64``."""

    holds: Callable[[Any], bool]
    expected: str  # in words: "--width is 0, expected ..."


def least(low: float) -> Check:
    return Check(lambda value: value >= low, f"at least {low}")


def within(low: float, high: float) -> Check:
    return Check(lambda value: low <= value <= high, f"{low} to {high}")


def multiple_of(step: int, low: int = 1) -> Check:
    return Check(lambda value: value >= low and value % step == 0, f"a multiple of {step}")


POSITIVE = Check(lambda value: value > 0, "more than 0")
BELOW_ONE = Check(lambda value: 0 <= value < 1, "0 to less than 1")


def check(options: Any) -> None:
    """Raise ``UserError`` where an option of a dataclass fails a check of its annotation, in the class or in one it is
    derived from, also where a subclass gives an option another default."""
    for kind in type(options).__mro__:
        for name, annotation in inspect.get_annotations(kind).items():
            for one in get_args(annotation):
                if isinstance(one, Check):
                    require(one.holds(getattr(options, name)), name, getattr(options, name), one.expected)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Options of a training run. Families add their own fields.

    ``BEFORE``: what runs did whose config.json does not have these options yet. ``AUTO``: what "auto" means in a new
    run, for the options that a run keeps from its first command on. A family that adds to them keeps those of its base.
    """

    BEFORE: ClassVar[Mapping[str, Any]] = {"fit": "stretch", "values": "stored"}
    AUTO: ClassVar[Mapping[str, Any]] = {"fit": "crop", "values": "auto"}

    data: str = "toycats"
    """Training images: one of the kinds of sets that are listed above."""
    out: Path = Path("runs/run")
    """Folder of the run: checkpoints, log, sample grids. The same command resumes it."""
    preset: str = ""
    """Begin with the options of this preset, which other flags change; 'help' prints all presets."""
    config: Path | None = None
    """Begin with the options in a file of TOML (batch_size = 32), or with those of another run (its folder or
    config.json), except --out, --force and those of the machine. Flags win over --config, and it over --preset."""
    steps: Annotated[int, least(1)] = 10_000
    """Training steps in all; a larger number extends a finished run."""
    batch_size: Annotated[int, least(1)] = 128
    """Images per step and process."""
    image_size: Annotated[int, least(0)] = 0
    """Side in pixels of the square that images are resized to; 0 keeps the size of the data."""
    fit: Literal["auto", "crop", "pad", "stretch"] = "auto"
    """How images that are no squares become one: cropped to their middle, padded by repeating their edges, or
    stretched; auto: cropped, or what a run that is resumed has done so far."""
    values: Literal["auto", "stored", "ids", "10", "12"] = "auto"
    """What the numbers of pixels mean: as they are stored, ids of classes (masks of 0, 1, 2), or 10 or 12 bits of
    16-bit files; auto: what a look at some files finds, which is said, or what a run that is resumed has done so
    far."""
    bgr: bool = False
    """The .npy file is in blue-green-red order, as plain OpenCV scripts write it."""
    hold_out: Annotated[int, least(0)] = 20
    """Every Nth image is held out of training and scores the checkpoints; 0 trains on all."""
    flip: bool = True
    """Mirror each image left to right with probability one half."""
    rotate: Annotated[float, within(0, 180)] = 0.0
    """Rotate each image by a random angle of at most this many degrees."""
    crop: Annotated[float, within(0, 0.5)] = 0.0
    """Random crop: up to this fraction (0..0.5) is cut off, and the rest enlarged."""
    seed: int = 0
    """Seed of initial weights, batches and noise."""
    minutes: Annotated[float, least(0)] = 0.0
    """Stop after this many minutes of training in all, resumed or not, if --steps has not come first; 0: no limit."""
    min_steps: Annotated[int, least(0)] = 0
    """With --minutes: train at least this many steps, however long they take on a slow or busy machine."""
    save_every: Annotated[int, least(1)] = 1000
    """Steps between checkpoints, at most."""
    save_minutes: Annotated[float, least(0)] = 5.0
    """Minutes between checkpoints, at most, and the work that a crash can cost; 0: --save-every alone decides."""
    sample_every: Annotated[int, least(1)] = 1000
    """Steps between sample sheets, besides those after 15 s, 30 s, 1 min, 2 min, 4 min and so on."""
    score_seconds: Annotated[float, least(0)] = 15.0
    """Time for scoring a checkpoint, at about: where all held-out images take longer, fewer are scored, of all
    checkpoints the same ones; 0: all images."""
    log_every: Annotated[int, least(1)] = 50
    """Steps between rows of log.jsonl."""
    keep: Annotated[int, least(1)] = 2
    """Newest checkpoints kept; the best one is kept besides."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Mixed precision of the networks; weights stay in fp32."""
    compile: bool = False
    """Compile the networks with torch.compile."""
    accumulate: Annotated[int, least(1)] = 1
    """Gradient accumulation: batches per optimiser step, whose gradients are averaged."""
    clip_norm: Annotated[float, least(0)] = 0.0
    """Gradients are clipped to this norm; 0: no clipping."""
    schedule: Schedule = "constant"
    """Learning-rate schedule, down to --decay-to over --steps, or --minutes where those end first; tenth: at once to a
    tenth, with --decay-from."""
    decay_from: Annotated[float, BELOW_ONE] = 0.0
    """Fraction of the run during which the learning rate is held before it falls."""
    decay_to: Annotated[float, within(0, 1)] = 0.0
    """Fraction of the learning rate that is left in the end (linear, cosine)."""
    warmup: Annotated[int, least(0)] = 0
    """Steps of linear learning-rate warm-up."""
    ema: Annotated[float, least(0)] = 10_000
    """Half-life, in images, of the exponential moving average of weights, which is what is exported (early on, a tenth
    of the images seen); 0: no averaging."""
    workers: Annotated[int, least(0)] = 0
    """Loader processes per training process, for data that do not fit in memory."""
    memory: Annotated[float, least(0)] = 4.0
    """GiB of u8 images kept on the device; larger sets are read while training."""
    threads: Annotated[int, least(0)] = 0
    """CPU threads per process; 0: the cores of this machine divided by its processes."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device to train on; naming one that is missing is an error."""
    processes: Annotated[int, least(0)] = 0
    """Processes that there must be; 0: as many as the launcher was asked for."""
    force: bool = False
    """Resume although options that change the result differ from those of the run."""

    def __post_init__(self) -> None:
        check(self)
        require(self.hold_out != 1, "hold_out", 1, "0, or at least 2: every image would be held out")
        require(not self.min_steps or self.minutes > 0, "min_steps", self.min_steps, "0 without --minutes")


Record = TypeVar("Record")


def to_json(record: Any) -> dict[str, Any]:
    """A dataclass, such as a config, as JSON-able values."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(record), default=Path.as_posix))
    return values


def from_json(kind: type[Record], values: Mapping[str, Any]) -> Record:
    """The inverse of ``to_json``; keys of newer versions are ignored, and what a run of an older one lacks is as it
    was then. Raises ``UserError``."""
    known = {}
    values = {**getattr(kind, "BEFORE", {}), **values}
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        if item.name in values:
            value = values[item.name]
            value = Path(value) if "Path" in str(item.type) and isinstance(value, str) else value
            known[item.name] = tuple(value) if isinstance(value, list) else value  # JSON knows no tuples
    try:
        return kind(**known)
    except TypeError as error:
        raise UserError(f"config.json does not fit {kind.__name__}: {error}") from None
