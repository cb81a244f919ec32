"""The way forward at a point: what is computed on it, with the values of all parts, and how the loss follows."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.repair.adjoints import Slopes
from gradcheck.repair.bench import Bench, Trial
from gradcheck.repair.calculus import UnderivableError, same
from gradcheck.repair.influence import Influence
from gradcheck.repair.taps import Site

_FOLLOWED = (ast.Name, ast.Attribute, ast.Subscript)


@dataclass(frozen=True)
class Step:
    """A step of the way forward: an expression, its value, and the values of its parts.

    Attributes
    ----------
    number : int
        Of its site; the loss as the checker evaluates it has none: -1.
    parts : dict
        The values of its parts, by their texts.
    """

    number: int
    node: ast.expr
    value: Any
    parts: dict[str, Any]
    scope: Mapping[str, Any]

    def of(self, node: ast.expr, others: Mapping[str, Any] | None = None) -> Any:
        """Return the value of a part, in which some names may be given other values."""
        text = ast.unparse(node)
        if others is None and text in self.parts:
            return self.parts[text]
        return evaluated(text, {**self.scope, **(others or {})})


@dataclass
class Forward:
    """The way forward at a point.

    Attributes
    ----------
    steps : dict
        What is computed on it, by the numbers of the sites.
    results : tuple of str
        What the way back calls its results.
    slopes : dict
        The derivatives of the loss with respect to the steps, along random directions.
    """

    steps: dict[int, Step]
    last: Step
    parameters: dict[str, Any]
    results: tuple[str, ...]
    slopes: dict[int, Slopes] = field(default_factory=dict)

    @classmethod
    def of(cls, bench: Bench, trial: Trial, found: Sequence[Influence]) -> Forward:
        """Play the way forward, and keep what it computes."""
        back = {i.site.number for i in found if not i.loss}
        sites = {s.number: s for s in bench.sites() if s.number not in back and not _is_helper(s)}
        steps: dict[int, Step] = {}

        def keep(number: int, value: Any) -> Any:
            if number in sites:
                frame = sys._getframe(1)
                scope = {**frame.f_globals, **frame.f_locals}
                for key, node, own in _elements(number, sites[number].value, value):
                    steps[key] = Step(key, node, np.array(own), dict(_parts(node, scope)), scope)
            return value

        with unwatched(bench):
            trial.gradients(tap=keep)
            loss = trial.loss(keep)
            text, scope = trial.seen_by_loss()
        node = ast.parse(text, mode="eval").body
        parameters = {name: np.array(value, dtype=float) for name, value in trial.parameters.items()}
        results = tuple(i.site.target for i in found if not i.loss and i.gradients and i.site.target)
        return cls(steps, Step(-1, node, loss, dict(_parts(node, scope)), scope), parameters, results)


def _elements(number: int, node: ast.expr, value: Any) -> Iterator[tuple[int, ast.expr, Any]]:
    """Return an expression with its value, or those of several that are returned together."""
    if isinstance(node, ast.Tuple) and isinstance(value, tuple) and len(value) == len(node.elts):
        # elements have no site of their own
        found = [(-number - 1 - i, own, part) for i, (own, part) in enumerate(zip(node.elts, value, strict=True))]
    else:
        found = [(number, node, value)]
    yield from (one for one in found if shape_of(one[2]) is not None)


def evaluated(text: str, scope: Mapping[str, Any]) -> Any:
    """Return the value of an expression."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return eval(compile(text, "<edit>", "eval", dont_inherit=True), dict(scope))
    except Exception as error:  # what is in sight on the way forward may not be on the way back
        raise UnderivableError from error


def _parts(node: ast.expr, scope: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Return the values of an expression's parts, arrays copied: objects are changed as the script goes on."""
    for part in ast.walk(node):
        if isinstance(part, ast.expr) and not isinstance(part, ast.Constant):
            try:
                value = evaluated(ast.unparse(part), scope)
            except UnderivableError:
                continue
            yield ast.unparse(part), np.array(value) if isinstance(value, np.ndarray) else value


def is_value(node: ast.expr, wanted: Any, step: Step) -> bool:
    """Whether a part of a step is a variable with a value."""
    return (
        isinstance(node, _FOLLOWED)
        and shape_of(value := step.parts.get(ast.unparse(node))) is not None
        and same(value, wanted)
    )


def intermediates(value: ast.expr) -> list[ast.expr]:
    """Return the intermediate results of an expression that have no names: what goes into an activation."""
    return [n for n in ast.walk(value) if isinstance(n, ast.BinOp | ast.Call) and n is not value]


def _is_helper(site: Site) -> bool:
    """Whether it is what a function of one argument and nothing else returns: that is differentiated as a whole."""
    if site.function is None or not isinstance(site.node, ast.Return):
        return False
    arguments = {a.arg for a in site.function.args.args}
    names = {part.id for part in ast.walk(site.value) if isinstance(part, ast.Name)}
    return len(arguments) == 1 and names <= arguments | {"np", "math"}


@contextmanager
def unwatched(bench: Bench) -> Iterator[None]:
    """Let helpers be called that may be the very function whose end would end the replay."""
    watched, bench.recorder.watched = bench.recorder.watched, None
    try:
        yield
    finally:
        bench.recorder.watched = watched


def shape_of(value: Any) -> tuple[int, ...] | None:
    """Return the shape of a number or an array of numbers; None for anything else."""
    if isinstance(value, float | np.floating):
        return ()
    return value.shape if isinstance(value, np.ndarray) and value.dtype.kind == "f" else None
