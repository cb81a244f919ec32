"""A layer: a function that computes outputs, and one that takes gradients back through it, without a loss.

What is taken back are random numbers that are always the same. The sum of the outputs, each times its number, is a
loss then: what the second function makes of the numbers is the gradient of that sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.script.record.leaves import Path, follow
from gradcheck.script.source.syntax import Code, Function, FunctionNode

# the variables in which a replay of a layer keeps the sum, by the layer's name, and the random numbers
WEIGHTED_SUM, WEIGHTS = "__gradcheck_weighted_sum__", "__gradcheck_weights__"
_SMALLEST, _LARGEST = 0.5, 1.5


@dataclass(frozen=True)
class Scene:
    """What there is when the forward function of a replayed layer has returned."""

    arguments: Mapping[str, Any]
    variables: Mapping[str, Any]
    result: Any
    times: float
    draw: int


@dataclass(frozen=True)
class Spot:
    """Something that the forward function has returned, was given, or read: the backward function is given it, too.

    Attributes
    ----------
    name : str or None
        The argument or variable that it lies in; None for what was returned.
    """

    name: str | None
    path: Path = ()
    is_argument: bool = True

    def value(self, scene: Scene) -> Any:
        """Return it."""
        if self.name is None:
            return follow(scene.result, self.path)
        return follow((scene.arguments if self.is_argument else scene.variables)[self.name], self.path)


@dataclass(frozen=True)
class Kept:
    """What the backward function was given as the script ran; it lies with the arguments of the moment."""

    name: str

    def value(self, scene: Scene) -> Any:
        """Return it."""
        return scene.arguments[self.name]


@dataclass(frozen=True)
class Upstream:
    """The random numbers that are taken back, one for each number of an output."""

    output: Spot
    number: int = 0

    def weights(self, scene: Scene) -> np.ndarray[Any, Any]:
        """Return the numbers by which the output is multiplied."""
        output = np.asarray(self.output.value(scene))
        rng = np.random.default_rng([output.size, self.number, scene.draw])
        signs = rng.choice([-1.0, 1.0], output.shape)
        weights = scene.times * signs * rng.uniform(_SMALLEST, _LARGEST, output.shape)
        return weights.astype(output.dtype) if output.dtype.kind == "f" else weights

    def value(self, scene: Scene) -> Any:
        """Return them in the form of the output."""
        weights = self.weights(scene)
        return weights.tolist() if isinstance(self.output.value(scene), list) else weights


@dataclass(frozen=True)
class Rebuilt:
    """A tuple, list or dictionary that was put together between the two functions."""

    make: Callable[[list[tuple[Any, Any]]], Any]
    parts: tuple[tuple[Any, Given], ...]

    def value(self, scene: Scene) -> Any:
        """Return it, made anew."""
        return self.make([(key, part.value(scene)) for key, part in self.parts])


Given = Spot | Kept | Upstream | Rebuilt


@dataclass(frozen=True)
class Layer(Code):
    """A forward function and a backward function, one called after the other.

    Attributes
    ----------
    given : tuple of (str, Given)
        What each argument of the backward function is.
    times : float
        By what the random numbers are multiplied.
    draw : int
        Which random numbers they are.
    """

    name: str
    node: FunctionNode
    forward: Function
    backward: Function
    given: tuple[tuple[str, Given], ...]
    times: float = 1.0
    draw: int = 0

    @classmethod
    def of(cls, forward: Function, backward: Function, given: Mapping[str, Given]) -> Layer:
        """Return a layer of two functions."""
        name = f"{forward.name} and {backward.name}"
        return cls(name, forward.node, forward, backward, tuple(given.items()))

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of the forward function."""
        return self.forward.arguments

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """What is taken back."""
        return tuple(found for _, given in self.given for found in upstreams_in(given))

    def seen(self, scene: Scene) -> dict[str, Any]:
        """Return the sum of the outputs, each times its random number, and these numbers."""
        weights = [upstream.weights(scene) for upstream in self.upstreams]
        parts = [np.asarray(u.output.value(scene)) * w for u, w in zip(self.upstreams, weights, strict=True)]
        return {WEIGHTED_SUM: {self.name: sum(np.sum(part) for part in parts)}, WEIGHTS: weights}

    @property
    def loss(self) -> str:
        """The sum, as an expression; each layer has its own."""
        return f"{WEIGHTED_SUM}[{self.name!r}]"


def upstreams_in(given: Given) -> Iterator[Upstream]:
    """Return the random numbers in what an argument is."""
    if isinstance(given, Upstream):
        yield given
    elif isinstance(given, Rebuilt):
        for _, part in given.parts:
            yield from upstreams_in(part)
