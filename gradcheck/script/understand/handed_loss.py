"""How the function that an optimizer is handed can be called, with what its derivative is called with."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gradcheck.script.record.handed import Target
from gradcheck.script.record.instrument import HOOK
from gradcheck.script.replay.stage import LossExpression
from gradcheck.script.source.syntax import Function
from gradcheck.script.understand.handed_pair import FACTORS, PLAIN, Given, HandedPair
from gradcheck.script.understand.whose import own_function, shown_name


@dataclass(frozen=True)
class HandedLoss:
    """A way to call the function, and for which of the times that it was handed over it is right."""

    expression: LossExpression
    numbers: tuple[int, ...]


def handed_losses(pair: HandedPair) -> Iterator[HandedLoss]:
    """Return the ways to call the function with what the derivative is called with, the plainest first."""
    written: dict[LossExpression, list[int]] = {}
    for number in pair.numbers:
        if (expression := _written_loss(pair, number)) is not None:
            written.setdefault(expression, []).append(number)
    yield from (HandedLoss(expression, tuple(numbers)) for expression, numbers in written.items())
    yield from (HandedLoss(_direct_loss(pair, number), (number,)) for number in pair.numbers)


def _written_loss(pair: HandedPair, number: int) -> LossExpression | None:
    function = own_function(pair.recording.source, pair.of(number).objective)
    if not isinstance(function, Function) or (call := _written(pair, number, function)) is None:
        return None
    return _loss(pair, number, call, _value_shown(pair, function, call), function.line)


def _direct_loss(pair: HandedPair, number: int) -> LossExpression:
    """Return a call of the very object that was handed over."""
    handed, texts = pair.of(number), pair.texts(number)
    objective = own_function(pair.recording.source, handed.objective)
    line = objective.line if isinstance(objective, Function) else pair.function.line
    given, keywords = pair.arguments(number, replace(Target.of(handed.objective), bound=(), keywords={}))
    own, shown = [], []
    for key, one in [*((None, g) for g in given), *keywords.items()]:
        if one.token is None:
            continue
        text = texts.get(one.token)
        lead = "" if key is None else f"{key}="
        own.append(f"{lead}{_kept(number, one) if text is None else text}")
        shown += [] if text is None else [f"{lead}{text}"]
    name = shown_name(handed.objective)
    call = f"{HOOK}.handed[{number}].objective({', '.join(own)})"
    return _loss(pair, number, call, f"{name}({', '.join(shown)})", line)


def _kept(number: int, given: Given) -> str:
    """Return where what the derivative is not handed is kept."""
    kind, key = given.token if isinstance(given.token, tuple) else ("", None)
    attribute = {"args": "args", "leading": "leading", "keyword": "keywords"}[kind]
    return f"{HOOK}.handed[{number}].{attribute}[{key!r}]"


def _loss(pair: HandedPair, number: int, call: str, shown: str, line: int) -> LossExpression:
    handed = pair.of(number)
    text = call if handed.value_at is None else f"{call}[{handed.value_at}]"
    if handed.times:
        text = f"{HOOK}.times({text}, {pair.texts(number)[FACTORS]})"
    text = f"{HOOK}.along({text})" if handed.of_several else text
    evidence = f"handed to `{pair.handed.optimizer}` as the objective"
    return LossExpression(text, shown, line, shown_name(handed.objective), evidence, at_entry=True)


def _value_shown(pair: HandedPair, function: Function, call: str) -> str:
    """Show a value by the variable in which it is returned, or by what a lambda consists of."""
    returned, at = function.returns[-1].value if function.returns else None, pair.handed.value_at
    if at is not None:
        parts = returned.elts if isinstance(returned, ast.Tuple) and len(returned.elts) > at else []
        return ast.unparse(parts[at]) if parts and isinstance(parts[at], ast.Name) else f"{call}[{at}]"
    if function.short_name.startswith("lambda_in_line_") and returned is not None:
        return ast.unparse(returned)
    return call


def _written(pair: HandedPair, number: int, function: Function) -> str | None:
    """Return the call of the function as it could stand in the derivative; None where something has no name there."""
    handed, texts = pair.of(number), pair.texts(number)
    target = Target.of(handed.objective)
    given, keywords = pair.arguments(number, target)
    if not _is_in_reach(target, Target.of(handed.derivative).captured):
        return None
    namespace = pair.recording.module.__dict__
    if target.is_method or namespace.get(function.short_name) is target.function:
        # what it has in place of what is not passed is its own
        passed = {*target.keywords, *handed.keywords}
        keywords = {name: one for name, one in keywords.items() if name in passed}
    callee: str | None
    if target.is_method and "classmethod" not in function.decorators:
        holder = _text_of(pair, given[0], texts)
        callee = None if holder is None else f"{holder}.{function.short_name}"
        given = given[1:]
    elif target.is_method:
        callee, given = function.name, given[1:]
    else:
        callee = function.short_name if function.owner is None else function.name
    arguments = [_text_of(pair, g, texts) for g in given]
    for name, one in keywords.items():
        text = _text_of(pair, one, texts)
        arguments.append(None if text is None else f"{name}={text}")
    known = [argument for argument in arguments if argument is not None]
    return f"{callee}({', '.join(known)})" if callee is not None and len(known) == len(arguments) else None


def _is_in_reach(target: Target, there: Mapping[str, Any], depth: int = 3) -> bool:
    """Whether the derivative's closure has the same variables as that of its function."""
    for name, value in target.captured.items():
        if isinstance(value, types.FunctionType):
            if depth and not _is_in_reach(Target.of(value), there, depth - 1):
                return False
        elif name not in there or there[name] is not value:
            return False
    return True


def _text_of(pair: HandedPair, given: Given, texts: Mapping[object, str]) -> str | None:
    if given.token is not None:
        return texts.get(given.token)
    if isinstance(given.value, PLAIN):
        return repr(given.value)
    if (own := texts.get(id(given.value))) is not None:
        return own
    shadowed = set(pair.function.arguments)
    variables = pair.recording.module.__dict__.items()
    return next((n for n, v in variables if v is given.value and n not in shadowed), None)
