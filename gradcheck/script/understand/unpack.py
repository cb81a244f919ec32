"""Names for the entries of a parameter vector: those under which the script takes it apart."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gradcheck.checker.result import CheckResult, ParameterResult
from gradcheck.script.record.leaves import Leaf
from gradcheck.script.replay.backward import Backward
from gradcheck.script.source.syntax import flat_targets

_PER_ENTRY = (
    "analytic",
    "numerical",
    "numerical_error",
    "tolerance",
    "step",
    "evaluations",
    "noise",
    "kink",
    "kink_distance",
)


def entry_names(backward: Backward) -> dict[str, tuple[str, ...]]:
    """Return the names of the entries of each parameter that the code takes apart: ``A, tau = par``."""
    found = {}
    for pair in backward.pairs:
        # of a matrix, the user looks for a column by its number
        names = _unpacked(backward, pair.slot.leaf) if pair.project is None else ()
        if names:
            found[pair.slot.name] = names
    taken = [name for names in found.values() for name in names]
    others = [pair.slot.name for pair in backward.pairs if pair.slot.name not in found]
    return found if len({*taken, *others}) == len(taken) + len(others) else {}


def _unpacked(backward: Backward, leaf: Leaf) -> tuple[str, ...]:
    for statement in backward.function.statements:
        match statement:
            case ast.Assign([ast.Tuple() | ast.List() as target], value) if ast.unparse(value) == leaf.name:
                parts = flat_targets(target)
                if leaf.shape == (len(parts),) and all(isinstance(part, ast.Name) for part in parts):
                    return tuple(ast.unparse(part) for part in parts)
    return ()


def split(result: CheckResult, names: Mapping[str, tuple[str, ...]]) -> CheckResult:
    """Return a result with the entries of some parameters as parameters of their own."""
    parameters: list[ParameterResult] = []
    for parameter in result.parameters:
        own = names.get(parameter.name)
        parameters += [parameter] if own is None else [_entry(parameter, i, own) for i in range(parameter.checked)]
    return replace(result, parameters=tuple(parameters))


def _entry(parameter: ParameterResult, i: int, names: tuple[str, ...]) -> ParameterResult:
    curve = parameter.curve
    return ParameterResult(
        name=names[int(parameter.indices[i])],
        shape=(),
        indices=np.zeros(1, dtype=np.intp),
        verdicts=parameter.verdicts[i : i + 1],
        reasons=parameter.reasons[i : i + 1],
        curve=replace(curve, index=0) if curve is not None and curve.index == parameter.indices[i] else None,
        **{field: getattr(parameter, field)[i : i + 1] for field in _PER_ENTRY},
    )
