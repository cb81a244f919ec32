"""What could be the loss of a backward function: expressions over what it sees, the likeliest first."""

from __future__ import annotations

import ast
import builtins
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from gradcheck.script.record.instrument import HOOK, copied, may_change
from gradcheck.script.record.leaves import is_numeric, leaves
from gradcheck.script.record.objects import own_attributes
from gradcheck.script.record.wrapped import plain
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import RESULT, Kind
from gradcheck.script.replay.stage import LossExpression
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import is_step_size, loss_rank
from gradcheck.script.source.syntax import (
    Code,
    Function,
    Loop,
    assigned_names,
    called_name,
    flat_targets,
    loaded_names,
    onto_itself,
    walk,
)
from gradcheck.script.source.updates import MOVED_AS, hands_on, updates_of

_MOST_ARGUMENTS = 4


def loss_candidates(source: SourceFile, backward: Backward) -> list[LossExpression]:
    """Return the scalars and calls that may be the loss by their names.

    In order: what the function returns beside its gradients; its own local variables and those around its call; the
    script's loss functions, called as the script calls them, with arguments of the same names, or with the two sides
    of the residual; what is printed, collected or added up under the name of a loss. Of these, those with the better
    names first.
    """
    functions = [f for f in _others(source, backward) if loss_rank(f.short_name)]
    calls = [c for f in functions for c in _calls(source, backward, f)]
    told = [*_told(source, backward), *_told_of_all(source, backward)]
    around = _around(source, backward)
    candidates = [*_returned(backward), *_local(backward), *around, *_stored(backward), *calls, *told]
    parts = _summands(backward.function)
    ordered = [c for c in unique_losses(candidates) if c.text not in parts]
    return sorted(ordered, key=lambda c: -loss_rank(c.name))


def unique_losses(candidates: Sequence[LossExpression]) -> list[LossExpression]:
    """Return the first of the candidates with the same text, each."""
    unique = {candidate.text: candidate for candidate in reversed(candidates)}
    return [candidate for candidate in candidates if unique[candidate.text] is candidate]


def _summands(code: Function | Loop) -> set[str]:
    """Return what code adds up to a total in its inner loops: what was added last is not the loss, the total is."""
    loops = [node for statement in code.node.body for node in walk(statement) if isinstance(node, ast.For | ast.While)]
    inside = [node for loop in loops for node in walk(loop)]
    begun = {
        name for s in code.statements if isinstance(s, ast.Assign) and s not in inside for name in assigned_names(s)
    }
    added = [step for node in inside if (step := onto_itself(node)) is not None and isinstance(step.op, ast.Add)]
    return {ast.unparse(step.value) for step in added if ast.unparse(step.target) in begun}


def unnamed_candidates(source: SourceFile, backward: Backward) -> list[LossExpression]:
    """Return calls of the script's other functions, whose names do not say that they are losses.

    People name things in their own language.
    """
    functions = [f for f in _others(source, backward) if not loss_rank(f.short_name)]
    calls = [c for f in functions for c in _calls(source, backward, f)]
    last = _inner_targets(backward.function)
    found = [*_unnamed_locals(backward), *_assigned(source, backward), *calls]
    # what mentions the variables of an inner loop is of its last round only
    return [candidate for candidate in found if not _names(candidate.text) & last]


def _unnamed_locals(backward: Backward) -> Iterator[LossExpression]:
    function = backward.function
    feeding = _feeding(backward)
    for name, value in backward.example.local_variables.items():
        own = function.assignments(name) and name not in feeding and name not in function.arguments
        if own and _is_scalar(value) and not (isinstance(function, Loop) and _adds_up(function, name)):
            yield LossExpression(name, _shown(function, name), _line(function, name), name, "a local variable")


def _assigned(source: SourceFile, backward: Backward) -> Iterator[LossExpression]:
    """Return what the code gives values to, or adds up, and what it computes these from, whatever it is called.

    A total that goes on from round to round has the derivatives of what was added in this one. What is computed only
    after the parameters were moved is evaluated before, from the same expression.
    """
    feeding, parameters = _feeding(backward), _parameter_names(backward)
    known = _known(source, backward)
    units = [backward.function] if backward.region is backward.function else [backward.function, backward.region]
    for code in units:
        for statement in code.statements:
            if not isinstance(statement, ast.Assign | ast.AugAssign) or _moved_ones(statement) & parameters:
                continue
            targets = [statement.target] if isinstance(statement, ast.AugAssign) else statement.targets
            parts = [part for target in targets for part in flat_targets(target)]
            for part in parts:
                text = ast.unparse(part)
                if not _root(text) & feeding and text not in feeding and _names(text) <= known:
                    yield LossExpression(text, text, statement.lineno, _root_name(text), "given a value by the code")
            value = statement.value
            if len(parts) == 1 and not isinstance(value, ast.Name | ast.Constant | ast.Attribute):
                text, name = ast.unparse(value), ast.unparse(parts[0])
                # by the end, what it was computed from has another value
                if isinstance(statement, ast.Assign) and _names(text) & assigned_names(statement):
                    continue
                if not assigned_names(statement) & feeding and _names(text) <= known and not _moves(source, value):
                    near = _is_near(backward, text)
                    yield LossExpression(text, text, value.lineno, _root_name(name), "computed by the code", near=near)
    yield from _inside_objects(backward, feeding)


