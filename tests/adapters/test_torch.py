"""PyTorch code is checked as it is, mistakes in it are found, and everything is as it was afterwards."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.adapters import torch as adapter  # noqa: E402
from gradcheck.adapters import torch_tensors  # noqa: E402
from gradcheck.errors import GradientMismatch, InputError  # noqa: E402

check = adapter.check
F = nn.functional
pytestmark = pytest.mark.filterwarnings(
    "ignore:Sparse", "ignore:Backwards compatibility", "ignore:Input #0", "ignore:.torch.jit.script"
)


@pytest.fixture(autouse=True)
def seeded():
    """Draw the same numbers in each test; on tensors this small, threads only get in each other's way."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def leaf(*shape, dtype=torch.float64, low=-1.5, high=1.5):
    if dtype.is_complex:
        return torch.randn(shape, dtype=dtype).requires_grad_()
    return (torch.rand(shape, dtype=torch.float64) * (high - low) + low).to(dtype).requires_grad_()


def function(forward, backward, **extra):
    """Make a ``torch.autograd.Function`` whose backward is called with the inputs and what comes back."""

    def forward_(ctx, *tensors):
        ctx.save_for_backward(*tensors)
        return forward(*tensors)

    def backward_(ctx, *gradients):
        return backward(*ctx.saved_tensors, *gradients)

    methods = {"forward": forward_, "backward": backward_, **extra}
    return type("Made", (torch.autograd.Function,), {name: staticmethod(method) for name, method in methods.items()})


def verdicts(result):
    return {parameter.name: str(parameter.verdict) for parameter in result.parameters}


# -- Functions, right ones and wrong ones -----------------------------------------------------------------------------


def softmax_backward(x, g):
    p = torch.softmax(x, -1)
    return p * (g - (p * g).sum(-1, keepdim=True))


def normalise(x):
    return (x - x.mean(-1, keepdim=True)) / x.std(-1, unbiased=False, keepdim=True)


def normalise_backward(x, g):
    y = normalise(x)
    centred = g - g.mean(-1, keepdim=True) - y * (g * y).mean(-1, keepdim=True)
    return centred / x.std(-1, unbiased=False, keepdim=True)


# name: forward, right backward, wrong ones, shapes of the inputs
FUNCTIONS = {
    "product": (
        lambda x, w: x**2 * w,
        lambda x, w, g: (2 * g * x * w, g * x**2),
        [
            lambda x, w, g: (2.002 * g * x * w, g * x**2),  # 0.1 % too much
            lambda x, w, g: (2 * g * x * w, None),
            lambda x, w, g: (2 * x * w, g * x**2),  # lacks the gradient of the output
        ],
        [(3, 4), (3, 4)],
    ),
    "dense": (
        lambda x, W, b: x @ W + b,
        lambda x, W, b, g: (g @ W.T, x.T @ g, g.sum(0)),
        [
            lambda x, W, b, g: (g @ W, x.T @ g, g.sum(0)),  # not transposed
            lambda x, W, b, g: (g @ W.T, x.T @ g / len(x), g.sum(0)),
            lambda x, W, b, g: (g @ W.T, x.T @ g, g.mean(0)),
        ],
        [(4, 3), (3, 3), (3,)],
    ),
    "softmax": (
        lambda x: torch.softmax(x, -1),
        softmax_backward,
        [
            lambda x, g: torch.softmax(x, -1) * (1 - torch.softmax(x, -1)) * g,  # diagonal alone
            lambda x, g: softmax_backward(x, g) * 1.0005,
            lambda x, g: softmax_backward(x, g.abs()),
        ],
        [(2, 5)],
    ),
    "normalise": (
        normalise,
        normalise_backward,
        [
            lambda x, g: g / x.std(-1, unbiased=False, keepdim=True),
            lambda x, g: normalise_backward(x, g) * x.std(-1, unbiased=False, keepdim=True),
            lambda x, g: normalise_backward(x, g) - 1e-3 * g,
        ],
        [(3, 4)],
    ),
    "number": (
        lambda x: (x**3).sum(),
        lambda x, g: 3 * g * x**2,
        [
            lambda x, g: 3 * x**2,  # right as long as nothing follows
            lambda x, g: 3 * g * x**2 + 1e-4 * g,
            lambda x, g: 3 * g * x,
        ],
        [(2, 3)],
    ),
    "two outputs": (
        lambda x, y: (x * y, torch.sin(x) + y),
        lambda x, y, g, h: (g * y + h * torch.cos(x), g * x + h),
        [
            lambda x, y, g, h: (h * y + g * torch.cos(x), h * x + g),  # the wrong way round
            lambda x, y, g, h: (g * y, g * x),
            lambda x, y, g, h: (g * y + h * torch.cos(x), g * x + 1.001 * h),
        ],
        [(4,), (4,)],
    ),
    "number without shape": (
        lambda x: torch.exp(x),
        lambda x, g: g * torch.exp(x),
        [
            lambda x, g: g * torch.exp(x) * 0.999,
            lambda x, g: torch.exp(x),
            lambda x, g: g * x,
        ],
        [()],
    ),
}
WRONG = [(name, k) for name, case in FUNCTIONS.items() for k in range(len(case[2]))]


@pytest.mark.parametrize(("name", "k"), WRONG)
def test_a_wrong_function_is_found(name, k):
    forward, _, wrong, shapes = FUNCTIONS[name]
    result = check(function(forward, wrong[k]), *(leaf(*shape) for shape in shapes))
    assert result.verdict == "mismatch"


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_right_function_matches(name, dtype, order):
    forward, backward, _, shapes = FUNCTIONS[name]
    result = check(function(forward, backward), *(leaf(*shape, dtype=dtype) for shape in shapes), order=order)
    assert result.passed, str(result)
    assert not result.notes
    assert max(parameter.max_rel_error for parameter in result.parameters if not parameter.reason) < 1e-5


def test_the_parameter_that_is_wrong_is_named():
    forward, _, wrong, shapes = FUNCTIONS["dense"]
    result = check(function(forward, wrong[1]).apply, *(leaf(*shape) for shape in shapes))
    assert verdicts(result) == {"inputs[0]": "match", "inputs[1]": "mismatch", "inputs[2]": "match"}
    ratio = result.parameters[1].analytic / result.parameters[1].numerical
    np.testing.assert_allclose(ratio, 0.25, rtol=1e-6)


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, signal, gain, power=2):
        ctx.save_for_backward(signal, gain)
        ctx.power = power
        return gain * signal**power

    @staticmethod
    def backward(ctx, g):
        signal, gain = ctx.saved_tensors
        return g * gain * ctx.power * signal ** (ctx.power - 1), g * signal**ctx.power, None


