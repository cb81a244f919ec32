"""Many scripts in one run: which ones are meant, and checking some of them at the same time."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gradcheck.api import Job
from gradcheck.errors import InputError, UsageError, WorkerError
from gradcheck.evaluate.sending import map_like
from gradcheck.session.isolate import Children
from gradcheck.session.result import ScriptResult

SUFFIXES = (".py", ".ipynb")
_NO_SCRIPTS = frozenset({"__pycache__", "site-packages"})
# this file makes a folder a virtual environment
_ENVIRONMENT = "pyvenv.cfg"


class Watcher:
    """Is told how a run gets on; the methods may be called from any thread. This one does nothing."""

    def began(self, job: Job) -> None:
        """Take note that a script's turn has come."""

    def printed(self, job: Job) -> Callable[[bytes], object] | None:
        """Return what receives the pieces that a script prints, if anybody wants them."""

    def told(self, job: Job) -> Callable[[str], object] | None:
        """Return what is told now and then how far a script's check is, if anybody wants to know."""

    def ended(self, job: Job) -> None:
        """Take note that a script is done."""


def scripts_below(folder: Path) -> list[Path]:
    """Return the scripts and notebooks in a folder and all that is below it, in the order of their paths.

    Hidden folders and files, ``__pycache__``, ``site-packages`` and virtual environments are left out.
    """
    found = []
    for place, folders, names in os.walk(folder):
        here = Path(place)
        folders[:] = [name for name in folders if not is_left_out(here / name)]
        found += [here / name for name in names if name.endswith(SUFFIXES) and not name.startswith(".")]
    return sorted(found)


def is_left_out(folder: Path) -> bool:
    """Whether the scripts in a folder are nobody's own: it is hidden, a cache or an environment."""
    return folder.name.startswith(".") or folder.name in _NO_SCRIPTS or (folder / _ENVIRONMENT).is_file()


def run_all(jobs: Sequence[Job], workers: int, watcher: Watcher) -> tuple[ScriptResult, ...]:
    """Check scripts, some of them at the same time, each in a process of its own."""
    workers = min(workers, len(jobs))
    children = Children(share_input=workers <= 1)

    def run(job: Job) -> ScriptResult:
        watcher.began(job)
        try:
            return job.run(watcher.printed(job), children, watcher.told(job))
        finally:
            watcher.ended(job)

    if workers <= 1:
        return tuple(map(run, jobs))
    # threads, because all they do is wait for the processes
    pool = ThreadPoolExecutor(workers)
    try:
        return tuple(pool.map(run, jobs))
    except BaseException:
        with _uninterrupted():
            children.end()
            pool.shutdown(cancel_futures=True)
        raise
    finally:
        pool.shutdown()


def run_elsewhere(jobs: Sequence[Job], workers: Any) -> tuple[ScriptResult, ...]:
    """Check scripts by something that works like ``map``: a pool, or a cluster."""
    try:
        mapped, _ = map_like(workers)
    except InputError as error:
        raise UsageError(error.message) from None
    try:
        results = tuple(mapped(Job.run, jobs))
    except Exception as error:
        raise WorkerError(f"the workers gave no results ({type(error).__name__}: {error})") from error
    if len(results) != len(jobs) or not all(isinstance(result, ScriptResult) for result in results):
        raise WorkerError(f"the workers gave something else than {len(jobs)} results, one for each script, in order")
    return results


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keep a second Ctrl-C from leaving processes behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
