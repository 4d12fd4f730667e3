"""`lots`, `move`, `outcome`, `receive` to a running agent; and `replay --lots`: lives of lots in a recorded climate."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from edge_agent.cli.exits import Exit
from tests.lots.shops import GTIN, NODE, PRODUCT, places

LIVE = (
    NODE
    + """
[agent]
cycle_s = 0.1

[storage]
directory = "{folder}/state"
batch_s = 0.2

[commands]
socket = "{folder}/command.sock"

[mqtt]
host = "127.0.0.1"
port = 1

[board]
kind = "simulated"
speed = 1.0

[[sensor]]
name = "cold-room"
driver = "sht3x"
interval_s = 1.0

[[sensor]]
name = "probe"
driver = "ds18b20"
device = "28-000000000002"
place = "cellar"
interval_s = 5.0
"""
    + places(cold_room=None, cellar=None)
    + PRODUCT
)
TOLD = ("--supplier", "farm-a", "--place", "cold-room", "--packaging", "punnet", "--packed", "2025-11-22")


@pytest.fixture(scope="module")
def shop(tmp_path_factory, wait):
    """The configuration of an agent that runs in a process of its own, without a broker."""
    folder = tmp_path_factory.mktemp("shop")
    config, log = folder / "agent.toml", folder / "log"
    config.write_text(LIVE.format(folder=folder))
    with log.open("wb") as out:
        command = [sys.executable, "-m", "edge_agent.cli.main", "run", "--config", str(config)]
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        wait(lambda: b"ready:" in log.read_bytes() or process.poll() is not None, "the agent's first commit")
        assert process.poll() is None, log.read_text()
        yield config
    finally:
        process.terminate()
        assert process.wait(10) == 0, log.read_text()


def test_a_lot_from_its_receipt_to_its_end(call, shop, wait):
    code = "L24/11.B"
    told = call(
        *("receive", GTIN, "--lot", code, "--units", 24, *TOLD),
        *("--temperature-c", 3.5, "--use-by", "2035-12-01", "--config", shop),
    )
    assert told.code == Exit.OK, told

    def line() -> dict:
        return next(lot for lot in call("lots", "--all", "--json", "--config", shop).json if lot["code"] == code)

    wait(lambda: line()["remaining_d"] is not None, "its life is reckoned")
    found = line()
    assert (found["lot"], found["name"], found["units"], found["net_g"]) == ("l24-11-b", "Strawberries", 24, 12000)
    assert (found["place"], found["use_by"], found["origin"]) == ("cold-room", "2035-12-01", "delivery")
    assert "pack_assumed" not in found["reasons"]
    table = call("lots", "--config", shop).out
    assert "l24-11-b" in table

    assert call("move", code, "--place", "cellar", "--config", shop).code == Exit.OK
    assert line()["place"] == "cellar"
    assert call("waste", "--lot", code, "--units", 4, "--reason", "damaged", "--config", shop).code == Exit.OK
    assert line()["units"] == 20
    marked = call("outcome", code, "marked-down", "--config", shop, "--json")
    assert (marked.code, line()["marked_down"] is not None) == (Exit.OK, True)
    assert call("outcome", code, "wasted", "--reason", "spoiled", "--config", shop).code == Exit.OK
    assert (line()["ending"], line()["units"], line()["remaining_d"]) == ("wasted", 0, None)
    assert code not in {lot["code"] for lot in call("lots", "--json", "--config", shop).json}, "only with --all"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("move", "NONE", "--place", "cellar"), "lot = 'NONE': must be an open lot"),
        (("move", "NONE"), "must be an open lot"),
        (("outcome", "NONE", "sold-fresh"), "lot = 'NONE': must be an open lot"),
        (("receive", GTIN, "--lot", "L", "--units", 1, *TOLD[:4], "--packed", "22.11."), "packed = '22.11.'"),
        (("receive", GTIN, "--lot", "L", "--units", -1, *TOLD), "units = -1"),
        (("receive", GTIN, "--lot", "L", "--units", 1, *TOLD, "--temperature-c", 900), "temperature_c = 900"),
        (("receive", GTIN, "--lot", "L", "--units", 0, *TOLD), "units = 0: must be more than 0"),
        (("receive", GTIN, "--lot", "L", "--units", 1, *TOLD, "--use-by", "2025-11-01"), "must not be before packed"),
        (("receive", GTIN, "--lot", "L" * 10_000, "--units", 1, *TOLD), "...: must be 1 to 20 of the characters"),
        (("move", "L" * 10_000, "--place", "cellar"), "...: must be an open lot"),
        (("outcome", "L" * 10_000, "wasted", "--reason", "other"), "...: must be an open lot"),
    ],
)
def test_what_cannot_be_is_refused_with_the_value(call, shop, words, says):
    told = call(*words, "--config", shop)
    assert told.code == Exit.REFUSED
    assert says in told.err + told.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("outcome", "L", "eaten"), "invalid choice: 'eaten'"),
        (("outcome", "L", "wasted", "--reason", "ugly"), "invalid choice: 'ugly'"),
        (("receive", GTIN, "--lot", "L", "--supplier", "s", "--packaging", "sock"), "invalid choice: 'sock'"),
        (
            ("receive", GTIN, "--lot", "L", "--supplier", "s", "--grams", "nan"),
            "argument --grams: 'nan': must be a number",
        ),
        (
            ("waste", "--lot", "L", "--reason", "other", "--grams", "1e999"),
            "argument --grams: '1e999': must be a number",
        ),
        (("move",), "lot"),
    ],
)
def test_a_word_that_is_none_needs_no_agent(call, words, says):
    told = call(*words)
    assert told.code == Exit.USAGE
    assert says in told.err


def test_without_lots_it_says_how_to_tell_of_one(call, healthy):
    assert "edge-agent receive" in call("lots", "--config", healthy).out
    assert call("lots", "--json", "--config", healthy).out == ""


# --- in a recorded climate --------------------------------------------------------------------------------------------

RECORDED = (
    """
