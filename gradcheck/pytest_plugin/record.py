"""What a test has found about gradients, and how it gets from there to the summary and the report."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from typing import TypedDict

import pytest

from gradcheck.checker.result import ParameterResult
from gradcheck.checker.verdict import Verdict
from gradcheck.report.problems import UNCHECKED
from gradcheck.session.result import ScriptResult, Unchecked

# worst first; "none" is a file without gradients
VERDICTS = ("mismatch", "error", "inconclusive", UNCHECKED, "match", "none")
# without numbers
_NOT_COMPARED = ("error", UNCHECKED)


class Row(TypedDict):
    """What was found about a gradient, in builtin types, as nothing else reaches another process of xdist."""

    verdict: str
    place: str
    parameter: str
    max_rel_error: float
    said: str


class Found(TypedDict):
    """What one test has found; `scripts` is a pickled list of pairs of a key and a ScriptResult."""

    rows: list[Row]
    scripts: bytes


_ROWS = pytest.StashKey[list[Row]]()
_SCRIPTS = pytest.StashKey[list[tuple[str, ScriptResult]]]()
_SENT = pytest.StashKey[set[str]]()


def note(
    item: pytest.Item,
    place: str,
    script: ScriptResult,
    parameters: Sequence[ParameterResult | Unchecked],
    *,
    prefix: str = "",
) -> None:
    """Take down what a test has found, also as properties of the test, which reports of JUnit have."""
    rows = item.stash.setdefault(_ROWS, [])
    rows += [_row(parameter, place, prefix) for parameter in parameters]
    if script.error is not None:
        slug = script.error.slug
        rows.append(Row(verdict="error", place=place, parameter="", max_rel_error=math.nan, said=prefix + slug))
    item.stash.setdefault(_SCRIPTS, []).append((place, script))
    _set_properties(item, rows)


def note_nothing(item: pytest.Item, place: str, sentence: str) -> None:
    """Take down that a file has no gradients."""
    row = Row(verdict="none", place=place, parameter="", max_rel_error=math.nan, said=sentence)
    item.stash.setdefault(_ROWS, []).append(row)


def _row(parameter: ParameterResult | Unchecked, place: str, prefix: str) -> Row:
    if isinstance(parameter, Unchecked):
        name, said = prefix + parameter.name, parameter.reason
        return Row(verdict=UNCHECKED, place=place, parameter=name, max_rel_error=math.nan, said=said)
    reason = parameter.reason
    said = reason.sentence if reason is not None and parameter.verdict is Verdict.INCONCLUSIVE else ""
    return Row(
        verdict=parameter.verdict.value,
        place=place,
        parameter=prefix + parameter.name,
        max_rel_error=float(parameter.max_rel_error),
        said=said or f"rel. error {parameter.max_rel_error:.2g}",
    )


def _set_properties(item: pytest.Item, rows: Sequence[Row]) -> None:
    """Give a test its properties, one value of each kind for all that it has checked."""
    verdict = min((row["verdict"] for row in rows), key=VERDICTS.index)
    errors = [row["max_rel_error"] for row in rows if row["verdict"] not in _NOT_COMPARED]
    names = [row["parameter"] for row in rows if row["verdict"] != "error"]
    properties: dict[str, str | float] = {"gradcheck.checker.verdict": verdict}
    if errors:
        properties["gradcheck.max_rel_error"] = max(errors, key=lambda error: (math.isnan(error), error))
    if names:
        properties["gradcheck.parameters"] = ", ".join(names)
    others = [(name, value) for name, value in item.user_properties if name not in properties]
    item.user_properties[:] = [*others, *properties.items()]


def attach(item: pytest.Item, report: pytest.TestReport) -> None:
    """Send what a test has found along with its report."""
    rows = item.stash.get(_ROWS, None)
    if rows is None:
        return
    scripts: list[tuple[str, ScriptResult]] = []
    if item.config.getoption("gradcheck_report") or item.config.getini("gradcheck_report"):
        sent = item.config.stash.setdefault(_SENT, set())
        # the tests of a script's parameters share one examination
        scripts = [pair for pair in item.stash.get(_SCRIPTS, []) if pair[0] == item.nodeid or pair[0] not in sent]
        sent.update(place for place, _ in scripts)
    found = Found(rows=rows, scripts=pickle.dumps(scripts))
    report.gradcheck = found  # type: ignore[attr-defined] # reports carry the attributes of plugins
