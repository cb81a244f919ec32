"""What an independent judge says about an edited text of a script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gradcheck.script.source.file import SourceFile


@dataclass(frozen=True)
class Judgement:
    """What was found out about an edited text, examined from its beginning.

    Attributes
    ----------
    points : int
        At how many fresh points all of its gradients match; 0 where it was refused.
    remark : str or None
        What the user should know about a text that was not refused.
    harm : str or None
        How the script's own training goes wrong with the edits, where they were refused for that.
    is_open : bool
        Whether there was not enough time to judge.
    """

    points: int = 0
    remark: str | None = None
    harm: str | None = None
    is_open: bool = False


# examines another text of the script from its beginning
Judge = Callable[[SourceFile], Judgement]
