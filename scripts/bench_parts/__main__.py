"""scripts/bench: how fast, how lean, how many bytes to the card.

  scripts/bench                      the short ones: storage, ready, drain, replay, latency
  scripts/bench --full               all of them, the ten minutes of wear and lean and the climate recordings included
  scripts/bench wear --minutes 10    bytes written to the disk per reading, the whole agent publishing to a Mosquitto
  scripts/bench lean --minutes 60    processor, memory and its growth, in the same kind of run
  scripts/bench climate              every cell of the recorded traces, checked by a reader of its own
  scripts/bench inference            what the models cost: time a row, memory, the whole agent with all of them
  scripts/bench shadow               how often a new model is rightly promoted: worlds whose truth is known
  scripts/bench wear-shop --minutes 20   what lots and forecasts add to wear and lean, beside an agent without them
  scripts/bench lives                200 lots reckoned anew each hour: time, rows, memory
  scripts/bench forecast             the night of 500 products: learning, forecasts, memory of the whole agent
  scripts/bench imports              a till's file beside the running agent: its longest wait, kills, memory
  scripts/bench demand               forecasts against the best simple method, on every set of sales that is here
  scripts/bench demand-agreement     our scoring and simple methods beside those of the yardstick
  scripts/bench demand-lightgbm      our forecasts beside LightGBM's, grown on the shop's own history
  scripts/bench weighing             simulated shelves, 30 days at 10 samples/s, and a judge who knows the truth
  scripts/bench hive --plot DIR      five real scales, their loads and drop-outs looked for by a detector of its own
  scripts/bench weighing-cost        what eight load cells at 10 samples/s cost the processor
  scripts/bench weighing-wear        bytes that busy shelves cost the card, beside their readings
  scripts/bench weighing-latency     from a step on a scale to its event at the broker
  scripts/bench record               a year of the inspector's record: report, chain, a tampered line
  scripts/bench weighing-kill        the agent killed around movements; then the ledger is what lies on the shelves
  scripts/bench alarms --days 10     four simulated zones with planted faults, 90 days; a judge who knows the truth
  scripts/bench alarm-latency        from a condition to the light, from a press to the light: a hundred times
  scripts/bench coldstore            a real cold store: episodes, false alarms, defrosts, against the raw recording
  scripts/bench fridge-door          a real refrigerator at 1 Hz: its door, against the raw recording

Run it on the disk that is to be measured: files go into a directory below --directory (default: the current one),
which must not be in memory. Exit code: 0 every goal met; 1 a goal missed; 2 usage; 3 something could not be measured;
77 something had to be skipped and nothing else failed.
"""

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from chaos_parts.children import CampaignError
from chaos_parts.figures import EXIT_IMPOSSIBLE, Figure, exit_code, show

SHORT = ("storage", "ready", "drain", "replay", "latency")
WEIGHING = ("weighing", "hive", "weighing-cost", "weighing-wear", "weighing-latency", "weighing-kill")
ALARMS = ("alarms", "alarm-latency", "place-cost", "coldstore", "fridge-door")
AGENT = ("storage", "wear", "lean", "ready", "drain", "replay", "latency", "climate")
DEMAND = ("demand", "demand-agreement", "demand-lightgbm")
SHOP = ("inference", "shadow", "lives", "forecast", "imports", "wear-shop", *DEMAND)
PARTS = (*AGENT, *WEIGHING, *ALARMS, "record", *SHOP)
ONE_RUN = ("wear", "lean")  # asked for together, they are measured together
MODULES = {"wear": "live", "lean": "live", "wear-shop": "live_shop"}  # of the others each has the name of its part


