"""What is wrong with a script, item by item: the form in which code hosts and code scanners want to be told."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from gradcheck.checker.result import ParameterResult, Verdict
from gradcheck.errors import ScriptError
from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Confidence, Finding, Fix
from gradcheck.script.source.patch import new_lines
from gradcheck.session.result import ScriptResult, Unchecked

# what a wrong or an undecided gradient is called where findings have their codes and errors their slugs
MISMATCH, INCONCLUSIVE = Verdict.MISMATCH.value, Verdict.INCONCLUSIVE.value
# stands in the place of a verdict for what the training moves, and what was not checked
UNCHECKED = "unchecked"
# of the names that share a reason; the tables have all of them
_MOST_NAMES = 12


class Level(enum.StrEnum):
    """How grave a problem is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Problem:
    """What is to be told about a script: a finding, a gradient without one, what was not checked, or an error.

    The gradients are those that are wrong or undecided; an error says why nothing was checked.

    Attributes
    ----------
    kind : str
        The code of a finding, ``mismatch``, ``inconclusive``, ``unchecked``, or the slug of an error.
    title : str
        What it is, in a few words.
    sentences : tuple of str
        What is known about it, the gist first.
    span : Span or None
        Where it stands; columns of 0 where only the line is known; None where it belongs to the whole file.
    """

    kind: str
    title: str
    level: Level
    sentences: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    span: Span | None = None
    fix: Fix | None = None


def problems(script: ScriptResult) -> Iterator[Problem]:
    """Yield what is wrong with a script, the gravest and best known first."""
    if script.error is not None:
        yield _of_error(script.error)
    for finding in script.findings:
        yield _of_finding(script, finding)
    explained = {name for finding in script.findings for name in finding.parameters}
    for verdict in (Verdict.MISMATCH, Verdict.INCONCLUSIVE):
        for parameter in script.parameters:
            if parameter.verdict is verdict and parameter.name not in explained:
                yield _of_parameter(script, parameter)
    for group in by_reason(script.unchecked):
        yield _of_unchecked(group)


def by_reason(rows: Iterable[Unchecked]) -> list[tuple[Unchecked, ...]]:
    """Return what was not checked in groups of one reason, in the order of the first of each."""
    groups: dict[str, list[Unchecked]] = {}
    for row in rows:
        groups.setdefault(row.reason, []).append(row)
    return [tuple(group) for group in groups.values()]


def names_of(rows: Iterable[Unchecked], quote: Callable[[str], str] = str) -> str:
    """Return the names of what was not checked, each as `quote` writes it, as `named` does."""
    return named([quote(row.name) for row in rows])


def named(names: Sequence[str]) -> str:
    """Return names with commas between them; of many, the first ones and how many more there are."""
    shown, more = shown_names(names)
    return f"{', '.join(shown)}{more}"


def shown_names(names: Sequence[str]) -> tuple[Sequence[str], str]:
    """Return of many names the first ones, and words for the others; those are empty where all are shown."""
    more = len(names) - _MOST_NAMES
    # one more takes no more room than saying so
    return (names, "") if more <= 1 else (names[:_MOST_NAMES], f" and {more} more")


def remarks(script: ScriptResult) -> Iterator[Problem]:
    """Yield the notes on a script as one thing to be told, if there are any: nothing is wrong for their sake."""
    if script.notes:
        yield Problem("note", f"note{'' if len(script.notes) == 1 else 's'}", Level.NOTE, script.notes)


def _of_unchecked(group: tuple[Unchecked, ...]) -> Problem:
    one = len(group) == 1
    names = names_of(group, lambda name: f"`{name}`")
    said = f"the gradient{'' if one else 's'} of {names} {'was' if one else 'were'} not checked"
    return Problem(
        UNCHECKED,
        f"gradient{'' if one else 's'} not checked",
        Level.NOTE,
        (said, *(reason for reason in (group[0].reason,) if reason)),
        tuple(row.name for row in group),
    )


def _of_error(error: ScriptError) -> Problem:
    span = None if error.line is None else Span(error.line, 0, error.line, 0)
    return Problem(error.slug, f"not checked: {error.slug}", Level.ERROR, (error.message,), span=span)


def _of_finding(script: ScriptResult, finding: Finding) -> Problem:
    return Problem(
        finding.code,
        f"{finding.code} {finding.name}",
        Level.WARNING if finding.confidence is Confidence.POSSIBLE else Level.ERROR,
        (finding.message, *finding.evidence, *mended_elsewhere(script, finding)),
        finding.parameters,
        finding.span,
        finding.fix,
    )


