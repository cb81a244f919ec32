"""Running a script as ``python script.py`` would, and what is kept of its calls."""

from __future__ import annotations

import pytest

from script_runs import snippet, write

pytestmark = pytest.mark.usefixtures("forked_commands")

# runs in a process of its own, because a script replaces sys.modules["__main__"], sys.argv and sys.path
RECORD = """
from pathlib import Path
from gradcheck.script.record.run import record
from gradcheck.script.source.file import SourceFile
def of(seconds=10.0, argv=(), awaited=(), wanted=None):
    source = SourceFile.read(Path("script.py").absolute())
    everything = {*source.functions, *(loop.name for loop in source.loops)}
    wanted = everything if wanted is None else set(wanted)
    return record(source, argv, seconds, wanted=wanted, awaited=set(awaited))
def problem(recording):
    p = recording.problem
    return None if p is None else [p.slug, p.line, p.message]
"""


@pytest.fixture
def recorded(tmp_path):
    def of(script: str, code: str):
        write(tmp_path, script)
        return snippet(RECORD + code, cwd=tmp_path)

    return of


def problem_of(recorded, script, **options):
    text = ", ".join(f"{key}={value!r}" for key, value in options.items())
    return recorded(script, f"answer(problem(of({text})))")


def test_early_calls_and_some_late_ones_are_kept(recorded):
    numbers, counts = recorded(
        "def f(x):\n    return x\nfor i in range(150):\n    f(i)\n",
        "r = of(); answer([[[c.number, c.arguments, c.result] for c in r.of('f')], r.counts])",
    )
    assert numbers == [[n, {"x": n - 1}, n - 1] for n in (1, 2, 3, 5, 10, 20, 50, 100)]
    assert counts == {"f": 150, "the loop in line 3": 150}


def test_of_what_is_not_wanted_the_first_call_is_kept(recorded):
    script = "def f(x): return x\ndef g(x): return x\nfor i in range(3):\n    f(g(i))\n"
    code = "r = of(wanted=['f']); answer([[c.number for c in r.of(n)] for n in 'fg'])"
    assert recorded(script, code) == [[1, 2, 3], [1]]


def test_arguments_are_kept_as_they_were_at_entry(recorded):
    (call,) = recorded(
        "def f(a):\n    a.append(2)\n    a = 5\n    return a\nb = [1]\nf(b)\nb.append(9)\n",
        "r = of(); answer([[c.arguments, c.local_variables, c.variables, c.result] for c in r.of('f')])",
    )
    assert call == [{"a": [1]}, {"a": 5}, {"b": [1]}, 5]


def test_arguments_share_with_module_variables_what_they_shared(recorded):
    assert recorded(
        "def f(a): pass\nb = [1]\nf(b)\n",
        "(c,) = of().of('f'); answer([c.arguments['a'] is c.variables['b'], c.arguments['a']])",
    ) == [True, [1]]


def test_random_states_are_those_at_entry(recorded):
    drawn, replayed = recorded(
        "import random\nrandom.seed(4)\ndef f():\n    return random.random()\nrandom.random(); f(); f()\n",
        "import random\ncalls = of().of('f')\nagain = []\nfor c in calls:\n    c.random_state.restore()\n"
        "    again.append(random.random())\nanswer([[c.result for c in calls], again])",
    )
    assert drawn == replayed


def test_calls_left_by_an_exception_are_not_kept(recorded):
    assert recorded(
        """
        def bad(n):
            return 1 / n
        def outer(n):
            try:
                return bad(n)
            except ZeroDivisionError:
                return -1
        outer(0)
        outer(1)
        """,
        "answer([[c.function, c.number, c.result] for c in of().calls])",
    ) == [["outer", 1, -1], ["bad", 2, 1.0], ["outer", 2, 1.0]]


def test_calls_of_a_recursion_are_kept_with_their_own_results(recorded):
    calls = recorded(
        "def f(n):\n    return 1 if n == 0 else n * f(n - 1)\nf(4)\n",
        "answer([[c.number, c.arguments['n'], c.result] for c in of().of('f')])",
    )
    assert sorted(calls) == [[1, 4, 24], [2, 3, 6], [3, 2, 2], [5, 0, 1]]


