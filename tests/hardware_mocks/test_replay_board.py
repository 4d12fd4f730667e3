"""A recording played through real drivers and simulated chips: numbers come back, and nothing else becomes one."""

import csv
import gzip
import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.config import load as load_config
from edge_agent.domain.instant import Instant
from edge_agent.domain.settings import SettingsError
from edge_agent.drivers.errors import BoardError, SensorError
from edge_agent.drivers.table import driver
from hardware_mocks import replay_board
from hardware_mocks.fitting import CellSettings
from hardware_mocks.replay_board import ReplayBoard, Settings, SourceSettings, open_board

CELL = CellSettings()


@dataclass(frozen=True)
class Configured:
    name: str
    driver: str
    place: str
    settings: Any


def sensor(name: str, chip: str, **own: Any) -> Configured:
    return Configured(name, chip, name, driver(chip).Settings(**own))


AIR = sensor("air", "sht3x")
PROBE = sensor("probe", "ds18b20", device="28-000000000001")
SCALE = sensor("scale", "nau7802", mux_address=0x70, mux_channel=3)
SOURCES = (
    SourceSettings("air", "temperature", "t"),
    SourceSettings("air", "humidity", "rh"),
    SourceSettings("probe", "temperature", "p"),
    SourceSettings("scale", "weight", "kg", scale=1000.0),
)
# What a chip's last bit and half of it make of a recorded value.
HALF_STEP = {"temperature": 175 / 65535 / 2, "humidity": 100 / 65535 / 2, "counts": 0.5}
PROBE_HALF_STEP = 1 / 32 + 0.001  # the kernel cuts to thousandths


@dataclass(frozen=True)
class Heard:
    """What one sensor said at one moment: values by quantity, or a fault."""

    wall_s: float
    sensor: str
    values: dict[str, float]
    fault: str | None = None


def play(board: ReplayBoard, sensors: Sequence[Configured]) -> Iterator[Heard]:
    devices = {each.name: driver(each.driver).open_sensor(each.place, each.settings, board) for each in sensors}
    with board.driving():
        for moment in board.moments():
            wall_s = board.clock.wall_s() - board.clock.monotonic_s() + moment.mono_s
            at = Instant(round(1000 * moment.mono_s), round(1000 * wall_s), board.clock.boot)
            assert moment.sensors is not None
            for name in sorted(moment.sensors):
                try:
                    readings = devices[name].read(at)
                except SensorError as error:
                    yield Heard(wall_s, name, {}, error.fault)
                else:
                    found = {each.channel.quantity: each.value for each in readings}
                    assert None not in found.values()
                    yield Heard(wall_s, name, {key: float(value or 0.0) for key, value in found.items()})


def played(path: Path, sensors: Sequence[Configured], own: Settings) -> list[Heard]:
    board = open_board(replace(own, trace=str(path)), sensors)
    try:
        return list(play(board, sensors))
    finally:
        board.close()


def write(path: Path, header: str, *lines: str) -> Path:
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


# ----- numbers and no numbers ----------------------------------------------------------------------------------

JUNK = st.sampled_from(["", "###", "........", "2.7........", "nan", "-inf", "1_0", "4;5", "1e999", "abc", "-", "####"])


def cells(low: float, high: float) -> st.SearchStrategy[str]:
    numbers = st.floats(low, high).map(lambda value: f"{value:.4f}")
    beyond = st.sampled_from([low - 1000, high + 1000]).map(lambda value: f"{value:.1f}")
    return st.one_of(numbers, numbers, JUNK, beyond)


ROWS = st.lists(
    st.tuples(cells(-39.9, 124.9), cells(0, 100), cells(-55, 84), cells(-80, 80)),
    min_size=1,
    max_size=12,
)


