"""JAX code as it is, and beside JAX's own checker."""

from __future__ import annotations

import functools
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from gradcheck.checker.result import Verdict
from gradcheck.errors import GradientMismatch, InputError

jax = pytest.importorskip("jax")
jnp = jax.numpy
adapter = pytest.importorskip("gradcheck.adapters.jax")
check = adapter.check
RNG = np.random.default_rng(0)
X3 = np.array([0.3, -1.2, 0.8])


def custom(factor=1.0, *, uses_cotangent=True, returns=None):
    """Make a function whose backward pass is wrong by a factor, forgets the cotangent, or returns something else."""

    @jax.custom_vjp
    def dot_sin(x, y):
        return jnp.sin(x) @ y

    def bwd(kept, g):
        x, y = kept
        found = (factor * g * jnp.cos(x) * y, g * jnp.sin(x)) if uses_cotangent else (jnp.cos(x) * y, jnp.sin(x))
        return found if returns is None else returns(*found)

    dot_sin.defvjp(lambda x, y: (jnp.sin(x) @ y, (x, y)), bwd)
    return dot_sin


def custom_forward(factor=1.0):
    @jax.custom_jvp
    def cube(x):
        return x**3

    cube.defjvp(lambda primals, tangents: (primals[0] ** 3, 3 * factor * primals[0] ** 2 * tangents[0]))
    return cube


def verdicts(result):
    return {parameter.name: parameter.verdict.value for parameter in result.parameters}


# -- what is found, and what passes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "jit"])
@pytest.mark.parametrize(("factor", "expected"), [(1.0, "match"), (1.001, "mismatch")])
def test_custom_vjp(wrapped, factor, expected):
    function = jax.jit(custom(factor)) if wrapped else custom(factor)
    result = check(function, X3, jnp.array([1.0, 2.0, 3.0]))
    assert verdicts(result) == {"x": expected, "y": "match"}
    assert "forward mode was not compared: a custom_vjp function has none" in result.notes


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "match"), (1.001, "mismatch")])
def test_custom_jvp_in_both_modes(factor, expected):
    result = check(custom_forward(factor), X3)
    assert verdicts(result) == {"x": expected, "x (forward mode)": expected}
    result = check(custom_forward(factor), jnp.linspace(0.1, 1, 40), modes=("fwd",))
    assert verdicts(result) == {"x (forward mode, 3 random directions)": expected}


def test_a_backward_pass_that_forgets_the_cotangent_is_found_although_the_loss_is_one_number():
    assert check(custom(), X3, X3).passed
    result = check(custom(uses_cotangent=False), X3, X3)
    assert result.verdict is Verdict.MISMATCH
    assert any("make use of the incoming gradient" in note for note in result.notes)


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "match"), (1.001, "mismatch")])
def test_second_order(factor, expected):
    @jax.custom_jvp
    def sine(x):
        return jnp.sin(x)

    @jax.custom_jvp
    def cosine(x):
        return jnp.cos(x)

    sine.defjvp(lambda p, t: (sine(*p), cosine(*p) * t[0]))
    cosine.defjvp(lambda p, t: (cosine(*p), -factor * jnp.sin(*p) * t[0]))
    result = check(lambda x: jnp.sum(sine(x) * x), X3[:2], order=2)
    assert verdicts(result) == {
        "x": "match",
        "x (forward mode)": "match",
        "x (order 2)": expected,
        "x (forward mode) (order 2)": expected,
    }
    assert verdicts(check(sine, X3[:2], order=2, modes=("fwd",)))["x (forward mode) (order 2)"] == expected


def test_pytrees_keys_integers_and_complex_numbers():
    @jax.tree_util.register_pytree_node_class
    class Layer:
        def __init__(self, W):
            self.W = W

        def tree_flatten(self):
            return (self.W,), None

        @classmethod
        def tree_unflatten(cls, _, children):
            return cls(*children)

    def loss(params, batch, key, count, flag):
        assert flag == "train"
        kept = jax.random.bernoulli(key, 0.8, batch["x"].shape)
        hidden = jnp.tanh((batch["x"] * kept) @ params["layer"].W + params["b"][0])
        return jnp.sum(hidden) ** count + jnp.real(params["z"] ** 2), batch["labels"]

    params = {"layer": Layer(RNG.normal(size=(2, 2)).astype("f4")), "b": [jnp.zeros(2)], "z": 1.0 + 2.0j}
    batch = {"x": RNG.normal(size=(1, 2)), "labels": jnp.arange(3), "none": jnp.zeros((0, 2))}
    result = check(loss, params, batch, jax.random.key(0), 2, "train", modes=("rev",))
    names = ["params['b'][0]", "params['layer'][0]", "params['z'].real", "params['z'].imag", "batch['x']"]
    assert verdicts(result) == dict.fromkeys(names, "match")
    assert any("1 of the outputs are no floating-point numbers" in note for note in result.notes)
    result = check(loss, params, batch, jax.random.PRNGKey(0), 2, "train", modes=("rev",), argnums=1)
    assert verdicts(result) == {"batch['x']": "match"}


