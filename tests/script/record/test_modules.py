"""Programs of several files do what Python lets them do, although all their modules share one namespace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from script_runs import snippet, write_program

pytestmark = pytest.mark.usefixtures("forked_children", "forked_commands")

RUN = """
import io
from contextlib import redirect_stdout
from pathlib import Path
from gradcheck.script.record.run import Recorder, run_script
from gradcheck.script.source.file import SourceFile

source = SourceFile.read(Path(sys.argv[1]))
with redirect_stdout(io.StringIO()) as out:
    _, problem = run_script(source, [], 60.0, Recorder(frozenset()), frozenset(), frozenset())
modules = [m.part.name for m in source.modules]
answer({"modules": modules, "problem": problem and problem.message, "printed": out.getvalue()})
"""

PROGRAMS = {
    "names that mean other things elsewhere": """
# a.py
W = 1
def f(x):
    return W * x
def twice(x):
    return 2 * x
# b.py
W = 10
def f(x):
    return W * x + twice(x)
def twice(x):
    return 200 * x
# main.py
import a, b
W = 100
def f(x):
    return W * x
print(f(1), a.f(1), b.f(1), a.W, b.W, a.twice(1))
""",
    "an imported name that is bound again": """
# params.py
W = [1, 2]
rate = 3
# main.py
from params import W, rate
import params
rate = rate + 1
W.append(3)
W = W + [4]
print(W, params.W, rate, params.rate)
""",
    "a global that a function changes": """
# state.py
count = 0
def add():
    global count
    count += 1
    return count
# main.py
from state import add, count
import state
add(); add()
print(count, state.count)
""",
    "a module's variable set from outside": """
# config.py
rate = 0.1
def shown():
    return rate
# main.py
import config
config.rate = 0.5
config.new = 7
print(config.rate, config.shown(), config.new)
del config.rate
print(hasattr(config, 'rate'), 'shown' in dir(config))
""",
    "stars": """
# one.py
__all__ = ['f', '_g']
def f():
    return 'one f'
def _g():
    return 'one g'
h = 1
# two.py
from one import *
x = 2
_y = 3
def h():
    return f() + _g()
# main.py
from two import *
print(f(), h(), x)
def f():
    return 'own'
print(f(), h())
""",
    "a package with relative imports": """
# net/__init__.py
from .layers import Dense
from . import losses
version = 1
# net/layers.py
from .losses import mse
class Dense:
    def f(self):
        from .tools.names import label
        return mse(2) + label
# net/losses.py
from . import tools
def mse(x):
    return x * tools.factor
# net/tools/__init__.py
factor = 21
# net/tools/names.py
from .. import losses
label = losses.mse(0)
# main.py
import net.losses
from net import Dense
import net.tools.names as n
print(Dense().f(), net.version, net.losses.mse(1), n.label, Dense.__module__, n.__name__, net.__name__)
""",
    "a folder without __init__": """
# lib/maths.py
def f():
    return __name__
# main.py
from lib.maths import f
import lib.maths
print(f(), lib.maths.f())
""",
    "scopes": """
# m.py
x = 1
class C:
    x = 2
    y = [x for _ in range(2)]
    def f(self):
        return x
def g(x):
    def inner():
        nonlocal x
        x += 1
        return x
    return inner(), [x for x in range(3)], x
def h():
    return (lambda x: x)(5), x, {x: x for x in 'ab'}, [y for y in range(2) if x]
def default(v=x):
    return v
y = sum(x for x in range(4))
# main.py
from m import C, g, h, default
import m
x = 'main'
y = 'too'
print(C.x, C.y, C().f(), g(5), h(), default(), m.x, m.y, x, y)
""",
    "what only a script runs": """
# m.py
def f():
    return 1
if __name__ == '__main__':
    f = None
    raise SystemExit('not here')
else:
    name = __name__
# main.py
import m
print(m.f(), m.name)
if __name__ == '__main__':
    print('here', __name__)
