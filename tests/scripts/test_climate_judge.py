"""The judge of `scripts/bench climate` sees each way in which a recording can come out wrong."""

import gzip
from pathlib import Path

import pytest

FILE = """\
date,hour,a,b
24/06/21,10:00:00,4.0,###
24/06/21,10:15:00,4.1,........
24/06/21,10:30:00,,-20.5
24/06/21,10:15:00,4.3,-20.6
not a date,10:15:00,4.4,-20.6
24/06/21,10:45:00,4.5
24/06/21,11:00:00,4.6,-70.0
"""
EPOCH_S = 1_624_528_800.0  # 2021-06-24T10:00:00Z
STAMPS = (0, 900, 1800, 900, 3600)
TOLD = {
    "platform-1": (4.0, 4.125, None, 4.3125, 4.625),
    "platform-2": (None, None, -20.5, -20.625, None),
}


@pytest.fixture
def climate(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from bench_parts import climate

    return climate


@pytest.fixture
def verdict(climate, tmp_path):
    """What the judge says of the file above and of what came; ``change`` edits what came."""
    source = tmp_path / "recorded.csv.gz"
    source.write_bytes(gzip.compress(FILE.encode()))
    columns = tuple(climate._probe(letter, f"platform-{n}") for n, letter in ((1, "a"), (2, "b")))
    recording = climate.Recording("recorded", "none.toml", "", ("date", "hour"), "%d/%m/%y %H:%M:%S", columns)

    def judged(change=lambda samples: None):
        found = climate.Verdict()
        expected = climate.read_cells(recording, source, found)
        samples = {
            point: [
                (seq, EPOCH_S + stamp, {"temperature_c": _reading(value)})
                for seq, (stamp, value) in enumerate(zip(STAMPS, values, strict=True), 1)
            ]
            for point, values in TOLD.items()
        }
        change(samples)
        climate.judge(recording, expected, samples, found)
        return found

    return judged


def _reading(value):
    return {"value": value, "quality": "good"} if value is not None else {"value": None, "fault": "checksum"}


def test_a_faithful_delivery_has_no_flaw(verdict) -> None:
    found = verdict()
    assert (found.rows, found.set_aside, found.steps_back) == (7, 2, 1)
    assert (found.valid, found.once, found.bad, found.silent) == (6, 6, 4, 4)
    assert (found.wrong, found.withheld, found.invented, found.lost, found.extra, found.late) == (0,) * 6
    assert 0 < found.farthest <= 1


@pytest.mark.parametrize(
    ("place", "reading", "flaw"),
    [
        (("platform-1", 0), {"value": 4.1}, "wrong"),
        (("platform-1", 0), {"value": None, "fault": "checksum"}, "withheld"),
        (("platform-1", 2), {"value": 4.1}, "invented"),
        (("platform-2", 0), {"value": 0.0}, "invented"),
    ],
)
def test_a_cell_that_came_otherwise_is_seen(verdict, place, reading, flaw) -> None:
    def change(samples) -> None:
        point, index = place
        seq, at_s, _ = samples[point][index]
        samples[point][index] = (seq, at_s, {"temperature_c": reading})

    found = verdict(change)
    assert getattr(found, flaw) == 1
    assert found.once + found.silent == 9


def test_a_bad_cell_must_come_with_a_fault(verdict) -> None:
    def change(samples) -> None:
        seq, at_s, _ = samples["platform-2"][0]
        samples["platform-2"][0] = (seq, at_s, {"temperature_c": {"value": None}})

    assert verdict(change).silent == 3


def test_a_lost_sample_is_seen(verdict) -> None:
    assert verdict(lambda samples: samples["platform-1"].pop()).lost == 1


def test_a_sample_of_nowhere_is_seen(verdict) -> None:
    assert verdict(lambda samples: samples["platform-1"].append(samples["platform-1"][-1])).extra == 1


def test_a_sample_at_another_time_is_seen(verdict) -> None:
    def change(samples) -> None:
        seq, at_s, readings = samples["platform-1"][3]
        samples["platform-1"][3] = (seq, at_s + 900, readings)  # the step of the clock was smoothed away

    assert verdict(change).late == 1