def _moved_ones(statement: ast.Assign | ast.AugAssign) -> set[str]:
    return {update.target.split(".")[0].split("[")[0] for update in updates_of(statement)}


def _root(text: str) -> set[str]:
    return {text.split("[")[0].split(".")[0], text.split("[")[0]}


def _root_name(text: str) -> str:
    return text.split("[")[0]


def _inside_objects(backward: Backward, feeding: set[str]) -> Iterator[LossExpression]:
    """Return the single numbers in objects that the code makes: ``loss.data``."""
    for name, value in backward.example.local_variables.items():
        if name in feeding or name.startswith("__") or is_numeric(value) or own_attributes(value) is None:
            continue
        for leaf in leaves(name, value):
            if len(leaf.path) == 1 and leaf.size == 1:
                line = _line(backward.function, name)
                yield LossExpression(leaf.name, leaf.name, line, name, "in an object that the code makes")


def _others(source: SourceFile, backward: Backward) -> list[Function]:
    return [f for f in source.functions.values() if f.name != backward.function.name]


def reached(source: SourceFile, function: Function | Loop) -> set[str]:
    """Return the functions that are called by a function, directly or not."""
    found: set[str] = set()
    pending = [function]
    while pending:
        called = pending.pop().calls
        for name, other in source.functions.items():
            if other.short_name in called and name not in found:
                found.add(name)
                pending.append(other)
    return found


def named_loss(source: SourceFile, backward: Backward, name: str) -> list[LossExpression]:
    """Return the candidates for a loss that the user named: a variable, a function, or an expression."""
    function, evidence = backward.function, "named by you"
    if name in backward.example.local_variables:
        return [LossExpression(name, _shown(function, name), _line(function, name), name, evidence)]
    own = [f for f in source.functions.values() if name in (f.name, f.short_name)]
    if own:
        return [c for f in own for c in _calls(source, backward, f)]
    return [LossExpression(name, name, function.line, name, evidence)]


def _returned(backward: Backward) -> Iterator[LossExpression]:
    if backward.kind is not Kind.RETURNED:
        yield from _returned_beside(backward)
        return
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
            yield LossExpression(output.leaf.name, _shown(backward.function, shown), line, name, evidence)


def _returned_beside(backward: Backward) -> Iterator[LossExpression]:
    """Return what a function that keeps or applies its gradients gives back, if that may be a number."""
    for statement in backward.function.returns:
        value = statement.value
        parts = value.elts[:1] if isinstance(value, ast.Tuple) else [value]
        for part in parts:
            if part is not None and not isinstance(part, ast.Constant):
                text = ast.unparse(part)
                name = text if isinstance(part, ast.Name) else "error"
                yield LossExpression(text, text, statement.lineno, name, "returned by the same function")


def _local(backward: Backward) -> Iterator[LossExpression]:
    function, variables = backward.function, backward.example.local_variables
    feeding = _feeding(backward)
    for name, value in variables.items():
        if name in feeding or name in function.arguments or not function.assignments(name) or not _is_scalar(value):
            continue
        if isinstance(function, Loop) and _adds_up(function, name):
            continue
        names = [name, *_called_for(function, name)]
        best = max(names, key=loss_rank)
        if loss_rank(best):
            yield LossExpression(name, _shown(function, name), _line(function, name), best, "a local variable")


def _feeding(backward: Backward) -> set[str]:
    """Return the names that flow into the gradients: an error or a delta, not the loss."""
    expressions = [pair.output.expression for pair in backward.pairs if pair.output.expression is not None]
    gradients = {name for expression in expressions for name in loaded_names(expression)} | _moved(backward)
    gradients |= _handed_out(backward)
    return gradients | backward.function.feeds(gradients)


