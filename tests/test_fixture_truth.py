"""The fixture scripts are what their comments say: judged without the checker."""

from __future__ import annotations

import difflib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fixture_scripts import FIXTURES, expectation, read_text, scripts
from fixture_truth import (
    LONG,
    NOTEBOOKS,
    STEMS,
    SUBMISSIONS,
    disagreement,
    errors,
    first_call,
    hidden_at_start,
    names,
    rtol,
)
from fixture_truth.points import Sample, along_directions, one_sided_difference, slope_beside_kinks
from fixture_truth.stretch import Stretch, line_number, python_source
from forked_processes import IS_POSSIBLE, PATIENCE

RUNNABLE = scripts("buggy") + scripts("correct")
# they end after minutes, and are stopped in their first rounds
ENDLESS = scripts("long/right") + scripts("long/wrong")
# notebooks and submissions have no twins; a few submissions lead to an error
QUICK = RUNNABLE + [p for folder in ("notebooks", "submissions") for p in scripts(folder) if not expectation(p).error]
JUDGED = QUICK + ENDLESS
UNREADABLE = scripts("unreadable") + [p for p in scripts("submissions") if expectation(p).error]
TWINS = [path.stem for path in scripts("buggy")]
PAIRS = [("buggy", "correct", stem) for stem in TWINS]
PAIRS += [("long/wrong", "long/right", path.stem) for path in scripts("long/wrong")]
# what an interpreter says of them is about how it reads a file
NO_PYTHON = {"empty", "not_utf8", "null_bytes", "syntax_error"}
# trains until it is good enough, and its mistake keeps it from ever being so
NEVER_ENDS = "ex3_1090"
HANGING = ("unreadable/hangs", "submissions/ex3_1183", "submissions/ex3_1190", f"submissions/{NEVER_ENDS}")
# the first pair shows several mistakes at once, each of the others a single one
MAX_CHANGED = {"one_neuron_deltas": 6}


def label(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def code_lines(path: Path) -> list[str]:
    lines = [line for line in read_text(path).splitlines() if not line.lstrip().startswith("#")]
    return [line.split("  # bug:")[0] for line in lines]


def changed_lines(before: list[str], after: list[str]) -> list[str]:
    """Lines of the first text that the second one does not have at the same place; added lines count as well."""
    changed = []
    for tag, start, end, start_after, end_after in difflib.SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        if tag != "equal":
            removed, added = before[start:end], after[start_after:end_after]
            changed += removed if len(removed) >= len(added) else added
    return changed


@pytest.mark.parametrize("seed", [None, 1, 2], ids=["own", "perturbed-1", "perturbed-2"])
@pytest.mark.parametrize("path", JUDGED, ids=label)
def test_exactly_the_expected_parameters_are_wrong(path, seed):
    """Right means agreement to seven digits, wrong means off by more than one percent."""
    found = errors(path, seed)
    wrong = {name for name, error in found.items() if not error < rtol(path)}
    hidden = hidden_at_start(path) if seed is None else frozenset()

    assert wrong == expectation(path).mismatch - hidden, found
    assert all(found[name] > 0.01 for name in wrong), found


@pytest.mark.parametrize("path", JUDGED, ids=label)
def test_expectations_name_every_parameter(path):
    """A plain ``# expect: match`` means all of them; otherwise each is named once."""
    expected = expectation(path)
    assert expected.error is None
    if expected.verdict == "match":
        assert path.parent.name not in {"buggy", "wrong"}
        assert not expected.match
    else:
        assert path.parent.name not in {"correct", "right"}
        assert expected.match | expected.mismatch == names(path)


def run_strictly(script, folder, forks):
    """Run a script; a warning is an error."""
    if IS_POSSIBLE:
        return forks.run(["-W", "error", str(script)], cwd=folder)
    interpreter = [sys.executable, "-W", "error", str(script)]
    return subprocess.run(interpreter, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("import numpy as np\nprint(np.ones(1) / 0)", 1, "RuntimeWarning: divide by zero"),
        ("import sys\nprint('a')\nsys.exit(3)", 3, ""),
        ("open(__file__)", 0, "ResourceWarning: unclosed file"),
        ("assert __name__ == '__main__'\n1 / 0", 1, "ZeroDivisionError"),
    ],
)
def test_what_is_not_quiet_is_seen(text, code, said, tmp_path, forks):
    (tmp_path / "script.py").write_text(text)
    run = run_strictly(tmp_path / "script.py", tmp_path, forks)
    assert run.returncode == code
    assert said in run.stderr
    assert bool(run.stderr) == bool(said)


