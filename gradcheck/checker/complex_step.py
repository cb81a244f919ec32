"""The complex step: one evaluation at a complex parameter gives a derivative without cancellation, or a wrong one.

``Im f(x + ih) / h`` is the derivative up to h^2, and nothing is subtracted in it, so that h can be tiny [1]_. That
holds for a loss that is analytic and computed with complex numbers throughout. Where it takes a magnitude, a real part
or a comparison on the way, the result is wrong without a sign of it. So it is only ever a second opinion: it counts
where it lies within the error bound of the differences, and where that bound is small enough to be a confirmation.

References
----------
.. [1] W. Squire, G. Trapp, Using complex variables to estimate derivatives of real functions, SIAM Rev. 40 (1998),
   110-112.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.exceptions import ComplexWarning

from gradcheck.checker.entries import Entries
from gradcheck.evaluate.objective import Objective
from gradcheck.numerics.arrays import BoolArray, FloatArray, IntArray
from gradcheck.numerics.finite_difference import Derivative
from gradcheck.numerics.step_size import typical_scale

# in units of an entry's natural scale; its square vanishes beside 1
_STEP = 1e-20
# of the derivative: a wider bound would confirm anything
_CONFIRMED = 0.1
# in units of the machine epsilon: the round-off of a derivative without cancellation
_ROUNDINGS = 1024.0
_SCALE_SHARE = 1e-3


def complex_step(objective: Objective, entries: Entries, positions: IntArray) -> FloatArray:
    """Return the derivatives that complex parameters give.

    Returns
    -------
    float array, shape (positions,)
        NaN where the loss raises, warns that it drops imaginary parts, or returns a real number.
    """
    found = np.full(positions.size, np.nan)
    if not positions.size:
        return found
    probe = objective.probe
    typical = [typical_scale(leaf.values()) for leaf in probe.leaves]
    values: list[Any] = [leaf.values().astype(np.complex128) for leaf in probe.leaves]
    for k, position in enumerate(positions):
        owner, index = int(entries.owner[position]), int(entries.index[position])
        kept = values[owner][index]
        step = _STEP * float(np.abs(kept) or typical[owner])
        values[owner][index] += 1j * step
        loss = _complex_loss(objective, probe.assemble(values))
        values[owner][index] = kept
        if loss is None:
            # what cannot be done for one entry is not tried for the others
            break
        found[k] = loss.imag / step
    return found


def _complex_loss(objective: Objective, tree: object) -> complex | None:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", ComplexWarning)
            value = np.asarray(objective.at_tree(tree))
    except Exception:  # noqa: BLE001 - code that is made for real numbers may raise anything
        return None
    if value.size != 1 or value.dtype.kind != "c":
        return None
    return complex(value.reshape(-1)[0])


def confirmed(derivative: Derivative, opinion: FloatArray) -> BoolArray:
    """Tell where differences confirm the complex step: it lies within their bound, and that is small against it.

    Parameters
    ----------
    opinion : float array, shape (entries,)
        The complex step; NaN where there is none.
    """
    with np.errstate(invalid="ignore"):
        inside = np.abs(opinion - derivative.value) <= derivative.error
        sharp = derivative.error <= _CONFIRMED * np.abs(opinion)
    return np.asarray(inside & sharp & (derivative.kink == 0) & (derivative.evaluations > 2))


def with_opinion(derivative: Derivative, opinion: FloatArray, where: BoolArray, scale: FloatArray) -> Derivative:
    """Return the derivatives with the complex step in place of the differences.

    Parameters
    ----------
    opinion : float array, shape (entries,)
        The complex step.
    where : bool array, shape (entries,)
        Which entries it replaces.
    scale : float array, shape (entries,)
        Largest derivative of the parameter that an entry belongs to.
    """
    error = _ROUNDINGS * np.finfo(np.float64).eps * (np.abs(opinion) + _SCALE_SHARE * scale)
    return replace(
        derivative,
        value=np.where(where, opinion, derivative.value),
        error=np.where(where, error, derivative.error),
        noise=np.where(where, error, derivative.noise),
        suspect=np.where(where, 0.0, derivative.suspect),
        evaluations=derivative.evaluations + np.isfinite(opinion),
        complex=where,
    )
