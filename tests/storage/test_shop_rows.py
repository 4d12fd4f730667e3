"""The shop's days out of damaged files, into a refuge and back: what can be read, once, and nothing else."""

import random
import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from edge_agent.domain.forecast import LEVELS, Forecast, ForecastDay
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.message import Message, Stream
from edge_agent.domain.shop import Empty, PlanKind, Planned, Sale, Sold, Source, Unit, WeatherDay
from edge_agent.storage import shop, shop_rows
from edge_agent.storage import shop_schema as tables
from edge_agent.storage.carry import adopt, belongings, hand_over, holds_more
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.shop import ShopFile
from edge_agent.storage.store import Store
from tests.storage.conftest import WALL_MS, Build
from tests.storage.test_salvage import PAGE, Damaged, Filled, garble, root, waiting

PRODUCTS = ("4011", "4012", "4020", "4030", "4040")
TODAY = date(2026, 11, 23)
DAYS = 200
MOST_ON_A_PAGE = 12
MEMORY = {"lot/l-1": b'{"left":3.0}', "book/shelf-1": b"{}", "keeping/l-1": b"{}", "air/room": b"[]", "outcomes": b"[]"}
SHOP = (
    *(tables.sale, tables.undated_sale, tables.empty_shelf, tables.weather, tables.planned, tables.forecast),
    *(tables.import_file, tables.import_aside),
)
FAIRS = [Planned(PlanKind.EVENT, TODAY, TODAY, name=f"fair {n}") for n in range(9)]
NUMBERS = {"id", "clock"}  # of a file, and not of what is in it


def sold(days: int, product: str = "4011", qty: float = 1.0, **more: Any) -> Sold:
    at = Instant(5000, WALL_MS + 5000, "boot-1")
    return Sold(product, at, TODAY - timedelta(days=days), Unit.UNITS, qty=qty, **more)


def fill(store: Store, build: Build) -> None:
    store.commit(sold=[sold(days, product, days + 0.5) for product in PRODUCTS for days in range(DAYS)])
    early = build.at(7, boot="boot-0", clock=ClockState.UNSYNCED)
    store.commit(
        messages=[
            Message(stream, f"{stream.value}/{n % 5}", b'{"n":%d}' % n, build.at(n), retain=True)
            for stream in (Stream.SHELFLIFE, Stream.FORECAST)
            for n in range(40)
        ],
        memory=MEMORY,
        sold=[Sold("4011", early, None, Unit.UNITS, qty=2)],
        emptied=[Empty("4011", build.at(n), n % 2 == 0) for n in range(30)],
    )
    quantiles = tuple(float(n) for n in range(len(LEVELS)))
    days = (ForecastDay(TODAY, quantiles), ForecastDay(TODAY + timedelta(days=1), quantiles, is_open=False))
    for back in range(60):
        told = [Forecast(product, build.at(0), days, "units", "model", ("gap",), "1.0") for product in PRODUCTS]
        store.keep_forecasts(TODAY - timedelta(days=back), told)
    file = ShopFile.open(store._directory, lambda seconds: None)
    till = [Sale("4020", TODAY - timedelta(days=n), Source.IMPORT, Unit.G, n + 0.25, price=2.5) for n in range(50)]
    file.import_sales(b"till", "till.csv", till, (), build.at(1), add=False)
    file.import_weather(b"sky", "sky.csv", [WeatherDay(TODAY, n, 4.5) for n in range(90)], (), build.at(1))
    file.import_plans(b"plans", "plans.csv", FAIRS, (), build.at(1))


def contents(store: Store) -> dict[str, set[tuple[Any, ...]]]:
    """Whatever numbers clocks and notes have in the file."""
    with store.shop() as tx:
        clocks = shop_rows.segments_of(tx)
        return {
            table.name: {
                (clocks.get(row.get("clock")), *(value for name, value in row.items() if name not in NUMBERS))
                for row in tx.execute(select(table)).mappings()
            }
            for table in SHOP
        }


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Filled, dict[str, set[tuple[Any, ...]]]]:
    """A file after an unclean stop, and what was in it."""
    folder, build = tmp_path_factory.mktemp("original"), Build()
    store = Store.open(StorageSettings(directory=str(folder)), "node-1", build.at(0))
    fill(store, build)
    with store._database.reading() as tx:
        tx.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
    found = contents(store), {stream: waiting(store)[stream] for stream in (Stream.SHELFLIFE, Stream.FORECAST)}
    store._database.close()
    return Filled(folder / "agent.db", {}, found[1]), found[0]


@pytest.fixture
def filled(tmp_path: Path, original: Any) -> tuple[Filled, dict[str, set[tuple[Any, ...]]]]:
    shutil.copyfile(original[0].file, tmp_path / "agent.db")
    return replace(original[0], file=tmp_path / "agent.db"), original[1]


