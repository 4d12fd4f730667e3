"""What is known of each product: a table of facts, every one with its source and how far it is to be trusted.

One line, one fact. A product's own facts come first, in the order of the file; what it has none of, its group gives as
a class default. Of lives all count that are told (``pooling``). Without one source (to be judged by it) its facts fall
away, and the others speak; where none is left, the group's other products do.
"""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from types import MappingProxyType

import numpy as np

from edge_agent.spoilage.chilling import Chilling
from edge_agent.spoilage.kinetics import NAMES, Kinetics, relative_rate
from edge_agent.spoilage.pooling import (
    BETWEEN_SOURCES_SD,
    Pooled,
    Saying,
    is_handbook,
    of_group,
    of_product,
    range_sd,
    trials_longer,
)
from edge_agent.spoilage.thermal import PACKS, pack_named
from edge_agent.spoilage.traits import Traits

COLUMNS = ("product", "what", "value", "low", "high", "at_c", "unit", "source", "reliability")
RELIABILITIES = (*BETWEEN_SOURCES_SD, "convention")
MOVED_SHARE = 0.3  # of the change of ln rate: how far off it may be
NEAR_TMIN_K = (
    4.0  # nearer to its least temperature a rate goes to 0 in the formula only: other things spoil goods there
)
GROUP = "group:"
FAMILIES = ("leaf", "vegetable", "fruit", "meat", "fish", "dairy", "other")
STRENGTHS = ("VL", "L", "M", "H", "VH")  # of ethylene given off, and of what it does
_KINETICS = MappingProxyType({"q10": "q10", "tmin": "square_root", "per_c": "exponential", "energy": "arrhenius"})
_UNITS = MappingProxyType(
    {
        "life": "d",
        "life_sd": "1",
        "q10": "1",
        "tmin": "°C",
        "per_c": "1/°C",
        "energy": "kJ/mol",
        "slope_sd": "1",
        "lag_share": "1",
        "lag_power": "1",
        "chill": "d",
        "chill_threshold": "°C",
        "chill_power": "1",
        "chill_grace": "1",
        "chill_hardened": "1",
        "best": "°C",
        "rh": "%",
        "freeze": "°C",
        "transpiration": "mg/(kg s MPa)",
        "most_loss": "%",
        "fixed": "d",
    }
)
_CHOICES: Mapping[str, Sequence[str] | None] = MappingProxyType(
    {
        "group": None,
        "alias": None,
        "family": FAMILIES,
        "pack": tuple(PACKS),
        "use_by": ("yes",),
        "ethylene": STRENGTHS,
        "sensitive": STRENGTHS,
    }
)
_AT = ("life", "chill")  # facts that hold at one temperature
_NEAR = 0.34  # share of the words' weight that two names must have in common to mean the same goods


class ProductFault(ValueError):
    """A line of the table that cannot be used: row, column, value, and what would be right."""

    def __init__(self, row: int, column: str, value: str, right: str) -> None:
        super().__init__(f'products, row {row}, {column} = "{value}": must be {right}')
        self.row, self.column, self.value, self.right = row, column, value, right


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the table."""

    product: str
    what: str
    text: str
    value: float  # NaN for a word
    low: float  # NaN where no range is told
    high: float
    at_c: float  # NaN where it holds at every temperature
    source: str
    reliability: str
    row: int


@dataclass(frozen=True, slots=True)
class Product:
    """The parameters of one product, pooled from its own facts and its group's."""

    name: str
    group: str
    family: str
    pack: str
    kinetics: Kinetics
    life_d: float  # at kinetics.ref_c, as good as it comes: what its sources and its kin say together
    life_sd: float  # of ln life: what another source would differ from that
    slope_sd: float  # of ln rate, 10 K off the reference
    lag_share: float
    lag_power: float
    chilling: Chilling | None
    best_c: float
    rh_pct: tuple[float, float] | None
    freeze_c: float
    transpiration: float  # bare, mg/(kg s MPa); 0: does not dry
    most_loss_pct: float  # NaN: does not dry
    ethylene: str
    sensitive: str
    fixed_d: tuple[float, float] | None  # a consumer's rule of fixed days (FoodKeeper); never a label
    has_use_by: bool  # goods that carry a use-by date, which no estimate lengthens
    matched: str  # "name", "alias", "near", "group": how it was found
    facts: Mapping[str, Fact]  # the first of each; of lives the one that sets the reference temperature


