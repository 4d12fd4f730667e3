"""The live table of shelves and climate that `run --table` draws; plain lines where there is no terminal."""

import shlex
import sys
from collections.abc import Iterable

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge_agent.config import Settings
from edge_agent.decide import Decision
from edge_agent.domain.alarm import AlarmState
from edge_agent.domain.instant import Instant
from edge_agent.domain.reading import Quality, Reading, Sample
from edge_agent.mqtt.messages import ROOT

PLAIN_EVERY_MS = 10_000
UNITS = {"Cel": "°C", "{counts}": "counts", "1": ""}
STYLE = {Quality.GOOD: "", Quality.UNCERTAIN: "yellow", Quality.BAD: "bold red", Quality.STALE: "yellow"}


class LiveTable:
    """Called after each cycle with its decision."""

    def __init__(self, settings: Settings, config: str, console: Console | None = None) -> None:
        self._settings = settings
        self._hint = subscribe_hint(settings, config)
        self._console = console or Console()
        self._samples: dict[str, Sample] = {}
        self._last_plain_ms: int | None = None
        self._live = Live(console=self._console, auto_refresh=False, screen=False)
        if self._console.is_terminal:
            self._live.start()
        else:
            sys.stdout.write(self._hint + "\n")
            sys.stdout.flush()

    def __call__(self, decision: Decision, now: Instant) -> None:
        self._samples.update((sample.point, sample) for sample in decision.samples)
        if self._console.is_terminal:
            self._live.update(self.drawn(decision, now), refresh=True)
        elif self._last_plain_ms is None or now.mono_ms - self._last_plain_ms >= PLAIN_EVERY_MS:
            self._last_plain_ms = now.mono_ms
            sys.stdout.write(self.line(now) + "\n")
            sys.stdout.flush()

    def close(self) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def line(self, now: Instant) -> str:
        samples = [(point, _usual(sample)) for point, sample in sorted(self._samples.items())]
        shown = (f"{point} {', '.join(map(shown_value, readings))}" for point, readings in samples if readings)
        return f"{now.rfc3339()}  " + " | ".join(shown)

    def drawn(self, decision: Decision, now: Instant) -> Group:
        shelves = {shelf.name for shelf in self._settings.shelves}
        alarms = [a for a in decision.memory.alarms.values() if a.state is not AlarmState.NORMAL]
        parts: list[Table | Text] = [Text(f"{self._settings.node.site}/{self._settings.node.name}  {now.rfc3339()}")]
        parts += [
            self._table("Climate", [s for p, s in sorted(self._samples.items()) if p not in shelves and _usual(s)]),
            self._table("Shelves", [s for p, s in sorted(self._samples.items()) if p in shelves]),
        ]
        parts += [
            Text(f"{alarm.priority.value}: {alarm.message}. {alarm.action}.", style="bold red") for alarm in alarms
        ]
        parts.append(Text(self._hint, style="dim"))
        return Group(*parts)

    def _table(self, title: str, samples: Iterable[Sample]) -> Table:
        table = Table("point", "values", "quality", "at", title=title, title_justify="left", expand=True)
        for sample in samples:
            worst = max((r.quality for r in sample.readings), key=list(Quality).index)
            fault = next((r.fault for r in sample.readings if r.fault), "")
            table.add_row(
                sample.point,
                "  ".join(map(shown_value, _usual(sample))),
                Text(f"{worst.value} {fault}".strip(), style=STYLE[worst]),
                sample.at.rfc3339()[11:19],
            )
        return table


def _usual(sample: Sample) -> list[Reading]:
    """Raw counts are for the diagnosis of a scale: its shelf says what lies there."""
    return [reading for reading in sample.readings if reading.channel.quantity != "counts"]


def shown_value(reading: Reading) -> str:
    if reading.value is None:
        return f"{reading.channel.quantity} -"
    unit = UNITS.get(reading.channel.unit, reading.channel.unit)
    digits = 0 if reading.channel.unit in ("{counts}", "1") else 1
    return f"{reading.channel.quantity} {reading.value:.{digits}f} {unit}".rstrip()


def subscribe_hint(settings: Settings, config: str) -> str:
    mqtt = settings.mqtt
    topic = f"{ROOT}/{settings.node.site}/{settings.node.name}/#"
    command = shlex.quote(sys.argv[0])
    listen = f"Listen in: mosquitto_sub -h {mqtt.host} -p {mqtt.port} -t '{topic}' -v"
    return f"{listen}\nor, in another terminal: {command} watch --config {config}"