def test_complex_functions_in_both_modes():
    result = check(lambda z: z**2 * jnp.conj(z), jnp.array([1 + 2j, 0.5j]))
    assert result.passed
    assert [p.name for p in result.parameters][:2] == ["z.real", "z.imag"]


def test_a_jitted_function_is_compiled_once():
    traces = 0

    @jax.jit
    def loss(x):
        nonlocal traces
        traces += 1
        return jnp.sum(x**4)

    result = check(loss, jnp.arange(1.0, 6.0), modes=("rev",))
    assert result.passed
    assert result.evaluations > 20
    assert traces == 1


def test_static_and_nondifferentiable_arguments_stay_as_they_are():
    @functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
    def scaled(factor, x):
        assert type(factor) is float
        return factor * x**2

    scaled.defjvp(lambda factor, p, t: (scaled(factor, *p), 2 * factor * p[0] * t[0]))
    assert verdicts(check(scaled, 3.0, X3, modes=("rev",))) == {"x": "match"}


# -- precision ------------------------------------------------------------------------------------------------------


def test_settings_are_as_they_were_also_after_an_exception():
    before = jnp.ones(2).dtype
    seen = []

    def raises(x):
        seen.append(x.dtype)
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        check(raises, jnp.ones(2))
    assert np.dtype("f8") in seen
    assert jnp.ones(2).dtype == before == np.float32
    with jax.enable_x64(True):
        assert check(lambda x: jnp.sum(x**2), jnp.ones(2), modes=("rev",)).passed
        assert jnp.ones(2).dtype == np.float64


def test_the_callers_arrays_and_random_state_are_as_they_were():
    x, state = X3.copy(), np.random.get_state()[1].copy()  # noqa: NPY002
    check(custom(1.001), x, x)
    assert (x == X3).all()
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "match"), (1.05, "mismatch")])
def test_what_computes_in_float32_is_judged_by_its_noise(factor, expected):
    @jax.custom_vjp
    def loss(x):
        return jnp.sum(jnp.sin(x.astype(jnp.float32)))

    loss.defvjp(lambda x: (loss(x), x), lambda x, g: ((factor * g * jnp.cos(x)).astype(x.dtype),))
    result = check(loss, X3)
    assert verdicts(result) == {"x": expected}
    assert any("no more digits than float32" in note for note in result.notes)


def test_float32_inside_of_float64_is_seen():
    result = check(lambda x: jnp.sin(x.astype(jnp.float32)).astype(x.dtype), X3, modes=("rev",))
    assert result.verdict is not Verdict.MISMATCH
    assert any("no more digits than float32" in note for note in result.notes)


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "match"), (1.05, "mismatch")])
def test_what_refuses_float64_is_checked_in_float32(factor, expected):
    inner = custom(factor)

    def only_single(x, y):
        if x.dtype != jnp.float32:
            raise TypeError("float32 only")
        return inner(x, y)

    result = check(only_single, jnp.asarray(X3), jnp.ones(3), argnums=0)
    assert verdicts(result) == {"x": expected}
    assert any("in float64 the function raises TypeError (float32 only)" in note for note in result.notes)


def test_half_precision_is_no_obstacle():
    assert check(custom(), jnp.asarray(X3, jnp.bfloat16), jnp.asarray(X3, jnp.float16)).passed
    assert not check(custom(1.001), jnp.asarray(X3, jnp.bfloat16), X3).passed


def test_not_a_number_is_never_a_match():
    @jax.custom_vjp
    def root(x):
        return jnp.sum(jnp.sqrt(x))

    root.defvjp(lambda x: (root(x), x), lambda x, g: (jnp.full_like(x, jnp.nan),))
    assert check(root, jnp.array([1.0, 4.0])).verdict is Verdict.MISMATCH
    with pytest.raises(InputError, match="must be finite"):
        check(lambda x: jnp.sum(jnp.log(x)), jnp.array([-1.0, 2.0]))


