"""``gradcheck compare``: what it says about trainings whose trouble is known, and about those that have none."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from click.testing import CliRunner

from gradcheck.api import Job
from gradcheck.cli import cli
from gradcheck.compare import compare_script
from gradcheck.comparison.compare import Choices
from gradcheck.comparison.record import Cause
from gradcheck.demo import TEXT
from gradcheck.errors import UsageError
from gradcheck.session.result import Unchecked
from gradcheck.settings import Options
from notebooks import write_notebook
from script_runs import command, write

pytestmark = pytest.mark.usefixtures("forked_children", "forked_commands")

# the thread's habits: data of nine numbers, the learning rate in what is returned, the samples picked inside
NINE = (
    re.sub(r"range\(1, 13\)", "range(1, 10)", TEXT)
    .replace("run(30", "run(16")
    .replace("run(7", "run(5")
    .replace("= 8000", "= 3000")
)
XOR = """
import numpy as np

np.random.seed({seed})
X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
T = np.array([[0], [1], [1], [0]], dtype=float)
W1, b1 = np.random.randn(2, 5), np.zeros(5)
W2, b2 = np.random.randn(5, 1), np.zeros(1)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def forward(X):
    H = np.tanh(X @ W1 + b1)
    return H, sigmoid(H @ W2 + b2)


for step in range(1000):
    H, P = forward(X)
    loss = np.mean((P - T) ** 2)
    dZ = 2 * (P - T) / P.size * P * (1 - P)
    dW2, db2 = H.T @ dZ, dZ.sum(axis=0)
    dH = dZ @ W2.T * (1 - H ** 2)
    dW1, db1 = X.T @ dH, dH.sum(axis=0)
    W1 -= dW1
    b1 -= db1
    W2 -= dW2
    b2 -= db2
print(forward(X)[1])
"""
# each gradient of the first layer has the wrong sign: the hidden units are driven away from what is wanted
UPHILL = XOR.replace("dH = dZ @ W2.T", "dH = -dZ @ W2.T")

# a line through samples that are picked at random, by an author who sets no seed
LINE = """
import random
xs, ys = [0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 5.0, 7.5]
slope, shift = 0.0, 0.0
def step(x, y, slope, shift):
    error = slope * x + shift - y
    loss = error ** 2
    return 2 * error * x, 2 * error
for i in range(400):
    k = random.randrange(4)
    d_slope, d_shift = step(xs[k], ys[k], slope, shift)
    slope -= 0.05 * d_slope
    shift -= 0.05 * d_shift
with open("end.txt", "w") as file:
    pass
print(repr(slope), repr(shift))
"""

NO_DATA = """
w = 3.0
def grad(w):
    loss = w * w
    dw = 2 * w
    return dw
for i in range(9):
    dw = grad(w)
    w -= 0.1 * dw
