"""The fixture scripts and what their comments expect."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from gradcheck.api import examine_script
from gradcheck.session.result import ScriptResult
from gradcheck.settings import Options

FIXTURES = Path(__file__).parents[2] / "fixtures"
# a file of zero bytes has no room for a comment
WITHOUT_COMMENT = {"empty.py": "empty"}
_EXPECT = re.compile(r"# expect: (match|mismatch|error)(?: (.+))?")


@dataclass(frozen=True)
class Expectation:
    """What the header of a fixture script promises.

    Parameters
    ----------
    match, mismatch : frozenset of str
        Names of the parameters whose gradients are right and wrong.
    error : str, optional
        Slug of the error that the script leads to.
    """

    match: frozenset[str] = frozenset()
    mismatch: frozenset[str] = frozenset()
    error: str | None = None

    @property
    def verdict(self) -> str:
        """The verdict on the whole script."""
        if self.error is not None:
            return "error"
        return "mismatch" if self.mismatch else "match"


class Shelf:
    """What was found in the fixture scripts, each of them examined once by whichever process asks first.

    Parameters
    ----------
    folder : Path
        Is shared by the processes of one run of the tests, and by no other run.
    examiner, scipy_examiner : callable, optional
        Stand in for ``examine_isolated`` while a script is examined, and no longer: the second has imported SciPy, for
        scripts that do.
    """

    def __init__(self, folder: Path, examiner: Any = None, scipy_examiner: Any = None) -> None:
        self._folder, self._examiner = folder, examiner
        self._scipy_examiner = scipy_examiner or examiner

    def __call__(self, path: Path, *, fix: bool = False, **options: Any) -> ScriptResult:
        """Return the result; causes of wrong gradients are looked for on demand only, as that takes longest."""
        # a limit for a script that hangs, not for one beside which others are busy
        asked = Options(**{"fix": fix, "timeout": 600.0, **options})
        place = self._folder / hashlib.sha256(f"{path} {asked}".encode()).hexdigest()
        with FileLock(f"{place}.lock"):
            if not place.exists():
                with pytest.MonkeyPatch.context() as patch:
                    examiner = self._scipy_examiner if "scipy" in read_text(path) else self._examiner
                    if examiner is not None:
                        patch.setattr("gradcheck.api.examine_isolated", examiner)
                    place.write_bytes(pickle.dumps(examine_script(path, asked)))
        found: ScriptResult = pickle.loads(place.read_bytes())
        return found


def entry_names(path: Path) -> dict[str, list[str]]:
    """Return the names under which a script takes parameter vectors apart: ``# entries: theta = a, b``."""
    found = re.findall(r"^# entries: (\w+) = (.+)$", read_text(path), re.MULTILINE)
    return {name: entries.split(", ") for name, entries in found}


def scripts(folder: str) -> list[Path]:
    """List the scripts or notebooks of one fixture folder, sorted by name."""
    return sorted(path for path in (FIXTURES / folder).iterdir() if path.suffix in {".py", ".ipynb"})


def read_text(path: Path) -> str:
    """Return the text of a script, whatever its bytes are: no UTF-8 here has a meaning for the comments.

    Of a notebook, it is the text of its code cells.
    """
    data = path.read_bytes()
    if path.suffix == ".ipynb":
        cells = [cell["source"] for cell in json.loads(data)["cells"] if cell["cell_type"] == "code"]
        return "\n".join("".join(source) for source in cells)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def is_undecided(path: Path) -> bool:
    """Whether a script is not understood yet: an honest refusal is the best answer for now, a wrong one never is."""
    return path.name not in WITHOUT_COMMENT and "# undecided for now" in read_text(path).splitlines()


def expectation(path: Path) -> Expectation:
    """Parse the ``# expect:`` comments of a script.

    Raises
    ------
    ValueError
        When a script says nothing, says something unknown, or contradicts itself.
    """
    if path.name in WITHOUT_COMMENT:
        return Expectation(error=WITHOUT_COMMENT[path.name])
    named: dict[str, list[str]] = {"match": [], "mismatch": [], "error": []}
    lines = [line for line in read_text(path).splitlines() if line.startswith("# expect")]
    for line in lines:
        found = _EXPECT.fullmatch(line)
        if found is None or (found[1] != "match" and found[2] is None):
            raise ValueError(f"{path.name}: cannot read {line!r}")
        named[found[1]] += found[2].split(", ") if found[2] else []
    twice = set(named["match"]) & set(named["mismatch"])
    if not lines or twice or (named["error"] and len(lines) > 1):
        raise ValueError(f"{path.name}: expectations are missing or contradict each other, got {lines}")
    error = named["error"][0] if named["error"] else None
    return Expectation(frozenset(named["match"]), frozenset(named["mismatch"]), error)
