"""Settings of the whole test suite."""

from __future__ import annotations

import compileall
import gc
import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from fixture_scripts import Shelf

pytest_plugins = ["frameworks", "pytester"]

# each process of pytest-xdist has a core of its own; more threads in it would wait for each other, at full load.
# It is read when NumPy is loaded, here or in a process that a test starts
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# a shell that starts the tests in the background lets them, and what they start, ignore Ctrl-C
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure() -> None:
    """Compile the package once: otherwise, in a fresh checkout, each interpreter that a test starts does so again.

    Those children that the product starts never keep what they have compiled, and nobody does who has asked Python for
    that: half of what they take would be compiling.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        found = importlib.util.find_spec("gradcheck")
        assert found is not None
        # a folder that cannot be written is left as it is
        compileall.compile_dir(Path(str(found.origin)).parent, quiet=2)


def pytest_collection_finish() -> None:
    """Leave the tests that were collected out of what garbage is looked for in: they are many, and they stay."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the colours and settings of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name in {"FORCE_COLOR", "NO_COLOR"} or name.startswith("GRADCHECK_"):
            monkeypatch.delenv(name)


def started_examiner(*preloaded: str) -> Iterator[Any]:
    """Start a process that examines scripts in forks of itself, with some modules imported in advance; end it."""
    from forked_examiner import Examiner

    started = Examiner(*preloaded)
    yield started
    started.stop()


def examine_by(monkeypatch: pytest.MonkeyPatch, examiner: Any) -> None:
    """Examine scripts in forks where there are any."""
    if hasattr(os, "fork"):
        monkeypatch.setattr("gradcheck.api.examine_isolated", examiner)


@pytest.fixture(scope="session")
def examiner() -> Iterator[Any]:
    """Start a process that examines scripts in forks of itself."""
    yield from started_examiner()


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch, examiner: Any) -> None:
    """Examine scripts in forks, which is quicker; a mark for tests that are about what is found in a script."""
    examine_by(monkeypatch, examiner)


@pytest.fixture(scope="session")
def scipy_examiner() -> Iterator[Any]:
    """Start one that has imported SciPy's optimizers, too; in forks of the other one, scripts import them."""
    yield from started_examiner("scipy.optimize", "lmfit")


@pytest.fixture
def forked_with_scipy(monkeypatch: pytest.MonkeyPatch, scipy_examiner: Any) -> None:
    """Examine scripts in forks, as `forked` does, with SciPy and lmfit imported in advance."""
    examine_by(monkeypatch, scipy_examiner)


@pytest.fixture(scope="session")
def pandas_examiner() -> Iterator[Any]:
    """Start one that has imported pandas, too."""
    yield from started_examiner("pandas")


@pytest.fixture
def forked_with_pandas(monkeypatch: pytest.MonkeyPatch, pandas_examiner: Any) -> None:
    """Examine scripts in forks, as `forked` does, with pandas imported in advance."""
    examine_by(monkeypatch, pandas_examiner)


@pytest.fixture(scope="session")
def forks() -> Iterator[Any]:
    """Start a process that runs commands, and the children of the product, in forks of itself."""
    from forked_processes import Forks

    started = Forks()
    yield started
    started.stop()


@pytest.fixture
def forked_children(monkeypatch: pytest.MonkeyPatch, forks: Any) -> None:
    """Fork the children, whatever is asked of them, in place of starting an interpreter for each."""
    from forked_processes import IS_POSSIBLE, fork_children

    if IS_POSSIBLE:
        monkeypatch.setattr(*fork_children(forks.place))


@pytest.fixture
def forked_commands(monkeypatch: pytest.MonkeyPatch, forks: Any) -> None:
    """Let ``command`` of ``script_runs`` fork the command line, too, and its children."""
    from forked_processes import IS_POSSIBLE

    if IS_POSSIBLE:
        monkeypatch.setattr("script_runs.FORKS", forks)


@pytest.fixture(scope="session")
def folder_of_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of one run of the tests share; what is made in it needs a lock."""
    base = tmp_path_factory.getbasetemp()
    # what belongs to one of several processes lies in the folder of the run
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "of_run"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def shelf(folder_of_run: Path, examiner: Any, scipy_examiner: Any) -> Shelf:
    """Examine each fixture script once in a run of the tests, however many processes that has."""
    from fixture_scripts import Shelf

    folder = folder_of_run / "examined"
    folder.mkdir(exist_ok=True)
    return Shelf(folder, examiner, scipy_examiner) if hasattr(os, "fork") else Shelf(folder)
