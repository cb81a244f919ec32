"""What is shown while scripts are checked: on a terminal only, and never into the report."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from gradcheck.api import Job
from gradcheck.commands.progress import Progress
from script_runs import command, write

pytestmark = pytest.mark.usefixtures("forked_children", "forked_commands")

ANNA, BEN = Job("anna.py"), Job("[ben].ipynb")


class Terminal(io.StringIO):
    def __init__(self, is_terminal=True):
        super().__init__()
        self.buffer = io.BytesIO()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


@pytest.fixture
def start(monkeypatch):
    """Return a way to start a progress on a terminal, and what it writes to."""

    def of(total=2, workers=1, show_output=False, is_terminal=True):
        stream = Terminal(is_terminal)
        monkeypatch.setattr(sys, "stderr", stream)
        console = Console(file=stream, force_terminal=is_terminal, width=80, color_system=None)
        return Progress(console, total, workers, show_output=show_output), stream

    return of


def test_it_says_how_many_are_done_and_which_are_running(start):
    progress, stream = start(total=3, workers=2)
    with progress:
        progress.began(ANNA)
        progress.began(BEN)
        progress._bar.refresh()
        progress.ended(ANNA)
        progress._bar.refresh()
    assert "0/3 checking anna.py, [ben].ipynb" in stream.getvalue()
    assert "1/3 checking [ben].ipynb" in stream.getvalue()


def test_one_script_is_not_counted(start):
    progress, stream = start(total=1)
    with progress:
        progress.began(ANNA)
        progress._bar.refresh()
    assert "checking anna.py" in stream.getvalue()
    assert "0/1" not in stream.getvalue()


def test_many_that_run_at_a_time_are_not_all_named(start):
    progress, stream = start(total=9, workers=9)
    with progress:
        for number in range(5):
            progress.began(Job(f"{number}.py"))
        progress._bar.refresh()
    assert "0/9 checking 0.py, 1.py, 2.py and 2 more" in stream.getvalue()


@pytest.mark.parametrize("workers", [1, 2])
def test_there_is_nothing_where_there_is_no_terminal(start, workers):
    progress, stream = start(workers=workers, is_terminal=False)
    with progress:
        progress.began(ANNA)
        progress.ended(ANNA)
    assert progress.printed(ANNA) is None
    assert (stream.getvalue(), stream.buffer.getvalue()) == ("", b"")


def test_what_a_script_that_runs_alone_does_is_shown(start):
    progress, stream = start(total=2)
    with progress:
        progress.began(ANNA)
        progress.told(ANNA)("point 1 of 4, [x]")
        progress._bar.refresh()
        progress.ended(ANNA)
        progress.began(BEN)
        progress._bar.refresh()
    assert "0/2 checking anna.py: point 1 of 4, [x]" in stream.getvalue()
    assert "1/2 checking [ben].ipynb " in stream.getvalue().replace("\n", " ")


@pytest.mark.parametrize("options", [{"workers": 2}, {"is_terminal": False}, {"show_output": True}])
def test_nobody_asks_what_scripts_do_that_is_not_shown(start, options):
    progress, _ = start(**options)
    with progress:
        assert progress.told(ANNA) is None


@pytest.mark.parametrize(("workers", "at_once"), [(1, b"a1 a2 "), (2, b"")])
def test_what_a_script_prints_is_shown_at_once_only_where_it_runs_alone(start, workers, at_once):
    progress, stream = start(workers=workers, show_output=True)
    with progress:
        progress.began(ANNA)
        receive = progress.printed(ANNA)
        receive(b"a1 ")
        receive(b"a2 ")
        assert stream.buffer.getvalue() == at_once
        progress.ended(ANNA)
    assert stream.buffer.getvalue() == b"a1 a2 "
    assert stream.getvalue() == ""


def test_a_pipe_gets_the_counts_only(tmp_path):
    write(tmp_path, "x = 1\n", "a.py")
    done = command("run", "a.py", "a.py", cwd=tmp_path, FORCE_COLOR="1")
    assert done.stderr.splitlines()[0].startswith("2 scripts: ")
