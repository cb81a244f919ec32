"""Random functions of one number whose derivatives are known in closed form.

A function is a sum of terms ``amplitude * shape(rate * z + phase)`` in ``z = x / unit``. Its derivative is evaluated in
long double; the function itself in the precision that its class asks for. Each class is one thing that makes finite
differences hard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.problems import Candidate, Loss, Params, Problem

CLASSES = (
    "smooth",
    "float32 inside",
    "random noise",
    "large offset",
    "kink nearby",
    "sum over data",
    "oscillating",
    "tiny or huge units",
    "point near zero",
)

# label and factor of the correct derivative
PLANTED = (("correct", 1.0), ("sign", -1.0), ("zero", 0.0), ("x2", 2.0), ("10 %", 1.1), ("1 %", 1.01), ("0.1 %", 1.001))

# shape and derivative; both keep the type of their argument
SHAPES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "wave": (np.sin, np.cos),
    "bump": (lambda u: np.exp(-u * u), lambda u: -2 * u * np.exp(-u * u)),
    "logistic": (lambda u: 1 / (1 + np.exp(-u)), lambda u: np.exp(-u) / (1 + np.exp(-u)) ** 2),
    "root": (lambda u: np.sqrt(1 + u * u), lambda u: u / np.sqrt(1 + u * u)),
    "angle": (np.arctan, lambda u: 1 / (1 + u * u)),
    "growth": (np.exp, np.exp),
    "cubic": (lambda u: u * u * u - u, lambda u: 3 * u * u - 1),
}
BOUNDED = ("wave", "bump", "logistic", "angle")
SAMPLES = 2000


@dataclass(frozen=True)
class Term:
    """A term ``amplitude * shape(rate * z + phase)``."""

    shape: str
    amplitude: float
    rate: float
    phase: float

    def value(self, z: Any) -> Any:
        """Return its value in the type of `z`."""
        real = type(z)
        return real(self.amplitude) * SHAPES[self.shape][0](real(self.rate) * z + real(self.phase))

    def slope(self, z: Any) -> Any:
        """Return its derivative by `z` in the type of `z`."""
        real = type(z)
        inner = real(self.rate) * z + real(self.phase)
        return real(self.amplitude) * real(self.rate) * SHAPES[self.shape][1](inner)


@dataclass(frozen=True, eq=False)
class RandomFunction:
    """A function of ``z = x / unit`` with its derivative.

    Parameters
    ----------
    group : str
        One of `CLASSES`.
    x : float
        The point.
    unit : float
        Natural scale of x; a power of two, so that the division is exact.
    terms : tuple of Term
        Its smooth part.
    loss_unit, offset : float
        It returns ``loss_unit * (offset + ...)``.
    kink : (float, float) or None
        Half the jump of the slope, and where.
    data : (array, array) or None
        Inputs and targets of ``mean(sqrt(1 + (inputs * z - targets)**2))``, which is added.
    noise : float
        Relative size of the random error of every value.
    real : type
        Floating-point type of the computation.
    seed : int
        Of the noise.
    """

    group: str
    x: float
    unit: float
    terms: tuple[Term, ...]
    loss_unit: float = 1.0
    offset: float = 0.0
    kink: tuple[float, float] | None = None
    data: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)
    noise: float = 0.0
    real: type = np.float64
    seed: int = 0

    def value(self, x: Any, real: type | None = None) -> Any:
        """Return the function without its noise, computed in `real` or in its own type."""
        real = real or self.real
        z = real(x / self.unit)
        total = real(self.offset) + sum((term.value(z) for term in self.terms), start=real(0))
        if self.kink:
            total = total + real(self.kink[0]) * abs(z - real(self.kink[1]))
        if self.data:
            inputs, targets = self.data
            total = total + np.mean(np.sqrt(1 + (inputs.astype(real) * z - targets.astype(real)) ** 2))
        return real(self.loss_unit) * total

    def slope(self, z: Any) -> Any:
        """Return the derivative by `z` in units of the loss, in long double."""
        z = np.longdouble(z)
        total = sum((term.slope(z) for term in self.terms), start=np.longdouble(0))
        if self.kink:
            total += np.longdouble(self.kink[0]) * np.sign(z - np.longdouble(self.kink[1]))
        if self.data:
            inputs, targets = self.data
            error = inputs * z - targets  # z makes it a long double
            total += np.mean(inputs * error / np.sqrt(1 + error**2))
        return total

    @property
    def derivative(self) -> float:
        """The derivative by x at the point."""
        unit = np.longdouble(self.unit)
        return float(np.longdouble(self.loss_unit) * self.slope(np.longdouble(self.x) / unit) / unit)

    @property
    def is_steep(self) -> bool:
        """Whether the slope is at least a thousandth of what its terms can have.

        Where it is not, "zero" is hardly wrong, and the share of a thousandth of it is not to be seen.
        """
        with np.errstate(all="ignore"):
            slope = float(abs(self.slope(np.longdouble(self.x) / np.longdouble(self.unit))))
            value = float(abs(self.value(self.x)))
        return 1e-3 * max(abs(term.amplitude * term.rate) for term in self.terms) <= slope < np.inf > value

    def loss(self) -> Loss:
        """Return the function as a loss of ``{"x": array of shape (1,)}``; its noise starts anew."""
        stream = np.random.default_rng(self.seed)

        def loss(params: Params) -> float:
            with np.errstate(all="ignore"):
                value = float(self.value(float(params["x"][0])))
            return value * (1 + self.noise * stream.uniform(-1, 1)) if self.noise else value

        return loss


def random_function(seed: int) -> RandomFunction:
    """Draw a function; the classes take turns.

    Parameters
    ----------
    seed : int
        Decides everything.
    """
    rng = np.random.default_rng(seed)
    group = CLASSES[seed % len(CLASSES)]
    while True:
        function = _draw(group, rng)
        if function.is_steep:
            return replace(function, seed=seed)


def function_problem(seed: int) -> Problem:
    """Return a random function with its correct derivative and planted errors.

    Parameters
    ----------
    seed : int
        See `random_function`.
    """
    function = random_function(seed)
    candidates = tuple(
        Candidate(label, {"x": np.array([factor * function.derivative])}, frozenset(() if factor == 1 else "x"))
        for label, factor in PLANTED
    )
    return Problem(function.group, "", seed, {"x": np.array([function.x])}, function.loss, candidates)


def _power_of_two(rng: np.random.Generator, decades: float) -> float:
    return float(2.0 ** np.round(rng.uniform(-decades, decades) * np.log2(10)))


def _draw(group: str, rng: np.random.Generator) -> RandomFunction:
    """Draw one function of a class, steep or not."""
    near = 10.0 ** -rng.uniform(1, 8) * (rng.random() < 0.75) if group == "point near zero" else 1.0
    real = np.float32 if group == "float32 inside" else np.float64
    # what a float32 computation cannot represent would make the truth that of another function
    z = float(real(rng.normal() * near))
    terms = tuple(_term(rng, real, z if group == "oscillating" and i == 0 else None) for i in range(rng.integers(1, 4)))
    # the other classes are met in odd units too, so that two difficulties come together
    scaled = group == "tiny or huge units" or (group != "smooth" and rng.random() < 0.25)
    unit = _power_of_two(rng, 12) if scaled else 1.0
    plain = RandomFunction(group, z * unit, unit, terms, real=real)
    match group:
        case "random noise":
            return replace(plain, noise=10.0 ** -rng.uniform(4, 14))
        case "large offset":
            return replace(plain, offset=float(10.0 ** rng.uniform(1, 7) * rng.choice([-1, 1])))
        case "kink nearby":
            away = 10.0 ** -rng.uniform(1, 7) * max(abs(z), 1e-3) * rng.choice([-1, 1])
            return replace(plain, kink=(float(rng.uniform(0.5, 3)), float(z + away)))
        case "sum over data":
            inputs, targets = rng.normal(size=SAMPLES) * 2, rng.normal(size=SAMPLES)
            return replace(plain, data=(inputs, targets + inputs * rng.normal()))
        case "tiny or huge units":
            return replace(plain, loss_unit=_power_of_two(rng, 9))
    return plain


def _term(rng: np.random.Generator, real: type, fast_at: float | None) -> Term:
    """Draw a term; with `fast_at` a bounded one that varies fast there, and not only far away."""
    fast = fast_at is not None
    shape = str(rng.choice(BOUNDED if fast else list(SHAPES)))
    rate = 10.0 ** (rng.uniform(1, 3.5) if fast else rng.uniform(-1, 0.6)) * rng.choice([-1, 1])
    phase = rng.normal() - (rate * fast_at if fast_at is not None else 0.0)
    return Term(shape, float(real(rng.normal())), float(real(rate)), float(real(phase)))
