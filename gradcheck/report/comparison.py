"""A comparison as text and as JSON: what was measured, and what follows."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from gradcheck._version import __version__
from gradcheck.comparison.record import Cause, Comparison, Run
from gradcheck.report.curve import curve
from gradcheck.report.findings import show_finding
from gradcheck.report.json import SCHEMA, error_fields, finding_fields, number
from gradcheck.report.snippet import show_line

_HEIGHT, _WIDTH = 4, 100
_STYLES = {Cause.NOTHING: "green", Cause.UNKNOWN: "yellow"}


def render_text(comparison: Comparison, console: Console, *, plain: bool = False) -> None:
    """Write a comparison to a console: what was compared, losses, curves, and what follows."""
    path, setting, error = comparison.result.path, comparison.setting, comparison.error
    if error is not None or setting is None:
        place = f"{comparison.result.place(error.line)}: " if error is not None and error.line else ""
        said = f"{place}{error.slug}: {error.message}" if error is not None else ""
        show_line(console, Text(f"{path}: ").append(said, "red"))
        return
    first = comparison.runs[0]
    show_line(console, f"{path}: {setting.samples} samples, inputs {setting.inputs}, targets {setting.targets}")
    show_line(console, f"  network {_network(first)}; its prediction {setting.prediction} is that of the reference")
    for note in comparison.notes:
        show_line(console, Text().append("  note: ", "cyan").append(note))
    show_line(console, "")
    for line in _table(comparison):
        show_line(console, line)
    for run in drawn(comparison):
        show_line(console, "")
        for line in _curve(run, plain=plain):
            show_line(console, f"  {line}".rstrip())
    show_line(console, "")
    for conclusion in comparison.conclusions:
        for line in _wrapped(f"- {conclusion.sentence}", console):
            show_line(console, Text(line, _STYLES.get(conclusion.cause, "bold red")))
    for finding in comparison.findings:
        show_line(console, "")
        show_finding(comparison.result, finding, console)
    if comparison.findings:
        show_line(console, "")
        words = f"gradcheck explain {comparison.findings[0].code} says more about a code"
        show_line(console, Text("help: ", "bold").append(words))


def _wrapped(text: str, console: Console) -> list[str]:
    return textwrap.wrap(text, min(console.width, _WIDTH), subsequent_indent="  ", break_on_hyphens=False)


def _network(run: Run) -> str:
    layers = f"{run.hidden}, {run.output}" if len(run.widths) > 2 else run.output
    return f"{run.network} ({layers})"


def _table(comparison: Comparison) -> list[str]:
    setting = comparison.setting
    if setting is None:
        return []
    rows = [("", "network", "at first", "at the end", "")]
    rows += [(r.title, r.network, f"{r.losses[0]:.3g}", f"{r.final:.3g}", _trained(r)) for r in comparison.runs]
    rows.append(("the best constant", "", "", f"{setting.baseline:.3g}", ""))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = [f"  {setting.measure} over all samples"]
    for title, network, first, final, trained in rows:
        cells = f"{title:<{widths[0]}}  {network:<{widths[1]}}  {first:>{widths[2]}}  {final:>{widths[3]}}  {trained}"
        lines.append(f"  {cells}".rstrip())
    return lines


def _trained(run: Run) -> str:
    count = run.steps[-1] - 1 if run.unit == "call" else run.steps[-1]
    words = f"{count} {'steps' if run.unit == 'call' else 'epochs'}"
    return f"{words}, {run.note}" if run.note else words


def drawn(comparison: Comparison) -> list[Run]:
    """Return the trainings whose curves are shown: of several wider ones, the best."""
    best = comparison.run("wider")
    return [run for run in comparison.runs if run.name != "wider" or run is best]


def _curve(run: Run, *, plain: bool) -> list[str]:
    losses = [loss for loss in run.losses if math.isfinite(loss)]
    if not losses:
        return [f"{run.title}: no loss is finite"]
    title = f"{run.title}, {run.network}: loss by {run.unit}"
    last = run.steps[-1] - 1 if run.unit == "call" else run.steps[-1]
    return curve(losses, height=_HEIGHT, plain=plain, title=title, last=last)


def curves(comparison: Comparison) -> dict[str, Sequence[float]]:
    """Return the losses of the trainings that are drawn, by their titles."""
    return {f"{run.title}, {run.network}": run.losses for run in drawn(comparison)}


def render_json(comparison: Comparison) -> str:
    """Return a comparison as JSON text; NaN and infinities are strings."""
    setting, result = comparison.setting, comparison.result
    content = {
        "schema": SCHEMA,
        "gradcheck": __version__,
        "seed": comparison.seed,
        "path": result.path,
        "cause": comparison.cause.value,
        "conclusions": [{"cause": c.cause.value, "sentence": c.sentence} for c in comparison.conclusions],
        "data": setting
        and {
            "inputs": setting.inputs,
            "targets": setting.targets,
            "prediction": setting.prediction,
            "samples": setting.samples,
            "measure": setting.measure,
            "constant": number(setting.baseline),
        },
        "runs": [_run(run) for run in comparison.runs],
        "findings": [finding_fields(result, finding) for finding in comparison.findings],
        "notes": list(comparison.notes),
        "seconds": round(comparison.seconds, 3),
        "error": comparison.error and error_fields(result, comparison.error),
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def _run(run: Run) -> dict[str, Any]:
    return {
        "name": run.name,
        "widths": list(run.widths),
        "hidden": run.hidden,
        "output": run.output,
        "first": number(run.losses[0]),
        "final": number(run.final),
        "unit": run.unit,
        "steps": list(run.steps),
        "losses": [number(loss) for loss in run.losses],
    }
