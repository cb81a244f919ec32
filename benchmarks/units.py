"""Parameters in very different units: logistic regressions with raw features, and one entry of the gradient wrong.

Ages, incomes and populations side by side: the derivatives differ by as much as the features do, and a tolerance that
is a share of the largest of them hides all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.tables import markdown
from gradcheck import check_grad

Array = npt.NDArray[Any]

SAMPLES, FEATURES = 40, 5
# what one entry of the gradient is multiplied by
FACTORS = (0.0, -1.0, 1.01)
# how the weights are drawn: in the units of the features, as training would leave them; all zero; all small alike
WEIGHTS: dict[str, Callable[[np.random.Generator, Array], Array]] = {
    "fitting": lambda rng, scales: rng.normal(size=FEATURES) / scales,
    "zero": lambda _, scales: np.zeros_like(scales),
    "alike": lambda rng, scales: 0.01 * rng.normal(size=scales.size),
}


@dataclass(frozen=True)
class Regression:
    """A logistic regression with its mean loss and gradient, both stable for scores of any size.

    Parameters
    ----------
    X : array, shape (samples, features)
        Raw features.
    y : array, shape (samples,)
        Labels, 0 or 1.
    w : array, shape (features,)
        The point that is checked.
    """

    X: Array
    y: Array
    w: Array

    @classmethod
    def drawn(cls, seed: int, largest: float, weights: str, dtype: npt.DTypeLike = np.float64) -> Regression:
        """Draw one: the scales of its features lie between 1 and `largest`, and reach both.

        Parameters
        ----------
        seed : int
            Decides everything.
        largest : float
            The largest scale.
        weights : str
            One of `WEIGHTS`.
        dtype : dtype
            Of all arrays.
        """
        rng = np.random.default_rng(seed)
        powers = np.append([0.0, 1.0], rng.uniform(size=FEATURES - 2))
        scales = largest ** rng.permutation(powers)
        X = rng.normal(size=(SAMPLES, FEATURES)) * scales
        w = WEIGHTS[weights](rng, scales)
        y = (rng.random(SAMPLES) < 0.5).astype(dtype)
        return cls(X.astype(dtype), y, w.astype(dtype))

    def loss(self, w: Array) -> Any:
        """Return the mean of the log losses."""
        z = self.X @ w
        return np.mean(np.logaddexp(0, z) - self.y * z)

    def gradient(self, w: Array) -> Array:
        """Return its gradient."""
        z = self.X @ w
        e = np.exp(-np.abs(z))
        p = np.where(z >= 0, 1 / (1 + e), e / (1 + e))
        return np.asarray(self.X.T @ (p - self.y) / z.dtype.type(z.size))


def verdict(problem: Regression, entry: int | None, factor: float) -> str:
    """Return the verdict on the gradient with one entry multiplied by `factor`, or on the right one.

    Parameters
    ----------
    problem : Regression
        The problem.
    entry : int or None
        Which entry.
    factor : float
        What it is multiplied by.
    """

    def gradient(w: Array) -> Array:
        found = problem.gradient(w)
        if entry is not None:
            found[entry] *= found.dtype.type(factor)
        return found

    with np.errstate(all="ignore"):
        return str(check_grad(problem.loss, gradient, problem.w).verdict)


def count(
    seeds: Sequence[int], largest: float, weights: str, dtype: npt.DTypeLike, factor: float | None
) -> Counter[str]:
    """Return how often each verdict was given; with a factor, in each problem on another entry.

    Parameters
    ----------
    seeds : sequence of int
        Of the problems.
    largest, weights, dtype
        As for `Regression.drawn`.
    factor : float or None
        What an entry is multiplied by; None for the right gradient.
    """
    found: Counter[str] = Counter()
    for seed in seeds:
        problem = Regression.drawn(seed, largest, weights, dtype)
        entry = None if factor is None else seed % FEATURES
        found[verdict(problem, entry, 1.0 if factor is None else factor)] += 1
    return found


def rows_of_units(seeds: Sequence[int]) -> Iterator[str]:
    """Yield a table: matches of right gradients, and mistakes found, by how the problems were drawn.

    Parameters
    ----------
    seeds : sequence of int
        Of the problems.
    """
    total = len(seeds)
    rows = []
    for dtype in ("float64", "float32"):
        for largest in (1e8, 1e12) if dtype == "float64" else (1e3, 1e8):
            for weights in WEIGHTS:
                right = count(seeds, largest, weights, dtype, None)
                wrong = [count(seeds, largest, weights, dtype, factor) for factor in FACTORS]
                cells = [f"{right['match']} / {right['mismatch']}"]
                cells += [f"{one['mismatch']} / {one['match']}" for one in wrong]
                rows.append([f"{dtype}, up to {largest:.0e}, weights {weights}", *cells])
    header = ["problems", "right: match / mismatch", *(f"x {factor:g}: found / missed" for factor in FACTORS)]
    yield f"{total} logistic regressions with {FEATURES} raw features, seeds {seeds[0]} to {seeds[-1]}\n"
    yield markdown(header, rows)
