"""One rewrite: made, run, checked, and held against the script that it was made of."""

from __future__ import annotations

import random
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rewrites.answers import NO_ANSWER, Answer, answer, differences
from benchmarks.rewrites.fixtures import Fixture
from benchmarks.rewrites.forks import Forks
from benchmarks.rewrites.kinds import Kind
from benchmarks.rewrites.made import MARK, Made, Written, keep, parsed, statement_lines, written

# attempts that are run until one prints the same
_MOST_ATTEMPTS = 6


@dataclass(frozen=True)
class Draw:
    """What is to be rewritten, and how; all else follows from the seed.

    Attributes
    ----------
    turn : int
        Which of several rewrites of one kind it is.
    """

    fixture: str
    kind: str
    turn: int
    seed: int

    @property
    def rng(self) -> random.Random:
        """A source of random numbers that is this draw's own."""
        return random.Random(f"{self.seed} {self.fixture} {self.kind} {self.turn}")


@dataclass(frozen=True)
class Original:
    """A script as it is: what it prints and what is answered about it."""

    fixture: Fixture
    output: str
    answer: Answer


@dataclass(frozen=True)
class Trial:
    """What became of a rewrite.

    Attributes
    ----------
    before, after : Answer or None
        About the script and about the rewrite; None where no rewrite prints the same.
    different : tuple of str
        Of ``verdict``, ``set`` and ``line``.
    """

    draw: Draw
    before: Answer | None = None
    after: Answer | None = None
    different: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """How it is counted, by what weighs most."""
        if self.after is None:
            return "not applicable"
        if self.after.verdict == NO_ANSWER:
            return "no answer"
        return self.different[0] if self.different else "same"


def original(fixture: Fixture, forks: Forks, *, causes: bool = False) -> Original | None:
    """Run and check a script as it is; None if it does not run."""
    with tempfile.TemporaryDirectory() as folder:
        script = _beside(fixture, Path(folder)) / f"{fixture.stem}.py"
        script.write_text(fixture.text, encoding="utf-8")
        ran, output = forks.output(script)
        if not ran:
            return None
        lines = {(script.name, line): first for line, first in statement_lines(fixture.text).items()}
        for where, text in fixture.beside.items():
            lines |= {(where, line): first for line, first in statement_lines(text).items()}
        return Original(fixture, output, answer(forks.examined(script, causes=causes), script.name, lines))


def tried(
    draw: Draw, kind: Kind, before: Original, forks: Forks, *, causes: bool = False, kept: Path | None = None
) -> Trial:
    """Rewrite a script, and check the first attempt that prints the same.

    Parameters
    ----------
    kept : Path, optional
        Where the files of the rewrite stay.
    """
    fixture = before.fixture
    with tempfile.TemporaryDirectory() as scratch:
        folder = _beside(fixture, Path(scratch))
        found = safe(draw, kind, before, forks, folder)
        if found is None:
            return Trial(draw)
        made, files = found
        lines = dict(files.lines)
        for where, text in fixture.beside.items():
            lines |= {(where, line): first for line, first in statement_lines(text).items()}
        after = answer(forks.examined(folder / files.script, causes=causes), files.script, lines, made)
        if kept is not None:
            place = kept / draw.kind / fixture.name.rpartition("/")[0]
            place.mkdir(parents=True, exist_ok=True)
            keep(files, _beside(fixture, place))
    return Trial(draw, before.answer, after, tuple(differences(before.answer, after, made)))


def safe(draw: Draw, kind: Kind, before: Original, forks: Forks, folder: Path) -> tuple[Made, Written] | None:
    """Return the first rewrite that prints what the script prints, and leave its files in a folder."""
    for number, (made, files) in enumerate(_attempts(draw, kind, before.fixture)):
        if number >= _MOST_ATTEMPTS:
            return None
        keep(files, folder)
        ran, output = forks.output(folder / files.plain)
        if ran and _without_marked(output) == before.output:
            if files.plain != files.script:
                (folder / files.plain).unlink()
            return made, files
    return None


def _attempts(draw: Draw, kind: Kind, fixture: Fixture) -> Iterator[tuple[Made, Written]]:
    for made in kind(parsed(fixture.text), draw.rng):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                files = written(made, fixture.stem, fixture.directives)
                compile(files.files[files.plain], files.plain, "exec")
        except SyntaxError:
            # a name that is declared global where it is used already, for instance
            continue
        yield made, files


def _beside(fixture: Fixture, folder: Path) -> Path:
    """Write the modules that a script comes with; return the folder."""
    for where, text in fixture.beside.items():
        place = folder / where
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return folder


def _without_marked(output: str) -> str:
    return "".join(line for line in output.splitlines(keepends=True) if not line.startswith(MARK))


def drawn(names: list[str], kinds: Mapping[str, Kind], count: int, seed: int) -> list[Draw]:
    """Draw what is rewritten: each pair of a script and a kind once, then each of them again."""
    pairs = [(name, kind) for name in names for kind in kinds]
    random.Random(seed).shuffle(pairs)
    return [Draw(*pairs[number % len(pairs)], number // len(pairs), seed) for number in range(count)] if pairs else []
