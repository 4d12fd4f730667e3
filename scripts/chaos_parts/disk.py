"""A disk that fills up, a file that is damaged, a card that refuses writes: under the running agent."""

import json
import shutil
import sqlite3
import struct
import tempfile
import time
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from signal import SIGTERM

from chaos_parts import goods
from chaos_parts.children import comes_true, wait_for
from chaos_parts.committed import Committed
from chaos_parts.figures import Figure, skipped, yes
from chaos_parts.filesystems import Ballast, card, free_bytes, is_root, refusing_writes, tmpfs
from chaos_parts.goods import Grocer
from chaos_parts.goods_judge import Kept, balance_faults, command_faults, sold_faults
from chaos_parts.judge import Identity, Verdict
from chaos_parts.people import Staff
from chaos_parts.rig import AIR_SENSORS, NODE, SHELVES, Rig
from chaos_parts.scene import Act, Say, Scene, life_figures, perform, scene, verdict_figures
from chaos_parts.shop import kept_of, taken_of
from edge_agent.decide.memory import Memory, from_rows, to_rows
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.lot import Lot, Measure, Stay
from edge_agent.domain.message import Message, Stream
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.domain.shop import Sold, Unit
from edge_agent.lots.register import Register
from edge_agent.service.keeper import REFUGE_AFTER_S
from edge_agent.service.refuge import refuges_of
from edge_agent.service.routine import LOOK_FOR_THE_CARD_S
from edge_agent.storage.inbox import FILE_NAME
from edge_agent.storage.reserve import RESERVE_BYTES
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store

INTERVAL_S = 0.25
TARE_G = 123.4
WAITING_LOTS = 60
FEWEST_GOODS = 3  # commands about goods that are done before anything happens to the disk
INTERIOR_TABLE_PAGE = 0x05  # of SQLite's B-trees
LONGEST_SILENCE_S = 1.5  # of a sensor, in what was told in the end: some intervals, for a busy machine


@dataclass(frozen=True, slots=True)
class Times:
    before_s: float
    fault_s: float  # how long the disk is bad
    normal_s: float  # how long the alarm may take to go; 0: not waited for (an alarm changes once a minute at most)


FULL = Times(before_s=5, fault_s=20, normal_s=90)
QUICK = Times(before_s=1, fault_s=3, normal_s=0)


def campaign(args: Namespace, say: Say) -> list[Figure]:
    """``args``: quick, only."""
    times = QUICK if args.quick else FULL

    def run(name: str, act: Act) -> list[Figure]:
        say(f"disk: {name}")
        if name in NEED_ROOT and not is_root():
            say(f"disk: {name}: SKIPPED, it mounts a file system of its own and needs root")
            return [skipped(f"disk, {name}", "needs root")]
        with tempfile.TemporaryDirectory(prefix="chaos-disk-") as folder:
            return act(Path(folder), times)

    return perform(ACTS, args.only, run)


@contextmanager
def _running(folder: Path, state: Path, times: Times) -> Iterator[Scene]:
    """An agent that keeps its files in ``state``, and staff who ask it for things."""
    folder.mkdir(parents=True, exist_ok=True)
    grocer = Grocer(folder / "hands.json", Random(1))
    with scene(folder / "scene", rig=_rig(folder, state)) as found:
        found.shopkeepers = Staff(found.rig.port, found.witness, 2, grocer.wish)
        found.start_agent()
        found.staff.connect()
        found.staff.ask("zero", {"shelf": SHELVES[0]}, 30)
        found.staff.ask("tare", {"shelf": SHELVES[0], "tare_g": TARE_G}, 30)
        found.shopkeepers.start()
        time.sleep(times.before_s)
        wait_for(lambda: _goods_done(found) >= FEWEST_GOODS, 30, f"{FEWEST_GOODS} commands about goods done")
        yield found


def _rig(folder: Path, state: Path) -> Rig:
    """With a shop; no night is due, for the clock of the campaign's board is this machine's."""
    shop = goods.tables("UTC", 2)
    return Rig(folder, 0, interval_s=INTERVAL_S, state=state, board=goods.board(folder / "hands.json"), tables=shop)


def _goods_done(found: Scene) -> int:
    assert found.shopkeepers is not None
    return sum("done" in codes for codes in found.shopkeepers.answers().values())


