"""Files that only define functions: they are checked through a call that the user gives, or that stands beside them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from gradcheck.api import examine_script
from gradcheck.errors import ScriptError, UsageError
from gradcheck.script.source.callers import caller_of
from gradcheck.settings import Options
from notebooks import notebook
from script_runs import check, command, verdicts, write

pytestmark = pytest.mark.usefixtures("forked", "forked_children", "forked_commands")

LIBRARY = """
import numpy as np

def loss(w, X, y):
    return np.mean((X @ w - y) ** 2)

def gradient(w, X, y):
    return FACTOR * X.T @ (X @ w - y) / len(y)

def train(rounds):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    w = np.zeros(3)
    for _ in range(rounds):
        w -= 0.1 * gradient(w, X, y)
    return loss(w, X, y)
"""
PAIR = LIBRARY[: LIBRARY.index("def train")]
TRAINING = """
rng = np.random.default_rng(0)
X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
w = np.zeros(3)
for _ in range(20):
    w -= 0.1 * gradient(w, X, y)
"""
HALVES = [("2", "match"), ("3", "mismatch")]


def library(factor: str = "2", text: str = LIBRARY) -> str:
    return text.replace("FACTOR", factor)


def told(folder: Path, text: str, **options: object) -> ScriptError:
    """Return what is told of a script that leads to no verdict."""
    result = check(folder, text, **options)
    assert result.error is not None
    return result.error


@pytest.mark.parametrize(("factor", "verdict"), HALVES)
@pytest.mark.parametrize(
    "call",
    [
        ("train(20)",),
        ("gradient(np.array([0.1, 0.2, 0.3]), np.eye(5, 3), np.arange(5.0))",),
        ("w, X, y = np.ones(3), np.eye(5, 3), np.arange(5.0)", "gradient(w, X, y)"),
        ("for n in (3, 5):\n    train(n)",),
    ],
)
def test_a_file_of_functions_is_checked_through_a_call(tmp_path, factor, verdict, call):
    result = check(tmp_path, library(factor), call=call, fix=False)
    assert verdicts(result) == {"w": verdict}
    assert (result.entry_points.backward, result.entry_points.backward_line) == ("gradient", 6)


def test_the_line_of_a_mistake_is_one_of_the_file_and_not_of_the_call(tmp_path):
    result = check(tmp_path, library("3"), call=("train(20)",), fix=True)
    (finding,) = result.findings
    assert finding.span.line == 7
    (edit,) = finding.fix.edits
    assert (edit.line, edit.new.strip()) == (7, "return 2 * X.T @ (X @ w - y) / len(y)")


@pytest.mark.parametrize(("sign", "verdict"), [("-", "match"), ("+", "mismatch")])
@pytest.mark.parametrize("loss", ["np.mean((X @ w - y) ** 2)", "sum((X @ w - y) ** 2) / len(y)"])
def test_a_loss_that_is_named_is_compared_with_though_no_gradient_agrees(tmp_path, sign, verdict, loss):
    """The file has no loss, and what the user calls one needs no name that says so."""
    text = library()[library().index("def gradient") :].replace("- y) / len(y)", f"{sign} y) / len(y)")
    text = "import numpy as np\n" + text.replace("return loss(w, X, y)", "return w")
    assert verdicts(check(tmp_path, text, fix=False, call=("train(5)",), loss=loss)) == {"w": verdict}


OTHER = """
def misfit(a, t):
    return np.sum((a * t - np.sin(t)) ** 2)

def slope(a, t):
    da = SLOPE * np.sum((a * t - np.sin(t)) * t)
    return da

def fit():
    t, a = np.linspace(0, 1, 9), 0.3
    for _ in range(9):
        da = slope(a, t)
        a -= 0.01 * da
    return misfit(a, t)
