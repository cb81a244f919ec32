"""A stretch of code that computes gradients: its parameters, its recorded moments, and where its replays start."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.script.record.leaves import is_numeric
from gradcheck.script.record.run import Call
from gradcheck.script.replay.outputs import Kind, Output
from gradcheck.script.replay.pairing import GradientMap
from gradcheck.script.replay.region import Region
from gradcheck.script.source.syntax import Function, Loop
from gradcheck.script.source.updates import Update


@dataclass(frozen=True)
class Backward:
    """A function or loop that computes gradients, and where its replays start.

    Attributes
    ----------
    function : Function or Loop
        The function, or the loop, one round of which computes gradients.
    example : Call
        The first recorded call of it, or round.
    outputs : tuple of Output
        The numeric parts of what that call returned, and what else is a gradient.
    pairs : tuple of GradientMap
        The gradients among them; the parameters are places in the moments.
    region : Region
        What a replay runs: the function itself, a loop or function around its call, or a layer that it belongs to.
    moments : tuple of Call
        Recorded calls or rounds of the region, at least one.
    updates : tuple of Update
        The statements of the script that move something by a step.
    shared : bool
        Whether one moment calls the function for several sets of parameters, of which a replay sees the first.
    driving : frozenset of str
        The names of what it moves that was seen to decide how things move.
    unmoved : frozenset of str
        The names of what it is to move, from its text, and does not.
    remade : tuple of GradientMap
        What it sets anew in each round, and what decides how things move until then.
    beside : tuple of GradientMap
        Other parameters that it moves: a loss has to be read before these are moved, too.
    handed : bool
        Whether an optimizer is handed the function as the derivative of the loss: no factor is a convention then.
    is_round : bool
        Whether the parameters' changes are those of a whole round of the region, after what the function has computed.
    is_repeated : bool
        Whether such a round calls the function several times, for one sample after the other.
    unclipped : frozenset of str
        The texts of the statements that clip gradients, and are left out of replays.
    """

    function: Function | Loop
    example: Call
    outputs: tuple[Output, ...]
    pairs: tuple[GradientMap, ...]
    region: Region
    moments: tuple[Call, ...]
    updates: tuple[Update, ...] = ()
    shared: bool = False
    driving: frozenset[str] = frozenset()
    unmoved: frozenset[str] = frozenset()
    remade: tuple[GradientMap, ...] = ()
    beside: tuple[GradientMap, ...] = ()
    handed: bool = False
    is_round: bool = False
    is_repeated: bool = False
    unclipped: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(pair.slot.name for pair in self.pairs)

    @property
    def stepping(self) -> Region:
        """The code at whose end the gradients, or the steps, are seen."""
        return self.region if self.is_round else self.function

    @property
    def kind(self) -> Kind:
        """How the gradients are handed over."""
        return self.pairs[0].output.kind if self.pairs else Kind.RETURNED

    @property
    def turned(self) -> frozenset[str]:
        """The parameters that the script moves along their gradients where it moves others against theirs.

        What it calls their gradients has the other sign, or the step has.
        """
        plain = [pair for pair in self.pairs if pair.motion.factor is not None]
        along = {pair.slot.name for pair in plain if pair.motion.sign > 0}
        return frozenset(along) if any(pair.motion.sign < 0 for pair in plain) else frozenset()

    @property
    def is_trained(self) -> bool:
        """Whether the script moves its parameters, as far as that was seen."""
        moved = any(pair.update is not None or pair.motion.sign for pair in self.pairs)
        return moved or self.handed or self.kind is Kind.CHANGE or isinstance(self.region, Loop)

    @property
    def is_narrow(self) -> bool:
        """Whether a parameter is in single or half precision."""
        return any(pair.slot.leaf.is_narrow for pair in self.pairs)


def has_places(backward: Backward, moment: Call) -> bool:
    """Whether everything that is a parameter lies where it does at a moment, too."""
    for pair in backward.pairs:
        try:
            value = pair.slot.at(moment)
        except (AttributeError, IndexError, KeyError, TypeError):
            return False
        if not is_numeric(value):
            return False
    return True
