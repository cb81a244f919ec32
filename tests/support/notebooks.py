"""Make small notebooks."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

MODEL = """
# the model
def loss(w, b):
    return np.mean((X @ w + b - y) ** 2)

def gradient(w, b):
    error = X @ w + b - y
    dw = 2 * X.T @ error / len(y)
    db = 2 * error.mean()
    return dw, db
"""
WRONG_MODEL = MODEL.replace("error.mean()", "error.sum()")
DATA = """
rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
y = X @ np.array([1.0, -2.0, 0.5])
"""
TRAINING = """
w, b = np.zeros(3), 0.5
for i in range(5):
    dw, db = gradient(w, b)
    w -= 0.1 * dw
    b -= 0.1 * db
"""


def cell(source: str, kind: str = "code") -> dict[str, Any]:
    """Return one cell of the present format, its source as lines."""
    made: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
    return made | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def markdown(text: str) -> dict[str, Any]:
    """Return a cell with text."""
    return cell(text, "markdown")


def notebook(*cells: str | dict[str, Any], **metadata: Any) -> str:
    """Return the content of a notebook; a cell that is a text is a code cell."""
    made = [cell(dedent(c).strip("\n")) if isinstance(c, str) else c for c in cells]
    return json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}, ensure_ascii=False)


def write_notebook(folder: Path, *cells: str | dict[str, Any], name: str = "net.ipynb", **metadata: Any) -> Path:
    """Write a notebook and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook(*cells, **metadata), encoding="utf-8")
    return path
