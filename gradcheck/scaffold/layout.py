"""Python text in the usual layout: 88 columns, double quotes, brackets broken where a line is too long."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass

WIDTH = 88
_INDENT = "    "
# so long are the pieces of a text that is too long for a line
_PIECE = 60
# what a text may be made of so that the layout of `ast.unparse` is the usual one, apart from quotes and powers
_PLAIN = (
    *(ast.Expression, ast.Call, ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.BinOp, ast.UnaryOp),
    *(ast.Tuple, ast.keyword, ast.operator, ast.unaryop, ast.expr_context),
)
_POWER = re.compile(r"(?<![\w.)\]])([\w.]+) \*\* (-?[\w.]+)(?![\w.(\[])")


@dataclass(frozen=True)
class Group:
    """Items in brackets.

    Attributes
    ----------
    head, tail : str
        What stands before the items, with the opening bracket, and after them, with the closing one.
    is_display : bool
        Whether it is a tuple, list or dict, whose items have a line each as soon as one line is too short for all.
    """

    head: str
    items: tuple[Item, ...]
    tail: str
    is_display: bool = False

    @property
    def flat(self) -> str:
        """All of it in one line."""
        single = self.head.endswith("(") and self.is_display and len(self.items) == 1
        return self.head + ", ".join(map(_flat, self.items)) + ("," if single else "") + self.tail


def _flat(item: Item) -> str:
    return item if isinstance(item, str) else item.flat


@dataclass(frozen=True)
class Quote:
    """A text in quotes, in several pieces where it is too long for a line."""

    head: str
    text: str

    @property
    def flat(self) -> str:
        """All of it in one line."""
        return self.head + quoted(self.text)


Item = str | Group | Quote


def laid_out(item: Item, indent: int = 0) -> list[str]:
    """Return the lines of a statement."""
    return _lines(item, _INDENT * indent, "")


def _lines(item: Item, lead: str, after: str) -> list[str]:
    line = lead + _flat(item) + after
    if isinstance(item, str) or len(line) <= WIDTH:
        return [line]
    inner = lead + _INDENT
    if isinstance(item, Quote):
        return [f"{lead}{item.head}(", *(inner + quoted(piece) for piece in _pieces(item.text)), f"{lead}){after}"]
    body = inner + ", ".join(map(_flat, item.items))
    if not item.is_display and len(body) <= WIDTH:
        lines = [body]
    else:
        lines = [part for one in item.items for part in _lines(one, inner, ",")]
    return [lead + item.head, *lines, lead + item.tail + after]


def quoted(text: str) -> str:
    """Return a text as a literal, in double quotes unless it has more of them than of single ones."""
    return repr(text) if '"' in text and "'" not in text else json.dumps(text, ensure_ascii=False)


def _pieces(text: str) -> list[str]:
    pieces = [""]
    for word in re.findall(rf"\S{{1,{_PIECE}}}\s*", text):
        if pieces[-1] and len(pieces[-1]) + len(word) > _PIECE:
            pieces.append("")
        pieces[-1] += word
    return pieces


def names_tuple(name: str, names: tuple[str, ...]) -> Group:
    """Return ``name=("a", "b")``."""
    return Group(f"{name}(", tuple(map(quoted, names)), ")", is_display=True)


def expression(text: str) -> ast.Expression | None:
    """Parse an expression; None if it has anything in it that people lay out in more than one way."""
    tree = ast.parse(text, mode="eval")
    return tree if all(isinstance(node, _PLAIN) for node in ast.walk(tree)) else None


def unparsed(tree: ast.AST) -> str:
    """Return the text of an expression with double quotes and tight powers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = _Quoted(node.value)
    return _POWER.sub(r"\1**\2", ast.unparse(tree))


class _Quoted(str):
    """A text whose representation has double quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return quoted(str(self))


def as_group(text: str, head: str = "") -> Item:
    """Return a call with its arguments apart, so that it can be broken at them; other text as it is."""
    tree = ast.parse(text, mode="eval").body
    if not isinstance(tree, ast.Call):
        return head + text
    arguments = [*tree.args, *tree.keywords]
    items = tuple(unparsed(argument) for argument in arguments)
    return Group(f"{head}{unparsed(tree.func)}(", items, ")")
