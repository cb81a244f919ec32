"""The same statements in other files: written anew, as a notebook, with functions in a module beside."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator

from benchmarks.rewrites.made import Made
from benchmarks.rewrites.scopes import ModuleNames, bound_names, elsewhere, module_names, own_nodes, unused


def reformat(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Write the script anew, without comments, each statement on a line of its own."""
    del rng
    yield Made(tree)


def notebook(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Make a notebook of it."""
    between = range(1, len(tree.body))
    if not between:
        return
    starts = rng.sample(between, min(len(between), rng.randint(1, 8)))
    yield Made(tree, cells=(0, *sorted(starts)))


def module_beside(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Move functions and classes into a module beside the script, with the constants that they read."""
    moved = _movable(tree)
    left = [s for s in tree.body if s not in moved]
    imports = [s for s in tree.body if isinstance(s, ast.Import | ast.ImportFrom)]
    names = sorted(bound_names(moved) & module_names(left))
    if not names:
        return
    name = unused(tree, *rng.sample(("helpers", "parts", "common", "lib"), 4))
    new: ast.stmt = ast.ImportFrom(name, [ast.alias(one) for one in names], 0)
    if rng.random() < 0.5:
        new = ast.Import([ast.alias(name)])

        def qualified(node: ast.Name, is_within: bool) -> ast.expr:
            del is_within
            return ast.Attribute(ast.Name(name, ast.Load()), node.id, node.ctx) if node.id in names else node

        for statement in left:
            ModuleNames(qualified).visit(statement)
    at = 1 + max((left.index(s) for s in imports), default=_texts(left) - 1)
    yield Made(
        ast.Module([*left[:at], new, *left[at:]], []),
        modules={name: ast.Module([*imports, *moved], [])},
    )


def _texts(body: list[ast.stmt]) -> int:
    """Return how many of the first statements are texts."""
    return int(bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant))


def _movable(tree: ast.Module) -> list[ast.stmt]:
    """Return definitions that need nothing of what is left, with the constants that they read."""
    imports = [s for s in tree.body if isinstance(s, ast.Import | ast.ImportFrom)]
    counts: dict[str, int] = {}
    for statement in tree.body:
        for name in bound_names([statement]):
            counts[name] = counts.get(name, 0) + 1
    set_within = {name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for name in elsewhere(node.body)}
    found = [
        s
        for s in tree.body
        if (isinstance(s, ast.FunctionDef | ast.ClassDef) or _is_constant(s))
        and all(counts[name] == 1 for name in bound_names([s]))
        and not set_within & (bound_names([s]) | module_names([s]))
    ]
    own = set(counts) - bound_names(imports)
    while True:
        missing = own - bound_names(found)
        kept = [s for s in found if not module_names([s]) & missing]
        if kept == found:
            break
        found = kept
    read = module_names([s for s in found if not _is_constant(s)])
    return [s for s in found if not _is_constant(s) or bound_names([s]) & read]


def _is_constant(statement: ast.stmt) -> bool:
    """Whether a statement gives a name to numbers that are written there."""
    match statement:
        case ast.Assign([ast.Name()], value):
            return not any(isinstance(n, ast.Call | ast.List | ast.Dict | ast.Set) for n in own_nodes([value]))
    return False
