"""Frozen dataclasses to what JSON can hold, and back by the types of their fields. Pure."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def plain(value: object) -> object:
    """As ``dataclasses.asdict``, without the fields that have their default: ``restored`` knows them.

    >>> from edge_agent.domain.instant import Instant
    >>> plain((Instant(1, 2, "boot"),))
    [{'mono_ms': 1, 'wall_ms': 2, 'boot': 'boot'}]
    """
    if is_dataclass(value):
        found = ((field, getattr(value, field.name)) for field in fields(value))
        return {field.name: plain(each) for field, each in found if not _is_default(field, each)}
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value


def _is_default(field: "Field[Any]", value: object) -> bool:
    if field.default_factory is not MISSING:
        return bool(value == field.default_factory())
    return field.default is not MISSING and bool(value == field.default)


def restored(kind: type[T], row: Mapping[str, Any]) -> T:
    """What ``plain`` (or ``dataclasses.asdict``) and JSON made of a ``kind``; a field not in the row has its default.

    Raises TypeError or ValueError for a field nobody knows, and for a value that is none of its type.
    """
    if not isinstance(row, Mapping):
        raise TypeError(f"{row!r} is no {kind.__name__}")
    hints = _hints(kind)
    return kind(**{name: _value(hints[name], value) if name in hints else value for name, value in row.items()})


def _hints(kind: Any) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _value(hint: Any, value: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return None if value is None else _value(_only(hint), value)
    if origin is tuple:
        return _tuple(get_args(hint), value)
    if isinstance(hint, type) and is_dataclass(hint):
        return restored(hint, value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    if hint is float and isinstance(value, int):
        return float(value)
    if isinstance(hint, type) and not isinstance(value, hint):
        raise TypeError(f"{value!r} is no {hint.__name__}")
    return value


def _only(hint: Any) -> Any:
    (inner,) = (member for member in get_args(hint) if member is not NoneType)
    return inner


def _tuple(members: tuple[Any, ...], values: object) -> tuple[Any, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{values!r} is no list")
    if len(members) == 2 and members[1] is Ellipsis:
        return tuple(_value(members[0], value) for value in values)
    return tuple(_value(member, value) for member, value in zip(members, values, strict=True))
