"""The pytest plugin: the fixture, scripts and notebooks as tests, their settings, what is printed and what is written.

The runs within the tests are in this process where they can be; what they import is imported here before, because
NumPy cannot be loaded twice.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import re
import sys
from dataclasses import replace
from pathlib import Path

import junitparser
import pandas as pd  # noqa: F401 - loaded once, see above
import pytest

import _gradcheck_pytest as entry
from forked_processes import IS_POSSIBLE, PLACE
from gradcheck.api import Job
from gradcheck.checker.functions import assert_grad
from gradcheck.pytest_plugin import collect, fixture, output, settings, shared, summary  # noqa: F401 - the same
from gradcheck.pytest_plugin.collect import item_names
from gradcheck.session.result import Unchecked
from notebooks import DATA, MODEL, TRAINING, WRONG_MODEL, write_notebook
from script_runs import write

IS_INSTALLED = bool(importlib.metadata.entry_points(group="pytest11", name="gradcheck"))
PLUGIN = ("-W", "error", *(() if IS_INSTALLED else ("-p", "_gradcheck_pytest")))
LOSS = """
import numpy as np
import pytest

def loss(w):
    return np.sum(w ** 2)

X = np.array([1.0, -2.0])
"""
TRAIN = """
w = 0.5
for i in range(3):
    dw = gradient(w)
    w -= 0.1 * dw
"""
RIGHT = "def loss(w):\n    return (w - 3) ** 2\ndef gradient(w):\n    dw = 2 * (w - 3)\n    return dw\n" + TRAIN
WRONG = RIGHT.replace("2 * (w - 3)", "2 * (w + 3)")
# a loss of which nothing is known: the limit is reached before anything is decided
UNDECIDED = "# gradcheck: points=1, max_evals=1\n" + RIGHT
NAMED = """
p = {"W1": 0.5, "b": [1.0, 2.0]}
def loss(p):
    return p["W1"] ** 2 * p["b"][0] + p["b"][1] ** 2
def gradient(p):
    return {"W1": 2 * p["W1"] * p["b"][0], "b": [p["W1"] ** 2, 2 * p["b"][1]]}
for i in range(3):
    grads = gradient(p)
    p["W1"] -= 0.1 * grads["W1"]