def _handed_out(backward: Backward) -> set[str]:
    """Return the variables of a function with what the round around it keeps as gradients, by their values."""
    if not backward.is_round or backward.kind is not Kind.KEPT:
        return set()
    kept = [np.asarray(plain(pair.output.leaf.value), dtype=float) for pair in backward.pairs]
    return {
        name
        for name, value in backward.example.local_variables.items()
        if is_numeric(value) and np.any(value) and any(np.array_equal(plain(value), one) for one in kept)
    }


def _moved(backward: Backward) -> set[str]:
    """Return the names that a unit keeps gradients under, and those of what it moves."""
    pairs = [pair for pair in backward.pairs if pair.output.kind is not Kind.RETURNED]
    names = {name for pair in pairs for name in (*pair.output.labels, pair.slot.name)}
    return names | {pair.update.target for pair in pairs if pair.update is not None}


def _adds_up(loop: Code, name: str) -> bool:
    """Whether a variable goes on from round to round."""
    return all(
        isinstance(s, ast.AugAssign) or (s.value is not None and name in loaded_names(s.value))
        for s in loop.assignments(name)
    )


def goes_on(backward: Backward, name: str) -> bool:
    """Whether a loss is a total, or an average, that goes on from round to round."""
    codes = [code for code in (backward.function, backward.region) if code.assignments(name)]
    return bool(codes) and all(_adds_up(code, name) for code in codes)


def _stored(backward: Backward) -> Iterator[LossExpression]:
    """Return the attributes with a loss's name: ``self.loss``."""
    if backward.kind is Kind.RETURNED:
        return
    for name in dict.fromkeys(t for s in backward.function.statements for t in _attribute_targets(s)):
        if loss_rank(name) and name not in backward.function.feeds(_moved(backward)):
            yield LossExpression(name, name, _line(backward.function, name), name, "kept in an attribute")


def _attribute_targets(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.Assign):
        return {name for name in assigned_names(statement) if "." in name}
    return set()


def _told(source: SourceFile, backward: Backward) -> Iterator[LossExpression]:
    """Return the expressions that the script prints, collects or adds up under the name of a loss."""
    nodes = [backward.function.node, backward.region.node]
    known = _known(source, backward)
    for node in (inner for outer in nodes for inner in walk(outer)):
        for name, expression in _named_expressions(node):
            plain = isinstance(expression, ast.Name | ast.Constant | ast.Attribute)
            moves = _moves(source, expression)
            if loss_rank(name) and not plain and not moves and _names(ast.unparse(expression)) <= known:
                text = ast.unparse(expression)
                near = _is_near(backward, text)
                yield LossExpression(text, text, expression.lineno, name, "shown by the script", near=near)


def _told_of_all(source: SourceFile, backward: Backward) -> Iterator[LossExpression]:
    """Return what the code around batches shows under the name of a loss, of all data, as it is of those of a batch."""
    code = backward.region if isinstance(backward.region, Loop) else backward.function
    if not isinstance(code, Loop):
        return
    own = _parameter_names(backward)
    parts = {whole: part for whole, part in _taken_out(code).items() if whole not in own}
    known, around = _known(source, backward), source.tree if code.function is None else code.function.node
    inside = set(walk(code.node))
    for node in walk(around):
        for name, expression in _named_expressions(node) if node not in inside else ():
            if loss_rank(name) and loaded_names(expression) & parts.keys() and not _moves(source, expression):
                text = ast.unparse(_Renamed(parts).visit(copied(expression)))
                if _names(text) <= known:
                    evidence, near = "shown by the script for all data", _is_near(backward, text)
                    yield LossExpression(text, text, expression.lineno, name, evidence, near=near)


def _taken_out(loop: Loop) -> dict[str, str]:
    """Return the variables of which a loop takes a part in each round, and what holds that: ``batch = data[rows]``."""
    found: dict[str, str] = {}
    for statement in loop.statements:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            targets, values = flat_targets(statement.targets[0]), [statement.value]
            if isinstance(statement.value, ast.Tuple):
                values = statement.value.elts
            for target, value in zip(targets, values, strict=False):
                match target, value:
                    case ast.Name(part), ast.Subscript(ast.Name(whole)) if whole not in found:
                        found[whole] = part
    return found


