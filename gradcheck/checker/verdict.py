"""The outcome of a comparison, and why it came out so where the numbers alone do not say it."""

from __future__ import annotations

import enum
from collections.abc import Iterable


class Verdict(enum.StrEnum):
    """Outcome of a comparison, for an entry, a parameter or a whole check."""

    MATCH = "match"
    MISMATCH = "mismatch"
    INCONCLUSIVE = "inconclusive"

    @property
    def severity(self) -> int:
        """Rank: 0 for match, 1 for inconclusive, 2 for mismatch."""
        return _SEVERITY[self]

    @staticmethod
    def worst(verdicts: Iterable[Verdict]) -> Verdict:
        """Return the gravest of `verdicts`; `INCONCLUSIVE` if there is none, as nothing was shown then."""
        return max(verdicts, key=lambda verdict: verdict.severity, default=Verdict.INCONCLUSIVE)


_SEVERITY = {Verdict.MATCH: 0, Verdict.INCONCLUSIVE: 1, Verdict.MISMATCH: 2}


class Reason(enum.Enum):
    """Why an entry got its verdict, where the numbers alone do not say it. The value is a slug."""

    sentence: str

    def __new__(cls, slug: str, sentence: str) -> Reason:
        """Make a member whose value is `slug` and that carries its sentence."""
        member = object.__new__(cls)
        member._value_ = slug
        member.sentence = sentence
        return member

    KINK = "kink", "the loss has a kink at this point: the slopes on its two sides differ"
    TIE = (
        "tie",
        "the loss has kinks at this point, but none where its entries are moved together, and there it differs",
    )
    NOISE = "noise", "the loss scatters from point to point, which hides this derivative"
    CANCELLATION = (
        "cancellation",
        "the loss is so much larger than what this entry changes of it that round-off hides the derivative",
    )
    PRECISION = "precision", "the loss is computed in less than double precision, which hides this derivative"
    RANDOM = "random", "two evaluations of the loss at the same point differ, which hides this derivative"
    OPTIMUM = (
        "optimum",
        "the loss is at an optimum of this entry: what is left of the derivative is round-off; check at another point",
    )
    UNSETTLED = "unsettled", "the finite differences do not settle at any step size"
    LIMIT = "limit", "the check has reached its limit of evaluations or of time before this entry was decided"
    NON_FINITE_LOSS = "non-finite-loss", "the loss is not finite close to this point"
    NON_FINITE_GRADIENT = "non-finite-gradient", "the analytic gradient is not finite"
    SPREAD = "spread", "the gradient is wrong along random directions; which entries make it so was not found"
    ZERO = "zero", "both derivatives are zero to within the round-off in the loss"
    CONSTANT = (
        "constant",
        "the loss does not depend on it: it stays the same to the last bit where this entry is moved",
    )
    COARSE = "coarse", "agrees within the error bound, which is coarser than the tolerance but still small"
    COMPLEX_STEP = "complex-step", "agrees with the complex step, which the coarser differences confirm"
