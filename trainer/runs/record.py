"""What config.json says of a run. No torch."""

import json
from pathlib import Path
from typing import Any

from trainer.contract.errors import UserError


def read_run(run: Path) -> dict[str, Any]:
    """Read config.json of a run. Raises ``UserError``."""
    file = run / "config.json"
    try:
        values = json.loads(file.read_bytes())
    except OSError as error:
        inside = [str(config.parent) for config in sorted(run.glob("*/config.json"))[:3]]
        runs = f"; runs in it: {', '.join(inside)}" if inside else ""
        raise UserError(f"{run}: not a run: {file.name}: {error.strerror}{runs}") from None
    except ValueError as error:
        raise UserError(f"{file}: not JSON: {error}") from None
    if not isinstance(values, dict) or not {"family", "config", "spec", "run_id"} <= values.keys():
        raise UserError(f"{file}: expected family, config, spec and run_id")
    return {**values, "config": dict(values["config"])}


def known_run(run: Path) -> dict[str, Any] | None:
    """config.json of a run; ``None`` where there is none yet. Raises ``UserError``."""
    return read_run(run) if (run / "config.json").exists() else None
