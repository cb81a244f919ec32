"""Gradients that the script clips: a clipped entry shows a sign and a bound, not a derivative."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gradcheck.checker.result import CheckResult, ParameterResult, Reason, Verdict
from gradcheck.script.replay.backward import Backward
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.syntax import called_name, walk

_CLIPS = {"clip", "clip_by_value", "clamp"}
_SAME = 1e-9


def clip_bounds(source: SourceFile, backward: Backward) -> frozenset[float]:
    """Return the magnitudes at which the script clips anything."""
    known = {**backward.example.variables, **backward.example.local_variables, **backward.example.arguments}
    values = (_number(part, known) for part in _arguments(source.tree))
    return frozenset(abs(value) for value in values if value)


def _arguments(tree: ast.AST) -> Iterator[ast.expr]:
    for node in walk(tree):
        if isinstance(node, ast.Call) and called_name(node) in _CLIPS:
            yield from (*node.args[-2:], *(keyword.value for keyword in node.keywords))


def _number(expression: ast.expr, known: dict[str, object]) -> float | None:
    match expression:
        case ast.UnaryOp(ast.USub(), inner):
            return _number(inner, known)
        case ast.Constant(int() | float() as value):
            return float(value)
        case ast.Name(name) if isinstance(found := known.get(name), int | float):
            return float(found)
    return None


def without_clipped(result: CheckResult, bounds: frozenset[float], scale: float) -> CheckResult:
    """Return a result in which clipped entries with the right sign are not called wrong, but not decided."""
    if not bounds or not any(parameter.mismatched for parameter in result.parameters):
        return result
    limits = np.array(sorted(bounds)) / abs(scale)
    return replace(result, parameters=tuple(_without_clipped(parameter, limits) for parameter in result.parameters))


def _without_clipped(parameter: ParameterResult, limits: np.ndarray) -> ParameterResult:
    size = np.abs(parameter.analytic)
    at_bound = np.any(np.abs(size[:, None] - limits) <= _SAME * limits, axis=1)
    beyond = (np.abs(parameter.numerical) >= size) & (np.sign(parameter.numerical) == np.sign(parameter.analytic))
    clipped = at_bound & beyond & np.array([verdict is Verdict.MISMATCH for verdict in parameter.verdicts])
    outcomes = zip(clipped, parameter.verdicts, parameter.reasons, strict=True)
    decided = [(Verdict.INCONCLUSIVE, Reason.CLIPPED) if c else (verdict, reason) for c, verdict, reason in outcomes]
    return replace(parameter, verdicts=tuple(v for v, _ in decided), reasons=tuple(r for _, r in decided))
