"""A training from its settings to its scores; prints nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.reference import TASKS, Dataset, MLPClassifier, MLPRegressor
from gradcheck.reference.csv_data import is_labels, read_csv
from gradcheck.reference.data import split

# with these settings a bundled task is learned; they give way to what is asked for
_DEFAULTS: dict[str, dict[str, Any]] = {
    "parity": {"hidden_widths": (8,), "learning_rate": 0.05, "epochs": 4000, "batch_size": None},
    "xor": {"hidden_widths": (8,), "learning_rate": 0.05, "epochs": 1000, "batch_size": None},
    "moons": {"hidden_widths": (16,), "epochs": 200},
    "digits": {"hidden_widths": (32,), "epochs": 40},
}
# they consist of all the points that there are
_WHOLE = {"parity", "xor"}


@dataclass(frozen=True)
class Scores:
    """How good a model is on some samples.

    Attributes
    ----------
    part : str
        ``training`` or ``test``.
    samples : int
        How many there are.
    score : float
        The accuracy, or R^2.
    squared_error : float
        Mean over samples and outputs; of labels, between their probabilities and 0 or 1.
    """

    part: str
    samples: int
    score: float
    squared_error: float


@dataclass(frozen=True)
class Training:
    """A trained model with what led to it.

    Attributes
    ----------
    dataset : Dataset
        The data.
    model : MLPClassifier or MLPRegressor
        The model.
    scores : tuple of Scores
        On the samples that it was trained on, and on those that were put aside, if any.
    """

    dataset: Dataset
    model: MLPClassifier | MLPRegressor
    scores: tuple[Scores, ...]


def run_training(
    source: str,
    settings: dict[str, Any],
    *,
    target: str | None = None,
    kind: str | None = None,
    loss: str | None = None,
    test_fraction: float | None = None,
    callback: Callable[[int, int, float], object] | None = None,
) -> Training:
    """Train a network on a bundled task or on a CSV file.

    Parameters
    ----------
    source : str
        Name of a task, or path of a file.
    settings : dict
        Those of the estimator that were asked for.
    target : str, optional
        The column of the file to predict.
    kind : {"classification", "regression"}, optional
        Whether the target holds labels or numbers; seen from its values by default.
    loss : {"cross_entropy", "squared_error"}, optional
        For labels; cross-entropy by default.
    test_fraction : float, optional
        Part of the samples to put aside and to test on; a fifth by default, and nothing of ``parity`` and ``xor``.
    callback : callable, optional
        Called with the number of epochs that are done, of all of them, and the loss of the last one.

    Returns
    -------
    Training
        The model and its scores.

    Raises
    ------
    UsageError
        If data cannot be read or used, a setting is out of its range, or the training diverges.
    """
    dataset = _dataset(source, target, int(settings.get("seed", 0)))
    model = _model(dataset, {**_DEFAULTS.get(source, {}), **settings}, kind, loss)
    fraction = (0.0 if source in _WHOLE else 0.2) if test_fraction is None else test_fraction
    try:
        kept, aside = split(len(dataset.X), fraction, model.seed)
        heard = None if callback is None else lambda epoch, loss: callback(epoch, model.epochs, loss)
        model.fit(dataset.X[kept], dataset.y[kept], callback=heard)
        if model.history_.stopped == "diverged":
            raise UsageError(
                f"the training diverged: the loss was {model.history_.loss[-1]:g} in epoch {model.history_.epochs}; "
                "try a smaller learning rate"
            )
        parts = (("training", kept), ("test", aside))
        scores = tuple(_scores(part, model, dataset.X[rows], dataset.y[rows]) for part, rows in parts if len(rows))
    except ValueError as error:
        raise UsageError(str(error)) from None
    return Training(dataset, model, scores)


def _dataset(source: str, target: str | None, seed: int) -> Dataset:
    if source not in TASKS:
        if not Path(source).exists() and Path(source).suffix.lower() != ".csv":
            raise UsageError(f"expected a task ({', '.join(TASKS)}) or a CSV file, got {source!r}")
        return read_csv(Path(source), target)
    if target is not None:
        raise UsageError(f"--target names a column of a CSV file; the task {source} has its own target")
    return TASKS[source]() if source in _WHOLE else TASKS[source](seed=seed)


def _model(
    dataset: Dataset, settings: dict[str, Any], kind: str | None, loss: str | None
) -> MLPClassifier | MLPRegressor:
    labels = is_labels(dataset) if kind is None else kind == "classification"
    if labels:
        return MLPClassifier(**(settings if loss is None else {**settings, "loss": loss}))
    if dataset.y.dtype.kind not in "if":
        text = next(text for text in dataset.y if not _is_number(text))
        raise UsageError(f"{dataset.name}: expected numbers to predict, got {str(text)!r}")
    if loss == "cross_entropy":
        raise UsageError("cross-entropy is a loss for labels; numbers are predicted with the squared error")
    return MLPRegressor(**settings)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _scores(part: str, model: MLPClassifier | MLPRegressor, X: Any, y: Any) -> Scores:
    if isinstance(model, MLPClassifier):
        errors = model.predict_proba(X) - (y[:, np.newaxis] == model.classes_)
    else:
        errors = model.predict(X) - y
    return Scores(part, len(X), model.score(X, y), float(np.mean(np.square(errors))))
