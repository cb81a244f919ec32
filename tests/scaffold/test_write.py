"""Generated tests pass and fail under pytest as the script is right or wrong, and look as if a person wrote them."""

from __future__ import annotations

import ast
import os
import pickle
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from click.testing import CliRunner
from filelock import FileLock

from forked_processes import IS_POSSIBLE, fork_children
from gradcheck.api import Job
from gradcheck.cli import cli
from gradcheck.scaffold.draw import drawn, shortened
from gradcheck.scaffold.generate import write_test
from gradcheck.scaffold.importable import is_importable
from gradcheck.scaffold.layout import Group, Quote, laid_out, unparsed
from gradcheck.scaffold.target import Target, function_name
from gradcheck.script.source.file import SourceFile
from gradcheck.session.result import Unchecked
from gradcheck.session.samples import Kind, sample_of
from gradcheck.settings import Options
from notebooks import write_notebook
from script_runs import write
from small_scripts import DATA, PAIRS

pytestmark = pytest.mark.usefixtures("forked_children", "forked_commands")

ROOT = Path(__file__).parents[2]
MAIN = """
import numpy as np

{functions}

def main():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 5))
    {training}
if __name__ == "__main__":
    main()
"""
DICT = MAIN.format(
    functions="""
RATE = 0.1

def forward(X, W1, b1, W2):
    H = np.tanh(X @ W1 + b1)
    return H, H @ W2

def softmax(Z):
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)

def cost(P, T):
    return -np.sum(T * np.log(P)) / len(T)

def backprop(X, T, W1, b1, W2):
    H, Z = forward(X, W1, b1, W2)
    D = (softmax(Z) - T) / len(T)
    dH = D @ W2.T * (1 - H ** 2)
    return {"dW1": X.T @ dH, "db1": dH.sum(axis=0), "dW2": H.T @ D}
""",
    training="""
    T = np.eye(3)[rng.integers(0, 3, 40)]
    W1, b1, W2 = rng.normal(size=(5, 20)), np.zeros(20), rng.normal(size=(20, 3))
    for i in range(20):
        grads = backprop(X, T, W1, b1, W2)
        W1 -= RATE * grads["dW1"]
        b1 -= RATE * grads["db1"]
        W2 -= RATE * grads["dW2"]
    print(cost(softmax(forward(X, W1, b1, W2)[1]), T))
""",
)
TOGETHER = MAIN.format(
    functions="""
def loss_and_grads(params, X, y):
    R = X @ params["w"] + params["b"] - y
    return np.mean(R ** 2), {"w": 2 * X.T @ R / len(y), "b": 2 * R.mean()}
""",
    training="""
    params, y = {"w": np.zeros(5), "b": 0.5}, rng.normal(size=40)
    for i in range(20):
        loss, grads = loss_and_grads(params, X, y)
        for name in params:
            params[name] = params[name] - 0.1 * grads[name]
    print(loss)
""",
)
VECTOR = MAIN.format(
    functions="""
def objective(theta, t, y):
    return np.sum((theta[0] * np.exp(-theta[1] * t) - y) ** 2)

def jac(theta, t, y):
    e = np.exp(-theta[1] * t)
    r = 2 * (theta[0] * e - y)
    return np.array([np.sum(r * e), np.sum(-r * theta[0] * t * e)])
""",
    training="""
    t = np.linspace(0, 4, 25)
    y = 2 * np.exp(-0.7 * t)
    theta = np.array([1.0, 0.3])
    for i in range(50):
        theta = theta - 0.005 * jac(theta, t, y)
    print(objective(theta, t, y))
""",
)
TWO = (
    DATA
    + """
def loss_of_line(W):
    return np.mean((X @ W - Y) ** 2)
def line_gradient(W):
    dW = 2 * X.T @ (X @ W - Y) / Y.size
    return dW
def loss_of_curve(V):
    return np.mean((np.tanh(X @ V) - Y) ** 2)
def curve_gradient(V):
    P = np.tanh(X @ V)
    dV = 2 * X.T @ ((P - Y) * (1 - P * P)) / Y.size
    return dV
W, V = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
for step in range(30):
    dW = line_gradient(W)
    W -= 0.1 * dW
for step in range(30):
    dV = curve_gradient(V)
    V -= 0.1 * dV
print(loss_of_line(W), loss_of_curve(V))
"""
)
OWN = {pair.name: pair for pair in PAIRS}


def _of(name):
    return OWN[name].text, OWN[name].old, OWN[name].new


