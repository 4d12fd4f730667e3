"""From the lines of the record to what an inspector reads."""

import csv
import io
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.instant import Instant
from edge_agent.domain.record import ChainFault, ChainVerdict, KeptLine, RecordKind
from edge_agent.exchange import haccp_csv, haccp_html
from edge_agent.exchange.haccp import Period, Range, Report, gather
from edge_agent.exchange.haccp_html import Heading, page
from edge_agent.exchange.plot import temperatures

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN_MS = 1_793_487_600_000  # 2026-11-01 00:00 in Berlin
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MONTH = Period(BEGIN_MS, BEGIN_MS + 30 * DAY_MS)
SOUND = ChainVerdict(10, 1, 10, "ab" * 32)
HEADING = Heading("elm-street", "a1", "0.1", BEGIN_MS + 40 * DAY_MS, BERLIN, "Europe/Berlin")


def text(at_ms: int) -> str:
    return Instant(0, at_ms, "b").rfc3339()


def line(kind: str, hours: float, place: str = "cold-room", unset: bool = False, **body: Any) -> KeptLine:
    at_ms = BEGIN_MS + round(hours * HOUR_MS)
    wall_ms = None if unset else at_ms
    return KeptLine("agent.db", 7, kind, place, text(at_ms), wall_ms, at_ms, unset, body, "cd" * 32)


def interval(hours: float, least: float = 2.0, mean: float = 3.0, most: float = 4.0, **body: Any) -> KeptLine:
    begin = text(BEGIN_MS + round(hours * HOUR_MS) - 900_000)
    return line("interval", hours, readings=90, **{"from": begin, "raw_c": [least, mean, most], **body})


def settings(hours: float, **limits: Any) -> KeptLine:
    air = {"sensor": "fridge", "driver": "sht4x", "role": "air"}
    core = {"sensor": "core", "driver": "ds18b20", "role": "core", "calibrated_on": "2026-03-01", "certificate": "D-1"}
    return line("settings", hours, **{"low_c": 0, "high_c": 5, "critical_high_c": 8, **limits}, sensors=[air, core])


def excursion(kind: str, hours: float, begun: float, **body: Any) -> KeptLine:
    told = {"limit": "critical-high", "of": "product", "limit_c": 8, "extreme_c": 9.4, "outside_s": 600}
    return line(kind, hours, **{**told, "from": text(BEGIN_MS + round(begun * HOUR_MS)), **body})


GOODS = ("product", "lot", "supplier", "use_by", "best_before", "who", "order", "shelf", "note", "reason")


def delivery(hours: float, **more: Any) -> KeptLine:
    told = {"product": "4006381333931", "lot": "L1", "supplier": "farm-a", "units": 24, "who": "local:ann"}
    return line("delivery", hours, **told, **more)


def alarm(hours: float, change: str, who: str = "agent", **body: Any) -> KeptLine:
    kind = "corrective-action" if change == "corrected" else "alarm"
    return line(kind, hours, alarm="cold-room-critical-high", change=change, who=who, **body)


def html(report: Report, chain: ChainVerdict = SOUND) -> str:
    return "".join(page(report, HEADING, chain))


def cells(report: Report, chain: ChainVerdict = SOUND) -> list[list[str]]:
    """Rows of every table, as a browser reads them."""

    class Tables(HTMLParser):
        is_inside = False

        def handle_starttag(self, tag, attrs):
            if tag == "tr":
                self.rows.append([])
            if tag in ("td", "th"):
                self.rows[-1].append("")
                self.is_inside = True

        def handle_data(self, data):
            if self.rows and self.rows[-1] and self.is_inside:
                self.rows[-1][-1] += data

        def handle_endtag(self, tag):
            self.is_inside = self.is_inside and tag not in ("td", "th")

    reader = Tables()
    reader.rows = []
    reader.feed(html(report, chain))
    return reader.rows