def mended_elsewhere(script: ScriptResult, finding: Finding) -> Iterator[str]:
    """Say with which other finding the fix stands that mends this one too, if there is one."""
    other = finding_with_fix(script, finding)
    if other is not None and other is not finding:
        yield f"the fix of {other.code} in {script.place(other.span.line)} mends this, too"


def finding_with_fix(script: ScriptResult, finding: Finding) -> Finding | None:
    """Return the finding at which the fix of a finding stands: itself, or the first one whose edits reach its lines."""
    if finding.fix is not None:
        return finding
    lines = range(finding.span.line, finding.span.end_line + 1)
    others = (other for other in script.findings if other.fix and any(edit.line in lines for edit in other.fix.edits))
    return next(others, None)


def _of_parameter(script: ScriptResult, parameter: ParameterResult) -> Problem:
    is_wrong = parameter.verdict is Verdict.MISMATCH
    said = dict(script.signatures).get(parameter.name)
    sources = {source.parameter: source.span for source in script.sources}
    line = script.entry_points and script.entry_points.backward_line
    return Problem(
        parameter.verdict.value,
        "wrong gradient" if is_wrong else "undecided gradient",
        Level.ERROR if is_wrong else Level.WARNING,
        (
            f"the gradient of `{parameter.name}` {'is wrong' if is_wrong else 'could not be decided'}",
            *sentences_about(parameter, said),
        ),
        (parameter.name,),
        sources.get(parameter.name) or (Span(line, 0, line, 0) if line else None),
    )


def sentences_about(parameter: ParameterResult, signature: str | None = None) -> Iterator[str]:
    """Yield what is known about a gradient that does not match."""
    yield numbers_of(parameter)
    if signature:
        yield signature
    if parameter.reason is not None:
        yield parameter.reason.sentence


def entry_name(parameter: ParameterResult) -> str:
    """Return the name of the worst entry of a parameter: ``W[0, 3]``."""
    return f"{parameter.name}[{', '.join(map(str, parameter.worst_index))}]" if parameter.shape else parameter.name


def numbers_of(parameter: ParameterResult) -> str:
    """Return the numbers of the worst entry, with all their digits."""
    worst = parameter.worst
    said = (
        f"{entry_name(parameter)}: analytic {float(parameter.analytic[worst])!r}, "
        f"numerical {float(parameter.numerical[worst])!r} +- {parameter.numerical_error[worst]:.1g}"
    )
    if parameter.size == 1:
        return said
    wrong = wrong_entries(parameter)
    if wrong.startswith("?"):
        return f"{said}; how many{wrong[1:]} entries are wrong is unknown"
    return f"{said}; {wrong} entries are wrong"


def sized(shape: Sequence[int]) -> str:
    """Return a shape in words: ``3 x 4``, or ``scalar``."""
    return " x ".join(map(str, shape)) or "scalar"


def wrong_entries(parameter: ParameterResult) -> str:
    """Return how many entries of a parameter are wrong, of how many."""
    return parameter.wrong.replace(",", "")


def lines_about(script: ScriptResult, problem: Problem) -> list[str]:
    """Return what a message says about a problem, its fix below; in a notebook it says where, as the file does not."""
    first, *more = problem.sentences
    if script.cells is not None and problem.span is not None:
        first = f"{script.place(problem.span.line)}: {first}"
    fix = [f"{fix_title(problem.fix)}:", *diff_of(script, problem.fix)] if problem.fix else []
    return [first, *more, *fix]


def span_in_file(script: ScriptResult, problem: Problem) -> tuple[str, Span | None]:
    """Return the file in which a problem stands, and where; None for a notebook, whose cells have other lines."""
    span = problem.span
    if span is None:
        return script.path, None
    is_notebook = script.cells is not None or script.path.endswith(".ipynb")
    if is_notebook and script.place(span.line).module is None:
        return script.path, None
    return script.in_file(span)


def fix_title(fix: Fix) -> str:
    """Return what a fix is."""
    points = f"{fix.points} fresh point{'' if fix.points == 1 else 's'}"
    return f"fix, verified at {points}" if fix.verified else "fix, not verified"


def diff_of(script: ScriptResult, fix: Fix) -> list[str]:
    """Return the lines of a fix as a difference for the eye, each edit below its place."""
    found = []
    for edit in fix.edits:
        found += [f"@@ {script.place(edit.line)} @@", f"-{edit.old}", *(f"+{line}" for line in new_lines(edit))]
    return found
