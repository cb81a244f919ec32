"""Imports point downwards only; the list below is the layout of the package."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import gradcheck

PACKAGE = Path(__file__).parent.parent / "gradcheck"

# the rooms, from the top to the bottom: each imports only what stands below it, and what lies in it
ROOMS = (
    "__main__",
    "cli",
    "commands",
    "pytest_plugin",
    "notebook",
    "scaffold",
    "compare",
    "fix",
    "batch",
    "api",
    "report",
    "comparison",
    "session",
    "repair",
    "diagnosis",
    "script.check",
    "script.understand",
    "script.replay",
    "script.record",
    "script.source",
    "script.request",
    "adapters",
    "checker",
    "evaluate",
    "numerics",
    "reference",
    "settings",
    "errors",
    "demo",
    "_version",
)
# the numeric core and the trainer need nothing but NumPy, and the trainer nothing of the checker either
NUMPY_ONLY = {"checker", "evaluate", "numerics", "reference", "settings", "errors"}
# libraries that only these modules may import, or those of these packages, wherever the import stands
ONLY_IN = {
    "pandas": {"gradcheck.report.table"},
    "click": {"gradcheck.cli", "gradcheck.commands"},
    "matplotlib": {"gradcheck.report.plot", "gradcheck.report.panels", "gradcheck.report.pictures"},
    "IPython": {"gradcheck.notebook"},
    "rich": {
        "gradcheck.commands",
        "gradcheck.evaluate.tracking",
        "gradcheck.report.comparison",
        "gradcheck.report.failing",
        "gradcheck.report.findings",
        "gradcheck.report.overview",
        "gradcheck.report.snippet",
        "gradcheck.report.text",
    },
    "cloudpickle": {"gradcheck.evaluate.sending"},
    "joblib": {"gradcheck.evaluate.sending"},
    "threadpoolctl": {"gradcheck.evaluate.inner_threads"},
    "jinja2": {"gradcheck.report.page.template"},
    "markupsafe": {"gradcheck.report.page.template"},
    "nbformat": {"gradcheck.script.source.notebook"},
    "pytest": {
        f"gradcheck.pytest_plugin.{name}"
        for name in ("collect", "fixture", "output", "place", "record", "settings", "shared", "summary")
    },
}


@dataclass(frozen=True)
class Import:
    """One import statement's edge.

    Parameters
    ----------
    source, target : str
        Dotted names of the importing and the imported module.
    line : int
        Where the statement stands.
    lazy : bool
        Whether it stands in a function.
    typing_only : bool
        Whether it stands under ``if TYPE_CHECKING``.
    """

    source: str
    target: str
    line: int
    lazy: bool = False
    typing_only: bool = False


def modules(package: Path) -> dict[str, ast.Module]:
    """Parse all modules of a package, under their dotted names."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_bytes(), str(path))
    return found


