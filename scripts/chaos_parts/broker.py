"""A real Mosquitto that goes, freezes, forgets, refuses, shows the wrong certificate, and comes back."""

import json
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTERM

import paho.mqtt.client as mqtt

from chaos_parts import authority
from chaos_parts.children import CampaignError, comes_true, free_port, wait_for
from chaos_parts.figures import Figure, yes
from chaos_parts.judge import most_in_a_second
from chaos_parts.rig import TOPICS, Rig
from chaos_parts.scene import Act, Say, Scene, life_figures, perform, scene, verdict_figures

BACKLOG_PER_S = 50
HEARD_PER_S = 55  # some are later than others on their way through the broker


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each outage."""

    stopped_s: float
    frozen_s: float
    wrong_s: float  # with each wrong certificate
    before_s: float
    week_days: float
    records: int  # in a message of backlog: few, so that there are many messages


FULL = Times(stopped_s=60, frozen_s=30, wrong_s=10, before_s=5, week_days=7, records=10)
QUICK = Times(stopped_s=3, frozen_s=13, wrong_s=2.5, before_s=1, week_days=0.25, records=4)


def campaign(args: Namespace, say: Say) -> list[Figure]:
    """``args``: quick, only."""
    times = QUICK if args.quick else FULL
    with tempfile.TemporaryDirectory(prefix="chaos-broker-") as folder:

        def run(name: str, act: Act) -> list[Figure]:
            say(f"broker: {name}")
            return act(Path(folder) / name, times)

        return perform(ACTS, args.only, run)


# --- away, frozen, forgetful ----------------------------------------------------------------------------------------


def _stopped(folder: Path, times: Times) -> list[Figure]:
    name = f"stopped {times.stopped_s:g} s"
    with scene(folder, rig=Rig(folder, 0, backlog_records=times.records)) as found:
        found.start_agent()
        found.staff.start()
        time.sleep(times.before_s)
        found.broker.stop(SIGTERM)
        mark, rows = found.witness.mark(), found.committed.look_at_running(found.rig.state_folder)
        time.sleep(times.stopped_s)
        away = found.witness.mark() - mark
        rows = found.committed.look_at_running(found.rig.state_folder)
        found.broker.start()
        found.witness.listen_anew()
        took_s = found.catch_up()
        time.sleep(1.0)
        verdict = found.finish()
        return [
            Figure(f"{name}: messages heard meanwhile", away, "messages", "0"),
            Figure(f"{name}: rows committed meanwhile", rows, "rows", f">= {int(20 * times.stopped_s)}"),
            Figure(f"{name}: until all was told", round(took_s, 1), "s"),
            *_order_of_return(name, found, mark),
            *verdict_figures(name, verdict, at_least=int(20 * times.stopped_s)),
            *life_figures(name, found),
        ]


def _order_of_return(name: str, found: Scene, mark: int) -> list[Figure]:
    """Live before backlog, backlog at its pace, live going on beside it."""
    backlog, live = found.backlog(mark), found.live(mark)
    if not backlog or not live:
        return [Figure(f"{name}: backlog and live messages came", "no", "", "yes")]
    beside = [heard for heard in live if backlog[0].at_s <= heard.at_s <= backlog[-1].at_s]
    late_s = max((heard.at_s - heard.body["mono_ms"] / 1000 for heard in beside), default=0.0)
    at_s = [heard.at_s for heard in backlog]
    figures = [
        Figure(f"{name}: first live before first backlog", yes(live[0].at_s < backlog[0].at_s), "", "yes"),
        Figure(f"{name}: messages of backlog", len(backlog), "messages", ">= 10"),
        Figure(f"{name}: backlog, most heard in a second", most_in_a_second(at_s), "messages", f"<= {HEARD_PER_S}"),
        Figure(f"{name}: live messages beside it, latest", round(late_s, 2), "s after the reading", "<= 2"),
    ]
    if len(at_s) >= 5 * BACKLOG_PER_S:  # over a shorter stretch the way to the consumer decides
        mean = (len(at_s) - 1) / (at_s[-1] - at_s[0])
        figures.append(Figure(f"{name}: backlog, its rate", round(mean, 1), "messages/s", f"<= {BACKLOG_PER_S}"))
    return figures


def _frozen(folder: Path, times: Times) -> list[Figure]:
    name = f"frozen {times.frozen_s:g} s"
    with scene(folder) as found:
        agent = found.start_agent()
        found.staff.start()
        time.sleep(times.before_s)
        found.broker.send(SIGSTOP)
        wait_for(lambda: found.broker.is_stopped_by_signal, 5, "the broker frozen")
        time.sleep(0.2)
        mark = found.witness.mark()
        found.committed.look_at_running(found.rig.state_folder)
        time.sleep(times.frozen_s)
        rows = found.committed.look_at_running(found.rig.state_folder)
        heard = found.witness.mark() - mark
        log = agent.log()
        found.witness.stop()  # its own connection broke as well; it must be back before the agent
        found.broker.send(SIGCONT)
        found.witness.start()
        took_s = found.catch_up()
        time.sleep(1.0)
        verdict = found.finish()
        return [
            Figure(f"{name}: messages heard meanwhile", heard, "messages", "0"),
            Figure(f"{name}: noticed", yes("connecting again" in log or "lost the connection" in log), "", "yes"),
            Figure(f"{name}: rows committed meanwhile", rows, "rows", f">= {int(20 * times.frozen_s)}"),
            Figure(f"{name}: until all was told", round(took_s, 1), "s"),
            *verdict_figures(name, verdict, at_least=int(20 * times.frozen_s)),
            *life_figures(name, found),
        ]


def _frozen_and_killed(folder: Path, times: Times) -> list[Figure]:
    """What lies in a frozen broker's socket dies with it: sent is not accepted."""
    name = "frozen, then killed"
    with scene(folder) as found:
        found.start_agent()
        found.staff.start()
        time.sleep(times.before_s)
        found.broker.send(SIGSTOP)
        wait_for(lambda: found.broker.is_stopped_by_signal, 5, "the broker frozen")
        time.sleep(3.0)
        found.broker.stop(SIGKILL)
        found.broker.start()
        found.witness.listen_anew()
        took_s = found.catch_up()
        time.sleep(1.0)
        verdict = found.finish()
        asked = len(found.witness.asked())
        return [
            Figure(f"{name}: rows taken for accepted", asked, "rows asked for", "0"),
            Figure(f"{name}: until all was told", round(took_s, 1), "s"),
            *verdict_figures(name, verdict, at_least=100),
            *life_figures(name, found),
        ]


