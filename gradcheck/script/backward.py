"""A function that returns gradients: its parameters, its recorded moments, and where its replays start."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.script.outputs import Output
from gradcheck.script.pairing import GradientMap
from gradcheck.script.record import Call
from gradcheck.script.syntax import Function, Loop
from gradcheck.script.updates import Update


@dataclass(frozen=True)
class Backward:
    """A function that returns gradients, and where its replays start.

    Attributes
    ----------
    function : Function
        The function.
    example : Call
        The first recorded call of it.
    outputs : tuple of Output
        The numeric parts of what that call returned.
    pairs : tuple of GradientMap
        The gradients among them; the parameters are places in the moments.
    region : Function or Loop
        What a replay runs: the function itself, or a loop or function around its call.
    moments : tuple of Call
        Recorded calls or rounds of the region, at least one.
    updates : tuple of Update
        The statements of the script that move something by a step.
    shared : bool
        Whether one moment calls the function for several sets of parameters, of which a replay sees the first.
    """

    function: Function
    example: Call
    outputs: tuple[Output, ...]
    pairs: tuple[GradientMap, ...]
    region: Function | Loop
    moments: tuple[Call, ...]
    updates: tuple[Update, ...] = ()
    shared: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(pair.slot.name for pair in self.pairs)

    @property
    def is_narrow(self) -> bool:
        """Whether a parameter is in single or half precision."""
        return any(pair.slot.leaf.is_narrow for pair in self.pairs)
