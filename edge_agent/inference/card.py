"""The card beside a model's file: what goes in and comes out, where it comes from, how good it is, and its hash."""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from edge_agent.inference.errors import CardFault, ModelRefused

FORM = 1
TASKS = ("demand", "spoilage")
MAX_CARD_BYTES = 65_536
MAX_FILE_BYTES = 65_536  # of a graph: it goes over slow lines, and lives in git
MAX_INPUTS = 256
MAX_OUTPUTS = 64
MAX_CHECK_ROWS = 64
_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")
_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,2}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

_IDENTIFIER = b"TFL3"  # bytes 4 to 7 of a TFLite file (its schema's file_identifier)

Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One number of a row, as it is given to `predict`."""

    name: str
    unit: str  # "1" where it has none
    low: float  # lowest and highest value that training saw: beyond them the model knows nothing
    high: float


@dataclass(frozen=True, slots=True)
class OutputSpec:
    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class RecordedCheck:
    """Rows that were run when the model was made, and what came out: the health check of every later machine."""

    inputs: Rows
    outputs: Rows  # dequantised; another machine's kernels may differ by one step of the output's scale


@dataclass(frozen=True, slots=True)
class TrainingSet:
    name: str
    terms: str  # the licence, or "simulated"
    rows: int
    source: str = ""  # where it can be had, or what simulates it


@dataclass(frozen=True, slots=True)
class ModelCard:
    """value = (code - zero_point) * scale, for all inputs and all outputs alike (one tensor each)."""

    name: str
    version: str  # numbers with dots; compared as numbers, so 1.10 is later than 1.9
    task: str
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    input_scale: float
    input_zero_point: int
    output_scale: float
    output_zero_point: int
    sha256: str  # of the .tflite file
    size_bytes: int
    made_at: datetime
    check: RecordedCheck
    training: tuple[TrainingSet, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: str = ""

    def __post_init__(self) -> None:
        _check_names(self)
        _check_numbers(self)
        _check_rows(self)

    @property
    def version_key(self) -> tuple[int, ...]:
        """Orders versions.

        >>> sorted(["1.10", "1.9", "1"], key=version_key)
        ['1', '1.9', '1.10']
        """
        return version_key(self.version)


def version_key(version: str) -> tuple[int, ...]:
    """Three numbers; what is left out is 0."""
    numbers = [int(part) for part in version.split(".")]
    return (*numbers, *[0] * (3 - len(numbers)))


def is_name(text: str) -> bool:
    """Whether a model may be called so: 1 to 24 lower-case letters, digits and hyphens, a letter first."""
    return _NAME.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """One to three numbers with dots."""
    return _VERSION.fullmatch(text) is not None


def fingerprint(file: bytes) -> str:
    """SHA-256 in hexadecimal, as the card gives it."""
    return hashlib.sha256(file).hexdigest()


def check_file(file: bytes, card: ModelCard) -> None:
    """Size and hash: what can be said without a runtime. Raises ModelRefused."""
    if len(file) > MAX_FILE_BYTES:
        raise ModelRefused(f"the file has {len(file)} bytes: must be at most {MAX_FILE_BYTES}")
    if len(file) != card.size_bytes:
        what = "cut short" if len(file) < card.size_bytes else "another file, or something was added"
        raise ModelRefused(f"the file has {len(file)} bytes, its card says {card.size_bytes}: {what}")
    found = fingerprint(file)
    if found != card.sha256:
        raise ModelRefused(
            f"the file is not the one the card of {card.name} {card.version} was written for: "
            f"SHA-256 {found[:12]}..., the card says {card.sha256[:12]}..."
        )
    if file[4:8] != _IDENTIFIER:
        raise ModelRefused(f"the file is no TFLite model: bytes 4 to 7 are {file[4:8]!r}: must be {_IDENTIFIER!r}")


# --- what must hold -------------------------------------------------------------------------------------------------


def _fault(key: str, value: object, right: str) -> NoReturn:
    raise CardFault(f"card: {key} = {_short(value)}: must be {right}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _check_names(card: ModelCard) -> None:
    if not is_name(card.name):
        _fault("name", card.name, "1 to 24 lower-case letters, digits and hyphens, a letter first")
    if not is_version(card.version):
        _fault("version", card.version, 'one to three numbers with dots, like "1.4"')
    if card.task not in TASKS:
        _fault("task", card.task, f"one of {', '.join(TASKS)}")
    if not _SHA256.fullmatch(card.sha256):
        _fault("sha256", card.sha256, "64 hexadecimal digits in lower case")
    if card.made_at.tzinfo is None:
        _fault("made_at", card.made_at.isoformat(), "a time with its offset from UTC")
    for key, named, most in (("inputs", card.inputs, MAX_INPUTS), ("outputs", card.outputs, MAX_OUTPUTS)):
        names = [spec.name for spec in named]
        if not 1 <= len(names) <= most or len(set(names)) != len(names) or not all(names):
            _fault(key, names, f"1 to {most} different names")


def _check_numbers(card: ModelCard) -> None:
    for key, scale, zero in (
        ("input", card.input_scale, card.input_zero_point),
        ("output", card.output_scale, card.output_zero_point),
    ):
        if not (math.isfinite(scale) and scale > 0):
            _fault(f"{key}_scale", scale, "a number above 0")
        if not -128 <= zero <= 127:
            _fault(f"{key}_zero_point", zero, "between -128 and 127")
    if card.size_bytes < 1:
        _fault("size_bytes", card.size_bytes, "1 or more")
    for spec in card.inputs:
        if not (math.isfinite(spec.low) and math.isfinite(spec.high) and spec.low < spec.high):
            _fault(f"inputs.{spec.name}", (spec.low, spec.high), "two finite numbers, low < high")
    for name, value in card.metrics.items():
        if not math.isfinite(value):
            _fault(f"metrics.{name}", value, "a finite number")


def _check_rows(card: ModelCard) -> None:
    check = card.check
    if not 1 <= len(check.inputs) <= MAX_CHECK_ROWS or len(check.inputs) != len(check.outputs):
        counts = (len(check.inputs), len(check.outputs))
        _fault("check", counts, f"as many inputs as outputs, 1 to {MAX_CHECK_ROWS} rows")
    for key, rows, specs in (("inputs", check.inputs, card.inputs), ("outputs", check.outputs, card.outputs)):
        for number, row in enumerate(rows):
            if len(row) != len(specs) or not all(map(math.isfinite, row)):
                _fault(f"check.{key}[{number}]", row, f"{len(specs)} finite numbers")


# --- bytes ----------------------------------------------------------------------------------------------------------


def written(card: ModelCard) -> bytes:
    """JSON, the same bytes for the same card."""
    body = {
        "form": FORM,
        "name": card.name,
        "version": card.version,
        "task": card.task,
        "made_at": card.made_at.isoformat(),
        "sha256": card.sha256,
        "size_bytes": card.size_bytes,
        "input_scale": card.input_scale,
        "input_zero_point": card.input_zero_point,
        "output_scale": card.output_scale,
        "output_zero_point": card.output_zero_point,
        "inputs": [{"name": i.name, "unit": i.unit, "low": i.low, "high": i.high} for i in card.inputs],
        "outputs": [{"name": o.name, "unit": o.unit} for o in card.outputs],
        "training": [{"name": t.name, "terms": t.terms, "rows": t.rows, "source": t.source} for t in card.training],
        "metrics": dict(sorted(card.metrics.items())),
        "notes": card.notes,
        "check": {"inputs": card.check.inputs, "outputs": card.check.outputs},
    }
    lines = [f"  {json.dumps(key)}: {_json(value)}" for key, value in body.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _json(value: object) -> str:
    """One line an entry of a list or table: a card is read by people, and its differences too."""
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"    {json.dumps(entry, ensure_ascii=False)}" for entry in value) + "\n  ]"
    if isinstance(value, dict) and value:
        entries = (f"    {json.dumps(key)}: {json.dumps(entry)}" for key, entry in value.items())
        return "{\n" + ",\n".join(entries) + "\n  }"
    return json.dumps(value, ensure_ascii=False)


def read_card(text: bytes) -> ModelCard:
    """Raises CardFault, naming the key, the value and what would be right."""
    if len(text) > MAX_CARD_BYTES:
        raise CardFault(f"card: has {len(text)} bytes: must be at most {MAX_CARD_BYTES}")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:  # also a whole number of thousands of digits
        raise CardFault(f"card: is not JSON: {error}") from error
    table = _Table("", body)
    form = table.whole("form")
    if form != FORM:
        _fault("form", form, str(FORM))
    card = _card_of(table)
    table.nothing_else()
    return card


def _card_of(table: "_Table") -> ModelCard:
    check = table.table("check")
    recorded = RecordedCheck(check.rows("inputs"), check.rows("outputs"))
    check.nothing_else()
    return ModelCard(
        name=table.text("name"),
        version=table.text("version"),
        task=table.text("task"),
        made_at=table.time("made_at"),
        sha256=table.text("sha256"),
        size_bytes=table.whole("size_bytes"),
        input_scale=table.number("input_scale"),
        input_zero_point=table.whole("input_zero_point"),
        output_scale=table.number("output_scale"),
        output_zero_point=table.whole("output_zero_point"),
        inputs=tuple(_input(entry) for entry in table.tables("inputs")),
        outputs=tuple(_output(entry) for entry in table.tables("outputs")),
        training=tuple(_training(entry) for entry in table.tables("training")),
        metrics=table.numbers("metrics"),
        notes=table.text("notes"),
        check=recorded,
    )


def _input(entry: "_Table") -> InputSpec:
    spec = InputSpec(entry.text("name"), entry.text("unit"), entry.number("low"), entry.number("high"))
    entry.nothing_else()
    return spec


def _output(entry: "_Table") -> OutputSpec:
    spec = OutputSpec(entry.text("name"), entry.text("unit"))
    entry.nothing_else()
    return spec


def _training(entry: "_Table") -> TrainingSet:
    found = TrainingSet(entry.text("name"), entry.text("terms"), entry.whole("rows"), entry.text("source"))
    entry.nothing_else()
    return found


class _Table:
    """One object of the JSON: each key is asked for by its type, and none may be left over."""

    def __init__(self, path: str, body: object) -> None:
        if not isinstance(body, dict):
            raise CardFault(f"card: {path or 'the whole'} = {_short(body)}: must be an object")
        self._path, self._left = path, dict(body)

    def _take(self, key: str) -> Any:
        if key not in self._left:
            raise CardFault(f"card: {self._name(key)} is missing")
        return self._left.pop(key)

    def _name(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def text(self, key: str) -> str:
        value = self._take(key)
        if not isinstance(value, str):
            _fault(self._name(key), value, "a text")
        return value

    def whole(self, key: str) -> int:
        value = self._take(key)
        if not isinstance(value, int) or isinstance(value, bool):
            _fault(self._name(key), value, "a whole number")
        return value

    def number(self, key: str) -> float:
        return _number(self._name(key), self._take(key))

    def time(self, key: str) -> datetime:
        value = self.text(key)
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            _fault(self._name(key), value, "a time like 2026-03-01T10:00:00+00:00")

    def table(self, key: str) -> "_Table":
        return _Table(self._name(key), self._take(key))

    def tables(self, key: str) -> list["_Table"]:
        entries = self._list(key)
        return [_Table(f"{self._name(key)}[{number}]", entry) for number, entry in enumerate(entries)]

    def numbers(self, key: str) -> dict[str, float]:
        name, value = self._name(key), self._take(key)
        if not isinstance(value, dict):
            _fault(name, value, "an object of numbers")
        return {entry: _number(f"{name}.{entry}", found) for entry, found in value.items()}

    def rows(self, key: str) -> Rows:
        name = self._name(key)
        return tuple(_row(f"{name}[{number}]", row) for number, row in enumerate(self._list(key)))

    def _list(self, key: str) -> Sequence[object]:
        value = self._take(key)
        if not isinstance(value, list):
            _fault(self._name(key), value, "a list")
        return value

    def nothing_else(self) -> None:
        if self._left:
            raise CardFault(f"card: {self._name(next(iter(self._left)))}: is no key of a card")


def _row(name: str, row: object) -> tuple[float, ...]:
    if not isinstance(row, list):
        _fault(name, row, "a list of numbers")
    return tuple(_number(f"{name}[{column}]", value) for column, value in enumerate(row))


def _number(name: str, value: object) -> float:
    """Finite, so that nothing later need ask: JSON of Python takes NaN, and a whole number of 400 digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        _fault(name, value, "a number")
    if (isinstance(value, int) and abs(value) > 2**53) or not math.isfinite(value):
        _fault(name, value, "a finite number")
    return float(value)
