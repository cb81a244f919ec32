"""Playing a recorded moment again: where it starts, that it repeats, and that it leaves nothing behind."""

from __future__ import annotations

import pytest

from script_runs import check, check_only, snippet, write

pytestmark = pytest.mark.usefixtures("forked", "forked_commands")

UNDERSTOOD = """
from pathlib import Path
import numpy as np
from gradcheck.script.record.run import record
from gradcheck.script.source.file import SourceFile
from gradcheck.script.request import Overrides
from gradcheck.script.understand.subject import understand
from gradcheck.script.replay.stage import Stage
from gradcheck.script.replay.units import recorded, units_of
source = SourceFile.read(Path("script.py").absolute())
units = units_of(source, None)
recording = record(source, (), 10.0, recorded(source, units), set(units))
subject = understand(recording, Overrides())[0]
backward = subject.backward
def stage(number=0):
    return Stage(recording, backward, backward.moments[number])
def plain(value):
    return {k: np.asarray(v).tolist() for k, v in value.items()}
"""
HEAD = """
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(12, 3)), rng.normal(size=12)
"""
IN_PLACE = (
    HEAD
    + """
calls = []
def loss(w):
    return np.mean((X @ w - Y) ** 2)
def backward(w):
    dw = 2 * X.T @ (X @ w - Y) / len(Y)
    calls.append(len(calls))
    w -= 0.1 * dw
    return dw
w = np.ones(3)
for i in range(4):
    dw = backward(w)
"""
)
DRAWS = (
    HEAD
    + """
import random
np.random.seed(1)
own = np.random.RandomState(3)
class Net:
    def __init__(self):
        self.w, self.rng = np.ones(3), np.random.default_rng(1)
    def loss_and_gradient(self):
        rows = self.rng.permutation(12)[:6]
        keep = (np.random.rand(3) > 0.2) * (own.rand(3) > 0.2) * (1 + random.random())
        R = X[rows] @ (keep * self.w) - Y[rows]
        loss = np.mean(R ** 2)
        return loss, {"w": keep * (2 * X[rows].T @ R / 6)}
net = Net()
for i in range(12):
    loss, grads = net.loss_and_gradient()
    net.w -= 0.01 * grads["w"]
"""
)


@pytest.fixture
def understood(tmp_path):
    def of(script: str, code: str):
        write(tmp_path, script)
        return snippet(UNDERSTOOD + code, cwd=tmp_path)

    return of


@pytest.mark.parametrize("script", [IN_PLACE, DRAWS], ids=["in-place", "random"])
def test_a_moment_gives_the_same_again_and_again(understood, script):
    """Arrays that are changed in place come back, and random draws are those of the moment."""
    first, *others = understood(
        script,
        "s = stage()\nanswer([[s.loss(subject.loss)(s.parameters), plain(s.gradient()(s.parameters))] "
        "for _ in range(6)])",
    )
    assert others == [first] * 5


def test_moments_are_independent_of_each_other(understood):
    """A stage of a late moment, made in between, does not change what an early moment gives."""
    one, late, again = understood(
        DRAWS,
        """
stages = []
for number in (0, -1, 0):
    s = stage(number)
    stages.append(plain(s.gradient()(s.parameters)))
answer(stages)
""",
    )
    assert one == again != late


def test_a_replayed_gradient_is_the_recorded_one(understood):
    replayed, recorded = understood(
        DRAWS,
        "s = stage()\n(call, *_) = recording.of('Net.loss_and_gradient')\n"
        "answer([plain(s.gradient()(s.parameters)), plain(call.result[1])])",
    )
    assert list(replayed.values()) == list(recorded.values())


def test_replays_leave_the_parameters_as_they_were(understood):
    before, after = understood(
        IN_PLACE,
        "s = stage()\nbefore = plain(s.parameters)\nfor _ in range(5): s.gradient()(s.parameters)\n"
        "answer([before, plain(s.parameters)])",
    )
    assert before == after == {"w": [1.0, 1.0, 1.0]}


def test_a_changed_parameter_changes_the_loss_and_is_not_undone(understood):
    values = understood(
        IN_PLACE,
        "s = stage()\nf = s.loss(subject.loss)\nvalues = [f(s.parameters)]\ns.parameters['w'][0] += 1\n"
        "values += [f(s.parameters), f(s.parameters)]\ns.parameters['w'][0] -= 1\nvalues.append(f(s.parameters))\n"
        "answer(values)",
    )
    assert values[0] == values[3] != values[1] == values[2]


def test_plays_are_counted(understood):
    assert (
        understood(
            IN_PLACE, "s = stage()\ns.gradient()(s.parameters)\ns.gradient()(s.parameters)\nanswer(s.evaluations)"
        )
        == 2
    )


