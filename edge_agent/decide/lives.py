"""The air that lots lie in, followed; and what a thought about their lives came to, taken into the memory. Pure.

One source of truth for the air: the median of a place's thermometers as the alarms believe it (``alerts.place``). The
temperature of the goods that alarms reckon is the place's, by its pack; a lot's own follows the same air by its
packaging. No estimate touches the food clock.
"""

from collections.abc import Mapping
from dataclasses import replace
from statistics import median

from edge_agent.alerts.place import PlaceState
from edge_agent.alerts.sensor_fault import SensorHealth
from edge_agent.alerts.settings import PlaceSettings
from edge_agent.decide.memory import Memory
from edge_agent.decide.nouns import Plan
from edge_agent.domain.instant import ClockState, Instant
from edge_agent.domain.lot import Lot, NextLot
from edge_agent.domain.reading import Quality
from edge_agent.domain.shelf_life import RemainingLife
from edge_agent.lots import air as rooms
from edge_agent.lots import alone
from edge_agent.lots import register as lots
from edge_agent.lots.air import Air, breathed, used_upto
from edge_agent.lots.dating import dated, passed_s
from edge_agent.lots.keeping import Keeping, Lives
from edge_agent.lots.register import Register, Rest
from edge_agent.weighing.drift import drift_u_g
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.settings import ShelfSettings

NOTHING_KNOWN = "no_date"  # neither air nor date: such an estimate is doubt alone (spoilage/guard.py)
HUMIDITY_S = 1800.0  # so long a hygrometer is believed after it spoke last

Lived = tuple[Lot, RemainingLife]


def with_dates(memory: Memory, now: Instant) -> Memory:
    """Once the clock of this boot is set: what lots, shelves, rooms and outcomes hold of before has its wall time."""
    if memory.is_dated or now.clock is ClockState.UNSYNCED:
        return memory
    return replace(
        memory,
        register=lots.with_dates(memory.register, now),
        keepings={name: dated(keeping, now) for name, keeping in memory.keepings.items()},
        airs={place: rooms.with_dates(air, now) for place, air in memory.airs.items()},
        outcomes=dated(memory.outcomes, now),
        is_dated=True,
    )


def follow(memory: Memory, plan: Plan) -> Memory:
    """The air around the lots, and the weight of those that lie alone on a scale. Once a cycle."""
    return weigh(breathe(memory, plan), plan)


def weigh(memory: Memory, plan: Plan) -> Memory:
    """Drift that was followed is in the weight: nobody can tell it from water, and so its uncertainty is told."""
    register, lone = memory.register, alone.lone(memory.register)
    for shelf in plan.shelves if register.books else ():
        if shelf.name in lone:
            register = _weighed(register, shelf, memory.scales.get(shelf.name), lone[shelf.name])
        else:
            register = alone.unweighed(register, shelf.name)
    return memory if register is memory.register else replace(memory, register=register)


def _weighed(register: Register, shelf: ShelfSettings, scale: ScaleState | None, lot: Lot) -> Register:
    if scale is None or scale.confirmed is None or scale.reference_g is None or scale.fault_since is not None:
        return register
    at, book = scale.confirmed, register.books[shelf.name]
    if not alone.is_due(book, lot, at):
        return register
    since_s = 0.0 if alone.begins(book, lot, at) else book.rests[0].at.age_s(at)
    rest = Rest(at, scale.reference_g - scale.tare_g, drift_u_g(since_s, shelf))
    return alone.rested(register, shelf.name, lot, rest)


def breathe(memory: Memory, plan: Plan) -> Memory:
    """Of places where lots lie; without any nothing is kept."""
    wanted = {stay.place for lot in memory.register.lots.values() if lot.is_open for stay in lot.stays}
    if not wanted:
        return replace(memory, airs={}) if memory.airs else memory
    airs: dict[str, Air] = {}
    for place in plan.places:
        state = memory.places.get(place.name)
        if place.name in wanted and state is not None:
            air = _breathed(memory.airs.get(place.name, Air()), place, state, memory.sensors)
            airs[place.name] = air
    return replace(memory, airs=airs)


