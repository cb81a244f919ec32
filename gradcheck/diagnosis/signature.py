"""What is wrong with a gradient, read from its numbers and from those in sight where it is computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradcheck.checker.result import CheckResult
from gradcheck.checker.verdict import Verdict
from gradcheck.diagnosis.order import order_of
from gradcheck.diagnosis.proportion import proportion
from gradcheck.diagnosis.sight import Sight
from gradcheck.diagnosis.some import some
from gradcheck.diagnosis.values import TINY, Values


def signature(name: str, checks: Sequence[CheckResult], seen: Sight | None = None) -> str:
    """Say in one sentence how a gradient differs from the numerical one at all points; empty where it does not."""
    seen = seen or Sight()
    found = [p for check in checks for p in check.parameters if p.name == name]
    if all(p.verdict is not Verdict.MISMATCH for p in found):
        return ""
    if not all(np.all(np.isfinite(p.analytic)) for p in found):
        count = max(int(np.sum(~np.isfinite(p.analytic))) for p in found)
        return f"the analytic gradient has {count} {'entry' if count == 1 else 'entries'} that are not finite"
    values = Values.of(found, seen)
    if not values.analytic.size:
        # along random directions it is wrong, and no entry was reached
        return "no entry of it has been compared by itself"
    return (
        _zero(values)
        or proportion(values, seen, name, "in every entry, at every point")
        or order_of(found, checks)
        or _late(name, seen)
        or some(found, values, seen)
        or "no constant factor relates analytic and numerical values: a term or a factor that varies is wrong"
    )


def _late(name: str, seen: Sight) -> str:
    if name not in seen.vanishing:
        return ""
    step = f"`{seen.step}`" if seen.step else "the step"
    return f"the error vanishes with the step: with {step} a thousand times smaller, the gradient is right"


def _zero(values: Values) -> str:
    if not np.any(values.analytic):
        return "the analytic gradient is zero, the numerical one is not"
    if values.size <= TINY * float(np.max(np.abs(values.analytic))):
        return "the numerical gradient is zero, the analytic one is not"
    return ""