@dataclass(frozen=True, slots=True)
class Catalog:
    """All facts, and the names they are found by."""

    facts: tuple[Fact, ...]
    own: Mapping[str, tuple[Fact, ...]]  # by product, and by "group:NAME"
    members: Mapping[str, tuple[str, ...]]  # of each "group:NAME"
    names: Mapping[str, str]  # plain names and aliases -> product
    words: Mapping[str, frozenset[str]]  # of each of the names
    weights: Mapping[str, float]  # of a word: rare ones tell more
    trials_longer: float = 0.0  # of ln life, than handbooks
    made: dict[tuple[str, str], Product] = field(default_factory=dict, compare=False, repr=False)  # asked for before
    near: dict[str, str | None] = field(default_factory=dict, compare=False, repr=False)  # nearest products, as asked

    def __len__(self) -> int:
        return len(self.products())

    def products(self) -> tuple[str, ...]:
        return tuple(name for name in self.own if not name.startswith(GROUP))

    def find(self, name: str, category: str | None = None) -> Product | None:
        """By its name, an alias, the nearest name in words, or its group; None where nothing fits."""
        plain = _plain(name)
        if plain in self.names:
            product = self.names[plain]
            return self._product(product, "name" if _plain(product) == plain else "alias")
        if plain not in self.near:  # a search through all names; each lot asks every hour
            self.near[plain] = _nearest(plain, self)
        near = self.near[plain]
        if near is not None:
            return self._product(near, "near")
        for text in (name, category or ""):
            group = self._group(_plain(text))
            if group is not None:
                return self._product(GROUP + group, "group")
        return None

    def named(self, name: str) -> Product:
        """A product of the table by its very name."""
        if name not in self.own or name.startswith(GROUP):
            raise KeyError(f"{name}: not in the table of products")
        return self._product(name, "name")

    def without(self, source: str) -> "Catalog":
        """All that does not come from a source: a fact whose source's words all stand in `source` falls away."""
        words = set(_plain(source).split())
        kept = tuple(fact for fact in self.facts if not _is_of(fact, words))
        return _catalog(kept)

    def _group(self, plain: str) -> str | None:
        words = set(plain.split()) | {word.removesuffix("s") for word in plain.split()}
        groups = [name.removeprefix(GROUP) for name in self.own if name.startswith(GROUP)]
        fitting = [group for group in groups if set(group.split("_")) <= words]
        return max(fitting, key=len, default=None)

    def _product(self, name: str, matched: str) -> Product:
        if (name, matched) not in self.made:
            self.made[name, matched] = _pooled(name, matched, self)
        return self.made[name, matched]


def _is_of(fact: Fact, words: set[str]) -> bool:
    if fact.reliability in ("convention", "class default"):
        return False
    return set(_plain(fact.source).split()) <= words


@lru_cache(maxsize=1)
def shipped() -> Catalog:
    """The table that comes with the program."""
    return read_products(resources.files("edge_agent.spoilage").joinpath("products.csv").read_text(encoding="utf-8"))


def read_products(text: str) -> Catalog:
    """A table in the form of COLUMNS; ProductFault names the line that is wrong."""
    lines = csv.reader(text.splitlines())
    header = next(lines, [])
    if tuple(header) != COLUMNS:
        raise ProductFault(1, "header", ",".join(header), ",".join(COLUMNS))
    facts = tuple(_fact(row, line) for row, line in enumerate(lines, start=2) if line)
    if not facts:
        raise ProductFault(2, "product", "", "at least one product")
    catalog = _catalog(facts)
    for fact in facts:
        if fact.what == "group" and GROUP + fact.text not in catalog.own:
            known = ", ".join(name.removeprefix(GROUP) for name in catalog.own if name.startswith(GROUP))
            raise ProductFault(fact.row, "value", fact.text, f"a group of the table: {known}")
    for name in catalog.own:
        catalog.made[name, "name"] = _pooled(name, "name", catalog)
    return catalog


