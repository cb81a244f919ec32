"""Scripts are checked again when they are saved, in whatever way an editor does that, and it is said what changed."""

from __future__ import annotations

import builtins
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradcheck.cli import cli
from gradcheck.commands.watch import Watch, stamps_of
from gradcheck.errors import ScriptError
from gradcheck.report.changes import changes
from gradcheck.script.source.file import Span, local_modules
from gradcheck.script.source.finding import Confidence, Finding
from gradcheck.session.result import ScriptResult, Unchecked
from script_runs import PATIENCE, check, write

RIGHT = """
from helper import shift
def loss(w):
    return shift(w) ** 2
def gradient(w):
    dw = 2 * shift(w)
    return dw
w = 0.5
for i in range(3):
    dw = gradient(w)
    w -= 0.1 * dw
"""
WRONG = RIGHT.replace("2 * shift", "3 * shift")
HELPER = "def shift(w):\n    return w - 3\n"

# -- what has changed ---------------------------------------------------------------------------------------------

ERROR = ScriptResult("net.py", error=ScriptError("m", slug="no-loss"))
PLACE = Span(2, 5, 2, 6)


@pytest.fixture(scope="module")
def results(tmp_path_factory, examiner):
    """Examine the right and the wrong script once."""
    folder = tmp_path_factory.mktemp("watch")
    write(folder, HELPER, "helper.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradcheck.api.examine_isolated", examiner)
        return check(folder, RIGHT, fix=False), check(folder, WRONG, fix=False)


def renamed(result, name):
    parameters = tuple(replace(parameter, name=name) for parameter in result.parameters)
    return replace(result, check=replace(result.check, parameters=parameters))


def test_verdicts_that_change_are_said(results):
    right, wrong = results
    assert changes(wrong, right) == ("w: mismatch -> match",)
    assert changes(right, wrong) == ("w: match -> mismatch",)
    assert changes(right, right) == ()
    assert changes(right, replace(right, seconds=9.0)) == ()


def test_parameters_that_come_and_go_are_said(results):
    right, wrong = results
    assert changes(right, renamed(wrong, "v")) == ("v: new, mismatch", "w: no longer checked, was match")


def test_what_is_no_longer_checked_is_said_and_what_is_checked_at_last(results):
    right, wrong = results
    row = Unchecked("w", (), "why")
    other = replace(renamed(right, "v"), unchecked=(row,))
    assert changes(replace(right, unchecked=(replace(row, name="v"),)), other) == (
        "v: unchecked -> match",
        "w: match -> unchecked",
    )
    assert changes(right, replace(right, unchecked=(replace(row, name="v"),))) == ("v: new, unchecked",)
    assert changes(other, renamed(wrong, "v")) == ("v: match -> mismatch", "w: no longer there, was unchecked")
    assert changes(other, other) == ()


def test_errors_that_come_and_go_are_said(results):
    right, _ = results
    assert changes(right, ERROR) == ("match -> error: no-loss",)
    assert changes(ERROR, right) == ("error: no-loss -> match",)
    assert changes(ERROR, ERROR) == ()
    other = replace(ERROR, error=ScriptError("m", slug="timeout"))
    assert changes(ERROR, other) == ("error: no-loss -> error: timeout",)


def test_findings_that_come_and_go_are_said(results):
    _, wrong = results
    one = Finding("GC201", "wrong-variable", "m", ("w",), PLACE, Confidence.LIKELY)
    moved = replace(one, span=Span(9, 1, 9, 2), message="another")
    other = replace(one, code="GC202", name="wrong-sign", parameters=())
    before, after = replace(wrong, findings=(one,)), replace(wrong, findings=(other,))
    assert changes(before, after) == ("gone: GC201 wrong-variable of w", "new: GC202 wrong-sign")
    assert changes(before, replace(wrong, findings=(moved,))) == ()


# -- which files count --------------------------------------------------------------------------------------------


def test_local_modules_are_found(tmp_path):
    script = write(tmp_path, "import numpy, lib.inner\nfrom other import f\nimport itself\nimport gone\n", "itself.py")
    write(tmp_path, "from . import near\nfrom .near import x\n", "lib/__init__.py")
    write(tmp_path, "import deep\n", "lib/near.py")
    write(tmp_path, "from ..other import g\n", "lib/inner.py")
    write(tmp_path, "def f(:\n", "other.py")
    write(tmp_path, "", "unrelated.py")
    write(tmp_path, "", "deep.py")
    found = {path.relative_to(tmp_path).as_posix() for path in local_modules(script)}
    assert found == {"lib/__init__.py", "lib/near.py", "lib/inner.py", "other.py", "deep.py"}


def test_settings_that_come_later_count(tmp_path):
    script = write(tmp_path, "x = 1\n", "below/net.py")
    settings = write(tmp_path, "", "pyproject.toml")
    stamps = stamps_of(script)
    assert stamps[settings] is not None
    assert stamps[tmp_path / "below" / "pyproject.toml"] is None
    assert all(tmp_path in file.parents for file in stamps)


@pytest.fixture
def watched(tmp_path):
    """Return a folder with two scripts, a watch over it, and the list of what it has checked."""
    for name in ("a.py", "b.py"):
        write(tmp_path, "import helper\n", name)
    write(tmp_path, "", "pyproject.toml")
    done = []

    def looked_at(targets):
        done.append([Path(path).name for path, _ in targets])
        return tuple(ScriptResult(path) for path, _ in targets)

    watch = Watch(lambda: [(str(path), None) for path in sorted(tmp_path.glob("[ab]*.py"))], looked_at)
    watch.look()
    return tmp_path, watch, done


