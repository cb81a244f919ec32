"""The verdict benchmark: random functions and networks, put to gradcheck and to its peers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.checkers import Checker, GradcheckChecker
from benchmarks.functions import function_problem
from benchmarks.networks import network_problems
from benchmarks.peers import load_peers
from benchmarks.problems import Problem
from benchmarks.tables import by_error, by_group, by_label, totals
from benchmarks.tally import Tally, examine


def introduction(checkers: Iterable[Checker], notes: Iterable[str]) -> Iterator[str]:
    """Return lines that say who is asked, and what counts as a match of whom.

    Parameters
    ----------
    checkers : iterable of Checker
        Who is asked.
    notes : iterable of str
        Who is not, and why.
    """
    yield from (f"{checker.name} {checker.version}: {checker.rule}" for checker in checkers)
    yield from notes


def function_tables(checkers: list[Checker], seeds: range) -> Iterator[str]:
    """Return the tables of the random functions.

    Parameters
    ----------
    checkers : list of Checker
        Who is asked.
    seeds : range
        Of the functions.
    """
    tally = Tally()
    examine(checkers, map(function_problem, seeds), tally)
    yield f"\n{len(seeds)} random functions, seeds {seeds.start} to {seeds.stop - 1}\n"
    yield by_error(tally)
    yield "\nfalse alarms on correct / misses of wrong gradients\n"
    yield by_group(tally, "class")
    yield from _mistakes(tally)


def network_tables(checkers: list[Checker], seeds: range) -> Iterator[str]:
    """Return the tables of the networks.

    Parameters
    ----------
    checkers : list of Checker
        Who is asked.
    seeds : range
        Of the networks.
    """
    tally = Tally()
    problems: Iterator[Problem] = (problem for seed in seeds for problem in network_problems(seed))
    examine(checkers, problems, tally)
    yield f"\nnetworks of 1,045 parameters, seeds {seeds.start} to {seeds.stop - 1}\n"
    yield totals(tally)
    yield "\nwrong gradients that were accepted\n"
    yield by_label(tally, "mistake")
    yield "\nfalse alarms on correct / misses of wrong gradients\n"
    yield by_group(tally, "situation")
    yield from _mistakes(tally)


def all_lines(peers: Iterable[str], functions: range, networks: range) -> Iterator[str]:
    """Return the whole report line by line, as it becomes known.

    Parameters
    ----------
    peers : iterable of str
        Names of the peers to ask as well.
    functions, networks : range
        Seeds.
    """
    found, notes = load_peers(peers)
    checkers: list[Checker] = [GradcheckChecker(), *found]
    yield from introduction(checkers, notes)
    if functions:
        yield from function_tables(checkers, functions)
    if networks:
        yield from network_tables(checkers, networks)


def _mistakes(tally: Tally) -> Iterator[str]:
    """Tell each mistake of the project's own checker, to be looked into, and errors of all."""
    own = tally.mistakes.get(GradcheckChecker.name, [])
    yield f"\nmistakes of {GradcheckChecker.name}: {len(own)}"
    yield from own
    yield from (f"{name} raised, for example: {message}" for name, message in tally.errors.items())
