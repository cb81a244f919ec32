"""A tally as Markdown tables, which line up on a terminal too."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.tally import CORRECT, Tally


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an aligned Markdown table; the first column is text, the others are numbers.

    Parameters
    ----------
    header : sequence of str
        Titles of the columns.
    rows : sequence of sequences of str
        The cells.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]
        return f"| {' | '.join(padded)} |"

    rule = "|".join("-" * (width + 1) + (":" if i else "-") for i, width in enumerate(widths))
    return "\n".join((line(header), f"|{rule}|", *map(line, rows)))


def by_error(tally: Tally) -> str:
    """Return a table of checkers against planted errors: how much of each was missed.

    Parameters
    ----------
    tally : Tally
        The answers.
    """
    header = ["checker", "false alarms", *(f"missed: {label}" for label in tally.wrong)]
    header += ["undecided: correct", "undecided: wrong", "evaluations: correct", "evaluations: wrong"]
    rows = []
    for name in tally.checkers:
        missed = [_share(tally, name, None, [label], "match") for label in tally.wrong]
        evaluations = [f"{tally.evaluations(name, wrong=wrong):,.1f}" for wrong in (False, True)]
        undecided = [_undecided(tally, name, labels) for labels in ([CORRECT], tally.wrong)]
        rows.append([name, _share(tally, name, None, [CORRECT], "mismatch"), *missed, *undecided, *evaluations])
    return markdown(header, rows)


def by_group(tally: Tally, title: str) -> str:
    """Return a table of groups against checkers: false alarms and misses.

    Parameters
    ----------
    tally : Tally
        The answers.
    title : str
        What a group is.
    """
    rows = []
    for group in tally.groups:
        cells = []
        for name in tally.checkers:
            shares = ((name, [group], [CORRECT], "mismatch"), (name, [group], tally.wrong, "match"))
            cells.append(" / ".join(_share(tally, *share) for share in shares))
        rows.append([group, *cells])
    return markdown([title, *tally.checkers], rows)


def totals(tally: Tally) -> str:
    """Return a table of checkers: what they accepted, rejected and named, in numbers.

    Parameters
    ----------
    tally : Tally
        The answers.
    """
    header = ["checker", "correct: accepted", "rejected", "undecided"]
    header += [
        "wrong: rejected",
        "accepted",
        "undecided",
        "exactly named",
        "evaluations: correct",
        "evaluations: wrong",
    ]
    rows = []
    for name in tally.checkers:
        cells = [name]
        for labels, order in (([CORRECT], ("match", "mismatch")), (tally.wrong, ("mismatch", "match"))):
            said = [tally.count(name, labels=labels, verdict=verdict) for verdict in order]
            cells += [str(number) for number in (*said, tally.count(name, labels=labels) - sum(said))]
        named = str(tally.named(name)) if tally.named(name) else "-"
        cells += [named, *(f"{tally.evaluations(name, wrong=wrong):,.0f}" for wrong in (False, True))]
        rows.append(cells)
    return markdown(header, rows)


def by_label(tally: Tally, title: str) -> str:
    """Return a table of planted errors against checkers: how many were accepted.

    Parameters
    ----------
    tally : Tally
        The answers.
    title : str
        What a label is.
    """
    rows = [
        [label, *(str(tally.count(name, labels=[label], verdict="match")) for name in tally.checkers)]
        for label in tally.wrong
    ]
    return markdown([title, *tally.checkers], rows)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _share(tally: Tally, name: str, groups: list[str] | None, labels: list[str], verdict: str) -> str:
    part = tally.count(name, groups=groups, labels=labels, verdict=verdict)
    return _percent(part, tally.count(name, groups=groups, labels=labels))


def _undecided(tally: Tally, name: str, labels: list[str]) -> str:
    whole = tally.count(name, labels=labels)
    decided = sum(tally.count(name, labels=labels, verdict=verdict) for verdict in ("match", "mismatch"))
    return _percent(whole - decided, whole)