@pytest.mark.parametrize("path", [path for path in QUICK if path.stem != NEVER_ENDS], ids=label)
def test_script_runs_quietly_and_quickly(path, tmp_path, forks):
    """It ends within seconds, with some output and without a warning."""
    script = path
    if path.suffix == ".ipynb":
        script = tmp_path.with_suffix(".py")
        script.write_bytes(python_source(path))
    run = run_strictly(script, tmp_path, forks)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.count("\n") >= 2
    assert not list(tmp_path.iterdir())


def test_every_bug_has_its_correct_twin():
    assert [path.stem for path in scripts("correct")] == STEMS
    assert set(TWINS) < set(STEMS)
    assert (
        [path.stem for path in scripts("long/right")] == [path.stem for path in scripts("long/wrong")] == sorted(LONG)
    )


@pytest.mark.parametrize(("wrong", "right", "stem"), PAIRS)
def test_pair_differs_in_a_few_lines(wrong, right, stem):
    """A fixture shows its mistakes and nothing else."""
    buggy, correct = (code_lines(FIXTURES / folder / f"{stem}.py") for folder in (wrong, right))
    assert 1 <= len(changed_lines(buggy, correct)) <= MAX_CHANGED.get(stem, 3)


@pytest.mark.parametrize(("wrong", "right", "stem"), PAIRS)
def test_bug_comments_mark_exactly_the_changed_lines(wrong, right, stem):
    buggy, correct = (code_lines(FIXTURES / folder / f"{stem}.py") for folder in (wrong, right))
    text = read_text(FIXTURES / wrong / f"{stem}.py")
    marked = [line.split("  # bug: ")[0] for line in text.splitlines() if "  # bug: " in line]
    assert changed_lines(buggy, correct) == marked
    assert "bug" not in read_text(FIXTURES / right / f"{stem}.py")


@pytest.mark.parametrize("path", [*scripts("notebooks"), *scripts("submissions")], ids=label)
def test_bug_comments_are_in_the_wrong_ones(path):
    assert ("  # bug: " in read_text(path)) == (expectation(path).verdict == "mismatch")


def test_there_are_as_many_notebooks_and_submissions_of_each_kind_as_the_readme_says():
    folders = ("notebooks", "submissions")
    count = {folder: Counter(expectation(path).verdict for path in scripts(folder)) for folder in folders}
    assert count == {
        "notebooks": {"match": 3, "mismatch": 3},
        "submissions": {"match": 8, "mismatch": 9, "error": 3},
    }
    assert {path.stem for path in scripts("notebooks")} == set(NOTEBOOKS)
    assert {path.stem for path in scripts("submissions") if not expectation(path).error} == set(SUBMISSIONS)


def test_changed_lines_counts_replacements_and_additions():
    assert changed_lines(["a", "b", "c"], ["a", "x", "c"]) == ["b"]
    assert changed_lines(["a", "c"], ["a", "b", "b", "c"]) == ["b", "b"]
    assert changed_lines(["a", "b"], ["a", "b"]) == []


def test_prints_megabytes_does(tmp_path, forks):
    run = run_strictly(FIXTURES / "correct" / "prints_megabytes.py", tmp_path, forks)
    assert run.returncode == 0
    assert len(run.stdout) > 5_000_000