[node]
site = "replay"
name = "mine"

[board]
kind = "replay"

[[board.source]]
sensor = "cold-room"
quantity = "temperature"
column = "cold"

[[board.source]]
sensor = "warm-room"
quantity = "temperature"
column = "warm"

[[sensor]]
name = "cold-room"
driver = "ds18b20"
device = "28-000000000001"

[[sensor]]
name = "warm-room"
driver = "ds18b20"
device = "28-000000000002"
"""
    + places(cold_room=None, warm_room=None)
    + PRODUCT
)
BEGIN = datetime(2026, 11, 23, 6, tzinfo=UTC)
LOTS = "lot,product,supplier,received_at,grams,place,packaging\n"
COLD = f"COLD,{GTIN},farm,2026-11-23T07:00:00Z,5000,cold-room,punnet\n"
WARM = f"WARM,{GTIN},farm,2026-11-23T07:00:00Z,5000,warm-room,punnet\n"
LATE = f"LATE,{GTIN},farm,2027-01-01T07:00:00Z,5000,cold-room,punnet\n"


@pytest.fixture
def recorded(tmp_path):
    """(the configuration, the recording): a room of 3 °C beside one of 18 °C, for a day and a half."""
    config, trace = tmp_path / "replay.toml", tmp_path / "trace.csv"
    config.write_text(RECORDED)
    rows = [
        f"{BEGIN + timedelta(minutes=10 * n):%Y-%m-%d %H:%M:%S},{3 + n % 4 / 10},{18 + n % 4 / 10}"
        for n in range(6 * 36)
    ]
    trace.write_text("\n".join(["time,cold,warm", *rows]) + "\n")
    return config, trace


def played(call, recorded, tmp_path, text: str, *words):
    lots, out = tmp_path / "lots.csv", tmp_path / "messages.jsonl"
    lots.write_text(text)
    config, trace = recorded
    return call("replay", config, "--trace", trace, "--lots", lots, "--out", out, *words), out


def test_lives_fall_faster_in_the_warm(call, recorded, tmp_path):
    told, out = played(call, recorded, tmp_path, LOTS + WARM + COLD + LATE, "--json")
    assert told.code == Exit.OK, told.err
    summary = json.loads(told.err.splitlines()[-1])
    last = {lot["lot"]: lot for lot in summary["lots"]}
    assert set(last) == {"cold", "warm"}
    assert summary["set_aside"] == 1, "LATE came after the recording"
    messages = [json.loads(line) for line in out.read_text().splitlines()]
    medians = {
        name: [m["payload"]["remaining_d"][2] for m in messages if m["topic"].endswith(f"shelflife/{name}")]
        for name in ("cold", "warm")
    }
    assert all(len(found) >= 30 for found in medians.values()), "each hour"
    lost_d = {name: found[0] - found[-1] for name, found in medians.items()}
    assert 1.0 < lost_d["cold"] < 2.0, "in the cold a day costs about a day"
    assert medians["warm"][-1] < 0.5 * medians["cold"][-1]
    assert last["warm"]["remaining_d"][2] == pytest.approx(medians["warm"][-1], abs=0.001), "told to fewer digits"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LOTS + COLD + WARM.replace("5000", "five"), "row 3, column grams: 'five': must be a number"),
        (LOTS + COLD.replace("cold-room", "attic"), "row 2, column place: 'attic': must be a [[place]]"),
        (LOTS.replace("grams", "gramms") + COLD, "row 1: column 'gramms': must be one of"),
        ("", "row 1: column 'lot' is missing"),
    ],
)
def test_a_wrong_table_is_refused_before_anything_is_written(call, recorded, tmp_path, text, says):
    told, out = played(call, recorded, tmp_path, text)
    assert told.code == Exit.USAGE
    assert says in told.err
    assert not out.exists()
