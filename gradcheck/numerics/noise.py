"""How far a single value of the loss may be off, told by its floating-point type, its bits and its repetition."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gradcheck.numerics.arrays import FloatArray

# significant bits of bfloat16, float16 and float32, with their unit round-off
_ROUNDOFF_BY_BITS = ((8, 2.0**-8), (11, 2.0**-11), (24, 2.0**-24))
# significant bits of numbers that people write
_ROUND = 11


@dataclass(frozen=True)
class Noise:
    """How far a value of the loss may be off.

    Parameters
    ----------
    unit_roundoff : float
        Half the machine epsilon of the precision in which the loss is computed.
    floor : float
        Spread of values at one and the same point.
    scatter : float, optional
        Standard deviation of values at neighbouring points about a smooth curve, once it was measured.
    """

    unit_roundoff: float
    floor: float = 0.0
    scatter: float | None = None

    def of(self, magnitude: FloatArray) -> FloatArray:
        """Return the bound for values of this `magnitude`.

        It is four standard deviations or two units of round-off where the scatter was measured. Where it was not, it
        is four units, as a sum is rarely rounded only once, and the spread of repeated values.
        """
        if self.scatter is None:
            return np.asarray(4 * self.unit_roundoff * magnitude + self.floor, dtype=np.float64)
        return np.asarray(np.maximum(2 * self.unit_roundoff * magnitude, 4 * self.scatter), dtype=np.float64)

    def sentence(self, loss: float) -> str:
        """Return in words how well a value of the loss is known."""
        bits = next((name for name, u in (("float16", 2.0**-12), ("float32", 2.0**-26)) if self.unit_roundoff > u), "")
        size = float(self.of(np.array(abs(loss))))
        relative = f" ({size / abs(loss):.1g} of it)" if loss else ""
        cause = "differs from call to call" if self.floor else f"computed in {bits or 'float64'}"
        return f"{cause}, reproducible to {size:.1g}{relative}"

    def informed_by(self, values: FloatArray) -> Noise:
        """Return the noise that the bits of `values` of the loss tell of.

        Values whose mantissas end in zeros were computed in a coarser type than the one they are returned in.
        """
        telling = values[np.isfinite(values) & (values != 0)]
        if not telling.size:
            return self
        mantissas = (np.abs(np.frexp(telling)[0]) * 2.0**53).astype(np.int64)
        bits = 53 - int(np.log2((mantissas & -mantissas).min()))
        if bits <= _ROUND and (telling == telling[0]).all():
            return self
        coarsest = next((u for limit, u in _ROUNDOFF_BY_BITS if bits <= limit), 0.0)
        return replace(self, unit_roundoff=max(self.unit_roundoff, coarsest))
