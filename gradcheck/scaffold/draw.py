"""Statements that draw small random arguments of the kinds that were recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gradcheck.scaffold.layout import Group, Item, quoted
from gradcheck.session.samples import Kind, Literal, Numbers, Parts, Sample

# longer axes than this are shortened, to lengths from the second number on
_LONG, _SHORTEST = 8, 5


def shortened(samples: Sequence[Sample]) -> dict[int, int]:
    """Return shorter lengths for long axes: the same for the same, in the same order, and none that is taken."""
    lengths = {length for sample in samples for numbers in _numbers(sample) for length in numbers.shape}
    free = (n for n in range(_SHORTEST, _SHORTEST + 2 * len(lengths) + _LONG) if n not in lengths)
    return {length: next(free) for length in sorted(lengths) if length > _LONG}


def drawn(sample: Sample, lengths: Mapping[int, int], generator: str, head: str = "") -> Item:
    """Return an expression for an argument like a recorded one."""
    match sample:
        case Literal(text):
            return head + (quoted(text[1:-1]) if text[:1] in "'\"" else text)
        case Parts(kind, items):
            keyed = kind == "dict"
            opening, closing = {"dict": ("{", "}"), "list": ("[", "]")}.get(kind, ("(", ")"))
            parts = tuple(drawn(part, lengths, generator, f"{quoted(key)}: " if keyed else "") for key, part in items)
            return Group(head + opening, parts, closing, is_display=True)
        case Numbers():
            text = _expression(sample, lengths, generator)
            return head + text + (".tolist()" if sample.is_list else "")


def _expression(numbers: Numbers, lengths: Mapping[int, int], rng: str) -> str:
    shape = tuple(lengths.get(length, length) for length in numbers.shape)
    size = "" if not shape else f"size={shape[0] if len(shape) == 1 else shape}"
    rows, columns = (shape[0], shape[-1]) if shape else (1, 1)
    top = numbers.high + 1
    match numbers.kind:
        case Kind.REAL:
            return f"{rng}.normal({size})"
        case Kind.POSITIVE:
            return f"{rng}.uniform({', '.join(filter(None, ('0.5', '1.5', size)))})"
        case Kind.UNIT:
            return f"{rng}.random({size})"
        case Kind.BINARY:
            return f"{rng}.integers(2, {size}).astype(float)"
        case Kind.SIGN:
            return f"{rng}.choice([-1, 1], {size})"
        case Kind.MASK:
            return f"{rng}.random({size}) < 0.5"
        case Kind.CLASSES:
            return f"{rng}.integers({lengths.get(top, top)}, {size})"
        case Kind.WHOLE:
            return f"{rng}.integers({numbers.low}, {top}, {size})"
        case Kind.ONE_HOT_ROWS:
            return f"np.eye({columns})[{rng}.integers({columns}, size={rows})]"
        case Kind.ONE_HOT_COLUMNS:
            return f"np.eye({rows})[:, {rng}.integers({rows}, size={columns})]"
        case Kind.SIMPLEX_ROWS:
            return f"{rng}.dirichlet(np.ones({columns}), size={rows})"
        case Kind.SIMPLEX_COLUMNS:
            return f"{rng}.dirichlet(np.ones({rows}), size={columns}).T"


def _numbers(sample: Sample) -> Iterator[Numbers]:
    if isinstance(sample, Numbers):
        yield sample
    elif isinstance(sample, Parts):
        for _, part in sample.items:
            yield from _numbers(part)