"""
# lets a process of pytest fork the children that it starts
FORKING = "import os\nfrom forked_processes import PLACE, fork_children\nsetattr(*fork_children(os.environ[PLACE]))\n"
SUPPORT = str(Path(__file__).parents[1] / "support")
NOTHING = "def double(x):\n    return 2 * x\n\nprint(double(3))\n"


@pytest.fixture
def run(pytester, forked, monkeypatch):
    """Run pytest in this process, with the plugin."""
    # searching for fixes takes most of the time; the tests that are about them ask for it
    monkeypatch.setenv("GRADCHECK_FIX", "false")

    def run(*arguments: object) -> pytest.RunResult:
        return pytester.runpytest_inprocess(*PLUGIN, *map(str, arguments))

    return run


@pytest.fixture
def scripts(pytester):
    """Write a folder with one script of each kind."""
    folder = pytester.path / "nets"
    for name, text in {"right": RIGHT, "wrong": WRONG, "undecided": UNDECIDED, "nothing": NOTHING}.items():
        write(folder, text, f"{name}.py")
    return folder


def write_tests(pytester: pytest.Pytester, body: str) -> Path:
    return write(pytester.path, LOSS + body, "test_it.py")


def properties(file: Path) -> dict[str, dict[str, str]]:
    """Return the properties of each test in a report of JUnit, read by a library that is not ours."""
    suites = junitparser.JUnitXml.fromfile(str(file))
    return {
        f"{case.classname}::{case.name}": {p.name: p.value for p in case.child(junitparser.Properties) or ()}
        for suite in suites
        for case in suite
    }


# -- the fixture --------------------------------------------------------------------------------------------------


def test_the_fixture_passes_and_fails_as_assert_grad_does(pytester, run):
    write_tests(
        pytester,
        """
        def test_right(gradcheck):
            assert gradcheck(loss, lambda w: 2 * w, X).evaluations > 0

        def test_wrong(gradient_checker):
            gradient_checker(loss, lambda w: w, X)

        def test_undecided(gradcheck):
            gradcheck(lambda w: np.sum(abs(w)), lambda w: w + 3.0, np.zeros(2))

        def test_numerical(gradcheck):
            assert gradcheck.numerical(loss, X) == pytest.approx(2 * X)

        def test_bad_input(gradcheck):
            gradcheck(loss, lambda w: w, np.array([1, 2]))
        """.replace("\n        ", "\n"),
    )
    result = run()
    result.assert_outcomes(passed=2, failed=3)
    result.stdout.fnmatch_lines(["*GradientMismatch: the gradient does not match in 1 of 1 parameters"])
    result.stdout.fnmatch_lines(["E*w[[]1]: analytic -2, numerical -4 *"])
    result.stdout.fnmatch_lines(["*GradientMismatch: nothing was shown to be wrong*", "*InputError*"])
    result.stdout.fnmatch_lines(["3 gradients checked: 1 match, 1 mismatch, 1 inconclusive"])
    shown = result.stdout.str()
    assert "raise GradientMismatch" not in shown, "our own lines say nothing to anybody"
    assert shown.index("mismatch      test_it.py::test_wrong  w  rel. error 0.5") < shown.index("inconclusive  test_it")


@pytest.mark.parametrize(
    ("mark", "flags", "ini", "call", "rtol"),
    [
        ("", [], "", "", 1e-5),
        ("", [], "0.1", "", 0.1),
        ("", ["--gradcheck-rtol=0.2"], "0.1", "", 0.2),
        ("@pytest.mark.gradcheck(rtol=0.3)", ["--gradcheck-rtol=0.2"], "0.1", "", 0.3),
        ("@pytest.mark.gradcheck(rtol=0.3)", ["--gradcheck-rtol=0.2"], "0.1", ", rtol=0.4", 0.4),
        ("@pytest.mark.gradcheck(rtol=0.3)", [], "", ", rtol=None", 1e-5),
    ],
)
def test_the_nearest_setting_wins(pytester, run, mark, flags, ini, call, rtol):
    write_tests(
        pytester,
        f"{mark}\ndef test_it(gradcheck):\n"
        f"    assert gradcheck(loss, lambda w: 2 * w, X{call}).tolerance.rtol == {rtol}\n",
    )
    pytester.makeini(f"[pytest]\n{'gradcheck_rtol = ' + ini if ini else ''}")
    run(*flags).assert_outcomes(passed=1)


def test_all_settings_reach_a_check(pytester, run):
    body = """
@pytest.mark.gradcheck(atol=0.25, points=3)
class TestAll:
    @pytest.mark.gradcheck(points=2)
    def test_it(self, gradcheck):
        result = gradcheck(loss, lambda w: 2 * w, X)
        assert (result.points, result.seed, result.tolerance.atol) == (2, 5, 0.25)
        # numbers are a gradient at one point only
        assert gradcheck(loss, 2 * X, X).points == 1
