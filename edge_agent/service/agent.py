"""The cycle: gather, decide, apply."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from edge_agent.alerts.condition import Condition
from edge_agent.decide import (
    Calibrated,
    ChangeModel,
    Decision,
    Gathered,
    Identify,
    Memory,
    Plan,
    Reload,
    Request,
    Resend,
    calibrate,
    decide,
    set_limits,
)
from edge_agent.decide import sold as sales
from edge_agent.decide.authority import refusal
from edge_agent.decide.memory import changed_rows, kept_with, mirrored_rows, pressing_rows, to_rows
from edge_agent.domain.annunciation import Press
from edge_agent.domain.command import Command, CommandResult, ResultCode
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Message, Stream
from edge_agent.domain.reading import Sample
from edge_agent.lots.keeping import Lives
from edge_agent.mqtt import messages
from edge_agent.service.keeper import Keeper
from edge_agent.service.nonces import UsedNonces
from edge_agent.service.panel import Panel
from edge_agent.service.refusals import Refusals
from edge_agent.service.scales import with_calibration
from edge_agent.storage.errors import StorageError
from edge_agent.storage.store import Store

log = logging.getLogger(__name__)

MAX_INCOMING = 256  # commands waiting for one cycle; more is an attack or a loop, and is answered `busy`
MAX_TURNED_AWAY = 1000  # in one cycle; answers are rows on the card, so an attack gets no more of them
USED_BEFORE = "its nonce was used before: a signed command is good for one time"
IDENTIFY_LOG_S = 60.0  # from one line of the log to the next


class Agent:
    """Holds the memory between cycles; everything it decides, ``decide`` decided."""

    def __init__(
        self,
        plan: Plan,
        memory: Memory,
        store: Store,
        keeper: Keeper,
        panel: Panel,
        reload: Callable[[], Sequence[str]],
        keep_scale: Callable[[str, bytes], None],
        reopen: Callable[[Stream, int], None],
        keep_calibration: Callable[[Calibrated, Instant], None],
        used_nonces: UsedNonces,
        change_model: Callable[[ChangeModel, Instant], CommandResult],
        day_of: sales.DayOf = sales.utc_day,
        out: Mapping[str, bool] | None = None,
    ) -> None:
        self.memory = memory
        # As the rows stand. Of scales nothing: where an earlier version wrote one row, both must be written at first.
        self._kept = Memory(alarms=memory.alarms)
        self.reload_asked = False
        self.cycles = 0
        self._plan, self._store, self._keeper, self._panel = plan, store, keeper, panel
        self._check_reload, self._keep_scale, self._reopen = reload, keep_scale, reopen
        self._keep_calibration, self._used_nonces = keep_calibration, used_nonces
        self._change_model = change_model
        self._day_of, self._out = day_of, dict(out or {})
        self._shelves_of = _shelves_of(plan)
        self._refusals = Refusals()
        self._incoming: deque[Command | CommandResult] = deque()
        self._turned_away: deque[Command | CommandResult] = deque()
        self._identified: Instant | None = None
        self._hear: Callable[[Sequence[CommandResult]], None] = _nobody_listens
        self.turned_away = 0  # commands answered `busy` because too many came at once, since the start
        self.unanswered = 0  # those that were not even answered

    def receive(self, incoming: Command | CommandResult) -> None:
        """From any thread: a command, or the refusal of one that could not be read. The next cycle answers."""
        if len(self._incoming) < MAX_INCOMING:
            self._incoming.append(incoming)
        elif len(self._turned_away) < MAX_TURNED_AWAY:
            self._turned_away.append(incoming)
        else:
            self.unanswered += 1

    @property
    def plan(self) -> Plan:
        """With the limits that were set."""
        return set_limits.in_force(self._plan, self.memory)

    def tell_answers(self, hear: Callable[[Sequence[CommandResult]], None]) -> None:
        """``hear`` gets the answers of each cycle, once the disk has them or has refused them."""
        self._hear = hear

    def cycle(
        self,
        samples: Sequence[Sample],
        now: Instant,
        conditions: Iterable[Condition] = (),
        presses: Sequence[Press] = (),
        lives: Lives | None = None,
    ) -> Decision:
        """One gather-decide-apply. What is critical is on the disk when this returns, if the disk takes it.

        Light and sound come first: no card makes a warning wait (docs/decisions/010-warn-before-the-commit.md).
        """
        commands, refused = self._commands(now)
        decision = decide(self.memory, self._plan, Gathered(now, samples, commands, list(conditions), presses, lives))
        self._panel.show(decision.annunciation)
        before, self.memory = self.memory, decision.memory
        answers = [*decision.results, *(self._do(request, now) for request in decision.requests)]
        rows = pressing_rows(self._kept, self.memory, {event.shelf for event in decision.events})
        self._kept = kept_with(self._kept, self.memory, rows)
        mirrored = mirrored_rows(before, self.memory)
        self._keep_sales(decision, now)
        self._keeper.add(
            now,
            decision.samples,
            [*_messages(decision), *(messages.response(result) for result in (*refused, *answers))],
            rows,
            [*answers, *self._refusals.rows(refused, now)],
            urgent=decision.is_critical or bool(refused or answers),
        )
        self._keeper.commit_if_due(now, self._everything)
        self._mirror(mirrored)
        self._hear([*refused, *answers])
        self.cycles += 1
        return decision

    def _keep_sales(self, decision: Decision, now: Instant) -> None:
        """With the events they come from, in one transaction."""
        if not (decision.stocks or decision.events or decision.records):
            return
        products = self._plan.products
        taken = sales.sold(decision.events, decision.unsold, products, self._day_of)
        emptied = sales.emptied(self._out, self.memory.stocks, self._shelves_of, products, now)
        self._out |= {found.product: found.is_empty for found in emptied}
        self._keeper.add(now, sold=taken, emptied=emptied)

    def lasting_rows(self) -> dict[str, bytes | None]:
        """What the memory holds and no row does yet, for a commit that comes anyway: it costs no page of its own."""
        rows = changed_rows(self._kept, self.memory)
        self._kept = kept_with(self._kept, self.memory, rows)
        return rows

    def flush(self, now: Instant) -> bool:
        """Commit all that waits, now."""
        self._keeper.add(now, rows=self.lasting_rows(), results=self._refusals.rest(now))
        return self._keeper.commit(now, self._everything)

    def _everything(self) -> dict[str, bytes]:
        return to_rows(self.memory)

    def _commands(self, now: Instant) -> tuple[list[Command], list[CommandResult]]:
        """What the inbox holds for this cycle, and answers to what never got into it."""
        refused = []
        for _ in range(len(self._incoming)):
            incoming = self._incoming.popleft()
            answer = incoming if isinstance(incoming, CommandResult) else self._put_into_inbox(incoming, now)
            if answer is not None:
                refused.append(answer)
        refused += self._busy(now)
        try:
            # A command already obeyed stays in the inbox while the disk takes no answers: never obey it twice.
            answered = self._keeper.answered()
            return [c for c in self._store.waiting_commands() if c.cmd_id not in answered], refused
        except StorageError as error:
            log.debug("inbox: %s", error)
            return [], refused

    def _busy(self, now: Instant) -> list[CommandResult]:
        """Answers to those for which there was no place; what is an answer already needs none."""
        turned_away = [self._turned_away.popleft() for _ in range(len(self._turned_away))]
        self.turned_away += len(turned_away)
        why = f"more than {MAX_INCOMING} commands came within one cycle: send it again, more slowly"
        return [
            found if isinstance(found, CommandResult) else CommandResult(found, ResultCode.BUSY, now, why)
            for found in turned_away
        ]

    def _put_into_inbox(self, command: Command, now: Instant) -> CommandResult | None:
        """None when the command is accepted.

        Who has no right leaves no row under the command's id: it would make a duplicate of the rightful one.
        """
        forbidden = refusal(command, self._plan.commands)
        if forbidden is not None:
            return CommandResult(command, ResultCode.UNAUTHORIZED, now, forbidden)
        try:
            if self._is_replay_of_a_lost_one(command):
                return CommandResult(command, ResultCode.UNAUTHORIZED, now, USED_BEFORE)
            receipt = self._store.receive(command)
        except StorageError as error:
            return CommandResult(command, ResultCode.BUSY, now, f"the inbox cannot be written: {error}")
        if receipt.is_replay:
            return CommandResult(command, ResultCode.UNAUTHORIZED, now, USED_BEFORE)
        if not receipt.is_duplicate:
            if command.seal is not None:
                self._used_nonces.add(command.seal, command.received)
            return None
        earlier = receipt.earlier.code.value if receipt.earlier is not None else "still waiting"
        return CommandResult(command, ResultCode.DUPLICATE, now, f"{command.cmd_id} was received before: {earlier}")

    def _is_replay_of_a_lost_one(self, command: Command) -> bool:
        """Its nonce was used, and the inbox, a new one, knows nothing of it."""
        seal = command.seal
        if seal is None or not self._used_nonces.has(seal):
            return False
        is_waiting = any(found.cmd_id == command.cmd_id for found in self._store.waiting_commands())
        return not is_waiting and self._store.result_of(command.cmd_id) is None

    def _do(self, request: Request, now: Instant) -> CommandResult:
        """What only the world can do, and the answer to who asked for it."""
        match request:
            case Identify(command, seconds):
                has_light = self._panel.identify(seconds)
                where = "its light blinks" if has_light else "it has no light (no pin for one in [panel])"
                self._log_identify(where, now)
                return CommandResult(command, ResultCode.DONE, now, where)
            case Reload(command):
                faults = self._check_reload()
                if faults:
                    return CommandResult(command, ResultCode.INVALID, now, "; ".join(faults))
                self.reload_asked = True
                return CommandResult(command, ResultCode.DONE, now, "the agent starts anew with the new configuration")
            case Resend(command, stream, wanted_first, wanted_last):
                try:
                    resend = self._store.resend(stream, wanted_first, wanted_last)
                except StorageError as error:
                    return CommandResult(command, ResultCode.BUSY, now, f"the store cannot be read: {error}")
                self._reopen(stream, resend.last)
                detail = {
                    "stream": stream.value,
                    "from_seq": resend.first,
                    "to_seq": resend.last,
                    "available": resend.available,
                    "dropped": [{"first": first, "last": last} for first, last in resend.dropped],
                }
                return CommandResult(command, ResultCode.DONE, now, f"on hist/{stream.value}", detail)
            case ChangeModel():
                return self._change_model(request, now)
            case Calibrated(command, shelf, _, _, message, answer):
                try:
                    self._keep_calibration(request, now)
                except StorageError as error:
                    return CommandResult(command, ResultCode.BUSY, now, f"the settings file takes nothing: {error}")
                self._plan = replace(self._plan, shelves=with_calibration(self._plan.shelves, request))
                self.memory = calibrate.in_force(self.memory, shelf, now)
                return CommandResult(command, ResultCode.DONE, now, message, answer)

    def _log_identify(self, where: str, now: Instant) -> None:
        """Anybody may ask at any rate, and the log is on the card."""
        is_first = self._identified is None or self._identified.age_s(now) >= IDENTIFY_LOG_S
        if is_first:
            self._identified = now
        level = logging.WARNING if is_first else logging.DEBUG
        log.log(level, "identify: this is the node that was asked for; %s", where)

    def _mirror(self, rows: Mapping[str, bytes]) -> None:
        """Tare and zero once more, into the settings file: they outlive a lost database."""
        for key, value in rows.items():
            self._keep_scale(key, value)


def _shelves_of(plan: Plan) -> dict[str, list[str]]:
    """By product."""
    found: dict[str, list[str]] = {}
    for shelf in plan.shelves:
        if shelf.product is not None:
            found.setdefault(shelf.product, []).append(shelf.name)
    return found


def _nobody_listens(results: Sequence[CommandResult]) -> None:
    """Answers go to the broker in any case."""


def _messages(decision: Decision) -> Iterable[Message]:
    yield from map(messages.event, decision.events)
    yield from map(messages.stock, decision.stocks)
    for transition in decision.transitions:
        yield messages.alarm(transition.alarm)
        yield messages.alarmlog(transition)
    yield from map(messages.record, decision.records)
    yield from (messages.shelflife(lot, life) for lot, life in decision.lives)
    yield from (messages.lot_closed(lot, lot.closed) for lot in decision.closed if lot.closed is not None)
