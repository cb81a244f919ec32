"""A line on the terminal that says how far a long check has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck.tracking import Progress

# a check that is done by then needs no line
_PATIENCE_SECONDS = 2.0


class ProgressLine:
    """A bar on standard error, where that is a terminal, once a check has taken a while."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        if progress.elapsed < _PATIENCE_SECONDS:
            return
        if self._bar is None:
            self._start()
        self._bar.update(
            self._task, completed=progress.evaluations, total=progress.expected, description=str(progress), refresh=True
        )

    def close(self) -> None:
        """Take the line away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _start(self) -> None:
        # who asks for no line does not wait for this import
        from rich import progress
        from rich.console import Console

        console = Console(stderr=True)
        self._bar = progress.Progress(
            progress.BarColumn(),
            progress.TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("")
        self._bar.start()
