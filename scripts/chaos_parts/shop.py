"""The shop of the kill campaign: what is done in it between two kills, and what is found of it after each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from chaos_parts import goods, goods_judge
from chaos_parts.committed import Committed
from chaos_parts.figures import Figure
from chaos_parts.goods_judge import Kept, ModelWatch, Slots
from chaos_parts.nights import Nights, made_on
from chaos_parts.people import Staff
from chaos_parts.rig import Rig
from edge_agent.config import load
from edge_agent.decide.memory import from_rows
from edge_agent.domain.shop import Source, Unit
from edge_agent.inference.errors import ModelRefused
from edge_agent.service.model_store import FOLDER, ModelStore, Slot
from edge_agent.service.models import Models, shipped_directory

VERBS = ("receive", "waste", "move", "outcome", "model")
IMPORT_KILLED = 0.5  # of the imports die with the agent
SHOWN = 3  # faults of a kind, in the report
FIRST_NIGHT_S, LEAST_NIGHT_S, MOST_NIGHT_S = 4.0, 1.0, 30.0
EARLY, LATE = 0, 23  # hours of the night's work: by the one today's is due, by the other yesterday's


@dataclass(slots=True)
class Shop:
    """``staff`` ask for what the grocer wishes."""

    rig: Rig
    zone: str
    staff: Staff
    random: Random
    hour: int = EARLY
    night_s: float = FIRST_NIGHT_S  # from the first commit to the last of a night's work, as the kills have found
    looks: int = 0
    lots_looked_at: int = 0
    faults: dict[str, list[str]] = field(default_factory=dict)  # by the figure that tells them
    watch: ModelWatch = field(default_factory=ModelWatch)
    _is_night: bool = False  # a night's work is due
    _waits_for_night: bool = False  # and the life is long enough for it, maybe
    _till: goods.Till | None = None
    _nights: Nights | None = None

    @property
    def till(self) -> goods.Till:
        assert self._till is not None
        return self._till

    @property
    def nights(self) -> Nights:
        assert self._nights is not None
        return self._nights

    def open(self) -> None:
        """With a history of sales, once there is a file to bring it into."""
        folder, config = self.rig.folder, self.rig.config_file
        self._till = goods.Till(folder, config, self.random, datetime.now(ZoneInfo(self.zone)).date())
        self._nights = Nights(config, self.rig.state_folder)
        self.till.first()

    # --- between two kills ---

    def write_rig(self) -> None:
        replace(self.rig, tables=goods.tables(self.zone, self.hour)).write()

    def before_life(self, committed: Committed, *, is_night: bool) -> None:
        """``is_night``: the work of a day that was not the last one becomes due."""
        if is_night:
            self.hour = LATE if made_on(committed.memory) == self.till.today else EARLY
        self.write_rig()
        self._is_night, self._waits_for_night = self.nights.before(committed), is_night

    def import_sales(self) -> None:
        """Not while a night's work is due: what it learnt from must be known."""
        if not self._is_night:
            self.till.begin()

    def after_life(self) -> None:
        self.till.end(killed=self.random.random() < IMPORT_KILLED)

    def has_seen_all(self, log: str) -> bool:
        """The commands that every campaign must have seen, and the night's work if it is due."""
        codes = self.staff.answers()
        done = {asked.verb for asked in list(self.staff.asked.values()) if "done" in codes.get(asked.cmd_id, ())}
        return {"receive", "waste", "move"} <= done and (not self._is_night or "demand:" in log)

    # --- after a kill ---

    def look(self, committed: Committed) -> None:
        self.looks += 1
        kept = kept_of(committed)
        self.lots_looked_at += len(kept.register.lots)
        self._blame("commands lost or carried out twice", goods_judge.command_faults(kept))
        self._blame("balances of lots that do not add up", goods_judge.balance_faults(kept, goods.SHELF))
        taken, back = taken_of(committed)
        sold = goods_judge.sold_faults(kept, goods.PRODUCTS[0], goods.PIECE_G, taken, back)
        self._blame("what left the shelf and the shop's days differ", sold)
        self._blame("sales imported twice, half or not at all", self._till_faults(committed))
        self._blame("models half installed, or changed by nobody", self._model_faults(committed))
        before, whole = len(self.nights.faults), self.nights.whole
        self.nights.after(committed)
        if self._waits_for_night:  # so that kills fall on both sides of its commit, on whatever machine
            was_kept = self.nights.whole > whole
            self.night_s = max(LEAST_NIGHT_S, self.night_s / 1.3) if was_kept else min(MOST_NIGHT_S, self.night_s * 1.3)
        self._blame("learnt neither as it was nor as the data teach", self.nights.faults[before:])

    def _blame(self, figure: str, found: Sequence[str]) -> None:
        self.faults.setdefault(figure, []).extend(found)

    def _till_faults(self, committed: Committed) -> list[str]:
        """What all files say together; in the midst of one nobody knows."""
        if not self.till.is_between_files:
            return []
        there = {(row.product, row.day): row.qty - row.back for row in committed.sold if row.source == Source.IMPORT}
        wrong = {key for key in there.keys() | self.till.sold.keys() if there.get(key) != self.till.sold.get(key)}
        return [f"{len(wrong)} of {len(self.till.sold)} days after {self.till.through} imports"] if wrong else []

    def _model_faults(self, committed: Committed) -> list[str]:
        store = ModelStore(self.rig.state_folder / FOLDER)
        models = Models(load(self.rig.config_file).models, store, shipped_directory())
        try:
            found = [store.read(goods.MODEL, slot) for slot in (Slot.ACTIVE, Slot.PREVIOUS, Slot.SHADOW)]
            seen = Slots(*(None if each is None else models.unsealed(each).card.version for each in found))
        except ModelRefused as error:
            return [f"a model's file is not whole: {error}"]
        asked = {
            each.cmd_id: goods.change_of(each.payload)
            for each in list(self.staff.asked.values())
            if each.verb == "model"
        }
        answers = [(body["cmd_id"], body["code"]) for body in committed.of_stream("rsp")]
        fault = self.watch.look(seen, asked, [each for each in answers if each[0] in asked])
        return [fault] if fault else []

    # --- figures ---

    def told(self) -> str:
        faults = sum(map(len, self.faults.values()))
        return f"{self.nights.whole} nights, {self.till.through} imports, {faults} faults of the shop"

    def figures(self, committed: Committed, times: int) -> list[Figure]:
        done = Counter(body["verb"] for body in committed.of_stream("rsp") if body["code"] == "done")
        kinds = Counter(body["kind"] for body in committed.of_stream("event") if body["shelf"] == goods.SHELF)
        many = ">= 1" if times >= 50 else ""
        moved = kinds["pick"] + kinds["restock"]
        lives, forecasts = (len(committed.of_stream(stream)) for stream in ("shelflife", "forecast"))
        return [
            *(Figure(f"goods: `{verb}` done", done[verb], "commands", ">= 1") for verb in VERBS[:3]),
            *(Figure(f"goods: `{verb}` done", done[verb], "commands", many) for verb in VERBS[3:]),
            Figure("goods: put down or taken, as the scale saw it", moved, "events", many),
            Figure("goods: lots looked at after a kill", self.lots_looked_at, f"lots in {self.looks} looks", ">= 1"),
            Figure("lives of lots told", lives, "messages", ">= 1"),
            Figure("forecasts told", forecasts, "messages", ">= 1"),
            Figure("nights whose work was due", self.nights.begun, "lives", ">= 1"),
            Figure("nights whose work was kept", self.nights.whole, "nights", ">= 1"),
            Figure("imports of sales that were killed", self.till.killed, "imports", many),
            Figure("imports of sales that are through", self.till.through, "imports", ">= 1"),
            Figure("  of these added to what was there", self.till.adds, "imports", many),
            *(
                Figure("; ".join([figure, *found[:SHOWN]]), len(found), "faults", "0")
                for figure, found in self.faults.items()
            ),
        ]


def kept_of(committed: Committed) -> Kept:
    return Kept(from_rows(committed.memory).register, *map(committed.of_stream, ("rsp", "record", "event")))


def taken_of(committed: Committed) -> tuple[float, float]:
    """Pieces of the product on the shelf: taken, and of these not sold."""
    rows = [row for row in committed.sold if row.source == Source.LEDGER and row.product == goods.PRODUCTS[0]]
    rows = [row for row in rows if row.unit == Unit.UNITS]
    return sum(row.qty for row in rows), sum(row.back for row in rows)
