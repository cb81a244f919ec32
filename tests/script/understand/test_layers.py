"""Pairs of a forward and a backward function without a loss: what is checked of them, and what is doubted."""

from __future__ import annotations

import pytest

from script_runs import check_only as check
from script_runs import verdicts

HEAD = """
import numpy as np
rng = np.random.default_rng(3)
x = rng.normal(size=(6, 3))
w = rng.normal(size=(3, 4))
b = rng.normal(size=4)
"""
DENSE = """
def dense_forward(x, w, b):
    return x @ w + b, (x, w)
def dense_backward(dout, cache):
    x, w = cache
    dx = {dx}
    dw = {dw}
    db = {db}
    return dx, dw, db
out, cache = dense_forward(x, w, b)
dx, dw, db = dense_backward(rng.normal(size=out.shape), cache)
"""
RIGHT = {"dx": "dout @ w.T", "dw": "x.T @ dout", "db": "dout.sum(axis=0)"}


def layer(text, **parts):
    for name, part in parts.items():
        text = text.replace("{" + name + "}", part)
    return HEAD + text


def dense(**wrong):
    return layer(DENSE, **{**RIGHT, **wrong})


def unchecked(result):
    return {row.name: row.reason for row in result.unchecked}


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({}, set()),
        ({"dw": "x.T @ np.abs(dout)"}, {"w"}),
        ({"dx": "2 * dout @ w.T"}, {"x"}),
        ({"dw": "-x.T @ dout", "db": "dout.max(axis=0)"}, {"w", "b"}),
    ],
)
def test_functions_with_a_cache(tmp_path, wrong, names):
    result = check(tmp_path, dense(**wrong))
    assert set(verdicts(result)) == {"x", "w", "b"}
    assert {name for name, verdict in verdicts(result).items() if verdict == "mismatch"} == names
    assert result.entry_points.loss == "sum(dout * dense_forward(x, w, b)[0])"


SOFTMAX = """
def soft(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def soft_backward(dout, p):
    return p * (dout - {rest})
out = soft(x)
print(soft_backward(rng.normal(size=out.shape), out))
"""


@pytest.mark.parametrize(
    ("rest", "verdict"), [("(dout * p).sum(axis=1, keepdims=True)", "match"), ("p * dout", "mismatch")]
)
def test_the_output_itself_may_be_what_is_kept(tmp_path, rest, verdict):
    assert verdicts(check(tmp_path, layer(SOFTMAX, rest=rest))) == {"x": verdict}


LSTM = """
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def step(x, h, c, u, v):
    a, f = np.tanh(x @ u), sigmoid(h @ v)
    c_new = f * c + a
    t = np.tanh(c_new)
    return t * f, c_new, (x, h, c, u, v, a, f, t)
def step_backward(dh_new, dc_new, cache):
    x, h, c, u, v, a, f, t = cache
    dc_all = dc_new + dh_new * f * (1 - t ** 2)
    df = dc_all * c{more}
    da, dz = dc_all * (1 - a ** 2), df * f * (1 - f)
    return da @ u.T, dz @ v.T, dc_all * f, x.T @ da, h.T @ dz
h, c = rng.normal(size=(2, 6, 4))
u, v = rng.normal(size=(3, 4)), rng.normal(size=(4, 4))
h_new, c_new, cache = step(x, h, c, u, v)
dx, dh, dc, du, dv = step_backward(rng.normal(size=h.shape), rng.normal(size=c.shape), cache)
"""


@pytest.mark.parametrize(("more", "wrong"), [(" + dh_new * t", set()), ("", {"h", "v"})])
def test_two_outputs_are_taken_back_together(tmp_path, more, wrong):
    result = check(tmp_path, layer(LSTM, more=more))
    assert set(verdicts(result)) == {"x", "h", "c", "u", "v"}
    assert {name for name, verdict in verdicts(result).items() if verdict == "mismatch"} == wrong


NET = """
class Linear:
    def __init__(self, i, o):
        self.W, self.b = rng.normal(size=(i, o)), np.zeros(o)
        self.dW, self.db = np.zeros((i, o)), np.zeros(o)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, g):
        self.dW += self.x.T @ g
        self.db += {db}
        return g @ self.W.T
class Bend:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out
    def backward(self, g):
        return g * {slope}
net = [Linear(3, 4), Bend(), Linear(4, 2), Bend()]
for one in net:
    x = one.forward(x)
g = np.ones_like(x)
for one in reversed(net):
    g = one.backward(g)
"""


