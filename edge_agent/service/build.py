"""The wiring: a configuration and a board become the parts of a running agent. Starts no thread."""

import json
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from edge_agent import __version__
from edge_agent.alerts.settings import FoodSettings, PlaceSettings, food_limit
from edge_agent.config import Settings
from edge_agent.decide import Calibrated, Memory, Plan, SensorPlan, set_limits
from edge_agent.decide.alarms import record_lines
from edge_agent.decide.authority import described
from edge_agent.decide.memory import changed_rows, forgotten_rows, from_rows
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Message, Stream
from edge_agent.domain.quantity import QUANTITIES
from edge_agent.drivers.seam import Board
from edge_agent.drivers.table import driver
from edge_agent.mqtt import messages, publisher
from edge_agent.mqtt.messages import (
    Identity,
    ModelDescription,
    NodeDescription,
    PlaceDescription,
    PointDescription,
    ShelfDescription,
)
from edge_agent.mqtt.publisher import Publisher
from edge_agent.mqtt.signed import Verify, no_key, verifier
from edge_agent.mqtt.wire import Incoming
from edge_agent.service import record
from edge_agent.service.agent import Agent
from edge_agent.service.clockwatch import ClockWatch
from edge_agent.service.introduce import introduction
from edge_agent.service.keeper import Keeper, no_refuge
from edge_agent.service.late_models import LateModels, late_models
from edge_agent.service.leftovers import NOT_CONFIGURED, orphaned_alarms, orphaned_stock
from edge_agent.service.local_days import day_of, zone_of
from edge_agent.service.lock import StateLock
from edge_agent.service.nonces import UsedNonces
from edge_agent.service.panel import Panel, open_panel
from edge_agent.service.polling import Polled
from edge_agent.service.refuge import Refuge, open_files, while_it_runs
from edge_agent.service.scales import History, histories, keep, mirror
from edge_agent.storage.errors import StorageError
from edge_agent.storage.settings_file import SettingsFile
from edge_agent.storage.store import Store

log = logging.getLogger(__name__)

CORRUPT = "*.corrupt-*"  # what a damaged file is called once it is set aside


class Connection(publisher.Connection, Protocol):
    """The publisher's link and its life: an MQTT connection, or a recorder in place of one."""

    @property
    def command_path(self) -> str:
        """Whether commands arrive: "ok" or "unproved"."""

    @property
    def last_error(self) -> str | None:
        """Why there is no connection; None while there is one."""

    @property
    def ping_refusal(self) -> str | None:
        """Why it cannot be proved that commands arrive."""

    @property
    def is_running(self) -> bool:
        """False when the network thread has died."""

    @property
    def is_moving(self) -> bool:
        """False when the network thread hangs: not for a broker that is away."""

    @property
    def unheard(self) -> int:
        """Commands that came faster than anybody could even refuse them."""

    def start(self, wake: Callable[[], None]) -> None: ...

    def received(self) -> list[Incoming]:
        """What came in since the last call."""

    def stop(self, timeout_s: float) -> None: ...


@dataclass(slots=True)
class Parts:
    """Everything a runner needs; each part stands alone and is closed by ``close``."""

    settings: Settings
    board: Board
    watch: ClockWatch
    store: Store
    settings_file: SettingsFile
    keeper: Keeper
    agent: Agent
    polled: Sequence[Polled]
    panel: Panel
    identity: Identity
    connection: Connection
    publisher: Publisher
    models: LateModels
    corrupt_files: tuple[str, ...] = ()
    refuge: Refuge | None = None  # where the files are while the card takes no writes
    reload_failure: str | None = None  # why a newer configuration is not at work
    verify: Verify = no_key  # of signed commands
    calibrations: dict[str, History] = field(default_factory=dict)  # by shelf, with those done since the start
    closing: list[Callable[[], None]] = field(default_factory=list)

    def close(self) -> None:
        """Outputs dark, buses and files released; in the reverse order of opening."""
        while self.closing:
            self.closing.pop()()
        if self.refuge is not None and not self.agent.reload_asked:
            self.refuge.leave()


