"""What networks with the habits of scikit-learn share: ``fit``, ``predict``, ``score``, ``get_params``.

An estimator looks after what surrounds a training: it scales the inputs, and does the same to everything that it is
asked about later.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from gradcheck.reference.arrays import Array, matrix
from gradcheck.reference.data import split, standardization
from gradcheck.reference.losses import loss_function
from gradcheck.reference.network import Network
from gradcheck.reference.optimizers import optimizer
from gradcheck.reference.trainer import History, train


class Estimator:
    """What the two kinds of networks share; the parameters are explained there."""

    network_: Network
    history_: History
    mean_: Array
    scale_: Array

    def __init__(
        self,
        hidden_widths: Sequence[int] = (16,),
        *,
        activation: str = "tanh",
        optimizer: str = "adam",
        learning_rate: float | None = None,
        epochs: int = 200,
        batch_size: int | None = 32,
        l2: float = 0.0,
        standardize: bool = True,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        min_progress: float = 0.0,
        seed: int = 0,
        dtype: str = "float64",
    ) -> None:
        self.hidden_widths = hidden_widths
        self.activation = activation
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.l2 = l2
        self.standardize = standardize
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.min_progress = min_progress
        self.seed = seed
        self.dtype = dtype

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - scikit-learn passes it
        """Return the settings, under the names of the constructor's parameters."""
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self, **settings: Any) -> Self:
        """Change settings; they count from the next `fit` on.

        Raises
        ------
        ValueError
            If a setting is unknown.
        """
        known = self.get_params()
        for name, value in settings.items():
            if name not in known:
                raise ValueError(f"unknown setting {name!r}; known are {', '.join(known)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = self._defaults()
        changed = {n: v for n, v in self.get_params().items() if v != defaults[n]}
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in changed.items())})"

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """Return the parameters of the constructors, those of the base class first, with their defaults."""
        constructors = [vars(kind)["__init__"] for kind in (Estimator, cls) if "__init__" in vars(kind)]
        parameters = [p for c in constructors for p in list(inspect.signature(c).parameters.values())[1:]]
        return {p.name: p.default for p in parameters if p.kind is not p.VAR_KEYWORD}

    def _fit(self, X: Array, Y: Array, output: str, loss: str, callback: Callable[[int, float], object] | None) -> Self:
        """Build a network for inputs and targets, and train it."""
        if self.standardize:
            self.mean_, self.scale_ = standardization(X)
        else:
            self.mean_, self.scale_ = np.zeros_like(X[0]), np.ones_like(X[0])
        X = (X - self.mean_) / self.scale_
        start, order, aside = np.random.SeedSequence(self.seed).spawn(3)
        self.network_ = Network(
            (X.shape[1], *self.hidden_widths, Y.shape[1]),
            hidden=self.activation,
            output=output,
            seed=np.random.default_rng(start),
            dtype=self.dtype,
        )
        kept, watched = split(len(X), self.validation_fraction, int(aside.generate_state(1)[0]))
        self.history_ = train(
            self.network_,
            X[kept] if len(watched) else X,
            Y[kept] if len(watched) else Y,
            loss=loss_function(loss),
            optimizer=optimizer(self.optimizer, self.learning_rate),
            epochs=self.epochs,
            batch_size=self.batch_size,
            l2=self.l2,
            seed=np.random.default_rng(order),
            validation=(X[watched], Y[watched]) if len(watched) else None,
            patience=self.patience,
            min_progress=self.min_progress,
            callback=callback,
        )
        return self

    def _outputs(self, X: ArrayLike) -> Array:
        """Return the network's outputs for inputs as `fit` got them."""
        if not hasattr(self, "network_"):
            raise ValueError(f"this {type(self).__name__} is not trained yet; call fit first")
        network = self.network_
        found = matrix(X, "X", network.dtype, network.widths[0])
        return network.predict((found - self.mean_) / self.scale_)