"""


def compared(folder, text, seed=0, **choices):
    found = compare_script(
        str(write(folder, text)), Options(isolated=True, seed=seed, timeout=60), Choices(**choices) if choices else None
    )
    assert found.error is None, found.error.message
    return found


@pytest.fixture
def short_reference(monkeypatch):
    """Train the reference a little: for tests that are about the script, or about what is shown."""
    monkeypatch.setattr("gradcheck.comparison.trainings._EPOCHS", 100)


def causes(found):
    return [conclusion.cause for conclusion in found.conclusions]


# -- what is concluded ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_the_whole_truth_about_parity_with_one_neuron(seed, tmp_path):
    """The gradients are wrong, their fix does not help, more hidden units do, and what is asked is not scaled."""
    found = compared(tmp_path, NINE, seed)
    assert causes(found) == [Cause.CAPACITY, Cause.ALSO_GRADIENT]
    assert found.run("script").widths == found.run("fixed").widths == found.run("reference").widths == (1, 1, 1)
    assert found.setting.samples == 9
    assert 0.2 < found.run("fixed").final < 0.27
    assert 0.2 < found.run("reference").final < 0.25
    assert found.run("wider").widths == (1, 8, 1)
    assert found.run("wider").final < 0.001
    sentence = found.conclusions[0].sentence
    assert "the corrected network cannot represent the task" in sentence
    assert "8 hidden units" in sentence
    (finding,) = found.findings
    assert finding.code == "GC401"
    assert "asked about 5 and 16" in finding.message
    assert "from 0.111 to 1" in finding.message


@pytest.mark.parametrize("seed", range(3))
def test_a_wrong_gradient_that_keeps_a_network_from_learning(seed, tmp_path):
    found = compared(tmp_path, UPHILL.format(seed=seed))
    assert causes(found) == [Cause.GRADIENT]
    assert found.run("script").final > 5 * found.run("fixed").final
    assert "the gradient was the problem" in found.conclusions[0].sentence


@pytest.mark.parametrize("seed", range(3))
def test_a_right_script_that_learns(seed, tmp_path):
    found = compared(tmp_path, XOR.format(seed=seed))
    assert causes(found) == [Cause.NOTHING]
    assert found.run("fixed") is None
    assert found.findings == ()
    assert "training was never the problem" in found.conclusions[0].sentence


def test_what_was_not_checked_is_a_note(tmp_path, monkeypatch, short_reference):
    run, row = Job.run, Unchecked("temperature", (), "why")
    monkeypatch.setattr(Job, "run", lambda job, output: replace(run(job, output), unchecked=(row,)))
    found = compared(tmp_path, XOR.format(seed=0))
    assert found.notes[0] == "not checked: `temperature`; what is said about the gradients is said about the others"


def test_a_network_without_a_hidden_layer_cannot_represent_xor(tmp_path):
    text = """
    import numpy as np
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
    T = np.array([0.0, 1.0, 1.0, 0.0])
    w, b = np.array([0.3, -0.2]), 0.1
    for step in range(500):
        p = 1 / (1 + np.exp(-(X @ w + b)))
        loss = -np.mean(T * np.log(p) + (1 - T) * np.log(1 - p))
        dw = X.T @ (p - T) / len(T)
        db = np.mean(p - T)
        w -= 0.5 * dw
        b -= 0.5 * db
    """
    found = compared(tmp_path, text)
    assert causes(found) == [Cause.CAPACITY]
    assert found.setting.measure == "cross-entropy"
    assert found.setting.baseline == pytest.approx(np.log(2))
    assert found.run("script").widths == (2, 1)
    assert "one weighted sum" in found.conclusions[0].sentence


def test_the_same_without_a_hidden_layer_learns_and(tmp_path):
    text = """
    import numpy as np
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
    T = np.array([0.0, 0.0, 0.0, 1.0])
    w, b = np.array([0.3, -0.2]), 0.1
    for step in range(20000):
        p = 1 / (1 + np.exp(-(X @ w + b)))
        loss = -np.mean(T * np.log(p) + (1 - T) * np.log(1 - p))
        dw = X.T @ (p - T) / len(T)
        db = np.mean(p - T)
        w -= 2 * dw
        b -= 2 * db
    """
    assert causes(compared(tmp_path, text)) == [Cause.NOTHING]


def test_targets_that_nothing_tells(tmp_path, short_reference):
    text = """
    import numpy as np
    rng = np.random.default_rng(0)
    X = np.zeros((20, 1)) + np.array([[1.0], [2.0]] * 10)
    Y = rng.normal(size=(10, 1)).repeat(2, axis=0)
    w = np.zeros((1, 1))
    b = np.zeros(1)
    for step in range(100):
        loss = np.mean((X @ w + b - Y) ** 2)
        error = X @ w + b - Y
        dw = 2 * X.T @ error / len(X)
        db = 2 * error.mean(axis=0)
        w -= 0.1 * dw
        b -= 0.1 * db
    """
    found = compared(tmp_path, text)
    assert causes(found) == [Cause.UNKNOWN]
    assert "may not tell the targets" in found.conclusions[0].sentence


NOISY = """
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=({n}, 2))
T = (X @ np.array([1.0, -1.0]) + {noise} * rng.normal(size={n}) > 0).astype(float)
w, b = np.zeros(2), 0.0
for step in range(300):
    p = 1 / (1 + np.exp(-(X @ w + b)))
    loss = -np.mean(T * np.log(p) + (1 - T) * np.log(1 - p))
    dw = X.T @ (p - T) / len(T)
    db = np.mean(p - T)
    w -= 0.5 * dw
    b -= 0.5 * db