def leaves(file: Path, table: str) -> list[int]:
    """Of a table whose rows lie in its key's tree (SQLite's file format, sections 1.6 and 2.4)."""
    raw = file.read_bytes()

    def below(page: int) -> Iterator[int]:
        found = raw[(page - 1) * PAGE : page * PAGE]
        if found[0] not in (0x02, 0x05):
            yield page
            return
        places = struct.unpack_from(f">{struct.unpack_from('>H', found, 3)[0]}H", found, 12)
        for place in (*places, 8):  # the last child stands in the header
            yield from below(struct.unpack_from(">I", found, place)[0])

    return list(below(root(file, table)))


def at_run(filled: Filled, open_store: Any, build: Build, pages: list[int]) -> Store:
    store: Store = open_store()
    for page in pages:
        garble(filled.file, page)
    store.quarantine(build.at(9000))
    return store


def at_start(filled: Filled, open_store: Any, build: Build, pages: list[int]) -> Store:
    for page in pages:
        garble(filled.file, page)
    store: Store = open_store(build.at(9000))
    if store.quarantined is None:  # a garbled page of an index that no check minds
        store.quarantine(build.at(9000))
    return store


WHEN = pytest.mark.parametrize("damaged", [at_run, at_start])


@WHEN
def test_a_page_elsewhere_costs_nothing_of_the_shop_nor_of_the_lots(
    filled: Any, open_store: Any, build: Build, damaged: Damaged
) -> None:
    file, expected = filled
    store = damaged(file, open_store, build, [root(file.file, "inbox")])
    assert contents(store) == expected
    assert {stream: waiting(store)[stream] for stream in file.states} == file.states
    assert "rows of sales and plans" in store.salvaged()
    assert "unreadable" not in store.salvaged()
    if damaged is at_start:  # while it runs, who commits still has it
        assert store.memory() == MEMORY


