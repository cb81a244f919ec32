"""What is said where there is no verdict: it is true of the script, and what to do next can be done."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest

from gradcheck.api import examine_script
from gradcheck.errors import ScriptError
from gradcheck.script.record.run import OutOfTime
from gradcheck.script.request import Request
from gradcheck.script.understand import reading
from gradcheck.settings import Options
from script_runs import check, command, verdicts, write_program

DATA = """
import numpy as np
rng = np.random.default_rng(0)
X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
"""
FUNCTIONS = "def loss(w):\n    return (w - 3) ** 2\ndef gradient(w):\n    return FACTOR * (w - 3)\n"


def told(folder, program: str) -> ScriptError:
    """Return what is told of the first of several files."""
    first, *_ = write_program(folder, program)
    error = examine_script(first, Options(fix=False)).error
    assert error is not None
    return error


STAGES = """
def gradient(w):
    dw = 2 * X.T @ (X @ w - y) / len(y)
    return dw
def loss(w):
    return np.mean((X @ w - y) ** 2)
def step(w, h):
    first = gradient(w)
    second = gradient(w - h / 2 * first)
    return w - h * second
w = np.zeros(3)
for round in range(10):
    w = step(w, 0.1)
print(loss(w))
"""


def test_calls_at_several_values_are_not_said_to_be_of_different_parameters(tmp_path):
    error = told(tmp_path, f"# net.py{DATA}{STAGES}")
    assert (error.slug, error.line) == ("ambiguous", 5)
    assert "with other values of w (of several layers or nets, or moved in between)" in error.message
    assert "for different parameters" not in error.message


@pytest.mark.parametrize(("factor", "verdict"), [("2 *", "match"), ("3 *", "mismatch")])
def test_a_script_that_calls_it_once_a_step_is_checked(tmp_path, factor, verdict):
    once = STAGES.replace("second = gradient(w - h / 2 * first)", "second = first").replace(
        "dw = 2 *", f"dw = {factor}"
    )
    assert verdicts(check(tmp_path, DATA + once + "loss(w)\n", fix=False)) == {"w": verdict}


MOVING = "w = np.ones(3)\nfor i in range(5):\n    w -= 0.1 * grad_tanh(w)\n"
ACTIVATIONS = {
    "sigmoid_prime": ("sigmoid", "1 / (1 + np.exp(-x))", "sigmoid(x) * (1 - sigmoid(x))"),
    "sigmoid_derivative": ("sigmoid", "1 / (1 + np.exp(-x))", "x * (1 - x)"),
    "d_tanh": ("tanh", "np.tanh(x)", "1 - np.tanh(x) ** 2"),
    "grad_tanh": ("tanh", "np.tanh(x)", "1 - np.tanh(x) ** 2"),
    "dReLU": ("ReLU", "np.maximum(x, 0)", "(x > 0) * 1.0"),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_derivative_of_an_activation_is_not_called_a_gradient(tmp_path, name):
    other, value, slope = ACTIVATIONS[name]
    text = f"def {other}(x):\n    return {value}\ndef {name}(x):\n    dx = {slope}\n    return dx\n"
    error = told(tmp_path, f"# net.py{DATA}{text}print({other}(X), {name}(X))\n")
    assert (error.slug, error.line) == ("no-loss", 6)
    assert error.message.startswith(f"`{name}` is, by its name, the derivative of `{other}`, and no step of the script")
    assert "returns gradients" not in error.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # the gradient of a parameter that is not moved, or that is, and functions of other names
        ("def gradient(w):\n    return X.T @ np.tanh(X @ w)\ndw = gradient(np.ones(3))\n", "`gradient` returns"),
        (
            "def tanh(w):\n    return np.tanh(X @ w)\ndef grad_tanh(w):\n    return X.T @ tanh(w)\n" + MOVING,
            "`grad_tanh` returns",
        ),
        (
            "def values(w):\n    return X.T @ np.tanh(X @ w)\n" + MOVING.replace("grad_tanh", "values"),
            "`values` returns",
        ),
    ],
)
def test_gradients_of_parameters_are(tmp_path, text, said):
    error = told(tmp_path, f"# net.py{DATA}{text}")
    assert error.slug == "no-loss"
    assert error.message.startswith(f"{said} gradients of w, but no loss was found")


def test_a_loop_computes_gradients_and_returns_none(tmp_path):
    text = "w = np.ones(3)\nfor i in range(5):\n    w -= 0.1 * X.T @ np.tanh(X @ w)\n"
    error = told(tmp_path, f"# net.py{DATA}{text}")
    assert error.slug == "no-loss"
    assert "returns" not in error.message.partition(",")[0]


def test_functions_are_said_to_stand_where_they_stand(tmp_path):
    module = "def helper(w):\n    return 2 * w\ndef improve(w):\n    return 3 * w\n"
    error = told(tmp_path, f"# net.py\nimport mod\n# mod.py\n{module}")
    assert "mod.py defines `helper`, `improve`, but nothing calls any of it." in error.message
    error = told(tmp_path, f"# net.py\nimport mod\ndef own():\n    pass\n# mod.py\n{module}")
    assert "the script defines `own` and mod.py defines `helper`, `improve`, but nothing calls" in error.message
    error = told(tmp_path, "# net.py\ndef own():\n    pass\n")
    assert "found no gradients: the script defines `own`, but nothing calls it." in error.message
    error = told(tmp_path, "# net.py\nx = 1\n")
    assert "the script defines no function at module or class level. Looked for" in error.message


def test_a_module_that_was_not_looked_at_is_named(tmp_path):
    error = told(tmp_path, "# net.py\nimport mod\nmod.f()\n# mod.py\nfrom math import *\ndef f():\n    return pi\n")
    assert "no function at module or class level; not looked at was what it imports from mod.py, as" in error.message


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("3", "mismatch")])
@pytest.mark.parametrize("module", ["mod.py", "sub/mod.py"])
def test_a_function_of_a_module_is_called_in_its_own_file(tmp_path, module, factor, verdict):
    name = module.removesuffix(".py").replace("/", ".")
    functions = FUNCTIONS.replace("FACTOR", factor)
    error = told(tmp_path, f"# net.py\nimport {name}\ndef gradient():\n    pass\n# {module}\n{functions}")
    assert "nothing calls `gradient`, `" in error.message
    error = told(tmp_path, f"# net.py\nimport {name}\n# {module}\n{functions}")
    typed = f"To call it at the end of {module}: gradcheck run {module} --call 'gradient(w)', with values for w"
    assert error.message.endswith(typed)
    done = command("run", module, "--call", "gradient(0.5)", "--format", "json", "--no-fix", cwd=tmp_path)
    (script,) = json.loads(done.stdout)["scripts"]
    assert script["verdict"] == verdict


def test_how_long_was_looked_for_a_loss_is_told(monkeypatch):
    """It is less than the limit: the script was run before, and something is kept for the check."""

    def search(*_):
        raise OutOfTime

    monkeypatch.setattr(reading, "_understood", search)
    recording = SimpleNamespace(problem=None, recorder=SimpleNamespace(deadline=0.0))
    # a clock that stands still, as a busy machine has one that does not
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    with pytest.raises(ScriptError, match=r"which had 38\.5 of the 60 s; allow more with --timeout SECONDS"):
        reading.understood(recording, Request("script.py", seconds=60.0, deadline=150.5))