def test_names_are_those_of_the_signature_and_what_is_no_tensor_is_passed_on():
    assert verdicts(check(Scale, leaf(3), leaf(3), 3)) == {"signal": "match", "gain": "match"}
    assert verdicts(check(Scale.apply, leaf(3), leaf(3).detach(), 3)) == {"signal": "match"}
    batch = {"x": leaf(2), "pair": (leaf(2), torch.tensor([0, 1]))}
    found = check(lambda batch, flag: batch["x"] * batch["pair"][0][batch["pair"][1]] if flag else None, batch, True)
    assert verdicts(found) == {"batch['x']": "match", "batch['pair'][0]": "match"}


def test_a_product_that_is_not_linear_in_what_comes_back_is_found():
    """With unit vectors, which is what a Jacobian is made of, squares and magnitudes look right."""
    for wrong in (lambda x, g: 2 * x * g**2, lambda x, g: 2 * x * g.abs()):
        assert check(function(lambda x: x**2, wrong), leaf(3)).verdict == "mismatch"


# -- modules --------------------------------------------------------------------------------------------------------


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(5, 3)
        self.out = nn.Linear(3, 5, bias=False)
        self.out.weight = self.words.weight

    def forward(self, i):
        return self.out(self.words(i))


MODULES = {
    "linear": (lambda: nn.Linear(3, 2), (4, 3)),
    "convolution": (lambda: nn.Sequential(nn.Conv2d(1, 2, 2), nn.Tanh(), nn.Flatten(), nn.Linear(8, 1)), (2, 1, 3, 3)),
    "batch norm": (lambda: nn.Sequential(nn.Linear(3, 2, bias=False), nn.BatchNorm1d(2), nn.Tanh()), (5, 3)),
    "batch norm, eval": (lambda: nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Tanh()).eval(), (5, 3)),
    "dropout": (lambda: nn.Sequential(nn.Linear(3, 6), nn.Dropout(0.5), nn.Linear(6, 1)), (2, 3)),
    "layer norm": (lambda: nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.GELU(), nn.Linear(4, 1)), (2, 3)),
    "lstm": (lambda: nn.LSTM(2, 2), (3, 1, 2)),
    "tied": (Tied, None),
}


@pytest.mark.parametrize("points", [1, 2])
@pytest.mark.parametrize("name", MODULES)
def test_modules_of_pytorch_match(name, points):
    make, shape = MODULES[name]
    module = make()
    given = torch.tensor([0, 3, 3]) if shape is None else torch.randn(shape)
    result = check(module, given, points=points)
    assert result.passed, str(result)
    assert list(verdicts(result)) == [name for name, _ in module.named_parameters()]
    assert any("random numbers" in note for note in result.notes) == (name == "dropout")
    with_loss = check(module, given, loss=lambda out: (out[0] if isinstance(out, tuple) else out).square().mean())
    assert with_loss.passed, str(with_loss)


@pytest.mark.parametrize("compile_", [torch.jit.script, lambda module: torch.compile(module, backend="eager")])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripted_and_compiled_modules_match(compile_):
    module = nn.Sequential(nn.Linear(3, 2, bias=False), nn.BatchNorm1d(2))
    compiled, x = compile_(module), torch.randn(4, 3)
    before = snapshot(module)
    result = check(compiled, x, loss=lambda out: (out**3).mean())
    assert result.passed
    assert [parameter.size for parameter in result.parameters] == [6, 2, 2]
    assert_same(before, snapshot(module))


class Hidden(nn.Module):
    """Two layers with a Function between them."""

    def __init__(self, between):
        super().__init__()
        self.first, self.second, self.between = nn.Linear(3, 4), nn.Linear(4, 2), between

    def forward(self, x):
        return self.second(self.between.apply(self.first(x)))


def test_a_wrong_function_inside_a_module_shows_in_what_flows_through_it():
    right = function(torch.tanh, lambda x, g: g * (1 - torch.tanh(x) ** 2))
    wrong = function(torch.tanh, lambda x, g: g * (1 - torch.tanh(x)))
    assert check(Hidden(right), torch.randn(5, 3)).passed
    found = verdicts(check(Hidden(wrong), torch.randn(5, 3)))
    assert {name for name, verdict in found.items() if verdict == "mismatch"} == {"first.weight", "first.bias"}


def test_frozen_parameters_are_told_and_inputs_of_a_module_are_checked_too():
    module = nn.Linear(3, 2)
    module.weight.requires_grad_(False)
    result = check(module, leaf(4, 3, dtype=torch.float32))
    assert verdicts(result) == {"input": "match", "bias": "match"}
    assert result.notes == ("`weight` is frozen (requires_grad is False), and not checked",)


def test_a_method_of_a_module_is_checked_like_the_module():
    class Model(nn.Linear):
        def loss(self, x, y):
            return F.mse_loss(self(x), y)

    assert verdicts(check(Model(2, 1).loss, torch.randn(3, 2), torch.randn(3, 1))) == {
        "weight": "match",
        "bias": "match",
    }


def test_what_a_function_refers_to_is_in_double_precision_too_and_told():
    weight, module = torch.randn(3, 3), nn.Linear(3, 2)
    result = check(lambda x: [module(torch.tanh(weight @ y)) for y in [x]], leaf(3, dtype=torch.float32))
    assert result.passed
    assert result.tolerance.rtol == 1e-5
    assert weight.dtype == module.weight.dtype == torch.float32
    assert "parameters of the module Linear" in result.notes[0]
    free = leaf(3)
    (note,) = check(lambda x: x * free, leaf(3)).notes
    assert "requires a gradient and is no input" in note
    (note,) = check(lambda x: x * free, free).notes
    assert "also called with" in note


# -- everything is as it was ------------------------------------------------------------------------------------------


