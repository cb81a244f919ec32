"""One mutant is put to gradcheck, as a user would, and what it says is held against what was planted."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.mutants.draw import Mutant
from benchmarks.mutants.losses import same, trained

SECONDS = 600
# other points than those of the first check, and more of them
ELSEWHERE = ("--seed", "1000", "--points", "12", "--no-fix")


@dataclass(frozen=True)
class Trial:
    """What became of a mutant.

    Attributes
    ----------
    mutant : Mutant
        What was asked about.
    verdict : str
        What was said; "none" if nothing was.
    findings : tuple of str
        Line, code, message and confidence of each finding.
    located : bool
        Whether every mistake has a finding that covers it.
    fixed : bool
        Whether a verified fix is offered.
    fails_elsewhere : bool
        Whether that fix is not accepted at other points.
    trains_alike : bool
        Whether the script with the fix prints the losses of the correct one.
    seconds : float
        Time of the first check, with its search.
    fix : tuple of str
        The new lines of the fix.
    """

    mutant: Mutant
    verdict: str
    findings: tuple[str, ...]
    located: bool
    fixed: bool
    fails_elsewhere: bool
    trains_alike: bool
    seconds: float
    fix: tuple[str, ...]


def asked(path: Path, *options: str) -> dict[str, Any]:
    """Return what gradcheck says about a script, as JSON; nothing if it fails or takes too long."""
    command = [sys.executable, "-m", "gradcheck", "run", str(path), "--format", "json", "--isolated", *options]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        script: dict[str, Any] = json.loads(child.stdout)["scripts"][0]
    except (subprocess.TimeoutExpired, ValueError, LookupError):
        return {"verdict": "none", "findings": []}
    return script


def edited(text: str, edits: dict[int, str]) -> str:
    """Return a text with lines replaced; an empty one takes the line away."""
    lines = text.splitlines(keepends=True)
    for number, new in edits.items():
        lines[number - 1] = new + "\n" if new else ""
    return "".join(lines)


def tried(mutant: Mutant, path: Path) -> Trial:
    """Check a mutant, and check again what mends it.

    Parameters
    ----------
    mutant : Mutant
        What to ask about.
    path : Path
        Where its file is written.
    """
    path.write_text(mutant.text, encoding="ascii")
    began = time.perf_counter()
    script = asked(path)
    seconds = time.perf_counter() - began
    findings = [finding for finding in script["findings"] if finding["line"] is not None]
    covered = {line for one in findings for line in range(one["line"], (one["end_line"] or one["line"]) + 1)}
    edits = {edit["line"]: edit["new"] for one in findings if one["fix"] for edit in one["fix"]["edits"]}
    elsewhere, alike = "match", False
    if edits:
        fixed = edited(mutant.text, edits)
        beside = path.with_name(f"{path.stem}_fixed.py")
        beside.write_text(fixed, encoding="utf-8")
        elsewhere = asked(beside, *ELSEWHERE)["verdict"]
        alike = same(*trained((mutant.network.text, 1.0), (fixed, 1.0)))
    return Trial(
        mutant=mutant,
        verdict=script["verdict"],
        findings=tuple(f"{one['line']}: {one['code']} {one['message']} ({one['confidence']})" for one in findings),
        located=all(covered.intersection(lines) for lines in mutant.lines()),
        fixed=bool(edits),
        fails_elsewhere=elsewhere != "match",
        trains_alike=alike,
        seconds=seconds,
        fix=tuple(f"{line}: {new.strip()}" for line, new in edits.items()),
    )
