"""The figures of a comparison without a screen: a table, and a JSON file where one is asked for."""

import json
from collections.abc import Sequence

from tqdm import tqdm

from trainer.contract.errors import ImageError, UserError
from trainer.contract.text import printable
from viewer.files.results import write_new
from viewer.modes.compare.figures import Figures
from viewer.modes.compare.options import Options
from viewer.modes.compare.starting import begin
from viewer.sessions.headless import beside


def write(options: Options) -> None:
    """Measure, print the figures, and write them to the file of ``-o``. Raises ``UserError``."""
    if options.data is None:
        raise UserError("--display none shows nothing: add --data to measure, or --keys and --record to draw")
    if options.output is not None and options.output.exists():
        raise ImageError(f"{options.output}: exists already, expected a new file")
    comparison, state = begin(options)
    assert comparison.measuring is not None
    figures = None
    with tqdm(desc="measuring", bar_format="{desc}", disable=None) as bar:
        for figures in beside(comparison.measuring.run()):
            bar.set_description_str(figures.progress)
    assert figures is not None
    names = [state.columns[place] for place in range(len(state.columns) - len(comparison.makers), len(state.columns))]
    for line in as_text(figures, names):
        print(printable(line, 1000))
    if options.output is not None:
        files = [maker.model.path.name for maker in comparison.makers]
        text = json.dumps(figures.as_json(names, files), indent=1, ensure_ascii=False)
        write_new(options.output, f"{text}\n".encode())
        print(f"{printable(str(options.output))}: written")


def as_text(figures: Figures, names: Sequence[str]) -> list[str]:
    """The table as lines of text, the best of each marked with a star."""
    cells = [["", *names]]
    for row in figures.rows:
        best = row.best_places
        texts = [
            ("-" if value is None else row.text(value)) + ("*" if place in best else " ")
            for place, value in enumerate(row.values)
        ]
        cells.append([row.name, *texts])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [
        "  ".join(text.ljust(width) if not column else text.rjust(width)
                  for column, (text, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in cells
    ]  # fmt: skip
    marked = "* the best" if any(row.best_places for row in figures.rows) else ""
    return [*lines, ", ".join(filter(None, (figures.progress, *figures.notes, marked)))]