def test_calls_in_other_threads_are_left_alone(recorded):
    assert recorded(
        """
        import threading
        def f(n): return n
        threads = [threading.Thread(target=f, args=(i,)) for i in range(4)]
        for t in threads: t.start()
        for t in threads: t.join()
        f(9)
        """,
        "answer([[c.number, c.result] for c in of().of('f')])",
    ) == [[1, 9]]


def test_rounds_of_a_loop_are_kept_with_the_local_variables(recorded):
    assert recorded(
        "def f(n): return n\ndef g(k):\n    for i in range(2):\n        t = f(i)\ng(7)\n",
        "answer([[c.number, c.arguments] for c in of().of('the loop in line 3')])",
    ) == [[1, {"k": 7, "i": 0}], [2, {"k": 7, "i": 1, "t": 0}]]


def test_the_script_is_the_main_program(recorded):
    assert recorded(
        "import sys\nlate = 1\nseen = [__name__, sys.argv[1:], sys.modules['__main__'].late]\n",
        "answer(of(argv=('-n', '3')).module.seen)",
    ) == ["__main__", ["-n", "3"], 1]


def test_modules_beside_the_script_can_be_imported(recorded, tmp_path):
    write(tmp_path, "VALUE = 5\n", "helper_beside.py")
    assert recorded("from helper_beside import VALUE\n", "answer(of().module.VALUE)") == 5


def test_dataclasses_and_pickles_of_the_script_work(recorded):
    assert recorded(
        """
        from __future__ import annotations
        import pickle
        from dataclasses import dataclass
        @dataclass
        class P:
            w: float = 1.5
        again = pickle.loads(pickle.dumps(P(2.5))).w
        """,
        "r = of(); answer([r.module.again, problem(r)])",
    ) == [2.5, None]


@pytest.mark.parametrize(
    ("script", "slug", "line", "said"),
    [
        ("x = 1\nx / 0\n", "script-raised", 2, "ZeroDivisionError: division by zero"),
        ("def f():\n    raise ValueError\nf()\n", "script-raised", 2, "raised ValueError"),
        ("import json\njson.loads('{')\n", "script-raised", 2, "JSONDecodeError"),
        ("import no_such_module_here\n", "script-raised", 1, "ModuleNotFoundError"),
        ("import sys\nsys.exit()\n", "script-exited", 2, "exit code 0"),
        ("import sys\nsys.exit(3)\n", "script-exited", 2, "exit code 3"),
        ("import sys\nsys.exit('no data')\n", "script-exited", 2, "no data"),
        ("x = 1\nexit()\n", "script-exited", 2, "exit code 0"),
        ("x = 1\ny = input('Name? ')\n", "needs-input", 2, "asks for input"),
        ("raise KeyboardInterrupt\n", "script-raised", 1, "KeyboardInterrupt"),
        ("def f(): f()\nf()\n", "script-raised", 1, "RecursionError"),
        ("raise MemoryError\n", "memory", 1, "memory"),
        ("class E(Exception):\n    def __str__(self): return 'x' * 3\nraise E\n", "script-raised", 3, "xxx"),
        ("while True: pass\n", "timeout", 1, "still running after 0.3 s"),
        ("import time\n\ntime.sleep(60)\n", "timeout", 3, "in line 3"),
        (
            "for i in range(10**9):\n    try:\n        len('')\n    except Exception:\n        pass\n",
            "timeout",
            None,
            "",
        ),
    ],
)
def test_what_ended_the_script_is_told_with_its_line(recorded, script, slug, line, said):
    found, place, message = problem_of(recorded, script, seconds=0.3)
    assert found == slug
    assert line is None or place == line
    assert said in message


def test_the_calls_before_a_problem_are_kept(recorded):
    assert recorded("def f(): return 1\nf()\n1 / 0\n", "r = of(); answer([len(r.of('f')), r.problem.slug])") == [
        1,
        "script-raised",
    ]