@pytest.mark.parametrize(
    ("db", "slope", "wrong"),
    [
        ("g.sum(0)", "(1 - self.out ** 2)", set()),
        ("g.sum(0)", "(1 - self.out) ** 2", {"Bend.backward.x"}),
        ("g.mean(0) + g[0]", "(1 - self.out ** 2)", {"self.b"}),
    ],
)
def test_objects_that_are_chained_are_checked_one_by_one(tmp_path, db, slope, wrong):
    result = check(tmp_path, layer(NET, db=db, slope=slope))
    assert set(verdicts(result)) == {"self.W", "self.b", "Linear.backward.x", "Bend.backward.x"}
    assert {name for name, verdict in verdicts(result).items() if verdict == "mismatch"} == wrong


MOVES = """
class Dense:
    def __init__(self):
        self.W, self.b = w, b
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, g, lr):
        {first}
        self.W -= lr * self.x.T @ g
        self.b -= lr * {gb}
        return {last}
dense = Dense()
out = dense.forward(x)
print(dense.backward(rng.normal(size=out.shape), 0.05))
"""


@pytest.mark.parametrize(
    ("first", "last", "gb", "wrong"),
    [
        ("back = g @ self.W.T", "back", "g.sum(0)", set()),
        ("pass", "g @ self.W.T", "g.sum(0)", {"x"}),
        ("back = g @ self.W.T", "back", "2 * g.sum(0)", {"self.b"}),
    ],
    ids=["right", "with the new weights", "another factor"],
)
def test_a_backward_method_may_move_its_parameters(tmp_path, first, last, gb, wrong):
    result = check(tmp_path, layer(MOVES, first=first, last=last, gb=gb))
    assert {name for name, verdict in verdicts(result).items() if verdict == "mismatch"} == wrong
    assert "Dense.backward moves `self.W`, `self.b` by -0.05 times the gradient" in result.notes


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        ({"dw": "x.T @ dout / len(x)", "db": "dout.mean(axis=0)"}, "match"),
        ({"dx": "dout @ w.T / len(x)", "dw": "x.T @ dout / len(x)", "db": "dout.mean(axis=0)"}, "match"),
        ({"dw": "x.T @ dout / 5", "db": "dout.sum(axis=0) / 5"}, "mismatch"),
        ({"dx": "dout @ w.T / len(x)"}, "mismatch"),
    ],
    ids=["parameters", "everything", "another number", "only what is handed on"],
)
def test_a_mean_over_samples_is_a_convention(tmp_path, wrong, verdict):
    result = check(tmp_path, dense(**wrong))
    assert result.verdict == verdict
    assert any("1/6 of the gradient" in note for note in result.notes) == (verdict == "match")


@pytest.mark.parametrize(
    ("wrong", "name"),
    [({"dw": "x.T @ dout / len(x)"}, "b"), ({"db": "dout.mean(axis=0)"}, "b")],
    ids=["the bias lacks it", "the bias has it"],
)
def test_a_mean_for_one_of_two_parameters_is_none(tmp_path, wrong, name):
    found = verdicts(check(tmp_path, dense(**wrong)))
    assert {key for key, verdict in found.items() if verdict == "mismatch"} == {name}


NAMED = """
def mix(a, c):
    return a @ c, (a, c)
def mix_backward(d, cache):
    a, c = cache
    da = {da}
    dc = {dc}
    return da, dc
a, c = rng.normal(size=(2, 4, 4))
out, cache = mix(a, c)
da, dc = mix_backward(rng.normal(size=out.shape), cache)
"""


@pytest.mark.parametrize(("da", "dc", "verdict"), [("d @ c.T", "a.T @ d", "match"), ("a.T @ d", "d @ c.T", "error")])
def test_gradients_under_each_others_names_are_no_match(tmp_path, da, dc, verdict):
    result = check(tmp_path, layer(NAMED, da=da, dc=dc))
    assert result.verdict == verdict
    if verdict == "error":
        assert result.error.slug == "ambiguous"
        assert "its name is wrong, or the order" in result.error.message


INNER = """
def squash(z):
    return 1 / (1 + np.exp(-z))
class Dense:
    def __init__(self):
        self.W = w
    def forward(self, x):
        self.x = x
        self.z = x @ self.W
        return {out}
    def backward(self, delta):
        self.dW = self.x.T @ delta
        return {back}
dense = Dense()
x = squash(x)
out = dense.forward(x)
print(dense.backward(rng.normal(size=out.shape)))
"""