def number(cell: str, low: float, high: float) -> float | None:
    """The oracle: what a cell says, written without the player's own means."""
    if not cell or not set(cell) <= set("0123456789.-"):
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if low <= value <= high else None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_every_number_comes_back_once_and_nothing_else_becomes_one(
    tmp_path: Path, rows: list[tuple[str, str, str, str]]
) -> None:
    lines = [f"2021-06-24 16:{minute:02}:00,{','.join(row)}" for minute, row in enumerate(rows)]
    path = write(tmp_path / "t.csv", "time,t,rh,p,kg", *lines)
    heard = played(path, (AIR, PROBE, SCALE), Settings(source=SOURCES))
    assert len(heard) == 3 * len(rows)
    begin = datetime(2021, 6, 24, 16, tzinfo=UTC).timestamp()
    for index, (t, rh, p, kg) in enumerate(rows):
        air, probe, scale = heard[3 * index : 3 * index + 3]
        # The first moment sets the chips up, which takes the scale 2 s and more: the next is a minute later.
        assert air.wall_s == pytest.approx(begin + 60 * index, abs=1e-3)
        wanted = number(t, -39.9, 124.9), number(rh, 0, 100)
        if None in wanted:
            assert air.values == {}
            assert air.fault in ("checksum", "no-answer")
        else:
            assert air.values["temperature"] == pytest.approx(wanted[0], abs=HALF_STEP["temperature"] + 1e-9)
            assert air.values["humidity"] == pytest.approx(wanted[1], abs=HALF_STEP["humidity"] + 1e-9)
        temperature = number(p, -55, 125)
        if temperature is None:
            assert (probe.values, probe.fault in ("checksum", "no-answer")) == ({}, True)
        else:
            assert probe.values["temperature"] == pytest.approx(temperature, abs=PROBE_HALF_STEP)
        weight_kg = number(kg, -80, 80)
        if weight_kg is None:
            assert (scale.values, scale.fault in ("no-answer", "saturated")) == ({}, True)
        else:
            counts = CELL.zero_counts + 1000 * weight_kg * CELL.counts_per_gram
            assert scale.values["counts"] == pytest.approx(counts, abs=0.5 + 1e-3)


@pytest.mark.parametrize(
    ("chip", "cell", "fault"),
    [
        (PROBE, "###", "checksum"),
        (PROBE, "2.7........", "checksum"),
        (PROBE, "200", "checksum"),
        (PROBE, "", "no-answer"),
        (SCALE, "###", "no-answer"),  # a NAU7802 has no checksum to be wrong
        (SCALE, "", "no-answer"),
        (SCALE, "1e9", "saturated"),
    ],
)
def test_each_kind_of_missing_value_has_its_fault_and_the_next_number_is_heard(
    tmp_path: Path, chip: Configured, cell: str, fault: str
) -> None:
    quantity = "weight" if chip is SCALE else "temperature"
    lines = [f"2021-06-24 16:{minute}:00,{value}" for minute, value in ((10, "4.5"), (20, cell), (30, "4.75"))]
    path = write(tmp_path / "t.csv", "time,x", *lines)
    heard = played(path, (chip,), Settings(source=(SourceSettings(chip.name, quantity, "x"),)))
    assert [each.fault for each in heard] == [None, fault, None]


def test_a_chip_of_two_quantities_answers_for_both_or_for_none(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "time,t,rh", "2021-06-24 16:00:00,4,###", "2021-06-24 16:10:00,4,80")
    heard = played(path, (AIR,), Settings(source=SOURCES[:2]))
    assert heard[0].fault == "checksum"
    assert heard[1].fault is None


def test_a_contact_without_a_value_is_not_read_because_a_cut_wire_is_an_open_door(tmp_path: Path) -> None:
    door = sensor("door", "contact", pin=5)
    lines = [f"2021-06-24 16:0{minute}:00,{cell}" for minute, cell in enumerate(["0", "1", "", "###", "0"])]
    path = write(tmp_path / "t.csv", "time,x", *lines)
    heard = played(path, (door,), Settings(source=(SourceSettings("door", "open", "x"),)))
    assert [each.values["open"] for each in heard] == [0.0, 1.0, 0.0]


def test_every_driver_with_a_source_can_be_played(tmp_path: Path) -> None:
    chips = (
        sensor("a", "aht20"),
        sensor("b", "bme280"),
        sensor("c", "sht4x", address=0x45),
        sensor("d", "dht22", pin=4),
        sensor("e", "hx711", data_pin=20, clock_pin=21),
        sensor("f", "power"),
    )
    quantities = {"temperature": "t", "humidity": "rh", "pressure": "p", "weight": "g", "under_voltage": "u"}
    of = {"b": ("temperature", "humidity", "pressure"), "e": ("weight",), "f": ("under_voltage", "throttled")}
    sources = tuple(
        SourceSettings(chip.name, quantity, quantities.get(quantity, "u"))
        for chip in chips
        for quantity in of.get(chip.name, ("temperature", "humidity"))
    )
    lines = [f"2021-06-24 16:{minute}:00,21.5,45.25,987.65,1250,1" for minute in (10, 20, 30)]
    path = write(tmp_path / "t.csv", "time,t,rh,p,g,u", *lines)
    last = {each.sensor: each for each in played(path, chips, Settings(source=sources))}
    for name in "abcd":
        assert last[name].values["temperature"] == pytest.approx(21.5, abs=0.006)
        assert last[name].values["humidity"] == pytest.approx(45.25, abs=0.06 if name == "d" else 0.006)
    assert last["b"].values["pressure"] == pytest.approx(987.65, abs=0.005)
    assert last["e"].values == {"counts": CELL.zero_counts + 125_000}
    assert last["f"].values == {"under_voltage": 1.0, "throttled": 1.0}


