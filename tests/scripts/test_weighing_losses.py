"""The slow things of `scripts/bench weighing --act losses` are as they are said to be."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def losses(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from bench_parts import weighing_losses

    return weighing_losses


def test_what_dries_loses_its_share_and_who_takes_takes_dry_pieces(losses) -> None:
    job = losses.Job(losses.DRYING, 13, 3, 3.0)
    wet, act = losses.shelf_day(13, 3, hours=3.0), losses.act_of(job)
    stated = act.product.loss_pct_per_day / 100
    lost_g = losses._lost_g(job, act.lost_g, act.day.touches)
    mean_g = float(losses._stock_g(wet).mean())
    assert -stated * mean_g / 8 < lost_g < -0.4 * stated * mean_g / 8  # three hours of what it may lose at most
    picks = [(dry.delta_g, as_new.delta_g) for dry, as_new in zip(act.day.touches, wet.touches, strict=True)]
    assert all(0.98 * as_new <= dry <= as_new for dry, as_new in ((-a, -b) for a, b in picks if b < 0))
    assert act.day.start_g == wet.start_g


def test_a_leak_ends_before_the_shelf_is_empty_and_what_it_took_is_missing_on_the_scale(losses) -> None:
    job = losses.Job(losses.DAY_LEAKS, 6, 3, 6.0)
    dry, act = losses.shelf_day(6, 3, hours=6.0), losses.act_of(job)
    assert np.all(np.diff(act.lost_g) <= 0)
    assert act.lost_g[0] == 0
    assert act.lost_g[-1] == pytest.approx(-losses._stock_g(dry).min() / 3)
    assert (act.day.gross_g - dry.gross_g)[-1] == pytest.approx(act.lost_g[-1])


def test_a_burst_is_within_one_reading_and_a_night_has_nobody(losses) -> None:
    job = losses.Job(losses.BURSTS, 0, 3, losses.NIGHT_H)
    act, before = losses.act_of(job), losses._night(job)
    gone_g = np.unique(np.round(act.day.gross_g - before.gross_g, 6))
    assert gone_g.tolist() == [pytest.approx(act.lost_g[-1], abs=1e-5), 0.0]
    assert act.day.touches == ()
    assert len(act.lost_g) == len(act.day.door_open) == losses.NIGHT_H * 3600
