"""Whether a script can be imported without effect, and what a test may import from it."""

from __future__ import annotations

import ast
import sys

from gradcheck.script.source.file import SourceFile

_CONSTANT = (
    *(ast.Constant, ast.Name, ast.BinOp, ast.UnaryOp, ast.Tuple, ast.List, ast.Dict, ast.Set),
    *(ast.operator, ast.unaryop, ast.expr_context),
)
_GUARD = ("__name__ == '__main__'", "'__main__' == __name__")


def is_importable(source: SourceFile) -> bool:
    """Whether the module level has only imports, definitions, constants, and what only the script itself runs."""
    return source.cells is None and all(map(_is_harmless, source.tree.body))


def can_be_named(stem: str) -> bool:
    """Whether an import statement can name a module, and means this one."""
    return stem.isidentifier() and stem not in sys.stdlib_module_names and stem not in {"numpy", "pytest", "gradcheck"}


def top_level_names(source: SourceFile) -> set[str]:
    """Return the names that the module level binds."""
    found: set[str] = set()
    for statement in source.tree.body:
        match statement:
            case ast.FunctionDef(name) | ast.ClassDef(name):
                found.add(name)
            case ast.Assign(targets):
                found |= {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
            case ast.AnnAssign(ast.Name(name)):
                found.add(name)
    return found | source.imported


def _is_harmless(statement: ast.stmt) -> bool:
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.Pass():
            return True
        case ast.ClassDef(body=body):
            return all(map(_is_harmless, body))
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            return all(isinstance(node, _CONSTANT) for node in ast.walk(value))
        case ast.Expr(value) | ast.AnnAssign(value=value):
            return value is None or isinstance(value, ast.Constant)
        case ast.If(test, orelse=[]):
            return ast.unparse(test) in _GUARD
    return False
