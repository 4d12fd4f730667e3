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
from edge_agent.alerts.warmth import between_s
from edge_agent.decide.memory import Memory
from edge_agent.decide.nouns import Plan
from edge_agent.domain.instant import Instant
from edge_agent.domain.lot import Lot
from edge_agent.domain.reading import Quality
from edge_agent.domain.shelf_life import RemainingLife
from edge_agent.lots import alone
from edge_agent.lots.air import Air, breathed, used_upto
from edge_agent.lots.keeping import Keeping, Lives
from edge_agent.lots.register import Register, Rest, forgotten
from edge_agent.weighing.drift import drift_u_g
from edge_agent.weighing.scale import ScaleState
from edge_agent.weighing.settings import ShelfSettings

HUMIDITY_S = 1800.0  # so long a hygrometer is believed after it spoke last

Lived = tuple[Lot, RemainingLife]


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
    return breathed(air, warmth.at, warmth.air_c, _humidity(place, sensors, warmth.at), between_s)


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
    register = forgotten(memory.register, at)
    lots = register.lots
    fresh = {name: found for name, found in lives.keepings.items() if name in lots and lots[name].is_open}
    keepings = {name: found for name, found in memory.keepings.items() if name in lots} | fresh
    memory = replace(
        memory,
        register=register,
        keepings=keepings,
        learnt_lives=lives.learnt or memory.learnt_lives,
        outcomes=memory.outcomes[lives.outcomes :],
    )
    memory = _without_old_air(memory)
    return memory, [(lots[name], found.life) for name, found in fresh.items() if found.life is not None]


def _without_old_air(memory: Memory) -> Memory:
    airs = {}
    for place, air in memory.airs.items():
        upto = [_upto(memory.keepings, lot) for lot in memory.register.lots.values() if _needs(lot, place)]
        oldest = min(upto, key=lambda instant: instant.wall_ms, default=None)
        airs[place] = air if oldest is None else used_upto(air, oldest, between_s)
    return replace(memory, airs=airs)


def _needs(lot: Lot, place: str) -> bool:
    return lot.is_open and any(stay.place == place for stay in lot.stays)


def _upto(keepings: Mapping[str, Keeping], lot: Lot) -> Instant:
    return keepings[lot.id].upto if lot.id in keepings else lot.received


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
