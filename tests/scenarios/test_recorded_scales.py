"""A scale that is read every five minutes, through the whole agent as `edge-agent replay` plays it."""

import json
import math
import threading
from pathlib import Path

from edge_agent.config import load
from edge_agent.service.replaying import replay

CONFIG = Path(__file__).parents[2] / "config" / "replay" / "hive.toml"
OFF, BACK, GONE, HOURS = 96, 108, 180, 22  # readings: the lid goes at 8:00, comes back at 9:00; no scale at 15:00
LID_KG = 1.5


def weight_kg(reading: int) -> float:
    """14 kg of bees and honey, lighter by 60 g in the afternoon, and heavier by 5 g an hour."""
    if GONE <= reading < GONE + 2:
        return 0.0
    swing_kg = -0.03 * math.sin(2 * math.pi * reading / 288)
    lid_kg = 0.0 if OFF <= reading < BACK else LID_KG
    return 12.5 + lid_kg + swing_kg + 0.005 * reading / 12 + 0.002 * math.sin(1.7 * reading)


def played(tmp_path: Path) -> list[dict]:
    trace = tmp_path / "trace.csv"
    rows = [
        f"2120,2022-06-21 {reading // 12:02d}:{reading % 12 * 5:02d}:00,20,{weight_kg(reading):.4f}\n"
        for reading in range(12 * HOURS)
    ]
    trace.write_text("hive,time,hive_temp_c,weight_kg\n" + "".join(rows))
    messages = tmp_path / "messages.jsonl"
    with messages.open("wb") as out:
        replay(load(CONFIG), [str(trace)], out, str(tmp_path / "state"), threading.Event())
    return [json.loads(line) for line in messages.read_text().splitlines()]


def test_a_lid_is_told_a_drop_out_is_a_fault_and_the_day_is_neither(tmp_path: Path) -> None:
    messages = played(tmp_path)
    records = [record for each in messages for record in each["payload"].get("records", [each["payload"]])]
    mine = [record for record in records if record.get("shelf") == "hive-2120"]  # the others are silent here
    events = [record for record in mine if "balance_after" in record and record["kind"] != "disturbance"]
    assert [(event["kind"], round(event["delta_g"], -2)) for event in events] == [("pick", -1500), ("restock", 1500)]
    assert [event["ts"][11:16] for event in events] == ["08:00", "09:00"]
    faults = [(record["ts"][11:16], record["fault"][:8]) for record in mine if "fault" in record]
    assert faults[0] == ("15:00", "drop-out")
    assert {time for time, _ in faults} <= {"15:00", "15:05"}
    balances = [record["balance"]["net_g"] for record in mine if "balance" in record]
    assert abs(balances[-1] - balances[0]) < 100