REGIONS = {
    "itself": (
        """
def gradient(w):
    dw = 2 * X.T @ (X @ w - Y)
    return dw
w = np.ones(3)
print(gradient(w))
""",
        "its own call",
    ),
    "a-step-at-module-level": (
        """
def gradient(w):
    dw = 2 * X.T @ (X @ w - Y)
    return dw
w = np.ones(3)
dw = gradient(w)
w -= dw * 0.01
""",
        "the code from line 11",
    ),
    "a-loop-at-module-level": (
        """
def backward(p):
    return 2 * X.T @ (p - Y)
w = np.ones(3)
for i in range(3):
    p = X @ w
    dw = backward(p)
    w -= 0.01 * dw
""",
        "the loop in line 10",
    ),
    "a-loop-in-a-function": (
        """
def backward(p):
    return 2 * X.T @ (p - Y)
def train():
    w = np.ones(3)
    while w[0] > 0.99:
        p = X @ w
        dw = backward(p)
        w -= 0.01 * dw
        if dw[0] < 0: break
train()
""",
        "the loop in line 11",
    ),
    "the-caller": (
        """
def backward(p):
    return 2 * X.T @ (p - Y)
def step(w):
    p = X @ w
    dw = backward(p)
    w -= 0.01 * dw
w = np.ones(3)
step(w)
""",
        "the call of `step`",
    ),
    "the-innermost-of-two-loops": (
        """
def backward(p, t):
    return 2 * (p - t)
w = 1.0
for epoch in range(2):
    for t in [0.5, 0.7]:
        p = w * 1.0
        dw = backward(p, t)
        w -= 0.1 * dw
""",
        "the loop in line 11",
    ),
}
LOSSES = {
    "X @ w - Y": "def loss(w):\n    return np.sum((X @ w - Y) ** 2)\n",
    "p - Y": "def loss(p):\n    return np.sum((p - Y) ** 2)\n",
    "p - t": "def loss(p, t):\n    return (p - t) ** 2\n",
}
LOSS = LOSSES["X @ w - Y"]


@pytest.mark.parametrize(("script", "place"), REGIONS.values(), ids=REGIONS)
def test_where_a_replay_starts(tmp_path, script, place):
    loss = next(text for residual, text in LOSSES.items() if residual in script)
    result = check(tmp_path, HEAD.lstrip("\n") + loss + script)
    assert result.error is None, result.error
    assert f"replayed from {place}" in result.evidence[0]
    assert result.verdict == "match"


def test_a_factor_between_activations_and_their_use_is_found_by_replaying_the_loop(tmp_path):
    """What backward is handed follows the parameters, so a mistake in it shows at perturbed points too."""
    script = HEAD + LOSSES["p - Y"] + REGIONS["a-loop-at-module-level"][0].replace("2 * X.T", "2.001 * X.T")
    assert check_only(tmp_path, script).verdict == "mismatch"


@pytest.mark.parametrize(
    ("gradient", "update", "verdict", "noted"),
    [
        ("2 * X.T @ R", "w -= 0.01 * dw", "match", ""),
        ("lr * 2 * X.T @ R", "w -= dw", "match", "lr = 0.01"),
        ("0.02 * X.T @ R", "w -= dw", "match", "the constant 0.01"),
        ("-2 * X.T @ R", "w += 0.01 * dw", "match", "negative"),
        ("-lr * 2 * X.T @ R", "w += dw", "match", "-lr = -0.01"),
        ("X.T @ R", "w -= 0.01 * dw", "match", "the gradients are 1/2 times"),
        ("1.3 * X.T @ R", "w -= 0.01 * dw", "mismatch", ""),
        ("-2 * X.T @ R", "w -= 0.01 * dw", "mismatch", ""),
        ("2 * X.T @ R", "w += 0.01 * dw", "match", ""),
        ("lr * X.T @ R", "w -= dw", "match", "the gradients are 1/2 times"),
        ("lr * 1.3 * X.T @ R", "w -= dw", "mismatch", "lr = 0.01"),
        ("2 * X.T @ R * np.arange(1, 4)", "w -= 0.01 * dw", "mismatch", ""),
        ("lr * 2 * X.T @ np.abs(R)", "w -= dw", "mismatch", "lr = 0.01"),
    ],
)
def test_the_scale_of_a_gradient(tmp_path, gradient, update, verdict, noted):
    """A rate or a sign that the update needs is a convention; a factor beside the update's own rate is a mistake."""
    script = (
        HEAD
        + LOSS
        + (
            f"lr = 0.01\ndef backward(w):\n    R = X @ w - Y\n    dw = {gradient}\n    return dw\n"
            f"w = np.ones(3)\nfor i in range(4):\n    dw = backward(w)\n    {update}\n"
        )
    )
    result = check_only(tmp_path, script)
    assert result.error is None, result.error
    assert result.verdict == verdict
    assert noted in " ".join(result.notes)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("loss = np.sum((X @ w - Y) ** 2)\n    error = 2 * (X @ w - Y)\n    return X.T @ error", "loss"),
        ("error = X @ w - Y\n    cost = error @ error\n    return 2 * X.T @ error", "cost"),
        ("p = X @ w\n    J = np.sum((p - Y) ** 2)\n    return 2 * X.T @ (p - Y)", "J"),
    ],
)
def test_a_local_variable_is_the_loss(tmp_path, body, names):
    script = (
        HEAD + f"def gradient(w):\n    {body}\nw = np.ones(3)\nfor i in range(3):\n    w = w - 0.01 * gradient(w)\n"
    )
    result = check(tmp_path, script)
    assert result.error is None, result.error
    assert (result.verdict, result.entry_points.loss) == ("match", names)


