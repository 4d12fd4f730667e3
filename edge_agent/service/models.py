"""The models of this node: which file is in use, why another is not, and how a new one takes its place.

No numpy and no runtime is imported before somebody asks for a model (`use`). A model is used by the thread that asked:
each thread has its own interpreter, and gets the new one with its next question after a change.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.alerts.condition import Condition
from edge_agent.decide.authority import public_bytes
from edge_agent.decide.models import Action, ChangeModel, ModelSettings
from edge_agent.domain.alarm import Priority
from edge_agent.domain.command import Command, CommandResult, ResultCode
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.inference import shadow as comparing
from edge_agent.inference.bundle import TYPE, Bundle, unpacked
from edge_agent.inference.card import (
    MAX_CARD_BYTES,
    MAX_FILE_BYTES,
    ModelCard,
    check_file,
    is_name,
    read_card,
    version_key,
)
from edge_agent.inference.errors import ModelRefused
from edge_agent.inference.shadow import Judgement, Pair, Shadow, Verdict
from edge_agent.mqtt.signed import Sealed, Verify, encoded, sealed_in, verifier_by
from edge_agent.service.model_notes import Answer, Notes
from edge_agent.service.model_store import FOLDER, MAX_BUNDLE_BYTES, ModelStore, Slot, read_at_most, stamps
from edge_agent.service.model_uses import FALL_BACKS, check_use

if TYPE_CHECKING:
    from edge_agent.inference.model import Model

log = logging.getLogger(__name__)

LOOK_S = 60.0  # from one look at the files to the next
KEPT_DROPPED = 10
KEPT_ANSWERS = 50  # of commands: more than anybody sends for a model between two commits


@dataclass(frozen=True, slots=True)
class Found:
    """One file that could be used, its hash and signature checked."""

    card: ModelCard
    file: bytes
    origin: str  # "shipped", or the slot


@dataclass(frozen=True, slots=True)
class Known:
    """What there is of one model."""

    name: str
    usable: tuple[Found, ...] = ()  # the best first
    shadow: Found | None = None
    faults: tuple[str, ...] = ()  # of what ought to be in use and is not
    shadow_fault: str = ""


@dataclass(frozen=True, slots=True)
class InUse:
    """For one thread. ``model`` None: ``reason`` says why, and the caller names its fall-back."""

    model: "Model | None"
    shadow: "Model | None" = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Change:
    """Of one model: the slot that counts, what lies there once it is made, and what is told of it then."""

    name: str
    slot: Slot
    content: bytes | None
    notes: Notes
    words: str
    detail: dict[str, object]


@dataclass(frozen=True, slots=True)
class _Asker:
    """Who wants a change, and when; no command where the comparison does."""

    now: Instant
    why: str
    command: Command | None = None


class Refused(Exception):
    """A change that is not made."""

    def __init__(self, code: ResultCode, words: str) -> None:
        super().__init__(words)
        self.code = code


class Models:
    def __init__(self, settings: ModelSettings, store: ModelStore, shipped: Path | None) -> None:
        self._settings, self._store, self._shipped = settings, store, shipped
        self._lock = threading.RLock()
        self._threads = threading.local()
        self._known: dict[str, Known] = {}
        self._stamps: tuple[object, ...] | None = None
        self._looked: Instant | None = None
        self._verify: Verify | None = None
        self._told: set[str] = set()  # names that conditions were given of
        self.generation = 0  # changes with every change of what is in use
        self._records = 0  # outcomes that came to a comparison

    # --- in use ---

    def use(self, name: str) -> InUse:
        """From any thread, as often as liked: opened once a thread and change. Never raises for a bad file."""
        if not self._settings.enabled:
            return InUse(None, reason="models.enabled = false")
        self._see_to_it()
        held: dict[str, tuple[int, InUse]] = self._threads.__dict__.setdefault("held", {})
        generation = self.generation
        if name not in held or held[name][0] != generation:
            held[name] = (generation, self._opened(name))
        return held[name][1]

    def _opened(self, name: str) -> InUse:
        with self._lock:
            known = self._known.setdefault(name, Known(name, faults=(f"there is no model {name} here",)))
        faults = known.faults
        for found in known.usable:
            try:
                model = opened(found)
            except ModelRefused as error:
                fault = f"{found.origin} {found.card.version}: {error}"
                faults = (*faults, fault)
                self._let_go(known, found, fault)
            else:
                return InUse(model, self._opened_shadow(known), "; ".join(faults))
        return InUse(None, None, "; ".join(faults))

    def _opened_shadow(self, known: Known) -> "Model | None":
        if known.shadow is None:
            return None
        try:
            return opened(known.shadow)
        except ModelRefused as error:
            fault = f"{known.shadow.card.version}: {error}"
            log.error("models: the shadow of %s: %s", known.name, fault)
            with self._lock:
                present = self._known.get(known.name)
                if present is not None and present.shadow is known.shadow:
                    self._known[known.name] = replace(present, shadow=None, shadow_fault=fault)
                    self.generation += 1
            return None

    def _let_go(self, known: Known, found: Found, fault: str) -> None:
        """Nobody opens it again before its file changes."""
        log.error("models: %s: %s", known.name, fault)
        with self._lock:
            present = self._known.get(known.name)
            if present is None or found not in present.usable:
                return
            usable = tuple(other for other in present.usable if other is not found)
            self._known[known.name] = replace(present, usable=usable, faults=(*present.faults, fault))
            self.generation += 1

    # --- what is there ---

    def look(self, now: Instant) -> None:
        """At the files, now and then: what was mended by hand is taken, what was spoiled is let go of."""
        if self._looked is None or self._looked.age_s(now) >= LOOK_S:
            self._looked = now
            self._look_again()

    def _see_to_it(self) -> None:
        if self._stamps is None:
            self._look_again()

    def _look_again(self) -> None:
        with self._lock:
            found = self._found_stamps()
            if found == self._stamps:
                return
            self._stamps = found
            self._known = {name: self._inspected(name) for name in self._names()}
            self.generation += 1
            for known in self._known.values():
                for fault in told_faults(known):
                    log.error("models: %s: %s", known.name, fault)

    def _found_stamps(self) -> tuple[object, ...]:
        shipped = () if self._shipped is None else stamps(self._shipped, "*.*")
        try:
            return (*shipped, *self._store.stamps())
        except OSError as error:  # a card that fails: what came with the programme lies elsewhere, maybe
            return (*shipped, str(error))

    def _names(self) -> list[str]:
        shipped = () if self._shipped is None else (*self._shipped.glob("*.json"), *self._shipped.glob("*.tflite"))
        try:
            installed = self._store.names()
        except OSError as error:
            log.error("models: those that were installed cannot be read: %s", error)
            installed = []
        return sorted({*(file.stem for file in shipped if is_name(file.stem)), *installed})

    def known(self) -> list[Known]:
        """All that is here, by name."""
        self._see_to_it()
        with self._lock:
            return list(self._known.values())

    def versions(self) -> list[tuple[str, str | None, str | None]]:
        """(name, version in use, version in shadow) of every model."""
        if not self._settings.enabled:
            return []
        return [
            (
                known.name,
                known.usable[0].card.version if known.usable else None,
                None if known.shadow is None else known.shadow.card.version,
            )
            for known in self.known()
        ]

    def standing(self, name: str) -> tuple[str | None, str | None]:
        """In words how the comparison stands, and what was decided last; None where there is none."""
        compared = self.compared(name)
        return (None if compared is None else compared[1].reason), self.decided(name)[0] or None

    @property
    def news(self) -> int:
        """Changes with what there is to tell: versions, and how comparisons stand."""
        return self.generation + self._records

    def _inspected(self, name: str) -> Known:
        usable: list[Found] = []
        faults: list[str] = []
        for origin in (Slot.ACTIVE.value, "shipped"):
            found, fault = self._inspect(name, origin)
            if found is not None:
                usable.append(found)
            if fault:
                faults.append(f"{origin}: {fault}")
        previous, _ = self._inspect(name, Slot.PREVIOUS.value)  # the next best, should the active one be refused
        usable += [] if previous is None else [previous]
        usable.sort(key=lambda each: each.card.version_key, reverse=True)
        shadow, shadow_fault = self._inspect(name, Slot.SHADOW.value)
        if shadow is not None and usable and shadow.card.version_key <= usable[0].card.version_key:
            shadow = None  # overtaken by a newer programme: there is nothing to compare
        return Known(name, tuple(usable), shadow, tuple(faults), shadow_fault)

    def _inspect(self, name: str, origin: str) -> tuple[Found | None, str]:
        """What is there, or why it cannot be used; (None, "") where there is nothing."""
        try:
            if origin == "shipped":
                return self._inspect_shipped(name), ""
            envelope = self._store.read(name, Slot(origin))
            if envelope is None:
                return None, ""
            bundle = self.unsealed(envelope)
            _check_name(bundle.card, name)
            return Found(bundle.card, bundle.file, origin), ""
        except (OSError, ModelRefused) as error:
            return None, str(error)

    def _inspect_shipped(self, name: str) -> Found | None:
        if self._shipped is None:
            return None
        card_file, model_file = (self._shipped / f"{name}.{ending}" for ending in ("json", "tflite"))
        if not (card_file.exists() or model_file.exists()):
            return None
        card = read_card(read_at_most(card_file, MAX_CARD_BYTES))
        _check_name(card, name)
        file = read_at_most(model_file, MAX_FILE_BYTES)
        check_file(file, card)
        return Found(card, file, "shipped")

    def unsealed(self, envelope: bytes) -> Bundle:
        """Signature first, then the card, then the file. Raises ModelRefused."""
        if len(envelope) > MAX_BUNDLE_BYTES:
            raise ModelRefused(f"the bundle has more than {MAX_BUNDLE_BYTES} bytes")
        try:
            body = json.loads(envelope)
            sealed = sealed_in(body) if isinstance(body, dict) else None
        except (ValueError, RecursionError) as error:
            raise ModelRefused(f"it is no bundle made by `edge-agent models sign`: {error}") from error
        if sealed is None:
            raise ModelRefused("it is not signed: `edge-agent models sign` makes a bundle that is")
        self._check_signature(sealed)
        return unpacked(sealed.body)

    def _check_signature(self, sealed: Sealed) -> None:
        keys = {key.name: public_bytes(key.public_key) or b"" for key in self._settings.keys}
        if sealed.key not in keys:
            known = ", ".join(keys) or "none: no [[models.key]] is configured"
            raise ModelRefused(f"it is signed by {sealed.key[:32]!r}: must be one of {known}")
        if find_spec("cryptography") is None:
            raise ModelRefused("signatures need the extra `signed`: pip install 'edge-agent[signed]'")
        self._verify = self._verify or verifier_by(keys)
        if not self._verify(sealed.key, encoded(sealed.body, TYPE), sealed.signature):
            raise ModelRefused(f"the signature is not that of {sealed.key} over these bytes")

    def conditions(self) -> Iterator[Condition]:
        if not self._settings.enabled:
            return
        with self._lock:
            known = dict(self._known)
        self._told |= known.keys()
        for name in sorted(self._told):  # of a name that is gone the alarm ends
            found = known.get(name, Known(name))
            yield Condition(
                f"model-{name}",
                bool(told_faults(found)),
                Priority.LOW,
                f"The model {name} is refused; {_instead(found)}",
                "`edge-agent models verify` tells what is wrong; install it anew, or the package",
                "; ".join(told_faults(found)),
            )

    # --- changes ---

    def change(self, asked: ChangeModel, now: Instant) -> CommandResult:
        """What a command asks for; the files are changed when this returns."""
        try:
            with self._lock:
                earlier = self._answered(asked.command)
                words, detail = self._changed(asked, now) if earlier is None else (earlier.words, dict(earlier.detail))
        except Refused as error:
            return CommandResult(asked.command, error.code, now, str(error))
        except ModelRefused as error:
            return CommandResult(asked.command, ResultCode.INVALID, now, f"the model is refused: {error}")
        except OSError as error:
            return CommandResult(asked.command, ResultCode.BUSY, now, f"the model cannot be kept: {error}")
        log.warning("models: %s", words)
        return CommandResult(asked.command, ResultCode.DONE, now, words, detail)

    def _answered(self, command: Command) -> Answer | None:
        """The agent may have died between a change and the commit of its answer: the inbox then brings it again."""
        for name in self._store.names():
            with suppress(OSError):  # maybe of another model; where it is of the one that is meant, the change fails
                for answer in self._store.notes(name).answers:
                    if answer.is_to(command):
                        return answer
        return None

    def _changed(self, asked: ChangeModel, now: Instant) -> tuple[str, dict[str, object]]:
        if not self._settings.enabled:
            raise Refused(ResultCode.UNSUPPORTED, "models.enabled = false: no model takes part on this node")
        self._stamps = None
        self._look_again()
        asker = _Asker(now, "by command" + (f": {asked.reason}" if asked.reason else ""), asked.command)
        match asked.action:
            case Action.INSTALL:
                return self._install(json.dumps(asked.bundle).encode(), asker)
            case Action.PROMOTE:
                return self._promote(asked.name, asker)
            case Action.ROLLBACK:
                return self._roll_back(asked.name, asker)

    def _install(self, envelope: bytes, asker: _Asker) -> tuple[str, dict[str, object]]:
        bundle = self.unsealed(envelope)
        card = bundle.card
        self._check_age(bundle, asker.now)
        self._check_version(card)
        known = self._known.get(card.name, Known(card.name))
        opened(Found(card, bundle.file, "new"))  # its health: the recorded inputs, before a byte of it is kept
        in_use = next((found for found in known.usable if _opens(found)), None)
        notes = replace(self._store.notes(card.name), highest=card.version, shadow="")
        slot = Slot.ACTIVE if in_use is None else Slot.SHADOW
        detail: dict[str, object] = {"name": card.name, "version": card.version, "slot": slot.value}
        if in_use is None:
            words = f"{card.name} {card.version} is in use at once: nothing was in use that it could be compared with"
            change = _Change(card.name, slot, envelope, notes, words, detail)
            return self._carry_out(change, lambda: self._store.put_active(card.name, envelope), asker)
        if in_use.card.task != card.task:
            raise ModelRefused(f"its task is {card.task}, that of the one in use {in_use.card.task}")
        against, days = in_use.card.version, self._settings.shadow_days
        until = f"for {days} days at least" if days else "until somebody promotes it"
        words = f"{card.name} {card.version} runs in shadow beside {against} {until}"
        notes = replace(notes, shadow=comparing.to_text(Shadow(card.version, against)))
        change = _Change(card.name, slot, envelope, notes, words, detail)
        return self._carry_out(change, lambda: self._store.put_shadow(card.name, envelope), asker)

    def _check_age(self, bundle: Bundle, now: Instant) -> None:
        """Without a clock the version alone keeps what is old away; over the network a command needs a clock anyway."""
        if now.clock is not ClockState.SYNCED:
            return
        wall = datetime.fromtimestamp(now.wall_ms / 1000, UTC)
        if wall > bundle.expires_at:
            until = bundle.expires_at.isoformat(timespec="seconds")
            raise ModelRefused(f"it was to be installed until {until}: sign it anew")

    def _check_version(self, card: ModelCard) -> None:
        """Later than every one that was ever here: a signature lasts for ever, and old files have old faults."""
        known = self._known.get(card.name, Known(card.name))
        here = [self._store.notes(card.name).highest, *(found.card.version for found in known.usable)]
        if known.shadow is not None and known.shadow.card.version != card.version:
            here.append(known.shadow.card.version)
        highest = max(here, key=version_key)
        if card.version_key <= version_key(highest):
            raise ModelRefused(f"version {card.version}: must be later than {highest}, which was here already")

    def _promote(self, name: str, asker: _Asker) -> tuple[str, dict[str, object]]:
        known = self._named(name)
        content = None if known.shadow is None else self._store.read(name, Slot.SHADOW)
        if known.shadow is None or content is None:
            fault = f" ({known.shadow_fault})" if known.shadow_fault else ""
            raise Refused(ResultCode.INVALID, f"{name}: no model runs in shadow{fault}: install one first")
        opened(known.shadow)
        in_use = known.usable[0] if known.usable else None
        notes = replace(self._store.notes(name), shadow="")
        version, before = known.shadow.card.version, None if in_use is None else in_use.card.version
        words = f"{name} {version} is in use, {asker.why}"
        detail: dict[str, object] = {"name": name, "version": version, "before": before}
        change = _Change(name, Slot.ACTIVE, content, notes, words, detail)
        keeps_active = in_use is not None and in_use.origin == Slot.ACTIVE
        return self._carry_out(change, lambda: self._store.promote(name, keeps_active=keeps_active), asker)

    def _roll_back(self, name: str, asker: _Asker) -> tuple[str, dict[str, object]]:
        self._named(name)
        if self._store.read(name, Slot.SHADOW) is not None:
            return self._drop_shadow(name, asker)
        active = self._store.read(name, Slot.ACTIVE)
        if active is None:
            raise Refused(ResultCode.INVALID, f"{name}: nothing was installed that could be rolled back")
        dropped = self._version_of(name, Slot.ACTIVE)
        previous, shipped = (self._inspect(name, origin)[0] for origin in (Slot.PREVIOUS.value, "shipped"))
        content = None if previous is None or not _opens(previous) else self._store.read(name, Slot.PREVIOUS)
        if content == active:
            content = None  # of a promotion that died and was not made again: no step back
        ways = [found for found in (previous if content is not None else None, shipped) if found is not None]
        back = max(ways, key=lambda found: found.card.version_key).card.version if ways else None
        instead = "nothing" if back is None else f"version {back}"
        words = f"{name}: {instead} is in use instead of {dropped}, {asker.why}"
        detail: dict[str, object] = {"name": name, "version": back, "dropped": dropped}
        notes = _dropping(self._store.notes(name), dropped)

        def files() -> None:
            if content is None:
                self._store.drop(name, Slot.PREVIOUS)  # a step back to what is spoiled is none
            self._store.roll_back(name)

        return self._carry_out(_Change(name, Slot.ACTIVE, content, notes, words, detail), files, asker)

    def _drop_shadow(self, name: str, asker: _Asker) -> tuple[str, dict[str, object]]:
        version = self._version_of(name, Slot.SHADOW)
        words = f"the shadow of {name}, {version}, is dropped, {asker.why}"
        notes = _dropping(replace(self._store.notes(name), shadow=""), version)
        change = _Change(name, Slot.SHADOW, None, notes, words, {"name": name, "dropped": version})
        return self._carry_out(change, lambda: self._store.drop(name, Slot.SHADOW), asker)

    def _version_of(self, name: str, slot: Slot) -> str:
        found, _ = self._inspect(name, slot.value)
        return "of an unreadable file" if found is None else found.card.version

    def _named(self, name: str) -> Known:
        if name not in self._known:
            names = ", ".join(self._known) or "none"
            raise Refused(ResultCode.INVALID, f"name = {name!r}: must be one of {names}")
        return self._known[name]

    def _carry_out(self, change: _Change, files: Callable[[], None], asker: _Asker) -> tuple[str, dict[str, object]]:
        """Announced, made, noted, taken into use: whoever dies in between finds it made once or not at all. The file
        in its slot is the change: it stands, also where the notes of it find no room."""
        notes = replace(change.notes, decision=change.words, decided_at=asker.now.rfc3339())
        if asker.command is not None and asker.command.cmd_id:
            answer = Answer(asker.command.cmd_id, asker.command.received, change.words, change.detail)
            notes = replace(notes, answers=(*notes.answers, answer)[-KEPT_ANSWERS:])
        with suppress(OSError):  # it is said below
            self._store.announce(change.name, change.slot, change.content, notes)
        files()
        words = change.words
        try:
            self._store.note(change.name, notes)
        except OSError as error:
            log.error("models: %s: the notes cannot be kept: %s", change.name, error)
            words = f"{words}; its notes cannot be kept: {error}"
        self._look_again()
        return words, change.detail

    # --- the comparison ---

    def compared(self, name: str) -> tuple[Shadow, Judgement] | None:
        """How the shadow fares; None where none runs."""
        self._see_to_it()
        with self._lock:
            known = self._known.get(name)
            if known is None or known.shadow is None:
                return None
            shadow = self._shadow_of(known, known.shadow)
            return shadow, self._judged(shadow)

    def decided(self, name: str) -> tuple[str, str]:
        """What was decided last, and when (RFC 3339); two empty words where nothing was."""
        try:
            notes = self._store.notes(name)
        except OSError as error:
            return f"the notes cannot be read: {error}", ""
        return notes.decision, notes.decided_at

    def record(
        self, name: str, day: date, pairs: Iterable[Pair | tuple[float, float]], now: Instant
    ) -> Judgement | None:
        """Losses (new, old) of real outcomes of a day; what follows from them is done. None where no shadow runs.

        Raises ValueError for what is no loss.
        """
        found = list(pairs)
        with self._lock:
            self._see_to_it()
            known = self._known.get(name)
            if known is None or known.shadow is None:
                return None
            shadow = comparing.with_losses(self._shadow_of(known, known.shadow), day, found)
            judgement = self._judged(shadow)
            self._records += 1
            try:
                self._follow(known, shadow, judgement, now)
            except (OSError, ModelRefused, Refused) as error:  # a full disk: they are lost
                log.error("models: %s: the comparison cannot be kept or followed: %s", name, error)
            return judgement

    def _shadow_of(self, known: Known, found: Found) -> Shadow:
        against = known.usable[0].card.version if known.usable else "no model"
        try:
            kept = comparing.from_text(self._store.notes(known.name).shadow)
        except (OSError, ValueError):
            return Shadow(found.card.version, against)
        is_same = (kept.version, kept.against) == (found.card.version, against)
        return kept if is_same else Shadow(found.card.version, against)

    def _judged(self, shadow: Shadow) -> Judgement:
        return comparing.judged(shadow, self._settings.shadow_days, self._settings.shadow_outcomes)

    def _follow(self, known: Known, shadow: Shadow, judgement: Judgement, now: Instant) -> None:
        if judgement.verdict is Verdict.REJECT:
            self._roll_back(known.name, _Asker(now, judgement.reason))
        elif judgement.verdict is Verdict.PROMOTE:
            self._promote(known.name, _Asker(now, judgement.reason))
        else:
            notes = self._store.notes(known.name)
            self._store.note(known.name, replace(notes, shadow=comparing.to_text(shadow)))
            return
        log.warning("models: %s", self._store.notes(known.name).decision)


def _dropping(notes: Notes, version: str) -> Notes:
    return replace(notes, dropped=(*notes.dropped, version)[-KEPT_DROPPED:])


def _check_name(card: ModelCard, name: str) -> None:
    if card.name != name:
        raise ModelRefused(f"its card is that of {card.name}")


def told_faults(known: Known) -> tuple[str, ...]:
    return (*known.faults, *((f"shadow: {known.shadow_fault}",) if known.shadow_fault else ()))


def _instead(known: Known) -> str:
    if not known.usable:
        return FALL_BACKS.get(known.name, "the agent goes on without it")
    version = known.usable[0].card.version
    return f"version {version} takes its place" if known.faults else f"it is the new one; {version} stays in use"


def opened(found: Found) -> "Model":
    """Ready to be asked. Raises ModelRefused."""
    from edge_agent.inference.model import open_model  # here: numpy and the runtime are 25 MB

    check_use(found.card)
    return open_model(found.file, found.card)


def _opens(found: Found) -> bool:
    try:
        opened(found)
    except ModelRefused:
        return False
    return True


def models_of(settings: ModelSettings, directory: Path) -> Models:
    """``directory``: of the agent's state."""
    return Models(settings, ModelStore(directory / FOLDER), shipped_directory())


def shipped_directory() -> Path | None:
    """Where the models lie that came with the programme: in the package, or beside the sources."""
    package = Path(__file__).parents[1]
    return next((found for found in (package / "_models", package.parent / "models") if found.is_dir()), None)