# -- in batches -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize(("factor", "expected"), [(1.0, "match"), (1.001, "mismatch")])
def test_a_function_in_batches_is_judged_as_without(factor, expected, double):
    calls, inner = [], custom(factor)

    def counted(x, y, scale):
        calls.append(x.shape)
        return scale * inner(x, y)

    x, y = RNG.normal(size=(2, 40)).astype(np.float64 if double else np.float32)
    alone = check(counted, x, y, 2.0, modes=("rev",))
    alone_calls = len(calls)
    calls.clear()
    batched = check(counted, x, y, 2.0, modes=("rev",), vectorized=True)
    assert len(calls) < alone_calls / 5
    assert set(calls) == {(40,)}
    assert verdicts(batched) == verdicts(alone)
    assert verdicts(batched)["x"] == expected
    assert batched.notes == alone.notes
    for one, other in zip(batched.parameters, alone.parameters, strict=True):
        np.testing.assert_allclose(one.numerical, other.numerical, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("factor", "passes"), [(1.0, True), (1.01, False)])
def test_both_modes_and_orders_and_complex_numbers_in_batches(factor, passes):
    cube = custom_forward(factor)

    def function(x, z):
        return {"a": cube(x) * jnp.abs(z) ** 2, "b": jnp.exp(1j * z)}

    result = check(function, X3, 0.5 + 0.2j, order=2, vectorized=True)
    assert not any("vmap" in note for note in result.notes)
    assert bool(result) is passes


def test_random_keys_and_loops_in_batches():
    def function(x, key):
        noisy = x * jax.random.bernoulli(key, 0.5, x.shape)
        return jax.lax.while_loop(lambda s: jnp.sum(s) < 50, lambda s: s * 1.5 + 1, noisy).sum()

    result = check(function, jnp.ones(4), jax.random.key(3), modes=("fwd",), vectorized=True)
    assert result.passed
    assert not any("vmap" in note for note in result.notes)


def mixed_up():
    """Make a function whose rule for batches puts values into the wrong rows."""
    inner = jax.custom_batching.custom_vmap(lambda x: jnp.sum(x**2))
    inner.def_vmap(lambda size, is_batched, x: (jnp.roll(jnp.sum(x**2, axis=1), 1), True))

    @jax.custom_vjp
    def function(x):
        return inner(x)

    function.defvjp(lambda x: (jnp.sum(x**2), x), lambda x, g: (3 * g * x,))
    return function


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: custom(2.0)(x, x) if x[0] > 0 else x.sum(), "it raises TracerBoolConversionError there"),
        (mixed_up(), "it gives other values there"),
    ],
)
def test_what_cannot_be_batched_is_called_one_by_one_and_told(function, why):
    result = check(function, X3, modes=("rev",), vectorized=True)
    assert verdicts(result) == {"x": "mismatch"}
    (note,) = [note for note in result.notes if "vmap" in note]
    assert why in note
    assert "called once for each evaluation" in note


# -- mistakes of the caller -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        (lambda dx, dy: (dx[:2], dy), r"`dot_sin` must return for `x` an array of type and shape float64\[3\], got fl"),
        (lambda dx, dy: (dx, 1.0), r"must return for `y` an array of type and shape float64\[3\], got float64\[\]"),
        (lambda dx, dy: (dx,), r"must return a tuple of one gradient per argument \(`x`, `y`\)"),
        (lambda dx, dy: dx, r"must return a tuple of one gradient per argument"),
        (lambda dx, dy: (dx, {"y": dy}), r"must return a tuple of one gradient per argument"),
    ],
    ids=["shape", "number", "one missing", "no tuple", "structure"],
)
def test_a_backward_pass_that_does_not_fit_is_named(returns, message):
    with pytest.raises(InputError, match=message):
        check(custom(returns=returns), X3, X3)
    with pytest.raises(InputError, match="bwd"):
        check(lambda x: custom(returns=returns)(x, x), X3)