"""
    write_tests(pytester, body)
    run("--gradcheck-seed=5", "--gradcheck-method=central", "--strict-markers").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--gradcheck-rtol=x"], "--gradcheck-rtol: rtol: expected a number, got 'x'"),
        (["--gradcheck-points=0"], "--gradcheck-points: points: expected a number of at least 1, got 0"),
        (["-o", "gradcheck_method=best"], "gradcheck_method: method: expected one of auto, central, complex"),
        (["--gradcheck-report=a.doc"], "expected a file with one of the suffixes .json, "),
        (["--gradcheck-report=no/a.json"], "is not a folder that can be written"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_runs(pytester, run, flags, message):
    write_tests(pytester, "def test_it():\n    pass\n")
    result = run(*flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()


def test_a_wrong_ini_file_is_named(pytester, run):
    place = pytester.makeini("[pytest]\ngradcheck_seed = many\n")
    result = run()
    assert f"gradcheck_seed in {place}: seed: expected a whole number, got 'many'" in result.stderr.str()


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("rtool=1", "the marker gradcheck: expected the keywords rtol, atol, points, seed, method, timeout, got rtool"),
        ("0.1", "expected the keywords rtol, atol, points, seed, method, timeout, got 0.1"),
        ("rtol=-1", "the marker gradcheck: rtol: expected a positive number, got -1"),
    ],
)
def test_a_wrong_marker_is_an_error_of_its_test(pytester, run, mark, message):
    write_tests(pytester, f"@pytest.mark.gradcheck({mark})\ndef test_it():\n    pass\n")
    result = run()
    result.assert_outcomes(errors=1)
    assert f"UsageError: test_it.py::test_it: {message}" in result.stdout.str() or message in result.stdout.str()


def test_scripts_within_a_test(pytester, run, scripts, monkeypatch):
    monkeypatch.setenv("GRADCHECK_FIX", "true")
    write(pytester.path, "raise SystemError('gone')\n", "tests/broken.py")
    body = """
def test_right(gradcheck):
    report = gradcheck.script("nets/right.py", points=2)
    assert report and report.scripts[0].check.points == 2

def test_wrong(gradcheck):
    gradcheck.script("nets/wrong.py")

def test_undecided(gradcheck):
    gradcheck.script("nets/undecided.py")

def test_broken(gradcheck):
    gradcheck.script("broken.py")

def test_params(gradcheck):
    gradcheck.script("nets/right.py", params=["v"])

def test_setting(gradcheck):
    gradcheck.script("nets/right.py", rtool=1)
