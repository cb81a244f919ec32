"""Derivatives of the loss along random directions, compared with what the gradient says of them.

A direction d moves all entries of a block at once with random signs, each by its own scale, or by that of a typical one
where its own is smaller. The derivative along it is ``g . d``: two evaluations compare a block of any size. An entry
that is wrong by e changes ``g . d`` by ``e d_i`` whatever the signs of the others, so one direction is enough to show
it; errors of many entries cancel by chance only.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gradcheck.evaluate.displacement import WHOLE, Along, Stretch
from gradcheck.evaluate.line import Line, random_direction
from gradcheck.evaluate.objective import Objective
from gradcheck.numerics.arrays import BoolArray, FloatArray, IntArray
from gradcheck.numerics.finite_difference import Derivative, differentiate
from gradcheck.numerics.levels import Samples
from gradcheck.numerics.noise import Noise, scatter
from gradcheck.numerics.step_size import coarser, coarsest_epsilon, parameter_scale, relative_step, typical_scale

# agreement so close, relative to the root of the sum of squares of all contributions, is no chance
_AGREEMENT = 1e-7
# error of a typical entry that is to show, and the one that has to
_WANTED, _NEEDED = 1e-3, 0.1
# the smallest magnitude of a random direction against its mean square
_SMALLEST = 0.6 / 0.81
_MARGIN = 2.0
# round-off of a gradient's entries, in units of the machine epsilon and of a typical entry
_ROUNDINGS = 64.0
_ENOUGH = 8


class Block(NamedTuple):
    """Some entries of one parameter, and by how much less than its own scale each of them is moved."""

    owner: int
    where: IntArray | slice
    weight: float = 1.0


@dataclass(frozen=True)
class Trial:
    """The comparison along one direction.

    Parameters
    ----------
    analytic, numerical : float
        Derivative along the direction, from the gradient and from the loss.
    norm : float
        Root of the sum of squares of the contributions of all entries.
    """

    analytic: float
    numerical: float
    error: float
    norm: float

    @property
    def difference(self) -> float:
        """Magnitude of the difference."""
        return abs(self.analytic - self.numerical)

    @property
    def excess(self) -> float:
        """How many times larger the difference is than all errors."""
        errors = _MARGIN * self.error + _AGREEMENT * self.norm
        return float(np.divide(self.difference, errors)) if errors else np.inf * (self.difference > 0)

    @property
    def is_wrong(self) -> bool:
        """Whether the difference is larger than all errors."""
        return self.excess > 1

    @property
    def visible(self) -> float:
        """The contribution of a single entry that would have shown."""
        visible = (self.difference + _MARGIN * self.error) / _SMALLEST
        return visible if np.isfinite(visible) else np.inf


class Directions:
    """Compares blocks of entries along random directions, at the point at which the probe stands.

    Parameters
    ----------
    gradient : sequence of float array
        The gradient under test, one flat array per leaf.
    noise : Noise
        Error of single values of the loss.
    """

    def __init__(
        self,
        objective: Objective,
        gradient: Sequence[FloatArray],
        epsilons: Sequence[float],
        origin: float,
        noise: Noise,
        seed: int,
    ) -> None:
        self._objective, self._epsilons = objective, epsilons
        # what is not finite is left where it is: it is wrong without a comparison
        self._finite = [None if np.isfinite(part).all() else np.isfinite(part) for part in gradient]
        self._gradient = [
            part if finite is None else np.where(finite, part, 0.0)
            for finite, part in zip(self._finite, gradient, strict=True)
        ]
        self._origin, self._noise = origin, noise
        self._rng = np.random.default_rng([seed, 1])
        leaves = objective.probe.leaves
        self._typical = [typical_scale(leaf.values()) for leaf in leaves]
        self._scales = [parameter_scale(leaf.values(), one) for leaf, one in zip(leaves, self._typical, strict=True)]
        self._is_even = False
        self._scatters: list[float] = []
        dtypes = [coarser(leaf.dtype, objective.dtype) for leaf in leaves]
        self._step = max(relative_step(dtype, "central") for dtype in dtypes)
        self._grid = 64 * coarsest_epsilon([leaf.dtype for leaf in leaves])

    @property
    def evaluations(self) -> int:
        """How often the loss was evaluated so far."""
        return self._objective.evaluations

    def evenly(self) -> Directions:
        """Return what compares along directions in which every entry goes as far as a typical one, or farther.

        An entry that happens to be near zero hardly moves by its own scale, and a mistake in its derivative does not
        show. It is no replacement: where entries of one parameter have different units, small ones go too far.
        """
        other = copy(self)
        other._is_even = True
        return other

    def contribution(self, owner: int) -> FloatArray:
        """Return how the loss changes with each entry of a parameter, in units of the entry's scale."""
        contribution = self._gradient[owner] * self._scales[owner]
        return np.abs(contribution, out=contribution)

    def whole(self, owner: int, weight: float = 1.0) -> Block:
        """Return all entries of a parameter."""
        return Block(owner, WHOLE, weight)

    def compare(self, groups: Sequence[Sequence[Block]]) -> list[Trial]:
        """Compare each group of blocks along a direction of its own."""
        drawn = [self._draw(blocks) for blocks in groups]
        analytic = np.array([one.analytic for one in drawn])
        norm = np.array([one.norm for one in drawn])
        own = np.array([one.roundoff for one in drawn])
        wanted = np.array([_WANTED * one.norm / np.sqrt(one.size) for one in drawn])

        def sample(positions: IntArray, steps: FloatArray) -> Samples:
            both = [Along(drawn[i].stretches, (h, -h)) for i, h in zip(positions, steps.tolist(), strict=True)]
            plus, minus = np.array(self._objective.evaluate(both), dtype=np.float64).reshape(-1, 2).T
            return Samples(plus, minus, steps)

        def goal(derivative: Derivative) -> tuple[BoolArray, FloatArray]:
            difference = np.abs(analytic - derivative.value)
            error = derivative.error + own
            with np.errstate(invalid="ignore"):
                agrees = difference <= np.maximum(_AGREEMENT * norm, error)
                fine = agrees & (error <= np.maximum(wanted, _AGREEMENT * norm))
                wrong = (difference > _MARGIN * error + _AGREEMENT * norm) & (derivative.evaluations > 2)
            done = fine | (wrong & (error <= 0.3 * difference)) | (derivative.evaluations >= 2 * _ENOUGH)
            return done | self._objective.is_spent, np.fmax(_AGREEMENT * norm, 0.1 * difference)

        ones = np.ones(len(groups))
        derivative = differentiate(
            sample,
            self._origin,
            self._step * ones,
            size=ones,
            smallest=self._grid * ones,
            typical=self._step * ones,
            largest=0.1 * ones,
            noise=self._noise,
            goal=goal,
            scatter=self._measure_scatter,
        )
        return [
            Trial(one.analytic, float(value), float(error) + one.roundoff, one.norm)
            for one, value, error in zip(drawn, derivative.value, derivative.error, strict=True)
        ]

    def _draw(self, blocks: Sequence[Block]) -> _Drawn:
        stretches: list[Stretch] = []
        analytic = squares = roundoff = 0.0
        for owner, where, weight in blocks:
            direction = random_direction(self._rng, self._reach(owner, where))
            direction *= weight
            finite, gradient = self._finite[owner], self._gradient[owner][where]
            if finite is not None:
                direction *= finite[where]
            stretches.append(Stretch(owner, where, direction))
            contribution = gradient * direction
            analytic += float(contribution.sum())
            square = float(contribution @ contribution)
            squares += square
            roundoff = float(np.hypot(roundoff, _ROUNDINGS * self._epsilons[owner] * np.sqrt(square)))
        return _Drawn(stretches, analytic, float(np.sqrt(squares)), roundoff, sum(s.direction.size for s in stretches))

    def _reach(self, owner: int, where: IntArray | slice) -> FloatArray:
        """Return how far entries go."""
        scale = self._scales[owner][where]
        return np.maximum(scale, self._typical[owner]) if self._is_even else scale

    def _measure_scatter(self, expected: float) -> float:
        # once for all comparisons at this point, whichever way
        if not self._scatters:
            line = Line(self._objective, np.random.default_rng(0), self._scales)
            self._scatters.append(scatter(line, self._origin, expected))
        self._noise = replace(self._noise, scatter=self._scatters[0])
        return self._scatters[0]


class _Drawn(NamedTuple):
    """A direction with what the gradient says of it."""

    stretches: Sequence[Stretch]
    analytic: float
    norm: float
    roundoff: float
    size: int