def test_an_excursion_is_told_with_who_came_and_what_was_done():
    lines = [
        settings(-100),
        interval(10),
        excursion("excursion-begun", 20.1, 20),
        alarm(20.1, "raised"),
        alarm(20.4, "acknowledged", "button"),
        excursion("excursion-ended", 22, 20, to=text(BEGIN_MS + 22 * HOUR_MS), outside_s=7000),
        alarm(23, "corrected", "cli:anna", reason="Milk measured 4.1 °C, kept"),
        excursion("excursion-begun", 40.1, 40),
    ]
    (found, later) = gather(lines, MONTH).places["cold-room"].excursions
    assert (found.end_ms, found.outside_s, found.extreme) == (BEGIN_MS + 22 * HOUR_MS, 7000, 9.4)
    assert (found.acknowledged.who, found.corrected.words) == ("button", "Milk measured 4.1 °C, kept")
    assert (later.end_ms, later.acknowledged, later.corrected) == (None, None, None)
    row = next(row for row in cells(gather(lines, MONTH)) if row[0].startswith("critical-high"))
    assert row[3:7] == ["2026-11-01 21:00:00", "2 h", "1 h 56 min", "9.4 °C"]
    assert row[7:] == ["button 2026-11-01 19:24:00", "cli:anna 2026-11-01 22:00:00: Milk measured 4.1 °C, kept"]


@pytest.mark.parametrize(
    ("begun", "ended", "is_told"),
    [(-30, -20, False), (-30, 5, True), (-30, None, True), (-30, 800, True), (700, 800, True), (721, 722, False)],
)
def test_an_excursion_belongs_to_every_period_it_touches(begun, ended, is_told):
    lines = [excursion("excursion-begun", begun, begun)]
    if ended is not None:
        lines.append(excursion("excursion-ended", ended, begun, to=text(BEGIN_MS + ended * HOUR_MS)))
    assert ("cold-room" in gather(lines, MONTH).places) is is_told


def test_the_limits_in_force_are_the_last_before_the_period_and_those_within():
    lines = [settings(-300, high_c=7), settings(-200), settings(5), settings(10, high_c=6), settings(800), interval(1)]
    told = gather(lines, MONTH).places["cold-room"].settings
    assert [(each.from_ms, each.limit("high_c")) for each in told] == [
        (BEGIN_MS - 200 * HOUR_MS, 5),
        (BEGIN_MS + 10 * HOUR_MS, 6),
    ]


def test_a_sensor_without_a_calibration_date_is_told_so():
    rows = cells(gather([settings(-1), interval(1)], MONTH))
    assert ["fridge", "sht4x", "air", haccp_html.NO_CALIBRATION, "-", "0"] in rows
    assert ["core", "ds18b20", "core", "2026-03-01", "D-1", "0"] in rows


def test_every_report_says_that_the_device_is_not_certified():
    for lines in ([], [interval(1)]):
        assert "not a certified temperature recorder" in html(gather(lines, MONTH))
        assert "EN 12830" in html(gather(lines, MONTH))


@given(st.lists(st.tuples(st.integers(0, 2879), st.integers(-30, 30), st.integers(0, 20)), min_size=1, max_size=60))
def test_no_peak_is_lost_in_a_plot_however_long_the_period(found):
    lines = [interval((quarter + 1) / 4, low, low + up / 2, low + up) for quarter, low, up in found]
    for days in (30, 400, 3000):
        place = gather(lines, Period(BEGIN_MS, BEGIN_MS + days * DAY_MS)).places["cold-room"]
        assert min(each.least for each in place.air.values()) == min(low for _, low, _ in found)
        assert max(each.most for each in place.air.values()) == max(low + up for _, low, up in found)
        assert sum(each.count for each in place.air.values()) == len(found)
        assert len(place.air) <= 721


def drawn(lines: list[KeptLine], period: Period = MONTH) -> ElementTree.Element:
    report = gather(lines, period)
    return ElementTree.fromstring(temperatures(report.places["cold-room"], period, BERLIN))


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.get("class") == name]