@pytest.mark.parametrize(
    ("out", "back", "reason"),
    [
        ("squash(self.z)", "delta @ self.W.T * x * (1 - x)", "seems to be the gradient of something within"),
        ("self.z", "delta @ self.W.T * x * (1 - x)", "the slope of the layer before"),
    ],
    ids=["of what is squashed", "of what was squashed before"],
)
def test_deltas_are_no_mistake(tmp_path, out, back, reason):
    result = check(tmp_path, layer(INNER, out=out, back=back))
    assert verdicts(result) == {"self.W": "match"}
    assert reason in unchecked(result)["x"]
    assert result.verdict == "inconclusive"


PENALTY = """
class Dense:
    def __init__(self):
        self.W = w
    def forward(self, x):
        self.x = x
        return x @ self.W
    def backward(self, g):
        self.dW = self.x.T @ g{more}
        return g @ self.W.T
dense = Dense()
out = dense.forward(x)
print(dense.backward(rng.normal(size=out.shape)))
"""


@pytest.mark.parametrize(("more", "reason"), [("", None), (" + 0.1 * self.W", "something is added to the gradient")])
def test_what_does_not_follow_the_upstream_gradient_is_not_judged(tmp_path, more, reason):
    result = check(tmp_path, layer(PENALTY, more=more))
    assert verdicts(result)["x"] == "match"
    assert reason is None or reason in unchecked(result)["self.W"]
    assert (verdicts(result).get("self.W") == "match") == (reason is None)


DROPOUT = """
def drop(x, keep):
    mask = np.random.rand(*x.shape) < keep
    return x * mask / keep, (mask, keep)
def drop_backward(dout, cache):
    mask, keep = cache
    return dout * mask{scale}
out, cache = drop(x, 0.7)
print(drop_backward(np.ones_like(out), cache))
"""


@pytest.mark.parametrize(("scale", "verdict"), [(" / keep", "match"), ("", "mismatch")])
def test_random_masks_are_frozen(tmp_path, scale, verdict):
    assert verdicts(check(tmp_path, layer(DROPOUT, scale=scale))) == {"x": verdict}


