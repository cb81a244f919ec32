"""A loss curve as a picture; matplotlib is optional, and imported here only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from gradcheck.errors import UsageError


def require_matplotlib() -> None:
    """Say what to install where matplotlib is missing.

    Raises
    ------
    UsageError
        If it is.
    """
    if find_spec("matplotlib") is None:
        raise UsageError("a plot needs matplotlib, which is not installed; type: pip install 'gradcheck[plot]'")


def plot_curves(curves: Mapping[str, Sequence[float]], path: Path, *, title: str, shares: bool = False) -> None:
    """Draw losses of epochs on a logarithmic scale into a file.

    Parameters
    ----------
    curves : mapping of str to sequences of float
        The losses under their names.
    path : Path
        The picture; its suffix says in which format.
    title : str
        Above the picture.
    shares : bool
        Whether all curves are as long as the picture is wide: they are of different numbers of steps.

    Raises
    ------
    UsageError
        If matplotlib is missing, the format is unknown, or the file cannot be written.
    """
    require_matplotlib()
    # without pyplot, no window system is asked for
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, losses in curves.items():
        steps = [i / max(len(losses) - 1, 1) for i in range(len(losses))] if shares else range(1, len(losses) + 1)
        axes.plot(steps, losses, label=name)
    positive = all(loss > 0 for losses in curves.values() for loss in losses)
    across = "part of the training" if shares else "epoch"
    axes.set(title=title, xlabel=across, ylabel="loss", yscale="log" if positive else "linear")
    axes.legend()
    try:
        figure.savefig(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"cannot write {path}: {error}") from None
