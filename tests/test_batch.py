"""Many scripts in one run: which ones are found, the table, several at a time, and nothing that is left running."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gradcheck.api import Job, prepare
from gradcheck.batch import Watcher, run_all, scripts_below
from gradcheck.settings import Options
from notebooks import DATA, MODEL, TRAINING, WRONG_MODEL, write_notebook
from script_runs import PATIENCE, command, write

pytestmark = pytest.mark.usefixtures("forked_children", "forked_commands")

posix = pytest.mark.skipif(sys.platform == "win32", reason="sessions and signals of POSIX")

RIGHT = """
def loss(w):
    return (w - 3) ** 2
def gradient(w):
    dw = 2 * (w - 3)
    return dw
w = 0.5
for i in range(3):
    dw = gradient(w)
    w -= 0.1 * dw
"""
WRONG = RIGHT.replace("2 * (w - 3)", "2 * (w + 3)")
# without an end, and without work for a machine that others use as well
HANGS = "while True: __import__('time').sleep(0.01)\n"
# it starts a child that starts a child, and tells the three numbers
FAMILY = """
import os, subprocess, time
middle = subprocess.Popen(["sh", "-c", "sleep 600 & echo $! > {name}.child; wait"])
while not (os.path.exists("{name}.child") and open("{name}.child").read()):
    time.sleep(0.01)