def snapshot(module, *tensors):
    """Return all that a check must not change, in a form that can be compared."""
    named = [*module.named_parameters(), *module.named_buffers(), *((str(i), t) for i, t in enumerate(tensors))]
    content = [(n, id(t), t.data_ptr(), t.dtype, t.requires_grad, t.detach().numpy().tobytes()) for n, t in named]
    grads = [(id(t.grad), None if t.grad is None else t.grad.numpy().tobytes()) for _, t in named if t.is_leaf]
    modes = [part.training for part in module.modules()]
    attributes = [sorted(vars(part)) for part in module.modules() if not isinstance(part, torch.jit.ScriptModule)]
    numbers = (torch.get_rng_state().numpy().tobytes(), repr(np.random.get_state()))  # noqa: NPY002
    settings = (torch.get_default_dtype(), torch.is_autocast_enabled("cpu"), torch.is_grad_enabled())
    return content, grads, modes, attributes, numbers, settings


def assert_same(before, after):
    for one, other in zip(before, after, strict=True):
        assert one == other


class Busy(nn.Module):
    """A module that changes all that it can."""

    def __init__(self, trouble=None):
        super().__init__()
        self.norm, self.linear = nn.BatchNorm1d(3), nn.Linear(3, 2)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("replaced", torch.zeros(2))
        self.plain, self.count, self.seen, self.trouble = torch.ones(2), 0, [], trouble

    def forward(self, x):
        self.count += 1
        self.calls += 1
        self.replaced = self.replaced + torch.rand(2)
        self.cache = x.detach()
        self.plain.add_(1.0)
        self.train(self.count % 2 == 0)
        self.seen.append(self.calls.dtype)
        if self.trouble == "forward" and len(self.seen) == 9:
            raise ZeroDivisionError("in forward")
        out = self.linear(F.dropout(self.norm(x)))
        if self.trouble == "backward":
            out = function(torch.clone, lambda _, g: 1 / 0).apply(out)
        return out * (1 + self.replaced)


@pytest.mark.parametrize("trouble", [None, "forward", "backward"])
def test_everything_is_as_it_was(trouble):
    module, x = Busy(trouble), leaf(4, 3, dtype=torch.float32)
    module.linear.weight.grad = torch.ones(2, 3)
    x.grad = torch.full((4, 3), 2.0)
    module.norm.running_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    module.norm.eval()
    torch.rand(3)
    before = snapshot(module, x)
    if trouble:
        with pytest.raises(ZeroDivisionError):
            check(module, x)
    else:
        assert check(module, x, order=2).passed
    assert module.count == 0
    assert_same(before, snapshot(module, x))


def test_settings_of_the_caller_do_not_matter():
    module, x = nn.Linear(3, 2), torch.randn(4, 3)
    expected = check(module, x).parameters[0].analytic
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = check(module, x)
        assert torch.is_autocast_enabled("cpu")
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        also = check(module, x)
    np.testing.assert_array_equal(expected, found.parameters[0].analytic)
    np.testing.assert_array_equal(expected, also.parameters[0].analytic)


def test_an_input_that_a_function_writes_to_is_the_same_in_every_call():
    def accumulate(x, total):
        total += 1
        return x * total

    total = torch.zeros(3)
    assert check(accumulate, leaf(3), total).passed
    assert total.tolist() == [0, 0, 0]


def test_nothing_is_imported_for_those_who_have_no_use_for_it():
    code = "import sys, gradcheck.adapters.torch; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


# -- precision and devices ------------------------------------------------------------------------------------------


def only_single(x):
    if x.dtype != torch.float32:
        raise TypeError("float32 is expected")
    return torch.sin(x) * 2


def test_what_works_in_single_precision_only_is_checked_in_that():
    x = leaf(4, dtype=torch.float32)
    result = check(only_single, x)
    assert result.passed
    assert result.tolerance.rtol == 2e-3
    assert "raises TypeError (float32 is expected); it was checked in single precision" in result.notes[0]
    wrong = function(only_single, lambda x, g: g * torch.cos(x) * 2.1)
    assert check(wrong, x).verdict == "mismatch"
    with pytest.raises(TypeError, match="float32 is expected"):
        check(only_single, leaf(4))


@pytest.mark.parametrize("back", [torch.float32, torch.float64])
def test_single_precision_inside_is_noticed(back):
    result = check(lambda x: (torch.sin(x.float()) * 2).to(back), leaf(4))
    assert result.passed
    assert result.tolerance.rtol == 2e-3
    assert result.notes == ("the outputs have no more digits than float32 although the inputs are float64",)
    wrong = function(lambda x: torch.sin(x.float()).to(back), lambda x, g: 1.05 * g * torch.cos(x))
    assert check(wrong, leaf(4)).verdict == "mismatch"


def test_round_numbers_are_not_taken_for_single_precision():
    x = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64, requires_grad=True)
    result = check(torch.square, x)
    assert not result.notes
    assert result.tolerance.rtol == 1e-5


@pytest.fixture
def elsewhere(monkeypatch):
    """Have tensors treated as if NumPy could not reach their memory."""
    monkeypatch.setattr(torch_tensors, "is_on_host", lambda tensor: False)


@pytest.mark.usefixtures("elsewhere")
def test_tensors_on_a_device_are_moved_there():
    module, x = nn.Sequential(nn.Conv1d(2, 2, 2), nn.Tanh()), torch.randn(2, 2, 3)
    result = check(module, x, points=2)
    assert result.passed
    z, number = leaf(3, dtype=torch.complex128), leaf()
    assert check(lambda z, n: z.abs() ** 2 * n, z, number, order=2, forward=True).passed
    transposed = leaf(3, 2).detach().T.requires_grad_()
    wrong = function(lambda x: x**2, lambda x, g: 2 * x * g + 1e-3 * (x == x[1, 2]) * g)
    found = check(wrong, transposed).parameters[0]
    assert found.worst_index == (1, 2)
    assert found.mismatched == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_modules_on_a_gpu():
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 1)).cuda()
    x = torch.randn(5, 3, device="cuda")
    states = torch.cuda.get_rng_state_all()
    result = check(module, x)
    assert result.passed, str(result)
    assert all(map(torch.equal, states, torch.cuda.get_rng_state_all()))
    wrong = Hidden(function(torch.tanh, lambda x, g: g * (1 - torch.tanh(x)))).cuda()
    assert verdicts(check(wrong, x))["first.weight"] == "mismatch"


# -- complex, sparse, and other outputs -----------------------------------------------------------------------------


