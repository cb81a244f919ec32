"""Where no edit of a line was found: what the line has to compute, derived from the way forward."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gradcheck.repair.adjoints import is_derivative, numerical_slopes, proved_right
from gradcheck.repair.atoms import Atom, atoms, slopes
from gradcheck.repair.bench import Bench, Trial
from gradcheck.repair.budget import Share
from gradcheck.repair.calculus import ONE, Setting, UnderivableError, added, pulled_back, same
from gradcheck.repair.forward import Forward, Step, evaluated, intermediates, is_value, shape_of, unwatched
from gradcheck.repair.influence import Influence, influences
from gradcheck.repair.level import Accepted, suspects
from gradcheck.repair.rewrite import Rewrite
from gradcheck.repair.taps import Site
from gradcheck.repair.trials import Candidate, edited, holds_everywhere, loadable, outcome, wrong_at
from gradcheck.script.check.point import Point
from gradcheck.script.source.syntax import called_name
from gradcheck.script.source.text import Splice, Text

# how many lines, and through how many values of the way forward
_MOST_LINES, _DEEPEST, _MOST_STEPS, _LONGEST = 12, 8, 5, 160
_COST = 3.0


def derived(
    bench: Bench, code: str, points: Sequence[Point], wrong: frozenset[str], share: Share
) -> tuple[list[Accepted], frozenset[str]]:
    """Return the lines that are to compute something else, with what it is, and the parameters that stay wrong.

    Each formula is tried in the place of its line: with it, gradients that were wrong agree with finite differences at
    all points, and none that was right becomes wrong.
    """
    done: list[Accepted] = []
    while wrong and len(done) < _MOST_STEPS and not share.is_spent and loadable(bench, code):
        accepted = next(_formulas(bench, points, wrong, share), None)
        if accepted is None:
            break
        done.append(accepted)
        code, wrong = accepted.after, wrong - accepted.fixed
    return done, wrong


def _formulas(bench: Bench, points: Sequence[Point], wrong: frozenset[str], share: Share) -> Iterator[Accepted]:
    before = wrong_at(bench, points)
    if before is None:
        return
    with bench.at(points[0]) as trial:
        found = influences(trial, bench.sites(), share)
        proved = frozenset(proved_right(trial, found, bench.scale, share))
        forward = Forward.of(bench, trial, found)
        forward.slopes = numerical_slopes(trial, [n for n in forward.steps if n >= 0], None, share)
    ordered = [i for i in suspects(found, wrong, proved) if i.rounds == 1 and i.gradients]
    for influence in ordered[:_MOST_LINES]:
        with bench.at(points[0]) as trial:
            candidates = list(_candidates(bench, trial, influence, forward))
            passing = [c for c in candidates if (left := outcome(trial, c)) is not None and before[0] - left]
        for candidate in passing:
            left = holds_everywhere(bench, candidate, points, before)
            touched = (influence.gradients or frozenset()) & wrong
            if left is not None and wrong - left:
                after = edited(bench, candidate.rewrite)
                yield Accepted(candidate, bench.source.text, after, wrong - left, touched)
            if share.is_spent:
                return


def _candidates(bench: Bench, trial: Trial, influence: Influence, forward: Forward) -> Iterator[Candidate]:
    """Return derivatives with respect to values of the way forward that a line may be meant to compute."""
    text = Text(bench.source.text)
    value = influence.site.value
    start, end = text.start(value), text.end(value)
    for derived_text in _Line(bench, influence.site, forward).formulas(trial):
        formula = _as_quoted(derived_text, text.code)
        splice = Splice(start, end, formula)
        rewrite = Rewrite((splice,), "GC290", _COST, text.code[start:end], formula)
        yield Candidate(
            rewrite, influence, compile(f"({formula})", "<edit>", "eval", dont_inherit=True), influence.site.line
        )


def _as_quoted(formula: str, code: str) -> str:
    """Return a formula with the quotation marks that the script has around the same keys."""
    return re.sub(r"'(\w+)'", lambda m: f'"{m[1]}"' if m[0] not in code and f'"{m[1]}"' in code else m[0], formula)


class _Line:
    """The derivatives of the loss as they are written at one line of the way back."""

    def __init__(self, bench: Bench, site: Site, forward: Forward) -> None:
        self._bench, self._site, self._forward = bench, site, forward
        self._steps = [*forward.steps.values(), forward.last]
        self._found: list[str] = []
        self._met = False

    def formulas(self, trial: Trial) -> list[str]:
        """Return the derivatives that have the shape of the line's value, those of parameters last."""
        trial.gradients(tap=self)
        return self._found

    def __call__(self, number: int, value: Any) -> Any:
        """Receive the value of a tap; all is derived while the line's variables are what they are there."""
        if number != self._site.number or self._met or shape_of(value) is None:
            return value
        self._met = True
        frame = sys._getframe(1)
        self._here = {**frame.f_globals, **frame.f_locals}
        self._shape = shape_of(value)
        self._atoms = atoms(self._bench.source, self._site.function, self._here)
        with unwatched(self._bench):
            self._values = {a.text: v for a in self._atoms if (v := self._value_of(a)) is not None}
            self._names = self._named()
            for formula in self._all():
                if formula not in self._found and len(formula) <= _LONGEST:
                    self._found.append(formula)
        return value

    def _value_of(self, atom: Atom) -> Any:
        try:
            return evaluated(atom.text, self._here)
        except UnderivableError:
            return None

    def _named(self) -> dict[int, str]:
        """Return the names that the way back has for derivatives, as they are at the line."""
        found = {}
        for number, own in self._forward.slopes.items():
            for name in [a.text for a in self._atoms if a.kind == "name"]:
                value = self._values.get(name)
                if shape_of(value) and is_derivative(np.asarray(value), own, self._bench.scale):
                    found[number] = name
                    break
        return found

    def _all(self) -> Iterator[str]:
        for step in self._steps:
            for node in intermediates(step.node):
                if shape_of(step.parts.get(ast.unparse(node))) == self._shape:
                    yield from self._tried(lambda s=step, n=node: self._through(s, lambda part: part is n, _DEEPEST))  # type: ignore[misc]
        for value in [*(step.value for step in self._steps), *self._forward.parameters.values()]:
            if shape_of(value) == self._shape:
                yield from self._tried(lambda v=value: [self._derivative(v, _DEEPEST, is_known=False)])  # type: ignore[misc]

    @staticmethod
    def _tried(derive: Callable[[], list[str]]) -> Iterator[str]:
        try:
            parts = derive()
        except UnderivableError:
            return
        if parts:
            yield added(parts)

    def _derivative(self, wanted: Any, depth: int, *, is_known: bool = True) -> str:
        """Return the derivative of the loss with respect to a value of the way forward."""
        if is_known:
            for step in self._steps:
                if step.number in self._names and same(step.value, wanted):
                    return self._names[step.number]
            if shape_of(wanted) == () and same(wanted, self._forward.last.value):
                return ONE
        if depth == 0:
            raise UnderivableError
        parts: dict[str, None] = {}
        for step in self._steps:
            if step.value is not wanted and not same(step.value, wanted):
                parts |= dict.fromkeys(self._through(step, lambda part, s=step: is_value(part, wanted, s), depth))  # type: ignore[misc]
        if not parts:
            raise UnderivableError
        return added(parts)

    def _through(self, step: Step, is_wanted: Callable[[ast.expr], bool], depth: int) -> list[str]:
        node = step.node
        if not any(isinstance(part, ast.expr) and is_wanted(part) for part in ast.walk(node)):
            return []
        if isinstance(node, ast.Call) and self._has_steps(node):
            return []
        adjoint = self._derivative(step.value, depth - 1)
        setting = Setting(step.of, lambda part: self._written(part, step.of(part)), self._slope, self._called)
        return list(pulled_back(node, adjoint, is_wanted, setting))

    def _has_steps(self, call: ast.Call) -> bool:
        """Whether what happens inside a call of the script's own function has steps of its own."""
        own = [f for f in self._bench.source.functions.values() if f.short_name == called_name(call)]
        inside = {ast.unparse(n) for f in own for n in ast.walk(f.node) if isinstance(n, ast.expr)}
        return any(ast.unparse(step.node) in inside for step in self._steps if step.node is not call)

    def _written(self, node: ast.expr, value: Any) -> str:
        """Return how a value of the way forward is written at the line."""
        text = ast.unparse(node)
        if isinstance(node, ast.Constant) or self._is_same(text, value):
            return text
        for atom in self._atoms:
            if atom.kind in ("name", "call", "length", "literal") and self._is_same(atom.text, value):
                return atom.text
        raise UnderivableError

    def _slope(self, values: np.ndarray[Any, Any]) -> str:
        """Return how the derivatives of a function of each element are written: of an array of the same shape."""
        alike = [a for a in self._atoms if a.kind == "name" and shape_of(self._values.get(a.text)) == values.shape]
        own = [*slopes(self._bench.source, self._site.function, alike), *_leaks(alike, self._atoms), *self._atoms]
        for atom in sorted(own, key=lambda a: a.rank):
            if atom.kind in ("slope", "call", "name") and self._is_same(atom.text, values):
                return atom.text
        raise UnderivableError

    def _called(self, text: str) -> str:
        """Return the name that the way back has for a derivative, if it has one."""
        value = evaluated(text, self._here)
        if shape_of(value):
            for name in self._forward.results:
                if name in self._values and same(self._values[name], value):
                    return name
        return text

    def _is_same(self, text: str, value: Any) -> bool:
        if text not in self._values:
            try:
                self._values[text] = evaluated(text, self._here)
            except UnderivableError:
                return False
        return same(self._values[text], value)


def _leaks(arrays: Sequence[Atom], plain: Sequence[Atom]) -> list[Atom]:
    """Return slopes of what leaks a little below zero, for some arrays and the fractions in sight."""
    fractions = [a.text for a in plain if a.kind == "literal"]
    return [Atom(f"np.where({a.text} > 0, 1, {f})", 1 + a.rank, "slope", a.is_array) for a in arrays for f in fractions]
