"""The record as one page: complete in itself, to be printed or kept as PDF. Every word from outside is escaped."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from html import escape

from edge_agent.domain.record import ChainVerdict, KeptLine
from edge_agent.exchange.haccp import AlarmLine, Deed, Excursion, InForce, Place, Range, Report, Span, in_words, number
from edge_agent.exchange.local_time import local, span, utc
from edge_agent.exchange.plot import temperatures

NOT_CERTIFIED = (
    "This device is not a certified temperature recorder: it was not tested to EN 12830, and its clock and sensors"
    " are no better than stated here. Where the law asks for such a recorder, as for the transport and storage of"
    " quick-frozen food (Regulation (EC) 37/2005), this record does not take its place."
)
NO_CALIBRATION = "no calibration date known"
_MOST_ROWS = 2000  # of one table: more is for the CSV
STYLE = """
:root{color-scheme:light}
body{font:13px/1.4 system-ui,sans-serif;color:#111;background:#fff;max-width:1060px;margin:1.5em auto;padding:0 1em}
h1{font-size:1.5em;margin:0 0 .3em}h2{font-size:1.2em;margin:1.6em 0 .4em;border-bottom:1px solid #888}
h3{font-size:1em;margin:1em 0 .3em}p{margin:.4em 0}
table{border-collapse:collapse;width:100%;margin:.3em 0}
th,td{border:1px solid #bbb;padding:2px 6px;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{background:#eee}td.n{text-align:right;white-space:nowrap}
.sound{border-left:6px solid #2a7a2a;padding-left:.6em}.broken{border:3px double #b00;padding:.4em .6em;font-weight:600}
.plain{border:1px solid #888;padding:.4em .6em;background:#f6f6f6}
.none{color:#444;font-style:italic}code{font-size:.85em;overflow-wrap:anywhere}
svg{width:100%;height:auto;border:1px solid #bbb;margin:.3em 0}svg text{font:10px system-ui,sans-serif;fill:#111}
.grid{stroke:#ddd;stroke-width:1}.limit{stroke:#b00;stroke-width:1.2}
.air-band{fill:#9bbbe0;stroke:none}.air{fill:none;stroke:#1f4e8c;stroke-width:1}
.product-band{fill:#f2c48d;stroke:none;fill-opacity:.7}.product{fill:none;stroke:#9a4b00;stroke-width:1.4}
.excursion{fill:#d33;fill-opacity:.18;stroke:#b00;stroke-width:.4}.gap{fill:url(#hatch)}
.hatch{stroke:#888;stroke-width:1}.defrost{fill:#1f4e8c}
@page{size:A4 landscape;margin:12mm}
@media print{body{max-width:none;margin:0;padding:0;font-size:10px}h2,h3{break-after:avoid}
table{break-inside:auto}tr,svg{break-inside:avoid}thead{display:table-header-group}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""


@dataclass(frozen=True, slots=True)
class Heading:
    site: str
    node: str
    version: str
    made_ms: int
    zone: tzinfo
    zone_name: str


def page(report: Report, heading: Heading, chain: ChainVerdict) -> Iterator[str]:
    """In pieces, one after another."""
    zone = heading.zone
    title = escape(f"Temperature record of {heading.site}/{heading.node}")
    yield (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>\n'
    )
    yield f"<h1>{title}</h1>\n"
    yield _facts(report, heading)
    yield _verdict(chain)
    yield f'<p class="plain"><strong>{escape(NOT_CERTIFIED)}</strong></p>\n'
    if not (report.places or report.deliveries or report.waste):
        yield _none("Nothing was recorded in this period.")
    for place in report.places.values():
        yield from _place(report, place, zone)
    yield "<h2>Alarms and what was done</h2>\n"
    yield _table(
        ("UTC", "local", "place", "alarm", "priority", "change", "by", "value", "limit", "words"),
        [_alarm(found, zone) for found in report.alarms],
        "No alarm changed its state.",
    )
    yield "<h2>Deliveries</h2>\n"
    yield _table(
        ("UTC", "local", "place", "product", "lot", "supplier", "how much", "use by", "on arrival", "by", "words"),
        [_delivery(found, zone) for found in report.deliveries],
        "None was told.",
    )
    yield "<h2>Thrown away</h2>\n"
    yield _table(
        ("UTC", "local", "place", "product", "lot", "how much", "reason", "by", "words"),
        [_waste(found, zone) for found in report.waste],
        "None was told.",
    )
    yield "<h2>The record itself: clock, daily digests</h2>\n"
    yield _table(
        ("line", "UTC", "local", "kind", "words"), [_node(found, zone) for found in report.node], "Nothing to tell."
    )
    yield "</body></html>\n"


def _facts(report: Report, heading: Heading) -> str:
    period, zone = report.period, heading.zone
    doubts = (
        (report.corrected, "lines were taken before the clock was set, and dated by its clock line"),
        (report.unset_clock, "lines were taken by a clock that was never set; they stand among those around them"),
        (report.undated, "lines of the record are in no period: no clock had been set before them"),
    )
    unset = "".join(f"; {count} {words}" for count, words in doubts if count)
    facts = (
        ("Period (local)", f"{local(period.begin_ms, zone)} to before {local(period.end_ms, zone)}"),
        ("Period (UTC)", f"{utc(period.begin_ms)} to before {utc(period.end_ms)}"),
        ("Time zone", heading.zone_name),
        ("Clock", f"the machine's, UTC, set over the network{unset}"),
        ("Lines of the record", str(report.lines)),
        ("Made", f"{utc(heading.made_ms)} UTC by edge-agent {heading.version}"),
    )
    rows = "".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in facts)
    return f"<table>{rows}</table>\n"


def _verdict(chain: ChainVerdict) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in chain.notes)
    told = f"<ul>{notes}</ul>" if notes else ""
    head = f"Hash of line {chain.last}: <code>{escape(chain.head)}</code>" if chain.lines else ""
    if chain.is_sound:
        return (
            f'<div class="sound"><p><strong>The chain of the record is whole:</strong> {chain.lines} lines were'
            f" checked, none was changed, removed or inserted. {head}</p>{told}</div>\n"
        )
    faults = "".join(
        f"<li>{escape(fault.file)}: {escape(fault.what)}: {escape(fault.words)}"
        f"{f' (after {escape(fault.at)})' if fault.at else ''}</li>"
        for fault in chain.faults[:_MOST_ROWS]
    )
    return (
        f'<div class="broken"><p>The chain of the record is broken at {len(chain.faults)} places of {chain.lines}'
        f" lines:</p><ul>{faults}</ul><p>{head}</p>{told}</div>\n"
    )


def _place(report: Report, place: Place, zone: tzinfo) -> Iterator[str]:
    yield f"<h2>{escape(place.name or 'the node')}</h2>\n"
    yield "<h3>Limits in force</h3>\n"
    yield _table(
        ("from (UTC)", "kind", "limits of the air, °C", "critical", "law", "goods"),
        [_limits(each) for each in place.settings],
        "No limits are known for this period.",
    )
    yield "<h3>Sensors</h3>\n"
    yield _table(
        ("sensor", "chip", "measures", "calibrated on", "certificate", "correction, K"),
        _sensors(place.settings),
        "No sensor is known for this period.",
    )
    yield _table(("quantity", "least", "mean", "most"), list(_figures(place)), "No intervals were recorded.")
    yield f"<p>{place.intervals} intervals, {place.readings} readings.</p>\n"
    drawn = temperatures(place, report.period, zone)
    yield drawn
    if drawn:
        yield (
            "<p>Blue: air, brown: goods; band from the least to the most, line: mean. Red, shaded: excursion."
            " Hatched: nothing measured. Triangle: defrost. Red lines: limits.</p>\n"
        )
    yield "<h3>Excursions</h3>\n"
    yield _table(
        ("limit", "begin (UTC)", "begin (local)", "end (UTC)", "lasted", "outside", "extreme", "acknowledged", "done"),
        [_excursion(found, zone) for found in place.excursions],
        "None.",
    )
    for words, spans in (("Gaps", place.gaps), ("Defrosts", place.defrosts), ("Doors left open", place.doors)):
        yield f"<h3>{words}</h3>\n"
        yield _table(
            ("begin (UTC)", "end (UTC)", "end (local)", "lasted", ""),
            [_span(found, zone) for found in spans],
            "None.",
        )


def _limits(each: InForce) -> tuple[str, ...]:
    body = each.body
    pair = " to ".join(_number(each.limit(key)) or "-" for key in ("low_c", "high_c"))
    critical = " to ".join(_number(each.limit(key)) or "-" for key in ("critical_low_c", "critical_high_c"))
    law = in_words({key: body[key] for key in ("region", "food_limit_c", "food_limit_source") if body.get(key)})
    goods = body.get("goods")
    named = ", ".join(map(str, goods)) if isinstance(goods, list) else ""
    on = body.get("critical_on")
    return (
        utc(each.from_ms) or "unknown",
        str(body.get("climate") or ""),
        pair,
        f"{critical} ({on})" if on else critical,
        law,
        named,
    )


def _sensors(settings: Sequence[InForce]) -> list[tuple[str, ...]]:
    """Each with each of its calibrations."""
    found: dict[tuple[str, ...], None] = {}
    for each in settings:
        sensors = each.body.get("sensors")
        for sensor in sensors if isinstance(sensors, list) else ():
            if isinstance(sensor, Mapping):
                found[_sensor(sensor)] = None
    return list(found)


def _sensor(sensor: Mapping[str, object]) -> tuple[str, ...]:
    if sensor.get("role") == "door":
        return (str(sensor.get("sensor", "")), str(sensor.get("driver", "")), "door", "-", "-", "-")
    return (
        *(str(sensor.get(key, "")) for key in ("sensor", "driver", "role")),
        str(sensor.get("calibrated_on") or NO_CALIBRATION),
        str(sensor.get("certificate") or "-"),
        str(sensor.get("correction_c") or 0),
    )


def _figures(place: Place) -> Iterator[tuple[str, ...]]:
    for words, unit, ranges in (
        ("air", "°C", place.air),
        ("goods", "°C", place.product),
        ("humidity", "%", place.humidity),
    ):
        if ranges:
            whole = _whole(ranges.values())
            yield f"{words}, {unit}", *(f"{value:.1f}" for value in (whole.least, whole.mean, whole.most))


def _whole(ranges: Iterable[Range]) -> Range:
    found = list(ranges)
    whole = Range(found[0].least, found[0].total, found[0].most, found[0].count)
    for each in found[1:]:
        whole.least, whole.most = min(whole.least, each.least), max(whole.most, each.most)
        whole.total, whole.count = whole.total + each.total, whole.count + each.count
    return whole


def _excursion(found: Excursion, zone: tzinfo) -> tuple[str, ...]:
    lasted_s = None
    if found.begin_ms is not None and found.end_ms is not None:
        lasted_s = (found.end_ms - found.begin_ms) / 1000
    return (
        f"{found.what} ({found.of}) {_number(found.limit)} °C",
        utc(found.begin_ms),
        local(found.begin_ms, zone),
        utc(found.end_ms) or "not ended",
        span(lasted_s),
        span(found.outside_s),
        f"{_number(found.extreme)} °C" if found.extreme is not None else "",
        _deed(found.acknowledged),
        _deed(found.corrected),
    )


def _deed(found: Deed | None) -> str:
    if found is None:
        return "-"
    words = f": {found.words}" if found.words else ""
    return f"{found.who} {utc(found.at_ms)}{words}"


def _span(found: Span, zone: tzinfo) -> tuple[str, ...]:
    is_long = found.begin_ms is not None and found.end_ms is not None and found.end_ms > found.begin_ms
    lasted_s = ((found.end_ms or 0) - (found.begin_ms or 0)) / 1000 if is_long else None
    return (utc(found.begin_ms), utc(found.end_ms), local(found.end_ms, zone), span(lasted_s), found.words)


def _alarm(found: AlarmLine, zone: tzinfo) -> tuple[str, ...]:
    body = found.body
    words = body.get("reason") or body.get("action") or body.get("message") or ""
    return (
        utc(found.at_ms) or "unknown",
        local(found.at_ms, zone),
        found.place,
        found.name,
        str(body.get("priority", "")),
        found.change,
        str(body.get("who", "")),
        *(f"{body[key]} {body.get('unit', '')}" if body.get(key) is not None else "" for key in ("value", "limit")),
        str(words),
    )


def _delivery(line: KeptLine, zone: tzinfo) -> tuple[str, ...]:
    body = line.body
    much = (*_much(body), *_grams(body, "invoiced_g", "invoiced"), *_grams(body, "rejected_g", "sent back"))
    warm = number(body.get("temperature_c"))
    use_by, best_before = body.get("use_by"), body.get("best_before")
    return (
        *_when_and_where(line, zone),
        *_words(body, "product", "lot", "supplier"),
        ", ".join(much),
        ", ".join([*([str(use_by)] if use_by else []), *([f"best before {best_before}"] if best_before else [])]),
        "" if warm is None else f"{warm:g} °C",
        *_words(body, "who"),
        in_words({key: body[key] for key in ("order", "shelf", "note") if body.get(key)}),
    )


def _waste(line: KeptLine, zone: tzinfo) -> tuple[str, ...]:
    body = line.body
    return (
        *_when_and_where(line, zone),
        *_words(body, "product", "lot"),
        ", ".join(_much(body)),
        *_words(body, "reason", "who"),
        in_words({key: body[key] for key in ("shelf", "note") if body.get(key)}),
    )


def _when_and_where(line: KeptLine, zone: tzinfo) -> tuple[str, str, str]:
    return utc(line.wall_ms) or "unknown", local(line.wall_ms, zone), line.place


def _words(body: Mapping[str, object], *keys: str) -> tuple[str, ...]:
    return tuple(str(body.get(key) or "") for key in keys)


def _much(body: Mapping[str, object]) -> list[str]:
    units = number(body.get("units"))
    return [*([] if units is None else [f"{units:g} pieces"]), *_grams(body, "grams", "")]


def _grams(body: Mapping[str, object], key: str, words: str) -> list[str]:
    found = number(body.get(key))
    return [] if found is None else [f"{words} {found:g} g".strip()]


def _node(line: KeptLine, zone: tzinfo) -> tuple[str, ...]:
    return (str(line.number), utc(line.wall_ms) or "unknown", local(line.wall_ms, zone), line.kind, in_words(line.body))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], none: str) -> str:
    if not rows:
        return _none(none)
    head = "".join(f"<th>{escape(word)}</th>" for word in headings)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in rows[:_MOST_ROWS])
    more = f"<p>{len(rows) - _MOST_ROWS} more: see the CSV.</p>\n" if len(rows) > _MOST_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>\n{more}"


def _none(words: str) -> str:
    return f'<p class="none">{escape(words)}</p>\n'
