"""Drains the outbox: live first, backlog after it in order and paced; a row is marked only on its own PUBACK.

Each stream has one split. Up to it rows are backlog and go out on ``hist``, after it they are live; it only moves
forward, so that both topics stay in the order of the numbers. No thread in here: somebody calls ``step``.
"""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Message, Outcome, Queued, Stream
from edge_agent.domain.reading import Sample
from edge_agent.mqtt import messages
from edge_agent.mqtt.messages import DroppedRows, Identity, Link
from edge_agent.mqtt.settings import MqttSettings
from edge_agent.mqtt.wire import PACKET_TOO_LARGE, Outgoing, reason_text

log = logging.getLogger(__name__)

PRIORITY = (
    Stream.ALARM,
    Stream.EVENT,
    Stream.STOCK,
    Stream.RSP,
    Stream.ALARMLOG,
    Stream.META,
    Stream.RECORD,
    Stream.SHELFLIFE,
    Stream.FORECAST,
    Stream.TELEMETRY,
)
LIVE_S = 60.0  # what waits longer than this (or than its own expiry) is no longer told as the present
ACK_TIMEOUT_S = 30.0  # without any PUBACK for so long while one is due, the broker is frozen
RETRY_S = 10.0  # a stream's pause after a refusal that may pass
STUBBORN_TIMES = 5  # refusals without a stated cause, of the same row, until it counts as refused for good
RESERVED = 4  # places in flight that backlog leaves free, so that an alarm never queues behind it
MAX_IDLE_S = 1.0
DROPPED_CHECK_S = 60.0
_PAGE = 100  # rows in memory per stream and direction
_DROPPED_PER_MESSAGE = 100
_TURNS = 1000  # of one step, so that a thread comes round to look whether it should stop

# Nothing is wrong with the message: quota exceeded, packet identifier in use.
_PASSING = frozenset({0x97, 0x91})
# The broker does not say what is wrong: unspecified, implementation specific.
_UNSTATED = frozenset({0x80, 0x83})


class Outbox(Protocol):
    """Committed messages and what became of them; its methods are safe to call from the publisher's thread."""

    @property
    def epoch(self) -> str: ...

    def streams(self) -> Sequence[Stream]: ...

    def last_seq(self, stream: Stream) -> int:
        """The newest number given, 0 for none; cheap, for it is asked at every step."""

    def pending(self, stream: Stream, after: int, limit: int, upto: int | None = None) -> list[Queued]:
        """Rows with after < seq <= upto, ascending, committed and neither accepted nor refused."""

    def mark(
        self, stream: Stream, seqs: Sequence[int], outcome: Outcome, reason: str = "", *, epoch: str | None = None
    ) -> None:
        """Ignored for numbers of another epoch: answers to a file that was set aside."""

    def newest_older_than(self, stream: Stream, boot: str, mono_ms: int) -> int:
        """The highest number taken before that instant or in another boot; 0 for none."""

    def latest_retained(self) -> list[Queued]:
        """The newest row of each retained topic, accepted or not; telemetry aside."""

    def latest_samples(self) -> list[Queued]:
        """The newest sample of each point, accepted or not."""

    def dropped(self, stream: Stream) -> Sequence[DroppedRows]:
        """Numbers that retention took before they were accepted, ascending."""

    def next_volatile(self, stream: Stream) -> int: ...


class Connection(Protocol):
    """The one link to the broker, seen from the publisher."""

    @property
    def is_up(self) -> bool: ...

    @property
    def generation(self) -> int:
        """Counts the successful connections."""

    @property
    def window(self) -> int:
        """Messages that may be in flight at once."""

    @property
    def in_flight(self) -> int: ...

    @property
    def link(self) -> Link: ...

    def send(self, outgoing: Outgoing, generation: int) -> int:
        """A token for its acknowledgement; silently dropped when that connection is no more."""

    def acks(self) -> list[tuple[int, int | None]]:
        """(token, None for success or the MQTT 5 reason code) of each PUBACK since the last call."""

    def restart(self, reason: str) -> None: ...


