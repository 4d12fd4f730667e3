"""What is wrong between tables: two of a name, two in one place, a name that nobody has."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from importlib.util import find_spec

from edge_agent.alerts.settings import FoodSettings, PlaceSettings, Region, food_limit, legal_limit
from edge_agent.config import holiday_table, keeping_table
from edge_agent.config.faults import Found, Path, look_up, path_of, unknown_name
from edge_agent.config.settings import SensorSettings
from edge_agent.config.tables import Device, Document, Draft, elements, known_names, names
from edge_agent.drivers.table import DriverModule
from edge_agent.weighing.settings import ShelfSettings

# BCM numbers of the pins that a Pi's buses are wired to (Raspberry Pi documentation, "GPIO and the 40-pin header").
_BUS_PINS = {"i2c-0": (0, 1), "i2c-1": (2, 3)}
# What a full cell's share of the capacity may be in counts: fewer than 1000 do not tell a thousandth of the load, and
# a 24-bit converter has no more.
_LEAST_COUNTS, _MOST_COUNTS = 1000, 2**24


def faults_between(document: Document, draft: Draft) -> list[Found]:
    """A table with a fault of its own still counts with those of its keys that are right."""
    return [
        *_nothing_to_do(document),
        *_named_twice(document),
        *_channels_twice(draft),
        *_too_often(draft),
        *_same_address(draft),
        *_same_wire(draft),
        *_weighing(document, draft),
        *_scales(draft),
        *_products(document),
        *_places(document, draft),
        *_pieces(draft),
        *_keeping(draft),
        *_signatures(draft),
        *_holidays(draft),
        *_board(document),
    ]


def faults_of_board(document: Document, draft: Draft) -> list[Found]:
    """What the board itself says does not go with the sensors, once board and sensors are right by themselves."""
    tables = document.get("sensor", [])
    if draft.board is None or not isinstance(tables, list) or len(draft.sensors) < len(tables):
        return []
    faults = getattr(draft.board_module, "faults", None)  # a module of `edge_agent.boards` need not have one
    if faults is None:
        return []
    told = {found.path for found in draft.found}
    said = faults(draft.board.settings, tuple(draft.sensors.values()))
    found = (Found(("board", *path_of(each.key)), f"must be {each.right}", each.value) for each in said)
    return [each for each in found if each.path not in told]


def _nothing_to_do(document: Document) -> Iterator[Found]:
    if document.get("sensor", []) == []:
        yield Found(("sensor",), "missing: must be at least one table headed [[sensor]]")


def _named_twice(document: Document) -> Iterator[Found]:
    for key, name in (("sensor", "name"), ("shelf", "name"), ("product", "gtin"), ("place", "name")):
        seen: set[str] = set()
        for path, each in names(document, key, name).items():
            if each in seen:
                yield Found((*path, name), f"must be another: there is a {key} of this {name} above")
            seen.add(each)
    sensors = known_names(document, "sensor", "name")
    for path, each in names(document, "shelf", "name").items():
        if each in sensors:
            yield Found((*path, "name"), "must be another: a sensor is called so, and both send telemetry by name")


def _channels_twice(draft: Draft) -> Iterator[Found]:
    seen: dict[tuple[str, str], SensorSettings] = {}
    for path, sensor in draft.sensors.items():
        for quantity in draft.modules[sensor.driver].QUANTITIES:
            other = seen.setdefault((sensor.place, quantity), sensor)
            if other.name != sensor.name:
                right = f'must be another: sensor "{other.name}" gives {sensor.place}/{quantity} already'
                yield Found((*path, "place"), right, sensor.place, is_default=True)
                break


def _too_often(draft: Draft) -> Iterator[Found]:
    for path, sensor in draft.sensors.items():
        least_s = _min_interval_s(draft.modules[sensor.driver])
        if sensor.interval_s < least_s:
            right = f"must be at least {least_s:g} s: a {sensor.driver} measures no faster"
            yield Found((*path, "interval_s"), right, sensor.interval_s, is_default=True)


def _min_interval_s(module: DriverModule) -> float:
    """Said by the driver, or by the module it shares its settings with; a driver without a limit says nothing."""
    shared = sys.modules[module.Settings.__module__]
    return float(getattr(module, "MIN_INTERVAL_S", getattr(shared, "MIN_INTERVAL_S", 0.0)))


def _same_address(draft: Draft) -> Iterator[Found]:
    """Two chips that answer to the same address: beside each other, or one before a multiplexer and one behind it."""
    chips = [(path, each) for path, each in draft.devices.items() if hasattr(each.settings, "address")]
    for index, (path, sensor) in enumerate(chips):
        for _, other in chips[:index]:
            if (clash := _clash(sensor, other)) is not None:
                key, why = clash
                yield Found((*path, key), f'must be another: {why} sensor "{other.name}" on {other.settings.bus}')
                break


def _clash(sensor: Device, other: Device) -> tuple[str, str] | None:
    mine, its = sensor.settings, other.settings
    if mine.bus != its.bus:
        return None
    if mine.address == its.mux_address:
        return "address", f"0x{mine.address:02x} is the multiplexer of"
    if mine.mux_address == its.address:
        return "mux_address", f"0x{its.address:02x} is the address of"
    if mine.address != its.address:
        return None
    if None in (mine.mux_address, its.mux_address):
        return "address", f"0x{mine.address:02x} is the address of"
    if (mine.mux_address, mine.mux_channel) == (its.mux_address, its.mux_channel):
        return "mux_channel", f"0x{mine.address:02x} on channel {mine.mux_channel} of 0x{mine.mux_address:02x} is"
    return None


def _same_wire(draft: Draft) -> Iterator[Found]:
    """Two devices on one pin, two sensors that are one chip."""
    taken = dict(_buses(draft.devices.values()))
    for path, sensor in draft.devices.items():
        for key, wire in _wires(sensor):
            if wire in taken:
                yield Found((*path, key), f"must be another: {taken[wire]}")
            taken.setdefault(wire, f'{wire} belongs to sensor "{sensor.name}"')
    panel = draft.single.get("panel")
    for key, pin in panel.pins() if panel is not None else ():
        if f"GPIO{pin}" in taken:
            yield Found(("panel", key), f"must be another: {taken[f'GPIO{pin}']}")


def _buses(sensors: Iterable[Device]) -> Iterator[tuple[str, str]]:
    for sensor in sensors:
        bus = getattr(sensor.settings, "bus", "")
        for pin in _BUS_PINS.get(bus, ()):
            yield f"GPIO{pin}", f'GPIO{pin} is a wire of {bus}, which sensor "{sensor.name}" is on'


def _wires(sensor: Device) -> Iterator[tuple[str, str]]:
    """What no two sensors can share, by the key that says so."""
    keys = [field.name for field in fields(sensor.settings)]
    if not keys:
        yield "driver", f"the board's {sensor.driver}"
    for key in keys:
        value = getattr(sensor.settings, key)
        if (key == "pin" or key.endswith("_pin")) and value is not None:
            yield key, f"GPIO{value}"
        elif key == "device":
            yield key, f"1-Wire device {value}"


def _weighing(document: Document, draft: Draft) -> Iterator[Found]:
    if not isinstance(document.get("sensor", []), list):
        return  # told already
    yield from _cells(document, draft)
    yield from _around(document, draft)


def _cells(document: Document, draft: Draft) -> Iterator[Found]:
    gives = _sensors_that_give("counts", document, draft)
    used: dict[str, str] = {}
    for path, shelf in elements(document, "shelf"):
        if not isinstance(shelf, Mapping):
            continue
        for cell, sensor in names(shelf, "cell", "sensor").items():
            at = (*path, *cell, "sensor")
            if (fault := _not_giving(at, sensor, gives, "counts")) is not None:
                yield fault
            elif sensor in used:
                yield Found(at, f'must be another: this sensor is a load cell of shelf "{used[sensor]}"')
            used.setdefault(sensor, str(shelf.get("name")))


def _around(document: Document, draft: Draft) -> Iterator[Found]:
    """The sensors that tell a shelf of its surroundings."""
    for key, quantity in (("door", "open"), ("temperature", "temperature")):
        gives = _sensors_that_give(quantity, document, draft)
        for path, sensor in names(document, "shelf", key).items():
            if (fault := _not_giving((*path, key), sensor, gives, quantity)) is not None:
                yield fault


def _not_giving(path: Path, sensor: str, gives: Mapping[str, bool | None], quantity: str) -> Found | None:
    if gives.get(sensor, False) is not False:
        return None
    known = [name for name, does in gives.items() if does]
    if sensor in gives:
        return unknown_name(path, sensor, known, f"a sensor that gives {quantity}, and this one does not")
    return unknown_name(path, sensor, known, f"the name of a [[sensor]] that gives {quantity}")


def _sensors_that_give(quantity: str, document: Document, draft: Draft) -> dict[str, bool | None]:
    """By name; None where that cannot be known, because the driver is not."""
    drivers = names(document, "sensor", "driver")
    modules = {
        name: draft.modules.get(drivers.get(path, "")) for path, name in names(document, "sensor", "name").items()
    }
    return {name: None if module is None else quantity in module.QUANTITIES for name, module in modules.items()}


def _scales(draft: Draft) -> Iterator[Found]:
    """A calibration that its converter cannot have, or that no load could be seen with."""
    for path, shelf in draft.shelves.items():
        share_g = shelf.capacity_g / len(shelf.cells)
        low, high = _LEAST_COUNTS / share_g, _MOST_COUNTS / share_g
        for index, cell in enumerate(shelf.cells):
            if not low <= abs(cell.counts_per_gram) <= high:
                right = (
                    f"must be between {low:.3g} and {high:.3g} counts/g (or as much below 0): this cell's share of "
                    f"capacity_g, {share_g:g} g, must give {_LEAST_COUNTS} to {_MOST_COUNTS} counts (24 bits)"
                )
                yield Found((*path, "cell", index, "counts_per_gram"), right, cell.counts_per_gram)


def _pieces(draft: Draft) -> Iterator[Found]:
    piece_g = {product.gtin: product.piece_g for product in draft.products.values()}
    for path, shelf in draft.shelves.items():
        yield from _too_heavy((*path, "product"), shelf, piece_g.get(shelf.product or ""))


def _keeping(draft: Draft) -> Iterator[Found]:
    for path, product in draft.products.items():
        if product.keeps_like is not None and product.keeps_like not in keeping_table.goods():
            what = "goods whose shelf life is known"
            known, where = keeping_table.goods(), keeping_table.where()
            yield unknown_name((*path, "keeps_like"), product.keeps_like, known, what, where)


def _too_heavy(path: Path, shelf: ShelfSettings, piece_g: float | None) -> Iterator[Found]:
    if piece_g is not None and piece_g > shelf.capacity_g:
        right = f"must be a product of which a piece can lie here: its piece_g = {piece_g:g} is above capacity_g"
        yield Found(path, f"{right} = {shelf.capacity_g:g}", shelf.product)


def _products(document: Document) -> Iterator[Found]:
    if not isinstance(document.get("product", []), list):
        return  # told already
    known = known_names(document, "product", "gtin")
    for path, product in names(document, "shelf", "product").items():
        if product not in known:
            yield unknown_name((*path, "product"), product, known, "the gtin of a [[product]]")


def _places(document: Document, draft: Draft) -> Iterator[Found]:
    if not isinstance(document.get("sensor", []), list):
        return  # told already
    yield from _sensors_of_places(document, draft)
    food = draft.single.get("food")
    for path, place in draft.places.items():
        if food is not None:
            yield from _law(path, place, food)


def _sensors_of_places(document: Document, draft: Draft) -> Iterator[Found]:
    doors = _sensors_that_give("open", document, draft)
    thermometers = _sensors_that_give("temperature", document, draft)
    for path, door in names(document, "place", "door").items():
        if (fault := _not_giving((*path, "door"), door, doors, "open")) is not None:
            yield fault
    for path, place in draft.places.items():
        listed = look_up(document, (*path, "sensors"))
        for key, sensors in (("sensors", listed if isinstance(listed, list) else ()), ("core", place.core)):
            for index, sensor in enumerate(sensors):
                if (fault := _not_giving((*path, key, index), sensor, thermometers, "temperature")) is not None:
                    yield fault
        both = [sensor for sensor in place.core if sensor in place.sensors]
        if both:
            right = f'must be others than in sensors: "{both[0]}" is either in the air or between the goods'
            yield Found((*path, "core"), right)
        if not (place.sensors or place.core) and len(draft.sensors) == len(names(document, "sensor", "driver")):
            known = ", ".join(name for name, gives in thermometers.items() if gives) or "there is none"
            right = "must be names of [[sensor]]s that give temperature, and none has this place for its own"
            yield Found((*path, "sensors"), f"missing: {right}: {known}")


def _law(path: Path, place: PlaceSettings, food: FoodSettings) -> Iterator[Found]:
    """The law's limit may be made stricter, and higher only where the law says so."""
    if food.region is None:
        if food_limit(place, food) is None and place.is_perishable:
            regions = ", ".join(f'"{region.value}"' for region in Region)
            right = f'missing: must be one of {regions}: place "{place.name}" has goods that need the cold'
            yield Found(("food", "region"), right)
        return
    legal = legal_limit(place, food.region)
    if place.food_limit_c is not None and place.food_limit_c > legal.limit_c and not legal.may_be_higher:
        right = f"must be at most {legal.limit_c:g} °C in region {food.region.value}: {legal.source}"
        yield Found((*path, "food_limit_c"), right)