class _Renamed(ast.NodeTransformer):
    """Has other names in the places of some."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """Give a name its other one."""
        return ast.copy_location(ast.Name(self._names.get(node.id, node.id), node.ctx), node)


def _named_expressions(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    match onto_itself(node) or node:
        case ast.AugAssign(target, ast.Add(), value):
            yield ast.unparse(target), value
        case ast.Call(ast.Attribute(holder, "append"), [value]):
            yield ast.unparse(holder), value
        case ast.Call(ast.Name("print"), arguments):
            parts = [part for argument in arguments for part in walk(argument)]
            words = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            name = next((w for text in words for w in re.findall(r"[A-Za-z_]+", text) if loss_rank(w)), "")
            for argument in arguments:
                for part in _outermost(argument):
                    yield name, part


def _outermost(node: ast.AST) -> Iterator[ast.expr]:
    """Return the expressions that are shown, out of what only formats or rounds them."""
    match node:
        case ast.Call(ast.Name("round" | "str" | "float" | "format" | "abs"), [inner, *_]):
            yield from _outermost(inner)
        case ast.Call(ast.Attribute(ast.Constant(), "format"), arguments) | ast.JoinedStr(arguments):
            yield from (part for argument in arguments for part in _outermost(argument))
        case ast.FormattedValue(inner):
            yield from _outermost(inner)
        case ast.BinOp(ast.Constant(str()) | ast.JoinedStr(), _, inner):
            yield from _outermost(inner)
        case ast.Tuple(parts):
            yield from (part for element in parts for part in _outermost(element))
        case ast.Call() | ast.BinOp() | ast.UnaryOp():
            yield node


_INFERRED = "which the script does not write down: inferred from the output error"


def implied_candidates(source: SourceFile, backward: Backward) -> list[LossExpression]:
    """Return losses that the script does not write down, made of the differences that it takes.

    Half the sum of squares, and the cross-entropies where one side is a probability: their derivatives with respect to
    the output, or to what goes into a sigmoid or softmax, are the difference itself.
    """
    found: list[LossExpression] = []
    known = _known(source, backward)
    for one, other, line in _residual_lines(backward.function):
        if not _names(one) | _names(other) <= known:
            continue
        if (_names(one) | _names(other)) & _inner_targets(backward.function, below=line):
            # what it was computed from has another value by then; the difference itself is still there
            said = f"half the squared error of `{one} - {other}`"
            found += [_implied(f"half_square({name}, 0)", said, line) for name in _kept_as(backward.function, line)]
            continue
        found += _of_difference(one, other, line)
    for values, places, line in _picked(backward.function):
        if {values} | _names(f"x[{places}]") - {"x"} <= known:
            found.append(
                _implied(f"picked({values}, ({places}))", f"the cross-entropy of the classes `{places}`", line)
            )
    # where the last batch is smaller than the others, sums and means differ by more than one factor
    return [*found, *(_per_sample(loss) for loss in found)]


def implied_in_loops(source: SourceFile, backward: Backward) -> Iterator[list[LossExpression]]:
    """Return the losses of the differences that are taken in inner loops, for each such difference: sums over rounds.

    They are read before the next statement that may change something, where all that they are made of is there.
    """
    code, known = backward.function, _known(source, backward)
    loops = [statement for statement in code.statements if isinstance(statement, ast.For | ast.While)]
    bodies = [body for loop in loops for body in _blocks(loop)]
    for one, other, line in _residual_lines(code):
        for body in bodies:
            place = next(
                (n for n, s in enumerate(body) if s.lineno == line and not isinstance(s, ast.For | ast.If)), None
            )
            then = [] if place is None else [s.lineno for s in body[place + 1 :] if may_change(s)]
            if then and _names(one) | _names(other) <= known:
                losses = _of_difference(one, other, line)
                yield [replace(loss, each_line=then[0]) for loss in over_calls(losses, "rounds")]


def written_in_loops(source: SourceFile, backward: Backward) -> Iterator[list[LossExpression]]:
    """Return the losses that inner loops give values to, for each: their sum over the rounds of these, and the mean."""
    code, variables = backward.function, backward.example.local_variables
    for name, line, then in _last_of_loops(code):
        best = max([name, *_called_for(code, name)], key=loss_rank)
        if then and loss_rank(best) and _is_scalar(variables.get(name)) and name in _known(source, backward):
            loss = LossExpression(name, _shown(code, name), line, best, "a local variable of an inner loop", near=False)
            yield [replace(over, each_line=then[0]) for over in over_calls([loss], "rounds")]


def is_of_last_round(backward: Backward, loss: LossExpression) -> bool:
    """Whether a loss is a variable that an inner loop gives another value in each round."""
    return not loss.over and loss.text in {name for name, _, _ in _last_of_loops(backward.function)}


def _last_of_loops(code: Function | Loop) -> Iterator[tuple[str, int, list[int]]]:
    """Return what inner loops assign and do not add up, with its line and those of later statements of a round."""
    loops = [statement for statement in code.statements if isinstance(statement, ast.For | ast.While)]
    for body in [body for loop in loops for body in _blocks(loop)]:
        for place, statement in enumerate(body):
            if isinstance(statement, ast.Assign) and onto_itself(statement) is None:
                then = [later.lineno for later in body[place + 1 :] if may_change(later)]
                parts = [part for target in statement.targets for part in flat_targets(target)]
                own = [part.id for part in parts if isinstance(part, ast.Name)]
                yield from ((name, statement.lineno, then) for name in own if not _adds_up(code, name))


def _blocks(loop: ast.For | ast.While) -> Iterator[list[ast.stmt]]:
    """Return the body of a loop, and those of its branches."""
    pending = [loop.body]
    while pending:
        body = pending.pop()
        yield body
        pending += [part for s in body if isinstance(s, ast.If) for part in (s.body, s.orelse)]


def _of_difference(one: str, other: str, line: int) -> list[LossExpression]:
    """Return the losses whose derivatives a difference may be."""
    return [
        _implied(f"{name}({sides[0]}, {sides[1]})", said, line)
        for name, sides, said in (
            ("half_square", (one, other), f"half the squared error of `{one} - {other}`"),
            ("cross_entropy", (one, other), f"the cross-entropy of `{one}` and `{other}`"),
            ("cross_entropy", (other, one), f"the cross-entropy of `{other}` and `{one}`"),
            ("categorical", (one, other), f"the cross-entropy of the classes `{one}` and `{other}`"),
            ("categorical", (other, one), f"the cross-entropy of the classes `{other}` and `{one}`"),
        )
    ]


def _per_sample(loss: LossExpression) -> LossExpression:
    """Return a loss that is inferred, divided by the number of samples; the first of its arguments says how many."""
    call = loss.text.removeprefix(f"{HOOK}.implied.")
    name, _, arguments = call.partition("(")
    text = f"{HOOK}.implied.per_sample({HOOK}.implied.{name}, {arguments}"
    return replace(loss, text=text, shown=f"{loss.shown}, per sample")


def over_calls(losses: Sequence[LossExpression], what: str = "calls") -> list[LossExpression]:
    """Return losses of one sample, added up over those of a round, and their means."""
    said = {"sum": f"the sum of {{}} over all {what}", "mean": f"the mean of {{}} over all {what}"}
    return [replace(loss, shown=said[over].format(loss.shown), over=over) for over in said for loss in losses]


def is_per_sample(loss: LossExpression) -> bool:
    """Whether a loss is inferred, and divided by the number of samples."""
    return loss.text.startswith(f"{HOOK}.implied.per_sample(")


def _implied(call: str, said: str, line: int) -> LossExpression:
    """Return a loss that one of the functions of `implied` computes."""
    return LossExpression(f"{HOOK}.implied.{call}", said, line, "", _INFERRED, near=False, is_implied=True)


def _kept_as(function: Function | Loop, line: int) -> list[str]:
    """Return the variables that keep just the difference that is taken in a line."""
    there = [s for s in function.statements if isinstance(s, ast.Assign) and s.lineno == line]
    plain = [s for s in there if isinstance(s.value, ast.BinOp) and isinstance(s.value.op, ast.Sub)]
    return [target.id for s in plain for target in s.targets if isinstance(target, ast.Name)]


def _picked(function: Function | Loop) -> Iterator[tuple[str, str, int]]:
    """Return what has one subtracted at the places of the classes: ``delta[range(n), y] -= 1``."""
    for statement in function.statements:
        match onto_itself(statement):
            case ast.AugAssign(ast.Subscript(ast.Name(values), places), ast.Sub(), ast.Constant(1)):
                yield values, ast.unparse(places), statement.lineno


def _residual_lines(function: Function | Loop) -> Iterator[tuple[str, str, int]]:
    plain = [s for s in function.statements if not isinstance(s, ast.For | ast.While | ast.If | ast.With)]
    # from old values to new ones, it is the step
    steps = {frozenset(pair) for s in plain for pair in getattr(s, MOVED_AS, {}).items()}
    for statement in plain:
        for node in (
            () if any(True for _ in updates_of(statement)) and isinstance(statement, ast.Assign) else walk(statement)
        ):
            match node:
                case ast.BinOp(left, ast.Sub(), right) if not isinstance(left, ast.Constant):
                    sides = ast.unparse(left), ast.unparse(right)
                    if frozenset(map(_root_name, sides)) not in steps:
                        yield *sides, node.lineno


def _called_for(function: Function | Loop, name: str) -> list[str]:
    """Return the names of the functions whose calls give a variable its value."""
    values = [s.value for s in function.assignments(name) if s.value is not None]
    return [called_name(node) for value in values for node in walk(value) if isinstance(node, ast.Call)]


def _is_scalar(value: Any) -> bool:
    return is_numeric(value) and np.size(value) == 1


def _line(function: Function | Loop, name: str) -> int:
    statements = function.assignments(name)
    return statements[-1].lineno if statements else function.line


def _shown(function: Code, name: str) -> str:
    """Show a variable by the call that computes it, where there is one: ``cost(E)`` for ``loss = cost(E)``."""
    for statement in function.assignments(name):
        if isinstance(statement.value, ast.Call) and isinstance(statement.value.func, ast.Name):
            return ast.unparse(statement.value)
    return name


def _around(source: SourceFile, backward: Backward) -> Iterator[LossExpression]:
    """Return the scalars with a loss's name that are computed around the call of the backward function."""
    region = backward.region
    if region is backward.function:
        return
    owner = region.function if isinstance(region, Loop) else region
    for statement in walk(region.node):
        if isinstance(statement, ast.Assign):
            for name in assigned_names(statement) - loaded_names(statement.value):  # not what adds up over rounds
                if loss_rank(name) and name.isidentifier():
                    shown = _shown(owner, name) if owner is not None else name
                    near = _prepares(source, backward, statement.value)
                    yield LossExpression(name, shown, statement.lineno, name, "computed around the call", near=near)
    yield from _beside_the_call(source, backward)


