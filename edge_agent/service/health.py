"""How the node fares: the health message, and the facts about the agent itself that can become alarms."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_agent.alerts.condition import Condition
from edge_agent.alerts.sensor_fault import SensorHealth
from edge_agent.decide import lives
from edge_agent.domain.alarm import Alarm, AlarmState, Priority
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.message import Message, Stream
from edge_agent.mqtt import messages
from edge_agent.mqtt.messages import Health, PointHealth, StreamHealth
from edge_agent.service import vitals
from edge_agent.service.build import Parts
from edge_agent.service.machine import power
from edge_agent.storage.errors import StorageError, StorageFull


def health_message(parts: Parts, now: Instant, started: Instant, expiry_s: int) -> Message:
    """Everything a central system needs to know how far to trust this node."""
    directory = Path(parts.settings.storage.directory)
    standing = [alarm for alarm in parts.agent.memory.alarms.values() if alarm.state is not AlarmState.NORMAL]
    try:
        stats = parts.store.stats()
        outbox = {
            stream.value: StreamHealth(
                waiting=found.pending,
                oldest_s=_oldest_s(parts, stream, found.pending, now),
                refused=sum(found.refused.values()),
                dropped=found.dropped,
            )
            for stream, found in stats.streams.items()
        }
        database_mb = stats.file_bytes / 1e6
    except StorageError:
        outbox, database_mb = {}, None
    is_under_voltage, is_throttled = power(parts, now)
    state = Health(
        uptime_s=started.age_s(now),
        clock=now.clock.value,
        outbox=outbox,
        points={name: _point(found, now) for name, found in parts.agent.memory.sensors.items()},
        disk_free_mb=vitals.free_mb(directory),
        database_mb=database_mb,
        rss_mb=vitals.rss_mb(),
        cpu_c=vitals.cpu_c(),
        is_throttled=is_throttled,
        is_under_voltage=is_under_voltage,
        command_path=parts.connection.command_path,
        faults=[
            *map(_sentence, standing),
            *filter(None, (parts.connection.last_error, parts.connection.ping_refusal, _lost_commands(parts))),
        ],
        alarms=standing,
        next_lots=lives.next_lots(parts.agent.memory, parts.agent.plan, now, 3 * messages.LIVES_S),
    )
    return messages.health(now, state, expiry_s=expiry_s)


@dataclass(frozen=True, slots=True)
class LastHealth:
    """The memory row "health": what was told last, and when, for whoever reads the file from another process."""

    at: Instant
    is_running: bool  # False: it was stopped cleanly then
    valid_s: float  # a running agent has told again by then
    told: Mapping[str, Any]  # the body of the health message

    def is_alive(self, now: Instant) -> bool:
        """False too when the machine has started anew since."""
        return self.is_running and -1 <= self.at.age_s(now) <= self.valid_s


def health_row(message: Message, now: Instant, batch_s: float, *, is_running: bool = True) -> bytes:
    valid_s = (message.expiry_s or 0) + batch_s
    head = json.dumps({"at": asdict(now), "is_running": is_running, "valid_s": valid_s}, separators=(",", ":"))
    return head[:-1].encode() + b',"told":' + message.body + b"}"


def last_health(row: bytes) -> LastHealth:
    """Raises ValueError, KeyError or TypeError for a row that ``health_row`` never wrote."""
    found = json.loads(row)
    at = Instant(**(found["at"] | {"clock": ClockState(found["at"]["clock"])}))
    return LastHealth(at, found["is_running"], found["valid_s"], found["told"])


def _sentence(alarm: Alarm) -> str:
    """With what was seen."""
    return f"{alarm.message}: {alarm.evidence}" if alarm.evidence else alarm.message


def _lost_commands(parts: Parts) -> str | None:
    busy, silent = parts.agent.turned_away, parts.agent.unanswered + parts.connection.unheard
    if not (busy or silent):
        return None
    return f"More commands came at once than are taken: {busy} were answered busy, {silent} not at all, since the start"


def _oldest_s(parts: Parts, stream: Stream, pending: int, now: Instant) -> float | None:
    if not pending:
        return None
    oldest = parts.store.backlog(stream).oldest
    if oldest is None or oldest.boot != now.boot:
        return None
    return oldest.age_s(now)


def _point(found: SensorHealth, now: Instant) -> PointHealth:
    tried = found.good + found.bad
    last_good_s = found.last_good.at.age_s(now) if found.last_good is not None else None
    return PointHealth(found.good / tried if tried else None, last_good_s, found.fault)


def conditions(parts: Parts) -> Iterator[Condition]:
    """Facts about the agent itself, in every cycle."""
    if not parts.keeper.has_moved:  # else whoever begins anew there knows whether it is a card
        yield _storage(parts)
    aside = parts.corrupt_files
    yield Condition(
        "storage-corrupt",
        bool(aside),
        Priority.MEDIUM,
        "A damaged data file was set aside and a new one begun",
        "Keep the file for whoever looks into it, or delete it; consider a new card",
        "; ".join(filter(None, (", ".join(aside), parts.store.salvaged()))),
    )
    refused = parts.publisher.refused()
    yield Condition(
        "broker-refuses",
        bool(refused),
        Priority.MEDIUM,
        "The broker refuses messages; they are kept",
        "Check the broker's access rules for this node",
        "; ".join(f"{found.topic}: {found.reason}" for found in refused[:3]),
    )
    yield from parts.models.conditions()
    failure = parts.reload_failure
    yield Condition(
        "reload-failed",
        failure is not None,
        Priority.MEDIUM,
        "The new configuration cannot be put to work; the one before it goes on",
        "Correct the configuration and ask for a reload; a restart would end with the same fault",
        failure or "",
    )


def _storage(parts: Parts) -> Condition:
    refuge = parts.refuge
    fault = parts.keeper.fault or (refuge.reason if refuge is not None else None)
    where = f"; since the start all is kept in RAM, in {refuge.directory}" if refuge is not None else ""
    is_full = isinstance(fault, StorageFull)
    return Condition(
        "storage",
        fault is not None,
        Priority.HIGH,
        "The card is full" if is_full else f"The card takes no data ({fault})",
        "Free some space on it" if is_full else "Replace the card; measuring and warning go on meanwhile",
        f"{fault}{where}" if fault is not None else "",
    )