@pytest.mark.parametrize("path", UNREADABLE, ids=label)
def test_unreadable_scripts_expect_an_error(path):
    expected = expectation(path)
    assert expected.verdict == "error"
    assert not expected.match | expected.mismatch


@pytest.mark.parametrize(
    ("name", "status", "last_words"),
    [
        ("asks_input", 1, "EOFError: EOF when reading a line"),
        ("empty", 0, ""),
        ("exits", 1, "no data"),
        ("loss_not_scalar", 0, "]"),
        ("nan_loss", 0, ""),
        ("never_called", 0, "to go on"),
        ("no_gradient", 0, ""),
        ("not_utf8", 1, "no encoding declared"),
        ("null_bytes", 1, "source code cannot contain null bytes"),
        ("raises", 1, "ValueError: cannot reshape array of size 30 into shape (12,3)"),
        ("syntax_error", 1, "SyntaxError: expected ':'"),
        ("ex3_1196", 1, "ValueError: shapes (8,1) and (4,1) not aligned: 1 (dim 1) != 4 (dim 0)"),
    ],
)
def test_unreadable_scripts_fail_as_their_names_say(name, status, last_words, tmp_path, forks):
    """Plain Python meets the same obstacle, so the slug is about the script and not about the checker."""
    (script,) = (path for path in UNREADABLE if path.stem == name)
    if IS_POSSIBLE and name not in NO_PYTHON:
        run = forks.run(["-W", "default", str(script)], cwd=tmp_path)
    else:
        run = subprocess.run(
            [sys.executable, str(script)],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert run.returncode == status
    assert last_words in run.stderr or last_words in run.stdout


@pytest.mark.parametrize("name", HANGING)
def test_hanging_script_hangs(name, tmp_path):
    script = FIXTURES / f"{name}.py"
    with pytest.raises(subprocess.TimeoutExpired, match=script.name):
        subprocess.run([sys.executable, str(script)], cwd=tmp_path, timeout=1.5, check=False)


def test_nan_loss_is_nan_from_the_start():
    script = FIXTURES / "unreadable" / "nan_loss.py"
    with np.errstate(invalid="ignore"):
        call = first_call(script, "gradient")
        assert np.isnan(call.script["loss"](call.arguments["scale"]))


def test_loss_not_scalar_returns_one_number_per_sample():
    call = first_call(FIXTURES / "unreadable" / "loss_not_scalar.py", "gradient")
    assert call.script["loss"](**call.arguments).shape == (15,)


def test_first_call_says_when_the_function_is_never_called():
    with pytest.raises(LookupError, match=r"no_gradient\.py never calls backward"):
        first_call(FIXTURES / "unreadable" / "no_gradient.py", "backward")


def test_disagreement_sees_a_planted_error_and_a_wrong_shape():
    good = np.array([1.0, -2.0])
    assert disagreement(good, good) == 0
    assert disagreement(np.array([1.0, -2.02]), good) == pytest.approx(0.02 / 2.02)
    assert np.isnan(disagreement(np.array([np.nan, -2.0]), good))
    with pytest.raises(ValueError, match=r"expected shape \(2,\), got \(1,\)"):
        disagreement(np.ones(1), good)


def test_along_directions_sees_one_wrong_entry():
    def loss(point):
        return float(np.sum(np.sin(point["w"])))

    point = {"w": np.linspace(0.1, 1.0, 12).reshape(3, 4)}
    right = np.cos(point["w"])
    wrong = right.copy()
    wrong[1, 2] *= 1.5
    analytic, numerical = along_directions(Sample(point, loss, {"w": right}), "w", 3)
    assert analytic.shape == (3,)
    assert disagreement(analytic, numerical) < 1e-8
    assert disagreement(*along_directions(Sample(point, loss, {"w": wrong}), "w", 3)) > 0.01


def test_slope_beside_kinks_takes_the_side_of_the_script():
    def loss(point):
        return float(np.abs(point["w"]).sum() + point["w"][1] ** 2)

    point = {"w": np.array([0.0, 0.5])}
    left, right = (one_sided_difference(loss, point, "w", step) for step in (-1e-5, 1e-5))
    np.testing.assert_allclose(left, [-1, 2], atol=1e-9)
    np.testing.assert_allclose(right, [1, 2], atol=1e-9)
    for slope in (-1.0, 1.0):
        found = slope_beside_kinks(loss, Sample(point, loss, {"w": np.array([slope, 2.0])}), "w")
        np.testing.assert_allclose(found, [slope, 2], atol=1e-9)
    between = slope_beside_kinks(loss, Sample(point, loss, {"w": np.array([0.0, 2.0])}), "w")
    assert abs(between[0]) == pytest.approx(1)


UPDATES = """
class Line:
    def __init__(self):
        self.w = 2.0
    def learn(self, x, y, lr):
        self.w -= lr * (self.w * x - y) * x
line = Line()
b = 0.5
for x, y in ((1.0, 3.0), (2.0, 1.0)):
    line.learn(x, y, 0.1)
    b = b - 0.1 * 2 * b
    print(b)
print("end")
"""


@pytest.fixture
def updates(tmp_path):
    script = tmp_path / "updates.py"
    script.write_text(UPDATES)
    return script


def test_stretch_reads_a_gradient_from_an_update_in_place(updates):
    stretch = Stretch(lambda v, w: (w * v.x - v.y) ** 2 / 2, "def learn(", ["self.w"], rate="lr")
    own, moved = stretch.at(updates, None), stretch.at(updates, 1)
    assert (own.point, own.gradients) == ({"self.w": 2.0}, {"self.w": pytest.approx(-1)})
    assert own.loss(own.point) == 0.5
    assert moved.point["self.w"] != 2
    assert moved.gradients["self.w"] == pytest.approx(moved.point["self.w"] - 3)


def test_stretch_starts_the_second_time_and_goes_from_line_to_line(updates):
    stretch = Stretch(lambda _, b: b**2, "b = b -", ["b"], "print(b)", rate="0.1", first=2)
    own = stretch.at(updates, None)
    assert own.point["b"] == pytest.approx(0.4)
    assert own.gradients["b"] == pytest.approx(0.8)
    moved = stretch.at(updates, 1)
    assert moved.gradients["b"] == pytest.approx(2 * moved.point["b"])


def test_stretch_says_what_it_does_not_find(updates):
    with pytest.raises(LookupError, match=r"updates\.py never gets from 'b = b -' to the end"):
        Stretch(lambda _, b: b, "b = b -", ["b"], "print(b)", rate="1", first=3).at(updates, None)
    for beginning, count in (("print", 2), ("pass", 0)):
        with pytest.raises(LookupError, match=f"begins with '{beginning}', found {count}"):
            line_number(UPDATES.encode(), beginning)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("# expect: wrong w1\n", "cannot read"),
        ("# expect: mismatch\n", "cannot read"),
        ("# expect: match w\n# expect: mismatch w\n", "contradict"),
        ("# expect: match w\n# expect: error empty\n", "contradict"),
        ("x = 1\n", "missing"),
    ],
)
def test_expectation_refuses_what_it_cannot_read(header, message, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(header)
    with pytest.raises(ValueError, match=message):
        expectation(script)


def test_fixtures_readme_has_one_row_per_script():
    rows = [line for line in (FIXTURES / "README.md").read_text().splitlines() if line.startswith("| `")]
    named = [row.split("`")[1] for row in rows]
    alone = [stem for stem in STEMS if stem not in TWINS]
    folders = ("unreadable", "notebooks", "submissions")
    others = [label(path) + path.suffix for folder in folders for path in scripts(folder)]
    long = [f"long/{stem}.py" for stem in sorted(LONG)]
    assert named == [f"{stem}.py" for stem in TWINS + alone] + others + long
