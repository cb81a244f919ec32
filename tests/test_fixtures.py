"""The checker says about every fixture script what the script's comments expect."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixture_scripts import Shelf, expectation, is_undecided, scripts
from gradcheck.api import check_script
from gradcheck.script.source.names import base_name
from gradcheck.session.result import ScriptResult
from gradcheck.settings import Options

EVERY = scripts("buggy") + scripts("correct")
RUNNABLE = [path for path in EVERY if not is_undecided(path)]


def label(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", RUNNABLE + scripts("notebooks"), ids=label)
def test_verdict_of_every_parameter(path, shelf):
    expected = expectation(path)
    script = shelf(path)
    assert script.error is None
    verdicts = {parameter.name: str(parameter.verdict) for parameter in script.parameters}

    assert {name for name, verdict in verdicts.items() if verdict == "mismatch"} == expected.mismatch
    assert set(verdicts.values()) <= {"match", "mismatch"}
    if expected.mismatch:
        assert set(verdicts) == expected.match | expected.mismatch
    assert script.verdict == expected.verdict


@pytest.mark.parametrize("path", [path for path in EVERY if is_undecided(path)], ids=label)
def test_what_is_not_understood_yet_is_refused(path, shelf):
    """The mark of a script that is understood after all is to be taken away."""
    script, expected = shelf(path), expectation(path)
    assert script.verdict != "match"
    assert set(script.mismatching) <= expected.mismatch
    assert script.verdict in {"error", "inconclusive"} or script.undecided


TWINS = {path.stem for path in EVERY if is_undecided(path)}


@pytest.mark.parametrize("stem", [path.stem for path in scripts("buggy") if path.stem not in TWINS])
def test_twins_are_checked_in_the_same_parameters(stem, shelf):
    """A correct script is not passed by looking at fewer of its parameters."""
    twins = [shelf(path) for path in RUNNABLE if path.stem == stem]
    # an object may be seen as `self` in one of them, and by its own name in the other
    names = [{base_name(parameter.name) for parameter in script.parameters} for script in twins]
    assert names[0] == names[1] != set()


@pytest.mark.usefixtures("forked_children")
@pytest.mark.parametrize("path", scripts("unreadable"), ids=label)
def test_error_of_every_unreadable_script(path):
    expected = expectation(path).error
    (script,) = check_script(path, Options(timeout=1) if expected == "timeout" else None).scripts
    assert script.verdict == "error"
    assert script.error is not None
    assert script.error.slug == expected, script.error.message
    assert len(script.error.message) > len(script.error.slug)


@pytest.mark.parametrize(("name", "text"), [("raises", "X = np.arange(30.0)"), ("syntax_error", "def gradient(w, b)")])
def test_error_names_the_line(name, text):
    (path,) = (path for path in scripts("unreadable") if path.stem == name)
    (script,) = check_script(path).scripts
    line = path.read_text().splitlines()[script.error.line - 1]
    assert line.startswith(text)


def test_a_fixture_is_examined_once(tmp_path, monkeypatch):
    """Another process of the same run finds what the first one has found; other options are another question."""
    asked = []

    def examine(path, options):
        asked.append(options.fix)
        return ScriptResult(str(path))

    monkeypatch.setattr("fixture_scripts.examine_script", examine)
    for _ in range(2):
        assert [Shelf(tmp_path)(path).path for path in RUNNABLE[:2]] == [str(path) for path in RUNNABLE[:2]]
    assert asked == [False, False]
    Shelf(tmp_path)(RUNNABLE[0], fix=True)
    assert asked == [False, False, True]