train(20)
"""


@pytest.mark.parametrize(("factor", "verdict"), HALVES)
@pytest.mark.parametrize(("slope", "other"), HALVES)
def test_a_call_adds_to_what_a_file_runs_by_itself(tmp_path, factor, verdict, slope, other):
    # without the loss in the loop, a factor of 3/2 is another step size
    text = library(
        factor, LIBRARY.replace("gradient(w, X, y)\n    return", "gradient(w, X, y)\n        loss(w, X, y)\n    return")
    )
    text += OTHER.replace("SLOPE", slope)
    assert verdicts(check(tmp_path, text, fix=False)) == {"w": verdict}
    assert verdicts(check(tmp_path, text, fix=False, call=("fit()",))) == {"w": verdict, "a": other}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("train(", "'(' was never closed"),
        ("train(2", "'(' was never closed"),
        ("  train(2)", "unexpected indent"),
        ("return 3", "'return' outside function"),
        ("", "it is empty"),
        ("# nothing", "it is empty"),
        ("a\0b", "null bytes"),
    ],
)
def test_what_is_no_python_is_no_call(text, problem):
    with pytest.raises(UsageError, match=r"^call: expected Python such as ") as caught:
        Options(call=(text,))
    assert problem in caught.value.message


def test_what_is_no_python_is_a_wrong_usage_of_the_command(tmp_path):
    write(tmp_path, library(), "net.py")
    done = command("run", "net.py", "--call", "train(", cwd=tmp_path)
    assert done.returncode == 2
    assert "expected Python such as grad(X, y, w), got 'train(': '(' was never closed" in done.stderr


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            "train()",
            "TypeError: train() missing 1 required positional argument: 'rounds'; the script defines `train(rounds)`",
        ),
        (
            "trian(3)",
            "NameError: name 'trian' is not defined; the script defines `loss`, `gradient`, `train`; did you mean",
        ),
        ("1 / 0", "ZeroDivisionError"),
        ("x = 1\ntrain(y)", "NameError: name 'y' is not defined"),
    ],
)
def test_a_call_that_raises_is_a_wrong_setting_and_is_quoted(tmp_path, call, said):
    error = told(tmp_path, library(), call=(call,))
    assert (error.slug, error.line) == ("bad-setting", None)
    last = call.split("\n")[-1]
    assert error.message.startswith(f"`{last}` was run at the end of the script, as was asked for, and raised {said}")


def test_what_the_file_itself_raises_in_a_call_has_its_line(tmp_path):
    error = told(tmp_path, library(), call=("train('many')",))
    assert (error.slug, error.line) == ("script-raised", 13)


def test_a_call_of_nothing_in_the_file_says_what_is_not_called(tmp_path):
    error = told(tmp_path, library(), call=("print(1)",))
    assert error.slug == "no-gradient"
    assert error.message == (
        "found no gradients: nothing calls `train`, which may compute some. To call it at the end of this script: "
        "gradcheck run script.py --call 'train(rounds)', with values for rounds"
    )


def test_a_call_that_leaves_the_file_is_told(tmp_path):
    assert told(tmp_path, library(), call=("raise SystemExit(3)",)).slug == "script-exited"


def caller_in(folder: Path, name: str, text: str) -> None:
    if name.endswith(".ipynb"):
        write(folder, notebook(*text.split("# cell\n")), name)
    else:
        write(folder, text, name)


BESIDE = {
    "a script": ("use.py", f"import numpy as np\nfrom net import gradient\n{TRAINING}", "8", "gradient(w, X, y)"),
    "a script that imports the module": (
        "use.py",
        "import numpy as np\nimport net as n\nn.train(5)\n",
        "3",
        "train(5)",
    ),
    "a notebook": (
        "use.ipynb",
        "import numpy as np\nimport net\n# cell\nnet.train(4)\n",
        "cell 2",
        "train(4)",
    ),
    "a notebook that runs it": ("use.ipynb", "%run net.py\n# cell\ntrain(4)\n", "cell 2", "train(4)"),
}


@pytest.mark.parametrize("kind", BESIDE)
def test_what_calls_it_beside_is_proposed(tmp_path, kind):
    name, text, place, call = BESIDE[kind]
    script = write(tmp_path, library(), "net.py")
    caller_in(tmp_path, name, text)
    found = caller_of(script, {"gradient", "train"})
    assert found is not None
    to_type = None if kind == "a notebook that runs it" else f"gradcheck run {name}"
    assert (found.file, found.call, found.to_type) == (name, call, to_type)
    assert found.place == place


TESTS = {
    "a test": ("def test_it():\n    train(6)\n", "gradcheck run {} --call 'test_it()'"),
    "a test with a fixture": ("def test_it(data):\n    train(data)\n", None),
    "a method": ("class TestIt:\n    def test_it(self):\n        train(6)\n", None),
}


@pytest.mark.parametrize("folder", ["", "tests/", "../tests/", "test/"])
@pytest.mark.parametrize("kind", TESTS)
def test_tests_are_looked_at_in_their_folders(tmp_path, folder, kind):
    body, to_type = TESTS[kind]
    script = write(tmp_path, library(), "own/net.py")
    write(
        tmp_path / "own",
        f"import sys\nsys.path.append('{tmp_path}/own')\nfrom net import train\n{body}",
        f"{folder}test_net.py",
    )
    found = caller_of(script, {"train"})
    assert found is not None
    assert (found.file, found.function) == (f"{folder}test_net.py", "train")
    assert found.to_type == (to_type and to_type.format(found.file))


@pytest.mark.parametrize(
    "text",
    [
        "def train(n): ...\ntrain(5)\n",  # of its own
        "from other import train\ntrain(5)\n",
        "from net import loss\nloss(1, 2, 3)\n",  # another function
        "import net\nprint(net)\n",
        "from net import train\ntrain(\n",  # no Python
        "# net: train(5)\n",
    ],
)
def test_what_does_not_call_it_is_not_proposed(tmp_path, text):
    script = write(tmp_path, library(), "net.py")
    write(tmp_path, text, "use.py")
    assert caller_of(script, {"gradient", "train"}) is None


def test_a_call_that_can_be_run_is_proposed_rather_than_one_that_cannot(tmp_path):
    script = write(tmp_path, library(), "net.py")
    write(tmp_path, "from net import train\ndef use(n):\n    train(n)\n", "a.py")
    write(tmp_path, "from net import train\ndef use():\n    train(3)\n", "b.py")
    assert caller_of(script, {"train"}).file == "b.py"
    write(tmp_path, "from net import train\ntrain(3)\n", "c.py")
    assert caller_of(script, {"train"}).file == "c.py"


@pytest.mark.parametrize(("factor", "verdict"), HALVES)
@pytest.mark.parametrize("kind", [*BESIDE, "a test", "nobody"])
def test_what_is_proposed_can_be_typed(tmp_path, factor, verdict, kind):
    """Each command that the message proposes, without values of one's own, leads to the verdict."""
    write(tmp_path, library(factor), "net.py")
    if kind in BESIDE:
        caller_in(tmp_path, *BESIDE[kind][:2])
    elif kind == "a test":
        write(tmp_path, f"from net import train\n{TESTS[kind][0]}", "test_net.py")
    result = examine_script(tmp_path / "net.py", Options())
    assert result.error is not None
    message = result.error.message
    commands = re.findall(r"gradcheck (run .*?)(, with values for [\w, ]+)?(?:; or to|$)", message)
    assert len(commands) == (1 if kind in ("nobody", "a notebook that runs it") else 2)
    for typed, values in commands:
        words = shlex.split(typed)
        assert bool(values) == (words[1] == "net.py" and kind in ("nobody", "a script"))
        if values:
            assert words[-1] == ("train(rounds)" if kind == "nobody" else "gradient(w, X, y)")
            words[-1] = "train(5)"
        done = command(*words, "--format", "json", "--no-fix", cwd=tmp_path)
        (script,) = json.loads(done.stdout)["scripts"]
        assert (script["verdict"], [p["name"] for p in script["parameters"]]) == (verdict, ["w"])