print("PIDS", os.getpid(), middle.pid, open("{name}.child").read(), flush=True)
while True: time.sleep(0.01)
"""


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def all_gone(pids, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.02)
    return not any(map(alive, pids))


# -- which scripts ------------------------------------------------------------------------------------------------


def test_a_folder_means_the_scripts_and_notebooks_below_it(tmp_path):
    wanted = ["a.ipynb", "b.py", "sub/d.ipynb", "sub/deep/c.py"]
    unwanted = [
        ".hidden/a.py",
        ".a.py",
        ".ipynb_checkpoints/a-checkpoint.ipynb",
        "sub/.ipynb_checkpoints/d-checkpoint.ipynb",
        "sub/__pycache__/c.py",
        "env/pyvenv.cfg",
        "env/lib/x.py",
        "lib/site-packages/x.py",
        "notes.txt",
        "a.ipynb.bak",
        "pyproject.toml",
    ]
    for name in wanted + unwanted:
        write(tmp_path, "x = 1\n", name)
    assert [str(path.relative_to(tmp_path)) for path in scripts_below(tmp_path)] == wanted


def test_a_folder_that_is_named_is_looked_at_whatever_it_is(tmp_path):
    for name in (".venv/pyvenv.cfg", ".venv/x.py"):
        write(tmp_path, "x = 1\n", name)
    assert scripts_below(tmp_path) == []
    assert scripts_below(tmp_path / ".venv") == [tmp_path / ".venv" / "x.py"]


@posix
def test_a_link_to_a_folder_above_does_not_lead_in_circles(tmp_path):
    write(tmp_path, "x = 1\n", "a.py")
    (tmp_path / "again").symlink_to(tmp_path)
    assert scripts_below(tmp_path) == [tmp_path / "a.py"]


# -- several at a time --------------------------------------------------------------------------------------------


class Recorder(Watcher):
    def __init__(self):
        self.now, self.most, self.done = 0, 0, []
        self.lock = threading.Lock()

    def began(self, job):
        assert job.path
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def ended(self, job):
        with self.lock:
            self.now -= 1
            self.done.append(job.path)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_the_order_that_was_asked_for(monkeypatch, workers):
    """The first takes longest; how many ran together is what was asked for, and no more than there are."""
    from gradcheck.session.result import ScriptResult

    together = threading.Barrier(min(workers, 4))
    others = threading.Event()

    def run(self, *_):
        if int(self.path) < together.parties:
            together.wait(PATIENCE)
        if self.path == "0" and workers > 1:
            others.wait(PATIENCE)
        if self.path == "3":
            others.set()
        return ScriptResult(self.path)

    monkeypatch.setattr(Job, "run", run)
    watcher = Recorder()
    results = run_all([Job(str(i)) for i in range(4)], workers, watcher)
    assert [result.path for result in results] == ["0", "1", "2", "3"]
    assert watcher.most == min(workers, 4)
    assert sorted(watcher.done) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("workers", [1, 3])
def test_nothing_to_check_is_no_result(workers):
    assert run_all([], workers, Watcher()) == ()


def test_one_failure_of_ours_ends_the_run_and_starts_no_more(monkeypatch):
    started = []

    def run(self, *_):
        started.append(self.path)
        if self.path == "0":
            raise RuntimeError("no")
        time.sleep(0.1)

    monkeypatch.setattr(Job, "run", run)
    with pytest.raises(RuntimeError, match="no"):
        run_all([Job(str(i)) for i in range(50)], 2, Watcher())
    assert len(started) < 50


@posix
@pytest.mark.parametrize("workers", [1, 3])
def test_a_class_of_submissions(tmp_path, workers):
    """Right, wrong, hanging, crashing and unreadable ones: one table, in time, and nothing is left running."""
    write(tmp_path, RIGHT, "anna.py")
    write_notebook(tmp_path, "import numpy as np", DATA, WRONG_MODEL, TRAINING, name="ben.ipynb")
    write(tmp_path, "import os\nos.abort()\n", "carla.py")
    write(tmp_path, HANGS, "dan.py")
    write_notebook(tmp_path, "x = 1", HANGS, name="eva/homework 1.ipynb")
    write_notebook(tmp_path, "import numpy as np", DATA, MODEL, TRAINING, name="finn.ipynb")
    write(tmp_path, WRONG, "gina.py")
    write(tmp_path, "{", "hugo.ipynb")
    for timeout in (1.5, 6, 40):
        done = command("run", ".", "--no-fix", "--timeout", timeout, "--workers", workers, cwd=tmp_path)
        # on a busy machine, the others may need more than the time that is enough for those that hang
        if done.stdout.count("timeout in ") == 2:
            break
    assert done.returncode == 1
    table = done.stdout[done.stdout.index("\n  script ") :].strip("\n").splitlines()
    rows = [re.split(r"  +", line.strip())[:-1] for line in table]
    assert rows == [
        ["script", "verdict", "details"],
        ["anna.py", "match"],
        ["ben.ipynb", "mismatch", "b"],
        ["carla.py", "error", "crashed in line 2"],
        ["dan.py", "error", "timeout in line 1"],
        ["eva/homework 1.ipynb", "error", "timeout in cell 2, line 1"],
        ["finn.ipynb", "match"],
        ["gina.py", "mismatch", "w"],
        ["hugo.ipynb", "error", "unreadable in line 1"],
    ]
    assert "8 scripts: 2 match, 2 mismatch, 4 error" in done.stderr


def test_results_are_the_same_however_many_run_at_a_time(tmp_path):
    for number, text in enumerate([WRONG, RIGHT, "x = (", RIGHT, WRONG]):
        write(tmp_path, text, f"s{number}.py")
    one, several = (
        json.loads(command("run", ".", "--workers", n, "--format", "json", cwd=tmp_path).stdout) for n in (1, 3)
    )
    for report in (one, several):
        for script in report["scripts"]:
            del script["seconds"]
    assert one == several


@posix
def test_scripts_that_run_together_get_no_input(tmp_path):
    write(tmp_path, "n = int(input())\n" + RIGHT, "asks.py")
    assert command("run", "asks.py", cwd=tmp_path, stdin="3\n").returncode == 0
    done = command("run", "asks.py", "asks.py", "--workers", 2, "-q", cwd=tmp_path, stdin="3\n3\n")
    assert [line.split(":")[2].strip() for line in done.stdout.splitlines()] == ["needs-input", "needs-input"]


def test_what_scripts_that_run_together_print_is_not_mixed(tmp_path):
    for name in "ab":
        text = f"import time\nfor _ in range(5):\n    print('{name}', flush=True)\n    time.sleep(0.02)\n"
        write(tmp_path, text + RIGHT, f"{name}.py")
    done = command("run", "-v", "--workers", 2, ".", cwd=tmp_path)
    printed = "".join(line for line in done.stderr.splitlines() if line in ("a", "b"))
    assert printed in ("aaaaabbbbb", "bbbbbaaaaa")


def test_a_wrong_setting_is_told_before_anything_is_run(tmp_path):
    write(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')\n{RIGHT}", "a.py")
    write(tmp_path, RIGHT, "sub/b.py")
    (tmp_path / "sub" / "pyproject.toml").write_text("[tool.gradcheck]\npionts = 3\n")
    done = command("run", "-v", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "pionts" in done.stderr
    assert done.stdout == ""


# -- interrupts ---------------------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "terminated"]
)
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_ends_all_children_and_their_children(tmp_path, number, code, workers):
    for name in "abc":
        write(tmp_path, FAMILY.format(name=name), f"{name}.py")
    with subprocess.Popen(
        [sys.executable, "-m", "gradcheck", "run", ".", "--workers", str(workers)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        start_new_session=True,
    ) as process:
        pids = _family(process.pid, 3 * workers)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert out == ""
    assert "Traceback" not in err
    assert len(pids) == 3 * workers
    assert all_gone(pids)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("gradcheck-")] == []


def _family(pid, number, seconds=PATIENCE):
    """Wait until a process has that many descendants, and return their numbers."""
    end = time.monotonic() + seconds
    found: list[int] = []
    while len(found) < number and time.monotonic() < end:
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                own, _, rest = stat.read_text().rpartition(")")
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(own.split()[0])] = int(rest.split()[1])
        found, new = [], [pid]
        while new:
            new = [child for child, parent in parents.items() if parent in new]
            found += new
        time.sleep(0.02)
    return found


@posix
def test_no_script_is_started_once_a_run_was_ended(tmp_path):
    from gradcheck.session.isolate import Children

    children = Children()
    children.end()
    with pytest.raises(InterruptedError, match="ended"):
        prepare(write(tmp_path, RIGHT), Options()).run(children=children)
