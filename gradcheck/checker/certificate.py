"""What comparisons along random directions show about all entries of a parameter at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradcheck.checker.verdict import Verdict


@dataclass(frozen=True)
class Certificate:
    """The comparison of a whole parameter along random directions.

    Parameters
    ----------
    directions : int
        Number of directions that moved all of its entries at once.
    sensitivity : float
        The error of a single entry that would have shown, relative to a typical entry: the root mean square of the
        parameter's gradient, each entry weighted with its own scale.
    verdict : Verdict
        A match unless the gradient is wrong along a direction in a way that no compared entry explains.
    complete : bool
        False where the search for wrong entries was stopped because there are many.
    """

    directions: int
    sensitivity: float
    verdict: Verdict
    complete: bool = True

    @classmethod
    def merge(cls, certificates: Sequence[Certificate | None]) -> Certificate | None:
        """Return what several points show together; None if one of them has none."""
        known = [certificate for certificate in certificates if certificate is not None]
        if len(known) < len(certificates):
            return None
        return cls(
            directions=sum(certificate.directions for certificate in known),
            sensitivity=max(certificate.sensitivity for certificate in known),
            verdict=Verdict.worst(certificate.verdict for certificate in known),
            complete=all(certificate.complete for certificate in known),
        )