def _goods_figures(name: str, found: Scene) -> list[Figure]:
    """Of a file that stayed the same, after the last stop: each command about goods is in it once."""
    kept = kept_of(found.committed)
    taken, back = taken_of(found.committed)
    faults = [
        *command_faults(kept),
        *balance_faults(kept, goods.SHELF),
        *sold_faults(kept, goods.PRODUCTS[0], goods.PIECE_G, taken, back),
    ]
    return [
        Figure(f"{name}: commands about goods done", _goods_done(found), "commands", f">= {FEWEST_GOODS}"),
        Figure(f"{name}: lots in the file", len(kept.register.lots), "lots", ">= 1"),
        Figure("; ".join([f"{name}: lots, record and sales differ", *faults[:3]]), len(faults), "faults", "0"),
    ]


# --- full -----------------------------------------------------------------------------------------------------------


def _heard_lots_figures(name: str, found: Scene) -> list[Figure]:
    """Of files in several places: who was told that a delivery was received finds its lot in the last one, once."""
    answers = [heard.body for heard in found.witness.heard("rsp/")]
    told = {body["detail"]["lot"] for body in answers if (body["verb"], body["code"]) == ("receive", "done")}
    lots = from_rows(found.committed.memory).register
    there = Counter(lot.code for lot in lots.lots.values() if lot.code)
    unequal = balance_faults(Kept(lots, [], [], []), "")
    return [
        Figure(f"{name}: deliveries told as received", len(told), "lots", ">= 1"),
        Figure(f"{name}: of these not in the file", len(told - there.keys()), "lots", "0"),
        Figure(f"{name}: lots that are in it twice", sum(times - 1 for times in there.values()), "lots", "0"),
        Figure("; ".join([f"{name}: balances of lots that do not add up", *unequal[:3]]), len(unequal), "lots", "0"),
    ]


def _full(folder: Path, times: Times, *, greedy: bool = False) -> list[Figure]:
    name = "full to the brim" if greedy else "disk full"
    some = () if greedy else (">= 1",)
    with tmpfs(folder / "disk", 24) as disk, _running(folder, disk / "state", times) as found:
        ballast = Ballast(disk, greedy=greedy)
        found.staff.start()
        rows = found.committed.look_at_running(found.rig.state_folder)
        left = ballast.take()
        mark, asked = found.witness.mark(), set(found.staff.answers())
        said = comes_true(lambda: found.heard_fault("card is full"), 15)
        time.sleep(times.fault_s)
        still_running = found.agent is not None and found.agent.is_running
        meanwhile = {cmd_id: codes for cmd_id, codes in found.staff.answers().items() if cmd_id not in asked}
        done = {cmd_id for cmd_id, codes in meanwhile.items() if "done" in codes}
        is_alarmed = found.heard_alarm("storage", "unacknowledged")
        told, left_then = len(found.live(mark)), free_bytes(disk)
        ballast.give_back()
        given_back_s = time.monotonic()
        recovered = comes_true(lambda: found.live_after(given_back_s + 1), 20)
        is_normal = times.normal_s and comes_true(lambda: found.heard_alarm("storage", "normal"), times.normal_s)
        found.catch_up(20)
        pid_kept = found.agent is not None and found.agent.is_running
        verdict = found.finish()
        kept = {body.get("source") for body in found.committed.of_stream("event")}
        return [
            Figure(f"{name}: bytes left", left, "bytes", "<= 65536"),
            # Less than the agent wants before it makes its reserve again: by its own rule the disk is still full.
            # The reserve given up leaves its size, a log given back some more.
            Figure(f"{name}: bytes left in the end, still full", left_then, "bytes", f"< {2 * RESERVE_BYTES}"),
            Figure(f"{name}: rows before", rows, "rows", ">= 10"),
            Figure(f"{name}: named among the health's faults", yes(said), "", "yes"),
            *([] if greedy else [Figure(f"{name}: alarm told", yes(is_alarmed), "", "yes")]),
            Figure(f"{name}: readings told while it lasts", told, "messages"),
            Figure(f"{name}: commands answered while it lasts", len(meanwhile), "commands", *some),
            Figure(f"{name}: stock events made while it lasts", len(done), "events", *some),
            Figure(f"{name}: of these, not in the ledger afterwards", len(done - kept), "events", "0"),
            Figure(f"{name}: the agent went on", yes(still_running and pid_kept), "", "yes"),
            Figure(f"{name}: telling again without a restart", yes(recovered), "", "yes"),
            *([Figure(f"{name}: alarm back to normal", yes(is_normal), "", "yes")] if times.normal_s else []),
            *_measured_on(name, found),
            *verdict_figures(name, verdict, at_least=100),
            *life_figures(name, found),
            *_goods_figures(name, found),
        ]


