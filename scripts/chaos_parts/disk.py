"""A disk that fills up, a file that is damaged, a card that refuses writes: under the running agent."""

import sqlite3
import struct
import tempfile
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from signal import SIGTERM

from chaos_parts.children import comes_true, wait_for
from chaos_parts.figures import Figure, skipped, yes
from chaos_parts.filesystems import Ballast, card, free_bytes, is_root, refusing_writes, tmpfs
from chaos_parts.rig import AIR_SENSORS, NODE, SHELVES, Rig
from chaos_parts.scene import Act, Say, Scene, life_figures, perform, scene, verdict_figures
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.storage.inbox import FILE_NAME
from edge_agent.storage.reserve import RESERVE_BYTES
from edge_agent.storage.settings import StorageSettings
from edge_agent.storage.store import Store

INTERVAL_S = 0.25
TARE_G = 123.4
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
    rig = Rig(folder, 0, interval_s=INTERVAL_S, state=state)
    with scene(folder / "scene", rig=rig) as found:
        found.start_agent()
        found.staff.connect()
        found.staff.ask("zero", {"shelf": SHELVES[0]}, 30)
        found.staff.ask("tare", {"shelf": SHELVES[0], "tare_g": TARE_G}, 30)
        time.sleep(times.before_s)
        yield found


# --- full -----------------------------------------------------------------------------------------------------------


def _full(folder: Path, times: Times, *, greedy: bool = False) -> list[Figure]:
    name = "full to the brim" if greedy else "disk full"
    some = () if greedy else (">= 1",)
    with tmpfs(folder / "disk", 24) as disk, _running(folder, disk / "state", times) as found:
        ballast = Ballast(disk, greedy=greedy)
        found.staff.start()
        rows = found.committed.look_at_running(found.rig.state_folder)
        ballast.take()
        left = free_bytes(disk)
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
        kept = {body["source"] for body in found.committed.of_stream("event")}
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
            epoch = found.committed.epoch
            garble(place / "state" / FILE_NAME, number, keep=keep)
            mark = found.witness.mark()
            found.start_agent()
            told = comes_true(lambda: found.live(mark), 20)  # noqa: B023 (asked within this turn)
            is_alarmed = comes_true(lambda: found.heard_alarm("storage-corrupt", "unacknowledged"), 10)
            scales_after = _scales(found)
            verdict = found.finish()
            figures += [
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
    name = "damaged backlog"
    state = folder / "state"
    waiting = _fill_backlog(state)
    with scene(folder / "scene", rig=Rig(folder, 0, interval_s=INTERVAL_S, state=state)) as found:
        found.broker.stop(SIGTERM)
        agent = found.start_agent()
        page = quarter_leaf(state / FILE_NAME, "telemetry")
        garble(state / FILE_NAME, 1, keep=page.start, spare=(state / FILE_NAME).stat().st_size - page.stop)
        found.broker.start()
        found.witness.listen_anew()
        wait_for(lambda: found.backlog(0), 60, "the first message of backlog")
        epoch = found.backlog(0)[0].body["epoch"]
        began_s = time.monotonic()
        noticed = comes_true(lambda: _set_aside(state) == 1, 45)
        noticed_s = time.monotonic() - began_s
        told = noticed and comes_true(lambda: any(heard.body["epoch"] != epoch for heard in found.live(0)), 15)
        is_alarmed = noticed and comes_true(lambda: found.heard_alarm("storage-corrupt", "unacknowledged"), 10)
        figures = [
            Figure(f"{name}: rows waiting for the broker", waiting, "rows", ">= 10000"),
            Figure(f"{name}: set aside", yes(noticed), "", "yes"),
            Figure(f"{name}: set aside after", round(noticed_s, 1), "s"),
            Figure(f"{name}: the process went on", yes(agent.is_running), "", "yes"),
            Figure(f"{name}: told under a new epoch", yes(told), "", "yes"),
            Figure(f"{name}: alarm told", yes(is_alarmed), "", "yes"),
        ]
        if not noticed:
            found.lose_agent()
            return figures
        verdict = found.finish(unknown=epoch)
        with_it = waiting - sum(identity.epoch == epoch for identity in found.witness.identities())
        figures.append(Figure(f"{name}: rows lost with the file", with_it, "rows"))
        return [*figures, *verdict_figures(name, verdict, at_least=10), *life_figures(name, found)]


def _fill_backlog(state: Path) -> int:
    """More rows of an earlier boot than SQLite keeps in its memory."""
    rows, wall_ms = 40_000, round(time.time() * 1000) - 86_400_000
    instants = [Instant(n * 1000, wall_ms + n * 1000, "earlier", ClockState.UNSYNCED) for n in range(rows)]
    channel = Channel("air-0", "temperature")
    samples = [Sample("air-0", at, (Reading(channel, 4.0 + at.mono_ms % 977 / 1000, at),)) for at in instants]
    with closing(Store.open(StorageSettings(directory=str(state)), NODE, instants[0])) as store:
        for first in range(0, rows, 1000):
            store.commit(samples[first : first + 1000])
    return rows


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


def _read_only(folder: Path, times: Times) -> list[Figure]:
    """The kernel made the card read-only. No file system comes back from that without a restart."""
    name = "card read-only"
    with card(folder / "card") as disk, _running(folder, disk.folder / "state", times) as found:
        found.catch_up(20)
        rows = len(found.committed.rows)
        disk.fail()
        mark = found.witness.mark()
        said = comes_true(lambda: found.heard_fault("takes no data"), 20)
        time.sleep(times.fault_s)
        health = found.witness.heard("health", mark)[-1:]
        good = [point for heard in health for point in heard.body["points"].values() if not point["fault"]]
        is_running = found.agent is not None and found.agent.is_running
        found.lose_agent()
        disk.pull()
        disk.mend()
        found.start_agent()
        found.catch_up(20)
        verdict = found.finish()
        return [
            Figure(f"{name}: rows before", rows, "rows", ">= 10"),
            Figure(f"{name}: named among the health's faults", yes(said), "", "yes"),
            Figure(f"{name}: sensors measuring well meanwhile", len(good), "sensors", f">= {AIR_SENSORS}"),
            Figure(f"{name}: the agent went on", yes(is_running), "", "yes"),
            *verdict_figures(name, verdict, at_least=rows),
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
        ]


ACTS = {
    "full": _full,
    "brim": _brim,
    "corrupt-at-start": _corrupt_at_start,
    "corrupt-at-run": _corrupt_at_run,
    "corrupt-backlog": _corrupt_backlog,
    "read-only": _read_only,
    "refusing": _refusing,
}
NEED_ROOT = ("full", "brim", "read-only", "refusing")
