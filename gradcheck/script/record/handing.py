"""Reads from the call of an optimizer which functions are handed over, and how these are called."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from gradcheck.script.record.handed import Handed
from gradcheck.script.source.optimizers import CONSTRAINT, CONSTRAINTS, Chain


@dataclass(frozen=True)
class _Link:
    """A function of a chain, and where in what it returns its part stands."""

    called: Any = None
    at: int | None = None


def handed_in(
    name: str, chains: Sequence[Chain], given: Mapping[str, Any], frame: types.FrameType | None
) -> Iterator[Handed]:
    """Return each pair of a function and its derivative in a call, by its arguments."""
    around = tuple(_around(frame))
    known: list[tuple[_Link, _Link]] = []
    for chain in chains:
        for pair, handed in _pairs(name, chain, given, around, frame):
            if pair not in known:
                known.append(pair)
                yield handed
    for constraint in _each(given.get(CONSTRAINTS)):
        has = constraint if isinstance(constraint, Mapping) else getattr(constraint, "__dict__", {})
        point = _at(chains[0].point, given)
        for _, handed in _pairs(name, CONSTRAINT, {"args": (), **has, CONSTRAINT.point: point}, around, frame):
            yield handed


def _pairs(
    name: str, chain: Chain, given: Mapping[str, Any], around: Any, frame: types.FrameType | None
) -> Iterator[tuple[tuple[_Link, _Link], Handed]]:
    links = list(_links(chain, given))
    point = _at(chain.point, given)
    for number, (function, derivative) in enumerate(pairwise(links), start=1):
        if derivative.called is None and not (chain.compares and len(links) == 2):
            continue
        is_last = number == len(chain.links) - 1
        yield (
            (function, derivative),
            Handed(
                name,
                function.called,
                derivative.called,
                value_at=function.at,
                slope_at=derivative.at,
                # a script may go on to change its array
                point=point.copy() if isinstance(point, np.ndarray) else point,
                leading=(given[chain.leading],) if chain.leading else (),
                args=_args(chain, given),
                keywords=_at(chain.keywords, given) or {},
                is_spread=chain.is_spread,
                is_named=chain.is_named,
                # a gradient has several values
                of_several=chain.several or number > 1,
                by_parameter=number == 1 and bool(_at(chain.by_parameter, given)),
                by_entry=chain.by_entry and np.size(point) > 1,
                times=chain.times and is_last and number > 1,
                compares=chain.compares,
                around=around,
                callables={} if frame is None or derivative.called else _callables(frame),
            ),
        )


def _links(chain: Chain, given: Mapping[str, Any]) -> Iterator[_Link]:
    """Return the functions of a chain; without a function where one is not handed over."""
    values = [_at(place, given) for place in chain.links]
    first = values[0]
    if not callable(first):
        return
    if chain.is_both and values[1] is None and not given.get("approx_grad"):
        values[1] = True
    is_more = [_is_true(value) for value in values[1:]]
    yield _Link(first, 0 if any(is_more) else None)
    for number, (value, is_true) in enumerate(zip(values[1:], is_more, strict=True), start=1):
        if is_true:
            yield _Link(first, number)
        else:
            yield _Link(value if callable(value) else None)
    if len(values) == 1:
        yield _Link()


def _is_true(value: Any) -> bool:
    return isinstance(value, bool | int | np.bool_) and bool(value)


def _at(places: str, given: Mapping[str, Any]) -> Any:
    """Return what lies at the first of some places where anything does."""
    for place in filter(None, places.split("|")):
        value: Any = given
        for step in place.split("."):
            value = value.get(step) if isinstance(value, Mapping) else getattr(value, step, None)
        if value is not None:
            return value
    return None


def _each(constraints: Any) -> Sequence[Any]:
    if constraints is None:
        return ()
    return constraints if isinstance(constraints, list | tuple) else (constraints,)


def _args(chain: Chain, given: Mapping[str, Any]) -> tuple[Any, ...]:
    found = _at(chain.args.removeprefix("*"), given)
    if found is None:
        return ()
    # SciPy takes what is no tuple for one argument
    return tuple(found) if chain.args.startswith("*") or isinstance(found, tuple) else (found,)


def _callables(frame: types.FrameType) -> dict[str, Any]:
    """Return what can be called among the variables of a function that asks for differences."""
    return {} if frame.f_code.co_name == "<module>" else {n: v for n, v in frame.f_locals.items() if callable(v)}


def _around(frame: types.FrameType | None) -> Iterator[tuple[str, str, int]]:
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_code.co_qualname, frame.f_lineno
        frame = frame.f_back
