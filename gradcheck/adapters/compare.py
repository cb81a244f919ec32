"""The comparison of a framework's derivatives with differences: reverse mode, forward mode, and higher orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.adapters.batching import not_batched
from gradcheck.adapters.cotangent import cotangent
from gradcheck.adapters.problem import Array, Arrays, Problem, Settings, Weighted, require_outputs
from gradcheck.checker.functions import check_grad
from gradcheck.checker.result import CheckResult
from gradcheck.checker.verdict import Verdict
from gradcheck.errors import InputError

# inputs of no more entries are compared entry by entry in forward mode too, others along so many directions
_BASIS, _DIRECTIONS = 32, 3


def examine(
    problem: Problem, settings: Settings, *, modes: Sequence[str] = ("rev",), order: int = 1, notes: Sequence[str] = ()
) -> CheckResult:
    """Compare all derivatives of a function up to an order."""
    parts: list[CheckResult] = []
    for level in range(1, order + 1):
        # further points are those of the function itself
        chosen = settings if level == 1 else replace(settings, points=1, curves=False, seed=settings.seed + level)
        weighted = Weighted(problem, chosen.seed)
        suffix = "" if level == 1 else f" (order {level})"
        if chosen.vectorized and (why := weighted.objection()):
            chosen, notes = replace(chosen, vectorized=False), [*notes, not_batched(why)]
        parts += _one_order(problem, weighted, chosen, modes, suffix)
        if level == 1:
            notes = [*notes, *_notes(weighted)]
        if level < order:
            if problem.derived is None:
                raise InputError("derivatives of derivatives are not available here: use order=1.")
            problem = problem.derived(weighted.weights(1))
    result = side_by_side(parts)
    return replace(result, notes=tuple(dict.fromkeys((*notes, *result.notes))))


def side_by_side(results: Sequence[CheckResult]) -> CheckResult:
    """Return one result with the parameters of all of them."""
    return replace(
        results[0],
        parameters=tuple(parameter for result in results for parameter in result.parameters),
        evaluations=sum(result.evaluations for result in results),
        notes=tuple(dict.fromkeys(note for result in results for note in result.notes)),
    )


def renamed(result: CheckResult, suffix: str) -> CheckResult:
    """Return a result whose parameters have a suffix."""
    return replace(result, parameters=tuple(replace(p, name=p.name + suffix) for p in result.parameters))


def first_unless_worse(results: Sequence[CheckResult]) -> CheckResult:
    """Return the first result, with those parameters of the others that came out worse."""
    merged = CheckResult.merge(results)
    pairs = list(zip(results[0].parameters, merged.parameters, strict=True))
    kept = tuple(first if first.verdict is worst.verdict else worst for first, worst in pairs)
    notes = list(merged.notes)
    if results[0].passed and merged.verdict is Verdict.MISMATCH:
        notes.append(
            "the derivative is right for one weighting of the outputs and wrong for another: does the backward pass "
            "make use of the incoming gradient?"
        )
    return replace(merged, parameters=kept, points=results[0].points, notes=tuple(notes))


def _one_order(
    problem: Problem, weighted: Weighted, settings: Settings, modes: Sequence[str], suffix: str
) -> list[CheckResult]:
    parts = []
    if "rev" in modes:
        results = [reverse(problem, weighted, weighted.weights(number), settings) for number in (0, 1)]
        parts.append(renamed(first_unless_worse(results), suffix))
    if "fwd" in modes:
        # derivatives of derivatives take long
        result = forward(problem, weighted, settings, _DIRECTIONS if suffix else _BASIS)
        parts.append(renamed(result, suffix))
        if len(parts) == 2:
            parts[-1] = replace(result, parameters=parts[-1].parameters, notes=_disagreement(problem, weighted, result))
    return parts


def _notes(weighted: Weighted) -> list[str]:
    notes = []
    if not weighted.is_one_number:
        notes.append(
            "the outputs were made one number by random weights, twice; the derivatives are those of their sum"
        )
    if weighted.is_single:
        notes.append("the outputs have no more digits than float32, so small mistakes cannot be seen")
    return notes


# -- reverse mode ---------------------------------------------------------------------------------------------------


def reverse(problem: Problem, weighted: Weighted, weights: Sequence[Array], settings: Settings) -> CheckResult:
    """Compare the gradient of the weighted outputs with differences."""

    def loss(values: Arrays, /) -> float | np.float32 | Array:
        return (weighted.losses if settings.vectorized else weighted.loss)(values, weights)

    def gradient(values: Arrays, /) -> Arrays:
        return problem.pull(values, weights)

    return check_grad(loss, gradient, problem.arrays, method="central", **vars(settings))


# -- forward mode ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Along:
    """The directions that one input is moved along.

    Parameters
    ----------
    name, label : str
        What the input, and its row of the table, are called.
    start : array
        Where the row begins: the input itself, if it is moved entry by entry, or zeros.
    """

    name: str
    label: str
    directions: list[Array]
    start: Array
    is_entry_by_entry: bool

    @classmethod
    def of(cls, name: str, array: Array, rng: np.random.Generator, most: int) -> _Along:
        """Choose single entries of an input that has no more than `most`, random directions of another."""
        if array.size <= most:
            units = list(np.eye(array.size, dtype=array.dtype).reshape(-1, *array.shape))
            return cls(name, f"{name} (forward mode)", units, array.copy(), True)
        size = float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) or 1.0
        drawn = [(size * cotangent(array.shape, rng)).astype(array.dtype) for _ in range(_DIRECTIONS)]
        label = f"{name} (forward mode, {_DIRECTIONS} random directions)"
        return cls(name, label, drawn, np.zeros(_DIRECTIONS, array.dtype), False)

    def placed(self, array: Array, row: Array) -> Array:
        """Return the input for entries of the row."""
        if self.is_entry_by_entry:
            return row
        return np.asarray(array + np.tensordot(row, np.stack(self.directions), 1), dtype=array.dtype)


def forward(problem: Problem, weighted: Weighted, settings: Settings, most: int = _BASIS) -> CheckResult:
    """Compare derivatives along single entries, or along random directions where there are many, with differences."""
    if problem.push is None:
        raise InputError("forward mode is not available here: use modes=('rev',).")
    push, weights, rng = problem.push, weighted.weights(0), np.random.default_rng([settings.seed, 5])
    zeros = {name: np.zeros_like(array) for name, array in problem.arrays.items()}
    rows = [_Along.of(name, array, rng, most) for name, array in problem.arrays.items()]

    def placed(values: Arrays) -> Arrays:
        return {row.name: row.placed(problem.arrays[row.name], np.asarray(values[row.label])) for row in rows}

    def loss(values: Arrays, /) -> float | np.float32 | Array:
        return (weighted.losses if settings.vectorized else weighted.loss)(placed(values), weights)

    def gradient(values: Arrays, /) -> Arrays:
        place, found = placed(values), {}
        for row in rows:
            products = [weighted.sum(push(place, {**zeros, row.name: one}), weights) for one in row.directions]
            found[row.label] = np.array(products, dtype=row.start.dtype).reshape(row.start.shape)
        return found

    return check_grad(loss, gradient, {row.label: row.start for row in rows}, method="central", **vars(settings))


def available(
    problem: Problem, modes: Sequence[str], missing: Callable[[Exception], bool], why: str, *, strict: bool
) -> tuple[tuple[str, ...], list[str]]:
    """Call the derivatives once; return the modes that there are, with a note on the one that is not."""
    outputs = problem.outputs(problem.arrays)
    require_outputs(outputs)
    if "rev" in modes:
        problem.pull(problem.arrays, [np.ones(o.shape, o.dtype) for o in outputs])
    if "fwd" in modes and problem.push is not None:
        try:
            problem.push(problem.arrays, {name: np.zeros_like(a) for name, a in problem.arrays.items()})
        except Exception as error:
            if strict or not missing(error):
                raise
            if "rev" not in modes:
                raise InputError(f"forward mode cannot be compared: {why}. Use modes=('rev',).") from error
            return ("rev",), [f"forward mode was not compared: {why}"]
    return tuple(modes), []


def _disagreement(problem: Problem, weighted: Weighted, result: CheckResult) -> tuple[str, ...]:
    """Return a note where the two modes disagree along a direction through all inputs at once."""
    if problem.push is None:
        return result.notes
    weights, rng = weighted.weights(0), np.random.default_rng([result.seed, 7])
    direction = {name: cotangent(a.shape, rng).astype(a.dtype) for name, a in problem.arrays.items()}
    forward_sum = weighted.sum(problem.push(problem.arrays, direction), weights)
    pulled = problem.pull(problem.arrays, weights)
    products = [np.asarray(pulled[name], dtype=np.float64) * one for name, one in direction.items()]
    backward_sum = sum(float(np.sum(part)) for part in products)
    size = sum(float(np.sum(np.abs(part))) for part in products)
    # what is not finite has been found as such
    if not abs(forward_sum - backward_sum) > result.tolerance.atol + result.tolerance.rtol * size:
        return result.notes
    said = f"forward and backward mode disagree along a random direction: {forward_sum:.6g} and {backward_sum:.6g}"
    return (*result.notes, said)