# the script, how the mistake is planted, and where the test lies
SCRIPTS = {
    "returns_tuple.py": (*_of("main-function"), "test_returns_tuple.py"),
    "returns_dict.py": (DICT, "* (1 - H ** 2)", "* (1 - H)", "test_returns_dict.py"),
    "loss_and_grads.py": (TOGETHER, "2 * R.mean()", "R.mean()", "test_loss_and_grads.py"),
    "models/vector.py": (VECTOR, "* theta[0] * t", "* t", "tests/unit/test_vector.py"),
    "a_class.py": (*_of("class-with-methods"), "test_a_class.py"),
    "module_level.py": (OWN["array-globals"].text, "R.sum(axis=0)", "R.mean(axis=0)", "tests/test_module_level.py"),
    "lesson.ipynb": (*_of("dict-of-parameters"), "test_lesson.py"),
    "mein größtes netz.py": (OWN["german"].text, "2 * Größe.T", "7 * Größe.T", "test_netz.py"),
    "two_functions.py": (TWO, "(1 - P * P)", "(1 - P)", "test_two_functions.py"),
    "wrong_function.py": (*_of("main-function"), "test_wrong_function.py"),
    "wrong_script.py": (*_of("positional-parameters"), "test_wrong_script.py"),
}
DIRECT = {"returns_tuple.py", "returns_dict.py", "loss_and_grads.py", "models/vector.py", "wrong_function.py"}


def put(folder, name, *, right):
    text, old, new, _ = SCRIPTS[name]
    text = dedent(text).lstrip("\n")
    assert text.count(old) == 1
    text = text if right else text.replace(old, new)
    if name.endswith(".ipynb"):
        write_notebook(folder, *text.split("\n\n"), name=name)
    else:
        write(folder, text, name)


