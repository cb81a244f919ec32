"""Records of what was found."""

import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from gradcheck.checker.certificate import Certificate
from gradcheck.checker.result import CheckResult, ParameterResult, Reason, Verdict
from gradcheck.checker.tolerance import Tolerance
from gradcheck.numerics.noise import Noise

M, X, I = Verdict.MATCH, Verdict.MISMATCH, Verdict.INCONCLUSIVE  # noqa: E741


def parameter(
    analytic: list[float],
    numerical: list[float],
    verdicts: tuple[Verdict, ...],
    *,
    name: str = "W",
    shape: tuple[int, ...] = (2, 3),
    reasons: tuple[Reason | None, ...] | None = None,
) -> ParameterResult:
    n = len(analytic)
    return ParameterResult(
        name=name,
        shape=shape,
        indices=np.arange(n),
        analytic=np.array(analytic),
        numerical=np.array(numerical),
        numerical_error=np.full(n, 1e-9),
        verdicts=verdicts,
        reasons=reasons or (None,) * n,
        tolerance=np.full(n, 1e-5),
        step=np.full(n, 1e-4),
        evaluations=np.full(n, 2),
        noise=np.full(n, 1e-11),
        kink=np.zeros(n),
        kink_distance=np.full(n, np.nan),
    )


def result(*parameters: ParameterResult, evaluations: int = 10, points: int = 1) -> CheckResult:
    return CheckResult(parameters, Tolerance(1e-5), evaluations, points, 3, 1.0, Noise(1.1e-16))


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [([M, M], M), ([M, I], I), ([I, X, M], X), ([X], X), ([], I)],
)
def test_worst_verdict(verdicts: list[Verdict], expected: Verdict) -> None:
    assert Verdict.worst(verdicts) is expected


def test_a_verdict_is_its_word() -> None:
    assert [str(v) for v in Verdict] == ["match", "mismatch", "inconclusive"]


def test_reasons_have_a_slug_and_a_sentence() -> None:
    assert Reason.KINK.value == "kink"
    for reason in Reason:
        assert reason.value == reason.name.lower().replace("_", "-")
        assert len(reason.sentence.split()) > 4


def test_parameter_counts_and_worst_entry() -> None:
    p = parameter([1.0, 2.0, 3.0, 4.0], [1.0, 2.2, 6.0, 0.0], (M, X, X, I), reasons=(None, None, None, Reason.NOISE))
    assert (p.size, p.checked, p.mismatched, p.inconclusive, p.verdict) == (6, 4, 2, 1, X)
    # the inconclusive entry has the larger error, but a mismatch is worse
    assert (p.worst, p.worst_index, p.reason) == (2, (0, 2), None)
    assert p.max_abs_error == 4.0
    assert p.max_rel_error == 1.0
    np.testing.assert_allclose(p.rel_error, [0, 0.2 / 2.2, 0.5, 1.0])


def test_nan_is_the_worst_error() -> None:
    p = parameter([1.0, math.nan], [3.0, 1.0], (X, X), reasons=(None, Reason.NON_FINITE_GRADIENT))
    assert p.worst == 1
    assert p.reason is Reason.NON_FINITE_GRADIENT
    assert math.isnan(p.max_rel_error)


@pytest.mark.parametrize("reason", [Reason.ZERO, Reason.CONSTANT, Reason.KINK])
def test_the_worst_entry_is_one_whose_error_counted(reason: Reason) -> None:
    p = parameter([1e-18, 2.0, 3.0], [-1e-17, 2.0, 3.003], (M, M, M), reasons=(reason, None, Reason.COARSE))
    assert (p.worst_index, p.reason) == ((0, 2), Reason.COARSE)
    assert p.max_rel_error == pytest.approx(1e-3, rel=1e-2)
    assert p.max_abs_error == pytest.approx(3e-3)


def test_the_worst_entry_is_none_that_is_tiny_beside_the_others() -> None:
    p = parameter([1e-6, 2.0, 3.0], [-1e-6, 2.0, 3.000003], (M, M, M))
    assert (p.worst_index, p.max_rel_error) == ((0, 2), pytest.approx(1e-6, rel=1e-2))


def test_what_is_excused_is_shown_where_there_is_nothing_else() -> None:
    p = parameter([0.0, 1e-18], [0.0, -1e-17], (M, M), reasons=(Reason.ZERO, Reason.ZERO))
    assert (p.worst_index, p.reason) == ((0, 1), Reason.ZERO)
    assert p.max_rel_error == pytest.approx(1.1)


def test_a_wrong_entry_comes_before_what_is_excused() -> None:
    p = parameter([1.0, 0.0, 2.0], [1.0, 1.0, 2.2], (M, M, X), reasons=(None, Reason.KINK, None))
    assert (p.worst_index, p.order.tolist()) == ((0, 2), [2, 0, 1])


def test_a_number_has_an_empty_index() -> None:
    p = parameter([1.0], [1.0], (M,), shape=())
    assert (p.size, p.worst_index) == (1, ())


@pytest.mark.parametrize(("verdict", "passed"), [(M, True), (X, False), (I, False)])
def test_truth_is_passed(verdict: Verdict, passed: bool) -> None:
    r = result(parameter([1.0], [1.0], (M,)), parameter([1.0], [1.0], (verdict,), name="b"))
    assert r.passed is passed
    assert bool(r) is passed
    assert r.verdict is verdict


