"""The player as a widget: a frame with the page that ``python -m export --html`` writes, and Python beside it.

Messages, which export/web/src/notebook/widget.ts passes between Python and the page (its README has the page's own):

| from the widget | has | is answered by |
|---|---|---|
| ``page`` | ``view``, ``theme`` | ``page`` with the page's HTML as a buffer |
| ``saved`` | ``view``, ``name``, a PNG | nothing |
| ``engine`` | ``view``, ``request``, arrays | ``engine`` with ``reply``, and an array where one was made |
| ``left`` | ``view`` | nothing: that page is gone, and what it opened |

A ``request`` is one of ``open`` (``id``, ``name``; a file that was dropped is a buffer), ``close`` (``id``) and ``run``
(``id``, ``run``, ``inputs``: ``name``, ``dtype`` and ``dims`` of each, whose numbers are buffers, little-endian).
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

import anywidget
import cv2
import numpy as np
import traitlets

from export.player import built
from export.player.models import Models, card_of
from export.player.page import ModelFile, Page
from export.player.poster import Poster, draw
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from utsuroi.arrays import Images
from viewer.model import Model, open_model

Runs = Literal["", "browser", "python"]

_BROWSER_BYTES: Final = 64 * 2**20  # of models that are sent to a browser without being asked
_DTYPES: Final[Mapping[str, str]] = {"f32": "<f4", "i64": "<i8", "u8": "u1"}
_NAMES: Final = {np.dtype(code): name for name, code in _DTYPES.items()}


class Player(anywidget.AnyWidget):
    """A player of models in a notebook: what ``Model.player`` gives.

    What is on its page is read and set from Python: ``mode``, ``seed`` and all else in ``place``, which says what the
    link to it says; ``go`` leads to another. ``saved`` has the images that were saved on the page, oldest first.
    """

    _esm = built.stored(built.WIDGET)
    place = traitlets.Dict().tag(sync=True)
    height = traitlets.Int(600).tag(sync=True)  # pixels
    title = traitlets.Unicode().tag(sync=True)

    def __init__(self, models: Models, *, mode: str = "", seed: int = 0, height: int = 600, runs: Runs = "") -> None:
        """``models``: of the page; the other words as ``Model.player`` has them. Raises ``UserError``."""
        self._opened: dict[tuple[str, int], Model] = {}  # by view and the page's number
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # of files that were dropped
        if mode and mode not in models.modes:
            raise UserError(f"mode is {mode!r}, expected one of {', '.join(models.modes)} for {models.first.path}")
        if runs not in ("", "browser", "python"):
            raise UserError(f"runs is {runs!r}, expected 'browser' or 'python'")
        title = printable(card_of(models.first).name or models.first.path.stem, 200)
        super().__init__(title=title, height=height)
        files = [ModelFile(printable(one.path.name), one.path.read_bytes()) for one in models.all]
        small = sum(len(file.data) for file in files) <= _BROWSER_BYTES
        self.runs: Literal["browser", "python"] = runs or ("browser" if small else "python")
        poster = draw(models, mode, seed, lambda _: None)
        shown = poster if isinstance(poster, Poster) else None
        self._page = Page(title=title, models=files, mode=mode, poster=shown)
        self._own = {file.name: model for file, model in zip(files, models.all, strict=True)}
        self._kept: list[bytes] = []
        self.on_msg(self._receive)

    @property
    def mode(self) -> str:
        """The mode of the page; empty before it is shown."""
        return str(self.place.get("mode", ""))

    @property
    def seed(self) -> int:
        """The page of images: ``sample`` with this seed gives the same ones."""
        return int(self.place.get("params", {}).get("seed", 0))

    def go(self, mode: str = "", **values: object) -> None:
        """Show another page, as the link does that has these values: ``go(seed=7)``, ``go("animate", seed=3)``."""
        words = {name: str(value) for name, value in values.items()}
        self.place = {"mode": mode or self.mode, "params": words}

    @property
    def saved(self) -> list[Images]:
        """The images that were saved on the page by s and S, RGB u8 [1, h, w, 3], oldest first."""
        decoded = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in self._kept]
        return [Images.of(np.ascontiguousarray(one[None, ..., ::-1])) for one in decoded if one is not None]

    def close(self) -> None:
        """Take it from all pages, and what it opened with it."""
        self._opened.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        super().close()

    def _receive(self, _: object, message: Mapping[str, Any], buffers: Sequence[memoryview]) -> None:
        view = str(message["view"])
        match message["type"]:
            case "page":
                page = replace(self._page, theme="dark" if message["theme"] == "dark" else "light")
                html = b"".join(page.html("frame" if self.runs == "browser" else "python"))
                self.send({"type": "page", "view": view}, [html])
            case "saved":
                self._kept.append(bytes(buffers[0]))
            case "engine":
                reply, arrays = self._answer(view, message["request"], buffers)
                if reply:
                    self.send({"type": "engine", "view": view, "reply": reply}, arrays)
            case "left":
                self._opened = {key: model for key, model in self._opened.items() if key[0] != view}

    def _answer(
        self, view: str, request: Mapping[str, Any], buffers: Sequence[memoryview]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """What the page is told, and the numbers of an array; empty: nothing."""
        key = view, int(request["id"])
        if request["type"] == "close":
            self._opened.pop(key, None)
            return {}, []
        if request["type"] == "open":
            try:
                self._opened[key] = model = self._open(str(request["name"]), buffers)
            except UserError as error:
                return {"type": "refused", "id": key[1], "text": str(error)}, []
            card = card_of(model).to_props()
            size = model.path.stat().st_size
            return {"type": "opened", "id": key[1], "properties": card, "sha256": model.sha256, "size": size}, []
        run = request["run"]
        try:
            model = self._opened[key]
            inputs = {
                one["name"]: np.frombuffer(buffer, _DTYPES[one["dtype"]]).reshape(one["dims"])
                for one, buffer in zip(request["inputs"], buffers, strict=True)
            }
            made = np.ascontiguousarray(model.run(inputs))
        except KeyError:
            return {"type": "failed", "run": run, "text": "it is closed: run the cell again"}, []
        except UserError as error:
            return {"type": "failed", "run": run, "text": str(error)}, []
        return {"type": "made", "run": run, "output": {"dtype": _NAMES[made.dtype], "dims": list(made.shape)}}, [
            made.tobytes()
        ]

    def _open(self, name: str, buffers: Sequence[memoryview]) -> Model:
        """A model of the page, or one that was dropped onto it. Raises ``UserError``."""
        if not buffers:
            return self._own[name]
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="utsuroi-")
        path = Path(tempfile.mkdtemp(dir=self._folder.name)) / Path(name).name
        path.write_bytes(buffers[0])
        model = open_model(path, silent=True)
        if model.inferred or model.card is None:
            raise UserError(f"{name}: has no card, which says how a page reads it: python -m export gives it one")
        return model
