"""What people call gradients, losses and step sizes, and which parameter a gradient's name belongs to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_PREFIX = re.compile(
    r"^(?:d(?:loss|cost|error|err|j|l|e)_?d_?|(?:gradients?|grads?|deltas?|nablas?|partial|deriv(?:ative)?|der|del)_?|[dg]_?)(?=\w)",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"(?<=\w)_?(?:gradients?|grads?|deltas?|nablas?|deriv(?:ative)?|prime)$", re.IGNORECASE)
_GRADIENT_WORD = re.compile(r"(?i:grad|delta|nabla|deriv|jac|prime|back_?prop|backward)|^[dg][A-Z_]|^g$")
_UPSTREAM_WORD = re.compile(r"upstream|error|(?:^|_)err|resid|loss|delta|(?:^|_)next", re.IGNORECASE)
_DERIVATIVE_WORD = re.compile(
    r"(?:^|_)(?:d|der|deriv\w*|prime|grad\w*|delta\w*|nabla\w*|jac\w*|back\w*|slope)(?:_|$)|prime|grad|deriv|back_?prop",
    re.IGNORECASE,
)
_GRADIENT_FUNCTION = re.compile(r"grad|jac|fprime", re.IGNORECASE)
_LOSS = re.compile(
    r"(?:^|_)(?:loss\w*|cost\w*|j|nll|mse|sse|rmse|bce|xent|cross_?entropy|\w*entrop\w*|objective|chi|chi_?sq\w*|chi2|rss|ssr|ssq|misfit|deviance|log_?lik\w*)(?:_|$)|loss|cost|verlust|entrop(?:y|ie|ia)|kosten|perte|perda|perdida|strata|koszt|coste|custo|perdita",
    re.IGNORECASE,
)
_WEAK_LOSS = re.compile(r"error|err$|^e$|^l$|energy|likelihood|reward|residual|fehler|total|^f$|fun", re.IGNORECASE)
_MAXIMISED = re.compile(
    r"likelihood|(?:^|_)(?:ll|log_?lik\w*|reward\w*|returns?|elbo|score|utility|fitness)(?:_|$)",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"(?:^|_)(?:neg|minus)|nll", re.IGNORECASE)
_STEP_SIZE = re.compile(
    r"(?:^|_)(?:lr|alpha|eta|rate|step\w*|epsilon|mu|gamma)(?:_|$|\d)|learn\w*_?rate|step_?size|lernrate", re.IGNORECASE
)

_LISTED = 6


@lru_cache(maxsize=65536)
def base_name(name: str) -> str:
    """Return the part of a name that says which parameter it is: ``W1`` of ``self.W1`` and ``params['W1']``.

    The index of a list element stays: ``weights[1]``.
    """
    if found := re.search(r"\[['\"]([^'\"]+)['\"]\]$", name):
        return found[1]
    return name.rsplit(".", 1)[-1] if "." in name else name


def fold(name: str) -> str:
    """Return a name without case and underscores, for comparisons."""
    return name.replace("_", "").lower()


def parameter_of(label: str) -> list[str]:
    """Return the parameter names that a gradient's name may stand for, the likeliest first.

    ``dW1``, ``grad_W1``, ``W1_grad``, ``delta_w1``, ``dL_dW1`` and ``g_w1`` all stand for ``W1`` or ``w1``; a name
    that does not look like a gradient's stands for nothing.
    """
    base = base_name(label)
    found = [stripped for pattern in (_PREFIX, _SUFFIX) if (stripped := pattern.sub("", base, count=1)) != base]
    if found and (again := _PREFIX.sub("", found[0], count=1)) != found[0]:
        found.append(again)
    return [name for name in found if name]


@lru_cache(maxsize=65536)
def is_gradient_word(name: str) -> bool:
    """Whether a name (of a function, a container, a variable) says that it is about gradients."""
    return bool(_GRADIENT_WORD.search(base_name(name)))


def is_upstream_word(name: str) -> bool:
    """Whether a name says that something comes back from the layers above."""
    return bool(_UPSTREAM_WORD.search(name))


def is_derivative_function(name: str) -> bool:
    """Whether a function's name says that it returns a derivative."""
    return bool(_DERIVATIVE_WORD.search(name))


def is_gradient_function(name: str) -> bool:
    """Whether a function's name says that it returns a whole gradient, not the slope of a single number."""
    return bool(_GRADIENT_FUNCTION.search(name))


def loss_rank(name: str) -> int:
    """How much a name looks like that of a loss: 2 for ``loss`` and ``cost``, 1 for ``error``, 0 for neither."""
    base = base_name(name)
    if is_derivative_function(base):
        return 0
    return 2 if _LOSS.search(base) else 1 if _WEAK_LOSS.search(base) else 0


def is_maximised(name: str) -> bool:
    """Whether a loss's name says that it is to be made large."""
    base = base_name(name)
    return bool(_MAXIMISED.search(base)) and not _NEGATED.search(base)


def is_undirected(name: str) -> bool:
    """Whether a loss's name leaves open if it is to be made small or large: ``J``, ``objective``."""
    return bool(re.fullmatch(r"(?i)j\w?|\w*objective\w*|obj|surrogate\w*|f|value|criterion", base_name(name)))


def is_step_size(name: str) -> bool:
    """Whether a name is one that people give to a learning rate."""
    return bool(_STEP_SIZE.search(base_name(name)))


def few(names: Sequence[str]) -> str:
    """Return some names as a list in a sentence, and how many there are more."""
    return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