@WHEN
@pytest.mark.parametrize("table", ["sale", "forecast"])
@pytest.mark.parametrize(
    "pick",
    [
        lambda leaves: leaves[:1],
        lambda leaves: leaves[-1:],
        lambda leaves: leaves[len(leaves) // 2 :][:3],
        lambda leaves: leaves[3::7],
    ],
    ids=["first", "last", "three neighbours", "every seventh"],
)
def test_a_damaged_page_of_sales_costs_its_rows_and_few_others(
    filled: Any, open_store: Any, build: Build, damaged: Damaged, table: str, pick: Callable[[list[int]], list[int]]
) -> None:
    file, expected = filled
    pages = pick(leaves(file.file, table))
    store = damaged(file, open_store, build, pages)
    found = contents(store)
    assert found[table] <= expected[table]
    assert 0 < len(expected[table] - found[table]) <= MOST_ON_A_PAGE * len(pages)
    others = expected.keys() - {table, "import_file", "import_aside"}
    assert {name: found[name] for name in others} == {name: expected[name] for name in others}
    assert found["import_file"] == set(), "the files that mend it must not be refused as known"
    assert "import the till's files again" in store.salvaged()


@pytest.mark.parametrize("table", [table.name for table in SHOP])
def test_a_table_of_the_shop_that_is_lost_takes_nothing_else_along(
    filled: Any, open_store: Any, build: Build, table: str
) -> None:
    file, expected = filled
    found = contents(at_run(file, open_store, build, [root(file.file, table)]))
    others = expected.keys() - {table, "import_file", "import_aside"}
    assert {name: found[name] for name in others} == {name: expected[name] for name in others}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_garbled_no_sale_comes_out_that_never_was(
    filled: Any, open_store: Any, build: Build, seed: int
) -> None:
    file, expected = filled
    chance = random.Random(seed)
    pages = [chance.randrange(2, file.file.stat().st_size // PAGE) for _ in range(12)]
    store = at_run(file, open_store, build, pages)
    with store.shop() as tx:
        told = {(s.product, s.day, s.unit, s.qty) for s in shop.sales(tx, PRODUCTS, date.min, date.max)}
        shop.plans(tx, date.min, date.max)
        shop.forecasts(tx, date.min, date.max)
    sold_days = {(row[1], date.fromordinal(row[2]), Unit(row[4]), row[5]) for row in expected["sale"]}
    assert told <= sold_days


def test_a_row_that_nobody_wrote_is_left_out(open_store: Any, build: Build, tmp_path: Path) -> None:
    store = open_store()
    fill(store, build)
    with closing(sqlite3.connect(tmp_path / "agent.db", isolation_level=None)) as plain:
        for place, change in enumerate(("source = 'x'", "unit = x'00'", "qty = 9e999", "qty = 'many'", "day = -1")):
            plain.execute(f"UPDATE sale SET {change} WHERE product = ? AND source = 'ledger' AND day = ?",
                          (PRODUCTS[place], TODAY.toordinal()))  # fmt: skip
    expected = contents(store)["sale"]
    store.quarantine(build.at(9000))
    found = contents(store)["sale"]
    assert found < expected
    assert len(expected) - len(found) == 5


def test_a_file_of_a_version_without_sales_is_whole(open_store: Any, build: Build, tmp_path: Path) -> None:
    store = open_store()
    store.commit(messages=[build.event(build.at(1))])
    with closing(sqlite3.connect(tmp_path / "agent.db", isolation_level=None)) as plain:
        for table in SHOP:
            plain.execute(f"DROP TABLE {table.name}")
    store.quarantine(build.at(9000))
    assert store.salvaged().endswith("saved event 1")


# --- a refuge and back ------------------------------------------------------------------------------------------------


@pytest.fixture
def card(open_store: Any, build: Build, tmp_path: Path) -> Store:
    store: Store = open_store(directory=tmp_path / "card")
    fill(store, build)
    return store


def refuge_of(card: Store, open_store: Any, tmp_path: Path) -> Store:
    refuge: Store = open_store(directory=tmp_path / "refuge")
    hand_over(belongings(card._directory / "agent.db"), refuge)
    refuge.bring_shop(card._directory / "agent.db")
    return refuge


def come_back(refuge: Store, card: Store) -> None:
    hand_over(belongings(refuge._directory / "agent.db"), card)
    adopt(refuge, card)


def test_a_refuge_has_what_the_card_has_but_for_what_waits_for_its_day(
    card: Store, open_store: Any, tmp_path: Path
) -> None:
    refuge = refuge_of(card, open_store, tmp_path)
    expected = contents(card)
    assert contents(refuge) == expected | {"undated_sale": set()}
    assert refuge.memory() == MEMORY
    assert not holds_more(tmp_path / "refuge" / "agent.db", tmp_path / "card" / "agent.db")
    come_back(refuge, card)
    assert contents(card) == expected, "and nothing that it did not have"


def test_what_happened_in_the_refuge_is_on_the_card_once(
    card: Store, open_store: Any, build: Build, tmp_path: Path
) -> None:
    before = contents(card)
    refuge = refuge_of(card, open_store, tmp_path)
    refuge.commit(
        sold=[sold(0, qty=2), sold(0, qty=4), sold(-1, "new", 7)], emptied=[Empty("4012", build.at(99), True)]
    )
    refuge.commit(memory={"lot/l-1": None, "keeping/l-1": None, "lot/l-2": b"{}"})
    file = ShopFile.open(tmp_path / "refuge", lambda seconds: None)
    assert file.withdraw_plans(FAIRS) == 9
    file.import_sales(b"2", "2.csv", [Sale("4030", TODAY, Source.IMPORT, Unit.G, 5.0)], (), build.at(2), add=False)
    assert holds_more(tmp_path / "refuge" / "agent.db", tmp_path / "card" / "agent.db")
    for _ in range(2):  # the second time after a kill before the refuge was removed
        come_back(refuge, card)
        with card.shop() as tx:
            found = {(s.product, s.source.value): s.qty for s in shop.sales(tx, ["4011", "new", "4030"], TODAY, TODAY)}
            assert found == {("4011", "ledger"): 6.5, ("4030", "ledger"): 0.5, ("4030", "import"): 5.0}
            (new,) = shop.sales(tx, ["new"], TODAY, date.max)
            assert new.qty == 7
            assert shop.plans(tx, TODAY, TODAY) == []
        after = contents(card)
        assert len(after["empty_shelf"] - before["empty_shelf"]) == 1
        assert len(after["import_file"]) == len(before["import_file"]) + 1
        assert card.memory().keys() == (MEMORY.keys() - {"lot/l-1", "keeping/l-1"}) | {"lot/l-2"}


def test_a_refuge_that_could_bring_nothing_adds_what_it_saw(card: Store, open_store: Any, tmp_path: Path) -> None:
    refuge = open_store(directory=tmp_path / "refuge")
    refuge.commit(sold=[sold(0, qty=2)], memory={"lot/l-2": b"{}"})
    for _ in range(2):
        come_back(refuge, card)
        with card.shop() as tx:
            assert [sale.qty for sale in shop.sales(tx, ["4011"], TODAY, TODAY)] == [2.5]
            assert len(shop.plans(tx, TODAY, TODAY)) == 9
        assert card.memory().keys() == MEMORY.keys() | {"lot/l-2"}, "of the card's lots it knew nothing"


def test_a_clock_that_came_in_the_refuge_dates_what_waited_on_the_card(
    card: Store, open_store: Any, build: Build, tmp_path: Path
) -> None:
    refuge = refuge_of(card, open_store, tmp_path)
    refuge.commit(emptied=[Empty("4011", build.at(9, boot="boot-0", clock=ClockState.UNSYNCED), True)])
    refuge.correct_clock("boot-0", WALL_MS)
    come_back(refuge, card)
    assert card.date_sales(lambda wall_ms: TODAY) == (1, 0)


@pytest.mark.parametrize(("upto", "sound"), [(None, True), ('["4011", 1]', True), ('["4011", ', False), ("{}", False)])
def test_how_far_an_import_came_is_sound_or_the_file_counts_as_new(upto: str | None, sound: bool) -> None:
    row = {"sha256": "ab", "kind": "sales", "name": "till.csv", "at_ms": 1, "rows": 2, "upto": upto}
    assert shop_rows.is_sound(tables.import_file, row) is sound
