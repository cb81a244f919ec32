"""The fixture scripts are what their comments say: judged without the checker."""

from __future__ import annotations

import difflib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fixture_scripts import FIXTURES, expectation, read_text, scripts
from fixture_truth import PROBES, central_difference, disagreement, first_call, perturbed

RUNNABLE = scripts("buggy") + scripts("correct")
STEMS = sorted(PROBES)
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


@pytest.fixture(scope="module", params=RUNNABLE, ids=label)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture(scope="module")
def probe(path: Path):
    return PROBES[path.stem](path)


@pytest.mark.parametrize("seed", [None, 1, 2], ids=["own", "perturbed-1", "perturbed-2"])
def test_exactly_the_expected_parameters_are_wrong(path, probe, seed):
    """Right means agreement to seven digits, wrong means off by more than one percent."""
    point = probe.point if seed is None else perturbed(probe.point, seed)
    analytic = probe.gradients({name: value.copy() for name, value in point.items()})
    errors = {name: disagreement(analytic[name], central_difference(probe.loss, point, name)) for name in point}
    wrong = {name for name, error in errors.items() if not error < 1e-7}

    assert wrong == expectation(path).mismatch, errors
    assert all(errors[name] > 0.01 for name in wrong), errors


def test_expectations_name_every_parameter(path, probe):
    """A plain ``# expect: match`` means all of them; otherwise each is named once."""
    expected = expectation(path)
    assert expected.error is None
    if path.parent.name == "correct":
        assert expected.verdict == "match"
        assert not expected.match
    else:
        assert expected.verdict == "mismatch"
        assert expected.match | expected.mismatch == set(probe.point)


def test_script_runs_quietly_and_quickly(path, tmp_path):
    """It ends within seconds, with some output and without a warning."""
    run = subprocess.run(
        [sys.executable, "-W", "error", str(path)], cwd=tmp_path, capture_output=True, timeout=30, check=False
    )
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout.count(b"\n") >= 2
    assert not list(tmp_path.iterdir())


def test_every_bug_has_its_correct_twin():
    names = {folder: [path.stem for path in scripts(folder)] for folder in ("buggy", "correct")}
    assert names == {"buggy": STEMS, "correct": STEMS}


@pytest.mark.parametrize("stem", STEMS)
def test_pair_differs_in_a_few_lines(stem):
    """A fixture shows its mistakes and nothing else."""
    buggy, correct = (code_lines(FIXTURES / folder / f"{stem}.py") for folder in ("buggy", "correct"))
    assert 1 <= len(changed_lines(buggy, correct)) <= MAX_CHANGED.get(stem, 3)


@pytest.mark.parametrize("stem", STEMS)
def test_bug_comments_mark_exactly_the_changed_lines(stem):
    buggy, correct = (code_lines(FIXTURES / folder / f"{stem}.py") for folder in ("buggy", "correct"))
    text = read_text(FIXTURES / "buggy" / f"{stem}.py")
    marked = [line.split("  # bug: ")[0] for line in text.splitlines() if "  # bug: " in line]
    assert changed_lines(buggy, correct) == marked
    assert "bug" not in read_text(FIXTURES / "correct" / f"{stem}.py")


def test_changed_lines_counts_replacements_and_additions():
    assert changed_lines(["a", "b", "c"], ["a", "x", "c"]) == ["b"]
    assert changed_lines(["a", "c"], ["a", "b", "b", "c"]) == ["b", "b"]
    assert changed_lines(["a", "b"], ["a", "b"]) == []


def test_prints_megabytes_does():
    script = FIXTURES / "correct" / "prints_megabytes.py"
    run = subprocess.run([sys.executable, str(script)], capture_output=True, timeout=30, check=True)
    assert len(run.stdout) > 5_000_000


@pytest.mark.parametrize("path", scripts("unreadable"), ids=label)
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
        ("no_gradient", 0, ""),
        ("not_utf8", 1, "no encoding declared"),
        ("null_bytes", 1, "source code cannot contain null bytes"),
        ("raises", 1, "ValueError: cannot reshape array of size 30 into shape (12,3)"),
        ("syntax_error", 1, "SyntaxError: expected ':'"),
    ],
)
def test_unreadable_scripts_fail_as_their_names_say(name, status, last_words, tmp_path):
    """Plain Python meets the same obstacle, so the slug is about the script and not about the checker."""
    script = FIXTURES / "unreadable" / f"{name}.py"
    run = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == status
    assert last_words in run.stderr or last_words in run.stdout


def test_hanging_script_hangs(tmp_path):
    script = FIXTURES / "unreadable" / "hangs.py"
    with pytest.raises(subprocess.TimeoutExpired, match=r"hangs\.py"):
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
    pairs = [f"{stem}.py" for stem in STEMS]
    assert named == pairs + [f"unreadable/{path.name}" for path in scripts("unreadable")]
