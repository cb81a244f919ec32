"""What is different between two examinations of the same script, a sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from gradcheck.report.problems import UNCHECKED
from gradcheck.script.source.finding import Finding
from gradcheck.session.result import ScriptResult


def changes(before: ScriptResult, after: ScriptResult) -> tuple[str, ...]:
    """Return what has changed from one examination of a script to the next; empty where nothing has.

    Errors come first, then verdicts in the order of the parameters, then parameters and findings that came or went.
    """
    errors = tuple(_errors(before, after))
    if before.error is not None or after.error is not None:
        return errors
    return (*errors, *_verdicts(before, after), *_findings(before, after))


def _errors(before: ScriptResult, after: ScriptResult) -> Iterator[str]:
    old, new = (None if script.error is None else script.error.slug for script in (before, after))
    if old == new:
        return
    if old is None:
        yield f"{before.verdict} -> error: {new}"
    elif new is None:
        yield f"error: {old} -> {after.verdict}"
    else:
        yield f"error: {old} -> error: {new}"


def _verdicts(before: ScriptResult, after: ScriptResult) -> Iterator[str]:
    old, new = _said(before), _said(after)
    yield from (f"{name}: {old[name]} -> {new[name]}" for name in new if name in old and old[name] != new[name])
    yield from (f"{name}: new, {new[name]}" for name in new if name not in old)
    for name in (name for name in old if name not in new):
        gone = "no longer there" if old[name] == UNCHECKED else "no longer checked"
        yield f"{name}: {gone}, was {old[name]}"


def _said(script: ScriptResult) -> dict[str, str]:
    """Return what is said of each parameter in a word."""
    verdicts = {parameter.name: parameter.verdict.value for parameter in script.parameters}
    return verdicts | {row.name: UNCHECKED for row in script.unchecked if row.name not in verdicts}


def _findings(before: ScriptResult, after: ScriptResult) -> Iterator[str]:
    # not by their lines, which move as the script is edited
    old, new = ({_key(finding): finding for finding in script.findings} for script in (before, after))
    yield from (f"gone: {_shown(finding)}" for key, finding in old.items() if key not in new)
    yield from (f"new: {_shown(finding)}" for key, finding in new.items() if key not in old)


def _key(finding: Finding) -> tuple[str, tuple[str, ...]]:
    return finding.code, finding.parameters


def _shown(finding: Finding) -> str:
    return f"{finding.code} {finding.name}" + (f" of {', '.join(finding.parameters)}" if finding.parameters else "")
