"""``gradcheck fix``: the diff, the file afterwards, and what happens where it cannot be mended."""

import html
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

import forked_processes
import gradcheck.fix
from gradcheck.api import Job
from gradcheck.cli import cli
from gradcheck.errors import FixError
from gradcheck.fix import find_fix, replace_file, write_fix
from gradcheck.session.result import Unchecked
from gradcheck.settings import Options
from notebooks import write_notebook
from script_runs import command, write

pytestmark = pytest.mark.usefixtures("forked_children", "forked_commands")

RIGHT = """
# Größe: w ist eine Zahl
def loss(w):
    return (w - 3) ** 2
def gradient(w):
    dw = 2 * (w - 3)    # here
    return dw
w = 0.5
for i in range(3):
    dw = gradient(w)
    w -= 0.1 * dw
"""
WRONG = RIGHT.replace("2 * (w - 3)  ", "2 * (w + 3)  ")
OPTIONS = Options(isolated=True)


def fix(*arguments):
    return CliRunner().invoke(cli, ["fix", "--isolated", *map(str, arguments)])


def test_the_diff_is_shown_and_the_file_stays(tmp_path):
    path = write(tmp_path, WRONG)
    before = path.read_bytes()
    found = fix(path)
    assert found.exit_code == 1
    assert "-    dw = 2 * (w + 3)    # here\n+    dw = 2 * (w - 3)    # here\n" in found.stdout
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("encoding", "end"), [("utf-8", "\n"), ("utf-8", "\r\n"), ("utf-8-sig", "\n"), ("latin-1", "\n")]
)
def test_everything_else_is_kept_byte_for_byte(tmp_path, encoding, end):
    head = "# coding: latin-1" if encoding == "latin-1" else "# a script"
    path = tmp_path / "mynet.py"
    path.write_bytes((head + WRONG).replace("\n", end).encode(encoding))
    path.chmod(0o640)
    found = fix(path, "--write")
    assert found.exit_code == 0, found.output
    assert path.read_bytes() == (head + RIGHT).replace("\n", end).encode(encoding)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_notebook_is_mended(tmp_path):
    path = write_notebook(tmp_path, WRONG.strip("\n"))
    found = fix(path, "--write")
    assert found.exit_code == 0, found.output
    assert "2 * (w - 3)  " in "".join(json.loads(path.read_bytes())["cells"][0]["source"])


def test_a_link_stays_a_link(tmp_path):
    path = write(tmp_path, WRONG)
    link = tmp_path / "link.py"
    link.symlink_to(path)
    assert fix(link, "--write").exit_code == 0
    assert link.is_symlink()
    assert "2 * (w - 3)  " in path.read_text(encoding="utf-8")


def test_what_is_right_is_left_alone(tmp_path):
    path = write(tmp_path, RIGHT)
    before = path.read_bytes()
    found = fix(path, "--write")
    assert (found.exit_code, found.stdout) == (0, "")
    assert path.read_bytes() == before


def test_a_mistake_without_an_edit_is_said(tmp_path):
    path = write(tmp_path, RIGHT.replace("2 * (w - 3)  ", "7.31 * w ** 5 + 0.123  "))
    before = path.read_bytes()
    found = fix(path, "--write", "--timeout", "10")
    assert (found.exit_code, found.stdout) == (1, "")
    assert "no edit was verified" in found.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize(("text", "said"), [("def f(:\n", "syntax"), (None, "cannot")])
def test_a_script_that_cannot_be_read(tmp_path, text, said):
    path = tmp_path / "mynet.py"
    if text is not None:
        path.write_text(text)
    found = fix(path)
    assert (found.exit_code, found.stdout) == (3, "")
    assert said in found.stderr


def test_a_file_that_has_changed_since_is_left_alone(tmp_path):
    path = write(tmp_path, WRONG)
    found = find_fix(path, OPTIONS)
    path.write_text(WRONG + "\n# more\n", encoding="utf-8")
    with pytest.raises(FixError, match="has changed since"):
        write_fix(found, OPTIONS)
    assert path.read_text(encoding="utf-8") == WRONG + "\n# more\n"


