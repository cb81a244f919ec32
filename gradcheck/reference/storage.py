"""Trained estimators in files: NumPy's npz format, which holds arrays and text and cannot run code."""

from __future__ import annotations

import io
import json
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.reference.classifier import MLPClassifier
from gradcheck.reference.estimator import Estimator
from gradcheck.reference.network import Network
from gradcheck.reference.regressor import MLPRegressor
from gradcheck.reference.trainer import History

FORMAT = 1
_KINDS: dict[str, type[Estimator]] = {kind.__name__: kind for kind in (MLPClassifier, MLPRegressor)}
_ARRAYS = {
    "MLPClassifier": ("mean_", "scale_", "classes_"),
    "MLPRegressor": ("mean_", "scale_", "target_mean_", "target_scale_"),
}


def save(estimator: Estimator, path: str | PathLike[str]) -> None:
    """Write a trained estimator into a file; `load` gets it back, and it then predicts the same, bit for bit.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        It must be trained.
    path : path_like
        The file; an existing one is replaced. No suffix is added.

    Raises
    ------
    ValueError
        If it is not trained.
    OSError
        If the file cannot be written.
    """
    if not hasattr(estimator, "network_"):
        raise ValueError(f"this {type(estimator).__name__} is not trained yet; call fit first")
    kind, network = type(estimator).__name__, estimator.network_
    settings = {**estimator.get_params(), "hidden_widths": list(network.widths[1:-1])}
    facts = {
        "format": FORMAT,
        "kind": kind,
        "settings": settings,
        "network": {
            "widths": network.widths,
            "hidden": [layer.f.name for layer in network.layers[:-1]],
            "output": network.layers[-1].f.name,
            "dtype": network.dtype.name,
        },
        "history": vars(estimator.history_),
        "one_target": getattr(estimator, "_one_target", None),
    }
    arrays = {name: getattr(estimator, name) for name in _ARRAYS[kind]}
    # written in one go at the end: savez to a path would add a suffix
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, facts=np.array(json.dumps(facts)), vector=network.vector, **arrays)
    Path(path).write_bytes(buffer.getvalue())


def load(path: str | PathLike[str]) -> Estimator:
    """Return the estimator that `save` has written.

    Parameters
    ----------
    path : path_like
        The file.

    Returns
    -------
    MLPClassifier or MLPRegressor
        Trained, with its settings and its history.

    Raises
    ------
    ValueError
        If the file is none that `save` has written.
    OSError
        If it cannot be read.
    """
    content = Path(path).read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        facts = json.loads(str(arrays["facts"]))
        if facts["format"] != FORMAT:
            raise ValueError(f"format {facts['format']}, expected {FORMAT}")
        return _restored(facts, arrays)
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: expected a file that save() has written ({error})") from None


def _restored(facts: dict[str, Any], arrays: dict[str, Any]) -> Estimator:
    estimator = _KINDS[facts["kind"]](**facts["settings"])
    estimator.network_ = Network(**facts["network"])
    estimator.network_.vector[...] = arrays["vector"]
    estimator.history_ = History(**facts["history"])
    for name in _ARRAYS[facts["kind"]]:
        setattr(estimator, name, arrays[name])
    if isinstance(estimator, MLPRegressor):
        estimator._one_target = facts["one_target"]
    return estimator