"""
    write(pytester.path, body, "tests/test_it.py")
    result = run("--rootdir", pytester.path, "tests")
    result.assert_outcomes(passed=1, failed=5)
    shown = result.stdout.str()
    for line in (
        "GradientMismatch: nets/wrong.py: the gradient is wrong",
        "--> nets/wrong.py:4:",
        "E       -    dw = 2 * (w + 3)",
        "E       +    dw = 2 * (w - 3)",
        "nets/undecided.py: 1 of 1 gradient could not be decided",
        "ScriptError: tests/broken.py: line 1: script-raised: the script raised SystemError: gone",
        "ScriptError: nets/right.py: line 3: no-gradient: no gradient of `v` was found",
        "UsageError: gradcheck.script(): unknown setting 'rtool'",
        "error         tests/test_it.py::test_broken  tests/broken.py: script-raised",
    ):
        assert line in shown


# -- scripts as tests ---------------------------------------------------------------------------------------------


def test_a_folder_of_scripts(pytester, run, scripts):
    write(scripts, RIGHT, ".hidden/net.py")
    write(scripts, RIGHT, "env/net.py")
    (scripts / "env" / "pyvenv.cfg").touch()
    write_notebook(scripts, "import numpy as np", DATA, MODEL, TRAINING)
    write(scripts, "def test_it(): pass\n", "test_module.py")
    write(scripts, "", "conftest.py")
    result = run("--gradcheck", "-v", "-rs", "nets")
    result.assert_outcomes(passed=4, failed=1, skipped=2)
    result.stdout.fnmatch_lines(
        [
            "nets/net.ipynb::w PASSED*",
            "nets/net.ipynb::b PASSED*",
            "nets/nothing.py::no-gradient SKIPPED*",
            "nets/right.py::w PASSED*",
            "nets/test_module.py::test_it PASSED*",
            "nets/undecided.py::w SKIPPED*",
            "nets/wrong.py::w FAILED*",
        ]
    )
    result.stdout.fnmatch_lines(["mismatch      nets/wrong.py  w  rel. error *"])
    result.stdout.fnmatch_lines(
        ["5 gradients checked: 3 match, 1 mismatch, 1 inconclusive", "1 file without gradients"]
    )
    result.stdout.fnmatch_lines(["SKIPPED*nets/nothing.py*no-gradient: found no gradients*"])
    result.stdout.fnmatch_lines(["SKIPPED*nets/undecided.py*w: inconclusive: *"])


def test_a_failure_shows_numbers_place_cause_and_fix(pytester, run, monkeypatch):
    monkeypatch.setenv("GRADCHECK_FIX", "true")
    write_notebook(pytester.path, "import numpy as np", DATA, WRONG_MODEL, TRAINING)
    write(pytester.path, WRONG, "wrong.py")
    result = run("--gradcheck", "wrong.py", "net.ipynb")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*_ w in wrong.py _*",
            "the gradient of w is wrong: GC* in line 4",
            "  w *1 of 1 * mismatch",
            "w: analytic * numerical *",
            "GC*(verified)",
            "  --> wrong.py:4:*",
            "fix, verified at fresh points:",
            "--- a/wrong.py",
            "+++ b/wrong.py",
            "-    dw = 2 * (w + 3)",
            "+    dw = 2 * (w - 3)",
            "help: gradcheck fix wrong.py --write makes the edits",
            "*_ b in net.ipynb _*",
            "--- a/net.ipynb (cell 3)",
            "@@ -5,5 +5,5 @@",
            "-    db = 2 * error.sum()",
            "+    db = 2 * error.mean()",
        ]
    )
    assert "  w     " not in result.stdout.str().split("_ b in net.ipynb _")[1], "the other parameter has its own test"


def test_without_the_flag_nothing_is_collected(run, scripts):
    assert run("nets").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_script_is_run_once_in_a_process_of_its_own(pytester):
    text = "from pathlib import Path\nPath('touched').touch()\nprint('top level')\n" + RIGHT
    write(pytester.path, text, "net.py")
    result = pytester.runpytest_subprocess(*PLUGIN, "--gradcheck", "-s", "net.py", "net.py::w")
    result.assert_outcomes(passed=1)
    assert "top level" not in result.stdout.str() + result.stderr.str()
    assert not (pytester.path / "touched").exists()


def test_a_script_is_examined_once(pytester, run, monkeypatch):
    write(pytester.path, NAMED, "net.py")
    runs = []
    real = Job.run
    monkeypatch.setattr(Job, "run", lambda job: runs.append(job.path) or real(job))
    result = run("--gradcheck", "net.py::p.W1", "net.py")
    assert result.parseoutcomes()["passed"] >= 2
    assert runs == ["net.py"]


@pytest.mark.parametrize(
    ("name", "text", "slug"),
    [("net.py", "w = (\n", "syntax-error"), ("net.py", NOTHING, "no-gradient"), ("net.ipynb", "{", "unreadable")],
)
def test_a_script_that_was_named_and_cannot_be_checked_fails(pytester, run, name, text, slug):
    write(pytester.path, text, name)
    result = run("--gradcheck", name)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{slug} in {name}*", f"error  {name}  {slug}", "1 script could not be checked"])


def test_what_a_setting_asks_for_is_missed_also_in_a_folder(run, scripts, monkeypatch):
    monkeypatch.setenv("GRADCHECK_BACKWARD", "gradient")
    run("--gradcheck", "nets").assert_outcomes(passed=1, failed=2, skipped=1)


def test_a_wrong_setting_of_a_project_is_named(pytester, run):
    write(pytester.path, RIGHT, "net.py")
    write(pytester.path, "[tool.gradcheck]\npoints = 'few'\n", "pyproject.toml")
    result = run("--gradcheck", "net.py")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*tool.gradcheck* points: expected a whole number, got 'few'"])


def test_settings_of_scripts(pytester, run):
    """The command line wins over the script's comment, that over the ini file, that over pyproject.toml."""
    write(pytester.path, RIGHT, "a.py")
    write(pytester.path, "# gradcheck: points=3\n" + RIGHT, "b.py")
    write(pytester.path, "[tool.gradcheck]\npoints = 5\nseed = 9\n", "pyproject.toml")
    pytester.makeini("[pytest]\ngradcheck_points = 2\n")

    def points(*flags: str) -> list[tuple[int, int]]:
        run("--gradcheck", "--gradcheck-report=r.json", "a.py", "b.py", *flags).assert_outcomes(passed=2)
        seen = json.loads(Path("r.json").read_text())
        assert seen["seed"] == 9
        return [script["evaluations"] for script in seen["scripts"]]

    (two, three), (six, six_too) = points(), points("--gradcheck-points=6")
    assert two < three < six == six_too