# ----- moments -------------------------------------------------------------------------------------------------


def test_a_row_speaks_of_the_sensors_it_names_and_of_no_others(tmp_path: Path) -> None:
    scales = tuple(sensor(f"scale-{n}", "nau7802", mux_address=0x70, mux_channel=n) for n in range(2))
    sources = tuple(SourceSettings(f"scale-{n}", "weight", "g", where={"hive": f"{n}"}) for n in range(2))
    lines = ["0,2021-06-24 16:00:00,10", "0,2021-06-24 16:05:00,11", "1,2021-06-24 16:05:00,20"]
    path = write(tmp_path / "t.csv", "hive,time,g", *lines)
    board = open_board(Settings(trace=str(path), source=sources), scales)
    moments = list(board.moments())
    board.close()
    assert [(moment.mono_s, moment.sensors) for moment in moments] == [
        (0.0, {"scale-0"}),
        (300.0, {"scale-0", "scale-1"}),
    ]


def test_a_stamp_that_goes_back_steps_the_wall_clock_alone(tmp_path: Path) -> None:
    lines = [f"2021-11-07 {each}:00,4" for each in ("01:30", "01:45", "01:00", "01:15")]
    path = write(tmp_path / "t.csv", "time,p", *lines)
    board = open_board(Settings(trace=str(path), source=(SOURCES[2],)), (PROBE,))
    seen = [(board.clock.monotonic_s(), board.clock.wall_s()) for _ in board.moments()]
    board.close()
    assert [mono_s for mono_s, _ in seen] == [0, 900, 1800, 2700]
    assert [wall_s - seen[0][1] for _, wall_s in seen] == [0, 900, -1800, -900]


def test_reads_that_overrun_a_short_gap_are_late_and_make_no_step(tmp_path: Path) -> None:
    lines = [f"2021-11-07 01:00:0{second},4" for second in range(4)]
    path = write(tmp_path / "t.csv", "time,p", *lines)
    board = open_board(Settings(trace=str(path), source=(SOURCES[2],)), (PROBE,))
    offsets, monotonic = [], []
    for moment in board.moments():
        offsets.append(board.clock.wall_s() - board.clock.monotonic_s())
        monotonic.append(moment.mono_s)
        board.clock.sleep(1.5 if moment.mono_s == 0 else 0)
    board.close()
    assert len(set(offsets)) == 1
    assert monotonic == [0, 1.5, 2, 3]


def test_rows_set_aside_are_remarked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "t.csv", "time,p", "2021-11-07 01:00:00,4", "never,4", "2021-11-07 01:15:00")
    board = open_board(Settings(trace=str(path), source=(SOURCES[2],)), (PROBE,))
    board.close()
    assert [remark.split(":")[0] for remark in board.remarks()] == ["t.csv, line 3", "t.csv, line 4"]
    assert board.counts == {"value": 1}
    assert "t.csv, line 3" in caplog.text


def test_a_sensor_the_trace_never_speaks_of_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = replace(SOURCES[2], where={"hive": "9"})
    path = write(tmp_path / "t.csv", "time,p,kg,hive", "2021-11-07 01:00:00,4,5,8")
    open_board(Settings(trace=str(path), source=(source, SOURCES[3])), (PROBE, SCALE)).close()
    assert "no row of the trace is for sensor probe" in caplog.text


# ----- what does not go together -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"time_columns": ()}, "time_columns = (): must be at least one column"),
        ({"source": ()}, "source = (): must be at least one [[board.source]]"),
        ({"delimiter": ";;"}, "delimiter = ';;': must be one character"),
        ({"time_format": "%H:%M"}, "time_format = '%H:%M': must be date and time"),
        ({"time_format": "%Q"}, "time_format = '%Q': must be date and time"),
        ({"timezone": "Mars/Olympus"}, "timezone = 'Mars/Olympus': must be an IANA name"),
        ({"source": SOURCES[2:3] * 2}, "source = 'probe temperature': must be given once for the same rows"),
    ],
)
def test_settings_with_a_fault_are_refused(own: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**{"source": SOURCES, **own})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("own", "words"),
    [({"scale": 0.0}, "scale = 0.0"), ({"offset": math.inf}, "finite numbers"), ({"column": ""}, "column = ''")],
)
def test_a_source_with_a_fault_is_refused(own: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        replace(SOURCES[0], **own)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("sources", "sensors", "words"),
    [
        (SOURCES[:1], (AIR,), "none for air humidity"),
        (SOURCES[2:3], (PROBE, AIR), "none for air temperature, humidity"),
        (SOURCES, (AIR, PROBE), "source[4].sensor = 'scale': must be the name of a [[sensor]]: air, probe"),
        ((replace(SOURCES[2], quantity="weight"),), (PROBE,), "must be what probe measures, a ds18b20: temperature"),
        (
            (SOURCES[0], replace(SOURCES[1], where={"run": "2"})),
            (AIR,),
            "none for air temperature in the rows with run = 2",
        ),
        (
            (*SOURCES[:2], *(replace(source, sensor="other") for source in SOURCES[:2])),
            (AIR, replace(AIR, name="other")),
            "two chips at 0x44 on one bus",
        ),
    ],
)
def test_sources_that_do_not_go_with_the_sensors_are_refused(
    tmp_path: Path, sources: tuple[SourceSettings, ...], sensors: Sequence[Configured], words: str
) -> None:
    path = write(tmp_path / "t.csv", "time,t,rh,p,kg", "2021-11-07 01:00:00,4,80,4,1")
    with pytest.raises(BoardError) as caught:
        open_board(Settings(trace=str(path), source=sources), sensors)
    assert words in str(caught.value)


