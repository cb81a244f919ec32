"""``gradcheck train``: the reference trainer on a bundled task or on a CSV file."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.commands.shared import console, draws_blocks, refuse_unwritable, widths
from gradcheck.errors import UsageError

if TYPE_CHECKING:
    from gradcheck.reference.training import Training

# named here once more, so that --help needs no NumPy; a test compares them
ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "softmax")
OPTIMIZERS = ("sgd", "momentum", "adam")
LOSSES = ("cross_entropy", "squared_error")
TASKS = ("parity", "xor", "moons", "digits")
_SETTINGS = (
    "hidden_widths",
    "activation",
    "optimizer",
    "learning_rate",
    "epochs",
    "batch_size",
    "l2",
    "patience",
    "validation_fraction",
    "seed",
    "dtype",
)
_PAUSE = 0.1  # seconds between two movements of the progress bar


@click.command()
@click.argument("source", default="parity", metavar="[TASK | FILE.csv]")
@click.option("--target", metavar="COLUMN", help="The column of the file to predict.")
@click.option(
    "--kind",
    type=click.Choice(["classification", "regression"]),
    help="Whether the target holds labels or numbers. [default: by its values]",
)
@click.option(
    "--hidden", "hidden_widths", callback=widths, metavar="N,...", help="Units of each hidden layer, or none."
)
@click.option("--activation", type=click.Choice(ACTIVATIONS), help="Of the hidden layers. [default: tanh]")
@click.option("--loss", type=click.Choice(LOSSES), help="What is minimised. [default: by the target]")
@click.option("--optimizer", type=click.Choice(OPTIMIZERS), help="How parameters move. [default: adam]")
@click.option("--learning-rate", type=float, metavar="X", help="Size of a step. [default: by task and optimizer]")
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="How often every sample is used.")
@click.option("--batch-size", type=click.IntRange(1), metavar="N", help="Samples per step. [default: by task, 32]")
@click.option("--l2", type=float, metavar="X", help="Strength of the penalty on squared weights. [default: 0]")
@click.option("--patience", type=click.IntRange(1), metavar="N", help="Stop after N epochs without progress.")
@click.option("--validation", "validation_fraction", type=float, metavar="X", help="Part of the samples to watch only.")
@click.option("--test", "test_fraction", type=float, metavar="X", help="Part of the samples to test on. [default: 0.2]")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Decides all that is random. [default: 0]")
@click.option("--dtype", type=click.Choice(["float64", "float32"]), help="What to compute with. [default: float64]")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw the loss curve.")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.npz", help="Keep the model.")
def train(source: str, plot: Path | None, save: Path | None, **flags: Any) -> None:
    """Train the reference network on a task, or on a CSV file.

    Tasks are parity (the numbers 1 to 9, the default), xor, moons and digits. Each has settings with which it is
    learned. The first line of a file names its columns; inputs are numbers and get scaled.
    """
    from gradcheck.reference.training import run_training

    for target in (plot, save):
        refuse_unwritable(target)
    if plot is not None:
        from gradcheck.report.plot import require_matplotlib

        require_matplotlib()
    asked = {name: flags[name] for name in _SETTINGS if flags[name] is not None}
    others = {name: flags[name] for name in ("target", "kind", "loss", "test_fraction")}
    with _progress() as callback:
        done = run_training(source, asked, **others, callback=callback)
    for line in _lines(done):
        click.echo(line)
    if plot is not None:
        _draw(done, plot)
    if save is not None:
        _keep(done, save)


@contextmanager
def _progress() -> Iterator[Callable[[int, int, float], object] | None]:
    """Show on a terminal how many epochs are done; yield what is called after each of them."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    loss_column = TextColumn("loss {task.fields[loss]:.4g}")
    columns = (TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn(), loss_column)
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task, shown = bar.add_task("", total=None, loss=math.nan), 0.0

        def moved(epoch: int, epochs: int, loss: float) -> None:
            # an epoch may take less time than showing it
            nonlocal shown
            if time.monotonic() - shown > _PAUSE or epoch == epochs:
                bar.update(task, completed=epoch, total=epochs, loss=loss)
                shown = time.monotonic()

        yield moved


def _lines(done: Training) -> Iterator[str]:
    """Describe a training: data, network, curve, scores."""
    from gradcheck.report.curve import curve

    dataset, model = done.dataset, done.model
    network, history = model.network_, model.history_
    classes = getattr(model, "classes_", None)
    goal = "a number to predict" if classes is None else f"{len(classes)} labels"
    inputs = len(dataset.features)
    yield f"{dataset.name}: {len(dataset.X)} samples, {inputs} input{'s' * (inputs != 1)}, {goal}"
    layers = "-".join(map(str, network.widths))
    hidden = f" {model.activation}" if len(network.widths) > 2 else ""
    yield f"  network {layers}{hidden}, {network.vector.size} parameters; {model.optimizer}, seed {model.seed}"
    kept = "" if history.best_epoch is None else f", the parameters of epoch {history.best_epoch + 1} kept"
    yield f"  {history.epochs} epoch{'s' * (history.epochs != 1)} ({history.stopped}{kept})"
    yield ""
    for line in curve(history.loss, plain=not draws_blocks()):
        yield f"  {line}".rstrip()
    yield ""
    yield f"  {'samples':<16} {'R^2' if classes is None else 'accuracy':>8}  squared error"
    for scores in done.scores:
        yield f"  {f'{scores.samples} {scores.part}':<16} {scores.score:>8.3f}  {scores.squared_error:>13.3g}"


def _draw(done: Training, path: Path) -> None:
    from gradcheck.report.plot import plot_curves

    history = done.model.history_
    curves = {"training": history.loss, "validation": history.validation_loss}
    plot_curves({name: losses for name, losses in curves.items() if losses}, path, title=done.dataset.name)
    click.echo(f"wrote {path}", err=True)


def _keep(done: Training, path: Path) -> None:
    from gradcheck.reference import save

    try:
        save(done.model, path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    click.echo(f"wrote {path}; gradcheck.reference.load reads it", err=True)
