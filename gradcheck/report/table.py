"""Results as data frames. This is the one module that imports pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from gradcheck.checker.result import CheckResult, ParameterResult, Reason

_ENTRY_COLUMNS = ["analytic", "numerical", "numerical_error", "abs_error", "rel_error", "verdict", "reason"]
_DETAIL_COLUMNS = ["step", "evaluations", "noise", "kink", "kink_distance"]


def parameter_table(result: CheckResult) -> pd.DataFrame:
    """Return one row per parameter, with the numbers of its worst entry."""
    rows = [_parameter_row(parameter) for parameter in result.parameters]
    names = pd.Index([parameter.name for parameter in result.parameters], name="parameter")
    return pd.DataFrame(rows, index=names)


def _parameter_row(parameter: ParameterResult) -> dict[str, object]:
    worst = parameter.worst
    return {
        "shape": parameter.shape,
        "checked": parameter.checked,
        "mismatched": parameter.mismatched,
        "max_abs_error": parameter.max_abs_error,
        "max_rel_error": parameter.max_rel_error,
        "worst_index": parameter.worst_index,
        "analytic": float(parameter.analytic[worst]),
        "numerical": float(parameter.numerical[worst]),
        "numerical_error": float(parameter.numerical_error[worst]),
        "verdict": parameter.verdict.value,
        "reason": _slug(parameter.reason),
    }


def entry_table(result: CheckResult, *, details: bool = False) -> pd.DataFrame:
    """Return one row per checked entry."""
    frames = [_entry_frame(parameter, range(parameter.checked)) for parameter in result.parameters]
    return pd.concat(frames)[_ENTRY_COLUMNS + (_DETAIL_COLUMNS if details else [])]


def mismatch_table(result: CheckResult) -> pd.DataFrame:
    """Return the mismatched entries, the one with the largest relative error first.

    Returns
    -------
    DataFrame
        Rows of `entry_table`; a relative error that is NaN counts as the largest.
    """
    frames = [_entry_frame(parameter, parameter.order[: parameter.mismatched]) for parameter in result.parameters]
    frame = pd.concat(frames)[_ENTRY_COLUMNS]
    return frame.iloc[np.argsort(-frame["rel_error"].fillna(np.inf).to_numpy(), kind="stable")]


def csv_of(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> str:
    """Return rows as CSV with a header; what a row does not have is empty.

    Parameters
    ----------
    rows : sequence of mapping
        Finite numbers, texts, lists and None; NaN would be taken for what a row does not have.
    """
    # object columns keep each value as it is: an integer beside a gap does not become a float
    frame = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    return frame.to_csv(index=False, lineterminator="\n")


def _entry_frame(parameter: ParameterResult, positions: Iterable[int]) -> pd.DataFrame:
    chosen = np.fromiter(positions, dtype=np.intp)
    # a tuple given as a label would be taken apart into levels, so the labels travel as an array of objects
    indices = np.empty(chosen.size, dtype=object)
    indices[:] = [parameter.index(int(position)) for position in chosen]
    columns = {
        "analytic": parameter.analytic[chosen],
        "numerical": parameter.numerical[chosen],
        "numerical_error": parameter.numerical_error[chosen],
        "abs_error": parameter.abs_error[chosen],
        "rel_error": parameter.rel_error[chosen],
        "verdict": [parameter.verdicts[position].value for position in chosen],
        "reason": [_slug(parameter.reasons[position]) for position in chosen],
        **{name: getattr(parameter, name)[chosen] for name in _DETAIL_COLUMNS},
    }
    labels = pd.MultiIndex.from_arrays([[parameter.name] * chosen.size, indices], names=["parameter", "index"])
    frame = pd.DataFrame(columns, index=labels)
    return frame.astype({"verdict": object, "reason": object})


def csv_text(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as CSV; numbers are written with as many digits as it takes to read the same number."""
    text: str = pd.DataFrame(rows, columns=list(columns), dtype=object).to_csv(index=False, lineterminator="\n")
    return text


def _slug(reason: Reason | None) -> str | None:
    return None if reason is None else reason.value
