"""Whether a backward function is handed values that would have to change with the parameters, and will not."""

from __future__ import annotations

import numpy as np

from gradcheck.script.record.leaves import leaves
from gradcheck.script.record.run import Recording
from gradcheck.script.replay.backward import Backward


def computed_before(recording: Recording, backward: Backward) -> str | None:
    """Return the function whose result, computed from the parameters, is an argument of the backward function.

    Only where a replay starts at the backward function itself: from further up, the result is computed again.
    """
    if backward.region is not backward.function:
        return None
    parameters = {_key(pair.slot.leaf.value) for pair in backward.pairs}
    handed = _arrays(backward.example.arguments) - parameters
    for call in recording.calls:
        if call.function != backward.function.name and handed & _arrays({"result": call.result}):
            read = recording.source.functions[call.function].names
            seen = {name: value for name, value in call.variables.items() if name in read}
            if parameters & (_arrays(call.arguments) | _arrays(seen)):
                return call.function
    return None


def _arrays(variables: dict[str, object]) -> set[tuple[tuple[int, ...], bytes]]:
    found = (leaf.value for name, value in variables.items() for leaf in leaves(name, value))
    return {_key(value) for value in found if np.size(value) > 1}


def _key(value: object) -> tuple[tuple[int, ...], bytes]:
    array = np.asarray(value)
    return array.shape, array.tobytes()
