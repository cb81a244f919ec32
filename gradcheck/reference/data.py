"""Small tasks to learn, made by formulas, and what is usually done to data before a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.reference.arrays import Array


@dataclass(frozen=True)
class Dataset:
    """Inputs and targets.

    Attributes
    ----------
    name : str
        What it is called.
    X : ndarray of shape (samples, inputs)
        One row per sample.
    y : ndarray of shape (samples,)
        Labels, or numbers to predict.
    features : tuple of str
        A name for each column of ``X``.
    """

    name: str
    X: Array
    y: NDArray[Any]
    features: tuple[str, ...]


def parity() -> Dataset:
    """Whether x is even, for x = 1, ..., 9, divided by 9: nine points whose label changes from each to the next.

    A network whose output is monotone in x cannot learn it, and so neither can one with a single hidden unit.
    """
    x = np.arange(1, 10)
    return Dataset("parity", x[:, np.newaxis] / 9.0, (x % 2 == 0).astype(int), ("x",))


def xor() -> Dataset:
    """Whether exactly one of two bits is set: four points, and no line separates their labels."""
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return Dataset("xor", X, np.array([0, 1, 1, 0]), ("a", "b"))


def moons(samples: int = 400, *, noise: float = 0.15, seed: int = 0) -> Dataset:
    """Two half circles that reach into each other, with normally distributed noise.

    Parameters
    ----------
    samples : int
        How many points, half of them for each label.
    noise : float
        Standard deviation; the radius is 1.
    seed : int
        Decides where the points are.

    Raises
    ------
    ValueError
        If there are fewer than two points, or the noise is negative.
    """
    _at_least("samples", samples, 2)
    _at_least("noise", noise, 0)
    rng = np.random.default_rng(seed)
    y = np.arange(samples) % 2
    angle = rng.uniform(0, np.pi, size=samples)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    lower = np.column_stack([1 - np.cos(angle), 0.5 - np.sin(angle)])
    X = np.where(y[:, np.newaxis] == 0, upper, lower) + noise * rng.normal(size=(samples, 2))
    return Dataset("moons", X, y, ("x", "y"))


def digits(samples: int = 1500, *, noise: float = 0.15, seed: int = 0) -> Dataset:
    """Drawn digits in pictures of 8 x 8 points, moved about, in varying strength, with normally distributed noise.

    Parameters
    ----------
    samples : int
        How many pictures; the ten digits take turns.
    noise : float
        Standard deviation; a line has a strength of about 1.
    seed : int
        Decides the places, the strengths and the noise.

    Raises
    ------
    ValueError
        If there are fewer than ten pictures, or the noise is negative.
    """
    _at_least("samples", samples, 10)
    _at_least("noise", noise, 0)
    rng = np.random.default_rng(seed)
    y = np.arange(samples) % 10
    pictures = np.zeros((samples, 8, 8))
    tops, lefts = rng.integers(0, 2, size=samples), rng.integers(1, 3, size=samples)
    strengths = rng.uniform(0.6, 1.2, size=samples)
    for picture, digit, top, left, strength in zip(pictures, y, tops, lefts, strengths, strict=True):
        picture[top : top + 7, left : left + 5] = strength * _GLYPHS[digit]
    pictures += noise * rng.normal(size=pictures.shape)
    names = tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8))
    return Dataset("digits", pictures.reshape(samples, 64), y, names)


TASKS: dict[str, Callable[..., Dataset]] = {"parity": parity, "xor": xor, "moons": moons, "digits": digits}


def split(rows: int, fraction: float, seed: int = 0) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Divide the rows of a data set at random.

    Parameters
    ----------
    rows : int
        How many there are.
    fraction : float
        Which part of them, rounded, to put aside; at least 0 and less than 1.
    seed : int
        Decides which.

    Returns
    -------
    tuple of two ndarrays
        Row numbers to train on, and those put aside, each in ascending order.

    Raises
    ------
    ValueError
        If the fraction is out of its range, or nothing would be left to train on.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction: expected a number of at least 0 and less than 1, got {fraction!r}")
    aside = round(rows * fraction)
    if aside >= rows:
        raise ValueError(f"fraction: {fraction} of {rows} rows leaves none to train on")
    order = np.random.default_rng(seed).permutation(rows)
    return np.sort(order[aside:]), np.sort(order[:aside])


def standardization(X: Array) -> tuple[Array, Array]:
    """Return the mean and the standard deviation of each column; 1 in place of a deviation of 0.

    Parameters
    ----------
    X : ndarray of shape (samples, inputs)
        One row per sample.

    Returns
    -------
    tuple of two ndarrays of shape (inputs,)
        ``(X - mean) / deviation`` has the mean 0 and the deviation 1 in each column that is not constant.

    Raises
    ------
    ValueError
        If numbers are so large that there is no finite deviation.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = X.mean(axis=0), X.std(axis=0)
    if not np.isfinite(deviation).all():
        column = int(np.argmin(np.isfinite(deviation)))
        raise ValueError(f"expected numbers whose squares are finite, got {np.abs(X[:, column]).max():g} to be scaled")
    # a constant column has a deviation of the size of its round-off
    constant = deviation <= 4 * np.finfo(X.dtype).eps * np.abs(mean)
    return mean, np.where(constant, np.ones_like(deviation), deviation)


def one_hot(numbers: NDArray[np.intp], classes: int, dtype: Any = np.float64) -> Array:
    """Return a row for each number, with a 1 in the column that it names and 0 elsewhere.

    Parameters
    ----------
    numbers : ndarray of int of shape (samples,)
        From 0 to ``classes - 1``.
    classes : int
        How many columns.
    dtype : dtype
        Of the result, which has the shape (samples, classes).
    """
    found = np.zeros((len(numbers), classes), dtype)
    found[np.arange(len(numbers)), numbers] = 1
    return found


def _at_least(name: str, value: float, least: int) -> None:
    if not value >= least:
        raise ValueError(f"{name}: expected a number of at least {least}, got {value!r}")


_DRAWN = """
.###. ..#.. .###. .###. ...#. ##### .###. ##### .###. .###.
#...# .##.. #...# #...# ..##. #.... #.... ....# #...# #...#
#...# ..#.. ....# ....# .#.#. ####. #.... ...#. #...# #...#
#...# ..#.. ...#. ..##. #..#. ....# ####. ..#.. .###. .####
#...# ..#.. ..#.. ....# ##### ....# #...# ..#.. #...# ....#
#...# ..#.. .#... #...# ...#. #...# #...# ..#.. #...# ....#
.###. .###. ##### .###. ...#. .###. .###. ..#.. .###. .###.
"""
_GLYPHS = np.array(
    [[[point == "#" for point in line.split()[digit]] for line in _DRAWN.strip().split("\n")] for digit in range(10)],
    dtype=float,
)