def _fact(row: int, line: list[str]) -> Fact:
    if len(line) != len(COLUMNS):
        raise ProductFault(row, "line", ",".join(line), f"{len(COLUMNS)} columns, and has {len(line)}")
    cells = dict(zip(COLUMNS, line, strict=True))
    what, text = cells["what"], cells["value"].strip()
    if not cells["product"].strip():
        raise ProductFault(row, "product", cells["product"], "the name of a product")
    if what not in _UNITS and what not in _CHOICES:
        raise ProductFault(row, "what", what, "one of " + ", ".join([*_UNITS, *_CHOICES]))
    if not cells["source"].strip():
        raise ProductFault(row, "source", "", "who says so")
    if cells["reliability"] not in RELIABILITIES:
        raise ProductFault(row, "reliability", cells["reliability"], "one of " + ", ".join(RELIABILITIES))
    value, low, high, at_c = math.nan, math.nan, math.nan, math.nan
    if what in _UNITS:
        value, low, high, at_c = _numbers(row, cells)
    elif not text or (_CHOICES[what] is not None and text not in (_CHOICES[what] or ())):
        raise ProductFault(row, "value", text, "one of " + ", ".join(_CHOICES[what] or ("a word",)))
    source = cells["source"].strip()
    return Fact(cells["product"].strip(), what, text, value, low, high, at_c, source, cells["reliability"], row)


def _numbers(row: int, cells: Mapping[str, str]) -> tuple[float, float, float, float]:
    what = cells["what"]
    if cells["unit"] != _UNITS[what]:
        raise ProductFault(row, "unit", cells["unit"], f"{_UNITS[what]} for {what}")
    value, low, high, at_c = (_number(row, column, cells[column]) for column in ("value", "low", "high", "at_c"))
    if math.isnan(value):
        raise ProductFault(row, "value", cells["value"], "a number")
    if math.isnan(low) != math.isnan(high) or not (math.isnan(low) or low <= value <= high):
        raise ProductFault(
            row, "low", f"{cells['low']} to {cells['high']}", f"a range about {cells['value']}, or empty"
        )
    if (what in _AT) == math.isnan(at_c):
        raise ProductFault(row, "at_c", cells["at_c"], "a temperature" if what in _AT else "empty")
    if what in ("life", "chill", "life_sd", "slope_sd", "most_loss", "fixed") and not value > 0:
        raise ProductFault(row, "value", cells["value"], "above 0")
    return value, low, high, at_c


def _number(row: int, column: str, text: str) -> float:
    if not text.strip():
        return math.nan
    try:
        number = float(text)
    except ValueError:
        raise ProductFault(row, column, text, "a number") from None
    if not math.isfinite(number):
        raise ProductFault(row, column, text, "a finite number")
    return number


def _catalog(facts: tuple[Fact, ...]) -> Catalog:
    own: dict[str, list[Fact]] = {}
    names: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    for fact in facts:
        own.setdefault(fact.product, []).append(fact)
        if fact.product.startswith(GROUP):
            continue
        names[_plain(fact.product)] = fact.product
        if fact.what == "group":
            members.setdefault(GROUP + fact.text, []).append(fact.product)
        if fact.what == "alias":
            names.setdefault(_plain(fact.text), fact.product)
    many = max(len(names), 1)
    counts: dict[str, int] = {}
    words = {name: _words(name) for name in names}
    for found in words.values():
        for word in found:
            counts[word] = counts.get(word, 0) + 1
    weights = {word: math.log(1 + many / count) for word, count in counts.items()}
    catalog = Catalog(
        facts,
        MappingProxyType({name: tuple(rows) for name, rows in own.items()}),
        MappingProxyType({name: tuple(some) for name, some in members.items()}),
        MappingProxyType(names),
        MappingProxyType(words),
        MappingProxyType(weights),
    )
    return replace(catalog, trials_longer=trials_longer(_told_by_both(catalog)))


def _told_by_both(catalog: Catalog) -> list[list[Saying]]:
    """The lives of each product that a handbook and a trial tell of."""
    found = []
    for name in catalog.products():
        kinds = {is_handbook(fact.source) for fact in _lives(catalog.own[name])}
        groups = [fact.text for fact in catalog.own[name] if fact.what == "group" and GROUP + fact.text in catalog.own]
        if len(kinds) == 2 and groups:
            facts = _first(catalog.own[name], catalog.own[GROUP + groups[0]])
            found.append(_sayings(name, groups[0], facts, _kinetics_of(facts), catalog))
    return found


def _plain(name: str) -> str:
    """Small letters, words apart: what two spellings of one name have in common.

    >>> _plain("Shrimp_brined-MAP pH5.7")
    'shrimp brined map ph5.7'
    """
    return " ".join(re.findall(r"[^\W_]+(?:\.\d+)?", name.casefold()))


def _words(plain: str) -> frozenset[str]:
    """Plurals lose their s, measures their number: "ph5.7" -> "ph"."""
    found = (re.sub(r"[\d.]+", "", word) for word in plain.split())
    return frozenset(word.removesuffix("s") if len(word) > 4 else word for word in found if len(word) > 1)


