"""Candidate edits tried: on the values at their line first, then on the gradients, at one point after the other."""

from __future__ import annotations

import ast
import math
import struct
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.errors import ScriptError
from gradcheck.repair.atoms import atoms, shape_of, slopes
from gradcheck.repair.bench import Bench, Trial
from gradcheck.repair.budget import Share
from gradcheck.repair.exchanges import exchanges
from gradcheck.repair.forms import forms
from gradcheck.repair.influence import Influence
from gradcheck.repair.rewrite import Rewrite, Writer
from gradcheck.script.check.point import Point
from gradcheck.script.source.text import Splice, Text, spliced, with_edit, with_text

# at which evaluations of a site its edits are looked at: in loops, the first ones may be special
_LOOKED_AT, _DIGITS = frozenset({1, 2, 4, 9, 23}), 9
_MOST = 4000
# values of so few numbers are equal by chance: a sample that is 1 looks like no factor at all
_SMALL = 4
_NUMBERS = (int, float, np.number, np.ndarray)


@dataclass(frozen=True, eq=False)
class Candidate:
    """An edit that can be tried.

    Attributes
    ----------
    influence : Influence or None
        The site that it changes; None for edits of whole statements.
    code : types.CodeType or None
        What is evaluated in place of the site's expression.
    """

    rewrite: Rewrite
    influence: Influence | None
    code: types.CodeType | None
    line: int


class Prober:
    """Finds out, for one site, which edits give its expression other values of the right shape."""

    def __init__(self, bench: Bench, influence: Influence) -> None:
        self._bench, self._influence, self._site = bench, influence, influence.site
        self._waiting: list[Rewrite] | None = None
        self._known: set[str] = set()
        # the shape of the gradient that the value is, where it is of one parameter alone
        self._fitting: set[tuple[int, ...]] = set()
        self._begin()

    def _begin(self) -> None:
        self._met, self._busy, self._is_small = 0, False, False
        self._failure: Exception | None = None
        self._alive: list[tuple[Rewrite, types.CodeType]] = []
        self._seen: list[list[Any]] = []
        self._original: list[Any] = []

    def look(self, trial: Trial, cost: float, share: Share) -> None:
        """Evaluate the edits of less than a cost that were not evaluated before."""
        self._begin()
        if self._waiting is not None and not any(r.cost < cost for r in self._waiting):
            return
        self._cost, self._share = cost, share
        only = self._influence.gradients or frozenset()
        self._fitting = {np.shape(value) for name, value in trial.parameters.items() if {name} == only}
        self._replay(trial)

    @property
    def is_ambiguous(self) -> bool:
        """Whether the values are of so few numbers that one point does not tell an edit from another."""
        return self._is_small and bool(self._alive)

    def look_again(self, trial: Trial) -> None:
        """Evaluate the same edits at another point."""
        self._met = 0
        self._replay(trial)

    def found(self) -> list[Candidate]:
        """Return the edits that were evaluated, one for each value."""
        return [Candidate(r, self._influence, code, self._site.line) for r, code in self._distinct()]

    def _replay(self, trial: Trial) -> None:
        trial.gradients(tap=self)
        if self._failure is not None:
            raise self._failure

    def __call__(self, number: int, value: Any) -> Any:
        """Receive the value of a tap."""
        if number != self._site.number or self._busy:
            return value
        self._met += 1
        if self._met not in _LOOKED_AT:
            return value
        frame = sys._getframe(1)
        scope = {**frame.f_globals, **frame.f_locals}
        self._busy = True
        recorder = self._bench.recorder
        # a candidate may call the very function whose end would end the replay
        watched, recorder.watched = recorder.watched, None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if not self._original:
                    self._alive = list(self._compiled(scope, value))
                    self._seen = [[] for _ in self._alive]
                self._evaluate(scope, value)
        except Exception as error:  # noqa: BLE001 - the replay takes every error for one of the script
            self._failure = error
        finally:
            recorder.watched = watched
            self._busy = False
        return value

    def _generated(self, scope: dict[str, Any], value: Any) -> list[Rewrite]:
        site, source = self._site, self._bench.source
        writer = Writer(Text(source.text))
        plain = atoms(source, site.function, scope)
        # a slope is taken of what has the value's shape, as a rule
        shape = value.shape if isinstance(value, np.ndarray) else None
        alike = [a for a in plain if shape is not None and shape_of(a, scope) == shape]
        derived = slopes(source, site.function, [*alike, *(a for a in plain if a not in alike)])
        calls = list(dict.fromkeys(a.text.partition("(")[0] for a in derived if a.kind == "call"))
        is_body = isinstance(site.node, ast.Lambda | ast.Return)
        found = [*exchanges(site.value, writer, plain, derived, is_body=is_body), *forms(site.value, writer, calls)]
        return sorted(found, key=lambda r: r.cost)[:_MOST]

    def _compiled(self, scope: dict[str, Any], value: Any) -> Iterator[tuple[Rewrite, types.CodeType]]:
        if self._waiting is None:
            self._waiting = self._generated(scope, value)
        text, value = Text(self._bench.source.text), self._site.value
        start, end = text.start(value), text.end(value)
        now = [r for r in self._waiting if r.cost < self._cost]
        self._waiting = self._waiting[len(now) :]
        for rewrite in now:
            inside = [Splice(s.start - start, s.end - start, s.new) for s in rewrite.splices]
            if any(s.start < 0 or s.end > end - start for s in inside):
                continue
            try:
                yield (
                    rewrite,
                    compile(f"({spliced(text.code[start:end], inside)}\n)", "<edit>", "eval", dont_inherit=True),
                )
            except (SyntaxError, ValueError):
                continue

    def _evaluate(self, scope: dict[str, Any], value: Any) -> None:
        shape, mark = signature(value)
        alive, seen = [], []
        for (rewrite, code), before in zip(self._alive, self._seen, strict=True):
            if self._share.is_spent:
                break
            self._bench.budget.evaluated()
            try:
                own_shape, own = signature(eval(code, scope))
            except Exception:  # noqa: BLE001 - most candidates make no sense
                continue
            fits = rewrite.reshapes or (own_shape in self._fitting and shape not in self._fitting)
            if own is not None and (own_shape == shape or fits or _differs_in_one(own_shape, shape)):
                alive.append((rewrite, code))
                seen.append([*before, own])
        self._is_small = np.size(value) <= _SMALL if isinstance(value, _NUMBERS) else False
        self._original.append(mark)
        self._alive, self._seen = alive, seen

    def _distinct(self) -> list[tuple[Rewrite, types.CodeType]]:
        """Return the most natural candidate of each value; those that change nothing are left out."""
        known = self._known
        known.add(repr(self._original))
        found = []
        for one, marks in zip(self._alive, self._seen, strict=True):
            mark = repr(marks)
            if mark not in known or one[0].keeps_value:
                found.append(one)
                known.add(mark)
        return found


