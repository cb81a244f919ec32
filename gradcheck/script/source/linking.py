"""A script and the modules beside it as one program: found by their imports, joined to one text and one namespace.

Modules stand below the script's own lines. All run in one namespace, so that what is seen of a script is seen of its
modules, too. A name that means something else in another file is told apart by its module: ``layers.W``, with a letter
in place of the dot that Python takes in a name and nobody types.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gradcheck.script.source.bindings import absolute_module, argument_names, bindings, declared_global, targets
from gradcheck.script.source.place import DOT, Part
from gradcheck.script.source.syntax import FunctionNode, own_statements

_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
MAIN = "__main__"
# what a module's own text has in place of these
_OWN = ("__name__", "__file__", "__package__")


@dataclass(frozen=True)
class Linked:
    """A file after linking.

    Attributes
    ----------
    names : mapping of str to str
        Under which name of the common namespace each of its names is found.
    unknown : frozenset of str
        The names that it uses and does not have: edits of it must not add to these.
    """

    part: Part
    body: list[ast.stmt]
    names: Mapping[str, str]
    unknown: frozenset[str]


def link(parts: Sequence[Part], bodies: Sequence[list[ast.stmt]]) -> list[Linked]:
    """Give the names of all files one namespace.

    A name with one meaning stays as it is. Where several files give it other meanings, those of modules are told apart,
    and the script keeps its own. What is imported is called as in the module where it comes from.
    """
    units = {part.name: _Unit(part, _without_main(body, part)) for part, body in zip(parts, bodies, strict=True)}
    for unit in units.values():
        unit.make_absolute()
    for unit in units.values():
        unit.expand_stars(units)
    meanings: dict[str, set[object]] = {}
    for unit in units.values():
        for name in unit.bindings:
            meanings.setdefault(name, set()).add(_origin(unit, name, units))
    for unit in units.values():
        # one's own `max` is none of those that another file takes for Python's
        for name in unit.of_python & meanings.keys():
            meanings[name].add((builtins.__name__, name))
    lasts = Counter(name.rpartition(".")[2] for name in units)
    for unit in units.values():
        if unit.part.name != MAIN:
            last = unit.part.name.rpartition(".")[2]
            label = last if lasts[last] == 1 else unit.part.name.replace(".", DOT)
            several = [name for name in unit.bindings if len(meanings[name]) > 1]
            unit.renames = {name: f"{label}{DOT}{name}" for name in several}
    for unit in units.values():
        for name in unit.bindings:
            origin = _origin(unit, name, units)
            if len(origin) == 2 and origin != (unit.part.name, name) and origin[0] in units and origin[1]:
                module, attribute = map(str, origin)
                unit.canonical[name] = units[module].renames.get(attribute, attribute)
        unit.canonical = {**unit.renames, **unit.canonical}
    for unit in units.values():
        # the script keeps its names, so that what is Python's under one of them is called by its module elsewhere
        unit.take_from_python(sorted(unit.of_python & units[MAIN].bindings.keys()))
    found = []
    for unit in units.values():
        renamer = _Renamer(unit, units)
        body = renamer.body()
        names = {name: unit.renames.get(name, name) for name in unit.bindings}
        found.append(Linked(unit.part, body, names, frozenset(renamer.unknown)))
    return found


def is_linkable(body: Sequence[ast.stmt], known: Iterable[str]) -> bool:
    """Whether a module can share a namespace: it takes all names only from modules that are known."""
    names = set(known)
    stars = (s for s in ast.walk(ast.Module(list(body), [])) if isinstance(s, ast.ImportFrom))
    return all(s.level or s.module in names for s in stars if any(alias.name == "*" for alias in s.names))


def _without_main(body: list[ast.stmt], part: Part) -> list[ast.stmt]:
    """Return a module's statements without what only a script runs."""
    if part.name == MAIN:
        return body
    found: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) in _RUN_AS_SCRIPT:
            found += statement.orelse
        else:
            found.append(statement)
    return found


_RUN_AS_SCRIPT = {"__name__ == '__main__'", "'__main__' == __name__"}