def test_deliveries_and_waste_of_the_period_have_tables_of_their_own():
    lines = [
        delivery(-1, units_=1),
        delivery(5, invoiced_g=12000, rejected_g=500, use_by="2026-12-01", temperature_c=3.5, order="A-7"),
        line("waste", 6, "", lot="L1", grams=1250, reason="spoiled", who="mqtt:bea (key office)", note="wet"),
        line("waste", 6.5, "cellar", shelf="s-1", units=3, reason="expired", who="local:ann"),
    ]
    found = gather(lines, MONTH)
    assert (len(found.deliveries), len(found.waste), found.node) == (1, 2, [])
    told = cells(found)
    assert [
        *("2026-11-01 04:00:00", "2026-11-01 05:00:00 +01:00", "cold-room", "4006381333931", "L1", "farm-a"),
        *("24 pieces, invoiced 12000 g, sent back 500 g", "2026-12-01", "3.5 °C", "local:ann", "order A-7"),
    ] in told
    when = ("2026-11-01 05:00:00", "2026-11-01 06:00:00 +01:00", "")
    assert [*when, "", "L1", "1250 g", "spoiled", "mqtt:bea (key office)", "note wet"] in told
    assert "Nothing was recorded" not in html(found)
    assert gather(lines, MONTH, only="cellar").deliveries == []


def test_the_interval_that_ends_at_midnight_belongs_to_the_day_before():
    days = [Period(BEGIN_MS + day * DAY_MS, BEGIN_MS + (day + 1) * DAY_MS) for day in (0, 1)]
    assert [gather([interval(24)], day).lines for day in days] == [1, 0]


def test_a_plot_is_broken_where_nothing_was_measured():
    lines = [interval(n / 4) for n in range(1, 40)] + [interval(n / 4) for n in range(60, 100)]
    assert len(of_class(drawn(lines, Period(BEGIN_MS, BEGIN_MS + DAY_MS)), "air")) == 2
    assert len(of_class(drawn([interval(1)]), "air")) == 1


def test_a_plot_shows_limits_excursions_gaps_and_defrosts():
    gap = line("gap", 50, reason="switched-off", **{"from": text(BEGIN_MS + 48 * HOUR_MS)})
    lines = [
        *(settings(-1), settings(100, high_c=6), interval(1), interval(200), gap),
        *(excursion("excursion-ended", 22, 20), line("defrost", 70, for_min=20)),
    ]
    root = drawn(lines)
    assert len(of_class(root, "limit")) == 6  # three limits, each of two settings
    assert [len(of_class(root, name)) for name in ("excursion", "gap", "defrost")] == [1, 1, 1]
    (shade,) = of_class(root, "excursion")
    left, width = float(shade.get("x")), float(shade.get("width"))
    whole = 1000 - 44 - 96
    assert left == pytest.approx(44 + whole * 20 / 720, abs=0.2)
    assert width == pytest.approx(max(1.0, whole * 2 / 720), abs=0.2)


def test_a_band_reaches_from_the_least_to_the_most():
    root = drawn([interval(1, 2.0, 3.0, 4.0), interval(1.25, -1.0, 3.0, 9.0)], Period(BEGIN_MS, BEGIN_MS + DAY_MS))
    (band,), (mean,) = of_class(root, "air-band"), of_class(root, "air")
    band_y = [float(point.split(",")[1]) for point in band.get("points").split()]
    mean_y = [float(point.split(",")[1]) for point in mean.get("points").split()]
    per_degree = (max(band_y) - min(band_y)) / 10  # -1 to 9 °C
    assert [round((max(band_y) - y) / per_degree - 1) for y in band_y] == [4, 9, -1, 2]
    assert [round((max(band_y) - y) / per_degree - 1) for y in mean_y] == [3, 3]