def open_board(settings: Settings) -> Board:
    """The board that ``board.kind`` names, with a chip for each configured sensor where it is a simulated one.

    Raises BoardError.
    """
    (entry,) = entry_points(group="edge_agent.boards", name=settings.board.kind)
    board: Board = entry.load().open_board(settings.board.settings, settings.sensors)
    return board


MakeConnection = Callable[[Identity, ClockWatch], Connection]


def build(
    settings: Settings,
    board: Board,
    make_connection: MakeConnection,
    check_reload: Callable[[], Sequence[str]] = lambda: ("this run has no configuration file to read again",),
    lock: StateLock | None = None,
) -> Parts:
    """Open the files, make the sensors and tie everything together. Raises StorageError, SensorError, OSError.

    ``lock``: on ``storage.directory``, held by whoever outlives a reload; it moves to the refuge with the files.
    """
    parts_closing: list[Callable[[], None]] = [board.close]
    try:
        return _build(settings, board, make_connection, check_reload, lock, parts_closing)
    except BaseException:
        for close in reversed(parts_closing):
            close()
        raise


def _build(
    settings: Settings,
    board: Board,
    make_connection: MakeConnection,
    check_reload: Callable[[], Sequence[str]],
    lock: StateLock | None,
    closing: list[Callable[[], None]],
) -> Parts:
    watch = ClockWatch(board.clock)
    now = watch.now()
    files = open_files(settings, now)
    settings_file, store = files.settings_file, files.store
    closing += [partial(_close, settings_file), partial(_close, store)]
    if lock is not None and files.refuge is not None:
        lock.hold(files.refuge.directory)  # a hand kept on the card would keep it from being mounted anew
    settings = replace(settings, shelves=files.shelves)
    record.follow(store, settings_file)
    memory = remembered(store, settings_file, *_names(settings))
    identity = Identity(settings.node.site, settings.node.name, store.epoch)
    connection = make_connection(identity, watch)
    batch_s = settings.storage.batch_s
    publisher = Publisher(store, connection, identity, settings.mqtt, live_windows(settings, batch_s))
    panel = open_panel(settings.panel, settings.node.name, board, watch.now)
    closing.append(panel.close)
    take_refuge = while_it_runs(settings, store) if files.refuge is None else no_refuge
    keeper = Keeper(store, batch_s, partial(_reconnect, settings_file, lock), take_refuge)
    closing.append(partial(_close, keeper))
    known = histories(settings.shelves, settings_file)

    def keep_calibration(asked: Calibrated, at: Instant) -> None:
        keep(settings_file, asked, at)
        known.update(histories(settings.shelves, settings_file))

    plan = plan_of(settings, is_recording=board.moments() is not None)
    for place, why in set_limits.contradictions(plan, memory).items():
        log.error("place %s: what was set of it does not count any more: %s; the configuration holds", place, why)
    models = late_models(settings, memory.alarms)
    models.look(now)
    agent = Agent(
        plan,
        memory,
        store,
        keeper,
        panel,
        check_reload,
        mirror(settings_file),
        publisher.reopen,
        keep_calibration,
        UsedNonces(settings_file),
        models.change,
        partial(day_of, zone=zone_of(settings.shop)),
        _out(store) if settings.products else {},
    )
    polled = open_sensors(settings, board)
    closing.extend(found.sensor.close for found in polled)
    return Parts(
        settings, board, watch, store, settings_file, keeper, agent, polled, panel, identity, connection, publisher,
        models, corrupt_files(Path(settings.storage.directory)), files.refuge, verify=verifier(settings.commands),
        calibrations=known, closing=closing,
    )  # fmt: skip


def _out(store: Store) -> dict[str, bool]:
    """By product: whether its shelves were empty when it was last told."""
    from edge_agent.storage.shop import last_empties  # here: an agent without products does without

    with store.shop() as tx:
        return last_empties(tx)