def test_no_file_at_all_is_refused() -> None:
    with pytest.raises(BoardError, match="a CSV file"):
        open_board(Settings(source=SOURCES[2:3]), (PROBE,))


# ----- the recorded sets ---------------------------------------------------------------------------------------

REPOSITORY = Path(__file__).parents[2]
RECORDED = {
    "saveris": "saveris_coldstore/saveris_values.csv.gz",
    "saveris-complete": "saveris_coldstore/saveris_values_complete.csv.gz",
    "fridge": "fridge_door_1hz/fridge_door_1hz.csv.gz",
    "hive": "hive_scale_tucson2022/hive_scale_5min.csv.gz",
    "appliances": "appliances_dht22/rooms_T_RH_10min_subset.csv.gz",
}
# Half of the last digit that was recorded. Of the appliances' means, and of the pressure by a BME280 without
# oversampling (16 bits, 2.6 Pa), half a step of the chip.
WITHIN = {
    "saveris": {"temperature": 0.05},
    "saveris-complete": {"temperature": 0.05},
    "fridge": {"temperature": 0.005, "humidity": 0.005, "pressure": 0.005},
    "hive": {"weight": 0.05},
    "appliances": {"temperature": 0.0014, "humidity": 0.0008},
}
PLAYED = 4000  # rows of each set that go through the drivers here


def recordings() -> Path:
    return Path(os.environ.get("EDGE_AGENT_DATA", REPOSITORY.parent / "shared" / "data")) / "sensors"


@pytest.mark.traces
@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_set_comes_back_row_by_row(name: str) -> None:
    path = recordings() / RECORDED[name]
    if not path.exists():
        pytest.skip(f"{path} is not here")
    config = load_config(REPOSITORY / "config" / "replay" / f"{name}.toml")
    own: Settings = replace(config.board.settings, traces=(str(path),))
    expected, kinds = oracle(path, own)
    board = replay_board.open_board(own, config.sensors)
    try:
        assert board.counts["value"] == kinds["value"]
        assert board.counts["blank"] == kinds["blank"]
        assert board.counts["junk"] + board.counts["missing"] == kinds["fault"]
        assert not board.rejected
        heard = list(islice(play(board, config.sensors), PLAYED))
    finally:
        board.close()
    for found in heard:
        wanted = expected[found.wall_s, found.sensor].pop(0)  # a stamp may come twice, after a step
        if None in wanted.values():
            assert found.fault is not None
            continue
        assert found.fault is None
        for quantity, value in wanted.items():
            assert value is not None
            got = (
                (found.values["counts"] - own.cell.zero_counts) / own.cell.counts_per_gram
                if quantity == "weight"
                else found.values[quantity]
            )
            assert got == pytest.approx(value, abs=WITHIN[name][quantity] + 1e-9)


Expected = dict[tuple[float, str], list[dict[str, float | None]]]


def oracle(path: Path, own: Settings) -> tuple[Expected, Counter[str]]:
    """The file as csv and strptime read it: (stamp, sensor) -> what each row there says, in their order."""
    expected: Expected = {}
    kinds: Counter[str] = Counter()
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            stamp = " ".join(row[column] for column in own.time_columns)
            wall_s = datetime.strptime(stamp, own.time_format).replace(tzinfo=UTC).timestamp()
            fresh = set()
            for source in own.source:
                if any(row[column] != word for column, word in source.where.items()):
                    continue
                said = expected.setdefault((wall_s, source.sensor), [])
                if source.sensor not in fresh:
                    said.append({})
                    fresh.add(source.sensor)
                cell = row[source.column]
                try:
                    said[-1][source.quantity] = float(cell) * source.scale
                    kinds["value"] += 1
                except ValueError:
                    said[-1][source.quantity] = None
                    kinds["fault" if cell else "blank"] += 1
    return expected, kinds
