"""What is wrong with a script's gradients, where, and what edit mends it: plain records for every report."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace

from gradcheck.script.source.file import Span
from gradcheck.script.source.place import DOT, shown


class Confidence(enum.StrEnum):
    """How sure a finding is."""

    VERIFIED = "verified"
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True)
class Edit:
    """One source line that is replaced.

    Attributes
    ----------
    old : str
        The line as it is, without its line end.
    new : str
        What replaces it: one line, several with line feeds between them, or an empty string that takes it away.
    """

    line: int
    old: str
    new: str

    def in_own_names(self) -> Edit:
        """Return it as it is written in its file, which knows its own names by no other."""
        return replace(self, new=re.sub(rf"\w*{DOT}(?=\w)", "", self.new)) if DOT in self.new else self


@dataclass(frozen=True)
class Fix:
    """Edits that belong together.

    Attributes
    ----------
    verified : bool
        Whether the edited script was examined from its beginning, and its gradients match at fresh points.
    alternatives : tuple of Fix
        Others that were verified in the same way and are as short; each is complete.
    remark : str or None
        What the user should know before he makes the edits.
    """

    edits: tuple[Edit, ...]
    verified: bool
    points: int
    alternatives: tuple[Fix, ...] = ()
    remark: str | None = None

    def in_own_names(self) -> Fix:
        """Return it with its edits as they are written in their files."""
        return replace(
            self,
            edits=tuple(edit.in_own_names() for edit in self.edits),
            alternatives=tuple(other.in_own_names() for other in self.alternatives),
            remark=self.remark and shown(self.remark),
        )


@dataclass(frozen=True)
class Finding:
    """A mistake: a root cause, not one of its consequences.

    Attributes
    ----------
    message : str
        The cause in one sentence, with the user's names.
    parameters : tuple of str
        The parameters whose gradients it makes wrong.
    evidence : tuple of str
        The numbers that tell so, a sentence each.
    fix : Fix or None
        What mends it. A fix of several findings together stands at the first of them.
    """

    code: str
    name: str
    message: str
    parameters: tuple[str, ...]
    span: Span
    confidence: Confidence
    evidence: tuple[str, ...] = ()
    fix: Fix | None = None

    def in_own_names(self) -> Finding:
        """Return it with names as the user knows them."""
        return replace(
            self,
            message=shown(self.message),
            parameters=tuple(map(shown, self.parameters)),
            evidence=tuple(map(shown, self.evidence)),
            fix=self.fix and self.fix.in_own_names(),
        )
