"""Functions written for HIPS autograd, and beside its own checker."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as onp
import pytest

from gradcheck.checker.result import Verdict
from gradcheck.errors import GradientMismatch, InputError

np = pytest.importorskip("autograd.numpy")
adapter = pytest.importorskip("gradcheck.adapters.autograd")
extend = pytest.importorskip("autograd.extend")
check = adapter.check
X = onp.array([0.3, -1.2, 0.8])


def primitive(factor=1.0, *, forward=False, uses_cotangent=True, cut=...):
    """Make a primitive whose derivatives are wrong by a factor, forget the cotangent, or are cut."""

    @extend.primitive
    def wave(x):
        return x**2 * onp.sin(x)

    def slope(x):
        return factor * (2 * x * np.sin(x) + x**2 * np.cos(x))

    extend.defvjp(wave, lambda ans, x: lambda g: ((g if uses_cotangent else 1.0) * slope(x))[cut])
    if forward:
        extend.defjvp(wave, lambda g, ans, x: g * slope(x))
    return wave


def verdicts(result):
    return {parameter.name: parameter.verdict.value for parameter in result.parameters}


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "match"), (1.001, "mismatch")])
def test_primitives(factor, expected):
    result = check(primitive(factor), X)
    assert verdicts(result) == {"x": expected}
    assert "forward mode was not compared: a primitive that is used has no defjvp" in result.notes
    result = check(primitive(factor, forward=True), X)
    assert verdicts(result) == {"x": expected, "x (forward mode)": expected}


def test_modes_that_disagree_are_told():
    square = extend.primitive(lambda x: x**2)
    extend.defvjp(square, lambda ans, x: lambda g: 2 * g * x)
    extend.defjvp(square, lambda g, ans, x: 2.002 * g * x)
    result = check(square, X)
    assert verdicts(result) == {"x": "match", "x (forward mode)": "mismatch"}
    assert any("forward and backward mode disagree along a random direction" in note for note in result.notes)


def test_derivatives_that_forget_the_cotangent_or_have_another_shape():
    assert check(primitive(uses_cotangent=False), X).verdict is Verdict.MISMATCH
    assert check(primitive(cut=slice(1)), X).verdict is Verdict.MISMATCH


@pytest.mark.parametrize("bad", [False, True])
def test_containers_second_order_and_outputs_of_any_structure(bad):
    inner = primitive(1.001 if bad else 1.0, forward=True)

    def layer(params, x, label):
        assert label == "train"
        hidden = np.tanh(np.dot(x, params["W"]) + params["b"][0])
        return {"hidden": hidden, "wave": (inner(params["b"][0]), 3)}

    params = {"W": onp.ones((2, 3)), "b": [onp.arange(3.0)], "none": onp.zeros(0)}
    result = check(layer, params, onp.ones((2, 2), onp.float32), "train", argnums=0, modes=("rev",))
    assert verdicts(result) == {"params['W']": "match", "params['b'][0]": "mismatch" if bad else "match"}
    assert (params["b"][0] == onp.arange(3.0)).all()


def test_second_order():
    result = check(lambda x, y: np.sum(np.sin(x) * y), X, 2.0, order=2)
    assert result.passed
    assert {p.name for p in result.parameters} >= {"x (order 2)", "y (order 2)", "x (forward mode) (order 2)"}


def test_complex_numbers():
    result = check(lambda z: np.abs(z) ** 2 * z, onp.array([1 + 2j, 3j]))
    assert verdicts(result) == dict.fromkeys(
        ["z.real", "z.imag", "z.real (forward mode)", "z.imag (forward mode)"], "match"
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check(np.sum, onp.arange(3)), "nothing to differentiate"),
        (lambda: check(lambda x: 3, X), "must return floating-point numbers"),
        (lambda: check(3, X), "must be callable"),
        (lambda: check(primitive(), X, modes=("fwd",)), "forward mode cannot be compared"),
        (lambda: check(np.sum, X, modes=()), "`modes` must be"),
    ],
)
def test_what_cannot_be_checked_is_said(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_errors_of_the_user_come_through_and_arrays_come_back():
    def raises(x):
        raise ZeroDivisionError("mine")

    x = X.copy()
    with pytest.raises(ZeroDivisionError, match="mine"):
        check(raises, x)
    assert (x == X).all()


SIDE_BY_SIDE = [
    ("right", primitive(), X, True, True),
    ("wrong by a tenth", primitive(1.1), X, False, False),
    ("without the cotangent", primitive(uses_cotangent=False), X, False, False),
    ("wrong by 0.1 %", primitive(1.001), X, False, False),
    # its tolerance is absolute, its step is the same for all, and all entries become one number
    ("small and wrong by a factor of 2", lambda x: 1e-8 * primitive(2.0)(x), X, True, False),
    ("large numbers", lambda x: 1e-9 * np.sum(x**2), onp.array([1e9, 2e9]), False, True),
    ("a kink nearby", lambda x: np.sum(np.abs(x)), onp.array([1e-7, 2e-7]), False, True),
]


@pytest.mark.parametrize(("name", "function", "x", "theirs", "ours"), SIDE_BY_SIDE)
def test_beside_autograd(name, function, x, theirs, ours):
    from autograd.test_util import check_grads

    def passes(checker):
        onp.random.seed(0)  # noqa: NPY002 - theirs draws from the global generator
        try:
            checker(function, modes=["rev"], order=1)(x)
        except AssertionError:
            return False
        return True

    assert passes(check_grads) is theirs
    assert passes(adapter.check_grads) is ours


@pytest.mark.parametrize(
    ("function", "x", "right"),
    [
        (lambda x: np.max(x), [1.0, 1.0, 0.5], True),
        (lambda x: np.max(x) + primitive(1.1)(x)[2], [1.0, 1.0, 0.5], False),
        (lambda x: 5 + np.sum(np.maximum(x, 0)), [0.0, -1.0], True),
        (lambda x: 5 + np.sum(np.maximum(x, 0)) + primitive(1.1)(x)[1], [0.0, -1.0], False),
    ],
)
def test_kinks_and_ties_pass_where_those_of_autograd_do(function, x, right):
    from autograd.test_util import check_grads

    for checker in (check_grads, adapter.check_grads):
        if right:
            assert checker(function, modes=["rev"], order=1)(onp.array(x)) is None
        else:
            with pytest.raises(AssertionError):
                checker(function, modes=["rev"], order=1)(onp.array(x))


def test_the_drop_in_has_a_table_in_its_message_and_takes_argument_numbers():
    with pytest.raises(GradientMismatch, match=r"(?s)does not match in 1 of 1.*x .*mismatch"):
        adapter.check_grads(primitive(1.001), modes=["rev"], order=1)(X)
    assert adapter.check_grads(lambda x, y, scale: scale * np.sin(x) * y, (0, 1))(1.0, 2.0, scale=3.0) is None
    with pytest.raises(NotImplementedError, match="JVP"):
        adapter.check_grads(primitive(), order=1)(X)


def test_the_table_of_the_page_is_what_comes_out():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "check-other-frameworks.md"
    text = page.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (right|wrong) \| (passes|raises) \| (passes|raises) \|$", text, flags=re.M)
    said = {True: "passes", False: "raises"}
    expected = [
        (name, "right" if ours else "wrong", said[theirs], said[ours]) for name, *_, theirs, ours in SIDE_BY_SIDE
    ]
    assert rows == expected
