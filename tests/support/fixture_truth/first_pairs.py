"""The first pairs: scripts with a function that returns the gradients.

Each script is run once, the first call of that function is caught, and it is called again at other points.
"""

from __future__ import annotations

import contextlib
import copy
import io
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from .points import Point, Sample, arrays, perturbed


@dataclass(frozen=True)
class Call:
    """The first call of a function of a script.

    Parameters
    ----------
    script : dict
        Globals of the script, as they are when it has ended.
    arguments : dict
        Copies of the arguments.
    before : dict
        Copies of the script's global numbers, lists and arrays at the time of the call.
    """

    script: dict[str, Any]
    arguments: dict[str, Any]
    before: dict[str, Any]


@dataclass(frozen=True)
class Probe:
    """Loss and gradients of a script as functions of its parameters.

    Parameters
    ----------
    point : dict of str to ndarray
        The script's own parameters at the first call.
    loss : callable
        Takes a point, returns a number.
    gradients : callable
        Takes a point, returns the gradients of the script under the names of the parameters.
    """

    point: Point
    loss: Callable[[Point], float]
    gradients: Callable[[Point], Point]

    def sample(self, seed: int | None) -> Sample:
        """Evaluate the gradients at the script's own point or at a perturbed one."""
        point = self.point if seed is None else perturbed(self.point, seed)
        return Sample(point, self.loss, self.gradients({name: value.copy() for name, value in point.items()}))


def first_call(path: Path, function: str) -> Call:
    """Run a script and catch the first call of one of its functions.

    Raises
    ------
    LookupError
        When the function is never called.
    """
    script: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    caught: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or caught or frame.f_code.co_name != function or frame.f_globals is not script:
            return
        code = frame.f_code
        arguments = {name: frame.f_locals[name] for name in code.co_varnames[: code.co_argcount]}
        before = {k: v for k, v in script.items() if isinstance(v, int | float | list | np.ndarray)}
        caught.append((copy.deepcopy(arguments), copy.deepcopy(before)))

    code = compile(path.read_bytes(), str(path), "exec")
    previous = sys.getprofile()
    random.seed(20)
    with contextlib.redirect_stdout(io.StringIO()):
        sys.setprofile(watch)
        try:
            exec(code, script)
        finally:
            sys.setprofile(previous)
    if not caught:
        raise LookupError(f"{path.name} never calls {function}")
    return Call(script, *caught[0])


def one_neuron_deltas(path: Path) -> Probe:
    call = first_call(path, "learn")
    names = ["w1", "w2", "b1", "b2"]
    numbers, labels = call.arguments["numbers"], call.arguments["labels"]
    random.seed(4)
    pick = random.randrange(len(numbers))

    def loss(point: Point) -> float:
        hidden = call.script["squash"](point["w1"] * numbers[pick] + point["b1"])
        guess = call.script["squash"](point["w2"] * hidden + point["b2"])
        return (guess - labels[pick]) ** 2

    def gradients(point: Point) -> Point:
        random.seed(4)
        w1, b1, w2, b2 = call.script["learn"](numbers, labels, *(float(point[name]) for name in names))
        return arrays(names, [change / call.script["STEP"] for change in (w1, w2, b1, b2)])

    return Probe(arrays(names, [call.arguments[name] for name in names]), loss, gradients)


def softmax_blobs(path: Path) -> Probe:
    call = first_call(path, "backward")
    names = ["W1", "b1", "W2", "b2"]
    X, y = call.arguments["X"], call.arguments["y"]

    def loss(point: Point) -> float:
        scores = np.tanh(X @ point["W1"] + point["b1"]) @ point["W2"] + point["b2"]
        return float(np.mean(np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(y)), y]))

    def gradients(point: Point) -> Point:
        return arrays(names, call.script["backward"](X, y, *(point[name] for name in names)))

    return Probe(arrays(names, [call.arguments[name] for name in names]), loss, gradients)


def sine_wave_tanh(path: Path) -> Probe:
    call = first_call(path, "back_propagate")
    names = ["W1", "b1", "W2", "b2"]
    x, target = call.arguments["x"], call.arguments["target"]

    def loss(point: Point) -> float:
        prediction = point["W2"] @ np.tanh(point["W1"] @ x + point["b1"]) + point["b2"]
        return float(np.square(prediction - target).sum() / target.size)

    def gradients(point: Point) -> Point:
        return arrays(names, call.script["back_propagate"](x, target, *(point[name] for name in names)))

    return Probe(arrays(names, [call.arguments[name] for name in names]), loss, gradients)


def dict_l2_minibatch(path: Path) -> Probe:
    call = first_call(path, "loss_and_grads")
    params, X, y, reg = (call.arguments[name] for name in ("params", "X", "y", "reg"))
    names = [f"params[{key!r}]" for key in params]

    def loss(point: Point) -> float:
        W1, b1, W2, b2 = (point[name] for name in names)
        hidden = 1 / (1 + np.exp(-(X @ W1 + b1)))
        p = 1 / (1 + np.exp(-(hidden @ W2 + b2)))
        entropy = -np.where(y == 1, np.log(p), np.log(1 - p)).mean()
        return float(entropy + reg * ((W1 * W1).sum() + (W2 * W2).sum()))

    def gradients(point: Point) -> Point:
        moved = dict(zip(params, (point[name] for name in names), strict=True))
        _, grads = call.script["loss_and_grads"](moved, X, y, reg)
        return arrays(names, [grads[key] for key in params])

    return Probe(arrays(names, params.values()), loss, gradients)


