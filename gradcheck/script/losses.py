"""What could be the loss of a backward function: expressions over what it sees, the likeliest first."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

import numpy as np

from gradcheck.script.gradients import RESULT, Backward
from gradcheck.script.names import loss_rank
from gradcheck.script.replay import LossExpression
from gradcheck.script.source import Function, SourceFile, called_name, loaded_names


def loss_candidates(source: SourceFile, backward: Backward) -> list[LossExpression]:
    """Return the scalars and calls that may be the loss.

    In order: what the function returns beside its gradients; its own local variables; the script's loss functions,
    called as the script calls them, with arguments of the same names, or with the two sides of the residual. Of
    these, those with the better names first.
    """
    candidates = [*_returned(backward), *_local(backward), *_functions(source, backward)]
    unique = {candidate.text: candidate for candidate in reversed(candidates)}
    ordered = [c for c in candidates if unique[c.text] is c]
    return sorted(ordered, key=lambda c: -loss_rank(c.name))


def named_loss(source: SourceFile, backward: Backward, name: str) -> list[LossExpression]:
    """Return the candidates for a loss that the user named: a variable, a function, or an expression."""
    function, evidence = backward.function, "named by you"
    if name in backward.calls[0].local_variables:
        return [LossExpression(name, _shown(function, name), _line(function, name), name, True, evidence)]
    own = [f for f in source.functions.values() if name in (f.name, f.short_name)]
    if own:
        return [c for f in own for c in _calls(source, backward, f)]
    return [LossExpression(name, name, function.line, name, True, evidence)]


def _returned(backward: Backward) -> Iterator[LossExpression]:
    gradients = {pair.output.leaf.path for pair in backward.pairs}
    for output in backward.outputs:
        path = output.leaf.path
        if path in gradients or np.size(output.leaf.value) != 1:
            continue
        labels = [label for label in output.labels if loss_rank(label)]
        if labels or (len(path) == 1 and path[0].key == 0):
            shown = (labels or [*output.labels, RESULT])[0]
            line = backward.function.returns[-1].lineno
            name = shown if labels else "loss"
            evidence = "returned with the gradients"
            yield LossExpression(output.leaf.name, _shown(backward.function, shown), line, name, True, evidence)


def _local(backward: Backward) -> Iterator[LossExpression]:
    function, variables = backward.function, backward.calls[0].local_variables
    expressions = [pair.output.expression for pair in backward.pairs if pair.output.expression is not None]
    gradients = {name for expression in expressions for name in loaded_names(expression)}
    # a value that flows into the gradients is an error or a delta, not the loss
    feeding = gradients | function.feeds(gradients)
    for name, value in variables.items():
        if name in feeding or name in function.arguments or not function.assignments(name) or not _is_scalar(value):
            continue
        names = [name, *_called_for(function, name)]
        best = max(names, key=loss_rank)
        if loss_rank(best):
            yield LossExpression(name, _shown(function, name), _line(function, name), best, True, "a local variable")


def _called_for(function: Function, name: str) -> list[str]:
    """Return the names of the functions whose calls give a variable its value."""
    values = [s.value for s in function.assignments(name) if s.value is not None]
    return [called_name(node) for value in values for node in ast.walk(value) if isinstance(node, ast.Call)]


def _is_scalar(value: object) -> bool:
    return not isinstance(value, bool | str) and np.size(value) == 1 and np.asarray(value).dtype.kind in "fiu"


def _line(function: Function, name: str) -> int:
    statements = function.assignments(name)
    return statements[-1].lineno if statements else function.line


def _shown(function: Function, name: str) -> str:
    """Show a variable by the call that computes it, where there is one: ``cost(E)`` for ``loss = cost(E)``."""
    for statement in function.assignments(name):
        if isinstance(statement.value, ast.Call) and isinstance(statement.value.func, ast.Name):
            return ast.unparse(statement.value)
    return name


def _functions(source: SourceFile, backward: Backward) -> Iterator[LossExpression]:
    for candidate in source.functions.values():
        if candidate.name != backward.function.name and loss_rank(candidate.short_name):
            yield from _calls(source, backward, candidate)


def _calls(source: SourceFile, backward: Backward, loss: Function) -> Iterator[LossExpression]:
    """Return the ways to call a loss function with what the backward function sees."""
    function, call = backward.function, backward.calls[0]
    callee = _callee(function, loss)
    if callee is None:
        return
    required = [name for name in loss.required_arguments if not (loss.owner and name == loss.arguments[0])]
    visible = {*call.local_variables, *function.arguments}
    known = visible | (set(call.variables) & function.names)
    for text in _written_calls(source, loss):
        if _names(text) - {callee, loss.short_name} <= known | set(source.functions):
            yield _call(function, loss, text, visible, "called so in the script")
    optional = [name for name in loss.arguments if name in visible and name not in required and name != "self"]
    if all(name in known for name in required):
        arguments = [*required, *(f"{name}={name}" for name in optional)]
        yield _call(function, loss, f"{callee}({', '.join(arguments)})", visible, "its arguments have the same names")
    elif len(required) == 2:
        for one, other in _residuals(function):
            for first, second in ((one, other), (other, one)):
                text = f"{callee}({first}, {second})"
                yield _call(function, loss, text, visible, "applied to the sides of the residual")


def _call(function: Function, loss: Function, text: str, visible: set[str], evidence: str) -> LossExpression:
    """Make the expression; it can do without the backward function when the arguments suffice."""
    own = _names(text) & visible
    untouched = {name for name in function.arguments if not function.assignments(name)}
    return LossExpression(text, text, loss.line, loss.short_name, not own <= untouched, evidence)


def _callee(function: Function, loss: Function) -> str | None:
    if loss.owner is None:
        return loss.short_name
    if "staticmethod" in loss.decorators:
        return loss.name
    if loss.owner == function.owner and function.arguments and "staticmethod" not in function.decorators:
        return f"{function.arguments[0]}.{loss.short_name}"
    return None


def _written_calls(source: SourceFile, loss: Function) -> list[str]:
    calls = [n for n in ast.walk(source.tree) if isinstance(n, ast.Call) and called_name(n) == loss.short_name]
    return list(dict.fromkeys(ast.unparse(call) for call in calls))


def _names(text: str) -> set[str]:
    tree = ast.parse(text, mode="eval")
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(dir(builtins))


def _residuals(function: Function) -> Iterator[tuple[str, str]]:
    """Return the two sides of every difference in the function."""
    for statement in function.statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
                if not isinstance(node.left, ast.Constant) and not isinstance(node.right, ast.Constant):
                    yield ast.unparse(node.left), ast.unparse(node.right)
