"""How a user's function takes the parameters: as one argument, as several, or by keyword."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gradcheck.errors import InputError


class Form(enum.Enum):
    """How the structure of parameters enters a call."""

    WHOLE = "as the first argument"
    SPREAD = "as separate positional arguments"
    KEYWORDS = "by keyword"


@dataclass(frozen=True)
class Call:
    """A user's function with the form in which it takes the parameters.

    Parameters
    ----------
    keywords : tuple of str
        Names of `args`, where the parameters are passed by keyword.
    """

    function: Callable[..., Any]
    form: Form
    args: tuple[object, ...]
    keywords: tuple[str, ...] = ()

    def __call__(self, tree: Any) -> Any:
        """Call the function with a structure of parameters."""
        if self.form is Form.WHOLE:
            return self.function(tree, *self.args)
        if self.form is Form.SPREAD:
            return self.function(*tree, *self.args)
        return self.function(**dict(tree), **dict(zip(self.keywords, self.args, strict=True)))

    def names(self, tree: object) -> tuple[str, list[str] | None]:
        """Return the name of the structure and those of its children, as the signature has them."""
        signature = _signature(self.function)
        plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        found = [p.name for p in signature.parameters.values() if p.kind in plain] if signature else []
        if self.form is Form.SPREAD and isinstance(tree, (list, tuple)):
            return "params", [found[i] if i < len(found) else f"params[{i}]" for i in range(len(tree))]
        return (found[0] if found and self.form is Form.WHOLE else "params"), None


def resolve_call(function: Any, role: str, tree: object, args: Sequence[object]) -> Call:
    """Return how `function` is to be called."""
    if not callable(function):
        raise InputError(f"`{role}` must be callable, got {type(function).__name__} {function!r}.")
    signature = _signature(function)
    candidates = _candidates(Call(function, Form.WHOLE, tuple(args)), signature, tree)
    if signature is None:
        return candidates[0]
    problems = []
    for call in candidates:
        try:
            # bound beforehand, so that a TypeError raised inside the function is never taken for a wrong signature
            replace(call, function=signature.bind)(tree)
        except TypeError as error:
            problems.append(str(error))
        else:
            return call
    raise InputError(
        f"`{role}` cannot be called with `params` {candidates[0].form.value} and {len(args)} further arguments: its "
        f"signature is {signature} ({problems[0]})."
    )


def _candidates(whole: Call, signature: inspect.Signature | None, tree: object) -> list[Call]:
    """Return the calls to try, the most natural one first."""
    if isinstance(tree, (list, tuple)):
        return [replace(whole, form=Form.SPREAD), whole]
    if isinstance(tree, Mapping) and signature is not None:
        return _mapping_calls(whole, signature, tree)
    return [whole]


def _mapping_calls(whole: Call, signature: inspect.Signature, tree: Mapping[Any, Any]) -> list[Call]:
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    named = [p.name for p in signature.parameters.values() if p.kind in (positional, inspect.Parameter.KEYWORD_ONLY)]
    if not all(isinstance(key, str) for key in tree):
        return [whole]
    others = [p.name for p in signature.parameters.values() if p.kind is positional and p.name not in tree]
    keywords = replace(whole, form=Form.KEYWORDS, keywords=tuple(others[: len(whole.args)]))
    if len(keywords.keywords) < len(whole.args):
        return [whole]
    return [keywords, whole] if all(key in named for key in tree) else [whole, keywords]


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None
