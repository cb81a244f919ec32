"""The findings of a script, for a terminal or a log: what is wrong, where, how that is known, and what mends it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from gradcheck.report.snippet import show_line, show_snippet
from gradcheck.report.styles import plain
from gradcheck.script.source.finding import Confidence, Edit, Finding, Fix
from gradcheck.script.source.patch import new_lines, verified_edits
from gradcheck.session.result import ScriptResult

_DIFF_STYLES = {"-": "red", "+": "green", "@": "blue"}
_STYLES = {Confidence.VERIFIED: "green", Confidence.LIKELY: "yellow", Confidence.POSSIBLE: "dim"}


def show_findings(script: ScriptResult, console: Console, *, as_diff: bool = False) -> None:
    """Write the findings of a script, best first."""
    for finding in script.findings:
        show_line(console, "")
        show_finding(script, finding, console, edits=not as_diff)
    if as_diff:
        _show_diff(script, console)
    if script.findings:
        show_line(console, "")
        for words in _help(script):
            show_line(console, Text("help: ", "bold").append(words))


def _help(script: ScriptResult) -> Iterator[str]:
    """Say what to type next."""
    if verified_edits(script.findings):
        typed = script.command("fix", "--write")
        # words behind the script's own arguments would be read as such
        yield f"to make the edits: {typed}" if script.argv else f"{typed} makes the edits"
    yield f"gradcheck explain {min(finding.code for finding in script.findings)} says more about a code"


def _show_diff(script: ScriptResult, console: Console) -> None:
    """Write the verified edits as a unified diff, of a notebook as one of each cell."""
    parts: dict[tuple[int, int], list[Edit]] = {}
    for edit in verified_edits(script.findings):
        parts.setdefault(script.extent(edit.line), []).append(edit)
    if parts:
        show_line(console, Text("\nfix, verified at fresh points:", "green"))
    for (first, last), edits in parts.items():
        before = [plain(line) for line in script.lines[first - 1 : last]]
        groups = [[line] for line in before]
        for edit in edits:
            groups[edit.line - first] = [plain(line) for line in new_lines(edit)]
        after = [line for group in groups for line in group]
        place = script.place(first)
        name = Path(place.path).as_posix().lstrip("/") + (f" (cell {place.cell})" if place.cell is not None else "")
        for line in difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm=""):
            show_line(console, Text(line, _DIFF_STYLES.get(line[0], "")))


def show_finding(script: ScriptResult, finding: Finding, console: Console, *, edits: bool = True) -> None:
    """Write one finding: its code, where it is, what it says, and what mends it, verified edits only if asked for."""
    text = Text().append(f"{finding.code} {finding.name}", "bold red")
    text.append(f"  {', '.join(finding.parameters)}" if finding.parameters else "")
    show_line(console, text.append(f"  ({finding.confidence})", _STYLES[finding.confidence]))
    show_snippet(script, finding.span, console)
    show_line(console, f"  {plain(finding.message)}")
    for sentence in finding.evidence:
        show_line(console, f"  {plain(sentence)}")
    if finding.fix is not None:
        _show_fix(script, finding.fix, console, edits=edits)


def _show_fix(script: ScriptResult, fix: Fix, console: Console, *, edits: bool) -> None:
    points = f"{fix.points} fresh point{'' if fix.points == 1 else 's'}"
    if edits or not fix.verified:
        said = f"fix, verified at {points}:" if fix.verified else "fix, not verified:"
        show_line(console, Text(f"  {said}", "green" if fix.verified else "yellow"))
        for edit in fix.edits:
            _show_edit(script, edit, "", console)
    if fix.alternatives:
        show_line(console, Text("  other edits that also make every gradient match:", "cyan"))
    for other in fix.alternatives:
        # what it has in common with the fix stands above
        replaced = [edit.line for edit in fix.edits if edit not in other.edits]
        for edit in other.edits:
            if edit not in fix.edits:
                elsewhere = [f"that of {script.place(line)}" for line in replaced if line != edit.line]
                _show_edit(script, edit, f", in place of {' and '.join(elsewhere)}" if elsewhere else "", console)


def _show_edit(script: ScriptResult, edit: Edit, remark: str, console: Console) -> None:
    show_line(console, Text(f"    {script.place(edit.line)}{remark}", "blue"))
    show_line(console, Text(f"    - {plain(edit.old)}", "red"))
    for new in edit.new.split("\n") if edit.new else ():
        show_line(console, Text(f"    + {plain(new)}", "green"))
