"""Data from a CSV file: every column but one is an input, and that one is what to predict."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcheck.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gradcheck.reference import Dataset

# numbers that are so few and whole are labels
_MOST_LABELS = 10


def read_csv(path: Path, target: str | None) -> Dataset:
    """Read a CSV file whose first line names the columns.

    Parameters
    ----------
    path : Path
        The file, in UTF-8; values are separated by commas, semicolons or tabs.
    target : str, optional
        The column to predict.

    Returns
    -------
    Dataset
        Inputs of shape (rows, columns - 1); targets of shape (rows,), numbers where all of them are, else texts.

    Raises
    ------
    UsageError
        If the file cannot be read, is no table, lacks the column, or has an input that is not a finite number. The
        message names line and column.
    """
    import numpy as np

    from gradcheck.reference import Dataset

    (_, names), *lines = _lines(path)
    _check_names(path, names, target)
    if not lines:
        raise UsageError(f"{path} has no line of data below its first line")
    which = names.index(str(target))
    inputs, targets = [], []
    for line, values in lines:
        if len(values) != len(names):
            raise UsageError(f"{path}, line {line}: expected {len(names)} values, got {len(values)}")
        places = (f"{path}, line {line}, column {name!r}" for name in names)
        numbers = [_number(v, p) for i, (v, p) in enumerate(zip(values, places, strict=True)) if i != which]
        inputs.append(numbers)
        targets.append(_target(values[which], f"{path}, line {line}, column {target!r}"))
    y = np.array(targets) if all(isinstance(t, float) for t in targets) else np.array([v[which] for _, v in lines])
    features = tuple(name for name in names if name != target)
    return Dataset(path.name, np.array(inputs), _whole(y), features)


def is_labels(dataset: Dataset) -> bool:
    """Whether targets look like labels: texts, or at most ten different whole numbers."""
    import numpy as np

    kind = dataset.y.dtype.kind
    return kind == "U" or (kind == "i" and len(np.unique(dataset.y)) <= _MOST_LABELS)


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return the values of every line that is not empty, with its number; the first one has the names."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {path}: expected text in UTF-8") from None
    head = text.lstrip().partition("\n")[0]
    separator = max(",;\t", key=head.count)
    rows = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
    try:
        found = [(rows.line_num, [value.strip() for value in row]) for row in rows if any(map(str.strip, row))]
    except csv.Error as error:
        raise UsageError(f"{path}, line {rows.line_num}: {error}") from None
    if not found:
        raise UsageError(f"{path} is empty; expected names of columns in the first line, and data below")
    return found


def _check_names(path: Path, names: list[str], target: str | None) -> None:
    listed = ", ".join(names)
    if repeated := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"{path}: the column {min(repeated)!r} occurs more than once; got the columns {listed}")
    if target is None:
        raise UsageError(f"{path}: say with --target which column to predict; it has the columns {listed}")
    if target not in names:
        raise UsageError(f"{path}: no column {target!r}; it has the columns {listed}")
    if len(names) < 2:
        raise UsageError(f"{path}: expected at least one column besides {target!r}")


def _number(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"{place}: expected a number, got {text!r}") from None
    if not math.isfinite(value):
        raise UsageError(f"{place}: expected a finite number, got {text!r}")
    return value


def _target(text: str, place: str) -> float | str:
    if not text:
        raise UsageError(f"{place}: expected a label or a number, got nothing")
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value):
        raise UsageError(f"{place}: expected a label or a finite number, got {text!r}")
    return value


def _whole(y: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers as integers, anything else as it is."""
    if y.dtype.kind == "f" and (y == y.round()).all() and abs(y).max() < 2**53:
        return y.astype(int)
    return y
