"""Findings in the user's words: what an edit says about the mistake that it mends."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from gradcheck.diagnosis.registry import rules
from gradcheck.repair.bench import worst_error
from gradcheck.repair.influence import Influence
from gradcheck.repair.judgement import Judgement
from gradcheck.repair.level import Accepted
from gradcheck.repair.rewrite import Rewrite
from gradcheck.script.check.point import Point
from gradcheck.script.source.file import SourceFile, Span
from gradcheck.script.source.finding import Confidence, Finding, Fix
from gradcheck.script.source.text import edits_between, line_map

_MOST_SUSPECTS = 2
# what an entry's name has behind the vector's
NUMBERED = re.compile(r"#\d+$")


def findings(
    source: SourceFile,
    points: Sequence[Point],
    suspects: Sequence[Influence],
    steps: Sequence[Accepted],
    wrong: frozenset[str],
    judged: Judgement,
    others: Sequence[tuple[str, int]] = (),
) -> tuple[Finding, ...]:
    """Return the findings: one for each edit, and the suspected lines of what stays wrong."""
    verified = judged.points
    alternatives = tuple(_fix(source, code, count) for code, count in others)
    fix = None
    if verified:
        fix = replace(_fix(source, steps[-1].after, verified), alternatives=alternatives, remark=judged.remark)
    found = [_of_step(source, points, step, fix if n == 0 else None, verified) for n, step in enumerate(steps)]
    if verified and judged.remark:
        found[0] = replace(found[0], evidence=(*found[0].evidence, judged.remark))
    lines = {finding.span.line for finding in found}
    return (*found, *(f for f in _suspected(source, suspects, wrong) if wrong and f.span.line not in lines))


def _fix(source: SourceFile, code: str, points: int) -> Fix:
    return Fix(edits_between(source.lines, source.text, code), True, points)


def _of_step(source: SourceFile, points: Sequence[Point], step: Accepted, fix: Fix | None, verified: int) -> Finding:
    rewrite = step.candidate.rewrite
    start, end = _place(step.before, rewrite)
    line, column = _position(step.before, start)
    end_line, end_column = _position(step.before, end)
    lines = line_map(source.text, step.before)
    names = _shown(step.touched if step.candidate.influence else step.fixed)
    target = step.candidate.influence.site.target if step.candidate.influence else _assigned(step.before, start)
    errors = [worst_error([p.result for p in points], name) for name in sorted(step.fixed)]
    but = ", but for the decay, which the loss does not have" if rewrite.leaves_decay else ""
    evidence = tuple(
        f"without the edit, the gradient of `{_entry(name)}` {_told(error)}; with it, it agrees with finite "
        f"differences{but}"
        for name, error in zip(sorted(step.fixed), errors, strict=True)
    )
    span = Span(lines.get(line, line), column, lines.get(end_line, end_line), end_column)
    message = _message(rewrite.code, rewrite.old, rewrite.new, target)
    if _is_new_line(rewrite):
        message = f"behind this statement, another one is missing: `{rewrite.new}`"
    if rewrite.code == "GC221" and start > rewrite.splices[0].start + len(rewrite.old):
        reader = step.before[start:end].partition("=")[0].rstrip(" +-*/")
        message = f"`{reader}` reads what `{rewrite.old}` has changed already: that belongs behind it"
    confidence = Confidence.VERIFIED if verified else Confidence.LIKELY
    if not verified:
        message += " (derived from the forward pass)"
    return Finding(rewrite.code, rules()[rewrite.code].name, message, names, span, confidence, evidence, fix)


def _place(text: str, rewrite: Rewrite) -> tuple[int, int]:
    """Return the stretch that is guilty: what is edited, or what reads too late what was moved away from above it."""
    first, last = rewrite.splices[0], rewrite.splices[-1]
    moved = text[first.start : first.end].strip()
    if rewrite.code == "GC221" and len(rewrite.splices) > 1 and last.start > first.end and _updates(moved):
        return _reader(text, moved, first.end, last.start)
    if _is_new_line(rewrite):
        before = text.rfind("\n", 0, first.start - 1) + 1
        return before + len(text[before:]) - len(text[before:].lstrip()), first.start - 1
    if not first.new:
        return first.start + len(text[first.start :]) - len(text[first.start :].lstrip()), first.end - 1
    return first.start, first.end


def _assigned(text: str, place: int) -> str:
    """Return what stands on the left of an assignment's sign, where the place is such a sign."""
    before = text[text.rfind("\n", 0, place) + 1 : place].strip()
    return before if re.fullmatch(r"[\w.]+(\[[^=]*\])?", before) else ""


def _is_new_line(rewrite: Rewrite) -> bool:
    """Whether a statement is put in where there was none."""
    (first, *others) = rewrite.splices
    return not others and first.start == first.end and first.new.endswith("\n")


def _reader(text: str, moved: str, start: int, end: int) -> tuple[int, int]:
    """Return the first line between two places that reads what a statement changes."""
    found = re.findall(r"([\w.]+)(?:\[[^=]*\])?\s*[-+]=", moved)
    names = [re.compile(rf"(?<![\w.]){re.escape(name)}(?!\w)") for name in found]
    place = start
    for line in text[start:end].splitlines(keepends=True):
        if any(name.search(line) for name in names):
            return place + len(line) - len(line.lstrip()), place + len(line.rstrip())
        place += len(line)
    line_start = text.rfind("\n", 0, end - 1) + 1
    return line_start + len(text[line_start:]) - len(text[line_start:].lstrip()), end - 1


def _updates(statement: str) -> bool:
    return statement.startswith("for ") or any(sign in statement for sign in ("-=", "+="))


def _position(text: str, offset: int) -> tuple[int, int]:
    line = text.count("\n", 0, offset) + 1
    return line, offset - (text.rfind("\n", 0, offset) + 1) + 1


def _message(code: str, old: str, new: str, target: str) -> str:
    where = f"`{target}`" if target else "the value here"
    old, new = " ".join(old.split()), " ".join(new.split())
    told = rules()[code].message
    if told:
        return told.format(where=where, old=old, new=new)
    if not old:
        return f"{where} lacks `{new}`"
    if not new:
        return f"{where} has `{old}`, which does not belong there"
    return f"{where} is computed with `{old}`, where `{new}` belongs"


def _shown(names: frozenset[str]) -> tuple[str, ...]:
    """Return the names that the report has for parameters; entries that have none of their own go by the vector's."""
    return tuple(sorted({NUMBERED.sub("", name) for name in names}))


def _told(error: float) -> str:
    return f"has a relative error of {error:.3g}" if math.isfinite(error) else "is not finite, or of another shape"


def _entry(name: str) -> str:
    return re.sub(r"#(\d+)$", r"[\1]", name)


def _suspected(source: SourceFile, suspects: Sequence[Influence], wrong: frozenset[str]) -> list[Finding]:
    found: list[Finding] = []
    for influence in suspects:
        span = source.span(influence.site.value)
        if any(other.span.line == span.line for other in found) or influence.gradients is None:
            continue
        names = _shown(influence.gradients & wrong)
        where = f"`{influence.site.target}`" if influence.site.target else "the value here"
        told = f"{where} flows into the wrong gradients of {', '.join(names)}"
        message = f"{told}; no edit was found that mends them"
        found.append(Finding("GC290", rules()["GC290"].name, message, names, span, Confidence.POSSIBLE))
        if len(found) >= _MOST_SUSPECTS:
            break
    return found