def test_complex_tensors_are_two_parameters_in_the_convention_of_pytorch():
    z = leaf(3, dtype=torch.complex64)
    result = check(lambda z: (z * z.conj()).real.sum(), z, order=2, forward=True)
    assert result.passed
    real, imaginary = result.parameters[:2]
    assert (real.name, imaginary.name) == ("z.real", "z.imag")
    # for |z|^2 the gradient of PyTorch is 2 z
    np.testing.assert_allclose(real.analytic + 1j * imaginary.analytic, 2 * z.detach().numpy(), rtol=1e-6)
    conjugated = function(lambda z: z**2, lambda z, g: g * 2 * z)
    assert check(function(lambda z: z**2, lambda z, g: g * 2 * z.conj()), z).passed
    assert check(conjugated, z).verdict == "mismatch"


def test_sparse_inputs_are_differentiated_where_they_are_specified():
    indices, values = torch.tensor([[0, 1, 1], [2, 0, 2]]), torch.tensor([3.0, 4.0, 5.0])
    sparse, dense = torch.sparse_coo_tensor(indices, values, (2, 3)).requires_grad_(), leaf(3, 2, dtype=torch.float32)
    result = check(torch.sparse.mm, sparse, dense)
    assert verdicts(result) == {"inputs[0].values": "match", "inputs[1]": "match"}
    rows = sparse.detach().to_sparse_csr().requires_grad_()
    assert check(lambda a, b: a @ b, rows, dense).passed
    with pytest.raises(InputError, match=r"layout torch\._mkldnn cannot be checked"):
        check(lambda x: x.to_dense(), torch.rand(3).to_mkldnn().requires_grad_())


def test_sparse_gradients_and_outputs_are_filled():
    assert check(nn.Embedding(4, 2, sparse=True), torch.tensor([1, 1, 3])).passed
    assert check(lambda x: (x**2).to_sparse(), leaf(2, 3)).passed


class Top(torch.autograd.Function):
    """The largest entries, and where they were, and a threshold that has no gradient."""

    @staticmethod
    def forward(ctx, x):
        value, index = x.max(-1)
        threshold = value * 0.5
        ctx.save_for_backward(index)
        ctx.mark_non_differentiable(index, threshold)
        ctx.shape = x.shape
        return value, index, threshold

    @staticmethod
    def backward(ctx, g, *_):
        (index,) = ctx.saved_tensors
        return torch.zeros(ctx.shape, dtype=g.dtype).scatter(-1, index[..., None], g[..., None])


def test_outputs_without_a_gradient_are_left_out_and_told():
    result = check(Top, leaf(3, 4))
    assert result.passed
    assert result.notes == ("outputs without a gradient were not checked (counted from 0: 1)",)


def test_an_output_far_smaller_than_another_is_not_hidden():
    wrong = function(lambda x: (1e9 * x, 1e-9 * x**2), lambda x, g, h: 1e9 * g + 2.02e-9 * h * x)
    right = function(lambda x: (1e9 * x, 1e-9 * x**2), lambda x, g, h: 1e9 * g + 2e-9 * h * x)
    assert check(right, leaf(3)).passed
    assert check(wrong, leaf(3)).verdict == "mismatch"


# -- gradients that are not there, and backward passes that do not fit -----------------------------------------------


def test_no_gradient_is_zero_where_there_is_none_and_wrong_elsewhere():
    assert check(lambda x, y: x * y.round(), leaf(3), leaf(3)).passed
    assert check(lambda x, unused: x * 2, leaf(3), leaf(2)).passed
    result = check(lambda x, y: x * y.detach(), leaf(3), leaf(3))
    assert verdicts(result) == {"x": "match", "y": "mismatch"}
    assert result.notes[0].startswith("no gradient comes back to `y` (None), although the outputs depend on it")
    cut = check(lambda x: x.detach() ** 2, leaf(3))
    assert cut.verdict == "mismatch"
    assert any("none of them requires one" in note for note in cut.notes)


@pytest.mark.parametrize(
    ("backward", "message"),
    [
        (lambda x, y, g: (g, g[:2]), r"wrong shape for `inputs\[1\]`.*got \[2\] but expected shape .*\[3\]"),
        (lambda x, y, g: g, r"one|a gradient for each argument \(`inputs\[0\]`, `inputs\[1\]`\).*expected 2, got 1"),
        (lambda x, y, g: (g, g, g), r"for each argument \(`inputs\[0\]`, `inputs\[1\]`\).*expected 2, got 3"),
    ],
    ids=["shape", "too few", "too many"],
)
def test_a_backward_pass_that_does_not_fit_is_an_error(backward, message):
    with pytest.raises(InputError, match=message):
        check(function(torch.mul, backward), leaf(3), leaf(3))


class Varying(torch.autograd.Function):
    """A backward pass that is another one in every run, by a part of its size."""

    runs, part = 0, 0.0

    @staticmethod
    def forward(_, x):
        return 2 * x

    @staticmethod
    def backward(_, g):
        Varying.runs += 1
        return 2 * g * (1 + Varying.part * (Varying.runs % 2))


@pytest.mark.parametrize(("part", "passes"), [(1e-2, False), (1e-9, True)])
def test_a_backward_pass_that_is_not_deterministic_is_told(part, passes, monkeypatch):
    monkeypatch.setattr(Varying, "part", part)
    result = check(Varying, leaf(3))
    assert result.passed == passes
    assert "not deterministic: two runs" in result.notes[0]
    assert ("x (second run)" in verdicts(result)) != passes
    assert not check(Varying, leaf(3), nondet_tol=1e-10).passed


@pytest.mark.parametrize("factor", [1.0, 2.0])
@pytest.mark.parametrize(("in_place", "shared"), [(False, False), (False, True), (True, False), (True, True)])
def test_a_backward_pass_that_writes_to_what_it_is_handed_is_told(factor, in_place, shared):
    def backward(x, g):
        return g.mul_(factor * torch.exp(x)) if in_place else g * factor * torch.exp(x)

    made = function(torch.exp, backward)
    # beside it, another function is handed the same tensor
    result = check((lambda x: 2 * x + made.apply(x)) if shared else made, leaf(3))
    assert result.passed == (factor == 1 and not (in_place and shared))
    assert any("changes `grad_output` in place" in note for note in result.notes) == in_place
    assert not any("not deterministic" in note for note in result.notes)