def test_nothing_on_the_page_comes_from_elsewhere():
    found = html(gather([settings(-1), interval(1), alarm(2, "raised")], MONTH))
    assert re.findall(r"(?:src|href)\s*=|@import|url\((?!#)|https?://", found) == []
    assert "@media print" in found


EVIL = '<script>alert("1")</script>&\'"'


def test_words_from_outside_are_escaped_everywhere():
    lines = [
        line("settings", -1, EVIL, sensors=[{"sensor": EVIL, "certificate": EVIL}], region=EVIL, goods=[EVIL], low_c=1),
        line("interval", 1, EVIL, raw_c=[1, 2, 3]),
        line("excursion-ended", 2, EVIL, limit=EVIL, of=EVIL),
        line("alarm", 3, EVIL, alarm=EVIL, change=EVIL, who=EVIL, message=EVIL, priority=EVIL, value=EVIL, unit=EVIL),
        line("corrective-action", 4, EVIL, alarm=f"{EVIL}-{EVIL}", who=EVIL, reason=EVIL),
        line("gap", 5, EVIL, reason=EVIL),
        line("delivery", 5, EVIL, **dict.fromkeys(GOODS, EVIL)),
        line("waste", 5, EVIL, **dict.fromkeys(GOODS, EVIL)),
        line("digest", 6, "", head=EVIL, **{EVIL: EVIL}),
        line(EVIL, 7, "", x=1),
    ]
    chain = ChainVerdict(1, 1, 1, EVIL, (ChainFault(EVIL, 1, EVIL, EVIL, EVIL),), (EVIL,))
    heading = Heading(EVIL, EVIL, EVIL, BEGIN_MS, BERLIN, EVIL)
    found = "".join(page(gather(lines, MONTH), heading, chain))
    assert "<script" not in found
    assert found.count("&lt;script&gt;") >= 20


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        *(
            "from",
            "to",
            "limit",
            "limit_c",
            "raw_c",
            "product_c",
            "sensors",
            "goods",
            "low_c",
            "high_c",
            "alarm",
            "who",
        ),
        *("change", "value", "unit", "extreme_c", "outside_s", "readings", "reason", "food_limit_c", "region"),
        *("product", "lot", "units", "grams", "temperature_c", "use_by", "order", "note"),
    ]
)


@given(
    st.lists(
        st.tuples(st.sampled_from([*RecordKind, "later"]), st.integers(-50, 800), st.dictionaries(KEYS, ANYTHING)),
        max_size=6,
    )
)
def test_a_line_of_another_version_costs_no_report(found):
    lines = [line(str(kind), hours, **body) for kind, hours, body in found]
    html(gather(lines, MONTH))
    list(rows(*lines))
    for each in lines:
        assert len(haccp_csv.row(each, BERLIN)) == len(haccp_csv.COLUMNS)


def test_one_place_alone_comes_with_what_concerns_the_node():
    lines = [interval(1), line("interval", 1, "freezer", raw_c=[1, 2, 3]), line("clock", 2, "", what="stepped")]
    report = gather(lines, MONTH, "freezer")
    assert (list(report.places), [each.kind for each in report.node], report.lines) == (["freezer"], ["clock"], 2)


def test_lines_of_a_clock_that_was_not_set_are_counted():
    lines = [interval(1), line("interval", 2, unset=True, raw_c=[1, 2, 3])]
    report = gather(lines, MONTH)
    assert (report.lines, report.unset_clock) == (2, 1)
    assert "1 lines were taken by a clock that was never set" in html(report)