def _breathed(air: Air, place: PlaceSettings, state: PlaceState, sensors: Mapping[str, SensorHealth]) -> Air:
    warmth = state.now.warmth
    if warmth.at is None or warmth.air_c is None:
        return air
    return breathed(air, warmth.at, warmth.air_c, _humidity(place, sensors, warmth.at))


def _humidity(place: PlaceSettings, sensors: Mapping[str, SensorHealth], at: Instant) -> float | None:
    said = []
    for name in place.sensors:
        last = sensors[name].last_good if name in sensors else None
        if last is not None and last.at.age_s(at) <= HUMIDITY_S:
            said += [
                reading.value
                for reading in last.readings
                if reading.channel.quantity == "humidity" and reading.quality is Quality.GOOD
            ]
    known = [value for value in said if value is not None]
    return median(known) if known else None


def taken(memory: Memory, lives: Lives, at: Instant) -> tuple[Memory, list[Lived]]:
    """Lots that were closed meanwhile are left out; air that all have been through is forgotten."""
    register = lots.forgotten(memory.register, at)
    known = register.lots
    fresh = {name: found for name, found in lives.keepings.items() if name in known and known[name].is_open}
    keepings = {name: found for name, found in memory.keepings.items() if name in known} | fresh
    memory = replace(
        memory,
        register=register,
        keepings=keepings,
        learnt_lives=lives.learnt or memory.learnt_lives,
        outcomes=memory.outcomes[lives.outcomes :],
    )
    memory = _without_old_air(memory, at)
    return memory, [(known[name], found.life) for name, found in fresh.items() if found.life is not None]


def _without_old_air(memory: Memory, now: Instant) -> Memory:
    airs = {}
    for place, air in memory.airs.items():
        uptos = {_upto(memory.keepings, lot) for lot in memory.register.lots.values() if _needs(lot, place)}
        airs[place] = used_upto(air, uptos, now) if uptos else air
    return replace(memory, airs=airs)


def _needs(lot: Lot, place: str) -> bool:
    return lot.is_open and any(stay.place == place for stay in lot.stays)


def _upto(keepings: Mapping[str, Keeping], lot: Lot) -> Instant:
    return keepings[lot.id].upto if lot.id in keepings else lot.received


def next_lots(memory: Memory, plan: Plan, now: Instant, valid_s: float) -> list[NextLot]:
    """Of each place the lot that will be spoiled first; ``valid_s``: an older estimate says nothing any more."""
    there: dict[str, list[Lot]] = {}
    for lot in memory.register.open_lots():
        there.setdefault(lot.place, []).append(lot)
    found = []
    for place in plan.places:
        lots_there = there.get(place.name, [])
        known = [(lot, life) for lot in lots_there if (life := _known_life(memory, lot, now, valid_s)) is not None]
        if known:
            lot, life = min(known, key=lambda each: round(each[1].median_d, 1))  # of two alike the first expired
            product = plan.products.get(lot.product)
            name = lot.product if product is None else product.name
            found.append(NextLot(place.name, lot, name, life, len(lots_there)))
    return found


def _known_life(memory: Memory, lot: Lot, now: Instant, valid_s: float) -> RemainingLife | None:
    life = memory.keepings[lot.id].life if lot.id in memory.keepings else None
    is_known = life is not None and NOTHING_KNOWN not in life.reasons and passed_s(life.at, now) <= valid_s
    return life if is_known else None


def closed_now(before: Memory, after: Memory) -> list[Lot]:
    """Lots that came to their end in this cycle, and were told of before."""
    if before.register is after.register:
        return []
    was = before.register.lots
    return [
        lot
        for name, lot in after.register.lots.items()
        if not lot.is_open and (name in was and was[name].is_open) and name in before.keepings
    ]