STEP = "def gradient(w):\n    return 2 * w\n"
NET = """
class Net:
    def __init__(self, w, rate=1):
        self.w = w
    def gradient(self, x):
        return 2 * self.w * x
    def fit(self, x):
        self.w -= self.gradient(x)
"""
UNCALLED = {
    "one function": (STEP, "nothing calls `gradient`, which may compute some", 1, "'gradient(w)', with values for w"),
    "a main function": (
        f"{STEP}def main():\n    w = 1.0\n    w -= gradient(w)\n",
        "nothing calls `main`, which may compute some",
        3,
        "'main()'",
    ),
    "two that call the same": (
        f"{STEP}def one(w):\n    w -= gradient(w)\ndef other():\n    w = 1.0\n    w -= gradient(w)\n",
        "nothing calls `one`, `other`, which may compute them",
        5,
        "'other()'",
    ),
    "two that call each other": (
        f"{STEP}def one(w):\n    w -= gradient(w)\n    two(w)\ndef two(w):\n    one(w)\n",
        "nothing calls `gradient`, `one`, `two`, which may compute them",
        1,
        "'gradient(w)', with values for w",
    ),
    "methods": (
        NET,
        "nothing calls `Net.fit`, which may compute some",
        6,
        "'Net(w).fit(x)', with values for w, x",
    ),
    "a static method": (
        "class Net:\n    @staticmethod\n    def gradient(w):\n        return 2 * w\n",
        "nothing calls `Net.gradient`, which may compute some",
        3,
        "'Net.gradient(w)', with values for w",
    ),
    "a line that is not reached": (
        f"import sys\n{STEP}if len(sys.argv) > 1:\n    gradient(1.0)\n",
        "line 5 calls `gradient`, but it was not reached when the script ran",
        2,
        "'gradient(w)', with values for w",
    ),
}


@pytest.mark.parametrize("kind", UNCALLED)
def test_only_the_outermost_of_what_is_not_called_is_named(tmp_path, kind):
    text, said, line, call = UNCALLED[kind]
    error = told(tmp_path, text)
    assert (error.slug, error.line) == ("no-gradient", line)
    typed = f"gradcheck run script.py --call {call}"
    assert error.message == f"found no gradients: {said}. To call it at the end of this script: {typed}"
