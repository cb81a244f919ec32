"""What is shown on standard error while scripts are checked."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from rich import progress

from gradcheck.batch import Watcher

if TYPE_CHECKING:
    from rich.console import Console

    from gradcheck.api import Job

_NAMED = 3


class Progress(Watcher):
    """How many scripts are done and which are running, on a terminal only; or what they print.

    Parameters
    ----------
    workers : int
        How many are checked at the same time; with more than one, what a script prints is shown when it is done.
    show_output : bool
        Whether to show what the scripts print, in place of the progress.
    """

    def __init__(self, console: Console, total: int, workers: int, *, show_output: bool) -> None:
        self._show_output = show_output
        self._at_once = workers <= 1
        self._running: list[str] = []
        self._said = ""
        self._pieces: dict[int, list[bytes]] = {}
        self._lock = threading.Lock()
        count = [progress.MofNCompleteColumn()] if total > 1 else []
        self._bar = progress.Progress(
            progress.SpinnerColumn(),
            *count,
            progress.TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=show_output or not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def began(self, job: Job) -> None:
        """Name a script among those that are running."""
        with self._lock:
            self._running.append(job.path)
            self._said = ""
            self._describe()

    def printed(self, job: Job) -> Callable[[bytes], object] | None:
        """Return what shows the pieces that a script prints, or keeps them until it is done."""
        if not self._show_output:
            return None
        return _write if self._at_once else self._pieces.setdefault(id(job), []).append

    def told(self, job: Job) -> Callable[[str], object] | None:  # noqa: ARG002 - only one that runs alone is shown
        """Return what shows how far a script is that runs alone, on a terminal."""
        if self._bar.disable or not self._at_once:
            return None

        def show(what: str) -> None:
            with self._lock:
                self._said = f": {what}"
                self._describe()

        return show

    def ended(self, job: Job) -> None:
        """Count a script; show what it has printed."""
        with self._lock:
            _write(b"".join(self._pieces.pop(id(job), [])))
            self._running.remove(job.path)
            self._bar.advance(self._task)
            self._describe()

    def _describe(self) -> None:
        more = len(self._running) - _NAMED
        named = ", ".join(self._running[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        self._bar.update(self._task, description=f"checking {named}{self._said}" if named else "")


def _write(piece: bytes) -> None:
    if piece:
        sys.stderr.buffer.write(piece)
        sys.stderr.flush()
