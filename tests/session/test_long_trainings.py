"""Scripts that train for a minute or more: a verdict within seconds, and nothing untrue when the time is short."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixture_scripts import expectation, is_undecided, scripts
from gradcheck.api import examine_script
from gradcheck.settings import Options

resource = pytest.importorskip("resource", reason="no times of child processes here")

EVERY = scripts("long/right") + scripts("long/wrong")
SHORT = [path for path in EVERY if path.stem in {"tram_delay_fit", "bees_grid_search", "plate_prepared_slowly"}]
CHOSEN = [path for path in EVERY if path.stem in {"tram_delay_fit", "kiln_nested_lists", "boat_speed_tests"}]
# seconds of computing, which other processes do not use up
MOST = 10.0


def label(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_every_long_script_has_its_twin():
    right, wrong = ([path.stem for path in scripts(f"long/{side}")] for side in ("right", "wrong"))
    assert right == wrong
    assert len(right) == 10


@pytest.mark.parametrize("path", SHORT, ids=label)
def test_what_is_said_in_five_seconds_is_true(path):
    """It may be little: on a busy machine five seconds are short."""
    expected = expectation(path)
    script = examine_script(path, Options(fix=False, timeout=5))
    assert set(script.mismatching) <= expected.mismatch
    if script.verdict == "match":
        assert expected.verdict == "match"
    if script.error is not None:
        slugs = {"timeout", "no-loss"} if is_undecided(path) else {"timeout"}
        assert script.error.slug in slugs, script.error.message
        assert (
            "time ran out while" in script.error.message
            or "still running" in script.error.message
            or (script.error.slug == "no-loss")
        )


@pytest.mark.parametrize("path", CHOSEN, ids=label)
def test_all_is_said_within_ten_seconds_of_computing(path):
    expected = expectation(path)
    before = seconds_of_children()
    # the limit is one of the clock: it is not what is measured
    script = examine_script(path, Options(fix=False, timeout=60))
    used = seconds_of_children() - before
    assert script.error is None, script.error.message
    assert set(script.mismatching) == expected.mismatch
    assert {str(parameter.verdict) for parameter in script.parameters} <= {"match", "mismatch"}
    assert script.verdict == expected.verdict
    assert used <= MOST