def test_a_missing_gradient_is_a_zero():
    assert verdicts(check(custom(returns=lambda dx, dy: (None, dy)), X3, X3)) == {"x": "mismatch", "y": "match"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check(jnp.sum, jnp.arange(3)), "nothing to differentiate: expected floating-point arrays"),
        (lambda: check(jnp.sum), "nothing to differentiate.* got no argument"),
        (lambda: check(jnp.argmax, X3), "must return floating-point numbers"),
        (lambda: check(lambda x: x.astype(jnp.bfloat16), X3), "bfloat16 numbers, too coarse"),
        (lambda: check(3, X3), "`function` must be callable, got int"),
        (lambda: check(jnp.sum, X3, modes=("reverse",)), "`modes` must be some of"),
        (lambda: check(jnp.sum, X3, modes="rev"), "`modes` must be some of"),
        (lambda: check(jnp.sum, X3, order=0), "`order` must be an integer"),
        (lambda: check(jnp.sum, X3, argnums=1), "`argnums` must be positions of the 1 arguments"),
        (lambda: check(custom(), X3, X3, modes=("fwd",)), "forward mode cannot be compared"),
    ],
)
def test_what_cannot_be_checked_is_said(call, message):
    with pytest.raises(InputError, match=message):
        call()


# -- drop-ins, and the cases that JAX's own checker is tested with ---------------------------------------------------


class Case(NamedTuple):
    """What both checkers say of a function: True if it passes, False for an AssertionError."""

    name: str
    function: object
    args: tuple
    order: int
    modes: tuple
    theirs: bool
    ours: bool


def doubled_tangent(right):
    @jax.custom_jvp
    def sine(x):
        return jnp.sin(x)

    sine.defjvp(lambda p, t: (sine(*p), (1 if right else 2) * jnp.cos(*p) * t[0]))
    return sine


def detached(x):
    return jax.lax.stop_gradient(x) ** 2


BIAS = (jnp.asarray(RNG.normal(size=(64, 8)), jnp.float32), jnp.zeros(8))
ONES = jnp.ones(500)


def biased(x, b):
    return jnp.mean((x + b + 30.0) ** 2)


def planted(x, factor=1.001):
    """Be wrong by 0.1 % in every entry."""
    return jnp.sum(custom_forward(factor)(x))


def wrong_in_one(x):
    """Be wrong by a hundredth in one entry."""
    x = jnp.asarray(x)
    return x.at[7].set(x[7] + 0.01 * (x[7] - jax.lax.stop_gradient(x[7]))) ** 2


BOTH, REV = ("fwd", "rev"), ("rev",)
CASES = [
    Case("sine, third order", jnp.sin, (0.7,), 3, REV, True, True),
    Case("product of matrices", lambda a, b: a @ b, (np.eye(2) + 1, np.ones((2, 2))), 1, BOTH, True, True),
    Case("tuple of outputs", lambda x: (jnp.sin(x), x * x), (X3,), 1, BOTH, True, True),
    Case("custom jvp", doubled_tangent(True), (0.7,), 1, BOTH, True, True),
    Case("custom jvp, doubled", doubled_tangent(False), (0.7,), 1, BOTH, False, False),
    Case("custom vjp", custom(), (X3, X3), 1, REV, True, True),
    Case("custom vjp, without the cotangent", custom(uses_cotangent=False), (X3, X3), 1, REV, False, False),
    Case("stopped gradient", detached, (1.3,), 1, BOTH, False, False),
    # what follows is seen otherwise: JAX computes in float32 with one step for all, projects all entries on one number,
    # multiplies tolerances by the number of entries, and has an absolute one
    Case("float32, a correct bias", biased, BIAS, 1, REV, False, True),
    Case("0.1 % in every entry, float32", planted, (ONES[:3],), 1, BOTH, True, False),
    Case("a hundredth in one entry of 500", wrong_in_one, (ONES,), 1, REV, True, False),
    Case("a tangent twice too large", doubled_tangent(False), (jnp.linspace(0.1, 1, 1000),), 1, ("fwd",), True, False),
    Case("a kink nearby", lambda x: jnp.sum(jnp.abs(x)), (np.array([3e-5, 1.0]),), 1, REV, False, True),
    Case("a small gradient that is missing", lambda x: 1e-6 * detached(x), (X3,), 1, BOTH, True, False),
]


def passes(checker, case):
    try:
        assert checker(case.function, case.args, case.order, case.modes) is None
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_beside_jax(case):
    from jax.test_util import check_grads as theirs

    assert passes(theirs, case) is case.theirs
    assert passes(adapter.check_grads, case) is case.ours


