"""Which sensors of a place are believed at a moment."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from edge_agent.alerts import sensor_doubt
from edge_agent.alerts.condition import Condition
from edge_agent.alerts.seen import Said, Seen
from edge_agent.alerts.sensor_doubt import Doubt, State, Usual, Values
from edge_agent.alerts.settings import PlaceSettings

Doubts = tuple[tuple[str, Doubt], ...]  # by sensor
Usuals = tuple[tuple[str, Usual], ...]


@dataclass(frozen=True, slots=True)
class Trusted:
    doubts: Doubts
    seen: Seen  # without what is not believed
    conditions: tuple[Condition, ...]


def knowing(learnt: Usuals) -> Doubts:
    return tuple((sensor, Doubt(State(learnt=usual))) for sensor, usual in learnt)


def learnt(doubts: Doubts) -> Usuals:
    return tuple((sensor, doubt.state.learnt) for sensor, doubt in doubts)


def trusted(place: PlaceSettings, doubts: Doubts, seen: Seen) -> Trusted:
    """Those in the air are neighbours of one another, and those between the goods are."""
    known = dict(doubts)
    before = dict(doubts)
    for group in (place.sensors, place.core):
        for said in seen.news:
            if said.sensor in group:
                neighbours = _neighbours(said, group, (*seen.news, *seen.known), before)
                values = Values(said.temperature_c, said.humidity_pct)
                state = before[said.sensor].state if said.sensor in before else State()
                known[said.sensor] = sensor_doubt.follow(state, values, neighbours, said.at)
    believed = Seen(seen.at, tuple(_believed(seen.news, known)), tuple(_believed(seen.known, known)))
    conditions = (sensor_doubt.condition(sensor, doubt) for sensor, doubt in known.items())
    return Trusted(tuple(known.items()), believed, tuple(conditions))


def _neighbours(
    said: Said, group: tuple[str, ...], all_said: Iterable[Said], doubts: Mapping[str, Doubt]
) -> list[Values]:
    """The others of its kind, but for those not believed before."""
    return [
        Values(other.temperature_c, other.humidity_pct)
        for other in all_said
        if other.sensor in group
        and other.sensor != said.sensor
        and (other.sensor not in doubts or doubts[other.sensor].is_trusted)
    ]


def _believed(said: Iterable[Said], doubts: Mapping[str, Doubt]) -> Iterator[Said]:
    for each in said:
        doubt = doubts.get(each.sensor)
        if doubt is None or (doubt.is_trusted and doubt.is_humidity_trusted):
            yield each
        else:
            yield replace(
                each,
                temperature_c=each.temperature_c if doubt.is_trusted else None,
                humidity_pct=each.humidity_pct if doubt.is_humidity_trusted else None,
            )