"""


def test_what_a_wider_network_learns_by_heart_is_no_capacity(tmp_path, monkeypatch):
    # more than the samples are learned by heart in
    monkeypatch.setattr("gradcheck.comparison.trainings._EPOCHS", 1000)
    found = compared(tmp_path, NOISY.format(n=60, noise=1.5))
    assert found.run("wider").final < 0.2 * found.run("reference").final
    assert causes(found) == [Cause.NOTHING]
    assert "by heart" in found.notes[0]


def test_what_a_wider_network_learns_for_good_is(tmp_path):
    text = NOISY.format(n=60, noise=0).replace("X @ np.array([1.0, -1.0])", "X[:, 0] * X[:, 1]")
    found = compared(tmp_path, text)
    assert causes(found) == [Cause.CAPACITY]
    assert found.notes == ()


@pytest.mark.parametrize(("rounds", "cause"), [(60, Cause.UNFINISHED), (3000, Cause.NOTHING)])
def test_a_training_that_is_stopped_early(rounds, cause, tmp_path):
    text = """
    import numpy as np
    X = np.linspace(-1, 1, 15).reshape(-1, 1)
    Y = 3 * X + 1
    W, c = np.zeros((1, 1)), np.zeros(1)
    for step in range(ROUNDS):
        loss = np.mean((X @ W + c - Y) ** 2)
        error = X @ W + c - Y
        dW = 2 * X.T @ error / len(X)
        dc = 2 * error.mean(axis=0)
        W -= 0.02 * dW
        c -= 0.02 * dc
    """
    found = compared(tmp_path, text.replace("ROUNDS", str(rounds)))
    assert causes(found) == [cause]
    assert found.findings == ()


# -- how a training is seen -------------------------------------------------------------------------------------------


def test_the_loss_is_that_over_all_samples_at_the_end_of_the_script(tmp_path, short_reference):
    """A script that sees one sample at a time is measured on all of them, with the parameters it ends with."""
    printed = bytearray()
    path = write(tmp_path, LINE)
    found = compare_script(str(path), Options(isolated=True), output=printed.extend)
    slope, shift = map(float, printed.decode().strip().split("\n")[-1].split())
    errors = slope * np.arange(4.0) + shift - np.array([1, 3, 5, 7.5])
    run = found.run("script")
    assert found.setting.samples == 4
    assert run.final == pytest.approx(np.mean(errors**2))
    assert run.steps[0] == 1
    assert run.steps[-1] == 401
    assert run.losses[0] == pytest.approx(np.mean(np.square([1, 3, 5, 7.5])))
    assert 32 < len(run.losses) < 70


@pytest.mark.parametrize(
    ("text", "followed"),
    [(LINE.replace("return 2 * error * x,", "return 2 * error * y,"), 2), (XOR.format(seed=0), 1)],
    ids=["unseeded", "seeded"],
)
def test_a_comparison_can_be_repeated(text, followed, tmp_path, short_reference):
    first, second = ([run.losses for run in compared(tmp_path, text, 1).runs if run.unit == "call"] for _ in range(2))
    assert len(first) == followed  # the script, and itself with its fix
    assert first == second


@pytest.mark.parametrize("orientation", ["rows", "columns"])
def test_samples_in_rows_and_in_columns(orientation, tmp_path):
    data = "X = rng.normal(size=(30, 3))\nY = np.sum(X, axis=1, keepdims=True)"
    text = f"""