@jax.custom_vjp
def greedy_max(x):
    """Return the maximum; the backward pass gives the whole slope to each of the largest entries."""
    return jnp.max(x)


greedy_max.defvjp(lambda x: (jnp.max(x), x), lambda x, g: (g * (x == jnp.max(x)),))

AT_KINKS = {
    "tie": (jnp.max, [1.0, 1.0, 0.5], True),
    "greedy without a tie": (greedy_max, [1.0, 0.9, 0.5], True),
    "greedy at a tie": (greedy_max, [1.0, 1.0, 0.5], False),
    "relu": (lambda x: 5 + jnp.sum(jnp.maximum(x, 0)), [0.0, -1.0], True),
    "beside a wrong entry": (lambda x: jnp.sum(jnp.maximum(x, 0)) + custom(2.0)(x, x), [0.0, -1.0], False),
}


@pytest.mark.parametrize("name", AT_KINKS)
def test_kinks_and_ties_pass_where_those_of_jax_do(name):
    from jax.test_util import check_grads as theirs

    function, x, right = AT_KINKS[name]
    with jax.enable_x64(True):
        for checker in (theirs, adapter.check_grads):
            if right:
                assert checker(function, (jnp.array(x),), 1, ("rev",)) is None
            else:
                with pytest.raises(AssertionError):
                    checker(function, (jnp.array(x),), 1, ("rev",))


def test_in_float32_a_correct_gradient_seems_wrong_by_percents():
    step, (x, b) = 1e-2, BIAS
    unit = jnp.zeros(8).at[0].set(1.0)
    difference = (biased(x, b + step * unit) - biased(x, b - step * unit)) / (2 * step)
    assert abs(difference / jax.grad(biased, 1)(x, b)[0] - 1) > 1e-4
    result = check(biased, x, b, modes=("rev",), argnums=1)
    assert result.passed
    assert result.parameters[0].max_rel_error < 1e-6


def test_an_error_holds_the_table():
    with pytest.raises(GradientMismatch, match=r"(?s)does not match.*dot|x  .*mismatch"):
        adapter.check_grads(custom(1.001), (X3, X3), 1, ("rev",))
    with pytest.raises(TypeError, match="custom_vjp"):
        adapter.check_grads(custom(), (X3, X3), 1)


def complex_pair(x, y):
    return x * y, jnp.sum(x) * 1j * y


PAIR = (jnp.arange(3.0) + 1, jnp.array([1j + 2, 1.0, 2.0]))


def vjp(factor, f, *args):
    out, pull = jax.vjp(f, *args)
    return out, lambda g: tuple(factor * part for part in pull(g))


def jvp(factor, f, primals, tangents):
    out, found = jax.jvp(f, primals, tangents)
    return out, jax.tree_util.tree_map(lambda part: factor * part, found)


@pytest.mark.parametrize(("checker", "made"), [("check_vjp", vjp), ("check_jvp", jvp)])
def test_functions_with_derivatives_of_their_own(checker, made):
    ours = getattr(adapter, checker)
    assert ours(complex_pair, functools.partial(made, 1.0, complex_pair), PAIR) is None
    with pytest.raises(AssertionError, match="mine: the gradient does not match"):
        ours(complex_pair, functools.partial(made, 1.001, complex_pair), PAIR, err_msg="mine")
    with pytest.raises(AssertionError, match="returns another value than `f`"):
        ours(jnp.sin, functools.partial(made, 1.0, jnp.cos), (X3,))
    with pytest.raises(InputError, match="must return the same structure"):
        ours(jnp.sin, functools.partial(made, 1.0, jnp.sum), (X3,))


def test_nothing_imports_jax_before_it_is_needed():
    code = "import sys, gradcheck.adapters.jax; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# -- the documentation ----------------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "check-jax.md"


def test_the_table_of_the_page_is_what_comes_out():
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (right|wrong) \| (passes|raises) \| (passes|raises) \|$", text, flags=re.M)
    said = {True: "passes", False: "raises"}
    assert rows == [(c.name, "right" if c.ours else "wrong", said[c.theirs], said[c.ours]) for c in CASES]


@pytest.mark.parametrize("function", [adapter.check_grads, adapter.check_vjp, adapter.check_jvp])
def test_every_option_is_in_the_table_of_the_page(function):
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in inspect.signature(function).parameters if name not in ("f", "args"))