def _reconnect(settings_file: SettingsFile, lock: StateLock | None) -> None:
    if lock is not None:
        lock.follow()
    settings_file.reconnect()


def _close(files: Store | SettingsFile | Keeper) -> None:
    """A card that takes nothing, not even the last marks, makes a stop no less clean."""
    try:
        files.close()
    except StorageError as error:
        log.warning("storage: %s", error)


def corrupt_files(directory: Path) -> tuple[str, ...]:
    """Names of the damaged files that were set aside here."""
    return tuple(sorted(found.name for found in directory.glob(CORRUPT) if not found.name.endswith(("-wal", "-shm"))))


def remembered(
    store: Store, settings_file: SettingsFile, shelves: Collection[str], places: Collection[str]
) -> Memory:  # fmt: skip
    """The memory of the last cycle that was committed, of these shelves and places; tare and zero from the mirror
    where the file is new.

    A row that cannot be read is left out, loudly: a shelf without its tare is better than no agent.
    """
    found = dict(settings_file.mirrored()) | store.memory()
    gone = forgotten_rows(found, shelves, places)
    rows: dict[str, bytes] = {}
    for key, value in found.items():
        if key in gone:
            continue
        try:
            from_rows({key: value})
        except ValueError as error:
            log.error("memory: %s; going on without it", error)
        else:
            rows[key] = value
    return from_rows(rows)


def _names(settings: Settings) -> tuple[set[str], set[str]]:
    """Of the shelves and of the places."""
    return {shelf.name for shelf in settings.shelves}, {place.name for place in settings.places}


def plan_of(settings: Settings, *, is_recording: bool) -> Plan:
    return Plan(
        sensors={
            sensor.name: SensorPlan(
                interval_s=None if is_recording else sensor.interval_s,
                report_s=0.0 if is_recording else sensor.report_s,
                place=sensor.place,
                driver=sensor.driver,
                correction_c=sensor.correction_c,
                calibrated_on=sensor.calibrated_on,
                certificate=sensor.certificate,
            )
            for sensor in settings.sensors
        },
        shelves=settings.shelves,
        products={product.gtin: product for product in settings.products},
        places=settings.places,
        food=settings.food,
        alarms=settings.alarms,
        commands=settings.commands,
    )


def open_sensors(settings: Settings, board: Board) -> list[Polled]:
    is_recording = board.moments() is not None
    return [
        Polled(
            sensor.name,
            driver(sensor.driver).open_sensor(sensor.place, sensor.settings, board),
            None if is_recording else sensor.interval_s,
        )
        for sensor in settings.sensors
    ]


def live_windows(settings: Settings, batch_s: float) -> dict[str, float]:
    """How long each point's telemetry is the present, s; a shelf speaks as often as the first of its cells."""
    windows = {s.name: float(messages.live_s(s.report_s, batch_s)) for s in settings.sensors}
    return windows | {shelf.name: windows[shelf.cells[0].sensor] for shelf in settings.shelves}


def node_description(
    settings: Settings, limits: Mapping[str, Collection[str]], models: Sequence[ModelDescription] = ()
) -> NodeDescription:
    """What the node is, from the configuration with the limits in force; ``limits``: which keys were set, by place."""
    batch_s = settings.storage.batch_s
    windows = live_windows(settings, batch_s)
    shelves_of = {cell.sensor: shelf for shelf in settings.shelves for cell in shelf.cells}
    points = []
    for sensor in settings.sensors:
        units = _units(driver(sensor.driver).QUANTITIES)
        points.append(PointDescription(sensor.name, sensor.driver, sensor.report_s, windows[sensor.name], units))
    for shelf in settings.shelves:
        every_s = min(s.report_s for s in settings.sensors if shelves_of.get(s.name) is shelf)
        points.append(PointDescription(shelf.name, "scale", every_s, windows[shelf.name], _units(("gross", "net"))))
    return NodeDescription(
        version=__version__,
        points=points,
        shelves=[ShelfDescription(s.name, s.product, s.capacity_g) for s in settings.shelves],
        places=[_described(place, settings.food, limits.get(place.name, ())) for place in settings.places],
        models=models,
        keeps_lots=any(product.keeps_like is not None for product in settings.products),
        **described(settings.commands),
    )