def test_a_file_that_is_not_right_with_the_edits_is_put_back(tmp_path, monkeypatch):
    path = write(tmp_path, WRONG)
    before = path.read_bytes()
    found = find_fix(path, OPTIONS)
    monkeypatch.setattr(gradcheck.fix, "replace_file", lambda target, content: replace_file(target, before))
    with pytest.raises(FixError, match=r"is as it was before: wrong are w"):
        write_fix(found, OPTIONS)
    assert path.read_bytes() == before


def rechecked(monkeypatch, *unchecked):
    """Let the check of an edited file find that some parameters cannot be checked; the edits themselves are real."""
    run = Job.run
    monkeypatch.setattr(Job, "run", lambda job, output=None: replace(run(job, output), unchecked=unchecked))


def test_what_could_not_be_checked_before_does_not_stand_in_the_way_of_a_fix(tmp_path, monkeypatch):
    path = write(tmp_path, WRONG)
    rechecked(monkeypatch, Unchecked("other", (2,), "why"))
    found = find_fix(path, OPTIONS)
    assert found.result.verdict == "mismatch"
    after = write_fix(found, OPTIONS)
    assert (after.verdict, after.mismatching) == ("inconclusive", ())
    (file,) = found.files
    assert path.read_bytes() == file.after != file.before


def test_a_fix_by_which_a_gradient_gets_out_of_sight_is_taken_back(tmp_path, monkeypatch):
    path = write(tmp_path, WRONG)
    before = path.read_bytes()
    found = find_fix(path, OPTIONS)
    rechecked(monkeypatch, Unchecked("w", (), "why"))
    with pytest.raises(FixError, match=r"is as it was before: no longer checked are w"):
        write_fix(found, OPTIONS)
    assert path.read_bytes() == before


