"""The commit policy against a disk that fills, breaks and comes back."""

import pytest

from edge_agent.domain.command import Command, CommandResult, ResultCode
from edge_agent.domain.instant import Instant
from edge_agent.domain.message import Message, Stream
from edge_agent.domain.reading import Channel, Reading, Sample
from edge_agent.service.keeper import MAX_SAMPLES, Keeper
from edge_agent.storage.errors import StorageBusy, StorageCorrupt, StorageError, StorageFull, StorageReadOnly


def at(seconds: float) -> Instant:
    return Instant(round(seconds * 1000), 1_790_000_000_000 + round(seconds * 1000), "boot")


def sample(seconds: float) -> Sample:
    return Sample("cold-room", at(seconds), (Reading(Channel("cold-room", "temperature"), 4.0, at(seconds)),))


def event(seconds: float) -> Message:
    return Message(Stream.EVENT, "event/shelf-1", b'{"kind":"tare"}', at(seconds))


def answer(seconds: float) -> CommandResult:
    return CommandResult(Command("id-1", "tare", {}, "test", at(seconds)), ResultCode.DONE, at(seconds))


class Disk:
    """A store's commit on a disk in one of four states; all or nothing, the reserve for what is critical."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.reserve_left = 0
        self.samples: list[Sample] = []
        self.messages: list[Message] = []
        self.memory: dict[str, bytes] = {}
        self.results: list[CommandResult] = []
        self.quarantined = 0
        self.successor: Disk | None = None  # another card at the same place
        self.asked_to_reconnect = 0
        self.is_closed = False
        self.is_gone = False

    def reconnect(self, now):
        self.asked_to_reconnect += 1
        if self.is_gone:
            raise StorageError("gone")
        return self.successor or self

    def close(self):
        self.is_closed = True

    def commit(self, samples=(), messages=(), memory=None, results=(), *, sold=(), emptied=(), critical=False):
        if self.fault is not None:
            if not (critical and self.reserve_left and isinstance(self.fault, StorageFull)):
                raise self.fault
            self.reserve_left -= 1
        self.samples += samples
        self.messages += messages
        self.memory |= memory or {}
        self.results += results

    def quarantine(self, now):
        self.quarantined += 1
        self.samples, self.messages, self.memory, self.fault = [], [], {}, None
        return "agent.db.corrupt"


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def keeper(disk):
    return Keeper(disk, batch_s=10.0)


def test_telemetry_waits_for_its_batch_and_an_event_takes_it_along_at_once(disk, keeper):
    keeper.add(at(0), [sample(0)])
    assert not keeper.commit_if_due(at(9.9), dict)
    assert keeper.commit_if_due(at(10), dict)
    keeper.add(at(11), [sample(11)])
    keeper.add(at(12), messages=[event(12)], urgent=True)
    assert keeper.commit_if_due(at(12), dict)
    assert (len(disk.samples), len(disk.messages)) == (2, 1)
    assert keeper.due_mono_ms() is None


def test_on_a_full_disk_the_ledger_goes_into_the_reserve_and_telemetry_waits_in_ram(disk, keeper):
    disk.fault, disk.reserve_left = StorageFull("full"), 1
    keeper.add(at(0), [sample(0)], [event(0)], {"scale/shelf-1": b"{}"}, [answer(0)], urgent=True)
    assert not keeper.commit_if_due(at(0), dict)
    assert (disk.samples, len(disk.messages), len(disk.results)) == ([], 1, 1)
    assert isinstance(keeper.fault, StorageFull)
    assert keeper.answered() == set()

    disk.fault = None
    assert not keeper.commit_if_due(at(4.9), dict), "tried again only every 5 s"
    assert keeper.commit_if_due(at(5), dict)
    assert (len(disk.samples), len(disk.messages), keeper.fault) == (1, 1, None)


def test_what_a_read_only_disk_does_not_take_waits_in_order_and_no_command_is_answered_twice(disk, keeper):
    disk.fault = StorageReadOnly("read-only")
    for second in range(3):
        keeper.add(at(second), [sample(second)], [event(second)], urgent=True)
    keeper.add(at(3), results=[answer(3)], urgent=True)
    keeper.commit(at(3), dict)
    assert keeper.answered() == {"id-1"}
    disk.fault = None
    assert keeper.commit(at(9), dict)
    assert [message.at.mono_ms for message in disk.messages] == [0, 1000, 2000]
    assert len(disk.samples) == 3


def test_a_damaged_file_is_replaced_and_the_whole_memory_written_into_the_new_one(disk, keeper):
    disk.fault = StorageCorrupt("malformed")
    keeper.add(at(0), [sample(0)], [event(0)], {"scale/shelf-1": b"new"}, urgent=True)
    everything = {"scale/shelf-1": b"old", "scale/shelf-2": b"kept"}
    assert not keeper.commit_if_due(at(0), lambda: everything)
    assert disk.quarantined == 1
    assert keeper.commit_if_due(at(0), lambda: everything)
    assert disk.memory == {"scale/shelf-1": b"new", "scale/shelf-2": b"kept"}
    assert (len(disk.samples), len(disk.messages)) == (1, 1)


def test_ram_is_bounded_and_what_it_cannot_hold_is_counted(disk, keeper):
    disk.fault = StorageFull("full")
    for start in range(0, MAX_SAMPLES + 500, 500):
        keeper.add(at(start), [sample(start + i) for i in range(500)])
    assert keeper.samples_lost == 500
    disk.fault = None
    keeper.commit(at(10**6), dict)
    assert len(disk.samples) == MAX_SAMPLES
    assert disk.samples[0].at == at(500), "the oldest went"


@pytest.mark.parametrize(
    ("fault", "asks"),
    [(StorageReadOnly, True), (StorageError, True), (StorageFull, False), (StorageBusy, False)],
)
def test_connections_are_mended_before_a_retry_only_where_that_can_help(disk, keeper, fault, asks):
    disk.fault = fault("no")
    keeper.add(at(0), [sample(0)])
    keeper.commit(at(0), dict)
    assert disk.asked_to_reconnect == 0
    keeper.commit_if_due(at(5), dict)
    assert disk.asked_to_reconnect == asks


def test_what_waited_goes_to_the_card_that_was_put_in_with_the_whole_memory(disk, keeper):
    disk.fault, new = StorageReadOnly("read-only"), Disk()
    keeper.add(at(0), [sample(0)], [event(0)], {"scale/shelf-1": b"new"}, urgent=True)
    keeper.commit(at(0), dict)
    assert not keeper.has_moved
    disk.successor = new
    assert keeper.commit_if_due(at(5), lambda: {"scale/shelf-1": b"old", "scale/shelf-2": b"kept"})
    assert keeper.has_moved
    assert (len(new.samples), len(new.messages)) == (1, 1)
    assert new.memory == {"scale/shelf-1": b"new", "scale/shelf-2": b"kept"}
    assert keeper.fault is None
    keeper.close()
    assert new.is_closed
    assert not disk.is_closed, "whoever opened it closes it"


@pytest.fixture
def refuge():
    return Disk()


@pytest.mark.parametrize("is_card_gone", [False, True])
def test_after_a_minute_without_a_card_what_waited_goes_into_ram(disk, refuge, is_card_gone):
    asked = []

    def take(reason, now, is_pressed):
        asked.append((str(reason), now.mono_ms, is_pressed))
        return refuge

    keeper = Keeper(disk, 10.0, take_refuge=take)
    disk.fault = StorageReadOnly("read-only")
    disk.is_gone = is_card_gone
    for second in range(0, 71, 5):
        keeper.add(at(second), [sample(second)])
        keeper.commit_if_due(at(second), dict)
    assert asked == [("gone" if is_card_gone else "read-only", 70_000, False)], (
        "it failed first with the batch, at 10 s"
    )
    assert keeper.has_moved
    assert len(refuge.samples) == 15


def test_a_refuge_that_is_not_to_be_had_is_asked_for_again_and_all_waits(disk):
    asked = []
    keeper = Keeper(disk, 10.0, take_refuge=lambda reason, now, is_pressed: asked.append(is_pressed))
    disk.fault = StorageReadOnly("read-only")
    keeper.add(at(0), [sample(0)] * (MAX_SAMPLES // 2), urgent=True)
    for second in range(0, 75, 5):
        keeper.commit_if_due(at(second), dict)
    keeper.add(at(75), [sample(75)])
    keeper.commit_if_due(at(75), dict)
    assert asked == [False, False, False, True], "it presses once half of the room is taken"
    assert not keeper.has_moved
