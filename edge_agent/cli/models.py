"""The models on this node: which are in use, whether their files are whole, and how others take their place.

edge-agent models list --json | jq .version
edge-agent models verify                          every file: signature, hash, graph, recorded answers
edge-agent models verify demand-1.4.model         a bundle before it is installed
edge-agent models install demand-1.4.model        it runs in shadow beside the one in use, and is compared
edge-agent models promote demand                  the shadow takes its place now
edge-agent models rollback demand                 the shadow goes; without one, the model before comes back
edge-agent models sign --key office.key --name office models/demand.tflite      makes a bundle, to be sent to nodes

A running agent is asked over its socket or inbox, and uses the change at once; of a stopped one the files are changed.
Exit code 1 when a model is refused, 6 when a change is.
"""

import argparse
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from edge_agent.cli.command import ask, tell
from edge_agent.cli.common import (
    above_0,
    add_config,
    add_json,
    add_state,
    console,
    machine_now,
    name_word,
    print_json,
    settings,
    state_directory,
    without_complaints,
)
from edge_agent.cli.exits import CliError, Exit
from edge_agent.cli.local import ask_locally
from edge_agent.config import Settings
from edge_agent.decide.models import Action, read
from edge_agent.domain.command import Command, CommandResult, Verb
from edge_agent.inference.bundle import TYPE, packed
from edge_agent.inference.card import MAX_CARD_BYTES, MAX_FILE_BYTES, ModelCard, read_card
from edge_agent.inference.errors import ModelRefused
from edge_agent.mqtt.signed import encoded, envelope
from edge_agent.service.lock import StateLock
from edge_agent.service.model_store import FOLDER, MAX_BUNDLE_BYTES
from edge_agent.service.models import Found, Known, Models, models_of, opened, told_faults
from edge_agent.setup.running import holder
from edge_agent.storage.errors import StorageBusy

VALID_DAYS, LONGEST_DAYS = 30.0, 3650.0
_REPORT = "edge_agent.cli.models_report"


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    found = actions.add_parser("list", help="which models there are, and which version is in use")
    _add_common(found)
    found = actions.add_parser("verify", help="open every file, or one bundle; say what is wrong")
    found.add_argument("what", nargs="?", metavar="NAME|FILE", help="a model, or a bundle (default: all models here)")
    _add_common(found)
    found = actions.add_parser("install", help="put a signed bundle beside the model in use")
    found.add_argument("file", type=Path, help="made by `edge-agent models sign`")
    _add_common(found)
    for action, words in (("promote", "the shadow takes the place of the model in use"), ("rollback", "one step back")):
        found = actions.add_parser(action, help=words)
        found.add_argument("name", help="of the model, see `edge-agent models list`")
        found.add_argument("--reason", default="", help="in words; kept with the change")
        _add_common(found)
    _add_sign(actions.add_parser("sign", help="make a bundle of a .tflite file and the card beside it"))
    if find_spec(_REPORT) is not None:
        report = actions.add_parser("report", help="how right the forecasts were lately, against the simple methods")
        import_module(_REPORT).add_arguments(report, name)


