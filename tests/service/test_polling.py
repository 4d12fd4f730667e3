from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Channel, Quality, Reading
from edge_agent.drivers.errors import BadChecksum
from edge_agent.service.polling import Polled

CHANNEL = Channel("cold-room", "temperature")


def at(seconds: float) -> Instant:
    return Instant(round(seconds * 1000), 1_790_000_000_000 + round(seconds * 1000), "boot")


class Probe:
    """A sensor that does what its script says: a number, or an exception."""

    bus, channels, min_interval_s, patience_s = "i2c-1", (CHANNEL,), 0.0, 0.0

    def __init__(self, script):
        self.script, self.reads = script, 0

    def read(self, at):
        answer = self.script(self.reads)
        self.reads += 1
        if isinstance(answer, Exception):
            raise answer
        return [Reading(CHANNEL, answer, at)]

    def close(self):
        pass


def test_a_failed_read_gives_a_bad_reading_with_its_fault_at_once():
    polled = Polled("cold-room", Probe(lambda n: BadChecksum("0x12, wanted 0x92")), 1.0)
    (reading,) = polled.take(at(0)).readings
    assert (reading.value, reading.quality, reading.fault) == (None, Quality.BAD, "checksum")


def test_an_exception_of_a_library_ends_no_polling():
    polled = Polled("cold-room", Probe(lambda n: IndexError("pop from an empty list") if n == 0 else 4.0), 1.0)
    assert polled.take(at(0)).readings[0].fault == "driver"
    assert polled.take(at(1)).readings[0].value == 4.0


def test_after_three_failures_the_bus_is_left_alone_ever_longer_and_bad_samples_go_on():
    probe = Probe(lambda n: BadChecksum(""))
    polled = Polled("cold-room", probe, 1.0)
    samples = [polled.take(at(second)) for second in range(200)]
    assert all(sample.readings[0].fault == "checksum" for sample in samples)
    assert probe.reads < 15


def test_a_sensor_is_back_within_a_minute_of_its_repair():
    polled = Polled("cold-room", Probe(lambda n: BadChecksum("") if n < 14 else 4.0), 1.0)
    values = [polled.take(at(second)).readings[0].value for second in range(600)]
    assert values[-1] == 4.0


def test_a_recording_is_read_at_each_of_its_moments_however_often_it_failed():
    probe = Probe(lambda n: BadChecksum("") if n < 10 else 4.0)
    polled = Polled("cold-room", probe, None)
    assert [polled.take(at(n / 10)).readings[0].value for n in range(11)][-1] == 4.0
