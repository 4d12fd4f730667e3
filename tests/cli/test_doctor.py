"""`doctor` at the command line: beside a running agent, without one, and where nothing is right yet."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.cli.exits import Exit

NOBODY = 65534


@pytest.fixture
def closed() -> Iterator[Path]:
    """As the package has it: neither the folder of the configuration nor that of the data is for everybody."""
    with tempfile.TemporaryDirectory() as name:  # whose parents are open, unlike pytest's
        folder = Path(name)
        folder.chmod(0o755)
        for closed in ("etc", "state"):
            (folder / closed).mkdir(mode=0o700)
        (folder / "etc/agent.toml").write_text("")
        yield folder


def by_part(told) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for finding in told.json:
        found.setdefault(finding["part"], []).append(finding)
    return found


def test_without_an_agent_every_chip_is_asked_and_a_missing_broker_is_a_fault(call, unused) -> None:
    told = call("doctor", "--config", unused, "--json")
    found = by_part(told)
    assert told.code == 2
    assert [(each["verdict"], each["words"].split()[0]) for each in found["sensor"]] == [
        ("ok", "cold-room"),
        ("ok", "scale-1"),
    ]
    assert found["broker"][-1]["verdict"] == "fail"
    assert all("cure" in each for part in found.values() for each in part if each["verdict"] != "ok")
    assert {"version", "service", "user", "clock", "configuration", "disk", "database", "models"} <= set(found)


def test_it_makes_nothing_and_changes_nothing(call, unused) -> None:
    before = sorted(unused.parent.rglob("*"))
    call("doctor", "--config", unused)
    assert sorted(unused.parent.rglob("*")) == before


def test_beside_a_running_agent_the_agent_is_asked_and_stays_connected(call, live, wait) -> None:
    def told() -> dict[str, list[dict]]:
        return by_part(call("doctor", "--config", live, "--json"))

    wait(lambda: any("as the agent says" in each["words"] for each in told().get("sensor", ())), "its first health")
    found = told()
    assert all("as the agent says" in each["words"] for each in found["sensor"])
    assert not any("lets" in each["words"] for each in found["broker"])  # nobody connected in its name
    assert found["database"][0]["verdict"] == "ok"


@pytest.mark.parametrize(
    ("content", "says", "cure"),
    [
        (None, "there is no such file", "edge-agent setup"),
        ("[node", "line 1", "edge-agent config check"),
        ('[node]\nsite = "shop"\nname = "a1"\n', "at least one table headed [[sensor]]", "edge-agent config check"),
    ],
)
def test_a_configuration_that_will_not_do_is_told_and_the_rest_examined_all_the_same(
    call, tmp_path, content, says, cure
) -> None:
    config = tmp_path / "edge-agent.toml"
    if content is not None:
        config.write_text(content)
    told = call("doctor", "--config", config, "--state", tmp_path / "state", "--json")
    found = by_part(told)
    assert told.code == 2
    assert says in found["configuration"][0]["words"]
    assert cure in found["configuration"][0]["cure"]
    assert "disk" in found


ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def as_nobody(closed) -> Iterator[None]:
    """Somebody without rights, until the test is over."""
    os.seteuid(NOBODY)
    yield
    os.seteuid(0)


@ROOT
@pytest.mark.usefixtures("as_nobody")
def test_somebody_who_may_read_neither_configuration_nor_data_is_told_so_with_the_command(call, closed) -> None:
    told = call("doctor", "--config", closed / "etc/agent.toml", "--state", closed / "state", "--json")
    found = by_part(told)
    for part in ("configuration", "database"):
        assert "this user may not" in found[part][0]["words"]
        assert "sudo edge-agent doctor" in found[part][0]["cure"]


def test_a_person_reads_each_finding_with_its_cure_below(call, unused) -> None:
    told = call("doctor", "--config", unused)
    assert any(line.startswith("fail  broker") for line in told.lines)
    assert any(line.strip().startswith("-> `sudo systemctl start mosquitto`") for line in told.lines)
    assert told.lines[-1].startswith(f"{sum(line[:4].strip() in ('ok', 'warn', 'fail') for line in told.lines)} ")
    assert told.code != Exit.OK