@dataclass
class _Unit:
    part: Part
    body: list[ast.stmt]
    renames: dict[str, str] = field(default_factory=dict)
    canonical: dict[str, str] = field(default_factory=dict)

    @cached_property
    def bindings(self) -> dict[str, list[object]]:
        """What each of its global names is bound to: the module and the name for an import, itself for all else."""
        found: dict[str, list[object]] = {}
        for name, origin in bindings(self.body):
            found.setdefault(name, []).append(origin or (self.part.name, name))
        for name in declared_global(self.body):
            # a function gives it another value, which those who have imported it do not see
            found.setdefault(name, []).extend([(self.part.name, name)] * 2)
        return found

    @cached_property
    def of_python(self) -> frozenset[str]:
        """Python's own names that it reads in any scope, and that none of its globals hides."""
        nodes = [node for statement in self.body for node in ast.walk(statement)]
        read = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        return frozenset(name for name in read - self.bindings.keys() if hasattr(builtins, name))

    def take_from_python(self, names: Sequence[str]) -> None:
        """Give some of Python's own names others, which stand for the same in the common namespace."""
        others = {name: f"{builtins.__name__}{DOT}{name}" for name in names}
        if others:
            self.canonical |= others
            taken = [ast.alias(name, other) for name, other in others.items()]
            line = self.body[0].lineno
            first = ast.ImportFrom(builtins.__name__, taken, 0, lineno=line, col_offset=0, end_lineno=line)
            self.body = [ast.fix_missing_locations(first), *self.body]

    def make_absolute(self) -> None:
        """Give relative imports the name of the package."""
        for node in _imports(self.body):
            node.module, node.level = absolute_module(node, self.part.package), 0

    def expand_stars(self, units: Mapping[str, _Unit], pending: tuple[str, ...] = ()) -> None:
        """Write out which names are imported from a module of the program."""
        for node in _imports(self.body):
            other = units.get(node.module or "")
            if [alias.name for alias in node.names] != ["*"] or other is None or other.part.name in pending:
                continue
            other.expand_stars(units, (*pending, self.part.name))
            names = other.public()
            node.names = [ast.copy_location(ast.alias(name, None), node) for name in names] or node.names
        self.__dict__.pop("bindings", None)

    def public(self) -> list[str]:
        """Return the names that a star stands for."""
        for statement in self.body:
            match statement:
                case ast.Assign([ast.Name("__all__")], ast.List(elements) | ast.Tuple(elements)):
                    return [e.value for e in elements if isinstance(e, ast.Constant) and isinstance(e.value, str)]
        return [name for name in self.bindings if not name.startswith("_")]


def _imports(body: Sequence[ast.stmt]) -> list[ast.ImportFrom]:
    return [n for s in body for n in ast.walk(s) if isinstance(n, ast.ImportFrom)]


def _origin(unit: _Unit, name: str, units: Mapping[str, _Unit], seen: tuple[object, ...] = ()) -> tuple[object, ...]:
    """Return where the value of a name comes from: what has one origin may have one name."""
    origins = unit.bindings[name]
    first: Any = origins[0]
    own = (unit.part.name, name)
    # bound more than once, it is not what others have imported before, or what was imported
    alone = (*own, "alone")
    if len(origins) > 1 and (first == own or any(origin != first for origin in origins)):
        return alone
    if first == own or own in seen:
        return own
    module, attribute = first
    other = units.get(module)
    if other is None or attribute not in other.bindings:
        return (module, attribute)
    found = _origin(other, attribute, units, (*seen, own))
    return alone if found[-1] == "alone" else found


@dataclass(frozen=True)
class _Scope:
    bound: frozenset[str]
    foreign: frozenset[str] = frozenset()
    is_class: bool = False