def is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def statements(
    node: ast.AST, lazy: bool = False, typing_only: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
    """Walk all import statements with the place where they stand."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, lazy, typing_only
    guarded = node.body if isinstance(node, ast.If) and is_type_checking(node.test) else []
    lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from statements(child, lazy, typing_only or child in guarded)


def imports(trees: dict[str, ast.Module]) -> list[Import]:
    """Resolve every import of every module to the module that it names."""
    packages = {name.rpartition(".")[0] for name in trees} | {"gradcheck"}
    edges = []
    for source, tree in trees.items():
        for node, lazy, typing_only in statements(tree):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            else:
                base = node.module or ""
                if node.level:
                    parent = source.split(".")[: None if source in packages else -1]
                    parent = parent[: len(parent) - node.level + 1]
                    base = ".".join([*parent, base] if base else parent)
                names = [f"{base}.{alias.name}" for alias in node.names]
                targets = sorted({name if name in trees else base for name in names})
            edges += [Import(source, target, node.lineno, lazy, typing_only) for target in targets]
    return edges


def room(module: str) -> str | None:
    """Return the room in which a module stands; the facade, ``gradcheck`` itself, may show everything."""
    path = module.removeprefix("gradcheck").lstrip(".")
    return next((name for name in ROOMS if path == name or path.startswith(f"{name}.")), None)


def allowed(source: str, target: str) -> bool:
    """Whether a module of the package may import another one."""
    above, below = room(source), room(target)
    if source == "gradcheck" or above == below:
        return True
    return above is not None and below is not None and ROOMS.index(above) < ROOMS.index(below)


def is_ours(module: str) -> bool:
    return module.split(".")[0] == "gradcheck"


@cache
def package() -> tuple[frozenset[str], tuple[Import, ...]]:
    """Return the modules of the package, and their imports: read once, as they are many."""
    trees = modules(PACKAGE)
    return frozenset(trees), tuple(imports(trees))


def violations(names: Iterable[str], edges: Sequence[Import]) -> list[str]:
    """List every import that the layout forbids, those for typing only included."""
    facades = {"gradcheck", "gradcheck.script"}
    found = [f"{module} stands in no room: enter it in ROOMS" for module in names if not room(module)]
    found = [line for line in found if line.split()[0] not in facades]
    for edge in edges:
        place = f"{edge.source}:{edge.line} imports {edge.target}"
        library = edge.target.split(".")[0]
        if is_ours(edge.target):
            if not allowed(edge.source, edge.target):
                found.append(f"{place}: {room(edge.source)} must not import {room(edge.target)}")
        elif library in sys.stdlib_module_names or edge.typing_only:
            continue
        elif library in ONLY_IN:
            if not {edge.source, edge.source.rpartition(".")[0]} & ONLY_IN[library]:
                found.append(f"{place}: only for {', '.join(sorted(ONLY_IN[library]))}")
        elif library != "numpy" and room(edge.source) in NUMPY_ONLY:
            found.append(f"{place}: {room(edge.source)} needs numpy and the standard library only")
        elif library != "numpy" and not edge.lazy:
            found.append(f"{place}: an optional library, so import it in the function that needs it")
    reference = [e for e in edges if room(e.source) == "reference" and is_ours(e.target)]
    return found + [
        f"{e.source}:{e.line} imports {e.target}: the trainer stands alone"
        for e in reference
        if room(e.target) not in {"reference", "errors"}
    ]


def cycle(edges: Iterable[Import]) -> list[str]:
    """Return the modules of one import cycle, imports for typing included, or nothing."""
    graph: dict[str, set[str]] = {}
    for edge in edges:
        if is_ours(edge.target) and edge.source != edge.target and edge.source != "gradcheck":
            graph.setdefault(edge.source, set()).add(edge.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def parse(**sources: str) -> dict[str, ast.Module]:
    """Build a synthetic package: ``script__record`` stands for ``gradcheck.script.record``."""
    return {f"gradcheck.{name.replace('__', '.')}": ast.parse(source) for name, source in sources.items()}


def violations_in(**sources: str) -> list[str]:
    """List those of a synthetic package."""
    trees = parse(**sources)
    return violations(trees, imports(trees))


def test_imports_point_downwards():
    assert violations(*package()) == []


def test_no_module_hides_a_public_name():
    """A module that is imported becomes an attribute of its package, in the place of what is loaded on first use."""
    names = {name.removeprefix("gradcheck.") for name in package()[0]}
    assert names & set(gradcheck.__all__) == set()


def test_there_is_no_import_cycle():
    assert cycle(package()[1]) == []


def test_every_module_of_the_package_is_seen():
    """The walk finds the modules that the other tests judge, and some edges between them."""
    names, edges = package()
    assert {"gradcheck", "gradcheck.errors", "gradcheck._version"} <= names
    assert Import("gradcheck", "gradcheck._version", 1) in [Import(edge.source, edge.target, 1) for edge in edges]


@pytest.mark.parametrize(
    ("sources", "complaint"),
    [
        ({"checker__functions": "import pandas"}, "functions:1 imports pandas: only for gradcheck.report.table"),
        ({"checker__functions": "def f():\n    import pandas as pd"}, "gradcheck.checker.functions:2 imports pandas"),
        ({"checker__functions": "import scipy.optimize"}, "checker needs numpy and the standard library only"),
        ({"checker__functions": "from gradcheck.script.record import run"}, "checker must not import script.record"),
        ({"checker__functions": "from ..script.record.run import Call"}, "checker must not import script.record"),
        ({"checker__functions": "from gradcheck import check_grad"}, "checker must not import None"),
        ({"checker__result": "from gradcheck.report.table import frame"}, "checker must not import report"),
        (
            {"checker__result": "def f():\n    from gradcheck.report.table import frame"},
            "checker must not import report",
        ),
        ({"numerics__levels": "from gradcheck.evaluate.loss import Loss"}, "numerics must not import evaluate"),
        ({"script__record__run": "from ...report import text"}, "script.record must not import report"),
        ({"script__record__run": "from gradcheck.script.replay.stage import Stage"}, "must not import script.replay"),
        ({"script__check__points": "from gradcheck.repair.bench import Point"}, "script.check must not import repair"),
        ({"script__record__run": "from gradcheck.session.report import Report"}, "must not import session"),
        ({"diagnosis__rules__sign": "import gradcheck.api"}, "diagnosis must not import api"),
        ({"report__json": "from gradcheck.api import check_script"}, "report must not import api"),
        ({"report__json": "import rich.table"}, "only for gradcheck.commands, gradcheck.evaluate.tracking"),
        ({"report__html": "import jinja2"}, "only for gradcheck.report.page.template"),
        ({"api": "import click"}, "only for gradcheck.cli"),
        ({"api": "from gradcheck.cli import cli"}, "api must not import cli"),
        ({"settings": "from gradcheck.checker.functions import check_grad"}, "settings must not import check"),
        ({"reference__network": "from gradcheck.settings import Options"}, "the trainer stands alone"),
        ({"adapters__torch": "import torch"}, "import it in the function"),
        ({"api": "if TYPE_CHECKING:\n    from gradcheck.cli import cli"}, "gradcheck.api:2 imports gradcheck.cli"),
        ({"helpers": ""}, "gradcheck.helpers stands in no room"),
    ],
)
def test_an_offending_module_is_found(sources, complaint):
    (found,) = violations_in(**sources)
    assert complaint in found


@pytest.mark.parametrize(
    "sources",
    [
        {"checker__result": "if TYPE_CHECKING:\n    import pandas as pd"},
        {"settings": "from gradcheck.errors import UsageError"},
        {"adapters__torch": "def load():\n    import torch"},
        {"report__table": "import pandas as pd\nimport numpy as np"},
        {"script__record__run": "from gradcheck.script.source.file import SourceFile\nfrom . import state"},
        {"script__check__points": "from ..record.run import Call", "script__record__run": "from ...errors import E"},
        {"cli": "import click\nfrom gradcheck import api, reference", "api": "", "reference": ""},
    ],
)
def test_a_proper_module_is_not_found(sources):
    assert violations_in(**sources) == []


def test_a_cycle_is_found():
    trees = parse(script__a="from . import b", script__b="def f():\n    import gradcheck.script.a")
    assert set(cycle(imports(trees))) == {"gradcheck.script.a", "gradcheck.script.b"}
    assert cycle(imports(parse(script__a="from . import b", script__b=""))) == []
    typing_only = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import a"
    assert cycle(imports(parse(script__a="from . import b", script__b=typing_only))) != []
