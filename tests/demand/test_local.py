"""What a night teaches about a shop: never from a day that has not been, the same twice, and never for the worse."""

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.demand.candidates import CANDIDATES
from edge_agent.demand.local import learn, prior
from edge_agent.demand.shop_state import MAGIC, VERSION, ShopState, StateRefused, read, written
from edge_agent.domain.forecast import LEVELS
from tests.demand.shops import SMALL, panel_of, shop

DAYS = 200


@pytest.fixture(scope="module")
def learnt() -> ShopState:
    return learn(shop(DAYS, category=("a", "a", "b", "b", "", "b")), DAYS - 1, None, SMALL)


def _same(one: ShopState, other: ShopState) -> bool:
    return written(one) == written(other)


def test_nothing_after_the_day_learnt_up_to_is_looked_at() -> None:
    panel = shop(DAYS)
    later = panel.qty.copy()
    later[:, 160:] = 1e6
    shut = panel.is_open.copy()
    shut[:, 160:] = False
    other = replace(panel, qty=later, is_open=shut)
    assert _same(learn(panel, 159, None, SMALL), learn(other, 159, None, SMALL))


def test_the_last_day_is_looked_at() -> None:
    panel = shop(DAYS)
    other = panel.qty.copy()
    other[:, 159] += 30.0
    assert not _same(learn(panel, 159, None, SMALL), learn(replace(panel, qty=other), 159, None, SMALL))


def test_the_same_days_and_seed_teach_the_same(learnt: ShopState) -> None:
    again = learn(shop(DAYS, category=("a", "a", "b", "b", "", "b")), DAYS - 1, None, SMALL)
    assert _same(learnt, again)


def test_weights_are_shares_for_shop_category_and_product(learnt: ShopState) -> None:
    for weights in (learnt.shop, learnt.by_category, learnt.by_product):
        assert (weights >= 0).all()
        assert np.asarray(weights.sum(axis=-1)) == pytest.approx(np.ones(weights.shape[:-1]), abs=1e-5)
    assert learnt.categories == ("a", "b")


def test_the_weekday_methods_win_in_a_weekday_driven_shop(learnt: ShopState) -> None:
    middle = dict(zip(CANDIDATES, learnt.shop[1], strict=True))
    assert middle["climatology"] > middle["ses"] + middle["ma28"]


def test_a_product_is_found_by_name_then_category_then_shop(learnt: ShopState) -> None:
    found = learnt.weights(("product-3", "new in b", "new anywhere"), ("b", "b", ""))
    assert found[0] == pytest.approx(learnt.by_product[3])
    assert found[1] == pytest.approx(learnt.by_category[1])
    assert found[2] == pytest.approx(learnt.shop)


def test_a_spoilt_state_of_the_night_before_is_not_kept(learnt: ShopState) -> None:
    panel = shop(DAYS)
    bad = np.zeros_like(learnt.shop)
    bad[:, CANDIDATES.index("ma28")] = 1.0
    spoilt = replace(learnt, shop=bad, by_product=np.repeat(bad[None], 6, axis=0).astype(np.float32))
    found = learn(panel, DAYS - 1, None, SMALL, spoilt)
    assert found.kept != "previous"


def test_weights_that_would_have_been_worse_than_those_of_the_night_before_are_not_taken() -> None:
    """The shop's Saturdays end; in the weeks held out the old weights, which had been right before, are right again."""
    rng = np.random.default_rng(5)
    flat = rng.poisson(20.0, (6, 260)).astype(np.float64)
    weekly = np.round(20.0 * (1.0 + 0.9 * np.sin(np.arange(260) * 2 * np.pi / 7)))
    qty = np.where(np.arange(260) < 200, flat, weekly)
    qty[:, 200:] += rng.poisson(1.0, (6, 60))
    best = np.full((3, len(CANDIDATES)), 1e-6)
    best[:, CANDIDATES.index("snaive7")] = 1.0
    panel = panel_of(qty)
    budget = replace(SMALL, origins=9)
    before = learn(panel, 220, None, SMALL)
    old = replace(before, shop=best, by_product=np.repeat(best[None], 6, axis=0).astype(np.float32))
    found = learn(panel, 230, None, budget, old)
    assert found.losses["previous"] < found.losses["new"]
    assert found.kept == "previous"
    assert found.by_product == pytest.approx(old.by_product)


