"""What a test says about a file: the path that it shows, and the diff that mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradcheck.errors import FixError
from gradcheck.mend import mended
from gradcheck.script.result import ScriptResult


def shown_path(config: pytest.Config, path: Path) -> str:
    """Return a path as somebody would type it where pytest was started."""
    here = config.invocation_params.dir
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def diff_of(path: Path, script: ScriptResult) -> str:
    """Return the verified edits of a script's findings as a unified diff; empty where there are none.

    Parameters
    ----------
    path : Path
        The file.
    script : ScriptResult
        Its examination, under the path that the diff names.
    """
    try:
        return mended(Path(script.path), path.read_bytes(), script).diff.decode(errors="replace")
    except (FixError, OSError):  # the file is no longer what was checked; the findings show their edits themselves
        return ""
