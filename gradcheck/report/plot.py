"""Pictures of losses and of checks, made and saved; matplotlib is optional."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from gradcheck.checker.result import CheckResult
from gradcheck.errors import UsageError
from gradcheck.report.text import sentence
from gradcheck.report.worst import shortened, worst_first
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
# more rows than this are not looked at
_MOST_ROWS = 6
_MOST_NAMED = 12


def require_matplotlib() -> None:
    """Say what to install where matplotlib is missing."""
    if find_spec("matplotlib") is None:
        raise UsageError("a plot needs matplotlib, which is not installed; type: pip install 'gradcheck[plot]'")


def plot_curves(curves: Mapping[str, Sequence[float]], path: Path, *, title: str, shares: bool = False) -> None:
    """Draw losses of epochs on a logarithmic scale into a file."""
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
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure into a file; the same figure gives the same bytes, whenever it is written."""
    from matplotlib import rc_context

    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower(), {})
    try:
        with rc_context({"svg.hashsalt": "gradcheck"}):
            figure.savefig(path, metadata=undated)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"cannot write {path}: {error}") from None


def require_format(path: Path) -> None:
    """Say at once that a picture cannot be made, not after a minute's work."""
    if path.suffix.lower() not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(f"--plot {path}: expected a file name that ends in {known}, got {path.suffix or 'no suffix'}")
    require_matplotlib()


def plot_check(check: CheckResult, title: str, parameters: str | Sequence[str] | None = None) -> Figure:
    """Return a picture of a comparison: heat maps, analytic against numerical, and error against step."""
    require_matplotlib()
    from gradcheck.report.pictures import picture

    if parameters is None:
        chosen = worst_first(check.parameters)[:_MOST_ROWS]
        if len(chosen) < len(check.parameters):
            title = f"{title} (the {len(chosen)} worst of {len(check.parameters)} parameters)"
        return picture(chosen, title)
    by_name = {parameter.name: parameter for parameter in check.parameters}
    wanted = (parameters,) if isinstance(parameters, str) else tuple(parameters)
    for name in wanted or ("",):
        if name not in by_name:
            raise UsageError(f"no parameter {name!r}; there are {_listed([*by_name])}")
    return picture([by_name[name] for name in wanted], title)


def plot_script(script: ScriptResult, parameters: str | Sequence[str] | None = None) -> Figure:
    """Return a picture of the comparison of one script, as `plot_check` does."""
    if script.check is None:
        raise UsageError(f"there is nothing to draw: {sentence(script)}")
    wanted = (parameters,) if isinstance(parameters, str) else parameters or ()
    for row in script.unchecked:
        if row.name in wanted:
            raise UsageError(f"there is nothing to draw of {row.name}, which was not checked: {row.reason}")
    return plot_check(script.check, sentence(script), parameters)


def plot_report(
    report: Report, script: str | int | None = None, parameters: str | Sequence[str] | None = None
) -> Figure:
    """Return a picture of one script of a report: see `Report.plot`."""
    return plot_script(_selected(report, script), parameters)


def _selected(report: Report, wanted: str | int | None) -> ScriptResult:
    scripts = report.scripts
    if not scripts:
        raise UsageError("there is nothing to draw: the report has no scripts")
    if wanted is None:
        return next((script for script in scripts if script.check is not None), scripts[0])
    if isinstance(wanted, int):
        if not -len(scripts) <= wanted < len(scripts):
            raise UsageError(f"script={wanted}: expected a number below {len(scripts)}, the number of scripts")
        return scripts[wanted]
    found = [script for script in scripts if script.path == wanted]
    found = found or [script for script in scripts if Path(script.path).match(wanted)]
    if len(found) != 1:
        said = "no script" if not found else f"{len(found)} scripts"
        raise UsageError(f"script={wanted!r}: {said} of that path; there are {_listed([s.path for s in scripts])}")
    return found[0]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(shortened(name, 60) for name in names[:_MOST_NAMED]) + more


def files_for(scripts: Sequence[ScriptResult], path: Path) -> list[Path]:
    """Return where the picture of each script is written: several scripts have one file each."""
    if len(scripts) == 1:
        return [path]
    found: list[Path] = []
    taken: set[str] = set()
    for script in scripts:
        stem = f"{path.stem}-{Path(script.path).stem}"
        name, number = stem, 1
        # files of some systems do not tell capitals from small letters
        while name.lower() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.lower())
        found.append(path.with_name(name + path.suffix))
    return found