def _forgetful(folder: Path, times: Times) -> list[Figure]:
    name = "database deleted"
    stored = folder / "stored"
    lines = ("allow_anonymous true", "persistence true", f"persistence_location {stored}/", "autosave_interval 1")
    with scene(folder, lines) as found:
        stored.mkdir()
        found.start_agent()
        found.staff.start()
        time.sleep(max(times.before_s, 3))
        before = retained_topics(found.broker.port)
        found.broker.stop(SIGTERM)
        database = stored / "mosquitto.db"
        had_bytes = database.stat().st_size
        database.unlink()
        time.sleep(1.0)
        found.broker.start()
        empty = retained_topics(found.broker.port)
        found.witness.listen_anew()
        took_s = found.catch_up()
        time.sleep(1.0)
        after = retained_topics(found.broker.port)
        verdict = found.finish()
        return [
            Figure(f"{name}: its size", had_bytes, "bytes", ">= 1000"),
            Figure(f"{name}: retained topics before", len(before), "topics", ">= 10"),
            Figure(f"{name}: retained topics it came back with", len(empty), "topics"),
            Figure(f"{name}: retained topics not told again", len(before - after), "topics", "0"),
            Figure(f"{name}: until all was told", round(took_s, 1), "s"),
            *verdict_figures(name, verdict, at_least=100),
            *life_figures(name, found),
        ]


def retained_topics(port: int) -> set[str]:
    """What a stranger who subscribes now is told at once."""
    found: set[str] = set()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message = lambda _client, _userdata, message: found.add(message.topic) if message.retain else None
    client.connect("127.0.0.1", port)
    client.subscribe(f"{TOPICS}/#", 1)
    deadline = time.monotonic() + 0.7
    while time.monotonic() < deadline:
        client.loop(0.1)
    client.disconnect()
    return found


# --- refusing -------------------------------------------------------------------------------------------------------


