"""Rooms with heat, damp air, a compressor and a door: one lumped node of air, one of goods, exact in each step.

Figures are orders of magnitude from the literature, so that a cold room cycles, defrosts and suffers an open
door as real ones do:

* door: Gosney and Olama's flow through an open doorway as in the ASHRAE Handbook Refrigeration, chapter
  "Refrigerated-facility loads": 0.221 A sqrt(g H) sqrt(1 - rho_outside/rho_inside) F_m, doorway flow factor
  0.8, strip curtain 85 % (new ones 95 %);
* people: 272 - 6 t watts at t °C (the same chapter);
* walls: 80 to 100 mm polyurethane panels 0.25, 120 to 140 mm 0.18, plastered brick 1.2 W/(m² K);
* goods: specific heat 3.6 kJ/(kg K) chilled, 1.9 frozen, 1.6 dry groceries (the same handbook, "Thermal
  properties of foods");
* coil: heat and water vapour follow one another by the Lewis relation (mass flow = G / c_p);
* saturation: Magnus form over water, Alduchov and Eskridge 1996.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from edge_agent.domain.settings import SettingFault, identifier, one_of, require, within

AIR_J_KGK = 1006.0
PRESSURE_PA = 101_325.0
GRAVITY = 9.81
DOOR_FLOW_FACTOR = 0.8
COIL_TD_K = 8.0  # air minus evaporating temperature, at the setpoint
COIL_SURFACE_K = 3.0  # the wet surface stands so much above the evaporating temperature
FITTINGS_J_M3K = 2_000.0  # racks, coil and inner skin that follow the air, per m³ of room
MIN_RUN_S = 120.0  # of a compressor, and how long it must rest: its maker's protection against short cycling
MIN_OFF_S = 180.0
WORN_OUT = 0.3  # share of its capacity at which a compressor that wears stops
DRIP_S = 240.0  # after a defrost the coil drips before the compressor starts
ICE_HALVES_KG_M3 = 0.25  # of room: so much ice on the coil, and half of its surface is left


class Kind(NamedTuple):
    """What a room of its kind is like unless the settings say otherwise."""

    setpoint_c: float
    differential_k: float
    u_w_m2k: float
    capacity_w_m3: float
    goods_kg_m3: float
    goods_j_kgk: float
    goods_w_kgk: float  # from the air to the goods: 6 to 8 W/(m² K) on 0.03 m² per kg
    wet_kg_s: float  # evaporation from the goods, per kg/kg of humidity deficit and m³ of room
    defrost_every_h: float
    defrost_for_min: float
    defrost_w_m3: float  # of the heaters' power what reaches the air
    air_changes_h: float  # leakage with the door shut
    curtain: float  # share of the doorway's flow a strip curtain keeps back
    outdoors_share: float  # of walls and leaks that face the weather; the rest faces the surroundings


KINDS = {
    "cold-room": Kind(3.5, 2.0, 0.25, 75, 15, 3600, 0.2, 1e-3, 6, 20, 10, 0.1, 0.0, 0.0),
    "freezer": Kind(-20.0, 3.0, 0.18, 90, 15, 1900, 0.2, 2e-4, 8, 25, 14, 0.05, 0.85, 0.0),
    "ambient": Kind(19.0, 1.0, 1.2, 0, 20, 1600, 0.2, 5e-5, 0, 0, 0, 0.5, 0.0, 0.3),
}


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """``[[board.room]]``: what is not given follows from the kind."""

    name: str
    kind: str = "ambient"
    floor_m2: float = 8.0
    height_m: float = 2.4
    setpoint_c: float | None = None
    differential_k: float | None = None
    u_w_m2k: float | None = None
    goods_kg: float | None = None
    defrost_every_h: float | None = None  # 0: never
    defrost_for_min: float | None = None
    door_m2: float = 1.8
    curtain: float | None = None
    surroundings: str = "shop"  # "shop", "outdoors" or another room
    outdoors_share: float | None = None

    def __post_init__(self) -> None:
        require(
            identifier("name", self.name),
            one_of("kind", self.kind, KINDS),
            within("floor_m2", self.floor_m2, 0.2, 2000, "m²"),
            within("height_m", self.height_m, 0.3, 20, "m"),
            within("setpoint_c", self.setpoint_c, -40, 40, "°C"),
            within("differential_k", self.differential_k, 0.2, 10, "K"),
            within("u_w_m2k", self.u_w_m2k, 0.05, 10, "W/(m² K)"),
            within("goods_kg", self.goods_kg, 1, 1e6, "kg"),
            within("defrost_every_h", self.defrost_every_h, 0, 48, "h"),
            within("defrost_for_min", self.defrost_for_min, 0, 120, "min"),
            within("door_m2", self.door_m2, 0.1, 30, "m²"),
            within("curtain", self.curtain, 0, 0.99),
            within("outdoors_share", self.outdoors_share, 0, 1),
            SettingFault("surroundings", self.surroundings, "another room") if self.surroundings == self.name else None,
        )


class Air(NamedTuple):
    """What stands on the other side of the wall."""

    temperature_c: float
    water_kg_kg: float  # humidity ratio


def saturation_pa(temperature_c: float) -> float:
    """
    >>> round(saturation_pa(20.0))
    2333
    """
    return 610.94 * math.exp(17.625 * temperature_c / (243.04 + temperature_c))


def saturated_kg_kg(temperature_c: float) -> float:
    """Humidity ratio of saturated air.

    >>> round(1000 * saturated_kg_kg(4.0), 2)
    5.03
    """
    vapour_pa = saturation_pa(temperature_c)
    return 0.622 * vapour_pa / (PRESSURE_PA - vapour_pa)


def humidity_pct(air: Air) -> float:
    """
    >>> round(humidity_pct(Air(20.0, 0.5 * saturated_kg_kg(20.0))), 1)
    50.6
    """
    vapour_pa = PRESSURE_PA * air.water_kg_kg / (0.622 + air.water_kg_kg)
    return min(100.0, 100.0 * vapour_pa / saturation_pa(air.temperature_c))


def air_of(temperature_c: float, relative_pct: float) -> Air:
    vapour_pa = relative_pct / 100 * saturation_pa(temperature_c)
    return Air(temperature_c, 0.622 * vapour_pa / (PRESSURE_PA - vapour_pa))


def doorway_kg_s(area_m2: float, inside_c: float, outside_c: float) -> float:
    """Air that an open doorway exchanges because one side is colder; height from a door twice as high as wide.

    >>> round(doorway_kg_s(1.8, 4.0, 20.0), 2)
    0.4
    """
    cold_c, warm_c = min(inside_c, outside_c), max(inside_c, outside_c)
    cold_kg_m3, warm_kg_m3 = 353.0 / (273.15 + cold_c), 353.0 / (273.15 + warm_c)
    height_m = math.sqrt(2 * area_m2)
    spread = math.pow(2 / (1 + math.cbrt(cold_kg_m3 / warm_kg_m3)), 1.5)
    flow_m3_s = 0.221 * area_m2 * math.sqrt((1 - warm_kg_m3 / cold_kg_m3) * GRAVITY * height_m) * spread
    return DOOR_FLOW_FACTOR * flow_m3_s * cold_kg_m3


class Room:
    """The state of one room, moved on by ``step``."""

    def __init__(self, settings: RoomSettings) -> None:
        kind = KINDS[settings.kind]

        def given(value: float | None, usual: float) -> float:
            return usual if value is None else value

        self.name = settings.name
        self.settings = settings
        self.kind = settings.kind
        volume_m3 = settings.floor_m2 * settings.height_m
        envelope_m2 = 2 * settings.floor_m2 + 4 * math.sqrt(settings.floor_m2) * settings.height_m
        air_kg = volume_m3 * 1.25
        self.setpoint_c = given(settings.setpoint_c, kind.setpoint_c)
        self.half_differential_k = given(settings.differential_k, kind.differential_k) / 2
        self.goods_kg = given(settings.goods_kg, kind.goods_kg_m3 * volume_m3)
        self.curtain = given(settings.curtain, kind.curtain)
        self.outdoors_share = given(settings.outdoors_share, kind.outdoors_share)
        self.defrost_every_s = 3600 * given(settings.defrost_every_h, kind.defrost_every_h)
        self.defrost_for_s = 60 * given(settings.defrost_for_min, kind.defrost_for_min)
        self._air_j_k = air_kg * AIR_J_KGK + FITTINGS_J_M3K * volume_m3
        self._air_kg = air_kg
        self._volume_m3 = volume_m3
        self._goods_j_kgk = kind.goods_j_kgk
        self._leak_kg_s = kind.air_changes_h * air_kg / 3600
        self._walls_w_k = given(settings.u_w_m2k, kind.u_w_m2k) * envelope_m2
        self._goods_w_k = kind.goods_w_kgk * self.goods_kg
        self._coil_w_k = kind.capacity_w_m3 * volume_m3 / COIL_TD_K
        self._evaporating_c = self.setpoint_c - COIL_TD_K
        self._coil_kg_s = self._coil_w_k / AIR_J_KGK
        self._coil_kg_kg = saturated_kg_kg(self._evaporating_c + COIL_SURFACE_K)
        self._defrost_w = kind.defrost_w_m3 * volume_m3
        self._wet_kg_s = kind.wet_kg_s * volume_m3
        self.temperature_c = self.setpoint_c
        self.goods_c = self.setpoint_c
        self.water_kg_kg = (0.8 if self._coil_w_k else 0.5) * saturated_kg_kg(self.setpoint_c)
        self.people = 0
        self.is_cooling = False
        self.compressor_fails = False
        self.wears_s: tuple[float, float] | None = None  # from when, and when it is down to nothing
        self.runs_on = False  # its relay's contacts are welded: only a defrost stops it
        self.heater_fails = False  # a defrost is a pause and melts nothing
        self.ice_kg = 0.0  # what failed defrosts left on the coil
        self.switched_s = -math.inf  # when the compressor last started or stopped
        self.defrost_from_s = self.defrost_until_s = math.inf
        self.door_until_s = -math.inf
        self.door_held_open = False

    def is_open(self, at_s: float) -> bool:
        return self.door_held_open or at_s < self.door_until_s

    def is_defrosting(self, at_s: float) -> bool:
        return self.defrost_from_s <= at_s < self.defrost_until_s

    def defrost(self, at_s: float, until_s: float) -> None:
        self.defrost_from_s, self.defrost_until_s = at_s, until_s
        if not self.heater_fails:
            self.ice_kg = 0.0

    def cooling_share(self, at_s: float) -> float:
        """Of the compressor as it was when new, and of a coil without ice."""
        share = 1 / (1 + self.ice_kg / (ICE_HALVES_KG_M3 * self._volume_m3))
        if self.wears_s is not None and at_s >= self.wears_s[0]:
            begin_s, end_s = self.wears_s
            share *= WORN_OUT + (1 - WORN_OUT) * max(0.0, end_s - at_s) / (end_s - begin_s)
        return share

    def receive_goods(self, kilograms: float, temperature_c: float) -> None:
        """Goods that come in warmer than the room; stock that leaves takes its share along, so the mass stays."""
        share = min(1.0, kilograms / self.goods_kg)
        self.goods_c += (temperature_c - self.goods_c) * share

    def step(self, at_s: float, step_s: float, around: Air) -> None:
        """Move on from ``at_s`` by one step with everything outside held: exact for that, stable for any step."""
        self._thermostat(at_s)
        temperature_c, water = self.temperature_c, self.water_kg_kg
        defrosting = self.is_defrosting(at_s)
        exchange_kg_s = self._leak_kg_s
        if self.is_open(at_s):
            exchange_kg_s += (1 - self.curtain) * doorway_kg_s(
                self.settings.door_m2, temperature_c, around.temperature_c
            )
        # Heat: every conductance pulls the air towards its own temperature.
        outside_w_k = self._walls_w_k + exchange_kg_s * AIR_J_KGK
        total_w_k = outside_w_k + self._goods_w_k
        pull_w = outside_w_k * around.temperature_c + self._goods_w_k * self.goods_c
        pull_w += self.people * (272 - 6 * temperature_c)
        if self.is_cooling:
            cooling_share = self.cooling_share(at_s)
            total_w_k += cooling_share * self._coil_w_k
            pull_w += cooling_share * self._coil_w_k * self._evaporating_c
        elif defrosting and not self.heater_fails:
            pull_w += self._defrost_w
        rest_c = pull_w / total_w_k
        after_c = rest_c + (temperature_c - rest_c) * math.exp(-step_s * total_w_k / self._air_j_k)
        mean_c = (temperature_c + after_c) / 2
        goods_rate = self._goods_w_k / (self.goods_kg * self._goods_j_kgk)
        self.goods_c = mean_c + (self.goods_c - mean_c) * math.exp(-step_s * goods_rate)
        self.temperature_c = after_c
        # Water: the outside, the goods (and the melting coil), and the cold coil while it is colder than the dew point.
        wet_kg_s = self._wet_kg_s * (4 if defrosting and not self.heater_fails else 1)
        flow_kg_s = exchange_kg_s + wet_kg_s
        pull = exchange_kg_s * around.water_kg_kg + wet_kg_s * saturated_kg_kg(self.goods_c)
        if self.is_cooling and water > self._coil_kg_kg:
            flow_kg_s += cooling_share * self._coil_kg_s
            pull += cooling_share * self._coil_kg_s * self._coil_kg_kg
            if self.heater_fails:
                self.ice_kg += cooling_share * self._coil_kg_s * (water - self._coil_kg_kg) * step_s
        rest = pull / flow_kg_s
        water = rest + (water - rest) * math.exp(-step_s * flow_kg_s / self._air_kg)
        self.water_kg_kg = min(water, saturated_kg_kg(after_c))  # the rest is dew

    def _thermostat(self, at_s: float) -> None:
        """Starts above the band, stops below it, with minimum run and off times; a defrost and its drip stop it."""
        waits = self.defrost_from_s <= at_s < self.defrost_until_s + DRIP_S
        wanted = self.is_cooling
        if not self._coil_w_k or waits or self.compressor_fails:
            wanted = False
        elif self.is_cooling:
            if at_s - self.switched_s >= MIN_RUN_S and not self.runs_on:
                wanted = self.temperature_c > self.setpoint_c - self.half_differential_k
        elif at_s - self.switched_s >= MIN_OFF_S:
            wanted = self.runs_on or self.temperature_c > self.setpoint_c + self.half_differential_k
        if wanted != self.is_cooling:
            self.is_cooling = wanted
            self.switched_s = at_s
