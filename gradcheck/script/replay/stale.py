"""Whether a backward function is handed values that would have to change with the parameters, and will not."""

from __future__ import annotations

import ast

import numpy as np

from gradcheck.script.record.leaves import leaves
from gradcheck.script.record.run import Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.source.syntax import Code, blocks, flat_targets, walk


def computed_before(recording: Recording, backward: Backward) -> str | None:
    """Return the function whose result, computed from the parameters, is an argument of the backward function.

    Only where a replay starts at the backward function itself: from further up, the result is computed again.
    """
    if backward.region is not backward.function:
        return None
    parameters = {_key(pair.slot.leaf.value) for pair in backward.pairs}
    anew = _computed_anew(backward.function)
    found = [leaf for name, value in backward.example.arguments.items() for leaf in leaves(name, value)]
    kept = [leaf for leaf in found if not any(_is_within(leaf.name, name) for name in anew)]
    handed = {_key(leaf.value) for leaf in kept if np.size(leaf.value) > 1} - parameters
    for call in recording.calls:
        is_before = call.function != backward.function.name and call.left < backward.example.entered
        if is_before and handed & _arrays({"result": call.result}):
            read = recording.source.functions[call.function].names
            seen = {name: value for name, value in call.variables.items() if name in read}
            if parameters & (_arrays(call.arguments) | _arrays(seen)):
                return call.function
    return None


def _computed_anew(code: Code) -> set[str]:
    """Return what some code gives a value to before it reads it: what is left of an earlier round is not used."""
    anew, read = set[str](), set[str]()
    for statement in code.statements:
        inner = {id(node) for block in blocks(statement) for part in block for node in walk(part)}
        read |= {
            ast.unparse(node)
            for node in walk(statement)
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load) and id(node) not in inner
        }
        if isinstance(statement, ast.Assign):
            anew |= {ast.unparse(part) for target in statement.targets for part in flat_targets(target)} - read
    return anew


def _is_within(name: str, whole: str) -> bool:
    return name == whole or name.startswith((f"{whole}.", f"{whole}["))


def _arrays(variables: dict[str, object]) -> set[tuple[tuple[int, ...], bytes]]:
    found = (leaf.value for name, value in variables.items() for leaf in leaves(name, value))
    return {_key(value) for value in found if np.size(value) > 1}


def _key(value: object) -> tuple[tuple[int, ...], bytes]:
    array = np.asarray(value)
    return array.shape, array.tobytes()