def _beside_the_call(source: SourceFile, backward: Backward) -> Iterator[LossExpression]:
    """Return what a method that calls the backward method computes under the name of a loss, of what both know.

    The variable itself is not there when the gradients are computed; what it is made of is, in the object.
    """
    function = backward.function
    if not isinstance(function, Function) or not function.owner:
        return
    own = {*function.arguments, *source.functions}
    callers = [f for f in source.functions.values() if f.owner == function.owner and function.short_name in f.calls]
    beside = [s for caller in callers if caller is not function for s in caller.statements if isinstance(s, ast.Assign)]
    for statement in beside:
        called, text = statement.value, ast.unparse(statement.value)
        if not isinstance(called, ast.Call) or called_name(called) == function.short_name or not _names(text) <= own:
            continue
        for name in assigned_names(statement):
            if loss_rank(name) and name.isidentifier():
                yield LossExpression(text, text, statement.lineno, name, "computed beside the call", near=True)


def _prepares(source: SourceFile, backward: Backward, value: ast.expr) -> bool:
    """Whether what computes a loss also keeps, in attributes, what the backward function works with."""
    called = {called_name(node) for node in walk(value) if isinstance(node, ast.Call)}
    first = [f for f in source.functions.values() if f.short_name in called]
    functions = [*first, *(source.functions[name] for f in first for name in reached(source, f))]
    kept = {name for f in functions for s in f.statements for name in _attribute_targets(s)}
    moved = _moved(backward)
    return bool((kept - moved) & {ast.unparse(n) for n in walk(backward.function.node) if _is_read(n)})


