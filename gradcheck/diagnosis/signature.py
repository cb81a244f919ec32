"""What is wrong with a gradient, read from its numbers alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradcheck.result import CheckResult, ParameterResult, Verdict

# of an entry, and of the largest one
_SAME, _TINY = 1e-4, 1e-9


def signature(name: str, checks: Sequence[CheckResult]) -> str:
    """Say in one sentence how a gradient differs from the numerical one at all points; empty where it does not.

    Parameters
    ----------
    name : str
        The parameter.
    checks : sequence of CheckResult
        The checks at the points, each with that parameter.
    """
    found = [p for check in checks for p in check.parameters if p.name == name]
    if all(p.verdict is not Verdict.MISMATCH for p in found):
        return ""
    analytic = np.concatenate([p.analytic for p in found])
    numerical = np.concatenate([p.numerical for p in found])
    if not np.all(np.isfinite(analytic)):
        count = max(int(np.sum(~np.isfinite(p.analytic))) for p in found)
        return f"the analytic gradient has {count} {'entry' if count == 1 else 'entries'} that are not finite"
    finite = np.isfinite(numerical)
    return _shape_of(analytic[finite], numerical[finite]) or _part_of(found)


def _shape_of(analytic: np.ndarray, numerical: np.ndarray) -> str:
    size = float(np.max(np.abs(numerical), initial=0.0))
    if not np.any(analytic):
        return "the analytic gradient is zero, the numerical one is not"
    if size == 0 or size <= 1e-9 * float(np.max(np.abs(analytic))):
        return "the numerical gradient is zero, the analytic one is not"
    ratio = float(analytic @ numerical) / float(numerical @ numerical)
    if np.any(np.abs(analytic - ratio * numerical) > abs(ratio) * (_SAME * np.abs(numerical) + _TINY * size)):
        return ""
    if abs(ratio + 1) < _SAME:
        return "the sign is reversed: analytic = -numerical in every entry, at every point"
    return f"analytic = {ratio:.6g} x numerical in every entry, at every point"


def _part_of(found: Sequence[ParameterResult]) -> str:
    worst = max((p for p in found if p.verdict is Verdict.MISMATCH), key=lambda p: p.mismatched)
    if len(worst.shape) == 2 and worst.shape[0] == worst.shape[1] and worst.checked == worst.size > 1:
        square = worst.analytic.reshape(worst.shape).T.reshape(-1)
        if np.allclose(square, worst.numerical, rtol=_SAME, atol=_SAME * float(np.max(np.abs(square)))):
            return "the analytic gradient is the transpose of the numerical one"
    wrong = np.any([[v is Verdict.MISMATCH for v in p.verdicts] for p in found], axis=0)
    if not np.all(wrong):
        return f"{int(np.sum(wrong))} of {worst.checked} checked entries are wrong, the others are right"
    return "no constant factor relates analytic and numerical values: a term or a factor that varies is wrong"