import numpy as np
rng = np.random.default_rng(0)
{data}
W, c = rng.normal(size=(3, 1)), np.zeros((1, 1))
for step in range(300):
    P = X @ W + c
    loss = np.mean((P - Y) ** 2)
    dW, dc = 2 * X.T @ (P - Y) / 30, 2 * np.mean(P - Y, keepdims=True)
    W -= 0.2 * dW
    c -= 0.2 * dc
"""
    if orientation == "columns":
        text = text.replace("X = rng.normal(size=(30, 3))", "X = rng.normal(size=(3, 30))")
        text = text.replace("np.sum(X, axis=1", "np.sum(X, axis=0").replace("X @ W", "W @ X")
        text = text.replace("W, c = rng.normal(size=(3, 1))", "W, c = rng.normal(size=(1, 3))")
        text = text.replace("X.T @ (P - Y)", "(P - Y) @ X.T")
    found = compared(tmp_path, text)
    assert (found.setting.samples, found.run("script").widths) == (30, (3, 1))
    assert causes(found) == [Cause.NOTHING]


CLASSES = """
import numpy as np

rng = np.random.default_rng(1)
y = np.arange(3).repeat(10)
X = rng.normal(size=(30, 2)) * 0.2 + np.array([[0, 2], [-2, -1], [2, -1]])[y]
W, b = rng.normal(size=(2, 3)), np.zeros(3)
for step in range(200):
    scores = X @ W + b
    probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = -np.mean(np.log(probs[np.arange(30), y]))
    delta = probs.copy()
    delta[np.arange(30), y] -= 1
    dW, db = X.T @ delta / 30, delta.mean(axis=0)
    W -= 0.5 * dW
    b -= 0.5 * db
"""


def test_targets_may_be_the_numbers_of_classes(tmp_path):
    found = compared(tmp_path, CLASSES)
    run = found.run("script")
    assert (run.widths, run.output, found.setting.measure) == ((2, 3), "softmax", "cross-entropy")
    assert found.setting.baseline == pytest.approx(np.log(3))
    assert causes(found) == [Cause.NOTHING]


def test_batches_are_put_together(tmp_path, short_reference):
    text = """
    import numpy as np
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    Y = X @ np.array([[1.0], [-2.0]])
    W = np.zeros((2, 1))
    def gradient(W, x, y):
        error = x @ W - y
        loss = np.mean(error ** 2)
        dW = 2 * x.T @ error / len(x)
        return dW
    for epoch in range(20):
        for start in range(0, 40, 8):
            W = W - 0.1 * gradient(W, X[start:start + 8], Y[start:start + 8])
    """
    found = compared(tmp_path, text)
    assert found.setting.samples == 40
    assert found.run("script").losses[0] == pytest.approx(found.setting.baseline, rel=0.1)
    assert found.run("script").steps[-1] == 101


AMBIGUOUS = """
import numpy as np
rng = np.random.default_rng(0)
heights, noise = rng.normal(size=(20, 1)), 0.01 * rng.normal(size=(20, 1))
weights_kg = 3 * heights + 1
def gradient(w, c, heights, noise, weights_kg):
    out = (heights + noise) @ w + c
    loss = np.mean((out - weights_kg) ** 2)
    dw = 2 * (heights + noise).T @ (out - weights_kg) / 20
    dc = 2 * np.mean(out - weights_kg)
    return dw, dc
w, c = np.zeros((1, 1)), 0.0
for i in range(100):
    dw, dc = gradient(w, c, heights, noise, weights_kg)
    w, c = w - 0.1 * dw, c - 0.1 * dc
