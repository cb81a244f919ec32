"""The options of a check, validated before anything is evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, TypeGuard

import numpy as np

from gradcheck.checker.tolerance import validate_tolerance
from gradcheck.errors import InputError
from gradcheck.evaluate.engine import Means
from gradcheck.evaluate.forking import Forks
from gradcheck.evaluate.journal import Journal
from gradcheck.evaluate.limits import Limits
from gradcheck.evaluate.parallel import Workers
from gradcheck.evaluate.tracking import Tracker

EntriesOption = int | Literal["auto", "all"]

ENTRY_BUDGET = 2000
_METHODS = ("auto", "central", "complex")


class Search(NamedTuple):
    """How long the wrong entries of one large parameter are looked for.

    Parameters
    ----------
    evaluations, tolerable : int
        After how many evaluations the search ends; and where all entries may be within their tolerance.
    sample : int
        How many entries are compared by themselves of what is left then.
    """

    evaluations: int
    tolerable: int
    sample: int


THOROUGH, BRIEF = Search(2000, 400, 64), Search(64, 64, 8)


class Options(NamedTuple):
    """The options in effect.

    Parameters
    ----------
    budget : int or None
        Largest number of entries per parameter; None for no limit.
    directional : bool
        Whether parameters are compared along random directions where all of them have more entries than the budget.
    seed : int
        Seed of the random entries and points.
    means : Means
        By what means the loss is evaluated.
    search : Search
        How long wrong entries are looked for.
    """

    rtol: float | None
    atol: float | None
    method: str
    points: int
    budget: int | None
    directional: bool
    seed: int
    means: Means
    search: Search = THOROUGH

    @classmethod
    def validated(
        cls,
        *,
        rtol: float | None = None,
        atol: float | None = None,
        method: str = "auto",
        points: int = 1,
        entries: object = "auto",
        workers: object = None,
        vectorized: bool = False,
        max_evals: int | None = None,
        timeout: float | None = None,
        resume: str | Path | None = None,
        progress: object = False,
        seed: int = 0,
    ) -> Options:
        """Return the options, or raise InputError; for their meaning see `gradcheck.check_grad`."""
        validate_tolerance("rtol", rtol)
        validate_tolerance("atol", atol)
        if method not in _METHODS:
            raise InputError(f"`method` must be one of {list(_METHODS)}, got {method!r}.")
        _require_int("points", points, 1)
        _require_int("seed", seed, 0)
        if not isinstance(vectorized, (bool, np.bool_)):
            raise InputError(f"`vectorized` must be True or False, got {vectorized!r}.")
        limits = Limits(max_evals, timeout)
        means = Means(
            workers if workers is None or isinstance(workers, Forks) else Workers(workers),
            bool(vectorized),
            limits,
            None if resume is None else Journal(resume),
            Tracker(progress, points, limits),
        )
        return cls(rtol, atol, method, points, _entry_budget(entries), entries == "auto", seed, means)


def _entry_budget(entries: object) -> int | None:
    if isinstance(entries, str) and entries in ("auto", "all"):
        return ENTRY_BUDGET if entries == "auto" else None
    if _is_int(entries, 1):
        return int(entries)
    raise InputError(f'`entries` must be "auto", "all" or an integer of at least 1, got {entries!r}.')


def _require_int(name: str, value: object, least: int) -> None:
    if not _is_int(value, least):
        raise InputError(f"`{name}` must be an integer of at least {least}, got {value!r}.")


def _is_int(value: object, least: int) -> TypeGuard[int]:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= least)
