"""Estimators with a loss and a gradient that their users have written."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.errors import InputError

GRADIENTS = ("gradient", "grad", "loss_gradient")
# fitted attributes that are no parameters
_RECORDS = {"classes_", "loss_", "loss_curve_", "best_loss_", "validation_scores_", "feature_importances_"}


@dataclass(frozen=True)
class Pair:
    """Loss and gradient of an estimator as functions of its parameters."""

    params: dict[str, Any]
    loss: Callable[[dict[str, Any]], Any]
    gradient: Callable[[dict[str, Any]], Any]
    is_at_optimum: bool = False
    notes: tuple[str, ...] = ()


class OwnMethods:
    """A twin of the user's estimator that computes with other parameters."""

    def __init__(self, estimator: Any, X: Any, y: Any) -> None:
        self._twin, self._data = copy.copy(estimator), (X,) if y is None else (X, y)
        self._role = next(name for name in GRADIENTS if callable(getattr(estimator, name, None)))

    @staticmethod
    def are_in(estimator: Any) -> bool:
        """Tell whether an estimator has the methods."""
        has = {name: callable(getattr(estimator, name, None)) for name in ("loss", *GRADIENTS)}
        return has["loss_gradient"] or (has["loss"] and (has["gradient"] or has["grad"]))

    def pair(self) -> Pair:
        """Return loss and gradient."""
        fitted = {name: value for name, value in vars(self._twin).items() if name.endswith("_") and name[0] != "_"}
        found = {name: _copied(value) for name, value in fitted.items() if name not in _RECORDS and _is_real(value)}
        if not found:
            raise InputError(
                f"{type(self._twin).__name__} has no fitted parameters: expected floating-point attributes whose names "
                f"end with an underscore (coef_), got {sorted(vars(self._twin))}. Call its `fit` first."
            )
        self._place(found)
        gradient = self._gradient(found)
        if isinstance(gradient, Mapping):
            found = {name: value for name, value in found.items() if any(name in str(key) for key in gradient)}
        elif len(found) != 1 and (not isinstance(gradient, (list, tuple)) or len(gradient) != len(found)):
            raise InputError(
                f"`{self._role}` must return a dict with the names of the fitted attributes {sorted(found)}, or one "
                f"gradient for each of them, got {type(gradient).__name__}."
            )
        return Pair(found, self._loss, self._gradient_of(gradient, list(found)))

    def _gradient_of(self, first: Any, names: list[str]) -> Callable[[dict[str, Any]], Any]:
        def gradient(params: dict[str, Any], /) -> Any:
            self._place(params)
            returned = self._gradient(params)
            if isinstance(first, Mapping):
                return returned
            if len(names) == 1 and not (isinstance(returned, (list, tuple)) and len(returned) == 1):
                return {names[0]: returned}
            return dict(zip(names, returned, strict=True))

        return gradient

    def _loss(self, params: dict[str, Any], /) -> Any:
        self._place(params)
        has_loss = callable(getattr(self._twin, "loss", None))
        return self._twin.loss(*self._data) if has_loss else self._twin.loss_gradient(*self._data)[0]

    def _gradient(self, params: dict[str, Any]) -> Any:
        # what a forward pass has left behind may be read
        self._loss(params)
        returned = getattr(self._twin, self._role)(*self._data)
        return returned[1] if self._role == "loss_gradient" else returned

    def _place(self, params: dict[str, Any]) -> None:
        for name, value in params.items():
            setattr(self._twin, name, value)


def _is_real(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_real(child) for child in value)
    is_array = isinstance(value, (np.ndarray, float, np.floating))
    return is_array and np.issubdtype(np.asarray(value).dtype, np.floating) and np.size(value) > 0


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied(child) for child in value]
    return value if isinstance(value, float) else np.array(value)
