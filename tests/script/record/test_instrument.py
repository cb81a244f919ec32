"""Hooks in a script: they see calls and rounds, and the script does what it did without them."""

from __future__ import annotations

import contextlib
import io
import random
import traceback

import numpy as np
import pytest

from gradcheck.script.record.instrument import HOOK, can_be_replayed, instrument
from gradcheck.script.source.file import SourceFile
from script_runs import write


class Listener:
    """Stands in for the recorder and notes what it is told."""

    locals = staticmethod(locals)

    def __init__(self, wants: bool = True) -> None:
        self.wants = wants
        self.heard: list[tuple[object, ...]] = []

    def enter(self, name):
        self.heard.append(("enter", name))
        return self.wants

    def record(self, name, arguments):
        self.heard.append(("record", name, sorted(arguments)))

    def record_round(self, name, variables):
        self.heard.append(("round", name, sorted(variables)))

    def leave(self, name, _, result):
        self.heard.append(("leave", name, result))
        return result


def run(path, listener=None):
    """Run a script, instrumented where there is a listener; return its output and its variables."""
    source = SourceFile.read(path)
    tree = source.tree if listener is None else instrument(source)
    namespace = {"__name__": "__main__", **({HOOK: listener} if listener else {})}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(tree, str(path), "exec"), namespace)
    own = {name: value for name, value in namespace.items() if not name.startswith("__")}
    return out.getvalue(), {n: v for n, v in own.items() if not callable(v) and type(v).__module__ == "builtins"}


def heard(folder, text, wants=True):
    listener = Listener(wants)
    run(write(folder, text), listener)
    return listener.heard


def test_a_call_is_entered_recorded_and_left_with_its_result(tmp_path):
    assert heard(tmp_path, "def f(a, b=2):\n    c = a + b\n    return c\nf(1)\n") == [
        ("enter", "f"),
        ("record", "f", ["a", "b"]),
        ("leave", "f", 3),
    ]


def test_a_call_that_is_not_wanted_is_not_recorded(tmp_path):
    assert heard(tmp_path, "def f(a):\n    return a\nf(1)\n", wants=False) == [("enter", "f"), ("leave", "f", 1)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("def f():\n    'only a docstring'\nf()\n", ["f"]),
        ("def f():\n    '''doc'''\n    return 1\nf()\n", ["f"]),
        ("def f(): pass\nf()\n", ["f"]),
        ("def f(x): return x\nf(1)\n", ["f"]),
        ("class A:\n    def f(self): return 1\nA().f()\n", ["A.f"]),
        ("class A:\n    @classmethod\n    def f(cls): return 1\nA.f()\n", ["A.f"]),
        ("class A:\n    @staticmethod\n    def f(): return 1\nA.f()\n", ["A.f"]),
        ("class A:\n    @property\n    def f(self): return 1\nA().f\n", ["A.f"]),
        ("def deco(g): return g\n@deco\ndef f(): return 1\nf()\n", ["deco"]),
        ("def f():\n    yield 1\nlist(f())\n", []),
        ("def f():\n    x = [(yield 1)]\nlist(f())\n", []),
        ("async def f(): return 1\nf().close()\n", []),
        ("f = lambda x: x\nf(1)\n", ["f"]),
        ("for f in [lambda x: x]:\n    f(1)\n", []),
        ("def f():\n    def g(): return 2\n    return g()\nf()\n", ["f", "f.<locals>.g"]),
        ("def f():\n    return [g() for g in [lambda: (yield)]]\nf()\n", ["f"]),
        ("def f(n):\n    return 1 if n == 0 else f(n - 1)\nf(2)\n", ["f", "f", "f"]),
    ],
)
def test_which_functions_are_hooked(tmp_path, text, names):
    assert [entry[1] for entry in heard(tmp_path, text) if entry[0] == "enter"] == names


