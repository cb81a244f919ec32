"""What a search finds depends on how much it may evaluate, not on how quick the machine is."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time

import pytest

from gradcheck.repair.budget import Budget, Share, numbers_in
from gradcheck.script.request import Request
from gradcheck.session.child import REQUEST, RESPONSE
from script_runs import LIMIT, snippet, write
from small_scripts import DATA

SCRIPT = (
    DATA
    + """
W = rng.normal(size=(3, 2))
b = np.zeros(2)


def loss(W, b):
    return np.mean((np.tanh(X @ W + b) - Y) ** 2)


def gradients(W, b):
    out = np.tanh(X @ W + b)
    delta = 2 * (out - Y) / Y.size * (1 - out)
    return X.T @ delta, delta.sum(axis=0)


for step in range(20):
    dW, db = gradients(W, b)
    W -= 0.01 * dW
    b -= 0.01 * db
"""
)


def later(seconds: float) -> float:
    return time.monotonic() + seconds


def test_what_is_spent_is_counted():
    budget = Budget(1_000, later(60))
    budget.evaluated(3)
    assert budget.spent == 3
    budget.replayed()
    assert budget.spent == 13
    budget.replay_is_worth(statements=50, numbers=20_000)
    budget.replayed()
    assert budget.spent == 13 + 40
    budget.set_up()
    assert budget.spent == 153
    assert not budget.was_short


def test_a_share_is_of_what_is_left():
    budget = Budget(1_000, later(60))
    budget.evaluated(200)
    half = budget.share(0.5)
    budget.evaluated(399)
    assert not half.is_spent
    assert not budget.was_short
    budget.evaluated()
    assert half.is_spent
    assert budget.was_short
    assert not budget.rest().is_spent


def test_an_extra_ends_without_anything_missing():
    budget = Budget(1_000, later(60))
    extra = Share(budget, 10, is_extra=True)
    budget.evaluated(10)
    assert extra.is_spent
    assert not budget.was_short


def test_the_clock_is_the_last_resort():
    budget = Budget(1_000, later(-1))
    assert budget.rest().is_spent
    assert budget.was_short


@pytest.mark.parametrize(("value", "count"), [([1, 2, 3], 3), ("abc", 1), (2.0, 1), (None, 1)])
def test_numbers_are_counted(value, count):
    assert numbers_in(value) == count


EXAMINE = """
import time
import gradcheck.repair.bench as bench
import gradcheck.session.causes as causes
from gradcheck.script.request import Request
from gradcheck.session.examine import examine

units, pause = int(sys.argv[2]), float(sys.argv[3])
causes._UNITS_PER_SECOND = units
spent, made, guarded = [], bench.Budget.__init__, bench.Trial._guarded


def make(self, *arguments):
    made(self, *arguments)
    spent.append(self)


def slow(self, *arguments):
    time.sleep(pause)
    return guarded(self, *arguments)


bench.Budget.__init__, bench.Trial._guarded = make, slow
result = examine(Request(sys.argv[1], seconds=100.0))
answer({
    "verdict": result.verdict,
    "findings": [repr(finding) for finding in result.findings],
    "notes": result.notes,
    "spent": [budget.spent for budget in spent],
})
"""


def examined(folder, units=5_000, pause=0.0):
    return snippet(EXAMINE, write(folder, SCRIPT), units, pause, cwd=folder)


def test_a_slow_machine_finds_the_same(tmp_path):
    quick, slow = examined(tmp_path), examined(tmp_path, pause=0.01)
    assert quick["findings"]
    assert quick == slow


def test_a_search_that_is_cut_off_says_so_and_blames_no_line(tmp_path):
    found = examined(tmp_path, units=5)
    assert found["verdict"] == "mismatch"
    assert found["findings"] == []
    (note,) = found["notes"]
    assert "cut off" in note
    assert "--timeout 200 " in note


HANG = """
import time
from pathlib import Path
import gradcheck.session.child as child
import gradcheck.session.causes as causes

causes.find_causes = lambda *_: time.sleep(1000)
child.main(Path({folder!r}))
"""


def test_the_verdict_is_left_before_the_search_begins(tmp_path):
    path = write(tmp_path, SCRIPT)
    (tmp_path / REQUEST).write_bytes(pickle.dumps(Request(str(path), seconds=100.0)))
    child = subprocess.Popen([sys.executable, "-c", HANG.format(folder=str(tmp_path))], cwd=tmp_path)
    try:
        end = later(LIMIT)
        result = None
        # what is left first is what is known after the first point
        while (result is None or not any("cut off" in note for note in result.notes)) and time.monotonic() < end:
            time.sleep(0.05)
            if (tmp_path / RESPONSE).exists():
                result = pickle.loads((tmp_path / RESPONSE).read_bytes())
    finally:
        child.kill()
        child.wait()
    assert result.mismatching == ("W", "b")
    assert result.lines
    assert any("cut off" in note for note in result.notes)