def test_strict(run, scripts):
    run("--gradcheck", "--gradcheck-strict", "nets/undecided.py").assert_outcomes(failed=1)
    run("--gradcheck", "-o", "gradcheck_strict=true", "nets/undecided.py").assert_outcomes(failed=1)


@pytest.fixture
def partly(pytester, monkeypatch):
    """Write a script that is right, and let its examination find that it moves something that cannot be checked."""
    write(pytester.path, RIGHT, "net.py")
    real = Job.run
    rows = (Unchecked("layers[0].W", (2, 3), "its gradient is thrown away"),)
    monkeypatch.setattr(Job, "run", lambda job: replace(real(job), unchecked=rows))


def test_what_was_not_checked_is_a_test_that_is_skipped_with_its_reason(run, partly):
    result = run("--gradcheck", "-rs", "net.py")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "unchecked  net.py  layers[[]0].W  its gradient is thrown away",
            "1 gradient checked: 1 match",
            "1 gradient not checked",
            "SKIPPED*layers[[]0].W: not checked: its gradient is thrown away",
        ]
    )
    run("--gradcheck", "net.py::layers.0.W").assert_outcomes(skipped=1)
    run("--gradcheck", "net.py::w").assert_outcomes(passed=1)


def test_what_was_not_checked_fails_if_strict(run, partly):
    result = run("--gradcheck", "--gradcheck-strict", "net.py")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["the gradient of layers[[]0].W was not checked: its gradient is thrown away"])


def test_a_script_of_which_a_part_was_checked_does_not_pass_within_a_test(pytester, run, partly):
    write_tests(pytester, "def test_it(gradcheck):\n    gradcheck.script('net.py')\n")
    result = run("test_it.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*1 of 2 parameters checked: its gradient matches", "*layers[[]0].W: not checked", "*its gradient is thrown*"]
    )


def test_a_wrong_gradient_beside_one_that_was_not_checked_fails(pytester, run, partly):
    write(pytester.path, WRONG, "net.py")
    result = run("--gradcheck", "--junit-xml=r.xml", "net.py")
    result.assert_outcomes(failed=1, skipped=1)
    failure = result.stdout.str().partition("_ w in net.py _")[2].partition("= gradcheck =")[0]
    assert "the gradient of w is wrong" in failure
    assert "layers[0].W" not in failure, "what was not checked has a test of its own"
    found = {name.rpartition("::")[2]: row for name, row in properties(pytester.path / "r.xml").items()}
    assert found["w"]["gradcheck.checker.verdict"] == "mismatch"
    assert found["layers.0.W"] == {"gradcheck.checker.verdict": "unchecked", "gradcheck.parameters": "layers[0].W"}