def _described(place: PlaceSettings, food: FoodSettings, were_set: Collection[str]) -> PlaceDescription:
    law = food_limit(place, food)
    return PlaceDescription(
        place.name,
        place.kind.value,
        (*place.sensors, *place.core),
        place.low_c,
        place.high_c,
        place.critical_low_c,
        place.critical_high_c,
        food_limit_c=None if law is None else law.limit_c,
        basis="" if law is None else law.source,
        were_set=sorted(were_set),
    )


def _units(quantities: Iterable[str]) -> dict[str, str]:
    return {QUANTITIES[name].field: QUANTITIES[name].unit for name in quantities}


def without_boot(message: Message) -> dict[str, object]:
    """A description changes with the configuration and the programme, not with every start."""
    body: dict[str, object] = json.loads(message.body)
    return {key: value for key, value in body.items() if key != "boot"}


def tell_meta(parts: Parts, now: Instant) -> None:
    """Queue the description when it differs from the one told last."""
    in_force = replace(parts.settings, places=tuple(parts.agent.plan.places))
    models = [ModelDescription(*found, *parts.models.standing(found[0])) for found in parts.models.versions()]
    description = node_description(in_force, parts.agent.memory.limits, models)
    prefix = parts.settings.mqtt.discovery_prefix
    parts.publisher.announce(introduction(prefix, parts.identity, description, parts.settings_file))
    message = messages.meta(now, description)
    told = [row.content for row in parts.store.latest_retained() if row.stream is Stream.META]
    if any(isinstance(last, Message) and without_boot(last) == without_boot(message) for last in told):
        return
    parts.keeper.add(now, messages=[message], urgent=True)


def tell_leftovers(parts: Parts, now: Instant) -> None:
    """End what belongs to a sensor or a shelf that is configured no more, or it stands at the broker for ever."""
    agent, settings = parts.agent, parts.settings
    sensors, shelves = ({named.name for named in found} for found in (settings.sensors, settings.shelves))
    places = {place.name for place in settings.places}
    transitions = orphaned_alarms(agent.memory.alarms, sensors, shelves, now, places)
    stocks = orphaned_stock(_told_shelves(parts.store), shelves, now)
    forgotten = forgotten_rows(parts.store.memory(), shelves, places)
    if not (transitions or stocks or forgotten):
        return
    for transition in transitions:
        log.warning("alarm %s: normal, %s", transition.alarm.name, transition.alarm.evidence)
    for stock in stocks:
        log.warning("shelf %s is not configured any more: its stock is told as unknown", stock.shelf)
    for shelf in sorted({key.partition("/")[2] for key in forgotten}):
        log.warning("shelf %s is not configured any more: its balance and pieces are forgotten", shelf)
    ended = {transition.alarm.name: transition.alarm for transition in transitions}
    before, agent.memory = agent.memory, replace(agent.memory, alarms={**agent.memory.alarms, **ended})
    told = [message for found in transitions for message in (messages.alarm(found.alarm), messages.alarmlog(found))]
    told += map(messages.record, record_lines(transitions))
    rows = changed_rows(before, agent.memory) | forgotten
    parts.keeper.add(now, messages=[*told, *map(messages.stock, stocks)], rows=rows, urgent=True)


def _told_shelves(store: Store) -> list[str]:
    """Topics of the stock that is told again after each connection, but for last words."""
    return [
        row.content.topic
        for row in store.latest_retained()
        if row.stream is Stream.STOCK
        and isinstance(row.content, Message)
        and json.loads(row.content.body).get("fault") != NOT_CONFIGURED
    ]
