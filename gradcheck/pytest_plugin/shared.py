"""One examination of a script for all workers of pytest-xdist.

Each worker collects everything by itself. Were each to examine every script, they would slow each other down, a time
limit could be met in one of them and not in another, and xdist refuses workers that have collected different tests.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gradcheck.session.result import ScriptResult

FOLDER = "gradcheck_folder"
_PAUSE_SECONDS = 0.02


def examined_once(
    config: pytest.Config, path: Path, examine: Callable[[], ScriptResult], patience: float
) -> ScriptResult:
    """Return the examination of a script, by this worker or by the one that came first.

    Parameters
    ----------
    patience : float
        How many seconds another worker may take before this one examines the script itself.
    """
    folder = Path(getattr(config, "workerinput", {}).get(FOLDER, ""))
    if not folder.is_absolute() or not folder.is_dir():  # no worker, or one on another machine
        return examine()
    name = hashlib.sha256(os.fsencode(path)).hexdigest()
    answer = folder / name
    try:
        (folder / f"{name}.begun").touch(exist_ok=False)
    except FileExistsError:
        end = time.monotonic() + patience
        while not answer.exists() and time.monotonic() < end:
            time.sleep(_PAUSE_SECONDS)
        if answer.exists():
            found: ScriptResult = pickle.loads(answer.read_bytes())
            return found
        return examine()
    result = examine()
    unfinished = folder / f"{name}.unfinished"
    unfinished.write_bytes(pickle.dumps(result))
    unfinished.replace(answer)
    return result
