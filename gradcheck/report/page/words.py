"""Numbers, counts and the user's own text as they are shown on the page."""

from __future__ import annotations

import math
from typing import Any

TIMES, MINUS = " \N{MULTIPLICATION SIGN} ", "\N{MINUS SIGN}"
# what a browser would drop, obey or turn the text round with; tabs and line feeds are meant
_CONTROLS = (*range(0x00, 0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0))
_INVISIBLE = (0x061C, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
_SURROGATES = range(0xD800, 0xE000)
_VISIBLE = {c: f"\\x{c:02x}" for c in _CONTROLS} | {c: f"\\u{c:04x}" for c in (*_INVISIBLE, *_SURROGATES)}


def visible(value: Any) -> Any:
    """Return a text with each character that a browser would obey as an escape of Python; other values as they are."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return value.replace("\r\n", "\n").translate(_VISIBLE)
    return value


def exact(value: float) -> str:
    """Return a number with all its digits: ``nan``, ``inf`` and ``-inf`` where it is not finite."""
    return repr(float(value))


def short(value: float) -> str:
    """Return a number with six digits, for a table."""
    return f"{float(value):.6g}"


def rough(value: float) -> str:
    """Return a number with two digits, for errors."""
    return f"{float(value):.2g}"


def bound(value: float) -> str:
    """Return an error bound as it stands behind a number."""
    return f"{float(value):.1g}" if math.isfinite(value) else "unknown"


def counted(number: int, word: str, plural: str = "") -> str:
    """Return a number with its word: ``1 entry``, ``2,000 entries``."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def listed(words: list[str]) -> str:
    """Return words as a sentence has them: ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def sized(shape: tuple[int, ...]) -> str:
    """Return a shape, its lengths with a multiplication sign between them, or ``scalar``."""
    return TIMES.join(map(str, shape)) or "scalar"


def place(name: str, index: tuple[int, ...]) -> str:
    """Return what an entry is called: ``W1[2, 0]``; a number has its name alone."""
    return f"{name}[{', '.join(map(str, index))}]" if index else name