class _Renamer(ast.NodeTransformer):
    """Gives the global names of a part their names in the common namespace."""

    def __init__(self, unit: _Unit, units: Mapping[str, _Unit]) -> None:
        self._unit, self._units, self._scopes = unit, units, list[_Scope]()
        self._stored: list[set[str]] = []
        self.unknown: set[str] = set()

    def body(self) -> list[ast.stmt]:
        """Return the part's statements."""
        return [self.visit(statement) for statement in self._unit.body]

    def _global(self, name: str) -> str:
        """Return a name that is bound in the present scope."""
        if self._scopes and name not in self._scopes[-1].foreign:
            return name
        return self._unit.renames.get(name, name)

    def _is_global(self, name: str) -> bool:
        for depth, scope in enumerate(reversed(self._scopes)):
            if name in scope.foreign:
                return True
            if name in scope.bound and (not scope.is_class or depth == 0):
                return False
        return True

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Rename a variable."""
        if not self._is_global(node.id):
            return node
        own = self._unit.part
        if own.name != MAIN and node.id in _OWN and isinstance(node.ctx, ast.Load):
            values = {"__name__": own.name, "__file__": own.path, "__package__": own.package}
            return ast.copy_location(ast.Constant(values[node.id]), node)
        if node.id not in self._unit.bindings and not hasattr(builtins, node.id) and node.id not in _OWN:
            self.unknown.add(node.id)
        node.id = self._unit.canonical.get(node.id, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Take what a module of the program has under its own name."""
        module = self._module(node.value)
        other = None if module is None else self._units[module]
        if other is None or node.attr not in other.bindings or isinstance(node.ctx, ast.Del):
            return self.generic_visit(node)
        name = other.canonical.get(node.attr, node.attr)
        if not self._is_global(name):
            return self.generic_visit(node)
        if isinstance(node.ctx, ast.Store) and self._stored:
            self._stored[-1].add(name)
        return ast.copy_location(ast.Name(name, node.ctx), node)

    def _module(self, node: ast.expr) -> str | None:
        """Return the module of the program that an expression names."""
        whole = self._dotted(node)
        return whole if whole in self._units and whole != MAIN else None

    def _dotted(self, node: ast.expr) -> str | None:
        """Return the dotted name of a package, of the program or around its modules."""
        match node:
            case ast.Name(name) if self._is_global(name) and name in self._unit.bindings:
                module, attribute, *rest = _origin(self._unit, name, self._units)
                return None if rest else f"{module}.{attribute}" if attribute else str(module)
            case ast.Attribute(value, attribute):
                base = self._dotted(value)
                return base and f"{base}.{attribute}"
        return None

    def visit_Global(self, node: ast.Global) -> ast.AST:
        """Rename in a declaration."""
        node.names = [self._unit.renames.get(name, name) for name in node.names]
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        """Rename a caught exception."""
        if node.name is not None:
            node.name = self._global(node.name)
        return self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> ast.AST:
        """Rename what is imported."""
        return self._import(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """Rename what is imported."""
        return self._import(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> ast.AST:
        for alias in node.names:
            plain = alias.asname or alias.name
            if self._global(plain) != plain:
                alias.asname = self._global(plain)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Rename a function, and what it uses."""
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Rename a coroutine, and what it uses."""
        return self._function(node)

    def _function(self, node: FunctionNode) -> ast.AST:
        node.name = self._global(node.name)
        node.decorator_list = [self.visit(d) for d in node.decorator_list]
        node.args = self._arguments(node.args)
        node.returns = node.returns and self.visit(node.returns)
        with_body = {name for name, _ in bindings(node.body)}
        foreign = {n for s in own_statements(node.body) if isinstance(s, ast.Global) for n in s.names}
        outer = {n for s in own_statements(node.body) if isinstance(s, ast.Nonlocal) for n in s.names}
        bound = (with_body | argument_names(node.args)) - foreign - outer
        self._scopes.append(_Scope(frozenset(bound), frozenset(foreign)))
        self._stored.append(set())
        node.body = [self.visit(statement) for statement in node.body]
        self._scopes.pop()
        if stored := sorted(self._stored.pop() - foreign):
            first = 1 if ast.get_docstring(node, clean=False) is not None and len(node.body) > 1 else 0
            node.body.insert(first, ast.copy_location(ast.Global(stored), node.body[first]))
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        """Rename what a lambda uses."""
        node.args = self._arguments(node.args)
        self._scopes.append(_Scope(frozenset(argument_names(node.args))))
        node.body = self.visit(node.body)
        self._scopes.pop()
        return node

    def _arguments(self, arguments: ast.arguments) -> ast.arguments:
        arguments.defaults = [self.visit(d) for d in arguments.defaults]
        arguments.kw_defaults = [d and self.visit(d) for d in arguments.kw_defaults]
        for argument in ast.walk(arguments):
            if isinstance(argument, ast.arg) and argument.annotation is not None:
                argument.annotation = self.visit(argument.annotation)
        return arguments

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Rename a class, and what it uses."""
        node.name = self._global(node.name)
        node.decorator_list = [self.visit(d) for d in node.decorator_list]
        node.bases = [self.visit(b) for b in node.bases]
        node.keywords = [self.visit(k) for k in node.keywords]
        self._scopes.append(_Scope(frozenset(name for name, _ in bindings(node.body)), is_class=True))
        node.body = [self.visit(statement) for statement in node.body]
        self._scopes.pop()
        return node

    def visit(self, node: ast.AST) -> Any:
        """Visit a node; a comprehension has variables of its own."""
        if not isinstance(node, _COMPREHENSIONS):
            return super().visit(node)
        first = node.generators[0]
        first.iter = self.visit(first.iter)
        bound = {name for g in node.generators for name, _ in targets(g.target)}
        self._scopes.append(_Scope(frozenset(bound)))
        for number, generator in enumerate(node.generators):
            if number:
                generator.iter = self.visit(generator.iter)
            generator.ifs = [self.visit(test) for test in generator.ifs]
        if isinstance(node, ast.DictComp):
            node.key, node.value = self.visit(node.key), self.visit(node.value)
        else:
            node.elt = self.visit(node.elt)
        self._scopes.pop()
        return node
