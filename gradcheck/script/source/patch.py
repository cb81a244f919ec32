"""Edits applied to the text of a script or of a notebook; what they do not name stays as it is, byte for byte."""

from __future__ import annotations

import codecs
import difflib
import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gradcheck.errors import FixError
from gradcheck.script.source.finding import Edit, Finding
from gradcheck.script.source.place import Cells

# where Python ends lines; str.splitlines ends them at more characters
_LINE = re.compile(r"(?P<text>[^\r\n]*)(?P<end>\r\n|\r|\n|\Z)")
# the same in the raw text of a JSON string, whose escapes are taken whole
_RAW_LINE = re.compile(r"(?P<text>(?:[^\\]|\\(?![rn]).)*)(?P<end>\\r\\n|\\r|\\n|\Z)", re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")
_NO_NEWLINE = b"\\ No newline at end of file\n"


def verified_edits(findings: Iterable[Finding]) -> tuple[Edit, ...]:
    """Return the edits of all verified fixes, in ascending order of their lines.

    Where two fixes would edit the same line, the better finding's is taken: that is the first one.
    """
    taken: dict[int, Edit] = {}
    for finding in findings:
        if finding.fix is not None and finding.fix.verified:
            edits = {edit.line: edit for edit in finding.fix.edits}
            if not any(taken.get(line, edit) != edit for line, edit in edits.items()):
                taken |= edits
    return tuple(taken[line] for line in sorted(taken))


def apply_edits(lines: Sequence[str], edits: Iterable[Edit]) -> list[str]:
    """Return lines with edits applied."""
    found = [[line] for line in lines]
    for edit in edits:
        now = lines[edit.line - 1] if 0 < edit.line <= len(lines) else None
        _expect(edit, now)
        found[edit.line - 1] = new_lines(edit)
    return [line for group in found for line in group]


def new_lines(edit: Edit) -> list[str]:
    """Return the lines that an edit puts in place of its line: none, one or several."""
    return edit.new.split("\n") if edit.new else []


def _expect(edit: Edit, now: str | None) -> None:
    if now != edit.old:
        seen = "the file is shorter" if now is None else f"got {now.strip()!r}"
        raise FixError(f"line {edit.line} is not what the fix was made for: expected {edit.old.strip()!r}, {seen}")


def edited_script(raw: bytes, edits: Iterable[Edit]) -> bytes:
    """Return the bytes of a script with edits applied, in its own encoding and with its own line ends."""
    encoding = _encoding(raw)
    text = _decoded(raw, encoding)
    lines = [(m["text"], m["end"]) for m in _LINE.finditer(text) if m[0]]
    groups = [text + end for text, end in lines]
    common = next((end for _, end in lines if end), "\n")
    for edit in edits:
        now, end = lines[edit.line - 1] if 0 < edit.line <= len(lines) else (None, "")
        _expect(edit, now)
        new = new_lines(edit)
        groups[edit.line - 1] = (end or common).join(new) + (end if new else "")
    return _encoded("".join(groups), encoding)


def _encoding(raw: bytes) -> str:
    try:
        return tokenize.detect_encoding(io.BytesIO(raw).readline)[0]
    except SyntaxError as error:
        raise FixError(f"the file cannot be decoded: {error.msg}") from None


def _decoded(raw: bytes, encoding: str) -> str:
    try:
        text = raw.decode(encoding)
        same = text.encode(encoding) == raw
    except UnicodeError as error:
        raise FixError(f"the file cannot be decoded as {encoding}: {error}") from None
    if not same:
        raise FixError(f"the file is written in {encoding} in a way that cannot be kept; save it as UTF-8")
    return text


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        letters = error.object[error.start : error.end]
        raise FixError(f"the fix needs {letters!r}, which {encoding} does not have; save the file as UTF-8") from None


def edited_notebook(raw: bytes, edits: Iterable[Edit], cells: Cells) -> bytes:
    """Return the bytes of a notebook with edits applied to the sources of its code cells.

    Everything else keeps its bytes: other cells, outputs, indentation, the order of keys, escapes.
    """
    encoding = "utf-8-sig" if raw.startswith(codecs.BOM_UTF8) else "utf-8"
    text = _decoded(raw, encoding)
    sources = list(_sources(text))
    changes: list[tuple[int, int, str]] = []
    by_cell: dict[int, list[Edit]] = {}
    for edit in edits:
        place = cells.place("", edit.line)
        moved = Edit(place.cell_line or 1, edit.old, edit.new)
        by_cell.setdefault(place.cell or 1, []).append(moved)
    for number, wanted in by_cell.items():
        if number > len(sources):
            raise FixError(f"the notebook has no code cell {number} any more")
        changes.append(_changed_source(text, sources[number - 1], wanted))
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return _encoded(text, encoding)


@dataclass(frozen=True)
class _Source:
    """The strings of a cell's source in the text of the file: where each lies, without its quotation marks."""

    strings: tuple[tuple[int, int], ...]
    is_list: bool


def _sources(text: str) -> Iterator[_Source]:
    """Find the sources of the code cells in the text of a notebook."""
    try:
        members = dict(_members(text, _SPACE.match(text).end()))  # type: ignore[union-attr] # it matches anything
        if "cells" not in members:
            raise FixError("the notebook is of an old version of the format; open it in Jupyter and save it again")
        for start, _ in _elements(text, members["cells"][0]):
            cell = dict(_members(text, start))
            if json.loads(text[slice(*cell["cell_type"])]) == "code":
                start, end = cell["source"]
                is_list = text[start] == "["
                strings = _elements(text, start) if is_list else [(start, end)]
                yield _Source(tuple((a + 1, b - 1) for a, b in strings), is_list)
    except (ValueError, KeyError, IndexError) as error:
        raise FixError(f"the notebook cannot be read any more: {error}") from None


def _members(text: str, start: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Return the keys of the JSON object that starts at a place, each with the place of its value."""
    for begin, end in _elements(text, start, is_object=True):
        key, after = json.JSONDecoder().raw_decode(text, begin)
        colon = _skip(text, after)
        yield key, (_skip(text, colon + 1), end)


def _elements(text: str, start: int, *, is_object: bool = False) -> Iterator[tuple[int, int]]:
    """Return the places of the elements of the JSON array, or of the members of the object, that starts at a place."""
    decoder = json.JSONDecoder()
    place = _skip(text, start + 1)
    while text[place] not in "]}":
        _, end = decoder.raw_decode(text, place)
        if is_object:
            _, end = decoder.raw_decode(text, _skip(text, _skip(text, end) + 1))
        yield place, end
        place = _skip(text, end)
        if text[place] == ",":
            place = _skip(text, place + 1)


def _skip(text: str, place: int) -> int:
    return _SPACE.match(text, place).end()  # type: ignore[union-attr] # it matches anything


def _changed_source(text: str, source: _Source, edits: Iterable[Edit]) -> tuple[int, int, str]:
    """Return the place of a cell's source in the text, and what replaces it."""
    pieces = [[text[start:end]] for start, end in source.strings]
    # which string a line is in, and the line as it is written there, with its end
    lines = [(i, m["text"], m["end"]) for i, (raw,) in enumerate(pieces) for m in _RAW_LINE.finditer(raw) if m[0]]
    written = [line + end for _, line, end in lines]
    for edit in edits:
        now = lines[edit.line - 1] if 0 < edit.line <= len(lines) else None
        written[edit.line - 1] = _rewritten(edit, now)
    for i in range(len(pieces)):
        joined = [new for (j, *_), new in zip(lines, written, strict=True) if j == i]
        is_one_line = source.is_list and len(joined) == 1
        pieces[i] = _split(joined[0]) if is_one_line else ["".join(joined)]
    return _assembled(text, source, pieces)


def _rewritten(edit: Edit, now: tuple[int, str, str] | None) -> str:
    """Return a line of a JSON string after an edit, as it is written there."""
    if now is None:
        _expect(edit, None)
        return ""
    _, raw, end = now
    line = json.loads(f'"{raw}"')
    # a notebook runs a cell without the indentation of its first line, and that is how it was read
    indent = line[: len(line) - len(edit.old)] if line.endswith(edit.old) else line
    _expect(edit, edit.old if not indent.strip() else line)
    ascii_only = raw.isascii() and not edit.old.isascii()
    new = [json.dumps(indent + text, ensure_ascii=ascii_only)[1:-1] for text in new_lines(edit)]
    return (end or "\\n").join(new) + (end if new else "")


def _split(raw: str) -> list[str]:
    return [m[0] for m in _RAW_LINE.finditer(raw) if m[0]]


def _assembled(text: str, source: _Source, pieces: list[list[str]]) -> tuple[int, int, str]:
    """Put the strings of a source together again, with what stands between them."""
    first, last = source.strings[0][0], source.strings[-1][1]
    between = [text[a[1] : b[0]] for a, b in zip(source.strings, source.strings[1:], strict=False)]
    before = text[: first - 1]
    default = '",' + before[len(before.rstrip()) :] + '"'
    groups = [(between[0] if between else default).join(strings) for strings in pieces]
    found = ""
    for i, (group, strings) in enumerate(zip(groups, pieces, strict=True)):
        if strings:
            found += (between[i - 1] if i and found else "") + group
    return first, last, found


def unified_diff(name: str, before: bytes, after: bytes) -> bytes:
    """Return what changed in a file as a unified diff that ``patch -p1`` and ``git apply`` understand."""
    # not bytes.splitlines, which ends lines at a lone carriage return, too
    old, new = (re.findall(rb"[^\n]*\n|[^\n]+", raw) for raw in (before, after))
    found = b""
    names = (f"a/{name}".encode(), f"b/{name}".encode())
    for line in difflib.diff_bytes(difflib.unified_diff, old, new, *names):
        found += line if line.endswith(b"\n") else line + b"\n" + _NO_NEWLINE
    return found