class _Way(Enum):
    LIVE = "live"
    STATE = "state"  # told again after a connection
    HIST = "hist"
    NOTICE = "notice"  # not from the outbox: birth, health, dropped numbers
    FAREWELL = "farewell"  # our "offline"


@dataclass(frozen=True, slots=True)
class _Flight:
    """One message between its PUBLISH and its PUBACK."""

    way: _Way
    topic: str
    stream: Stream
    seqs: tuple[int, ...] = ()  # rows to mark


@dataclass(slots=True)
class _Lane:
    """One stream's place: where backlog ends, and how far either part was handed to this connection."""

    stream: Stream
    records: int  # in the next message of backlog
    split: int = 0
    live_sent: int = 0
    hist_sent: int = 0
    live_rows: deque[Queued] = field(default_factory=deque)
    hist_rows: list[Queued] = field(default_factory=list)
    states: deque[tuple[Queued, bool]] = field(default_factory=deque)  # (row, whether it waits for its mark)
    ended: deque[Queued] = field(default_factory=deque)  # last words that are told: their topics are to be emptied
    flying: set[int] = field(default_factory=set)
    retry_ms: int | None = None
    tried: tuple[int, int] = (0, 0)  # (first number, refusals without a stated cause)
    asked: tuple[int, int] = (-1, 0)  # (last_seq at a vain look for live rows, when to look again)

    def begin(self, split: int, settled: set[int]) -> None:
        """A new connection: what was in flight is unknown, so all goes again but what only waits for its mark."""
        self.flying = settled
        self.states.clear()
        self.ended.clear()
        self.retry_ms = None
        self.asked = (-1, 0)
        self.rewind()
        self.live_rows.clear()
        self.split = self.live_sent = max(self.split, split)

    def rewind(self) -> None:
        """Backlog from its oldest row again; what is in flight is left out."""
        self.hist_sent = 0
        self.hist_rows.clear()

    def move_split(self, upto: int) -> None:
        self.split = max(self.split, upto)
        self.live_sent = max(self.live_sent, self.split)
        while self.live_rows and self.live_rows[0].seq <= self.split:
            self.live_rows.popleft()

    def is_paused(self, now: Instant) -> bool:
        return self.retry_ms is not None and now.mono_ms < self.retry_ms

    def has_backlog(self) -> bool:
        return self.hist_sent < self.split


@dataclass(frozen=True, slots=True)
class Refused:
    """What a broker refuses, for health and the log."""

    topic: str
    reason: str
    times: int