def main(argv: Sequence[str] | None = None) -> int:
    args = _arguments(argv)
    began_s = time.monotonic()

    def say(words: str) -> None:
        print(f"{time.monotonic() - began_s:7.1f} s  {words}", file=sys.stderr, flush=True)

    figures: list[Figure] = []
    say(f"load of this machine before the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    try:
        with tempfile.TemporaryDirectory(dir=args.directory, prefix="edge-agent-bench-") as folder:
            for names in _together(args.parts or (PARTS if args.full else SHORT)):
                name = MODULES.get(names[0], names[0].replace("-", "_"))
                module = importlib.import_module(f"bench_parts.{name}")
                found = module.measure(args, Path(folder), say, names)
                figures += found
                show(f"bench {' and '.join(names)}", found, is_json=args.json)
    except CampaignError as error:
        print(f"bench: {error}", file=sys.stderr)
        return EXIT_IMPOSSIBLE
    return exit_code(figures)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """argparse's ``choices`` would refuse that no part is named at all."""
    parser = _parser()
    args = parser.parse_args(argv)
    for part in args.parts:
        if part not in PARTS:
            parser.error(f"{part}: must be one of {', '.join(PARTS)}")
    return args


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--full", action="store_true", help="all of them")
    parser.add_argument(
        "--minutes", type=_minutes, default=10.0, metavar="M", help="wear, lean, wear-shop, weighing-cost (10)"
    )
    parser.add_argument("--hours", type=float, default=4.0, metavar="H", help="weighing-wear: simulated (default: 4)")
    parser.add_argument("--messages", type=int, default=100_000, metavar="N", help="drain (default: %(default)d)")
    parser.add_argument(
        "--times", type=int, metavar="N", help="replay: medians of so many (default: 3); weighing-kill: movements (500)"
    )
    parser.add_argument("--only", metavar="WORD", help="climate, coldstore, demand, imports: those with that word")
    parser.add_argument("--quick", action="store_true", help="weighing: six half days; demand: 3 origins")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="weighing, alarms: another world (1)")
    parser.add_argument("--days", type=_days, default=90.0, metavar="D", help="alarms: so many (default: %(default)g)")
    parser.add_argument("--seeds", type=_seeds, metavar="N,N,...", help="weighing: several worlds, judged together")
    parser.add_argument("--shelf", type=int, metavar="N", help="weighing: this one alone")
    parser.add_argument("--restarts", action="store_true", help="weighing: with power cuts")
    parser.add_argument("--act", choices=("losses",), help="weighing: leaks, drying, catch weight, temperature instead")
    parser.add_argument("--stages", action="store_true", help="weighing: what each stage is worth")
    parser.add_argument("--float", metavar="FILE", help="demand: the net before it was quantised, a .tflite")
    parser.add_argument("--models", type=Path, metavar="DIR", help="demand-lightgbm: where the model lies (shipped)")
    parser.add_argument("--yardstick", metavar="SCRIPT", help="demand-agreement, demand-lightgbm: what we are held to")
    parser.add_argument(
        "--yardstick-python", metavar="FILE", default="python3", help="the same: that has its packages (%(default)s)"
    )
    parser.add_argument(
        "--gigabytes", type=_gigabytes, default=0.25, metavar="G", help="imports: the long file (default: %(default)g)"
    )
    parser.add_argument("--plot", metavar="DIR", help="draw there what was found (needs matplotlib)")
    parser.add_argument(
        "--directory", type=_directory, default=".", metavar="DIR", help="on the disk to be measured (default: here)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line: name, value, unit, goal")
    return parser


def _minutes(text: str) -> float:
    minutes = float(text)
    if minutes < 0.5:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 0.5, or the start is all there is")
    return minutes


def _days(text: str) -> float:
    days = float(text)
    if not 4 <= days <= 366:
        raise argparse.ArgumentTypeError(f"{text}: must be 4 to 366: in the first three nothing goes wrong")
    return days


def _gigabytes(text: str) -> float:
    size = float(text)
    if not 0.05 <= size <= 16:
        raise argparse.ArgumentTypeError(f"{text}: must be 0.05 to 16")
    return size


def _directory(text: str) -> str:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text}: must be a directory that exists")
    return text


def _seeds(text: str) -> tuple[int, ...]:
    """
    >>> _seeds("6,7,8")
    (6, 7, 8)
    """
    if not all(part.strip().isdecimal() for part in text.split(",")):
        raise argparse.ArgumentTypeError(f"{text}: must be whole numbers with commas between them, as 6,7,8")
    return tuple(int(part) for part in text.split(","))


def _together(parts: Sequence[str]) -> list[tuple[str, ...]]:
    both = tuple(part for part in ONE_RUN if part in parts)
    runs: list[tuple[str, ...]] = []
    for part in parts:
        run = both if part in ONE_RUN else (part,)
        if run not in runs:
            runs.append(run)
    return runs


if __name__ == "__main__":
    sys.exit(main())
