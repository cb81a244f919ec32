"""What several commands need."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

# wide enough for any table: a log must not lose names
_LOG_WIDTH = 10_000


def console(**settings: Any) -> Console:
    """Return a console that prints plain text as it is; settings are those of ``rich.console.Console``."""
    from rich.console import Console

    made = Console(highlight=False, markup=False, emoji=False, **settings)
    if not made.is_terminal:
        made.width = _LOG_WIDTH
    return made


def refuse_unwritable(target: Path | None) -> None:
    """Say at once that a file could not be written, not after a minute's work.

    Raises
    ------
    click.UsageError
        If its folder is none that can be written.
    """
    if target is None:
        return
    folder = target.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise click.UsageError(f"cannot write {target}: {folder} is not a folder that can be written")
