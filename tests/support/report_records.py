"""Reports made from records, without running anything: for the tests of what they look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcheck.checker.certificate import Certificate
from gradcheck.checker.result import CheckResult, ParameterResult, Reason, Verdict
from gradcheck.checker.tolerance import Tolerance, relative_error
from gradcheck.errors import ScriptError
from gradcheck.numerics.noise import Noise
from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Confidence, Edit, Finding, Fix
from gradcheck.script.source.place import Cells
from gradcheck.session.report import Report
from gradcheck.session.result import EntryPoints, GradientSource, ScriptResult, Unchecked

RTOL = 1e-6
# names that somebody may have chosen, or that somebody chose to break a report
AWKWARD = ("params['W|1']", 'self."b", c', "größe_Ä", "layers[0].W`x`", "<script>alert(1)</script>", "a*b_c~d\\e")

# two that share a reason, and a number with one of its own
UNCHECKED = (
    Unchecked("W2", (4, 3), "what `Optimizer.step` computes cannot be computed again"),
    Unchecked("b2", (3,), "what `Optimizer.step` computes cannot be computed again"),
    Unchecked("scale", (), "the loss does not depend on it"),
)


def parameter(
    name: str = "w",
    analytic: Any = 1.0,
    numerical: Any = None,
    *,
    error: Any = 1e-11,
    verdict: str | None = None,
    reason: Reason | None = None,
    shape: Sequence[int] | None = None,
    certificate: Certificate | None = None,
) -> ParameterResult:
    """Return a comparison; what is not said is what the numbers say.

    Parameters
    ----------
    name : str
        The parameter.
    analytic, numerical, error : array_like
        Of each entry, or of all of them; `numerical` is `analytic` if it is not given.
    verdict : str, optional
        Of each entry.
    reason : Reason, optional
        Of each entry.
    shape : sequence of int, optional
        Where fewer entries were compared than there are; these are the first ones.
    certificate : Certificate, optional
        What random directions show.
    """
    ours = np.asarray(analytic, dtype=np.float64)
    theirs = np.broadcast_to(np.asarray(ours if numerical is None else numerical, dtype=np.float64), ours.shape)
    count = ours.size
    flat, other = ours.reshape(-1), np.array(theirs).reshape(-1)
    with np.errstate(invalid="ignore"):
        agree = relative_error(flat, other) <= RTOL
    verdicts = [Verdict(verdict)] * count if verdict else [Verdict.MATCH if ok else Verdict.MISMATCH for ok in agree]
    return ParameterResult(
        name=name,
        shape=tuple(ours.shape if shape is None else shape),
        indices=np.arange(count),
        analytic=flat,
        numerical=other,
        numerical_error=np.array(np.broadcast_to(np.asarray(error, dtype=np.float64), ours.shape)).reshape(-1),
        verdicts=tuple(verdicts),
        reasons=(reason,) * count,
        tolerance=np.full(count, RTOL),
        step=np.full(count, 1e-5),
        evaluations=np.full(count, 4),
        noise=np.full(count, 1e-12),
        kink=np.zeros(count),
        kink_distance=np.full(count, np.nan),
        certificate=certificate,
    )


def check(*parameters: ParameterResult, seed: int = 0) -> CheckResult:
    """Return the check of these parameters."""
    return CheckResult(parameters, Tolerance(RTOL), 40, 4, seed, 0.5, Noise(2.0**-53))


def script(path: str = "net.py", *parameters: ParameterResult, seed: int = 0, **fields: Any) -> ScriptResult:
    """Return the examination of a script, in ``backward`` in its line 1; fields are those of `ScriptResult`."""
    names = tuple(p.name for p in parameters)
    fields.setdefault("lines", ("def backward(x):", "    dw = 3 * x  # é", "    return dw"))
    fields.setdefault("entry_points", EntryPoints("backward", "forward", "loss(w)", names, 1, 1))
    fields.setdefault("sources", tuple(GradientSource(name, Span(2, 10, 2, 15)) for name in names))
    fields.setdefault("seconds", 0.25)
    fields.setdefault("evaluations", 40)
    return ScriptResult(path, check=check(*parameters, seed=seed), **fields)


def failed(
    path: str = "bad.py", slug: str = "no-loss", message: str = "no loss was found", line: int | None = None
) -> ScriptResult:
    """Return a script that could not be read, run or understood."""
    return ScriptResult(path, error=ScriptError(message, slug=slug, line=line), lines=("a = 1", "b = ("), seconds=0.1)


def edit(line: int = 2, old: str = "    dw = 3 * x  # é", new: str = "    dw = 2 * x  # é") -> Edit:
    """Return the replacement of a line."""
    return Edit(line, old, new)


def finding(*edits: Edit, **fields: Any) -> Finding:
    """Return a finding in line 2 of `script`, with a verified fix if there are edits; fields are those of `Finding`."""
    known: dict[str, Any] = {
        "code": "GC213",
        "name": "constant-factor",
        "message": "`dw` has `3`, where `2` belongs",
        "parameters": ("w",),
        "span": Span(2, 10, 2, 15),
        "confidence": Confidence.VERIFIED if edits else Confidence.LIKELY,
        "evidence": ("numerical = analytic x 0.667 in every entry",),
        "fix": Fix(edits, verified=True, points=8) if edits else None,
    }
    return Finding(**(known | fields))


def wrong(path: str = "net.py", **fields: Any) -> ScriptResult:
    """Return a script with one wrong gradient of two, its finding and a verified fix."""
    fields.setdefault("findings", (finding(edit()),))
    fields.setdefault("signatures", (("w", "numerical = analytic x 0.667 in every entry, at every point"),))
    return script(path, parameter("w", [3.0, 6.0], [2.0, 4.0]), parameter("b", 0.5), **fields)


def notebook(path: str = "home work.ipynb", **fields: Any) -> ScriptResult:
    """Return `wrong` as a notebook; its lines are in the second code cell, from line 2 on."""
    return wrong(path, cells=Cells((1, 2), 3), **fields)


def mixed() -> Report:
    """Return a report with everything in it: all verdicts, several parameters, awkward numbers and names."""
    many = [parameter(name, [[1 / 3, 0.1], [3e-13, 2.0]], [[1 / 3, 0.1], [6e-13, 2.0]]) for name in AWKWARD]
    numbers = (
        parameter("nan", float("nan"), 1.0, reason=Reason.NON_FINITE_GRADIENT),
        parameter("inf", float("-inf"), 5e-324, error=float("inf"), reason=Reason.NON_FINITE_GRADIENT),
        parameter("tiny", 1.0, 1.0 + 3e-13, error=3e-13),
        parameter("large", [1.0, 2.0], shape=(300, 400), certificate=Certificate(4, 1e-4, Verdict.MATCH)),
    )
    undecided = parameter("w", 0.3, -0.2, verdict="inconclusive", reason=Reason.KINK)
    return Report(
        (
            script("right.py", parameter("w", [0.1, 0.2]), parameter("b", 2.0), seed=7),
            wrong("über uns/a, 'b' & 50%.py"),
            script("kink.py", undecided, parameter("b", 1.0)),
            failed("bad|name.py", "syntax-error", "a <b>bold</b> `word`, 50 %:\nand a second line", line=2),
            failed("gone.py", "unreadable", "no such file"),
            script("awkward.py", *many),
            script("numbers.py", *numbers),
            notebook(),
        )
    )
