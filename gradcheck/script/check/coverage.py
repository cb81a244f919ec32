"""At which recorded moments to check: those that run the most different lines come first."""

from __future__ import annotations

import sys
import types
from collections.abc import Sequence
from typing import Any

from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.stage import Stage


def by_coverage(recording: Recording, backward: Backward) -> list[Call]:
    """Return the moments of a backward: the first one, then those that run lines which none before them has run.

    A branch that only some samples take is not passed over that way, if any recorded moment takes it. Of those that
    run the same lines, one from the middle comes first: a training has left its small weights by then, or its units
    that are all active, and has not come to rest.
    """
    left = [(moment, _lines(recording, backward, moment)) for moment in backward.moments]
    ordered: list[Call] = []
    seen: set[int] = set()
    while left:
        best = 0 if not ordered else _first_with_most(left, seen)
        moment, lines = left.pop(best)
        ordered.append(moment)
        seen |= lines
    return ordered


def _first_with_most(left: Sequence[tuple[Call, set[int]]], seen: set[int]) -> int:
    news = [len(lines - seen) for _, lines in left]
    best = [index for index, number in enumerate(news) if number == max(news)]
    return best[len(best) // 2]


def _lines(recording: Recording, backward: Backward, moment: Call) -> set[int]:
    """Return the lines of the script that a replay runs; none where it cannot be traced."""
    lines: set[int] = set()
    path = str(recording.source.path)

    def local(frame: types.FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines.add(frame.f_lineno)
        return local

    def trace(frame: types.FrameType, _event: str, _argument: Any) -> Any:
        return local if frame.f_code.co_filename == path else None

    if sys.gettrace() is not None:  # a debugger or a coverage tool is at work
        return lines
    stage = Stage(recording, backward, moment)
    sys.settrace(trace)
    try:
        stage.look(lambda _variables, _result: None)
    except Exception:  # noqa: BLE001 - the user's functions may raise anything; the check will tell
        return lines
    finally:
        sys.settrace(None)
    return lines
