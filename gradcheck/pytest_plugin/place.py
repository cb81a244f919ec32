"""The path of a file as a test shows it."""

from __future__ import annotations

from pathlib import Path

import pytest


def shown_path(config: pytest.Config, path: Path) -> str:
    """Return a path as somebody would type it where pytest was started."""
    here = config.invocation_params.dir
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
