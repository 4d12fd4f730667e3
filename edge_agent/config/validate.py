"""One table of the document to one settings object, or to all its faults. The only place that knows pydantic."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from edge_agent.config.faults import Found, Path, unknown_key
from edge_agent.config.shape import Spot, by_field, in_words, keys_of, mend, spot
from edge_agent.domain.settings import SettingsError

if TYPE_CHECKING:
    from pydantic import ConfigDict, TypeAdapter

# A number is a number: no "5" for 5, no true for 1, no nan; a whole number serves for any number.
_STRICT: "ConfigDict" = {"strict": True, "extra": "forbid", "allow_inf_nan": False}
_ROUNDS = 8  # faults behind faults behind faults; more would be a loop

T = TypeVar("T")


class Validator:
    """Keeps what pydantic builds for each type while one configuration is checked, and no longer."""

    def __init__(self) -> None:
        self._adapters: dict[type, TypeAdapter[Any]] = {}

    def __call__(
        self, kind: type[T], table: object, path: Path, shared: Iterable[str] = ()
    ) -> tuple[T | None, list[Found]]:
        """The table at ``path`` as a ``kind``, or every fault in it.

        A wrong type keeps pydantic from building the object, and so from its ``__post_init__``: what was wrong
        gets a harmless value and the rest is tried again, until nothing new is found. ``shared`` are keys which
        belong to this table and were taken out of it before.
        """
        found: dict[Path, Found] = {}
        mended = by_field(kind, table)
        cured: set[Path] = set()
        for _ in range(_ROUNDS):
            value, errors = self._attempt(kind, mended)
            faults = dict(_faults(kind, errors, path, shared))
            fresh = {way: fault for way, fault in faults.items() if not _holds_any(way, cured)}
            # What a harmless value did not cure has its cause in the table around it.
            cures = set(fresh) or {way[:-1] for way in faults}
            if cures <= {()}:
                break
            found |= fresh
            cured |= cures
            for way in cures:
                mended = mend(kind, mended, way)
        found |= {way: fault for way, fault in faults.items() if not _holds_any(way, cured)}
        return (None if found else value), list(found.values())

    def _attempt(self, kind: type[T], table: object) -> tuple[T | None, list[Any]]:
        from pydantic import TypeAdapter, ValidationError  # whoever takes Settings from `apart` never loads it

        if kind not in self._adapters:
            # A dataclass takes no configuration of ours, but inherits that of the type around it.
            self._adapters[kind] = TypeAdapter(tuple[kind], config=_STRICT)  # type: ignore[valid-type]
        try:
            # As JSON, because only there does strict mode take an array for a tuple and a table for a dataclass.
            (value,) = self._adapters[kind].validate_json(json.dumps([table], default=_no_json))
        except ValidationError as error:
            return None, error.errors(include_url=False)
        return cast(T, value), []


def _holds_any(way: Path, cured: set[Path]) -> bool:
    """Whether a harmless value stands there or within: what is said of it is not the user's fault."""
    return any(each[: len(way)] == way for each in cured)


def _no_json(date: object) -> dict[str, str]:
    """TOML's dates and times: no setting is one, and as a table they are wrong wherever they stand."""
    return {"date": str(date)}


def _faults(kind: type, errors: list[Any], path: Path, shared: Iterable[str]) -> Iterator[tuple[Path, Found]]:
    """Each error as a way through the fields and the fault to tell."""
    for error in errors:
        loc = error["loc"][1:]  # the tuple around it
        way, at = spot(kind, loc, path)
        if error["type"] == "value_error":
            yield from _unfold(kind, error["ctx"]["error"], way, path)
        elif error["type"] == "unexpected_keyword_argument":
            _, owner = spot(kind, loc[:-1], path)
            known = [*(shared if len(way) == 1 else ()), *keys_of(owner.hint)]
            yield way, unknown_key(at.path, known)
        else:
            yield way, Found(at.path, _clause(error, at))


def _unfold(kind: type, error: ValueError, way: Path, path: Path) -> Iterator[tuple[Path, Found]]:
    if not isinstance(error, SettingsError):
        yield way, Found(spot(kind, way, path)[1].path, str(error))
        return
    for fault in error.faults:
        inner, at = spot(kind, (*way, *fault.key.split(".")), path)
        is_default = at.field is not None and fault.value == at.field.default
        if fault.value is None or fault.value == ():
            yield inner, Found(at.path, f"missing: must be {fault.right}")
        else:
            yield inner, Found(at.path, f"must be {fault.right}", fault.value, is_default=is_default)


def _clause(error: Any, at: Spot) -> str:
    words = in_words(at) or error["msg"]
    if error["type"] == "missing":
        return f"missing: must be {words}"
    if error["type"] == "finite_number":
        return f"must be finite: {words}"
    return f"must be {words}" if in_words(at) else str(words)