def _nearest(plain: str, catalog: Catalog) -> str | None:
    """The product whose name or alias has most of the words' weight in common; measures (pH, salt) decide a tie."""
    asked = _words(plain)
    unknown = math.log(1 + len(catalog.names))
    best: tuple[float, float, str] | None = None
    for name, product in catalog.names.items():
        words = catalog.words[name]
        if asked.isdisjoint(words):
            continue
        shared = sum(catalog.weights[word] for word in asked & words)
        # Words nobody knows ("handbook", "batch2") weigh little: they tell where a figure is from, not what it is of.
        strange = sum(catalog.weights.get(word, 0.15 * unknown) for word in asked - words)
        score = shared / (shared + strange + sum(catalog.weights[word] for word in words - asked))
        found = (score, -_apart(plain, name), product)
        if score >= _NEAR and (best is None or found[:2] > best[:2]):
            best = found
    return None if best is None else best[2]


def _apart(one: str, other: str) -> float:
    """How far two names' measures lie apart: "ph5.7 wps3.3" and "ph5.5 wps3.6" by 0.2 and 0.3."""
    ours, theirs = (dict(re.findall(r"([a-z]+)(\d+(?:\.\d+)?)", name)) for name in (one, other))
    return sum(abs(float(ours[key]) - float(theirs[key])) for key in ours.keys() & theirs.keys())


def _pooled(name: str, matched: str, catalog: Catalog) -> Product:
    """A product's own facts before its group's; of several for one number the first, of lives all of them."""
    mine = catalog.own[name]
    group = name.removeprefix(GROUP)
    if not name.startswith(GROUP):
        group = _group_of(mine)
    facts = _first(mine, catalog.own[GROUP + group])
    for needed in ("family", "pack", "life", "kinetics", "slope_sd", "best"):
        if needed not in facts:
            raise ProductFault(mine[0].row, "what", "", f'given: "{needed}" for {name}, or for its group "{group}"')
    return _product(name, group, matched, facts, catalog)