class Publisher:
    """Sends what the outbox holds over one connection, and marks what became of it."""

    def __init__(
        self,
        outbox: Outbox,
        connection: Connection,
        identity: Identity,
        settings: MqttSettings,
        live_s: Mapping[str, float],
        *,
        ack_timeout_s: float = ACK_TIMEOUT_S,
        retry_s: float = RETRY_S,
    ) -> None:
        """``live_s``: seconds for which each point's telemetry is the present (see ``messages.live_s``)."""
        self._outbox = outbox
        self._connection = connection
        self._identity = identity
        self._settings = settings
        self._live_s = live_s
        self._ack_timeout_ms = int(ack_timeout_s * 1000)
        self._retry_ms = int(retry_s * 1000)
        self._lanes = {stream: _Lane(stream, settings.backlog_records) for stream in PRIORITY}
        self._flights: dict[int, _Flight] = {}
        self._notices: deque[tuple[Outgoing, _Flight]] = deque()
        self._generation = 0
        self._begun = 0  # the generation whose lanes are set up
        self._abandoned = 0  # the generation we asked to be dropped
        self._progress_ms = 0
        self._pace_ms = 0.0
        self._birth_again_ms: int | None = None
        self._restate_ms: int | None = None
        self._dropped_check_ms = 0
        self._told_dropped: dict[Stream, tuple[tuple[int, int], ...]] = {}
        self._announced: tuple[Outgoing, ...] = ()
        self._health: Queued | None = None
        self._is_health_due = False
        self._reopened: deque[tuple[Stream, int]] = deque()
        self._leaving: str | None = None
        self._refused: dict[str, Refused] = {}
        # Told by the broker, not marked yet: kept until the outbox has taken them, even if it fails for a while.
        self._to_accept: dict[Stream, list[int]] = {}
        self._to_refuse: deque[tuple[Stream, tuple[int, ...], str]] = deque()
        self.accepted = 0  # rows, since the start
        self.restarts = 0  # connections dropped because nothing was acknowledged
        self.has_left = False  # the broker has our "offline"

    # --- asked by others, from any thread ---------------------------------------------------------------------------

    def publish_health(self, message: Message, seq: int) -> None:
        """Told as soon as there is room; a newer one replaces it, and none is kept for later."""
        self._health = Queued(Stream.HEALTH, seq, message)
        self._is_health_due = True

    def announce(self, retained: Sequence[Outgoing]) -> None:
        """Told after the birth of each connection from now on, outside the contract's own topics (discovery)."""
        self._announced = tuple(retained)

    def reopen(self, stream: Stream, upto: int) -> None:
        """Rows up to that number wait again (`cmd/replay`): they go out on ``hist``."""
        self._reopened.append((stream, upto))

    def leave(self, reason: str = "stopped") -> None:
        """Send nothing more but, once all that is in flight has settled, the retained "offline"."""
        self._leaving = reason

    def refused(self) -> tuple[Refused, ...]:
        """Topics the broker refused since the start."""
        return tuple(self._refused.values())

    @property
    def in_flight(self) -> int:
        return len(self._flights)

    # --- one step ---------------------------------------------------------------------------------------------------

    def step(self, now: Instant) -> float:
        """Do all that can be done now; seconds until something may be to do again (at most MAX_IDLE_S)."""
        for _ in range(_TURNS):
            settled = self._take_acks(now)
            if not self._connection.is_up:
                return MAX_IDLE_S
            generation = self._connection.generation
            if generation == self._abandoned:
                return MAX_IDLE_S
            is_ours = self._outbox.epoch == self._identity.epoch
            if is_ours and generation != self._generation:
                self._greet(generation, now)
            if self._is_frozen(now):
                self._abandon(now)
                return MAX_IDLE_S
            if self._leaving is not None:
                sent = self._farewell(now)
            elif is_ours:
                sent = self._send(now)
            else:
                sent = 0  # a file begun anew numbers from 1 again: under our epoch those would be duplicates
            if not settled and not sent:
                return self._idle_s(now)
        return 0.0

    def _greet(self, generation: int, now: Instant) -> None:
        """A new connection: who we are and how we fare, from memory. That goes out though no row can be read."""
        self._flights.clear()
        self._notices.clear()
        self._progress_ms = now.mono_ms
        self._notices.append(self._birth(now))
        self._notices.extend((said, _Flight(_Way.NOTICE, said.topic, Stream.META)) for said in self._announced)
        # The will of the session before this one may still be told after our birth.
        self._birth_again_ms = now.mono_ms + int(1500 * self._settings.keepalive_s)
        self._is_health_due = self._health is not None
        self.has_left = False
        self._generation = generation

    def _begin(self, now: Instant) -> None:
        """The broker may have forgotten us, so the present is told again before anything else."""
        for lane in self._lanes.values():
            settled = set(self._to_accept.get(lane.stream, ()))
            lane.begin(self._newest_backlog(lane.stream, now), settled)
        self._queue_states(now)
        self._told_dropped.clear()
        self._dropped_check_ms = now.mono_ms
        self._begun = self._generation  # last: if the outbox raises meanwhile, the next step begins anew

    def _newest_backlog(self, stream: Stream, now: Instant) -> int:
        if stream is Stream.TELEMETRY:
            window_s = min(self._live_s.values(), default=LIVE_S)
        else:
            window_s = messages.RSP_EXPIRY_S if stream is Stream.RSP else LIVE_S
        return self._outbox.newest_older_than(stream, now.boot, now.mono_ms - int(window_s * 1000))

    def _birth(self, now: Instant) -> tuple[Outgoing, _Flight]:
        return self._notice(messages.birth(now, self._connection.link))

    def _notice(self, message: Message) -> tuple[Outgoing, _Flight]:
        row = Queued(message.stream, self._outbox.next_volatile(message.stream), message)
        outgoing = messages.render(self._identity, row)
        return outgoing, _Flight(_Way.NOTICE, outgoing.topic, message.stream)

    def _queue_states(self, now: Instant) -> None:
        """All retained state again; what waits for its turn as live row is left to it."""
        fresh = [row for row in self._outbox.latest_samples() if row.at.age_s(now) < self._window_s(row)]
        for lane in self._lanes.values():
            lane.states.clear()
        for row in sorted([*self._outbox.latest_retained(), *fresh], key=lambda row: row.seq):
            lane = self._lanes[row.stream]
            is_pending = bool(self._outbox.pending(row.stream, row.seq - 1, 1, row.seq))
            if not is_pending or row.seq <= lane.split:
                lane.states.append((row, is_pending and row.seq not in lane.flying))
        self._restate_ms = None

    # --- what came back ---------------------------------------------------------------------------------------------

    def _take_acks(self, now: Instant) -> int:
        acks = self._connection.acks()
        for token, reason in acks:
            flight = self._flights.pop(token, None)
            if flight is None:
                continue  # of a connection given up: its rows go again
            self._progress_ms = now.mono_ms
            if reason is None:
                self._take_success(flight)
            else:
                self._take_refusal(flight, reason, now)
        self._mark()
        return len(acks)

    def _take_success(self, flight: _Flight) -> None:
        if flight.seqs:
            self._to_accept.setdefault(flight.stream, []).extend(flight.seqs)
        if flight.way is _Way.HIST:
            lane = self._lanes[flight.stream]
            lane.records = min(self._settings.backlog_records, lane.records * 2)
        elif flight.way is _Way.FAREWELL:
            self.has_left = True

    def _mark(self) -> None:
        """An outbox that raises keeps its rows, and we what is to be marked."""
        for stream in list(self._to_accept):
            seqs = sorted(self._to_accept[stream])
            self._outbox.mark(stream, seqs, Outcome.ACCEPTED, epoch=self._identity.epoch)
            del self._to_accept[stream]
            self._lanes[stream].flying.difference_update(seqs)
            self.accepted += len(seqs)
        while self._to_refuse:
            stream, refused, reason = self._to_refuse[0]
            self._outbox.mark(stream, refused, Outcome.REFUSED, reason, epoch=self._identity.epoch)
            self._to_refuse.popleft()
            self._lanes[stream].flying.difference_update(refused)

    def _take_refusal(self, flight: _Flight, reason: int, now: Instant) -> None:
        self._report(flight.topic, reason)
        if flight.way is _Way.FAREWELL:
            self.has_left = True  # it was told; more cannot be done
        if flight.way in (_Way.NOTICE, _Way.FAREWELL):
            return
        lane = self._lanes[flight.stream]
        is_final = self._is_final(lane, flight, reason)
        if is_final and flight.seqs:
            self._to_refuse.append((flight.stream, flight.seqs, reason_text(reason)))
        if is_final:
            return
        lane.flying.difference_update(flight.seqs)
        if reason == PACKET_TOO_LARGE:
            lane.records = max(1, len(flight.seqs) // 2)
            lane.rewind()
        else:
            self._pause(lane, flight, now)

    def _is_final(self, lane: _Lane, flight: _Flight, reason: int) -> bool:
        """Whether the broker will say the same the next time."""
        if reason == PACKET_TOO_LARGE:
            return len(flight.seqs) <= 1
        return reason not in _PASSING and not (reason in _UNSTATED and self._is_worth_another_try(lane, flight))

    def _is_worth_another_try(self, lane: _Lane, flight: _Flight) -> bool:
        """A refusal without a cause may pass; of the same row too often, it is about the row."""
        first = flight.seqs[0] if flight.seqs else 0
        times = lane.tried[1] + 1 if lane.tried[0] == first else 1
        lane.tried = (first, times)
        if times < STUBBORN_TIMES:
            return True
        lane.tried = (0, 0)
        if len(flight.seqs) > 1:
            lane.records = 1  # find the one that is to blame
            return True
        return False

    def _pause(self, lane: _Lane, flight: _Flight, now: Instant) -> None:
        """Later rows were sent already: to keep the order, the refused one goes out as backlog."""
        lane.retry_ms = now.mono_ms + self._retry_ms
        lane.rewind()
        if flight.way is _Way.LIVE:
            lane.move_split(lane.live_sent)
        if flight.way in (_Way.LIVE, _Way.STATE):
            self._restate_ms = lane.retry_ms

    def _report(self, topic: str, reason: int) -> None:
        known = self._refused.get(topic)
        text = reason_text(reason)
        if known is None or known.reason != text:
            log.warning("The broker refuses %s: %s", topic, text)
        if known is not None or len(self._refused) < 256:
            self._refused[topic] = Refused(topic, text, 1 + (known.times if known else 0))

    # --- what goes out ----------------------------------------------------------------------------------------------

    def _send(self, now: Instant) -> int:
        before = room = self._room()
        self._queue_news(now)
        room = self._send_notices(room)
        if self._begun != self._generation:
            self._begin(now)
        self._queue_due(now)
        room = self._send_notices(room)
        for lane in self._lanes.values():
            room = self._send_live(lane, room, now)
        reserved = min(RESERVED, self._connection.window // 4)
        if room > reserved:
            room -= self._send_backlog(room - reserved, now)
        return before - room

    def _room(self) -> int:
        return max(0, self._connection.window - max(len(self._flights), self._connection.in_flight))

    def _queue_news(self, now: Instant) -> None:
        """What needs no row of the outbox."""
        if self._birth_again_ms is not None and now.mono_ms >= self._birth_again_ms:
            self._notices.append(self._birth(now))
            self._birth_again_ms = None
        if self._is_health_due:
            self._is_health_due = False
            self._queue_health(now)

    def _queue_due(self, now: Instant) -> None:
        while self._reopened:
            stream, upto = self._reopened.popleft()
            self._lanes[stream].move_split(upto)
            self._lanes[stream].rewind()
        if self._restate_ms is not None and now.mono_ms >= self._restate_ms:
            self._queue_states(now)
        if now.mono_ms >= self._dropped_check_ms:
            self._dropped_check_ms = now.mono_ms + int(DROPPED_CHECK_S * 1000)
            self._queue_dropped(now)

    def _queue_health(self, now: Instant) -> None:
        row = self._health
        if row is None:
            return
        left_s = self._window_s(row) - row.at.age_s(now)
        if left_s <= 0:
            return
        outgoing = messages.render(self._identity, row, expiry_s=left_s)
        waiting = [item for item in self._notices if item[1].stream is not Stream.HEALTH]
        self._notices = deque([*waiting, (outgoing, _Flight(_Way.NOTICE, outgoing.topic, Stream.HEALTH))])

    def _queue_dropped(self, now: Instant) -> None:
        for stream in self._lanes:
            gaps = sorted(self._outbox.dropped(stream), key=lambda gap: gap.first)
            spans = tuple((gap.first, gap.last) for gap in gaps)
            if not gaps or spans == self._told_dropped.get(stream):
                continue
            self._told_dropped[stream] = spans
            for start in range(0, len(gaps), _DROPPED_PER_MESSAGE):
                part = gaps[start : start + _DROPPED_PER_MESSAGE]
                outgoing = messages.render_dropped(self._identity, stream, part, now)
                self._notices.append((outgoing, _Flight(_Way.NOTICE, outgoing.topic, stream)))

    def _send_notices(self, room: int) -> int:
        while room and self._notices:
            outgoing, flight = self._notices.popleft()
            self._hand_over(outgoing, flight)
            room -= 1
        return room

    def _send_live(self, lane: _Lane, room: int, now: Instant) -> int:
        room = self._send_emptied(lane, room)
        while room and lane.states:
            row, is_pending = lane.states.popleft()
            if row.at.age_s(now) < self._window_s(row) or not _is_timed(row):
                self._send_row(row, _Way.STATE, now, (row.seq,) if is_pending else ())
                room -= 1
            room = self._send_emptied(lane, room, row)
        while room and not lane.states and not lane.is_paused(now):
            next_row = self._next_live(lane, now)
            if next_row is None:
                break
            lane.live_sent = next_row.seq
            self._send_row(next_row, _Way.LIVE, now, (next_row.seq,))
            room = self._send_emptied(lane, room - 1, next_row)
        return self._send_live(lane, room, now) if room and lane.states else room

    def _send_emptied(self, lane: _Lane, room: int, told: Queued | None = None) -> int:
        """After a last word nothing stays at the broker. No row says so: after each connection it is done again, as
        long as the word is the newest of its topic. What finds no room goes before the lane's next message."""
        if told is not None and messages.is_last_word(told.content):
            lane.ended.append(told)
        while room and lane.ended:
            outgoing = messages.emptied(self._identity, lane.ended.popleft())
            self._hand_over(outgoing, _Flight(_Way.NOTICE, outgoing.topic, lane.stream))
            room -= 1
        return room

    def _next_live(self, lane: _Lane, now: Instant) -> Queued | None:
        while lane.live_rows or self._fetch_live(lane, now):
            row = lane.live_rows[0]
            if row.at.age_s(now) <= self._window_s(row):
                return lane.live_rows.popleft()
            # One row past its time takes all before it along; the query spares reading a long arrears.
            before = lane.split
            lane.move_split(max(row.seq, self._newest_backlog(lane.stream, now)))
            self._restate_late(lane, before)
            if lane.states:
                break  # first: live rows after them have higher numbers
        return None

    def _restate_late(self, lane: _Lane, before: int) -> None:
        """State that was committed too late to be live is the present all the same: nothing newer was told."""
        if lane.stream is Stream.TELEMETRY:
            return
        for row in self._outbox.latest_retained():
            if row.stream is lane.stream and before < row.seq <= lane.split and row.seq not in lane.flying:
                lane.states.append((row, True))

    def _fetch_live(self, lane: _Lane, now: Instant) -> bool:
        last = self._outbox.last_seq(lane.stream)
        if last <= lane.live_sent or (lane.asked[0] == last and now.mono_ms < lane.asked[1]):
            return False
        lane.live_rows.extend(self._outbox.pending(lane.stream, lane.live_sent, _PAGE))
        # A number may be given before its row is committed: look again, but not at every step.
        lane.asked = (-1, 0) if lane.live_rows else (last, now.mono_ms + 1000)
        return bool(lane.live_rows)

    def _send_row(self, row: Queued, way: _Way, now: Instant, seqs: tuple[int, ...]) -> None:
        left_s = self._window_s(row) - row.at.age_s(now) if _is_timed(row) else None
        outgoing = messages.render(self._identity, row, expiry_s=left_s)
        self._hand_over(outgoing, _Flight(way, outgoing.topic, row.stream, seqs))

    def _window_s(self, row: Queued) -> float:
        """How long this row is the present."""
        if isinstance(row.content, Sample):
            return self._live_s.get(row.content.point, LIVE_S)
        return LIVE_S if row.content.expiry_s is None else row.content.expiry_s

    def _send_backlog(self, room: int, now: Instant) -> int:
        sent = 0
        for lane in self._lanes.values():
            while sent < room and lane.has_backlog() and not lane.is_paused(now) and self._is_its_turn(now):
                rows = self._next_backlog(lane)
                if not rows:
                    break
                outgoing = messages.render_backlog(self._identity, rows)
                self._hand_over(
                    outgoing, _Flight(_Way.HIST, outgoing.topic, lane.stream, tuple(row.seq for row in rows))
                )
                self._pace(now)
                sent += 1
        return sent

    def _next_backlog(self, lane: _Lane) -> list[Queued]:
        if not lane.hist_rows:
            limit = max(_PAGE, self._settings.backlog_records)
            found = self._outbox.pending(lane.stream, lane.hist_sent, limit, lane.split)
            if not found:
                lane.hist_sent = lane.split
                return []
            lane.hist_rows = [row for row in found if row.seq not in lane.flying]
            lane.hist_sent = found[-1].seq if not lane.hist_rows else lane.hist_sent
        count = messages.batch_size(lane.hist_rows, lane.records)
        rows, lane.hist_rows = lane.hist_rows[:count], lane.hist_rows[count:]
        if rows:
            lane.hist_sent = rows[-1].seq
        return rows

    def _is_its_turn(self, now: Instant) -> bool:
        return not self._settings.backlog_per_s or now.mono_ms >= self._pace_ms

    def _pace(self, now: Instant) -> None:
        """Even gaps; a turn taken late gives at most one message back."""
        if self._settings.backlog_per_s:
            gap_ms = 1000 / self._settings.backlog_per_s
            self._pace_ms = max(self._pace_ms, now.mono_ms - gap_ms) + gap_ms

    def _hand_over(self, outgoing: Outgoing, flight: _Flight) -> None:
        if flight.seqs:
            self._lanes[flight.stream].flying.update(flight.seqs)
        self._flights[self._connection.send(outgoing, self._generation)] = flight

    def _farewell(self, now: Instant) -> int:
        if self._flights or self.has_left or self._leaving is None:
            return 0
        self._notices.clear()
        outgoing, flight = self._notice(messages.death(now, self._connection.link.session, self._leaving))
        self._hand_over(outgoing, replace(flight, way=_Way.FAREWELL))
        return 1

    # --- a broker that answers nothing ------------------------------------------------------------------------------

    def _is_frozen(self, now: Instant) -> bool:
        if not self._flights:
            self._progress_ms = now.mono_ms
        return now.mono_ms - self._progress_ms > self._ack_timeout_ms

    def _abandon(self, now: Instant) -> None:
        waited_s = (now.mono_ms - self._progress_ms) / 1000
        self._abandoned = self._generation
        self.restarts += 1
        self._connection.restart(f"no acknowledgement for {waited_s:.0f} s with {len(self._flights)} in flight")

    def _idle_s(self, now: Instant) -> float:
        due = [now.mono_ms + MAX_IDLE_S * 1000]
        if self._flights:
            due.append(self._progress_ms + self._ack_timeout_ms + 1)
        if self._birth_again_ms is not None:
            due.append(self._birth_again_ms)
        due.extend(lane.retry_ms for lane in self._lanes.values() if lane.retry_ms and lane.is_paused(now))
        if self._settings.backlog_per_s and any(
            lane.has_backlog() and not lane.is_paused(now) for lane in self._lanes.values()
        ):
            due.append(self._pace_ms)
        return max(0.001, (min(due) - now.mono_ms) / 1000)


def _is_timed(row: Queued) -> bool:
    """State with an end: past it, it is state no more."""
    return isinstance(row.content, Sample) or row.content.expiry_s is not None
