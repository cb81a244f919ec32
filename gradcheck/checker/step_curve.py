"""How the central difference of one entry depends on its step: what the picture of error against step shows."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.numerics.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class StepCurve:
    """Central differences of the loss with respect to one entry, at steps from long to short.

    Long steps show the truncation error, short ones the round-off error; between them lies the numerical derivative. A
    wrong gradient is at a distance from all of them.

    Attributes
    ----------
    index : int
        Flat (C order) index of the entry in its parameter.
    analytic, numerical : float
        Its derivatives, as they were compared at this point.
    steps : float array, shape (steps,)
        The steps, ascending.
    differences : float array, shape (steps,)
        The central difference at each; NaN where the loss is not finite.
    """

    index: int
    analytic: float
    numerical: float
    steps: FloatArray
    differences: FloatArray