def _first(mine: Sequence[Fact], groups: Sequence[Fact]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for fact in (*mine, *groups):
        facts.setdefault("kinetics" if fact.what in _KINETICS else fact.what, fact)
    return facts


def _group_of(mine: Sequence[Fact]) -> str:
    for fact in mine:
        if fact.what == "group":
            return fact.text
    raise ProductFault(mine[0].row, "what", mine[0].what, f'"group": {mine[0].product} belongs to none')


def _life(name: str, group: str, facts: Mapping[str, Fact], kinetics: Kinetics, catalog: Catalog) -> Pooled:
    """At the reference temperature: by the product's sources and its kin. What is told is neither the handbooks' life
    nor the trials' but the middle of the two kinds."""
    kin = _of_kin(GROUP + group, name, kinetics.ref_c, catalog)
    own = [] if name.startswith(GROUP) else _sayings(name, group, facts, kinetics, catalog)
    return of_product(_levelled(own, catalog.trials_longer), kin) if own else kin


def _sayings(name: str, group: str, facts: Mapping[str, Fact], kinetics: Kinetics, catalog: Catalog) -> list[Saying]:
    """A product's lives, brought to the reference temperature."""
    own = _lives(catalog.own[name])
    moving = kinetics
    if kinetics.kind == "square_root" and any(fact.at_c - kinetics.parameter < NEAR_TMIN_K for fact in own):
        moving = _kinetics_of(_first(catalog.own[GROUP + group], ()))
    return [_saying(fact, moving, kinetics.ref_c, facts["slope_sd"].value) for fact in own]


def _levelled(sayings: Sequence[Saying], trials_longer: float) -> list[Saying]:
    half = trials_longer / 2
    return [replace(one, ln_life=one.ln_life + (half if is_handbook(one.source) else -half)) for one in sayings]


def _of_kin(group: str, name: str, at_c: float, catalog: Catalog) -> Pooled:
    """The group's other products, each by its own sources, brought to a temperature by the group's kinetics."""
    facts = _first(catalog.own[group], ())
    kinetics, slope_sd = _kinetics_of(facts), facts["slope_sd"].value

    def said(facts: Sequence[Fact]) -> list[Saying]:
        return _levelled([_saying(fact, kinetics, at_c, slope_sd) for fact in facts], catalog.trials_longer)

    others = (_lives(catalog.own[other]) for other in catalog.members.get(group, ()) if other != name)
    return of_group(said([facts["life"]])[0], [of_product(said(lives)) for lives in others if lives])


def _lives(facts: Sequence[Fact]) -> tuple[Fact, ...]:
    return tuple(fact for fact in facts if fact.what == "life")


def _saying(fact: Fact, kinetics: Kinetics, at_c: float, slope_sd: float) -> Saying:
    low, high = (fact.low, fact.high) if fact.low > 0 else (fact.value, fact.value)
    slower = 0.0
    if fact.at_c != at_c:
        slower = math.log(relative_rate(kinetics, fact.at_c) / relative_rate(kinetics, at_c))
    return Saying(
        ln_life=math.log(fact.value) + slower,
        range_sd=range_sd(low, high),
        moved_sd=max(slope_sd * abs(fact.at_c - at_c) / 10.0, MOVED_SHARE * abs(slower)),
        source=fact.source,
        reliability=fact.reliability if fact.reliability in BETWEEN_SOURCES_SD else "class default",
    )


def _kinetics_of(facts: Mapping[str, Fact]) -> Kinetics:
    kinetic = facts["kinetics"]
    try:
        return Kinetics(_KINETICS[kinetic.what], kinetic.value, facts["life"].at_c)
    except ValueError as error:
        raise ProductFault(kinetic.row, "value", kinetic.text, str(error)) from None


def _product(name: str, group: str, matched: str, facts: dict[str, Fact], catalog: Catalog) -> Product:
    kinetics = _kinetics_of(facts)
    life = _life(name, group, facts, kinetics, catalog)
    rh = facts.get("rh")
    fixed = facts.get("fixed")
    return Product(
        name=name.removeprefix(GROUP),
        group=group,
        family=facts["family"].text,
        pack=facts["pack"].text,
        kinetics=kinetics,
        life_d=round(math.exp(life.ln_life), 3),
        life_sd=facts["life_sd"].value if "life_sd" in facts else round(life.next_sd, 4),
        slope_sd=facts["slope_sd"].value,
        lag_share=_value(facts, "lag_share", 0.0),
        lag_power=_value(facts, "lag_power", 1.0),
        chilling=_chilling(facts),
        best_c=facts["best"].value,
        rh_pct=None if rh is None else (rh.low, rh.high),
        freeze_c=_value(facts, "freeze", math.nan),
        transpiration=_value(facts, "transpiration", 0.0),
        most_loss_pct=_value(facts, "most_loss", math.nan),
        ethylene=facts["ethylene"].text if "ethylene" in facts else "VL",
        sensitive=facts["sensitive"].text if "sensitive" in facts else "VL",
        fixed_d=None if fixed is None else (fixed.low, fixed.high),
        has_use_by="use_by" in facts,
        matched=matched,
        facts=MappingProxyType(facts),
    )


def _value(facts: Mapping[str, Fact], what: str, otherwise: float) -> float:
    return facts[what].value if what in facts else otherwise


def _chilling(facts: Mapping[str, Fact]) -> Chilling | None:
    if "chill" not in facts or "chill_threshold" not in facts:
        return None
    threshold, dose = facts["chill_threshold"], facts["chill"]
    try:
        return Chilling(
            threshold_c=threshold.value,
            days=dose.value,
            at_c=dose.at_c,
            power=_value(facts, "chill_power", 2.0),
            grace=_value(facts, "chill_grace", 0.0),
            hardened=_value(facts, "chill_hardened", 1.0),
        )
    except ValueError as error:
        raise ProductFault(dose.row, "at_c", str(dose.at_c), str(error)) from None


def traits(product: Product, pack: str | None = None, tau_s: float | None = None) -> Traits:
    """The numbers that age one lot of it, as it is packed; `tau_s` where the shop has measured its own."""
    packed = pack_named(product.pack if pack is None else pack)
    chilling = product.chilling
    cold = (math.nan,) * 3 + (2.0, 0.0, 1.0)
    if chilling is not None:
        cold = (chilling.threshold_c, chilling.at_c, chilling.days, chilling.power, chilling.grace, chilling.hardened)
    kinetics = product.kinetics
    numbers = (
        *(NAMES.index(kinetics.kind), kinetics.parameter, kinetics.ref_c),
        *(product.life_d, product.lag_share, product.lag_power),
        *cold,
        *(product.freeze_c, product.transpiration * packed.transpires, product.most_loss_pct),
        packed.tau_s if tau_s is None else tau_s,
    )
    return Traits(*(np.array([float(number)]) for number in numbers))