def _differs_in_one(shape: Any, other: Any) -> bool:
    """Whether of several values one has another shape: of the gradients that are returned, the one that is wrong."""
    if not all(isinstance(part, tuple) for part in (*shape, *other)) or len(shape) != len(other):
        return False
    return len([True for one, two in zip(shape, other, strict=True) if one != two]) == 1


def signature(value: Any) -> tuple[Any, Any]:
    """Return the shape of a value and what tells it from others; None for what holds no numbers."""
    if isinstance(value, int | float):
        return _of_number(float(value))
    if isinstance(value, list | tuple) and not _is_flat(value):
        parts = [signature(item) for item in value]
        return tuple(p[0] for p in parts), tuple(p[1] for p in parts)
    if isinstance(value, dict):
        parts = [signature(item) for item in value.values()]
        return tuple(p[0] for p in parts), tuple(p[1] for p in parts)
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return None, (id(type(value)) if value is not None else None)
    if not np.all(np.isfinite(array)):
        return array.shape, None
    size = float(np.max(np.abs(array), initial=0.0)) or 1.0
    return array.shape, (array.shape, f"{size:.6g}", np.round(array / size, _DIGITS).tobytes())


def _of_number(value: float) -> tuple[Any, Any]:
    """Return the same of one number, in a fraction of the time."""
    if not math.isfinite(value):
        return (), None
    size = abs(value) or 1.0
    return (), ((), f"{size:.6g}", struct.pack("d", round(value / size, _DIGITS)))


def _is_flat(value: Sequence[Any]) -> bool:
    return all(isinstance(item, int | float | np.number) for item in value)


def outcome(trial: Trial, candidate: Candidate) -> frozenset[str] | None:
    """Return which gradients are wrong with an edit; None where it breaks the script."""
    if candidate.influence is None or candidate.code is None:
        gradients = trial.gradients()
    else:
        gradients = trial.gradients({candidate.influence.site.number: candidate.code})
    return None if gradients is None else trial.wrong(gradients)


def edited(bench: Bench, rewrite: Rewrite) -> str:
    """Return the text with an edit."""
    return spliced(bench.source.text, rewrite.splices)


def wrong_at(bench: Bench, points: Sequence[Point]) -> dict[int, frozenset[str]] | None:
    """Return which gradients of the text that is set up are wrong at each point; None where it breaks."""
    found = {}
    for index, point in enumerate(points):
        with bench.at(point) as trial:
            gradients = trial.gradients()
            if gradients is None:
                return None
            found[index] = trial.wrong(gradients)
    return found


def holds_everywhere(
    bench: Bench, candidate: Candidate, points: Sequence[Point], before: dict[int, frozenset[str]]
) -> frozenset[str] | None:
    """Return what stays wrong at any of the points; None if an edit makes something wrong that was right."""
    left: frozenset[str] = frozenset()
    for index, point in enumerate(points):
        with bench.at(point) as trial:
            wrong = outcome(trial, candidate)
        if wrong is None or wrong - before[index]:
            return None
        left |= wrong
    return left


def loadable(bench: Bench, code: str) -> bool:
    """Set a text up, and say whether that worked."""
    return _works(lambda: bench.load(with_text(bench.source, code)))


def applicable(bench: Bench, candidate: Candidate) -> bool:
    """Set the text up with the edit of a statement, and say whether that worked."""
    return _works(lambda: bench.load(with_edit(bench.source, candidate.rewrite.splices), candidate.line))


def _works(set_up: Callable[[], None]) -> bool:
    try:
        set_up()
    except (ScriptError, LookupError, StopIteration, SyntaxError, ValueError):
        return False
    return True