def test_a_docstring_stays_a_docstring(tmp_path):
    _, variables = run(write(tmp_path, "def f():\n    'what it does'\n    return 1\nd = f.__doc__\n"), Listener())
    assert variables["d"] == "what it does"


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("pass", None),
        ("return", None),
        ("return None", None),
        ("if x: return 1", None),
        ("try:\n        return 1\n    finally:\n        pass", 1),
        ("with open(__file__) as f:\n        return 1", 1),
        ("for i in [1, 2]:\n        if i == 2: return i", 2),
        ("match x:\n        case 0: return 'zero'\n        case _: return 'other'", "zero"),
    ],
)
def test_every_way_out_is_seen(tmp_path, body, result):
    path = write(tmp_path, f"__file__ = {str(tmp_path / 'script.py')!r}\ndef f(x=0):\n    {body}\nf()\n")
    listener = Listener()
    run(path, listener)
    assert listener.heard[-1] == ("leave", "f", result)


def test_rounds_of_loops_that_call_functions_are_recorded(tmp_path):
    text = """
        def f(x): return x
        for i in range(2):
            f(i)
        def train(k):
            while k:
                k -= 1
                f(k)
        train(1)
        """
    rounds = [entry for entry in heard(tmp_path, text) if entry[0] == "round"]
    assert rounds == [
        ("round", "the loop in line 2", []),
        ("round", "the loop in line 2", []),
        ("round", "the loop in line 5", ["k"]),
    ]


def test_the_lines_of_a_traceback_are_those_of_the_script(tmp_path):
    path = write(
        tmp_path,
        """
        '''doc'''
        def f(x):
            '''doc'''
            y = (x +
                 1)
            if y:
                return (
                    g(y))

        def g(y):
            for i in range(3):
                f2(i)

        def f2(i):
            assert i < 1, "no"

        for k in range(2):
            f(k)
        """,
    )

    def lines(listener):
        with pytest.raises(AssertionError, match="no") as caught:
            run(path, listener)
        return [f.lineno for f in traceback.extract_tb(caught.value.__traceback__) if f.filename == str(path)]

    assert lines(Listener()) == lines(None) == [18, 8, 12, 15]


def test_a_missing_argument_is_reported_as_ever(tmp_path):
    path = write(tmp_path, "def f(a):\n    return a\nf()\n")
    with pytest.raises(TypeError, match=r"f\(\) missing 1 required positional argument: 'a'"):
        run(path, Listener())


def test_the_tree_of_the_source_is_left_alone(tmp_path):
    source = SourceFile.read(write(tmp_path, "def f():\n    return 1\nf()\n"))
    instrument(source)
    exec(compile(source.tree, "x", "exec"), {})


