"""What is answered about a script, in the names and lines of the script that it was made of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from benchmarks.rewrites.made import Made, in_other_names
from gradcheck.session.result import ScriptResult

Lines = Mapping[tuple[str, int], int]
_OWNER = re.compile(r"^[^\W\d]\w*\.(?=[^\W\d])")
NO_ANSWER = "none"


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes
    ----------
    wrong : tuple of str
        The parameters whose gradients are wrong.
    lines : frozenset of (int or None)
        Where they are computed, or what is to blame; None for what is no line of the script.
    why : str
        Of an error, what was said.
    """

    verdict: str
    wrong: tuple[str, ...] = ()
    lines: frozenset[int | None] = frozenset()
    why: str = ""


def answer(found: ScriptResult | str, script: str, lines: Lines, made: Made | None = None) -> Answer:
    """Return an answer in the names and lines of the script as it was.

    Parameters
    ----------
    script : str
        The name of the file that was checked.
    lines : dict of (str, int) to int
        The line in the script as it was, for each file and line.
    made : Made, optional
        What was checked, if it was made of the script.
    """
    if isinstance(found, str):
        return Answer(NO_ANSWER, why=found)
    if found.error is not None:
        return Answer("error", why=f"{found.error.slug}: {found.error.message}")
    names = made.names if made is not None else {}
    wrong = tuple(sorted(in_other_names(name, names) for name in found.mismatching))
    return Answer(found.verdict, wrong, frozenset(_lines(found, script, lines)) if wrong else frozenset())


def _lines(found: ScriptResult, script: str, lines: Lines) -> Iterator[int | None]:
    wrong = set(found.mismatching)
    blamed = [finding.span for finding in found.findings]
    for span in blamed or [source.span for source in found.sources if source.parameter in wrong]:
        place = found.place(span.line)
        yield lines.get((script if place.module is None else PurePath(place.module).as_posix(), place.line))


def differences(before: Answer, after: Answer, made: Made) -> list[str]:
    """Return what differs between the answer about a script and the one about what was made of it."""
    if before.verdict != after.verdict:
        return ["verdict"]
    found = []
    if _known(before.wrong, made) != _known(after.wrong, made):
        found.append("set")
    if before.lines != after.lines:
        found.append("line")
    return found


def _known(names: tuple[str, ...], made: Made) -> Counter[str]:
    """Return names without the object that they are attributes of: that is ``self`` in a method, and not elsewhere."""
    return Counter(_OWNER.sub("", in_other_names(name, made.same)) for name in names)
