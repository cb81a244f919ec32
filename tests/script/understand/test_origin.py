"""The line that a wrong gradient is blamed on computes it, whatever it is called."""

from __future__ import annotations

import pytest

from script_runs import check_only

ROUND = """\
import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 3)), rng.normal(size=20)
w, b = rng.normal(size=3), np.zeros(1)
for i in range(8):
    r = X @ w + b - Y
    loss = np.mean(r**2)
    STEPS
    print(loss)
"""


def lines(result):
    return {source.parameter: source.span.line for source in result.sources if source.parameter in result.mismatching}


def first(text, part):
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize("name", ["dw", "turn", "v1"])
@pytest.mark.parametrize(
    "step", ["w -= 0.1 * {}", "w = w - 0.1 * {}", "np.subtract(w, 0.1 * {}, out=w)", "np.add(w, {} * -0.1, out=w)"]
)
def test_it_is_where_the_thing_that_is_stepped_along_is_made(tmp_path, name, step):
    steps = f"{name} = X.T @ r**3 / 10  # here\n    b -= 0.1 * 2 * r.mean()\n    " + step.format(name)
    text = ROUND.replace("STEPS", steps)
    assert lines(check_only(tmp_path, text)) == {"w": first(text, "# here")}


@pytest.mark.parametrize(
    "steps",
    [
        "w -= 0.1 * X.T @ r**3 / 10  # here",
        "s = r**3 / 10\n    t = X.T @ s\n    k = np.sqrt(s @ s)\n    w -= 0.1 * t * k  # here",
    ],
)
def test_it_is_the_step_itself_where_that_is_made_of_several_things(tmp_path, steps):
    text = ROUND.replace("STEPS", steps + "\n    b -= 0.1 * 2 * r.mean()")
    assert lines(check_only(tmp_path, text)) == {"w": first(text, "# here")}


@pytest.mark.parametrize("power", [1, 3])
def test_what_is_stepped_in_place_by_functions_is_checked(tmp_path, power):
    steps = f"turn = X.T @ r ** {power} / 10\n    np.multiply(turn, 0.1, out=turn)\n    np.subtract(w, turn, out=w)"
    text = ROUND.replace("STEPS", steps + "\n    b -= 0.1 * 2 * r.mean()")
    assert check_only(tmp_path, text).mismatching == (("w",) if power == 3 else ())