def _signatures(draft: Draft) -> Iterator[Found]:
    """A key without the library that checks signatures would refuse every one of them."""
    for table in ("commands", "models"):
        found = draft.single.get(table)
        if found is not None and found.keys and find_spec("cryptography") is None:
            right = "must be left out, or the extra `signed` installed: pip install 'edge-agent[signed]'"
            yield Found((table, "key"), right)


def _holidays(draft: Draft) -> Iterator[Found]:
    """Countries and regions as the package `holidays` knows them."""
    shop = draft.single.get("shop")
    if shop is None or shop.country is None:
        return
    try:
        known = holiday_table.regions()
    except OSError as error:
        yield Found(("shop", "country"), f"must be left out while nobody knows its holidays: {error}", shop.country)
        return
    if shop.country not in known:
        yield unknown_name(("shop", "country"), shop.country, sorted(known), "a country whose holidays are known")
    elif shop.region is not None and shop.region not in known[shop.country]:
        what = f"a region of {shop.country} whose holidays are known"
        yield unknown_name(("shop", "region"), shop.region, known[shop.country], what)


def _board(document: Document) -> Iterator[Found]:
    """Sensors that a simulated or replaying board names, in whichever of its arrays of tables."""
    board = document.get("board")
    if not isinstance(board, Mapping):
        return
    known = known_names(document, "sensor", "name")
    for key in board:
        for path, table in elements(board, key):
            for at, sensor in _named_sensors(table):
                if sensor not in known:
                    yield unknown_name(("board", *path, *at), sensor, known, "the name of a [[sensor]]")


def _named_sensors(table: object) -> Iterator[tuple[Path, str]]:
    if not isinstance(table, Mapping):
        return
    if isinstance(table.get("sensor"), str):
        yield ("sensor",), table["sensor"]
    cells = table.get("cells")
    for index, cell in enumerate(cells if isinstance(cells, list) else ()):
        if isinstance(cell, str):
            yield ("cells", index), cell
