"""What a settings dataclass looks like from TOML: keys, types in words, and something to stand in for a value."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from edge_agent.config.faults import Path, header, show

_EXAMPLES: dict[Any, object] = {int: 17, float: 2.5, str: "cold-room"}
_EXAMPLES_OF_KEYS = {
    "ca_file": "/etc/edge-agent/ca.pem",
    "cert_file": "/etc/edge-agent/node.pem",
    "device": "28-0316a2794bff",
    "driver": "sht3x",
    "gtin": "4006381333931",
    "key_file": "/etc/edge-agent/node.key",
    "password_file": "/etc/edge-agent/password",
    "product": "4006381333931",
}


@dataclass(frozen=True, slots=True)
class Spot:
    """One key of a settings type."""

    path: Path  # in TOML's words
    hint: Any  # its type; Any where there is none
    field: "Field[Any] | None" = None


def hint_of(owner: Any, name: str) -> Any:
    return get_type_hints(owner)[name]


def key_of(owner: Any, name: str) -> str:
    """A field's key: an array of tables is written in the singular, ``cells`` as ``[[shelf.cell]]``."""
    return singular(name) if is_tables(hint_of(owner, name)) else name


def singular(name: str) -> str:
    """
    >>> [singular(name) for name in ("cells", "shelves", "deliveries", "source")]
    ['cell', 'shelf', 'delivery', 'source']
    """
    for plural, ending in (("ves", "f"), ("ies", "y"), ("s", "")):
        if name.endswith(plural):
            return name.removesuffix(plural) + ending
    return name


def keys_of(owner: Any) -> list[str]:
    return [key_of(owner, field.name) for field in fields(owner)]


def by_field(kind: Any, table: object) -> object:
    """The table under the names of the dataclass's fields, all the way down."""
    kind = core(kind)
    if is_dataclass(kind) and isinstance(table, Mapping):
        names = {key_of(kind, field.name): field.name for field in fields(kind)}
        known = {names[key]: by_field(hint_of(kind, names[key]), table[key]) for key in names if key in table}
        return known | {key: value for key, value in table.items() if key not in names}
    if is_tables(kind) and isinstance(table, list):
        return [by_field(get_args(kind)[0], element) for element in table]
    return table


def spot(kind: Any, loc: Path, path: Path) -> tuple[Path, Spot]:
    """Where pydantic's ``loc`` points: the way there by fields, and what there is.

    Its names for the members of a union are left out.
    """
    way: Path = ()
    hint, field = core(kind), None
    for part in loc:
        if is_dataclass(hint) and part in (known := {each.name: each for each in fields(hint)}):
            field, path = known[str(part)], (*path, key_of(hint, str(part)))
            hint = core(hint_of(hint, str(part)))
        elif isinstance(part, int) and get_origin(hint) is tuple:
            hint, path = core(get_args(hint)[0]), (*path, part)
        elif get_origin(hint) in (Union, UnionType):
            continue
        else:
            hint, field, path = Any, None, (*path, part)
        way = (*way, part)
    return way, Spot(path, hint, field)


def core(hint: Any) -> Any:
    """The type without its ``| None``."""
    if get_origin(hint) in (Union, UnionType):
        members = [member for member in get_args(hint) if member is not NoneType]
        return members[0] if len(members) == 1 else hint
    return hint


def is_tables(hint: Any) -> bool:
    return get_origin(hint) is tuple and is_dataclass(get_args(hint)[0])


def in_words(at: Spot) -> str | None:
    """What a value must be, with an example; None for a type that nobody has put in words."""
    hint = at.hint
    if is_dataclass(hint):
        return f"a table headed {header(at.path)}"
    if is_tables(hint):
        return f"tables headed {header(at.path, many=True)}"
    if get_origin(hint) in (tuple, list, set, frozenset):
        return f"a list such as [{show(_EXAMPLES.get(get_args(hint)[0], 1))}]"
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(show, get_args(hint)))
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(in_words(Spot(at.path, each)) or str(each) for each in get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "one of " + ", ".join(show(member.value) for member in hint)
    return _plain_in_words(at)


def _plain_in_words(at: Spot) -> str | None:
    words = {
        bool: "true or false",
        int: "a whole number such as {}",
        float: "a number such as {}",
        str: "a text in double quotes such as {}",
    }.get(at.hint)
    default = at.field.default if at.field is not None and not isinstance(at.path[-1], int) else None
    if not isinstance(default, int | float | str):
        default = _EXAMPLES_OF_KEYS.get(str(at.path[-1]), _EXAMPLES.get(at.hint))
    return words and words.format(show(default))


def mend(kind: Any, table: Any, way: Path) -> Any:
    """The table with a harmless value at ``way``: the default where there is one, else something of the type."""
    kind = core(kind)
    if not way:
        return table
    if isinstance(table, list):
        inner = get_args(kind)[0]
        return [_mended(inner, each, way) if index == way[0] else each for index, each in enumerate(table)]
    if not isinstance(table, Mapping) or (len(way) > 1 and way[0] not in table):
        return table
    rest = {key: value for key, value in table.items() if key != way[0]}
    field = next((each for each in fields(kind) if each.name == way[0]), None) if is_dataclass(kind) else None
    if field is None or (len(way) == 1 and _has_default(field)):
        return rest
    return rest | {field.name: _mended(hint_of(kind, field.name), table.get(field.name), way)}


def _mended(hint: Any, value: Any, way: Path) -> Any:
    return _stand_in(hint) if len(way) == 1 else mend(hint, value, way[1:])


def _has_default(field: "Field[Any]") -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _stand_in(hint: Any) -> object:
    hint = core(hint)
    if is_dataclass(hint):
        return {f.name: _stand_in(hint_of(hint, f.name)) for f in fields(hint) if not _has_default(f)}
    if get_origin(hint) is tuple:
        return []
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    return {int: 1, float: 1.0, bool: False}.get(hint, "x")