def touch(path):
    path.write_text(path.read_text() + "\n")


def test_only_what_was_saved_is_checked_again(watched):
    folder, watch, done = watched
    assert watch.look() is None
    touch(folder / "b.py")
    watch.look()
    write(folder, "y = 2\n", "helper.py")
    watch.look()
    touch(folder / "pyproject.toml")
    watch.look()
    write(folder, "", "another.py")
    watch.look()
    assert watch.look() is None
    assert done == [["a.py", "b.py"], ["b.py"], ["a.py", "b.py"], ["a.py", "b.py"], ["another.py"]]


def test_a_file_that_is_gone_is_waited_for(watched):
    folder, watch, done = watched
    text = (folder / "a.py").read_text()
    (folder / "a.py").unlink()
    found = watch.look()
    assert [Path(name).name for name in found.gone] == ["a.py"]
    assert found.saved == ()
    assert [Path(result.path).name for result in watch.report] == ["b.py"]
    assert watch.look() is None
    (folder / "a.py").write_text(text)
    assert [Path(name).name for name in watch.look().saved] == ["a.py"]
    assert len(watch.report) == 2
    assert done[-1] == ["a.py"]


def test_a_save_during_a_check_leads_to_another(watched):
    folder, watch, done = watched
    check_before = watch.check

    def saved_meanwhile(targets):
        if len(done) == 1:
            touch(folder / "a.py")
        return check_before(targets)

    watch.check = saved_meanwhile
    touch(folder / "a.py")
    watch.look()
    watch.look()
    assert done[1:] == [["a.py"], ["a.py"]]
    assert watch.look() is None


# -- the command --------------------------------------------------------------------------------------------------


class Running:
    """``gradcheck run --watch`` in a process of its own."""

    def __init__(self, folder, *arguments):
        self._screen = folder / "screen.txt"
        with self._screen.open("w") as screen:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gradcheck", "run", "net.py", "--watch", "-q", "--no-fix", *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def until(self, text):
        """Wait until something is shown after what was shown before."""
        limit = time.monotonic() + PATIENCE
        while text not in (shown := self._screen.read_text()):
            assert time.monotonic() < limit, shown
            assert self.process.poll() is None, shown
            time.sleep(0.02)
        return shown


def test_saves_are_followed_until_ctrl_c(tmp_path):
    script = write(tmp_path, RIGHT, "net.py")
    helper = write(tmp_path, HELPER, "helper.py")
    running = Running(tmp_path)
    try:
        running.until("net.py: the gradient matches\n")
        script.write_text(WRONG)
        running.until("w: match -> mismatch\n")
        write(tmp_path, RIGHT, "net.py~")
        (tmp_path / "net.py~").replace(script)
        running.until("w: mismatch -> match\n")
        script.unlink()
        running.until("net.py is gone; waiting for it to come back\n")
        script.write_text("def f(:\n")
        running.until("match -> error: syntax-error\n")
        script.write_text(WRONG)
        running.until("error: syntax-error -> mismatch\n")
        helper.write_text(HELPER + "\n")
        shown = running.until("nothing has changed in what was found\n")
        assert shown.count("\n---- ") == 6
    finally:
        running.process.send_signal(signal.SIGINT)
    assert running.process.wait(PATIENCE) == 130


def test_a_file_is_written_anew(tmp_path, monkeypatch, forked):
    script = write(tmp_path, RIGHT, "net.py")
    write(tmp_path, RIGHT, "other.py")
    write(tmp_path, HELPER, "helper.py")
    reports = []

    def two_rounds(watch):
        yield watch.look()
        reports.append((tmp_path / "report.json").read_text())
        script.write_text(WRONG)
        write(tmp_path, '[tool.gradcheck]\npoints = "many"\n', "pyproject.toml")
        yield watch.look()
        reports.append((tmp_path / "report.json").read_text())
        raise KeyboardInterrupt

    monkeypatch.setattr("gradcheck.commands.watch.rounds", two_rounds)
    arguments = ["run", str(tmp_path), "--watch", "--no-fix", "-o", str(tmp_path / "report.json")]
    monkeypatch.setattr("sys.argv", ["gradcheck", *arguments])
    done = CliRunner().invoke(cli, arguments)
    assert done.stdout == ""
    verdicts = [[script["verdict"] for script in json.loads(text)["scripts"]] for text in reports]
    # settings that are wrong for a while do not end it
    assert verdicts == [["error", "match", "match"], ["error", "error", "error"]]
    assert f"{script}: match -> error: bad-setting" in done.stderr


def test_a_missing_library_is_said(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "watchfiles":
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    write(tmp_path, RIGHT, "net.py")
    done = CliRunner().invoke(cli, ["run", str(tmp_path / "net.py"), "--watch"])
    assert done.exit_code != 0
    assert "pip install 'gradcheck[watch]'" in str(done.exception)


def test_nothing_to_watch_is_nothing_to_check(tmp_path):
    assert CliRunner().invoke(cli, ["run", str(tmp_path), "--watch"]).exit_code == 5
