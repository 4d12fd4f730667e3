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
from sqlalchemy import Connection, Table, event, func, select

from edge_agent.domain.forecast import LEVELS, Forecast, ForecastDay
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.shop import AsideRow, Empty, PlanKind, Planned, Sale, Sold, Source, Unit
from edge_agent.storage import shop, shop_schema
from edge_agent.storage.errors import StorageFull
from edge_agent.storage.shop_import import ShopFile

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


def count(store: Any, table: Table) -> int:
    with store.shop() as tx:
        return int(tx.scalar(select(func.count()).select_from(table)))


def test_sales_that_nobody_can_date_go_when_a_later_boot_is_as_old_as_what_goes(open_store: Any) -> None:
    store = open_store()
    day_ms = 86_400_000

    def boot(name: str, days_ago: int | None) -> None:
        """A sale before its clock came; None: it never did."""
        early = Instant(5, 5, name, ClockState.UNSYNCED)
        store.commit(sold=[Sold("4011", early, None, Unit.UNITS, qty=1)])
        if days_ago is not None:
            store.correct_clock(name, MS - days_ago * day_ms)

    for name, days_ago in (("lost", None), ("old", 100), ("lost-too", None), ("young", 10), ("now", None)):
        boot(name, days_ago)
    assert store.date_sales(day_of) == (2, 3)
    store.prune_shop(DAY, keep_days=100)
    assert count(store, shop_schema.undated_sale) == 3
    store.prune_shop(DAY + timedelta(days=2), keep_days=100)
    assert count(store, shop_schema.undated_sale) == 2, "that of the boot before the old one"
    store.prune_shop(DAY + timedelta(days=39), keep_days=28)
    assert count(store, shop_schema.undated_sale) == 1, "the clock of the running boot may still come"
    assert store.date_sales(day_of) == (0, 1)
    later = Instant(6, MS - 200 * day_ms, "now", ClockState.SYNCED)
    store.commit(emptied=[Empty("4011", later, True)])
    store.prune_shop(DAY + timedelta(days=39), keep_days=28)
    assert count(store, shop_schema.undated_sale) == 1, "it has come, and the night's dating is to follow"


def test_without_any_sale_a_clock_years_ahead_costs_the_oldest_rows_set_aside_at_most(
    open_store: Any, tmp_path: Path
) -> None:
    store, file = open_store(), ShopFile.open(tmp_path)
    for days in (100, 80, 1):
        aside = [AsideRow(2, "many", "qty: must be a number")]
        file.import_sales(b"%d" % days, "till.csv", (), aside, at(-days * 86_400_000), add=False)
    store.prune_shop(DAY + timedelta(days=3650), keep_days=365)
    assert count(store, shop_schema.import_aside) == 1


def test_rows_set_aside_by_an_import_that_was_cut_off_go_after_their_days(open_store: Any, tmp_path: Path) -> None:
    store = open_store()
    aside = [AsideRow(row, "many", "qty: must be a number") for row in range(2, 1202)]
    with pytest.raises(PowerCut):
        ShopFile.open(tmp_path, cut_after(1)).import_sales(b"one", "a.csv", (), aside, at(0), add=False)
    assert count(store, shop_schema.import_aside) == 500
    assert not ShopFile.open(tmp_path).is_known(b"one")
    store.prune_shop(DAY + timedelta(days=61), keep_days=60)
    assert count(store, shop_schema.import_aside) == 0


def test_rows_set_aside_go_after_their_days_and_the_file_stays_known(open_store: Any, tmp_path: Path) -> None:
    store = open_store()
    store.commit(sold=[Sold("4011", at(1), DAY, Unit.UNITS, qty=1)])
    file, day_ms = ShopFile.open(tmp_path, lambda seconds: None), 86_400_000
    for days in (100, 80, 1):
        aside = [AsideRow(row, f"{row};many", "qty: must be a number") for row in range(2, 1202)]
        file.import_sales(b"%d" % days, f"{days}.csv", (), aside, at(-days * day_ms), add=False)
    assert count(store, shop_schema.import_aside) == 3 * 1200
    store.prune_shop(DAY + timedelta(days=3650), keep_days=365)
    assert count(store, shop_schema.import_aside) == 3 * 1200, "a clock years ahead"
    store.prune_shop(DAY, keep_days=60)
    assert count(store, shop_schema.import_aside) == 1200
    assert file.is_known(b"100")


def test_what_goes_is_what_is_old_whatever_each_product_has(open_store: Any) -> None:
    store = open_store()
    held = {"4011": range(0, 100), "4012": range(95, 100), "4013": range(0, 3), "4014": (99, 0), "": (98,)}
    ago = [(name, n) for name, days in held.items() for n in days]
    store.commit(sold=[Sold(name, at(1), DAY - timedelta(days=n), Unit.UNITS, qty=1) for name, n in ago])
    for _ in range(2):
        store.prune_shop(DAY, keep_days=96)
    with store.shop() as tx:
        found = shop.sales(tx, list(held), date.min, date.max)
    expected = sorted((name, DAY - timedelta(days=n)) for name, n in ago if n <= 96)
    assert [(sale.product, sale.day) for sale in found] == expected