def class_three_layers(path: Path) -> Probe:
    call = first_call(path, "gradients")
    net, X, y = (call.arguments[name] for name in ("self", "X", "y"))
    keys = ["W1", "b1", "W2", "b2", "W3", "b3"]
    names = [f"self.{key}" for key in keys]

    def loss(point: Point) -> float:
        W1, b1, W2, b2, W3, b3 = (point[name] for name in names)
        out = np.maximum(np.maximum(X @ W1 + b1, 0) @ W2 + b2, 0) @ W3 + b3
        return float(np.mean((out - y) ** 2) / 2)

    def gradients(point: Point) -> Point:
        moved = copy.deepcopy(net)
        for key, name in zip(keys, names, strict=True):
            setattr(moved, key, point[name])
        grads = moved.gradients(X, y)
        return arrays(names, [grads[key] for key in keys])

    return Probe(arrays(names, [getattr(net, key) for key in keys]), loss, gradients)


def scalar_globals(path: Path) -> Probe:
    call = first_call(path, "gradients")
    names = ["v", "w", "b", "c"]
    x, target = call.arguments["x"], call.arguments["target"]

    def loss(point: Point) -> float:
        out = point["v"] * np.tanh(point["w"] * x + point["b"]) + point["c"]
        return float((out - target) ** 2 / 2)

    def gradients(point: Point) -> Point:
        call.script.update({name: float(value) for name, value in point.items()})
        return arrays(names, call.script["gradients"](x, target))

    return Probe(arrays(names, [call.before[name] for name in names]), loss, gradients)


def cooling_curve(path: Path) -> Probe:
    call = first_call(path, "gradient")
    x, y = call.arguments["x"], call.arguments["y"]

    def loss(point: Point) -> float:
        room, excess, k = point["theta"]
        return sum((room + excess * np.exp(-k * a) - b) ** 2 for a, b in zip(x, y, strict=True))

    def gradients(point: Point) -> Point:
        return arrays(["theta"], [call.script["gradient"](point["theta"], x, y)])

    return Probe(arrays(["theta"], [call.arguments["theta"]]), loss, gradients)


def nested_lists(path: Path) -> Probe:
    call = first_call(path, "backward")
    names = ["U", "V"]
    x, t = call.arguments["x"], call.arguments["t"]

    def loss(point: Point) -> float:
        hidden = 1 / (1 + np.exp(-point["U"] @ x))
        out = 1 / (1 + np.exp(-point["V"] @ hidden))
        return float(np.sum((out - t) ** 2) / 2)

    def gradients(point: Point) -> Point:
        call.script.update({name: point[name].tolist() for name in names})
        return arrays(names, call.script["backward"](x, t))

    return Probe(arrays(names, [call.before[name] for name in names]), loss, gradients)


def logit_ascent(path: Path) -> Probe:
    call = first_call(path, "score")
    names = ["w", "b"]
    X, y = call.arguments["X"], call.arguments["y"]

    def log_likelihood(point: Point) -> float:
        margin = np.where(y == 1, 1, -1) * (X @ point["w"] + point["b"])
        return float(-np.mean(np.log1p(np.exp(-margin))))

    def gradients(point: Point) -> Point:
        return arrays(names, call.script["score"](point["w"], float(point["b"]), X, y))

    return Probe(arrays(names, [call.arguments[name] for name in names]), log_likelihood, gradients)


def prints_megabytes(path: Path) -> Probe:
    call = first_call(path, "gradient")
    names = ["slope", "intercept"]
    x, y = np.array(call.script["xs"]), np.array(call.script["ys"])

    def loss(point: Point) -> float:
        return float(np.mean((point["slope"] * x + point["intercept"] - y) ** 2))

    def gradients(point: Point) -> Point:
        return arrays(names, call.script["gradient"](float(point["slope"]), float(point["intercept"])))

    return Probe(arrays(names, [call.arguments[name] for name in names]), loss, gradients)


def umlauts_latin1(path: Path) -> Probe:
    call = first_call(path, "gradienten")
    model, week, size = (call.arguments[name] for name in ("self", "woche", "größe"))
    keys = ["höhe", "steigung", "lage"]
    names = [f"self.{key}" for key in keys]

    def loss(point: Point) -> float:
        height, slope, place = (point[name] for name in names)
        return float(np.mean((height * np.tanh(slope * week + place) - size) ** 2))

    def gradients(point: Point) -> Point:
        moved = copy.deepcopy(model)
        for key, name in zip(keys, names, strict=True):
            setattr(moved, key, float(point[name]))
        return arrays(names, moved.gradienten(week, size))

    return Probe(arrays(names, [getattr(model, key) for key in keys]), loss, gradients)


PROBES: dict[str, Callable[[Path], Probe]] = {
    probe.__name__: probe
    for probe in (
        class_three_layers,
        cooling_curve,
        dict_l2_minibatch,
        logit_ascent,
        nested_lists,
        one_neuron_deltas,
        prints_megabytes,
        scalar_globals,
        sine_wave_tanh,
        softmax_blobs,
        umlauts_latin1,
    )
}
