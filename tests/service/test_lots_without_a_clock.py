"""Lots on a board that begins each boot in 1970: power cuts, goods that move before the clock comes, and after it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge_agent.decide.memory import from_rows
from edge_agent.domain.instant import ClockState
from edge_agent.lots.register import Register
from hardware_mocks.clock import SimulatedClock
from hardware_mocks.nau7802_chip import Nau7802Chip
from hardware_mocks.sht3x_chip import Sht3xChip
from tests.lots.shops import GTIN, PRODUCT, one_shelf, places
from tests.service.conftest import Room

CONFIG = one_shelf(0.5, 30.0, 0.5) + places(cold_room=None) + PRODUCT
NOON = 1_795_435_200.0


class Board(Room):
    """Plugged in again and again: each boot has a copy of the card as it was when the power went."""

    def __init__(self, folder, number: int = 1, load_g: float = 0.0) -> None:
        super().__init__(folder / f"card-{number}")
        self.folder, self.number = folder, number
        self.clock = SimulatedClock(1000.0, synchronised=False, boot=f"boot-{number}")
        self.climate, self.scale = Sht3xChip(self.clock, temperature_c=4.0), Nau7802Chip(self.clock, self.cell)
        self.settings, self.cell.load_g = self.configured(CONFIG), load_g
        self.told: list[dict] = []

    def plugged_in_again(self) -> "Board":
        """What was committed is on the card, and nothing else."""
        after = Board(self.folder, self.number + 1, self.cell.load_g)
        shutil.copytree(self.directory, after.directory)
        return after

    def pass_time(self, cycles: int) -> None:
        for _ in range(cycles):
            self.cycle(0.5)
            self.told += self.send()

    def weigh(self, by_g: float) -> None:
        self.cell.load_g += by_g
        self.pass_time(16)

    def tell(self, verb: str, **body) -> None:
        self.ask(verb, cmd_id=f"{self.number}-{len(self.told)}-{verb}-{body['lot']}", **body)
        self.pass_time(2)
        assert [each["code"] for each in self.of(self.told, f"rsp/{verb}")][-1] == "done"

    def kept(self) -> Register:
        """As it stands on the card."""
        return from_rows(self.parts.store.memory()).register


@contextmanager
def lit(board: Board) -> Iterator[Board]:
    with board.running():
        board.pass_time(16)
        yield board


def delivered(board: Board, code: str, units: int, use_by: str) -> None:
    board.tell("receive", product=GTIN, lot=code, supplier="farm-a", units=units, use_by=use_by, place="cold-room")


@pytest.mark.parametrize("is_set_first", [True, False], ids=["the-clock-was-set", "it-never-was"])
def test_what_was_told_as_waste_before_the_power_cut_is_no_sale_of_another_lot_after_it(tmp_path, is_set_first):
    with lit(Board(tmp_path)) as board:
        if is_set_first:
            board.clock.synchronise(NOON)
        delivered(board, "SOON", 4, "2026-12-23")
        delivered(board, "LATE", 6, "2026-12-24")
        board.weigh(5000.0)
        board.tell("waste", lot="LATE", units=2, reason="damaged")  # lies there still
        board.tell("waste", lot="LATE", units=1, reason="damaged")
        after = board.plugged_in_again()

    with lit(after) as board:
        board.weigh(-500.0)  # before the clock is set; and the power goes again
        assert {name: lot.left for name, lot in board.kept().lots.items()} == {"soon": 4, "late": 3}
        after = board.plugged_in_again()

    with lit(after) as board:
        board.weigh(-500.0)
        board.clock.synchronise(NOON + 900.0)
        board.weigh(-500.0)
        register = board.kept()
        assert {name: lot.left for name, lot in register.lots.items()} == {"soon": 4, "late": 3}
        assert register.books["shelf-1"].owed == ()
        board.weigh(-500.0)
        register = board.kept()
        assert {name: lot.left for name, lot in register.lots.items()} == {"soon": 3, "late": 3}, "now one was sold"
        assert register.books["shelf-1"].unattributed_units == pytest.approx(0)
        assert [event["kind"] for event in board.of(board.told, "event/shelf-1")] == ["pick"] * 3


def test_wall_time_is_filled_in_on_the_card_when_the_clock_comes(tmp_path):
    with lit(Board(tmp_path)) as board:
        delivered(board, "NEW", 4, "2026-12-23")
        received = board.kept().lots["new"].received
        assert (received.clock, received.wall_ms < 10_000_000_000) == (ClockState.UNSYNCED, True)
        board.weigh(2000.0)
        board.clock.synchronise(NOON)
        board.pass_time(30)
        after = board.plugged_in_again()
    with lit(after) as board:
        lot, later = board.kept().lots["new"], board.parts.watch.now()
        assert lot.received.clock is lot.stays[0].since.clock is ClockState.CORRECTED
        assert abs(lot.received.wall_ms / 1000 - NOON) < 60
        assert later.clock is ClockState.UNSYNCED, "this boot's is not set yet"


def test_a_delivery_told_before_the_clock_came_is_what_was_put_down_before_the_power_cut(tmp_path):
    with lit(Board(tmp_path)) as board:
        board.clock.synchronise(NOON)
        board.weigh(2000.0)
        assert set(board.kept().lots) == {"shelf-1-restock"}
        after = board.plugged_in_again()
    with lit(after) as board:
        delivered(board, "NEW", 4, "2026-12-23")
        assert board.kept().lots["new"].on("shelf-1") == 0
        board.clock.synchronise(NOON + 3600.0)
        board.pass_time(30)
        lots = board.kept().lots
        assert (lots["new"].on("shelf-1"), lots["shelf-1-restock"].ending) == (4, "merged")