def _brim(folder: Path, times: Times) -> list[Figure]:
    """Somebody else takes the reserve too: then not even a stock event can be written before there is room."""
    return _full(folder, times, greedy=True)


def _measured_on(name: str, found: Scene) -> list[Figure]:
    return [
        Figure(
            f"{name}: longest silence of a sensor", round(longest_silence_s(found), 2), "s", f"<= {LONGEST_SILENCE_S}"
        )
    ]


def longest_silence_s(found: Scene) -> float:
    """Between two readings of one sensor, by the instants they were taken at; of all that was told in the end."""
    at_ms: dict[str, set[int]] = defaultdict(set)
    for heard in found.witness.heard():
        if heard.body.get("stream") == "telemetry":
            for record in heard.body.get("records", [heard.body]):
                at_ms[record["point"]].add(record["mono_ms"])
    air = [sorted(at_ms[f"air-{n}"]) for n in range(AIR_SENSORS)]
    steps = [later - earlier for instants in air for earlier, later in pairwise(instants)]
    return max(steps, default=float("inf")) / 1000 if all(air) else float("inf")


# --- damaged --------------------------------------------------------------------------------------------------------


def garble(file: Path, seed: int, *, keep: int = 0, spare: int = 0) -> None:
    """Noise in place of what is there, but for ``keep`` bytes at the beginning and ``spare`` at the end.

    The file's length and whoever has it open stay.
    """
    size = max(0, file.stat().st_size - keep - spare)
    with file.open("r+b", buffering=0) as raw:
        raw.seek(keep)
        raw.write(Random(seed).randbytes(size))


DAMAGES = {"all of it": 0, "all but the first page": 512}


def _corrupt_at_start(folder: Path, times: Times) -> list[Figure]:
    figures = []
    for number, (damage, keep) in enumerate(DAMAGES.items()):
        name = f"damaged at start, {damage}"
        place = folder / f"{number}"
        with _running(place, place / "state", times) as found:
            found.catch_up(20)
            scales = _scales(found)
            found.stop_agent()
            lots = len(_lots(found.committed))
            epoch = found.committed.epoch
            waited = len(found.committed.rows.keys() - found.witness.identities())
            garble(place / "state" / FILE_NAME, number, keep=keep)
            mark = found.witness.mark()
            found.start_agent()
            told = comes_true(lambda: found.live(mark), 20)  # noqa: B023 (asked within this turn)
            is_alarmed = comes_true(lambda: found.heard_alarm("storage-corrupt", "unacknowledged"), 10)
            scales_after = _scales(found)
            verdict = found.finish()
            figures += [
                Figure(f"{name}: rows that waited in it, of which no page is sound", waited, "rows"),
                Figure(f"{name}: lots in it, which nobody knows any more", lots, "lots"),
                Figure(f"{name}: set aside", _set_aside(place / "state"), "files", "1"),
                Figure(f"{name}: measuring and telling", yes(told), "", "yes"),
                Figure(f"{name}: a new epoch", yes(found.committed.epoch not in ("", epoch)), "", "yes"),
                Figure(f"{name}: alarm told", yes(is_alarmed), "", "yes"),
                Figure(f"{name}: tare and zero survive", yes(scales_after == scales and TARE_G in scales), "", "yes"),
                *verdict_figures(name, verdict, at_least=50),
                *life_figures(name, found),
            ]
    return figures


def _corrupt_at_run(folder: Path, times: Times) -> list[Figure]:
    name = "damaged while it runs"
    with _running(folder, folder / "state", times) as found:
        state = found.rig.state_folder
        scales = _scales(found)
        found.catch_up(20)
        epoch = found.committed.epoch
        agent, mark = found.agent, found.witness.mark()
        waited = len(found.committed.rows.keys() - found.witness.identities())
        for file in (state / FILE_NAME, state / f"{FILE_NAME}-wal"):
            garble(file, 1)
        noticed = comes_true(lambda: _set_aside(state) == 1, 60)
        told = comes_true(lambda: any(h.body["epoch"] != epoch for h in found.live(mark)), 20)
        is_alarmed = comes_true(lambda: found.heard_alarm("storage-corrupt", "unacknowledged"), 10)
        scales_after = _scales(found)
        is_running = agent is not None and agent.is_running
        # What was committed after the last look, and told, is in the file that was destroyed.
        verdict = found.finish(unknown=epoch)
        return [
            Figure(f"{name}: rows that waited in it, of which no page is sound", waited, "rows"),
            Figure(f"{name}: set aside", yes(noticed), "", "yes"),
            Figure(f"{name}: the process went on", yes(is_running), "", "yes"),
            Figure(f"{name}: told under a new epoch", yes(told), "", "yes"),
            Figure(f"{name}: alarm told", yes(is_alarmed), "", "yes"),
            Figure(f"{name}: tare and zero survive", yes(scales_after == scales and TARE_G in scales), "", "yes"),
            Figure(f"{name}: longest silence of a sensor", round(longest_silence_s(found), 2), "s", "<= 15"),
            *verdict_figures(name, verdict, at_least=50),
            *life_figures(name, found),
        ]