def test_an_excursion_that_began_before_the_clock_was_set_is_dated_by_its_own_line():
    late_ms = 50 * 365 * DAY_MS  # how far the clock was behind
    old = text(BEGIN_MS + 20 * HOUR_MS - late_ms)
    begun = excursion("excursion-begun", 20.1, 20, **{"from": old})
    begun = begun._replace(at=text(BEGIN_MS + round(20.1 * HOUR_MS) - late_ms), is_corrected=True)
    ended = excursion("excursion-ended", 22, 20, to=text(BEGIN_MS + 22 * HOUR_MS), **{"from": old})
    (found,) = gather([begun, ended], MONTH).places["cold-room"].excursions
    assert (found.begin_ms, found.end_ms) == (BEGIN_MS + 20 * HOUR_MS, BEGIN_MS + 22 * HOUR_MS)
    (row,) = rows(begun)
    assert (row["from_utc"], row["clock"]) == ("2026-11-01 19:00:00", "corrected")


def test_a_broken_chain_is_told_first_with_every_place():
    chain = ChainVerdict(10, 1, 10, "ab", (ChainFault("agent.db", 6, "changed", "line 6 does not match", "x"),), ("n",))
    found = html(gather([], MONTH), chain)
    assert found.index("agent.db: changed: line 6 does not match") < found.index("Alarms and what was done")
    assert "is whole" not in found


# --- CSV --------------------------------------------------------------------------------------------------------------


def rows(*lines: KeptLine) -> list[dict[str, str]]:
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(haccp_csv.COLUMNS)
    table.writerows(haccp_csv.row(each, BERLIN) for each in lines)
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def test_a_row_has_utc_local_time_and_figures():
    (row,) = rows(interval(1, 2, 3, 4.5, product_c=[2.5, 2.6, 2.7]))
    assert (row["utc"], row["local"]) == ("2026-11-01 00:00:00", "2026-11-01 01:00:00 +01:00")
    assert (row["air_min_c"], row["air_mean_c"], row["air_max_c"], row["product_max_c"]) == (
        "2",
        "3",
        "4.5",
        "2.7",
    ) or (
        row["air_min_c"],
        row["air_max_c"],
    ) == ("2.0", "4.5")
    assert (row["duration_s"], row["clock"], row["rest"]) == ("900.0", "set", "")


def test_what_the_columns_do_not_hold_is_in_the_last_but_one():
    (row,) = rows(line("gap", 5, reason="no-reading", product_before_c=3.5))
    assert (row["words"], row["rest"], row["hash"]) == ("no-reading", '{"product_before_c":3.5}', "cd" * 32)


@pytest.mark.parametrize("words", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_what_people_write_becomes_no_formula(words):
    (row,) = rows(alarm(1, "corrected", who=words, reason=words))
    assert (row["who"][0], row["words"][0]) == ("'", "'")


def test_the_columns_are_those_that_were_promised():
    assert haccp_csv.COLUMNS[:5] == ("file", "line", "utc", "local", "clock")
    assert len(set(haccp_csv.COLUMNS)) == len(haccp_csv.COLUMNS) == 46
    assert haccp_csv.COLUMNS[31:34] == ("rest", "hash", "product")


def test_a_delivery_and_what_was_thrown_away_have_their_columns_and_no_other_line_has():
    came, gone, none = rows(
        delivery(5, temperature_c=-18.5, use_by="2026-12-01", note="=1", source="c-1"),
        line("waste", 6, shelf="s-1", grams=1250, reason="spoiled", who="mqtt"),
        line("settings", 7, product="x"),
    )
    keys = ("kind", "product", "lot", "supplier", "units", "temperature_c", "use_by", "note", "who", "rest")
    assert [came[key] for key in keys] == [
        *("delivery", "4006381333931", "L1", "farm-a", "24.0", "-18.5", "2026-12-01", "'=1", "local:ann"),
        '{"source":"c-1"}',
    ]
    assert [gone[key] for key in ("shelf", "grams", "words", "rest")] == ["s-1", "1250.0", "spoiled", ""]
    assert (none["product"], none["rest"]) == ("", '{"product":"x"}')


def test_a_bucket_adds_up():
    found = Range(1, 2, 3)
    found.add(0, 4, 8)
    assert (found.least, found.mean, found.most) == (0, 3, 8)