def _add_common(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    add_state(parser)
    add_json(parser)


def _add_sign(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE.tflite", help="its card is FILE.json")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="private key, by `edge-agent key new`")
    parser.add_argument("--name", type=name_word, required=True, help="what [[models.key]] of the nodes calls the key")
    days = f"it may be installed for so long (default: {VALID_DAYS:g})"
    parser.add_argument("--valid-days", type=_days, default=VALID_DAYS, metavar="D", help=days)
    parser.add_argument("--out", type=Path, metavar="FILE", help="the bundle (default: NAME-VERSION.model)")
    add_json(parser)


def _days(text: str) -> float:
    return above_0(text, LONGEST_DAYS, "days")


def run(args: argparse.Namespace) -> Exit:
    if args.action == "report":
        return Exit(import_module(_REPORT).run(args))
    if args.action == "sign":
        return _sign(args)
    chosen = settings(args.config)
    with without_complaints("edge_agent.service"):
        if args.action == "list":
            return _list(args, _models(args, chosen))
        if args.action == "verify":
            return _verify(args, _models(args, chosen))
        return tell(change(args, chosen), as_json=args.json, in_words=True)


def _models(args: argparse.Namespace, chosen: Settings) -> Models:
    return models_of(chosen.models, Path(args.state or chosen.storage.directory))


# --- looking ----------------------------------------------------------------------------------------------------------


def _list(args: argparse.Namespace, models: Models) -> Exit:
    found = models.known()
    for known in found:
        if args.json:
            print_json(told(models, known))
    if not args.json:
        _show(models, found)
    return Exit.FAULT if any(map(told_faults, found)) else Exit.OK


def told(models: Models, known: Known) -> dict[str, object]:
    in_use = known.usable[0] if known.usable else None
    compared = models.compared(known.name)
    return {
        "model": known.name,
        "version": in_use and in_use.card.version,
        "origin": in_use and in_use.origin,
        "task": in_use and in_use.card.task,
        "made_at": in_use and in_use.card.made_at.isoformat(),
        "sha256": in_use and in_use.card.sha256,
        "bytes": in_use and in_use.card.size_bytes,
        "trained_on": [f"{one.name} ({one.terms})" for one in in_use.card.training] if in_use else [],
        "shadow": None if known.shadow is None else known.shadow.card.version,
        "comparison": None if compared is None else compared[1].reason,
        "decision": models.decided(known.name)[0] or None,
        "decided_at": models.decided(known.name)[1] or None,
        "faults": list(told_faults(known)),
    }


def _show(models: Models, found: list[Known]) -> None:
    from rich.table import Table

    if not found:
        console().print("no models are here: neither in the programme nor installed")
        return
    table = Table("model", "in use", "from", "made", "kB", "shadow", "what is wrong")
    for known in found:
        row = told(models, known)
        size, made = row["bytes"], row["made_at"]
        shadow = f"{row['shadow']}: {row['comparison']}" if row["shadow"] else "-"
        faults = row["faults"]
        table.add_row(
            known.name,
            str(row["version"] or "none"),
            str(row["origin"] or "-"),
            str(made)[:10] if made else "-",
            f"{size / 1000:.1f}" if isinstance(size, int) else "-",
            shadow,
            "\n".join(faults) if isinstance(faults, list) else "",
        )
    console().print(table)
    for known in found:
        words, when = models.decided(known.name)
        if words:
            print(f"{when[:16].replace('T', ' ')} {words}")


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    fault: str  # empty: sound


def _verify(args: argparse.Namespace, models: Models) -> Exit:
    if args.what is not None and Path(args.what).is_file():
        findings = [_bundle_finding(models, Path(args.what))]
    else:
        findings = list(_findings(models, args.what))
    for finding in findings:
        if args.json:
            print_json({"what": finding.what, "sound": not finding.fault, "fault": finding.fault or None})
        else:
            print(f"{finding.what}: {finding.fault or 'sound'}")
    return Exit.FAULT if any(finding.fault for finding in findings) else Exit.OK


def _findings(models: Models, name: str | None) -> Iterator[Finding]:
    here = models.known()
    chosen = [known for known in here if name in (None, known.name)]
    if name is not None and not chosen:
        names = ", ".join(known.name for known in here) or "none"
        raise CliError(Exit.USAGE, f"{name}: is no file and no model here; must be one of {names}")
    for known in chosen:
        for found in (*known.usable, *([known.shadow] if known.shadow else [])):
            yield Finding(f"{known.name} {found.card.version} ({found.origin})", _opening_fault(found))
        for fault in told_faults(known):
            yield Finding(known.name, fault)


def _bundle_finding(models: Models, file: Path) -> Finding:
    try:
        bundle = models.unsealed(_content(file, MAX_BUNDLE_BYTES))
    except ModelRefused as error:
        return Finding(str(file), str(error))
    fault = _opening_fault(Found(bundle.card, bundle.file, "bundle"))
    if not fault and bundle.expires_at < datetime.now(UTC):
        fault = f"it was to be installed until {bundle.expires_at.isoformat(timespec='seconds')}"
    return Finding(f"{file}: {bundle.card.name} {bundle.card.version}", fault)


def _opening_fault(found: Found) -> str:
    try:
        opened(found)
    except ModelRefused as error:
        return str(error)
    return ""


# --- changing ---------------------------------------------------------------------------------------------------------


def change(args: argparse.Namespace, chosen: Settings) -> CommandResult:
    """By the agent that runs here, or on the files of a stopped one."""
    wanted = _wanted(args)
    answer = ask_locally(chosen, Verb.MODEL, wanted) if args.state is None else None
    if answer is not None:
        return answer
    directory = state_directory(chosen, args.state)
    if holder(directory) is not None:
        return ask(directory, Verb.MODEL, wanted)
    return _changed_files(chosen, Path(args.state or chosen.storage.directory), wanted)


def _wanted(args: argparse.Namespace) -> dict[str, object]:
    if args.action != Action.INSTALL:
        return {"action": args.action, "name": args.name} | ({"reason": args.reason} if args.reason else {})
    try:
        bundle = json.loads(_content(args.file, MAX_BUNDLE_BYTES))
    except (ValueError, RecursionError) as error:
        raise CliError(Exit.USAGE, f"{args.file}: is no bundle made by `edge-agent models sign`: {error}") from error
    return {"action": Action.INSTALL.value, "bundle": bundle}


def _changed_files(chosen: Settings, directory: Path, wanted: Mapping[str, object]) -> CommandResult:
    command = Command(f"cli-{uuid.uuid4()}", Verb.MODEL, wanted, "cli", machine_now())
    try:
        asked = read(command)
    except ValueError as error:
        raise CliError(Exit.USAGE, str(error)) from error
    with closing(StateLock()) as lock:
        try:
            lock.hold(directory)
        except StorageBusy as error:  # it was started this moment
            raise CliError(Exit.NO_AGENT, str(error)) from error
        result = models_of(chosen.models, directory).change(asked, machine_now())
        _give_to_owner(directory)
    return result


def _give_to_owner(directory: Path) -> None:
    """What root writes the agent must be able to replace."""
    if os.geteuid() != 0:
        return
    with suppress(OSError):
        owner = directory.stat()
        for path in (directory / FOLDER, *(directory / FOLDER).rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


# --- signing ----------------------------------------------------------------------------------------------------------


def _sign(args: argparse.Namespace) -> Exit:
    from edge_agent.cli.sign import private_key, require_library

    require_library()
    card_bytes = _content(args.file.with_suffix(".json"), MAX_CARD_BYTES)
    file = _content(args.file, MAX_FILE_BYTES)
    card = _card(args.file, card_bytes)
    fault = _opening_fault(Found(card, file, "file"))
    if fault:
        raise CliError(Exit.FAULT, f"{args.file}: no node would take it: {fault}")
    now = datetime.now(UTC)
    body = packed(card_bytes, file, now, now + timedelta(days=args.valid_days))
    content = json.dumps(envelope(args.name, body, private_key(args.key).sign(encoded(body, TYPE)))).encode()
    out = args.out or Path(f"{card.name}-{card.version}.model")
    try:
        out.write_bytes(content)
    except OSError as error:
        raise CliError(Exit.FAULT, f"{out}: {error.strerror}") from error
    if args.json:
        print_json({"file": str(out), "model": card.name, "version": card.version, "bytes": len(content)})
    else:
        until = f"to be installed within {args.valid_days:g} days"
        print(f"{out}: {card.name} {card.version}, {len(content)} bytes, {until}")
    return Exit.OK


def _card(file: Path, content: bytes) -> ModelCard:
    try:
        return read_card(content)
    except ModelRefused as error:
        raise CliError(Exit.FAULT, f"{file.with_suffix('.json')}: {error}") from error


def _content(file: Path, most: int) -> bytes:
    try:
        with file.open("rb") as found:
            content = found.read(most + 1)
    except OSError as error:
        raise CliError(Exit.FAULT, f"{file}: {error.strerror}") from error
    if len(content) > most:
        raise CliError(Exit.FAULT, f"{file}: has more than {most} bytes")
    return content