def _corrupt_backlog(folder: Path, times: Times) -> list[Figure]:
    """A page of what waits for the broker is damaged under the agent: it shows when it is to be told."""
    return _backlog_damaged("damaged backlog", folder, ("telemetry",))


def _corrupt_ledger(folder: Path, times: Times) -> list[Figure]:
    """The same of the stock events that wait, with the alarms and the telemetry behind them."""
    return _backlog_damaged("damaged ledger", folder, ("outbox_event",))


def _corrupt_backlog_at_start(folder: Path, times: Times) -> list[Figure]:
    """Pages of both, damaged by the power cut that ended the agent: the file's own tables must tell what waits."""
    return _backlog_damaged("damaged backlog at start", folder, ("telemetry", "outbox_event"), at_start=True)


def _backlog_damaged(name: str, folder: Path, tables: Sequence[str], *, at_start: bool = False) -> list[Figure]:
    """One page of each table is garbled; what waited in all the others must arrive, in whichever epoch."""
    state = folder / "state"
    file = state / FILE_NAME
    _fill_backlog(state)
    waiting = Committed()
    waiting.look(state)
    on_pages = {table: rows_on(file, quarter_leaf(file, table)) for table in tables}
    with scene(folder / "scene", rig=_rig(folder, state)) as found:
        found.broker.stop(SIGTERM)
        if at_start:
            _cut_power(file)
            _garble_leaves(file, tables)
            agent = found.start_agent()
        else:
            agent = found.start_agent()
            _garble_leaves(file, tables)
        found.broker.start()
        found.witness.listen_anew()
        began_s = time.monotonic()
        noticed = comes_true(lambda: _set_aside(state) == 1, 45)
        noticed_s = time.monotonic() - began_s
        told = noticed and comes_true(lambda: any(h.body["epoch"] != waiting.epoch for h in found.live(0)), 15)
        is_alarmed = noticed and comes_true(lambda: found.heard_alarm("storage-corrupt", "unacknowledged"), 10)
        figures = [
            Figure(f"{name}: rows waiting for the broker", len(waiting.rows), "rows", ">= 10000"),
            Figure(f"{name}: set aside", yes(noticed), "", "yes"),
            Figure(f"{name}: set aside after", round(noticed_s, 1), "s"),
            Figure(f"{name}: the process went on", yes(agent.is_running), "", "yes"),
            Figure(f"{name}: told under a new epoch", yes(told), "", "yes"),
            Figure(f"{name}: alarm told", yes(is_alarmed), "", "yes"),
        ]
        if not noticed:
            found.lose_agent()
            return figures
        comes_true(lambda: sum(_missing(waiting, found).values()) <= sum(map(len, on_pages.values())), 90)
        if "telemetry" in on_pages:  # the node tells once a minute what nobody will get
            comes_true(lambda: _told_dropped(found), 75)
        figures += _salvage_figures(name, waiting, found, on_pages)
        verdict = _with_salvaged(found.finish(unknown=waiting.epoch), waiting, found)
        figures += _shop_figures(name, waiting, found.committed)
        return [*figures, *verdict_figures(name, verdict, at_least=10), *life_figures(name, found)]


def _shop_figures(name: str, before: Committed, after: Committed) -> list[Figure]:
    """Lots and sales stand in pages of their own, which nobody garbled."""
    lots, lots_now = (_lots(found) for found in (before, after))
    sold, sold_now = ({row[:4]: row[4:] for row in found.sold} for found in (before, after))
    return [
        Figure(f"{name}: lots before", len(lots), "lots", ">= 1"),
        Figure(
            f"{name}: of these gone, or others now", sum(lots_now.get(key) != lots[key] for key in lots), "lots", "0"
        ),
        Figure(f"{name}: days of sales before", len(sold), "days", ">= 1"),
        Figure(
            f"{name}: of these gone, or others now", sum(sold_now.get(key) != sold[key] for key in sold), "days", "0"
        ),
    ]


def _lots(found: Committed) -> dict[str, tuple[object, ...]]:
    lots = from_rows(found.memory).register.lots.values()
    return {lot.id: (lot.code, lot.amount, lot.left, lot.drawn, lot.wasted, lot.corrected, lot.place) for lot in lots}


