"""A TensorFlow function as a function of named arrays: what is a tensor is rebuilt, what is a variable is assigned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcheck.adapters.names import argument_names
from gradcheck.adapters.problem import Array, Arrays, Problem
from gradcheck.adapters.slots import Slots, nothing_to_differentiate


class Subject:
    """A function at the point that is checked."""

    def __init__(self, function: Any, inputs: Sequence[Any], *, double: bool) -> None:
        self._function, self._double = function, double
        names = argument_names(getattr(function, "call", function), len(inputs))
        self._slots = Slots(inputs, names, _is_tensor)
        self._variables = dict(Slots(inputs, names, _is_variable).found)
        self._add_own(getattr(function, "trainable_variables", ()))
        self._saved = {name: np.array(variable) for name, variable in self._variables.items()}
        if not self._slots.found and not self._variables:
            raise nothing_to_differentiate(inputs, "floating-point tensors or trainable variables")

    @property
    def can_be_double(self) -> bool:
        """Whether no variable is coarser than float64."""
        return all(saved.dtype.itemsize >= 8 for saved in self._saved.values())

    def problem(self) -> Problem:
        """Return what is compared."""
        arrays = {
            name: np.array(value, dtype=np.float64 if self._double else _dtype(value))
            for name, value in self._slots.found
        }
        arrays.update({name: saved.copy() for name, saved in self._saved.items()})
        return Problem(arrays, self._outputs, self._pull)

    def restore(self) -> None:
        """Give the variables back what they held."""
        for name, variable in self._variables.items():
            variable.assign(self._saved[name])

    def _add_own(self, variables: Sequence[Any]) -> None:
        known = {id(variable) for variable in self._variables.values()}
        for number, variable in enumerate(variables):
            if id(variable) not in known:
                name = str(getattr(variable, "path", variable.name)).removesuffix(":0")
                self._variables[name if name not in self._variables else f"{name}#{number}"] = variable

    def _tensors_at(self, arrays: Arrays) -> list[Any]:
        import tensorflow as tf

        # a copy, as a tensor may otherwise share the memory of an array that is about to change
        return [tf.constant(np.array(arrays[name])) for name, _ in self._slots.found]

    def _evaluated(self, tensors: Sequence[Any]) -> list[Any]:
        import tensorflow as tf

        returned = self._function(*self._slots.filled(tensors))
        return [output for output in map(tf.convert_to_tensor, tf.nest.flatten(returned)) if output.dtype.is_floating]

    def _outputs(self, arrays: Arrays) -> list[Array]:
        self._assign(arrays)
        return [output.numpy() for output in self._evaluated(self._tensors_at(arrays))]

    def _pull(self, arrays: Arrays, weights: Sequence[Array]) -> Arrays:
        import tensorflow as tf

        self._assign(arrays)
        tensors, variables = self._tensors_at(arrays), [_unwrapped(v) for v in self._variables.values()]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            outputs = self._evaluated(tensors)
        given = [tf.cast(tf.constant(weight), output.dtype) for weight, output in zip(weights, outputs, strict=True)]
        found = tape.gradient(
            outputs, [*tensors, *variables], given, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        names = [*(name for name, _ in self._slots.found), *self._variables]
        return {name: tf.convert_to_tensor(part).numpy() for name, part in zip(names, found, strict=True)}

    def _assign(self, arrays: Arrays) -> None:
        for name, variable in self._variables.items():
            variable.assign(arrays[name])


def in_float64(model: Any) -> Any:
    """Return a float64 copy of a Keras model that is made from its configuration; None where there is none."""
    if not (hasattr(model, "get_config") and hasattr(model, "get_weights") and hasattr(model, "layers")):
        return None
    try:
        twin = type(model).from_config(
            _with_float64(model.get_config()), custom_objects={type(one).__name__: type(one) for one in model.layers}
        )
        twin.set_weights(model.get_weights())
    except Exception:  # noqa: BLE001 - whatever a model raises that cannot be copied, it is checked as it is
        return None
    return twin if len(twin.trainable_variables) == len(model.trainable_variables) else None


def _with_float64(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _with_float64(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(map(_with_float64, config))
    return "float64" if isinstance(config, str) and config == "float32" else config


def _unwrapped(variable: Any) -> Any:
    """Return the TensorFlow variable inside of one of Keras."""
    return getattr(variable, "value", variable) if not hasattr(variable, "assign_add") else variable


def _is_variable(leaf: Any) -> bool:
    return hasattr(leaf, "assign") and hasattr(leaf, "trainable") and np.issubdtype(_dtype(leaf), np.floating)


def _is_tensor(leaf: Any) -> bool:
    is_array = isinstance(leaf, (float, np.floating)) or (hasattr(leaf, "dtype") and hasattr(leaf, "shape"))
    return is_array and not hasattr(leaf, "assign") and np.size(leaf) > 0 and np.issubdtype(_dtype(leaf), np.floating)


def _dtype(leaf: Any) -> Any:
    try:
        # what TensorFlow makes of a number of Python's
        return np.dtype(np.float32) if type(leaf) is float else np.asarray(leaf).dtype
    except (TypeError, ValueError, NotImplementedError):
        return np.dtype(object)