def test_an_exception_without_a_text_is_told(recorded):
    script = "class E(Exception):\n    def __str__(self): return 1 / 0\nraise E\n"
    assert problem_of(recorded, script)[:2] == ["script-raised", 3]


def test_a_script_from_which_enough_was_seen_is_stopped(recorded):
    """It went on for a while without a call worth recording; this is no problem of the script."""
    script = "import time\ndef gradient(w): return w\ngradient(1)\ntime.sleep(60)\n"
    assert recorded(script, "r = of(seconds=20, awaited=['gradient']); answer([problem(r), len(r.calls)])") == [None, 1]


def test_a_script_whose_gradient_was_not_yet_seen_gets_its_time(recorded):
    script = "import time\ndef gradient(w): return w\ntime.sleep(1.8)\ngradient(1)\n"
    assert recorded(script, "r = of(seconds=20, awaited=['gradient']); answer([problem(r), len(r.calls)])") == [None, 1]


def test_the_alarm_is_switched_off_afterwards(recorded):
    assert recorded(
        "x = 1\n", "import signal, time\nof(seconds=0.2); time.sleep(0.5); answer(signal.getitimer(signal.ITIMER_REAL))"
    ) == [0.0, 0.0]


def test_a_script_that_uses_the_alarm_signal_itself_runs_on(recorded):
    script = """
        import signal, time
        fired = []
        signal.signal(signal.SIGALRM, lambda *_: fired.append(1))
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        time.sleep(0.2)
        """
    assert recorded(script, "r = of(); answer([r.module.fired, problem(r)])") == [[1], None]


UNKNOWN = "def f(x) -> Missing:\n    return x\nf(1)\n"
FUTURE = "from __future__ import annotations\n"


def test_an_annotation_that_python_evaluates_is_evaluated(recorded):
    slug, line, message = problem_of(recorded, UNKNOWN)
    assert (slug, line, "'Missing' is not defined" in message) == ("script-raised", 1, True)


def test_an_annotation_that_the_script_puts_off_is_not_evaluated(recorded):
    assert problem_of(recorded, FUTURE + UNKNOWN) is None


@pytest.mark.parametrize("where", ["script", "module"])
def test_what_one_file_puts_off_is_evaluated_in_another(tmp_path, where):
    bodies = {"script": "from other import *\nimport other\n", "module": ""}
    other = "module" if where == "script" else "script"
    bodies[where] = FUTURE + bodies[where]
    bodies[other] += UNKNOWN
    write(tmp_path, bodies["module"], "other.py")
    write(tmp_path, bodies["script"])
    slug, _, message = snippet(RECORD + "answer(problem(of()))", cwd=tmp_path)
    assert (slug, "'Missing' is not defined" in message) == ("script-raised", True)


@pytest.mark.parametrize("future", ["", FUTURE])
def test_a_round_is_replayed_under_what_its_file_says(tmp_path, future):
    """Annotations of a function inside of a round: Python evaluates them anew in each, or never."""
    text = (
        future
        + """
import numpy as np
seen = []
def Note():
    seen.append(1)
    return int
X, y, w = np.arange(6.0).reshape(3, 2), np.array([1.0, 0.0, 2.0]), np.zeros(2)
def train():
    global w
    for _ in range(5):
        def error(v) -> Note():
            return X @ v - y
        e = error(w)
        loss = np.mean(e ** 2)
        dw = 2 * X.T @ e / 3 + 0 * len(seen)
        w = w - 0.01 * dw
        print(loss)
train()
"""
    )
    write(tmp_path, text)
    code = """
from gradcheck.script.replay.region import body_of
recording = of()
(loop,) = recording.source.loops
moment = recording.of(loop.name)[0]
namespace = vars(recording.module)
before = len(namespace["seen"])
body_of(recording.source, loop, namespace, dict(moment.arguments)).run()
answer(len(namespace["seen"]) > before)
"""
    assert snippet(RECORD + code, cwd=tmp_path) == (not future)