def _salvage_figures(name: str, waiting: Committed, found: Scene, on_pages: Mapping[str, Set[int]]) -> Iterator[Figure]:
    """By stream: what stood in sound pages and how much of it arrived; what is lost may have stood in the garbled."""
    missing = _missing(waiting, found)
    for stream in ("event", "alarm", "telemetry"):
        table = stream if stream == "telemetry" else f"outbox_{stream}"
        rows = sum(identity.stream == stream for identity in waiting.rows)
        on_garbled = len(on_pages.get(table, ()))
        lost, sound = missing[stream], rows - on_garbled
        yield Figure(f"{name}: {stream} rows that waited in sound pages", sound, "rows", ">= 100")
        yield Figure(f"{name}: {stream} rows that waited in the garbled page", on_garbled, "rows")
        yield Figure(f"{name}: {stream} rows that arrived", rows - lost, "rows", f">= {sound}")
        yield Figure(f"{name}: {stream} rows lost", lost, "rows", f"<= {on_garbled}" if on_garbled else "0")


def _missing(waiting: Committed, found: Scene) -> Counter[str]:
    """Rows that waited and arrived in no epoch, by stream: told apart by what they say, and when."""
    heard = {(arrival.identity.stream, arrival.told.content) for arrival in found.witness.arrivals()}
    return Counter(key.stream for key, row in waiting.rows.items() if (key.stream, row.content) not in heard)


def _told_dropped(found: Scene) -> list[tuple[str, str, int, int]]:
    return [
        (heard.body["epoch"], heard.body["stream"], gap["first"], gap["last"])
        for heard in found.witness.heard("hist/")
        for gap in heard.body.get("dropped", ())
    ]


def _with_salvaged(verdict: Verdict, waiting: Committed, found: Scene) -> Verdict:
    """What waited is told from the damaged file and is not in the new one; what cannot be read is told as dropped."""
    waited = {(key.stream, row.content) for key, row in waiting.rows.items()}
    arrivals = {
        arrival.identity: (arrival.identity.stream, arrival.told.content) for arrival in found.witness.arrivals()
    }
    dropped = _told_dropped(found)
    gaps = [
        gap
        for gap in verdict.gaps
        if not any((gap.epoch, gap.stream) == (e, s) and first <= gap.seq <= last for e, s, first, last in dropped)
    ]
    strangers = [key for key in verdict.phantoms if arrivals[key] not in waited]
    # The old rows keep their order. So behind those that waited stand the ones which the agent committed to the file
    # between our look and the damage; before its own.
    behind = max(
        (key.seq for key in verdict.phantoms if key.stream == "telemetry" and arrivals[key] in waited), default=0
    )
    own = min((key.seq for key in found.committed.rows if _is_telemetry(key, found)), default=0)
    phantoms = [key for key in strangers if not (_is_telemetry(key, found) and behind < key.seq < own)]
    return replace(verdict, phantoms=phantoms, gaps=gaps)


def _is_telemetry(key: Identity, found: Scene) -> bool:
    return (key.epoch, key.stream) == (found.committed.epoch, "telemetry")


def _fill_backlog(state: Path) -> None:
    """More rows of an earlier boot than SQLite keeps in its memory: telemetry, stock events, alarms."""
    rows, wall_ms = 40_000, round(time.time() * 1000) - 86_400_000
    instants = [Instant(n * 1000, wall_ms + n * 1000, "earlier", ClockState.UNSYNCED) for n in range(rows)]
    channel = Channel("air-0", "temperature")
    samples = [Sample("air-0", at, (Reading(channel, 4.0 + at.mono_ms % 977 / 1000, at),)) for at in instants]
    with closing(Store.open(StorageSettings(directory=str(state)), NODE, instants[0])) as store:
        for first in range(0, rows, 1000):
            at = instants[first : first + 1000]
            messages = [message for each in at[::8] for message in _messages(each)]
            store.commit(samples[first : first + 1000], messages)
        store.commit(memory=to_rows(Memory(register=_stock(instants[0]))), sold=_sales(instants[0]))


def _stock(at: Instant) -> Register:
    """Deliveries that nobody has put on a shelf yet, partly thrown away."""
    lots = [
        Lot(
            *(f"l{n}", goods.PRODUCTS[0], at, Measure.UNITS, 10.0 + n, 8.0 + n),
            wasted=2.0, unit_g=goods.PIECE_G, code=f"L{n}", supplier="farm-a", stays=(Stay(goods.PLACES[n % 2], at),),
        )
        for n in range(WAITING_LOTS)
    ]  # fmt: skip
    return Register({lot.id: lot for lot in lots})