def test_a_value_that_flows_into_the_gradients_is_not_the_loss(tmp_path):
    """``error`` is a scalar with a loss's name, but the gradient is made from it: the loss is inferred from it."""
    script = """
        def backward(x, y, w):
            error = w * x - y
            dw = 2 * error * x
            return dw
        w = 1.0
        for x, y in [(1.0, 2.0), (2.0, 3.0)]:
            dw = backward(x, y, w)
            w -= 0.1 * dw
        """
    result = check(tmp_path, script)
    assert result.verdict == "match"
    assert result.entry_points.loss == "half the squared error of `w * x - y`"
    assert "the loss was inferred" in result.notes[0]
    assert "2 times" in result.notes[0]


def test_a_loss_is_applied_to_the_sides_of_the_residual(tmp_path):
    script = """
        def cost(prediction, target):
            return (prediction - target) ** 2
        def backward(x, y, w):
            p = w * x
            dw = 2 * (p - y) * x
            return dw
        w = 1.0
        for x, y in [(1.0, 2.0), (2.0, 3.0)]:
            dw = backward(x, y, w)
            w -= 0.1 * dw
        """
    result = check_only(tmp_path, script)
    assert result.verdict == "match"
    assert result.entry_points.loss == "cost(p, y)"


LONG_ROUND = (
    HEAD
    + """
w, seen = np.ones(3), [0.0] * 4000
for i in range(3):
    error = X @ w - Y
    loss = np.mean(error ** 2)
    for k in range(4000):
        seen[k] = 0.5 * k
        if k == {when}:
            w -= 0.1 * 2 * X.T @ error / 12
"""
)


@pytest.mark.parametrize("when", [5, 700, 3990])
def test_the_first_change_in_a_long_round_is_found_with_few_looks(understood, when):
    """It is the very statement, wherever it stands; a look behind each of thousands would take most of the time."""
    where, looks = understood(
        LONG_ROUND.format(when=when),
        """
looks = []
real = Stage._has_moved
Stage._has_moved = lambda self, variables: looks.append(1) or real(self, variables)
recording.stops.clear()
s = stage()
s._find_first_change()
first = s._first_change
answer([[source.lines[first.line - 1].strip()[:4], first.count], len(looks)])
""",
    )
    assert where == ["w -=", 1]
    assert looks < 2500


WAITS = (
    HEAD
    + """
import threading
asked = []
def fetch(x):
    asked.append(1)
    threading.Event().wait()
def backward(w):
    return 2 * X.T @ (X @ w - Y) / len(Y)
def loss(w):
    return np.mean((X @ w - Y) ** 2)
w = np.ones(3)
for i in range(4):
    w -= 0.1 * backward(w)
"""
)


def test_a_guessed_call_that_waits_is_tried_once(understood):
    """Its time is over by the clock, not by what it computes: it would take all that there is."""
    said, values = understood(
        WAITS,
        """
import threading
from dataclasses import replace
import gradcheck.script.replay.stage as module
module._WAIT_SECONDS = 0.2
waits, asked = [], recording.module.asked
real = threading.Event.wait
threading.Event.wait = lambda *arguments: waits.append(1) or real(*arguments)
guessed = [replace(subject.loss, text="fetch(w)"), subject.loss]
found = []
for number in (0, 0, 1):
    s = stage(number)
    found.append(s.losses(guessed)(s.parameters))
answer([[len(waits), sorted({str(one) for one, _ in found})], [float(value) for _, value in found]])
""",
    )
    assert said == [1, ["it waits for something"]]
    assert values[0] == values[1] > values[2]


CAREFUL = """
import sys
import numpy as np
rng = np.random.default_rng(0)
X, y = rng.normal(size=(12, 3)), rng.normal(size=(12, 1))
def checked(one, other):
    if one.shape != other.shape or np.abs(one).max() > 50:
        print("these do not fit", file=sys.stderr)
        exit(1)
    return one - other
def squared_loss(out, t):
    return np.mean(checked(out, t) ** 2)
def back(x, t, w):
    return 2 * x.T @ checked(x @ w, t) FACTOR / len(t)
w = rng.normal(size=(3, 1))
for turn in range(20):
    out = X @ w
    dw = back(X, y, w)
    w = w - 0.1 * dw
    if turn % 5 == 0:
        print(turn, squared_loss(out, y))
"""


@pytest.mark.parametrize(("factor", "verdict"), [("", "match"), ("* np.abs(w)", "mismatch")])
def test_code_that_ends_python_where_it_is_handed_something_else_ends_nothing(tmp_path, factor, verdict):
    result = check_only(tmp_path, CAREFUL.replace("FACTOR", factor))
    assert result.error is None, result.error.message
    assert result.verdict == verdict
