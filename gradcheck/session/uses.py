"""Where a script asks its network for predictions, and with what."""

from __future__ import annotations

import re
import types
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.script.record.leaves import is_numeric
from gradcheck.script.source.file import SourceFile, Span
from gradcheck.script.understand.subject import Subject

_PREDICTS = re.compile(r"(?i)predict|forward|feed|infer|query|think|activate|vorhersage|prevoir|prever")
_MOST_PER_PLACE, _THEN_EVERY = 64, 64
_MOST_NUMBERS = 200_000
_DEPTH = 3


@dataclass(frozen=True)
class Use:
    """The calls of a function that predicts, from one place.

    Attributes
    ----------
    arguments : dict
        The different values that each of its arguments had, as far as they are numbers.
    """

    function: str
    span: Span
    arguments: dict[str, tuple[np.ndarray[Any, Any], ...]]


class Uses:
    """Collects the calls of what predicts.

    Parameters
    ----------
    subject : Subject
        What was understood of it: its parameters are no inputs, and its gradients no predictions.
    """

    def __init__(self, source: SourceFile, subject: Subject) -> None:
        self._path = str(source.path)
        self._source = source
        unit = subject.backward.function
        self.names = {
            name
            for name, f in source.functions.items()
            if f is not unit and (name == subject.forward or _PREDICTS.search(f.short_name))
        }
        parameters = {pair.slot.name.split(".")[0].split("[")[0] for pair in subject.backward.pairs}
        self._arguments = {
            name: [a for a in source.functions[name].arguments if a not in parameters and a not in ("self", "cls")]
            for name in self.names
        }
        self._counts: dict[tuple[types.CodeType, int, str], int] = {}
        self._values: dict[tuple[types.CodeType, int, str], dict[str, dict[bytes, np.ndarray[Any, Any]]]] = {}
        self._numbers = 0

    def called(self, function: str, frame: types.FrameType) -> None:
        """Note a call, in whose frame the function has just been entered."""
        values = {name: frame.f_locals.get(name) for name in self._arguments[function]}
        place = self._asker(frame, values)
        if place is None:
            return
        key = place.f_code, place.f_lasti, function
        count = self._counts[key] = self._counts.get(key, 0) + 1
        if (count > _MOST_PER_PLACE and count % _THEN_EVERY) or self._numbers > _MOST_NUMBERS:
            return
        kept = self._values.setdefault(key, {})
        for name, value in values.items():
            if is_numeric(value):
                array = np.array(value)
                own = kept.setdefault(name, {})
                if array.tobytes() not in own:
                    own[array.tobytes()] = array
                    self._numbers += array.size

    def _asker(self, frame: types.FrameType, values: dict[str, Any]) -> types.FrameType | None:
        """Return the frame that has made up what is asked: functions that only pass it on are left out."""
        asker = frame.f_back
        for _ in range(_DEPTH):
            if asker is None or asker.f_code.co_filename != self._path:
                return None
            code = asker.f_code
            handed = code.co_varnames[: code.co_argcount]
            own = [asker.f_locals.get(name) for name in handed]
            passes = any(value is other for value in values.values() for other in own if is_numeric(other))
            if not passes or asker.f_back is None or asker.f_back.f_code.co_filename != self._path:
                return asker
            asker = asker.f_back
        return asker

    def found(self) -> tuple[Use, ...]:
        """Return the places in the order of their lines."""
        uses = []
        for (code, instruction, function), kept in self._values.items():
            span = self._span(code, instruction)
            if span is not None:
                uses.append(Use(function, span, {name: tuple(own.values()) for name, own in kept.items()}))
        return tuple(sorted(uses, key=lambda use: (use.span.line, use.span.column)))

    def _span(self, code: types.CodeType, instruction: int) -> Span | None:
        positions = list(code.co_positions())
        line, end_line, column, end_column = positions[instruction // 2]
        if line is None or end_line is None or column is None or end_column is None:
            return None
        return self._source.span_of(line, column, end_line, end_column)