@pytest.mark.parametrize("takes_none", [True, False])
def test_outputs_that_nobody_uses(takes_none):
    class Both(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return 2 * x, 3 * x

        @staticmethod
        def backward(_, g, h):
            if takes_none:
                return 2 * g if h is None else 3 * h if g is None else 2 * g + 3 * h
            return 2 * g + 3 * h

    result = check(Both, leaf(3))
    assert result.passed == takes_none
    assert verdicts(result)["x"] == "match"
    if not takes_none:
        assert verdicts(result)["x (no gradient for output 0)"] == "mismatch"
        assert "raises TypeError where output 0 has no gradient" in result.notes[0]


# -- wrong input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "inputs", "message"),
    [
        (torch.sin, lambda: [torch.randn(3)], "no tensor requires a gradient"),
        (3, list, "must be a function of tensors, a torch.autograd.Function or a module, got int"),
        (torch.sin, lambda: [leaf(1).expand(3)], "entries of .* share memory"),
        (torch.sin, lambda: [leaf(4).unfold(0, 2, 1)], "entries of .* share memory"),
        (torch.mul, lambda: [x := leaf(3), x], r"`inputs\[0\]` and `inputs\[1\]` share memory"),
        (torch.mul, lambda: [(x := leaf(4))[:2], x[1:3]], r"`inputs\[0\]` and `inputs\[1\]` share memory"),
        (torch.sin, lambda: [leaf(0)], "is empty: there is nothing to check"),
        (lambda x: x[x > 0.5], lambda: [torch.full((2,), 0.5, requires_grad=True)], "same shapes wherever"),
        (lambda x: 3.0, lambda: [leaf(3)], "returns no floating-point tensor"),
        (nn.LazyLinear(2), lambda: [leaf(3, 3)], "without a shape: call it once"),
    ],
)
def test_what_cannot_be_checked_is_told(what, inputs, message):
    with pytest.raises(InputError, match=message):
        check(what, *inputs())


def test_wrong_options_are_told():
    for options in ({"order": 3}, {"rtol": -1.0}, {"points": 0}, {"entries": "some"}):
        with pytest.raises(InputError, match=next(iter(options))):
            check(torch.sin, leaf(2), **options)
    with pytest.raises(InputError, match=r"`loss` must return a tensor with one real number, got .* shape \(2,\)"):
        check(torch.sin, leaf(2), loss=torch.cos)


def test_two_halves_of_one_tensor_do_not_overlap():
    x = leaf(3, 4)
    assert check(torch.mul, x[:, 0::2], x[:, 1::2]).passed


# -- forward mode and second derivatives ------------------------------------------------------------------------------


def with_jvp(factor):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(x, w):
            return x**3 * w

        @staticmethod
        def setup_context(ctx, inputs, _):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            x, w = ctx.saved_tensors
            return 3 * g * x**2 * w, g * x**3

        @staticmethod
        def jvp(ctx, dx, dw):
            x, w = ctx.saved_tensors
            return factor * 3 * x**2 * w * dx + x**3 * dw

    return Cube


def test_forward_mode_is_checked_where_it_is_defined():
    right = check(with_jvp(1.0), leaf(3), leaf(3))
    assert right.passed
    assert list(verdicts(right)) == ["x", "w", "x (forward mode)", "w (forward mode)"]
    wrong = check(with_jvp(1.001), leaf(3), leaf(3))
    assert [name for name, verdict in verdicts(wrong).items() if verdict == "mismatch"] == ["x (forward mode)"]
    assert "forward and backward mode of `x` disagree" in wrong.notes[0]
    assert check(with_jvp(1.001), leaf(3), leaf(3), forward=False).passed


def test_second_derivatives():
    def twice(factor):
        """Return a product whose backward pass is right, and has a backward pass of its own."""
        inner = function(lambda x, g: 2 * x * g, lambda x, g, h: (factor * 2 * g * h, 2 * x * h))
        return function(lambda x: x**2, lambda x, g: inner.apply(x, g))

    x = leaf(3)
    assert check(twice(1.0), x, order=2).passed
    assert check(twice(1.01), x).passed
    found = verdicts(check(twice(1.01), x, order=2))
    assert found == {"inputs[0]": "match", "inputs[0] (order 2)": "mismatch", "grad_output (order 2)": "match"}
    through_numpy = function(lambda x: x**2, lambda x, g: torch.from_numpy(2 * x.detach().numpy() * g.detach().numpy()))
    cut = check(through_numpy, x, order=2)
    assert verdicts(cut)["inputs[0] (order 2)"] == "mismatch"
    assert any("backward pass cannot be differentiated" in note for note in cut.notes)

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

    assert check(Once, x).passed
    once = check(Once, x, order=2)
    assert verdicts(once) == {"x": "match", "x (order 2)": "mismatch", "grad_output (order 2)": "mismatch"}
    assert once.notes == cut.notes


def test_numbers_from_numpy_inside_are_the_same_in_every_call():
    rng = np.random.default_rng(0)
    result = check(lambda x: x * torch.from_numpy(rng.random(3)), leaf(3))
    assert result.passed
    assert any("random numbers" in note for note in result.notes)


def test_a_generator_of_pytorch_is_brought_back():
    generator = torch.Generator().manual_seed(3)
    before = generator.get_state()
    for result in (
        check(lambda x: x * torch.rand(3, generator=generator), leaf(3)),
        check(lambda x, source: x * torch.rand(3, generator=source), leaf(3), generator),
    ):
        assert result.passed
        assert result.notes == ("random numbers are drawn; the same ones were drawn in every call",)
    assert torch.equal(generator.get_state(), before)


def test_large_parameters_are_compared_along_directions():
    wrong = function(lambda x, W: x @ W, lambda x, W, g: (g @ W.T, x.T @ g * (1 + 0.5 * W.eq(W.max()))))
    x, W = torch.randn(2, 60, dtype=torch.float64), leaf(60, 50)
    result = check(wrong, x, W)
    assert result.parameters[0].mismatched == 1
    assert result.parameters[0].worst_index == tuple(np.unravel_index(W.argmax().item(), (60, 50)))
    assert result.evaluations < 2000


# -- in batches -------------------------------------------------------------------------------------------------------


class Perceptron(nn.Module):
    """A module with batch norm and dropout that counts its calls; optionally with a mistake on the way."""

    def __init__(self, wrong=False):
        super().__init__()
        self.first, self.norm = nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5)
        self.drop, self.last = nn.Dropout(0.4), nn.Linear(5, 2)
        self.activation = Squash.apply if wrong else torch.tanh
        self.calls = []

    def forward(self, x):
        self.calls.append(tuple(x.shape))
        return self.last(self.drop(self.activation(self.norm(self.first(x)))))

    def twice(self, x):
        return 2 * self(x)