OTHERS = {
    "a decoder": """
def encode(x, w): return np.tanh(x @ w)
def decode(h, w): return np.tanh(h @ w.T)
h = encode(x, w)
print(decode(h + 0.1, w))
""",
    "labels": """
class Net:
    def forward(self, x):
        self.x, self.p = x, 1 / (1 + np.exp(-x @ w))
        return self.p
    def backward(self, y):
        return self.x.T @ (self.p - y)
net = Net()
net.forward(x)
print(net.backward(np.ones((6, 4))))
""",
    "of another function": """
def relu(z): return np.maximum(0, z)
def sigmoid_backward(d, z):
    s = 1 / (1 + np.exp(-z))
    return d * s * (1 - s)
print(relu(x), sigmoid_backward(rng.normal(size=x.shape), x))
""",
    "computed between": """
def relu(z): return np.maximum(0, z)
def relu_backward(d, mask): return d * mask * 2
out = relu(x)
print(relu_backward(rng.normal(size=x.shape), out > 0))
""",
    "along a direction": """
def act(x, m): return np.tanh(x @ m), (x, m)
def act_tangent(dx, cache): return dx @ cache[1] * (1 - np.tanh(cache[0] @ cache[1]) ** 2)
out, cache = act(x, rng.normal(size=(3, 3)))
print(act_tangent(rng.normal(size=x.shape), cache))
""",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_only_looks_like_a_layer_is_refused(tmp_path, name):
    result = check(tmp_path, HEAD + OTHERS[name])
    assert result.verdict == "error"
    assert result.error.slug == "no-gradient"


BESIDE = """
def numerical(f, x, d, h=1e-5):
    grad = np.zeros_like(x)
    for at in np.ndindex(*x.shape):
        old = x[at]
        x[at] = old + h
        upper = f(x)
        x[at] = old - h
        lower = f(x)
        x[at] = old
        grad[at] = np.sum((upper - lower) * d) / (2 * h)
    return grad
def far(one, other):
    return np.max(np.abs(one - other))
def cube_forward(x):
    return x ** 3, x
def cube_backward(dout, x):
    return {three} * dout * x ** 2
d = rng.normal(size=x.shape)
expected = numerical(lambda x: cube_forward(x)[0], x, d)
out, cache = cube_forward(x)
print("dx error", far(expected, cube_backward(d, cache)))
"""
LOSS = """
def mean_square(y, t):
    return np.mean((y - t) ** 2), 2 * (y - t) / y.size
loss, dy = mean_square(rng.normal(size=7), rng.normal(size=7))
print("loss", loss)
"""


@pytest.mark.parametrize("more", ["", LOSS], ids=["alone", "beside a loss"])
@pytest.mark.parametrize(("three", "verdict"), [("3", "match"), ("2", "mismatch")])
def test_own_differences_are_no_layer(tmp_path, more, three, verdict):
    found = verdicts(check(tmp_path, layer(BESIDE, three=three) + more))
    assert found == {"x": verdict} | ({"y": "match"} if more else {})


TRAINING = (
    DENSE.partition("\nout, cache")[0]
    + """
def tanh_forward(z):
    return np.tanh(z), np.tanh(z)
def tanh_backward(dout, out):
    return dout * (1 - {out})
t = rng.normal(size=(6, 4))
def both(w, b):
    z, cache = dense_forward(x, w, b)
    y, kept = tanh_forward(z)
    loss = np.mean((y - t) ** 2)
    _, dw, db = dense_backward(tanh_backward(2 * (y - t) / t.size, kept), cache)
    return loss, dw, db
for epoch in range(20):
    loss, dw, db = both(w, b)
    w -= 0.1 * dw
    b -= 0.1 * db
"""
)


@pytest.mark.parametrize(("out", "verdict"), [("out ** 2", "match"), ("out", "mismatch")])
def test_layers_of_a_wrong_step_are_told_apart(tmp_path, out, verdict):
    result = check(tmp_path, layer(TRAINING, out=out, **RIGHT))
    assert verdicts(result) == {"w": verdict, "b": verdict}
    said = "layers checked by themselves: dense_backward is right, tanh_backward is wrong: `z`"
    assert (said in result.notes) == (verdict == "mismatch")


WITHOUT_LOSS = (
    NET.partition("net = [")[0]
    + """
net = [Linear(3, 4), Bend()]
t = rng.uniform(-1, 1, (6, 4))
for epoch in range(20):
    y = x
    for one in net:
        y = one.forward(y)
    net[0].dW[:], net[0].db[:] = 0, 0
    g = {first}
    for one in reversed(net):
        g = one.backward(g)
    net[0].W -= 0.1 * net[0].dW
    net[0].b -= 0.1 * net[0].db
"""
)


@pytest.mark.parametrize("first", ["np.sign(y - t) * np.abs(y - t) ** 0.3", "np.sin(y - t) * np.exp(y)"])
def test_a_training_of_right_layers_is_no_match_without_its_loss(tmp_path, first):
    result = check(tmp_path, layer(WITHOUT_LOSS, db="g.sum(0)", slope="(1 - self.out ** 2)", first=first))
    assert result.verdict in ("inconclusive", "error")


BESIDE_A_LOSS = """
import numpy as np
rng = np.random.default_rng(0)
class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    def grad_x(self, x, TAKEN):
        y = self.forward(x)
        return FACTOR * y * (TAKEN - np.sum(TAKEN * y, axis=1, keepdims=True))
class Entropy:
    def forward(self, y, t):
        return float(-np.sum(t * np.log(y + 1e-8)))
    def grad_x(self, y, t):
        return -t / (y + 1e-8)
def slopes(f, x, eps=1e-6):
    found = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        old = x[i]
        x[i] = old + eps; up = f(x)
        x[i] = old - eps; down = f(x)
        x[i] = old
        found[i] = (up - down) / (2 * eps)
    return found
soft, entropy = Softmax(), Entropy()
x, up = rng.normal(size=(2, 5)), rng.normal(size=(2, 5))
print(np.abs(slopes(lambda z: np.sum(soft.forward(z) * up), x.copy()) - soft.grad_x(x, up)).max())
y, t = soft.forward(rng.normal(size=(4, 5))), np.eye(5)[[0, 2, 1, 4]]
print(np.abs(slopes(lambda z: entropy.forward(z, t), y.copy()) - entropy.grad_x(y, t)).max())
"""


@pytest.mark.parametrize(("factor", "verdict"), [("1", "match"), ("(1 + y)", "mismatch")])
@pytest.mark.parametrize("taken", ["dout", "upstream"])
def test_targets_are_not_taken_back(tmp_path, factor, verdict, taken):
    """The slope of a loss is no layer, whatever the layer is like whose output it is of."""
    result = check(tmp_path, BESIDE_A_LOSS.replace("TAKEN", taken).replace("FACTOR", factor))
    assert verdicts(result) == {"x": verdict, "y": "match"}


SEVERAL = """
class Dense:
    def __init__(self, n, m):
        self.W = rng.normal(size=(n, m))
    def forward(self, x):
        self.x = x
        return x @ self.W
    def backward(self, g, rate):
        back = g @ self.W.T
        self.W = moved(self.W, self.x.T @ g, rate)
        return back
def moved(W, g, rate):
    return W - rate * g
net = [{net}]
t, u = rng.normal(size=(6, 2)), rng.normal(size=(6, 2))
for epoch in range(12):
    out = x
    for one in net:
        out = one.forward(out)
    loss = np.mean((out - t) ** 2) + {more}
    cost = np.mean(np.abs(out - u) ** 1.5)
    g = {g}
    for one in reversed(net):
        g = one.backward(g, 0.05)
print(loss, cost)
"""
# the steps are those of neither loss
ASTRAY = {"g": "np.tanh(out - t * u) / 6", "more": "0"}


@pytest.mark.parametrize(
    ("net", "said"),
    [
        ("Dense(3, 4), Dense(4, 3), Dense(3, 2)", "not checked: 2 more objects of `Dense`"),
        ("Dense(3, 3), Dense(3, 2)", "not checked: one more object of `Dense`"),
        ("Dense(3, 2)", None),
    ],
)
def test_other_objects_of_a_layers_class_are_counted(tmp_path, net, said):
    result = check(tmp_path, layer(SEVERAL, net=net, **ASTRAY))
    notes = [note for note in result.notes if "of `Dense`" in note]
    assert [note.startswith(said) for note in notes] == ([True] if said else [])
    assert verdicts(result)["self.W"] == "match"


def test_a_step_whose_loss_is_not_clear_is_no_match(tmp_path):
    result = check(tmp_path, layer(SEVERAL, net="Dense(3, 4), Dense(4, 2)", **ASTRAY))
    (row,) = [row for row in result.unchecked if row.name == "the training"]
    assert "2 scalars could be the loss" in row.reason
    assert all(part in row.reason for part in ("`loss`", "`cost`", "--loss NAME"))
    assert result.verdict == "inconclusive"


MOMENTUM = """
import numpy as np
rng = np.random.default_rng(3)
class Dense:
    def __init__(self, rows, columns):
        self.W, self.b = rng.normal(size=(rows, columns)), np.zeros(columns)
        self.u, self.v = np.zeros((rows, columns)), np.zeros(columns)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, delta):
        before = delta @ self.W.T{wrong}
        self.u = 0.9 * self.u + self.x.T @ delta / len(delta)
        self.v = 0.9 * self.v + delta.sum(axis=0) / len(delta)
        {step}
        return before
class Ramp:
    def forward(self, x):
        self.seen = x
        return np.maximum(x, 0)
    def backward(self, delta):
        return delta * (self.seen > 0)
net = [Dense(2, 4), Ramp(), Dense(4, 1)]
for epoch in range(30):
    for x, t in zip(np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), (0, 1, 1, 0)):
        out = x[None]
        for one in net:
            out = one.forward(out)
        g = np.sin(out - t * out**2)
        for one in reversed(net):
            g = one.backward(g)
print(np.mean(np.abs(out - t)))
print(net[0].b)
"""


@pytest.mark.parametrize(("wrong", "verdict"), [("", "match"), (" * 2", "mismatch")])
def test_what_layers_move_is_named_where_only_their_inputs_can_be_checked(tmp_path, wrong, verdict):
    step = "self.W -= 0.01 * self.u; self.b -= 0.01 * self.v"
    result = check(tmp_path, MOMENTUM.format(wrong=wrong, step=step))
    assert verdicts(result)["Dense.backward.x"] == verdict
    (row,) = [row for row in result.unchecked if row.name == "the training"]
    assert "`Dense.W`" in row.reason


def test_of_layers_that_move_nothing_no_training_is_unchecked(tmp_path):
    assert not check(tmp_path, MOMENTUM.format(wrong="", step="pass")).unchecked


def test_a_step_whose_loss_is_clear_is_checked_as_a_whole(tmp_path):
    text = layer(SEVERAL, net="Dense(3, 4), Dense(4, 2)", g="(out - t) * 2 / out.size", more="0")
    result = check(tmp_path, text)
    assert verdicts(result) == dict.fromkeys(("net[0].W", "net[1].W"), "match")
    assert not result.unchecked
