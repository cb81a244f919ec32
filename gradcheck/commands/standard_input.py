"""What is piped in, kept for a script that is run twice."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

_READERS = (b"input(", b"stdin")


def keep(path: str) -> None:
    """Make what is piped in readable twice, if a script reads it."""
    if sys.stdin is None or sys.stdin.isatty() or not Path(path).is_file():
        return
    text = Path(path).read_bytes()
    if not any(word in text for word in _READERS):
        return
    kept = tempfile.TemporaryFile()  # noqa: SIM115 - it stays open for the scripts that are run
    shutil.copyfileobj(sys.stdin.buffer, kept)
    kept.seek(0)
    os.dup2(kept.fileno(), sys.stdin.fileno())


def rewind() -> None:
    """Go back to the beginning of what was kept."""
    with suppress(OSError, ValueError, AttributeError):
        os.lseek(sys.stdin.fileno(), 0, os.SEEK_SET)