def test_frozen() -> None:
    r = result(parameter([1.0], [1.0], (M,)))
    with pytest.raises(FrozenInstanceError, match="seed"):
        r.seed = 1  # type: ignore[misc]


def test_text() -> None:
    r = result(
        parameter([1.0, 2.0], [1.0, 4.0], (M, X)),
        parameter([0.0], [1e-12], (I,), name="b", shape=(), reasons=(Reason.NOISE,)),
    )
    assert repr(r) == "<CheckResult: mismatch, 2 parameters, 1 of 3 entries mismatched, 10 evaluations>"
    assert str(r).splitlines() == [
        "parameter  shape   checked  mismatched  max rel error  verdict",
        "W          (2, 3)  2 of 6   1           0.5            mismatch",
        "b          ()      1        0           1              inconclusive (noise)",
        "W: 2 of 6 entries were checked, drawn at random",
        "rtol=1e-05, atol=0, points=1, evaluations=10, seed=3",
    ]


def test_merge_keeps_the_worst_of_each_entry() -> None:
    first = result(parameter([1.0, 2.0, 3.0], [1.0, 2.2, 3.0], (M, X, M)), evaluations=7)
    second = result(
        parameter([5.0, 6.0, 7.0], [5.0, 6.0, 7.1], (M, M, I), reasons=(None, None, Reason.NOISE)), evaluations=8
    )
    third = result(parameter([1.0, 2.0, 3.0], [1.1, 2.4, 3.0], (M, X, M)), evaluations=9)
    merged = CheckResult.merge([first, second, third])
    (p,) = merged.parameters
    assert p.verdicts == (M, X, I)
    assert p.reasons == (None, None, Reason.NOISE)
    # equal verdicts: the larger relative error
    assert p.analytic.tolist() == [1.0, 2.0, 7.0]
    assert p.numerical.tolist() == [1.1, 2.4, 7.1]
    assert (merged.evaluations, merged.points, merged.seed) == (24, 3, 3)


def test_merge_prefers_nan() -> None:
    plain = result(parameter([1.0], [9.0], (X,)))
    nan = result(parameter([math.nan], [1.0], (X,)))
    for order in ([plain, nan], [nan, plain]):
        assert math.isnan(CheckResult.merge(order).parameters[0].analytic[0])


CERTIFIED = Certificate(8, 1e-7, M)


@pytest.mark.parametrize("verdict", [M, I])
def test_a_kink_gives_way_to_directions_at_another_point(verdict: Verdict) -> None:
    kinked = result(parameter([1.0, 2.0], [1.0, 9.0], (M, verdict), reasons=(None, Reason.KINK)))
    along = result(replace(parameter([3.0], [3.0], (M,)), certificate=CERTIFIED))
    for order in ([kinked, along], [along, kinked]):
        (p,) = CheckResult.merge(order).parameters
        assert (p.verdict, p.reason, p.certificate) == (M, None, CERTIFIED)
        assert (p.indices.tolist(), p.rel_error.tolist()) == ([0], [0.0])


@pytest.mark.parametrize(
    "certificate",
    [None, Certificate(8, 1e-7, X), Certificate(8, 1e-7, M, complete=False)],
    ids=["none", "wrong", "cut"],
)
def test_a_kink_does_not_give_way_to_less(certificate: Certificate | None) -> None:
    kinked = result(parameter([1.0, 2.0], [1.0, 9.0], (M, I), reasons=(None, Reason.KINK)))
    along = result(replace(parameter([3.0], [3.0], (M,)), certificate=certificate))
    (p,) = CheckResult.merge([kinked, along]).parameters
    assert p.verdicts == (M, I)


@pytest.mark.parametrize(
    ("certificate", "verdicts", "wrong", "said"),
    [
        (None, (X, I), "1 of 2", "2 of 6 entries were checked"),
        (CERTIFIED, (M, I), "0 of 6", "all 6 entries were compared"),
        (Certificate(8, 1e-7, X, complete=False), (X, X), "2+ of 6", "at least 2 of 6 entries are wrong"),
        (Certificate(0, 1e-7, I, complete=False), (I, I), "? of 6", "none of 6 entries was found to be wrong before"),
    ],
    ids=["drawn", "complete", "some", "none yet"],
)
def test_a_search_that_was_stopped_says_what_it_knows(
    certificate: Certificate | None, verdicts: tuple[Verdict, ...], wrong: str, said: str
) -> None:
    """That none was found is no number of wrong ones, least of all at least 0."""
    found = replace(parameter([1.0, 2.0], [1.0, 9.0], verdicts), certificate=certificate)
    assert found.wrong == wrong
    assert said in (found.coverage or "")


def test_a_mistake_does_not_give_way_to_directions() -> None:
    wrong = result(parameter([1.0, 2.0], [1.0, 9.0], (M, X)))
    along = result(replace(parameter([3.0], [3.0], (M,)), certificate=CERTIFIED))
    (p,) = CheckResult.merge([wrong, along]).parameters
    assert p.verdicts == (M, X)


def test_merge_of_one_is_itself() -> None:
    r = result(parameter([1.0], [1.0], (M,)))
    assert CheckResult.merge([r]) is r
