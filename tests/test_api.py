"""The whole way in one call: a report that prints nothing and raises for wrong settings only."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import gradcheck
from gradcheck import Report, check_script
from gradcheck.api import prepare
from gradcheck.errors import UsageError
from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Confidence, Finding
from gradcheck.session.result import ScriptResult
from gradcheck.settings import Options
from script_runs import write

pytestmark = pytest.mark.usefixtures("forked_children", "forked_commands")

SCRIPT = """
print("printed by the script")
def loss(w):
    return (w - 3) ** 2
def gradient(w):
    dw = {factor} * (w - 3)
    return dw
w = 0.5
for i in range(3):
    dw = gradient(w)
    w -= 0.1 * dw
"""


@pytest.mark.parametrize(("factor", "passed"), [(2, True), (3, False)])
def test_a_report_is_returned_and_nothing_is_printed(tmp_path, capfd, factor, passed):
    report = check_script(write(tmp_path, SCRIPT.format(factor=factor)))
    assert isinstance(report, Report)
    assert bool(report) is report.passed is passed
    assert capfd.readouterr() == ("", "")


def test_paths_may_be_text_and_relative(tmp_path, monkeypatch):
    write(tmp_path, SCRIPT.format(factor=2), "net.py")
    monkeypatch.chdir(tmp_path)
    (script,) = check_script("net.py").scripts
    assert (script.path, script.verdict) == ("net.py", "match")
    assert check_script(Path("net.py")).passed


@pytest.mark.parametrize("name", ["missing.py", ".", "bad\0name.py"])
def test_what_cannot_be_read_is_a_verdict_and_no_exception(tmp_path, name):
    (script,) = check_script(tmp_path / name).scripts
    assert (script.verdict, script.error.slug) == ("error", "unreadable")


def test_a_wrong_comment_is_an_error_of_the_script_with_its_line(tmp_path):
    (script,) = check_script(write(tmp_path, "x = 1\n# gradcheck: backwards=f\n")).scripts
    assert (script.error.slug, script.error.line) == ("bad-setting", 2)
    assert "unknown setting 'backwards'" in script.error.message


def test_a_wrong_setting_of_the_caller_is_raised():
    with pytest.raises(UsageError, match="points: expected a number of at least 1, got 0"):
        check_script("net.py", Options(points=0))


def test_the_callers_process_is_left_alone(tmp_path):
    import os
    import random
    import sys

    import numpy as np

    script = "import os, random, sys\nos.chdir('/')\nos.environ['X_OF_SCRIPT'] = '1'\nrandom.seed(1)\n"
    random.seed(5)
    before = os.getcwd(), list(sys.path), sys.argv[:], random.getstate()  # noqa: PTH109
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    assert check_script(write(tmp_path, script + SCRIPT.format(factor=2))).passed
    assert before == (os.getcwd(), list(sys.path), sys.argv[:], random.getstate())  # noqa: PTH109
    assert state == np.random.get_state()[1].tolist()  # noqa: NPY002
    assert "X_OF_SCRIPT" not in os.environ


def test_a_report_can_be_pickled(tmp_path):
    report = check_script(write(tmp_path, SCRIPT.format(factor=3)))
    again = pickle.loads(pickle.dumps(report))
    assert again.scripts[0].mismatching == report.scripts[0].mismatching == ("w",)


def test_the_package_offers_what_it_promises():
    assert set(gradcheck.__all__) <= set(dir(gradcheck))
    for name in gradcheck.__all__:
        assert getattr(gradcheck, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = gradcheck.nonsense


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        (Options(), ["GC201", "GC213"]),
        (Options(select=("GC21",)), ["GC213"]),
        (Options(ignore=("GC213",)), ["GC201"]),
    ],
)
def test_findings_that_were_not_asked_for_are_left_out(tmp_path, monkeypatch, options, codes):
    place = Span(1, 1, 1, 2)
    found = tuple(Finding(c, "n", "m", ("w",), place, Confidence.VERIFIED) for c in ("GC201", "GC213"))
    monkeypatch.setattr(
        "gradcheck.api.examine_isolated", lambda request, *_: ScriptResult(request.path, findings=found)
    )
    script = tmp_path / "net.py"
    script.write_text("w = 1\n")
    (result,) = check_script(script, options).scripts
    assert [finding.code for finding in result.findings] == codes


@pytest.mark.parametrize(("said", "searched"), [(None, True), (True, True), (False, False)])
def test_whether_to_search_for_fixes_is_handed_on(tmp_path, said, searched):
    script = tmp_path / "net.py"
    script.write_text("w = 1\n")
    assert prepare(script, Options(fix=said)).request.fix is searched