def test_a_change_of_what_people_buy_is_said() -> None:
    panel = shop(DAYS)
    tripled = panel.qty.copy()
    tripled[:, 170:] *= 4.0
    calm, upset = learn(panel, DAYS - 1, None, replace(SMALL, origins=12)), None
    upset = learn(replace(panel, qty=tripled), DAYS - 1, None, replace(SMALL, origins=12))
    assert calm.drift == ()
    assert "upper_quantile_low" in upset.drift


@pytest.mark.parametrize(
    ("name", "qty"),
    [
        ("nothing ever sold", np.zeros((3, 120))),
        ("five days", shop(5).qty),
        ("one day", shop(1).qty),
        ("one sale", np.eye(1, 120, 60)),
        ("no products", np.zeros((0, 50))),
    ],
)
def test_a_shop_with_next_to_nothing_keeps_the_prior(name: str, qty: np.ndarray) -> None:
    found = learn(panel_of(qty), qty.shape[1] - 1, None, SMALL)
    assert found.shop == pytest.approx(np.repeat(prior()[None], 3, axis=0), abs=0.2), name
    assert _same(read(written(found)), found)


def test_missing_days_and_values_that_are_no_numbers_teach_nothing_and_break_nothing() -> None:
    panel = shop(DAYS)
    qty, is_open = panel.qty.copy(), panel.is_open.copy()
    is_open[:, 120:150] = False
    qty[2, 170:175] = np.nan
    qty[3, 180] = -5.0
    found = learn(replace(panel, qty=qty, is_open=is_open), DAYS - 1, None, SMALL)
    assert np.isfinite(found.by_product).all()
    assert np.isfinite(found.shifts.by_part).all()


def test_a_state_comes_back_from_its_bytes(learnt: ShopState) -> None:
    again = read(written(learnt))
    assert _same(again, learnt)
    assert again.upto == learnt.upto
    assert again.grove is not None
    assert learnt.grove is not None
    rows = np.random.default_rng(1).normal(size=(20, len(learnt.grove.edges)))
    assert np.array_equal(again.grove.predict(rows), learnt.grove.predict(rows))


def test_a_state_is_small(learnt: ShopState) -> None:
    assert len(written(learnt)) < 100_000


def test_any_cut_or_changed_byte_is_refused_with_a_reason(learnt: ShopState) -> None:
    whole = written(learnt)
    for size in (0, 3, 8, 12, 100, len(whole) - 1):
        with pytest.raises(StateRefused):
            read(whole[:size])
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0x41
        with pytest.raises(StateRefused):
            read(bytes(spoilt))


def test_a_state_of_another_version_is_refused_by_its_number(learnt: ShopState) -> None:
    whole = written(learnt)
    other = MAGIC + (VERSION + 1).to_bytes(2, "little") + whole[len(MAGIC) + 2 :]
    with pytest.raises(StateRefused, match=f"version {VERSION + 1}: this agent reads version {VERSION}"):
        read(other)


def test_a_weight_that_is_no_number_is_refused(learnt: ShopState) -> None:
    spoilt = replace(learnt, shop=np.full_like(learnt.shop, np.nan))
    with pytest.raises(StateRefused, match="shop holds a value that is no number"):
        read(written(spoilt))


def test_a_grove_that_asks_for_a_column_it_has_not_is_refused(learnt: ShopState) -> None:
    assert learnt.grove is not None
    column = learnt.grove.column.copy()
    column[0, 0] = 200
    with pytest.raises(StateRefused, match="asks for column 200"):
        read(written(replace(learnt, grove=replace(learnt.grove, column=column))))


def test_levels_are_those_of_the_forecast(learnt: ShopState) -> None:
    assert learnt.shifts.by_part.shape[-1] == len(LEVELS)
