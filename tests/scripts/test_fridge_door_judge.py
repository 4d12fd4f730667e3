"""The judge of `scripts/bench fridge-door` sees water come in with the room's air, and nothing else."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def fridge(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from bench_parts import fridge_door

    return fridge_door


@pytest.fixture
def run(fridge):
    """A minute in the room, then cold; at 600 s something happens to temperature and humidity, by so much."""

    def run(warmer_k=0.0, damper_pct=0.0, glitch_hpa=0.0, over_s=5.0):
        at_s = np.arange(0.0, 1200.0)
        air_c = np.where(at_s < 60, 22.0, 5.0 + 17 * np.exp(-(at_s - 60) / 60))
        humidity_pct = np.where(at_s < 60, 45.0, 30.0)
        share = np.clip((at_s - 600) / over_s, 0, 1)
        pressure_hpa = np.full(len(at_s), 977.0)
        pressure_hpa[600:603] += glitch_hpa
        return fridge.Run("run", at_s, air_c + warmer_k * share, humidity_pct + damper_pct * share, pressure_hpa)

    return run


@pytest.mark.parametrize(
    ("own", "is_opened"),
    [
        ({}, False),
        ({"warmer_k": 2.0, "damper_pct": 20.0}, True),
        ({"damper_pct": 3.0}, True),  # a short look
        ({"warmer_k": 3.0, "damper_pct": -5.0}, False),  # the compressor rests: warmer, and no water
        ({"warmer_k": 4.0, "damper_pct": 10.0, "over_s": 600.0}, False),  # slowly
    ],
)
def test_an_opening_is_vapour_that_comes_at_once(fridge, run, own, is_opened):
    assert len(fridge.openings(run(**own))) == int(is_opened)


def test_the_sensor_put_into_the_cold_is_no_opening_that_anybody_must_find(fridge, run):
    quiet = run()
    assert fridge.openings(quiet) == []
    (entered,) = fridge.put_in(quiet)
    assert entered == pytest.approx(65, abs=15)
    assert fridge.judge(quiet, [70.0]).false == ()


@pytest.mark.parametrize(
    ("told", "counts"),
    [([], (0, 1, 0)), ([603.0], (1, 0, 0)), ([595.0], (1, 0, 0)), ([800.0], (0, 1, 1)), ([603.0, 300.0], (1, 0, 1))],
)
def test_openings_are_found_within_two_minutes_and_others_are_false(fridge, run, told, counts):
    verdict = fridge.judge(run(warmer_k=2.0, damper_pct=20.0), told)
    assert (len(verdict.found), len(verdict.missed), len(verdict.false)) == counts


def test_the_pressure_is_a_witness(fridge, run):
    assert fridge.judge(run(2.0, 20.0, glitch_hpa=0.4), []).witnessed
    assert not fridge.judge(run(2.0, 20.0), []).witnessed
