"""What lies in two places at once is checked once, and named once."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from gradcheck.evaluate.random_state import RandomState
from gradcheck.script.record.leaves import identities, leaves
from gradcheck.script.record.run import Call
from gradcheck.script.replay.pairing import Slot
from gradcheck.script.understand.same_place import Places
from script_runs import check_only, verdicts

HANDED = """
import numpy as np
rng = np.random.default_rng(5)


class Plain:
    def step(self, params, slopes):
        for param, slope in zip(params, slopes):
            param -= 0.2 * slope


class Net:
    def __init__(self, rule):
        self.W1, self.b1 = rng.normal(size=(2, 4)), np.zeros((1, 4))
        self.W2, self.b2 = rng.normal(size=(4, 1)), np.zeros((1, 1))
        self.rule = rule

    def forward(self, x):
        self.h = np.tanh(x @ self.W1 + self.b1)
        return self.h @ self.W2 + self.b2

    def backward(self, x, y, out):
        d = 2 * (out - y) / len(y)
        e = d @ self.W2.T * (1 - self.h**2)
        dW2, db2 = self.h.T @ d, FACTOR * d.sum(axis=0, keepdims=True)
        dW1, db1 = x.T @ e, e.sum(axis=0, keepdims=True)
        params = [self.W1, self.b1, self.W2, self.b2]
        self.rule.step(params, [dW1, db1, dW2, db2])


def loss(y, out):
    return np.mean((out - y) ** 2)


def main():
    x, y = rng.normal(size=(9, 2)), rng.normal(size=(9, 1))
    net = Net(Plain())
    for epoch in range(30):
        out = net.forward(x)
        net.backward(x, y, out)
        print(loss(y, out))


main()
"""
# the same without a function around it
PLAIN = (
    HANDED.partition("def main")[0]
    + """
x, y = rng.normal(size=(9, 2)), rng.normal(size=(9, 1))
net = Net(Plain())
for epoch in range(30):
    out = net.forward(x)
    net.backward(x, y, out)
    print(loss(y, out))
"""
)


@pytest.mark.parametrize("text", [HANDED, PLAIN])
@pytest.mark.parametrize(("factor", "verdict"), [("1", "match"), ("3", "mismatch")])
def test_zeros_handed_to_an_optimizer_are_what_was_checked(tmp_path, text, factor, verdict):
    result = check_only(tmp_path, text.replace("FACTOR", factor))
    assert verdicts(result) == {"self.W1": "match", "self.b1": "match", "self.W2": "match", "self.b2": verdict}
    assert result.unchecked == ()


def seen(entered: int, left: int, **arguments: object) -> SimpleNamespace:
    """Return code with one moment."""
    own = {"identities": identities(arguments), "entered": entered, "left": left}
    return SimpleNamespace(moments=[Call("f", 1, arguments, {}, RandomState.capture(), **own)])


def slot(variable: str, value: object) -> Slot:
    return Slot(leaves(variable, value)[-1], variable, is_argument=True)


def test_one_array_is_known_in_a_list_and_other_zeros_are_not():
    one, other = np.zeros(3), np.zeros(3)
    outer, inner = seen(1, 9, b=one), seen(3, 5, params=[other, one])
    assert Places().is_one(inner, slot("params", [other, one]), outer, slot("b", one))
    assert not Places().is_one(inner, slot("params", [other]), outer, slot("b", one))


def test_what_was_seen_at_other_times_may_be_another_array():
    one = np.zeros(3)
    assert not Places().is_one(seen(10, 12, params=[one]), slot("params", [one]), seen(1, 9, b=one), slot("b", one))


LISTS = """
import random
random.seed(2)


def guess(theta, row):
    return sum(t * v for t, v in zip(theta, row))


def misfit(theta, xs, ys):
    plus = 0
    for i in range(0, len(xs)):
        plus += (guess(theta, xs[i]) - ys[i]) ** 2
    return (1 / (2 * len(xs))) * plus


def descend(pace, xs, ys, most):
    old, new, course = [], [], []
    for i in range(len(xs[0])):
        old.append(random.random() * 100)
        new.append(1)
    course.append(misfit(new, xs, ys))
    k = 0
    while abs(new[0] - old[0]) > 1e-9 and k < most:
        for i in range(len(xs[0])):
            old[i] = new[i]
        for i in range(0, len(old)):
            plus = 0
            for j in range(0, len(xs)):
                plus += (guess(old, xs[j]) - ys[j]) * xs[j][i]PLANTED
            new[i] = old[i] - pace * (1 / len(xs)) * plus
        course.append(misfit(new, xs, ys))
        k += 1
    return new, course


xs = [[1, random.random(), random.random()] for _ in range(8)]
ys = [2 * row[1] - row[2] for row in xs]
for pace in (0.1, 0.2):
    print(descend(pace, xs, ys, 40)[0])
"""


@pytest.mark.parametrize(("planted", "verdict"), [("", "match"), (" * (1 + i)", "mismatch")])
def test_a_list_of_ones_that_a_loss_is_handed_is_what_was_checked(tmp_path, planted, verdict):
    result = check_only(tmp_path, LISTS.replace("PLANTED", planted))
    assert verdicts(result) == {"new": verdict}
    assert result.unchecked == ()


def test_one_list_is_known_where_others_are_not():
    one, other = [0.0, 0.0], [0.0, 0.0]
    outer, inner = seen(1, 9, new=one), seen(3, 5, theta=one, old=other)
    assert Places().is_one(inner, slot("theta", one), outer, slot("new", one))
    assert not Places().is_one(inner, slot("old", other), outer, slot("new", one))
