"""What people add to a script and nothing depends on: prints, histories, timers, helpers that nobody calls."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator

from benchmarks.rewrites.kinds.updates import numpy_name
from benchmarks.rewrites.made import MARK, Made
from benchmarks.rewrites.new import bodies, statements_of
from benchmarks.rewrites.scopes import unused
from benchmarks.rewrites.subsets import subsets

_MOST_LOOPS = 3
_HELPERS = (
    ("gradient", "def {}(x):\n    return 2 * x"),
    ("loss", "def {}(a, b):\n    return sum((p - q) ** 2 for p, q in zip(a, b)) / len(a)"),
    ("gradient", "def {}(f, x, h=1e-06):\n    return (f(x + h) - f(x - h)) / (2 * h)"),
    ("grad", "def {}(w, x, y):\n    return (w * x - y) * x"),
    ("cost", "def {}(prediction, target):\n    return 0.5 * (prediction - target) ** 2"),
    ("backward", "def {}(delta, W):\n    return delta @ W.T"),
    ("loss", "def {}(w):\n    return w ** 2"),
)


def add_prints(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Print something about variables where they are assigned."""
    numpy = numpy_name(tree)
    shown = ["type({}).__name__", "float({})", *([f"{numpy}.mean({{}})", f"{numpy}.abs({{}}).max()"] if numpy else [])]
    places = [(body, statement, rng.choice(shown)) for body in bodies(tree) for statement in body if _name(statement)]
    for chosen in subsets(places, rng, most=3):
        for body, statement, text in chosen:
            name = _name(statement)
            (new,) = statements_of(f"print({f'{MARK}{name}'!r}, {text.format(name)})")
            body.insert(body.index(statement) + 1, new)
        yield Made(tree)
        for body, statement, _ in chosen:
            del body[body.index(statement) + 1]


def _name(statement: ast.stmt) -> str:
    """Return the name of the variable that a statement assigns; nothing if it does something else."""
    match statement:
        case ast.Assign([ast.Name(id=name)]):
            return name
    return ""


def add_history(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Keep what a loop computes in a list, or add it up."""
    for body, loop in _loops(tree, rng):
        names = [name for statement in loop.body if (name := _name(statement))] or ["0"]
        kept = rng.choice(names)
        holder = unused(tree, *rng.sample(("history", "log", "curve", "record", "total_seen"), 5))
        before, behind = rng.choice(
            (
                (f"{holder} = []", f"{holder}.append({kept})"),
                (f"{holder} = {{'seen': []}}", f"{holder}['seen'].append({kept})"),
                (f"{holder} = 0", f"{holder} += 1"),
                (f"{holder} = 0.0", f"{holder} = {holder} + {kept}"),
            )
        )
        yield from _around(tree, body, loop, before, behind)


def add_timer(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Measure how long a loop takes."""
    loops = _loops(tree, rng)
    at = _after_imports(tree)
    tree.body[at:at] = statements_of("import time")
    for body, loop in loops:
        began = unused(tree, *rng.sample(("began", "t0", "tic", "started"), 4))
        took = unused(tree, *rng.sample(("took", "elapsed", "seconds", "spent"), 4))
        before = f"{began} = time.perf_counter()\n{took} = 0.0"
        said = f"print({f'{MARK}took'!r}, {took})" if rng.random() < 0.5 else ""
        yield from _around(tree, body, loop, before, f"{took} = time.perf_counter() - {began}", said)


def add_helper(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Define a function that nobody calls, called as a gradient or a loss may be."""
    name, text = rng.choice(_HELPERS)
    at = rng.randint(_after_imports(tree), len(tree.body))
    tree.body[at:at] = statements_of(text.format(unused(tree, name, f"compute_{name}", f"get_{name}", f"{name}_old")))
    yield Made(tree)


def _loops(tree: ast.Module, rng: random.Random) -> list[tuple[list[ast.stmt], ast.For | ast.While]]:
    """Return some loops in a random order, with the statements among which they stand."""
    found = [(b, s) for b in bodies(tree) for s in b if isinstance(s, ast.For | ast.While)]
    return rng.sample(found, min(len(found), _MOST_LOOPS))


def _around(
    tree: ast.Module, body: list[ast.stmt], loop: ast.For | ast.While, before: str, at_end: str, after: str = ""
) -> Iterator[Made]:
    """Put statements before a loop, at the end of each of its rounds and after it."""
    copies = [*body], [*loop.body]
    at = body.index(loop)
    body[at : at + 1] = [*statements_of(before), loop, *statements_of(after)]
    loop.body += statements_of(at_end)
    yield Made(tree)
    body[:], loop.body[:] = copies


def _after_imports(tree: ast.Module) -> int:
    """Return the number of the first statement behind texts and imports."""
    for number, statement in enumerate(tree.body):
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not is_text and not isinstance(statement, ast.Import | ast.ImportFrom):
            return number
    return len(tree.body)
