"""What was learnt about one shop, as a value and as bytes that a cut or a change cannot slip through."""

import json
import zlib
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.demand.blend import GROUPS
from edge_agent.demand.candidates import CANDIDATES
from edge_agent.demand.conformal import CLASSES, PARTS, Shifts
from edge_agent.demand.grove import BINS, Grove
from edge_agent.domain.forecast import LEVELS

Floats = NDArray[np.float64]

MAGIC = b"EASHOP"
VERSION = 1
MOST_BYTES = 16_000_000  # unpacked; a shop of 10,000 products needs 6 MB
_HEAD_BYTES = len(MAGIC) + 2 + 4
_TYPES: Final = ("<f2", "<f4", "<f8", "|u1")


class StateRefused(ValueError):
    """Bytes that are no state of a shop; the text says why."""


@dataclass(frozen=True, eq=False)
class ShopState:
    upto: date  # the last day that was learnt from
    names: tuple[str, ...]  # of the products with weights of their own
    shop: Floats  # [groups, candidates]: weights where nothing nearer is known
    categories: tuple[str, ...]
    by_category: NDArray[np.float32]  # [categories, groups, candidates]
    by_product: NDArray[np.float32]  # [products, groups, candidates]
    shifts: Shifts
    grove: Grove | None
    kept: str  # "new", "prior" or "previous": whose weights these are
    losses: dict[str, float]  # mean pinball loss per unit sold in the weeks held out, by whose
    drift: tuple[str, ...] = ()
    days: int = 0  # outcomes learnt from
    model: str | None = None  # version of the net that took part

    def weights(self, names: tuple[str, ...], category: tuple[str, ...]) -> Floats:
        """[series, groups, candidates]: the product's own, else its category's, else the shop's."""
        product = {name: row for row, name in enumerate(self.names)}
        group = {name: row for row, name in enumerate(self.categories)}
        found = np.repeat(self.shop[None], len(names), axis=0)
        for row, name in enumerate(names):
            if name in product:
                found[row] = self.by_product[product[name]]
            elif category and category[row] in group:
                found[row] = self.by_category[group[category[row]]]
        return found


def written(state: ShopState) -> bytes:
    arrays: dict[str, NDArray[Any]] = {
        "shop": state.shop.astype("<f8"),
        "by_category": state.by_category.astype("<f4"),
        "by_product": state.by_product.astype("<f4"),
        "shifts": state.shifts.by_part.astype("<f8"),
    }
    if state.grove is not None:
        arrays |= {
            "edges": state.grove.edges.astype("<f4"),
            "start": state.grove.start.astype("<f4"),
            "column": state.grove.column,
            "threshold": state.grove.threshold,
            "leaf": state.grove.leaf.astype("<f2"),
        }
    head = {
        "candidates": CANDIDATES,
        "levels": LEVELS,
        "upto": state.upto.isoformat(),
        "names": state.names,
        "categories": state.categories,
        "kept": state.kept,
        "losses": state.losses,
        "drift": state.drift,
        "days": state.days,
        "model": state.model,
        "arrays": [[name, values.dtype.str, values.shape] for name, values in arrays.items()],
    }
    text = json.dumps(head, ensure_ascii=False).encode()
    body = zlib.compress(b"".join([len(text).to_bytes(4, "little"), text, *(a.tobytes() for a in arrays.values())]))
    return MAGIC + VERSION.to_bytes(2, "little") + zlib.crc32(body).to_bytes(4, "little") + body