def _is_read(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)


def _calls(source: SourceFile, backward: Backward, loss: Function) -> Iterator[LossExpression]:
    """Return the ways to call a loss function with what is in sight."""
    function = backward.function
    callee = _callee(function, loss)
    if callee is not None:
        for text in _with_arguments_of_others(source, backward, loss, callee):
            evidence = "with the arguments of a function that is called beside it"
            yield LossExpression(text, text, loss.line, loss.short_name, evidence, near=_is_near(backward, text))
    if callee is None:
        for text in _at_step(backward, _written_calls(source, loss)):
            known = {*backward.example.local_variables, *_in_sight(backward), *function.arguments, *source.imported}
            if _names(text) <= known | {*source.functions, *backward.example.variables}:
                evidence, near = "called so in the script", _is_near(backward, text)
                yield LossExpression(text, text, loss.line, loss.short_name, evidence, near=near)
        return

    def expression(text: str, evidence: str, *, near: bool = True, tried: bool = False) -> LossExpression:
        near = near and not tried and _is_near(backward, text)
        return LossExpression(text, text, loss.line, loss.short_name, evidence, near, is_tried=tried)

    required = _required(loss)
    around = backward.example.arguments if isinstance(function, Loop) else ()
    visible = {*backward.example.local_variables, *function.arguments, *around}
    known = visible | (set(backward.example.variables) & function.names)
    written = _at_step(backward, _written_calls(source, loss))
    for text in written:
        if _names(text) - {callee, loss.short_name} <= known | set(source.functions):
            yield expression(text, "called so in the script")
    optional = [name for name in loss.arguments if name in visible and name not in required and name != "self"]
    if all(name in known for name in required):
        arguments = [*required, *(f"{name}={name}" for name in optional)]
        called = callee if loss.is_property else f"{callee}({', '.join(arguments)})"
        yield expression(called, "its arguments have the same names")
    else:
        if len(required) == 2:
            for one, other in _residuals(function):
                for first, second in ((one, other), (other, one)):
                    yield expression(f"{callee}({first}, {second})", "applied to the sides of the residual", tried=True)
        for chosen in _handed_on(backward, len(required)):
            yield expression(f"{callee}({', '.join(chosen)})", "applied to what the code is handed", tried=True)
    for text in written:
        if not _names(text) - {callee} <= known and _names(text) - {callee} <= known | _in_sight(backward):
            yield expression(text, "called so in the script", near=False)


