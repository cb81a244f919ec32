"""Statements that were not in the script, and where statements stand."""

from __future__ import annotations

import ast
from collections.abc import Sequence


def function_of(name: str, parameters: Sequence[str], body: Sequence[ast.stmt]) -> ast.FunctionDef:
    """Return a function."""
    function: ast.FunctionDef = _empty("def f(): ...")  # type: ignore[assignment]
    function.name, function.body = name, list(body)
    function.args.args = [ast.arg(parameter) for parameter in parameters]
    return function


def class_of(name: str, body: Sequence[ast.stmt]) -> ast.ClassDef:
    """Return a class."""
    found: ast.ClassDef = _empty("class C: ...")  # type: ignore[assignment]
    found.name, found.body = name, list(body)
    return found


def _empty(text: str) -> ast.stmt:
    # parsed, as the fields of these nodes are not the same in all versions of Python
    return ast.parse(text).body[0]


def statements_of(text: str) -> list[ast.stmt]:
    """Return statements that are written out."""
    return ast.parse(text).body


def bodies(tree: ast.AST) -> list[list[ast.stmt]]:
    """Return all lists of statements of a tree, the outer ones first."""
    found = []
    for node in ast.walk(tree):
        for key in ("body", "orelse", "finalbody"):
            body = getattr(node, key, None)
            if isinstance(body, list) and body:
                found.append(body)
    return found