def read(file: bytes) -> ShopState:
    """Raises StateRefused naming what is wrong; learning then starts anew."""
    head, raw = _unpacked(file)
    try:
        arrays = _arrays(head["arrays"], raw)
        return _state(head, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise StateRefused(f"a part is missing or of the wrong form: {error}") from error


def _unpacked(file: bytes) -> tuple[dict[str, Any], bytes]:
    if len(file) < _HEAD_BYTES or not file.startswith(MAGIC):
        raise StateRefused(f"{len(file)} bytes that do not begin with {MAGIC.decode()}: no state of a shop")
    version = int.from_bytes(file[len(MAGIC) : len(MAGIC) + 2], "little")
    if version != VERSION:
        raise StateRefused(f"version {version}: this agent reads version {VERSION}")
    body = file[_HEAD_BYTES:]
    if zlib.crc32(body) != int.from_bytes(file[len(MAGIC) + 2 : _HEAD_BYTES], "little"):
        raise StateRefused("the checksum does not fit: cut short or changed")
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(body, MOST_BYTES)
    except zlib.error as error:
        raise StateRefused(f"cannot be unpacked: {error}") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise StateRefused(f"more than {MOST_BYTES} bytes, or cut short")
    size = int.from_bytes(raw[:4], "little")
    try:
        head = json.loads(raw[4 : 4 + size])
    except ValueError as error:
        raise StateRefused(f"the head is no JSON: {error}") from error
    if not isinstance(head, dict):
        raise StateRefused("the head is no JSON object")
    if head.get("candidates") != list(CANDIDATES) or head.get("levels") != list(LEVELS):
        raise StateRefused(f"learnt for candidates {head.get('candidates')}: this agent has {list(CANDIDATES)}")
    return head, raw[4 + size :]


def _arrays(told: list[Any], raw: bytes) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    begin = 0
    for name, kind, shape in told:
        if kind not in _TYPES:
            raise ValueError(f"{name} is of type {kind}: must be one of {', '.join(_TYPES)}")
        count = int(np.prod([int(size) for size in shape], dtype=np.int64))
        values = np.frombuffer(raw, np.dtype(kind), count, begin).reshape(shape)
        if not np.isfinite(values).all() and name != "edges":
            raise ValueError(f"{name} holds a value that is no number")
        found[name] = values
        begin += values.nbytes
    if begin != len(raw):
        raise ValueError(f"{len(raw) - begin} bytes too many")
    return found


def _state(head: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> ShopState:
    names, categories = tuple(map(str, head["names"])), tuple(map(str, head["categories"]))
    one = (GROUPS, len(CANDIDATES))
    wanted = {
        "shop": one,
        "by_category": (len(categories), *one),
        "by_product": (len(names), *one),
        "shifts": (PARTS, CLASSES, len(LEVELS)),
    }
    for name, shape in wanted.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}: must be {shape}")
    return ShopState(
        date.fromisoformat(head["upto"]),
        names,
        arrays["shop"].astype(np.float64),
        categories,
        arrays["by_category"].astype(np.float32),
        arrays["by_product"].astype(np.float32),
        Shifts(arrays["shifts"].astype(np.float64)),
        _grove(arrays) if "leaf" in arrays else None,
        str(head["kept"]),
        {str(name): float(loss) for name, loss in head["losses"].items()},
        tuple(map(str, head["drift"])),
        int(head["days"]),
        None if head["model"] is None else str(head["model"]),
    )


def _grove(arrays: dict[str, NDArray[Any]]) -> Grove:
    edges, column, threshold, leaf = (arrays[name] for name in ("edges", "column", "threshold", "leaf"))
    trees, inner = column.shape
    right = threshold.shape == (trees, inner) and leaf.shape == (trees, inner + 1, len(LEVELS))
    if not right or edges.shape[1:] != (BINS - 1,) or arrays["start"].shape != (len(LEVELS),):
        raise ValueError(f"trees of shapes {column.shape}, {threshold.shape}, {leaf.shape} do not fit together")
    if column.size and int(column.max()) >= len(edges):
        raise ValueError(f"a tree asks for column {int(column.max())} of {len(edges)}")
    return Grove(
        edges.astype(np.float32),
        arrays["start"].astype(np.float32),
        column.astype(np.uint8),
        threshold.astype(np.uint8),
        leaf.astype(np.float16),
    )
