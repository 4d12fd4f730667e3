"""Play recorded traces through the whole agent, as fast as it can, on a simulated clock.

The recorded values go into the registers of simulated chips; the real drivers read them; everything after
that is the agent as it runs in a storeroom. Every message that would go to the broker becomes one JSON object
a line: at, topic, qos, retain, payload.

  edge-agent replay config/replay/saveris.toml --trace saveris_values.csv.gz --out messages.jsonl
  edge-agent replay config/replay/saveris.toml --trace saveris_values.csv.gz --lots lots.csv --out messages.jsonl
  edge-agent replay config/replay/hive.toml --trace hive_scale_5min.csv.gz --out - | head
"""

import argparse
import contextlib
import io
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console

from edge_agent.cli.common import folder, print_json, settings, without_complaints
from edge_agent.cli.exits import CliError, Exit
from edge_agent.config import Settings
from edge_agent.domain.instant import Instant
from edge_agent.domain.settings import SettingsError
from edge_agent.drivers.errors import BoardError
from edge_agent.exchange.lots import LotFault, LotRow, read_lots
from edge_agent.service.replaying import Summary, replay
from edge_agent.storage.errors import StorageError

PROGRESS_EVERY = 500  # cycles
SHOWN_REMARKS = 20
# What these complain of was recorded long ago: sensors that failed, a clock that stepped. It stands in the messages.
OF_THE_RECORDING = ("edge_agent.service.polling", "edge_agent.service.routine", "hardware_mocks.replay_board")


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("config", metavar="CONFIG", help='a configuration with board.kind = "replay"')
    parser.add_argument("--trace", metavar="FILE", action="append", help="CSV, or CSV in gzip; may be given again")
    parser.add_argument("--lots", metavar="CSV", help="deliveries that lie in the recorded climate: docs/lots.md")
    parser.add_argument("--out", metavar="FILE", default="-", help="where the messages go; - is standard output")
    parser.add_argument("--state", metavar="DIR", type=folder, help="keep the agent's files (default: thrown away)")
    parser.add_argument("--json", action="store_true", help="the summary as one JSON object, on standard error")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell the recording's faults as they are played")
    parser.add_argument("--quiet", "-q", action="store_true", help="no progress and no summary")


def run(args: argparse.Namespace) -> Exit:
    chosen = settings(args.config)
    _refuse_to_overwrite(args.out, args.trace or getattr(chosen.board.settings, "files", ()))
    lots = [] if args.lots is None else _lots(args.lots, chosen)
    console = Console(stderr=True, quiet=args.quiet)
    began_s = time.monotonic()
    with (
        without_complaints(*(() if args.verbose else OF_THE_RECORDING)),
        _out(args.out) as out,
        _directory(args.state) as directory,
        console.status("playing the trace") as status,
    ):

        def show(cycles: int, now: Instant) -> None:
            if cycles % PROGRESS_EVERY == 0:
                status.update(f"{now.rfc3339()}  {cycles} moments")

        try:
            summary = replay(chosen, args.trace or (), out, directory, threading.Event(), show, lots)
        except SettingsError as error:
            raise CliError(Exit.CONFIG, f"{args.config}: board: {error}") from error
        except BoardError as error:
            raise CliError(Exit.BAD_TRACE, str(error)) from error
        except StorageError as error:
            raise CliError(Exit.FAULT, str(error)) from error
    if not args.quiet or args.json:
        _tell(console, summary, time.monotonic() - began_s, as_json=args.json)
    return Exit.OK


def _lots(name: str, chosen: Settings) -> list[LotRow]:
    try:
        text = Path(name).read_text("utf-8-sig")
        return read_lots(text, [each.gtin for each in chosen.products], [each.name for each in chosen.places])
    except OSError as error:
        raise CliError(Exit.USAGE, f"--lots {name}: {error.strerror}") from error
    except (LotFault, UnicodeDecodeError) as error:
        raise CliError(Exit.USAGE, f"--lots {name}: {error}") from error


def _tell(console: Console, summary: Summary, took_s: float, *, as_json: bool) -> None:
    told = {
        "moments": summary.cycles,
        "set_aside": len(summary.remarks),
        "messages": summary.messages,
        "simulated_s": round(summary.simulated_s),
        "took_s": round(took_s, 2),
        "times_real_time": round(summary.simulated_s / took_s) if took_s else None,
    }
    if as_json:
        print_json(told | ({"lots": list(summary.lots)} if summary.lots else {}), sys.stderr)
        return
    console.print(", ".join(f"{key.replace('_', ' ')} {value}" for key, value in told.items()))
    for lot in summary.lots:
        console.print(", ".join(f"{key} {value}" for key, value in lot.items()), markup=False, soft_wrap=True)
    for line in summary.remarks[:SHOWN_REMARKS]:
        console.print(f"set aside: {line}", markup=False, soft_wrap=True)
    if len(summary.remarks) > SHOWN_REMARKS:
        console.print(f"... and {len(summary.remarks) - SHOWN_REMARKS} more")


def _refuse_to_overwrite(out: str, traces: Sequence[str]) -> None:
    for trace in traces:
        with contextlib.suppress(OSError):  # one of them is not there: whoever opens it says so
            if out != "-" and os.path.samefile(out, trace):
                raise CliError(Exit.USAGE, f"--out {out}: is the recording {trace} itself: name another file")


class LateFile(io.RawIOBase):
    """Opened with the first bytes that go into it: a trace that cannot be played empties no file.

    Raises CliError where it cannot be opened or written.
    """

    def __init__(self, name: str, opened: Callable[[], BinaryIO]) -> None:
        self._name, self._open = name, opened
        self._file: BinaryIO | None = None
        self._is_over = False

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        if self._is_over:  # told already; what is left in the buffer before us is of no use
            return memoryview(content).nbytes
        try:
            if self._file is None:
                self._file = self._open()
            return self._file.write(content)
        except OSError as error:
            self._is_over = True
            if isinstance(error, BrokenPipeError):
                raise
            code = Exit.USAGE if self._file is None else Exit.FAULT
            raise CliError(code, f"{self._name}: {error.strerror}") from error

    def finish(self) -> None:
        """Of a recording without a message there is an empty file."""
        self.write(b"")


@contextlib.contextmanager
def _out(name: str) -> Iterator[BinaryIO]:
    with contextlib.ExitStack() as stack:
        if name == "-":
            late = LateFile("standard output", lambda: sys.stdout.buffer)
        else:
            late = LateFile(f"--out {name}", lambda: stack.enter_context(Path(name).open("wb", buffering=0)))
        out = io.BufferedWriter(late)
        try:
            yield out
            out.flush()
            late.finish()
        finally:
            out.close()


@contextlib.contextmanager
def _directory(state: str | None) -> Iterator[str]:
    if state is not None:
        yield state
        return
    with tempfile.TemporaryDirectory(prefix="edge-agent-replay-") as directory:
        yield directory