def test_the_night_tidies_without_reading_what_stays(open_store: Any) -> None:
    """The agent waits meanwhile: ten times the days are no more work."""
    store, ticks = open_store(), []

    def watch(of: Connection, *told: Any) -> None:
        of.connection.dbapi_connection.set_progress_handler(lambda: ticks.append(1), 100)  # type: ignore[union-attr]

    with store.shop() as tx:
        event.listen(tx.engine, "before_cursor_execute", watch)

    def work(days: range) -> int:
        found = [(product, DAY - timedelta(days=n)) for product in ("4011", "4012") for n in days]
        store.commit(sold=[Sold(product, at(1), day, Unit.UNITS, qty=1) for product, day in found])
        for _, day in found[: len(days)]:
            store.keep_forecasts(day, [Forecast("4011", at(0), (ForecastDay(DAY, (0.0,) * len(LEVELS)),), "units", "")])
        ticks.clear()
        assert store.prune_shop(DAY, keep_days=1000) == 0
        return len(ticks)

    few = work(range(12))
    assert work(range(12, 120)) <= 2 * few


def test_a_file_in_another_unit_takes_the_place_too(open_store: Any, tmp_path: Path) -> None:
    store = open_store()
    file = ShopFile.open(tmp_path, lambda seconds: None)
    units = [Sale("4011", DAY - timedelta(days=n), Source.IMPORT, Unit.UNITS, 7.0) for n in range(3)]
    file.import_sales(b"one", "a.csv", units, (), at(0), add=False)
    both = [Sale("4011", DAY, Source.IMPORT, unit, 50.0) for unit in Unit]
    before = [Sale("4010", DAY - timedelta(days=n), Source.IMPORT, Unit.G, 1.0) for n in range(498)]
    other = Sale("4011", DAY - timedelta(days=1), Source.IMPORT, Unit.G, 500.0)
    assert file.import_sales(b"two", "b.csv", [*before, *both, other], (), at(1), add=False).replaced == 2
    assert sales(store) == [
        ("2026-11-18", "import", "units", 7.0),
        ("2026-11-19", "import", "g", 500.0),
        ("2026-11-20", "import", "g", 50.0),
        ("2026-11-20", "import", "units", 50.0),
    ]


def test_a_known_file_is_read_again_when_that_is_asked_for(open_store: Any, tmp_path: Path) -> None:
    store = open_store()
    file = ShopFile.open(tmp_path)
    sale = Sale("4011", DAY, Source.IMPORT, Unit.UNITS, 7.0)
    file.import_sales(b"one", "a.csv", [sale], (), at(0), add=False)
    assert file.import_sales(b"one", "a.csv", [replace(sale, qty=9.0)], (), at(1), add=False, again=True).rows == 1
    assert file.is_known(b"one")
    assert sales(store) == [("2026-11-20", "import", "units", 9.0)]


def test_plans_that_are_taken_back_are_those_of_the_file_and_no_others(open_store: Any, tmp_path: Path) -> None:
    store = open_store()
    file = ShopFile.open(tmp_path)
    fair, match = (Planned(PlanKind.EVENT, DAY, DAY, name=name) for name in ("fair", "match"))
    for _ in range(2):  # sent again after it was taken back
        file.import_plans(b"plans", "plans.csv", [fair, match], (), at(0))
        assert file.withdraw_plans([fair, fair]) == 1
        with store.shop() as tx:
            assert shop.plans(tx, DAY, DAY) == [match]


def test_an_import_for_which_there_is_no_room_begins_nothing(open_store: Any, tmp_path: Path) -> None:
    store = open_store()
    file = ShopFile.open(tmp_path)
    sale = Sale("4011", DAY, Source.IMPORT, Unit.UNITS, 7.0)

    class Long(str):
        """As of a file with more than any disk takes."""

        def __len__(self) -> int:
            return 1 << 60

    with pytest.raises(StorageFull, match=r"MB are free, and \d+ MB are needed: nothing was imported"):
        file.import_sales(b"one", "a.csv", [sale], [AsideRow(2, Long("x"), "")], at(0), add=False)
    assert sales(store) == []
    assert not file.is_known(b"one")


def test_sales_come_one_after_another_by_product_day_and_unit(open_store: Any) -> None:
    store = open_store()
    days = [(name, n) for name in ("4012", "4011") for n in range(400)]
    store.commit(
        sold=[Sold(name, at(1), DAY - timedelta(days=n), unit, qty=n) for name, n in days for unit in reversed(Unit)]
    )
    with store.shop() as tx:
        found = [(s.product, s.day, s.unit) for s in shop.each_sale(tx, ["4012", "4011"], DAY - timedelta(300), DAY)]
    assert found == sorted(found, key=lambda row: (row[0], row[1], row[2].value))
    assert len(found) == 2 * 301 * 2


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
