"""Reports as a terminal shows them, of checks that take no script."""

from __future__ import annotations

import io
import re

import numpy as np
from rich.console import Console

from gradcheck.checker.functions import check_grad
from gradcheck.report.text import render
from gradcheck.script.source.file import Span
from gradcheck.session.report import Report
from gradcheck.session.result import EntryPoints, GradientSource, ScriptResult

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def result(names=("w",), factor=2.0, lines=("w = 1",), span=Span(1, 1, 1, 6)):  # noqa: B008 - a frozen record
    parameters = {name: np.array([1.0, 2.0]) for name in names}
    check = check_grad(
        lambda p: sum(float(np.sum(v**2)) for v in p.values()),
        lambda p: {name: factor * v for name, v in p.items()},
        parameters,
    )
    return ScriptResult(
        "net.py",
        check=check,
        entry_points=EntryPoints("backward", None, "loss(w)", tuple(names), 1, 1),
        sources=tuple(GradientSource(name, span) for name in names),
        lines=lines,
    )


def shown(script, width=100, terminal=False, verbosity=0):
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, color_system="standard" if terminal else None)
    render(Report((script,)), console, verbosity=verbosity)
    return out.getvalue()