def outcomes(folder, forks):
    """Run pytest with the plugin in a folder; return what became of each test, and the names of all."""
    command = ["-m", "pytest", "-q", "-rA", "--tb=no", "-p", "no:cacheprovider", "-p", "_gradcheck_pytest"]
    command += ["-c", os.devnull, "."]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    # nobody asks for fixes, and no other plugin is needed
    environment |= {"GRADCHECK_FIX": "false", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    if IS_POSSIBLE:
        run = forks.run(command, cwd=folder, environment=environment)
    else:
        run = subprocess.run(
            [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    found = re.findall(r"^(PASSED|FAILED|ERROR) (?:\S*/)?(test_\w+\.py)(?:::(\S+))?", run.stdout, re.MULTILINE)
    assert found, run.stdout + run.stderr
    files = {file: {word for word, other, _ in found if other == file} for _, file, _ in found}
    return files, {name for _, _, name in found}


@pytest.fixture(scope="module")
def made(folder_of_run, examiner, forks):
    """Write a test for every script, those called wrong with their mistake in them; return texts and outcomes.

    It is done once in a run, by whichever process asks first.
    """
    kept = folder_of_run / "written.pickle"
    with FileLock(f"{kept}.lock"):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(_made(folder_of_run / "written", examiner, forks)))
    return pickle.loads(kept.read_bytes())


def _made(folder, examiner, forks):
    (folder / "tests" / "unit").mkdir(parents=True)
    texts = {}
    with pytest.MonkeyPatch.context() as patch:
        if IS_POSSIBLE:
            patch.setattr("gradcheck.api.examine_isolated", examiner)
            patch.setattr(*fork_children(forks.place))
        for name, (*_, target) in SCRIPTS.items():
            put(folder, name, right=not name.startswith("wrong"))
            written = write_test(folder / name, folder / target, Options())
            assert written.result.verdict == ("mismatch" if name.startswith("wrong") else "match")
            texts[name] = written.text
            (folder / target).write_text(written.text, encoding="utf-8")
    before, names = outcomes(folder, forks)
    for name in SCRIPTS:
        put(folder, name, right=name.startswith("wrong"))
    return folder, texts, before, outcomes(folder, forks)[0], names


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_passes_and_fails_as_the_script_is_right_and_wrong(made, name):
    _, _, before, after, _ = made
    file = Path(SCRIPTS[name][-1]).name
    right, wrong = (after, before) if name.startswith("wrong") else (before, after)
    assert right[file] == {"PASSED"}
    assert "FAILED" in wrong[file]
    assert "ERROR" not in wrong[file]


@pytest.mark.parametrize("name", SCRIPTS)
def test_functions_are_called_where_a_script_can_be_imported(made, name):
    text = made[1][name]
    assert ("gradcheck.script" not in text) == (name in DIRECT)
    assert ("import numpy" in text) == (name in DIRECT)


def test_a_script_is_pinned_to_what_was_understood(made):
    text = made[1]["a_class.py"]
    assert 'backward="Net.backward"' in text
    assert 'params=("self.W1", "self.W2")' in text
    assert 'loss="self.loss(X, Y)"' in text
    assert "def test_net_backward(gradcheck):" in text


def test_several_functions_have_a_test_each(made):
    _, texts, _, after, names = made
    assert {"test_two_functions[line_gradient]", "test_two_functions[curve_gradient]"} <= names
    assert after["test_two_functions.py"] == {"PASSED", "FAILED"}
    assert texts["two_functions.py"].count("pytest.param(") == 2


def test_paths_are_those_from_the_test(made):
    _, texts, *_ = made
    assert 'Path(__file__).parent.parent / "module_level.py"' in texts["module_level.py"]
    assert 'Path(__file__).parent / "mein größtes netz.py"' in texts["mein größtes netz.py"]
    assert 'str(Path(__file__).resolve().parents[2] / "models")' in texts["models/vector.py"]


def test_calls_are_those_that_a_person_writes(made):
    _, texts, *_ = made
    assert "gradcheck(objective, jac, theta, args=(t, y))" in texts["models/vector.py"]
    assert "gradcheck(loss_and_grads, True, params, args=(x, y))" in texts["loss_and_grads.py"]
    assert 'return result["dW1"], result["db1"], result["dW2"]' in texts["returns_dict.py"]
    assert "t = np.eye(3)[rng.integers(3, size=7)]" in texts["returns_dict.py"]
    assert "t = rng.integers(3, size=" in texts["returns_tuple.py"]


@pytest.mark.skipif(shutil.which("ruff") is None, reason="ruff is not installed")
@pytest.mark.parametrize("command", [["check", "--select", "E,F,I,W,B,PT,N,UP"], ["format", "--check"]], ids=str)
def test_the_layout_is_the_usual_one(made, command):
    folder = made[0]
    tests = [folder / target for *_, target in SCRIPTS.values()]
    # first-party is what lies where ruff is started
    run = subprocess.run(
        ["ruff", *command, "--isolated", "--no-cache", "--line-length=88", *tests],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


# -- the command --------------------------------------------------------------------------------------------------

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


@pytest.fixture
def invoke(tmp_path, monkeypatch, forked):
    """Return a way to call the command line in this process, in a folder."""

    def of(*arguments):
        monkeypatch.setattr("sys.argv", ["gradcheck", *arguments])
        return CliRunner().invoke(cli, arguments)

    write(tmp_path, RIGHT, "net.py")
    monkeypatch.chdir(tmp_path)
    return of


def test_without_a_target_it_goes_to_standard_output(invoke, tmp_path):
    done = invoke("write", "net.py", "--points", "6", "--rtol", "1e-4")
    assert done.exit_code == 0
    assert 'SCRIPT = Path(__file__).parent / "net.py"' in done.stdout
    assert "points=6" in done.stdout
    assert "rtol=0.0001" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["net.py"]


def test_a_file_is_not_overwritten_without_force(invoke, tmp_path):
    (tmp_path / "test_net.py").write_text("kept")
    refused = invoke("write", "net.py", "-o", ".")
    assert refused.exit_code == 2
    assert "test_net.py exists already; --force overwrites it" in refused.stderr
    assert (tmp_path / "test_net.py").read_text() == "kept"
    done = invoke("write", "net.py", "-o", ".", "--force")
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "now type: pytest test_net.py" in done.stderr
    assert "def test_gradient(gradcheck):" in (tmp_path / "test_net.py").read_text()


def test_a_wrong_gradient_is_written_and_said(invoke, tmp_path):
    write(tmp_path, RIGHT.replace("2 * (w - 3)", "2 * (w + 3)"), "net.py")
    done = invoke("write", "net.py", "-o", "test_it.py")
    assert done.exit_code == 0
    assert "the test fails until the gradients are right: gradcheck fix net.py" in done.stderr
    assert (tmp_path / "test_it.py").exists()


def leave_unchecked(monkeypatch, *, also_when_named):
    """Let scripts move something that cannot be checked; if their parameters are named, only where that is wanted."""
    real = Job.run

    def run(job, *arguments, **settings):
        result = real(job, *arguments, **settings)
        is_listed = also_when_named or not job.request.overrides.params
        return replace(result, unchecked=(Unchecked("other", (2,), "why"),) if is_listed else ())

    monkeypatch.setattr(Job, "run", run)


def test_what_could_not_be_checked_is_said_and_not_tested(invoke, tmp_path, monkeypatch):
    leave_unchecked(monkeypatch, also_when_named=False)
    done = invoke("write", "net.py", "-o", "test_net.py")
    assert done.exit_code == 0
    assert "1 of 2 parameters checked: its gradient matches" in done.stderr
    assert "the test leaves out what could not be checked: other" in done.stderr
    assert 'params=("w",)' in (tmp_path / "test_net.py").read_text()


def test_a_test_that_cannot_pass_for_what_was_not_checked_is_said(invoke, monkeypatch):
    leave_unchecked(monkeypatch, also_when_named=True)
    done = invoke("write", "net.py", "-o", "test_net.py")
    assert done.exit_code == 0
    assert "the test fails until the gradients can be checked: gradcheck run net.py" in done.stderr


@pytest.mark.parametrize("text", ["x = 1\n", "def f(:\n", "w = float(input())\n"])
def test_of_a_script_that_is_not_understood_nothing_is_written(invoke, tmp_path, text):
    write(tmp_path, text, "net.py")
    done = invoke("write", "net.py", "-o", "test_net.py")
    assert done.exit_code == 3
    assert done.stderr.startswith("net.py: ")
    assert not (tmp_path / "test_net.py").exists()


@pytest.mark.parametrize("arguments", [["a.py", "b.py"], ["net.py", "-o", "test.txt"], ["net.py", "-o", "no/t.py"]])
def test_wrong_usage(invoke, arguments):
    assert invoke("write", *arguments).exit_code == 2


# -- parts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('"""Doc."""\nimport numpy as np\nN = 2 * 3\nclass A:\n    x = 1\ndef f():\n    return np.ones(N)\n', True),
        ("def f(): pass\nif __name__ == '__main__':\n    f()\n", True),
        ("def f(): pass\nf()\n", False),
        ("import numpy as np\nx = np.zeros(3)\n", False),
        ("for i in range(3):\n    pass\n", False),
        ("class A:\n    print('seen')\n", False),
        ("if True:\n    x = 1\n", False),
    ],
)
def test_what_can_be_imported_without_effect(tmp_path, text, answer):
    assert is_importable(SourceFile.read(write(tmp_path, text))) is answer


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ([[0.5, -1.0], [2.0, 3.0]], Kind.REAL),
        (np.eye(3), Kind.ONE_HOT_ROWS),
        (np.eye(3)[[0, 1, 1, 2]].T, Kind.ONE_HOT_COLUMNS),
        (np.array([[0.2, 0.8], [0.5, 0.5], [0.6, 0.4]]), Kind.SIMPLEX_ROWS),
        (np.array([0.0, 1.0, 1.0]), Kind.BINARY),
        (np.array([0.0, 0.3, 1.0]), Kind.UNIT),
        (np.array([1.0, 3.0]), Kind.POSITIVE),
        (np.array([0, 3, 1]), Kind.CLASSES),
        (np.array([-1, 1, 1]), Kind.SIGN),
        (np.array([4, 7]), Kind.WHOLE),
        (np.array([True, False]), Kind.MASK),
        (np.zeros(3), Kind.REAL),
    ],
)
def test_data_are_recognised_and_drawn_again(value, kind):
    sample = sample_of(value, is_parameter=False)
    assert sample.kind is kind
    again = eval(drawn(sample, {}, "rng"), {"np": np, "rng": np.random.default_rng(1)})
    assert np.shape(again) == np.shape(value)
    assert isinstance(again, list) is isinstance(value, list)