def _refused(folder: Path, times: Times) -> list[Figure]:
    name = "one topic refused"
    acl = folder / "acl"
    lines = ("allow_anonymous true", f"acl_file {acl}")
    with scene(folder, lines, prepare=lambda: _write_acl(acl, deny=True)) as found:
        found.start_agent()
        found.staff.start()
        wait_for(lambda: "done" in found.staff.codes(), 30, "a command that makes a stock event")
        is_alarmed = comes_true(lambda: found.heard_alarm("broker-refuses", "unacknowledged"), 10)
        said = comes_true(lambda: found.heard_fault("refuses"), 10)
        time.sleep(times.before_s)
        events = len(found.witness.heard("event/"))
        found.committed.look_at_running(found.rig.state_folder)
        kept = len(found.committed.of_stream("event"))
        health = found.witness.heard("health")[-1].body["outbox"]["event"]
        _write_acl(acl, deny=False)
        found.broker.send(SIGHUP)
        wait_for(lambda: found.witness.heard("event/"), 30, "a stock event after the access rules were put right")
        took_s = found.catch_up()
        verdict = found.finish()
        return [
            Figure(f"{name}: its messages delivered meanwhile", events, "messages", "0"),
            Figure(f"{name}: its rows kept", kept, "rows", ">= 1"),
            Figure(f"{name}: alarm", yes(is_alarmed), "", "yes"),
            Figure(f"{name}: named among the health's faults", yes(said), "", "yes"),
            Figure(f"{name}: refused rows the health counts", health["refused"], "rows", ">= 1"),
            Figure(f"{name}: until all was told, once allowed", round(took_s, 1), "s"),
            *verdict_figures(name, verdict, at_least=50),
            *life_figures(name, found),
        ]


def _write_acl(acl: Path, *, deny: bool) -> None:
    lines = ["topic readwrite storeroom/#", *([f"topic deny {TOPICS}/event/#"] if deny else [])]
    acl.write_text("\n".join(lines) + "\n")
    acl.chmod(0o600)


# --- certificates ---------------------------------------------------------------------------------------------------

WRONG = {
    "stranger": "certificate is not accepted",
    "other-name": "Hostname mismatch",
    "expired": "certificate has expired",
}


def _tls(folder: Path, times: Times) -> list[Figure]:
    name = "wrong certificate"
    keys = folder.parent / "authority"
    authority.make(keys)
    secure = free_port()
    tls = ("[mqtt.tls]", f'ca_file = "{keys / "ca.crt"}"')
    rig = Rig(folder, secure, host="localhost", mqtt=tls, backlog_records=10)
    figures = []
    with scene(folder, _tls_lines(keys, secure, "good"), rig=rig) as found:
        agent = found.start_agent()
        found.staff.start()
        wait_for(lambda: found.live(0), 20, "the first reading over TLS")
        for wrong, words in WRONG.items():
            _serve_with(found, _tls_lines(keys, secure, wrong))
            mark = found.witness.mark()
            is_said = comes_true(lambda: words in agent.log(), 40)  # noqa: B023 (asked within this turn)
            time.sleep(times.wrong_s)
            told = [heard for heard in found.witness.heard(since=mark) if not heard.is_retained]
            figures += [
                Figure(f"{name}, {wrong}: refused by name", yes(is_said), "", "yes"),
                Figure(f"{name}, {wrong}: messages sent all the same", len(told), "messages", "0"),
            ]
        found.committed.look_at_running(found.rig.state_folder)
        _serve_with(found, _tls_lines(keys, secure, "good"))
        mark = found.witness.mark()
        took_s = found.catch_up()
        time.sleep(1.0)
        verdict = found.finish()
        return [
            *figures,
            Figure(f"{name}: until all was told, once right", round(took_s, 1), "s"),
            *_order_of_return(name, found, mark),
            *verdict_figures(name, verdict, at_least=200),
            *life_figures(name, found),
        ]


def _tls_lines(keys: Path, port: int, server: str) -> Sequence[str]:
    """The consumer's listener stays plain; the agent's is the second one."""
    return (
        "allow_anonymous true",
        f"listener {port} 127.0.0.1",
        *("allow_anonymous true", f"certfile {keys / f'{server}.crt'}", f"keyfile {keys / f'{server}.key'}"),
    )


def _serve_with(found: Scene, lines: Sequence[str]) -> None:
    """Mosquitto reads its certificate at start only."""
    found.broker.stop(SIGTERM)
    found.broker.lines = tuple(lines)
    found.broker.start()
    found.witness.listen_anew()


# --- a week ---------------------------------------------------------------------------------------------------------


def _week(folder: Path, times: Times) -> list[Figure]:
    """In a process of its own, so that its memory is nobody else's."""
    command = [sys.executable, "-m", "chaos_parts.week", str(times.week_days)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        raise CampaignError(f"the week without a broker failed:\n{done.stderr[-2000:]}")
    return [Figure(**json.loads(line)) for line in done.stdout.splitlines()]


ACTS = {
    "stopped": _stopped,
    "frozen": _frozen,
    "killed": _frozen_and_killed,
    "forgetful": _forgetful,
    "refused": _refused,
    "tls": _tls,
    "week": _week,
}
