"""gradcheck.check finds out what it is given, and imports nothing for it."""

from __future__ import annotations

import doctest
import functools
import re
import subprocess
import sys
import types
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

import gradcheck
from gradcheck.adapters import dispatch
from gradcheck.errors import InputError

X = np.array([1.0, 2.0])


@pytest.fixture
def adapters(monkeypatch):
    """Stand-ins for all adapters, which return their name with what they were given."""
    for name in set(dispatch._OURS.values()) | {"scipy"}:
        module = types.ModuleType(name)
        module.check = functools.partial(lambda name, *given, **options: (name, given, options), name)
        monkeypatch.setitem(sys.modules, f"gradcheck.adapters.{name}", module)


def of_package(package, base=object):
    """Make a class as it would be found in a package."""
    return type("Thing", (base,), {"__module__": f"{package}.inner"})


@pytest.mark.parametrize(
    ("package", "adapter"),
    [
        ("torch", "torch"),
        ("jax", "jax"),
        ("jaxlib", "jax"),
        ("tensorflow", "tensorflow"),
        ("keras", "tensorflow"),
        ("sklearn", "sklearn"),
        ("autograd", "autograd"),
    ],
)
def test_what_belongs_to_a_package_goes_to_its_adapter(adapters, package, adapter):
    kind = of_package(package)
    thing = kind()
    child = type("Child", (kind,), {"__module__": "mine"})

    def plain(x):
        return x

    for what, inputs in [
        (thing, (X,)),
        (child(), (X,)),
        (child, (X,)),
        (plain, (thing,)),
        (plain, (X, {"a": [thing]})),
        (functools.partial(plain, 3), (thing,)),
    ]:
        name, given, options = gradcheck.check(what, *inputs, seed=3)
        assert name == adapter
        assert given[0] is what
        assert options == {"seed": 3}


def test_scipy_is_meant_where_there_is_a_jac(adapters):
    assert gradcheck.check(lambda x: x @ x, X, jac=lambda x: 2 * x)[0] == "scipy"


def test_functions_are_known_by_the_modules_that_they_name(adapters):
    def inside(name, value):
        scope = {name: value}
        exec(f"def function(x):\n    return {name}.sum(x)", scope)
        return scope["function"]

    assert gradcheck.check(inside("np", types.ModuleType("autograd.numpy")), X)[0] == "autograd"
    assert gradcheck.check(inside("jnp", types.ModuleType("jax.numpy")), X)[0] == "jax"
    captured = types.ModuleType("torch")
    assert gradcheck.check(lambda x: captured.sum(x), X)[0] == "torch"
    with pytest.raises(InputError, match="not recognised"):
        gradcheck.check(inside("metrics", types.ModuleType("sklearn.metrics")), X)


@pytest.mark.parametrize(
    ("what", "inputs", "said"),
    [
        (np.sum, (X,), r"got sum with inputs \(ndarray\)"),
        (lambda x: x, (1.0, [2]), r"got <lambda> with inputs \(float, list\)"),
        (X, (), "got ndarray"),
        (3, (), "got int"),
    ],
)
def test_what_is_not_recognised_is_told_what_was_expected(what, inputs, said):
    with pytest.raises(
        InputError, match=f"{said}.*(?s:.*)Expected code of PyTorch, JAX.*check_grad.loss, grad, params"
    ):
        gradcheck.check(what, *inputs)


def test_an_installed_package_adds_its_own(monkeypatch):
    """The entry point is loaded only where its framework has been imported."""
    calls = []
    home = types.ModuleType("tinyframe_gradcheck")
    home.check = lambda what, *inputs, **options: calls.append((what, inputs, options)) or "checked"
    monkeypatch.setitem(sys.modules, "tinyframe_gradcheck", home)
    point = EntryPoint("tinyframe", "tinyframe_gradcheck:check", "gradcheck.adapters")
    missing = EntryPoint("otherframe", "not_installed:check", "gradcheck.adapters")
    asked = []
    monkeypatch.setattr(dispatch, "entry_points", lambda group: asked.append(group) or [point, missing])
    thing = of_package("tinyframe")()
    with pytest.raises(InputError, match="adapters of other packages: otherframe, tinyframe"):
        gradcheck.check(thing, X)
    monkeypatch.setitem(sys.modules, "tinyframe", types.ModuleType("tinyframe"))
    assert gradcheck.check(thing, X, rtol=1e-3) == "checked"
    assert calls == [(thing, (X,), {"rtol": 1e-3})]
    assert set(asked) == {"gradcheck.adapters"}


