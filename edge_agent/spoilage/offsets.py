"""How much longer or shorter a supplier's goods keep than the table says, learnt from what became of them.

An outcome says where a lot's life ended, in shares of the life that the physics had reckoned for it (1 = as reckoned):
spoiled at 0.8 = it kept 80 % of that. Sold fresh only says: longer than this. The logarithm is believed to be normal;
a supplier's goods lean on the product's, those on its group's, and those on the table, each as if the level above had
shown 8 outcomes of its own: weight n / (n + 8).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import erfc, exp, isfinite, log, pi, sqrt
from types import MappingProxyType

LEANING = 8.0  # outcomes that the level above is worth
OUTCOME_SD = 0.40  # of ln life, from lot to lot and with the day somebody looked
MARKED_DOWN_AT = 0.85  # of the life: goods are marked down for their looks before they are spoiled
FACTOR_BOUNDS = (0.4, 1.6)
USED_BOUNDS = (0.02, 5.0)  # a share of the life outside of it is a slip
SPOILED_REASONS = ("spoiled", "mould", "rotten", "wilted", "dry", "smell", "colour", "soft", "overripe")
OTHER_REASONS = ("damaged", "date", "recall", "stolen", "unsold", "power-cut", "other")  # say nothing about ageing
FORGETTING = 0.98  # an outcome's weight when the next one comes: half after 35
DRIFT_SLACK, DRIFT_LIMIT = 0.5, 5.0  # in standard deviations: tabular CUSUM (Montgomery, chapter 9)
LEAST_LEARNT = 6.0  # outcomes before a change can be one
FORM = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a lot or of a part of it. `used`: share of the life by the physics alone, no offset in it."""

    supplier: str
    product: str
    group: str
    kind: str  # "sold", "marked-down", "wasted"
    used: float
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("sold", "marked-down", "wasted"):
            raise ValueError(f'kind = "{self.kind}": must be sold, marked-down or wasted')
        if not (isfinite(self.used) and self.used >= 0):
            raise ValueError(f"used = {self.used}: must be a share of the life, 0 or more")
        if self.kind != "sold" and self.reason not in (*SPOILED_REASONS, *OTHER_REASONS):
            known = ", ".join((*SPOILED_REASONS, *OTHER_REASONS))
            raise ValueError(f'reason = "{self.reason}": must be one of {known}')
        for name in ("supplier", "product", "group"):
            if not getattr(self, name) or "|" in getattr(self, name):
                raise ValueError(f'{name} = "{getattr(self, name)}": must be a name without "|"')


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one level: outcomes by their weight, and the sum of their logarithms."""

    count: float = 0.0
    total: float = 0.0

    def leaning_on(self, above: float) -> float:
        return (self.total + LEANING * above) / (self.count + LEANING)


@dataclass(frozen=True, slots=True)
class Watch:
    """CUSUM of one supplier's outcomes against what was believed of them, to both sides."""

    longer: float = 0.0
    shorter: float = 0.0
    since: int = 0  # outcomes since the sum last stood at 0
    total: float = 0.0  # of their deviations


@dataclass(frozen=True, slots=True)
class Drift:
    """A supplier's goods that no longer keep as they did."""

    supplier: str
    product: str
    change: float  # of the life: -0.25 = a quarter shorter
    outcomes: int

    def __str__(self) -> str:
        way = "longer" if self.change > 0 else "shorter"
        return (
            f"{self.product} from {self.supplier}: the last {self.outcomes} outcomes lasted about "
            f"{abs(self.change):.0%} {way} than was learnt before"
        )


@dataclass(frozen=True, slots=True)
class Offset:
    """On a lot's life: a factor, how sure it is (sd of its logarithm), and how many outcomes of this supplier count."""

    factor: float
    sd: float
    outcomes: float


@dataclass(frozen=True, slots=True)
class Offsets:
    """Everything learnt; keys are "group", "group|product" and "group|product|supplier"."""

    tallies: Mapping[str, Tally] = field(default_factory=dict)
    watches: Mapping[str, Watch] = field(default_factory=dict)


def offset(learnt: Offsets, group: str, product: str, supplier: str) -> Offset:
    """Of a supplier's goods; of one nobody has heard of: the product's, the group's, none."""
    mean, above = _mean(learnt, group, product, supplier)
    count = learnt.tallies.get(_keys(group, product, supplier)[-1], Tally()).count
    return Offset(
        min(max(exp(mean), FACTOR_BOUNDS[0]), FACTOR_BOUNDS[1]),
        round(OUTCOME_SD / sqrt(LEANING + min(above, LEANING) + count), 4),
        round(count, 2),
    )