class Squash(torch.autograd.Function):
    """tanh with a wrong derivative, in the form that PyTorch can make batches of by itself."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return torch.tanh(x)

    @staticmethod
    def setup_context(ctx, _, output):
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx, g):
        return g * (1 - ctx.saved_tensors[0])


class SquashAlone(Squash):
    generate_vmap_rule = False


class SquashMixed(SquashAlone):
    @staticmethod
    def vmap(*given):
        return torch.tanh(given[-1]).roll(1, 0), 0


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("points", [1, 2])
@pytest.mark.parametrize("part", ["module", "method"])
def test_a_module_in_batches_is_judged_as_without(part, points, wrong):
    module = Perceptron(wrong)
    what, x = (module if part == "module" else module.twice), leaf(7, 6)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state = torch.get_rng_state()
    alone = check(what, x, points=points)
    alone_calls = len(module.calls)
    module.calls.clear()
    batched = check(what, x, points=points, vectorized=True)
    assert len(module.calls) < alone_calls / 5
    assert set(module.calls) == {(7, 6)}
    assert batched.notes == alone.notes
    assert verdicts(batched) == verdicts(alone)
    assert batched.passed is not wrong
    for one, other in zip(batched.parameters, alone.parameters, strict=True):
        # of two points, the worse is shown
        assert points == 2 or one.numerical == pytest.approx(other.numerical, rel=1e-5, abs=1e-8)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


class Twice(nn.Module):
    """One layer under two names, or two that share their weights."""

    def __init__(self, tied):
        super().__init__()
        self.first = nn.Linear(5, 5)
        self.second = nn.Linear(5, 5) if tied else self.first
        self.second.weight = self.first.weight
        self.seen = None

    def forward(self, x):
        self.seen = torch.tanh(self.first(x))
        return self.second(self.seen)


def partly_frozen():
    module = nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4))
    module[0].weight.requires_grad_(False)
    return module


@pytest.mark.parametrize(
    ("make", "is_batched"),
    [
        (lambda: Twice(tied=False), True),
        (lambda: Twice(tied=True), True),
        (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)), True),
        (partly_frozen, True),
        (lambda: nn.GRU(5, 3), False),
    ],
    ids=["same layer twice", "tied weights", "weight norm", "partly frozen", "gru"],
)
def test_modules_come_back_from_batches_as_they_were(make, is_batched):
    module, x = make(), torch.randn(6, 5)
    before = {name: (tensor, tensor.clone()) for name, tensor in module.named_parameters(remove_duplicate=False)}
    attributes = dict(vars(module))
    alone, batched = check(module, x), check(module, x, vectorized=True)
    assert alone.passed
    assert verdicts(batched) == verdicts(alone)
    assert any("vmap" in note for note in batched.notes) is not is_batched
    after = dict(module.named_parameters(remove_duplicate=False))
    assert after.keys() == before.keys()
    assert all(after[name] is tensor and torch.equal(tensor, copy) for name, (tensor, copy) in before.items())
    assert vars(module).keys() == attributes.keys()
    assert all(vars(module)[name] is value for name, value in attributes.items())


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_batches_of_functions_of_real_and_complex_tensors(dtype):
    scale = leaf(dtype=dtype)

    def function(z, scale):
        return [scale * z.sin(), (z * z.conj()).real.sum()]

    right = check(function, leaf(4, dtype=dtype), scale, vectorized=True)
    assert right.passed
    assert not any("vmap" in note for note in right.notes)
    assert {p.shape for p in right.parameters} == {(4,), ()}
    real = check(lambda x: Squash.apply(x) * 2, leaf(4), vectorized=True)
    assert verdicts(real) == {"x": "mismatch"}
    assert not any("vmap" in note for note in real.notes)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (SquashAlone, "it raises RuntimeError there"),
        (SquashMixed, "it gives other values there"),
        (lambda x: Squash.apply(x) if float(x.detach().sum()) > -100 else x, "it raises RuntimeError there"),
    ],
)
def test_what_cannot_be_batched_is_called_one_by_one_and_told(what, why):
    result = check(what, leaf(4), vectorized=True)
    assert verdicts(result) == {"x": "mismatch"}
    (note,) = [note for note in result.notes if "vmap" in note]
    assert why in note
    assert "called once for each evaluation" in note


def test_batches_in_single_precision():
    def half(x):
        if x.dtype is not torch.float32:
            raise TypeError("float32 alone")
        return x**2

    result = check(half, leaf(4, dtype=torch.float32), vectorized=True)
    assert result.passed
    assert not any("vmap" in note for note in result.notes)


def test_batches_leave_second_derivatives_and_forward_mode_alone():
    result = check(lambda x: x.sin() * x[0], leaf(3), order=2, forward=True, vectorized=True)
    assert result.passed
    assert set(verdicts(result)) == {"x", "x (forward mode)", "x (order 2)", "grad_output (order 2)"}


# -- beside torch.autograd.gradcheck ----------------------------------------------------------------------------------


def outcome(checker, func, inputs, **options):
    """Return True, False or the kinds of exception that came."""
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return checker(func, inputs(), **options)
        except Exception as error:  # noqa: BLE001 - which one it is, is the question
            return "/".join(name for kind, name in KINDS.items() if isinstance(error, kind)) or type(error).__name__


KINDS = {ValueError: "value", AssertionError: "assertion", RuntimeError: "runtime", TypeError: "type"}
WRONG_RESULT = "assertion/runtime"
WRONG_INPUT = "value/runtime"


def sparse(*_):
    values = torch.tensor([1.0, 2.0], dtype=torch.float64)
    return (torch.sparse_coo_tensor(torch.tensor([[0, 1], [1, 0]]), values, (2, 2)).requires_grad_(),)


def raising(x):
    raise RuntimeError("a message of the function")


class Unpaid(torch.autograd.Function):
    """Takes a gradient that is not there for something else than zero."""

    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return 2 * x

    @staticmethod
    def backward(_, g):
        return torch.ones(3, dtype=torch.float64) if g is None else 2 * g


class Unready(Unpaid):
    @staticmethod
    def backward(_, g):
        return 2 * g


SQUARE, TWICE = (lambda x: x**2), (lambda x, g: 2 * x * g)
THREE, PAIR = (lambda: (leaf(3),)), (lambda: (leaf(3), leaf(3)))
COMPLEX = lambda: (leaf(3, dtype=torch.complex128),)  # noqa: E731 - one of a row
HALVES = lambda: (torch.full((3,), 0.5, dtype=torch.float64, requires_grad=True),)  # noqa: E731
WRONG_JVP = function(SQUARE, TWICE, jvp=lambda ctx, dx: 3 * dx).apply
THROUGH_NUMPY = function(SQUARE, lambda x, g: torch.from_numpy(2 * x.detach().numpy() * g.numpy())).apply
NEIGHBOURS = function(SQUARE, lambda x, g: 2 * x * g + 0.5 * g.roll(1)).apply

# what is checked, its inputs, options, what PyTorch's checker does, what ours does, and why where that is not the same
CASES = {
    "right": (torch.sin, THREE, {}, True, True, ""),
    "inputs not in a tuple": (torch.sin, lambda: leaf(3), {}, True, True, ""),
    "gradient of the wrong size": (
        *(function(torch.clone, lambda x, g: g[:1]).apply, THREE, {}),
        *("runtime", WRONG_RESULT, "the argument is named"),
    ),
    "too few gradients": (
        *(function(torch.mul, lambda x, y, g: g).apply, PAIR, {}),
        *("runtime", WRONG_RESULT, "the arguments are named"),
    ),
    "a gradient is None": (
        *(function(torch.mul, lambda x, y, g: (g * y, None)).apply, PAIR, {}),
        *("runtime", WRONG_RESULT, "a GradcheckError of PyTorch's, and a GradientMismatch"),
    ),
    "a gradient is None, rightly": (
        *(function(lambda x, y: x * y.round(), lambda x, y, g: (g * y.round(), None)).apply, PAIR, {}),
        *(True, True, ""),
    ),
    "detached from its input": (lambda x: x.detach() * 2, THREE, {}, "runtime", WRONG_RESULT, "both kinds"),
    "constant": (lambda x: torch.zeros(2, dtype=torch.float64), THREE, {}, True, True, ""),
    "output of integers": (lambda x: (x * 2, (x > 0).long()), THREE, {}, True, True, ""),
    "no output": (lambda x: (), THREE, {}, True, WRONG_INPUT, "nothing is checked, so nothing matches"),
    "empty input": (torch.sin, lambda: (leaf(0),), {}, True, WRONG_INPUT, "nothing is checked, so nothing matches"),
    "no input requires a gradient": (
        torch.sin,
        lambda: (torch.randn(3),),
        {},
        "value",
        WRONG_INPUT,
        "a ValueError too",
    ),
    "expanded input": (torch.sin, lambda: (leaf(1).expand(3),), {}, "runtime", WRONG_INPUT, "a RuntimeError too"),
    "overlapping windows": (
        *(torch.sin, lambda: (leaf(4).unfold(0, 2, 1),), {}),
        *("runtime", WRONG_INPUT, "what is the matter is said, in place of a mismatch that is none"),
    ),
    "one tensor twice": (
        *(torch.mul, lambda: ((x := leaf(3)), x), {}),
        *(True, WRONG_INPUT, "what belongs to which argument cannot be told apart"),
    ),
    "complex to real": (torch.abs, COMPLEX, {}, True, True, ""),
    "real to complex": (lambda x: torch.complex(x, x**2), THREE, {}, True, True, ""),
    "complex to complex": (lambda z: z**2, COMPLEX, {}, True, True, ""),
    "not conjugated": (function(SQUARE, TWICE).apply, COMPLEX, {}, "runtime", WRONG_RESULT, "both kinds"),
    "imaginary part wrong": (
        *(function(lambda x: torch.complex(x, x**2), lambda x, g: g.real + x * g.imag).apply, THREE, {}),
        *("runtime", WRONG_RESULT, "both kinds"),
    ),
    "raises": (raising, THREE, {}, "runtime", "runtime", ""),
    "not deterministic": (Varying.apply, THREE, {}, "runtime", WRONG_RESULT, "both kinds"),
    "not deterministic within nondet_tol": (Varying.apply, THREE, {"nondet_tol": 1e-2, "rtol": 1e-2}, True, True, ""),
    "cannot take None": (Unready.apply, THREE, {}, "type", WRONG_RESULT, "a sentence in place of what it raised"),
    "cannot take None, not asked": (Unready.apply, THREE, {"check_undefined_grad": False}, True, True, ""),
    "takes None for ones": (Unpaid.apply, THREE, {}, "runtime", WRONG_RESULT, "both kinds"),
    "ignores what comes back": (
        *(function(lambda x: (x**2).sum(), lambda x, g: 2 * x).apply, THREE, {}),
        *("runtime", WRONG_RESULT, "both kinds"),
    ),
    "sparse input, masked": (lambda s: torch.sparse.sum(s * s), sparse, {"masked": True}, True, True, ""),
    "sparse input": (
        *(lambda s: s.to_dense().sin(), sparse, {}),
        *("runtime", True, "what the tensor does not specify is not differentiated"),
    ),
    "sparse output": (lambda x: (x**2).to_sparse(), THREE, {}, "value", True, "it is filled with zeros"),
    "another layout": (
        *(lambda x: x.to_dense(), lambda: (torch.rand(3).to_mkldnn().requires_grad_(),), {}),
        *("runtime", WRONG_INPUT, "it is not differentiated; PyTorch's checker fails on single precision"),
    ),
    "shape depends on values": (lambda x: x[x > 0.5], HALVES, {}, "assertion", WRONG_INPUT, "the shapes are told"),
    "wrong in fast mode": (NEIGHBOURS, THREE, {"fast_mode": True}, "runtime", WRONG_RESULT, "entry by entry"),
    "wrong beside the diagonal": (NEIGHBOURS, THREE, {}, "runtime", WRONG_RESULT, "both kinds"),
    "wrong forward mode": (WRONG_JVP, THREE, {"check_forward_ad": True}, "runtime", WRONG_RESULT, "both kinds"),
    "wrong forward mode, not asked": (WRONG_JVP, THREE, {}, True, True, ""),
    "forward mode alone": (
        *(torch.sin, THREE, {"check_backward_ad": False, "check_forward_ad": True, "check_undefined_grad": False}),
        *(True, True, ""),
    ),
    "no forward mode": (
        *(function(SQUARE, TWICE).apply, THREE, {"check_forward_ad": True}),
        *("runtime", "runtime", ""),
    ),
    "batched": (torch.sin, THREE, {"check_batched_grad": True}, True, True, ""),
    "batched forward mode": (
        *(torch.sin, THREE, {"check_forward_ad": True, "check_batched_forward_grad": True}, True, True, ""),
    ),
    "cannot be batched": (
        *(THROUGH_NUMPY, THREE, {"check_batched_grad": True}),
        *("runtime", WRONG_RESULT, "both kinds"),
    ),
    "types of gradients": (torch.sin, THREE, {"check_grad_dtypes": True}, True, True, ""),
    "False in place of an exception": (
        *(NEIGHBOURS, THREE, {"raise_exception": False, "check_undefined_grad": False}, False, False, ""),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_stand_in_does_what_the_original_does_or_it_is_said_why_not(name, monkeypatch):
    monkeypatch.setattr(Varying, "part", 1e-3)
    func, inputs, options, theirs, ours, why = CASES[name]
    assert outcome(torch.autograd.gradcheck, func, inputs, **options) == theirs
    assert outcome(adapter.gradcheck, func, inputs, **options) == ours
    assert bool(why) == (theirs != ours)


def test_the_stand_in_raises_what_those_who_know_the_original_expect():
    from torch.autograd.gradcheck import GradcheckError

    for kind in (GradcheckError, RuntimeError, GradientMismatch):
        with pytest.raises(kind, match=r"does not match in 1 of 1 parameters[\s\S]*inputs\[0\] +\(3,\) +3 "):
            adapter.gradcheck(NEIGHBOURS, THREE())
    with pytest.raises(InputError, match="no output requires a gradient"):
        adapter.gradgradcheck(torch.zeros_like, THREE())


@pytest.mark.parametrize("checker", [torch.autograd.gradgradcheck, adapter.gradgradcheck])
def test_second_order_stand_in(checker):
    inner = function(TWICE, lambda x, g, h: (2.1 * g * h, 2 * x * h))
    wrong = function(SQUARE, lambda x, g: inner.apply(x, g))
    assert outcome(checker, wrong.apply, THREE) in ("runtime", WRONG_RESULT)
    assert outcome(checker, torch.mul, PAIR) is True
    assert outcome(checker, torch.sin, THREE, gen_non_contig_grad_outputs=True, check_batched_grad=True) is True
    assert outcome(checker, torch.sin, THREE, check_fwd_over_rev=True) is True
    assert outcome(lambda f, x: checker(f, x, torch.ones(3, dtype=torch.float64)), torch.sin, THREE) is True


def test_signatures_are_those_of_the_original():
    for name in ("gradcheck", "gradgradcheck"):
        ours, theirs = (inspect.signature(getattr(home, name)) for home in (adapter, torch.autograd))
        assert list(ours.parameters) == list(theirs.parameters)
        for parameter in theirs.parameters.values():
            assert ours.parameters[parameter.name].default == parameter.default, parameter.name
            assert ours.parameters[parameter.name].kind == parameter.kind, parameter.name


NORM = nn.BatchNorm1d(2)
DROP = nn.Dropout(0.5)
# what is checked, its inputs, whether that is right; what PyTorch's checker says with its defaults, what `check` says
SIDE_BY_SIDE = {
    "float32 inputs": (torch.sin, lambda: (leaf(3, dtype=torch.float32),), True, False, "match"),
    "ReLU at 0": (torch.relu, lambda: (torch.zeros(3, dtype=torch.float64, requires_grad=True),), True, False, "match"),
    "dropout": (DROP, lambda: (leaf(8),), True, False, "match"),
    "batch norm": (NORM.double(), lambda: (leaf(4, 2),), True, True, "match"),
    "sparse output": (lambda x: (x**2).to_sparse(), THREE, True, False, "match"),
    "factor 1.0005": (function(SQUARE, lambda x, g: 2.001 * x * g).apply, THREE, False, True, "mismatch"),
    "loss of 1e-9, factor 1.5": (
        *(function(lambda x: 1e-9 * x**2, lambda x, g: 3e-9 * x * g).apply, THREE),
        *(False, True, "mismatch"),
    ),
    "square of what comes back": (function(SQUARE, lambda x, g: 2 * x * g**2).apply, THREE, False, True, "mismatch"),
    "size of what comes back": (function(SQUARE, lambda x, g: 2 * x * g.abs()).apply, THREE, False, True, "mismatch"),
}


@pytest.mark.parametrize("name", SIDE_BY_SIDE)
def test_where_the_original_is_wrong_or_silent(name):
    func, inputs, is_right, theirs, ours = SIDE_BY_SIDE[name]
    assert (outcome(torch.autograd.gradcheck, func, inputs) is True) == theirs
    assert check(func, *inputs()).verdict == ours == ("match" if is_right else "mismatch")


def test_statistics_drift_in_the_original_and_not_here():
    x, norm = leaf(4, 2), nn.BatchNorm1d(2).double()
    assert check(norm, x).passed
    assert norm.num_batches_tracked == 0
    assert torch.autograd.gradcheck(norm, x)
    assert norm.num_batches_tracked > 0


# -- the documentation ------------------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "check-pytorch.md"


def test_the_examples_of_the_page_work(capsys):
    text = PAGE.read_text(encoding="utf-8")
    session = {}
    for code in re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S):
        exec(code, session)
    assert capsys.readouterr().out in text


def test_the_table_of_the_page_is_what_comes_out():
    rows = re.findall(r"^\| (.+?) \| (right|wrong) \| (\w+) \| (\w+) \|$", PAGE.read_text(encoding="utf-8"), flags=re.M)
    assert rows == [
        (name, "right" if is_right else "wrong", "passes" if theirs else "raises", ours)
        for name, (_, _, is_right, theirs, ours) in SIDE_BY_SIDE.items()
    ]


@pytest.mark.parametrize("function", [adapter.gradcheck, adapter.gradgradcheck])
def test_every_option_is_in_the_table_of_the_page(function):
    text = PAGE.read_text(encoding="utf-8")
    options = list(inspect.signature(function).parameters.values())
    assert all(f"`{option.name}`" in text for option in options if option.kind is option.KEYWORD_ONLY)