""",
    "modules that import each other": """
# a.py
import b
def f():
    return b.g() + 1
# b.py
import a
def g():
    return 1
def h():
    return a.f()
# main.py
import a, b
print(a.f(), b.h())
""",
    "importlib, reload and the path": """
# deep/inner.py
value = 5
# main.py
import sys, os, importlib
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'deep'))
inner = importlib.import_module('inner')
inner.value = 6
print(inner.value)
importlib.reload(inner)
import inner as again
print(inner.value, again is inner, sys.modules['inner'] is inner)
""",
    "classes, dataclasses and pickles": """
# shapes.py
from __future__ import annotations
from dataclasses import dataclass, field
@dataclass
class Point:
    x: float
    other: Point | None = None
    tags: list[str] = field(default_factory=list)
# main.py
import pickle, copy
from shapes import Point
import shapes
p = Point(1.0, Point(2.0))
print(pickle.loads(pickle.dumps(p)) == p, copy.deepcopy(p), Point.__module__, shapes.Point is Point)
""",
    "an exception of a module": """
# m.py
class Bad(ValueError):
    pass
def f():
    raise Bad('why')
# main.py
from m import Bad, f
try:
    f()
except Bad as e:
    print(type(e).__name__, e)
try:
    from m import nothing
except ImportError as e:
    print('no name')
try:
    import missing_module
except ImportError as e:
    print(e)
""",
    "decorators and generators": """
# tools.py
import functools
calls = []
def traced(f):
    @functools.wraps(f)
    def inner(*a):
        calls.append(f.__name__)
        return f(*a)
    return inner
# work.py
from tools import traced
import tools
@traced
def f(n):
    yield from range(n)
class A:
    @property
    def p(self):
        return len(tools.calls)
    @staticmethod
    @traced
    def s():
        return 's'
# main.py
from work import A, f
calls = 'own'
print(list(f(3)), A.s(), A().p, calls)
""",
    "a module's function that is called as one of Python's own": """
# layers.py
def max(x, axis=None):
    return "own"
def pooled(x):
    return max(x, axis=0)
# tools.py
def largest(x):
    return max(*x)
# main.py
from layers import pooled
from tools import largest
print(pooled([1]), largest([1, 2]), max(3, 4))
""",
    "a script's variables that are called as Python's own": """
# tools.py
from __future__ import annotations
def spread(x):
    sorted = max(x) - min(x)
    return sorted, sum(x)
def sums(rows, sum=sum):
    return [sum(row) for row in rows if any(isinstance(sum, list) for list in [type(sum)])]
class Range:
    max = 3
    def top(self):
        return max(self.max, 5)
# layers.py
def max(x):
    return "own"
# main.py
from layers import *
from tools import spread, sums, Range
sum = 0
for step in [1, 2]:
    sum += step
min = "least"
print(spread([3, 4, 9]), sums([[1, 2]]), Range().top(), max([1]), sum, min)
""",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_prints_what_it_prints_in_python(tmp_path: Path, program: str) -> None:
    files = write_program(tmp_path, program)
    script = tmp_path / "main.py"
    plain = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, cwd=tmp_path)
    found = snippet(RUN, script, cwd=tmp_path)
    assert found["problem"] is None
    assert len(found["modules"]) == len(files) - 1
    assert found["printed"] == plain.stdout


def test_modules_of_one_name_in_several_packages(tmp_path: Path) -> None:
    program = "\n".join(
        f"# {package}/utils.py\nfrom . import base\ndef f(x):\n    return base.k * x\n# {package}/base.py\nk = {k}\n"
        for package, k in (("first", 2), ("second", 3))
    )
    write_program(tmp_path, program)
    script = tmp_path / "main.py"
    script.write_text("from first.utils import f\nimport second.utils\nprint(f(1), second.utils.f(1))\n")
    found = snippet(RUN, script, cwd=tmp_path)
    assert (found["problem"], found["printed"]) == (None, "2 3\n")
