"""The kinds of rewrites, by name.

Each is a function that is handed a parsed script of its own and a source of random numbers, and yields what it makes of
the script: one attempt after the other, of which the first one counts that prints what the script prints.

What is left out: a loss that is multiplied by a number. Its gradient has to be multiplied as well, and the step size
divided, so that the training stays the same; where these stand cannot be known without knowing what is the loss, which
is the question that is asked. A loss that is multiplied alone, in what is printed, is another loss than the one that
the gradient belongs to. What is done in place of that is to multiply a value and divide it again (``scale_back``).
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator

from benchmarks.rewrites.kinds.additions import add_helper, add_history, add_prints, add_timer
from benchmarks.rewrites.kinds.files import module_beside, notebook, reformat
from benchmarks.rewrites.kinds.inlining import inline_call
from benchmarks.rewrites.kinds.numbers import integers, scale_back
from benchmarks.rewrites.kinds.outlining import outline_loop
from benchmarks.rewrites.kinds.parameters import reorder_parameters
from benchmarks.rewrites.kinds.renaming import rename_numbered, rename_words
from benchmarks.rewrites.kinds.updates import add_negative, in_place, rebind, ufunc_out
from benchmarks.rewrites.kinds.wrapping import into_class, into_main
from benchmarks.rewrites.made import Made

Kind = Callable[[ast.Module, random.Random], Iterator[Made]]

KINDS: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (
        reformat,
        rename_numbered,
        rename_words,
        into_main,
        into_class,
        inline_call,
        outline_loop,
        rebind,
        in_place,
        ufunc_out,
        add_negative,
        integers,
        scale_back,
        module_beside,
        notebook,
        add_prints,
        add_history,
        add_timer,
        add_helper,
        reorder_parameters,
    )
}