PROGRAMS = {
    "closures-and-nonlocal": """
        def counter():
            n = 0
            def up(by=1):
                nonlocal n
                n += by
                return n
            return up
        c = counter()
        values = [c(), c(2), c(by=3)]
        print(values)
        """,
    "globals": """
        total = 0
        def add(x):
            global total
            total += x
            return total
        for i in range(4):
            add(i)
        print(total)
        """,
    "exceptions": """
        log = []
        def risky(n):
            try:
                log.append(n)
                if n == 1:
                    raise KeyError(n)
                return n
            except KeyError:
                return -1
            finally:
                log.append("done")
        def outer(n):
            try:
                return 1 / n
            except ZeroDivisionError as error:
                return str(error)
        values = [risky(n) for n in range(3)] + [outer(0), outer(2)]
        print(values, log)
        """,
    "classes": """
        class Base:
            made = 0
            def __init__(self, w):
                self.w = w
                type(self).made += 1
            def scaled(self, k): return self.w * k
            @classmethod
            def unit(cls): return cls(1)
            @staticmethod
            def twice(x): return 2 * x
            @property
            def half(self): return self.w / 2
            def __call__(self, x): return self.scaled(x)
        class Child(Base):
            def __init__(self, w):
                super().__init__(w + 1)
            def scaled(self, k): return super().scaled(k) + 1
        values = [Child(2)(3), Child.unit().w, Base.twice(4), Child(5).half, Base.made, Child.made]
        print(values)
        """,
    "locals-and-names": """
        def f(a, *rest, b=3, **more):
            c = a
            return sorted(locals()), __name__, f.__name__, f.__defaults__, rest, more
        values = f(1, 2, b=4, z=5)
        print(values)
        """,
    "recursion-and-generators": """
        def fib(n):
            return n if n < 2 else fib(n - 1) + fib(n - 2)
        def squares(n):
            for i in range(n):
                yield fib(i) ** 2
        values = list(squares(7))
        print(values)
        """,
    "loops-with-else-break-continue": """
        def even(n): return n % 2 == 0
        found = []
        for i in range(10):
            if even(i):
                continue
            if i > 6:
                break
            found.append(i)
        else:
            found.append("never")
        while not even(len(found)):
            found.append("w")
        else:
            found.append("end")
        print(found)
        """,
    "comprehensions-and-walrus": """
        def f(x):
            return [y := x, y ** 2]
        values = {k: f(k) for k in range(3)}
        if (n := len(values)) > 2:
            print(values, n)
        """,
    "defaults-and-annotations": """
        from __future__ import annotations
        def f(x: Undefined = [], *, y: "also undefined" = None) -> Nothing:
            x.append(len(x))
            return list(x), y
        values = [f(), f(), f([7], y=1)]
        print(values, sorted(f.__annotations__))
        """,
    "name-mangling": """
        class Secret:
            def __init__(self): self.__w = 3
            def __hidden(self): return self.__w
            def show(self): return self.__hidden(), sorted(vars(self))
        values = Secret().show()
        print(values)
        """,
    "random-numbers": """
        import random
        random.seed(3)
        def draw(n): return [random.random() for _ in range(n)]
        values = draw(2) + draw(1)
        print(values, random.random())
        """,
}


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("wants", [True, False], ids=["recorded", "not-recorded"])
def test_a_program_does_what_it_did(tmp_path, text, wants):
    path = write(tmp_path, text)
    assert run(path, Listener(wants)) == run(path)


@pytest.mark.parametrize("seed", range(6))
def test_random_arithmetic_programs_do_what_they_did(tmp_path, seed):
    """Functions with random statements, loops and returns give the same output with and without hooks."""
    rng = random.Random(seed)
    lines = []
    for number in range(6):
        lines.append(f"def f{number}(x, y={rng.randint(1, 3)}):")
        if rng.random() < 0.3:
            lines.append('    "doc"')
        lines.append(f"    for i in range({rng.randint(1, 4)}):")
        callee = f"f{rng.randrange(number)}(x)" if number else "y"
        lines.append(f"        x = x * {rng.randint(1, 3)} % 17 + {callee}")
        lines.append(
            f"        if x % {rng.randint(2, 5)} == 0: {rng.choice(['return x', 'continue', 'break', 'pass'])}"
        )
        lines.append(rng.choice(["    return x + y", "    return x, y", "    return x"]).replace("x, y", "x - y"))
    lines += ["values = []", "for k in range(5):", "    values.append(f5(k))", "print(values)"]
    path = write(tmp_path, "\n".join(lines))
    assert run(path, Listener()) == run(path)


def test_arrays_are_passed_through_and_not_copied(tmp_path):
    path = write(tmp_path, "import numpy as np\ndef f(a):\n    return a\nx = np.ones(2)\nsame = f(x) is x\n")
    assert run(path, Listener())[1]["same"] is True
    assert np.ones(1).shape == (1,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(): return 1", True),
        ("def f():\n    yield 1", False),
        ("def f():\n    yield from []", False),
        ("def f():\n    g = lambda: (yield)", True),
        ("def f():\n    def g():\n        yield 1", True),
        ("async def f(): pass", False),
        ("@cached\ndef f(): pass", False),
    ],
)
def test_what_can_be_replayed(tmp_path, text, expected):
    function = next(iter(SourceFile.read(write(tmp_path, text)).functions.values()))
    assert can_be_replayed(function) is expected