def test_an_interrupted_recheck_puts_the_file_back(tmp_path, monkeypatch):
    path = write(tmp_path, WRONG)
    before = path.read_bytes()
    found = find_fix(path, OPTIONS)

    def interrupted(*_):
        assert path.read_bytes() != before
        raise KeyboardInterrupt

    monkeypatch.setattr(gradcheck.fix, "prepare", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_fix(found, OPTIONS)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(FixError, match="cannot write"):
        replace_file(tmp_path / "nowhere" / "mynet.py", b"")


def test_what_is_piped_in_is_answered_twice(tmp_path):
    text = WRONG.replace("w = 0.5", "w = float(input())")
    path = write(tmp_path, text)
    found = command("fix", path, "--write", cwd=tmp_path, stdin="0.5\n")
    assert found.returncode == 0, found.stderr
    assert "2 * (w - 3)  " in path.read_text(encoding="utf-8")


def test_one_path_is_expected(tmp_path):
    found = fix(tmp_path / "a.py", tmp_path / "b.py")
    assert found.exit_code == 2
    assert "expected one PATH, got 2" in found.stderr


STEPS = """
import numpy as np

rng = np.random.default_rng(1)
A = rng.normal(size=(40, 3))
y = A @ np.array([1.0, -2.0, 0.5]) + 0.1 * rng.normal(size=40)
w, b = np.zeros(3), 0.0


def loss(w, b):
    return np.mean((A @ w + b - y) ** 2)


def gradients(w, b):
    error = A @ w + b - y
    return 2 * A.T @ error / len(y) / 10, 2 * error.mean()


for step in range(60):
    dw, db = gradients(w, b)
    w = w - RATE * dw
    b = b - 0.1 * db
"""


@pytest.mark.parametrize(
    ("rate", "is_mended", "told"),
    [
        ("1.28", True, "which is 0.01874 worse than the 0.009871 that it ends with now"),
        ("5.0", False, "they are not shown"),
        ("0.3", True, ""),
    ],
)
def test_it_is_said_what_a_fix_does_to_the_training(tmp_path, rate, is_mended, told):
    path = write(tmp_path, STEPS.replace("RATE", rate))
    found = fix(path)
    assert bool(found.stdout) is is_mended
    assert told in found.stderr
    assert ("note:" in found.stderr) is bool(told)


CALLED = """
import numpy as np
def loss(w):
    return np.sum((w - data()) ** 2)
def gradient(w):
    return 2 * (w + data())
def data():
    return np.arange(3.0)
def train(rounds):
    w = np.full(3, 0.5)
    for _ in range(rounds):
        w -= 0.1 * gradient(w)
    return w
"""
TYPED = {
    "a call": (CALLED, ("--call", "train(int('5'))")),
    "two calls": (CALLED, ("--call", "n = 5", "--call", "train(n)")),
    "a folder": (CALLED.replace("np.arange(3.0)", "np.loadtxt('numbers.txt')") + "train(5)\n", ("--cwd", "the data")),
    "a loss": (
        CALLED.replace("def loss(w):\n    return np.sum((w - data()) ** 2)\n", "") + "train(5)\n",
        ("--loss", "np.sum((w - data()) ** 2)"),
    ),
    "a factor": (CALLED.replace("2 * (w + data())", "(w - data())") + "train(5)\nloss(1)\n", ("--strict",)),
    "arguments": (f"import sys\n{CALLED}train(int(sys.argv[1]) * len(sys.argv[2]))\n", ("--", "2", "$HOME * 'a'")),
    "an order": (CALLED + "train(5)\n", ("--seed", "3", "--points", "2", "--rtol", "1e-06", "--isolated")),
}


def typed_to_fix(folder, place, flags):
    """Return the command that a place proposes for making the edits."""
    words = ["fix" if place == "fix" else "run", "a net.py", *flags]
    if place == "page":
        words[2:2] = ["-o", "page.html"]
    done = command(*words, cwd=folder)
    assert done.returncode == 1, done.stderr
    if place == "page":
        shown = re.search(r"To have the edits made: <code>(.*?)</code>", (folder / "page.html").read_text())
        return html.unescape(shown[1])
    said = re.search(r"gradcheck fix .*", done.stdout if place == "terminal" else done.stderr)[0]
    return said.removesuffix(" makes the edits")


def pasted_into_a_shell(folder, typed, forks):
    """Run a line by a shell in which ``gradcheck`` is forked, where that can be."""
    place = forks.place if forked_processes.IS_POSSIBLE else ""
    run = forked_processes.told_to_run("gradcheck", place)
    return subprocess.run(
        ["bash", "-c", f'gradcheck() {{ "{sys.executable}" {run} "$@"; }}\n{typed}'],
        cwd=folder,
        env={**os.environ, forked_processes.PLACE: place},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs a shell")
@pytest.mark.parametrize("kind", TYPED)
def test_the_command_that_makes_the_edits_can_be_pasted(tmp_path, kind, forks):
    """What is printed, run by a shell, mends the script; without the flags, nothing would be found."""
    text, flags = TYPED[kind]
    write(tmp_path, text, "a net.py")
    write(tmp_path, "0\n1\n2\n", "the data/numbers.txt")
    proposed = {place: typed_to_fix(tmp_path, place, flags) for place in ("terminal", "page", "fix")}
    assert (tmp_path / "a net.py").read_text() == text.lstrip("\n")
    # the same command everywhere, so that pasting it once tells of each place
    (typed,) = set(proposed.values())
    assert typed.startswith("gradcheck fix 'a net.py' --")
    pasted = pasted_into_a_shell(tmp_path, typed, forks)
    assert pasted.returncode == 0, pasted.stderr
    assert "checked again: " in pasted.stderr
    assert (tmp_path / "a net.py").read_text() != text.lstrip("\n")


def test_settings_that_the_script_or_its_project_have_are_not_typed(tmp_path):
    write(tmp_path, "[tool.gradcheck]\npoints = 2\n", "pyproject.toml")
    path = write(tmp_path, WRONG + "# gradcheck: loss=loss(w)\n")
    found = find_fix(path, Options())
    assert found.result.command("fix", "--write") == f"gradcheck fix {path} --write"
    assert found.result.check.points == 2
