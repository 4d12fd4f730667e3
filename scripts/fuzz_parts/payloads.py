"""Payloads by kind: lawful ones with the effect they must have, and everything else, which must have none."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.domain.command import Verb
from edge_agent.domain.lot import PACKAGINGS
from edge_agent.mqtt.signed import encoded, envelope
from fuzz_parts import bundles
from fuzz_parts.room import GTIN, NODE, PLACE, SHELF, SITE

BASE = f"storeroom/v1/{SITE}/{NODE}/cmd/"
DANGEROUS = ("tare", "zero", "calibrate", "set", "reload", "out-of-service", "model")
WORDS = ("shelf", "place", "cmd_id", "high_c", "key", "signed", "signature", "verb", "who", "alarm", "units", "nonce")
RESULTS = frozenset(("invalid", "unauthorized", "unsupported", "expired", "duplicate", "unstable", "busy", "hw_fault"))
HARMLESS = ("ping", "identify", "test-alarm")  # need neither arguments nor a key
SILENT = frozenset(("silent",))
_TOLD = ("receive", "waste")  # are lines of the record; the others show in the lots alone


@dataclass(frozen=True, slots=True)
class Payload:
    kind: str
    topic: str
    body: bytes
    expected: frozenset[str]  # codes it may be answered with; "silent": no answer
    effect: tuple[Any, ...] = ()  # of a lawful one: what it does, for the model
    cmd_id: str = ""
    retain: bool = False
    expiry_s: int | None = None


@dataclass(slots=True)
class Forge:
    """Makes payloads; holds the keys and remembers what was sent, to send it again."""

    random: Random
    now: Callable[[], float]  # wall time of the node, s
    sent: list[Payload] = field(default_factory=list)  # lawful and signed
    count: int = 0
    office: Ed25519PrivateKey = field(init=False)
    till: Ed25519PrivateKey = field(init=False)
    thief: Ed25519PrivateKey = field(init=False)
    maker: Ed25519PrivateKey = field(init=False)  # of models

    def __post_init__(self) -> None:
        self.office, self.till, self.thief, self.maker = (
            Ed25519PrivateKey.from_private_bytes(self.random.randbytes(32)) for _ in range(4)
        )

    def tables(self) -> list[str]:
        """What the node is configured with: `till` may sign tares only, the thief's key is unknown."""
        return [
            f'[[commands.key]]\nname = "{name}"\npublic_key = "{_public(key)}"\nverbs = {json.dumps(verbs)}\n'
            for name, key, verbs in (("office", self.office, ["all"]), ("till", self.till, ["tare"]))
        ] + [f'[[models.key]]\nname = "maker"\npublic_key = "{_public(self.maker)}"\n']

    def make(self) -> Payload:
        self.count += 1
        makers, weights = zip(*_KINDS.values(), strict=True)
        maker = self.random.choices(makers, weights)[0]
        return maker(self)

    # --- what the kinds are made of ---

    def cmd_id(self) -> str:
        return f"f-{self.count}-{self.random.getrandbits(40):x}"

    def nonce(self) -> str:
        return f"{self.random.getrandbits(128):032x}"

    def signed(
        self,
        verb: str,
        arguments: Mapping[str, Any],
        key: Ed25519PrivateKey | None = None,
        name: str = "office",
        /,
        **changes: Any,
    ) -> tuple[bytes, str]:
        now = self.now()
        body = {
            "site": SITE,
            "node": NODE,
            "verb": verb,
            "cmd_id": self.cmd_id(),
            "nonce": self.nonce(),
            "issued_at": _time(now - 1),
            "expires_at": _time(now + 30),
        }
        body = {each: value for each, value in (body | dict(arguments) | changes).items() if value is not None}
        content = json.dumps(body).encode()
        signature = (key or self.office).sign(encoded(content))
        return json.dumps(envelope(name, content, signature)).encode(), str(body.get("cmd_id"))

    def dangerous(self) -> tuple[str, dict[str, Any]]:
        """What would be obeyed, were it signed."""
        return self.random.choice(
            [
                ("tare", {"shelf": SHELF, "tare_g": self.grams()}),
                ("tare", {"shelf": SHELF}),
                ("zero", {"shelf": SHELF}),
                ("set", {"place": PLACE, "high_c": self.limit_c()}),
                ("reload", {}),
                ("calibrate", {"shelf": SHELF, "step": "zero"}),
            ]
        )

    def grams(self) -> float:
        return round(self.random.uniform(0, 4000), 2)

    def limit_c(self) -> float:
        return round(self.random.uniform(3.0, 7.5), 3)


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def _time(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds")


def _plain(arguments: Mapping[str, Any]) -> bytes:
    return json.dumps(arguments).encode()


# --- lawful -----------------------------------------------------------------------------------------------------------


def _lawful_set(forge: Forge) -> Payload:
    value = forge.limit_c()
    body, cmd_id = forge.signed("set", {"place": PLACE, "high_c": value})
    found = Payload("lawful: set, signed", BASE + "set", body, frozenset({"done"}), ("set", value), cmd_id)
    forge.sent.append(found)
    return found


def _lawful_tare(forge: Forge) -> Payload:
    key, name = forge.random.choice([(forge.office, "office"), (forge.till, "till")])
    value = forge.grams()
    body, cmd_id = forge.signed("tare", {"shelf": SHELF, "tare_g": value}, key, name)
    found = Payload("lawful: tare, signed", BASE + "tare", body, frozenset({"done"}), ("tare", value), cmd_id)
    forge.sent.append(found)
    return found


def _lawful_unsigned(forge: Forge) -> Payload:
    cmd_id, random = forge.cmd_id(), forge.random
    verb, arguments, effect = random.choice(
        [
            ("identify", {"seconds": random.randint(1, 600)}, "request"),
            ("replay", {"stream": "event", "from_seq": 1, "to_seq": random.randint(1, 99)}, "request"),
            ("receive", {"product": GTIN, "lot": "L1", "supplier": "farm-a", "units": random.randint(0, 99)}, "line"),
            ("waste", {"shelf": SHELF, "grams": forge.grams(), "reason": "expired"}, "line"),
        ]
    )
    body = _plain({"cmd_id": cmd_id, **arguments})
    return Payload(f"lawful: {verb}", BASE + verb, body, frozenset({"done"}), (effect,), cmd_id)


def _lot_verb(forge: Forge) -> tuple[str, dict[str, Any]]:
    """What tells of lots, each field as it may be."""
    random = forge.random
    day = f"2035-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
    return random.choice(
        [
            (
                "receive",
                {
                    **{"product": GTIN, "lot": f"L{random.randint(1, 60)}", "supplier": "farm-a", "place": PLACE},
                    **{"units": random.randint(1, 99), "packaging": random.choice(PACKAGINGS), "use_by": day},
                    **{"best_before": day, "packed": "2020-01-01", "temperature_c": random.uniform(-2, 20)},
                },
            ),
            ("move", {"lot": f"L{random.randint(1, 60)}", "place": PLACE}),
            ("outcome", {"lot": f"L{random.randint(1, 60)}", "outcome": "wasted", "reason": "spoiled"}),
            ("waste", {"product": GTIN, "lot": "L1", "units": 1, "reason": "spoiled"}),
        ]
    )


def _lawful_lot(forge: Forge) -> Payload:
    """A lot that is not there cannot be moved: then it is refused."""
    verb, arguments = _lot_verb(forge)
    cmd_id = forge.cmd_id()
    codes, effect = (frozenset({"done"}), ("line",)) if verb in _TOLD else (frozenset({"done", "invalid"}), ("lot",))
    return Payload(
        f"lawful: {verb}, a lot", BASE + verb, _plain({"cmd_id": cmd_id, **arguments}), codes, effect, cmd_id
    )


def _odd_lot(forge: Forge) -> Payload:
    """One field of it is nothing that it may be."""
    verb, arguments = _lot_verb(forge)
    key = forge.random.choice([key for key in arguments if key not in ("supplier",)])
    wrong = ([], {}, [[]], True, -500, 1e300, "\x00", "x" * 5000, "../..", {"lot": "L1"}, 2**70, "\u202e", "#", "L1/+")
    value = forge.random.choice(wrong)
    is_code = key == "lot" and isinstance(value, str)  # which may well be one
    codes = frozenset({"invalid", "done"} if is_code else {"invalid"})
    effect = ("line",) if is_code and verb in _TOLD else ()
    cmd_id = forge.cmd_id()
    body = _plain({"cmd_id": cmd_id, **arguments, key: value})
    return Payload(f"broken: {verb}, a lot", BASE + verb, body, codes, effect, cmd_id)


# --- broken -----------------------------------------------------------------------------------------------------------


def _broken(kind: str, make: Callable[[Forge, bytes], bytes], *codes: str) -> Callable[[Forge], Payload]:
    """A dangerous command, unsigned, made worse."""

    def maker(forge: Forge) -> Payload:
        verb, arguments = forge.dangerous()
        body = make(forge, _plain({"cmd_id": forge.cmd_id(), **arguments}))
        return Payload(f"broken: {kind}", BASE + verb, body, frozenset(codes or ("invalid",)))

    return maker


def _with(text: str) -> Callable[[Forge, bytes], bytes]:
    return lambda forge, body: body[:-1] + b"," + text.encode() + b"}"


def _bytes(forge: Forge, body: bytes) -> bytes:
    return forge.random.randbytes(forge.random.randrange(0, 300))


def _not_utf8(forge: Forge, body: bytes) -> bytes:
    at = forge.random.randrange(len(body))
    return body[:at] + forge.random.choice([b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88"]) + body[at:]


def _flipped(forge: Forge, body: bytes) -> bytes:
    found = bytearray(body)
    for _ in range(forge.random.randint(1, 4)):
        found[forge.random.randrange(len(found))] ^= 1 << forge.random.randrange(8)
    return bytes(found)


def _cut(forge: Forge, body: bytes) -> bytes:
    return body[: forge.random.randrange(len(body))]


def _deep(forge: Forge, body: bytes) -> bytes:
    """From just too deep, through where a reader's and a writer's stack end, to what only fills the payload."""
    opening, closing = forge.random.choice([(b"[", b"]"), (b'{"a":', b"}")])
    depth = forge.random.choice([17, 40, 300, 900, 940, 960, 980, 1000, 1500, 2600])
    inner = opening * depth + b"1" + closing * depth
    return body[:-1] + b',"deep":' + inner + b"}"


def _many_keys(forge: Forge, body: bytes) -> bytes:
    return body[:-1] + b"," + b",".join(b'"k%d":1' % n for n in range(forge.random.randint(1000, 1300))) + b"}"


def _oversized(forge: Forge, body: bytes) -> bytes:
    return body[:-1] + b',"x":"' + b"x" * forge.random.randint(16_384, 40_000) + b'"}'


def _random_value(random: Random, depth: int = 0) -> Any:
    kinds = [
        lambda: random.choice([None, True, False, 0, -1, 1e308, -0.0, 2**63, 10**300, 1e-320, ""]),
        lambda: random.uniform(-1e6, 1e6),
        lambda: "".join(chr(random.choice([0, 7, 27, 65, 0x202E, 0xFEFF, 0x1F600])) for _ in range(9)),
        lambda: random.choice([SHELF, PLACE, GTIN, "all", "office", "default", *WORDS]),
    ]
    if depth < 3:
        kinds.append(lambda: [_random_value(random, depth + 1) for _ in range(random.randrange(4))])
        kinds.append(lambda: {random.choice(WORDS): _random_value(random, depth + 1) for _ in range(3)})
    return random.choice(kinds)()


def _random_json(forge: Forge) -> Payload:
    random = forge.random
    verb = random.choice([*DANGEROUS, *DANGEROUS, *(verb.value for verb in Verb), "explode", "ping", "x-y_z"])
    # Not an alarm: who may set one aside needs no key, and then it may well be lawful.
    keys = [word for word in WORDS if word != "alarm"]
    body = {random.choice(keys): _random_value(random) for _ in range(random.randrange(8))}
    if random.random() < 0.8:
        body["cmd_id"] = forge.cmd_id()
    codes = RESULTS | {"done"} if verb in HARMLESS else RESULTS
    effect = ("request",) if verb == "identify" else ()
    return Payload("random JSON", BASE + verb, _plain(body), codes, effect, str(body.get("cmd_id", "")))


def _wrong_types(forge: Forge) -> Payload:
    verb, arguments = forge.dangerous()
    key = forge.random.choice([*arguments, "cmd_id", "issued_at", "expires_at"])
    wrong = forge.random.choice([[], {}, [[]], True, -5, 1e300, "\x00", "x" * 5000])
    body = {"cmd_id": forge.cmd_id(), **arguments} | {key: wrong}
    return Payload("broken: wrong types", BASE + verb, _plain(body), frozenset({"invalid", "unauthorized"}))


# --- not for us, not now ----------------------------------------------------------------------------------------------


def _silent(kind: str, change: Callable[[Forge, str], dict[str, Any]]) -> Callable[[Forge], Payload]:
    """A command that would be obeyed, where nobody may obey it."""

    def maker(forge: Forge) -> Payload:
        verb, arguments = forge.dangerous()
        body, _ = forge.signed(verb, arguments)
        fields = {"topic": BASE + verb, "retain": False} | change(forge, verb)
        return Payload(f"ignored: {kind}", body=body, expected=SILENT, **fields)

    return maker


def _elsewhere(forge: Forge, verb: str) -> dict[str, Any]:
    where = [f"{SITE}/b2/cmd/{verb}", f"oak-street/{NODE}/cmd/{verb}", f"{SITE}/{NODE}/rsp/{verb}"]
    return {"topic": f"storeroom/v1/{forge.random.choice(where)}"}


def _no_verb(forge: Forge, verb: str) -> dict[str, Any]:
    ends = ["", "/", f"/{verb}", "TARE", "../set", f"{verb}/now", "tare\x00", "x" * 40, "#", "+"]
    return {"topic": BASE + forge.random.choice(ends)}


def _late(forge: Forge) -> Payload:
    verb, arguments = forge.dangerous()
    now, ago_s = forge.now(), forge.random.uniform(31, 500)
    kind = forge.random.choice(["broker", "signed", "plain"])
    if kind == "broker":
        body, _ = forge.signed(verb, arguments)
        return Payload("late: by the broker", BASE + verb, body, frozenset({"expired"}), expiry_s=0)
    if kind == "signed":
        times = {"issued_at": _time(now - ago_s), "expires_at": _time(now - 0.5)}
        body, _ = forge.signed(verb, arguments, **times)
        return Payload("late: signed", BASE + verb, body, frozenset({"expired"}))
    body = _plain({"cmd_id": forge.cmd_id(), "issued_at": _time(now - 61 - ago_s), **arguments})
    return Payload("late: unsigned", BASE + verb, body, frozenset({"expired"}))


# --- hostile ----------------------------------------------------------------------------------------------------------


def _hostile(
    kind: str, make: Callable[[Forge, str, dict[str, Any]], bytes], *codes: str
) -> Callable[[Forge], Payload]:  # fmt: skip
    def maker(forge: Forge) -> Payload:
        verb, arguments = forge.dangerous()
        body = make(forge, verb, arguments)
        return Payload(f"hostile: {kind}", BASE + verb, body, frozenset(codes or ("unauthorized",)))

    return maker


def _unsigned(forge: Forge, verb: str, arguments: dict[str, Any]) -> bytes:
    return _plain({"cmd_id": forge.cmd_id(), **arguments})


def _forged(forge: Forge, verb: str, arguments: dict[str, Any]) -> bytes:
    return forge.signed(verb, arguments, forge.thief, forge.random.choice(["office", "till", "thief", "all"]))[0]


def _no_right(forge: Forge, verb: str, arguments: dict[str, Any]) -> bytes:
    """The till's own key, for what it may not sign."""
    if verb == "tare":
        return forge.signed("tare", arguments, forge.till, "office")[0]
    return forge.signed(verb, arguments, forge.till, "till")[0]


def _bit_of_signature(forge: Forge, verb: str, arguments: dict[str, Any]) -> bytes:
    return _bit_flipped(forge, verb, arguments, "signature")


def _bit_of_body(forge: Forge, verb: str, arguments: dict[str, Any]) -> bytes:
    return _bit_flipped(forge, verb, arguments, "signed")


def _bit_flipped(forge: Forge, verb: str, arguments: dict[str, Any], part: str) -> bytes:
    sealed = json.loads(forge.signed(verb, arguments)[0])
    found = bytearray(base64.b64decode(sealed[part]))
    found[forge.random.randrange(len(found))] ^= 1 << forge.random.randrange(8)
    return _plain(sealed | {part: base64.b64encode(bytes(found)).decode()})


def _for_another(forge: Forge, verb: str, arguments: dict[str, Any]) -> bytes:
    other = forge.random.choice(
        [{"node": "b2"}, {"node": None}, {"site": "oak-street"}, {"verb": "count"}, {"verb": None}, {"node": ["a1"]}]
    )
    return forge.signed(verb, arguments, **other)[0]


def _bare_seal(forge: Forge, verb: str, arguments: dict[str, Any]) -> bytes:
    odd = forge.random.choice(
        [
            {"nonce": None},
            {"nonce": "short"},
            {"nonce": 7},
            {"expires_at": None},
            {"issued_at": None},
            {"cmd_id": None},
            {"expires_at": _time(forge.now() + 3600)},
        ]
    )
    return forge.signed(verb, arguments, **odd)[0]


def _odd_envelope(forge: Forge, verb: str, arguments: dict[str, Any]) -> bytes:
    sealed = json.loads(forge.signed(verb, arguments)[0])
    odd = forge.random.choice(
        [
            {"cmd_id": forge.cmd_id(), **arguments},
            {"signature": None},
            {"signature": ""},
            {"signature": "!" * 88},
            {"signed": arguments},
            {"signed": sealed["signed"] + "\n"},
            {"key": ["office"]},
            {"alg": "none"},
        ]
    )
    return _plain(sealed | odd)


def _again(forge: Forge) -> Payload:
    if not forge.sent:
        return _lawful_set(forge)
    before = forge.random.choice(forge.sent[-2000:])
    return Payload("hostile: sent again", before.topic, before.body, frozenset({"duplicate", "expired"}))


def _nonce_again(forge: Forge) -> Payload:
    if not forge.sent:
        return _lawful_set(forge)
    by_office = [sealed for each in forge.sent[-200:] if (sealed := json.loads(each.body))["key"] == "office"]
    if not by_office:
        return _lawful_set(forge)
    before = json.loads(base64.b64decode(forge.random.choice(by_office)["signed"]))
    body, _ = forge.signed("set", {"place": PLACE, "high_c": forge.limit_c()}, nonce=before["nonce"])
    # The one with this nonce may itself have been refused, when too many came at once; then it was never used.
    return Payload("hostile: nonce used again", BASE + "set", body, frozenset({"unauthorized"}))


def _contradicting(forge: Forge) -> Payload:
    """Signed, and yet nothing that may be set."""
    limits = forge.random.choice(
        [
            {"high_c": forge.random.uniform(8, 60)},  # not below critical_high_c
            {"high_c": forge.random.uniform(-60, 0)},  # not above low_c
            {"critical_high_c": forge.random.uniform(-60, 2)},
            {"critical_low_c": forge.random.uniform(0.001, 60)},
            {"low_c": 1e9},
            {"dwell_s": -1},
            {"high_c": "5"},
            {"high_c": None, "low_c": True},
            {"food_limit_c": 30},
            {"default": ["name"]},
            {"default": [[]]},
            {"default": [{}]},
            {"__class__": 1},
            {},
        ]
    )
    body, _ = forge.signed("set", {"place": PLACE} | limits)
    return Payload("hostile: limits that contradict", BASE + "set", body, frozenset({"invalid"}))


def _model(forge: Forge) -> Payload:
    """Signed by who may send models, and none."""
    arguments = bundles.arguments(forge.random, forge.maker, forge.thief, forge.now())
    body, _ = forge.signed("model", arguments)
    return Payload("hostile: a model that is none", BASE + "model", body, frozenset({"invalid"}))


def _model_unsigned(forge: Forge) -> Payload:
    arguments = bundles.arguments(forge.random, forge.maker, forge.thief, forge.now())
    body = _plain({"cmd_id": forge.cmd_id(), **arguments})
    return Payload("hostile: a model, unsigned", BASE + "model", body, frozenset({"unauthorized"}))


_KINDS: dict[str, tuple[Callable[[Forge], Payload], int]] = {
    "lawful set": (_lawful_set, 3),
    "lawful tare": (_lawful_tare, 3),
    "lawful unsigned": (_lawful_unsigned, 3),
    "lot": (_lawful_lot, 3),
    "odd lot": (_odd_lot, 5),
    "bytes": (_broken("random bytes", _bytes), 6),
    "utf-8": (_broken("not UTF-8", _not_utf8), 5),
    # A flipped bit may leave it readable, and then it is unsigned; or make a verb's argument another.
    "flipped": (_broken("bits flipped", _flipped, "invalid", "unauthorized"), 8),
    "cut": (_broken("cut short", _cut), 4),
    "deep": (_broken("nested deeply", _deep), 1),
    "nan": (_broken("NaN, infinity", _with('"g":NaN')), 2),
    "huge": (_broken("huge numbers", _with('"g":1e999')), 2),
    "digits": (_broken("endless digits", _with('"g":' + "9" * 5000)), 1),
    "wide": (_broken("more than 64 bits", _with('"seconds":' + "9" * 400)), 1),
    "twice": (_broken("a key twice", _with('"cmd_id":"x"')), 2),
    "surrogate": (_broken("half a surrogate", _with('"x":"\\ud800"')), 2),
    "control": (_broken("control characters", _with('"x":"a\x01b"')), 2),
    "keys": (_broken("thousands of keys", _many_keys, "unauthorized", "invalid"), 1),
    "large": (_broken("oversized", _oversized), 1),
    "types": (_wrong_types, 6),
    "json": (_random_json, 10),
    "retained": (_silent("retained", lambda forge, verb: {"retain": True}), 3),
    "elsewhere": (_silent("another node", _elsewhere), 3),
    "no verb": (_silent("no verb", _no_verb), 3),
    "late": (_late, 5),
    "unsigned": (_hostile("unsigned", _unsigned), 5),
    "forged": (_hostile("forged signature", _forged), 5),
    "no right": (_hostile("a key without the right", _no_right), 3),
    "bit of signature": (_hostile("a bit of the signature", _bit_of_signature), 5),
    "bit of body": (_hostile("a bit of what was signed", _bit_of_body), 5),
    "another": (_hostile("signed for another", _for_another), 4),
    "bare": (_hostile("signature without nonce or time", _bare_seal, "invalid"), 3),
    "envelope": (_hostile("odd envelope", _odd_envelope, "invalid"), 4),
    "again": (_again, 5),
    "nonce": (_nonce_again, 4),
    "contradicting": (_contradicting, 5),
    "model": (_model, 4),
    "model unsigned": (_model_unsigned, 2),
}