def _at_step(backward: Backward, calls: Sequence[str]) -> list[str]:
    """Return calls with the values that a step begins from in the place of the new ones that it computes from them."""
    parameters = _parameter_names(backward)
    pairs = [pair for s in backward.function.statements for pair in getattr(s, MOVED_AS, {}).items()]
    begun = {new: old for new, old in pairs if old in parameters and new not in parameters}
    return list(dict.fromkeys(_renamed(text, begun) for text in calls)) if begun else list(calls)


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """Return an expression with other names in it."""
    tree = ast.parse(text, mode="eval").body
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return ast.unparse(tree)


def _with_arguments_of_others(source: SourceFile, backward: Backward, loss: Function, callee: str) -> Iterator[str]:
    """Return the calls of a loss with what other functions are handed for arguments of the same names.

    ``gradient(X_batch, y_batch, w)`` says what ``X`` and ``y`` of ``loss(X, y, w)`` are in that step.
    """
    required = _required(loss)
    known = _known(source, backward)
    for node in (n for statement in backward.function.node.body for n in walk(statement)):
        if not isinstance(node, ast.Call) or any(isinstance(a, ast.Starred) for a in node.args):
            continue
        for other in (f for f in source.functions.values() if f.short_name == called_name(node) and f is not loss):
            own = other.arguments[1:] if other.owner and "staticmethod" not in other.decorators else other.arguments
            handed = dict(zip(own, map(ast.unparse, node.args), strict=False))
            handed |= {k.arg: ast.unparse(k.value) for k in node.keywords if k.arg is not None}
            if required and all(name in handed for name in required):
                text = f"{callee}({', '.join(handed[name] for name in required)})"
                if _names(text) - {callee} <= known:
                    yield text


def _is_near(backward: Backward, text: str) -> bool:
    """Whether an expression is for sure of the data that the gradients are of: it follows what the code is handed.

    A function is handed its arguments. A round of a loop is handed the loop's variables, as far as it works with them.
    """
    function = backward.function
    if _names(text) & _inner_targets(function):
        return False
    if isinstance(function, Function):
        return set(_data_arguments(backward)) <= _names(text) | function.feeds(_names(text))
    data = _handed(function)
    own = {name for s in function.statements if isinstance(s, ast.Assign) for name in assigned_names(s)}
    return not data or bool(_names(text) & (data | own))


def _inner_targets(function: Function | Loop, below: int = 0) -> set[str]:
    """Return the variables of the loops inside of some code: what they are at the end is only the last of them.

    Those below a line give other values to names that were used above.
    """
    loops = [
        statement for statement in function.statements if isinstance(statement, ast.For) and statement.lineno > below
    ]
    return {ast.unparse(part) for loop in loops for part in flat_targets(loop.target)}


def _handed_on(backward: Backward, count: int) -> Iterator[tuple[str, ...]]:
    """Return the ways to choose some of the data that a function is handed."""
    handed = _data_arguments(backward)
    if 0 < count <= len(handed) <= _MOST_ARGUMENTS:
        yield from itertools.combinations(handed, count)


def _data_arguments(backward: Backward) -> list[str]:
    """Return the arguments of a function that are neither parameters nor step sizes."""
    function = backward.function
    others = {pair.slot.variable for pair in backward.pairs} | _parameter_names(backward) | {"self", "cls"}
    return [name for name in function.arguments if name not in others and not is_step_size(name)]