def test_selection(pytester, run, scripts):
    write_tests(pytester, "def test_it():\n    pass\n")
    write(scripts, NAMED, "named.py")
    (scripts / "undecided.py").unlink()

    def selected(*arguments: str) -> list[str]:
        lines = run("--gradcheck", "--co", "-q", *arguments).outlines
        return [line for line in lines if "::" in line]

    assert selected("nets/named.py") == ["nets/named.py::p.W1", "nets/named.py::p.b"]
    assert selected("nets/named.py::p.W1") == ["nets/named.py::p.W1"]
    assert selected("-k", "W1") == ["nets/named.py::p.W1"]
    assert "test_it.py::test_it" in selected()
    assert "test_it.py::test_it" not in selected("-m", "gradcheck")
    assert selected("-m", "not gradcheck") == ["test_it.py::test_it"]
    run("--gradcheck", "nets").assert_outcomes(passed=3, failed=1, skipped=1)
    run("--gradcheck", "nets", "--lf").assert_outcomes(failed=1)
    assert run("--gradcheck", "-x", "nets/wrong.py", "nets/right.py").parseoutcomes() == {"failed": 1}


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        (["W1", "self.W1"], ["W1", "self.W1"]),
        (["params['W1']", "layers[0].W", "d['a'][2]"], ["params.W1", "layers.0.W", "d.a.2"]),
        (["p.W", "p['W']", 'p["W"]'], ["p.W", "p.W-2", "p.W-3"]),
        (["p['a b::c[1]']"], ["p.a_b_c_1_'_"]),
    ],
)
def test_names_have_no_brackets_and_are_unique(parameters, names):
    found = item_names(parameters)
    assert not any(set(name) & set("[] ") or "::" in name for name in found)
    assert len(set(found)) == len(parameters)
    if "::" not in parameters[0]:
        assert found == names


# -- summary, reports, xdist, coverage ----------------------------------------------------------------------------


def test_the_summary_is_quiet_when_asked_or_when_there_is_nothing(pytester, run, scripts):
    write_tests(pytester, "def test_it():\n    pass\n")
    assert "= gradcheck =" in run("--gradcheck", "nets/wrong.py").stdout.str()
    assert "= gradcheck =" not in run("--gradcheck", "-q", "nets/wrong.py").stdout.str()
    assert "gradcheck" not in run("test_it.py").stdout.str().split("test session starts")[1].split("plugins:")[0]
    assert "= gradcheck =" not in run("test_it.py").stdout.str()


@pytest.mark.parametrize("workers", [0, 2])
def test_results_reach_junit_and_the_report(pytester, run, scripts, workers, forks, monkeypatch):
    """Two workers find what one process finds."""
    body = """
def test_right(gradcheck):
    gradcheck(loss, lambda w: 2 * w, X)

def test_twice(gradcheck):
    gradcheck(loss, lambda w: 2 * w, X)
    gradcheck(loss, lambda w: np.full(2, np.nan), X)
"""
    write_tests(pytester, body)
    write(scripts, "print(1 / 0)\n", "broken.py")
    write(scripts, NAMED, "named.py")
    arguments = ("--gradcheck", "--junitxml=j.xml", "--gradcheck-report=r.json", "nets", "test_it.py")
    if workers:
        if IS_POSSIBLE:
            # each worker reads it
            write(pytester.path, f"import sys\nsys.path.append({SUPPORT!r})\n{FORKING}", "conftest.py")
            monkeypatch.setenv(PLACE, forks.place)
        result = pytester.runpytest_subprocess(*PLUGIN, *arguments, "-n", str(workers))
    else:
        result = run(*arguments)
    result.assert_outcomes(passed=4, failed=3, skipped=2)
    assert "INTERNALERROR" not in result.stdout.str()
    result.stdout.fnmatch_lines(
        [
            "mismatch      test_it.py::test_twice  w  rel. error nan",
            "mismatch      nets/wrong.py  w  rel. error *",
            "error         nets/broken.py  script-raised",
            "inconclusive  nets/undecided.py  w  *",
            "8 gradients checked: 5 match, 2 mismatch, 1 inconclusive",
            "1 script could not be checked",
            "1 file without gradients",
            "report: *r.json",
        ]
    )
    found = properties(pytester.path / "j.xml")
    assert found["nets.wrong::w"]["gradcheck.checker.verdict"] == "mismatch"
    assert float(found["nets.right::w"]["gradcheck.max_rel_error"]) < 1e-5
    assert found["nets.named::p.W1"]["gradcheck.parameters"] == "p['W1']"
    assert found["nets.broken::script-raised"] == {"gradcheck.checker.verdict": "error"}
    assert found["test_it::test_twice"]["gradcheck.checker.verdict"] == "mismatch"
    assert math.isnan(float(found["test_it::test_twice"]["gradcheck.max_rel_error"]))
    report = json.loads((pytester.path / "r.json").read_text())
    assert [(script["path"], script["verdict"]) for script in report["scripts"]] == [
        ("nets/broken.py", "error"),
        ("nets/named.py", "match"),
        ("nets/right.py", "match"),
        ("nets/undecided.py", "inconclusive"),
        ("nets/wrong.py", "mismatch"),
        ("test_it.py::test_right", "match"),
        ("test_it.py::test_twice", "match"),
        ("test_it.py::test_twice", "mismatch"),
    ]
    assert [p["name"] for p in report["scripts"][1]["parameters"]] == ["p['W1']", "p['b']"]