"""


def test_between_two_variables_there_is_no_guess(tmp_path):
    found = compare_script(str(write(tmp_path, AMBIGUOUS)), Options(isolated=True))
    assert found.error.slug == "no-data"
    assert "`heights`, `noise`" in found.error.message


def test_a_named_variable_settles_it(tmp_path, short_reference):
    text = AMBIGUOUS.replace("(heights + noise)", "heights").replace("heights @ w", "(heights + 0 * noise) @ w")
    assert "heights" in compared(tmp_path, text, inputs="heights").setting.inputs


def test_a_notebook_is_compared_with_its_fix(tmp_path):
    first, second = UPHILL.format(seed=0).split("\n\n\n", 1)
    path = write_notebook(tmp_path, first, second)
    found = compare_script(str(path), Options(isolated=True))
    assert found.error is None, found.error.message
    assert causes(found) == [Cause.GRADIENT]


def test_a_plot_needs_matplotlib_or_is_drawn(tmp_path, short_reference):
    path = write(tmp_path, XOR.format(seed=0))
    done = CliRunner().invoke(cli, ["compare", "--isolated", "--plot", str(tmp_path / "curves.svg"), str(path)])
    if find_spec("matplotlib") is None:
        assert (done.exit_code, type(done.exception)) == (1, UsageError)
        assert "gradcheck[plot]" in str(done.exception)
    else:
        assert done.exit_code == 0
        assert (tmp_path / "curves.svg").read_text().count("<svg") == 1


def test_the_number_of_hidden_units_can_be_chosen(tmp_path, short_reference):
    assert compared(tmp_path, XOR.format(seed=0), hidden=(7,)).run("wider").widths == (2, 7, 1)


# -- the command ------------------------------------------------------------------------------------------------------


def test_what_the_command_prints(tmp_path):
    path = write(tmp_path, XOR.format(seed=0), "mynet.py")
    done = command("compare", "--isolated", path.name, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "network 2-5-1 (tanh, sigmoid)" in done.stdout
    assert re.search(r"^  the best constant +0\.25$", done.stdout, flags=re.MULTILINE)
    assert done.stdout.count("loss by ") == 3
    assert "\n- training was never the problem: the gradients are right" in done.stdout


def test_json_holds_every_curve(tmp_path):
    path = write(tmp_path, UPHILL.format(seed=0))
    done = command("compare", "--isolated", "--format", "json", path.name, cwd=tmp_path)
    content = json.loads(done.stdout)
    assert (done.returncode, content["cause"], content["error"]) == (0, "gradient", None)
    assert [run["name"] for run in content["runs"]] == ["script", "fixed", "reference", "wider"]
    assert all(len(run["losses"]) == len(run["steps"]) > 10 for run in content["runs"])
    assert content["data"]["constant"] == 0.25


@pytest.mark.parametrize(
    ("text", "slug", "word"),
    [
        ("x = 1\n", "no-gradient", "gradient"),
        ("x = = 1\n", "syntax-error", "Python"),
        (
            NO_DATA,
            "no-data",
            "--inputs NAME",
        ),
    ],
)
def test_what_cannot_be_compared_says_why(text, slug, word, tmp_path):
    path = write(tmp_path, text)
    done = CliRunner().invoke(cli, ["compare", "--isolated", str(path)])
    assert done.exit_code == 3
    assert slug in done.stdout
    assert word in done.stdout
    as_json = json.loads(CliRunner().invoke(cli, ["compare", "--isolated", "--format", "json", str(path)]).stdout)
    assert as_json["error"]["slug"] == slug


def test_a_network_of_another_kind_is_refused(tmp_path):
    text = """
    import numpy as np
    x, y = np.linspace(1, 2, 9), np.linspace(1, 2, 9) ** 1.5
    p = 0.7
    for i in range(50):
        guess = x ** p
        loss = np.mean((guess - y) ** 2)
        dp = np.mean(2 * (guess - y) * guess * np.log(x))
        p -= 0.1 * dp
    """
    found = compare_script(str(write(tmp_path, text)), Options(isolated=True))
    assert found.error.slug == "no-reference"
    assert "`p` (a number)" in found.error.message


@pytest.mark.parametrize("arguments", [("a.py", "b.py"), ("--hidden", "0", "a.py"), ("--seed", "x", "a.py")])
def test_wrong_usage(arguments):
    assert CliRunner().invoke(cli, ["compare", *arguments]).exit_code == 2