def _sales(at: Instant) -> list[Sold]:
    last = at.utc.date()
    days = [last - timedelta(days=ago) for ago in range(goods.HISTORY_D)]
    return [Sold(gtin, at, day, Unit.UNITS, qty=7.0, back=1.0) for gtin in goods.PRODUCTS for day in days]


def _messages(at: Instant) -> list[Message]:
    """A stock event, and now and then a change of an alarm."""
    note = "x" * 300  # so that all of them are more than SQLite's memory too
    event = json.dumps({"shelf": SHELVES[0], "kind": "count", "source": f"waited-{at.mono_ms}", "note": note})
    found = [Message(Stream.EVENT, f"event/{SHELVES[0]}", event.encode(), at)]
    if at.mono_ms % 200_000 == 0:
        state = "normal" if at.mono_ms % 400_000 else "unacknowledged"
        alarm = json.dumps({"alarm": "sensor-old", "state": state, "message": f"waited {at.mono_ms}"})
        found.append(Message(Stream.ALARM, "alarm/sensor-old", alarm.encode(), at, retain=True))
    return found


def _cut_power(file: Path) -> None:
    """The file says that the agent was not stopped."""
    with closing(sqlite3.connect(file)) as plain, plain:
        plain.execute("UPDATE state SET value = '1' WHERE key = 'running'")


def _garble_leaves(file: Path, tables: Sequence[str]) -> None:
    pages = [quarter_leaf(file, table) for table in tables]
    for number, page in enumerate(pages, 1):
        garble(file, number, keep=page.start, spare=file.stat().st_size - page.stop)


def rows_on(file: Path, page: range) -> set[int]:
    """The numbers of a leaf's rows."""
    raw = file.read_bytes()[page.start : page.stop]
    places = struct.unpack_from(f">{struct.unpack_from('>H', raw, 3)[0]}H", raw, 8)
    return {_varint(raw, _varint(raw, place)[1])[0] for place in places}


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """Its value, and where it ends."""
    number = 0
    while raw[at] & 0x80:
        number, at = number << 7 | raw[at] & 0x7F, at + 1
    return number << 7 | raw[at], at + 1


