"""The script's statements within a function, or its functions within a class."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence

from benchmarks.rewrites.made import Made
from benchmarks.rewrites.new import class_of, function_of, statements_of
from benchmarks.rewrites.scopes import ModuleNames, bound_names, elsewhere, locals_of, module_names, unused

_IMPORTS = (ast.Import, ast.ImportFrom)


def into_main(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Wrap the top level into ``main()``; variables that functions read are ``global``, or the functions are inside."""
    name = unused(tree, *rng.sample(("main", "run", "start", "experiment"), 4))
    kept = [s for s in tree.body if isinstance(s, _IMPORTS) or _is_text(s)]
    definitions: list[ast.stmt] = [s for s in tree.body if isinstance(s, ast.FunctionDef | ast.ClassDef)]
    code = [s for s in tree.body if s not in kept and s not in definitions]
    if len(code) < 2:
        return
    calls = statements_of(rng.choice((f"{name}()", f"if __name__ == '__main__':\n    {name}()")))
    if rng.random() < 0.5:
        shared = sorted(bound_names(code) & (_read_within(definitions) | module_names(code, within_functions=True)))
        first: list[ast.stmt] = [ast.Global(shared)] if shared else []
        yield Made(ast.Module([*kept, *definitions, function_of(name, [], [*first, *code]), *calls], []))
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = [ast.Nonlocal(s.names) if isinstance(s, ast.Global) else s for s in node.body]
    main = function_of(name, [], [s for s in tree.body if s not in kept])
    yield Made(ast.Module([*kept, main, *calls], []))


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _read_within(definitions: Sequence[ast.stmt]) -> set[str]:
    """Return the variables of the module that definitions name."""
    functions = [node for part in definitions for node in ast.walk(part) if isinstance(node, ast.FunctionDef)]
    return module_names(definitions).union(*(elsewhere(function.body) for function in functions))


def into_class(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Make methods of the functions; the variables that they read are attributes of the one object."""
    functions = [s for s in tree.body if isinstance(s, ast.FunctionDef) and not s.decorator_list]
    names = {function.name for function in functions}
    top = [s for s in tree.body if not isinstance(s, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom)]
    is_unclear = len(names) < len(functions) or names & bound_names(top)
    if not functions or is_unclear or any("self" in locals_of(function) for function in functions):
        return
    owner = unused(tree, *rng.sample(("model", "solver", "net", "it"), 4))
    kind = unused(tree, *rng.sample(("Model", "Solver", "Learner", "Everything"), 4))
    moved = names | bound_names(top) & _read_within([s for s in tree.body if isinstance(s, ast.FunctionDef)])

    def attribute(node: ast.Name, holder: str) -> ast.expr:
        return ast.Attribute(ast.Name(holder, ast.Load()), node.id, node.ctx) if node.id in moved else node

    def in_method(node: ast.Name, is_within: bool) -> ast.expr:
        return attribute(node, "self" if is_within else owner)

    for statement in tree.body:
        if not isinstance(statement, _IMPORTS):
            is_method = statement in functions
            ModuleNames(in_method if is_method else lambda node, _: attribute(node, owner)).visit(statement)
        for node in ast.walk(statement):
            if isinstance(node, ast.FunctionDef):
                _drop_globals(node, moved)
    for function in functions:
        (function.args.posonlyargs or function.args.args).insert(0, ast.arg("self"))
    first = [s for s in tree.body if isinstance(s, _IMPORTS)]
    texts = [s for s in tree.body[:1] if _is_text(s)]
    rest = [s for s in tree.body if s not in first and s not in texts and s not in functions]
    instance = statements_of(f"{owner} = {kind}()")
    yield Made(ast.Module([*texts, *first, class_of(kind, functions), *instance, *rest], []))


def _drop_globals(function: ast.FunctionDef, moved: set[str]) -> None:
    """Take names out of the ``global`` statements of a function: they are attributes now."""
    for statement in function.body:
        if isinstance(statement, ast.Global):
            statement.names = [name for name in statement.names if name not in moved]
    kept = [s for s in function.body if not isinstance(s, ast.Global) or s.names]
    function.body = kept or [ast.Pass()]