def test_workers_share_an_examination(tmp_path):
    class Worker:
        workerinput = {shared.FOLDER: str(tmp_path)}  # noqa: RUF012 - as xdist has it

    done = []
    for patience in (5.0, 5.0):
        result = shared.examined_once(Worker(), tmp_path / "net.py", lambda: done.append(1) or "result", patience)
        assert result == "result"
    assert len(done) == 1
    # one that does not answer is not waited for without end
    (tmp_path / next(f.name for f in tmp_path.iterdir() if not f.suffix)).unlink()
    assert shared.examined_once(Worker(), tmp_path / "net.py", lambda: "own", 0.05) == "own"


def test_coverage_is_the_same_with_and_without_the_fixture(pytester):
    write(pytester.path, "def loss(w):\n    return w ** 2\n\ndef grad(w):\n    return 2 * w\n", "usermodule.py")
    lines = "import usermodule\nfrom gradcheck import assert_grad\n\n"
    call = "(usermodule.loss, usermodule.grad, 2.0)\n"
    write(pytester.path, f"{lines}def test_it():\n    assert_grad{call}", "test_without.py")
    write(pytester.path, f"{lines}def test_it(gradcheck):\n    gradcheck{call}", "test_with.py")

    def covered(file: str) -> object:
        arguments = ("--cov=usermodule", "--cov-report=json", "-p", "no:cacheprovider", file)
        pytester.runpytest_subprocess(*PLUGIN[2:], *arguments).assert_outcomes(passed=1)
        return json.loads((pytester.path / "coverage.json").read_text())["files"]["usermodule.py"]["executed_lines"]

    assert covered("test_with.py") == covered("test_without.py") == [1, 2, 4, 5]


@pytest.mark.parametrize(("fixture", "loads"), [("", False), ("gradcheck", True)])
def test_start_up_loads_nothing(pytester, fixture, loads):
    """The second case shows that the first one can fail."""
    body = f"""
import sys
def test_it({fixture}):
    heavy = {{name.partition(".")[0] for name in sys.modules}} & {{"gradcheck", "numpy", "pandas"}}
    assert bool(heavy) is {loads}, heavy
    assert "_gradcheck_pytest" in sys.modules
"""
    write(pytester.path, body, "test_it.py")
    # those plugins of others that load NumPy themselves are left out
    pytester.runpytest_subprocess(*PLUGIN, "-p", "no:hypothesispytest", "test_it.py").assert_outcomes(passed=1)


def test_the_flags_and_keys_are_documented():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "pytest.md").read_text(encoding="utf-8")
    names = [*entry.SETTINGS, "strict", "report"]
    assert all(f"`--gradcheck-{name}" in page and f"`gradcheck_{name}`" in page for name in names)
    assert "`--gradcheck`" in page
    assert set(settings.NAMES) == set(entry.SETTINGS)
    assert set(re.findall(r"`(gradcheck_\w+)`", page)) == {f"gradcheck_{name}" for name in names}


def test_the_fixture_is_documented_like_assert_grad():
    assert assert_grad.__name__ in (fixture.Checker.__call__.__doc__ or "")
    assert sys.modules[entry.__name__] is entry