def test_parameters_are_real_numbers():
    assert sample_of(np.array([0, 1]), is_parameter=True).kind is Kind.REAL
    assert sample_of(1, is_parameter=True).shape == ()
    assert sample_of(object(), is_parameter=False) is None
    assert sample_of({"a": object()}, is_parameter=False) is None


def test_long_axes_are_shortened_in_the_same_way():
    samples = [sample_of(np.ones(shape), is_parameter=True) for shape in ((1000, 784), (784, 30), (30, 6))]
    assert shortened(samples) == {30: 5, 784: 7, 1000: 8}


def test_brackets_are_broken_where_a_line_is_too_long():
    call = Group("f(", ("a" * 30, "b" * 30), ")")
    assert laid_out(call, 1) == [f"    f({'a' * 30}, {'b' * 30})"]
    longer = Group("f(", ("a" * 40, Group("(", ("b" * 30, "c" * 20), ")", is_display=True)), ")")
    assert len(laid_out(longer)) == 4
    text = laid_out(Group("f(", (Quote("loss=", "word " * 20),), ")"))
    assert "".join(ast.literal_eval(line.strip()) for line in text if '"' in line) == "word " * 20
    assert unparsed(ast.parse("f(x ** 2, p['W'], (a + b) ** 2)", mode="eval")) == 'f(x**2, p["W"], (a + b) ** 2)'


def test_names_of_tests():
    assert function_name("Net.backwardPass") == "net_backward_pass"
    assert function_name("make.<locals>.learn") == "make_learn"
    assert Target(Path("/a/t.py"), Path("/a/mein netz.py")).word == "mein_netz"
