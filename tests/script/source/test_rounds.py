"""Steps outside of loops, and steps between an old and a new value."""

from __future__ import annotations

import ast

import pytest

from gradcheck.script.source.rounds import with_rounds
from gradcheck.script.source.syntax import loops_in
from gradcheck.script.source.updates import moves_in

STEP = """
X = load()
w, b = start()
out = X @ w + b
gap = out - y
loss = gap @ gap
dw = X.T @ gap
w = w - 0.1 * dw
b -= 0.1 * gap.sum()
print(w)
"""


def rounds(text):
    """Return the lines of the code that is taken for one round, by its first and last line."""
    loops = loops_in(with_rounds(ast.parse(text)).body, None)
    return [(loop.name, loop.node.body[0].lineno, loop.node.body[-1].lineno) for loop in loops]


def test_a_step_at_the_top_level_is_a_round():
    assert rounds(STEP) == [("the code from line 4", 4, 9)]


@pytest.mark.parametrize(
    "text",
    [
        "X = load()\nX = X - X.mean(axis=0)\nprint(X)\n",
        "y = load()\ntrend = slope()\ny = y - 0.5 * trend\nprint(y)\n",
        "n = 0\nfor x in data:\n    n += 1\nn += 1\n",
        "w = start()\nprint(w)\nw = step(w)\n",
        "total = 0.0\ntotal += first\ntotal += second\n",
        "names = []\nnames = names + [first(names)]\n",
        "def f(w):\n    w = w - 0.1 * g(w)\n    return w\n",
    ],
)
def test_what_is_no_step_stays_as_it_is(text):
    tree = ast.parse(text)
    assert ast.dump(with_rounds(ast.parse(text))) == ast.dump(tree)


def test_only_the_first_of_several_steps_is_taken():
    text = "w = start()\ng = grad(w)\nw = w - 0.1 * g\ng = grad(w)\nw = w - 0.1 * g\n"
    assert rounds(text) == [("the code from line 2", 2, 3)]


def test_data_that_are_prepared_first_stay_outside():
    text = "y = load()\ny = y - 0.5 * trend\n" + STEP
    assert rounds(text) == [("the code from line 6", 6, 11)]


@pytest.mark.parametrize(
    ("body", "moved"),
    [
        ("new = old - r * g\n    old = new", {"old"}),
        ("a1, b1 = a0 - r * ga, b0 - r * gb\n    a0, b0 = a1, b1", {"a0", "b0"}),
        ("new = old - r * g\n    kept = new", set()),
        ("new = other - r * g\n    old = new", set()),
        ("old = new\n    new = old - r * g", {"old"}),
    ],
)
def test_what_is_computed_from_the_old_value_and_becomes_it_is_moved(body, moved):
    tree = with_rounds(ast.parse(f"for i in range(9):\n    {body}\n"))
    assert {update.target for update in moves_in(tree)} == moved
