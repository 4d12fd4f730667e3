"""Sign commands for nodes elsewhere: the payload to publish is told, nothing is sent. Needs the extra `signed`.

edge-agent key new office.key                           makes a key pair; tells what to write into the configurations
edge-agent key show office.key
edge-agent command sign --key office.key --name office --site elm-street --node a1 tare shelf=shelf-1
edge-agent command sign --key office.key --name office --site elm-street --node all --valid-s 300 set place=cold-room high_c=6
edge-agent command sign --key office.key --name office --site elm-street --node a1 model action=install bundle=@demand-1.4.model

Publish it to storeroom/v1/{site}/{node}/cmd/{verb}, not retained, within its time:
  edge-agent command sign --key office.key --name office --site elm-street --node a1 reload | mosquitto_pub -q 1 -s -t storeroom/v1/elm-street/a1/cmd/reload
"""  # noqa: E501

import argparse
import base64
import json
import os
import secrets
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.common import above_0, add_json, name_word, print_json
from edge_agent.cli.exits import CliError, Exit
from edge_agent.cli.pairs import pair
from edge_agent.domain.command import Verb
from edge_agent.mqtt.commands import MAX_SIGNED_S
from edge_agent.mqtt.signed import encoded, envelope

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

VALID_S = 60.0
FROM_FILES = ("bundle",)  # arguments that may be @FILE: no command line takes 100 kB


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    if name == "key":
        parser.add_argument("action", choices=("new", "show"), help="make one; tell the public half of one")
        parser.add_argument("file", type=Path, help="with the private half: for whoever signs, and nobody else")
        add_json(parser)
        return
    limit = f"at most {MAX_SIGNED_S:g} (default: {VALID_S:g})"
    parser.add_argument("action", choices=("sign",), help="make the payload of a signed command")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="private key, by `edge-agent key new`")
    parser.add_argument(
        "--name", type=name_word, required=True, help="what the configurations of the nodes call the key"
    )
    parser.add_argument("--site", type=name_word, required=True)
    parser.add_argument("--node", type=name_word, required=True, help='or "all"')
    parser.add_argument("--valid-s", type=_valid_s, default=VALID_S, metavar="S", help=limit)
    parser.add_argument("verb", choices=[verb.value for verb in Verb], metavar="VERB")
    parser.add_argument("arguments", nargs="*", type=pair, default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true", help="as always: the payload is JSON")


def _valid_s(text: str) -> float:
    return above_0(text, MAX_SIGNED_S, "s")


def require_library() -> None:
    """Raises CliError."""
    try:
        import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401 (optional)
    except ImportError as error:
        raise CliError(Exit.FAULT, "signatures need the extra `signed`: pip install 'edge-agent[signed]'") from error


def run(args: argparse.Namespace) -> Exit:
    require_library()
    if args.action == "new":
        _make(args.file)
    if args.action in ("new", "show"):
        return _show(args.file, as_json=args.json)
    print_json(signed(args, datetime.now(UTC)))
    return Exit.OK


def signed(args: argparse.Namespace, now: datetime) -> dict[str, str]:
    body = {
        "site": args.site,
        "node": args.node,
        "verb": args.verb,
        "cmd_id": str(uuid.uuid4()),
        "nonce": secrets.token_urlsafe(24),
        "issued_at": _time(now),
        "expires_at": _time(now + timedelta(seconds=args.valid_s)),
    }
    twice = [key for key, _ in args.arguments if key in body]
    if twice:
        raise CliError(Exit.USAGE, f"{twice[0]}: is made here, and cannot be given")
    given = {key: _from_file(value) if key in FROM_FILES else value for key, value in args.arguments}
    content = json.dumps(body | given, ensure_ascii=False).encode()
    return envelope(args.name, content, private_key(args.key).sign(encoded(content)))


def _from_file(value: object) -> object:
    if not isinstance(value, str) or not value.startswith("@"):
        return value
    file = Path(value.removeprefix("@"))
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise CliError(Exit.FAULT, f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise CliError(Exit.USAGE, f"{file}: is not JSON: {error}") from error


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _make(file: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    text = base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()) + b"\n"
    try:
        with open(file, "xb", opener=_private_opener) as out:
            out.write(text)
    except FileExistsError as error:
        raise CliError(Exit.USAGE, f"{file}: is there already; a key is never overwritten") from error
    except OSError as error:
        raise CliError(Exit.FAULT, f"{file}: {error.strerror}") from error


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def private_key(file: Path) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(file.read_bytes().strip(), validate=True))
    except OSError as error:
        raise CliError(Exit.FAULT, f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise CliError(Exit.FAULT, f"{file}: is no key made by `edge-agent key new`: {error}") from error


def _show(file: Path, *, as_json: bool) -> Exit:
    public = base64.b64encode(private_key(file).public_key().public_bytes_raw()).decode()
    if as_json:
        print_json({"public_key": public})
    else:
        head = "[[commands.key]]  # or [[models.key]], of one that signs models"
        sys.stdout.write(f'{head}\nname = "{_name(file)}"\npublic_key = "{public}"\n')
    return Exit.OK


def _name(file: Path) -> str:
    """
    >>> _name(Path("/home/ann/Head Office.key"))
    'head-office'
    """
    return file.stem.lower().replace(" ", "-").replace("_", "-")[:32]
