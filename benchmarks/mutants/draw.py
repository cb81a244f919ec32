"""A seeded draw of mutants, spread evenly over families and networks."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.mutants.losses import is_wrong
from benchmarks.mutants.operators import mutations
from benchmarks.mutants.places import Mutation, planted
from benchmarks.mutants.scripts import Network

TWO_MISTAKES = "two mistakes"


@dataclass(frozen=True)
class Mutant:
    """A network with one mistake, or with two.

    Attributes
    ----------
    network : Network
        The correct script.
    mistakes : tuple of Mutation
        What was planted, from top to bottom.
    """

    network: Network
    mistakes: tuple[Mutation, ...]

    @property
    def family(self) -> str:
        """The kind of its mistake."""
        return self.mistakes[0].family if len(self.mistakes) == 1 else TWO_MISTAKES

    @property
    def text(self) -> str:
        """Its source."""
        return planted(self.network, self.mistakes)

    def lines(self) -> list[tuple[int, ...]]:
        """Return for each mistake the lines of which a finding has to cover one."""
        shift, found = 0, []
        for mistake in self.mistakes:
            found.append(tuple(line + shift for line in mistake.lines))
            shift += mistake.new.count("\n") - self.network.text[mistake.start : mistake.end].count("\n")
        return found

    def changes(self) -> Iterator[tuple[int, str, str]]:
        """Return for each mistake its line, the old lines and the new ones."""
        text = self.network.text
        for mistake in self.mistakes:
            start = text.rfind("\n", 0, mistake.start) + 1
            # a span of whole lines ends after its line end
            end = text.index("\n", mistake.end - (text[mistake.end - 1] == "\n"))
            new = text[start : mistake.start] + mistake.new + text[mistake.end : max(end, mistake.end)]
            yield text.count("\n", 0, mistake.start) + 1, text[start:end].strip(), new.strip() or "(nothing)"


def singles(networks: list[Network], number: int, rng: random.Random) -> list[Mutant]:
    """Draw mutants with one mistake.

    The families take turns; each takes the network that has the fewest so far.

    Parameters
    ----------
    networks : list of Network
        The correct scripts.
    number : int
        How many; fewer, if there are not so many.
    rng : Random
        Decides which.
    """
    waiting: dict[str, dict[str, list[Mutant]]] = {}
    for network in networks:
        for mutation in mutations(network):
            waiting.setdefault(mutation.family, {}).setdefault(network.name, []).append(Mutant(network, (mutation,)))
    for mutants in itertools.chain.from_iterable(family.values() for family in waiting.values()):
        rng.shuffle(mutants)
    found: list[Mutant] = []
    taken: Counter[tuple[str, str]] = Counter()
    while waiting and len(found) < number:
        for family in list(waiting):
            mutant = _next(waiting[family], family, taken, rng)
            if mutant is None:
                del waiting[family]
            elif len(found) < number:
                found.append(mutant)
                taken.update([(family, mutant.network.name), ("", mutant.network.name)])
    return found


def _next(
    waiting: dict[str, list[Mutant]], family: str, taken: Counter[tuple[str, str]], rng: random.Random
) -> Mutant | None:
    names = list(waiting)
    rng.shuffle(names)
    for name in sorted(names, key=lambda one: (taken[family, one], taken["", one])):
        while waiting[name]:
            mutant = waiting[name].pop()
            if is_wrong(mutant.network.text, mutant.text):
                return mutant
        del waiting[name]
    return None


def doubles(pool: list[Mutant], number: int, rng: random.Random) -> list[Mutant]:
    """Pair mutants of one network, each of which is wrong by itself.

    Parameters
    ----------
    pool : list of Mutant
        With one mistake each.
    number : int
        How many; fewer, if there are not so many.
    rng : Random
        Decides which.
    """
    waiting: dict[str, list[Mutant]] = {}
    for one, other in itertools.combinations(pool, 2):
        first, second = sorted((one.mistakes[0], other.mistakes[0]), key=lambda mistake: mistake.start)
        if one.network is other.network and first.statement[1] <= second.statement[0]:
            waiting.setdefault(one.network.name, []).append(Mutant(one.network, (first, second)))
    for mutants in waiting.values():
        rng.shuffle(mutants)
    found: list[Mutant] = []
    taken: Counter[tuple[str, str]] = Counter()
    while len(found) < number and (mutant := _next(waiting, TWO_MISTAKES, taken, rng)):
        found.append(mutant)
        taken[TWO_MISTAKES, mutant.network.name] += 1
    return found
