"""Steps that are not written as rounds of a loop which moves its own variables, made to look so.

Code without a loop that takes one step becomes a loop of one round. In a loop that computes ``w_new`` from ``w_old``
and sets the one to the other, the first statement is marked as what moves ``w_old``. The program is the same.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from gradcheck.script.source.syntax import (
    ASSIGNMENTS,
    ONCE,
    assigned_names,
    flat_targets,
    loaded_names,
    text_of,
    without_copying,
)
from gradcheck.script.source.updates import MOVED_AS, updates_of


def with_rounds(tree: ast.Module) -> ast.Module:
    """Return a script's tree in which every step is one of a loop."""
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.While):
            _mark_copies(node)
    stretch = _stretch(tree.body)
    if stretch is None:
        return tree
    first, last = stretch
    head = ast.parse(f"for {ONCE} in (0,): pass").body[0]
    assert isinstance(head, ast.For)
    for part in ast.walk(head):
        if hasattr(part, "lineno"):
            ast.copy_location(part, tree.body[first])
    head.body = tree.body[first : last + 1]
    head.end_lineno = tree.body[last].end_lineno
    return ast.Module([*tree.body[:first], head, *tree.body[last + 1 :]], tree.type_ignores)


def _mark_copies(loop: ast.For | ast.While) -> None:
    """Mark statements whose result becomes the value that they have been computed from."""
    copies = {new: old for statement in loop.body for old, new in _copied(statement)}
    for statement in loop.body:
        if isinstance(statement, ast.Assign):
            computed = {name for name in assigned_names(statement) if name in copies}
            moved = {name: copies[name] for name in computed if copies[name] in loaded_names(statement.value)}
            parts = [part for target in statement.targets for part in flat_targets(target)]
            # one entry of the new values is computed from the same one of the old
            for part in parts if moved else ():
                if isinstance(part, ast.Subscript) and (old := moved.get(text_of(part.value))) is not None:
                    moved[text_of(part)] = f"{old}[{text_of(part.slice)}]"
            if moved:
                setattr(statement, MOVED_AS, moved)


def _copied(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return
    targets, values = flat_targets(statement.targets[0]), [statement.value]
    if isinstance(statement.value, ast.Tuple):
        values = statement.value.elts
    for target, value in zip(targets, values, strict=False):
        copied = without_copying(value)
        if isinstance(target, ast.Name) and isinstance(copied, ast.Name):
            yield target.id, copied.id


def _stretch(body: Sequence[ast.stmt]) -> tuple[int, int] | None:
    """Return the first and the last statement of a step outside of loops; None where there is none."""
    steps: dict[str, int] = {}
    for number, statement in enumerate(body):
        for update in updates_of(statement):
            name = update.target
            if not name.isidentifier() or update.counts or not update.exact:
                continue
            if name in steps:
                return _around(body, steps)
            made = _made(body, name, number)
            if made is not None and _depends(body[made + 1 : number], loaded_names(update.step), name):
                steps[name] = number
    return _around(body, steps)


def _around(body: Sequence[ast.stmt], steps: dict[str, int]) -> tuple[int, int] | None:
    if not steps:
        return None
    made = [_made(body, name, number) for name, number in steps.items()]
    first = max(number for number in made if number is not None) + 1
    return (first, max(steps.values())) if first < min(steps.values()) else None


def _made(body: Sequence[ast.stmt], name: str, before: int) -> int | None:
    """Return the last statement that gives a variable its value before a step."""
    numbered = reversed(list(enumerate(body[:before])))
    return next((n for n, s in numbered if isinstance(s, ASSIGNMENTS) and name in assigned_names(s)), None)


def _depends(statements: Sequence[ast.stmt], names: set[str], wanted: str) -> bool:
    """Whether values flow from a variable into others: a gradient depends on its parameter, data do not."""
    reached = set(names)
    for statement in reversed(statements):
        if isinstance(statement, ASSIGNMENTS) and statement.value is not None and assigned_names(statement) & reached:
            reached |= loaded_names(statement.value)
    return wanted in reached
