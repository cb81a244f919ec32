"""Large parameters: right ones pass in a few evaluations, wrong entries are located, and what was not seen is said."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradcheck import CheckResult, Verdict, check_grad
from gradcheck.checker.verdict import Reason
from networks import Params, network

SIZES = (60, 50, 20)
SEEDS = range(3)
ACTIVATIONS = ["tanh", "relu"]
DTYPES = [np.float64, np.float32]
Edit = Callable[[Params], None]


def checked(edit: Edit | None = None, *, seed: int = 0, sizes: tuple[int, ...] = SIZES, **kinds: Any) -> CheckResult:
    loss, grad, params = network(np.random.default_rng(seed), sizes=sizes, samples=40, **kinds)

    def edited(p: Params) -> Params:
        found = grad(p)
        if edit is not None:
            edit(found)
        return found

    before = {name: value.copy() for name, value in params.items()}
    result = check_grad(loss, edited, params)
    for name, value in params.items():
        np.testing.assert_array_equal(value, before[name])
    return result


def wrong_entries(result: CheckResult, k: int = 0) -> list[int]:
    parameter = result.parameters[k]
    return [int(i) for i, v in zip(parameter.indices, parameter.verdicts, strict=True) if v is Verdict.MISMATCH]


def wrong_parameters(result: CheckResult) -> list[str]:
    return [parameter.name for parameter in result.parameters if parameter.verdict is Verdict.MISMATCH]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_correct_gradient_passes_in_a_few_evaluations(seed: int, activation: str, dtype: type) -> None:
    result = checked(seed=seed, activation=activation, dtype=dtype)
    assert result.verdict is Verdict.MATCH, str(result)
    assert result.evaluations <= 150
    for parameter in result.parameters:
        assert parameter.certificate is not None
        assert parameter.certificate.directions >= 2
        assert parameter.certificate.sensitivity <= 0.1
        assert parameter.coverage is not None


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", SEEDS)
def test_one_wrong_entry_is_located(seed: int, activation: str) -> None:
    entry = int(np.random.default_rng(seed).integers(SIZES[0] * SIZES[1]))
    clean = network(np.random.default_rng(seed), sizes=SIZES, samples=40, activation=activation)
    size = abs(clean[1](clean[2])["W0"].reshape(-1)[entry])
    typical = float(np.sqrt(np.mean(clean[1](clean[2])["W0"] ** 2)))

    def edit(g: Params) -> None:
        g["W0"].reshape(-1)[entry] += 0.01 * max(size, 0.1 * typical)

    result = checked(edit, seed=seed, activation=activation)
    assert wrong_parameters(result) == ["W0"]
    assert wrong_entries(result) == [entry]
    assert result.evaluations <= 400


@pytest.mark.parametrize("rank", range(3))
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_wrong_entry_of_a_parameter_that_happens_to_be_near_zero_is_located(rank: int, dtype: type) -> None:
    """It moves as far as the others, although it is a thousandth of their size."""
    _, _, params = network(np.random.default_rng(0), sizes=SIZES, samples=40, activation="tanh", dtype=dtype)
    entry = int(np.argsort(np.abs(params["W0"]), axis=None)[rank])
    assert abs(params["W0"].reshape(-1)[entry]) < 2e-3 * np.median(np.abs(params["W0"]))

    def edit(g: Params) -> None:
        g["W0"].reshape(-1)[entry] += 0.05 * np.sqrt(np.mean(g["W0"] ** 2))

    result = checked(edit, activation="tanh", dtype=dtype)
    assert wrong_parameters(result) == ["W0"]
    assert wrong_entries(result) == [entry]


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("entry", [1234, 7])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.9])
def test_entries_of_different_units_in_one_parameter(share: float, entry: int, wrong: bool) -> None:
    """Where all go as far as the typical one, some go a million times too far."""
    rng = np.random.default_rng(0)
    units = np.where(rng.random(3000) < share, 1e3, 1e-3)
    theta = units * rng.normal(size=3000)
    target = rng.normal(size=3000)
    factor = np.where(np.arange(3000) == entry, 1.5 if wrong else 1.0, 1.0)

    def loss(theta: Any) -> Any:
        return np.mean(np.sin(theta / units - target) ** 2)

    def grad(theta: Any) -> Any:
        return factor * np.sin(2 * (theta / units - target)) / units / 3000

    result = check_grad(loss, grad, theta)
    assert result.verdict is (Verdict.MISMATCH if wrong else Verdict.MATCH)
    assert wrong_entries(result) == ([entry] if wrong else [])


@pytest.mark.parametrize(("share", "large", "small"), [(0.6, 1e3, 1e-3), (0.9, 1e4, 1e-2)])
@pytest.mark.parametrize("seed", [5, 7, 8])
def test_where_entries_go_too_far_nothing_is_called_wrong(seed: int, share: float, large: float, small: float) -> None:
    """Of two units, those of the smaller one go a million times too far with the typical step, over many waves."""
    rng = np.random.default_rng(seed)
    units = np.where(rng.random(2100) < share, large, small)
    theta = units * rng.normal(size=2100)

    def loss(x: Any) -> Any:
        return np.mean(np.cos(30 * x / units) + (x / units) ** 2)

    def grad(x: Any) -> Any:
        return (-30 * np.sin(30 * x / units) + 2 * x / units) / units / 2100

    assert check_grad(loss, grad, theta, seed=seed).verdict is Verdict.MATCH


def test_several_wrong_entries_are_located() -> None:
    entries = sorted(np.random.default_rng(3).choice(SIZES[0] * SIZES[1], 5, replace=False).tolist())

    def edit(g: Params) -> None:
        g["W0"].reshape(-1)[entries] *= 1.1

    result = checked(edit)
    assert wrong_entries(result) == entries
    assert result.parameters[0].coverage is not None
    assert "the other" in result.parameters[0].coverage


WHOLE: dict[str, tuple[str, Edit]] = {
    "sign": ("W0", lambda g: g.update(W0=-g["W0"])),
    "missing": ("W0", lambda g: g.update(W0=0 * g["W0"])),
    "1 % too large": ("W0", lambda g: g.update(W0=1.01 * g["W0"])),
    "reversed rows": ("W0", lambda g: g.update(W0=g["W0"][::-1].copy())),
    "one row zero": ("W0", lambda g: g["W0"].__setitem__(7, 0)),
    "one column zero": ("W0", lambda g: g["W0"].__setitem__((slice(None), 7), 0)),
    "bias mean": ("b0", lambda g: g.update(b0=g["b0"] / 50)),
    "bias zero": ("b1", lambda g: g.update(b1=0 * g["b1"])),
    "a checkerboard": ("W0", lambda g: g.update(W0=g["W0"] * (1 + 0.01 * (-1.0) ** np.arange(50)))),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", WHOLE)
def test_what_is_wrong_with_many_entries_is_found_and_the_search_ends(name: str, activation: str) -> None:
    wrong, edit = WHOLE[name]
    result = checked(edit, activation=activation)
    assert wrong_parameters(result) == [wrong]
    parameter = next(p for p in result.parameters if p.name == wrong)
    assert parameter.mismatched >= 16
    assert result.evaluations <= 2500


def test_a_small_missing_term_is_found() -> None:
    result = checked(lambda g: g.update(W0=g["W0"] + 1e-5))
    assert wrong_parameters(result) == ["W0"]


def test_errors_within_the_tolerance_are_no_mismatch() -> None:
    result = checked(lambda g: g.update(W0=g["W0"] * (1 + 1e-6)))
    assert result.verdict is Verdict.MATCH
    assert result.evaluations <= 1500


def test_errors_that_are_scattered_too_widely_to_list_are_still_a_mismatch() -> None:
    where = np.random.default_rng(0).choice(3000, 300, replace=False)

    def edit(g: Params) -> None:
        g["W0"].reshape(-1)[where] *= 1.5

    result = checked(edit)
    assert wrong_parameters(result) == ["W0"]
    assert result.parameters[0].certificate is not None
    assert not result.parameters[0].certificate.complete


def test_a_direction_that_nothing_explains_has_its_own_reason() -> None:
    from gradcheck.checker.certify import Outcome

    certificate = Outcome(2, 0.1, np.array([0]), complete=False, tolerable=False).certificate([Verdict.MATCH])
    assert certificate is not None
    assert certificate.verdict is Verdict.MISMATCH
    explained = Outcome(2, 0.1, np.array([0]), complete=False, tolerable=False).certificate([Verdict.MISMATCH])
    assert explained is not None
    assert explained.verdict is Verdict.MATCH
    assert Reason.SPREAD.sentence


def test_91410_parameters() -> None:
    sizes = (200, 300, 100, 10)
    result = checked(sizes=sizes)
    assert sum(parameter.size for parameter in result.parameters) == 91410
    assert result.verdict is Verdict.MATCH
    assert result.evaluations <= 30

    def edit(g: Params) -> None:
        g["W0"][123, 45] *= 1.01

    result = checked(edit, sizes=sizes)
    assert wrong_entries(result) == [123 * 300 + 45]
    assert result.evaluations <= 300


def test_a_gradient_that_is_coarser_than_its_parameters() -> None:
    loss, grad, params = network(np.random.default_rng(0), sizes=SIZES, samples=40)
    result = check_grad(loss, lambda p: {k: v.astype(np.float32) for k, v in grad(p).items()}, params)
    assert result.verdict is Verdict.MATCH


def test_a_random_loss_falls_back_to_single_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck.checker.options.ENTRY_BUDGET", 60)
    loss, grad, params = network(np.random.default_rng(0), sizes=SIZES, samples=40)
    rng = np.random.default_rng(1)
    result = check_grad(lambda p: loss(p) * (1 + 0.01 * rng.normal()), grad, params, entries="auto")
    assert result.verdict is Verdict.INCONCLUSIVE
    assert all(parameter.certificate is None for parameter in result.parameters)
    assert "60 of 3,000 entries were checked" in str(result)


def test_points_are_merged_entry_by_entry() -> None:
    calls = [0]

    def edit(g: Params) -> None:
        calls[0] += 1
        g["W0"].reshape(-1)[100 * calls[0]] *= 2

    loss, grad, params = network(np.random.default_rng(0), sizes=SIZES, samples=40)

    def edited(p: Params) -> Params:
        found = grad(p)
        edit(found)
        return found

    result = check_grad(loss, edited, params, points=2)
    assert wrong_entries(result) == [100, 200]
    assert result.points == 2


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("call", [3, 4, 8])
def test_everything_comes_back_after_an_exception(call: int, error: type[BaseException]) -> None:
    loss, grad, params = network(np.random.default_rng(0), sizes=SIZES, samples=40)
    before = {name: value.copy() for name, value in params.items()}
    calls = [0]

    def failing(p: Params) -> float:
        calls[0] += 1
        if calls[0] == call:
            raise error
        return loss(p)

    with pytest.raises(error):
        check_grad(failing, grad, params)
    for name, value in params.items():
        assert value.tobytes() == before[name].tobytes()