FRAMEWORKS = ["torch", "jax", "tensorflow", "sklearn", "autograd", "scipy"]


def test_nothing_is_imported_for_what_is_numpys():
    code = f"""
import sys, numpy as np, gradcheck
try:
    gradcheck.check(np.sum, np.ones(3))
except gradcheck.InputError:
    pass
else:
    raise SystemExit("recognised")
assert gradcheck.check(lambda x: x @ x, np.ones(3), jac=lambda x: 2 * x).passed
gradcheck.check_grad(lambda x: x @ x, lambda x: 2 * x, np.ones(3))
import gradcheck.adapters.autograd, gradcheck.adapters.jax, gradcheck.adapters.sklearn, gradcheck.adapters.tensorflow
print([name for name in {FRAMEWORKS} if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_the_public_name_is_a_function_whatever_else_is_imported():
    code = "import gradcheck; gradcheck.check_grad; import gradcheck.checker.functions; print(gradcheck.check.__name__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "check\n"


# -- with the frameworks themselves ---------------------------------------------------------------------------------


def test_jax():
    jax = pytest.importorskip("jax")
    function = jax.custom_vjp(lambda x: jax.numpy.sum(x**2))
    function.defvjp(lambda x: (function(x), x), lambda x, g: (2.002 * g * x,))
    for what in (function, jax.jit(function), lambda x: function(x)):
        assert not gradcheck.check(what, X).passed
        assert not gradcheck.check(what, jax.numpy.asarray(X)).passed
    assert gradcheck.check(lambda x: jax.numpy.sum(x**2), X, modes=("rev",)).passed


def test_autograd():
    np = pytest.importorskip("autograd.numpy")
    extend = pytest.importorskip("autograd.extend")
    square = extend.primitive(lambda x: x**2)
    extend.defvjp(square, lambda ans, x: lambda g: 2.002 * g * x)
    assert not gradcheck.check(square, X).passed
    assert gradcheck.check(lambda x: np.sum(x**2), X).passed


def test_sklearn():
    linear = pytest.importorskip("sklearn.linear_model")
    data = np.random.default_rng(0).normal(size=(9, 2)), np.arange(9) % 2
    assert gradcheck.check(linear.LogisticRegression().fit(*data), *data).passed


def test_torch():
    torch = pytest.importorskip("torch")
    pytest.importorskip("gradcheck.adapters.torch")
    inputs = torch.ones(2, dtype=torch.float64, requires_grad=True)
    assert gradcheck.check(lambda x: (x**2).sum(), inputs).passed
    assert gradcheck.check(torch.nn.Linear(2, 1), torch.ones(3, 2)).passed


# -- the documentation ----------------------------------------------------------------------------------------------

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("page", "heading", "framework"),
    [
        ("check-jax.md", "# Check JAX code", "jax"),
        ("check-other-frameworks.md", "## SciPy", "scipy"),
        ("check-other-frameworks.md", "## Autograd", "autograd"),
        ("check-other-frameworks.md", "## scikit-learn", "sklearn"),
        ("check-other-frameworks.md", "## TensorFlow", "tensorflow"),
    ],
)
def test_the_examples_of_the_pages_work(page, heading, framework, capsys):
    """What they print stands in the page, apart from the last digits of errors."""
    pytest.importorskip(framework)
    text = (HOW_TO / page).read_text(encoding="utf-8").partition(f"{heading}\n")[2]
    text = text.partition("\n## ")[0] if heading.startswith("##") else text
    session = {}
    for code in re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S):
        exec(code, session)
    printed = capsys.readouterr().out
    rounding = re.compile(r"\d\S*e-\d\d +|evaluations=\d+")
    assert rounding.sub("#", printed) in rounding.sub("#", text)
    assert bool(printed) is (framework in ("jax", "scipy"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("framework", ["autograd", "jax", "scipy"])
def test_the_example_of_an_adapter_works(framework):
    """They are skipped where the documentation is built, as the frameworks are not there."""
    pytest.importorskip(framework)
    text = import_module(f"gradcheck.adapters.{framework}").check.__doc__.replace("# doctest: +SKIP", "")
    result = doctest.DocTestRunner().run(doctest.DocTestParser().get_doctest(text, {}, framework, None, 0))
    assert (result.failed, result.attempted > 0) == (0, True)
