"""The shop's days: summed with the events, brought in from files, dated when the clock comes, safe from a wrong one."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from edge_agent.domain.forecast import LEVELS, Forecast, ForecastDay
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.shop import Empty, Sale, Sold, Source, Unit
from edge_agent.storage import shop, shop_schema
from edge_agent.storage.shop import ShopFile

DAY = date(2026, 11, 20)
MS = 1_795_132_800_000  # 2026-11-20 00:00 UTC


def at(mono_ms: int, boot: str = "b", clock: ClockState = ClockState.SYNCED) -> Instant:
    return Instant(mono_ms, MS + mono_ms, boot, clock)


def day_of(wall_ms: int) -> date:
    return date.fromordinal(date(1970, 1, 1).toordinal() + wall_ms // 86_400_000)


def sales(store: Any) -> list[tuple[str, str, str, float]]:
    with store.shop() as tx:
        found = shop.sales(tx, ["4011"], date(2000, 1, 1), date(2100, 1, 1))
    return [(sale.day.isoformat(), sale.source.value, sale.unit.value, sale.sold) for sale in found]


def test_what_leaves_the_shelves_is_summed_into_its_day(open_store: Any) -> None:
    store = open_store()
    store.commit(sold=[Sold("4011", at(1), DAY, Unit.UNITS, qty=2), Sold("4011", at(2), DAY, Unit.UNITS, qty=3)])
    store.commit(sold=[Sold("4011", at(3), DAY, Unit.UNITS, back=1), Sold("4011", at(4), DAY, Unit.G, qty=50)])
    assert sales(store) == [("2026-11-20", "ledger", "g", 50.0), ("2026-11-20", "ledger", "units", 4.0)]


def test_what_was_taken_before_the_clock_came_gets_its_day_once(open_store: Any) -> None:
    store = open_store()
    early = Instant(5000, 5000, "early", ClockState.UNSYNCED)
    store.commit(sold=[Sold("4011", early, None, Unit.UNITS, qty=2)])
    assert store.date_sales(day_of) == (0, 1)
    store.correct_clock("early", MS)
    assert store.date_sales(day_of) == (1, 0)
    assert store.date_sales(day_of) == (0, 0)
    assert sales(store) == [("2026-11-20", "ledger", "units", 2.0)]


def test_the_same_file_twice_changes_nothing_and_a_later_one_takes_the_place(open_store: Any, tmp_path: Path) -> None:
    store = open_store()
    file = ShopFile.open(tmp_path)
    sale = Sale("4011", DAY, Source.IMPORT, Unit.UNITS, 7.0)
    assert file.import_sales(b"one", "a.csv", [sale], (), at(0), add=False).rows == 1
    assert file.import_sales(b"one", "b.csv", [sale], (), at(1), add=False).is_known
    assert file.import_sales(b"two", "c.csv", [replace(sale, qty=9.0)], (), at(2), add=False).replaced == 1
    assert sales(store) == [("2026-11-20", "import", "units", 9.0)]
    file.import_sales(b"three", "till-2.csv", [sale], (), at(3), add=True)
    assert sales(store) == [("2026-11-20", "import", "units", 16.0)]


class PowerCut(Exception):
    pass


def cut_after(bites: int) -> Callable[[float], None]:
    """As a pause between bites: the import ends in the one after so many."""
    left = [bites]

    def pause(seconds: float) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise PowerCut

    return pause


MANY = [Sale(f"40{n % 7}", DAY - timedelta(days=n // 7), Source.IMPORT, Unit.UNITS, 1.0 + n) for n in range(2300)]


@pytest.mark.parametrize("add", [True, False])
@pytest.mark.parametrize("bites", [1, 2, 4])
def test_an_import_that_was_cut_off_and_done_again_counts_each_row_once(
    open_store: Any, tmp_path: Path, bites: int, add: bool
) -> None:
    open_store()
    ShopFile.open(tmp_path, lambda seconds: None).import_sales(b"first", "till.csv", MANY, (), at(0), add=False)
    with pytest.raises(PowerCut):
        ShopFile.open(tmp_path, cut_after(bites)).import_sales(b"second", "till-2.csv", MANY, (), at(1), add=add)
    file = ShopFile.open(tmp_path, lambda seconds: None)
    assert not file.import_sales(b"second", "till-2.csv", MANY[::-1], (), at(2), add=add).is_known
    assert file.import_sales(b"second", "till-2.csv", MANY, (), at(3), add=add).is_known
    with file.reading() as tx:
        found = shop.sales(tx, [f"40{n}" for n in range(7)], date.min, date.max)
    expected = {(sale.product, sale.day): sale.qty * (2 if add else 1) for sale in MANY}
    assert {(sale.product, sale.day): sale.qty for sale in found} == expected


def test_two_imports_of_one_file_at_once_count_it_once(open_store: Any, tmp_path: Path) -> None:
    open_store()
    other = ShopFile.open(tmp_path, lambda seconds: None)

    def meanwhile(seconds: float) -> None:
        other.import_sales(b"one", "till.csv", MANY, (), at(1), add=True)

    ShopFile.open(tmp_path, meanwhile).import_sales(b"one", "till.csv", MANY, (), at(0), add=True)
    with other.reading() as tx:
        found = shop.sales(tx, [f"40{n}" for n in range(7)], date.min, date.max)
    assert {(sale.product, sale.day): sale.qty for sale in found} == {(s.product, s.day): s.qty for s in MANY}


def test_an_import_lets_the_agent_commit_between_its_bites(open_store: Any, tmp_path: Path) -> None:
    """Each gap is longer than the longest pause of a connection that waits for its turn, and the file is free in it."""
    store, gaps = open_store(), []

    def pause(seconds: float) -> None:
        with closing(sqlite3.connect(tmp_path / "agent.db", timeout=0, isolation_level=None)) as second:
            second.execute("BEGIN IMMEDIATE")
            (rows,) = second.execute("SELECT count(*) FROM sale").fetchone()
            second.execute("ROLLBACK")
        store.commit(memory={"n": b"%d" % rows})
        gaps.append((seconds, rows))

    ShopFile.open(tmp_path, pause).import_sales(b"one", "till.csv", MANY, (), at(0), add=True)
    bites = [after - before for before, after in pairwise([0, *(rows for _, rows in gaps)])]
    assert min(seconds for seconds, _ in gaps) > 0.1, "SQLite's sqliteDefaultBusyCallback sleeps so long at most"
    assert max(bites) <= 500, "0.3 s at 0.6 ms a row"
    assert store.memory() == {"n": b"2000"}


def test_when_shelves_were_empty_is_forgotten_with_the_sales_but_for_the_last_word(open_store: Any) -> None:
    store = open_store()
    store.commit(sold=[Sold("4011", at(1), DAY, Unit.UNITS, qty=1)])
    early = Instant(5, 5, "early", ClockState.UNSYNCED)
    day_ms = 86_400_000
    found = [Empty("4011", at(-days * day_ms), days % 2 == 0) for days in range(120, -1, -1)]
    old = [Empty("4012", at(-120 * day_ms), True), Empty("4013", early, True), Empty("4013", early, False)]
    store.commit(emptied=[*old, *found, Empty("4011", early, True), Empty("4011", at(1), False)])
    for _ in range(2):  # CREEP_D of the oldest days at one time
        store.prune_shop(DAY, keep_days=90)
    with store.shop() as tx:
        kept = shop.empties(tx)
        assert [each.at for each in kept if each.product == "4011"] == [*(each.at for each in found[30:]), at(1)]
        assert shop.last_empties(tx) == {"4011": False, "4012": True, "4013": False}
        assert tx.scalar(select(func.count()).select_from(shop_schema.empty_shelf)) == 91 + 1 + 1 + 2
    store.prune_shop(DAY + timedelta(days=3650), keep_days=90)
    with store.shop() as tx:
        assert len(shop.empties(tx)) > 60, "a clock years ahead"


def test_a_clock_years_ahead_deletes_no_history(open_store: Any) -> None:
    store = open_store()
    found = [Sold("4011", at(1), DAY - timedelta(days=days), Unit.UNITS, qty=1) for days in range(100)]
    store.commit(sold=found)
    store.prune_shop(DAY + timedelta(days=3650), keep_days=200)
    assert len(sales(store)) == 100
    store.prune_shop(DAY, keep_days=90)
    assert len(sales(store)) == 91


def test_forecasts_come_back_as_they_were_told(open_store: Any) -> None:
    store = open_store()
    quantiles = tuple(float(step) for step in range(len(LEVELS)))
    days = (ForecastDay(DAY, quantiles), ForecastDay(DAY + timedelta(days=1), (0.0,) * len(LEVELS), is_open=False))
    store.keep_forecasts(DAY, [Forecast("4011", at(0), days, "units", "model", ("gap",), "1.0")])
    with store.shop() as tx:
        (kept,) = shop.forecasts(tx, DAY, DAY)
    assert (kept.days, kept.basis, kept.reasons, kept.model) == (days, "model", ("gap",), "1.0")


@pytest.mark.parametrize("first", [True, False])
def test_whether_a_product_was_out_outlives_a_restart(open_store: Any, first: bool) -> None:
    store = open_store()
    store.commit(emptied=[Empty("4011", at(1), first), Empty("4011", at(2), not first)])
    store.close()
    with open_store().shop() as tx:
        assert shop.last_empties(tx) == {"4011": not first}
