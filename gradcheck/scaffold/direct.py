"""Tests that import a script's functions and call them with small random arguments."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gradcheck.scaffold.draw import drawn, shortened
from gradcheck.scaffold.importable import can_be_named, is_importable, top_level_names
from gradcheck.scaffold.layout import WIDTH, Group, Item, as_group, expression, laid_out, quoted, unparsed
from gradcheck.scaffold.target import Target, function_name
from gradcheck.script.replay.outputs import RESULT
from gradcheck.script.source.file import SourceFile
from gradcheck.session.usage import Place, Signature, Usage
from gradcheck.settings import Options

_PASSED_ON = ("points", "seed", "rtol", "atol", "method")
# names that the test itself needs
_OWN = {"np", "sys", "Path", "gradcheck", "pytest"}


@dataclass(frozen=True)
class Draft:
    """What a direct test is made of.

    Attributes
    ----------
    target : Target
        Where the test lies, and the script.
    loss : ast.Expression
        The loss, over its arguments, what the module has, and what it returned.
    names : dict
        What the arguments are called in the test.
    """

    target: Target
    backward: str
    signature: Signature
    loss: ast.Expression
    imports: tuple[str, ...]
    names: Mapping[str, str]
    lengths: Mapping[int, int]
    options: Options

    @property
    def roots(self) -> list[str]:
        """The arguments that hold parameters, in their order."""
        holding = {place.argument for place in self.signature.places}
        return [name for name, _ in self.signature.arguments if name in holding]

    @property
    def generator(self) -> str:
        """What the random generator is called."""
        return self.free("rng", "generator", "random")

    def free(self, *names: str) -> str:
        """Return the first of some names that stands for nothing else."""
        taken = {*self.names.values(), *self.imports, *_OWN}
        return next((name for name in names if name not in taken), f"{names[0]}_")


def direct_tests(target: Target, source: SourceFile, usage: Usage, options: Options) -> Iterator[str]:
    """Return texts of test files that call a script's functions, the best first; none where that cannot be done.

    Whether they say the same as the examination of the script has to be tried.
    """
    signature, parts = usage.signature, _loss_parts(source, usage)
    if signature is None or parts is None or not is_importable(source) or not can_be_named(source.path.stem):
        return
    loss, imported = parts
    names = _lowered([name for name, _ in signature.arguments], imported)
    if names is None or usage.backward is None:
        return
    for lengths in _ways_to_shorten(signature):
        draft = Draft(target, usage.backward, signature, loss, imported, names, lengths, options)
        for call in (_plain_call(draft), _wrapped_call(draft)):
            text = None if call is None else _file(draft, *call)
            if text is not None and all(len(line) <= WIDTH for line in text.split("\n")):
                yield text


def _ways_to_shorten(signature: Signature) -> list[dict[int, int]]:
    lengths = shortened([sample for _, sample in signature.arguments])
    return [lengths, {}] if lengths else [{}]


def _loss_parts(source: SourceFile, usage: Usage) -> tuple[ast.Expression, tuple[str, ...]] | None:
    """Return the loss as a tree, and what has to be imported for it and for the gradients."""
    if usage.loss is None or usage.signature is None or usage.backward is None:
        return None
    tree = expression(usage.loss)
    if tree is None:
        return None
    arguments = {name for name, _ in usage.signature.arguments}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    module = names - arguments - {RESULT}
    if not module <= top_level_names(source) | {"abs", "float", "len", "max", "min", "sum"}:
        return None
    np_is_numpy = "np" not in module or "import numpy as np" in source.text
    imported = ({*module} & top_level_names(source)) - {"np"} | {usage.backward}
    if not np_is_numpy or imported & _OWN or imported & arguments:
        return None
    return tree, tuple(sorted(imported, key=_import_order))


def _import_order(name: str) -> tuple[int, str]:
    """Order names as isort does: constants, classes, everything else."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name


def _lowered(arguments: list[str], imported: tuple[str, ...]) -> dict[str, str] | None:
    """Return names for variables of a test, in lower case; None where there are none."""
    names: dict[str, str] = {}
    for argument in arguments:
        name = argument.lower()
        while name in {*names.values(), *imported, *_OWN}:
            name += "_"
        names[argument] = name
    return names if all(name.isidentifier() for name in names.values()) else None


Call = tuple[list[str], Group]


def _plain_call(draft: Draft) -> Call | None:
    """Return a call with the script's own functions; None where loss and gradient are called in different ways."""
    arguments, roots = [name for name, _ in draft.signature.arguments], draft.roots
    if arguments[: len(roots)] != roots:
        return None
    loss = draft.loss.body
    prefixes = [_prefix(draft.signature, root) for root in roots]
    own = _returned_place(loss)
    if own is not None:
        # the loss comes first, and the gradient after it
        if own != "[0]" or draft.signature.width != 2 or len(roots) > 1 or prefixes != [("[1]",)]:
            return None
        return [], _gradcheck(draft, draft.backward, "True")
    if not isinstance(loss, ast.Call) or loss.keywords or not isinstance(loss.func, ast.Name):
        return None
    if [ast.unparse(argument) for argument in loss.args] != arguments:
        return None
    whole = [()] if len(roots) == 1 else [(f"[{number}]",) for number in range(len(roots))]
    if prefixes != whole or (len(roots) > 1 and draft.signature.width != len(roots)):
        return None
    return [], _gradcheck(draft, loss.func.id, draft.backward)


