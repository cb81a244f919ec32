"""Reports made from records, without a script that is run."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.diagnosis.finding import Confidence, Edit, Finding, Fix
from gradcheck.errors import ScriptError
from gradcheck.noise import Noise
from gradcheck.report.record import Report
from gradcheck.result import CheckResult, ParameterResult
from gradcheck.script.place import Cells
from gradcheck.script.result import EntryPoints, GradientSource, ScriptResult
from gradcheck.script.source import Span
from gradcheck.step_curve import StepCurve
from gradcheck.tolerance import Tolerance
from gradcheck.verdict import Reason, Verdict

# names and texts that a format may stumble over
AWKWARD = "params['Wü <script>alert(1)</script> | a,b \"q\"']"
HOSTILE = "</script><script>alert('x')</script> & \"quoted\" | bar `tick` <b>bold</b>"


def parameter(name: str = "w", shape: tuple[int, ...] = (2, 3), wrong: int = 0, **fields: Any) -> ParameterResult:
    """Return a parameter whose first entries are wrong by a tenth; fields replace those of the record.

    All entries are checked; `fields` may give ``analytic``, ``numerical``, ``verdicts``, ``reasons`` and others.
    """
    size = int(np.prod(shape, dtype=int))
    rng = np.random.default_rng(size)
    numerical = fields.pop("numerical", rng.normal(size=size))
    factor = np.where(np.arange(size) < wrong, 1.1, 1.0)
    verdicts = tuple(Verdict.MISMATCH if i < wrong else Verdict.MATCH for i in range(size))
    made: dict[str, Any] = {
        "indices": np.arange(size),
        "analytic": factor * numerical,
        "numerical": numerical,
        "numerical_error": np.full(size, 3e-13),
        "verdicts": verdicts,
        "reasons": (None,) * size,
        "tolerance": np.full(size, 1e-8),
        "step": np.full(size, 1e-5),
        "evaluations": np.full(size, 2),
        "noise": np.full(size, 1e-13),
        "kink": np.zeros(size),
        "kink_distance": np.full(size, np.nan),
        **fields,
    }
    return ParameterResult(name=name, shape=shape, **made)


def undecided(name: str = "u", reason: Reason = Reason.KINK) -> ParameterResult:
    """Return a number whose gradient could not be decided."""
    return parameter(name, (), verdicts=(Verdict.INCONCLUSIVE,), reasons=(reason,))


def curve(index: int = 0, wrong: bool = True) -> StepCurve:
    """Return a sweep of steps with truncation and round-off."""
    steps = np.geomspace(1e-12, 0.3, 19)
    return StepCurve(index, 1.1 if wrong else 1.0, 1.0, steps, 1.0 + steps**2 + 1e-16 / steps)


def check(*parameters: ParameterResult) -> CheckResult:
    """Return the result of a check of some parameters."""
    return CheckResult(parameters, Tolerance(1e-5, 0.0), 40, 4, 7, 0.5, Noise(1.1e-16))


def finding(line: int = 2, parameters: tuple[str, ...] = ("w",), code: str = "GC201", **fields: Any) -> Finding:
    """Return a finding with a verified fix of its line, and of one more that is taken away."""
    edits = (Edit(line, "    dW = delta * w", "    dW = delta * x\n    dW = dW"), Edit(line + 1, "    bad = 1", ""))
    made: dict[str, Any] = {
        "message": "`dW` is computed with `w`, where `x` belongs",
        "span": Span(line, 18, line, 19),
        "confidence": Confidence.VERIFIED,
        "evidence": ("without the edit, the gradient of `w` has a relative error of 0.1",),
        "fix": Fix(edits, verified=True, points=8, alternatives=(Fix(edits[:1], verified=True, points=8),)),
        **fields,
    }
    return Finding(code=code, name="wrong-variable", parameters=parameters, **made)


LINES = (
    "def backward(x, w, delta):",
    "    dW = delta * w",
    "    bad = 1",
    "    return dW",
    "loss = 'ü </script> & <b>'",
)


def script(path: str = "net.py", *parameters: ParameterResult, **fields: Any) -> ScriptResult:
    """Return the examination of a script; without parameters, of one right one."""
    held = parameters or (parameter(),)
    points = EntryPoints("backward", "forward", "loss(w)", tuple(p.name for p in held), 1, 5)
    made: dict[str, Any] = {
        "check": check(*held),
        "entry_points": points,
        "sources": (GradientSource(held[0].name, Span(2, 5, 2, 19)),),
        "lines": LINES,
        "seconds": 1.25,
        "evaluations": 40,
        **fields,
    }
    return ScriptResult(path, **made)


def failed(path: str = "broken.py", line: int | None = 2, **fields: Any) -> ScriptResult:
    """Return the examination of a script that could not be checked."""
    return ScriptResult(
        path, error=ScriptError("no loss was found; choose one with --loss", slug="no-loss", line=line), **fields
    )


def every_kind() -> Report:
    """Return a report with a script of each kind, and with names, texts and numbers that are awkward."""
    tiny = parameter("tiny", (2,), 1, numerical=np.array([3e-13, 1 / 3]))
    endless = parameter(
        "endless",
        (2,),
        analytic=np.array([np.nan, np.inf]),
        numerical=np.array([1.0, 2.0]),
        verdicts=(Verdict.MISMATCH,) * 2,
        reasons=(Reason.NON_FINITE_GRADIENT,) * 2,
    )
    return Report(
        (
            script("right.py", parameter("w"), parameter("b", ())),
            script("wrong ä.py", parameter("w", (2, 3), 2), parameter("b", ()), findings=(finding(),)),
            script("wrong alone.py", tiny, endless, signatures=(("tiny", "numerical = analytic x 0.909"),)),
            script("kink.py", undecided(), parameter("w")),
            script(
                "awkward.py",
                parameter(AWKWARD, (3,), 1),
                notes=(HOSTILE,),
                findings=(finding(message=HOSTILE, parameters=(AWKWARD,)),),
            ),
            script("notes.ipynb", parameter("w", (2,), 1), findings=(finding(),), cells=Cells((1, 2), 5)),
            failed(),
        )
    )