def with_outcome(learnt: Offsets, outcome: Outcome) -> tuple[Offsets, Drift | None]:
    """After one more outcome, and whether with it a change is certain."""
    told = _told(outcome)
    if told is None:
        return learnt, None
    log_used, is_at_least = told
    mean, _ = _mean(learnt, outcome.group, outcome.product, outcome.supplier)
    believed, weight = _beyond(mean, OUTCOME_SD, log_used) if is_at_least else (log_used, 1.0)
    keys = _keys(outcome.group, outcome.product, outcome.supplier)
    tallies = dict(learnt.tallies)
    for key in keys:
        before = tallies.get(key, Tally())
        tallies[key] = Tally(before.count * FORGETTING + weight, before.total * FORGETTING + weight * believed)
    watches = dict(learnt.watches)
    # The slope of the likelihood: 0 on the whole while what is believed is right, also with lots that were sold.
    deviation = (believed - mean) * weight / OUTCOME_SD
    watch = _watched(watches.get(keys[-1], Watch()), deviation) if tallies[keys[-1]].count >= LEAST_LEARNT else Watch()
    drift = _drift(outcome, watch)
    if drift is not None:  # what was learnt before no longer holds: it is worth a quarter from now on
        before, recent = tallies[keys[-1]], mean + watch.total / watch.since * OUTCOME_SD
        tallies[keys[-1]] = Tally(before.count / 4 + watch.since, before.total / 4 + watch.since * recent)
        watch = Watch()
    watches[keys[-1]] = watch
    return replace(learnt, tallies=MappingProxyType(tallies), watches=MappingProxyType(watches)), drift


def _told(outcome: Outcome) -> tuple[float, bool] | None:
    """ln of where the life ended, and whether it only lasted at least so long; None: it says nothing."""
    if outcome.kind != "sold" and outcome.reason in OTHER_REASONS:
        return None
    if not USED_BOUNDS[0] <= outcome.used <= USED_BOUNDS[1]:
        return None
    if outcome.kind == "marked-down":
        return log(outcome.used / MARKED_DOWN_AT), False
    return log(outcome.used), outcome.kind == "sold"


def _keys(group: str, product: str, supplier: str) -> tuple[str, str, str]:
    return group, f"{group}|{product}", f"{group}|{product}|{supplier}"


def _mean(learnt: Offsets, group: str, product: str, supplier: str) -> tuple[float, float]:
    """Believed mean of ln(life / table), and how many outcomes the product's own level has."""
    mean, above = 0.0, 0.0
    for key in _keys(group, product, supplier):
        tally = learnt.tallies.get(key, Tally())
        mean = tally.leaning_on(mean)
        if key.count("|") == 1:
            above = tally.count
    return mean, above


def _beyond(mean: float, sd: float, least: float) -> tuple[float, float]:
    """An outcome that would teach as much as knowing that the value lies above `least`, and its weight (the first and
    second derivative of the likelihood of a censored normal value).

    >>> [round(number, 2) for number in _beyond(0.0, 0.4, -2.0)]  # sold at 14 % of its life: teaches nothing
    [0.08, 0.0]
    >>> [round(number, 2) for number in _beyond(0.0, 0.4, 0.4)]  # still good at 1.5 times the life
    [0.76, 0.8]
    """
    z = min((least - mean) / sd, 6.0)
    hazard = exp(-z * z / 2) / sqrt(2 * pi) / (0.5 * erfc(z / sqrt(2)))
    return mean + sd / (hazard - z), hazard * (hazard - z)


def _watched(before: Watch, deviation: float) -> Watch:
    longer = max(0.0, before.longer + deviation - DRIFT_SLACK)
    shorter = max(0.0, before.shorter - deviation - DRIFT_SLACK)
    if longer == shorter == 0:
        return Watch()
    return Watch(longer, shorter, before.since + 1, before.total + deviation)


def _drift(outcome: Outcome, watch: Watch) -> Drift | None:
    if max(watch.longer, watch.shorter) < DRIFT_LIMIT:
        return None
    change = exp(watch.total / watch.since * OUTCOME_SD) - 1
    return Drift(outcome.supplier, outcome.product, round(change, 3), watch.since)


def written(learnt: Offsets) -> dict[str, object]:
    """For the memory: plain lists and numbers."""
    return {
        "form": FORM,
        "tallies": {key: [round(one.count, 4), round(one.total, 5)] for key, one in learnt.tallies.items()},
        "watches": {
            key: [round(one.longer, 4), round(one.shorter, 4), one.since, round(one.total, 4)]
            for key, one in learnt.watches.items()
            if one != Watch()
        },
    }


def read(value: object) -> Offsets:
    """From the memory; ValueError names what cannot be read."""
    if not isinstance(value, dict) or value.get("form") != FORM:
        raise ValueError(f"offsets of form {FORM} expected, found {str(value)[:60]}")
    tallies = {str(key): Tally(*_numbers(key, row, 2)) for key, row in _rows(value, "tallies")}
    watches: dict[str, Watch] = {}
    for key, row in _rows(value, "watches"):
        longer, shorter, since, total = _numbers(key, row, 4)
        watches[str(key)] = Watch(longer, shorter, int(since), total)
    return Offsets(MappingProxyType(tallies), MappingProxyType(watches))


def _rows(value: Mapping[str, object], name: str) -> list[tuple[str, object]]:
    rows = value.get(name)
    if not isinstance(rows, dict):
        raise ValueError(f"offsets, {name} = {str(rows)[:60]}: must be an object")
    return list(rows.items())


def _numbers(key: str, row: object, count: int) -> list[float]:
    if not isinstance(row, list) or len(row) != count or not all(isinstance(one, int | float) for one in row):
        raise ValueError(f"offsets, {key} = {str(row)[:60]}: must be {count} numbers")
    if not all(isfinite(one) for one in row):
        raise ValueError(f"offsets, {key} = {row}: must be finite")
    return [float(one) for one in row]