def _wrapped_call(draft: Draft) -> Call | None:
    """Return functions of the parameters alone, and a call with these."""
    prefixes = [_prefix(draft.signature, root) for root in draft.roots]
    if any(prefix is None for prefix in prefixes):
        return None
    value, gradient = draft.free("loss", "value", "loss_at"), draft.free("grad", "gradient", "grad_at")
    call = f"{draft.backward}({', '.join(draft.names[name] for name, _ in draft.signature.arguments)})"
    tree = _Renamed(draft.names, call).visit(ast.parse(unparsed(draft.loss), mode="eval"))
    roots = tuple(draft.names[root] for root in draft.roots)
    lines = laid_out(Group(f"def {value}(", roots, "):"), 1)
    lines += [*laid_out(as_group(unparsed(tree), "return "), 2), ""]
    lines += laid_out(Group(f"def {gradient}(", roots, "):"), 1)
    lines += [*_returns(draft, call, [prefix or () for prefix in prefixes]), ""]
    return lines, _gradcheck(draft, value, gradient, with_data=False)


def _returns(draft: Draft, call: str, prefixes: list[tuple[str, ...]]) -> list[str]:
    """Return the body of a function that returns the gradients, in the order of their parameters."""
    width = draft.signature.width
    places = ["".join(prefix) for prefix in prefixes]
    if len(places) == 1:
        return laid_out(as_group(call, "return ") if not places[0] else f"return {call}{_in_quotes(places[0])}", 2)
    first = int(places[0][1:-1]) if re.fullmatch(r"\[\d+\]", places[0]) else -1
    if first >= 0 and places == [f"[{number}]" for number in range(first, width)]:
        return laid_out(f"return {call}[{first}:]" if first else as_group(call, "return "), 2)
    name = draft.free("result", "found", "returned")
    parts = tuple(f"{name}{_in_quotes(place)}" for place in places)
    line = Group("return ", parts, "")
    broken = Group("return (", parts, ")", is_display=True)
    fits = len(line.flat) + 8 <= WIDTH
    return [*laid_out(as_group(call, f"{name} = "), 2), *laid_out(line.flat if fits else broken, 2)]


def _in_quotes(place: str) -> str:
    return re.sub(r"'([^'\"]*)'", r'"\1"', place)


def _gradcheck(draft: Draft, loss: str, gradient: str, *, with_data: bool = True) -> Group:
    """Return the call of the fixture."""
    roots = [draft.names[root] for root in draft.roots]
    data = [draft.names[name] for name, _ in draft.signature.arguments if name not in draft.roots]
    params: Item = roots[0] if len(roots) == 1 else Group("(", tuple(roots), ")", is_display=True)
    args = (Group("args=(", tuple(data), ")", is_display=True),) if data and with_data else ()
    settings = [(name, getattr(draft.options, name)) for name in _PASSED_ON]
    said = tuple(f"{n}={quoted(v) if isinstance(v, str) else repr(v)}" for n, v in settings if v is not None)
    return Group("gradcheck(", (loss, gradient, params, *args, *said), ")")


def _file(draft: Draft, functions: list[str], call: Group) -> str:
    """Return the whole test file."""
    rng = draft.generator
    drawing = [
        line
        for name, sample in draft.signature.arguments
        for line in laid_out(drawn(sample, draft.lengths, rng, f"{draft.names[name]} = "), 1)
    ]
    random = any(f"{rng}." in line for line in drawing)
    needs_numpy = random or any(re.search(r"\bnp\.", line) for line in [*drawing, *functions])
    lines = [draft.target.docstring, "", *_imports(draft, needs_numpy=needs_numpy), "", ""]
    lines += [f"def test_{function_name(draft.backward)}(gradcheck):"]
    lines += [f"    {rng} = np.random.default_rng({draft.options.seed or 0})"] if random else []
    lines += drawing
    lines += ["", *functions] if functions else []
    return "\n".join([*lines, *laid_out(call, 1), ""])


def _imports(draft: Draft, *, needs_numpy: bool) -> list[str]:
    target, numpy = draft.target, ["import numpy as np", ""] if needs_numpy else []
    head = f"from {target.script.stem} import "
    line = Group(head, draft.imports, "")
    own = laid_out(line.flat if len(line.flat) <= WIDTH else Group(f"{head}(", draft.imports, ")", is_display=True))
    if target.is_beside:
        return [*numpy, *own]
    path = laid_out(Group("sys.path.insert(", ("0", f"str({target.folder_expression})"), ")"))
    return ["import sys", "from pathlib import Path", "", *numpy, *path, "", *own]


def _prefix(signature: Signature, root: str) -> tuple[str, ...] | None:
    """Return where in the result the gradient of a whole argument lies; None where its parts lie apart."""
    found: set[tuple[str, ...]] = set()
    for place in signature.places:
        if place.argument == root:
            found.add(place.returned[: len(place.returned) - len(place.inside)])
            if not _is_same_structure(place):
                return None
    return found.pop() if len(found) == 1 else None


def _is_same_structure(place: Place) -> bool:
    """Whether a gradient lies in what is returned as its parameter lies in the argument; keys may be decorated."""
    inside, depth = place.inside, len(place.inside)
    own = place.returned[len(place.returned) - depth :] if depth else ()
    return len(own) == depth and all(a == b or ("'" in a and "'" in b) for a, b in zip(inside, own, strict=True))


def _returned_place(loss: ast.expr) -> str | None:
    """Return where in the result the loss lies, if it is returned."""
    text = ast.unparse(loss)
    return text.removeprefix(RESULT) if re.match(rf"{RESULT}\b", text) else None


class _Renamed(ast.NodeTransformer):
    """Puts the names of the test in place of the script's, and a call in place of what it returned."""

    def __init__(self, names: Mapping[str, str], call: str) -> None:
        self._names, self._call = names, call

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id == RESULT:
            return ast.parse(self._call, mode="eval").body
        return ast.Name(self._names.get(node.id, node.id), node.ctx)