def _handed(loop: Loop) -> set[str]:
    """Return the variables of a loop that a round works with: what is only tested or printed tells the time."""
    if isinstance(loop.node, ast.While):
        return set()
    targets = {ast.unparse(part) for part in flat_targets(loop.node.target)}
    used: set[str] = set()
    for statement in loop.statements:
        if isinstance(statement, ast.For | ast.While):
            used |= loaded_names(statement.iter) if isinstance(statement, ast.For) else set()
        elif isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr):
            used |= set() if _prints(statement.value) else loaded_names(statement.value or ast.Constant(None))
    return targets & used


def _prints(expression: ast.expr | None) -> bool:
    return isinstance(expression, ast.Call) and called_name(expression) == "print"


def _in_sight(backward: Backward) -> set[str]:
    """Return the variables around the call of the backward function."""
    moment = backward.moments[0]
    if not isinstance(backward.region, Loop):
        return {*moment.arguments}
    # what the round has computed by then
    own = {name for s in backward.region.statements if isinstance(s, ast.Assign) for name in assigned_names(s)}
    in_module = backward.region.function is None
    return {*moment.arguments, *own, *(moment.variables if in_module else ())}


def _known(source: SourceFile, backward: Backward) -> set[str]:
    """Return every name that an expression may mention at the end of the code."""
    known = {*backward.example.local_variables, *_in_sight(backward), *backward.function.arguments}
    return known | {*backward.example.variables, *source.functions, *dir(builtins), *source.imported}


def _required(loss: Function) -> list[str]:
    """Return the arguments that a call of a loss has to give, the object that a method belongs to left out."""
    bound = loss.arguments[:1] if loss.owner and "staticmethod" not in loss.decorators else ()
    return [name for name in loss.required_arguments if name not in bound]


def _parameter_names(backward: Backward) -> set[str]:
    """Return the names of the backward function's arguments that hold parameters."""
    return {pair.slot.name.split(".")[0].split("[")[0] for pair in backward.pairs}


def _callee(function: Function | Loop, loss: Function) -> str | None:
    if loss.owner is None:
        return loss.short_name
    if "staticmethod" in loss.decorators:
        return loss.name
    if isinstance(function, Loop):
        return None
    if loss.owner == function.owner and function.arguments and "staticmethod" not in function.decorators:
        return f"{function.arguments[0]}.{loss.short_name}"
    return None


def _written_calls(source: SourceFile, loss: Function) -> list[str]:
    if loss.is_property:
        read = [n for n in walk(source.tree) if isinstance(n, ast.Attribute) and n.attr == loss.short_name]
        return list(dict.fromkeys(ast.unparse(node) for node in read if isinstance(node.ctx, ast.Load)))
    calls = [n for n in walk(source.tree) if isinstance(n, ast.Call) and called_name(n) == loss.short_name]
    # what makes something anew of itself is a step
    steps = {id(n.value) for n in walk(source.tree) if isinstance(n, ast.Assign) and hands_on(n)}
    return list(dict.fromkeys(ast.unparse(c) for c in calls if id(c) not in steps and not _moves(source, c)))


def _moves(source: SourceFile, expression: ast.expr) -> bool:
    """Whether an expression calls a function that moves parameters: what it returns is no function of them."""
    called = {called_name(node) for node in walk(expression) if isinstance(node, ast.Call)}
    first = [f for f in source.functions.values() if f.short_name in called]
    names = {f.name for f in first} | {name for f in first for name in reached(source, f)}
    everything = (s for name in names for s in source.functions[name].statements)
    return any(isinstance(s, ast.AugAssign) and "." in ast.unparse(s.target) for s in everything)


@cache
def _names(text: str) -> frozenset[str]:
    """Return the names that an expression takes from around it."""
    return frozenset(_taken(ast.parse(text, mode="eval").body)).difference(dir(builtins))


def _taken(node: ast.AST) -> Iterator[str]:
    """Return the names in a tree but for the variables of its comprehensions and lambdas, where they are these."""
    own: set[str] = set()
    match node:
        case ast.Name(name):
            yield name
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            own = {part.id for one in node.generators for part in walk(one.target) if isinstance(part, ast.Name)}
            # it is looked up before there are any of these
            yield from _taken(node.generators[0].iter)
        case ast.Lambda(arguments):
            own = {part.arg for part in walk(arguments) if isinstance(part, ast.arg)}
    for below in ast.iter_child_nodes(node):
        yield from (name for name in _taken(below) if name not in own)


def _residuals(function: Function | Loop) -> Iterator[tuple[str, str]]:
    """Return the two sides of every difference in the function."""
    for statement in function.statements:
        for node in walk(statement):
            match node:
                case ast.BinOp(left, ast.Sub(), right) if not isinstance(left, ast.Constant):
                    yield ast.unparse(left), ast.unparse(right)
