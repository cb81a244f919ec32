"""The magic %%gradcheck: its options, and what of a report belongs to its cell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradcheck.api import prepare
from gradcheck.errors import UsageError
from gradcheck.notebook.magic import options_of, within_cell
from gradcheck.session.result import Unchecked
from gradcheck.settings import Options
from notebooks import DATA, MODEL, TRAINING, WRONG_MODEL, notebook


def test_options_are_those_of_the_command_line():
    line = "--loss 'total(e)' --params a,b --points=3 --seed 1 --rtol 1e-4 --atol 0 --timeout 9 --no-fix"
    expected = Options(loss="total(e)", params=("a", "b"), points=3, seed=1, rtol=1e-4, atol=0.0, timeout=9, fix=False)
    assert options_of(line) == expected
    assert options_of("") == Options()


def test_calls_stand_below_each_other():
    assert options_of("--call 'train(w, 3)'") == Options(call=("train(w, 3)",))
    assert options_of("--call 'n = 3' --points 2 --call=train(n)") == Options(call=("n = 3\ntrain(n)",), points=2)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("--lose e", "unknown option '--lose'; known are --loss, "),
        ("points 3", "unknown option 'points'"),
        ("--points", "--points: expected a value"),
        ("--points three", "points: expected a whole number, got 'three'"),
        ("--points 0", "points: expected a number of at least 1, got 0"),
        ("--call train(", "call: expected Python such as grad(X, y, w), got 'train(': '(' was never closed"),
        ("--call", "--call: expected a value"),
        ("--loss 'e", "expected options such as --points 8"),
    ],
)
def test_a_wrong_option_is_a_sentence(line, complaint):
    with pytest.raises(UsageError, match=r"^%%gradcheck: ") as caught:
        options_of(line)
    assert complaint in caught.value.message


def renamed(model: str) -> str:
    """Return a model of other names, for a second one in the same notebook."""
    for old, new in (("loss", "loss_2"), ("gradient", "gradient_2"), ("dw", "dv"), ("db", "dc")):
        model = model.replace(old, new)
    return model.replace("w, b", "v, c").replace("@ w + b", "@ v + c").replace("w -=", "v -=").replace("b -=", "c -=")


@pytest.fixture
def examined(tmp_path, forked):
    cells = ["import numpy as np" + DATA, WRONG_MODEL + TRAINING, renamed(MODEL) + renamed(TRAINING)]
    return prepare(tmp_path / "net.ipynb", Options(timeout=20), content=notebook(*cells)).run()


def test_only_what_a_cell_computes_is_shown_and_the_rest_is_mentioned(examined):
    assert {p.name for p in examined.parameters} == {"w", "b", "v", "c"}
    narrow = within_cell(examined, 3)
    assert [p.name for p in narrow.parameters] == ["v", "c"]
    assert (narrow.verdict, narrow.findings) == ("match", ())
    assert narrow.notes[-1].startswith("not shown, because other cells compute them: the gradients of `w`, `b` (")
    assert "1 mismatch" in narrow.notes[-1]
    wrong = within_cell(examined, 2)
    assert ([p.name for p in wrong.parameters], wrong.verdict) == (["w", "b"], "mismatch")
    assert [finding.parameters for finding in wrong.findings] == [("b",)]


def test_what_was_not_checked_belongs_to_no_cell_and_is_said(examined):
    rows = (Unchecked("scale", (), "why"), Unchecked("shift", (2,), "why"))
    narrow = within_cell(replace(examined, unchecked=rows), 3)
    assert (narrow.verdict, narrow.unchecked) == ("match", ())
    assert narrow.notes[-1] == "`scale`, `shift` not checked: why"
    whole = within_cell(replace(examined, unchecked=rows), 1)
    assert whole.unchecked == rows


def test_a_cell_that_computes_no_gradient_shows_all(examined):
    assert within_cell(examined, 1) is examined


@pytest.mark.parametrize(("model", "verdict"), [(MODEL, "match"), (WRONG_MODEL, "mismatch")])
def test_a_cell_that_only_defines_functions_is_checked_by_a_call(tmp_path, forked, model, verdict):
    content = notebook("import numpy as np" + DATA, f"%%gradcheck\n{model}")
    options = options_of("--no-fix --call 'gradient(np.zeros(3), 0.5)'")
    result = within_cell(prepare(tmp_path / "net.ipynb", replace(options, timeout=20), content=content).run(), 2)
    assert ([p.name for p in result.parameters], result.verdict) == (["w", "b"], verdict)
    place = result.place(result.entry_points.backward_line)
    assert (place.cell, place.cell_line) == (2, 7)
    uncalled = prepare(tmp_path / "net.ipynb", Options(timeout=20), content=content).run()
    assert uncalled.error.slug == "no-gradient"