def quarter_leaf(file: Path, table: str) -> range:
    """The bytes of a page at a quarter of a table (SQLite's file format, section 1.6: B-tree pages)."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as plain:
        (page_bytes,) = plain.execute("PRAGMA page_size").fetchone()
        (number,) = plain.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    raw = file.read_bytes()
    while raw[start := (number - 1) * page_bytes] == INTERIOR_TABLE_PAGE:
        (cells,) = struct.unpack_from(">H", raw, start + 3)
        (cell,) = struct.unpack_from(">H", raw, start + 12 + 2 * (cells // 4))
        (number,) = struct.unpack_from(">I", raw, start + cell)
    return range(start, start + page_bytes)


def _scales(found: Scene) -> tuple[float, float]:
    """Tare and zero of the shelf, as the running agent answers."""
    detail = found.staff.ask("count", {"shelf": SHELVES[0], "units": 7}, 30)
    return detail["tare_g"], detail["zero_g"]


def _set_aside(state: Path) -> int:
    return len([file for file in state.glob(f"{FILE_NAME}.corrupt-*") if not file.name.endswith(("-wal", "-shm"))])


# --- refusing writes ------------------------------------------------------------------------------------------------


def _standing(found: Scene) -> set[str]:
    """The alarms that the reference consumer knows of, by their own messages or by health."""
    return {alarm["alarm"] for _, alarm in found.witness.consumer.alarms()}


def _read_only(folder: Path, times: Times) -> list[Figure]:
    """The kernel made the card read-only; it is mended, and the agent started again."""
    name = "card read-only"
    with card(folder / "card") as disk, _running(folder, disk.folder / "state", times) as found:
        found.catch_up(20)
        rows = len(found.committed.rows)
        mark, failed_s = found.witness.mark(), time.monotonic()
        disk.fail()
        alarmed = comes_true(lambda: "storage" in _standing(found), 20)
        alarmed_after_s = round(time.monotonic() - failed_s, 1)
        said = comes_true(lambda: found.heard_fault("takes no data"), 20)
        time.sleep(times.fault_s)
        health = found.witness.heard("health", mark)[-1:]
        good = [point for heard in health for point in heard.body["points"].values() if not point["fault"]]
        is_running = found.agent is not None and found.agent.is_running
        own_words = len(found.witness.heard("alarm/storage", mark))
        found.lose_agent()
        disk.pull()
        disk.mend()
        found.start_agent()
        found.catch_up(20)
        verdict = found.finish()
        return [
            Figure(f"{name}: rows before", rows, "rows", ">= 10"),
            Figure(f"{name}: the consumer knows of the alarm", yes(alarmed), "", "yes"),
            Figure(f"{name}: the consumer knows of the alarm after", alarmed_after_s, "s", "<= 5"),
            Figure(f"{name}: messages of the alarm itself", own_words, "messages", "0"),
            Figure(f"{name}: named among the health's faults", yes(said), "", "yes"),
            Figure(f"{name}: sensors measuring well meanwhile", len(good), "sensors", f">= {AIR_SENSORS}"),
            Figure(f"{name}: the agent went on", yes(is_running), "", "yes"),
            *verdict_figures(name, verdict, at_least=rows),
            *life_figures(name, found),
            *_goods_figures(name, found),
        ]


def _read_only_for_good(folder: Path, times: Times) -> list[Figure]:
    """The kernel made the card read-only, and nobody comes: what is measured goes on being told, from RAM."""
    name = "card read-only for good"
    with card(folder / "card") as disk, _running(folder, disk.folder / "state", times) as found:
        found.catch_up(20)
        agent, epoch, scales = found.agent, found.committed.epoch, _scales(found)
        mark, failed_s = found.witness.mark(), time.monotonic()
        disk.fail()
        told = comes_true(lambda: any(h.body["epoch"] != epoch for h in found.live(mark)), REFUGE_AFTER_S + 30)
        told_s = time.monotonic() - failed_s
        is_alarmed = comes_true(lambda: found.heard_alarm("storage", "unacknowledged"), 10)
        scales_after = _scales(found)
        time.sleep(times.fault_s)
        is_running = agent is not None and agent.is_running
        comes_true(lambda: bool(found.backlog(mark)), 10)
        silence_s = round(longest_silence_s(found), 2)
        found.lose_agent()
        left = refuges_of(found.rig.state_folder)
        for directory in left:
            shutil.rmtree(directory)
        return [
            Figure(f"{name}: telling what it measures again after", round(told_s), "s", f"<= {REFUGE_AFTER_S + 15}"),
            Figure(f"{name}: telling what it measures", yes(told), "", "yes"),
            Figure(f"{name}: alarm told by its own message", yes(is_alarmed), "", "yes"),
            Figure(f"{name}: tare and zero survive", yes(scales_after == scales and TARE_G in scales), "", "yes"),
            Figure(f"{name}: the process went on", yes(is_running), "", "yes"),
            Figure(f"{name}: places in RAM", len(left), "places", "1"),
            Figure(f"{name}: longest silence of a sensor", silence_s, "s", "<= 5"),
            Figure(f"{name}: unhandled errors in the log", found.tracebacks, "tracebacks", "0"),
        ]


def _remounted(folder: Path, times: Times) -> list[Figure]:
    """The kernel made the card read-only; somebody mounts it anew under the running agent."""
    name = "card mounted anew"
    with card(folder / "card") as disk, _running(folder, disk.folder / "state", times) as found:
        found.catch_up(20)
        disk.fail()
        said = comes_true(lambda: found.heard_fault("takes no data"), 20)
        time.sleep(times.fault_s)
        disk.pull(lazily=True)
        is_free = comes_true(disk.is_free, 20)
        if is_free:
            disk.mend()
        again_s = time.monotonic()
        recovered = is_free and comes_true(lambda: found.live_after(again_s + 1), 30)
        is_running = found.agent is not None and found.agent.is_running
        if not recovered:
            found.lose_agent()
            return [Figure(f"{name}: let go of ({yes(is_free)}), and telling again without a restart", "no", "", "yes")]
        recovered_s = time.monotonic() - again_s
        found.catch_up(20)
        verdict = found.finish()
        return [
            Figure(f"{name}: named among the health's faults", yes(said), "", "yes"),
            Figure(f"{name}: the agent went on", yes(is_running), "", "yes"),
            Figure(f"{name}: telling again without a restart", yes(recovered), "", "yes"),
            Figure(f"{name}: telling again after", round(recovered_s, 1), "s", "<= 15"),
            Figure(f"{name}: longest silence of a sensor", round(longest_silence_s(found), 2), "s", "<= 5"),
            *verdict_figures(name, verdict, at_least=50),
            *life_figures(name, found),
            *_goods_figures(name, found),
        ]


def _start_read_only(folder: Path, times: Times) -> list[Figure]:
    """As after a reboot with a card at its end; then the card takes writes again."""
    name = "start on a read-only card"
    with card(folder / "card") as disk, _running(folder, disk.folder / "state", times) as found:
        found.catch_up(20)
        scales, epoch = _scales(found), found.committed.epoch
        found.stop_agent()
        disk.set_read_only()
        mark, asked_s = found.witness.mark(), time.monotonic()
        agent = found.start_agent()
        ready_s = time.monotonic() - asked_s
        told = comes_true(lambda: any(heard.body["epoch"] != epoch for heard in found.live(mark)), 20)
        is_alarmed = comes_true(lambda: found.heard_alarm("storage", "unacknowledged"), 10)
        in_ram = {heard.body["epoch"] for heard in found.live(mark)} - {epoch}
        scales_after = _scales(found)
        found.staff.ask("tare", {"shelf": SHELVES[0], "tare_g": TARE_G + 1}, 30)
        time.sleep(times.fault_s)
        disk.set_read_only(False)
        again_s = time.monotonic()
        back = comes_true(lambda: any(h.body["epoch"] == epoch for h in found.live(mark)), LOOK_FOR_THE_CARD_S + 30)
        back_s = time.monotonic() - again_s
        tare_g, _ = _scales(found)
        is_running = agent.is_running
        is_normal = times.normal_s and comes_true(lambda: found.heard_alarm("storage", "normal"), times.normal_s)
        found.catch_up(20)
        verdict = found.finish(unknown=next(iter(in_ram), ""))
        return [
            Figure(f"{name}: ready after", round(ready_s, 2), "s"),
            Figure(f"{name}: measuring and telling", yes(told), "", "yes"),
            Figure(f"{name}: epochs of what was kept in RAM", len(in_ram), "epochs", "1"),
            Figure(f"{name}: alarm told", yes(is_alarmed), "", "yes"),
            Figure(f"{name}: tare and zero survive", yes(scales_after == scales and TARE_G in scales), "", "yes"),
            Figure(f"{name}: keeping data on the card again", yes(back), "", "yes"),
            Figure(
                f"{name}: keeping data on the card again after", round(back_s), "s", f"<= {LOOK_FOR_THE_CARD_S + 5}"
            ),
            Figure(f"{name}: the process went on", yes(is_running), "", "yes"),
            *_heard_lots_figures(name, found),
            Figure(f"{name}: the tare made meanwhile is on the card", yes(tare_g == TARE_G + 1), "", "yes"),
            Figure(f"{name}: places in RAM left behind", len(refuges_of(found.rig.state_folder)), "places", "0"),
            *([Figure(f"{name}: alarm back to normal", yes(is_normal), "", "yes")] if times.normal_s else []),
            *verdict_figures(name, verdict, at_least=50),
            *life_figures(name, found),
        ]


def _refusing(folder: Path, times: Times) -> list[Figure]:
    """The files refuse writes for a while, and take them again."""
    name = "writes refused for a while"
    with card(folder / "card") as disk, _running(folder, disk.folder / "state", times) as found:
        state = found.rig.state_folder
        with refusing_writes(state):
            said = comes_true(lambda: found.heard_fault("takes no data"), 20)
            time.sleep(times.fault_s)
            is_running = found.agent is not None and found.agent.is_running
        again_s = time.monotonic()
        recovered = comes_true(lambda: found.live_after(again_s + 1), 20)
        found.catch_up(20)
        verdict = found.finish()
        return [
            Figure(f"{name}: named among the health's faults", yes(said), "", "yes"),
            Figure(f"{name}: the agent went on", yes(is_running), "", "yes"),
            Figure(f"{name}: telling again without a restart", yes(recovered), "", "yes"),
            *_measured_on(name, found),
            *verdict_figures(name, verdict, at_least=50),
            *life_figures(name, found),
            *_goods_figures(name, found),
        ]


ACTS = {
    "full": _full,
    "brim": _brim,
    "corrupt-at-start": _corrupt_at_start,
    "corrupt-at-run": _corrupt_at_run,
    "corrupt-backlog": _corrupt_backlog,
    "corrupt-ledger": _corrupt_ledger,
    "corrupt-backlog-at-start": _corrupt_backlog_at_start,
    "read-only": _read_only,
    "read-only-for-good": _read_only_for_good,
    "remounted": _remounted,
    "start-read-only": _start_read_only,
    "refusing": _refusing,
}
NEED_ROOT = ("full", "brim", "read-only", "read-only-for-good", "remounted", "start-read-only", "refusing")
